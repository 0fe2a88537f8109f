/*
 * test_store_runs.c - the store and the attempts of a job: start, finish, the
 * ledger, and what a restart makes of jobs that were running.
 */
#include "tests/unit/store_file.h"
#include "tests/unit/store_jobs.h"

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

/* A storm before the job had a row: 99 refused, and one in the middle that counted. */
enum { STORM = 100, STORM_MIDDLE = 50 };

static void
make_storm(struct store_attempt *ret)
{
	for (uint32_t n = 1; n <= STORM; n++) {
		ret[n - 1] = attempt_of(0, n);
		ret[n - 1].outcome = n == STORM_MIDDLE ? "fault" : n & 1 ? "overloaded" : "limited";
		ret[n - 1].counted = n == STORM_MIDDLE;
		ret[n - 1].ended_ms = NOW_MS + n;
	}
}

static void
check_storm(const struct store_reply *reply, size_t more)
{
	assert_int_equal(reply->attempt_count, 41 + more);
	assert_int_equal(reply->attempts_left_out, STORM - 1 - 40);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(reply->attempts[i].number, i + 1);
	assert_int_equal(reply->attempts[20].number, STORM_MIDDLE);
	assert_string_equal(reply->attempts[20].outcome, "fault");
	assert_true(reply->attempts[20].counted);
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(reply->attempts[21 + i].number, STORM - 19 + i);
		assert_string_equal(reply->attempts[21 + i].outcome,
				    i & 1 ? "limited" : "overloaded");
	}
}

static void
record_keeps_both_ends_of_a_storm(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(7, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	struct store_end end = end_of(7, STORM + 1, FOREBAY_JOB_SUCCEEDED, "succeeded");
	struct store_attempt earlier[STORM];
	struct got got = { 0 };

	make_storm(earlier);
	job.ephemeral = true;
	job.head.tries = STORM + 1;
	end.earlier = earlier;
	end.earlier_count = STORM;
	ASK(f, &got, FOREBAY_ERR_OK, store_record, &job, &lane, &end);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 7, ALICE, true);
	check_storm(&got.reply, 1);
	assert_int_equal(got.reply.attempts[41].number, STORM + 1);
	assert_string_equal(got.reply.attempts[41].outcome, "succeeded");
	got_clear(&got);
}

static void
a_job_that_becomes_a_row_brings_its_ledger(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(7, ALICE, 1);
	struct store_end end = end_of(7, STORM + 1, FOREBAY_JOB_QUEUED, "overloaded");
	struct store_attempt earlier[STORM];
	struct got got = { 0 };

	make_storm(earlier);
	job.ephemeral = true;
	job.head.tries = STORM;
	job.head.attempts = 1;
	job.earlier = earlier;
	job.earlier_count = STORM;
	submit(f, &job, 300);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 7, ALICE, true);
	check_storm(&got.reply, 0);
	assert_int_equal(got.reply.job->head.tries, STORM);
	assert_int_equal(got.reply.job->head.attempts, 1);
	/* and the storm goes on */
	start(f, 7, STORM + 1);
	end.attempt.counted = false;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 7, ALICE, true);
	assert_int_equal(got.reply.attempt_count, 41);
	assert_int_equal(got.reply.attempts_left_out, STORM - 40);
	assert_int_equal(got.reply.attempts[19].number, 20);
	assert_int_equal(got.reply.attempts[21].number, STORM - 18);
	got_clear(&got);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void
