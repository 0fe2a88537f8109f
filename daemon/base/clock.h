/*
 * clock.h - the only file that asks what time it is, or for randomness.
 * Everybody else is told.
 */
#ifndef DAEMON_BASE_CLOCK_H
#define DAEMON_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since an arbitrary point that never jumps (CLOCK_MONOTONIC). */
int64_t clock_mono_ms(void);
/* The same in seconds, with its fraction: what the gate counts in. */
double clock_mono(void);
/* Milliseconds since 1970 UTC: what goes on disk and over the wire. */
int64_t clock_wall_ms(void);

/* "2026-11-24T09:51:08.123Z" into buf (>= CLOCK_TEXT_LEN); returns buf. */
#define CLOCK_TEXT_LEN 25
char *clock_text(int64_t wall_ms, char buf[static CLOCK_TEXT_LEN]);

/* In [0, 1). Not for secrets. */
double clock_random(void);

#endif
