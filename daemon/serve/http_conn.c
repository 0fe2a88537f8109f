/*
 * http_conn.c - one HTTP connection on a bufferevent.
 *
 * While the loop runs it is freed in exactly one place, http_conn_on_write():
 * whoever wants it gone marks it and asks the loop to come back.
 */
#include "daemon/serve/http_conn.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define READ_MARK     (1u << 20)  /* input kept while it is not read */
#define DISCARD_MAX   (64u << 20) /* of a body that is not wanted */
#define DISCARD_MS    5000
#define BODY_START    8192
#define BODY_PROGRESS 4096 /* bytes of a body that count as going on */

enum http_state {
	HTTP_IDLE,	 /* nothing has come */
	HTTP_HEAD,	 /* a head is there in part */
	HTTP_BODY,	 /* the head is there, and its body in part */
	HTTP_BUSY,	 /* the request is to be replied to */
	HTTP_STREAMING,	 /* the reply has begun */
	HTTP_REPLIED,	 /* the reply is whole, and goes out */
	HTTP_DISCARDING, /* as that, and the rest of the request still comes */
	HTTP_CLOSING,	 /* what is there goes out, then it is closed */
	HTTP_BROKEN	 /* nothing goes out any more */
};

struct http_conn {
	struct bufferevent *bev;	       /* owned, as these events */
	struct event *again;		       /* parse on in the next turn */
	struct event *timer;		       /* idle, head, body or discarding */
	struct event *left;		       /* the client goes while we do not read */
	const struct http_conn_limits *limits; /* borrowed */
	const struct http_conn_events *events; /* borrowed */
	void *arg;			       /* borrowed */
	enum http_state state;
	struct http_head head;
	struct http_chunks chunks;
	uint8_t *body; /* owned */
	size_t body_len, body_room;
	size_t measured;	    /* of the body, when the timer was last set */
	size_t searched;	    /* of the input, for the end of a head */
	size_t discarded;	    /* bytes */
	uint64_t taken, taken_then; /* bytes of output; when the timer was last set */
	int64_t moved_ms;	    /* when output was last taken, or began to be there */
	bool has_head;
	bool whole; /* all of the request was read */
	bool last;  /* no request after this one */
};

static void
arm(struct http_conn *conn, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	/* From now, not from the beginning of this turn, which may be a long one. */
	event_base_update_cache_time(bufferevent_get_base(conn->bev));
	event_add(conn->timer, &tv);
}

/* Whoever takes nothing of what is there is given up. The bufferevent's own
 * time-out counts from the beginning of a turn of the loop, which may be long ago. */
static void
watch_output(struct http_conn *conn)
{
	conn->taken_then = conn->taken;
	arm(conn, conn->limits->idle_ms);
}

