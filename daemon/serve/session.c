/*
 * session.c - HELLO, then requests: frames become streams, whole streams go to
 * their verb's handler.
 */
#include "daemon/serve/session.h"

#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/serve/handlers.h"
#include "daemon/serve/server_internal.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_START     4096
#define STORE_BEHIND   8192		    /* operations waiting: stop reading clients */
#define STORE_FULL_B   (256u * 1024 * 1024) /* or bytes of them */
#define STORE_BEHIND_B (32u * 1024 * 1024)  /* enough to stop those who send more than */
#define BIG_BODY       65536u		    /* this */
#define BIG_SHARE      3		    /* times what is free of receive_buffer */
#define SMALL_SHARE    7

/* --- streams ----------------------------------------------------------------------------- */

static struct stream *
find_stream(const struct session *session, uint32_t number)
{
	struct stream *stream;

	HASH_FIND(hh, session->streams, &number, sizeof(number), stream);
	return stream;
}

static struct stream *
add_stream(struct session *session, uint32_t number)
{
	struct server *server = session->server;
	struct stream *stream = must_alloc(sizeof(*stream));

	*stream = (struct stream){ .number = number,
				   .serial = ++server->next_serial,
				   .session = session };
	HASH_ADD(hh, session->streams, number, sizeof(number), stream);
	HASH_ADD(by_serial, server->streams, serial, sizeof(stream->serial), stream);
	return stream;
}

/* The body is whole, or nobody wants it any more. */
static void
stop_receiving(struct stream *stream)
{
	struct session *session = stream->session;

	session->unfinished--;
	session->receiving -= stream->body_len;
	session->user->receiving -= stream->body_len;
	session->server->receiving -= stream->body_len;
}

void
session_end_stream(struct stream *stream)
{
	struct session *session = stream->session;
	struct server *server = session->server;

	if (stream->on_free)
		stream->on_free(stream);
	fetch_forget(stream);
	HASH_DEL(session->streams, stream);
	HASH_DELETE(by_serial, server->streams, stream);
	if (!stream->whole)
		stop_receiving(stream);
	request_clear(&stream->request);
	free(stream->body);
	free(stream);
	if (session->blocked)
		server_kick(server);
}

/* --- back-pressure ------------------------------------------------------------------------- */

static bool
has_all_streams(const struct session *session)
{
	return HASH_COUNT(session->streams) >= session->server->config->max_streams;
}

static bool
is_too_much(const struct session *session)
{
	const struct server *server = session->server;

	/* Big bodies, and big answers on their way to the disk, do not stop small requests. */
	size_t behind = session->receiving > BIG_BODY ? STORE_BEHIND_B : STORE_FULL_B;

	return (session->held && has_all_streams(session)) || server->working >= STORE_BEHIND ||
	       store_backlog(server->store) >= STORE_BEHIND ||
	       store_backlog_bytes(server->store) >= behind;
}

static void
block_if_too_much(struct session *session)
{
	if (session->blocked || !is_too_much(session))
		return;
	session->blocked = true;
	conn_pause(session->conn);
	/* Something may already be on its way that will unblock us; nothing may
	 * be lost if it is not. */
	server_kick(session->server);
}

void
session_unblock(struct session *session)
{
	if (!session->blocked || is_too_much(session))
		return;
	session->blocked = session->held = false;
	conn_resume(session->conn);
}

/* --- the broken and the greeted -------------------------------------------------------------- */

void
session_say_error(struct session *session, uint32_t number, enum forebay_err err, const char *why)
{
	struct jsonput put = { 0 };
	size_t len;
	char *json;

	jsonput_object(&put);
	jsonput_member_string(&put, "error", forebay_err_wire(err));
	jsonput_member_string(&put, "message", why && why[0] ? why : forebay_err_text(err));
	if (forebay_err_retryable(err))
		jsonput_member_int(&put, "retry_after_ms", 1000);
	jsonput_end(&put);
	json = jsonput_take(&put, &len);
	if (!json)
		fatal("out of memory");
	conn_send(session->conn, FRAME_ERROR, FRAME_FLAG_END, number, json, len);
	metrics.requests_failed_total++;
	free(json);
}

static void
end_as(struct session *session, enum forebay_err err, const char *why)
{
	session_say_error(session, 0, err, why);
	conn_close(session->conn, why);
}

static void
end_with(struct session *session, const char *why)
{
	end_as(session, FOREBAY_ERR_BAD_FRAME, why);
}

static void
session_on_garbage(struct conn *conn, const char *why, void *arg)
{
	(void)conn;
	end_with(arg, why);
}

static void
put_you(struct session *session, struct jsonput *put)
{
	const struct peer *peer = &session->peer;

	jsonput_key(put, "you");
	jsonput_object(put);
	jsonput_member_int(put, "uid", peer->uid);
	jsonput_member_int(put, "gid", peer->gid);
	jsonput_member_int(put, "pid", peer->pid);
	jsonput_member_string(put, "unit", peer->unit[0] ? peer->unit : NULL);
	jsonput_member_bool(put, "admin", session->admin);
	jsonput_end(put);
}

