/*
 * handle_follow.c - submit, follow, result: a stream that hears of one job
 * until it has ended.
 *
 * The bytes of a running answer are read from the runner's live buffer at this
 * client's own pace: what it does not take in time is not kept for it, and the
 * whole answer comes at the end.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/run/gates.h"
#include "daemon/run/live.h"
#include "daemon/run/watch.h"
#include "daemon/serve/handlers.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN     65536
#define LAST_BYTES    1048576 /* of a follower that is behind when the job ends */
#define GATE_EVERY_S  1
#define COPY_IF_BELOW 262144 /* bigger answers are read back when the client has room */

struct follow {
	struct stream *stream; /* borrowed: it owns us */
	uint64_t id;
	struct watcher *watcher; /* owned */
	struct event *tick;	 /* owned; NULL unless events are wanted */
	enum forebay_job_state state;
	bool chunks;	/* the client wants events and bytes */
	bool ephemeral; /* the job ends with this stream */
	bool ended;
	unsigned attempt; /* whose bytes the client has, 0: none */
	uint64_t offset;  /* how many of them */
	char words[160];  /* why it waits, as last said */
};

/* --- the end: result ---------------------------------------------------------------------- */

static void
serve_on_result(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct stream *stream = stream_deref(arg);
	struct jsonput put = { 0 };
	char why[MESSAGE_WHY_LEN];

	if (!stream)
		return;
	stream->fetching = false;
	stream->session->fetching--;
	if (err) {
		stream_error(stream, err, NULL);
		return;
	}
	if (!forebay_job_state_is_final(reply->job->state)) {
		snprintf(why, sizeof(why), "job %" PRIu64 " is %s; use wait or follow",
			 reply->job->head.id, forebay_job_state_name(reply->job->state));
		stream_error(stream, FOREBAY_ERR_BAD_REQUEST, why);
		return;
	}
	put_result(&put, &(struct result_facts){ .id = reply->job->head.id,
						 .state = reply->job->state,
						 .model = reply->job->model,
						 .attempts = reply->job->head.attempts,
						 .tries = reply->job->head.tries,
						 .created_ms = reply->job->head.created_ms,
						 .ended_ms = reply->job->ended_ms,
						 .result = reply->result,
						 .error = reply->job->error,
						 .body_len = reply->body_len });
	stream_reply(stream, &put, reply->body_len > 0);
	if (reply->body_len > 0)
		stream_data(stream, TAKE(reply->body), reply->body_len);
}

void
reply_result(struct stream *stream, uint64_t id)
{
	stream->fetching = true;
	stream->session->fetching++;
	store_result(stream->session->server->store, id, stream_scope(stream), serve_on_result,
		     stream_ref(stream));
}

void
handle_result(struct stream *stream)
{
	reply_result(stream, stream->request.id);
}

/* --- while it runs: events and bytes --------------------------------------------------------- */

static void
begin_event(struct jsonput *put, const char *event, uint64_t id)
{
	jsonput_object(put);
	jsonput_member_string(put, "event", event);
	jsonput_member_int(put, "id", (int64_t)id);
}

static void
tell(struct follow *follow, const char *event, const char *key, const char *value)
{
	struct jsonput put = { 0 };

	begin_event(&put, event, follow->id);
	if (key)
		jsonput_member_string(&put, key, value);
	jsonput_end(&put);
	stream_event(follow->stream, &put);
}

static void
tell_attempt(struct follow *follow, unsigned attempt, const char *model)
{
	struct jsonput put = { 0 };

	begin_event(&put, "attempt", follow->id);
	jsonput_member_int(&put, "attempt", attempt);
	if (model)
		jsonput_member_string(&put, "model", model);
	jsonput_member_bool(&put, "restart", follow->attempt != 0 && follow->offset > 0);
	jsonput_end(&put);
	follow->attempt = attempt;
	follow->offset = 0;
	stream_event(follow->stream, &put);
}

static void
lose(struct follow *follow)
{
	if (!follow->chunks)
		return;
	follow->chunks = false;
	tell(follow, "lost", NULL, NULL);
}

