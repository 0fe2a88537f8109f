/*
 * test_pace.c - the user's own pace.
 */
#include "daemon/gate/pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
no_pace_bounds_nothing(void **unused)
{
	struct pace pace;
	double when;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 0, 0, 0, 0, 1.0);
	for (int i = 0; i < 100; i++) {
		assert_true(pace_may_send(&pace, 1.0, 1e9, 1e9, &when));
		pace_sent(&pace, 1.0, 1e9, 1e9);
	}
}

static void
spacing_is_kept(void **unused)
{
	struct pace pace;
	double when;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 2.5, 0, 0, 0, 0.0);
	assert_true(pace_may_send(&pace, 0.0, 0, 0, &when)); /* the first one at once */
	pace_sent(&pace, 0.0, 0, 0);
	pace_left(&pace, 0.0);
	assert_false(pace_may_send(&pace, 2.4, 0, 0, &when));
	assert_true(when == 2.5);
	assert_true(pace_may_send(&pace, 2.5, 0, 0, &when));
}

/* Writing to disk and connecting take their time, and not always the same. */
static void
the_spacing_is_that_of_the_wire(void **unused)
{
	struct pace pace;
	double when;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 0.5, 0, 0, 0, 0.0);
	pace_sent(&pace, 10.0, 0, 0);
	/* It has not left: soon asked again, and not for ever. */
	assert_false(pace_may_send(&pace, 10.6, 0, 0, &when));
	assert_true(when > 10.6 && when < 10.7);
	assert_false(pace_may_send(&pace, 12.4, 0, 0, &when));
	assert_true(pace_may_send(&pace, 12.6, 0, 0, &when));
	pace_left(&pace, 10.7);
	assert_false(pace_may_send(&pace, 11.1, 0, 0, &when));
	assert_true(fabs(when - 11.2) < 1e-9);
	assert_true(pace_may_send(&pace, 11.2, 0, 0, &when));
	/* Without a spacing nobody waits for the wire. */
	pace_sent(&pace, 11.2, 0, 0);
	pace_set(&pace, 0, 0, 0, 0, 11.2);
	assert_true(pace_may_send(&pace, 11.2, 0, 0, &when));
}

static void
an_unsent_one_spaces_nobody(void **unused)
{
	struct pace pace;
	double when;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 2.0, 60, 0, 0, 0.0);
	pace_sent(&pace, 0.0, 0, 0);
	pace_left(&pace, 0.0);
	pace_sent(&pace, 10.0, 0, 0);
	pace_unsent(&pace, 10.0, 10.0, 0, 0);
	assert_true(pace_may_send(&pace, 10.0, 0, 0, &when));
	pace_sent(&pace, 10.0, 0, 0);
	pace_sent(&pace, 13.0, 0, 0);
	pace_left(&pace, 13.0);
	pace_unsent(&pace, 13.0, 10.0, 0, 0); /* another has been spaced after it */
	assert_false(pace_may_send(&pace, 14.0, 0, 0, &when));
	assert_true(when == 15.0);
}

static void
the_strictest_bound_rules(void **unused)
{
	struct pace pace;
	double when;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 1.0, 30, 600, 6000, 0.0); /* 0.5, 10, 100 a second */
	pace_sent(&pace, 0.0, 40, 10);
	pace_left(&pace, 0.0);
	assert_false(pace_may_send(&pace, 0.0, 5, 10, &when));
	assert_true(fabs(when - 3.5) < 1e-5); /* 30 tokens of debt, then 5 */
	pace_settled(&pace, 0.0, 40, 10, 10, 10);
	assert_false(pace_may_send(&pace, 0.0, 5, 10, &when));
	assert_true(fabs(when - 2.0) < 1e-5); /* now the requests rule */
}

static void
a_minute_never_holds_more(void **unused)
{
	struct pace pace;
	double now = 50.0, when;
	int sent = 0;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 0, 90, 0, 0, now);
	while (now < 110.0) {
		if (pace_may_send(&pace, now, 0, 0, &when)) {
			pace_sent(&pace, now, 0, 0);
			sent++;
		} else {
			assert_true(when > now);
			now = when;
		}
	}
	assert_in_range(sent, 89, 92);
}

/* Who guesses high gets no less than the pace: what was charged too much is
 * there for the next, though not for ever. */
static void
guessing_high_costs_nothing(void **unused)
{
	struct pace pace;
	double now = 0.0, when;
	int sent = 0;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 0, 0, 0, 6000, now); /* 100 a second, 300 for each */
	while (now < 300.0) {
		if (pace_may_send(&pace, now, 0, 900, &when)) {
			pace_sent(&pace, now, 0, 900);
			pace_settled(&pace, now + 0.2, 0, 900, 0, 300);
			sent++;
		} else {
			now = when;
		}
	}
	assert_in_range(sent, 99, 104);
	/* Idle time uses it up: then one, and a debt. */
	assert_true(bucket_tokens(&pace.buckets[BUCKET_OUTPUT], 400.0) == 100.0);
}

static void
a_reload_keeps_what_was_used(void **unused)
{
	struct pace pace;
	double when;

	(void)unused;
	pace_init(&pace);
	pace_set(&pace, 0, 60, 0, 0, 0.0);
	pace_sent(&pace, 0.0, 0, 0);
	pace_set(&pace, 0, 60, 0, 0, 0.5);
	assert_false(pace_may_send(&pace, 0.5, 0, 0, &when));
	assert_true(fabs(when - 1.0) < 1e-5);
	pace_set(&pace, 0, 0, 0, 0, 0.5);
	assert_true(pace_may_send(&pace, 0.5, 0, 0, &when));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_pace_bounds_nothing),
		cmocka_unit_test(spacing_is_kept),
		cmocka_unit_test(an_unsent_one_spaces_nobody),
		cmocka_unit_test(the_strictest_bound_rules),
		cmocka_unit_test(a_minute_never_holds_more),
		cmocka_unit_test(the_spacing_is_that_of_the_wire),
		cmocka_unit_test(guessing_high_costs_nothing),
		cmocka_unit_test(a_reload_keeps_what_was_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
