/*
 * handle_many.c - cancel, retry, delete: the same thing to each of many jobs,
 * named by id or by a filter, with one reply that says how each fared.
 */
#include "daemon/base/log.h"
#include "daemon/serve/handlers.h"
#include "daemon/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct one {
	uint64_t id, new_id;
	enum forebay_err err;
	enum forebay_job_state state;
	char *why; /* owned; NULL: the error's own words */
};

struct many {
	struct store_filter filter;
	bool more; /* others match the filter too */
	size_t count, left;
	struct one *jobs; /* owned */
};

/* One of them, across the disk. */
struct one_ref {
	struct stream_ref *stream; /* owned */
	struct runner *runner;	   /* borrowed */
	size_t index;
};

static void
many_free(struct stream *stream)
{
	struct many *many = stream->state;

	for (size_t i = 0; i < many->count; i++)
		free(many->jobs[i].why);
	free(many->jobs);
	free(many);
}

static void
put_one(struct jsonput *put, const struct one *job)
{
	char why[64];

	snprintf(why, sizeof(why), "there is no job %" PRIu64 ", or it is not yours", job->id);
	jsonput_object(put);
	jsonput_member_int(put, "id", (int64_t)job->id);
	if (job->err) {
		jsonput_member_string(put, "error", forebay_err_wire(job->err));
		jsonput_member_string(put, "message",
				      job->why ? job->why
				      : job->err == FOREBAY_ERR_NOT_FOUND
					  ? why
					  : forebay_err_text(job->err));
	} else {
		if (job->new_id)
			jsonput_member_int(put, "new_id", (int64_t)job->new_id);
		jsonput_member_string(put, "state", forebay_job_state_name(job->state));
	}
	jsonput_end(put);
}

