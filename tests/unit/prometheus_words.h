/*
 * prometheus_words.h - names, labels and numbers in the text format of
 * Prometheus, for prometheus_page.h. What is wrong fails the test.
 */
#ifndef TESTS_UNIT_PROMETHEUS_WORDS_H
#define TESTS_UNIT_PROMETHEUS_WORDS_H

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline bool
is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)name[i]) && name[i] != '_' &&
		    !(i > 0 && isdigit((unsigned char)name[i])))
			return false;
	return len > 0;
}

/* Behind the label at p, which must be right. */
static inline const char *
skip_label(const char *p, const char *line)
{
	size_t name = strcspn(p, "=");

	if (!is_name(p, name) || strncmp(p + name, "=\"", 2) != 0)
		fail_msg("a label has no name: %s", line);
	for (p += name + 2; *p != '"'; p++) {
		if (*p == '\0' || (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			fail_msg("a label does not end: %s", line);
		if (*p == '\\' && (*++p == '\0' || !strchr("\\\"n", *p)))
			fail_msg("no such escape: %s", line);
	}
	return p + 1;
}

static inline double
number(const char *text, const char *line)
{
	char *end;
	double value = strtod(text, &end);

	/* strtod takes more than the format does. */
	if (*text == '\0' || *end || isspace((unsigned char)*text) || strpbrk(text, "xXpP"))
		fail_msg("no number: %s", line);
	if (isalpha((unsigned char)text[strspn(text, "+-")]) && strcmp(text, "NaN") != 0 &&
	    strcmp(text, "+Inf") != 0 && strcmp(text, "-Inf") != 0)
		fail_msg("no such word for a number: %s", line);
	return value;
}

/* A bucket of a histogram, after one up to *le with *count. */
static inline void
check_bucket(const char *labels, double value, double *le, double *count)
{
	char text[32];
	double bound;

	if (sscanf(labels, "{le=\"%31[^\"]\"}", text) != 1)
		fail_msg("a bucket without a bound: %s", labels);
	bound = number(text, labels);
	if (bound <= *le || value < *count)
		fail_msg("buckets must rise: %s", labels);
	*le = bound;
	*count = value;
}

/* "name rest" behind a keyword; the line is cut. */
static inline const char *
read_comment(char *line, const char *keyword, char **ret_rest)
{
	size_t len = strlen(keyword), name;

	if (strncmp(line, keyword, len) != 0)
		fail_msg("no %s: %s", keyword, line);
	line += len;
	name = strcspn(line, " ");
	if (!is_name(line, name) || line[name] != ' ' || line[name + 1] == '\0')
		fail_msg("%s of what? %s", keyword, line);
	*ret_rest = line + name + 1;
	line[name] = '\0';
	return line;
}

#endif
