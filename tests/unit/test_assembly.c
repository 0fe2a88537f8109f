/*
 * test_assembly.c - streams become the Messages that the official SDK makes of
 * them. streams/NAME.sse is a stream, NAME.json the SDK's result, written by
 * streams/accumulate.mjs.
 */
#include "daemon/claude/assembly.h"
#include "daemon/claude/sse.h"
#include "protocol/json.h"

#include <dirent.h>
#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define STREAMS "tests/unit/streams"
#define LIMIT	(1u << 20)

static void
feed_on_event(const char *name, const uint8_t *data, size_t len, void *arg)
{
	enum assembly_step step;

	assert_int_equal(assembly_feed(arg, name, data, len, &step), FOREBAY_ERR_OK);
}

/* The stream in steps of so many bytes, to its end. */
static struct assembly *
assembled(const char *stream, size_t len, size_t step)
{
	struct assembly *assembly = assembly_new(LIMIT);
	struct sse sse;

	assert_non_null(assembly);
	sse_init(&sse, LIMIT);
	for (size_t at = 0; at < len; at += step)
		assert_int_equal(sse_feed(&sse, (const uint8_t *)stream + at, MIN(step, len - at),
					  feed_on_event, assembly),
				 FOREBAY_ERR_OK);
	assert_int_equal(sse_end(&sse, feed_on_event, assembly), FOREBAY_ERR_OK);
	sse_clear(&sse);
	return assembly;
}

static char *
load(const char *name, const char *suffix, size_t *ret_len)
{
	char path[512];

	snprintf(path, sizeof(path), STREAMS "/%s%s", name, suffix);
	FILE *file = fopen(path, "rb");

	if (!file)
		fail_msg("cannot open %s; run the test in the source directory", path);
	char *text = calloc(1, LIMIT);

	*ret_len = fread(text, 1, LIMIT - 1, file);
	fclose(file);
	return text;
}

static bool same(struct json_object *a, struct json_object *b);

static bool
same_members(struct json_object *a, struct json_object *b)
{
	if (json_object_object_length(a) != json_object_object_length(b))
		return false;
	json_object_object_foreach(a, key, value)
	{
		struct json_object *other;

		if (!json_object_object_get_ex(b, key, &other) || !same(value, other))
			return false;
	}
	return true;
}

static bool
is_number(struct json_object *tree)
{
	return json_object_is_type(tree, json_type_int) ||
	       json_object_is_type(tree, json_type_double);
}

/* As JavaScript sees it: numbers are doubles, the order of members is nothing. */
static bool
same(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b)) {
		double x = json_object_get_double(a), y = json_object_get_double(b);

		return fabs(x - y) <= 1e-9 * fabs(y);
	}
	if (json_object_get_type(a) != json_object_get_type(b))
		return false;
	if (json_object_is_type(a, json_type_object))
		return same_members(a, b);
	if (!json_object_is_type(a, json_type_array))
		return json_object_equal(a, b);
	size_t count = json_object_array_length(a);

	if (count != json_object_array_length(b))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!same(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
			return false;
	return true;
}

/* What the assembly has, checked to be JSON; the caller puts it. */
static struct json_object *
taken(struct assembly *assembly)
{
	struct json_result result;
	size_t len;
	char *json;

	assert_int_equal(assembly_take(assembly, &json, &len), FOREBAY_ERR_OK);
	assert_int_equal(strlen(json), len);
	if (!json_valid((const uint8_t *)json, len, JSON_MAX_DEPTH, &result))
		fail_msg("not JSON at byte %zu: %s", result.error_at, json);
	struct json_object *tree = json_tokener_parse(json);

	free(json);
	assert_non_null(tree);
	return tree;
}

static void
compare_stream(const char *name, size_t step)
{
	size_t sse_len, json_len;
	char *stream = load(name, ".sse", &sse_len), *json = load(name, ".json", &json_len);
	struct assembly *assembly = assembled(stream, sse_len, step);
	struct json_object *wanted = json_tokener_parse(json), *got = taken(assembly);

	assert_true(assembly_is_whole(assembly));
	assert_string_equal(assembly_why(assembly), "");
	if (!same(got, wanted))
		fail_msg("%s in steps of %zu:\n%s\nwanted\n%s", name, step,
			 json_object_to_json_string(got), json);
	json_object_put(wanted);
	json_object_put(got);
	assembly_free(assembly);
	free(stream);
	free(json);
}

