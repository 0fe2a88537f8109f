/*
 * test_schedule.c - who starts next: classes, ageing, shares, the worker kept
 * free, and what the verdicts on lanes change.
 */
#include "daemon/job/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AGE_UP	   600000
#define NOW	   INT64_C(1700000000000)
#define MANY	   1000 /* workers, free ones */
#define MAX_OWNERS 16

static struct world {
	struct schedule schedule;
	struct lanes *lanes;
	uint64_t next_id;
	const char *closed, *dark; /* models; NULL: none */
	unsigned asked;
} world;

static void
begin(void)
{
	world = (struct world){ .lanes = lanes_new(256, 65536, 256), .next_id = 1 };
	schedule_init(&world.schedule, AGE_UP);
}

static void
end(void)
{
	lanes_free(world.lanes);
}

static struct lane *
lane_of(uid_t uid, int class, const char *model)
{
	struct lane *lane;

	assert_false(
	    lanes_lane(world.lanes, lanes_owner(world.lanes, uid, NULL), class, model, &lane));
	return lane;
}

static struct job *
add(uid_t uid, int class, const char *model, uint32_t cost)
{
	struct job *job = lanes_make(world.lanes, lane_of(uid, class, model), world.next_id++);

	job->since_ms = NOW;
	job->cost_input = cost;
	assert_true(lanes_enter(world.lanes, job));
	return job;
}

static enum schedule_verdict
verdict(const struct lane *lane, struct job *job, bool refuge, void *arg)
{
	struct world *all = arg;
	const char *model = lane->route->models[refuge];

	/* Natively only those are passed by that are kept by their own bars. */
	for (size_t i = 0; !refuge && lane->window[i] != job; i++)
		assert_true(lane->window[i]->chain.barred);
	all->asked++;
	if (chain_is_barred(&job->chain, refuge))
		return SCHEDULE_NOT_IT;
	job->model = refuge;
	if (all->closed && strcmp(model, all->closed) == 0)
		return SCHEDULE_NO;
	return all->dark && strcmp(model, all->dark) == 0 ? SCHEDULE_PROBE : SCHEDULE_YES;
}

static struct job *
next_with(unsigned free_workers, unsigned pool, int64_t wall_ms)
{
	return schedule_next(&world.schedule, world.lanes, free_workers, pool, wall_ms, verdict,
			     &world);
}

static struct job *
next(void)
{
	return next_with(MANY, MANY, NOW);
}

/* Starts the next one and forgets it; its owner, or (uid_t)-1. */
static uid_t
start_at(int64_t wall_ms)
{
	struct job *job = next_with(MANY, MANY, wall_ms);
	uid_t uid;

	if (!job)
		return (uid_t)-1;
	uid = job->lane->owner->uid;
	lanes_leave(world.lanes, job);
	schedule_charge(&world.schedule, job);
	lanes_drop(world.lanes, job);
	return uid;
}

static uid_t
start(void)
{
	return start_at(NOW);
}

/* --- classes ---------------------------------------------------------------------- */

static void
classes_are_strict(void **unused)
{
	(void)unused;
	begin();
	for (unsigned i = 0; i < 5; i++) {
		add(3, FOREBAY_CLASS_PATIENT, "m", 1);
		add(2, FOREBAY_CLASS_NORMAL, "m", 1000000);
		add(1, FOREBAY_CLASS_INTERACTIVE, "m", 1000000);
	}
	for (uid_t uid = 1; uid <= 3; uid++)
		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(start(), uid);
	assert_null(next());
	end();
}

static void
who_waited_long_competes_above(void **unused)
{
	struct job *normal, *patient;

	(void)unused;
	begin();
	add(1, FOREBAY_CLASS_INTERACTIVE, "m", 10);
	normal = add(2, FOREBAY_CLASS_NORMAL, "m", 10);
	normal->since_ms = NOW - AGE_UP + 1;
	assert_int_equal(next()->lane->owner->uid, 1);
	/* Owner 1 has been served in this class before, owner 2 has not. */
	lanes_owner(world.lanes, 1, NULL)->served[FOREBAY_CLASS_INTERACTIVE] = 5;
	normal->since_ms = NOW - AGE_UP;
	assert_ptr_equal(next(), normal);

	/* A patient one becomes normal after six times that, and no more. */
	patient = add(3, FOREBAY_CLASS_PATIENT, "m", 10);
	normal->since_ms = NOW;
	lanes_owner(world.lanes, 2, NULL)->served[FOREBAY_CLASS_NORMAL] = 5;
	patient->since_ms = NOW - 100 * AGE_UP;
	assert_int_equal(start(), 1);
	patient->since_ms = NOW - 6 * AGE_UP + 1;
	assert_ptr_equal(next(), normal);
	patient->since_ms = NOW - 6 * AGE_UP;
	assert_ptr_equal(next(), patient);
	end();
}

