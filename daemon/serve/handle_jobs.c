/*
 * handle_jobs.c - show and list: rows as JSON Lines behind a reply.
 */
#include "daemon/base/log.h"
#include "daemon/base/peer.h"
#include "daemon/run/gates.h"
#include "daemon/serve/handlers.h"
#include "daemon/store/store.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 100

static void
put_if(struct jsonput *put, const char *key, const char *text)
{
	if (text)
		jsonput_member_string(put, key, text);
}

static void
put_owner(struct jsonput *put, uid_t uid)
{
	char name[64];

	jsonput_member_string(put, "owner", peer_user_name(uid, name, sizeof(name)));
	jsonput_member_int(put, "uid", uid);
}

static void
put_time_if(struct jsonput *put, const char *key, int64_t wall_ms)
{
	if (wall_ms > 0)
		put_time(put, key, wall_ms);
}

/* The members show and list have in common. */
static void
put_row(struct jsonput *put, const struct store_job *job)
{
	jsonput_member_int(put, "id", (int64_t)job->head.id);
	jsonput_member_string(put, "state", forebay_job_state_name(job->state));
	jsonput_member_string(put, "class", forebay_class_name(job->class));
	jsonput_member_string(put, "model", job->model);
	put_owner(put, job->uid);
	put_if(put, "label", job->label);
	put_time(put, "created", job->head.created_ms);
	put_time_if(put, "ended", job->ended_ms);
	jsonput_member_int(put, "attempts", job->head.attempts);
	jsonput_member_int(put, "tries", job->head.tries);
	jsonput_member_int(put, "priority", job->head.priority);
	jsonput_member_string(put, "batch", forebay_batch_name(job->batch));
	if (forebay_job_state_is_final(job->state) && job->error)
		jsonput_member_string(put, "error", forebay_err_wire(job->error));
}

/* --- show -------------------------------------------------------------------------------- */

static void
put_options(struct jsonput *put, const struct store_job *job)
{
	put_if(put, "chain", job->chain);
	put_if(put, "skipped", job->skipped);
	put_if(put, "model_option", job->model_option);
	jsonput_member_string(put, "route", job->route);
	jsonput_member_string(put, "transport", forebay_transport_name(job->transport));
	put_if(put, "version", job->version);
	put_if(put, "betas", job->betas);
	put_if(put, "key", job->key);
	put_if(put, "unit", job->unit);
	put_time_if(put, "not_before", job->head.not_before_ms);
	put_time_if(put, "started", job->started_ms);
	put_time(put, "deadline", job->head.deadline_ms);
	jsonput_member_int(put, "keep_ms", job->keep_ms);
	if (job->shrink_to)
		jsonput_member_int(put, "shrink_to", (int64_t)job->shrink_to);
	if (job->retry_of)
		jsonput_member_int(put, "retry_of", (int64_t)job->retry_of);
	jsonput_member_int(put, "max_attempts", job->head.max_attempts);
	jsonput_member_int(put, "body_bytes", job->head.body_len);
	jsonput_member_bool(put, "ephemeral", job->ephemeral);
	if (job->late)
		jsonput_member_bool(put, "late", true);
}

static void
put_job(struct jsonput *put, struct server *server, const struct store_reply *reply)
{
	const struct store_job *job = reply->job;
	char words[256];

	jsonput_object(put);
	put_row(put, job);
	put_options(put, job);
	if (job->state == FOREBAY_JOB_QUEUED)
		jsonput_member_string(
		    put, "waiting",
		    runner_waiting(server->runner, job->head.id, job->model, words, sizeof(words)));
	if (reply->result && reply->result->message)
		jsonput_member_string(put, "message", reply->result->message);
	if (reply->attempts_left_out)
		jsonput_member_int(put, "attempts_left_out", (int64_t)reply->attempts_left_out);
	jsonput_end(put);
	jsonput_line(put);
}

