/*
 * test_json.c - the strict scanner: what is JSON, what is not and why, where
 * values lie, what strings and numbers mean.
 */
#include "protocol/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* From an allocation of exactly its size, so that a sanitizer sees a step too far. */
static bool
valid_len(const char *text, size_t len, unsigned depth, struct json_result *ret)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	bool ok = json_valid(copy, len, depth, ret);

	free(copy);
	assert_int_equal(ok, ret->error == NULL);
	return ok;
}

static bool
valid(const char *text)
{
	struct json_result result;

	return valid_len(text, strlen(text), JSON_MAX_DEPTH, &result);
}

static void
json_is_accepted(void **unused)
{
	static const char *const good[] = {
		"{}",
		"[]",
		" [ ] ",
		"null",
		"true",
		"false",
		"0",
		"-0",
		"1.5",
		"1e5",
		"1E+2",
		"-1.0e-7",
		"\"\"",
		"\"a\"",
		"[1,2]",
		"{\"a\":1,\"b\":[{}]}",
		"\t\r\n {\"a\" : null } \n",
		"\"\\u0000\\ud800\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"18446744073709551617",
		"1e400",
		"\"\x7f\"",
		"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
		"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		"[[],[[]],{}]",
		"{\"\":{\"\":{}}}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!valid(good[i]))
			fail_msg("refused: %s", good[i]);
}

/* clang-format off */
static const struct { const char *text; size_t at; const char *error; } refused[] = {
	{ "",                   0, "the document ends too early" },
	{ "  ",                 2, "the document ends too early" },
	{ "{",                  1, "the document ends too early" },
	{ "[1",                 2, "the document ends too early" },
	{ "[1,]",               3, "expected a value" },
	{ "[,1]",               1, "expected a value" },
	{ "[1 2]",              3, "expected a comma or ] after the value" },
	{ "[1}",                2, "expected a comma or ] after the value" },
	{ "{\"a\":1]",          6, "expected a comma or } after the value" },
	{ "{\"a\":1,}",         7, "expected a key in double quotes" },
	{ "{a:1}",              1, "expected a key in double quotes" },
	{ "{'a':1}",            1, "expected a key in double quotes" },
	{ "{\"a\" 1}",          5, "expected a colon after the key" },
	{ "{\"a\":}",           5, "expected a value" },
	{ "{} {}",              3, "something follows the document" },
	{ "[]]",                2, "something follows the document" },
	{ "tru",                3, "the document ends too early" },
	{ "trx",                0, "expected a value" },
	{ "nul\n",              0, "expected a value" },
	{ "True",               0, "expected a value" },
	{ "NaN",                0, "expected a value" },
	{ "-Infinity",          1, "a number needs a digit here" },
	{ "+1",                 0, "expected a value" },
	{ ".5",                 0, "expected a value" },
	{ "1.",                 2, "the document ends too early" },
	{ "[1.]",               3, "a number needs a digit here" },
	{ "[1e]",               3, "a number needs a digit here" },
	{ "01",                 1, "a number must not begin with 0" },
	{ "-01",                2, "a number must not begin with 0" },
	{ "0x1",                1, "something follows the document" },
	{ "\"",                 1, "the string does not end" },
	{ "\"abc",              4, "the string does not end" },
	{ "\"\\",               2, "the string does not end" },
	{ "\"\\x\"",            1, "this escape does not exist in JSON" },
	{ "\"\\u12g4\"",        1, "\\u needs four hexadecimal digits" },
	{ "\"\\u12",            5, "the string does not end" },
	{ "\"a\tb\"",           2, "a control character in a string must be escaped" },
	{ "\"a\nb\"",           2, "a control character in a string must be escaped" },
	{ "\"\x80\"",           1, "this is not UTF-8" },
	{ "\"\xc0\x80\"",       1, "this is not UTF-8" },
	{ "\"\xc1\xbf\"",       1, "this is not UTF-8" },
	{ "\"\xe0\x9f\xbf\"",   1, "this is not UTF-8" },
	{ "\"\xed\xa0\x80\"",   1, "this is not UTF-8" },
	{ "\"\xf0\x8f\xbf\xbf\"", 1, "this is not UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", 1, "this is not UTF-8" },
	{ "\"\xf5\x80\x80\x80\"", 1, "this is not UTF-8" },
	{ "\"\xe2\x82\"",       1, "this is not UTF-8" },
	{ "\"\xe2\x82",         1, "this is not UTF-8" },
	{ "\"\xff\"",           1, "this is not UTF-8" },
	{ "\xef\xbb\xbf{}",     0, "expected a value" },
	{ "/* */ {}",           0, "expected a value" },
};
/* clang-format on */

static void
everything_else_is_refused_at_the_right_byte(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct json_result result;

		if (valid_len(refused[i].text, strlen(refused[i].text), JSON_MAX_DEPTH, &result))
			fail_msg("accepted: %s", refused[i].text);
		if (result.error_at != refused[i].at || strcmp(result.error, refused[i].error) != 0)
			fail_msg("%s: byte %zu: %s", refused[i].text, result.error_at,
				 result.error);
	}
}

