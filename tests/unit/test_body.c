/*
 * test_body.c - facts of a request, why one is refused, and edits that change
 * what they say and nothing else.
 */
#include "daemon/claude/body.h"
#include "daemon/claude/rewrite.h"
#include "protocol/json.h"
#include "protocol/jsonput.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static struct body_facts
scan(const char *body)
{
	struct body_facts facts;
	char why[300];

	if (body_scan((const uint8_t *)body, strlen(body), &facts, why, sizeof(why)))
		fail_msg("%s: %s", body, why);
	assert_string_equal(why, "");
	return facts;
}

static void
assert_span(const char *body, const struct body_facts *facts, enum body_key key, const char *value)
{
	const struct body_span *span = &facts->at[key];

	assert_int_equal(span->len, strlen(value));
	assert_memory_equal(body + span->offset, value, span->len);
	assert_memory_equal(body + span->key + 1, body_key_name(key), strlen(body_key_name(key)));
}

static void
facts_are_found(void **unused)
{
	static const char body[] =
	    " {\"model\" : \"claude-\\u006fpus-5-5\", \"max_tokens\": 1024, \"stream\":true,\n"
	    "\"temperature\":0.5,\"top_p\":1,\"top_k\":5,\"speed\":\"fast\",\"container\":\"c\","
	    "\"metadata\":{\"user_id\":\"model\"},\"system\":[{\"type\":\"text\",\"text\":\"x\"}],"
	    "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048},"
	    "\"tool_choice\":{\"type\":\"tool\",\"name\":\"t\"},\"tools\":[{\"model\":\"no\"}],"
	    "\"output_config\":{\"effort\":\"high\",\"format\":{\"type\":\"json_schema\"}},"
	    "\"messages\":[{\"role\":\"user\",\"content\":[{\"role\":\"assistant\"}]},"
	    "{\"content\":\"{\",\"role\":\"assistant\"}],\"unknown\":{\"stream\":1}}";
	struct body_facts facts = scan(body);

	(void)unused;
	assert_int_equal(facts.open, 1);
	assert_string_equal(facts.model, "claude-opus-5-5");
	assert_int_equal(facts.max_tokens, 1024);
	assert_true(facts.stream);
	assert_int_equal(facts.last_role, BODY_ROLE_ASSISTANT);
	assert_string_equal(facts.thinking, "enabled");
	assert_int_equal(facts.thinking_budget, 2048);
	assert_string_equal(facts.tool_choice, "tool");
	assert_string_equal(facts.effort, "high");
	assert_memory_equal(body + facts.format.offset, "{\"type\":\"json_schema\"}",
			    facts.format.len);
	assert_span(body, &facts, BODY_MODEL, "\"claude-\\u006fpus-5-5\"");
	assert_span(body, &facts, BODY_MAX_TOKENS, "1024");
	assert_span(body, &facts, BODY_STREAM, "true");
	assert_span(body, &facts, BODY_TEMPERATURE, "0.5");
	assert_span(body, &facts, BODY_TOP_P, "1");
	assert_span(body, &facts, BODY_TOP_K, "5");
	assert_span(body, &facts, BODY_SPEED, "\"fast\"");
	assert_span(body, &facts, BODY_CONTAINER, "\"c\"");
	assert_span(body, &facts, BODY_METADATA, "{\"user_id\":\"model\"}");
	assert_span(body, &facts, BODY_TOOLS, "[{\"model\":\"no\"}]");
	assert_span(body, &facts, BODY_TOOL_CHOICE, "{\"type\":\"tool\",\"name\":\"t\"}");
}

static void
what_is_absent_is_said_to_be(void **unused)
{
	struct body_facts facts = scan("{\"model\":\"m\"," USER "}");

	(void)unused;
	assert_int_equal(facts.max_tokens, -1);
	assert_int_equal(facts.thinking_budget, -1);
	assert_false(facts.stream);
	assert_string_equal(facts.thinking, "");
	assert_string_equal(facts.tool_choice, "");
	assert_string_equal(facts.effort, "");
	assert_int_equal(facts.at[BODY_STREAM].len, 0);
	assert_int_equal(facts.format.len, 0);
	assert_int_equal(facts.last_role, BODY_ROLE_USER);
}

