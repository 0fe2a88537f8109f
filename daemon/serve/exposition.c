/*
 * exposition.c - the text format of Prometheus; see exposition.h. A page has
 * thousands of numbers and is made on the loop: they are not printed by printf,
 * unless they are very big.
 */
#include "daemon/serve/exposition.h"

#include "daemon/base/log.h"
#include "daemon/base/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX	   "forebay_"
#define FIRST_ROOM (64u * 1024)
#define NUMBER_LEN 40  /* of any number */
#define MILLIONTHS 1e6 /* how exact numbers are */
#define PLAIN_MAX  9e9 /* times the above a double is still exact to one */

/* --- the buffer ------------------------------------------------------------------ */

/* Where the next len bytes may be written. */
static char *
reserve(struct exposition *page, size_t len)
{
	size_t room = page->room ? page->room : FIRST_ROOM;
	char *text;

	while (room - page->len < len)
		room *= 2;
	if (room > page->room) {
		text = realloc(page->text, room);
		if (!text)
			fatal("out of memory");
		page->text = text;
		page->room = room;
	}
	return page->text + page->len;
}

static void
append(struct exposition *page, const char *text, size_t len)
{
	memcpy(reserve(page, len), text, len);
	page->len += len;
}

static void
append_word(struct exposition *page, const char *word)
{
	append(page, word, strlen(word));
}

/* --- families and samples ---------------------------------------------------------- */

static void
append_comment(struct exposition *page, const char *keyword, const char *name, const char *text)
{
	append_word(page, keyword);
	append_word(page, " " PREFIX);
	append_word(page, name);
	append_word(page, " ");
	append_word(page, text);
	append_word(page, "\n");
}

void
exposition_family(struct exposition *page, const char *name, const char *kind, const char *help)
{
	append_comment(page, "# HELP", name, help);
	append_comment(page, "# TYPE", name, kind);
}

void
exposition_sample(struct exposition *page, const char *name, const char *suffix)
{
	append_word(page, PREFIX);
	append_word(page, name);
	append_word(page, suffix);
	page->labelled = false;
}

/* One byte of a label's value as it is spelled; at most 5 bytes. A \xNN of ours has its
 * backslash doubled for the format, so that any reader takes it. */
static size_t
spell(unsigned char c, char *ret)
{
	static const char hex[] = "0123456789ABCDEF";

	if (c == '"' || c == '\\') {
		memcpy(ret, (char[]){ '\\', (char)c }, 2);
		return 2;
	}
	if (c == '\n') {
		memcpy(ret, "\\n", 2);
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		*ret = (char)c;
		return 1;
	}
	memcpy(ret, (char[]){ '\\', '\\', 'x', hex[c >> 4], hex[c & 15] }, 5);
	return 5;
}

void
exposition_label(struct exposition *page, const char *key, const char *value)
{
	char *at;

	append_word(page, page->labelled ? "," : "{");
	append_word(page, key);
	append_word(page, "=\"");
	at = reserve(page, 5 * strlen(value));
	for (; *value; value++)
		at += spell((unsigned char)*value, at);
	page->len = (size_t)(at - page->text);
	append_word(page, "\"");
	page->labelled = true;
}

/* --- values ------------------------------------------------------------------------ */

static char *
put_digits(char *end, uint64_t value)
{
	do
		*--end = (char)('0' + value % 10);
	while (value /= 10);
	return end;
}

/* As few digits as say it to the millionth. */
static size_t
put_number(char *ret, double value)
{
	char text[NUMBER_LEN], *end = text + sizeof(text), *at = end;
	uint64_t millionths = (uint64_t)llround(fabs(value) * MILLIONTHS);
	uint64_t fraction = millionths % (uint64_t)MILLIONTHS;
	unsigned places = 6;

	for (; fraction > 0 && fraction % 10 == 0; places--)
		fraction /= 10;
	if (fraction > 0) {
		at = put_digits(end, fraction);
		while (at > end - places)
			*--at = '0';
		*--at = '.';
	}
	at = put_digits(at, millionths / (uint64_t)MILLIONTHS);
	if (value < 0 && millionths > 0)
		*--at = '-';
	memcpy(ret, at, (size_t)(end - at));
	return (size_t)(end - at);
}

static size_t
put_value(char *ret, double value)
{
	if (isnan(value))
		return (size_t)sprintf(ret, "NaN");
	if (isinf(value))
		return (size_t)sprintf(ret, "%cInf", value < 0 ? '-' : '+');
	if (fabs(value) >= PLAIN_MAX)
		return (size_t)snprintf(ret, NUMBER_LEN, "%.17g", value);
	return put_number(ret, value);
}

static void
end_sample(struct exposition *page, const char *value, size_t len)
{
	append_word(page, page->labelled ? "} " : " ");
	append(page, value, len);
	append_word(page, "\n");
}

void
exposition_number(struct exposition *page, double value)
{
	char text[NUMBER_LEN];

	end_sample(page, text, put_value(text, value));
}

void
exposition_count(struct exposition *page, uint64_t value)
{
	char text[NUMBER_LEN], *end = text + sizeof(text), *at = put_digits(end, value);

	end_sample(page, at, (size_t)(end - at));
}

void
exposition_histogram(struct exposition *page, const char *name, const struct histogram *histogram)
{
	char bound[NUMBER_LEN];
	uint64_t count = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		count += histogram->counts[i];
		bound[put_value(bound, histogram_bound(i))] = '\0';
		exposition_sample(page, name, "_bucket");
		exposition_label(page, "le", bound);
		exposition_count(page, count);
	}
	exposition_sample(page, name, "_sum");
	exposition_number(page, histogram->sum);
	exposition_sample(page, name, "_count");
	exposition_count(page, count);
}