static void
a_nul_is_no_end(void **unused)
{
	struct json_result result;

	(void)unused;
	assert_false(valid_len("{}\0", 3, 8, &result));
	assert_int_equal(result.error_at, 2);
	assert_false(valid_len("\"a\0b\"", 5, 8, &result));
	assert_false(valid_len("\0", 1, 8, &result));
}

/* The wide steps of skip_plain end at every offset of a block. */
static void
every_offset_in_a_long_string_is_looked_at(void **unused)
{
	char text[102];
	struct json_result result;

	(void)unused;
	for (size_t i = 1; i < 100; i++) {
		memset(text, 'x', sizeof(text));
		text[0] = text[100] = '"';
		assert_true(valid_len(text, 101, 1, &result));
		text[i] = '\x1f';
		assert_false(valid_len(text, 101, 1, &result));
		assert_int_equal(result.error_at, i);
		text[i] = '\xff';
		assert_false(valid_len(text, 101, 1, &result));
		assert_int_equal(result.error_at, i);
		text[i] = '"';
		assert_false(valid_len(text, 101, 1, &result));
		assert_int_equal(result.error_at, i + 1);
		text[i] = '\\';
		assert_false(valid_len(text, 101, 1, &result));
		assert_int_equal(result.error_at, i == 99 ? 101 : i);
	}
}

static void
depth_is_counted_in_containers(void **unused)
{
	char text[2 * 600];
	struct json_result result;

	(void)unused;
	assert_true(valid_len("1", 1, 0, &result));
	assert_false(valid_len("[]", 2, 0, &result));
	assert_true(valid_len("[{\"a\":[]}]", 10, 3, &result));
	assert_false(valid_len("[{\"a\":[]}]", 10, 2, &result));
	assert_int_equal(result.error_at, 6);
	assert_string_equal(result.error, "nested too deeply");
	memset(text, '[', 600);
	memset(text + 600, ']', 600);
	assert_true(valid_len(text + 600 - 512, 1024, 10000, &result));
	assert_false(valid_len(text + 600 - 513, 1026, 10000, &result));
	assert_int_equal(result.error_at, 512);
}

static void
members_are_counted_with_duplicates(void **unused)
{
	static const char text[] = "{\"a\":{\"b\":1,\"b\":2},\"a\":[{\"c\":0}]}";
	struct json_result result;

	(void)unused;
	assert_true(valid_len(text, strlen(text), 8, &result));
	assert_int_equal(result.members, 5);
}

/* Writes what it is told of, so that a test can compare. */
struct notes {
	const char *text;
	const char *look_into; /* keys the visitor enters; "" is an array's element */
	char log[512];
};

