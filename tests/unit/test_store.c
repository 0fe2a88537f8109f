/*
 * test_store.c - submits, keys, windows and time against a real SQLite file.
 */
#include "tests/unit/store_jobs.h"

/* --- submit -------------------------------------------------------------------- */

static void
an_empty_store_has_nothing(void **state)
{
	struct fixture *f = *state;
	const struct store_found *found = store_found(f->store);

	assert_int_equal(found->next_id, 1);
	assert_int_equal(found->lane_count, 0);
	assert_int_equal(found->gate_count, 0);
	assert_int_equal(found->recovered, 0);
	assert_true(found->next_due_ms == INT64_MAX);
	assert_int_equal(store_backlog(f->store), 0);
}

static void
a_job_comes_back_as_submitted(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 3);
	struct got got = { 0 };
	const struct store_job *read;

	job.head.priority = -7;
	job.batch = 1;
	job.transport = 2;
	job.shrink_to = 4096;
	job.chain = "big";
	job.model_option = "claude-sonnet-5";
	job.betas = "a-1,b-2";
	job.label = "nightly";
	job.key = "k1";
	job.unit = "a.service";
	job.skipped = "claude-x (prefill)";
	job.headers = "x-app: cli\nx-b: c\n";
	job.query = "beta=true";
	submit(f, &job, 1000);
	fixture_reopen(f);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	read = got.reply.job;
	assert_memory_equal(&read->head.created_ms, &job.head.created_ms, sizeof(int64_t));
	assert_int_equal(read->head.deadline_ms, job.head.deadline_ms);
	assert_int_equal(read->head.priority, -7);
	assert_int_equal(read->head.body_len, 1000);
	assert_int_equal(read->head.cost_output, 2000);
	assert_int_equal(read->head.max_attempts, 5);
	assert_int_equal(read->state, FOREBAY_JOB_QUEUED);
	assert_int_equal(read->uid, ALICE);
	assert_int_equal(read->batch, 1);
	assert_int_equal(read->transport, 2);
	assert_int_equal(read->shrink_to, 4096);
	assert_int_equal(read->keep_ms, job.keep_ms);
	assert_string_equal(read->model, "claude-opus-5-5");
	assert_string_equal(read->route, "opus|gate|never");
	assert_string_equal(read->chain, "big");
	assert_string_equal(read->model_option, "claude-sonnet-5");
	assert_string_equal(read->version, "2023-06-01");
	assert_string_equal(read->betas, "a-1,b-2");
	assert_string_equal(read->label, "nightly");
	assert_string_equal(read->key, "k1");
	assert_string_equal(read->unit, "a.service");
	assert_string_equal(read->skipped, "claude-x (prefill)");
	assert_string_equal(read->headers, job.headers);
	assert_string_equal(read->query, "beta=true");
	assert_memory_equal(read->digest, job.digest, STORE_DIGEST_LEN);
	assert_memory_equal(read->options, job.options, STORE_DIGEST_LEN);
	assert_int_equal(got.reply.attempt_count, 0);
	assert_null(got.reply.result);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 1, ALICE);
	assert_body(&got.reply, 1, 1000);
	got_clear(&got);
}

static void
answers_come_in_the_order_of_the_calls(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = 3000 };
	static struct got gots[COUNT];
	struct store_lane lane = lane_of(1, ALICE);
	int answered = 0;

	for (uint64_t i = 0; i < COUNT; i++) {
		struct store_job job = job_of(i + 1, ALICE, 1);

		gots[i] = (struct got){ 0 };
		store_submit(f->store, &job, &lane, body_of(i, 100), 100, got_on_done, &gots[i]);
	}
	assert_int_equal(store_backlog(f->store), COUNT);
	assert_int_equal(store_backlog_bytes(f->store), 100 * COUNT);
	while (answered < COUNT) {
		fixture_turn(f);
		while (answered < COUNT && gots[answered].done)
			answered++;
		for (int i = answered; i < COUNT; i++)
			assert_false(gots[i].done);
	}
	assert_int_equal(store_backlog(f->store), 0);
	assert_int_equal(store_backlog_bytes(f->store), 0);
	for (uint64_t i = 0; i < COUNT; i++) {
		assert_int_equal(gots[i].err, FOREBAY_ERR_OK);
		assert_int_equal(gots[i].reply.id, i + 1);
		got_clear(&gots[i]);
	}
}

static void
a_callback_never_runs_inside_the_call(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };

	store_reserve_ids(f->store, 10, got_on_done, &got);
	assert_false(got.done);
	got_wait(f, &got);
	got_clear(&got);
}

