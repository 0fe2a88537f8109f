/*
 * test_store_model.c - random operations against the store and against a model
 * of forty lines, with restarts between: both must say the same at every look.
 */
#include "tests/unit/store_jobs.h"

#define JOBS	300 /* ids at most */
#define LANES	4
#define STEPS	1500
#define KEEP_MS 5000

struct model_job {
	bool there;
	enum forebay_job_state state;
	uint32_t lane, tries;
	int16_t priority;
	int64_t not_before_ms, deadline_ms, ended_ms;
	uint64_t body_of; /* whose body it has */
	size_t body_len;
};

struct model {
	struct model_job jobs[JOBS + 1];
	uint64_t next_id;
	int64_t now_ms;
	uint64_t random;
};

static uint64_t
roll(struct model *m, uint64_t below)
{
	m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
	return (m->random >> 33) % below;
}

static bool
is_final(const struct model_job *job)
{
	return forebay_job_state_is_final(job->state);
}

static bool
may_move(const struct model_job *job, enum forebay_job_state to)
{
	return job->there && forebay_job_state_allows(job->state, to);
}

static void
model_move(struct model *m, struct model_job *job, enum forebay_job_state to, int64_t now_ms)
{
	(void)m;
	job->state = to;
	if (is_final(job))
		job->ended_ms = now_ms;
}

static int64_t
model_due(const struct model_job *job)
{
	if (!job->there || is_final(job) || job->state == FOREBAY_JOB_RUNNING)
		return INT64_MAX;
	return job->state == FOREBAY_JOB_DELAYED ? MIN(job->not_before_ms, job->deadline_ms)
						 : job->deadline_ms;
}

static int64_t
model_next_due(const struct model *m)
{
	int64_t next = INT64_MAX;

	for (uint64_t id = 1; id < m->next_id; id++)
		next = MIN(next, model_due(&m->jobs[id]));
	return next;
}

/* --- steps: one operation on both ------------------------------------------------ */

typedef void step_fn(struct fixture *f, struct model *m, uint64_t id);

static void
step_submit(struct fixture *f, struct model *m, uint64_t origin)
{
	static const size_t sizes[] = { 0, 10, 1000, 5000, 70000, 600000 };
	uint64_t id = m->next_id;
	struct store_job job = job_of(id, ALICE, 1 + (uint32_t)roll(m, LANES));
	struct model_job *row = &m->jobs[id];
	struct store_lane lane;
	struct got got = { 0 };
	bool retry = m->jobs[origin].there && is_final(&m->jobs[origin]) && roll(m, 2);

	if (id > JOBS)
		return;
	m->next_id++;
	job.uid = ALICE + job.head.lane;
	job.head.priority = (int16_t)((int)roll(m, 5) - 2);
	job.head.deadline_ms = m->now_ms + 1000 + (int64_t)roll(m, 20000);
	job.keep_ms = KEEP_MS;
	if (roll(m, 4) == 0) {
		job.state = FOREBAY_JOB_DELAYED;
		job.head.not_before_ms = m->now_ms + (int64_t)roll(m, 20000);
	}
	*row = (struct model_job){ .there = true,
				   .state = job.state,
				   .lane = job.head.lane,
				   .priority = job.head.priority,
				   .not_before_ms = job.head.not_before_ms,
				   .deadline_ms = job.head.deadline_ms };
	row->body_of = id;
	row->body_len = sizes[roll(m, ARRAY_LEN(sizes))];
	lane = lane_of(job.head.lane, job.uid);
	if (retry) {
		job.retry_of = origin;
		row->body_of = m->jobs[origin].body_of;
		row->body_len = m->jobs[origin].body_len;
	}
	ASK(f, &got, FOREBAY_ERR_OK, store_submit, &job, &lane,
	    retry ? NULL : body_of(id, row->body_len), retry ? 0 : row->body_len);
	got_clear(&got);
}

static void
step_start(struct fixture *f, struct model *m, uint64_t id)
{
	struct model_job *row = &m->jobs[id];
	struct store_attempt attempt = attempt_of(id, row->tries + 1);
	struct got got = { 0 };

	ASK(f, &got, row->there ? FOREBAY_ERR_OK : FOREBAY_ERR_NOT_FOUND, store_start, &attempt);
	assert_int_equal(got.reply.moved, may_move(row, FOREBAY_JOB_RUNNING));
	if (got.reply.moved) {
		assert_body(&got.reply, row->body_of, row->body_len);
		row->state = FOREBAY_JOB_RUNNING;
		row->tries++;
	}
	got_clear(&got);
}