/* An overnight heap of aged jobs takes its share, and not the whole pool. */
static void
aged_jobs_do_not_starve_interactive_ones(void **unused)
{
	unsigned interactive = 0;

	(void)unused;
	begin();
	for (unsigned i = 0; i < 200; i++) {
		add(1, FOREBAY_CLASS_NORMAL, "m", 100)->since_ms = NOW - 2 * AGE_UP;
		add(2, FOREBAY_CLASS_INTERACTIVE, "m", 100);
	}
	for (unsigned i = 0; i < 100; i++)
		interactive += start() == 2;
	assert_in_range(interactive, 49, 51);
	end();
}

/* --- shares ------------------------------------------------------------------------- */

static void
shares_follow_the_weights(void **unused)
{
	static const unsigned weights[] = { 1, 2, 3, 4 };
	static const uint32_t costs[] = { 100, 5000, 900, 40 };
	double served[4] = { 0 }, all = 0;

	(void)unused;
	begin();
	for (uid_t uid = 0; uid < 4; uid++)
		lanes_owner(world.lanes, uid, NULL)->limits.weight = weights[uid];
	for (unsigned i = 0; i < 60000; i++) {
		uid_t uid;

		/* All four always have something to start. */
		for (uid = 0; uid < 4; uid++)
			if (lanes_owner(world.lanes, uid, NULL)->ready == 0)
				add(uid, FOREBAY_CLASS_NORMAL, "m", costs[uid]);
		uid = start();
		served[uid] += 1 + costs[uid];
		all += 1 + costs[uid];
	}
	for (uid_t uid = 0; uid < 4; uid++) {
		double share = served[uid] / all, due = weights[uid] / 10.0;

		assert_true(fabs(share - due) < 0.02 * due);
	}
	end();
}

static void
ten_small_callers_pass_a_hundred_thousand_jobs(void **unused)
{
	bool seen[11] = { false };
	uint64_t left = 100000;

	(void)unused;
	begin();
	/* Of the hundred thousand the window shows the first, and is refilled. */
	for (unsigned i = 0; i < 256; i++)
		add(99, FOREBAY_CLASS_NORMAL, "m", 500);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(start(), 99);
		add(99, FOREBAY_CLASS_NORMAL, "m", 500);
		left--;
	}
	for (uid_t uid = 1; uid <= 10; uid++)
		add(uid, FOREBAY_CLASS_NORMAL, "m", 2000);
	for (unsigned i = 0; i < 20; i++) {
		uid_t uid = start();

		if (uid == 99)
			add(99, FOREBAY_CLASS_NORMAL, "m", 500);
		else
			seen[uid] = true;
	}
	for (uid_t uid = 1; uid <= 10; uid++)
		assert_true(seen[uid]);
	assert_true(left > 0);
	end();
}

static void
an_owner_that_was_away_has_not_saved_up(void **unused)
{
	unsigned of_the_returned = 0;

	(void)unused;
	begin();
	add(1, FOREBAY_CLASS_NORMAL, "m", 100);
	assert_int_equal(start(), 1);
	for (unsigned i = 0; i < 1000; i++) {
		add(2, FOREBAY_CLASS_NORMAL, "m", 100);
		assert_int_equal(start(), 2);
	}
	for (unsigned i = 0; i < 200; i++) {
		add(1, FOREBAY_CLASS_NORMAL, "m", 100);
		add(2, FOREBAY_CLASS_NORMAL, "m", 100);
	}
	for (unsigned i = 0; i < 100; i++)
		of_the_returned += start() == 1;
	assert_in_range(of_the_returned, 49, 51);
	end();
}

/* Who costs more than he said pays afterwards, and the other way round. */
static void
real_cost_shifts_the_shares(void **unused)
{
	double real[3] = { 0 };

	(void)unused;
	begin();
	for (unsigned i = 0; i < 20000; i++) {
		struct job *job;
		uint64_t tokens;
		uid_t uid;

		for (uid = 1; uid <= 2; uid++)
			if (lanes_owner(world.lanes, uid, NULL)->ready == 0)
				add(uid, FOREBAY_CLASS_NORMAL, "m", 1000);
		job = next();
		uid = job->lane->owner->uid;
		/* Both say 1000; one takes three times that. */
		tokens = uid == 1 ? 3000 : 1000;
		lanes_leave(world.lanes, job);
		schedule_charge(&world.schedule, job);
		schedule_settle(job, tokens);
		real[uid] += (double)tokens;
		lanes_drop(world.lanes, job);
	}
	assert_true(fabs(real[1] / real[2] - 1.0) < 0.02);
	end();
}

