/*
 * play.c - how an answer goes out: a refusal, a whole body, or a script in steps that may go wrong
 * half way.
 */
#include "tests/fakeapi/play.h"

#include <string.h>

#include "tests/fakeapi/intake.h"

static double
play_ping_seconds(const struct exchange *x)
{
	return x->climate.ping.median > 0 ? x->climate.ping.median : 1.0;
}

void
play_put_headers(struct exchange *x, int status, const char *content_type)
{
	x->entry->status = status;
	x->entry->t_first = server_now(x->server);
	reply_headers_put(x->server, x->req, x->entry, x->place, &x->climate, &x->verdict,
			  content_type);
	server_changed(x->server);
}

/* The whole answer at once. The exchange may be gone afterwards. */
static void
play_reply(struct exchange *x, int status, const char *content_type, struct evbuffer *body)
{
	play_put_headers(x, status, content_type);
	evhttp_send_reply(x->req, status, NULL, body);
}

static const char *
play_type(const struct exchange *x)
{
	if (x->mistyped)
		return "text/plain";
	return x->request.stream ? "text/event-stream; charset=utf-8" : "application/json";
}

void
play_refuse(struct exchange *x)
{
	const struct fault *fault = x->verdict.fault;
	struct evbuffer *body;

	if (fault->kind == KIND_RESET || fault->kind == KIND_CLOSE) {
		exchange_break(x, OUTCOME_CUT, fault->kind == KIND_RESET);
		return;
	}
	if (odd_refuse(x))
		return;
	body = evbuffer_new();
	if (fault->kind == KIND_HTML) {
		answer_put_html(fault, body);
		play_reply(x, fault->status, "text/html; charset=UTF-8", body);
	} else if (fault->kind == KIND_BLANK) {
		play_reply(x, fault->status, "text/plain", body);
	} else if (fault->kind == KIND_ERROR_EVENT && x->request.stream) {
		answer_put_error(fault, x->entry->seq, true, body);
		play_reply(x, 200, play_type(x), body);
	} else {
		answer_put_error(fault, x->entry->seq, false, body);
		play_reply(x, answer_status(fault), "application/json", body);
	}
	evbuffer_free(body);
}

/* A plain answer is a script of two halves; a stream has its steps. */
static void
play_build(struct exchange *x)
{
	/* The same question gets the same words, streamed or not, from whatever attempt. */
	struct dice dice = { x->server->seed ^
			     bytes_hash(x->request.messages.at, x->request.messages.len) };
	struct answer answer;

	answer_init(&answer, &x->request, &x->climate, x->entry->seq, &dice,
		    exchange_is(x, KIND_BAD_UTF8));
	x->mistyped = answer.mistyped;
	if (x->request.stream && !exchange_is(x, KIND_UNSTREAMED))
		answer_put_script(&answer, &x->script);
	else
		answer_put_plain(&answer, &x->script);
	x->entry->model->place.buckets[BUCKET_OUTPUT].level -= (double)answer.output_tokens;
	answer_clear(&answer);
	evbuffer_drain(evhttp_request_get_input_buffer(x->req), (size_t)-1);
	memset(&x->request.messages, 0, sizeof(x->request.messages));
}

/* Faults that put something else in the place of the answer. */
static bool
play_substitute(struct exchange *x)
{
	struct evbuffer *body = x->script.bytes;
	size_t len = evbuffer_get_length(body);
	const char *type = play_type(x);

	if (exchange_is(x, KIND_TRUNCATED) || (exchange_is(x, KIND_EOF) && !x->request.stream)) {
		struct evbuffer *half = evbuffer_new();

		evbuffer_remove_buffer(body, half, len * 2 / 3);
		evbuffer_drain(body, (size_t)-1);
		evbuffer_add_buffer(body, half);
		evbuffer_free(half);
	} else if (exchange_is(x, KIND_EMPTY)) {
		evbuffer_drain(body, len);
	} else if (exchange_is(x, KIND_WRONG_TYPE)) {
		evbuffer_drain(body, len);
		evbuffer_add_printf(body, "<html><body>Welcome to the hotel wifi</body></html>");
		type = "text/html";
	} else if (exchange_is(x, KIND_FOREIGN)) {
		evbuffer_drain(body, len);
		evbuffer_add_printf(body, "{\"object\":\"chat.completion\",\"choices\":[]}");
		type = "application/json";
	} else if (exchange_is(x, KIND_UNSTREAMED)) {
		type = "application/json";
	} else {
		return false;
	}
	play_reply(x, 200, type, body);
	return true;
}

static void
play_send(struct exchange *x, struct evbuffer *out)
{
	evhttp_send_reply_chunk(x->req, out);
}

static void
play_on_flushed(struct evhttp_connection *conn, void *arg)
{
	(void)conn;
	exchange_wait(arg, WAIT_CUT, 0);
}

