/*
 * fetch.c - whose turn it is to have an answer read from disk.
 *
 * Each is a whole body in memory until its client has taken it: so a few at a
 * time for all, fewer for one connection, none for one that does not read, and
 * one connection after the other.
 */
#include "daemon/serve/server_internal.h"

#include <stdlib.h>

#define MAX_FETCHES	    16
#define MAX_SESSION_FETCHES 4

static void
leave_line(struct session *session)
{
	if (!session->hungry)
		return;
	TAILQ_REMOVE(&session->server->hungry, session, hungry_link);
	session->hungry = false;
}

static void
join_line(struct session *session)
{
	if (session->hungry || TAILQ_EMPTY(&session->fetches))
		return;
	TAILQ_INSERT_TAIL(&session->server->hungry, session, hungry_link);
	session->hungry = true;
}

static void
start(struct stream *stream)
{
	struct session *session = stream->session;
	fetch_fn *fetch = TAKE(stream->fetch);

	TAILQ_REMOVE(&session->fetches, stream, fetch_link);
	stream->fetching = true;
	session->fetching++;
	session->server->fetching++;
	fetch(stream);
}

void
fetch_next(struct server *server)
{
	struct session *session;

	while (server->fetching < MAX_FETCHES && (session = TAILQ_FIRST(&server->hungry))) {
		leave_line(session);
		if (conn_is_full(session->conn)) {
			session->starved = true;
		} else if (session->fetching < MAX_SESSION_FETCHES) {
			start(TAILQ_FIRST(&session->fetches));
			join_line(session);
		}
	}
}

void
fetch_add(struct stream *stream, fetch_fn *fetch)
{
	stream->fetch = fetch;
	TAILQ_INSERT_TAIL(&stream->session->fetches, stream, fetch_link);
	join_line(stream->session);
	fetch_next(stream->session->server);
}

struct stream *
fetch_deref(struct stream_ref *ref)
{
	struct server *server = ref->server;
	struct stream *stream = stream_deref(ref);

	if (stream)
		return stream;
	server->fetching--;
	server_kick(server);
	return NULL;
}

void
fetch_end(struct stream *stream)
{
	struct session *session = stream->session;

	stream->fetching = false;
	session->fetching--;
	session->server->fetching--;
	join_line(session);
	/* In a turn of its own: what was fetched is not in the output yet. */
	server_kick(session->server);
}

void
fetch_forget(struct stream *stream)
{
	struct session *session = stream->session;

	if (stream->fetch) {
		TAILQ_REMOVE(&session->fetches, stream, fetch_link);
		if (TAILQ_EMPTY(&session->fetches))
			leave_line(session);
	}
	/* The server's count goes down when the store has done it all the same. */
	if (!stream->fetching)
		return;
	session->fetching--;
	join_line(session);
	server_kick(session->server);
}

void
fetch_resume(struct session *session)
{
	join_line(session);
	fetch_next(session->server);
}