static void
put_attempt(struct jsonput *put, const struct store_attempt *attempt, bool running)
{
	bool unknown = attempt->sent && !attempt->ended_ms && !running;

	jsonput_object(put);
	jsonput_member_int(put, "attempt", attempt->number);
	jsonput_member_string(put, "model", attempt->model);
	put_time(put, "started", attempt->started_ms);
	put_time_if(put, "ended", attempt->ended_ms);
	jsonput_member_bool(put, "sent", attempt->sent);
	jsonput_member_bool(put, "counted", attempt->counted);
	put_if(put, "outcome", running ? "running" : attempt->outcome);
	if (unknown)
		jsonput_member_string(put, "billing", "unknown, may have been billed");
	jsonput_member_int(put, "http_status", attempt->http_status);
	put_if(put, "error_type", attempt->error_type);
	put_if(put, "error_code", attempt->error_code);
	put_if(put, "message", attempt->message);
	put_if(put, "request_id", attempt->request_id);
	put_if(put, "edits", attempt->edits);
	jsonput_member_int(put, "input_tokens", (int64_t)attempt->input_tokens);
	jsonput_member_int(put, "output_tokens", (int64_t)attempt->output_tokens);
	jsonput_member_int(put, "waited_ms", attempt->waited_ms);
	jsonput_end(put);
	jsonput_line(put);
}

/* What show has gathered while it asks for the request body, too. */
struct shown {
	struct jsonput rows;
	size_t count;
};

static void
shown_free(struct stream *stream)
{
	struct shown *shown = stream->state;

	jsonput_clear(&shown->rows);
	free(shown);
}

static void
reply_rows(struct stream *stream, struct shown *shown, const uint8_t *tail, size_t tail_len)
{
	struct jsonput put = { 0 };
	size_t len;
	char *bytes = jsonput_take(&shown->rows, &len);
	char *whole = bytes ? realloc(bytes, len + tail_len + 1) : NULL;

	if (!whole) {
		free(bytes);
		stream_error(stream, FOREBAY_ERR_NO_MEMORY, NULL);
		return;
	}
	if (tail_len > 0)
		memcpy(whole + len, tail, tail_len);
	jsonput_object(&put);
	jsonput_member_int(&put, "id", (int64_t)stream->request.id);
	jsonput_member_int(&put, "rows", (int64_t)shown->count);
	jsonput_end(&put);
	stream_reply_data(stream, &put, (uint8_t *)whole, len + tail_len);
}

static void
serve_on_request_body(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct stream *stream = fetch_answer(arg, err);
	struct shown *shown;

	if (!stream)
		return;
	fetch_end(stream);
	shown = stream->state;
	jsonput_object(&shown->rows);
	jsonput_member_int(&shown->rows, "request_bytes", (int64_t)reply->body_len);
	jsonput_end(&shown->rows);
	jsonput_line(&shown->rows);
	shown->count++;
	reply_rows(stream, shown, reply->body, reply->body_len);
}

static struct shown *
gather(struct stream *stream, const struct store_reply *reply)
{
	struct shown *shown = must_alloc(sizeof(*shown));

	stream->state = shown;
	stream->on_free = shown_free;
	put_job(&shown->rows, stream->session->server, reply);
	for (size_t i = 0; i < reply->attempt_count; i++)
		put_attempt(&shown->rows, &reply->attempts[i],
			    reply->job->state == FOREBAY_JOB_RUNNING &&
				reply->attempts[i].number == reply->job->head.tries);
	shown->count = 1 + reply->attempt_count;
	return shown;
}

static void
serve_on_shown(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct stream *stream = fetch_answer(arg, err);
	struct shown *shown;

	if (!stream)
		return;
	shown = gather(stream, reply);
	if (stream->request.request) {
		store_request(stream->session->server->store, stream->request.id,
			      stream_scope(stream), serve_on_request_body, stream_ref(stream));
		return;
	}
	fetch_end(stream);
	reply_rows(stream, shown, NULL, 0);
}

static void
fetch_shown(struct stream *stream)
{
	store_show(stream->session->server->store, stream->request.id, stream_scope(stream), true,
		   serve_on_shown, stream_ref(stream));
}

void
handle_show(struct stream *stream)
{
	fetch_add(stream, fetch_shown);
}

/* --- list ---------------------------------------------------------------------------------- */

