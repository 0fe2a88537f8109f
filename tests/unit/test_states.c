/*
 * test_states.c - the life of a job as a table: every state round-trips, can be
 * left or is final, can be reached, and final means final.
 */
#include "protocol/states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
every_name_round_trips(void **unused)
{
	(void)unused;
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++) {
		enum forebay_job_state found;

		assert_true(forebay_job_state_from_name(forebay_job_state_name(state), &found));
		assert_int_equal(found, state);
	}
}

static void
every_state_can_be_left_or_is_final(void **unused)
{
	(void)unused;
	for (int from = 0; from < FOREBAY_JOB_STATE_COUNT; from++) {
		int ways_out = 0;

		for (int to = 0; to < FOREBAY_JOB_STATE_COUNT; to++)
			ways_out += forebay_job_state_allows(from, to);
		assert_true((ways_out == 0) == forebay_job_state_is_final(from));
	}
}

static void
every_unfinished_job_can_be_canceled_and_expire(void **unused)
{
	(void)unused;
	for (int from = 0; from < FOREBAY_JOB_STATE_COUNT; from++) {
		if (forebay_job_state_is_final(from))
			continue;
		assert_true(forebay_job_state_allows(from, FOREBAY_JOB_CANCELED));
		assert_true(forebay_job_state_allows(from, FOREBAY_JOB_EXPIRED));
	}
}

static void
every_state_is_reached_from_another_or_is_a_birth(void **unused)
{
	(void)unused;
	for (int to = 0; to < FOREBAY_JOB_STATE_COUNT; to++) {
		int ways_in = 0;

		for (int from = 0; from < FOREBAY_JOB_STATE_COUNT; from++)
			ways_in += forebay_job_state_allows(from, to);
		if (to != FOREBAY_JOB_QUEUED && to != FOREBAY_JOB_DELAYED)
			assert_true(ways_in > 0);
		assert_false(forebay_job_state_allows(to, to));
	}
}

/* They are on disk: a changed number would read old databases wrongly. */
static void
numbers_never_change(void **unused)
{
	(void)unused;
	assert_int_equal(FOREBAY_JOB_QUEUED, 0);
	assert_int_equal(FOREBAY_JOB_DELAYED, 1);
	assert_int_equal(FOREBAY_JOB_RUNNING, 2);
	assert_int_equal(FOREBAY_JOB_BATCHED, 3);
	assert_int_equal(FOREBAY_JOB_SUCCEEDED, 4);
	assert_int_equal(FOREBAY_JOB_FAILED, 5);
	assert_int_equal(FOREBAY_JOB_CANCELED, 6);
	assert_int_equal(FOREBAY_JOB_EXPIRED, 7);
}

static void
strangers_are_unknown(void **unused)
{
	enum forebay_job_state state;

	(void)unused;
	assert_false(forebay_job_state_from_name("done", &state));
	assert_false(forebay_job_state_from_name("", &state));
	assert_string_equal(forebay_job_state_name(-1), "unknown");
	assert_string_equal(forebay_job_state_name(FOREBAY_JOB_STATE_COUNT), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_round_trips),
		cmocka_unit_test(every_state_can_be_left_or_is_final),
		cmocka_unit_test(every_unfinished_job_can_be_canceled_and_expire),
		cmocka_unit_test(every_state_is_reached_from_another_or_is_a_birth),
		cmocka_unit_test(numbers_never_change),
		cmocka_unit_test(strangers_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
