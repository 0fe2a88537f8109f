/*
 * test_metrics.c - the tables of metrics, as tables; histograms.
 */
#include "daemon/base/metrics.h"

#include <math.h>
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

/* --- histograms ---------------------------------------------------------------- */

static uint64_t
count_of(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += histogram->counts[i];
	return count;
}

static void
bounds_rise_in_steps_of_at_most_two_and_a_half(void **unused)
{
	(void)unused;
	for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++) {
		double step = histogram_bound(i) / histogram_bound(i - 1);

		assert_true(step > 1.99 && step < 2.51);
	}
	assert_true(isinf(histogram_bound(HISTOGRAM_BOUNDS)));
}

static void
a_value_counts_in_the_first_bucket_that_holds_it(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		struct histogram histogram = { 0 };

		histogram_observe(&histogram, histogram_bound(i));
		assert_int_equal(histogram.counts[i], 1);
		histogram_observe(&histogram, histogram_bound(i) * 1.01);
		assert_int_equal(histogram.counts[i + 1], 1);
		assert_int_equal(count_of(&histogram), 2);
	}
}

static void
what_is_no_span_of_time_counts_as_none(void **unused)
{
	static const double odd[] = { 0.0, -3.0, -INFINITY, NAN };
	struct histogram histogram = { 0 };

	(void)unused;
	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		histogram_observe(&histogram, odd[i]);
	assert_int_equal(histogram.counts[0], 4);
	assert_true(histogram.sum == 0.0);
}

static void
two_histograms_add_up(void **unused)
{
	struct histogram one = { 0 }, other = { 0 };

	(void)unused;
	histogram_observe(&one, 0.5);
	histogram_observe(&other, 0.5);
	histogram_observe(&other, 1e9);
	histogram_add(&one, &other);
	assert_int_equal(count_of(&one), 3);
	assert_int_equal(one.counts[HISTOGRAM_BOUNDS], 1);
	assert_true(fabs(one.sum - 1e9 - 1.0) < 1e-6);
	assert_int_equal(count_of(&other), 2);
}

static void
each_histogram_is_named_by_its_unit_and_shows_its_own_field(void **unused)
{
	struct histogram_row row;
	struct histogram *fields = (struct histogram *)&histograms;
	unsigned i;

	(void)unused;
	for (i = 0; metrics_histogram(i, &row); i++) {
		assert_true(ends_in(row.name, "_seconds"));
		assert_true(strlen(row.help) > 0);
		assert_ptr_equal(row.histogram, &fields[i]);
	}
	assert_int_equal(i, sizeof(histograms) / sizeof(struct histogram));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_named_by_the_rules),
		cmocka_unit_test(each_row_shows_its_own_field),
		cmocka_unit_test(no_name_occurs_twice),
		cmocka_unit_test(bounds_rise_in_steps_of_at_most_two_and_a_half),
		cmocka_unit_test(a_value_counts_in_the_first_bucket_that_holds_it),
		cmocka_unit_test(what_is_no_span_of_time_counts_as_none),
		cmocka_unit_test(two_histograms_add_up),
		cmocka_unit_test(each_histogram_is_named_by_its_unit_and_shows_its_own_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
