/*
 * test_store.c - every operation of the store against a real SQLite file.
 */
#include "tests/unit/store_fixture.h"

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
submit_again(struct fixture *f, struct got *got, const struct store_job *job, enum forebay_err want)
{
	struct store_lane lane = lane_of(job->head.lane, job->uid);

	ASK(f, got, want, store_submit, job, &lane, body_of(1, 10), 10);
}

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

/* --- the life of a job ------------------------------------------------------------ */

static void
start_gives_job_and_body_once(void **state)
{
	struct fixture *f = *state;
	struct store_attempt attempt = attempt_of(1, 1);
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 500);
	ASK(f, &got, FOREBAY_ERR_OK, store_start, &attempt);
	assert_true(got.reply.moved);
	assert_int_equal(got.reply.job->head.id, 1);
	assert_int_equal(got.reply.job->state, FOREBAY_JOB_RUNNING);
	assert_int_equal(got.reply.job->head.tries, 1);
	assert_int_equal(got.reply.job->started_ms, attempt.started_ms);
	assert_body(&got.reply, 1, 500);
	/* the race is lost */
	attempt.number = 2;
	ASK(f, &got, FOREBAY_ERR_OK, store_start, &attempt);
	assert_false(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_RUNNING);
	assert_null(got.reply.body);
	attempt.job = 99;
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_start, &attempt);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.attempt_count, 1);
	assert_true(got.reply.attempts[0].sent);
	assert_int_equal(got.reply.attempts[0].ended_ms, 0);
	assert_null(got.reply.attempts[0].outcome);
	got_clear(&got);
}

static void
finish_keeps_the_answer(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 500);
	start(f, 1, 1);
	finish(f, 1, 1, 700);
	fixture_reopen(f);
	ASK(f, &got, FOREBAY_ERR_OK, store_result, 1, ALICE);
	assert_int_equal(got.reply.state, FOREBAY_JOB_SUCCEEDED);
	assert_body(&got.reply, 1001, 700);
	assert_int_equal(got.reply.result->http_status, 200);
	assert_int_equal(got.reply.result->body_len, 700);
	assert_string_equal(got.reply.result->model_served, "claude-opus-5-5-20261101");
	assert_string_equal(got.reply.result->request_id, "req_1");
	assert_string_equal(got.reply.result->stop_reason, "end_turn");
	assert_null(got.reply.result->message);
	assert_int_equal(got.reply.result->input_tokens, 11);
	assert_int_equal(got.reply.result->output_tokens, 22);
	assert_int_equal(got.reply.result->cache_read_tokens, 33);
	assert_int_equal(got.reply.result->cache_write_tokens, 44);
	assert_int_equal(got.reply.job->started_ms, NOW_MS + 1000);
	assert_int_equal(got.reply.job->ended_ms, NOW_MS + 1700);
	assert_int_equal(got.reply.job->head.attempts, 1);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.attempt_count, 1);
	assert_string_equal(got.reply.attempts[0].outcome, "succeeded");
	assert_true(got.reply.attempts[0].counted);
	assert_int_equal(got.reply.attempts[0].ended_ms, NOW_MS + 1700);
	got_clear(&got);
}

static void
finish_again_puts_it_back(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct store_end end = end_of(1, 1, FOREBAY_JOB_QUEUED, "fault");
	struct got got = { 0 };

	submit(f, &job, 10);
	start(f, 1, 1);
	end.attempt.error_type = "api_error";
	end.attempt.message = "boom";
	end.attempt.http_status = 500;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	assert_true(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	ASK(f, &got, FOREBAY_ERR_OK, store_window, 1, INT16_MAX, 0, 10);
	assert_int_equal(got.reply.head_count, 1);
	assert_int_equal(got.reply.heads[0].attempts, 1);
	assert_int_equal(got.reply.heads[0].tries, 1);
	start(f, 1, 2);
	finish(f, 1, 2, 10);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.attempt_count, 2);
	assert_string_equal(got.reply.attempts[0].error_type, "api_error");
	assert_string_equal(got.reply.attempts[0].message, "boom");
	assert_int_equal(got.reply.attempts[0].http_status, 500);
	assert_int_equal(got.reply.job->started_ms, NOW_MS + 1000);
	got_clear(&got);
}