static void
close_with(struct http_conn *conn, enum http_state state, const char *reason)
{
	if (conn->state >= HTTP_CLOSING && conn->state >= state)
		return;
	log_debug("closing an HTTP connection: %s", reason);
	conn->state = state;
	bufferevent_disable(conn->bev, EV_READ);
	event_del(conn->left);
	watch_output(conn);
	bufferevent_setwatermark(conn->bev, EV_WRITE, 0, 0);
	bufferevent_trigger(conn->bev, EV_WRITE,
			    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
http_conn_break(struct http_conn *conn, const char *reason)
{
	close_with(conn, HTTP_BROKEN, reason);
}

static bool
is_reading(const struct http_conn *conn)
{
	return conn->state <= HTTP_BODY || conn->state == HTTP_DISCARDING;
}

/* While it is not read, its end is only noticed if somebody looks out for it. */
static void
set_reading(struct http_conn *conn)
{
	if (is_reading(conn)) {
		event_del(conn->left);
		bufferevent_enable(conn->bev, EV_READ);
		if (evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0)
			event_active(conn->again, 0, 0);
	} else {
		bufferevent_disable(conn->bev, EV_READ);
		event_add(conn->left, NULL);
	}
}

/* --- heads ---------------------------------------------------------------------------- */

static void
forget_request(struct http_conn *conn)
{
	http_head_clear(&conn->head);
	free(TAKE(conn->body));
	conn->body_len = conn->body_room = conn->measured = 0;
	conn->chunks = (struct http_chunks){ 0 };
	conn->whole = conn->has_head = false;
}

static void
begin_idle(struct http_conn *conn)
{
	forget_request(conn);
	conn->state = HTTP_IDLE;
	conn->searched = 0;
	bufferevent_setwatermark(conn->bev, EV_WRITE, conn->limits->high_mark / 2, 0);
	arm(conn, conn->limits->idle_ms);
	set_reading(conn);
}

/* What cannot be read is not read on: where it ends nobody knows. */
static void
refuse(struct http_conn *conn, int status, const char *why)
{
	conn->state = HTTP_BUSY;
	conn->last = true;
	event_del(conn->timer);
	conn->events->bad(conn, status, why, conn->arg);
}

/* How long the head at the beginning of the input is, 0: it is not whole. */
static size_t
find_head(struct http_conn *conn, struct evbuffer *input)
{
	size_t len = evbuffer_get_length(input);
	struct evbuffer_ptr start, found;

	/* Some send an empty line behind the last body. */
	while (conn->searched == 0 && len >= 2 &&
	       memcmp(evbuffer_pullup(input, 2), "\r\n", 2) == 0) {
		evbuffer_drain(input, 2);
		len -= 2;
	}
	if (len < 4)
		return 0;
	if (evbuffer_ptr_set(input, &start, conn->searched, EVBUFFER_PTR_SET) != 0)
		return 0;
	found = evbuffer_search(input, "\r\n\r\n", 4, &start);
	conn->searched = len - 3;
	return found.pos < 0 ? 0 : (size_t)found.pos + 4;
}

static void
take_head(struct http_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	bool fresh = conn->state == HTTP_IDLE;
	size_t len = find_head(conn, input), there = evbuffer_get_length(input);
	const char *why = NULL;
	int status;

	if (len == 0 && there <= conn->limits->max_head) {
		if (there > 0 && fresh) {
			conn->state = HTTP_HEAD;
			arm(conn, conn->limits->head_ms);
		}
		return;
	}
	if (len == 0 || len > conn->limits->max_head) {
		refuse(conn, 431, "the headers are too large, see [http] max_headers");
		return;
	}
	status = http_head_parse(&conn->head, evbuffer_pullup(input, (ev_ssize_t)len), len, &why);
	evbuffer_drain(input, len);
	if (status) {
		refuse(conn, status, why);
		return;
	}
	metrics.requests_total++;
	conn->has_head = true;
	conn->last |= !conn->head.keep_alive;
	conn->state = HTTP_BODY;
	conn->whole = !conn->head.chunked && conn->head.content_length <= 0;
	arm(conn, conn->limits->head_ms);
	if (!conn->events->head(conn, conn->arg) || conn->whole || !conn->head.expects_continue)
		return;
	evbuffer_add_printf(bufferevent_get_output(conn->bev), "HTTP/1.1 100 Continue\r\n\r\n");
}

/* --- bodies --------------------------------------------------------------------------- */

static bool
make_room(struct http_conn *conn, size_t len)
{
	size_t room = conn->body_room ? conn->body_room : BODY_START;
	uint8_t *body;

	while (room < conn->body_len + len)
		room *= 2;
	if (room == conn->body_room)
		return true;
	body = realloc(conn->body, room);
	if (!body)
		return false;
	conn->body = body;
	conn->body_room = room;
	return true;
}

/* False: it has been replied to. */
static bool
keep(struct http_conn *conn, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return true;
	if (!conn->events->receive(conn, len, conn->arg))
		return false;
	if (!make_room(conn, len)) {
		refuse(conn, 503, "out of memory");
		return false;
	}
	memcpy(conn->body + conn->body_len, bytes, len);
	conn->body_len += len;
	if (conn->body_len - conn->measured >= BODY_PROGRESS) {
		conn->measured = conn->body_len;
		arm(conn, conn->limits->head_ms);
	}
	return true;
}

/* What lies in one piece of memory already. */
static size_t
first_piece(struct evbuffer *input)
{
	size_t len = evbuffer_get_contiguous_space(input);

	return len > 0 ? len : evbuffer_get_length(input);
}

static void
take_chunked(struct http_conn *conn, struct evbuffer *input)
{
	while (conn->state == HTTP_BODY && !conn->whole && evbuffer_get_length(input) > 0) {
		size_t there = first_piece(input), len = 0, used;
		const uint8_t *bytes = evbuffer_pullup(input, (ev_ssize_t)there), *found = NULL;

		used = http_chunks_feed(&conn->chunks, bytes, there, &found, &len);
		if (!keep(conn, found, len))
			return;
		evbuffer_drain(input, used);
		if (conn->chunks.state == HTTP_CHUNK_BAD)
			refuse(conn, 400, "the chunks of the body cannot be read");
		conn->whole = conn->chunks.state == HTTP_CHUNK_DONE;
	}
}

static void
take_body(struct http_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	if (conn->head.chunked)
		take_chunked(conn, input);
	while (!conn->head.chunked && conn->state == HTTP_BODY && !conn->whole &&
	       evbuffer_get_length(input) > 0) {
		size_t len =
		    MIN(first_piece(input), (size_t)conn->head.content_length - conn->body_len);

		if (!keep(conn, evbuffer_pullup(input, (ev_ssize_t)len), len))
			return;
		evbuffer_drain(input, len);
		conn->whole = conn->body_len == (size_t)conn->head.content_length;
	}
	if (conn->state != HTTP_BODY || !conn->whole)
		return;
	conn->state = HTTP_BUSY;
	event_del(conn->timer);
	set_reading(conn);
	conn->events->request(conn, conn->arg);
}

/* A body nobody wants is read all the same: whoever still writes it would not see
 * the reply otherwise. */
static void
discard(struct http_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t len = evbuffer_get_length(input);

	evbuffer_drain(input, len);
	conn->discarded += len;
	if (conn->discarded > DISCARD_MAX)
		http_conn_break(conn, "it sends what is not wanted, without end");
}

static void
http_conn_on_read(struct bufferevent *bev, void *arg)
{
	struct http_conn *conn = arg;

	(void)bev;
	if (conn->state == HTTP_DISCARDING)
		discard(conn);
	if (conn->state == HTTP_IDLE || conn->state == HTTP_HEAD)
		take_head(conn);
	if (conn->state == HTTP_BODY)
		take_body(conn);
}

static void
http_conn_on_again(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	(void)what;
	http_conn_on_read(conn->bev, conn);
}

/* --- replies --------------------------------------------------------------------------- */

static void
put_status(struct http_conn *conn, int status, const char *lines)
{
	evbuffer_add_printf(bufferevent_get_output(conn->bev), "HTTP/1.1 %d %s\r\n%s%s", status,
			    http_status_text(status), lines,
			    conn->last ? "connection: close\r\n" : "");
}

/* All of the reply stands in the output. */
static void
end_reply(struct http_conn *conn)
{
	bool unread = !conn->whole;

	conn->last |= unread;
	conn->state = unread ? HTTP_DISCARDING : HTTP_REPLIED;
	bufferevent_setwatermark(conn->bev, EV_WRITE, 0, 0);
	if (unread)
		arm(conn, DISCARD_MS);
	else
		watch_output(conn);
	set_reading(conn);
}

static bool
may_reply(const struct http_conn *conn)
{
	return conn->state == HTTP_BODY || conn->state == HTTP_BUSY;
}

void
http_conn_reply(struct http_conn *conn, int status, const char *lines, const void *body, size_t len)
{
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	if (!may_reply(conn))
		return;
	event_del(conn->timer);
	conn->last |= !conn->whole;
	metrics.requests_failed_total += status >= 400;
	put_status(conn, status, lines);
	evbuffer_add_printf(output, "content-length: %zu\r\n\r\n", len);
	if (len > 0 && !(conn->has_head && strcmp(conn->head.method, "HEAD") == 0))
		evbuffer_add(output, body, len);
	end_reply(conn);
}

void
http_conn_begin(struct http_conn *conn, int status, const char *lines)
{
	if (!may_reply(conn))
		return;
	watch_output(conn);
	conn->last |= conn->head.is_1_0; /* its end is the end of the connection */
	put_status(conn, status, lines);
	evbuffer_add_printf(bufferevent_get_output(conn->bev), "%s\r\n",
			    conn->head.is_1_0 ? "" : "transfer-encoding: chunked\r\n");
	conn->state = HTTP_STREAMING;
}

void
http_conn_send(struct http_conn *conn, const void *bytes, size_t len)
{
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	if (conn->state != HTTP_STREAMING || len == 0)
		return;
	if (!conn->head.is_1_0)
		evbuffer_add_printf(output, "%zx\r\n", len);
	evbuffer_add(output, bytes, len);
	if (!conn->head.is_1_0)
		evbuffer_add(output, "\r\n", 2);
}

void
http_conn_end(struct http_conn *conn)
{
	if (conn->state != HTTP_STREAMING)
		return;
	if (!conn->head.is_1_0)
		evbuffer_add(bufferevent_get_output(conn->bev), "0\r\n\r\n", 5);
	end_reply(conn);
}

/* --- what there is to know --------------------------------------------------------------- */

bool
http_conn_is_full(const struct http_conn *conn)
{
	return conn->state >= HTTP_CLOSING ||
	       evbuffer_get_length(bufferevent_get_output(conn->bev)) >= conn->limits->high_mark;
}

size_t
http_conn_unsent(const struct http_conn *conn)
{
	return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

int64_t
http_conn_stuck_since_ms(const struct http_conn *conn)
{
	return conn->moved_ms;
}

bool
http_conn_is_idle(const struct http_conn *conn)
{
	return conn->state == HTTP_IDLE;
}

const struct http_head *
http_conn_head(const struct http_conn *conn)
{
	return &conn->head;
}

uint8_t *
http_conn_take_body(struct http_conn *conn, size_t *ret_len)
{
	*ret_len = conn->body_len;
	conn->body_room = 0;
	return TAKE(conn->body);
}

/* --- life --------------------------------------------------------------------------------- */

void
http_conn_finish(struct http_conn *conn)
{
	conn->last = true;
	if (conn->state <= HTTP_HEAD)
		close_with(conn, HTTP_CLOSING, "no more requests");
}

static void
http_conn_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->state == HTTP_HEAD || conn->state == HTTP_BODY)
		refuse(conn, 408, "the request did not come in time");
	else if (http_conn_unsent(conn) > 0 &&
		 (conn->state == HTTP_DISCARDING || conn->taken == conn->taken_then))
		http_conn_break(conn, "the client does not read");
	else if (conn->state == HTTP_IDLE || conn->state == HTTP_DISCARDING)
		close_with(conn, HTTP_CLOSING, "nothing came for a long time");
	else
		watch_output(conn);
}

static void
http_conn_on_left(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_conn_break(arg, "the client left");
}

static void
http_conn_on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *conn = arg;

	(void)output;
	conn->taken += info->n_deleted;
	if (info->n_deleted > 0 || info->orig_size == 0)
		conn->moved_ms = clock_mono_ms();
}

