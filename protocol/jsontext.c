/*
 * jsontext.c - single values of a document that json_scan found valid: what a
 * string means, whether a number is whole, and where an error lies.
 */
#include "protocol/json.h"

#include <stdio.h>
#include <string.h>

bool
json_valid(const uint8_t *buf, size_t len, unsigned max_depth, struct json_result *ret)
{
	return json_scan(buf, len, max_depth, NULL, NULL, ret);
}

void
json_explain(const struct json_result *result, const uint8_t *buf, char *ret, size_t size)
{
	size_t line = 1, line_start = 0;

	for (size_t i = 0; i < result->error_at; i++) {
		if (buf[i] == '\n') {
			line++;
			line_start = i + 1;
		}
	}
	if (line == 1)
		snprintf(ret, size, "byte %zu: %s", result->error_at, result->error);
	else
		snprintf(ret, size, "byte %zu (line %zu, byte %zu of it): %s", result->error_at,
			 line, result->error_at - line_start, result->error);
}

bool
json_key_is(const struct json_node *node, const char *word)
{
	return node->key && node->key_len == strlen(word) &&
	       memcmp(node->key, word, node->key_len) == 0;
}

static unsigned
hex4(const uint8_t *p)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 4 | (p[i] <= '9' ? p[i] - 0u - '0' : (p[i] | 0x20u) - 'a' + 10);
	return value;
}

static size_t
encode(unsigned code, char ret[4])
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (char)(0xc0 | code >> 6);
		ret[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		ret[0] = (char)(0xe0 | code >> 12);
		ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | code >> 18);
	ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* *p is at a backslash; afterwards behind the escape, or behind both halves of
 * a surrogate pair. */
static unsigned
decode_escape(const uint8_t **p, const uint8_t *end)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const uint8_t *escape = *p;

	if (escape[1] != 'u') {
		const char *known = memchr(from, escape[1], 5);

		*p += 2;
		return known ? (unsigned)to[known - from] : escape[1];
	}
	unsigned code = hex4(escape + 2);

	*p += 6;
	if (code < 0xd800 || code > 0xdfff)
		return code;
	if (code < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		unsigned low = hex4(*p + 2);

		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
		}
	}
	return 0xfffd;
}

size_t
json_decode(const uint8_t *string, size_t len, char *ret, size_t size)
{
	const uint8_t *p = string + 1, *end = string + len - 1;
	size_t used = 0;

	while (p < end) {
		const uint8_t *escape = memchr(p, '\\', (size_t)(end - p));
		size_t plain = (size_t)((escape ? escape : end) - p);
		char bytes[4];

		if (plain >= size - MIN(used, size))
			return SIZE_MAX;
		memcpy(ret + used, p, plain);
		used += plain;
		p += plain;
		if (!escape)
			break;
		size_t n = encode(decode_escape(&p, end), bytes);
		if (n >= size - used)
			return SIZE_MAX;
		memcpy(ret + used, bytes, n);
		used += n;
	}
	if (used >= size)
		return SIZE_MAX;
	ret[used] = '\0';
	return used;
}

/* The exponent behind e, with its sign; far beyond use it stops growing. */
static int
exponent(const uint8_t *p, const uint8_t *end)
{
	bool negative = p < end && *p == '-';
	int value = 0;

	for (; p < end; p++)
		if (*p >= '0' && *p <= '9' && value < 100000)
			value = value * 10 + (*p - '0');
	return negative ? -value : value;
}

bool
json_whole(const uint8_t *number, size_t len, int64_t *ret)
{
	const uint8_t *p = number, *end = number + len;
	bool negative = p < end && *p == '-', fraction = false;
	int64_t value = 0;
	long power = 0; /* the digits so far, times ten to it, are the number */
	long zeros = 0; /* trailing ones, not yet multiplied in */

	for (p += negative; p < end && (*p | 0x20) != 'e'; p++) {
		if (*p == '.') {
			fraction = true;
			continue;
		}
		power -= fraction;
		if (*p == '0') {
			zeros += value != 0;
			continue;
		}
		for (; zeros > 0; zeros--)
			if (__builtin_mul_overflow(value, 10, &value))
				return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *p - '0', &value))
			return false;
	}
	if (p < end)
		power += exponent(p + 1, end);
	power += zeros;
	if (value != 0 && (power < 0 || power > 18))
		return false;
	for (; value != 0 && power > 0; power--)
		if (__builtin_mul_overflow(value, 10, &value))
			return false;
	/* Kept negative so far, because INT64_MIN has no positive. */
	if (!negative && value == INT64_MIN)
		return false;
	*ret = negative ? value : -value;
	return true;
}