static void
close_commits_what_is_waiting_and_calls_nobody(void **state)
{
	struct fixture *f = *state;
	struct store_lane lane = lane_of(1, ALICE);
	struct got got = { 0 };

	for (uint64_t id = 1; id <= 2000; id++) {
		struct store_job job = job_of(id, ALICE, 1);

		store_submit(f->store, &job, &lane, body_of(id, 10), 10, got_on_done, &got);
	}
	fixture_reopen(f);
	assert_false(got.done);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 2000);
	assert_int_equal(store_found(f->store)->next_id, 2001);
}

/* --- idempotency ---------------------------------------------------------------- */

static void
a_key_names_one_job(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1), again = job_of(2, ALICE, 1);
	struct got got = { 0 };

	job.key = again.key = "k";
	memcpy(again.digest, job.digest, sizeof(job.digest));
	submit(f, &job, 10);
	submit_again(f, &got, &again, FOREBAY_ERR_OK);
	assert_true(got.reply.existing);
	assert_int_equal(got.reply.id, 1);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	/* other body; other options */
	again.digest[0] ^= 1;
	submit_again(f, &got, &again, FOREBAY_ERR_KEY_CONFLICT);
	assert_int_equal(got.reply.id, 1);
	again.digest[0] ^= 1;
	again.options[31] ^= 1;
	submit_again(f, &got, &again, FOREBAY_ERR_KEY_CONFLICT);
	/* another owner's key is another key */
	again = job_of(3, BOB, 2);
	again.key = "k";
	submit(f, &again, 10);
	/* nothing was left of the refused ones */
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 2);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_show, 2, ANYBODY, false);
	got_clear(&got);
}

static void
two_with_one_key_in_one_commit(void **state)
{
	struct fixture *f = *state;
	struct store_lane lane = lane_of(1, ALICE);
	struct store_job job = job_of(1, ALICE, 1);
	struct got first = { 0 }, second = { 0 };

	job.key = "same";
	store_submit(f->store, &job, &lane, body_of(1, 10), 10, got_on_done, &first);
	job.head.id = 2;
	store_submit(f->store, &job, &lane, body_of(1, 10), 10, got_on_done, &second);
	got_wait(f, &second);
	assert_false(first.reply.existing);
	assert_true(second.reply.existing);
	assert_int_equal(second.reply.id, 1);
	got_clear(&first);
	got_clear(&second);
}

static void
a_key_lives_as_long_as_its_row(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	job.key = "k";
	submit(f, &job, 10);
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ALICE, ~0u, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	job.head.id = 2;
	submit(f, &job, 10);
	got_clear(&got);
}

static void
a_used_id_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 10);
	submit_again(f, &got, &job, FOREBAY_ERR_INTERNAL);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 1, ALICE);
	assert_body(&got.reply, 1, 10);
	got_clear(&got);
}

/* --- move ------------------------------------------------------------------------- */

static void
move_asks_for_state_and_owner(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 4);
	unsigned waiting = 1u << FOREBAY_JOB_QUEUED | 1u << FOREBAY_JOB_DELAYED;
	struct got got = { 0 };

	submit(f, &job, 10);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_move, 1, BOB, waiting, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS);
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ALICE, 1u << FOREBAY_JOB_DELAYED,
	    FOREBAY_JOB_CANCELED, FOREBAY_ERR_CANCELED, NOW_MS);
	assert_false(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	/* not a legal move, whatever the mask says */
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ALICE, ~0u, FOREBAY_JOB_SUCCEEDED,
	    FOREBAY_ERR_OK, NOW_MS);
	assert_false(got.reply.moved);
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ALICE, waiting, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS + 50);
	assert_true(got.reply.moved);
	assert_int_equal(got.reply.lane, 4);
	assert_int_equal(got.reply.uid, ALICE);
	ASK(f, &got, FOREBAY_ERR_OK, store_result, 1, ALICE);
	assert_int_equal(got.reply.job->error, FOREBAY_ERR_CANCELED);
	assert_int_equal(got.reply.job->ended_ms, NOW_MS + 50);
	assert_int_equal(got.reply.result->error, FOREBAY_ERR_CANCELED);
	assert_null(got.reply.body);
	got_clear(&got);
}

/* --- windows ------------------------------------------------------------------------ */

