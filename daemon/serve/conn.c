/*
 * conn.c - one client connection on a bufferevent.
 *
 * While the loop runs a connection is freed in exactly one place,
 * conn_on_write(). Whoever wants one gone calls conn_close(), which marks it and
 * asks the loop to come back, so no caller, however deep in a handler, can find
 * its conn freed under it.
 */
#include "daemon/serve/conn.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_TIMEOUT_S 10	   /* for a closing connection whose peer does not read */
#define TURN_FRAMES	256	   /* then the others have their turn */
#define TURN_MS		2	   /* or when these took so long */
#define READ_MARK	(1u << 21) /* input kept while we do not parse */

/* DRAINING: what is queued still goes out. BROKEN: nothing goes out any more. */
enum conn_state { CONN_OPEN, CONN_DRAINING, CONN_BROKEN };

struct conn {
	struct bufferevent *bev;	  /* owned */
	struct event *again;		  /* owned: parse on in the next turn */
	struct event *late;		  /* owned: a frame is not finished in time */
	struct event *left;		  /* owned: the client goes while we do not read */
	const struct conn_events *events; /* borrowed */
	void *arg;			  /* borrowed */
	size_t high_mark;
	struct timeval frame_timeout;
	int64_t moved_ms; /* when output was last taken, or began to be there */
	enum conn_state state;
	unsigned paused;
	bool full;  /* the output passed the mark and has not drained yet */
	bool begun; /* a frame is there in part, and late runs */
};

static bool
is_reading(const struct conn *conn)
{
	return conn->state == CONN_OPEN && !conn->paused && !conn->full;
}

/* Is a frame there in part? Its client has so long for the rest. */
static void
set_begun(struct conn *conn, bool begun)
{
	if (conn->begun == begun)
		return;
	conn->begun = begun;
	if (begun)
		event_add(conn->late, &conn->frame_timeout);
	else
		event_del(conn->late);
}

static void
set_reading(struct conn *conn)
{
	if (!is_reading(conn)) {
		bufferevent_disable(conn->bev, EV_READ);
		set_begun(conn, false);
		/* Its end would not be noticed before it is read again: perhaps never. */
		if (conn->state == CONN_OPEN)
			event_add(conn->left, NULL);
		return;
	}
	event_del(conn->left);
	bufferevent_enable(conn->bev, EV_READ);
	/* What was read before the pause is still there. */
	if (evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0)
		event_active(conn->again, 0, 0);
}

bool
conn_is_full(const struct conn *conn)
{
	return conn->state != CONN_OPEN ||
	       evbuffer_get_length(bufferevent_get_output(conn->bev)) >= conn->high_mark;
}

size_t
conn_unsent(const struct conn *conn)
{
	return conn->state == CONN_OPEN ? evbuffer_get_length(bufferevent_get_output(conn->bev))
					: 0;
}

int64_t
conn_stuck_since_ms(const struct conn *conn)
{
	return conn->moved_ms;
}

static void
check_full(struct conn *conn)
{
	if (conn->full || conn->state != CONN_OPEN || !conn_is_full(conn))
		return;
	conn->full = true;
	set_reading(conn);
}

/* The frame at the head of the input; false when there is none (yet). */
static bool
next_frame(struct conn *conn, struct frame *ret, size_t *ret_used)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t len = evbuffer_get_length(input);
	const char *why = NULL;
	const uint8_t *bytes = evbuffer_pullup(input, (ev_ssize_t)MIN(len, FRAME_HEADER_LEN));
	enum forebay_err err;

	err = frame_parse(bytes, MIN(len, FRAME_HEADER_LEN), FRAME_SIDE_CLIENT, FRAME_MAX_PAYLOAD,
			  ret, ret_used, &why);
	if (!err && *ret_used == 0 && len >= FRAME_HEADER_LEN &&
	    len - FRAME_HEADER_LEN >= ret->len) {
		bytes = evbuffer_pullup(input, (ev_ssize_t)(FRAME_HEADER_LEN + ret->len));
		err = frame_parse(bytes, FRAME_HEADER_LEN + ret->len, FRAME_SIDE_CLIENT,
				  FRAME_MAX_PAYLOAD, ret, ret_used, &why);
	}
	if (err) {
		metrics.frames_bad_total++;
		conn->events->garbage(conn, why, conn->arg);
		return false;
	}
	return *ret_used > 0;
}

static void
conn_on_read(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	int64_t until_ms = clock_mono_ms() + TURN_MS;
	struct frame frame;
	size_t used;
	int turns = 0;

	while (is_reading(conn)) {
		if (turns++ == TURN_FRAMES || clock_mono_ms() > until_ms) {
			event_active(conn->again, 0, 0);
			return;
		}
		if (!next_frame(conn, &frame, &used)) {
			set_begun(conn, is_reading(conn) && evbuffer_get_length(input) > 0);
			return;
		}
		set_begun(conn, false);
		if (conn->events->frame(conn, &frame, conn->arg))
			evbuffer_drain(input, used);
	}
}

static void
conn_on_again(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	conn_on_read(conn->bev, conn);
}

static void
conn_on_late(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	conn->begun = false;
	metrics.frames_bad_total++;
	conn->events->garbage(conn, "a frame was begun and not finished in time", conn->arg);
}

static void
conn_on_left(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_break(arg, "the client left");
}

