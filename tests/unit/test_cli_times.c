/*
 * test_cli_times.c - durations and times as people write them.
 */
#include "client/times.h"

#include "protocol/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

static void
durations(void **unused)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "0", 0 },	     { "90", 90000 },	   { "90s", 90000 },	{ "250ms", 250 },
		{ "2h", 7200000 },   { "1h30m", 5400000 }, { "7d", 604800000 }, { "10min", 600000 },
		{ "1w", 604800000 }, { "1m1", 61000 },
	};
	static const char *const bad[] = {
		"",	    "x",   "-5",  "5x",	   "s", "1.5h", "99999999999999",
		"9999999d", "1h ", " 1h", "1h-2m",
	};
	int64_t ms;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(times_parse_duration(good[i].text, &ms));
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(times_parse_duration(bad[i], &ms));
}

/* 2026-11-24 12:00:00 UTC, in UTC. */
#define NOON INT64_C(1795521600000)

static void
times_of_day_are_the_next_or_the_last(void **unused)
{
	int64_t ms;

	(void)unused;
	assert_true(times_parse_when("13:30", NOON, false, &ms));
	assert_int_equal(ms - NOON, 5400000);
	assert_true(times_parse_when("07:30", NOON, false, &ms));
	assert_int_equal(ms - NOON, 70200000);
	assert_true(times_parse_when("07:30", NOON, true, &ms));
	assert_int_equal(ms - NOON, -16200000);
	assert_true(times_parse_when("13:30", NOON, true, &ms));
	assert_int_equal(ms - NOON, -81000000);
	assert_false(times_parse_when("24:00", NOON, false, &ms));
	assert_false(times_parse_when("7:99", NOON, false, &ms));
	assert_false(times_parse_when("07:30x", NOON, false, &ms));
}

static void
other_times(void **unused)
{
	int64_t ms;

	(void)unused;
	assert_true(times_parse_when("2h", NOON, false, &ms));
	assert_int_equal(ms - NOON, 7200000);
	assert_true(times_parse_when("2h", NOON, true, &ms));
	assert_int_equal(ms - NOON, -7200000);
	assert_true(times_parse_when("2026-11-24T12:00:01Z", NOON, false, &ms));
	assert_int_equal(ms - NOON, 1000);
	assert_false(times_parse_when("tomorrow", NOON, false, &ms));
}

static void
printed(void **unused)
{
	char buf[TIMES_TEXT_LEN];

	(void)unused;
	assert_string_equal(times_clock(42999, buf), "0:42");
	assert_string_equal(times_clock(3723000, buf), "1:02:03");
	assert_string_equal(times_span(850, buf), "850 ms");
	assert_string_equal(times_span(190000, buf), "3m10s");
	assert_string_equal(times_span(187200000, buf), "2d04h");
	assert_string_equal(times_local("2026-11-24T12:00:01.5Z", buf), "11-24 12:00:01");
	assert_string_equal(times_local("a key that is longer than any time could be", buf),
			    "a key that is longer than any time could be");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(times_of_day_are_the_next_or_the_last),
		cmocka_unit_test(other_times),
		cmocka_unit_test(printed),
	};

	setenv("TZ", "UTC0", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
