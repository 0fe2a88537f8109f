/*
 * store_answers.h - asking the store and keeping what it answers. For
 * tests/unit/test_store*.c.
 */
#ifndef TESTS_UNIT_STORE_ANSWERS_H
#define TESTS_UNIT_STORE_ANSWERS_H

#include "daemon/store/arena.h"
#include "tests/unit/store_fixture.h"

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

/* One answer, kept beyond its callback. */
struct got {
	bool done;
	enum forebay_err err;
	struct store_reply reply;
	struct arena arena;
};

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

#endif