static void
greet(struct session *session)
{
	const struct config *config = session->server->config;
	struct jsonput put = { 0 };
	size_t len;
	char *json;

	jsonput_object(&put);
	jsonput_member_int(&put, "protocol", FRAME_PROTOCOL);
	jsonput_member_string(&put, "server", "forebayd/" FOREBAY_VERSION);
	jsonput_member_int(&put, "max_frame", FRAME_MAX_PAYLOAD);
	jsonput_member_int(&put, "max_body", (int64_t)config->max_body);
	jsonput_member_int(&put, "max_streams", (int64_t)config->max_streams);
	put_you(session, &put);
	jsonput_end(&put);
	json = jsonput_take(&put, &len);
	if (!json)
		fatal("out of memory");
	conn_send(session->conn, FRAME_HELLO, FRAME_FLAG_END, 0, json, len);
	free(json);
}

static void
take_hello(struct session *session, const struct frame *frame)
{
	struct message *hello = NULL;
	char why[MESSAGE_WHY_LEN];
	int64_t protocol;

	if (session->greeted) {
		end_with(session, "a second HELLO");
		return;
	}
	if (message_parse(frame->payload, frame->len, MESSAGE_MAX_LEN, &hello, why)) {
		end_as(session, FOREBAY_ERR_BAD_REQUEST, why);
		return;
	}
	/* The highest the client speaks; what is used is in our answer. */
	protocol = message_int(hello, "protocol", 0);
	message_free(hello);
	if (protocol < FRAME_PROTOCOL) {
		snprintf(why, sizeof(why),
			 "protocol: expected the highest version you speak, %d or more, in HELLO",
			 FRAME_PROTOCOL);
		end_as(session, FOREBAY_ERR_BAD_REQUEST, why);
		return;
	}
	session->greeted = true;
	event_del(session->hello);
	greet(session);
}

static void
session_on_hello_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	end_with(session, "no HELLO in time");
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void
dispatch(struct stream *stream)
{
	struct session *session = stream->session;

	metrics.requests_total++;
	if (forebay_verb_right(stream->request.verb) == FOREBAY_RIGHT_ADMIN && !session->admin)
		stream_error(stream, FOREBAY_ERR_NOT_ALLOWED,
			     "only root and members of the admin group may do this");
	else
		handlers[stream->request.verb](stream);
}

/* One more than may be open waits, unread, until one of the others ends. But
 * behind it stands the DATA that some of them may wait for: then it is refused. */
static bool
has_room_for_stream(struct session *session, const struct frame *frame)
{
	if (!has_all_streams(session))
		return true;
	if (session->unfinished == 0)
		session->held = true;
	else
		session_say_error(session, frame->stream, FOREBAY_ERR_OVER_QUOTA,
				  "max_streams requests are open on this connection, and some of "
				  "them wait for DATA");
	return false;
}

static void
take_request(struct session *session, const struct frame *frame)
{
	char why[MESSAGE_WHY_LEN];
	struct request request;
	struct stream *stream;
	enum forebay_err err;

	if (find_stream(session, frame->stream)) {
		end_with(session, "REQUEST on a stream that is in use");
		return;
	}
	session->highest_stream = MAX(session->highest_stream, frame->stream);
	if (!has_room_for_stream(session, frame))
		return;
	err = request_parse(frame->payload, frame->len, &request, why);
	stream = add_stream(session, frame->stream);
	stream->whole = frame->flags & FRAME_FLAG_END;
	session->unfinished += !stream->whole;
	if (err) {
		stream_error(stream, err, why);
		return;
	}
	stream->request = request;
	if (stream->whole)
		dispatch(stream);
	else if (request.verb != FOREBAY_VERB_SUBMIT)
		stream_error(stream, FOREBAY_ERR_BAD_REQUEST,
			     "only submit takes DATA; send the REQUEST with END");
}

static bool
make_room(struct stream *stream, size_t len)
{
	size_t room = stream->body_room ? stream->body_room : BODY_START;
	uint8_t *body;

	while (room < stream->body_len + len)
		room *= 2;
	if (room == stream->body_room)
		return true;
	body = realloc(stream->body, room);
	if (!body)
		return false;
	stream->body = body;
	stream->body_room = room;
	return true;
}

/* Of the room for unfinished bodies some is always left: for other users, as
 * nobody has more than a few times what is free, and for small ones of the same
 * user. But one body at a time can always be received. */
static bool
is_room_used_up(const struct stream *stream, size_t len)
{
	const struct server *server = stream->session->server;
	uint64_t room = server->config->receive_buffer;
	uint64_t others = stream->session->user->receiving - stream->body_len;
	uint64_t here = stream->body_len + len;
	unsigned share = here <= BIG_BODY ? SMALL_SHARE : BIG_SHARE;

	if (server->receiving + len > room)
		return true;
	return others > 0 && others + here > share * (room - server->receiving);
}

