/*
 * test_message.c - requests and replies as JSON: every argument round-trips and
 * is refused with a sentence that helps, and hostile bytes get no further.
 */
#include "protocol/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- requests that are fine ------------------------------------------------ */

static void
parse(const char *json, struct request *ret)
{
	char why[MESSAGE_WHY_LEN];
	enum forebay_err err = request_parse((const uint8_t *)json, strlen(json), ret, why);

	if (err)
		fail_msg("%s\n%s: %s", json, forebay_err_wire(err), why);
	assert_string_equal(why, "");
}

static void
a_submit_fills_every_field(void **unused)
{
	struct request r;

	(void)unused;
	parse("{\"verb\":\"submit\",\"model\":\"claude-opus-5-5\",\"chain\":\"safe\",\"class\":"
	      "\"interactive\",\"batch\":\"allow\",\"transport\":\"plain\",\"want\":\"result\","
	      "\"priority\":-7,\"attempts\":3,\"deadline_ms\":60000,\"not_before\":"
	      "\"2026-11-24T09:30:00.25+02:00\",\"shrink_to\":4096,\"version\":\"2023-06-01\","
	      "\"betas\":[\"a-1\",\"b-2\"],\"label\":\"n\\u00e4chtlich\",\"key\":\"k 1\","
	      "\"keep_ms\":0,\"ephemeral\":true,\"follow\":true,\"from-the-future\":{\"a\":[1]}}",
	      &r);
	assert_int_equal(r.verb, FOREBAY_VERB_SUBMIT);
	assert_string_equal(r.model, "claude-opus-5-5");
	assert_string_equal(r.chain, "safe");
	assert_null(r.chain_models);
	assert_int_equal(r.class, FOREBAY_CLASS_INTERACTIVE);
	assert_int_equal(r.batch, FOREBAY_BATCH_ALLOW);
	assert_int_equal(r.transport, FOREBAY_TRANSPORT_PLAIN);
	assert_int_equal(r.want, FOREBAY_WANT_RESULT);
	assert_int_equal(r.priority, -7);
	assert_int_equal(r.attempts, 3);
	assert_int_equal(r.deadline_ms, 60000);
	assert_int_equal(r.not_before, INT64_C(1795505400250));
	assert_int_equal(r.shrink_to, 4096);
	assert_string_equal(r.version, "2023-06-01");
	assert_string_equal(r.betas[0], "a-1");
	assert_string_equal(r.betas[1], "b-2");
	assert_null(r.betas[2]);
	assert_string_equal(r.label, "n\xc3\xa4"
				     "chtlich");
	assert_string_equal(r.key, "k 1");
	assert_int_equal(r.keep_ms, 0);
	assert_true(r.ephemeral);
	assert_true(r.follow);
	request_clear(&r);
	assert_null(r.model);
	assert_int_equal(r.keep_ms, -1);
}

static void
absent_null_and_foreign_members_change_nothing(void **unused)
{
	struct request r, fresh;

	(void)unused;
	request_init(&fresh, FOREBAY_VERB_STATUS);
	parse("{\"verb\":\"status\",\"ids\":\"not mine\",\"class\":7,\"model\":null}", &r);
	assert_memory_equal(&r, &fresh, sizeof(r));
	request_init(&fresh, FOREBAY_VERB_SUBMIT);
	parse("{\"verb\":\"submit\",\"model\":null,\"deadline_ms\":null}", &r);
	assert_memory_equal(&r, &fresh, sizeof(r));
}

