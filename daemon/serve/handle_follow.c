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
	enum forebay_job_state told_state;
	bool events;	/* the client wants to hear what happens */
	bool chunks;	/* and the bytes of the answer */
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
	struct stream *stream = fetch_answer(arg, err);
	struct jsonput put = { 0 };
	char why[MESSAGE_WHY_LEN];

	if (!stream)
		return;
	fetch_end(stream);
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
	if (reply->body_len > 0)
		stream_reply_data(stream, &put, TAKE(reply->body), reply->body_len);
	else
		stream_reply(stream, &put);
}

static void
fetch_result(struct stream *stream)
{
	store_result(stream->session->server->store, stream->job, stream_scope(stream),
		     serve_on_result, stream_ref(stream));
}

/* Reply with the job's result and its body, from the store; ends the stream. */
static void
reply_result(struct stream *stream, uint64_t id)
{
	stream->job = id;
	fetch_add(stream, fetch_result);
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

/* Who does not read is not written for: what was left out is told as it is then,
 * once there is room. */
static bool
has_room(struct follow *follow)
{
	struct session *session = follow->stream->session;

	if (!conn_is_full(session->conn))
		return true;
	session->starved = true;
	return false;
}

static void
tell_state(struct follow *follow)
{
	if (!follow->events || follow->told_state == follow->state || !has_room(follow))
		return;
	follow->told_state = follow->state;
	tell(follow, "state", "state", forebay_job_state_name(follow->state));
}

static void
tell_attempt(struct follow *follow, unsigned attempt, const char *model, const char *changes)
{
	struct jsonput put = { 0 };

	begin_event(&put, "attempt", follow->id);
	jsonput_member_int(&put, "attempt", attempt);
	if (model)
		jsonput_member_string(&put, "model", model);
	if (changes && changes[0])
		jsonput_member_string(&put, "edits", changes);
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

/* Send what there is, up to room for it; at the end all of it, unless that is much. */
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
		if (state == LIVE_LOST || (last && behind > LAST_BYTES))
			break;
		/* Bytes of an attempt that the client has not heard of must wait, too. */
		if (attempt != follow->attempt || !has_room(follow)) {
			if (last)
				break;
			return;
		}
		len = MIN((size_t)behind, (size_t)CHUNK_LEN);
		conn_send(session->conn, FRAME_CHUNK, 0, follow->stream->number,
			  bytes + follow->offset, len);
		follow->offset += len;
	}
	lose(follow);
}

/* Where the client left off, or from the beginning: another attempt than the one
 * whose bytes it has may run by now. */
static void
catch_up(struct follow *follow)
{
	struct runner *runner = follow->stream->session->server->runner;
	struct live *live = runner_live(runner);
	const char *model, *changes;
	const uint8_t *bytes;
	unsigned attempt;
	size_t len;

	tell_state(follow);
	if (!follow->events || !has_room(follow) ||
	    live_look(live, follow->id, &attempt, &bytes, &len) == LIVE_NONE)
		return;
	model = runner_attempt(runner, follow->id, &changes);
	if (attempt != follow->attempt || follow->offset > len)
		tell_attempt(follow, attempt, model, changes);
	send_chunks(follow, false);
}

static void
follow_on_drained(struct stream *stream)
{
	struct follow *follow = stream->state;

	if (!follow->ended)
		catch_up(follow);
}

static void
end(struct follow *follow, const struct watch_news *news)
{
	struct stream *stream = follow->stream;
	struct jsonput put = { 0 };
	uint8_t *body = NULL;

	follow->ended = true;
	send_chunks(follow, true);
	/* The answer of an ephemeral job is nowhere else. */
	if (!news->result || (!follow->ephemeral && (news->body_len > COPY_IF_BELOW ||
						     conn_is_full(stream->session->conn)))) {
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
	if (body)
		stream_reply_data(stream, &put, body, news->body_len);
	else
		stream_reply(stream, &put);
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
		tell_state(follow);
		break;
	case WATCH_ATTEMPT:
		if (follow->events && has_room(follow))
			tell_attempt(follow, news->attempt, news->model, news->changes);
		break;
	case WATCH_BYTES:
		catch_up(follow);
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
	if (follow->ended || follow->state != FOREBAY_JOB_QUEUED || !follow->events ||
	    conn_is_full(follow->stream->session->conn))
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
	if (follow->ephemeral && !follow->ended && !stream->session->server->closing)
		runner_cancel(runner, &caller, follow->id, follow_on_canceled, NULL);
	free(follow);
}

static bool
wants_news(const struct stream *stream)
{
	return stream->request.verb == FOREBAY_VERB_FOLLOW || stream->request.follow;
}

/* Tell the client about the job until it has ended, then reply with its result.
 * state: as known now; live: with events and the bytes of the answer. */
static void
follow_job(struct stream *stream, uint64_t id, enum forebay_job_state state, bool live)
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
				   .told_state = FOREBAY_JOB_STATE_COUNT,
				   .events = live,
				   .chunks = live,
				   .ephemeral = stream->request.ephemeral,
				   .attempt = (unsigned)stream->request.from_attempt,
				   .offset = stream->request.from_offset };
	stream->state = follow;
	stream->on_free = follow_free;
	stream->on_drained = follow_on_drained;
	follow->watcher = watch_add(runner_watch(server->runner), id, follow_on_news, follow);
	if (!live)
		return;
	follow->tick = event_new(server->base, -1, EV_PERSIST, follow_on_tick, follow);
	if (!follow->tick)
		fatal("out of memory");
	event_add(follow->tick, &every);
	tell_state(follow);
	follow_on_tick(-1, 0, follow);
	catch_up(follow);
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
		follow_job(stream, stream->job, reply->job->state, wants_news(stream));
}

/* As the disk knows it. */
static void
find_and_follow(struct stream *stream, uint64_t id)
{
	stream->job = id;
	store_show(stream->session->server->store, id, stream_scope(stream), false, serve_on_found,
		   stream_ref(stream));
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
		find_and_follow(stream, id);
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
	uid_t uid;

	if (stream->request.want == FOREBAY_WANT_RESULT) {
		begin_event(&put, "queued", id);
		jsonput_end(&put);
		stream_event(stream, &put);
		/* One that only memory knows may have ended before this turn. */
		if (stream->request.ephemeral &&
		    !runner_knows_ephemeral(stream->session->server->runner, id, &uid, &state))
			find_and_follow(stream, id);
		else
			follow_job(stream, id, state, wants_news(stream));
		return;
	}
	jsonput_object(&put);
	jsonput_member_int(&put, "id", (int64_t)id);
	jsonput_member_string(&put, "state", forebay_job_state_name(state));
	if (existing)
		jsonput_member_bool(&put, "existing", true);
	jsonput_end(&put);
	stream_reply(stream, &put);
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
