/*
 * handle_info.c - what the daemon says of itself: status, gates, stats, models,
 * watch, whoami, verify.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/claude/models.h"
#include "daemon/run/gates.h"
#include "daemon/run/watch.h"
#include "daemon/serve/handlers.h"

#include <event2/event.h>
#include <grp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_MODEL     "claude-sonnet-5-5" /* what a program may take that has no opinion */
#define GROUP_KEPT_MS 300000
#define MAX_WATCHES   8 /* on one connection: each costs a whole status, again and again */
#define VERIFY_MODEL  "claude-haiku-5-5" /* it spends money: a cheap one, unless told */

void
handle_status(struct stream *stream)
{
	struct jsonput put = { 0 };

	jsonput_object(&put);
	put_status(&put, stream->session->server);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

void
handle_gates(struct stream *stream)
{
	struct jsonput put = { 0 };

	jsonput_object(&put);
	put_gates(&put, stream->session->server);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

void
handle_stats(struct stream *stream)
{
	struct jsonput put = { 0 };
	struct metric_row row;

	jsonput_object(&put);
	jsonput_key(&put, "metrics");
	jsonput_object(&put);
	for (unsigned i = 0; metrics_row(i, &row); i++)
		jsonput_member_int(&put, row.name, (int64_t)row.value);
	jsonput_end(&put);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

void
handle_models(struct stream *stream)
{
	struct gates *gates = runner_gates(stream->session->server->runner);
	struct jsonput put = { 0 };
	const struct model *models;
	size_t count;
	char words[160];
	double now = clock_mono();

	models = models_all(&count);
	jsonput_object(&put);
	jsonput_key(&put, "models");
	jsonput_array(&put);
	for (size_t i = 0; i < count; i++) {
		jsonput_object(&put);
		jsonput_member_string(&put, "id", models[i].id);
		if (models[i].alias)
			jsonput_member_string(&put, "alias", models[i].alias);
		jsonput_member_string(&put, "bucket", models[i].bucket);
		jsonput_member_int(&put, "context", models[i].context);
		jsonput_member_int(&put, "max_output", models[i].max_output);
		jsonput_member_string(&put, "lifecycle", models[i].lifecycle);
		gates_words(gates, models[i].id, now, words, sizeof(words));
		jsonput_member_string(&put, "words", words[0] ? words : "open");
		jsonput_end(&put);
	}
	jsonput_end(&put);
	jsonput_member_string(&put, "default", ASK_MODEL);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

/* A directory server may be asked for these, while the loop waits: not each time. */
static const char *
group_name(gid_t gid)
{
	static struct {
		gid_t gid;
		int64_t until_ms; /* 0: nothing here */
		char name[64];
	} known[64];
	size_t i = gid % ARRAY_LEN(known);
	int64_t now_ms = clock_mono_ms();
	const struct group *group;

	if (known[i].until_ms > now_ms && known[i].gid == gid)
		return known[i].name;
	group = getgrgid(gid);
	if (group)
		snprintf(known[i].name, sizeof(known[i].name), "%s", group->gr_name);
	else
		snprintf(known[i].name, sizeof(known[i].name), "%u", (unsigned)gid);
	known[i].gid = gid;
	known[i].until_ms = now_ms + GROUP_KEPT_MS;
	return known[i].name;
}

void
handle_whoami(struct stream *stream)
{
	const struct peer *peer = &stream->session->peer;
	struct jsonput put = { 0 };
	char name[64];

	jsonput_object(&put);
	jsonput_member_int(&put, "uid", peer->uid);
	jsonput_member_int(&put, "gid", peer->gid);
	jsonput_member_int(&put, "pid", peer->pid);
	jsonput_member_string(&put, "user", peer_user_name(peer->uid, name, sizeof(name)));
	if (peer->unit[0])
		jsonput_member_string(&put, "unit", peer->unit);
	jsonput_key(&put, "groups");
	jsonput_array(&put);
	for (unsigned i = 0; i < peer->group_count; i++)
		jsonput_string(&put, group_name(peer->groups[i]));
	jsonput_end(&put);
	jsonput_member_bool(&put, "admin", stream->session->admin);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

/* --- watch --------------------------------------------------------------------------------- */

static void
watch_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;
	struct jsonput put = { 0 };

	(void)fd;
	(void)what;
	/* Who does not read is not written for: the next tick has newer news. */
	if (conn_is_full(stream->session->conn))
		return;
	jsonput_object(&put);
	jsonput_member_string(&put, "event", "status");
	put_status(&put, stream->session->server);
	jsonput_end(&put);
	stream_event(stream, &put);
}

static void
watch_stream_free(struct stream *stream)
{
	stream->session->watches--;
	event_free(stream->state);
}

void
handle_watch(struct stream *stream)
{
	int64_t ms = stream->request.interval_ms;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct event *tick;

	if (stream->session->watches == MAX_WATCHES) {
		stream_error(stream, FOREBAY_ERR_OVER_QUOTA,
			     "8 streams of this connection watch already; cancel one of them");
		return;
	}
	tick = event_new(stream->session->server->base, -1, EV_PERSIST, watch_on_tick, stream);
	if (!tick)
		fatal("out of memory");
	stream->session->watches++;
	stream->state = tick;
	stream->on_free = watch_stream_free;
	event_add(tick, &tv);
	watch_on_tick(-1, 0, stream);
}

/* --- verify ---------------------------------------------------------------------------------- */

struct verify {
	struct stream *stream; /* borrowed: it owns us */
	uint64_t id;	       /* 0: not submitted yet */
	struct watcher *watcher;
	bool ended;
};

static const char *
model_of(const struct stream *stream)
{
	return stream->request.model ? stream->request.model : VERIFY_MODEL;
}

static void
reply_verify(struct stream *stream, enum forebay_err err, const char *why)
{
	const char *model = model_of(stream);
	bool overloaded = err == FOREBAY_ERR_OVERLOADED || err == FOREBAY_ERR_RATE_LIMITED;
	struct jsonput put = { 0 };
	char words[256];

	if (!err)
		snprintf(words, sizeof(words), "Direct call OK: %s", model);
	else if (overloaded)
		snprintf(words, sizeof(words), "Model overloaded: fallback chain would activate");
	else
		snprintf(words, sizeof(words), "%s", why ? why : forebay_err_text(err));
	jsonput_object(&put);
	jsonput_member_string(&put, "model", model);
	jsonput_member_bool(&put, "ok", !err);
	jsonput_member_string(&put, "words", words);
	if (err)
		jsonput_member_string(&put, "error", forebay_err_wire(err));
	jsonput_end(&put);
	stream_reply(stream, &put);
}

static void
verify_on_news(const struct watch_news *news, void *arg)
{
	struct verify *verify = arg;

	if (news->kind != WATCH_ENDED)
		return;
	verify->ended = true;
	reply_verify(verify->stream, news->error, news->result ? news->result->message : NULL);
}

static void
verify_on_canceled(enum forebay_err err, enum forebay_job_state state, void *arg)
{
	(void)err;
	(void)state;
	(void)arg;
}

static void
verify_free(struct stream *stream)
{
	struct verify *verify = stream->state;
	struct runner *runner = stream->session->server->runner;
	struct caller caller = stream_caller(stream);

	watch_remove(runner_watch(runner), verify->watcher);
	if (verify->id && !verify->ended && !stream->session->server->closing)
		runner_cancel(runner, &caller, verify->id, verify_on_canceled, NULL);
	free(verify);
}

static void
serve_on_verifying(enum forebay_err err, const char *why, uint64_t id, enum forebay_job_state state,
		   bool existing, void *arg)
{
	struct stream *stream = stream_deref(arg);
	struct verify *verify;
	uid_t uid;

	(void)existing;
	if (!stream)
		return; /* it is one call of ten tokens: let it end */
	if (err) {
		stream_error(stream, err, why);
		return;
	}
	/* It never got as far as a connection: nobody will tell us any more. */
	if (!runner_knows_ephemeral(stream->session->server->runner, id, &uid, &state)) {
		reply_verify(stream, FOREBAY_ERR_NETWORK, NULL);
		return;
	}
	verify = must_alloc(sizeof(*verify));
	*verify = (struct verify){ .stream = stream, .id = id };
	verify->watcher =
	    watch_add(runner_watch(stream->session->server->runner), id, verify_on_news, verify);
	stream->state = verify;
	stream->on_free = verify_free;
}

void
handle_verify(struct stream *stream)
{
	struct runner *runner = stream->session->server->runner;
	struct caller caller = stream_caller(stream);
	char why[RUNNER_WHY_LEN] = "", words[160];
	double when = INFINITY;
	struct stream_ref *ref;
	enum forebay_err err;
	bool probe;

	if (runner_is_draining(runner)) {
		stream_error(stream, FOREBAY_ERR_DRAINING,
			     "forebayd is shutting down; verify again in a moment");
		return;
	}
	/* A closed gate is the answer: the call would only wait in front of it. */
	if (!gates_may_send(runner_gates(runner), model_of(stream), 32, 10, clock_mono(), &when,
			    &probe)) {
		gates_words(runner_gates(runner), model_of(stream), clock_mono(), words,
			    sizeof(words));
		reply_verify(stream,
			     runner_key_is_closed(runner) ? FOREBAY_ERR_AUTH_FAILED
							  : FOREBAY_ERR_OVERLOADED,
			     words);
		return;
	}
	ref = stream_ref(stream);
	err = runner_verify(runner, &caller, model_of(stream), serve_on_verifying, ref, why);
	if (!err)
		return;
	free(ref);
	stream_error(stream, err, why);
}