static void
every_stream_becomes_what_the_sdk_makes_of_it(void **unused)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64, LIMIT };
	DIR *dir = opendir(STREAMS);
	int count = 0;

	(void)unused;
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char *dot = strstr(entry->d_name, ".sse");

		if (!dot)
			continue;
		*dot = '\0';
		for (size_t i = 0; i < ARRAY_LEN(steps); i++)
			compare_stream(entry->d_name, steps[i]);
		count++;
	}
	closedir(dir);
	assert_true(count >= 10);
}

/* A stream in short: events by name and data. */
struct pair {
	const char *name, *data;
};

/* clang-format off */
#define START                                                                                      \
	{ "message_start", "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","            \
	  "\"type\":\"message\",\"model\":\"m-1\",\"content\":[],\"stop_reason\":null,"            \
	  "\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":3,"                          \
	  "\"cache_creation_input_tokens\":4,\"output_tokens\":1}}}" }
#define BLOCK                                                                                      \
	{ "content_block_start", "{\"type\":\"content_block_start\",\"index\":0,"                  \
	  "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}" }
#define DELTA                                                                                      \
	{ "content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,"                  \
	  "\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}" }
#define BLOCK_STOP                                                                                 \
	{ "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}" }
#define MESSAGE_DELTA                                                                              \
	{ "message_delta", "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"               \
	  "\"end_turn\"},\"usage\":{\"output_tokens\":15,\"input_tokens\":null}}" }
#define STOP { "message_stop", "{\"type\":\"message_stop\"}" }
/* clang-format on */

static enum forebay_err
feed(struct assembly *assembly, const struct pair *pair, enum assembly_step *ret)
{
	return assembly_feed(assembly, pair->name, (const uint8_t *)pair->data, strlen(pair->data),
			     ret);
}

static void
steps_tell_progress_from_pings(void **unused)
{
	/* clang-format off */
	static const struct {
		struct pair pair;
		enum assembly_step step;
		bool content, whole;
	} rows[] = {
		{ { "ping", "{\"type\":\"ping\"}" },       ASSEMBLY_IDLE,     false, false },
		{ BLOCK, /* nothing counts before START */ ASSEMBLY_IDLE,     false, false },
		{ START,                                   ASSEMBLY_PROGRESS, false, false },
		{ { "", "{\"type\":\"message_start\"}" },  ASSEMBLY_IDLE,     false, false },
		{ { "ping", "anything" },                  ASSEMBLY_IDLE,     false, false },
		{ { "new", "{\"type\":\"new\"}" },         ASSEMBLY_IDLE,     false, false },
		{ { "content_block_delta", "" },           ASSEMBLY_IDLE,     false, false },
		{ BLOCK,                                   ASSEMBLY_PROGRESS, true,  false },
		{ DELTA,                                   ASSEMBLY_PROGRESS, true,  false },
		{ BLOCK_STOP,                              ASSEMBLY_PROGRESS, true,  false },
		{ MESSAGE_DELTA,                           ASSEMBLY_PROGRESS, true,  false },
		{ STOP,                                    ASSEMBLY_STOPPED,  true,  true },
		{ DELTA, /* too late to count */           ASSEMBLY_IDLE,     true,  true },
	};
	/* clang-format on */
	struct assembly *assembly = assembly_new(LIMIT);

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum assembly_step step;

		assert_int_equal(feed(assembly, &rows[i].pair, &step), FOREBAY_ERR_OK);
		assert_int_equal(step, rows[i].step);
		assert_int_equal(assembly_has_content(assembly), rows[i].content);
		assert_int_equal(assembly_is_whole(assembly), rows[i].whole);
	}
	assert_false(assembly_is_unassembled(assembly));
	assembly_free(assembly);
}

static void
facts_are_known_as_they_come(void **unused)
{
	static const struct pair start = START, delta = MESSAGE_DELTA;
	struct assembly *assembly = assembly_new(LIMIT);
	const struct assembly_facts *facts = assembly_facts(assembly);
	enum assembly_step step;

	(void)unused;
	assert_string_equal(facts->model, "");
	assert_int_equal(feed(assembly, &start, &step), FOREBAY_ERR_OK);
	assert_string_equal(facts->model, "m-1");
	assert_string_equal(facts->id, "msg_1");
	assert_string_equal(facts->stop_reason, "");
	assert_int_equal(facts->input_tokens, 25);
	assert_int_equal(facts->cache_read_tokens, 3);
	assert_int_equal(facts->cache_write_tokens, 4);
	assert_int_equal(facts->output_tokens, 1);
	assert_int_equal(feed(assembly, &delta, &step), FOREBAY_ERR_OK);
	assert_string_equal(facts->stop_reason, "end_turn");
	assert_int_equal(facts->output_tokens, 15);
	assert_int_equal(facts->input_tokens, 25);
	assembly_free(assembly);
}