check_damaged(struct fixture *f, uint64_t id)
{
	struct store_attempt attempt = attempt_of(id, 1);
	struct store_result result = { .error = FOREBAY_ERR_INTERNAL, .message = "damaged" };
	struct store_end end = end_of(id, 1, FOREBAY_JOB_FAILED, "fault");
	struct got got = { 0 };

	ASK(f, &got, FOREBAY_ERR_INTERNAL, store_start, &attempt);
	assert_true(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_RUNNING);
	assert_int_equal(got.reply.job->head.id, id);
	assert_null(got.reply.body);
	end.error = FOREBAY_ERR_INTERNAL;
	end.result = &result;
	end.attempt.sent = end.attempt.counted = false;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	assert_true(got.reply.moved);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, id, ALICE, true);
	assert_int_equal(got.reply.state, FOREBAY_JOB_FAILED);
	assert_string_equal(got.reply.result->message, "damaged");
	assert_int_equal(got.reply.attempt_count, 1);
	assert_false(got.reply.attempts[0].sent);
	ASK(f, &got, FOREBAY_ERR_INTERNAL, store_request, id, ALICE);
	got_clear(&got);
}

static void
a_job_whose_body_is_damaged_can_fail(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 10, 10, 1000000, 1000000, 1000000, 10 };
	struct got got = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store_job job = job_of(i + 1, ALICE, 1);

		submit(f, &job, sizes[i]);
	}
	fixture_close(f);
	file_run(f, "UPDATE body SET data = x'00' WHERE id = 4");
	file_run(f, "DELETE FROM body WHERE id IN (8, 12)");
	file_run(f, "DELETE FROM chunk WHERE id = 4096 * 16 + 1");
	file_run(f, "UPDATE chunk SET data = x'00' WHERE id = 4096 * 20 + 2");
	fixture_open(f);
	for (uint64_t id = 1; id <= 5; id++)
		check_damaged(f, id);
	/* nobody else is concerned */
	start(f, 6, 1);
	assert_int_equal(f->broken_calls, 0);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_FAILED], 5);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 1);
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

static void
lose(struct fixture *f, uint32_t first, uint32_t times)
{
	for (uint32_t n = first; n < first + times; n++) {
		start(f, 1, n);
		fixture_reopen(f);
	}
}

static void
end_one(struct fixture *f, uint32_t number, const char *outcome, bool counted)
{
	struct store_end end = end_of(1, number, FOREBAY_JOB_QUEUED, outcome);
	struct got got = { 0 };

	start(f, 1, number);
	end.attempt.counted = counted;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	got_clear(&got);
}

static void
a_job_that_is_always_lost_fails_in_the_end(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1), other = job_of(2, ALICE, 1);
	struct got got = { 0 };

	job.head.max_attempts = 2; /* 20 in a row */
	submit(f, &job, 10);
	submit(f, &other, 10);
	lose(f, 1, 19);
	end_one(f, 20, "fault", true);
	lose(f, 21, 10);
	end_one(f, 31, "overloaded", false); /* says nothing about the job */
	lose(f, 32, 9);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, false);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	start(f, 2, 1); /* beside it, for the first time */
	lose(f, 41, 1);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.state, FOREBAY_JOB_FAILED);
	assert_int_equal(got.reply.job->error, FOREBAY_ERR_INTERNAL);
	assert_non_null(strstr(got.reply.result->message, "stopped 20 times in a row"));
	assert_string_equal(got.reply.attempts[got.reply.attempt_count - 1].outcome, "unknown");
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 2, ALICE, false);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	got_clear(&got);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(start_gives_job_and_body_once),
		STORE_TEST(finish_keeps_the_answer),
		STORE_TEST(finish_again_puts_it_back),
		STORE_TEST(finish_with_raw_events_and_an_error),
		STORE_TEST(a_late_answer_is_kept_and_marked),
		STORE_TEST(the_ledger_keeps_both_ends_of_a_storm),
		STORE_TEST(record_keeps_an_ephemeral_job),
		STORE_TEST(record_keeps_both_ends_of_a_storm),
		STORE_TEST(a_job_that_becomes_a_row_brings_its_ledger),
		STORE_TEST(a_job_whose_body_is_damaged_can_fail),
		STORE_TEST(running_jobs_come_back),
		STORE_TEST(or_fail_when_asked_to),
		STORE_TEST(a_job_that_is_always_lost_fails_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
