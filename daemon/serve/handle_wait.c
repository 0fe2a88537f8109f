/*
 * handle_wait.c - be told when jobs have ended.
 */
#include "daemon/base/log.h"
#include "daemon/run/watch.h"
#include "daemon/serve/handlers.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Ids that all streams of one user wait for together: some 100 bytes each. */
#define MAX_WAITED 262144

struct waited {
	struct waiting *waiting; /* borrowed */
	uint64_t id;
	struct watcher *watcher; /* owned; NULL: not watched */
	enum forebay_job_state state;
	bool found;
};

struct waiting {
	struct stream *stream; /* borrowed: it owns us */
	struct event *timer;   /* owned */
	size_t count, pending;
	struct waited jobs[];
};

static void
reply(struct waiting *waiting, bool timed_out)
{
	struct jsonput put = { 0 };
	char why[64];

	jsonput_object(&put);
	jsonput_key(&put, "jobs");
	jsonput_array(&put);
	for (size_t i = 0; i < waiting->count; i++) {
		const struct waited *job = &waiting->jobs[i];

		jsonput_object(&put);
		jsonput_member_int(&put, "id", (int64_t)job->id);
		if (job->found) {
			jsonput_member_string(&put, "state", forebay_job_state_name(job->state));
		} else {
			snprintf(why, sizeof(why),
				 "there is no job %" PRIu64 ", or it is not yours", job->id);
			jsonput_member_string(&put, "error", "not-found");
			jsonput_member_string(&put, "message", why);
		}
		jsonput_end(&put);
	}
	jsonput_end(&put);
	jsonput_member_int(&put, "pending", (int64_t)waiting->pending);
	if (timed_out)
		jsonput_member_bool(&put, "timed_out", true);
	jsonput_end(&put);
	stream_reply(waiting->stream, &put);
}

static bool
is_over(const struct waiting *waiting)
{
	return waiting->pending == 0 ||
	       (waiting->stream->request.any && waiting->pending < waiting->count);
}

static void
wait_on_news(const struct watch_news *news, void *arg)
{
	struct waited *job = arg;
	struct waiting *waiting = job->waiting;

	job->state = news->state;
	if (news->kind != WATCH_ENDED)
		return;
	waiting->pending--;
	if (is_over(waiting))
		reply(waiting, false);
}

static void
wait_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reply(arg, true);
}

static void
wait_free(struct stream *stream)
{
	struct waiting *waiting = stream->state;
	struct watch *watch = runner_watch(stream->session->server->runner);

	for (size_t i = 0; i < waiting->count; i++)
		watch_remove(watch, waiting->jobs[i].watcher);
	if (waiting->timer)
		event_free(waiting->timer);
	stream->session->user->waited -= waiting->count;
	free(waiting);
}

static void
arm(struct waiting *waiting)
{
	int64_t ms = waiting->stream->request.timeout_ms;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (ms < 0)
		return;
	waiting->timer =
	    event_new(waiting->stream->session->server->base, -1, 0, wait_on_timeout, waiting);
	if (!waiting->timer)
		fatal("out of memory");
	event_add(waiting->timer, &tv);
}

/* An ephemeral job has no row yet: the runner alone knows it. */
static void
look_in_memory(struct stream *stream, struct waited *job)
{
	struct runner *runner = stream->session->server->runner;
	uid_t uid, scope = stream_scope(stream);
	enum forebay_job_state state;

	if (!runner_knows_ephemeral(runner, job->id, &uid, &state) ||
	    (scope != (uid_t)-1 && scope != uid))
		return;
	job->found = true;
	job->state = state;
}

static void
serve_on_states(enum forebay_err err, struct store_reply *states, void *arg)
{
	struct stream *stream = stream_deref(arg);
	struct waiting *waiting;

	if (!stream)
		return;
	if (err) {
		stream_error(stream, err, NULL);
		return;
	}
	waiting = stream->state;
	for (size_t i = 0; i < waiting->count; i++) {
		struct waited *job = &waiting->jobs[i];

		job->found = states->moves[i].found;
		job->state = states->moves[i].to;
		if (!job->found)
			look_in_memory(stream, job);
		if (!job->found || forebay_job_state_is_final(job->state))
			continue;
		waiting->pending++;
		job->watcher = watch_add(runner_watch(stream->session->server->runner), job->id,
					 wait_on_news, job);
	}
	if (is_over(waiting))
		reply(waiting, false);
	else
		arm(waiting);
}

void
handle_wait(struct stream *stream)
{
	const struct request *request = &stream->request;
	struct uid_count *user = stream->session->user;
	struct waiting *waiting;

	if (user->waited + request->id_count > MAX_WAITED) {
		stream_error(stream, FOREBAY_ERR_OVER_QUOTA,
			     "you wait for 262144 jobs already; follow or list them instead");
		return;
	}
	user->waited += request->id_count;
	waiting = must_alloc(sizeof(*waiting) + request->id_count * sizeof(struct waited));
	*waiting = (struct waiting){ .stream = stream, .count = request->id_count };
	for (size_t i = 0; i < request->id_count; i++)
		waiting->jobs[i] = (struct waited){ .waiting = waiting, .id = request->ids[i] };
	stream->state = waiting;
	stream->on_free = wait_free;
	store_states(stream->session->server->store, request->ids, request->id_count,
		     stream_scope(stream), serve_on_states, stream_ref(stream));
}
