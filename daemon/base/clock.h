/*
 * clock.h - the only file that asks what time it is, or for randomness.
 * Everybody else is told.
 */
#ifndef DAEMON_BASE_CLOCK_H
#define DAEMON_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/* Milliseconds since an arbitrary point that never jumps (CLOCK_MONOTONIC). */
int64_t clock_mono_ms(void);
/* The same in seconds, with its fraction: what the gate counts in. */
double clock_mono(void);
/* A timer that goes off after so many of these seconds; at once if negative. */
struct timeval clock_timer(double seconds);

/*
 * For tests alone: the two clocks above run so many times faster, and timers
 * made of their spans go off as much sooner. The wall clock keeps its pace.
 * Call it before anybody asks for the time. Read from the environment by
 * daemon.c, FOREBAY_TIME_SCALE.
 */
void clock_set_scale(double scale);

/* CLOCK_MONOTONIC in microseconds as the service manager counts it: never scaled. */
int64_t clock_service_us(void);

/* Milliseconds since 1970 UTC: what goes on disk and over the wire. */
int64_t clock_wall_ms(void);

/* "2026-11-24T09:51:08.123Z" into buf (>= CLOCK_TEXT_LEN); returns buf. */
#define CLOCK_TEXT_LEN 25
char *clock_text(int64_t wall_ms, char buf[static CLOCK_TEXT_LEN]);

/* In [0, 1). Not for secrets. */
double clock_random(void);

#endif