static void
step_finish(struct fixture *f, struct model *m, uint64_t id)
{
	static const enum forebay_job_state ends[] = { FOREBAY_JOB_QUEUED, FOREBAY_JOB_SUCCEEDED,
						       FOREBAY_JOB_FAILED };
	struct model_job *row = &m->jobs[id];
	enum forebay_job_state to = ends[roll(m, ARRAY_LEN(ends))];
	struct store_end end = end_of(id, row->tries, to, "x");
	struct store_result result = { .http_status = 200 };
	bool moves = may_move(row, to) &&
		     (row->state == FOREBAY_JOB_RUNNING || row->state == FOREBAY_JOB_BATCHED);
	struct got got = { 0 };

	end.attempt.ended_ms = m->now_ms;
	if (to != FOREBAY_JOB_QUEUED) {
		end.result = &result;
		end.body_len = roll(m, 2) ? 300 : 300000;
		end.body = body_of(id, end.body_len);
	}
	ASK(f, &got, row->there ? FOREBAY_ERR_OK : FOREBAY_ERR_NOT_FOUND, store_finish, &end);
	assert_int_equal(got.reply.moved, moves);
	if (moves)
		model_move(m, row, to, m->now_ms);
	got_clear(&got);
}

static void
step_move(struct fixture *f, struct model *m, uint64_t id)
{
	struct model_job *row = &m->jobs[id];
	enum forebay_job_state to = (enum forebay_job_state)roll(m, FOREBAY_JOB_STATE_COUNT);
	unsigned mask = (unsigned)roll(m, 256);
	bool moves = may_move(row, to) && (mask & 1u << row->state);
	struct got got = { 0 };

	/* start and finish have operations of their own */
	if (to == FOREBAY_JOB_RUNNING || to == FOREBAY_JOB_SUCCEEDED)
		return;
	ASK(f, &got, row->there ? FOREBAY_ERR_OK : FOREBAY_ERR_NOT_FOUND, store_move, id, ANYBODY,
	    mask, to, FOREBAY_ERR_CANCELED, m->now_ms);
	assert_int_equal(got.reply.moved, moves);
	if (moves)
		model_move(m, row, to, m->now_ms);
	got_clear(&got);
}

static void
step_delete(struct fixture *f, struct model *m, uint64_t id)
{
	struct model_job *row = &m->jobs[id];
	struct got got = { 0 };

	ASK(f, &got, row->there ? FOREBAY_ERR_OK : FOREBAY_ERR_NOT_FOUND, store_delete, id,
	    ANYBODY);
	assert_int_equal(got.reply.moved, row->there && is_final(row));
	if (got.reply.moved)
		row->there = false;
	got_clear(&got);
}

static void
step_due(struct fixture *f, struct model *m, uint64_t unused)
{
	struct got got = { 0 };

	(void)unused;
	m->now_ms += (int64_t)roll(m, 3000);
	do {
		ASK(f, &got, FOREBAY_ERR_OK, store_due, m->now_ms, 3);
		for (size_t i = 0; i < got.reply.move_count; i++) {
			const struct store_moved *moved = &got.reply.moves[i];
			struct model_job *row = &m->jobs[moved->head.id];
			bool expired = row->deadline_ms <= m->now_ms;

			assert_true(model_due(row) <= m->now_ms);
			assert_int_equal(moved->from, row->state);
			assert_int_equal(moved->to,
					 expired ? FOREBAY_JOB_EXPIRED : FOREBAY_JOB_QUEUED);
			model_move(m, row, moved->to, m->now_ms);
		}
		assert_true(got.reply.next_due_ms == model_next_due(m));
	} while (got.reply.next_due_ms <= m->now_ms);
	got_clear(&got);
}

static void
step_sweep(struct fixture *f, struct model *m, uint64_t unused)
{
	struct got got = { 0 };

	(void)unused;
	do {
		ASK(f, &got, FOREBAY_ERR_OK, store_sweep, m->now_ms, 5);
		for (size_t i = 0; i < got.reply.move_count; i++) {
			struct model_job *row = &m->jobs[got.reply.moves[i].head.id];

			assert_true(row->there && is_final(row));
			assert_true(row->ended_ms + KEEP_MS <= m->now_ms);
			row->there = false;
		}
	} while (got.reply.more);
	for (uint64_t id = 1; id < m->next_id; id++)
		assert_false(m->jobs[id].there && is_final(&m->jobs[id]) &&
			     m->jobs[id].ended_ms + KEEP_MS <= m->now_ms);
	got_clear(&got);
}

/* --- looking --------------------------------------------------------------------------- */