static void
conn_on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *conn = arg;

	(void)output;
	if (info->n_deleted > 0 || info->orig_size == 0)
		conn->moved_ms = clock_mono_ms();
}

void
conn_free(struct conn *conn)
{
	metrics.connections_open--;
	event_free(conn->again);
	event_free(conn->late);
	event_free(conn->left);
	bufferevent_free(conn->bev);
	free(conn);
}

static void
conn_on_write(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;
	size_t unsent = evbuffer_get_length(bufferevent_get_output(bev));

	if (conn->state == CONN_OPEN) {
		if (conn->full && unsent < conn->high_mark) {
			conn->full = false;
			set_reading(conn);
		}
		if (unsent < conn->high_mark)
			conn->events->drained(conn, conn->arg);
		return;
	}
	if (conn->state == CONN_DRAINING && unsent > 0)
		return;
	conn->events->gone(conn, conn->arg);
	conn_free(conn);
}

static void
conn_on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & BEV_EVENT_EOF)
		conn_break(arg, "the client left");
	else if (what & BEV_EVENT_TIMEOUT)
		conn_break(arg, "the client does not read");
	else if (what & BEV_EVENT_ERROR)
		conn_break(arg, "the connection broke");
}

struct conn *
conn_new(struct event_base *base, int fd, size_t high_mark, int64_t frame_timeout_ms,
	 const struct conn_events *events, void *arg)
{
	struct conn *conn = must_alloc(sizeof(*conn));

	*conn = (struct conn){ .events = events,
			       .arg = arg,
			       .high_mark = high_mark,
			       .frame_timeout = { frame_timeout_ms / 1000,
						  frame_timeout_ms % 1000 * 1000 } };
	conn->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	conn->again = event_new(base, -1, 0, conn_on_again, conn);
	conn->late = event_new(base, -1, 0, conn_on_late, conn);
	conn->left = event_new(base, fd, EV_CLOSED, conn_on_left, conn);
	if (!conn->bev || !conn->again || !conn->late || !conn->left ||
	    !evbuffer_add_cb(bufferevent_get_output(conn->bev), conn_on_output, conn))
		fatal("out of memory");
	bufferevent_setcb(conn->bev, conn_on_read, conn_on_write, conn_on_event, conn);
	/* Told when the output falls below half the mark, not byte by byte. */
	bufferevent_setwatermark(conn->bev, EV_WRITE, high_mark / 2, 0);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, READ_MARK);
	bufferevent_set_max_single_read(conn->bev, 256 * 1024);
	bufferevent_set_max_single_write(conn->bev, 256 * 1024);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	metrics.connections_total++;
	metrics.connections_open++;
	return conn;
}

static void
put_header(struct conn *conn, enum frame_type type, unsigned flags, uint32_t stream, size_t len)
{
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, type, flags, stream, (uint32_t)len);
	evbuffer_add(bufferevent_get_output(conn->bev), header, sizeof(header));
}

void
conn_send(struct conn *conn, enum frame_type type, unsigned flags, uint32_t stream,
	  const void *payload, size_t len)
{
	if (conn->state != CONN_OPEN)
		return;
	put_header(conn, type, flags, stream, len);
	if (len > 0)
		evbuffer_add(bufferevent_get_output(conn->bev), payload, len);
	check_full(conn);
}

static void
conn_on_sent(const void *bytes, size_t len, void *whole)
{
	(void)bytes;
	(void)len;
	free(whole);
}

void
conn_send_all(struct conn *conn, enum frame_type type, bool end, uint32_t stream, uint8_t *bytes,
	      size_t len)
{
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	if (conn->state != CONN_OPEN) {
		free(bytes);
		return;
	}
	for (size_t at = 0, part; at < len; at += part) {
		bool last = len - at <= FRAME_MAX_PAYLOAD;

		part = MIN(len - at, (size_t)FRAME_MAX_PAYLOAD);
		put_header(conn, type, end && last ? FRAME_FLAG_END : 0, stream, part);
		/* The buffer goes out in order: the last piece frees the whole. */
		evbuffer_add_reference(output, bytes + at, part, last ? conn_on_sent : NULL, bytes);
	}
	if (len == 0)
		free(bytes);
	check_full(conn);
}

void
conn_pause(struct conn *conn)
{
	if (conn->paused++ == 0)
		set_reading(conn);
}

void
conn_resume(struct conn *conn)
{
	if (--conn->paused == 0)
		set_reading(conn);
}

static void
leave(struct conn *conn, enum conn_state state, const char *reason)
{
	static const struct timeval timeout = { DRAIN_TIMEOUT_S, 0 };

	if (conn->state >= state)
		return;
	log_debug("closing a connection: %s", reason);
	conn->state = state;
	bufferevent_disable(conn->bev, EV_READ);
	set_begun(conn, false);
	event_del(conn->left);
	bufferevent_setwatermark(conn->bev, EV_WRITE, 0, 0);
	bufferevent_set_timeouts(conn->bev, NULL, &timeout);
	/* Even with replies unsent: the peer may never read them. */
	bufferevent_trigger(conn->bev, EV_WRITE,
			    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
conn_close(struct conn *conn, const char *reason)
{
	leave(conn, CONN_DRAINING, reason);
}

void
conn_break(struct conn *conn, const char *reason)
{
	leave(conn, CONN_BROKEN, reason);
}
