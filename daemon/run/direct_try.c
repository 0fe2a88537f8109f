/*
 * direct_try.c - one try of a request that is no job: its call, told to the
 * gates, and whether it is tried again. The timer is the gates': they want to
 * know when it is quiet and when it has stalled.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/net/call.h"
#include "daemon/net/curl_loop.h"
#include "daemon/run/direct_internal.h"
#include "protocol/json.h"

#include <event2/event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ANSWER (4u << 20) /* a list of a thousand models has less than one */
#define MAX_DEPTH  64

/* --- an answer ----------------------------------------------------------------------------- */

/* Of an error, and of a list, only so much is taken, whatever the server sends. */
static bool
keep(struct direct *direct, const uint8_t *data, size_t len)
{
	size_t most = direct_is_success(direct) ? MAX_ANSWER : ANSWER_MAX_ERROR_BODY;
	struct attempt_bytes *got = &direct->got;

	if (len > most - got->len)
		return false;
	if (got->len + len > got->room) {
		size_t room = MAX(2 * got->room, got->len + len);
		uint8_t *bytes = realloc(got->bytes, room);

		if (!bytes)
			return false;
		got->bytes = bytes;
		got->room = room;
	}
	memcpy(got->bytes + got->len, data, len);
	got->len += len;
	return true;
}

/* Is it a whole answer? Else ret says what it is instead. */
static bool
is_good(struct direct *direct, enum answer_transport how, const char *words, struct answer *ret)
{
	const struct attempt_bytes *got = &direct->got;
	struct json_result result;

	/* Some gateways say the key back in what they refuse with. */
	if (!direct_is_success(direct) && got->len > 0)
		curl_loop_scrub(direct->runner->loop, (char *)got->bytes, got->len);
	if (direct_is_success(direct) && how == ANSWER_TRANSPORT_NONE) {
		if (direct->opaque || json_valid(got->bytes ? got->bytes : (const uint8_t *)"",
						 got->len, MAX_DEPTH, &result))
			return true;
		how = ANSWER_BAD_STREAM;
	}
	if (direct->status > 200)
		answer_from_http(ret, direct->status, &direct->answer_headers, got->bytes,
				 how == ANSWER_TRANSPORT_NONE ? got->len : 0,
				 (double)clock_wall_ms() / 1000.0);
	else
		answer_from_transport(ret, how, direct->status, &direct->answer_headers);
	if (direct->status == 0)
		snprintf(ret->message, sizeof(ret->message), "%s", words);
	return false;
}

/* What it says of a model is said of an end point here: no job is held for it.
 * A key that may not list models may well be the right one for jobs. */
static void
narrow(struct answer *answer)
{
	if (answer->effect == API_EFFECT_MODEL ||
	    (answer->effect == API_EFFECT_KEY && answer->status == 403))
		answer->effect = API_EFFECT_ACCEPT;
}

/* Only what the API meant to say is handed on, and whole. */
static void
note(struct direct *direct, const struct answer *answer, enum answer_transport how)
{
	if (direct->status < 400)
		direct->status = 0;
	if (how != ANSWER_TRANSPORT_NONE)
		direct->got.len = 0;
	direct->retry_after_s = answer->retry_after_s;
	answer_text(answer, direct->said, sizeof(direct->said));
}

/* Seconds until access returns, as a billing pause says; INFINITY if nobody does. */
static double
resume_in(const struct answer *answer)
{
	double in = answer->billing_resume_s - (double)clock_wall_ms() / 1000.0;

	return answer->billing_resume_s > 0 ? fmax(in, 1.0) : INFINITY;
}

/* Again after its rest, or is that hopeless? */
static bool
may_rest(struct direct *direct, const struct answer *answer)
{
	const struct config *config = direct->runner->config;
	int64_t rest;

	if (direct->runner->draining ||
	    (answer->retry != API_RETRY_GATE && answer->retry != API_RETRY_AFTER &&
	     answer->retry != API_RETRY_PAUSE))
		return false;
	if (direct->opaque && direct->pass.left && answer->class != API_OVERLOADED &&
	    answer->class != API_RATE_LIMITED)
		return false; /* it may have been done */
	if (answer->class == API_FAULT && direct->pass.left)
		direct->faults++;
	if (direct->faults >= config->attempts)
		return false;
	rest = job_rest_ms(++direct->refusals, config->retry_min_ms, config->retry_max_ms,
			   clock_random());
	if (answer->retry_after_s > 0)
		rest = MAX(rest, (int64_t)(answer->retry_after_s * 1000));
	direct->rest_until_ms = clock_mono_ms() + rest;
	return direct->rest_until_ms < direct->until_ms;
}

