/*
 * test_jsonput.c - the writer: what it writes is JSON, or it writes nothing.
 */
#include "protocol/json.h"
#include "protocol/jsonput.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
expect(struct jsonput *put, const char *wanted)
{
	struct json_result result;
	size_t len;
	char *bytes = jsonput_take(put, &len);

	assert_non_null(bytes);
	assert_string_equal(bytes, wanted);
	assert_int_equal(len, strlen(wanted));
	assert_true(json_valid((const uint8_t *)bytes, len, JSON_MAX_DEPTH, &result));
	free(bytes);
}

static void
expect_failure(struct jsonput *put)
{
	size_t len;

	assert_null(jsonput_take(put, &len));
	assert_int_equal(len, 0);
	/* The writer is as new. */
	jsonput_int(put, 1);
	expect(put, "1");
}

static void
commas_and_colons_come_by_themselves(void **unused)
{
	struct jsonput put = { 0 };

	(void)unused;
	jsonput_object(&put);
	jsonput_member_string(&put, "text", "x");
	jsonput_member_int(&put, "int", -417);
	jsonput_member_bool(&put, "yes", true);
	jsonput_member_bool(&put, "no", false);
	jsonput_member_double(&put, "third", 0.1);
	jsonput_member_string(&put, "none", NULL);
	jsonput_member_raw(&put, "raw", "{\"a\":[]}", 8);
	jsonput_key(&put, "list");
	jsonput_array(&put);
	jsonput_int(&put, 1);
	jsonput_array(&put);
	jsonput_end(&put);
	jsonput_object(&put);
	jsonput_end(&put);
	jsonput_null(&put);
	jsonput_end(&put);
	jsonput_key(&put, "empty");
	jsonput_object(&put);
	jsonput_end(&put);
	jsonput_end(&put);
	expect(&put, "{\"text\":\"x\",\"int\":-417,\"yes\":true,\"no\":false,\"third\":0.1,"
		     "\"none\":null,\"raw\":{\"a\":[]},\"list\":[1,[],{},null],\"empty\":{}}");
}

static void
strings_are_escaped_and_mended(void **unused)
{
	/* clang-format off */
	static const struct { const char *text, *wanted; } rows[] = {
		{ "", "\"\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "a\xff" "b", "\"a\xef\xbf\xbd" "b\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	/* clang-format on */
	struct jsonput put = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		jsonput_string(&put, rows[i].text);
		expect(&put, rows[i].wanted);
	}
	jsonput_string_len(&put, "a\0b", 3);
	expect(&put, "\"a\\u0000b\"");
}

static void
any_bytes_make_a_valid_string(void **unused)
{
	struct jsonput put = { 0 };
	uint64_t random = 88172645463325252u;

	(void)unused;
	for (int round = 0; round < 3000; round++) {
		char bytes[24];
		struct json_result result;
		size_t len;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bytes[i] = (char)(round % 2 ? random : (random & 0x3f) | 0xc0);
		}
		jsonput_string_len(&put, bytes, sizeof(bytes));
		char *json = jsonput_take(&put, &len);

		assert_non_null(json);
		assert_true(json_valid((const uint8_t *)json, len, 1, &result));
		free(json);
	}
}

static void
numbers_read_back_the_same(void **unused)
{
	static const double numbers[] = {
		0.1, 1.0 / 3, 1e300, -2.5e-7, 5e-324, 123456789.125, 0, -1
	};
	struct jsonput put = { 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		size_t len;

		jsonput_double(&put, numbers[i]);
		char *json = jsonput_take(&put, &len);

		assert_true(strtod(json, NULL) == numbers[i]);
		free(json);
	}
	jsonput_double(&put, INFINITY);
	expect(&put, "null");
	jsonput_double(&put, NAN);
	expect(&put, "null");
	jsonput_int(&put, INT64_MIN);
	expect(&put, "-9223372036854775808");
}

static void
a_locale_does_not_change_a_number(void **unused)
{
	struct jsonput put = { 0 };

	(void)unused;
	/* Where the locale is not installed this is the plain case once more. */
	(void)setlocale(LC_NUMERIC, "de_DE.UTF-8");
	jsonput_double(&put, 1.5);
	expect(&put, "1.5");
	(void)setlocale(LC_NUMERIC, "C");
}

static void
calls_that_make_no_document_fail(void **unused)
{
	struct jsonput put = { 0 };

	(void)unused;
	expect_failure(&put); /* nothing written */
	jsonput_object(&put);
	expect_failure(&put); /* open */
	jsonput_end(&put);
	expect_failure(&put); /* nothing to end */
	jsonput_int(&put, 1);
	jsonput_int(&put, 2);
	expect_failure(&put); /* two documents */
	jsonput_key(&put, "a");
	expect_failure(&put); /* a key outside an object */
	jsonput_object(&put);
	jsonput_int(&put, 1);
	expect_failure(&put); /* a value without a key */
	jsonput_object(&put);
	jsonput_key(&put, "a");
	jsonput_end(&put);
	expect_failure(&put); /* a key without a value */
	jsonput_object(&put);
	jsonput_key(&put, "a");
	jsonput_key(&put, "b");
	expect_failure(&put); /* two keys */
	jsonput_raw(&put, "", 0);
	expect_failure(&put); /* no value */
	for (int i = 0; i <= JSONPUT_MAX_DEPTH; i++)
		jsonput_array(&put);
	expect_failure(&put); /* too deep */
	jsonput_clear(&put);
}

static void
depth_is_good_up_to_the_limit(void **unused)
{
	struct jsonput put = { 0 };
	struct json_result result;
	size_t len;

	(void)unused;
	for (int i = 0; i < JSONPUT_MAX_DEPTH; i++) {
		if (i % 2) {
			jsonput_array(&put);
		} else {
			jsonput_object(&put);
			jsonput_key(&put, "k");
		}
	}
	jsonput_int(&put, 1);
	for (int i = 0; i < JSONPUT_MAX_DEPTH; i++)
		jsonput_end(&put);
	char *json = jsonput_take(&put, &len);

	assert_non_null(json);
	assert_true(json_valid((const uint8_t *)json, len, JSONPUT_MAX_DEPTH, &result));
	free(json);
}

static void
lines_hold_a_document_each(void **unused)
{
	struct jsonput put = { 0 };
	size_t len;

	(void)unused;
	jsonput_object(&put);
	jsonput_end(&put);
	jsonput_line(&put);
	jsonput_array(&put);
	jsonput_end(&put);
	jsonput_line(&put);
	char *lines = jsonput_take(&put, &len);

	assert_string_equal(lines, "{}\n[]\n");
	free(lines);
	jsonput_line(&put);
	assert_null(jsonput_take(&put, &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_and_colons_come_by_themselves),
		cmocka_unit_test(strings_are_escaped_and_mended),
		cmocka_unit_test(any_bytes_make_a_valid_string),
		cmocka_unit_test(numbers_read_back_the_same),
		cmocka_unit_test(a_locale_does_not_change_a_number),
		cmocka_unit_test(calls_that_make_no_document_fail),
		cmocka_unit_test(depth_is_good_up_to_the_limit),
		cmocka_unit_test(lines_hold_a_document_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
