/*
 * http_exchange.c - one client and its job: held until the API answers, then
 * given the answer as it comes.
 *
 * Nothing goes out before the first event with a part of the answer: until then
 * a failure is tried again inside. From then on the job is sealed, and a failure
 * ends the stream. Only whole events are sent, so that what ends it can be read.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/claude/body.h"
#include "daemon/run/live.h"
#include "daemon/serve/facade_internal.h"
#include "daemon/serve/http_events.h"
#include "daemon/serve/http_options.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN   65536
#define PING	    "event: ping\ndata: {\"type\": \"ping\"}\n\n"
#define CLAUDE_CODE "claude-cli/" /* its user-agent: pings are nothing to it */

struct exchange {
	struct http_client *client; /* borrowed: it owns us */
	struct http_job *job;	    /* borrowed */
	struct event *hold;	    /* owned: it has waited long enough */
	struct event *ping;	    /* owned; NULL: none are sent */
	struct http_events events;  /* of the attempt */
	unsigned attempt;
	uint64_t offset; /* bytes of it that were sent */
	bool begun;	 /* the reply has */
	bool sealed;	 /* parts of the answer were sent */
	bool impatient;	 /* held long enough: whatever there is */
	bool done;	 /* the reply is whole */
};

static struct runner *
runner_of(const struct exchange *exchange)
{
	return exchange->client->facade->server->runner;
}

/* --- replies --------------------------------------------------------------------------- */

/* What all good replies say; ends in CRLF. */
static void
put_lines(const struct exchange *exchange, const char *type, char ret[static HTTP_LINES_LEN])
{
	const struct http_job *job = exchange->job;
	char ours[HTTP_REQUEST_ID_LEN], id[48] = "", model[192] = "";
	const char *request_id = job->end.request_id;

	if (!request_id)
		request_id = runner_request_id(runner_of(exchange), job->id);
	if (job->id)
		snprintf(id, sizeof(id), "x-forebay-job: %" PRIu64 "\r\n", job->id);
	if (job->model && job->asked_model[0] && strcmp(job->model, job->asked_model) != 0)
		snprintf(model, sizeof(model), "x-forebay-model-served: %.140s\r\n", job->model);
	snprintf(ret, HTTP_LINES_LEN, "content-type: %s\r\nrequest-id: %.100s\r\n%s%s", type,
		 request_id ? request_id : http_request_id(ours), id, model);
}

static void
begin(struct exchange *exchange)
{
	char lines[HTTP_LINES_LEN + 64];

	if (exchange->begun)
		return;
	put_lines(exchange, "text/event-stream; charset=utf-8\r\ncache-control: no-cache", lines);
	http_conn_begin(exchange->client->conn, 200, lines);
	exchange->begun = true;
}

static void
fail(struct exchange *exchange, const struct http_error *error)
{
	struct http_error told = *error;

	told.job = exchange->job ? exchange->job->id : 0;
	exchange->done = true;
	if (exchange->begun)
		http_error_event(exchange->client->conn, &told);
	else
		http_error_reply(exchange->client->conn, &told);
}

void
exchange_free(struct exchange *exchange)
{
	exchange->client->exchange = NULL;
	event_free(exchange->hold);
	if (exchange->ping)
		event_free(exchange->ping);
	free(exchange);
}

void
exchange_refused(struct exchange *exchange, const struct http_error *error)
{
	exchange->job = NULL;
	fail(exchange, error);
	exchange_free(exchange);
}

/* --- how it ended ------------------------------------------------------------------------ */

/* "529 overloaded_error: Overloaded (inside the stream)": the API's own words in it. */
static void
take_words(const char *text, char type[static 64], char words[static 512])
{
	static const char tail[] = " (inside the stream)";
	int status, at = 0;
	size_t len;

	type[0] = '\0';
	if (!text || sscanf(text, "%d %63[a-z_]: %n", &status, type, &at) != 2 || at == 0) {
		type[0] = '\0';
		at = 0;
	}
	snprintf(words, 512, "%s", text ? text + at : "");
	len = strlen(words);
	if (len > sizeof(tail) && strcmp(words + len - sizeof(tail) + 1, tail) == 0)
		words[len - sizeof(tail) + 1] = '\0';
}

