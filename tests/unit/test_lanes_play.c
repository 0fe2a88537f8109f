/*
 * test_lanes_play.c - windows over a queue on disk, played against a simulated disk:
 * operations in one line, executed late and answered later still, as the store
 * does. After every step the rule of lanes.h must hold, and in the end every
 * job has been started, in its order.
 */
#include "daemon/job/lanes.h"

#include "protocol/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- a disk ------------------------------------------------------------------- */

enum stand { NOWHERE, QUEUED, RUNNING, ENDED };

struct sim_job {
	uint64_t id;
	struct lane *lane;
	int16_t priority;
	bool ephemeral;
	enum stand disk;   /* what the disk says */
	enum stand seen;   /* what the loop was told */
	unsigned again;	   /* times it is refused before it ends */
	unsigned finished; /* times it ended by running */
	bool canceled;
};

enum kind { SUBMIT, WINDOW, START, AGAIN, END, CANCEL };

struct op {
	enum kind kind;
	size_t job;
	struct lane *lane;
	uint32_t generation;
	int16_t bound_priority;
	uint64_t bound_id;
	size_t limit;
	/* the answer */
	bool moved, more;
	size_t heads[256];
	size_t head_count;
};

#define MAX_JOBS 700
#define MAX_OPS	 32768

static struct sim {
	struct lanes *lanes;
	struct lane *lane[6];
	struct sim_job jobs[MAX_JOBS];
	size_t count;
	struct op *ops[MAX_OPS];
	size_t op_count, executed, answered;
	size_t window;
	int64_t now_ms;
	uint64_t random;
} sim;

static unsigned
roll(unsigned sides)
{
	sim.random ^= sim.random << 13;
	sim.random ^= sim.random >> 7;
	sim.random ^= sim.random << 17;
	return (unsigned)(sim.random >> 33) % sides;
}

static struct op *
add_op(enum kind kind, size_t job)
{
	struct op *op = calloc(1, sizeof(*op));

	assert_non_null(op);
	assert_true(sim.op_count < MAX_OPS);
	op->kind = kind;
	op->job = job;
	sim.ops[sim.op_count++] = op;
	return op;
}