static void
note(struct notes *notes, const char *what, const struct json_node *node)
{
	size_t used = strlen(notes->log);

	snprintf(notes->log + used, sizeof(notes->log) - used, "%s%u%s%.*s=%.*s ", what,
		 node->depth, node->key ? "." : "", (int)node->key_len, node->key ? node->key : "",
		 (int)node->len, notes->text + node->offset);
}

static bool
notes_on_enter(const struct json_node *node, void *arg)
{
	struct notes *notes = arg;

	note(notes, "+", node);
	return node->depth == 0 || !node->key || strchr(notes->look_into, node->key[0]) != NULL;
}

static void
notes_on_value(const struct json_node *node, void *arg)
{
	note(arg, "", node);
}

static void
the_visitor_sees_what_it_asks_for(void **unused)
{
	static const struct json_visitor visitor = { .enter = notes_on_enter,
						     .value = notes_on_value };
	struct notes notes = { "{\"a\": [1, {\"c\":[2]}], \"b\":{\"d\":3}, \"e\":\"x\"}", "a", "" };
	struct json_result result;

	(void)unused;
	assert_true(json_scan((const uint8_t *)notes.text, strlen(notes.text), 8, &visitor, &notes,
			      &result));
	assert_string_equal(notes.log,
			    "+0= +1.a= 2=1 +2= +3.c= 3.c=[2] 2={\"c\":[2]} "
			    "1.a=[1, {\"c\":[2]}] +1.b= 1.b={\"d\":3} 1.e=\"x\" "
			    "0={\"a\": [1, {\"c\":[2]}], \"b\":{\"d\":3}, \"e\":\"x\"} ");
}

static void
the_deepest_value_is_told_too(void **unused)
{
	static const struct json_visitor visitor = { .enter = notes_on_enter,
						     .value = notes_on_value };
	struct notes notes = { "[[[[[[[[[[0]]]]]]]]]]", "", "" };
	struct json_result result;

	(void)unused;
	assert_true(json_scan((const uint8_t *)notes.text, strlen(notes.text), 16, &visitor, &notes,
			      &result));
	assert_non_null(strstr(notes.log, "+9= 10=0 9=[0] 8=[[0]] 7=[[[0]]]"));
}

/* Every beginning of a document is told from a wrong one. */
static void
a_document_cut_short_is_called_so(void **unused)
{
	static const char text[] = "{\"a\": [true, null, -1.5e+3, \"x\\u00e9\\n\"], \"b\": {}}";
	struct json_result result;

	(void)unused;
	for (size_t len = 0; len < strlen(text); len++) {
		assert_false(valid_len(text, len, 8, &result));
		assert_true(result.truncated);
		assert_int_equal(result.error_at, len);
	}
	assert_false(valid_len("{\"a\": trux", 10, 8, &result));
	assert_false(result.truncated);
	assert_false(valid_len("[\"\\u12g", 7, 8, &result));
	assert_false(result.truncated);
}

static void
long_string_on_end(const uint8_t *string, size_t len, void *arg)
{
	assert_int_equal(string[0], '"');
	*(size_t *)arg += len;
}

static void
long_strings_are_told_at_any_depth(void **unused)
{
	static const struct json_visitor visitor = { .long_string = long_string_on_end,
						     .long_string_min = 5 };
	static const char text[] = "[\"12\",\"123\",{\"1234567\":[\"1234\"]}]";
	struct json_result result;
	size_t total = 0;

	(void)unused;
	assert_true(json_scan((const uint8_t *)text, strlen(text), 8, &visitor, &total, &result));
	assert_int_equal(total, 5 + 6);
}