static bool
is_json(const uint8_t *body, size_t len)
{
	size_t at = 0;

	while (at < len && strchr(" \t\r\n", body[at]) && body[at])
		at++;
	return at < len && body[at] == '{';
}

/* The API's status with its own body, or what we know in its words. */
static void
tell_failure(struct exchange *exchange)
{
	const struct http_end *end = &exchange->job->end;
	char type[64], words[512], lines[HTTP_LINES_LEN];
	struct http_error error;

	take_words(end->message, type, words);
	error = http_error_of(end->error ? end->error : FOREBAY_ERR_INTERNAL, words);
	error.request_id = end->request_id;
	if (end->status >= 400 && end->status <= 599)
		error.status = end->status;
	error.type = type[0] ? type : NULL;
	if (exchange->begun || end->status < 400 || end->status > 599 ||
	    !is_json(end->body, end->body_len)) {
		fail(exchange, &error);
		return;
	}
	put_lines(exchange, "application/json\r\nx-should-retry: false", lines);
	http_conn_reply(exchange->client->conn, error.status, lines, end->body, end->body_len);
	exchange->done = true;
}

static void
tell_message(struct exchange *exchange)
{
	const struct http_end *end = &exchange->job->end;
	char lines[HTTP_LINES_LEN];

	put_lines(exchange, "application/json", lines);
	http_conn_reply(exchange->client->conn, 200, lines, end->body, end->body_len);
	exchange->done = true;
}

/* --- the answer as a stream -------------------------------------------------------------- */

/* As much as there is room for. False: not all. */
static bool
send_up_to(struct exchange *exchange, const uint8_t *bytes, uint64_t to)
{
	struct http_conn *conn = exchange->client->conn;

	while (exchange->offset < to && !http_conn_is_full(conn)) {
		size_t len = (size_t)MIN(to - exchange->offset, (uint64_t)CHUNK_LEN);

		http_conn_send(conn, bytes + exchange->offset, len);
		exchange->offset += len;
	}
	return exchange->offset >= to;
}

static void
seal(struct exchange *exchange)
{
	if (exchange->sealed)
		return;
	begin(exchange);
	exchange->sealed = true;
	runner_seal(runner_of(exchange), exchange->job->id);
	if (exchange->ping)
		event_del(exchange->ping);
}

/* Its bytes are not kept any more: nobody can be given all of it. */
static void
lose(struct exchange *exchange)
{
	struct http_job *job = exchange->job;
	struct http_error error =
	    http_error_of(FOREBAY_ERR_NO_MEMORY, "forebay: too many answers are being streamed at "
						 "once, [daemon] live_buffer is used up");

	fail(exchange, &error);
	exchange_free(exchange);
	http_job_drop(job);
}

/* Another attempt than the one we know: nothing of that one was sent. */
static void
take_attempt(struct exchange *exchange, unsigned attempt)
{
	if (attempt == exchange->attempt)
		return;
	exchange->attempt = attempt;
	exchange->events = (struct http_events){ 0 };
	exchange->offset = 0;
}

static void
look_live(struct exchange *exchange)
{
	struct http_events *events = &exchange->events;
	const uint8_t *bytes;
	unsigned attempt;
	size_t len;

	switch (live_look(runner_live(runner_of(exchange)), exchange->job->id, &attempt, &bytes,
			  &len)) {
	case LIVE_NONE:
		return;
	case LIVE_LOST:
		lose(exchange);
		return;
	case LIVE_RUNNING:
		break;
	}
	take_attempt(exchange, attempt);
	if (len > events->at)
		http_events_feed(events, bytes + events->at, len - (size_t)events->at);
	if (events->whole == 0 || (!events->content && !exchange->impatient))
		return;
	seal(exchange);
	(void)send_up_to(exchange, bytes, events->whole);
}

static void
look_ended_stream(struct exchange *exchange)
{
	const struct http_end *end = &exchange->job->end;
	struct http_events *events = &exchange->events;

	if (!end->error && !end->raw) {
		lose(exchange);
		return;
	}
	if (end->raw_len > events->at)
		http_events_feed(events, end->raw + events->at, end->raw_len - (size_t)events->at);
	if (end->error && !exchange->sealed) {
		tell_failure(exchange);
		return;
	}
	begin(exchange);
	exchange->sealed = true;
	if (!send_up_to(exchange, end->raw, end->error ? events->whole : end->raw_len))
		return;
	if (end->error && !events->error) {
		tell_failure(exchange);
		return;
	}
	/* The answer counts, though the blank line behind its last event is missing:
	 * without one, clients drop that event. */
	if (events->whole > 0 && events->whole < end->raw_len)
		http_conn_send(exchange->client->conn, "\n\n", 2);
	exchange->done = true;
	http_conn_end(exchange->client->conn);
}