/* --- one try ------------------------------------------------------------------------------- */

static void
try_ended(struct direct *direct, enum answer_transport how, const char *words)
{
	struct runner *runner = direct->runner;
	struct answer answer;
	bool good = is_good(direct, how, words, &answer), again;

	event_del(direct->timer);
	if (!good)
		narrow(&answer);
	gates_ended(runner->gates, &direct->pass, good ? NULL : &answer, 0.0, 0.0,
		    good ? 0.0 : resume_in(&answer), clock_mono());
	patrol_foresee(runner, direct->gate);
	runner_kick(runner);
	if (good) {
		direct_tell(direct, "");
		return;
	}
	again = may_rest(direct, &answer);
	note(direct, &answer, how);
	if (!again)
		direct_tell(direct, direct->said);
}

void
direct_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct direct *direct = arg;
	struct gates *gates = direct->runner->gates;
	double now = clock_mono();
	double age = now - direct->pass.ticket.sent_at;
	double stall = gates_stalled_after(gates, &direct->pass);

	(void)fd;
	(void)what;
	if (age < stall) {
		gates_quiet(gates, &direct->pass, now);
		direct_arm(direct->timer, stall - age);
	} else {
		gates_stalled(gates, &direct->pass, now);
	}
	runner_kick(direct->runner);
}

static void
direct_on_left(struct call *call, void *arg)
{
	struct direct *direct = arg;
	struct gates *gates = direct->runner->gates;

	(void)call;
	gates_left(gates, &direct->pass, clock_mono());
	direct_arm(direct->timer, gates_quiet_after(gates, &direct->pass));
}

static void
scrub_text(const struct direct *direct, char *text)
{
	curl_loop_scrub(direct->runner->loop, text, strlen(text));
}

static void
direct_on_headers(struct call *call, int status, const struct answer_headers *headers, void *arg)
{
	struct direct *direct = arg;
	struct gates *gates = direct->runner->gates;

	direct->status = status;
	direct->answer_headers = *headers;
	stpcpy(direct->content_type, call_content_type(call));
	scrub_text(direct, direct->content_type);
	scrub_text(direct, direct->answer_headers.request_id);
	call_bytes_are_progress(call);
	gates_headers(gates, &direct->pass, headers->ratelimit, clock_mono());
	if (!direct_is_success(direct))
		return;
	event_del(direct->timer);
	gates_accepted(gates, &direct->pass, clock_mono());
	runner_kick(direct->runner);
}

static void
direct_on_data(struct call *call, const uint8_t *data, size_t len, void *arg)
{
	struct direct *direct = arg;

	(void)call;
	if (keep(direct, data, len))
		return;
	call_cancel(TAKE(direct->call));
	try_ended(direct, ANSWER_TOO_BIG, "");
}

static void
direct_on_done(struct call *call, enum answer_transport how, const char *words, void *arg)
{
	struct direct *direct = arg;

	(void)call;
	direct->call = NULL;
	try_ended(direct, how, words);
}

static const struct call_events call_events = {
	.left = direct_on_left,
	.headers = direct_on_headers,
	.data = direct_on_data,
	.done = direct_on_done,
};

void
direct_send(struct direct *direct, double now)
{
	struct gates *gates = direct->runner->gates;
	struct call_request request = { .path = direct->path,
					.body = direct->body ? &direct->reader : NULL,
					.version = direct->version,
					.betas = direct->betas,
					.headers = (const char *const *)direct->headers };

	gates_take(gates, direct->gate, 0.0, 0.0, now, &direct->pass);
	patrol_foresee(direct->runner, direct->gate);
	direct->tries++;
	direct->sent_ms = clock_mono_ms();
	direct->status = 0;
	direct->content_type[0] = '\0';
	direct->got.len = 0;
	direct->retry_after_s = -1;
	answer_headers_init(&direct->answer_headers);
	if (direct->body)
		body_reader_init(&direct->reader, direct->body, direct->len, NULL, NULL);
	if (!call_start(direct->runner->loop, &direct->pass.ticket, &request, &call_events, direct,
			&direct->call))
		return;
	gates_unsent(gates, &direct->pass, now);
	direct_end_soon(direct, "it could not be sent: a fault in forebayd, see its log");
}

void
direct_break_off(struct direct *direct)
{
	struct gates *gates = direct->runner->gates;

	if (!direct->call)
		return;
	event_del(direct->timer);
	call_cancel(TAKE(direct->call));
	if (direct->pass.left)
		gates_forgotten(gates, &direct->pass, clock_mono());
	else
		gates_unsent(gates, &direct->pass, clock_mono());
	runner_kick(direct->runner);
}
