/*
 * fuzz_sse.c - the same events, however the stream is cut. The first byte
 * chooses the step.
 */
#include "daemon/claude/bytes.h"
#include "daemon/claude/sse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
log_on_event(const char *name, const uint8_t *data, size_t len, void *arg)
{
	if (data[len] != '\0' || !bytes_add(arg, name, strlen(name) + 1) ||
	    !bytes_add(arg, &len, sizeof(len)) || !bytes_add(arg, data, len))
		abort();
}

static enum forebay_err
cut(const uint8_t *data, size_t size, size_t step, struct bytes *log)
{
	enum forebay_err err = FOREBAY_ERR_OK;
	struct sse sse;

	sse_init(&sse, 4096);
	for (size_t at = 0; at < size && !err; at += step) {
		size_t n = MIN(step, size - at);
		uint8_t *copy = malloc(n);

		memcpy(copy, data + at, n);
		err = sse_feed(&sse, copy, n, log_on_event, log);
		free(copy);
	}
	if (!err)
		err = sse_end(&sse, log_on_event, log);
	sse_clear(&sse);
	return err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes whole = { 0 }, pieces = { 0 };

	if (size < 2)
		return 0;
	enum forebay_err first = cut(data + 1, size - 1, size - 1, &whole);
	enum forebay_err second = cut(data + 1, size - 1, 1 + data[0] % 17u, &pieces);

	if (first != second || whole.len != pieces.len ||
	    (whole.len > 0 && memcmp(whole.at, pieces.at, whole.len) != 0))
		abort();
	bytes_clear(&whole);
	bytes_clear(&pieces);
	return 0;
}
