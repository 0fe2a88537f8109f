/*
 * lib_dispatch.c - the functions of forebay_loop.h: what an event loop has to know,
 * and events as callbacks. It is one more reader of lib_next(), which alone connects,
 * writes and reads.
 */
#include "client/lib_calls.h"
#include "client/stream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define DISPATCH_MOST 64 /* events a call: others share the loop */

struct listener {
	struct forebay_callbacks call;
	struct forebay *f;	 /* borrowed */
	struct pending *pending; /* borrowed; its owner */
	struct stream words;	 /* of this attempt */
	struct collected answer;
	size_t text_len; /* bytes of this attempt's words that were handed out */
	bool given;	 /* something of this attempt was */
	bool partial;	 /* it began in the middle: what was before is not known */
};

/* --- what to wait for ------------------------------------------------------- */

int
forebay_fd(const struct forebay *f)
{
	return f->fd;
}

short
forebay_events(const struct forebay *f)
{
	return (short)((f->fd >= 0 ? POLLIN : 0) | (f->out.len > 0 ? POLLOUT : 0));
}

int64_t
forebay_timeout_ms(const struct forebay *f)
{
	/* What is here already needs no descriptor to become ready. */
	return events_ready(f) ? 0 : link_due_ms(f, lib_now_ms());
}

/* --- callbacks -------------------------------------------------------------- */

static void
give(struct listener *listener, forebay_fn *fn, const struct forebay_event *event)
{
	if (fn && !listener->pending->deaf && !listener->f->closing)
		fn(listener->f, event, listener->call.arg);
}

static void
give_text(const char *text, size_t len, void *arg)
{
	struct listener *listener = arg;
	struct forebay_event event = { .type = FOREBAY_EVENT_CHUNK,
				       .stream = listener->pending->stream,
				       .data = text,
				       .len = len };

	if (len == 0)
		return;
	listener->text_len += len;
	listener->given = true;
	give(listener, listener->call.text, &event);
}

void
listener_free(struct listener *listener)
{
	if (!listener)
		return;
	stream_clear(&listener->words);
	collected_clear(&listener->answer);
	free(listener);
}

int
forebay_attach(struct forebay *f, uint32_t stream, const struct forebay_callbacks *callbacks)
{
	struct pending *pending = pending_find(f, stream);
	struct forebay_callbacks call = { 0 };

	memcpy(&call, callbacks, MIN(callbacks->size, sizeof(call)));
	if (stream == 0) {
		f->link = call;
		return FOREBAY_ERR_OK;
	}
	if (!pending)
		return lib_fail(f, FOREBAY_ERR_NOT_FOUND, "stream %u has ended", stream);
	if (!pending->listener) {
		pending->listener = calloc(1, sizeof(*pending->listener));
		if (!pending->listener)
			return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		stream_init(&pending->listener->words, give_text, pending->listener);
		pending->listener->f = f;
		pending->listener->pending = pending;
		pending->listener->partial = pending->offset > 0;
	}
	/* The rest stays: one of those before may be running. */
	pending->listener->call = call;
	return FOREBAY_ERR_OK;
}

/* --- events ----------------------------------------------------------------- */

static void
take_news(struct listener *listener, const struct forebay_event *event)
{
	if (forebay_event_bool(event, "restart")) {
		stream_clear(&listener->words);
		listener->text_len = 0;
		listener->partial = false;
		if (listener->given)
			give(listener, listener->call.restart, event);
		listener->given = false;
	}
	give(listener, listener->call.news, event);
}

static void
take_chunk(struct listener *listener, const struct forebay_event *event)
{
	listener->given |= listener->call.bytes != NULL;
	give(listener, listener->call.bytes, event);
	if (listener->call.text)
		stream_feed(&listener->words, event->data, event->len);
}

/* The words that did not come while the answer was made: all, or those after an
 * interruption. They are of the same attempt, so the beginning is the same. */
static void
give_rest(struct listener *listener)
{
	const struct bytes *data = &listener->answer.data;
	size_t len, given = listener->text_len;
	char *text;

	if (!listener->call.text || !listener->pending->answers || listener->partial)
		return;
	text = stream_message_text(data->data, data->len, &len);
	if (text && len > given)
		give_text(text + given, len - given, listener);
	free(text);
}

/* error: why there is no whole answer; event: the last one. */
static void
end(struct listener *listener, int error, const struct forebay_event *event)
{
	const struct bytes *data = &listener->answer.data;
	struct forebay_event done = { .type = FOREBAY_EVENT_FAILED,
				      .stream = event->stream,
				      .last = true,
				      .error = error,
				      .data = "",
				      .fields = event->fields };
	struct message *reply = NULL;

	if (!error)
		done.error = reply_parse(listener->f, listener->answer.json, &reply);
	if (reply) {
		done.type = FOREBAY_EVENT_REPLY;
		done.data = data->data;
		done.len = data->len;
		done.fields = reply;
		if (listener->pending->answers)
			done.error = reply_job_error(listener->f, reply);
		if (!done.error)
			give_rest(listener);
	}
	give(listener, listener->call.done, &done);
	message_free(reply);
}

static void
take_answer(struct listener *listener, const struct forebay_event *event)
{
	struct pending *pending = listener->pending;
	int err = collect(listener->f, &listener->answer, event);

	if (!err && !event->last)
		return;
	if (!event->last) {
		forebay_cancel_stream(listener->f, pending->stream);
		pending->deaf = false;
	}
	end(listener, err, event);
}

static void
serve(struct forebay *f, const struct forebay_event *event)
{
	struct pending *pending = pending_find(f, event->stream);

	if (event->last)
		pending = f->done;
	if (event->stream == 0 && f->link.link)
		f->link.link(f, event, f->link.arg);
	if (event->stream == 0 || !pending || !pending->listener)
		return;
	f->served = pending;
	if (event->type == FOREBAY_EVENT_NEWS)
		take_news(pending->listener, event);
	else if (event->type == FOREBAY_EVENT_CHUNK)
		take_chunk(pending->listener, event);
	else
		take_answer(pending->listener, event);
	f->served = NULL;
}

int
forebay_dispatch(struct forebay *f, int timeout_ms)
{
	struct forebay_event event;
	int err = FOREBAY_ERR_OK;

	if (f->dispatching)
		return lib_fail(f, FOREBAY_MISUSE, "no waiting in a callback");
	f->dispatching = true;
	for (int i = 0; i < DISPATCH_MOST && !err && !f->closing; i++) {
		err = lib_next(f, i == 0 ? timeout_ms : 0, &event);
		if (err || event.type == FOREBAY_EVENT_NOTHING)
			break;
		serve(f, &event);
	}
	events_release(f);
	f->dispatching = false;
	if (!f->closing)
		return err;
	forebay_close(f);
	return FOREBAY_CLOSED;
}
