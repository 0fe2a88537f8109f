/*
 * attempt.c - one try: the call's events, told to the gates and the watchers,
 * and the answer as it comes. What becomes of the job is ending.c's.
 */
#include "daemon/run/attempt.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/net/call.h"
#include "daemon/net/curl_loop.h"
#include "daemon/run/live.h"
#include "daemon/run/runner_internal.h"
#include "daemon/run/watch.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* --- the clock of the gate: quiet, then stalled ------------------------------------ */

static void
arm(struct attempt *attempt, double in_s)
{
	struct timeval tv = clock_timer(in_s);

	event_add(attempt->timer, &tv);
}

static void
attempt_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	struct gates *gates = attempt->runner->gates;
	double now = clock_mono();
	double age = now - attempt->pass.ticket.sent_at;
	double stall = gates_stalled_after(gates, &attempt->pass);

	(void)fd;
	(void)what;
	if (age < stall) {
		gates_quiet(gates, &attempt->pass, now);
		arm(attempt, stall - age + 0.001);
	} else {
		gates_stalled(gates, &attempt->pass, now);
		runner_lend_slot(attempt->runner, attempt);
	}
	runner_kick(attempt->runner);
}

static void
observe_waits(const struct attempt *attempt)
{
	histogram_observe(&histograms.queue_wait_seconds,
			  (double)(attempt->started_ms - attempt->job->since_ms) / 1000.0);
	histogram_observe(&histograms.first_byte_seconds,
			  clock_mono() - attempt->pass.ticket.sent_at);
}

static void
accepted(struct attempt *attempt)
{
	if (attempt->pass.ticket.accepted)
		return;
	event_del(attempt->timer);
	observe_waits(attempt);
	runner_reclaim_slot(attempt->runner, attempt);
	gates_accepted(attempt->runner->gates, &attempt->pass, clock_mono());
	runner_kick(attempt->runner);
}

/* --- what the call tells -------------------------------------------------------------- */

static void
attempt_on_left(struct call *call, void *arg)
{
	struct attempt *attempt = arg;
	struct gates *gates = attempt->runner->gates;

	(void)call;
	attempt->left = true;
	metrics.attempts_total++;
	gates_left(gates, &attempt->pass, clock_mono());
	arm(attempt, gates_quiet_after(gates, &attempt->pass));
}

static void
attempt_on_headers(struct call *call, int status, const struct answer_headers *headers, void *arg)
{
	struct attempt *attempt = arg;

	attempt->status = status;
	attempt->headers = *headers;
	gates_headers(attempt->runner->gates, &attempt->pass, headers->ratelimit, clock_mono());
	if (status != 200 || !attempt->stream)
		call_bytes_are_progress(call);
	if (status == 200 && !attempt->stream)
		accepted(attempt);
}

static void
attempt_on_event(const char *name, const uint8_t *data, size_t len, void *arg)
{
	struct attempt *attempt = arg;
	enum assembly_step step;

	if (attempt->failed_event || attempt->broken)
		return;
	if (assembly_feed(attempt->assembly, name, data, len, &step)) {
		attempt->broken = true;
		return;
	}
	switch (step) {
	case ASSEMBLY_IDLE:
		break;
	case ASSEMBLY_PROGRESS:
	case ASSEMBLY_STOPPED:
		accepted(attempt);
		if (attempt->call)
			call_progress(attempt->call);
		break;
	case ASSEMBLY_FAILED:
		attempt->failed_event = true;
		answer_from_event(&attempt->answer, &attempt->headers, data, len,
				  (double)clock_wall_ms() / 1000.0);
		break;
	}
}