static void
a_fallback_block_names_the_model_that_serves(void **unused)
{
	static const struct pair start = START;
	static const struct pair block = {
		"content_block_start",
		"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
		"\"fallback\",\"from\":{\"model\":\"m-1\"},\"to\":{\"model\":\"m-2\"}}}"
	};
	struct assembly *assembly = assembly_new(LIMIT);
	struct json_object *tree;
	enum assembly_step step;

	(void)unused;
	assert_int_equal(feed(assembly, &start, &step), FOREBAY_ERR_OK);
	assert_int_equal(feed(assembly, &block, &step), FOREBAY_ERR_OK);
	assert_string_equal(assembly_facts(assembly)->model, "m-2");
	tree = taken(assembly);
	assert_string_equal(json_object_get_string(json_object_object_get(tree, "model")), "m-2");
	json_object_put(tree);
	assembly_free(assembly);
}

static void
an_error_event_is_handed_on(void **unused)
{
	static const struct pair rows[] = {
		{ "error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}" },
		{ "error", "not JSON at all" },
		{ "odd", "{\"type\":\"error\"}" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct assembly *assembly = assembly_new(LIMIT);
		enum assembly_step step;

		assert_int_equal(feed(assembly, &rows[i], &step), FOREBAY_ERR_OK);
		assert_int_equal(step, ASSEMBLY_FAILED);
		assert_false(assembly_is_whole(assembly));
		assembly_free(assembly);
	}
}

static void
a_broken_stream_says_what_broke(void **unused)
{
	/* clang-format off */
	static const struct { struct pair before, bad; const char *why; } rows[] = {
		{ START, START, "message_start came twice" },
		{ START, { "content_block_delta", "{\"type\":" },
		  "an event is not valid JSON: byte 8: the document ends too early" },
		{ START, { "content_block_delta", "[1]" },
		  "an event is not valid JSON: it is no object" },
		{ START, { "content_block_start", "{\"type\":\"content_block_start\"}" },
		  "content_block_start has no content_block" },
		{ START, { "x", "{\"type\":\"content_block_start\",\"content_block\":7}" },
		  "a content block is no JSON object" },
		{ STOP, { "message_start", "{\"type\":\"message_start\"}" },
		  "message_start has no message" },
		{ STOP, { "message_start", "{\"type\":\"message_start\",\"message\":{}}" },
		  "message_start has no list of content" },
	};
	/* clang-format on */
	static const struct pair later = DELTA;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct assembly *assembly = assembly_new(LIMIT);
		enum assembly_step step;

		assert_int_equal(feed(assembly, &rows[i].before, &step), FOREBAY_ERR_OK);
		assert_int_equal(feed(assembly, &rows[i].bad, &step), FOREBAY_ERR_API_ERROR);
		assert_string_equal(assembly_why(assembly), rows[i].why);
		assert_int_equal(feed(assembly, &later, &step), FOREBAY_ERR_API_ERROR);
		assembly_free(assembly);
	}
}

static void
what_cannot_be_assembled_is_kept_raw(void **unused)
{
	size_t len;
	char *stream = load("unknown", ".sse", &len);
	struct assembly *assembly = assembled(stream, len, len);
	const char *raw = assembly_unassembled(assembly, &len);

	(void)unused;
	assert_true(assembly_is_unassembled(assembly));
	assert_int_equal(strlen(raw), len);
	assert_non_null(strstr(raw, "\"hologram_delta\""));
	assert_non_null(strstr(raw, "\"sparkle\""));
	assert_non_null(strstr(raw, "\"misplaced\""));
	assert_non_null(strstr(raw, "\"input_json_delta\""));
	assert_null(strstr(raw, "\"text_delta\""));
	assembly_free(assembly);
	free(stream);
}

static void
tool_input_cut_short_is_mended_and_kept(void **unused)
{
	size_t len;
	char *stream = load("cut_tool", ".sse", &len);
	struct assembly *assembly = assembled(stream, len, len);

	(void)unused;
	assert_string_equal(
	    assembly_unassembled(assembly, &len),
	    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_"
	    "delta\","
	    "\"partial_json\":\"{\\\"path\\\": \\\"/a\\\", \\\"lines\\\": [\\\"one\\\", "
	    "\\\"two\\\", {\\\"n\\\": 12\"}}\n");
	assembly_free(assembly);
	free(stream);
}

