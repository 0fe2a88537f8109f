/*
 * stream.c - how handlers answer, and how they find a stream again later.
 */
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/serve/server_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct stream_ref *
stream_ref(struct stream *stream)
{
	struct stream_ref *ref = must_alloc(sizeof(*ref));

	*ref = (struct stream_ref){ stream->session->server, stream->serial, stream->fetch_big };
	return ref;
}

struct stream *
stream_deref(struct stream_ref *ref)
{
	struct stream *stream;

	HASH_FIND(by_serial, ref->server->streams, &ref->serial, sizeof(ref->serial), stream);
	free(ref);
	return stream;
}

struct caller
stream_caller(const struct stream *stream)
{
	const struct session *session = stream->session;

	return (struct caller){ .uid = session->peer.uid,
				.groups = session->peer.groups,
				.group_count = session->peer.group_count,
				.unit = session->peer.unit,
				.admin = session->admin };
}

uid_t
stream_scope(const struct stream *stream)
{
	return stream->session->admin ? (uid_t)-1 : stream->session->peer.uid;
}

/* Send put's bytes as one frame. False: they do not fit, the stream ended in INTERNAL. */
static bool
send_put(struct stream *stream, struct jsonput *put, enum frame_type type, unsigned flags)
{
	size_t len;
	char *json = jsonput_take(put, &len);

	if (!json)
		fatal("out of memory");
	if (len > FRAME_MAX_PAYLOAD) {
		free(json);
		stream_error(stream, FOREBAY_ERR_INTERNAL, "the reply is too long for a frame");
		return false;
	}
	conn_send(stream->session->conn, type, flags, stream->number, json, len);
	free(json);
	return true;
}

void
stream_event(struct stream *stream, struct jsonput *put)
{
	(void)send_put(stream, put, FRAME_EVENT, 0);
}

void
stream_reply(struct stream *stream, struct jsonput *put)
{
	if (send_put(stream, put, FRAME_REPLY, FRAME_FLAG_END))
		session_end_stream(stream);
}

void
stream_reply_data(struct stream *stream, struct jsonput *put, uint8_t *bytes, size_t len)
{
	struct server *server = stream->session->server;

	stream->session->fetched_len = len;
	if (!send_put(stream, put, FRAME_REPLY, 0)) {
		free(bytes);
		return;
	}
	if (len == 0) {
		free(bytes);
		conn_send(stream->session->conn, FRAME_DATA, FRAME_FLAG_END, stream->number, NULL,
			  0);
	} else {
		conn_send_all(stream->session->conn, FRAME_DATA, true, stream->number, bytes, len);
	}
	session_end_stream(stream);
	server_relieve(server);
}

void
stream_error(struct stream *stream, enum forebay_err err, const char *why)
{
	struct session *session = stream->session;
	uint32_t number = stream->number;
	char missing[64];

	if (err == FOREBAY_ERR_NOT_FOUND && !why && stream->request.id) {
		snprintf(missing, sizeof(missing),
			 "there is no job %" PRIu64 ", or it is not yours", stream->request.id);
		why = missing;
	}

	session_end_stream(stream);
	session_say_error(session, number, err, why);
}