static void
lists_and_places_are_read(void **unused)
{
	struct request r;

	(void)unused;
	parse("{\"verb\":\"submit\",\"chain\":[\"a\",\"b\"]}", &r);
	assert_null(r.chain);
	assert_string_equal(r.chain_models[1], "b");
	assert_null(r.chain_models[2]);
	request_clear(&r);

	parse("{\"ids\":[1,9007199254740991,3.0],\"any\":true,\"timeout_ms\":0,\"verb\":\"wait\"}",
	      &r);
	assert_int_equal(r.id_count, 3);
	assert_int_equal(r.ids[1], INT64_C(9007199254740991));
	assert_int_equal(r.ids[2], 3);
	assert_int_equal(r.timeout_ms, 0);
	request_clear(&r);

	parse("{\"verb\":\"follow\",\"id\":4,\"from\":{\"attempt\":2,\"offset\":4096}}", &r);
	assert_int_equal(r.id, 4);
	assert_int_equal(r.from_attempt, 2);
	assert_int_equal(r.from_offset, 4096);
	request_clear(&r);
	parse("{\"verb\":\"follow\",\"id\":4,\"from\":{\"attempt\":2}}", &r);
	assert_int_equal(r.from_offset, 0);
	request_clear(&r);
}

static void
many_jobs_are_named_or_chosen_on_purpose(void **unused)
{
	struct request r;

	(void)unused;
	parse("{\"verb\":\"cancel\",\"ids\":[7]}", &r);
	request_clear(&r);
	parse("{\"verb\":\"delete\",\"state\":\"failed\",\"all\":true}", &r);
	assert_int_equal(r.state, FOREBAY_JOB_FAILED);
	request_clear(&r);
	parse("{\"verb\":\"list\"}", &r);
	assert_int_equal(r.state, -1);
	request_clear(&r);
	parse("{\"verb\":\"hold\"}", &r);
	assert_null(r.target);
	request_clear(&r);
}

/* --- requests that are not ------------------------------------------------- */

/* why must contain every one of the words. */
static void
refuse(const char *json, size_t len, enum forebay_err expected, const char *words[], int count)
{
	char why[MESSAGE_WHY_LEN];
	struct request r;
	enum forebay_err err = request_parse((const uint8_t *)json, len, &r, why);

	if (err != expected)
		fail_msg("%.*s\ngave %s, expected %s", (int)MIN(len, 200u), json,
			 forebay_err_wire(err), forebay_err_wire(expected));
	for (int i = 0; i < count; i++)
		if (words[i] && !strstr(why, words[i]))
			fail_msg("%.*s\n\"%s\" does not say \"%s\"", (int)MIN(len, 200u), json, why,
				 words[i]);
	assert_true(strlen(why) > 0 && strlen(why) < MESSAGE_WHY_LEN);
}