static void
finish_with_raw_events_and_an_error(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct store_result result = { .error = FOREBAY_ERR_API_ERROR,
				       .http_status = 400,
				       .message = "no such model",
				       .unassembled = true };
	struct store_end end = end_of(1, 1, FOREBAY_JOB_FAILED, "refused");
	struct got got = { 0 };

	submit(f, &job, 10);
	start(f, 1, 1);
	end.error = FOREBAY_ERR_API_ERROR;
	end.result = &result;
	end.body = body_of(5, 40);
	end.body_len = 40;
	end.raw = body_of(6, 90000);
	end.raw_len = 90000;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	ASK(f, &got, FOREBAY_ERR_OK, store_result, 1, ALICE);
	assert_int_equal(got.reply.job->error, FOREBAY_ERR_API_ERROR);
	assert_int_equal(got.reply.result->error, FOREBAY_ERR_API_ERROR);
	assert_string_equal(got.reply.result->message, "no such model");
	assert_true(got.reply.result->unassembled);
	assert_body(&got.reply, 5, 40);
	got_clear(&got);
}

static void
a_late_answer_is_kept_and_marked(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct store_result result = { .http_status = 200 };
	struct store_end end = end_of(1, 1, FOREBAY_JOB_SUCCEEDED, "succeeded");
	struct got got = { 0 };

	submit(f, &job, 10);
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ANYBODY, 1u << FOREBAY_JOB_QUEUED,
	    FOREBAY_JOB_BATCHED, FOREBAY_ERR_OK, NOW_MS);
	ASK(f, &got, FOREBAY_ERR_OK, store_due, job.head.deadline_ms, 10);
	assert_int_equal(got.reply.move_count, 1);
	assert_int_equal(got.reply.moves[0].to, FOREBAY_JOB_EXPIRED);
	end.result = &result;
	end.body = body_of(9, 20);
	end.body_len = 20;
	end.late = true;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	assert_false(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_EXPIRED);
	ASK(f, &got, FOREBAY_ERR_OK, store_result, 1, ALICE);
	assert_true(got.reply.job->late);
	assert_int_equal(got.reply.job->error, FOREBAY_ERR_DEADLINE);
	assert_body(&got.reply, 9, 20);
	got_clear(&got);
}

static void
the_ledger_keeps_both_ends_of_a_storm(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };
	enum { TRIES = 100 };

	submit(f, &job, 10);
	for (uint32_t n = 1; n <= TRIES; n++) {
		struct store_end end =
		    end_of(1, n, FOREBAY_JOB_QUEUED,
			   n == 50 ? "fault" : (n & 1 ? "overloaded" : "limited"));

		end.attempt.counted = n == 50;
		start(f, 1, n);
		ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	}
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.attempt_count, 41);
	assert_int_equal(got.reply.attempts_left_out, 99 - 40);
	assert_int_equal(got.reply.job->head.tries, TRIES);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(got.reply.attempts[i].number, i + 1);
	assert_int_equal(got.reply.attempts[20].number, 50);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(got.reply.attempts[21 + i].number, 81 + i);
	got_clear(&got);
}

