/*
 * jsonput.c - see jsonput.h. Whether a comma is due is seen from the last byte
 * written: every value ends in something other than { [ : or a newline.
 */
#include "protocol/jsonput.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

/* Room for len more bytes and a terminator. */
static bool
reserve(struct jsonput *put, size_t len)
{
	size_t size = MAX(put->size, FIRST_SIZE);

	if (put->failed || len > SIZE_MAX / 4 || put->len > SIZE_MAX / 4) {
		put->failed = true;
		return false;
	}
	while (size < put->len + len + 1)
		size *= 2;
	if (size == put->size)
		return true;
	char *bytes = realloc(put->bytes, size);

	if (!bytes) {
		put->failed = true;
		return false;
	}
	put->bytes = bytes;
	put->size = size;
	return true;
}

static void
append(struct jsonput *put, const void *bytes, size_t len)
{
	if (!reserve(put, len))
		return;
	if (len > 0)
		memcpy(put->bytes + put->len, bytes, len);
	put->len += len;
}

static bool
in_object(const struct jsonput *put)
{
	return put->depth > 0 && !(put->arrays >> (put->depth - 1) & 1);
}

static char
last_byte(const struct jsonput *put)
{
	return put->len > 0 ? put->bytes[put->len - 1] : '\n';
}

/* A value begins: it needs a comma, or a key, or an empty document. */
static bool
begin(struct jsonput *put)
{
	char last = last_byte(put);
	bool first = put->depth == 0 ? last == '\n' : last == '[';

	if (in_object(put) ? last != ':' : put->depth == 0 && !first)
		put->failed = true;
	if (put->failed)
		return false;
	if (!in_object(put) && !first)
		append(put, ",", 1);
	return !put->failed;
}

static void
open_container(struct jsonput *put, bool array)
{
	uint64_t bit = UINT64_C(1) << put->depth % 64;

	if (put->depth == JSONPUT_MAX_DEPTH)
		put->failed = true;
	if (!begin(put))
		return;
	append(put, array ? "[" : "{", 1);
	put->arrays = array ? put->arrays | bit : put->arrays & ~bit;
	put->depth++;
}

void
jsonput_object(struct jsonput *put)
{
	open_container(put, false);
}

void
jsonput_array(struct jsonput *put)
{
	open_container(put, true);
}

void
jsonput_end(struct jsonput *put)
{
	if (put->depth == 0 || last_byte(put) == ':')
		put->failed = true;
	if (put->failed)
		return;
	append(put, in_object(put) ? "}" : "]", 1);
	put->depth--;
}

/* The bytes of the UTF-8 character at text, 0 if there is none. */
static size_t
character_len(const uint8_t *text, size_t left)
{
	static const struct {
		uint8_t from, to; /* the lead byte */
		uint8_t min, max; /* the second byte */
		uint8_t len;
	} shapes[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		if (text[0] < shapes[i].from || text[0] > shapes[i].to)
			continue;
		if (left < shapes[i].len)
			return 0;
		if (shapes[i].len > 1 && (text[1] < shapes[i].min || text[1] > shapes[i].max))
			return 0;
		for (size_t k = 2; k < shapes[i].len; k++)
			if ((text[k] & 0xc0) != 0x80)
				return 0;
		return shapes[i].len;
	}
	return 0;
}

static void
append_escape(struct jsonput *put, uint8_t c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *known = c ? strchr(from, c) : NULL;
	char escape[8];

	if (known)
		snprintf(escape, sizeof(escape), "\\%c", to[known - from]);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", c);
	append(put, escape, strlen(escape));
}

static void
append_quoted(struct jsonput *put, const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len, *plain = p;

	append(put, "\"", 1);
	while (p < end) {
		if (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') {
			p++;
			continue;
		}
		size_t n = character_len(p, (size_t)(end - p));

		if (n > 1) {
			p += n;
			continue;
		}
		append(put, plain, (size_t)(p - plain));
		if (n == 0)
			append(put, "\xef\xbf\xbd", 3);
		else
			append_escape(put, *p);
		plain = ++p;
	}
	append(put, plain, (size_t)(p - plain));
	append(put, "\"", 1);
}

void
jsonput_key(struct jsonput *put, const char *key)
{
	if (!in_object(put) || last_byte(put) == ':')
		put->failed = true;
	if (put->failed)
		return;
	if (last_byte(put) != '{')
		append(put, ",", 1);
	append_quoted(put, key, strlen(key));
	append(put, ":", 1);
}

void
jsonput_string_len(struct jsonput *put, const char *text, size_t len)
{
	if (begin(put))
		append_quoted(put, text, len);
}

void
jsonput_string(struct jsonput *put, const char *text)
{
	if (text)
		jsonput_string_len(put, text, strlen(text));
	else
		jsonput_null(put);
}

void
jsonput_quoted(struct jsonput *put, const void *inside, size_t len)
{
	if (!begin(put))
		return;
	append(put, "\"", 1);
	append(put, inside, len);
	append(put, "\"", 1);
}

void
jsonput_raw(struct jsonput *put, const void *json, size_t len)
{
	if (len == 0)
		put->failed = true;
	if (begin(put))
		append(put, json, len);
}

void
jsonput_int(struct jsonput *put, int64_t number)
{
	char text[24];

	jsonput_raw(put, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

void
jsonput_double(struct jsonput *put, double number)
{
	char text[40];
	int len = 0;

	if (!isfinite(number)) {
		jsonput_null(put);
		return;
	}
	/* The shortest of these that reads back as the same number. */
	for (int digits = 15; digits <= 17; digits++) {
		len = snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	/* Whatever the locale takes for a decimal point, JSON wants a point. */
	char *point = text + strspn(text, "-0123456789");

	if (*point && *point != 'e')
		*point = '.';
	jsonput_raw(put, text, (size_t)len);
}

void
jsonput_bool(struct jsonput *put, bool truth)
{
	jsonput_raw(put, truth ? "true" : "false", truth ? 4 : 5);
}

void
jsonput_null(struct jsonput *put)
{
	jsonput_raw(put, "null", 4);
}

void
jsonput_member_string(struct jsonput *put, const char *key, const char *text)
{
	jsonput_key(put, key);
	jsonput_string(put, text);
}

void
jsonput_member_int(struct jsonput *put, const char *key, int64_t number)
{
	jsonput_key(put, key);
	jsonput_int(put, number);
}

void
jsonput_member_double(struct jsonput *put, const char *key, double number)
{
	jsonput_key(put, key);
	jsonput_double(put, number);
}

void
jsonput_member_bool(struct jsonput *put, const char *key, bool truth)
{
	jsonput_key(put, key);
	jsonput_bool(put, truth);
}

void
jsonput_member_raw(struct jsonput *put, const char *key, const void *json, size_t len)
{
	jsonput_key(put, key);
	jsonput_raw(put, json, len);
}

void
jsonput_line(struct jsonput *put)
{
	if (put->depth > 0 || last_byte(put) == '\n')
		put->failed = true;
	if (!put->failed)
		append(put, "\n", 1);
}

void
jsonput_clear(struct jsonput *put)
{
	free(put->bytes);
	*put = (struct jsonput){ 0 };
}

char *
jsonput_take(struct jsonput *put, size_t *ret_len)
{
	if (put->depth > 0 || put->len == 0)
		put->failed = true;
	if (put->failed || !reserve(put, 0)) {
		jsonput_clear(put);
		*ret_len = 0;
		return NULL;
	}
	char *bytes = TAKE(put->bytes);

	bytes[put->len] = '\0';
	*ret_len = put->len;
	*put = (struct jsonput){ 0 };
	return bytes;
}