static enum forebay_err
check_data(const struct stream *stream, size_t len, char *why, size_t why_len)
{
	const struct config *config = stream->session->server->config;

	if (stream->body_len + len > config->max_body) {
		snprintf(why, why_len, "the body has more than %" PRIu64 " bytes, [queue] max_body",
			 config->max_body);
		return FOREBAY_ERR_TOO_BIG;
	}
	if (is_room_used_up(stream, len)) {
		snprintf(why, why_len,
			 "too many bodies are being received at once, [daemon] receive_buffer is "
			 "%" PRIu64 " bytes; send it again in a moment",
			 config->receive_buffer);
		return FOREBAY_ERR_QUEUE_FULL;
	}
	return FOREBAY_ERR_OK;
}

static void
take_data(struct session *session, const struct frame *frame)
{
	struct stream *stream = find_stream(session, frame->stream);
	char why[MESSAGE_WHY_LEN];
	enum forebay_err err;

	/* A stream we have answered already may still be sending: its error is
	 * on the way to it. Only what was never opened is a broken envelope. */
	if (!stream) {
		if (frame->stream > session->highest_stream)
			end_with(session, "DATA on a stream that is not open");
		return;
	}
	if (stream->whole) {
		end_with(session, "DATA after END");
		return;
	}
	err = check_data(stream, frame->len, why, sizeof(why));
	if (!err && !make_room(stream, frame->len)) {
		err = FOREBAY_ERR_NO_MEMORY;
		why[0] = '\0';
	}
	if (err) {
		stream_error(stream, err, why);
		return;
	}
	if (frame->len > 0)
		memcpy(stream->body + stream->body_len, frame->payload, frame->len);
	stream->body_len += frame->len;
	session->receiving += frame->len;
	session->user->receiving += frame->len;
	session->server->receiving += frame->len;
	if (!(frame->flags & FRAME_FLAG_END))
		return;
	stream->whole = true;
	stop_receiving(stream);
	dispatch(stream);
}

static void
take_cancel(struct session *session, const struct frame *frame)
{
	struct stream *stream = find_stream(session, frame->stream);

	if (stream)
		session_end_stream(stream);
}

static bool
session_on_frame(struct conn *conn, const struct frame *frame, void *arg)
{
	struct session *session = arg;

	if (frame->type != FRAME_HELLO && !session->greeted) {
		end_with(session, "the first frame must be HELLO");
		return true;
	}
	switch ((enum frame_type)frame->type) {
	case FRAME_HELLO:
		take_hello(session, frame);
		break;
	case FRAME_REQUEST:
		take_request(session, frame);
		break;
	case FRAME_DATA:
		take_data(session, frame);
		break;
	case FRAME_CANCEL:
		take_cancel(session, frame);
		break;
	case FRAME_PING:
		conn_send(conn, FRAME_PONG, FRAME_FLAG_END, frame->stream, frame->payload,
			  frame->len);
		break;
	case FRAME_PONG:
	case FRAME_EVENT: /* refused by frame_parse(): the daemon's own */
	case FRAME_REPLY:
	case FRAME_ERROR:
	case FRAME_CHUNK:
		break;
	}
	block_if_too_much(session);
	return !session->held;
}

/* --- life
 * ------------------------------------------------------------------------------------------- */

static void
session_on_drained(struct conn *conn, void *arg)
{
	struct session *session = arg;
	struct stream *stream, *next;

	(void)conn;
	if (!session->starved)
		return;
	session->starved = false;
	HASH_ITER (hh, session->streams, stream, next)
		if (stream->on_drained)
			stream->on_drained(stream);
	fetch_resume(session);
}

/* conn goes with it, or has gone. */
static void
take_down(struct session *session)
{
	struct stream *stream, *next;

	HASH_ITER (hh, session->streams, stream, next)
		session_end_stream(stream);
	event_free(session->hello);
	server_session_gone(session->server, session);
	free(session);
}

static void
session_on_gone(struct conn *conn, void *arg)
{
	(void)conn;
	take_down(arg);
}

void
session_free(struct session *session)
{
	struct conn *conn = session->conn;

	take_down(session);
	conn_free(conn);
}

void
session_start(struct server *server, int fd, const struct peer *peer, bool admin,
	      struct uid_count *user)
{
	static const struct conn_events events = {
		.frame = session_on_frame,
		.garbage = session_on_garbage,
		.drained = session_on_drained,
		.gone = session_on_gone,
	};
	struct session *session = must_alloc(sizeof(*session));
	int64_t ms = server->config->hello_timeout_ms;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	*session =
	    (struct session){ .server = server, .peer = *peer, .admin = admin, .user = user };
	TAILQ_INIT(&session->fetches);
	session->conn =
	    conn_new(server->base, fd, server->config->output_high_mark, ms, &events, session);
	session->hello = event_new(server->base, -1, 0, session_on_hello_timeout, session);
	if (!session->hello)
		fatal("out of memory");
	event_add(session->hello, &tv);
	TAILQ_INSERT_TAIL(&server->sessions, session, link);
	server->session_count++;
}