static void
check_states(struct fixture *f, struct model *m)
{
	uint64_t ids[JOBS];
	struct got got = { 0 };

	for (uint64_t i = 0; i < JOBS; i++)
		ids[i] = i + 1;
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, JOBS, ANYBODY);
	for (uint64_t i = 0; i < JOBS; i++) {
		const struct model_job *row = &m->jobs[i + 1];

		assert_int_equal(got.reply.moves[i].found, row->there);
		if (!row->there)
			continue;
		assert_int_equal(got.reply.moves[i].from, row->state);
		assert_int_equal(got.reply.moves[i].head.tries, row->tries);
		assert_int_equal(got.reply.moves[i].head.body_len, row->body_len);
	}
	got_clear(&got);
}

static bool
comes_before(const struct model *m, uint64_t a, uint64_t b)
{
	if (m->jobs[a].priority != m->jobs[b].priority)
		return m->jobs[a].priority > m->jobs[b].priority;
	return a < b;
}

static void
check_window(struct fixture *f, struct model *m, uint32_t lane)
{
	size_t queued = 0;
	struct got got = { 0 };

	for (uint64_t id = 1; id < m->next_id; id++)
		queued += m->jobs[id].there && m->jobs[id].lane == lane &&
			  m->jobs[id].state == FOREBAY_JOB_QUEUED;
	ASK(f, &got, FOREBAY_ERR_OK, store_window, lane, INT16_MAX, 0, JOBS);
	assert_int_equal(got.reply.head_count, queued);
	for (size_t i = 0; i < queued; i++) {
		const struct model_job *row = &m->jobs[got.reply.heads[i].id];

		assert_true(row->there && row->state == FOREBAY_JOB_QUEUED && row->lane == lane);
		if (i)
			assert_true(
			    comes_before(m, got.reply.heads[i - 1].id, got.reply.heads[i].id));
	}
	got_clear(&got);
}

static void
check_found(const struct fixture *f, const struct model *m)
{
	const struct store_found *found = store_found(f->store);
	uint64_t counts[FOREBAY_JOB_STATE_COUNT] = { 0 };
	struct store_lane lanes[LANES + 1] = { { 0 } };

	for (uint64_t id = 1; id < m->next_id; id++) {
		const struct model_job *row = &m->jobs[id];

		if (!row->there)
			continue;
		counts[row->state]++;
		lanes[row->lane].queued += row->state == FOREBAY_JOB_QUEUED;
		lanes[row->lane].pending += !is_final(row);
		lanes[row->lane].bytes += is_final(row) ? 0 : row->body_len;
	}
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++)
		assert_int_equal(found->counts[state], counts[state]);
	for (size_t i = 0; i < found->lane_count; i++) {
		struct store_lane *want = &lanes[found->lanes[i].id];

		assert_int_equal(found->lanes[i].queued, want->queued);
		assert_int_equal(found->lanes[i].pending, want->pending);
		assert_int_equal(found->lanes[i].bytes, want->bytes);
		assert_int_equal(found->lanes[i].uid, ALICE + found->lanes[i].id);
		*want = (struct store_lane){ 0 };
	}
	for (size_t i = 0; i <= LANES; i++)
		assert_int_equal(lanes[i].pending, 0);
	assert_true(found->next_due_ms == model_next_due(m));
	assert_int_equal(found->next_id, m->next_id);
}

static void
restart(struct fixture *f, struct model *m)
{
	uint64_t running = 0;

	f->config.now_ms = m->now_ms;
	fixture_reopen(f);
	for (uint64_t id = 1; id < m->next_id; id++)
		if (m->jobs[id].there && m->jobs[id].state == FOREBAY_JOB_RUNNING) {
			running++;
			m->jobs[id].state = FOREBAY_JOB_QUEUED;
		}
	assert_int_equal(store_found(f->store)->recovered, running);
	check_found(f, m);
}

static void
look(struct fixture *f, struct model *m)
{
	check_states(f, m);
	for (uint32_t lane = 1; lane <= LANES; lane++)
		check_window(f, m, lane);
}

static void
play(struct fixture *f, uint64_t seed)
{
	static step_fn *const steps[] = { step_submit, step_submit, step_start,
					  step_start,  step_finish, step_move,
					  step_due,    step_delete, step_sweep };
	struct model m = { .next_id = 1, .now_ms = NOW_MS, .random = seed };

	for (int i = 0; i < STEPS; i++) {
		uint64_t id = 1 + roll(&m, MAX(m.next_id, 2) - 1);

		steps[roll(&m, ARRAY_LEN(steps))](f, &m, id);
		if (i % 50 == 0)
			look(f, &m);
		if (roll(&m, 60) == 0)
			restart(f, &m);
	}
	restart(f, &m);
	look(f, &m);
}

static void
the_store_is_its_model(void **state)
{
	play(*state, 1);
}

static void
and_with_other_dice(void **state)
{
	play(*state, 20261124);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_store_is_its_model, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(and_with_other_dice, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
