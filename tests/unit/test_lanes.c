/*
 * test_lanes.c - the corners of lanes.h, one by one; test_lanes_play.c plays
 * all of it against a simulated disk.
 */
#include "daemon/job/lanes.h"

#include "protocol/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lane *
lane_of(struct lanes *lanes, uid_t uid, int class, const char *route)
{
	struct lane *lane;

	assert_int_equal(lanes_lane(lanes, lanes_owner(lanes, uid, NULL), class, route, &lane),
			 FOREBAY_ERR_OK);
	return lane;
}

static void
a_refill_asked_before_an_eviction_is_stale(void **unused)
{
	struct lanes *lanes = lanes_new(8, 65536, 256);
	struct lane *lane = lanes_restore(lanes, lanes_owner(lanes, 1, NULL), 1, "m", 1, 30);
	struct job *jobs[8], *first;
	uint32_t generation;

	(void)unused;
	assert_true(lanes_wants_refill(lanes, lane));
	for (uint64_t i = 0; i < 4; i++)
		jobs[i] = lanes_make(lanes, lane, 10 + i);
	lane->refilling = true;
	assert_true(lanes_refilled(lanes, lane, lane->generation, jobs, 4, 0, 13, true));
	assert_false(lane->refilling);
	assert_int_equal(lane->ready, 4);
	assert_int_equal(lane->bound_id, 13);

	/* Asked for what stands behind 13; meanwhile five urgent ones come. */
	generation = lane->generation;
	lane->refilling = true;
	for (uint64_t i = 0; i < 5; i++) {
		struct job *job = lanes_make(lanes, lane, 100 + i);

		job->priority = 5;
		assert_true(lanes_enter(lanes, job));
	}
	assert_int_equal(lane->ready, 8);
	assert_null(lanes_find(lanes, 13));
	assert_int_equal(lane->bound_id, 12);
	assert_false(lane->refilling);

	first = lanes_make(lanes, lane, 14);
	assert_false(lanes_refilled(lanes, lane, generation, &first, 1, 0, 14, false));
	assert_null(lanes_find(lanes, 14));
	assert_false(lane->complete);
	assert_int_equal(lane->bound_id, 12);
	lanes_free(lanes);
}

static void
a_restored_lane_knows_nothing_of_the_disk(void **unused)
{
	struct lanes *lanes = lanes_new(16, 65536, 256);
	struct owner *owner = lanes_owner(lanes, 7, NULL);
	struct lane *full = lanes_restore(lanes, owner, 1, "m", 7, 100);
	struct lane *empty = lanes_restore(lanes, owner, 2, "m", 3, 0);
	struct lane *found;

	(void)unused;
	assert_true(lanes_wants_refill(lanes, full));
	assert_int_equal(lanes_refill_size(lanes, full), 16);
	assert_false(lanes_wants_refill(lanes, empty));
	assert_ptr_equal(full->route, empty->route);
	assert_ptr_equal(lanes_find_lane(lanes, 7), full);
	assert_null(lanes_find_lane(lanes, 8));

	/* A new job of it goes to the disk only, whatever its priority. */
	struct job *job = lanes_make(lanes, full, 500);

	job->priority = 100;
	assert_false(lanes_enter(lanes, job));
	assert_null(lanes_find(lanes, 500));
	assert_true(lanes_enter(lanes, lanes_make(lanes, empty, 501)));

	/* The same lane is found again, and a new one takes no used id. */
	assert_int_equal(lanes_lane(lanes, owner, 1, "m", &found), FOREBAY_ERR_OK);
	assert_ptr_equal(found, full);
	assert_int_equal(lane_of(lanes, 8, 1, "m")->id, 8);
	lanes_free(lanes);
}

