/*
 * session.h - the protocol's state of one connection: HELLO, then streams, each
 * one request with its reply. Internal to serve/.
 *
 * A handler gets a stream and answers it now or later. For later it keeps a
 * stream_ref, never the stream: the client may have gone.
 */
#ifndef DAEMON_SERVE_SESSION_H
#define DAEMON_SERVE_SESSION_H

#include "daemon/base/peer.h"
#include "daemon/run/runner.h"
#include "daemon/serve/conn.h"
#include "daemon/serve/server.h"
#include "protocol/jsonput.h"
#include "protocol/message.h"

#include <sys/queue.h>
#include <uthash.h>

struct event;
struct stream;

struct session {
	struct server *server; /* borrowed */
	struct conn *conn;     /* owned until gone */
	struct peer peer;
	bool admin;
	bool greeted;
	uint32_t highest_stream; /* of the REQUESTs so far */
	bool blocked;		 /* paused: the store is behind, or too much goes on here */
	bool starved;		 /* some stream waits for room in the output */
	struct event *hello;	 /* owned: the client must greet by then */
	struct stream *streams;	 /* owned, by the client's number */
	unsigned fetching;	 /* bodies being read from disk for it */
	TAILQ_ENTRY(session) link;
};
TAILQ_HEAD(session_list, session);

/* What a verb keeps on its stream; freed with it. */
typedef void stream_free_fn(struct stream *stream);

struct stream {
	uint32_t number; /* the client's */
	uint64_t serial; /* ours, never reused */
	struct session *session;
	struct request request;
	uint8_t *body; /* owned: DATA so far */
	size_t body_len, body_room;
	bool whole;				   /* END was received */
	bool fetching;				   /* a body is being read from disk for it */
	void *state;				   /* owned by the verb; see on_free */
	stream_free_fn *on_free;		   /* releases state; may be NULL */
	void (*on_drained)(struct stream *stream); /* the output has room again; may be NULL */
	UT_hash_handle hh;			   /* in the session, by number */
	UT_hash_handle by_serial;		   /* in the server */
};

/* A stream that is looked up again, across the loop. */
struct stream_ref {
	struct server *server; /* borrowed */
	uint64_t serial;
};
struct stream_ref *stream_ref(struct stream *stream);
/* NULL when the client has gone or asked to be left alone. Frees ref. */
struct stream *stream_deref(struct stream_ref *ref);

struct caller stream_caller(const struct stream *stream);
/* Whose jobs the caller may touch: its uid, or (uid_t)-1 for everybody's. */
uid_t stream_scope(const struct stream *stream);

/* --- answering; put is taken (and may have failed: then INTERNAL) -------------- */

void stream_event(struct stream *stream, struct jsonput *put);
/* With more: DATA follows, end it with stream_data(). Otherwise ends the stream. */
void stream_reply(struct stream *stream, struct jsonput *put, bool more);
/* The whole of what follows a reply; bytes (malloc'd) are taken. Ends the stream. */
void stream_data(struct stream *stream, uint8_t *bytes, size_t len);
/* Ends the stream. why: a sentence, NULL or "" for the error's own. */
void stream_error(struct stream *stream, enum forebay_err err, const char *why);

/* session.c */
void session_end_stream(struct stream *stream);
void session_say_error(struct session *session, uint32_t number, enum forebay_err err,
		       const char *why);
void session_start(struct server *server, int fd, const struct peer *peer, bool admin);
/* What blocked may have passed: read on. */
void session_unblock(struct session *session);

#endif
