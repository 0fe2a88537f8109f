/*
 * bench_fsync.c - what the disk itself can do: append one record, fdatasync, again.
 *
 *	bench_fsync DIRECTORY [-b RECORD_BYTES] [-t SECONDS]
 *
 * The baseline of every durable figure. Prints one line of JSON.
 */
#include "protocol/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_SYNCS 200000

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void
print(float *took_us, size_t n, double seconds)
{
	qsort(took_us, n, sizeof(*took_us), compare);
	printf("{\"answered\":%zu,\"failed\":0,\"seconds\":%.3f,\"per_second\":%.1f,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
	       n, seconds, (double)n / seconds, (double)took_us[n / 2],
	       (double)took_us[n * 99 / 100], (double)took_us[n - 1]);
}

static size_t
measure(int fd, const char *record, size_t len, double seconds, float *ret_us)
{
	double end = now_s() + seconds, before = now_s(), after;
	size_t n = 0;

	while (n < MAX_SYNCS && before < end) {
		if (write(fd, record, len) != (ssize_t)len || fdatasync(fd)) {
			perror("bench_fsync");
			exit(1);
		}
		after = now_s();
		ret_us[n++] = (float)((after - before) * 1e6);
		before = after;
	}
	return n;
}

int
main(int argc, char **argv)
{
	static float took_us[MAX_SYNCS];
	size_t len = 1024, n;
	double seconds = 1;
	char path[4096], *record;
	int option, fd;

	while ((option = getopt(argc, argv, "b:t:")) != -1)
		switch (option) {
		case 'b':
			len = (size_t)atol(optarg);
			break;
		case 't':
			seconds = atof(optarg);
			break;
		default:
			return 2;
		}
	record = calloc(1, len);
	if (argc != optind + 1 || !record || len == 0 || seconds <= 0) {
		fputs("usage: bench_fsync DIRECTORY [-b RECORD_BYTES] [-t SECONDS]\n", stderr);
		return 2;
	}
	snprintf(path, sizeof(path), "%s/fsync.bench", argv[optind]);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	n = measure(fd, record, len, seconds, took_us);
	close(fd);
	unlink(path);
	free(record);
	print(took_us, n, seconds);
	return 0;
}