static void
the_last_role_is_that_of_the_last_message(void **unused)
{
	/* clang-format off */
	static const struct { const char *messages; enum body_role role; } rows[] = {
		{ "[{\"role\":\"assistant\"},{\"role\":\"user\"}]", BODY_ROLE_USER },
		{ "[{\"role\":\"user\"},{\"role\":\"assistant\"}]", BODY_ROLE_ASSISTANT },
		{ "[{\"role\":\"user\"},{}]", BODY_ROLE_OTHER },
		{ "[{\"role\":\"user\"},7]", BODY_ROLE_OTHER },
		{ "[{\"role\":\"user\"},[{\"role\":\"assistant\"}]]", BODY_ROLE_OTHER },
		{ "[{\"role\":\"system\"}]", BODY_ROLE_OTHER },
		{ "[{\"role\":\"user\",\"role\":\"assistant\"}]", BODY_ROLE_ASSISTANT },
	};
	/* clang-format on */
	char body[300];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(body, sizeof(body), "{\"messages\":%s,\"model\":\"m\"}", rows[i].messages);
		assert_int_equal(scan(body).last_role, rows[i].role);
	}
}

static void
numbers_may_be_spelled_as_json_allows(void **unused)
{
	(void)unused;
	assert_int_equal(scan("{\"model\":\"m\",\"max_tokens\":1e3," USER "}").max_tokens, 1000);
	assert_int_equal(scan("{\"model\":\"m\",\"max_tokens\":8.0," USER "}").max_tokens, 8);
	assert_int_equal(scan("{\"model\":\"m\",\"max_tokens\":0," USER "}").max_tokens, 0);
	assert_false(scan("{\"model\":\"m\",\"stream\":null," USER "}").stream);
}

static void
refusals_say_what_where_and_what_would_be_right(void **unused)
{
	/* clang-format off */
	static const struct { const char *body, *why; } rows[] = {
		{ "", "the body is not valid JSON: byte 0: the document ends too early" },
		{ "{\"model\":\"m\",}",
		  "the body is not valid JSON: byte 13: expected a key in double quotes" },
		{ "[1]", "the body must be a JSON object: {\"model\": ..., \"messages\": ...}" },
		{ "7", "the body must be a JSON object: {\"model\": ..., \"messages\": ...}" },
		{ "{\"model\":\"m\"}",
		  "\"messages\" is missing; it must be a list of at least one message" },
		{ "{" USER "}", "\"model\" is missing; name one in the body or as an option, "
		  "such as \"claude-opus-5-5\"" },
		{ "{\"model\":\"m\",\"messages\":{}}",
		  "\"messages\" (byte 24) must be a list of at least one message" },
		{ "{\"model\":\"m\",\"messages\":[]}",
		  "\"messages\" (byte 24) must be a list of at least one message" },
		{ "{\"model\":\"a\",\"model\":\"b\"," USER "}",
		  "\"model\" appears twice, at bytes 1 and 13; say it once" },
		{ "{\"model\":\"a\",\"stream\":true,\"x\":1,\"stream\":true," USER "}",
		  "\"stream\" appears twice, at bytes 13 and 33; say it once" },
		{ "{\"mod\\u0065l\":\"a\"," USER "}", "the key at byte 1 means \"model\" but is "
		  "spelled with escapes; write it plainly" },
		{ "{\"model\":\"a\",\"model\\u0000x\":\"b\"," USER "}", "the key at byte 13 means "
		  "\"model\" but is spelled with escapes; write it plainly" },
		{ "{\"model\":7," USER "}", "\"model\" (byte 9) must be a string of 1 to 255 "
		  "printable bytes, such as \"claude-opus-5-5\"" },
		{ "{\"model\":\"\"," USER "}", "\"model\" (byte 9) must be a string of 1 to 255 "
		  "printable bytes, such as \"claude-opus-5-5\"" },
		{ "{\"model\":\"a\\u0000b\"," USER "}", "\"model\" (byte 9) must be a string of 1 "
		  "to 255 printable bytes, such as \"claude-opus-5-5\"" },
		{ "{\"model\":\"a\\nb\"," USER "}", "\"model\" (byte 9) must be a string of 1 to "
		  "255 printable bytes, such as \"claude-opus-5-5\"" },
		{ "{\"model\":\"m\",\"max_tokens\":1.5," USER "}",
		  "\"max_tokens\" (byte 26) must be a whole number, 0 or more" },
		{ "{\"model\":\"m\",\"max_tokens\":-1," USER "}",
		  "\"max_tokens\" (byte 26) must be a whole number, 0 or more" },
		{ "{\"model\":\"m\",\"max_tokens\":\"9\"," USER "}",
		  "\"max_tokens\" (byte 26) must be a whole number, 0 or more" },
		{ "{\"model\":\"m\",\"stream\":1," USER "}",
		  "\"stream\" (byte 22) must be true or false" },
	};
	/* clang-format on */
	struct body_facts facts;
	char why[300];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(body_scan((const uint8_t *)rows[i].body, strlen(rows[i].body),
					   &facts, why, sizeof(why)),
				 FOREBAY_ERR_INVALID_BODY);
		assert_string_equal(why, rows[i].why);
	}
}

