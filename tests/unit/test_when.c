/*
 * test_when.c - the ways in which a point in time is written.
 */
#include "daemon/claude/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW 1795514400.0 /* 2026-11-24T10:00:00Z */

static void
dates_are_read(void **unused)
{
	(void)unused;
	assert_true(when_from_http("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
	assert_true(when_from_http("Sun, 06 Foo 1994 08:49:37 GMT") == -1);
	assert_true(when_from_http("Sun, 06 Nov") == -1);
	assert_true(when_from_http("") == -1);
	assert_true(when_from_rfc3339("2026-11-24T10:00:00Z") == NOW);
	assert_true(when_from_rfc3339("2026-11-24t12:30:00.25+02:30") == NOW + 0.25);
	assert_true(when_from_rfc3339("2026-11-24T10:00:00") == -1);
	assert_true(when_from_rfc3339("2026-11-24T10:00:00Zx") == -1);
	assert_true(when_from_rfc3339("2026-13-24T10:00:00Z") == -1);
	assert_true(when_from_rfc3339("2026-11-24") == -1);
	assert_true(when_in_text("limit 20000 until 2026-11-24 at 10:00 UTC") == NOW);
	assert_true(when_in_text("until 2026-11-24T10:00:00Z.") == NOW);
	assert_true(when_in_text("on 2026-11-24.") == NOW - 36000);
	assert_true(when_in_text("12345-67 tokens") == -1);
	assert_true(when_in_text("") == -1);
	assert_true(when_next_month(NOW) == when_from_rfc3339("2026-12-01T00:00:00Z"));
	assert_true(when_next_month(when_from_rfc3339("2026-12-31T23:59:59Z")) ==
		    when_from_rfc3339("2027-01-01T00:00:00Z"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