/* Send what there is, up to room for it; at the end regardless, but bounded. */
static void
send_chunks(struct follow *follow, bool last)
{
	struct session *session = follow->stream->session;
	struct live *live = runner_live(session->server->runner);
	const uint8_t *bytes;
	unsigned attempt;
	size_t len;

	while (follow->chunks) {
		enum live_state state = live_look(live, follow->id, &attempt, &bytes, &len);
		uint64_t behind = len - MIN(follow->offset, (uint64_t)len);

		if (state == LIVE_NONE || (state == LIVE_RUNNING && behind == 0))
			return;
		if (state == LIVE_LOST || (last && behind > LAST_BYTES)) {
			lose(follow);
			return;
		}
		if (!last && conn_is_full(session->conn)) {
			session->starved = true;
			return;
		}
		len = MIN((size_t)behind, (size_t)CHUNK_LEN);
		conn_send(session->conn, FRAME_CHUNK, 0, follow->stream->number,
			  bytes + follow->offset, len);
		follow->offset += len;
	}
}

static void
follow_on_drained(struct stream *stream)
{
	send_chunks(stream->state, false);
}

static void
end(struct follow *follow, const struct watch_news *news)
{
	struct stream *stream = follow->stream;
	struct jsonput put = { 0 };
	uint8_t *body = NULL;

	follow->ended = true;
	send_chunks(follow, true);
	if (!news->result || (!follow->ephemeral && news->body_len > COPY_IF_BELOW)) {
		reply_result(stream, follow->id);
		return;
	}
	put_result(&put, &(struct result_facts){ .id = news->id,
						 .state = news->state,
						 .model = news->model,
						 .attempts = news->attempts,
						 .tries = news->tries,
						 .created_ms = news->created_ms,
						 .ended_ms = clock_wall_ms(),
						 .result = news->result,
						 .error = news->error,
						 .body_len = news->body_len });
	if (news->body_len > 0) {
		body = must_alloc(news->body_len);
		memcpy(body, news->body, news->body_len);
	}
	stream_reply(stream, &put, body != NULL);
	if (body)
		stream_data(stream, body, news->body_len);
}

static void
follow_on_news(const struct watch_news *news, void *arg)
{
	struct follow *follow = arg;

	if (follow->ended)
		return;
	follow->state = news->state;
	switch (news->kind) {
	case WATCH_STATE:
		if (follow->chunks)
			tell(follow, "state", "state", forebay_job_state_name(news->state));
		break;
	case WATCH_ATTEMPT:
		if (follow->chunks)
			tell_attempt(follow, news->attempt, news->model);
		break;
	case WATCH_BYTES:
		send_chunks(follow, false);
		break;
	case WATCH_LOST:
		lose(follow);
		break;
	case WATCH_ENDED:
		end(follow, news);
		break;
	}
}

/* Say why it waits, when the words change. */
static void
follow_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct follow *follow = arg;
	struct runner *runner = follow->stream->session->server->runner;
	char words[sizeof(follow->words)];

	(void)fd;
	(void)what;
	if (follow->state != FOREBAY_JOB_QUEUED || !follow->chunks)
		return;
	runner_waiting(runner, follow->id, NULL, words, sizeof(words));
	if (strcmp(words, follow->words) == 0)
		return;
	memcpy(follow->words, words, sizeof(words));
	tell(follow, "gate", "words", words);
}

static void
follow_on_canceled(enum forebay_err err, enum forebay_job_state state, void *arg)
{
	(void)err;
	(void)state;
	(void)arg;
}

static void
follow_free(struct stream *stream)
{
	struct follow *follow = stream->state;
	struct runner *runner = stream->session->server->runner;
	struct caller caller = stream_caller(stream);

	watch_remove(runner_watch(runner), follow->watcher);
	if (follow->tick)
		event_free(follow->tick);
	if (follow->ephemeral && !follow->ended)
		runner_cancel(runner, &caller, follow->id, follow_on_canceled, NULL);
	free(follow);
}

/* Where the client left off, or from the beginning. */
static void
join_running(struct follow *follow)
{
	struct live *live = runner_live(follow->stream->session->server->runner);
	const uint8_t *bytes;
	unsigned attempt;
	size_t len;

	if (live_look(live, follow->id, &attempt, &bytes, &len) == LIVE_NONE)
		return;
	if (attempt != follow->attempt || follow->offset > len)
		tell_attempt(follow, attempt, NULL);
	send_chunks(follow, false);
}