static void
keep_plain(struct attempt *attempt, const uint8_t *data, size_t len)
{
	struct attempt_bytes *plain = &attempt->plain;

	/* Of an error only so much is looked at, whatever the server sends. */
	if (attempt->status != 200)
		len = MIN(len, (size_t)ANSWER_MAX_ERROR_BODY -
				   MIN(plain->len, (size_t)ANSWER_MAX_ERROR_BODY));
	if (plain->len + len > plain->room) {
		size_t room = MAX(2 * plain->room, plain->len + len);
		uint8_t *bytes = realloc(plain->bytes, room);

		if (!bytes) {
			attempt->broken = true;
			return;
		}
		plain->bytes = bytes;
		plain->room = room;
	}
	memcpy(plain->bytes + plain->len, data, len);
	plain->len += len;
}

static void
tell_bytes(struct attempt *attempt, const uint8_t *data, size_t len)
{
	struct runner *runner = attempt->runner;
	uint64_t id = attempt->job->id;
	struct watch_news news = { .kind = WATCH_BYTES, .id = id, .state = FOREBAY_JOB_RUNNING };

	if (attempt->lost)
		return;
	attempt->lost = !live_append(runner->live, id, data, len);
	if (attempt->lost)
		news.kind = WATCH_LOST;
	watch_notify(runner->watch, &news);
}

/* A page of a proxy, or pings and no more, are no first byte of an answer: they
 * are told with it, or never. */
static void
tell_or_keep(struct attempt *attempt, const uint8_t *data, size_t len)
{
	if (!attempt->pass.ticket.accepted) {
		keep_plain(attempt, data, len);
		return;
	}
	if (attempt->plain.len > 0)
		tell_bytes(attempt, attempt->plain.bytes, attempt->plain.len);
	attempt->plain.len = 0;
	tell_bytes(attempt, data, len);
}

/* The stream said no, or cannot be read: nothing more is wanted of it. */
static void
end_stream(struct attempt *attempt)
{
	call_cancel(TAKE(attempt->call));
	if (!attempt->failed_event)
		answer_from_transport(&attempt->answer, ANSWER_BAD_STREAM, attempt->status,
				      &attempt->headers);
	attempt_ended(attempt, &attempt->answer);
}

static void
attempt_on_data(struct call *call, const uint8_t *data, size_t len, void *arg)
{
	struct attempt *attempt = arg;

	(void)call;
	if (attempt->status != 200 || !attempt->stream) {
		keep_plain(attempt, data, len);
		return;
	}
	if (sse_feed(&attempt->sse, data, len, attempt_on_event, attempt))
		attempt->broken = true;
	/* Bytes of a try that failed before its first word are nobody's news. */
	if (!attempt->failed_event && !attempt->broken)
		tell_or_keep(attempt, data, len);
	else
		end_stream(attempt);
}

/* A transfer that is over: is it a whole answer? Else attempt->answer says why not. */
static bool
is_whole(struct attempt *attempt, enum answer_transport how)
{
	struct answer *answer = &attempt->answer;

	/* Some gateways say the key back in what they refuse with. */
	if (attempt->status != 200)
		curl_loop_scrub(attempt->runner->loop, (char *)attempt->plain.bytes,
				attempt->plain.len);
	if (attempt->status == 200 && attempt->stream) {
		if (sse_end(&attempt->sse, attempt_on_event, attempt))
			attempt->broken = true;
		if (assembly_is_whole(attempt->assembly))
			return true;
		if (how == ANSWER_TRANSPORT_NONE)
			how = attempt->broken ? ANSWER_BAD_STREAM : ANSWER_TRUNCATED;
		if (!attempt->failed_event)
			answer_from_transport(answer, how, 200, &attempt->headers);
		return false;
	}
	if (attempt->status == 200 && how == ANSWER_TRANSPORT_NONE) {
		if (!assembly_from_plain(attempt->plain.bytes, attempt->plain.len,
					 &attempt->facts_plain))
			return true;
		how = ANSWER_BAD_STREAM;
	}
	if (attempt->status != 200 && attempt->status > 0)
		answer_from_http(answer, attempt->status, &attempt->headers, attempt->plain.bytes,
				 attempt->plain.len, (double)clock_wall_ms() / 1000.0);
	else
		answer_from_transport(answer, how, attempt->status, &attempt->headers);
	return false;
}