static void
record_keeps_an_ephemeral_job(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(7, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	struct store_result result = { .http_status = 200, .output_tokens = 5 };
	struct store_attempt earlier = attempt_of(7, 1);
	struct store_end end = end_of(7, 2, FOREBAY_JOB_SUCCEEDED, "succeeded");
	struct got got = { 0 };

	job.ephemeral = true;
	job.head.body_len = 321;
	job.started_ms = NOW_MS + 1;
	job.ended_ms = NOW_MS + 9;
	job.head.tries = 2;
	earlier.outcome = "overloaded";
	earlier.ended_ms = NOW_MS + 5;
	end.result = &result;
	end.body = body_of(1, 30);
	end.body_len = 30;
	end.earlier = &earlier;
	end.earlier_count = 1;
	ASK(f, &got, FOREBAY_ERR_OK, store_record, &job, &lane, &end);
	assert_int_equal(got.reply.state, FOREBAY_JOB_SUCCEEDED);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 7, ALICE, true);
	assert_true(got.reply.job->ephemeral);
	assert_int_equal(got.reply.attempt_count, 2);
	assert_string_equal(got.reply.attempts[0].outcome, "overloaded");
	assert_int_equal(got.reply.result->output_tokens, 5);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 7, ALICE);
	assert_null(got.reply.body);
	ASK(f, &got, FOREBAY_ERR_OK, store_result, 7, ALICE);
	assert_body(&got.reply, 1, 30);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_SUCCEEDED], 1);
	assert_int_equal(store_found(f->store)->lanes[0].bytes, 0);
	assert_int_equal(store_found(f->store)->next_id, 8);
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
	delayed.not_before_ms = NOW_MS + 1000;
	doomed.not_before_ms = NOW_MS + 5000;
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

/* --- delete, sweep, retry --------------------------------------------------------------- */

static void
only_final_jobs_are_deleted(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 10);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	assert_false(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	start(f, 1, 1);
	finish(f, 1, 1, 100000);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_delete, 1, BOB);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	assert_true(got.reply.moved);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_delete, 1, ALICE);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_result, 1, ALICE);
	fixture_reopen(f);
	/* ids are never given out again, not even those of rows that are gone */
	assert_int_equal(store_found(f->store)->next_id, 2);
	assert_int_equal(store_found(f->store)->lane_count, 0);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_SUCCEEDED], 0);
	got_clear(&got);
}

static void
sweep_removes_what_is_past_its_time(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };
	size_t removed = 0;

	for (uint64_t id = 1; id <= 30; id++) {
		struct store_job job = job_of(id, ALICE, 1);

		job.keep_ms = id <= 20 ? 1000 : INT64_MAX - 5;
		submit(f, &job, 10);
		if (id == 20)
			continue; /* still queued: stays */
		start(f, id, 1);
		finish(f, id, 1, 10);
	}
	ASK(f, &got, FOREBAY_ERR_OK, store_sweep, NOW_MS + 2000, 100);
	assert_int_equal(got.reply.move_count, 0);
	assert_false(got.reply.more);
	do {
		ASK(f, &got, FOREBAY_ERR_OK, store_sweep, NOW_MS + HOUR_MS, 4);
		assert_true(got.reply.move_count <= 4);
		removed += got.reply.move_count;
	} while (got.reply.more);
	assert_int_equal(removed, 19);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_SUCCEEDED], 10);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 1);
	got_clear(&got);
}

static void
retry_shares_the_body(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1), again = job_of(2, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	size_t len = 700000; /* in pieces */
	struct got got = { 0 };

	submit(f, &job, len);
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ALICE, ~0u, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS);
	again.retry_of = 1;
	ASK(f, &got, FOREBAY_ERR_OK, store_submit, &again, &lane, NULL, 0);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	assert_true(got.reply.moved);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->lanes[0].bytes, len);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 2, ALICE);
	assert_int_equal(got.reply.job->retry_of, 1);
	assert_int_equal(got.reply.job->head.body_len, len);
	assert_body(&got.reply, 1, len);
	/* a third one, of the second */
	again.head.id = 3;
	again.retry_of = 2;
	ASK(f, &got, FOREBAY_ERR_OK, store_submit, &again, &lane, NULL, 0);
	again.head.id = 4;
	again.retry_of = 1;
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_submit, &again, &lane, NULL, 0);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 3, ALICE);
	assert_body(&got.reply, 1, len);
	got_clear(&got);
}

/* --- states, list ------------------------------------------------------------------------- */

