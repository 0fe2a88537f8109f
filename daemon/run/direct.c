/*
 * direct.c - requests that are no job: taken in, sent when the gates let them,
 * and over when their time is; see direct.h.
 *
 * One timer is for the end of its time; by it also everything ends that was
 * found hopeless where nobody may be called back.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/net/call.h"
#include "daemon/net/lines.h"
#include "daemon/run/direct_internal.h"

#include <event2/event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COUNT 256
#define MAX_BYTES (64u << 20) /* of all their bodies */
#define GRACE_MS  10000	      /* for a try that was sent when the time was nearly over */

/* --- its life ---------------------------------------------------------------------------- */

static char *
copy(const char *text)
{
	return text ? must_strdup(text) : NULL;
}

static char **
copy_all(const char *const *lines)
{
	size_t count = 0;
	char **copies;

	while (lines && lines[count])
		count++;
	copies = must_alloc((count + 1) * sizeof(*copies));
	for (size_t i = 0; i < count; i++)
		copies[i] = must_strdup(lines[i]);
	copies[count] = NULL;
	return copies;
}

static void
direct_free(struct direct *direct)
{
	if (direct->call)
		call_cancel(direct->call);
	for (char **line = direct->headers; line && *line; line++)
		free(*line);
	free(direct->headers);
	free(direct->gate);
	free(direct->path);
	free(direct->version);
	free(direct->betas);
	free(direct->body);
	free(direct->got.bytes);
	event_free(direct->timer);
	event_free(direct->due);
	free(direct);
}

static void
leave(struct direct *direct)
{
	struct runner *runner = direct->runner;

	TAILQ_REMOVE(&runner->directs, direct, link);
	runner->direct_count--;
	runner->direct_bytes -= direct->len;
}

void
direct_tell(struct direct *direct, const char *why)
{
	struct runner *runner = direct->runner;
	bool whole = direct->status > 0;
	struct direct_answer answer = { .status = direct->status,
					.content_type = whole ? direct->content_type : "",
					.request_id = direct->answer_headers.request_id,
					.body = direct->got.bytes,
					.len = whole ? direct->got.len : 0,
					.retry_after_s = direct->retry_after_s,
					.why = why };

	metrics.direct_calls_failed_total += !direct_is_success(direct);
	leave(direct);
	direct->told = true;
	direct->done(&answer, direct->arg);
	direct_free(direct);
	runner_check_drained(runner);
}

void
direct_arm(struct event *event, double in_s)
{
	struct timeval tv = clock_timer(fmax(in_s, 0.001));

	event_add(event, &tv);
}

void
direct_end_soon(struct direct *direct, const char *over)
{
	direct->over = over;
	event_active(direct->due, 0, 0);
}

/* --- its time --------------------------------------------------------------------------------- */

/* It waits and its time is over: for what. */
static void
say_late(struct direct *direct, char *buf, size_t len)
{
	double now = clock_mono(), waited = (double)(clock_mono_ms() - direct->started_ms) / 1000.0;
	char words[256];

	if (direct->tries > 0) {
		snprintf(buf, len, "tried %u time%s in %.0f s; the last time: %s", direct->tries,
			 direct->tries == 1 ? "" : "s", waited, direct->said);
		return;
	}
	(void)gates_words(direct->runner->gates, direct->gate, now, words, sizeof(words));
	snprintf(buf, len, "not sent within %.0f s: %s", waited,
		 words[0] ? words : "its turn did not come");
}

static void
direct_on_due(evutil_socket_t fd, short what, void *arg)
{
	struct direct *direct = arg;
	int64_t now_ms = clock_mono_ms();
	int64_t end_ms = MAX(direct->until_ms, direct->sent_ms + GRACE_MS);
	char why[DIRECT_WHY_LEN + 64];

	(void)fd;
	(void)what;
	if (!direct->over && direct->call && now_ms < end_ms) {
		direct_arm(direct->due, (double)(end_ms - now_ms) / 1000.0);
		return;
	}
	if (direct->over)
		snprintf(why, sizeof(why), "%s", direct->over);
	else if (direct->call)
		snprintf(why, sizeof(why), "no answer within %.0f s",
			 (double)(now_ms - direct->sent_ms) / 1000.0);
	else
		say_late(direct, why, sizeof(why));
	if (direct->call)
		direct->status = 0;
	direct_break_off(direct);
	direct_tell(direct, why);
}

/* --- asked for ----------------------------------------------------------------------------------
 */

static bool
is_value(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; c && *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			return false;
	return true;
}