static const struct {
	const char *json, *words[3];
} wrong_arguments[] = {
	{ "{\"verb\":\"submit\",\"deadline_ms\":\"soon\"}",
	  { "deadline_ms: expected a whole number from 1 to 31536000000, got \"soon\"" } },
	{ "{\"verb\":\"submit\",\"deadline_ms\":0}", { "deadline_ms", "from 1", "got 0" } },
	{ "{\"verb\":\"submit\",\"attempts\":2.5}", { "attempts", "whole", "2.5" } },
	{ "{\"verb\":\"submit\",\"priority\":101}", { "priority", "-100 to 100" } },
	{ "{\"verb\":\"submit\",\"priority\":1e300}", { "priority", "-100 to 100" } },
	{ "{\"verb\":\"submit\",\"class\":\"fast\"}",
	  { "class", "\"interactive\", \"normal\", \"patient\"", "got \"fast\"" } },
	{ "{\"verb\":\"submit\",\"class\":1}", { "class", "one of", "got 1" } },
	{ "{\"verb\":\"submit\",\"model\":\"\"}", { "model", "1 to 128" } },
	{ "{\"verb\":\"submit\",\"model\":\"a b\"}", { "model", "visible ASCII" } },
	{ "{\"verb\":\"submit\",\"version\":\"1\\r\\nx: y\"}", { "version", "visible" } },
	{ "{\"verb\":\"submit\",\"label\":\"a\\u0000b\"}", { "label", "control" } },
	{ "{\"verb\":\"submit\",\"label\":\"a\\u001b[2J\"}", { "label", "control" } },
	{ "{\"verb\":\"submit\",\"label\":\"a\\u009b2J\"}", { "label", "control" } },
	{ "{\"verb\":\"submit\",\"betas\":\"x\"}", { "betas", "a list of 1 to 16" } },
	{ "{\"verb\":\"submit\",\"betas\":[\"x\",7]}", { "betas", "got 7 in it" } },
	{ "{\"verb\":\"submit\",\"chain\":[]}", { "chain", "1 to 8 model", "got" } },
	{ "{\"verb\":\"submit\",\"chain\":{}}", { "chain", "name of a chain" } },
	{ "{\"verb\":\"submit\",\"not_before\":\"tomorrow\"}",
	  { "not_before", "RFC 3339", "tomorrow" } },
	{ "{\"verb\":\"submit\",\"ephemeral\":1}", { "ephemeral", "true or false" } },
	{ "{\"verb\":\"wait\"}", { "wait needs \"ids\"", "list of 1 to 1000 job ids" } },
	{ "{\"verb\":\"wait\",\"ids\":[]}", { "ids", "1 to 1000" } },
	{ "{\"verb\":\"wait\",\"ids\":[1,0]}", { "ids", "got 0 in it" } },
	{ "{\"verb\":\"wait\",\"ids\":[9007199254740993]}", { "ids" } },
	{ "{\"verb\":\"result\"}", { "result needs \"id\"" } },
	{ "{\"verb\":\"result\",\"id\":null}", { "result needs \"id\"" } },
	{ "{\"verb\":\"show\",\"id\":-1}", { "id", "from 1" } },
	{ "{\"verb\":\"follow\",\"id\":1,\"from\":{\"offset\":1}}", { "from", "attempt" } },
	{ "{\"verb\":\"follow\",\"id\":1,\"from\":5}", { "from", "got 5" } },
	{ "{\"verb\":\"list\",\"limit\":1001}", { "limit", "1 to 1000" } },
	{ "{\"verb\":\"list\",\"state\":\"done\"}", { "state", "\"succeeded\"" } },
	{ "{\"verb\":\"cancel\"}", { "cancel needs", "ids", "all" } },
	{ "{\"verb\":\"delete\",\"all\":true}", { "delete needs", "filter" } },
	{ "{\"verb\":\"retry\",\"state\":\"failed\"}", { "retry", "\"all\": true" } },
	{ "{\"verb\":\"cancel\",\"ids\":[1],\"label\":\"x\"}", { "cancel", "not both" } },
	{ "{\"verb\":\"watch\",\"interval_ms\":1}", { "interval_ms", "100 to" } },
	{ "{}", { "verb", "got nothing" } },
	{ "{\"verb\":7}", { "verb", "got 7" } },
	{ "[]", { "object" } },
	{ "\"submit\"", { "object" } },
	{ "", { "JSON" } },
	{ "{\"verb\":\"status\"", { "JSON", "byte 16" } },
	{ "{\"verb\":\"status\"} x", { "JSON" } },
	{ "{'verb':'status'}", { "JSON" } },
	{ "{\"verb\":\"status\",}", { "JSON" } },
	{ "{\"verb\":\"status\",\"x\":NaN}", { "JSON" } },
	{ "{\"verb\":\"status\",\"x\":\"\xff\"}", { "JSON" } },
	{ "{\"verb\":\"status\",\"x\":\"\xed\xa0\x80\"}", { "JSON" } },
	{ "{\"verb\":\"status\",\"verb\":\"drain\"}", { "twice" } },
	{ "{\"verb\":\"status\",\"v\\u0065rb\":\"drain\"}", { "twice" } },
	{ "{\"verb\":\"status\",\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}", { "twice" } },
};

static void
wrong_arguments_get_a_helpful_sentence(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(wrong_arguments); i++)
		refuse(wrong_arguments[i].json, strlen(wrong_arguments[i].json),
		       FOREBAY_ERR_BAD_REQUEST, (const char **)wrong_arguments[i].words, 3);
}

