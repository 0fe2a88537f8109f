/*
 * when.c - dates, without the locale and the time zone of the machine.
 */
#include "daemon/claude/when.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/base.h"

static double
seconds(int year, int month, int day, int hour, int minute, double second)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

	if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 ||
	    hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second >= 61)
		return -1;
	return (double)timegm(&tm) + hour * 3600.0 + minute * 60.0 + second;
}

double
when_from_http(const char *text)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int day, year, hour, minute, second;
	char name[4];

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d", &day, name, &year, &hour,
		   &minute, &second) != 6)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(months); i++)
		if (strcmp(months[i], name) == 0)
			return seconds(year, (int)i + 1, day, hour, minute, second);
	return -1;
}

/* The digits at *text as a number; it is moved behind them. */
static int
digits(const char **text, int count)
{
	int value = 0;

	for (; count > 0; count--, (*text)++) {
		if (!isdigit((unsigned char)**text))
			return -1;
		value = value * 10 + (**text - '0');
	}
	return value;
}

static bool
literal(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* "Z" or "+01:00": what to subtract; false if neither. */
static bool
zone(const char **text, double *ret_s)
{
	double sign = **text == '-' ? -1 : 1;

	*ret_s = 0;
	if (literal(text, 'Z') || literal(text, 'z'))
		return true;
	if (**text != '+' && **text != '-')
		return false;
	(*text)++;
	int hours = digits(text, 2);

	if (hours < 0 || !literal(text, ':'))
		return false;
	int minutes = digits(text, 2);

	*ret_s = sign * (hours * 3600.0 + minutes * 60.0);
	return minutes >= 0;
}

/* A date at *text, which is moved behind it. */
static double
date(const char **text)
{
	int year = digits(text, 4);

	if (year < 0 || !literal(text, '-'))
		return -1;
	int month = digits(text, 2);

	if (month < 0 || !literal(text, '-'))
		return -1;
	return seconds(year, month, digits(text, 2), 0, 0, 0);
}

/* hh:mm, perhaps with seconds, perhaps with a fraction of them. */
static double
time_of_day(const char **text)
{
	int hour = digits(text, 2);

	if (hour < 0 || hour > 24 || !literal(text, ':'))
		return -1;
	int minute = digits(text, 2);

	if (minute < 0 || minute > 59)
		return -1;
	double at = hour * 3600.0 + minute * 60.0, unit = 0.1;

	if (!literal(text, ':'))
		return at;
	int second = digits(text, 2);

	if (second < 0 || second > 60)
		return -1;
	at += second;
	if (literal(text, '.'))
		for (; isdigit((unsigned char)**text); (*text)++, unit /= 10)
			at += (**text - '0') * unit;
	return at;
}

double
when_from_rfc3339(const char *text)
{
	double day = date(&text), at, offset;

	if (day < 0 || (!literal(&text, 'T') && !literal(&text, 't') && !literal(&text, ' ')))
		return -1;
	at = time_of_day(&text);
	if (at < 0 || !zone(&text, &offset) || *text)
		return -1;
	return day + at - offset;
}

/* What follows a date: a time of that day, if there is one. */
static double
time_after(const char *text)
{
	double at, offset = 0;

	if (strncmp(text, " at ", 4) == 0)
		text += 4;
	else if (*text == 'T' || *text == ' ')
		text++;
	else
		return 0;
	at = time_of_day(&text);
	if (at < 0)
		return 0;
	(void)zone(&text, &offset);
	return at - offset;
}

double
when_in_text(const char *text)
{
	for (; *text; text++) {
		const char *end = text;

		if (!isdigit((unsigned char)*text))
			continue;
		double day = date(&end);

		if (day >= 0)
			return day + time_after(end);
		while (isdigit((unsigned char)text[1]))
			text++;
	}
	return -1;
}

double
when_next_month(double now_s)
{
	time_t now = (time_t)now_s;
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return -1;
	return tm.tm_mon == 11 ? seconds(tm.tm_year + 1901, 1, 1, 0, 0, 0)
			       : seconds(tm.tm_year + 1900, tm.tm_mon + 2, 1, 0, 0, 0);
}