void
http_conn_free(struct http_conn *conn)
{
	metrics.connections_open--;
	forget_request(conn);
	event_free(conn->again);
	event_free(conn->timer);
	event_free(conn->left);
	bufferevent_free(conn->bev);
	free(conn);
}

static void
end_conn(struct http_conn *conn)
{
	conn->events->gone(conn, conn->arg);
	http_conn_free(conn);
}

static void
http_conn_on_write(struct bufferevent *bev, void *arg)
{
	struct http_conn *conn = arg;
	size_t unsent = evbuffer_get_length(bufferevent_get_output(bev));

	if (conn->state == HTTP_BROKEN || (conn->state == HTTP_CLOSING && unsent == 0)) {
		end_conn(conn);
	} else if (conn->state == HTTP_STREAMING && unsent < conn->limits->high_mark) {
		conn->events->drained(conn, conn->arg);
	} else if (conn->state == HTTP_REPLIED && unsent == 0) {
		conn->events->answered(conn, conn->arg);
		if (conn->last)
			close_with(conn, HTTP_CLOSING, "the last reply is out");
		else if (conn->state == HTTP_REPLIED)
			begin_idle(conn);
	}
}

static void
http_conn_on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & BEV_EVENT_EOF)
		http_conn_break(arg, "the client left");
	else if (what & BEV_EVENT_ERROR)
		http_conn_break(arg, "the connection broke");
}

struct http_conn *
http_conn_new(struct event_base *base, int fd, const struct http_conn_limits *limits,
	      const struct http_conn_events *events, void *arg)
{
	struct http_conn *conn = must_alloc(sizeof(*conn));

	*conn = (struct http_conn){ .limits = limits, .events = events, .arg = arg };
	conn->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	conn->again = event_new(base, -1, 0, http_conn_on_again, conn);
	conn->timer = event_new(base, -1, 0, http_conn_on_timer, conn);
	conn->left = event_new(base, fd, EV_CLOSED, http_conn_on_left, conn);
	if (!conn->bev || !conn->again || !conn->timer || !conn->left ||
	    !evbuffer_add_cb(bufferevent_get_output(conn->bev), http_conn_on_output, conn))
		fatal("out of memory");
	bufferevent_setcb(conn->bev, http_conn_on_read, http_conn_on_write, http_conn_on_event,
			  conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, READ_MARK);
	bufferevent_set_max_single_read(conn->bev, 256 * 1024);
	bufferevent_set_max_single_write(conn->bev, 256 * 1024);
	bufferevent_enable(conn->bev, EV_WRITE);
	metrics.connections_total++;
	metrics.connections_open++;
	begin_idle(conn);
	return conn;
}
