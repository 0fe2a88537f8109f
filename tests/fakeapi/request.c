/*
 * request.c - one pass over the top level of the body, one memchr pass for the markers. No JSON
 * library: bodies may be 32 MB and benchmarks send ten thousand a second.
 */
#include "tests/fakeapi/request.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/base.h"

#define TAG_MAX 64

struct cursor {
	const char *at, *end;
};

uint64_t
bytes_hash(const char *bytes, size_t len)
{
	uint64_t hash = 0x9e3779b97f4a7c15u ^ len, word;

	for (; len >= 8; bytes += 8, len -= 8) {
		memcpy(&word, bytes, 8);
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, bytes, len);
	hash = (hash ^ word) * 0xc4ceb9fe1a85ec53u;
	return hash ^ (hash >> 29);
}

static void
skip_blanks(struct cursor *c)
{
	while (c->at < c->end &&
	       (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
		c->at++;
}

/* At a quote; leaves the cursor behind the closing one. */
static bool
skip_string(struct cursor *c, struct slice *ret)
{
	const char *start = ++c->at;

	while (c->at < c->end) {
		const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
		const char *back;

		if (!quote)
			return false;
		for (back = quote; back > start && back[-1] == '\\'; back--)
			;
		c->at = quote + 1;
		if ((quote - back) % 2 == 0) {
			ret->at = start;
			ret->len = (size_t)(quote - start);
			return true;
		}
	}
	return false;
}

static bool
skip_nest(struct cursor *c)
{
	int depth = 0;
	struct slice unused;

	while (c->at < c->end) {
		char byte = *c->at;

		if (byte == '"') {
			if (!skip_string(c, &unused))
				return false;
			continue;
		}
		c->at++;
		if (byte == '{' || byte == '[')
			depth++;
		else if ((byte == '}' || byte == ']') && --depth == 0)
			return true;
	}
	return false;
}

static bool
skip_value(struct cursor *c, struct slice *ret)
{
	const char *start = c->at;

	if (c->at >= c->end)
		return false;
	if (*c->at == '"')
		return skip_string(c, ret);
	if (*c->at == '{' || *c->at == '[') {
		if (!skip_nest(c))
			return false;
	} else {
		while (c->at < c->end && !strchr(",}] \n\t\r", *c->at))
			c->at++;
	}
	ret->at = start;
	ret->len = (size_t)(c->at - start);
	return ret->len > 0;
}

static bool
slice_is(const struct slice *slice, const char *text)
{
	return slice->len == strlen(text) && memcmp(slice->at, text, slice->len) == 0;
}

static void
request_note(struct request *request, const struct slice *key, const struct slice *value)
{
	if (slice_is(key, "model")) {
		request->model = *value;
	} else if (slice_is(key, "messages")) {
		request->messages = *value;
	} else if (slice_is(key, "stream")) {
		request->stream = slice_is(value, "true");
	} else if (slice_is(key, "max_tokens")) {
		char digits[24] = "";

		memcpy(digits, value->at, MIN(value->len, sizeof(digits) - 1));
		request->max_tokens = strtol(digits, NULL, 10);
	} else if (slice_is(key, "temperature") || slice_is(key, "top_p") ||
		   slice_is(key, "top_k")) {
		request->sampling = true;
	}
}

static bool
request_scan_object(struct request *request, struct cursor *c)
{
	struct slice key, value;

	skip_blanks(c);
	if (c->at >= c->end || *c->at++ != '{')
		return false;
	for (;;) {
		skip_blanks(c);
		if (c->at < c->end && *c->at == '}')
			break;
		if (c->at >= c->end || *c->at != '"' || !skip_string(c, &key))
			return false;
		skip_blanks(c);
		if (c->at >= c->end || *c->at++ != ':')
			return false;
		skip_blanks(c);
		if (!skip_value(c, &value))
			return false;
		request_note(request, &key, &value);
		skip_blanks(c);
		if (c->at < c->end && *c->at == ',')
			c->at++;
		else if (c->at >= c->end || *c->at != '}')
			return false;
	}
	c->at++;
	skip_blanks(c);
	return c->at == c->end;
}

/* At "[name:"; what stands before the closing bracket, or false if the string ends first. */
static bool
marker_read(const char *at, const char *end, const char *name, struct slice *ret)
{
	size_t name_len = strlen(name);
	const char *p;

	if ((size_t)(end - at) <= name_len || memcmp(at, name, name_len) != 0)
		return false;
	for (p = at + name_len; p < end && *p != ']'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"' || (unsigned char)*p < 0x20)
			return false;
	}
	if (p >= end)
		return false;
	ret->at = at + name_len;
	ret->len = (size_t)(p - ret->at);
	return true;
}

static void
request_scan_markers(struct request *request, const char *body, size_t len)
{
	const char *end = body + len, *at = body;

	while ((at = memchr(at, '[', (size_t)(end - at)))) {
		struct slice found;

		at++;
		if (at == end)
			break;
		if (*at == 't' && request->tag.len == 0 && marker_read(at, end, "tag:", &found)) {
			if (found.len <= TAG_MAX && !memchr(found.at, '\\', found.len))
				request->tag = found;
		} else if (*at == 'e' && marker_read(at, end, "echo:", &found)) {
			request->echo = found;
		} else if (*at == 'f' && request->marker_count < REQUEST_MARKERS &&
			   marker_read(at, end, "fake:", &found)) {
			request->markers[request->marker_count++] = found;
		}
	}
}

void
request_scan(struct request *request, const char *body, size_t len)
{
	struct cursor cursor = { body, body + len };

	memset(request, 0, sizeof(*request));
	request->max_tokens = -1;
	request->hash = bytes_hash(body, len);
	if (!request_scan_object(request, &cursor))
		request->wrong = "The request body is not valid JSON";
	request_scan_markers(request, body, len);
}
