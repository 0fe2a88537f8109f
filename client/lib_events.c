/*
 * lib_events.c - what the daemon's frames mean: they become events of the
 * caller, or news about the connection itself.
 */
#include "client/lib.h"

#include <stdlib.h>
#include <string.h>

#define DRAIN_PAUSE_MS 250

static const char restarted[] = "{\"event\":\"attempt\",\"restart\":true,"
				"\"reason\":\"the connection to the daemon was lost\"}";

void
events_release(struct forebay *f)
{
	message_free(f->fields);
	f->fields = NULL;
	pending_free(f->done);
	f->done = NULL;
	bytes_consume(&f->in, f->in_taken);
	f->in_taken = 0;
}

bool
events_ready(const struct forebay *f)
{
	struct frame frame;
	const char *why;
	size_t used;

	if (f->tell_lost || f->tell_back || f->tell_no_pong || !TAILQ_EMPTY(&f->failed))
		return true;
	return frame_parse(f->in.data + f->in.start + f->in_taken, f->in.len - f->in_taken,
			   FRAME_SIDE_DAEMON, FRAME_MAX_PAYLOAD, &frame, &used, &why) ||
	       used > 0;
}

/* The stream has ended: the event is the last to lend from it. */
static void
finish(struct forebay *f, struct pending *pending, struct forebay_event *ret)
{
	pending_remove(f, pending);
	f->done = pending;
	ret->last = true;
}

static void
fail_now(struct forebay *f, struct pending *pending, int err, struct forebay_event *ret)
{
	ret->type = FOREBAY_EVENT_FAILED;
	ret->error = err;
	finish(f, pending, ret);
}

static bool
parse_fields(struct forebay *f, const struct frame *frame)
{
	char why[MESSAGE_WHY_LEN];

	if (!message_parse(frame->payload, frame->len, FRAME_MAX_PAYLOAD, &f->fields, why))
		return true;
	lib_fail(f, FOREBAY_ERR_BAD_FRAME, "the daemon sent %s that is not usable: %s",
		 frame_type_name(frame->type), why);
	return false;
}

static int
error_of(struct forebay *f)
{
	const char *wire = message_text(f->fields, "error", "internal");
	int err = forebay_err_from_wire(wire);

	lib_fail(f, err, "%s", message_text(f->fields, "message", forebay_err_text(err)));
	return err ? err : FOREBAY_ERR_INTERNAL;
}

/* --- stream 0 ------------------------------------------------------------- */

static void
greet(struct forebay *f, const struct frame *frame)
{
	if (message_int(f->fields, "protocol", 0) != FRAME_PROTOCOL) {
		lib_fail(f, FOREBAY_ERR_BAD_FRAME, "the daemon speaks protocol %d, this is %d",
			 (int)message_int(f->fields, "protocol", 0), FRAME_PROTOCOL);
		link_broke(f, FOREBAY_ERR_BAD_FRAME);
		return;
	}
	free(f->hello);
	f->hello = strndup((const char *)frame->payload, frame->len);
	f->max_frame = (uint32_t)message_int(f->fields, "max_frame", FRAME_MAX_PAYLOAD);
	f->max_frame = MIN(MAX(f->max_frame, 1024u), FRAME_MAX_PAYLOAD);
	f->max_streams = (uint32_t)MAX(message_int(f->fields, "max_streams", 1024), 1);
	f->state = LINK_UP;
	f->up_since_ms = lib_now_ms();
	f->tell_back = f->broken_ms != 0 && f->was_up;
	f->was_up = true;
}

/* The connection ends with it. Draining is a restart; the rest concerns us. */
static void
connection_error(struct forebay *f)
{
	int err = error_of(f);

	if (err != FOREBAY_ERR_DRAINING && f->state == LINK_UP)
		pending_fail_all(f, err);
	link_broke(f, err);
}