static enum forebay_err
check(const struct runner *runner, const struct direct_request *request)
{
	if (runner->draining)
		return FOREBAY_ERR_DRAINING;
	if (!call_path_is_safe(request->path) || !is_value(request->version) ||
	    !is_value(request->betas))
		return FOREBAY_ERR_BAD_REQUEST;
	for (size_t i = 0; request->headers && request->headers[i]; i++)
		if (!lines_is_safe(request->headers[i]))
			return FOREBAY_ERR_BAD_REQUEST;
	if (request->len > runner->config->max_body || request->len > MAX_BYTES)
		return FOREBAY_ERR_TOO_BIG;
	if (runner->direct_count >= MAX_COUNT || request->len > MAX_BYTES - runner->direct_bytes)
		return FOREBAY_ERR_QUEUE_FULL;
	return FOREBAY_ERR_OK;
}

static void
copy_request(struct direct *direct, const struct direct_request *request)
{
	const struct config *config = direct->runner->config;

	direct->gate = must_strdup(request->gate);
	direct->path = must_strdup(request->path);
	direct->version = must_strdup(request->version ? request->version : config->version);
	direct->betas = copy(request->betas);
	direct->headers = copy_all(request->headers);
	direct->started_ms = clock_mono_ms();
	direct->until_ms =
	    direct->started_ms + (request->wait_ms > 0 ? request->wait_ms : DIRECT_WAIT_MS);
	direct->len = request->body ? request->len : 0;
	direct->opaque = request->opaque;
}

enum forebay_err
direct_start(struct runner *runner, const struct direct_request *request, direct_fn *done,
	     void *arg, struct direct **ret)
{
	enum forebay_err err = check(runner, request);
	struct direct *direct;
	uint8_t *body = NULL;

	if (err)
		return err;
	if (request->body) {
		body = malloc(request->len + 1);
		if (!body)
			return FOREBAY_ERR_NO_MEMORY;
		memcpy(body, request->body, request->len);
	}
	direct = must_alloc(sizeof(*direct));
	*direct = (struct direct){
		.runner = runner, .done = done, .arg = arg, .body = body, .retry_after_s = -1
	};
	copy_request(direct, request);
	answer_headers_init(&direct->answer_headers);
	direct->timer = event_new(runner->base, -1, 0, direct_on_timer, direct);
	direct->due = event_new(runner->base, -1, 0, direct_on_due, direct);
	if (!direct->timer || !direct->due)
		fatal("out of memory");
	TAILQ_INSERT_TAIL(&runner->directs, direct, link);
	runner->direct_count++;
	runner->direct_bytes += direct->len;
	metrics.direct_calls_total++;
	direct_arm(direct->due, (double)(direct->until_ms - direct->started_ms) / 1000.0);
	runner_kick(runner);
	*ret = direct;
	return FOREBAY_ERR_OK;
}

void
direct_cancel(struct direct *direct)
{
	struct runner *runner = direct->runner;

	if (direct->told)
		return;
	direct_break_off(direct);
	leave(direct);
	direct_free(direct);
	runner_check_drained(runner);
}

/* --- for the runner
 * ------------------------------------------------------------------------------- */

void
direct_pump(struct runner *runner, double now, double *when)
{
	struct direct *direct;
	const char *held = NULL; /* a gate that said no: it says so to the later ones too */
	bool probe;

	TAILQ_FOREACH (direct, &runner->directs, link) {
		double rest_until = (double)direct->rest_until_ms / 1000.0;

		if (!runner->begun || runner->draining || direct->call || direct->over)
			continue;
		if (rest_until > now)
			*when = fmin(*when, rest_until);
		else if (held && strcmp(held, direct->gate) == 0)
			continue;
		else if (gates_may_send(runner->gates, direct->gate, 0.0, 0.0, now, when, &probe))
			direct_send(direct, now);
		else
			held = direct->gate;
	}
}

void
direct_drain(struct runner *runner, bool all)
{
	struct direct *direct;

	TAILQ_FOREACH (direct, &runner->directs, link)
		if (!direct->over && (all || !direct->call))
			direct_end_soon(direct, "the daemon is shutting down");
}

bool
direct_is_sending(const struct runner *runner)
{
	struct direct *direct;

	TAILQ_FOREACH (direct, &runner->directs, link)
		if (direct->call)
			return true;
	return false;
}

void
direct_free_all(struct runner *runner)
{
	struct direct *direct;

	while ((direct = TAILQ_FIRST(&runner->directs))) {
		direct_break_off(direct);
		leave(direct);
		direct_free(direct);
	}
}