static void
windows_go_by_priority_then_id(void **state)
{
	struct fixture *f = *state;
	static const int16_t priorities[] = { 0, 5, -100, 0, 5, 100, 0, 0 };
	static const uint64_t order[] = { 6, 2, 5, 1, 4, 7, 8, 3 };
	struct got got = { 0 };
	int16_t priority = INT16_MAX;
	uint64_t id = 0;

	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		struct store_job job = job_of(i + 1, ALICE, 1);

		job.head.priority = priorities[i];
		submit(f, &job, 10);
	}
	struct store_job other = job_of(50, ALICE, 2);
	submit(f, &other, 10);
	/* in steps of every size, each going on where the last one ended */
	for (unsigned step = 1; step <= 9; step++) {
		size_t seen = 0;

		priority = INT16_MAX;
		id = 0;
		do {
			ASK(f, &got, FOREBAY_ERR_OK, store_window, 1, priority, id, step);
			for (size_t i = 0; i < got.reply.head_count; i++)
				assert_int_equal(got.reply.heads[i].id, order[seen++]);
			assert_true(got.reply.head_count <= step);
			assert_int_equal(got.reply.more, seen < ARRAY_LEN(order));
			if (got.reply.head_count) {
				priority = got.reply.heads[got.reply.head_count - 1].priority;
				id = got.reply.heads[got.reply.head_count - 1].id;
			}
		} while (got.reply.more);
		assert_int_equal(seen, ARRAY_LEN(order));
	}
	got_clear(&got);
}

/* --- due ------------------------------------------------------------------------------ */

static void
what_is_due_moves(void **state)
{
	struct fixture *f = *state;
	struct store_job delayed = job_of(1, ALICE, 1), doomed = job_of(2, ALICE, 1),
			 queued = job_of(3, ALICE, 1), never = job_of(4, ALICE, 1);
	struct got got = { 0 };

	delayed.state = doomed.state = FOREBAY_JOB_DELAYED;
	delayed.head.not_before_ms = NOW_MS + 1000;
	doomed.head.not_before_ms = NOW_MS + 5000;
	doomed.head.deadline_ms = NOW_MS + 3000;
	queued.head.deadline_ms = NOW_MS + 2000;
	never.head.deadline_ms = 0;
	submit(f, &delayed, 10);
	submit(f, &doomed, 10);
	submit(f, &queued, 10);
	submit(f, &never, 10);
	ASK(f, &got, FOREBAY_ERR_OK, store_due, NOW_MS, 10);
	assert_int_equal(got.reply.move_count, 0);
	assert_int_equal(got.reply.next_due_ms, NOW_MS + 1000);
	ASK(f, &got, FOREBAY_ERR_OK, store_due, NOW_MS + 1000, 10);
	assert_int_equal(got.reply.move_count, 1);
	assert_int_equal(got.reply.moves[0].head.id, 1);
	assert_int_equal(got.reply.moves[0].from, FOREBAY_JOB_DELAYED);
	assert_int_equal(got.reply.moves[0].to, FOREBAY_JOB_QUEUED);
	assert_int_equal(got.reply.moves[0].uid, ALICE);
	assert_int_equal(got.reply.next_due_ms, NOW_MS + 2000);
	/* the limit holds, the earliest first */
	ASK(f, &got, FOREBAY_ERR_OK, store_due, NOW_MS + 9000, 1);
	assert_int_equal(got.reply.move_count, 1);
	assert_int_equal(got.reply.moves[0].head.id, 3);
	assert_int_equal(got.reply.moves[0].to, FOREBAY_JOB_EXPIRED);
	assert_int_equal(got.reply.next_due_ms, NOW_MS + 3000);
	ASK(f, &got, FOREBAY_ERR_OK, store_due, NOW_MS + 9000, 10);
	assert_int_equal(got.reply.move_count, 1);
	assert_int_equal(got.reply.moves[0].head.id, 2);
	assert_int_equal(got.reply.moves[0].to, FOREBAY_JOB_EXPIRED);
	assert_int_equal(got.reply.next_due_ms, delayed.head.deadline_ms);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 3, ALICE, false);
	assert_int_equal(got.reply.job->error, FOREBAY_ERR_DEADLINE);
	assert_int_equal(got.reply.job->ended_ms, NOW_MS + 9000);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->next_due_ms, delayed.head.deadline_ms);
	got_clear(&got);
}

static void
a_running_job_is_not_due(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 10);
	start(f, 1, 1);
	ASK(f, &got, FOREBAY_ERR_OK, store_due, job.head.deadline_ms + 1, 10);
	assert_int_equal(got.reply.move_count, 0);
	assert_true(got.reply.next_due_ms == INT64_MAX);
	got_clear(&got);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_empty_store_has_nothing),
		STORE_TEST(a_job_comes_back_as_submitted),
		STORE_TEST(answers_come_in_the_order_of_the_calls),
		STORE_TEST(a_callback_never_runs_inside_the_call),
		STORE_TEST(close_commits_what_is_waiting_and_calls_nobody),
		STORE_TEST(a_key_names_one_job),
		STORE_TEST(two_with_one_key_in_one_commit),
		STORE_TEST(a_key_lives_as_long_as_its_row),
		STORE_TEST(a_used_id_is_refused),
		STORE_TEST(move_asks_for_state_and_owner),
		STORE_TEST(windows_go_by_priority_then_id),
		STORE_TEST(what_is_due_moves),
		STORE_TEST(a_running_job_is_not_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
