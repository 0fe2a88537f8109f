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
	assert_false(pace_may_send(&pace, 2.4, 0, 0, &when));
	assert_true(when == 2.5);
	assert_true(pace_may_send(&pace, 2.5, 0, 0, &when));
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
	pace_sent(&pace, 10.0, 0, 0);
	pace_unsent(&pace, 10.0, 10.0, 0, 0);
	assert_true(pace_may_send(&pace, 10.0, 0, 0, &when));
	pace_sent(&pace, 10.0, 0, 0);
	pace_sent(&pace, 13.0, 0, 0);
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
		cmocka_unit_test(a_reload_keeps_what_was_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
