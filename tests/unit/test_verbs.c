/*
 * test_verbs.c - the verbs as a table: names round-trip, each has help, and
 * nothing that touches everybody's work is open to anybody.
 */
#include "protocol/verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void
every_name_round_trips(void **unused)
{
	(void)unused;
	for (int verb = 0; verb < FOREBAY_VERB_COUNT; verb++) {
		enum forebay_verb found;

		assert_true(forebay_verb_from_name(forebay_verb_name(verb), &found));
		assert_int_equal(found, verb);
		assert_true(strlen(forebay_verb_help(verb)) > 0);
	}
}

static void
rights_are_as_documented(void **unused)
{
	static const enum forebay_verb admin[] = { FOREBAY_VERB_HOLD, FOREBAY_VERB_RELEASE,
						   FOREBAY_VERB_DRAIN, FOREBAY_VERB_RELOAD };
	int found = 0;

	(void)unused;
	for (int verb = 0; verb < FOREBAY_VERB_COUNT; verb++)
		found += forebay_verb_right(verb) == FOREBAY_RIGHT_ADMIN;
	assert_int_equal(found, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(forebay_verb_right(admin[i]), FOREBAY_RIGHT_ADMIN);
	assert_int_equal(forebay_verb_right(FOREBAY_VERB_SUBMIT), FOREBAY_RIGHT_ANY);
	assert_int_equal(forebay_verb_right(FOREBAY_VERB_RESULT), FOREBAY_RIGHT_OWNER);
	assert_int_equal(forebay_verb_right(FOREBAY_VERB_CANCEL), FOREBAY_RIGHT_OWNER);
}

static void
strangers_are_unknown(void **unused)
{
	enum forebay_verb verb;

	(void)unused;
	assert_false(forebay_verb_from_name("sumbit", &verb));
	assert_false(forebay_verb_from_name("", &verb));
	assert_false(forebay_verb_from_name("SUBMIT", &verb));
	assert_string_equal(forebay_verb_name(-1), "unknown");
	assert_string_equal(forebay_verb_name(FOREBAY_VERB_COUNT), "unknown");
	assert_string_equal(forebay_verb_help(FOREBAY_VERB_COUNT), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_round_trips),
		cmocka_unit_test(rights_are_as_documented),
		cmocka_unit_test(strangers_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