void
exchange_look(struct exchange *exchange)
{
	const struct http_job *job = exchange->job;

	if (exchange->done)
		return;
	if (!job->ended && exchange->client->facade->draining && job->state == FOREBAY_JOB_QUEUED) {
		exchange_drain(exchange);
	} else if (!job->ended) {
		if (job->stream)
			look_live(exchange);
	} else if (job->stream) {
		look_ended_stream(exchange);
	} else if (job->end.error) {
		tell_failure(exchange);
	} else {
		tell_message(exchange);
	}
}

/* --- holding ------------------------------------------------------------------------------- */

/* Told to ask again: the job waits for that. */
static void
send_away(struct exchange *exchange)
{
	struct facade *facade = exchange->client->facade;
	struct http_job *job = exchange->job;
	char where[256] = "", words[640];
	struct http_error error = { .status = 503, .message = words, .again = true, .after_s = 1 };

	if (job->state == FOREBAY_JOB_RUNNING)
		snprintf(where, sizeof(where), "at the API for %" PRId64 " s",
			 (clock_mono_ms() - job->running_ms) / 1000);
	else if (job->id)
		runner_waiting(runner_of(exchange), job->id, job->asked_model, where,
			       sizeof(where));
	snprintf(words, sizeof(words),
		 "forebay: no answer yet. Job %" PRIu64 " is %s%s%s. Asking the same again waits "
		 "on for it, within %" PRId64 " s",
		 job->id, forebay_job_state_name(job->state), where[0] ? ": " : "", where,
		 facade->server->config->facade.linger_ms / 1000);
	job->lingers = true;
	fail(exchange, &error);
	exchange_free(exchange);
	http_job_leave(job);
}

static void
exchange_on_hold(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *exchange = arg;

	(void)fd;
	(void)what;
	if (exchange->begun || exchange->done)
		return;
	exchange->impatient = true;
	if (exchange->job->stream && exchange->events.whole > 0)
		exchange_look(exchange);
	else
		send_away(exchange);
}

static void
exchange_on_ping(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *exchange = arg;

	(void)fd;
	(void)what;
	if (exchange->sealed || exchange->done)
		return;
	begin(exchange);
	if (!http_conn_is_full(exchange->client->conn))
		http_conn_send(exchange->client->conn, PING, sizeof(PING) - 1);
}

static bool
wants_pings(const struct http_client *client)
{
	const char *agent = http_head_find(http_conn_head(client->conn), "user-agent");

	switch ((enum config_keepalive)client->facade->server->config->facade.keepalive) {
	case CONFIG_KEEPALIVE_NONE:
		return false;
	case CONFIG_KEEPALIVE_PINGS:
		return true;
	case CONFIG_KEEPALIVE_AUTO:
		break;
	}
	return !agent || strncmp(agent, CLAUDE_CODE, strlen(CLAUDE_CODE)) != 0;
}

static struct exchange *
new_exchange(struct http_client *client, bool stream)
{
	const struct config_http *config = &client->facade->server->config->facade;
	struct event_base *base = client->facade->server->base;
	struct exchange *exchange = must_alloc(sizeof(*exchange));
	struct timeval hold = clock_timer((double)config->hold_ms / 1000.0);
	struct timeval every = clock_timer((double)config->ping_every_ms / 1000.0);

	*exchange = (struct exchange){ .client = client };
	client->exchange = exchange;
	exchange->hold = event_new(base, -1, 0, exchange_on_hold, exchange);
	if (stream && wants_pings(client))
		exchange->ping = event_new(base, -1, EV_PERSIST, exchange_on_ping, exchange);
	if (!exchange->hold || (stream && wants_pings(client) && !exchange->ping))
		fatal("out of memory");
	if (exchange->ping)
		event_add(exchange->ping, &every);
	else
		event_add(exchange->hold, &hold);
	return exchange;
}

/* --- its beginning ------------------------------------------------------------------------- */

