/*
 * store_fixture.h - a store in a directory of its own, and a loop that is driven
 * until an answer is there, with a deadline. For tests/unit/test_store*.c.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "daemon/store/arena.h"
#include "daemon/store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#define NOW_MS	   1795513868000
#define HOUR_MS	   3600000
#define ANYBODY	   ((uid_t)-1)
#define ALICE	   ((uid_t)1001)
#define BOB	   ((uid_t)1002)
#define PATIENCE_S 20

struct fixture {
	char dir[64];
	struct event_base *base;
	struct event *deadline;
	struct store *store;
	struct store_config config;
	char why[512];
	/* what the events said */
	int writable_calls, broken_calls;
	bool writable;
	char event_why[256];
	bool late; /* the deadline passed */
};

/* One answer, kept beyond its callback. */
struct got {
	bool done;
	enum forebay_err err;
	struct store_reply reply;
	struct arena arena;
};

static inline void
fixture_on_writable(bool writable, const char *why, void *arg)
{
	struct fixture *f = arg;

	f->writable_calls++;
	f->writable = writable;
	snprintf(f->event_why, sizeof(f->event_why), "%s", why);
}

static inline void
fixture_on_broken(const char *why, void *arg)
{
	struct fixture *f = arg;

	f->broken_calls++;
	snprintf(f->event_why, sizeof(f->event_why), "%s", why);
}

static const struct store_events fixture_events = { fixture_on_writable, fixture_on_broken };

static inline void
fixture_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	f->late = true;
	event_base_loopbreak(f->base);
}

static inline enum forebay_err
fixture_try_open(struct fixture *f)
{
	f->why[0] = '\0';
	return store_open(&f->config, f->base, &fixture_events, f, &f->store, f->why,
			  sizeof(f->why));
}

static inline void
fixture_open(struct fixture *f)
{
	enum forebay_err err = fixture_try_open(f);

	if (err)
		fail_msg("store_open: %s: %s", forebay_err_wire(err), f->why);
}

static inline void
fixture_close(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static inline void
fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static inline void
fixture_make(struct fixture *f)
{
	*f = (struct fixture){ .writable = true };
	/* In memory where there is such a file system: what is tested is not the disk. */
	snprintf(f->dir, sizeof(f->dir), "%s/forebay-store-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	f->base = event_base_new();
	assert_non_null(f->base);
	f->deadline = event_new(f->base, -1, 0, fixture_on_deadline, f);
	f->config = (struct store_config){ .dir = f->dir, .now_ms = NOW_MS };
}

static inline void
fixture_path(const struct fixture *f, const char *name, char *ret, size_t len)
{
	snprintf(ret, len, "%s/%s", f->dir, name);
}

static inline void
fixture_remove_files(const struct fixture *f)
{
	DIR *dir = opendir(f->dir);
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		fixture_path(f, entry->d_name, path, sizeof(path));
		unlink(path);
	}
	if (dir)
		closedir(dir);
}

static inline void
fixture_free(struct fixture *f)
{
	store_close(f->store);
	event_free(f->deadline);
	event_base_free(f->base);
	fixture_remove_files(f);
	rmdir(f->dir);
}

/* setup and teardown for cmocka: a fresh open store for each test. */
static inline int
fixture_setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f);
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	fixture_free(*state);
	free(*state);
	return 0;
}

static inline void
fixture_turn(struct fixture *f)
{
	const struct timeval patience = { PATIENCE_S, 0 };

	event_add(f->deadline, &patience);
	event_base_loop(f->base, EVLOOP_ONCE);
	event_del(f->deadline);
	if (f->late)
		fail_msg("no answer within %d s", PATIENCE_S);
}

/* --- answers ----------------------------------------------------------------- */

static inline void *
got_copy(struct got *got, const void *rows, size_t size)
{
	void *copy = arena_alloc(&got->arena, size + 1);

	if (size)
		memcpy(copy, rows, size);
	return copy;
}

static inline void
got_copy_job(struct got *got, struct store_job *job)
{
	const char **strings[] = { &job->model,	       &job->route,   &job->chain,
				   &job->model_option, &job->version, &job->betas,
				   &job->label,	       &job->key,     &job->unit };

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i] = arena_strdup(&got->arena, *strings[i]);
}

static inline void
got_copy_result(struct got *got, struct store_result *result)
{
	const char **strings[] = { &result->message, &result->model_served, &result->request_id,
				   &result->stop_reason };

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i] = arena_strdup(&got->arena, *strings[i]);
}

static inline void
got_copy_attempt(struct got *got, struct store_attempt *attempt)
{
	const char **strings[] = { &attempt->model,	 &attempt->edits,   &attempt->outcome,
				   &attempt->error_type, &attempt->message, &attempt->error_code,
				   &attempt->request_id };

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i] = arena_strdup(&got->arena, *strings[i]);
}

static inline void
got_on_done(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct got *got = arg;
	struct store_reply *r = &got->reply;

	assert_false(got->done);
	got->done = true;
	got->err = err;
	*r = *reply;
	reply->body = NULL; /* kept by us */
	if (r->job) {
		struct store_job *job = got_copy(got, r->job, sizeof(*job));

		got_copy_job(got, job);
		r->job = job;
	}
	if (r->result) {
		struct store_result *result = got_copy(got, r->result, sizeof(*result));

		got_copy_result(got, result);
		r->result = result;
	}
	r->heads = got_copy(got, r->heads, r->head_count * sizeof(*r->heads));
	r->moves = got_copy(got, r->moves, r->move_count * sizeof(*r->moves));
	struct store_job *jobs = got_copy(got, r->jobs, r->job_count * sizeof(*jobs));
	for (size_t i = 0; i < r->job_count; i++)
		got_copy_job(got, &jobs[i]);
	r->jobs = jobs;
	struct store_attempt *rows = got_copy(got, r->attempts, r->attempt_count * sizeof(*rows));
	for (size_t i = 0; i < r->attempt_count; i++)
		got_copy_attempt(got, &rows[i]);
	r->attempts = rows;
}

static inline void
got_clear(struct got *got)
{
	free(got->reply.body);
	arena_clear(&got->arena);
	*got = (struct got){ 0 };
}

static inline const struct store_reply *
got_wait(struct fixture *f, struct got *got)
{
	while (!got->done)
		fixture_turn(f);
	return &got->reply;
}

/* Ask with call(..., got_on_done, &got), wait, expect this error. */
#define ASK(f, got, want, call, ...)                                                               \
	do {                                                                                       \
		got_clear(got);                                                                    \
		call((f)->store, __VA_ARGS__, got_on_done, (got));                                 \
		got_wait((f), (got));                                                              \
		assert_string_equal(forebay_err_wire((got)->err), forebay_err_wire(want));         \
	} while (0)

/* --- jobs ---------------------------------------------------------------------- */

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
