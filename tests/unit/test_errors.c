/*
 * test_errors.c - the error table as a table: every row round-trips, has a
 * sentence, and an exit code that is documented.
 */
#include "protocol/base.h"
#include "protocol/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void
every_wire_name_round_trips(void **unused)
{
	(void)unused;
	for (int err = 0; err < FOREBAY_ERR_COUNT; err++)
		assert_int_equal(forebay_err_from_wire(forebay_err_wire(err)), err);
}

static void
wire_names_are_words_with_hyphens(void **unused)
{
	(void)unused;
	for (int err = 0; err < FOREBAY_ERR_COUNT; err++) {
		const char *wire = forebay_err_wire(err);

		assert_int_equal(strspn(wire, "abcdefghijklmnopqrstuvwxyz-"), strlen(wire));
		assert_true(strlen(forebay_err_text(err)) > 0);
	}
}

static void
every_exit_code_is_a_documented_one(void **unused)
{
	static const int documented[] = { 0, 1, 2, 3, 4, 5, 6, 75, 124 };

	(void)unused;
	for (int err = 0; err < FOREBAY_ERR_COUNT; err++) {
		int code = forebay_err_exit_code(err), found = 0;

		for (size_t i = 0; i < ARRAY_LEN(documented); i++)
			found += documented[i] == code;
		assert_int_equal(found, 1);
		assert_int_equal(code == 0, err == FOREBAY_ERR_OK);
	}
}

/* 75 is "try again later": it would lie about an error that never goes away. */
static void
temporary_exit_codes_are_retryable(void **unused)
{
	(void)unused;
	for (int err = 0; err < FOREBAY_ERR_COUNT; err++)
		if (forebay_err_exit_code(err) == 75)
			assert_true(forebay_err_retryable(err));
}

static void
strangers_are_unknown(void **unused)
{
	(void)unused;
	assert_string_equal(forebay_err_wire(-1), "unknown");
	assert_string_equal(forebay_err_wire(FOREBAY_ERR_COUNT), "unknown");
	assert_false(forebay_err_retryable(FOREBAY_ERR_COUNT));
	assert_int_equal(forebay_err_exit_code(-7), 1);
	assert_int_equal(forebay_err_from_wire("from-the-future"), FOREBAY_ERR_INTERNAL);
	assert_int_equal(forebay_err_from_wire(""), FOREBAY_ERR_INTERNAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_wire_name_round_trips),
		cmocka_unit_test(wire_names_are_words_with_hyphens),
		cmocka_unit_test(every_exit_code_is_a_documented_one),
		cmocka_unit_test(temporary_exit_codes_are_retryable),
		cmocka_unit_test(strangers_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