static void
a_refused_start_costs_nothing(void **unused)
{
	struct owner *owner;
	struct job *job;
	double before;

	(void)unused;
	begin();
	owner = lanes_owner(world.lanes, 1, NULL);
	job = add(1, FOREBAY_CLASS_NORMAL, "m", 800);
	job->cost_output = 200;
	owner->limits.weight = 4;
	before = owner->served[FOREBAY_CLASS_NORMAL];
	assert_ptr_equal(next(), job);
	schedule_charge(&world.schedule, job);
	assert_true(fabs(owner->served[FOREBAY_CLASS_NORMAL] - before - 1001.0 / 4) < 1e-9);
	schedule_settle(job, 0);
	/* But for the little that keeps a loop of refusals from being free. */
	assert_true(fabs(owner->served[FOREBAY_CLASS_NORMAL] - before - 1.0 / 4) < 1e-9);
	end();
}

static void
within_an_owner_priority_and_age_decide(void **unused)
{
	struct job *first, *second, *urgent;

	(void)unused;
	begin();
	first = add(1, FOREBAY_CLASS_NORMAL, "a", 1);
	second = add(1, FOREBAY_CLASS_NORMAL, "b", 1);
	urgent = lanes_make(world.lanes, lane_of(1, FOREBAY_CLASS_NORMAL, "c"), 50);
	urgent->since_ms = NOW;
	urgent->priority = 1;
	lanes_enter(world.lanes, urgent);
	assert_ptr_equal(next(), urgent);
	lanes_drop(world.lanes, urgent);
	assert_ptr_equal(next(), first);
	lanes_drop(world.lanes, first);
	assert_ptr_equal(next(), second);
	end();
}

/* --- the worker kept free -------------------------------------------------------------- */

static void
the_last_worker_is_for_interactive_jobs(void **unused)
{
	(void)unused;
	begin();
	add(1, FOREBAY_CLASS_NORMAL, "m", 1);
	assert_non_null(next_with(1, 8, NOW)); /* none was ever seen */
	schedule_saw_interactive(&world.schedule, NOW);
	assert_null(next_with(1, 8, NOW));
	assert_null(next_with(1, 2, NOW + 59999));
	assert_non_null(next_with(2, 8, NOW));
	assert_non_null(next_with(1, 1, NOW)); /* a pool of one has none to spare */
	assert_non_null(next_with(1, 8, NOW + 60000));
	/* However long it waited, a normal job is none. */
	assert_non_null(next_with(1, 8, NOW + 2 * AGE_UP));
	schedule_saw_interactive(&world.schedule, NOW + 2 * AGE_UP);
	assert_null(next_with(1, 8, NOW + 2 * AGE_UP));
	add(2, FOREBAY_CLASS_INTERACTIVE, "m", 1);
	assert_int_equal(next_with(1, 8, NOW + 2 * AGE_UP)->lane->owner->uid, 2);
	end();
}

/* --- verdicts ----------------------------------------------------------------------------- */

static void
a_closed_gate_blocks_nobody_else(void **unused)
{
	struct job *other;

	(void)unused;
	begin();
	for (unsigned i = 0; i < 10; i++)
		add(1, FOREBAY_CLASS_INTERACTIVE, "closed", 1);
	world.closed = "closed";
	assert_null(next());
	other = add(1, FOREBAY_CLASS_INTERACTIVE, "open", 1);
	assert_ptr_equal(next(), other); /* of the same owner, */
	lanes_drop(world.lanes, other);
	other = add(2, FOREBAY_CLASS_PATIENT, "open", 1);
	assert_ptr_equal(next(), other); /* and of a lower class */
	end();
}

static void
each_lane_is_asked_once(void **unused)
{
	(void)unused;
	begin();
	for (unsigned i = 0; i < 50; i++) {
		add(1, FOREBAY_CLASS_NORMAL, "closed", 1);
		add(2, FOREBAY_CLASS_PATIENT, "closed", 1);
	}
	world.closed = "closed";
	assert_null(next());
	assert_int_equal(world.asked, 2);
	end();
}

static void
a_probe_is_the_smallest_of_the_first(void **unused)
{
	static const uint32_t costs[] = { 900, 800, 300, 700, 300, 500, 600, 400, 10 };
	struct job *jobs[ARRAY_LEN(costs)], *urgent;

	(void)unused;
	begin();
	for (size_t i = 0; i < ARRAY_LEN(costs); i++)
		jobs[i] = add(1, FOREBAY_CLASS_NORMAL, "dark", costs[i]);
	assert_ptr_equal(next(), jobs[0]);
	world.dark = "dark";
	assert_ptr_equal(next(), jobs[2]); /* the first of equals; the ninth is too far */
	lanes_drop(world.lanes, jobs[0]);
	assert_ptr_equal(next(), jobs[8]);

	/* Priority still comes before size. */
	urgent = lanes_make(world.lanes, lane_of(1, FOREBAY_CLASS_NORMAL, "dark"), 100);
	urgent->since_ms = NOW;
	urgent->priority = 1;
	urgent->cost_input = 5000;
	lanes_enter(world.lanes, urgent);
	assert_ptr_equal(next(), urgent);
	end();
}