static void
states_answer_in_the_order_asked(void **state)
{
	struct fixture *f = *state;
	struct store_job one = job_of(1, ALICE, 1), two = job_of(2, BOB, 2);
	const uint64_t ids[] = { 2, 99, 1, 2 };
	struct got got = { 0 };

	submit(f, &one, 10);
	submit(f, &two, 10);
	start(f, 2, 1);
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, 4, ANYBODY);
	assert_int_equal(got.reply.move_count, 4);
	assert_int_equal(got.reply.moves[0].from, FOREBAY_JOB_RUNNING);
	assert_int_equal(got.reply.moves[0].uid, BOB);
	assert_false(got.reply.moves[1].found);
	assert_int_equal(got.reply.moves[1].head.id, 99);
	assert_int_equal(got.reply.moves[2].to, FOREBAY_JOB_QUEUED);
	assert_true(got.reply.moves[3].found);
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, 4, ALICE);
	assert_false(got.reply.moves[0].found);
	assert_true(got.reply.moves[2].found);
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, 0, ALICE);
	assert_int_equal(got.reply.move_count, 0);
	got_clear(&got);
}

static void
fill_for_list(struct fixture *f, uint64_t count)
{
	struct store_lane lane = lane_of(1, ALICE);
	struct got got = { 0 };

	for (uint64_t id = 1; id <= count; id++) {
		struct store_job job = job_of(id, id % 2 ? ALICE : BOB, 1);

		job.label = id % 5000 == 0 ? "rare" : "common";
		job.model = id % 3 ? "a" : "b";
		job.head.created_ms = NOW_MS + (int64_t)id;
		store_submit(f->store, &job, &lane, body_of(id, 10), 10,
			     id == count ? got_on_done : NULL, &got);
	}
	got_wait(f, &got);
	got_clear(&got);
}

static size_t
list_all(struct fixture *f, struct store_filter *filter, unsigned *ret_calls)
{
	struct got got = { 0 };
	uint64_t before = UINT64_MAX;
	size_t seen = 0;

	*ret_calls = 0;
	do {
		ASK(f, &got, FOREBAY_ERR_OK, store_list, filter);
		(*ret_calls)++;
		for (size_t i = 0; i < got.reply.job_count; i++) {
			assert_true(got.reply.jobs[i].head.id < before);
			before = got.reply.jobs[i].head.id;
		}
		assert_true(got.reply.job_count <= filter->limit);
		seen += got.reply.job_count;
		filter->before_id = got.reply.next_id;
	} while (got.reply.more);
	got_clear(&got);
	return seen;
}

static void
list_pages_over_many_rows(void **state)
{
	struct fixture *f = *state;
	const struct store_filter all = { .uid = ANYBODY, .state = -1, .limit = 1000 };
	struct store_filter filter = all;
	unsigned calls;

	fill_for_list(f, 22000);
	assert_int_equal(list_all(f, &filter, &calls), 22000);
	assert_int_equal(calls, 22);
	filter = all;
	filter.label = "rare";
	filter.uid = BOB;
	assert_int_equal(list_all(f, &filter, &calls), 4); /* all 5,000s are even */
	assert_true(calls > 1);
	filter = all;
	filter.model = "b";
	filter.since_ms = NOW_MS + 21991; /* 21993 21996 21999 */
	assert_int_equal(list_all(f, &filter, &calls), 3);
	filter = all;
	filter.state = FOREBAY_JOB_RUNNING;
	assert_int_equal(list_all(f, &filter, &calls), 0);
	filter = all;
	filter.before_id = 11;
	filter.limit = 3;
	assert_int_equal(list_all(f, &filter, &calls), 10);
	assert_int_equal(calls, 4);
}

/* --- big bodies ------------------------------------------------------------------------------ */

static void
bodies_of_every_size_come_back(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0,	1,	65535,	65536,	65537,	262143,
					262144, 262145, 524288, 524289, 1500000 };
	struct got got = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store_job job = job_of(i + 1, ALICE, 1);

		submit(f, &job, sizes[i]);
		start(f, i + 1, 1);
		finish(f, i + 1, 1, sizes[i]);
	}
	fixture_reopen(f);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		ASK(f, &got, FOREBAY_ERR_OK, store_request, i + 1, ALICE);
		assert_body(&got.reply, i + 1, sizes[i]);
		ASK(f, &got, FOREBAY_ERR_OK, store_result, i + 1, ALICE);
		assert_body(&got.reply, i + 1001, sizes[i]);
	}
	got_clear(&got);
}