static void
a_model_from_an_option_may_be_absent_here(void **unused)
{
	static const char body[] = "{" USER "}";
	struct body_facts facts;
	char why[300];

	(void)unused;
	assert_int_equal(
	    body_scan_without_model((const uint8_t *)body, strlen(body), &facts, why, sizeof(why)),
	    FOREBAY_ERR_OK);
	assert_string_equal(facts.model, "");
	assert_int_equal(facts.at[BODY_MODEL].len, 0);
}

static void
escapes_in_other_keys_are_nobodys_business(void **unused)
{
	struct body_facts facts = scan(
	    "{\"model\":\"m\",\"caf\\u00e9\":1,\"m\\u006fdels\":2,\"x\":{\"mod\\u0065l\":1}," USER
	    "}");

	(void)unused;
	assert_string_equal(facts.model, "m");
}

static void
watched_keys_make_no_body_invalid(void **unused)
{
	static const char body[] =
	    "{\"model\":\"m\",\"thread\":1,\"thread\":null,\"di\\u0061gnostics\":[],"
	    "\"fallback_credit_token\":null,\"fallback_credit_token\":{}," USER "}";
	struct body_facts facts = scan(body);

	(void)unused;
	/* The last one counts. */
	assert_span(body, &facts, BODY_THREAD, "null");
	assert_span(body, &facts, BODY_FALLBACK_CREDIT, "{}");
	assert_int_equal(facts.at[BODY_DIAGNOSTICS].len, 2);
}

static void
state_that_the_api_keeps_is_named(void **unused)
{
	(void)unused;
	assert_null(scan("{\"model\":\"m\",\"container\":null," USER "}").state);
	assert_null(
	    scan("{\"model\":\"m\",\"diagnostics\":{\"previous_message_id\":null}," USER "}")
		.state);
	assert_string_equal(scan("{\"model\":\"m\",\"container\":\"c\"," USER "}").state,
			    "container");
	assert_string_equal(
	    scan("{\"model\":\"m\",\"diagnostics\":{\"previous_message_id\":\"\"}," USER "}").state,
	    "diagnostics of an earlier message");
}

