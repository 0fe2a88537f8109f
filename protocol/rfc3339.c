/*
 * rfc3339.c - the times of the protocol as text: message_time_parse and
 * message_time_put of message.h.
 */
#include "protocol/message.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The years that four digits can say, in UTC. */
#define TIME_MIN INT64_C(-62167219200000)
#define TIME_MAX INT64_C(253402300799999)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly count digits at *text, which moves past them; -1 otherwise. */
static int
take_number(const char **text, int count)
{
	int number = 0;

	for (; count > 0; count--, (*text)++) {
		if (!is_digit(**text))
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

/* One of the characters of set at *text, which moves past it. */
static bool
take_char(const char **text, const char *set)
{
	if (**text == '\0' || !strchr(set, **text))
		return false;
	(*text)++;
	return true;
}

/* ".123456" as whole milliseconds; nothing is 0, a lone dot -1. */
static int
take_fraction(const char **text)
{
	int ms = 0;

	if (!take_char(text, "."))
		return 0;
	if (!is_digit(**text))
		return -1;
	for (int weight = 100; is_digit(**text); weight /= 10, (*text)++)
		ms += weight * (**text - '0');
	return ms;
}

/* "Z" or "+02:00" in minutes east of Greenwich. */
static bool
take_zone(const char **text, int *ret)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	*ret = 0;
	if (take_char(text, "Zz"))
		return true;
	if (!take_char(text, "+-"))
		return false;
	hours = take_number(text, 2);
	if (hours < 0 || hours > 23 || !take_char(text, ":"))
		return false;
	minutes = take_number(text, 2);
	*ret = sign * (hours * 60 + minutes);
	return minutes >= 0 && minutes <= 59;
}

/* Every number of the date and time of day is one the calendar has; a leap
 * second is the first of the next minute. */
static bool
take_date(const char **text, struct tm *ret)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day;
	bool leap;

	if ((year = take_number(text, 4)) < 0 || !take_char(text, "-") ||
	    (month = take_number(text, 2)) < 1 || month > 12 || !take_char(text, "-") ||
	    (day = take_number(text, 2)) < 1)
		return false;
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > days[month - 1] + (month == 2 && leap))
		return false;
	*ret = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
	return true;
}

static bool
take_time(const char **text, struct tm *ret)
{
	return (ret->tm_hour = take_number(text, 2)) >= 0 && ret->tm_hour <= 23 &&
	       take_char(text, ":") && (ret->tm_min = take_number(text, 2)) >= 0 &&
	       ret->tm_min <= 59 && take_char(text, ":") &&
	       (ret->tm_sec = take_number(text, 2)) >= 0 && ret->tm_sec <= 60;
}

bool
message_time_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm;
	int ms, zone;

	if (!take_date(&text, &tm) || !take_char(&text, "Tt ") || !take_time(&text, &tm))
		return false;
	ms = take_fraction(&text);
	if (ms < 0 || !take_zone(&text, &zone) || *text != '\0')
		return false;
	*ret_ms = ((int64_t)timegm(&tm) - (int64_t)zone * 60) * 1000 + ms;
	return *ret_ms >= TIME_MIN && *ret_ms <= TIME_MAX;
}

char *
message_time_put(int64_t ms, char ret[static MESSAGE_TIME_LEN])
{
	unsigned rest = (unsigned)(((ms % 1000) + 1000) % 1000);
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;

	if (ms < TIME_MIN || ms > TIME_MAX || !gmtime_r(&seconds, &tm))
		return strcpy(ret, "unknown");
	/* The remainders change nothing; they tell the compiler that it fits. */
	snprintf(ret, MESSAGE_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, rest);
	return ret;
}