void
follow_job(struct stream *stream, uint64_t id, enum forebay_job_state state, bool chunks)
{
	static const struct timeval every = { GATE_EVERY_S, 0 };
	struct server *server = stream->session->server;
	struct follow *follow;

	if (forebay_job_state_is_final(state)) {
		reply_result(stream, id);
		return;
	}
	follow = must_alloc(sizeof(*follow));
	*follow = (struct follow){ .stream = stream,
				   .id = id,
				   .state = state,
				   .chunks = chunks,
				   .ephemeral = stream->request.ephemeral,
				   .attempt = (unsigned)stream->request.from_attempt,
				   .offset = stream->request.from_offset };
	stream->state = follow;
	stream->on_free = follow_free;
	stream->on_drained = follow_on_drained;
	follow->watcher = watch_add(runner_watch(server->runner), id, follow_on_news, follow);
	if (!chunks)
		return;
	follow->tick = event_new(server->base, -1, EV_PERSIST, follow_on_tick, follow);
	if (!follow->tick)
		fatal("out of memory");
	event_add(follow->tick, &every);
	tell(follow, "state", "state", forebay_job_state_name(state));
	follow_on_tick(-1, 0, follow);
	join_running(follow);
}

static void
serve_on_found(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct stream *stream = stream_deref(arg);

	if (!stream)
		return;
	if (err)
		stream_error(stream, err, NULL);
	else
		follow_job(stream, stream->request.id, reply->job->state, true);
}

void
handle_follow(struct stream *stream)
{
	struct server *server = stream->session->server;
	enum forebay_job_state state;
	uint64_t id = stream->request.id;
	uid_t uid, scope = stream_scope(stream);

	if (runner_knows_ephemeral(server->runner, id, &uid, &state) &&
	    (scope == (uid_t)-1 || scope == uid))
		follow_job(stream, id, state, true);
	else
		store_show(server->store, id, scope, false, serve_on_found, stream_ref(stream));
}

/* --- submit -------------------------------------------------------------------------------------
 */

/* Across the disk: the stream, and what to do with the job if it has gone. */
struct submitting {
	struct stream_ref *stream; /* owned */
	struct runner *runner;	   /* borrowed */
	uid_t uid;
	bool ephemeral;
};

static void
acknowledge(struct stream *stream, uint64_t id, enum forebay_job_state state, bool existing)
{
	struct jsonput put = { 0 };

	if (stream->request.want == FOREBAY_WANT_RESULT) {
		begin_event(&put, "queued", id);
		jsonput_end(&put);
		stream_event(stream, &put);
		follow_job(stream, id, state, stream->request.follow);
		return;
	}
	jsonput_object(&put);
	jsonput_member_int(&put, "id", (int64_t)id);
	jsonput_member_string(&put, "state", forebay_job_state_name(state));
	if (existing)
		jsonput_member_bool(&put, "existing", true);
	jsonput_end(&put);
	stream_reply(stream, &put, false);
}

static void
serve_on_submitted(enum forebay_err err, const char *why, uint64_t id, enum forebay_job_state state,
		   bool existing, void *arg)
{
	struct submitting *submitting = arg;
	struct stream *stream = stream_deref(submitting->stream);
	struct caller caller = { .uid = submitting->uid };

	if (!stream && !err && submitting->ephemeral)
		runner_cancel(submitting->runner, &caller, id, follow_on_canceled, NULL);
	if (stream && err)
		stream_error(stream, err, why);
	else if (stream)
		acknowledge(stream, id, state, existing);
	free(submitting);
}

void
handle_submit(struct stream *stream)
{
	struct server *server = stream->session->server;
	struct caller caller = stream_caller(stream);
	struct submitting *submitting;
	size_t len = stream->body_len;
	char why[RUNNER_WHY_LEN] = "";
	enum forebay_err err;

	if (len == 0) {
		stream_error(stream, FOREBAY_ERR_INVALID_BODY,
			     "no body: send the Messages request as DATA after the REQUEST");
		return;
	}
	/* Whoever does not wait for the answer cannot mean a job that dies with him. */
	if (stream->request.want != FOREBAY_WANT_RESULT)
		stream->request.ephemeral = false;
	submitting = must_alloc(sizeof(*submitting));
	*submitting = (struct submitting){ stream_ref(stream), server->runner, caller.uid,
					   stream->request.ephemeral };
	stream->body_len = 0;
	err = runner_submit(server->runner, &caller, &stream->request, TAKE(stream->body), len,
			    serve_on_submitted, submitting, why);
	if (!err)
		return;
	free(submitting->stream);
	free(submitting);
	stream_error(stream, err, why);
}