static void
many_lanes_share_the_heads(void **unused)
{
	enum { LANES = 100, MAX_HEADS = 1000, EACH = 60 };
	struct lanes *lanes = lanes_new(256, MAX_HEADS, 256);
	uint64_t id = 1;

	(void)unused;
	for (uid_t uid = 0; uid < LANES; uid++) {
		struct lane *lane = lane_of(lanes, uid, 1, "m");

		for (unsigned i = 0; i < EACH; i++)
			(void)lanes_enter(lanes, lanes_make(lanes, lane, id++));
		assert_in_range(lanes_heads(lanes), 1, MAX_HEADS);
	}
	for (struct lane *lane = NULL; (lane = lanes_next_lane(lanes, lane));) {
		assert_in_range(lane->ready, 8, MAX_HEADS / LANES);
		assert_false(lane->complete);
		assert_int_equal(lane->bound_id, lane->window[lane->ready - 1]->id);
	}

	/* Below the floor nobody shrinks, and a smaller configuration counts at once. */
	lanes_resize(lanes, 256, 10, 256);
	assert_int_equal(lanes_heads(lanes), 8 * LANES);
	lanes_free(lanes);
}

static void
routes_are_counted_not_lanes(void **unused)
{
	struct lanes *lanes = lanes_new(8, 65536, 3);
	struct owner *owner = lanes_owner(lanes, 1, NULL);
	static const char *const routes[] = { "a", "b,a", "c batch=allow" };
	struct lane *lane;

	(void)unused;
	for (int class = 0; class < FOREBAY_CLASS_COUNT; class ++)
		for (int i = 0; i < 3; i++)
			assert_int_equal(lanes_lane(lanes, owner, class, routes[i], &lane),
					 FOREBAY_ERR_OK);
	assert_int_equal(lanes_lane(lanes, owner, 0, "d", &lane), FOREBAY_ERR_OVER_QUOTA);
	assert_int_equal(lanes_lane(lanes, owner, 2, "a", &lane), FOREBAY_ERR_OK);

	/* In one class alone too; and others have their own. */
	owner = lanes_owner(lanes, 2, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lanes_lane(lanes, owner, 1, routes[i], &lane), FOREBAY_ERR_OK);
	assert_int_equal(lanes_lane(lanes, owner, 1, "d", &lane), FOREBAY_ERR_OVER_QUOTA);
	assert_null(lane);
	assert_int_equal(lanes_lane(lanes, owner, 0, "c batch=allow", &lane), FOREBAY_ERR_OK);
	lanes_free(lanes);
}

static void
ephemeral_jobs_are_never_pushed_out(void **unused)
{
	struct lanes *lanes = lanes_new(8, 65536, 256);
	struct lane *lane = lane_of(lanes, 1, 1, "m");

	(void)unused;
	for (uint64_t id = 1; id <= 12; id++) {
		struct job *job = lanes_make(lanes, lane, id);

		job->ephemeral = id > 4;
		(void)lanes_enter(lanes, job);
	}
	/* Twelve do not fit; the four with a row made room. */
	assert_int_equal(lane->ready, 8);
	for (uint64_t id = 1; id <= 12; id++)
		assert_int_equal(lanes_find(lanes, id) != NULL, id > 4);
	/* The disk has those four, before any id: the bound says so. */
	assert_false(lane->complete);
	assert_int_equal(lane->bound_priority, INT16_MAX);
	assert_int_equal(lane->bound_id, 0);
	lanes_free(lanes);
}

static void
a_resting_job_comes_back_when_its_time_is_over(void **unused)
{
	struct lanes *lanes = lanes_new(8, 65536, 256);
	struct lane *lane = lane_of(lanes, 1, 1, "m");
	struct job *job = lanes_make(lanes, lane, 1);

	(void)unused;
	assert_true(lanes_enter(lanes, job));
	job->rest_until_ms = 250;
	lanes_rest(lanes, job);
	assert_int_equal(lane->ready, 0);
	assert_int_equal(lanes_wake(lanes, 249), 250);
	assert_int_equal(lane->ready, 0);
	assert_int_equal(lanes_wake(lanes, 250), INT64_MAX);
	assert_int_equal(lane->ready, 1);
	assert_int_equal(job->eligible_ms, 250);
	lanes_free(lanes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refill_asked_before_an_eviction_is_stale),
		cmocka_unit_test(a_restored_lane_knows_nothing_of_the_disk),
		cmocka_unit_test(many_lanes_share_the_heads),
		cmocka_unit_test(routes_are_counted_not_lanes),
		cmocka_unit_test(ephemeral_jobs_are_never_pushed_out),
		cmocka_unit_test(a_resting_job_comes_back_when_its_time_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
