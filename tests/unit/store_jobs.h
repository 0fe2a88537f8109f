/*
 * store_jobs.h - jobs, bodies and their usual ways through a store. For
 * tests/unit/test_store*.c.
 */
#ifndef TESTS_UNIT_STORE_JOBS_H
#define TESTS_UNIT_STORE_JOBS_H

#include "tests/unit/store_answers.h"

#define NOW_MS	1795513868000
#define HOUR_MS 3600000
#define ANYBODY ((uid_t)-1)
#define ALICE	((uid_t)1001)
#define BOB	((uid_t)1002)

static inline struct store_lane
lane_of(uint32_t id, uid_t uid)
{
	return (struct store_lane){ .id = id, .uid = uid, .class = 1, .route = "opus|gate|never" };
}

static inline struct store_job
job_of(uint64_t id, uid_t uid, uint32_t lane)
{
	struct store_job job = {
		.head = { .id = id,
			  .created_ms = NOW_MS,
			  .deadline_ms = NOW_MS + 24 * HOUR_MS,
			  .lane = lane,
			  .max_attempts = 5,
			  .cost_input = 1000,
			  .cost_output = 2000 },
		.state = FOREBAY_JOB_QUEUED,
		.uid = uid,
		.class = 1,
		.keep_ms = 7 * 24 * HOUR_MS,
		.model = "claude-opus-5-5",
		.version = "2023-06-01",
	};

	memset(job.digest, (int)(id & 0xff), sizeof(job.digest));
	memset(job.options, 7, sizeof(job.options));
	return job;
}

/* len bytes that depend on seed and place. */
static inline uint8_t *
body_of(uint64_t seed, size_t len)
{
	uint8_t *body = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8) + (i >> 16));
	body[len] = 0;
	return body;
}

static inline void
assert_body(const struct store_reply *reply, uint64_t seed, size_t len)
{
	uint8_t *want = body_of(seed, len);

	assert_int_equal(reply->body_len, len);
	assert_non_null(reply->body);
	assert_memory_equal(reply->body, want, len);
	free(want);
}

static inline void
submit(struct fixture *f, const struct store_job *job, size_t body_len)
{
	struct store_lane lane = lane_of(job->head.lane, job->uid);
	struct got got = { 0 };

	ASK(f, &got, FOREBAY_ERR_OK, store_submit, job, &lane, body_of(job->head.id, body_len),
	    body_len);
	assert_int_equal(got.reply.id, job->head.id);
	assert_false(got.reply.existing);
	got_clear(&got);
}

static inline void
submit_again(struct fixture *f, struct got *got, const struct store_job *job, enum forebay_err want)
{
	struct store_lane lane = lane_of(job->head.lane, job->uid);

	ASK(f, got, want, store_submit, job, &lane, body_of(1, 10), 10);
}

static inline struct store_attempt
attempt_of(uint64_t job, uint32_t number)
{
	return (struct store_attempt){ .job = job,
				       .number = number,
				       .started_ms = NOW_MS + 1000 * (int64_t)number,
				       .waited_ms = 5,
				       .model = "claude-opus-5-5",
				       .sent = true };
}

static inline void
start(struct fixture *f, uint64_t id, uint32_t number)
{
	struct store_attempt attempt = attempt_of(id, number);
	struct got got = { 0 };

	ASK(f, &got, FOREBAY_ERR_OK, store_start, &attempt);
	assert_true(got.reply.moved);
	got_clear(&got);
}

static inline struct store_end
end_of(uint64_t id, uint32_t number, enum forebay_job_state to, const char *outcome)
{
	struct store_end end = { .to = to, .attempt = attempt_of(id, number), .attempts = 1 };

	end.attempt.ended_ms = end.attempt.started_ms + 700;
	end.attempt.outcome = outcome;
	end.attempt.counted = true;
	return end;
}

static inline void
finish(struct fixture *f, uint64_t id, uint32_t number, size_t answer_len)
{
	struct store_result result = { .http_status = 200,
				       .model_served = "claude-opus-5-5-20261101",
				       .request_id = "req_1",
				       .stop_reason = "end_turn",
				       .input_tokens = 11,
				       .output_tokens = 22,
				       .cache_read_tokens = 33,
				       .cache_write_tokens = 44 };
	struct store_end end = end_of(id, number, FOREBAY_JOB_SUCCEEDED, "succeeded");
	struct got got = { 0 };

	end.result = &result;
	end.body = body_of(id + 1000, answer_len);
	end.body_len = answer_len;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	assert_true(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_SUCCEEDED);
	got_clear(&got);
}

#endif