static void
attempt_on_done(struct call *call, enum answer_transport how, const char *words, void *arg)
{
	struct attempt *attempt = arg;

	(void)call;
	attempt->call = NULL;
	if (is_whole(attempt, how)) {
		attempt_ended(attempt, NULL);
		return;
	}
	if (attempt->status <= 200 && attempt->answer.message[0] == '\0')
		snprintf(attempt->answer.message, sizeof(attempt->answer.message), "%s", words);
	attempt_ended(attempt, &attempt->answer);
}

static const struct call_events call_events = {
	.left = attempt_on_left,
	.headers = attempt_on_headers,
	.data = attempt_on_data,
	.done = attempt_on_done,
};

/* --- its life ---------------------------------------------------------------------------- */

struct attempt *
attempt_new(struct runner *runner, struct job *job, double now)
{
	struct attempt *attempt = must_alloc(sizeof(*attempt));
	const char *model = job->lane->route->models[job->model];

	*attempt = (struct attempt){
		.runner = runner, .job = job, .number = ++job->tries, .model_index = job->model
	};
	attempt->model = must_strdup(model);
	attempt->started_ms = clock_wall_ms();
	attempt->waited_ms = clock_mono_ms() - job->eligible_ms;
	attempt->timer = event_new(runner->base, -1, 0, attempt_on_timer, attempt);
	if (!attempt->timer)
		fatal("out of memory");
	answer_headers_init(&attempt->headers);
	job->attempt = attempt;
	gates_take(runner->gates, model, job->cost_input, job->max_output, now, &attempt->pass);
	return attempt;
}

void
attempt_free(struct attempt *attempt)
{
	if (!attempt)
		return;
	if (attempt->call)
		call_cancel(attempt->call);
	if (attempt->timer)
		event_free(attempt->timer);
	if (!attempt->job->ephemeral)
		free(attempt->body);
	body_edits_clear(&attempt->edits);
	sse_clear(&attempt->sse);
	assembly_free(attempt->assembly);
	free(attempt->plain.bytes);
	free(attempt->end.body);
	free(attempt->end.raw);
	free(attempt->model);
	free(attempt->version);
	free(attempt->betas);
	free(attempt->path);
	free(attempt->header_text);
	free(attempt->header_lines);
	free(attempt);
}

/* What max_tokens may be now: half of it after every other refusal for want of
 * capacity, never below shrink_to. 0: as it is. */
static int64_t
shrunk(const struct attempt *attempt, uint64_t shrink_to)
{
	int64_t now = attempt->facts.max_tokens, least = (int64_t)shrink_to;
	unsigned steps = MIN(attempt->job->overloads / 2u, 62u);

	if (shrink_to == 0 || steps == 0 || now <= least)
		return 0;
	return MAX(least, now >> steps);
}

/* Another model than the one it was written for may need more than its name. */
static enum forebay_err
adapt(struct attempt *attempt, const struct store_job *row)
{
	const struct lane *lane = attempt->job->lane;
	const struct config_chain *chain =
	    lane->route->chain ? config_chain_of(attempt->runner->config, lane->route->chain)
			       : NULL;
	bool moved = attempt->model_index > 0 && strcmp(attempt->facts.model, attempt->model) != 0;
	struct adapt_wishes wishes = { .drop_sampling = chain && chain->adapt,
				       .strip_thinking = moved && attempt->job->stripped,
				       .max_tokens = shrunk(attempt, row->shrink_to),
				       .version = attempt->version };

	if (!moved && wishes.max_tokens == 0)
		return FOREBAY_ERR_OK;
	return adapt_body(&attempt->edits, attempt->body, attempt->body_len, &attempt->facts,
			  attempt->model, moved, &wishes, attempt->changes);
}