static void
an_unknown_verb_is_named(void **unused)
{
	const char *words[] = { "no verb \"sumbit\"" };

	(void)unused;
	refuse("{\"verb\":\"sumbit\",\"ids\":7}", 25, FOREBAY_ERR_UNKNOWN_VERB, words, 1);
}

static void
long_and_deep_documents_are_refused(void **unused)
{
	static char json[MESSAGE_MAX_LEN + 2];
	const char *too_long[] = { "65537", "65536" }, *json_word[] = { "JSON" };
	char deep[128] = "{\"verb\":\"status\",\"x\":";
	struct request r;
	char why[MESSAGE_WHY_LEN];
	int len;

	(void)unused;
	len = snprintf(json, sizeof(json), "{\"verb\":\"status\"}");
	memset(json + len, ' ', sizeof(json) - (size_t)len);
	refuse(json, MESSAGE_MAX_LEN + 1, FOREBAY_ERR_BAD_REQUEST, too_long, 2);
	assert_int_equal(request_parse((const uint8_t *)json, MESSAGE_MAX_LEN, &r, why), 0);

	/* Depth 16 is the limit and fine, 17 is not. */
	len = (int)strlen(deep);
	memset(deep + len, '[', 16);
	memset(deep + len + 16, ']', 16);
	strcpy(deep + len + 32, "}");
	refuse(deep, strlen(deep), FOREBAY_ERR_BAD_REQUEST, json_word, 1);
	memmove(deep + len, deep + len + 1, strlen(deep + len));
	deep[len + 30] = '}';
	deep[len + 31] = '\0';
	parse(deep, &r);
}

/* A label of 256 bytes is fine, of 257 is not; the sentence stays short and
 * never ends inside a character. */
static void
limits_are_in_bytes(void **unused)
{
	char json[700], why[MESSAGE_WHY_LEN];
	struct request r;

	(void)unused;
	for (int extra = 0; extra < 2; extra++) {
		int len = snprintf(json, sizeof(json), "{\"verb\":\"submit\",\"label\":\"");

		for (int i = 0; i < 128; i++)
			len += snprintf(json + len, sizeof(json) - (size_t)len, "\xc3\xa4");
		snprintf(json + len, sizeof(json) - (size_t)len, "%s\"}", extra ? "x" : "");
		if (!extra) {
			parse(json, &r);
			assert_int_equal(strlen(r.label), 256);
			request_clear(&r);
			continue;
		}
		assert_int_equal(request_parse((const uint8_t *)json, strlen(json), &r, why),
				 FOREBAY_ERR_BAD_REQUEST);
		assert_non_null(strstr(why, "label: expected a string of 1 to 256 bytes"));
		assert_string_equal(why + strlen(why) - 5, "\xc3\xa4...");
	}
}

/* --- writing --------------------------------------------------------------- */

static void
what_is_put_is_what_is_parsed(void **unused)
{
	static const char *const documents[] = {
		"{\"verb\":\"submit\"}",
		"{\"verb\":\"submit\",\"model\":\"m\",\"chain\":\"c\",\"class\":\"patient\","
		"\"batch\":\"only\",\"transport\":\"stream\",\"want\":\"result\",\"priority\":-100,"
		"\"attempts\":1,\"deadline_ms\":5,\"not_before\":\"2026-11-24T09:30:00.250Z\","
		"\"shrink_to\":9,\"version\":\"v\",\"betas\":[\"a\",\"b\"],\"label\":\"\\\"\\\\\","
		"\"key\":\"k\",\"keep_ms\":0,\"ephemeral\":true,\"follow\":true}",
		"{\"verb\":\"submit\",\"chain\":[\"a\",\"b\"]}",
		"{\"verb\":\"wait\",\"ids\":[1,2,3],\"any\":true,\"timeout_ms\":0}",
		"{\"verb\":\"follow\",\"id\":1,\"from\":{\"attempt\":2,\"offset\":0}}",
		"{\"verb\":\"show\",\"id\":1,\"request\":true}",
		"{\"verb\":\"list\",\"model\":\"m\",\"label\":\"l\",\"state\":\"queued\",\"owner\":"
		"\"1000\",\"since\":\"2026-11-24T09:30:00.000Z\",\"after_id\":7,\"limit\":9,"
		"\"all\":true}",
		"{\"verb\":\"delete\",\"ids\":[9]}",
		"{\"verb\":\"hold\",\"target\":\"key\",\"reason\":\"r\",\"for_ms\":1}",
		"{\"verb\":\"watch\",\"interval_ms\":100}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct request r;
		char *json;

		parse(documents[i], &r);
		json = request_put(&r);
		assert_string_equal(json, documents[i]);
		free(json);
		request_clear(&r);
	}
}

