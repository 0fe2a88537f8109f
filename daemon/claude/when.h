/*
 * when.h - the ways the API names a point in time. All results are wall clock
 * seconds since 1970, or -1 for anything else than a date.
 */
#ifndef DAEMON_CLAUDE_WHEN_H
#define DAEMON_CLAUDE_WHEN_H

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
double when_from_http(const char *text);
/* "2026-12-01T00:00:00Z", with a fraction, with an offset */
double when_from_rfc3339(const char *text);
/* The first "2026-12-01", "2026-12-01 at 08:00 UTC" or RFC 3339 time in text. */
double when_in_text(const char *text);
/* 00:00 UTC on the first day of the month after now_s. */
double when_next_month(double now_s);

#endif
