/*
 * fetch.c - whose turn it is to have an answer read from disk.
 *
 * Each is a whole body in memory until its client has taken it: so a few at a
 * time for all, fewer for one connection, none for one that does not read, and
 * one connection after the other.
 */
#include "daemon/serve/server_internal.h"

#include <stdlib.h>

#define MAX_FETCHES	    32 /* for all, */
#define MAX_BIG_FETCHES	    8  /* and of those that may be big */
#define MAX_SESSION_FETCHES 4  /* for one connection, as long as they are small: */
#define SMALL_LEN	    262144

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
start(struct stream *stream, bool big)
{
	struct session *session = stream->session;
	fetch_fn *fetch = TAKE(stream->fetch);

	TAILQ_REMOVE(&session->fetches, stream, fetch_link);
	stream->fetching = true;
	stream->fetch_big = big;
	session->fetching++;
	session->server->fetching++;
	session->server->fetching_big += big;
	fetch(stream);
}

/* Nobody knows how long it is before it is there: as the last one was. */
static bool
may_be_big(const struct session *session)
{
	return session->fetched_len == 0 || session->fetched_len > SMALL_LEN;
}

/* One for session, if it may; it stands at the end of the line then. */
static bool
next_of(struct session *session)
{
	struct server *server = session->server;
	bool big = may_be_big(session), started = false;

	leave_line(session);
	if (conn_is_full(session->conn)) {
		session->starved = true;
	} else if (session->fetching < (big ? 1 : MAX_SESSION_FETCHES)) {
		started = !big || server->fetching_big < MAX_BIG_FETCHES;
		if (started)
			start(TAILQ_FIRST(&session->fetches), big);
		join_line(session);
	}
	return started;
}

static bool
once_around(struct server *server)
{
	struct session *session, *last = TAILQ_LAST(&server->hungry, session_list);
	bool started = false, around = !last;

	while (!around && server->fetching < MAX_FETCHES) {
		session = TAILQ_FIRST(&server->hungry);
		around = session == last;
		started |= next_of(session);
	}
	return started;
}

void
fetch_next(struct server *server)
{
	while (once_around(server))
		;
}

void
fetch_add(struct stream *stream, fetch_fn *fetch)
{
	stream->fetch = fetch;
	TAILQ_INSERT_TAIL(&stream->session->fetches, stream, fetch_link);
	join_line(stream->session);
	fetch_next(stream->session->server);
}

static struct stream *
deref(struct stream_ref *ref)
{
	struct server *server = ref->server;
	bool big = ref->fetch_big;
	struct stream *stream = stream_deref(ref);

	if (stream)
		return stream;
	server->fetching--;
	server->fetching_big -= big;
	server_kick(server);
	return NULL;
}

struct stream *
fetch_answer(struct stream_ref *ref, enum forebay_err err)
{
	struct stream *stream = deref(ref);

	if (!stream || !err)
		return stream;
	fetch_end(stream);
	stream_error(stream, err, NULL);
	return NULL;
}

void
fetch_end(struct stream *stream)
{
	struct session *session = stream->session;

	stream->fetching = false;
	session->fetching--;
	session->server->fetching--;
	session->server->fetching_big -= stream->fetch_big;
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
