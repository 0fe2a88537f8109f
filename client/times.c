/*
 * times.c - durations and times as people write and read them; the command's
 * only look at the clock.
 */
#include "client/times.h"

#include "protocol/base.h"
#include "protocol/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS	  (60 * MINUTE_MS)
#define DAY_MS	  (24 * HOUR_MS)
#define MOST_MS	  (10 * 366 * DAY_MS)

static int64_t
clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
times_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

int64_t
times_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* Longest words first: "ms" before "m". */
static const struct unit {
	const char *word;
	int64_t ms;
} units[] = {
	{ "ms", 1 },	  { "min", MINUTE_MS }, { "s", SECOND_MS },  { "m", MINUTE_MS },
	{ "h", HOUR_MS }, { "d", DAY_MS },	{ "w", 7 * DAY_MS },
};

static int64_t
take_unit(const char **text)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i].word);

		if (strncmp(*text, units[i].word, len) == 0) {
			*text += len;
			return units[i].ms;
		}
	}
	return 0;
}

bool
times_parse_duration(const char *text, int64_t *ret_ms)
{
	int64_t total = 0;

	if (!*text)
		return false;
	while (*text) {
		int64_t number = 0, unit_ms;
		size_t digits = strspn(text, "0123456789");

		if (digits == 0 || digits > 12)
			return false;
		for (; digits > 0; digits--)
			number = number * 10 + *text++ - '0';
		unit_ms = *text ? take_unit(&text) : SECOND_MS;
		if (unit_ms == 0 || number > MOST_MS / unit_ms)
			return false;
		total += number * unit_ms;
		if (total > MOST_MS)
			return false;
	}
	*ret_ms = total;
	return true;
}

/* mktime() normalises, also across a change to or from summer time. */
static bool
parse_time_of_day(const char *text, int64_t now_ms, bool past, int64_t *ret_ms)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm tm;
	int hour, minute, end = 0;

	if (sscanf(text, "%2d:%2d%n", &hour, &minute, &end) != 2 || text[end] || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || !localtime_r(&now, &tm))
		return false;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	*ret_ms = (int64_t)mktime(&tm) * 1000;
	if (past ? *ret_ms > now_ms : *ret_ms <= now_ms) {
		tm.tm_mday += past ? -1 : 1;
		tm.tm_hour = hour;
		tm.tm_min = minute;
		tm.tm_isdst = -1;
		*ret_ms = (int64_t)mktime(&tm) * 1000;
	}
	return true;
}

bool
times_parse_when(const char *text, int64_t now_ms, bool past, int64_t *ret_ms)
{
	int64_t away_ms;

	if (times_parse_duration(text, &away_ms)) {
		*ret_ms = past ? now_ms - away_ms : now_ms + away_ms;
		return true;
	}
	return parse_time_of_day(text, now_ms, past, ret_ms) || message_time_parse(text, ret_ms);
}

char *
times_clock(int64_t ms, char buf[static TIMES_TEXT_LEN])
{
	int64_t s = ms / 1000;

	if (s < 3600)
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
	else
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600,
			 s / 60 % 60, s % 60);
	return buf;
}

char *
times_span(int64_t ms, char buf[static TIMES_TEXT_LEN])
{
	if (ms < SECOND_MS)
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 " ms", ms);
	else if (ms < MINUTE_MS)
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 " s", ms / SECOND_MS);
	else if (ms < HOUR_MS)
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 "m%02" PRId64 "s", ms / MINUTE_MS,
			 ms / SECOND_MS % 60);
	else if (ms < DAY_MS)
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 "h%02" PRId64 "m", ms / HOUR_MS,
			 ms / MINUTE_MS % 60);
	else
		snprintf(buf, TIMES_TEXT_LEN, "%" PRId64 "d%02" PRId64 "h", ms / DAY_MS,
			 ms / HOUR_MS % 24);
	return buf;
}

const char *
times_local(const char *rfc3339, char buf[static TIMES_TEXT_LEN])
{
	int64_t ms;
	struct tm tm;
	time_t when;

	if (!message_time_parse(rfc3339, &ms))
		return rfc3339;
	when = (time_t)(ms / 1000);
	if (!localtime_r(&when, &tm) || strftime(buf, TIMES_TEXT_LEN, "%m-%d %H:%M:%S", &tm) == 0)
		return rfc3339;
	return buf;
}