static void
tool_input_that_is_no_json_becomes_empty(void **unused)
{
	/* clang-format off */
	static const struct pair pairs[] = {
		START,
		{ "content_block_start", "{\"type\":\"content_block_start\",\"index\":0,"
		  "\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"input\":{}}}" },
		{ "content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,"
		  "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{oops}\"}}" },
		STOP,
	};
	/* clang-format on */
	struct assembly *assembly = assembly_new(LIMIT);
	enum assembly_step step;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(feed(assembly, &pairs[i], &step), FOREBAY_ERR_OK);
	assert_true(assembly_is_unassembled(assembly));
	struct json_object *tree = taken(assembly);

	assert_non_null(strstr(json_object_to_json_string(tree), "\"input\": { }"));
	json_object_put(tree);
	assembly_free(assembly);
}

static void
without_a_start_there_is_no_message(void **unused)
{
	static const struct pair stop = STOP;
	struct assembly *assembly = assembly_new(LIMIT);
	enum assembly_step step;
	char *json;
	size_t len;

	(void)unused;
	assert_int_equal(feed(assembly, &stop, &step), FOREBAY_ERR_OK);
	assert_false(assembly_is_whole(assembly));
	assert_int_equal(assembly_take(assembly, &json, &len), FOREBAY_ERR_API_ERROR);
	assert_null(json);
	assembly_free(assembly);
	assembly_free(NULL);
}

static void
the_limit_holds(void **unused)
{
	static const struct pair start = START, block = BLOCK, delta = DELTA;
	struct assembly *assembly = assembly_new(1000);
	enum assembly_step step;
	enum forebay_err err = FOREBAY_ERR_OK;
	int count = 0;

	(void)unused;
	assert_int_equal(feed(assembly, &start, &step), FOREBAY_ERR_OK);
	assert_int_equal(feed(assembly, &block, &step), FOREBAY_ERR_OK);
	while (!err && count++ < 100)
		err = feed(assembly, &delta, &step);
	assert_int_equal(err, FOREBAY_ERR_TOO_BIG);
	assembly_free(assembly);
}

static double
seconds_for(int deltas)
{
	static const struct pair start = START, block = BLOCK, delta = DELTA;
	struct assembly *assembly = assembly_new(SIZE_MAX);
	struct timespec from, to;
	enum assembly_step step;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_int_equal(feed(assembly, &start, &step), FOREBAY_ERR_OK);
	assert_int_equal(feed(assembly, &block, &step), FOREBAY_ERR_OK);
	for (int i = 0; i < deltas; i++)
		if (feed(assembly, &delta, &step))
			fail();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assembly_free(assembly);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Quadratic would be 64 times as long for 8 times as much. */
static void
many_small_deltas_are_linear(void **unused)
{
	double few = seconds_for(25000), many = seconds_for(200000);

	(void)unused;
	if (many > 32 * few)
		fail_msg("%g s for 25,000 deltas, %g s for 200,000", few, many);
}

static void
a_plain_message_tells_its_facts(void **unused)
{
	static const char good[] = "{\"id\":\"msg_2\",\"type\":\"message\",\"model\":\"m-2\","
				   "\"content\":[{\"type\":\"text\",\"model\":\"no\"}],"
				   "\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":5,"
				   "\"output_tokens\":7,\"cache_read_input_tokens\":null}}";
	static const char *const bad[] = {
		"", "<html>", "{}", "[]", "{\"type\":\"error\"}", "{\"type\":\"message\""
	};
	struct assembly_facts facts;

	(void)unused;
	assert_int_equal(assembly_from_plain((const uint8_t *)good, strlen(good), &facts),
			 FOREBAY_ERR_OK);
	assert_string_equal(facts.model, "m-2");
	assert_string_equal(facts.id, "msg_2");
	assert_string_equal(facts.stop_reason, "max_tokens");
	assert_int_equal(facts.input_tokens, 5);
	assert_int_equal(facts.output_tokens, 7);
	assert_int_equal(facts.cache_read_tokens, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    assembly_from_plain((const uint8_t *)bad[i], strlen(bad[i]), &facts),
		    FOREBAY_ERR_API_ERROR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stream_becomes_what_the_sdk_makes_of_it),
		cmocka_unit_test(steps_tell_progress_from_pings),
		cmocka_unit_test(facts_are_known_as_they_come),
		cmocka_unit_test(a_fallback_block_names_the_model_that_serves),
		cmocka_unit_test(an_error_event_is_handed_on),
		cmocka_unit_test(a_broken_stream_says_what_broke),
		cmocka_unit_test(what_cannot_be_assembled_is_kept_raw),
		cmocka_unit_test(tool_input_cut_short_is_mended_and_kept),
		cmocka_unit_test(tool_input_that_is_no_json_becomes_empty),
		cmocka_unit_test(without_a_start_there_is_no_message),
		cmocka_unit_test(the_limit_holds),
		cmocka_unit_test(many_small_deltas_are_linear),
		cmocka_unit_test(a_plain_message_tells_its_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