static void
errors_are_explained_with_their_place(void **unused)
{
	static const char text[] = "{\n \"a\":1\n \"b\":2}";
	struct json_result result;
	char why[200];

	(void)unused;
	assert_false(valid_len(text, strlen(text), 8, &result));
	json_explain(&result, (const uint8_t *)text, why, sizeof(why));
	assert_string_equal(why, "byte 10 (line 3, byte 1 of it): "
				 "expected a comma or } after the value");
	assert_false(valid_len("[1 2]", 5, 8, &result));
	json_explain(&result, (const uint8_t *)"[1 2]", why, sizeof(why));
	assert_string_equal(why, "byte 3: expected a comma or ] after the value");
}

static void
strings_are_decoded(void **unused)
{
	/* clang-format off */
	static const struct { const char *spelled, *means; } rows[] = {
		{ "\"\"", "" },
		{ "\"plain\"", "plain" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac" },
		{ "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" },
		{ "\"\\ud83d\"", "\xef\xbf\xbd" },
		{ "\"\\ude00x\"", "\xef\xbf\xbdx" },
		{ "\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80" },
		{ "\"\\ud83d\\n\"", "\xef\xbf\xbd\n" },
	};
	/* clang-format on */
	char ret[64];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].spelled), means = strlen(rows[i].means);
		const uint8_t *spelled = (const uint8_t *)rows[i].spelled;

		assert_true(valid(rows[i].spelled));
		assert_int_equal(json_decode(spelled, len, ret, len), means);
		assert_string_equal(ret, rows[i].means);
		assert_int_equal(json_decode(spelled, len, ret, means + 1), means);
		assert_true(json_decode(spelled, len, ret, means) == SIZE_MAX);
		assert_true(json_decode(spelled, len, ret, 0) == SIZE_MAX);
	}
	assert_int_equal(json_decode((const uint8_t *)"\"a\\u0000b\"", 10, ret, sizeof(ret)), 3);
	assert_memory_equal(ret, "a\0b", 4);
}

static void
whole_numbers_are_told_from_others(void **unused)
{
	/* clang-format off */
	static const struct { const char *text; bool whole; int64_t value; } rows[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "0.000", true, 0 }, { "0e99999999999", true, 0 },
		{ "1024", true, 1024 }, { "-7", true, -7 }, { "1e3", true, 1000 },
		{ "2.0", true, 2 }, { "1.50e1", true, 15 }, { "1000e-3", true, 1 },
		{ "100.0e-2", true, 1 }, { "10.5", false, 0 }, { "1e-1", false, 0 },
		{ "1.05e1", false, 0 }, { "12.345e3", true, 12345 }, { "12.3456e3", false, 0 },
		{ "9223372036854775807", true, INT64_MAX }, { "9223372036854775808", false, 0 },
		{ "-9223372036854775808", true, INT64_MIN }, { "-9223372036854775809", false, 0 },
		{ "1e18", true, 1000000000000000000 }, { "1e19", false, 0 }, { "1e400", false, 0 },
		{ "1e-99999999999999999999", false, 0 },
		{ "10000000000000000000000e-22", true, 1 },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t value = 0;
		bool whole =
		    json_whole((const uint8_t *)rows[i].text, strlen(rows[i].text), &value);

		if (whole != rows[i].whole || (whole && value != rows[i].value))
			fail_msg("%s: %d %lld", rows[i].text, whole, (long long)value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_accepted),
		cmocka_unit_test(everything_else_is_refused_at_the_right_byte),
		cmocka_unit_test(a_nul_is_no_end),
		cmocka_unit_test(every_offset_in_a_long_string_is_looked_at),
		cmocka_unit_test(depth_is_counted_in_containers),
		cmocka_unit_test(members_are_counted_with_duplicates),
		cmocka_unit_test(the_visitor_sees_what_it_asks_for),
		cmocka_unit_test(the_deepest_value_is_told_too),
		cmocka_unit_test(a_document_cut_short_is_called_so),
		cmocka_unit_test(long_strings_are_told_at_any_depth),
		cmocka_unit_test(errors_are_explained_with_their_place),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(whole_numbers_are_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