static void
add_text(struct digest *digest, const char *text)
{
	digest_add(digest, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* What makes two requests of one caller the same. */
static void
make_key(const struct http_client *client, const struct request *request, const uint8_t *body,
	 size_t len, uint8_t ret[static DIGEST_LEN])
{
	struct digest *digest = digest_new();
	uid_t uid = client->peer.uid;

	digest_add(digest, &uid, sizeof(uid));
	add_text(digest, request->query);
	add_text(digest, request->version);
	for (size_t i = 0; request->betas && request->betas[i]; i++)
		add_text(digest, request->betas[i]);
	add_text(digest, NULL);
	add_text(digest, request->chain);
	for (size_t i = 0; request->chain_models && request->chain_models[i]; i++)
		add_text(digest, request->chain_models[i]);
	add_text(digest, NULL);
	digest_add(digest, body, len);
	digest_end(digest, ret);
}

static void
attach(struct exchange *exchange, struct http_job *job)
{
	exchange->job = job;
	log_with(LOG_LEVEL_DEBUG, LOG_FIELDS(.job_id = job->id, .owner = job->uid),
		 "its client asked again");
	exchange_look(exchange);
}

static void
submit(struct http_client *client, struct http_options *options, const struct body_facts *facts,
       uint8_t *body, size_t len)
{
	struct exchange *exchange = new_exchange(client, facts->stream);
	struct caller caller = { .uid = client->peer.uid,
				 .groups = client->peer.groups,
				 .group_count = client->peer.group_count,
				 .unit = client->peer.unit };
	uint8_t key[DIGEST_LEN];
	struct http_job_order order = { .exchange = exchange,
					.caller = &caller,
					.request = &options->request,
					.key = key,
					.asked_model = facts->model,
					.stream = facts->stream,
					.durable = options->durable };
	char why[RUNNER_WHY_LEN] = "";
	struct http_job *job;
	enum forebay_err err;

	make_key(client, &options->request, body, len, key);
	job = http_job_take(client->facade, key, exchange);
	if (job) {
		free(body);
		attach(exchange, job);
		return;
	}
	if (facts->stream)
		options->request.transport = FOREBAY_TRANSPORT_STREAM;
	err = http_job_new(client->facade, &order, body, len, &exchange->job, why);
	if (!err)
		return;
	exchange_free(exchange);
	http_client_refuse(client, err, why);
}

void
exchange_start(struct http_client *client)
{
	struct http_options options;
	struct body_facts facts;
	char why[MESSAGE_WHY_LEN];
	size_t len;
	uint8_t *body = http_conn_take_body(client->conn, &len);
	enum forebay_err err = http_options_parse(http_conn_head(client->conn), &options, why);

	if (err) {
		free(body);
		http_client_refuse(client, err, why);
		return;
	}
	err = body_scan_without_model(body, len, &facts, why, sizeof(why));
	if (err) {
		free(body);
		http_client_refuse(client, err, why);
	} else {
		submit(client, &options, &facts, body, len);
	}
	http_options_clear(&options);
}

/* --- its end -----------------------------------------------------------------------------------
 */

void
exchange_answered(struct exchange *exchange)
{
	struct http_job *job = exchange->job;

	exchange_free(exchange);
	http_job_drop(job);
}

void
exchange_gone(struct exchange *exchange)
{
	struct http_job *job = exchange->job;

	exchange_free(exchange);
	http_job_leave(job);
}

void
exchange_drain(struct exchange *exchange)
{
	struct http_job *job = exchange->job;
	struct http_error error =
	    http_error_of(FOREBAY_ERR_DRAINING, "forebay is restarting; ask again in a moment");

	if (exchange->done || job->ended || job->state == FOREBAY_JOB_RUNNING)
		return;
	fail(exchange, &error);
	exchange_free(exchange);
	http_job_drop(job);
}

int64_t
exchange_stuck_since_ms(const struct exchange *exchange)
{
	return exchange->job->ended ? http_conn_stuck_since_ms(exchange->client->conn) : -1;
}

void
exchange_break(struct exchange *exchange)
{
	struct http_client *client = exchange->client;
	struct http_job *job = exchange->job;

	exchange_free(exchange);
	http_job_drop(job);
	http_conn_break(client->conn, "it did not read, and others need the memory");
}