static void
images_do_not_count_as_text(void **unused)
{
	static char body[700000];
	int head = sprintf(body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{"
				 "\"type\":\"image\",\"data\":\"");

	(void)unused;
	memset(body + head, 'A', 600000);
	strcpy(body + head + 600000, "\"}]}]}");
	struct body_facts facts = scan(body);

	assert_int_equal(facts.blob_count, 1);
	assert_true(body_estimate_tokens(&facts, strlen(body)) < 10000);
	assert_true(body_estimate_tokens(&facts, strlen(body)) > 1000);
	/* The same length with spaces is text. */
	for (size_t i = 100; i < 600000; i += 6)
		body[(size_t)head + i] = ' ';
	facts = scan(body);
	assert_int_equal(facts.blob_count, 0);
	assert_true(body_estimate_tokens(&facts, strlen(body)) > 100000);
}

/* The edited bytes, read in pieces of so many. The caller frees. */
static char *
edited(const char *body, const struct body_facts *facts, const struct body_edits *edits,
       size_t step)
{
	struct body_reader reader;

	body_reader_init(&reader, (const uint8_t *)body, strlen(body), facts, edits);
	char *text = calloc(1, reader.total + 1);

	for (int round = 0; round < 2; round++) {
		size_t at = 0, n;

		while ((n = body_reader_read(&reader, (uint8_t *)text + at,
					     MIN(step, reader.total + 1 - at))) > 0)
			at += n;
		assert_int_equal(at, reader.total);
		body_reader_rewind(&reader);
	}
	return text;
}

static void
assert_edited(const char *body, struct body_edits *edits, const char *wanted)
{
	struct body_facts facts;
	char why[300];

	if (body_scan_without_model((const uint8_t *)body, strlen(body), &facts, why, sizeof(why)))
		fail_msg("%s: %s", body, why);
	for (size_t step = 1; step < 40; step += 13) {
		char *got = edited(body, &facts, edits, step);

		assert_string_equal(got, wanted);
		free(got);
	}
	body_edits_clear(edits);
	assert_true(body_edits_is_empty(edits));
}

static void
edits_change_what_they_say(void **unused)
{
	static const char body[] = "{ \"model\" : \"a\" , " USER ", \"stream\":false\n}";
	struct body_edits edits = { 0 };

	(void)unused;
	assert_edited(body, &edits, body);

	assert_int_equal(body_edits_set_string(&edits, BODY_MODEL, "b\"\\"), 0);
	assert_edited(body, &edits, "{ \"model\" : \"b\\\"\\\\\" , " USER ", \"stream\":false\n}");

	assert_int_equal(body_edits_set_bool(&edits, BODY_STREAM, true), 0);
	assert_int_equal(body_edits_set_int(&edits, BODY_MAX_TOKENS, 5), 0);
	assert_edited(body, &edits,
		      "{\"max_tokens\":5, \"model\" : \"a\" , " USER ", \"stream\":true\n}");

	body_edits_remove(&edits, BODY_MODEL);
	assert_edited(body, &edits, "{  " USER ", \"stream\":false\n}");

	body_edits_remove(&edits, BODY_STREAM);
	assert_edited(body, &edits, "{ \"model\" : \"a\" , " USER "}");

	body_edits_remove(&edits, BODY_STREAM);
	body_edits_remove(&edits, BODY_MODEL);
	assert_edited(body, &edits, "{  " USER "}");

	body_edits_remove(&edits, BODY_TOP_K);
	assert_edited(body, &edits, body);

	/* The last word counts. */
	body_edits_remove(&edits, BODY_STREAM);
	assert_int_equal(body_edits_set_bool(&edits, BODY_STREAM, true), 0);
	assert_edited(body, &edits, "{ \"model\" : \"a\" , " USER ", \"stream\":true\n}");

	body_edits_remove(&edits, BODY_MESSAGES);
	assert_true(body_edits_is_empty(&edits));
}

static void
runs_of_removed_members_leave_no_comma(void **unused)
{
	struct body_edits edits = { 0 };

	(void)unused;
	body_edits_remove(&edits, BODY_TOP_K);
	body_edits_remove(&edits, BODY_TOP_P);
	body_edits_remove(&edits, BODY_TEMPERATURE);
	assert_edited("{" USER ",\"x\":1 , \"top_k\":1, \"top_p\" :2 ,\"temperature\":3 }", &edits,
		      "{" USER ",\"x\":1 }");
	body_edits_remove(&edits, BODY_TOP_K);
	body_edits_remove(&edits, BODY_TOP_P);
	assert_edited("{\"top_k\":1,\"top_p\":2," USER "}", &edits, "{" USER "}");
	body_edits_remove(&edits, BODY_TOP_K);
	assert_int_equal(body_edits_set_int(&edits, BODY_TOP_P, 9), 0);
	assert_edited("{" USER ",\"top_p\":2,\"top_k\":1}", &edits, "{" USER ",\"top_p\":9}");
}

static void
effort_goes_and_a_format_stays(void **unused)
{
	static const char both[] =
	    "{\"output_config\":{\"effort\":\"max\",\"format\":{\"a\":[1]}}," USER "}";
	static const char effort[] = "{\"output_config\":{\"effort\":\"max\"}," USER "}";
	struct body_edits edits = { 0 };
	struct body_facts facts;
	char why[100];

	(void)unused;
	assert_int_equal(
	    body_scan_without_model((const uint8_t *)both, strlen(both), &facts, why, sizeof(why)),
	    0);
	assert_int_equal(body_edits_remove_effort(&edits, &facts, (const uint8_t *)both), 0);
	assert_edited(both, &edits, "{\"output_config\":{\"format\":{\"a\":[1]}}," USER "}");
	assert_int_equal(body_scan_without_model((const uint8_t *)effort, strlen(effort), &facts,
						 why, sizeof(why)),
			 0);
	assert_int_equal(body_edits_remove_effort(&edits, &facts, (const uint8_t *)effort), 0);
	assert_edited(effort, &edits, "{" USER "}");
}

static void
members_change_and_the_rest_is_as_spelled(void **unused)
{
	static const char body[] =
	    "{\"output_config\":{ \"effort\" : \"max\", \"task_budget\":{\"a\" :1} }," USER "}";
	static const struct rewrite_member low = { "effort", "\"low\"" };
	struct body_edits edits = { 0 };
	struct body_facts facts;
	char why[100];

	(void)unused;
	assert_int_equal(
	    body_scan_without_model((const uint8_t *)body, strlen(body), &facts, why, sizeof(why)),
	    0);
	assert_int_equal(body_edits_remove_effort(&edits, &facts, (const uint8_t *)body), 0);
	assert_edited(body, &edits, "{\"output_config\":{ \"task_budget\":{\"a\" :1} }," USER "}");
	assert_int_equal(body_edits_set_members(&edits, BODY_OUTPUT_CONFIG, &facts,
						(const uint8_t *)body, &low, 1),
			 0);
	assert_edited(
	    body, &edits,
	    "{\"output_config\":{ \"effort\" : \"low\", \"task_budget\":{\"a\" :1} }," USER "}");
	/* No object, no members. */
	assert_int_equal(
	    body_edits_set_members(&edits, BODY_MESSAGES, &facts, (const uint8_t *)body, &low, 1),
	    0);
	assert_int_equal(
	    body_edits_set_members(&edits, BODY_THINKING, &facts, (const uint8_t *)body, &low, 1),
	    0);
	assert_edited(body, &edits, body);
	assert_int_equal(body_edits_take(&edits, BODY_MESSAGES, strdup("[{}]")), 0);
	assert_int_equal(body_edits_take(&edits, BODY_MESSAGES, NULL), FOREBAY_ERR_NO_MEMORY);
	assert_edited("{" USER "}", &edits, "{\"messages\":[{}]}");
}

static uint64_t random_state = 88172645463325252u;

static unsigned
random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % limit;
}