static void
the_table_of_arguments_can_be_read(void **unused)
{
	size_t count = 0;

	(void)unused;
	for (; request_argument(count); count++) {
		int takers = 0;

		for (int verb = 0; verb < FOREBAY_VERB_COUNT; verb++)
			takers += request_takes(verb, count);
		assert_true(takers > 0);
		for (size_t other = 0; other < count; other++)
			assert_string_not_equal(request_argument(other), request_argument(count));
	}
	assert_true(count > 30);
	assert_false(request_takes(FOREBAY_VERB_SUBMIT, count));
}

/* --- replies --------------------------------------------------------------- */

static void
members_of_a_reply_are_read(void **unused)
{
	static const char json[] =
	    "{\"id\":417,\"state\":\"queued\",\"x\":null,\"rate\":0.5,\"ok\":true,\"big\":1e400,"
	    "\"nul\":\"a\\u0000b\",\"usage\":{\"input_tokens\":25.0},"
	    "\"jobs\":[{\"id\":1},7,{\"id\":2}],\"groups\":[\"a\",5]}";
	char why[MESSAGE_WHY_LEN];
	struct message *m;

	(void)unused;
	assert_int_equal(message_parse((const uint8_t *)json, strlen(json), 4096, &m, why), 0);
	assert_int_equal(message_int(m, "id", -1), 417);
	assert_int_equal(message_int(m, "state", -1), -1);
	assert_int_equal(message_int(m, "rate", -1), -1);
	assert_string_equal(message_text(m, "state", "?"), "queued");
	assert_string_equal(message_text(m, "id", "?"), "?");
	assert_string_equal(message_text(m, "nul", "?"), "?");
	assert_null(message_text(m, "absent", NULL));
	assert_false(message_has(m, "x"));
	assert_true(message_has(m, "ok"));
	assert_true(message_bool(m, "ok", false));
	assert_true(message_bool(m, "id", true));
	assert_true(message_double(m, "rate", 0) == 0.5);
	assert_true(message_double(m, "id", 0) == 417);
	assert_true(message_double(m, "big", -1) == -1);
	assert_int_equal(message_int(message_object(m, "usage"), "input_tokens", -1), 25);
	assert_null(message_object(m, "jobs"));
	assert_int_equal(message_int(message_object(m, "absent"), "input_tokens", -1), -1);
	assert_int_equal(message_count(m, "jobs"), 3);
	assert_int_equal(message_count(m, "id"), 0);
	assert_int_equal(message_int(message_item(m, "jobs", 2), "id", -1), 2);
	assert_null(message_item(m, "jobs", 1));
	assert_null(message_item(m, "jobs", 3));
	assert_string_equal(message_item_text(m, "groups", 0), "a");
	assert_null(message_item_text(m, "groups", 1));
	assert_null(message_item_text(m, "groups", 2));
	assert_string_equal(message_member(m, 0), "id");
	assert_string_equal(message_member(m, 9), "groups");
	assert_null(message_member(m, 10));
	assert_null(message_member(NULL, 0));
	message_free(m);
	message_free(NULL);
}