static bool
take_connection(struct forebay *f, const struct frame *frame, struct forebay_event *ret)
{
	uint8_t header[FRAME_HEADER_LEN];

	switch (frame->type) {
	case FRAME_PONG:
		if (f->pings == 0)
			return false;
		f->pings--;
		ret->type = FOREBAY_EVENT_PONG;
		ret->data = frame->payload;
		ret->len = frame->len;
		return true;
	case FRAME_PING:
		frame_put_header(header, FRAME_PONG, 0, 0, frame->len);
		if (bytes_add(&f->out, header, sizeof(header)) ||
		    bytes_add(&f->out, frame->payload, frame->len))
			f->error = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		return false;
	case FRAME_HELLO:
		if (f->state == LINK_GREETING && parse_fields(f, frame))
			greet(f, frame);
		else
			link_broke(f, FOREBAY_ERR_BAD_FRAME);
		break;
	default:
		if (parse_fields(f, frame))
			connection_error(f);
		else
			link_broke(f, FOREBAY_ERR_BAD_FRAME);
		break;
	}
	message_free(f->fields);
	f->fields = NULL;
	return false;
}

/* --- requests ------------------------------------------------------------- */

/* A durable job that has an id needs its body here no longer. */
static void
note_id(struct forebay *f, struct pending *pending)
{
	int64_t id = message_int(f->fields, "id", 0);

	if (id > 0)
		pending->id = (uint64_t)id;
	if (pending->id == 0 || pending->ephemeral || !pending->body ||
	    pending->verb != FOREBAY_VERB_SUBMIT || pending->body_sent < pending->body_len)
		return;
	free(pending->body);
	pending->body = NULL;
	f->charged -= pending->body_len;
	pending->charge -= pending->body_len;
	pending->body_len = pending->body_sent = 0;
}

static void
note_news(struct forebay *f, struct pending *pending)
{
	uint64_t attempt;

	note_id(f, pending);
	if (strcmp(message_text(f->fields, "event", ""), "attempt") != 0)
		return;
	attempt = (uint64_t)message_int(f->fields, "attempt", (int64_t)pending->attempt);
	if (attempt != pending->attempt || message_bool(f->fields, "restart", false))
		pending->offset = 0;
	pending->attempt = attempt;
}

static bool
take_data(struct forebay *f, struct pending *pending, const struct frame *frame,
	  struct forebay_event *ret)
{
	uint64_t skip = MIN(pending->skip, frame->len);

	pending->skip -= skip;
	ret->type = FOREBAY_EVENT_DATA;
	ret->data = frame->payload + skip;
	ret->len = frame->len - skip;
	pending->data_len += ret->len;
	if (!(frame->flags & FRAME_FLAG_END))
		return ret->len > 0;
	if (pending->skip > 0)
		fail_now(f, pending,
			 lib_fail(f, FOREBAY_ERR_INTERNAL, "the answer changed while it was read"),
			 ret);
	else
		finish(f, pending, ret);
	return true;
}

static bool
take_reply(struct forebay *f, struct pending *pending, const struct frame *frame,
	   struct forebay_event *ret)
{
	bool again = pending->replied;

	note_id(f, pending);
	pending->replied = true;
	f->draining_ms = 0;
	ret->type = again ? FOREBAY_EVENT_DATA : FOREBAY_EVENT_REPLY;
	if (again)
		ret->len = 0;
	if (frame->flags & FRAME_FLAG_END) {
		finish(f, pending, ret);
		return true;
	}
	return !again;
}

/* The daemon goes down and a new one will come: that is no answer yet. */
static bool
waits_for_restart(struct forebay *f, struct pending *pending, int err)
{
	int64_t now_ms = lib_now_ms();

	if (err != FOREBAY_ERR_DRAINING || f->reconnect_ms < 0 || pending->replied ||
	    !pending->repeatable)
		return false;
	if (f->draining_ms == 0)
		f->draining_ms = now_ms;
	if (now_ms - f->draining_ms >= f->reconnect_ms || pending_postpone(f, pending))
		return false;
	f->pause_until_ms = now_ms + DRAIN_PAUSE_MS;
	return true;
}

static bool
take_request(struct forebay *f, struct pending *pending, const struct frame *frame,
	     struct forebay_event *ret)
{
	bool json = frame->type != FRAME_DATA && frame->type != FRAME_CHUNK;
	int err;