static void
put_space(char **p)
{
	static const char *const spaces[] = { "", "", " ", "\n", " \t ", "\r\n" };

	*p = stpcpy(*p, spaces[random_below(ARRAY_LEN(spaces))]);
}

/* A value the key may have; small numbers tell one from the other. */
static char *
put_value(char *p, enum body_key key)
{
	switch (key) {
	case BODY_MODEL:
		return p + sprintf(p, "\"m%u\"", random_below(9));
	case BODY_STREAM:
		return stpcpy(p, random_below(2) ? "true" : "false");
	case BODY_MESSAGES:
		return stpcpy(p, "[{\"role\":\"user\"}]");
	default:
		return p + sprintf(p, "%u", random_below(1000));
	}
}

/* A body with some of the keys, in any order, with strangers between. */
static void
random_body(char *p)
{
	enum body_key order[BODY_KEY_COUNT];

	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++) {
		unsigned other = random_below(key + 1u);

		order[key] = order[other];
		order[other] = key;
	}
	*p++ = '{';
	bool first = true;

	for (size_t i = 0; i < BODY_KEY_COUNT; i++) {
		if (order[i] != BODY_MESSAGES && random_below(2))
			continue;
		p += sprintf(p, first ? "" : ",");
		first = false;
		put_space(&p);
		if (random_below(4) == 0)
			p += sprintf(p, "\"stranger%zu\":{\"model\":[%zu]},", i, i);
		p += sprintf(p, "\"%s\":", body_key_name(order[i]));
		put_space(&p);
		p = put_value(p, order[i]);
		put_space(&p);
	}
	strcpy(p, "}");
}