static void
replies_are_read_as_strictly(void **unused)
{
	char why[MESSAGE_WHY_LEN];
	struct message *m;

	(void)unused;
	assert_int_equal(message_parse((const uint8_t *)"{} ", 3, 3, &m, why), 0);
	message_free(m);
	assert_int_equal(message_parse((const uint8_t *)"{}  ", 4, 3, &m, why),
			 FOREBAY_ERR_BAD_REQUEST);
	assert_int_equal(message_parse((const uint8_t *)"{\"a\":1,\"a\":1}", 13, 99, &m, why),
			 FOREBAY_ERR_BAD_REQUEST);
	assert_int_equal(message_parse((const uint8_t *)"", 0, 99, &m, why),
			 FOREBAY_ERR_BAD_REQUEST);
}

/* --- times ----------------------------------------------------------------- */

static void
times_are_read_and_written(void **unused)
{
	static const struct {
		const char *text;
		int64_t ms;
		const char *put;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z" },
		{ "1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z" },
		{ "2026-11-24t09:30:00.1239z", 1795512600123, "2026-11-24T09:30:00.123Z" },
		{ "2026-11-24 09:30:00-00:30", 1795514400000, "2026-11-24T10:00:00.000Z" },
		{ "2024-02-29T00:00:00+14:00", 1709114400000, "2024-02-28T10:00:00.000Z" },
		{ "0000-01-01T00:00:00Z", -62167219200000, "0000-01-01T00:00:00.000Z" },
		{ "9999-12-31T23:59:59.999Z", 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ "2016-12-31T23:59:60Z", 1483228800000, "2017-01-01T00:00:00.000Z" },
	};
	static const char *const wrong[] = {
		"",
		"now",
		"2026-11-24",
		"2026-11-24T09:30Z",
		"2026-11-24T09:30:00",
		"2026-11-24T09:30:00.Z",
		"2026-11-24T09:30:00Z ",
		" 2026-11-24T09:30:00Z",
		"2026-13-24T09:30:00Z",
		"2026-00-24T09:30:00Z",
		"2026-02-29T09:30:00Z",
		"2100-02-29T09:30:00Z",
		"2026-11-24T24:00:00Z",
		"2026-11-24T09:60:00Z",
		"2026-11-24T09:30:61Z",
		"2026-11-24T09:30:00+24:00",
		"2026-11-24T09:30:00+0200",
		"2026-11-24T09:30:00+02:60",
		"+026-11-24T09:30:00Z",
		"0000-01-01T00:00:00+00:01",
		"9999-12-31T23:59:60Z",
	};
	char text[MESSAGE_TIME_LEN];
	int64_t ms;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!message_time_parse(rows[i].text, &ms))
			fail_msg("%s was not understood", rows[i].text);
		assert_int_equal(ms, rows[i].ms);
		assert_string_equal(message_time_put(ms, text), rows[i].put);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (message_time_parse(wrong[i], &ms))
			fail_msg("%s was taken for a time", wrong[i]);
	assert_string_equal(message_time_put(INT64_MAX, text), "unknown");
	assert_string_equal(message_time_put(INT64_MIN, text), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_submit_fills_every_field),
		cmocka_unit_test(absent_null_and_foreign_members_change_nothing),
		cmocka_unit_test(lists_and_places_are_read),
		cmocka_unit_test(many_jobs_are_named_or_chosen_on_purpose),
		cmocka_unit_test(wrong_arguments_get_a_helpful_sentence),
		cmocka_unit_test(an_unknown_verb_is_named),
		cmocka_unit_test(long_and_deep_documents_are_refused),
		cmocka_unit_test(limits_are_in_bytes),
		cmocka_unit_test(what_is_put_is_what_is_parsed),
		cmocka_unit_test(the_table_of_arguments_can_be_read),
		cmocka_unit_test(members_of_a_reply_are_read),
		cmocka_unit_test(replies_are_read_as_strictly),
		cmocka_unit_test(times_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
