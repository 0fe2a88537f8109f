/*
 * clock.c - time and randomness from the kernel.
 */
#include "daemon/base/clock.h"

#include "daemon/base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static double scale = 1.0; /* set before there is a second thread */

void
clock_set_scale(double new_scale)
{
	scale = new_scale;
}

double
clock_mono(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((double)now.tv_sec + (double)now.tv_nsec / 1e9) * scale;
}

int64_t
clock_mono_ms(void)
{
	return (int64_t)(clock_mono() * 1000.0);
}

struct timeval
clock_timer(double seconds)
{
	double real = seconds > 0 ? seconds / scale : 0.0;
	time_t whole = (time_t)real;

	return (struct timeval){ whole, (suseconds_t)((real - (double)whole) * 1e6) };
}

int64_t
clock_service_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What four digits of a year can hold; anything beyond is shown as the edge. */
#define OLDEST_MS (-62167219200000LL) /* year 0 */
#define LATEST_MS 253402300799999LL   /* the end of year 9999 */

char *
clock_text(int64_t wall_ms, char buf[static CLOCK_TEXT_LEN])
{
	int64_t shown = wall_ms < OLDEST_MS ? OLDEST_MS : wall_ms > LATEST_MS ? LATEST_MS : wall_ms;
	int64_t millis = ((shown % 1000) + 1000) % 1000;
	time_t seconds = (time_t)((shown - millis) / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	/* The masks change nothing; they show the compiler that it fits. */
	snprintf(buf, CLOCK_TEXT_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
		 (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
		 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u, (unsigned)millis % 1000u);
	return buf;
}

/* Each thread has its own stream, so none needs a lock. */
static _Thread_local uint64_t random_state;
static _Thread_local bool random_seeded;

static void
random_seed(void)
{
	ssize_t got;

	do
		got = getrandom(&random_state, sizeof(random_state), 0);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(random_state))
		fatal("getrandom: %s", strerror(errno));
	random_seeded = true;
}

/* splitmix64: every seed is good, and it cannot get stuck. */
double
clock_random(void)
{
	uint64_t z;

	if (!random_seeded)
		random_seed();
	random_state += 0x9e3779b97f4a7c15ULL;
	z = random_state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53;
}
