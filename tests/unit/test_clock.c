/*
 * test_clock.c - clocks go forward, text is RFC 3339, randomness is spread.
 */
#include "daemon/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
clocks_agree_and_never_go_back(void **unused)
{
	(void)unused;
	int64_t first = clock_mono_ms();
	double seconds = clock_mono();
	int64_t last = clock_mono_ms();

	assert_true(first <= last);
	/* Both read the same clock: the middle reading lies between the others. */
	assert_true(seconds * 1000 >= (double)first);
	assert_true(seconds * 1000 < (double)last + 1);
	/* Milliseconds, not seconds and not microseconds: between 2020 and 2200. */
	assert_in_range(clock_wall_ms(), 1577836800000, 7258118400000);
}

static void
a_scaled_clock_runs_faster_and_its_timers_are_shorter(void **unused)
{
	(void)unused;
	int64_t wall_ms = clock_wall_ms(), service_us = clock_service_us();
	double seconds = clock_mono();
	struct timeval tv = clock_timer(2.5);

	assert_int_equal(tv.tv_sec, 2);
	assert_int_equal(tv.tv_usec, 500000);
	tv = clock_timer(-1.0);
	assert_int_equal(tv.tv_sec * 1000000 + tv.tv_usec, 0);
	clock_set_scale(20.0);
	assert_true(clock_mono() >= 20.0 * seconds);
	assert_true((double)clock_mono_ms() + 1.0 >= 20000.0 * seconds);
	tv = clock_timer(30.0);
	assert_int_equal(tv.tv_sec, 1);
	assert_int_equal(tv.tv_usec, 500000);
	/* These two keep their pace: a century would have passed otherwise. */
	assert_true(clock_wall_ms() - wall_ms < 60000);
	assert_true(clock_service_us() - service_us < 60000000);
	clock_set_scale(1.0);
}

static void
text_is_rfc_3339(void **unused)
{
	static const struct {
		int64_t wall_ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 1795513868123, "2026-11-24T09:51:08.123Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
	};
	char buf[CLOCK_TEXT_LEN];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_ptr_equal(clock_text(rows[i].wall_ms, buf), buf);
		assert_string_equal(buf, rows[i].text);
	}
}

static void
randomness_is_in_range_and_spread(void **unused)
{
	enum { DRAWS = 100000, BINS = 10 };
	int bins[BINS] = { 0 };

	(void)unused;
	for (int i = 0; i < DRAWS; i++) {
		double r = clock_random();

		assert_true(r >= 0.0 && r < 1.0);
		bins[(int)(r * BINS)]++;
	}
	/* 10,000 expected with a deviation of 95: twenty deviations is no luck. */
	for (int i = 0; i < BINS; i++)
		assert_in_range(bins[i], 8000, 12000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_agree_and_never_go_back),
		cmocka_unit_test(a_scaled_clock_runs_faster_and_its_timers_are_shorter),
		cmocka_unit_test(text_is_rfc_3339),
		cmocka_unit_test(randomness_is_in_range_and_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