/* The body as it goes out: the caller's bytes with the few words we must change. */
static enum forebay_err
edit(struct attempt *attempt, const struct store_job *row)
{
	char why[RUNNER_WHY_LEN];
	enum forebay_err err;

	err = body_scan_without_model(attempt->body, attempt->body_len, &attempt->facts, why,
				      sizeof(why));
	if (err)
		return err;
	if (strcmp(attempt->facts.model, attempt->model) != 0)
		err = body_edits_set_string(&attempt->edits, BODY_MODEL, attempt->model);
	if (!err && attempt->facts.stream != attempt->stream)
		err = body_edits_set_bool(&attempt->edits, BODY_STREAM, attempt->stream);
	if (!err)
		err = adapt(attempt, row);
	if (err)
		return err;
	body_reader_init(&attempt->reader, attempt->body, attempt->body_len, &attempt->facts,
			 &attempt->edits);
	if (!attempt->stream)
		return FOREBAY_ERR_OK;
	sse_init(&attempt->sse, attempt->runner->config->max_answer);
	attempt->assembly = assembly_new(attempt->runner->config->max_answer);
	return attempt->assembly ? FOREBAY_ERR_OK : FOREBAY_ERR_NO_MEMORY;
}

static bool
wants_stream(const struct config *config, int transport)
{
	if (transport == FOREBAY_TRANSPORT_DEFAULT)
		return config->transport == CONFIG_TRANSPORT_STREAM;
	return transport == FOREBAY_TRANSPORT_STREAM;
}

/* What an HTTP client sent besides goes along. */
static void
take_headers(struct attempt *attempt, const char *headers)
{
	size_t count = 0;
	char *rest, *line;

	if (!headers)
		return;
	for (const char *c = headers; *c; c++)
		count += *c == '\n';
	attempt->header_text = rest = must_strdup(headers);
	attempt->header_lines = must_alloc((count + 2) * sizeof(char *));
	count = 0;
	while ((line = strsep(&rest, "\n")))
		if (line[0])
			attempt->header_lines[count++] = line;
	attempt->header_lines[count] = NULL;
}

void
attempt_prepare(struct attempt *attempt, const struct store_job *row, uint8_t *body, size_t len)
{
	attempt->body = body;
	attempt->body_len = len;
	attempt->stream = wants_stream(attempt->runner->config, row->transport);
	attempt->version = must_strdup(row->version);
	attempt->betas = row->betas ? must_strdup(row->betas) : NULL;
	if (asprintf(&attempt->path, "/v1/messages%s%s", row->query ? "?" : "",
		     row->query ? row->query : "") < 0)
		fatal("out of memory");
	take_headers(attempt, row->headers);
	attempt->unsendable = edit(attempt, row);
}

void
attempt_send(struct attempt *attempt)
{
	struct call_request request = { .path = attempt->path,
					.headers = attempt->header_lines,
					.body = &attempt->reader,
					.version = attempt->version,
					.betas = attempt->betas };
	enum forebay_err err = attempt->unsendable;

	if (attempt->job->cancel_wanted || attempt->runner->drain_over) {
		attempt_abort(attempt,
			      attempt->job->cancel_wanted ? ATTEMPT_CANCELED : ATTEMPT_PUT_BACK);
		return;
	}
	if (!err)
		err = call_start(attempt->runner->loop, &attempt->pass.ticket, &request,
				 &call_events, attempt, &attempt->call);
	if (!err)
		return;
	log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.job_id = attempt->job->id), "cannot send: %s",
		 forebay_err_text(err));
	/* Nothing went out: it says nothing about the API, and would be so again. */
	attempt->unsendable = err;
	attempt_abort(attempt,
		      err == FOREBAY_ERR_NO_MEMORY ? ATTEMPT_PUT_BACK : ATTEMPT_UNSENDABLE);
}

void
attempt_abort(struct attempt *attempt, enum attempt_abort why)
{
	attempt->abort = why;
	if (attempt->call)
		call_cancel(TAKE(attempt->call));
	attempt_ended(attempt, NULL);
}