	if (json && !parse_fields(f, frame)) {
		fail_now(f, pending, FOREBAY_ERR_BAD_FRAME, ret);
		return true;
	}
	ret->fields = f->fields;
	ret->data = frame->payload;
	ret->len = frame->len;
	switch (frame->type) {
	case FRAME_EVENT:
		note_news(f, pending);
		ret->type = FOREBAY_EVENT_NEWS;
		return true;
	case FRAME_CHUNK:
		pending->offset += frame->len;
		ret->type = FOREBAY_EVENT_CHUNK;
		return !pending->no_chunks;
	case FRAME_REPLY:
		return take_reply(f, pending, frame, ret);
	case FRAME_DATA:
		return take_data(f, pending, frame, ret);
	default:
		err = error_of(f);
		link_end_body(f, pending);
		if (waits_for_restart(f, pending, err))
			return false;
		fail_now(f, pending, err, ret);
		return true;
	}
}

static const struct message *
parse_restarted(struct forebay *f)
{
	char why[MESSAGE_WHY_LEN];

	if (message_parse((const uint8_t *)restarted, sizeof(restarted) - 1, sizeof(restarted),
			  &f->fields, why))
		f->error = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	return f->fields;
}

/* One frame; false when there was no event in it. */
static bool
take_frame(struct forebay *f, const struct frame *frame, struct forebay_event *ret)
{
	struct pending *pending;

	if (frame->stream == 0)
		return take_connection(f, frame, ret);
	if (f->state == LINK_UP && frame->type != FRAME_HELLO)
		f->broken_ms = 0;
	pending = pending_find(f, frame->stream);
	if (!pending || !pending->head_sent || pending->error)
		return false; /* of a stream nobody listens to any more */
	ret->stream = pending->stream;
	if (pending->restart) {
		pending->restart = false;
		pending->offset = 0;
		ret->type = FOREBAY_EVENT_NEWS;
		ret->data = restarted;
		ret->len = sizeof(restarted) - 1;
		ret->fields = parse_restarted(f);
		f->in_taken = 0; /* the frame itself comes next */
		return true;
	}
	return take_request(f, pending, frame, ret);
}

static bool
take_from_input(struct forebay *f, struct forebay_event *ret)
{
	struct frame frame;
	const char *why;
	size_t used;

	for (;;) {
		if (f->state == LINK_DOWN)
			return false;
		if (frame_parse(f->in.data + f->in.start, f->in.len, FRAME_SIDE_DAEMON,
				FRAME_MAX_PAYLOAD, &frame, &used, &why)) {
			lib_fail(f, FOREBAY_ERR_BAD_FRAME, "not forebayd at %s: %s", f->path, why);
			pending_fail_all(f, FOREBAY_ERR_BAD_FRAME);
			link_broke(f, FOREBAY_ERR_BAD_FRAME);
			return false;
		}
		if (used == 0)
			return false;
		f->in_taken = used;
		if (take_frame(f, &frame, ret))
			return true;
		events_release(f);
		*ret = (struct forebay_event){ 0 };
	}
}

static bool
take_told(bool *flag, enum forebay_event_type type, struct forebay_event *ret)
{
	if (!*flag)
		return false;
	*flag = false;
	ret->type = type;
	return true;
}

bool
events_take(struct forebay *f, struct forebay_event *ret)
{
	struct pending *pending;

	*ret = (struct forebay_event){ 0 };
	if (take_told(&f->tell_lost, FOREBAY_EVENT_LOST, ret) ||
	    take_told(&f->tell_back, FOREBAY_EVENT_BACK, ret))
		return true;
	if (take_told(&f->tell_no_pong, FOREBAY_EVENT_FAILED, ret)) {
		ret->error = FOREBAY_ERR_UNREACHABLE;
		return true;
	}
	pending = TAILQ_FIRST(&f->failed);
	if (pending) {
		ret->stream = pending->stream;
		if (f->state == LINK_UP && pending->error == FOREBAY_ERR_UNREACHABLE)
			lib_fail(f, pending->error, "%s",
				 "the connection broke before the daemon answered");
		fail_now(f, pending, pending->error, ret);
		return true;
	}
	return take_from_input(f, ret) || (!TAILQ_EMPTY(&f->failed) && events_take(f, ret));
}
