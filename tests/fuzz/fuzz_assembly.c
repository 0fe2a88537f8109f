/*
 * fuzz_assembly.c - a stream of any bytes: what comes out is valid JSON, or
 * nothing, with a reason.
 */
#include "daemon/claude/assembly.h"
#include "daemon/claude/sse.h"
#include "protocol/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
feed_on_event(const char *name, const uint8_t *data, size_t len, void *arg)
{
	enum assembly_step step;
	enum forebay_err err = assembly_feed(arg, name, data, len, &step);

	if (err == FOREBAY_ERR_API_ERROR && !assembly_why(arg)[0])
		abort();
	if (err == FOREBAY_ERR_INTERNAL || err == FOREBAY_ERR_NOT_FOUND)
		abort();
}

static void
check_lines(const char *lines, size_t len)
{
	struct json_result result;

	for (const char *end; len > 0; len -= (size_t)(end + 1 - lines), lines = end + 1) {
		end = memchr(lines, '\n', len);
		if (!end || !json_valid((const uint8_t *)lines, (size_t)(end - lines),
					JSON_MAX_DEPTH, &result))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assembly *assembly = assembly_new(1 << 20);
	struct assembly_facts facts;
	struct json_result result;
	struct sse sse;
	size_t len;
	char *json;

	sse_init(&sse, 1 << 16);
	if (!sse_feed(&sse, data, size, feed_on_event, assembly))
		(void)!sse_end(&sse, feed_on_event, assembly);
	sse_clear(&sse);
	if (!assembly_take(assembly, &json, &len)) {
		if (!json_valid((const uint8_t *)json, len, JSON_MAX_DEPTH, &result))
			abort();
		free(json);
	}
	const char *raw = assembly_unassembled(assembly, &len);

	check_lines(raw, len);
	assembly_free(assembly);
	(void)!assembly_from_plain(data, size, &facts);
	return 0;
}