/* --- refuge: later models of a chain ------------------------------------------------------- */

static void
natives_go_before_refugees_of_their_class(void **unused)
{
	struct job *refugee, *native, *urgent;

	(void)unused;
	begin();
	world.closed = "closed";
	refugee = add(1, FOREBAY_CLASS_NORMAL, "closed,open", 1);
	native = add(2, FOREBAY_CLASS_NORMAL, "open", 100000);
	add(3, FOREBAY_CLASS_PATIENT, "open", 1);
	assert_ptr_equal(next(), native);
	lanes_drop(world.lanes, native);
	/* Classes stay strict: it goes before a patient native. */
	assert_ptr_equal(next(), refugee);
	assert_int_equal(refugee->model, 1);
	/* And an urgent refugee before all normal ones. */
	urgent = add(4, FOREBAY_CLASS_INTERACTIVE, "closed,open", 1);
	add(2, FOREBAY_CLASS_NORMAL, "open", 1);
	assert_ptr_equal(next(), urgent);
	end();
}

static void
its_first_model_comes_first_for_everybody(void **unused)
{
	struct job *job;

	(void)unused;
	begin();
	world.closed = "closed";
	add(1, FOREBAY_CLASS_NORMAL, "closed,open", 1);
	job = add(1, FOREBAY_CLASS_NORMAL, "open,closed", 1);
	assert_ptr_equal(next(), job);
	assert_int_equal(job->model, 0);
	end();
}

static void
one_that_is_barred_does_not_keep_the_others_of_its_lane(void **unused)
{
	struct job *jobs[12];

	(void)unused;
	begin();
	world.closed = "closed";
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		jobs[i] = add(1, FOREBAY_CLASS_NORMAL, "closed,open", (uint32_t)(100 - i));
	for (size_t i = 0; i < 3; i++)
		(void)chain_bar(&jobs[i]->chain, 1, 2);
	assert_ptr_equal(next(), jobs[3]);
	/* As a probe a small one of the first few, none that is barred. */
	world.dark = "open";
	(void)chain_bar(&jobs[7]->chain, 1, 2);
	assert_ptr_equal(next(), jobs[6]);
	assert_int_equal(jobs[6]->model, 1);
	/* However many of the front are barred. */
	for (size_t i = 0; i < 10; i++)
		(void)chain_bar(&jobs[i]->chain, 1, 2);
	assert_ptr_equal(next(), jobs[10]);
	end();
}

static void
one_that_is_barred_from_its_first_model_keeps_no_native(void **unused)
{
	struct job *barred, *native;

	(void)unused;
	begin();
	barred = add(1, FOREBAY_CLASS_INTERACTIVE, "open,closed", 1);
	(void)chain_bar(&barred->chain, 0, 2);
	native = add(1, FOREBAY_CLASS_INTERACTIVE, "open,closed", 1);
	world.closed = "closed";
	/* Owner 2 always has somebody who could go. */
	lanes_owner(world.lanes, 2, NULL)->served[FOREBAY_CLASS_INTERACTIVE] = 1e6;
	add(2, FOREBAY_CLASS_INTERACTIVE, "open", 1);
	assert_ptr_equal(next(), native);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_strict),
		cmocka_unit_test(who_waited_long_competes_above),
		cmocka_unit_test(aged_jobs_do_not_starve_interactive_ones),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(ten_small_callers_pass_a_hundred_thousand_jobs),
		cmocka_unit_test(an_owner_that_was_away_has_not_saved_up),
		cmocka_unit_test(real_cost_shifts_the_shares),
		cmocka_unit_test(a_refused_start_costs_nothing),
		cmocka_unit_test(within_an_owner_priority_and_age_decide),
		cmocka_unit_test(the_last_worker_is_for_interactive_jobs),
		cmocka_unit_test(a_closed_gate_blocks_nobody_else),
		cmocka_unit_test(each_lane_is_asked_once),
		cmocka_unit_test(a_probe_is_the_smallest_of_the_first),
		cmocka_unit_test(natives_go_before_refugees_of_their_class),
		cmocka_unit_test(its_first_model_comes_first_for_everybody),
		cmocka_unit_test(one_that_is_barred_does_not_keep_the_others_of_its_lane),
		cmocka_unit_test(one_that_is_barred_from_its_first_model_keeps_no_native),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
