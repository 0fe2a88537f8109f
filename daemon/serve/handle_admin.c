/*
 * handle_admin.c - hold, release, drain, reload: by root and the admin group.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/run/gates.h"
#include "daemon/serve/handlers.h"

#include <math.h>
#include <string.h>

static const char *
target_of(const struct stream *stream)
{
	return stream->request.target ? stream->request.target : "all";
}

static void
serve_on_gates_saved(enum forebay_err err, void *arg)
{
	struct stream *stream = stream_deref(arg);
	struct jsonput put = { 0 };

	if (!stream)
		return;
	if (err) {
		stream_error(stream, err, "done, but a restart will forget it");
		return;
	}
	jsonput_object(&put);
	jsonput_key(&put, "targets");
	jsonput_array(&put);
	jsonput_string(&put, target_of(stream));
	jsonput_end(&put);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

static void
reply_target(struct stream *stream, enum forebay_err err, const char *missing)
{
	if (err)
		stream_error(stream, err, missing);
	else
		runner_save_gates(stream->session->server->runner, serve_on_gates_saved,
				  stream_ref(stream));
}

void
handle_hold(struct stream *stream)
{
	struct gates *gates = runner_gates(stream->session->server->runner);
	int64_t for_ms = stream->request.for_ms;
	double until = for_ms ? clock_mono() + (double)for_ms / 1000.0 : INFINITY;
	enum forebay_err err = gates_hold(gates, target_of(stream), until, stream->request.reason);

	if (!err)
		log_with(LOG_LEVEL_WARN, LOG_FIELDS(.owner = stream->session->peer.uid),
			 "held by hand: %s%s%s", target_of(stream),
			 stream->request.reason ? ", " : "",
			 stream->request.reason ? stream->request.reason : "");
	reply_target(stream, err,
		     strcmp(target_of(stream), "batches") == 0
			 ? "batches have no gate in this version"
			 : "there is no gate or model of that name; `forebay gates` and `forebay "
			   "models` list them, \"all\" is everything");
}

void
handle_release(struct stream *stream)
{
	struct gates *gates = runner_gates(stream->session->server->runner);
	enum forebay_err err = gates_release(gates, target_of(stream));

	if (!err)
		log_with(LOG_LEVEL_WARN, LOG_FIELDS(.owner = stream->session->peer.uid),
			 "released by hand: %s", target_of(stream));
	reply_target(stream, err,
		     err == FOREBAY_ERR_NOT_ALLOWED
			 ? "there is no usable key; give forebayd one and reload it"
			 : "there is no such gate; `forebay gates` lists them");
}

void
handle_drain(struct stream *stream)
{
	struct server *server = stream->session->server;
	struct runner_counts counts;
	struct jsonput put = { 0 };

	log_with(LOG_LEVEL_WARN, LOG_FIELDS(.owner = stream->session->peer.uid), "drain by hand");
	server->events->drain(server->arg);
	runner_count(server->runner, &counts);
	jsonput_object(&put);
	jsonput_member_int(&put, "running", counts.in_flight);
	jsonput_end(&put);
	stream_reply(stream, &put);
}

void
handle_reload(struct stream *stream)
{
	struct server *server = stream->session->server;
	struct jsonput put = { 0 };
	char words[512] = "";
	enum forebay_err err = server->events->reload(words, sizeof(words), server->arg);

	if (err) {
		stream_error(stream, err, words);
		return;
	}
	jsonput_object(&put);
	jsonput_member_bool(&put, "reloaded", true);
	if (words[0])
		jsonput_member_string(&put, "restart_needed", words);
	jsonput_end(&put);
	stream_reply(stream, &put);
}