static void
a_huge_body_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	size_t len = 32u << 20;
	struct store_lane lane = lane_of(1, ALICE);
	struct store_job huge = job_of(1, ALICE, 1), small = job_of(2, ALICE, 1);
	struct got first = { 0 }, second = { 0 };

	store_submit(f->store, &huge, &lane, body_of(1, len), len, got_on_done, &first);
	store_submit(f->store, &small, &lane, body_of(2, 10), 10, got_on_done, &second);
	got_wait(f, &second);
	assert_false(first.done);
	got_wait(f, &first);
	assert_int_equal(first.err, FOREBAY_ERR_OK);
	got_clear(&first);
	got_clear(&second);
	/* reading it neither */
	store_request(f->store, 1, ALICE, got_on_done, &first);
	store_show(f->store, 2, ALICE, false, got_on_done, &second);
	got_wait(f, &second);
	assert_false(first.done);
	got_wait(f, &first);
	assert_body(&first.reply, 1, len);
	got_clear(&first);
	got_clear(&second);
}

static void
a_body_deleted_while_read_is_not_found(void **state)
{
	struct fixture *f = *state;
	size_t len = 8u << 20;
	struct store_job job = job_of(1, ALICE, 1);
	struct got read = { 0 }, gone = { 0 };

	submit(f, &job, len);
	ASK(f, &gone, FOREBAY_ERR_OK, store_move, 1, ALICE, ~0u, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS);
	got_clear(&gone);
	store_request(f->store, 1, ALICE, got_on_done, &read);
	store_delete(f->store, 1, ALICE, got_on_done, &gone);
	got_wait(f, &read);
	/* whole, or not at all: the pieces go only after the readers */
	if (read.err == FOREBAY_ERR_OK)
		assert_body(&read.reply, 1, len);
	else
		assert_int_equal(read.err, FOREBAY_ERR_NOT_FOUND);
	got_wait(f, &gone);
	assert_true(gone.reply.moved);
	got_clear(&read);
	got_clear(&gone);
}

static void
what_is_deleted_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };
	uint64_t before, after, unused;

	for (uint64_t id = 1; id <= 12; id++) {
		struct store_job job = job_of(id, ALICE, 1);

		submit(f, &job, 4u << 20);
		ASK(f, &got, FOREBAY_ERR_OK, store_move, id, ALICE, ~0u, FOREBAY_JOB_CANCELED,
		    FOREBAY_ERR_CANCELED, NOW_MS);
		ASK(f, &got, FOREBAY_ERR_OK, store_delete, id, ALICE);
		if (id != 1)
			continue;
		fixture_reopen(f);
		store_disk(f->store, &before, &unused);
	}
	/* trash that was left by a stop is found again */
	fixture_reopen(f);
	do {
		fixture_reopen(f);
		store_disk(f->store, &after, &unused);
	} while (after > before + (1u << 20));
	got_clear(&got);
}

/* --- ids, gates, disk ------------------------------------------------------------------------- */

static void
reserved_ids_stay_reserved(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };

	ASK(f, &got, FOREBAY_ERR_OK, store_reserve_ids, 1025);
	ASK(f, &got, FOREBAY_ERR_OK, store_reserve_ids, 500);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->next_id, 1025);
	struct store_job job = job_of(5000, ALICE, 1);
	submit(f, &job, 10);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->next_id, 5001);
	got_clear(&got);
}