static bool
sim_before(const struct sim_job *a, const struct sim_job *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

static void
read_window(struct op *op)
{
	const struct sim_job bound = { .priority = op->bound_priority, .id = op->bound_id };

	for (size_t i = 0; i < sim.count; i++) {
		const struct sim_job *job = &sim.jobs[i];
		size_t at = op->head_count;

		if (job->lane != op->lane || job->disk != QUEUED || job->ephemeral ||
		    !sim_before(&bound, job))
			continue;
		while (at > 0 && sim_before(job, &sim.jobs[op->heads[at - 1]]))
			at--;
		if (at == op->limit) {
			op->more = true;
			continue;
		}
		if (op->head_count == op->limit) {
			op->more = true;
			op->head_count--;
		}
		memmove(&op->heads[at + 1], &op->heads[at],
			(op->head_count - at) * sizeof(op->heads[0]));
		op->heads[at] = i;
		op->head_count++;
	}
}

static void
execute(struct op *op)
{
	struct sim_job *job = &sim.jobs[op->job];

	switch (op->kind) {
	case SUBMIT:
	case AGAIN:
		job->disk = QUEUED;
		break;
	case WINDOW:
		read_window(op);
		break;
	case START:
		op->moved = job->disk == QUEUED;
		if (op->moved)
			job->disk = RUNNING;
		break;
	case END:
		job->disk = ENDED;
		break;
	case CANCEL:
		op->moved = job->disk == QUEUED;
		if (op->moved)
			job->disk = ENDED;
		break;
	}
}

/* --- the loop's side --------------------------------------------------------------- */

static struct job *
make(size_t i)
{
	struct sim_job *sim_job = &sim.jobs[i];
	struct job *job = lanes_make(sim.lanes, sim_job->lane, sim_job->id);

	job->priority = sim_job->priority;
	job->ephemeral = sim_job->ephemeral;
	return job;
}

static void
refilled(const struct op *op)
{
	struct job *jobs[256];
	const struct sim_job *last = NULL;
	size_t count = 0;

	for (size_t i = 0; i < op->head_count; i++) {
		last = &sim.jobs[op->heads[i]];
		if (!lanes_find(sim.lanes, last->id))
			jobs[count++] = make(op->heads[i]);
	}
	assert_int_equal(lanes_refilled(sim.lanes, op->lane, op->generation, jobs, count,
					last ? last->priority : INT16_MAX, last ? last->id : 0,
					op->more),
			 op->generation == op->lane->generation);
}

static void
rest(struct job *job)
{
	job->attempt = NULL;
	job->moving = false;
	job->rest_until_ms = sim.now_ms + roll(30);
	lanes_rest(sim.lanes, job);
}

static void
answer(const struct op *op)
{
	struct sim_job *sim_job = &sim.jobs[op->job];
	struct job *job = lanes_find(sim.lanes, sim_job->id);

	switch (op->kind) {
	case SUBMIT:
		sim_job->seen = QUEUED;
		if (!job)
			(void)lanes_enter(sim.lanes, make(op->job));
		break;
	case WINDOW:
		refilled(op);
		break;
	case START:
		if (op->moved)
			sim_job->seen = RUNNING;
		else
			lanes_drop(sim.lanes, job);
		break;
	case AGAIN:
		sim_job->seen = QUEUED;
		rest(job);
		break;
	case END:
		sim_job->seen = ENDED;
		sim_job->finished++;
		lanes_drop(sim.lanes, job);
		break;
	case CANCEL:
		if (!op->moved)
			break;
		sim_job->seen = ENDED;
		sim_job->canceled = true;
		if (job && !job->attempt)
			lanes_drop(sim.lanes, job);
		break;
	}
}

static void
execute_next(void)
{
	if (sim.executed < sim.op_count)
		execute(sim.ops[sim.executed++]);
}

static void
answer_next(void)
{
	if (sim.answered < sim.executed)
		answer(sim.ops[sim.answered++]);
}

static void
submit(void)
{
	struct sim_job *job = &sim.jobs[sim.count];

	if (sim.count == MAX_JOBS)
		return;
	*job = (struct sim_job){ .id = sim.count + 1,
				 .lane = sim.lane[roll(ARRAY_LEN(sim.lane))],
				 .priority = (int16_t)(roll(4) ? 0 : (int)roll(7) - 3),
				 .ephemeral = roll(12) == 0,
				 .again = roll(3) ? 0 : 1 + roll(3) };
	sim.count++;
	if (!job->ephemeral) {
		add_op(SUBMIT, sim.count - 1);
		return;
	}
	job->seen = QUEUED;
	assert_true(lanes_enter(sim.lanes, make(sim.count - 1)));
}

/* Nothing the loop and the disk agree is waiting may stand before what starts. */
static void
check_order(const struct sim_job *started)
{
	for (size_t i = 0; i < sim.count; i++) {
		const struct sim_job *other = &sim.jobs[i];
		const struct job *job = lanes_find(sim.lanes, other->id);

		if (other->lane == started->lane && !other->ephemeral && other->disk == QUEUED &&
		    other->seen == QUEUED && sim_before(other, started) &&
		    !(job && (job->heap_index >= 0 || job->attempt)))
			fail_msg("job %d starts before job %d", (int)started->id, (int)other->id);
	}
}

static void
start(struct lane *lane)
{
	struct sim_job *sim_job;
	struct job *job;

	if (lane->ready == 0)
		return;
	job = lane->window[0];
	sim_job = &sim.jobs[job->id - 1];
	if (!job->ephemeral)
		check_order(sim_job);
	lanes_leave(sim.lanes, job);
	assert_ptr_equal(lanes_find(sim.lanes, sim_job->id), job);
	job->attempt = sim_job;
	if (job->ephemeral)
		sim_job->seen = RUNNING;
	else
		add_op(START, (size_t)job->id - 1);
}

/* One that runs gets its answer, or is refused and comes again. */
static void
finish(size_t i)
{
	struct sim_job *sim_job = &sim.jobs[i];
	struct job *job = lanes_find(sim.lanes, sim_job->id);

	if (sim_job->seen != RUNNING || !job || !job->attempt || job->moving)
		return;
	if (!sim_job->ephemeral) {
		job->moving = true; /* one move at a time */
		add_op(sim_job->again ? AGAIN : END, i);
		sim_job->again -= sim_job->again > 0;
	} else if (sim_job->again) {
		sim_job->again--;
		sim_job->seen = QUEUED;
		rest(job);
	} else {
		sim_job->seen = ENDED;
		sim_job->finished++;
		lanes_drop(sim.lanes, job);
	}
}

static void
cancel(size_t i)
{
	struct sim_job *sim_job = &sim.jobs[i];
	struct job *job = lanes_find(sim.lanes, sim_job->id);

	if (!sim_job->ephemeral) {
		add_op(CANCEL, i);
	} else if (job && !job->attempt) {
		lanes_drop(sim.lanes, job);
		sim_job->seen = ENDED;
		sim_job->canceled = true;
	}
}

static void
refill(struct lane *lane)
{
	struct op *op;

	if (!lanes_wants_refill(sim.lanes, lane))
		return;
	lane->refilling = true;
	op = add_op(WINDOW, 0);
	op->lane = lane;
	op->generation = lane->generation;
	op->bound_priority = lane->bound_priority;
	op->bound_id = lane->bound_id;
	op->limit = lanes_refill_size(sim.lanes, lane);
	assert_in_range(op->limit, 1, sim.window);
}

static void
wake(void)
{
	int64_t next = lanes_wake(sim.lanes, sim.now_ms);

	assert_true(next > sim.now_ms);
}

/* --- the rule ----------------------------------------------------------------------- */

static bool
behind_bound(const struct sim_job *job)
{
	const struct sim_job bound = { .priority = job->lane->bound_priority,
				       .id = job->lane->bound_id };

	return !job->lane->complete && sim_before(&bound, job);
}

static void
check_window(const struct lane *lane, size_t window)
{
	size_t durable = 0;

	for (size_t i = 0; i < lane->ready; i++) {
		const struct job *job = lane->window[i];

		assert_ptr_equal(job->lane, lane);
		assert_true(job->ready);
		assert_int_equal(job->heap_index, -1);
		assert_null(job->attempt);
		if (i > 0)
			assert_true(job_before(lane->window[i - 1], job));
		durable += !job->ephemeral;
	}
	assert_true(lane->ready <= window || durable == 0);
}

static void
check_job(const struct sim_job *sim_job)
{
	const struct job *job = lanes_find(sim.lanes, sim_job->id);

	if (job) {
		assert_int_equal(job->id, sim_job->id);
		assert_int_equal(job->ready + (job->heap_index >= 0) + (job->attempt != NULL), 1);
		return;
	}
	assert_true(!sim_job->ephemeral || sim_job->seen == ENDED);
	if (sim_job->disk == QUEUED && sim_job->seen == QUEUED && !behind_bound(sim_job))
		fail_msg("job %d is queued, before its lane's bound, and not in memory",
			 (int)sim_job->id);
}

static void
check_all(void)
{
	size_t heads = 0, ready = 0, owned = 0;

	for (size_t i = 0; i < sim.count; i++) {
		check_job(&sim.jobs[i]);
		heads += lanes_find(sim.lanes, sim.jobs[i].id) != NULL;
	}
	assert_int_equal(lanes_heads(sim.lanes), heads);
	for (size_t i = 0; i < ARRAY_LEN(sim.lane); i++) {
		check_window(sim.lane[i], sim.window);
		ready += sim.lane[i]->ready;
	}
	for (struct owner *owner = NULL; (owner = lanes_next_owner(sim.lanes, owner));)
		owned += owner->ready;
	assert_int_equal(owned, ready);
}

/* --- a life ---------------------------------------------------------------------------- */

static void
set_up(uint64_t seed, size_t window)
{
	memset(&sim, 0, sizeof(sim));
	sim.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	sim.window = window;
	sim.lanes = lanes_new(window, 65536, 256);
	for (size_t i = 0; i < ARRAY_LEN(sim.lane); i++) {
		struct owner *owner = lanes_owner(sim.lanes, 1000 + (uid_t)i / 3, NULL);

		assert_int_equal(lanes_lane(sim.lanes, owner, (int)i % 2,
					    i % 3 ? "claude-a" : "claude-b,claude-a", &sim.lane[i]),
				 FOREBAY_ERR_OK);
	}
}

static void
tear_down(void)
{
	lanes_free(sim.lanes);
	for (size_t i = 0; i < sim.op_count; i++)
		free(sim.ops[i]);
}

static void
step(unsigned submits)
{
	unsigned dice = roll(100);
	struct lane *lane = sim.lane[roll(ARRAY_LEN(sim.lane))];

	sim.now_ms++;
	if (dice < submits)
		submit();
	else if (dice < 55)
		execute_next();
	else if (dice < 75)
		answer_next();
	else if (dice < 84)
		start(lane);
	else if (dice < 92 && sim.count)
		finish(roll((unsigned)sim.count));
	else if (dice < 94 && sim.count)
		cancel(roll((unsigned)sim.count));
	else if (dice < 98)
		refill(lane);
	else
		wake();
}

/* No more submits: everything must get its turn. */
static void
run_dry(void)
{
	bool waiting = true;

	for (unsigned turns = 0; waiting; turns++) {
		assert_true(turns < 5000);
		sim.now_ms += 100;
		wake();
		for (size_t i = 0; i < ARRAY_LEN(sim.lane); i++) {
			start(sim.lane[i]);
			refill(sim.lane[i]);
		}
		while (sim.answered < sim.op_count) {
			execute_next();
			answer_next();
		}
		check_all();
		waiting = false;
		for (size_t i = 0; i < sim.count; i++) {
			finish(i);
			waiting |= sim.jobs[i].seen != ENDED;
		}
	}
}

static void
live(uint64_t seed, size_t window)
{
	set_up(seed, window);
	for (unsigned i = 0; i < 1500; i++) {
		/* A flood, then a calm in which the windows run low. */
		step(i % 500 < 300 ? 45 : 15);
		check_all();
	}
	run_dry();
	for (size_t i = 0; i < sim.count; i++)
		assert_int_equal(sim.jobs[i].finished + sim.jobs[i].canceled, 1);
	assert_int_equal(lanes_heads(sim.lanes), 0);
	tear_down();
}

static void
the_window_holds_what_stands_before_its_bound(void **unused)
{
	static const size_t windows[] = { 8, 9, 16, 33, 64 };

	(void)unused;
	for (uint64_t seed = 1; seed <= 8; seed++)
		live(seed, windows[seed % ARRAY_LEN(windows)]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_holds_what_stands_before_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