/* Whose jobs a word means: a number or a login name. */
static enum forebay_err
owner_from_text(const struct session *session, const char *text, uid_t *ret)
{
	char name[64], *rest;
	unsigned long number = strtoul(text, &rest, 10);
	const struct passwd *user;

	if (text[0] >= '0' && text[0] <= '9' && *rest == '\0' && number < UINT32_MAX) {
		*ret = (uid_t)number;
		return FOREBAY_ERR_OK;
	}
	if (strcmp(text, peer_user_name(session->peer.uid, name, sizeof(name))) == 0) {
		*ret = session->peer.uid;
		return FOREBAY_ERR_OK;
	}
	/* It may ask a directory server while the loop waits: not for everybody. */
	if (!session->admin)
		return FOREBAY_ERR_NOT_ALLOWED;
	user = getpwnam(text);
	if (!user)
		return FOREBAY_ERR_BAD_REQUEST;
	*ret = user->pw_uid;
	return FOREBAY_ERR_OK;
}

bool
filter_of(struct stream *stream, struct store_filter *ret)
{
	const struct request *request = &stream->request;
	const struct session *session = stream->session;
	enum forebay_err err = FOREBAY_ERR_OK;

	*ret = (struct store_filter){ .uid = session->peer.uid,
				      .state = request->state,
				      .model = request->model,
				      .label = request->label,
				      .since_ms = request->since,
				      .before_id = request->after_id };
	if (request->owner)
		err = owner_from_text(session, request->owner, &ret->uid);
	else if (request->all && request->verb == FOREBAY_VERB_LIST)
		ret->uid = (uid_t)-1;
	if (!err && ret->uid != session->peer.uid && !session->admin)
		err = FOREBAY_ERR_NOT_ALLOWED;
	if (err)
		stream_error(stream, err,
			     err == FOREBAY_ERR_NOT_ALLOWED
				 ? "only root and members of the admin group see other users' jobs"
				 : "owner: there is no such user on this host");
	return err == FOREBAY_ERR_OK;
}

struct listing {
	struct jsonput rows;
	struct store_filter filter;
	size_t count;
};

static void
listing_free(struct stream *stream)
{
	struct listing *listing = stream->state;

	jsonput_clear(&listing->rows);
	free(listing);
}

static void
reply_list(struct stream *stream, struct listing *listing, bool more)
{
	struct jsonput put = { 0 };
	size_t len = 0;
	char *bytes = listing->count > 0 ? jsonput_take(&listing->rows, &len) : NULL;

	if (listing->count > 0 && !bytes) {
		stream_error(stream, FOREBAY_ERR_NO_MEMORY, NULL);
		return;
	}
	jsonput_object(&put);
	jsonput_member_int(&put, "rows", (int64_t)listing->count);
	if (more)
		jsonput_member_int(&put, "next", (int64_t)listing->filter.before_id);
	jsonput_end(&put);
	if (bytes)
		stream_reply_data(stream, &put, (uint8_t *)bytes, len);
	else
		stream_reply(stream, &put);
}

static void serve_on_listed(enum forebay_err err, struct store_reply *reply, void *arg);

static void
fetch_listing(struct stream *stream)
{
	struct listing *listing = stream->state;

	store_list(stream->session->server->store, &listing->filter, serve_on_listed,
		   stream_ref(stream));
}

static void
serve_on_listed(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct stream *stream = fetch_answer(arg, err);
	struct listing *listing;

	if (!stream)
		return;
	listing = stream->state;
	for (size_t i = 0; i < reply->job_count; i++) {
		jsonput_object(&listing->rows);
		put_row(&listing->rows, &reply->jobs[i]);
		jsonput_end(&listing->rows);
		jsonput_line(&listing->rows);
	}
	listing->count += reply->job_count;
	listing->filter.limit -= (unsigned)reply->job_count;
	listing->filter.before_id = reply->next_id;
	if (reply->more && listing->filter.limit > 0) {
		fetch_listing(stream);
		return;
	}
	fetch_end(stream);
	reply_list(stream, listing, reply->more);
}

void
handle_list(struct stream *stream)
{
	struct store_filter filter;
	struct listing *listing;

	if (!filter_of(stream, &filter))
		return;
	filter.limit = stream->request.limit ? (unsigned)stream->request.limit : LIST_DEFAULT;
	listing = must_alloc(sizeof(*listing));
	*listing = (struct listing){ .filter = filter };
	stream->state = listing;
	stream->on_free = listing_free;
	fetch_add(stream, fetch_listing);
}
