/*
 * test_owner.c - quotas of a uid, and the sentences that explain them.
 */
#include "daemon/job/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400000)

static enum forebay_err
ask(struct owner *owner, uint64_t len, int64_t wall_ms, const char *words)
{
	char why[256] = "";
	enum forebay_err err = owner_may_queue(owner, len, wall_ms, why, sizeof(why));

	assert_int_equal(err != FOREBAY_ERR_OK, why[0] != '\0');
	if (words && !strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
	return err;
}

static void
nothing_is_bounded_by_zero(void **unused)
{
	struct owner owner = { .pending = 1u << 30, .bytes = UINT64_C(1) << 40, .running = 5000 };

	(void)unused;
	owner_charge(&owner, UINT64_C(1) << 50, DAY);
	assert_int_equal(ask(&owner, UINT64_C(1) << 30, DAY, NULL), FOREBAY_ERR_OK);
	assert_true(owner_may_run(&owner, DAY));
}

static void
jobs_are_bounded(void **unused)
{
	struct owner owner = { .limits.queued_jobs = 3, .pending = 2 };

	(void)unused;
	assert_int_equal(ask(&owner, 1, DAY, NULL), FOREBAY_ERR_OK);
	owner.pending = 3;
	assert_int_equal(ask(&owner, 1, DAY, "3 unfinished jobs"), FOREBAY_ERR_OVER_QUOTA);
	assert_true(owner_may_run(&owner, DAY));
}

static void
bytes_are_bounded_and_the_last_one_fits_exactly(void **unused)
{
	struct owner owner = { .limits.queued_bytes = 1000, .bytes = 900 };

	(void)unused;
	assert_int_equal(ask(&owner, 100, DAY, NULL), FOREBAY_ERR_OK);
	assert_int_equal(ask(&owner, 101, DAY, "900 are in use and this one has 101"),
			 FOREBAY_ERR_OVER_QUOTA);
}

static void
running_ones_are_bounded(void **unused)
{
	struct owner owner = { .limits.running = 2, .running = 1 };

	(void)unused;
	assert_true(owner_may_run(&owner, DAY));
	owner.running = 2;
	assert_false(owner_may_run(&owner, DAY));
	assert_int_equal(ask(&owner, 1, DAY, NULL), FOREBAY_ERR_OK);
}

static void
tokens_come_back_at_midnight(void **unused)
{
	struct owner owner = { .limits.tokens_per_day = 1000 };
	int64_t evening = 20000 * DAY + 23 * DAY / 24;

	(void)unused;
	owner_charge(&owner, 600, evening);
	assert_true(owner_may_run(&owner, evening));
	owner_charge(&owner, 400, evening + 1000);
	assert_false(owner_may_run(&owner, evening + 1000));
	assert_int_equal(ask(&owner, 1, evening + 1000, "in 60 min"), FOREBAY_ERR_OVER_QUOTA);
	assert_false(owner_may_run(&owner, 20001 * DAY - 1));
	assert_true(owner_may_run(&owner, 20001 * DAY));
	assert_int_equal(owner.tokens_today, 0);
	assert_int_equal(ask(&owner, 1, 20001 * DAY, NULL), FOREBAY_ERR_OK);

	/* What ends after midnight counts for the new day. */
	owner_charge(&owner, 1, 20002 * DAY + 5);
	assert_int_equal(owner.tokens_today, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_bounded_by_zero),
		cmocka_unit_test(jobs_are_bounded),
		cmocka_unit_test(bytes_are_bounded_and_the_last_one_fits_exactly),
		cmocka_unit_test(running_ones_are_bounded),
		cmocka_unit_test(tokens_come_back_at_midnight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