/* As much of the answer as is wanted has gone out: what was drawn happens. */
static void
play_go_wrong(struct exchange *x, struct evbuffer *out)
{
	switch (x->verdict.fault->kind) {
	case KIND_ERROR_START:
	case KIND_ERROR_MID:
		answer_put_error(x->verdict.fault, x->entry->seq, true, out);
		play_send(x, out);
		evhttp_send_reply_end(x->req);
		break;
	case KIND_EOF:
		play_send(x, out);
		evhttp_send_reply_end(x->req);
		break;
	case KIND_CUT:
	case KIND_CUT_RESET:
		/* The bytes must have left before the end of file does. */
		exchange_wait(x, WAIT_EVER, -1);
		evhttp_send_reply_chunk_with_cb(x->req, out, play_on_flushed, x);
		break;
	case KIND_FREEZE:
		exchange_wait(x, WAIT_EVER, -1);
		play_send(x, out);
		break;
	default:
		exchange_wait(x, WAIT_PINGS, play_ping_seconds(x));
		play_send(x, out);
		break;
	}
}

/* Send what is due, and see when to come back. */
void
play_advance(struct exchange *x)
{
	double now = server_weather(x->server);
	struct evbuffer *out = evbuffer_new();

	while (x->step < x->stop && x->due <= now + 1e-6) {
		evbuffer_remove_buffer(x->script.bytes, out, x->script.steps[x->step++]);
		x->due += x->interval;
	}
	if (x->step < x->stop) {
		double ping = x->climate.ping.median;

		if (!evbuffer_get_length(out) && x->request.stream)
			answer_put_ping(out);
		exchange_wait(x, WAIT_STEP, ping > 0 ? MIN(ping, x->due - now) : x->due - now);
		play_send(x, out);
	} else if (x->stop < x->script.count) {
		play_go_wrong(x, out);
	} else {
		play_send(x, out);
		evhttp_send_reply_end(x->req);
	}
	evbuffer_free(out);
}

/* At which step the answer ends because of what was drawn. */
static size_t
play_stop(const struct exchange *x)
{
	size_t count = x->script.count;

	if (!x->verdict.fault)
		return count;
	switch (x->verdict.fault->kind) {
	case KIND_SILENT:
		return 0;
	case KIND_ERROR_START:
		return 1;
	case KIND_ERROR_MID:
	case KIND_CUT:
	case KIND_CUT_RESET:
	case KIND_EOF:
	case KIND_STALL:
	case KIND_FREEZE:
		return MAX(count / 2, (size_t)1);
	default:
		return count;
	}
}

/* What a plain request meets instead of a fault that only a stream can have. */
static bool
play_plain_fault(struct exchange *x)
{
	if (exchange_is(x, KIND_ERROR_MID) || exchange_is(x, KIND_ERROR_START)) {
		play_refuse(x);
		return true;
	}
	if (exchange_is(x, KIND_SILENT) || exchange_is(x, KIND_STALL) ||
	    exchange_is(x, KIND_FREEZE)) {
		exchange_wait(x, WAIT_EVER, -1);
		return true;
	}
	return false;
}

void
play_open(struct exchange *x)
{
	char length[24];
	bool stream = x->request.stream;

	if (!stream && play_plain_fault(x))
		return;
	play_build(x);
	if (play_substitute(x))
		return;
	x->stop = play_stop(x);
	if (!stream && x->stop == x->script.count) {
		play_reply(x, 200, play_type(x), x->script.bytes);
		return;
	}
	play_put_headers(x, 200, play_type(x));
	if (stream) {
		size_t gaps = MAX(x->script.count - 1, (size_t)1);

		x->interval =
		    x->climate.drip.median > 0 ? x->climate.drip.median : x->gen / (double)gaps;
	} else {
		snprintf(length, sizeof(length), "%zu", x->script.total);
		evhttp_add_header(evhttp_request_get_output_headers(x->req), "content-length",
				  length);
	}
	x->due = server_weather(x->server);
	evhttp_send_reply_start(x->req, 200, NULL);
	play_advance(x);
}

void
play_ping(struct exchange *x)
{
	struct evbuffer *out = evbuffer_new();

	answer_put_ping(out);
	evhttp_send_reply_chunk(x->req, out);
	evbuffer_free(out);
	exchange_wait(x, WAIT_PINGS, play_ping_seconds(x));
}

void
play_free(struct exchange *x, const char *id)
{
	struct evbuffer *body = evbuffer_new();
	int status = 200;

	if (x->endpoint == ENDPOINT_COUNT_TOKENS) {
		evbuffer_add_printf(body, "{\"input_tokens\":%ld}", request_tokens(&x->request));
	} else if (x->endpoint == ENDPOINT_MODELS && !id) {
		models_put_list(x->req, body);
	} else if (x->endpoint != ENDPOINT_MODELS || !models_put_one(id, body)) {
		struct fault fault = *fault_find("404", 3);

		fault.message = id ? "model: not found" : "Not found";
		status = 404;
		answer_put_error(&fault, x->entry->seq, false, body);
	}
	play_reply(x, status, "application/json", body);
	evbuffer_free(body);
}
