/*
 * fuzz_http.c - a head and what its headers mean, a chunked body and a stream of
 * events cut anywhere. The first byte chooses the step.
 */
#include "daemon/serve/http_events.h"
#include "daemon/serve/http_head.h"
#include "daemon/serve/http_options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines that go along can end nothing but themselves. */
static void
check_lines(const char *lines)
{
	for (const char *c = lines; *c; c++)
		if (*c == '\r' || (*c == '\n' && (c == lines || c[-1] == '\n')))
			abort();
}

static void
try_head(const uint8_t *data, size_t size)
{
	struct http_options options;
	struct http_head head;
	char why[MESSAGE_WHY_LEN];
	const char *head_why = NULL;

	if (http_head_parse(&head, data, size, &head_why)) {
		if (!head_why)
			abort();
		return;
	}
	if (head.chunked && head.content_length >= 0)
		abort();
	if (!http_options_parse(&head, &options, why)) {
		check_lines(options.request.headers);
		http_options_clear(&options);
	}
	http_head_clear(&head);
}

static size_t
try_chunks(const uint8_t *data, size_t size, size_t step, uint8_t *body, size_t *ret_len)
{
	struct http_chunks chunks = { 0 };
	size_t at = 0;

	*ret_len = 0;
	while (at < size && chunks.state != HTTP_CHUNK_DONE && chunks.state != HTTP_CHUNK_BAD) {
		const uint8_t *found = NULL;
		size_t len = 0;

		at += http_chunks_feed(&chunks, data + at, MIN(step, size - at), &found, &len);
		if (len > 0)
			memcpy(body + *ret_len, found, len);
		*ret_len += len;
	}
	return at * 8 + chunks.state;
}

static struct http_events
try_events(const uint8_t *data, size_t size, size_t step)
{
	struct http_events events = { 0 };

	for (size_t at = 0; at < size; at += step)
		http_events_feed(&events, data + at, MIN(step, size - at));
	return events;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step, whole_len, pieces_len;
	struct http_events one, two;
	uint8_t *whole, *pieces;

	if (size < 2)
		return 0;
	step = 1 + data[0] % 17u;
	data++;
	size--;
	whole = malloc(size);
	pieces = malloc(size);
	try_head(data, size);
	if (try_chunks(data, size, size, whole, &whole_len) !=
		try_chunks(data, size, step, pieces, &pieces_len) ||
	    whole_len != pieces_len || memcmp(whole, pieces, whole_len) != 0)
		abort();
	one = try_events(data, size, size);
	two = try_events(data, size, step);
	if (one.whole != two.whole || one.content != two.content || one.error != two.error ||
	    one.whole > size)
		abort();
	free(whole);
	free(pieces);
	return 0;
}
