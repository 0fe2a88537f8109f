/*
 * test_rest.c - resting jobs come out in the order their rest is over, whatever
 * was taken out between; and how long a rest is.
 */
#include "daemon/job/rest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define JOBS 300

static void
check(const struct rest *rest)
{
	for (size_t i = 0; i < rest->count; i++) {
		assert_int_equal(rest->heap[i]->heap_index, i);
		if (i > 0)
			assert_true(rest->heap[(i - 1) / 2]->rest_until_ms <=
				    rest->heap[i]->rest_until_ms);
	}
}

static void
the_first_is_the_earliest(void **unused)
{
	struct rest rest = { 0 };
	struct job jobs[JOBS];
	unsigned random = 1;
	size_t resting = 0;
	int64_t last = 0;

	(void)unused;
	for (size_t i = 0; i < JOBS; i++)
		jobs[i] = (struct job){ .heap_index = -1 };
	for (unsigned step = 0; step < 5000; step++) {
		struct job *job;

		random = random * 1103515245 + 12345;
		job = &jobs[(random >> 8) % JOBS];
		if (job->heap_index >= 0) {
			rest_remove(&rest, job);
			assert_int_equal(job->heap_index, -1);
			resting--;
		} else {
			/* Many equal ones: ties must not upset it. */
			job->rest_until_ms = (random >> 16) % 64;
			rest_add(&rest, job);
			resting++;
		}
		assert_int_equal(rest.count, resting);
		check(&rest);
	}
	assert_true(rest.count > 0);
	for (struct job *job; (job = rest_first(&rest));) {
		assert_true(job->rest_until_ms >= last);
		last = job->rest_until_ms;
		rest_remove(&rest, job);
	}
	rest_clear(&rest);
}

static void
removing_one_that_does_not_rest_is_nothing(void **unused)
{
	struct rest rest = { 0 };
	struct job in = { .heap_index = -1, .rest_until_ms = 5 }, out = { .heap_index = -1 };

	(void)unused;
	assert_null(rest_first(&rest));
	rest_add(&rest, &in);
	rest_remove(&rest, &out);
	assert_ptr_equal(rest_first(&rest), &in);
	rest_clear(&rest);
}

/* Whoever lengthens a rest sets the time first and moves the job then. */
static void
a_changed_time_does_not_upset_the_others(void **unused)
{
	static const int64_t times[] = { 1, 10, 2, 11, 12, 3, 4 };
	struct rest rest = { 0 };
	struct job jobs[7];

	(void)unused;
	for (size_t i = 0; i < 7; i++) {
		jobs[i] = (struct job){ .heap_index = -1, .rest_until_ms = times[i] };
		rest_add(&rest, &jobs[i]);
	}
	check(&rest);
	/* 4 takes the place of 11, above which 10 stands: it must rise. */
	jobs[3].rest_until_ms = 0;
	rest_remove(&rest, &jobs[3]);
	rest_add(&rest, &jobs[3]);
	check(&rest);
	assert_ptr_equal(rest_first(&rest), &jobs[3]);
	jobs[3].rest_until_ms = 100;
	rest_remove(&rest, &jobs[3]);
	rest_add(&rest, &jobs[3]);
	check(&rest);
	rest_clear(&rest);
}

static void
a_rest_doubles_up_to_its_bound(void **unused)
{
	static const int64_t wanted[] = { 250, 500, 1000, 2000, 4000, 5000, 5000 };

	(void)unused;
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(job_rest_ms(i + 1, 250, 5000, 0.5), wanted[i]);
		assert_int_equal(job_rest_ms(i + 1, 250, 5000, 0.0), wanted[i] * 8 / 10);
		assert_in_range(job_rest_ms(i + 1, 250, 5000, 0.999999), wanted[i] * 119 / 100,
				wanted[i] * 12 / 10);
	}
	assert_int_equal(job_rest_ms(4000000000u, 250, 5000, 0.5), 5000);
	assert_int_equal(job_rest_ms(1, 9000, 5000, 0.5), 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_the_earliest),
		cmocka_unit_test(removing_one_that_does_not_rest_is_nothing),
		cmocka_unit_test(a_changed_time_does_not_upset_the_others),
		cmocka_unit_test(a_rest_doubles_up_to_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