/* The same changes, made on json-c's tree. */
static void
random_edits(struct body_edits *edits, struct json_object *tree)
{
	for (unsigned n = random_below(8); n > 0; n--) {
		enum body_key key = random_below(BODY_KEY_COUNT);
		char value[64];

		if (key == BODY_MESSAGES)
			continue;
		if (random_below(2)) {
			body_edits_remove(edits, key);
			json_object_object_del(tree, body_key_name(key));
			continue;
		}
		put_value(value, key);
		assert_int_equal(body_edits_set_raw(edits, key, value, strlen(value)), 0);
		json_object_object_add(tree, body_key_name(key), json_tokener_parse(value));
	}
}

static void
any_edits_of_any_body_change_only_what_they_say(void **unused)
{
	(void)unused;
	for (int round = 0; round < 20000; round++) {
		struct body_edits edits = { 0 };
		struct body_facts facts, again;
		char body[2048], why[200];

		random_body(body);
		struct json_object *tree = json_tokener_parse(body);

		if (body_scan_without_model((const uint8_t *)body, strlen(body), &facts, why,
					    sizeof(why)))
			fail_msg("%s: %s", body, why);
		random_edits(&edits, tree);
		char *text = edited(body, &facts, &edits, 1 + random_below(100));
		struct json_object *got = json_tokener_parse(text);

		if (body_scan_without_model((const uint8_t *)text, strlen(text), &again, why,
					    sizeof(why)) ||
		    !json_object_equal(got, tree))
			fail_msg("%s\nbecame\n%s\nnot\n%s", body, text,
				 json_object_to_json_string(tree));
		json_object_put(got);
		json_object_put(tree);
		free(text);
		body_edits_clear(&edits);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_found),
		cmocka_unit_test(what_is_absent_is_said_to_be),
		cmocka_unit_test(the_last_role_is_that_of_the_last_message),
		cmocka_unit_test(numbers_may_be_spelled_as_json_allows),
		cmocka_unit_test(refusals_say_what_where_and_what_would_be_right),
		cmocka_unit_test(a_model_from_an_option_may_be_absent_here),
		cmocka_unit_test(escapes_in_other_keys_are_nobodys_business),
		cmocka_unit_test(watched_keys_make_no_body_invalid),
		cmocka_unit_test(state_that_the_api_keeps_is_named),
		cmocka_unit_test(images_do_not_count_as_text),
		cmocka_unit_test(edits_change_what_they_say),
		cmocka_unit_test(runs_of_removed_members_leave_no_comma),
		cmocka_unit_test(effort_goes_and_a_format_stays),
		cmocka_unit_test(members_change_and_the_rest_is_as_spelled),
		cmocka_unit_test(any_edits_of_any_body_change_only_what_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
