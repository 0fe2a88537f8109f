/*
 * test_metrics.c - the table of metrics, as a table.
 */
#include "daemon/base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool
ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void
each_row_is_named_by_the_rules(void **unused)
{
	struct metric_row row;
	unsigned i;

	(void)unused;
	for (i = 0; metrics_row(i, &row); i++) {
		bool counter = strcmp(row.kind, "counter") == 0;

		assert_true(counter || strcmp(row.kind, "gauge") == 0);
		/* Prometheus' convention, and ours: exactly the counters end so. */
		assert_int_equal(counter, ends_in(row.name, "_total"));
		assert_true(strlen(row.help) > 0);
		assert_null(strchr(row.help, '\n'));
	}
	assert_int_equal(i, sizeof(struct metrics) / sizeof(uint64_t));
}

static void
each_row_shows_its_own_field(void **unused)
{
	struct metric_row row;
	uint64_t *fields = (uint64_t *)&metrics;

	(void)unused;
	for (unsigned i = 0; metrics_row(i, &row); i++)
		fields[i] = 1000 + i;
	for (unsigned i = 0; metrics_row(i, &row); i++)
		assert_int_equal(row.value, 1000 + i);
	metrics.jobs_queued = 42;
	for (unsigned i = 0; metrics_row(i, &row); i++)
		if (strcmp(row.name, "jobs_queued") == 0)
			assert_int_equal(row.value, 42);
}

static void
no_name_occurs_twice(void **unused)
{
	struct metric_row row, other;

	(void)unused;
	for (unsigned i = 0; metrics_row(i, &row); i++)
		for (unsigned j = 0; j < i && metrics_row(j, &other); j++)
			assert_string_not_equal(row.name, other.name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_named_by_the_rules),
		cmocka_unit_test(each_row_shows_its_own_field),
		cmocka_unit_test(no_name_occurs_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