static void
reply(struct stream *stream)
{
	struct many *many = stream->state;
	struct jsonput put = { 0 };

	jsonput_object(&put);
	jsonput_key(&put, "jobs");
	jsonput_array(&put);
	for (size_t i = 0; i < many->count; i++)
		put_one(&put, &many->jobs[i]);
	jsonput_end(&put);
	if (many->more)
		jsonput_member_bool(&put, "more", true);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

/* One has an answer. Where to write it: NULL when nobody waits any more. */
static struct one *
find_one(struct one_ref *ref, struct stream **ret_stream)
{
	size_t index = ref->index;
	struct stream *stream;
	struct many *many;

	ref->stream->server->working--;
	stream = stream_deref(ref->stream);
	many = stream ? stream->state : NULL;
	free(ref);
	*ret_stream = stream;
	return many ? &many->jobs[index] : NULL;
}

static void
one_done(struct stream *stream)
{
	struct many *many = stream->state;

	if (--many->left == 0)
		reply(stream);
}

static struct one_ref *
one_ref(struct stream *stream, size_t index)
{
	struct one_ref *ref = must_alloc(sizeof(*ref));

	*ref = (struct one_ref){ stream_ref(stream), stream->session->server->runner, index };
	return ref;
}

/* --- what is done to each --------------------------------------------------------------- */

static void
serve_on_canceled(enum forebay_err err, enum forebay_job_state state, void *arg)
{
	struct stream *stream;
	struct one *job = find_one(arg, &stream);

	if (!job)
		return;
	job->err = err;
	job->state = state;
	one_done(stream);
}

static void
serve_on_retried(enum forebay_err err, const char *why, uint64_t id, enum forebay_job_state state,
		 bool existing, void *arg)
{
	struct stream *stream;
	struct one *job = find_one(arg, &stream);

	(void)existing;
	if (!job)
		return;
	job->err = err;
	job->new_id = id;
	job->state = state;
	if (err && err != FOREBAY_ERR_NOT_FOUND)
		job->why = must_strdup(why);
	one_done(stream);
}

static void
serve_on_deleted(enum forebay_err err, struct store_reply *deleted, void *arg)
{
	struct runner *runner = ((struct one_ref *)arg)->runner;
	struct stream *stream;
	struct one *job = find_one(arg, &stream);

	/* The daemon counts the ended jobs, whoever asked and has gone since. */
	if (!err && deleted->moved)
		runner_forgot(runner, deleted->state);
	if (!job)
		return;
	job->err = err;
	job->state = err ? FOREBAY_JOB_QUEUED : deleted->state;
	if (!err && !deleted->moved) {
		char why[96];

		job->err = FOREBAY_ERR_BAD_REQUEST;
		snprintf(why, sizeof(why), "job %" PRIu64 " is %s; cancel it first", job->id,
			 forebay_job_state_name(deleted->state));
		job->why = must_strdup(why);
	}
	one_done(stream);
}

static void
start_all(struct stream *stream)
{
	struct server *server = stream->session->server;
	struct many *many = stream->state;
	struct caller caller = stream_caller(stream);
	enum forebay_verb verb = stream->request.verb;
	uid_t scope = stream_scope(stream);

	many->left = many->count;
	server->working += many->count;
	if (many->count == 0) {
		reply(stream);
		return;
	}
	/* Answers come in later turns only: many is not freed under this loop. */
	for (size_t i = 0; i < many->count; i++) {
		struct one_ref *ref = one_ref(stream, i);
		uint64_t id = many->jobs[i].id;

		if (verb == FOREBAY_VERB_CANCEL)
			runner_cancel(server->runner, &caller, id, serve_on_canceled, ref);
		else if (verb == FOREBAY_VERB_RETRY)
			runner_retry(server->runner, &caller, id, serve_on_retried, ref);
		else
			store_delete(server->store, id, scope, serve_on_deleted, ref);
	}
}

/* --- which ones ---------------------------------------------------------------------------- */

/* A filter means the jobs to which the verb can be done: so it can be repeated
 * until nothing is left. retry does not change its jobs. */
static bool
is_meant(enum forebay_verb verb, enum forebay_job_state state)
{
	return forebay_job_state_is_final(state) == (verb != FOREBAY_VERB_CANCEL);
}

static void
add_matched(struct many *many, enum forebay_verb verb, const struct store_reply *found)
{
	many->jobs =
	    realloc(many->jobs, (many->count + found->job_count + 1) * sizeof(*many->jobs));
	if (!many->jobs)
		fatal("out of memory");
	for (size_t i = 0; i < found->job_count && many->count < MESSAGE_MAX_IDS; i++)
		if (is_meant(verb, found->jobs[i].state))
			many->jobs[many->count++] = (struct one){ .id = found->jobs[i].head.id };
}

static void
serve_on_matched(enum forebay_err err, struct store_reply *found, void *arg)
{
	struct stream *stream = stream_deref(arg);
	struct many *many;

	if (!stream)
		return;
	if (err) {
		stream_error(stream, err, NULL);
		return;
	}
	many = stream->state;
	add_matched(many, stream->request.verb, found);
	many->filter.limit = (unsigned)(MESSAGE_MAX_IDS - many->count);
	many->filter.before_id = found->next_id;
	many->more = found->more;
	if (found->more && many->filter.limit > 0)
		store_list(stream->session->server->store, &many->filter, serve_on_matched,
			   stream_ref(stream));
	else
		start_all(stream);
}

static void
handle_many(struct stream *stream)
{
	const struct request *request = &stream->request;
	struct store_filter filter = { 0 };
	struct many *many;

	if (request->id_count == 0 && !filter_of(stream, &filter))
		return;
	many = must_alloc(sizeof(*many));
	*many = (struct many){ .filter = filter, .count = request->id_count };
	many->filter.limit = MESSAGE_MAX_IDS;
	many->jobs = must_alloc((many->count + 1) * sizeof(*many->jobs));
	stream->state = many;
	stream->on_free = many_free;
	for (size_t i = 0; i < request->id_count; i++)
		many->jobs[i] = (struct one){ .id = request->ids[i] };
	if (request->id_count > 0)
		start_all(stream);
	else
		store_list(stream->session->server->store, &many->filter, serve_on_matched,
			   stream_ref(stream));
}

void
handle_cancel(struct stream *stream)
{
	handle_many(stream);
}

void
handle_retry(struct stream *stream)
{
	handle_many(stream);
}

void
handle_delete(struct stream *stream)
{
	handle_many(stream);
}
