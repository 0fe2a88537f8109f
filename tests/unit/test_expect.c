/*
 * test_expect.c - what a request will probably cost, learned.
 */
#include "daemon/gate/expect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
near(double got, double want)
{
	if (fabs(got - want) > 1e-6 * (1.0 + fabs(want)))
		fail_msg("got %.9g, wanted %.9g", got, want);
}

static void
before_anything_is_known(void **unused)
{
	struct expect expect;

	(void)unused;
	expect_init(&expect);
	near(expect_input(&expect, 1234), 1234);
	near(expect_output(&expect, -1), 500);
	near(expect_output(&expect, 4096), 500);
	near(expect_output(&expect, 64), 64);
	near(expect_output(&expect, 0), 0);
}

static void
the_first_answer_counts_whole(void **unused)
{
	struct expect expect;

	(void)unused;
	expect_init(&expect);
	expect_learn(&expect, 100, 150, 80);
	near(expect_input(&expect, 1000), 1500);
	near(expect_output(&expect, -1), 80);
	/* The second weighs half, and says how they differ. */
	expect_learn(&expect, 300, 330, 40);
	near(expect_input(&expect, 1000), 1000 * 240.0 / 200.0);
	near(expect_output(&expect, -1), 60 + 20);
}

/* Cache reads are not charged: hardly anything may be left. */
static void
the_ratio_is_bounded(void **unused)
{
	struct expect expect;

	(void)unused;
	expect_init(&expect);
	for (int i = 0; i < 50; i++)
		expect_learn(&expect, 10000, 3, 10);
	near(expect_input(&expect, 1000), 250);
	expect_init(&expect);
	for (int i = 0; i < 50; i++)
		expect_learn(&expect, 10, 10000, 10);
	near(expect_input(&expect, 1000), 8000);
}

static void
long_requests_weigh_more_than_short_ones(void **unused)
{
	struct expect expect;

	(void)unused;
	expect_init(&expect);
	for (int i = 0; i < 200; i++) {
		expect_learn(&expect, 10, 80, 10);
		if (i % 4 == 0)
			expect_learn(&expect, 50000, 50000, 10);
	}
	assert_true(expect_input(&expect, 50000) < 55000);
}

/* What is charged in advance is not systematically below the truth. */
static void
half_the_answers_more_or_less_are_covered(void **unused)
{
	static const double lengths[] = { 100, 200, 300, 400, 2000 };
	double charged = 0, real = 0;
	struct expect expect;

	(void)unused;
	expect_init(&expect);
	for (int i = 0; i < 1000; i++) {
		double next = lengths[i * 7 % 5];

		if (i >= 100) {
			charged += expect_output(&expect, -1);
			real += next;
		}
		expect_learn(&expect, 100, 100, next);
	}
	assert_true(charged > 1.2 * real);
	assert_true(charged < 2.5 * real);
}

static void
it_follows_a_change(void **unused)
{
	struct expect expect;

	(void)unused;
	expect_init(&expect);
	for (int i = 0; i < 100; i++)
		expect_learn(&expect, 100, 100, 50);
	near(expect_output(&expect, -1), 50);
	for (int i = 0; i < 100; i++)
		expect_learn(&expect, 100, 200, 3000);
	near(round(expect_input(&expect, 1000) / 10), 200);
	assert_true(expect_output(&expect, -1) > 2950 && expect_output(&expect, -1) < 3200);
}

static void
what_nobody_counted_teaches_nothing(void **unused)
{
	struct expect expect, before;

	(void)unused;
	expect_init(&expect);
	expect_learn(&expect, 100, 150, 80);
	before = expect;
	expect_learn(&expect, 0, 50, 0);
	assert_memory_equal(&expect, &before, sizeof(expect));
	expect_learn(&expect, 100, -1, -1);
	assert_memory_equal(&expect, &before, sizeof(expect));
	expect_learn(&expect, NAN, NAN, NAN);
	assert_memory_equal(&expect, &before, sizeof(expect));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_anything_is_known),
		cmocka_unit_test(the_first_answer_counts_whole),
		cmocka_unit_test(the_ratio_is_bounded),
		cmocka_unit_test(long_requests_weigh_more_than_short_ones),
		cmocka_unit_test(half_the_answers_more_or_less_are_covered),
		cmocka_unit_test(it_follows_a_change),
		cmocka_unit_test(what_nobody_counted_teaches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