static void
gates_are_saved(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };

	store_save_gate(f->store, "key", "closed", NULL, NULL);
	ASK(f, &got, FOREBAY_ERR_OK, store_save_gate, "claude-opus-5-5", "v1 open 0.5");
	ASK(f, &got, FOREBAY_ERR_OK, store_save_gate, "key", "open");
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->gate_count, 2);
	assert_string_equal(store_found(f->store)->gates[0].name, "claude-opus-5-5");
	assert_string_equal(store_found(f->store)->gates[0].text, "v1 open 0.5");
	assert_string_equal(store_found(f->store)->gates[1].text, "open");
	got_clear(&got);
}

static void
too_little_space_refuses_submits_only(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1), other = job_of(2, ALICE, 1);
	const char *why = NULL;
	struct got got = { 0 };

	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_OK);
	submit(f, &job, 10);
	f->config.min_free = UINT64_MAX;
	fixture_reopen(f);
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(why, "min_free"));
	submit_again(f, &got, &other, FOREBAY_ERR_STORAGE);
	start(f, 1, 1);
	finish(f, 1, 1, 10);
	f->config.min_free = 0;
	f->config.max_store = 8192;
	fixture_reopen(f);
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(why, "max_store"));
	got_clear(&got);
}

static void
an_idle_store_has_a_heartbeat(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };
	uint64_t last;

	ASK(f, &got, FOREBAY_ERR_OK, store_reserve_ids, 10);
	last = store_heartbeat(f->store);
	while (store_heartbeat(f->store) == last)
		; /* until the thread is back at its wait: it never works for long */
	got_clear(&got);
}

/* --- recovery --------------------------------------------------------------------------------- */

static void
running_jobs_come_back(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };

	for (uint64_t id = 1; id <= 600; id++) {
		struct store_job job = job_of(id, ALICE, 1);

		submit(f, &job, 10);
		if (id > 1)
			start(f, id, 1);
	}
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->recovered, 599);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 600);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_RUNNING], 0);
	assert_int_equal(store_found(f->store)->lanes[0].queued, 600);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 2, ALICE, true);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	assert_string_equal(got.reply.attempts[0].outcome, "unknown");
	assert_int_equal(got.reply.attempts[0].ended_ms, 0);
	start(f, 2, 2);
	got_clear(&got);
}

static void
or_fail_when_asked_to(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 10);
	start(f, 1, 1);
	f->config.fail_on_crash = true;
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_FAILED], 1);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.state, FOREBAY_JOB_FAILED);
	assert_int_equal(got.reply.job->error, FOREBAY_ERR_INTERNAL);
	assert_non_null(strstr(got.reply.result->message, "may have been billed"));
	assert_string_equal(got.reply.attempts[0].outcome, "unknown");
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
		STORE_TEST(start_gives_job_and_body_once),
		STORE_TEST(finish_keeps_the_answer),
		STORE_TEST(finish_again_puts_it_back),
		STORE_TEST(finish_with_raw_events_and_an_error),
		STORE_TEST(a_late_answer_is_kept_and_marked),
		STORE_TEST(the_ledger_keeps_both_ends_of_a_storm),
		STORE_TEST(record_keeps_an_ephemeral_job),
		STORE_TEST(move_asks_for_state_and_owner),
		STORE_TEST(windows_go_by_priority_then_id),
		STORE_TEST(what_is_due_moves),
		STORE_TEST(a_running_job_is_not_due),
		STORE_TEST(only_final_jobs_are_deleted),
		STORE_TEST(sweep_removes_what_is_past_its_time),
		STORE_TEST(retry_shares_the_body),
		STORE_TEST(states_answer_in_the_order_asked),
		STORE_TEST(list_pages_over_many_rows),
		STORE_TEST(bodies_of_every_size_come_back),
		STORE_TEST(a_huge_body_holds_up_nobody),
		STORE_TEST(a_body_deleted_while_read_is_not_found),
		STORE_TEST(what_is_deleted_is_used_again),
		STORE_TEST(reserved_ids_stay_reserved),
		STORE_TEST(gates_are_saved),
		STORE_TEST(too_little_space_refuses_submits_only),
		STORE_TEST(an_idle_store_has_a_heartbeat),
		STORE_TEST(running_jobs_come_back),
		STORE_TEST(or_fail_when_asked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
