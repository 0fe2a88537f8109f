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
struct uid_count;
TAILQ_HEAD(stream_list, stream);

struct session {
	struct server *server;	/* borrowed */
	struct conn *conn;	/* owned until gone */
	struct uid_count *user; /* borrowed: all connections of this uid */
	struct peer peer;
	bool admin;
	bool greeted;
	uint32_t highest_stream;    /* of the REQUESTs so far */
	bool blocked;		    /* paused: the store is behind, or held */
	bool held;		    /* a REQUEST waits until one of max_streams ends */
	bool starved;		    /* some stream waits for room in the output */
	struct event *hello;	    /* owned: the client must greet by then */
	struct stream *streams;	    /* owned, by the client's number */
	unsigned unfinished;	    /* streams whose DATA has not ended */
	uint64_t receiving;	    /* bytes of their bodies so far */
	unsigned watches;	    /* streams of the verb watch */
	unsigned fetching;	    /* answers being read from disk for it, see fetch.c */
	size_t fetched_len;	    /* how long the last one was, with its rows or body */
	struct stream_list fetches; /* those that wait for that */
	bool hungry;		    /* in the server's list of those with fetches */
	TAILQ_ENTRY(session) link, hungry_link;
};
TAILQ_HEAD(session_list, session);

/* What a verb keeps on its stream; freed with it. */
typedef void stream_free_fn(struct stream *stream);
/* Ask the store for what stream wants, with stream_ref(); see fetch_add(). */
typedef void fetch_fn(struct stream *stream);

struct stream {
	uint32_t number; /* the client's */
	uint64_t serial; /* ours, never reused */
	struct session *session;
	struct request request;
	uint8_t *body; /* owned: DATA so far */
	size_t body_len, body_room;
	bool whole;				   /* END was received */
	bool fetching;				   /* an answer is being read from disk for it */
	bool fetch_big;				   /* and it may be a big one */
	uint64_t job;				   /* whose result that is */
	fetch_fn *fetch;			   /* waits for its turn to; NULL: does not */
	void *state;				   /* owned by the verb; see on_free */
	stream_free_fn *on_free;		   /* releases state; may be NULL */
	void (*on_drained)(struct stream *stream); /* the output has room again; may be NULL */
	UT_hash_handle hh;			   /* in the session, by number */
	UT_hash_handle by_serial;		   /* in the server */
	TAILQ_ENTRY(stream) fetch_link;		   /* in the session, while it waits */
};

/* A stream that is looked up again, across the loop. */
struct stream_ref {
	struct server *server; /* borrowed */
	uint64_t serial;
	bool fetch_big; /* see fetch.c */
};
struct stream_ref *stream_ref(struct stream *stream);
/* NULL when the client has gone or asked to be left alone. Frees ref. */
struct stream *stream_deref(struct stream_ref *ref);

/*
 * What may be big is read from disk a few at a time, and only for connections
 * that have room for it: start is called at once or later, unless the stream ends
 * first. Callbacks of the store then use fetch_answer() in place of stream_deref(),
 * and the last one says fetch_end(). It answers NULL when there is nothing left to
 * do: the stream is gone, or has just been told of err.
 */
void fetch_add(struct stream *stream, fetch_fn *start);
struct stream *fetch_answer(struct stream_ref *ref, enum forebay_err err);
void fetch_end(struct stream *stream);
/* The stream ends, the output of session has room again. */
void fetch_forget(struct stream *stream);
void fetch_resume(struct session *session);
/* Start what may be started. */
void fetch_next(struct server *server);

struct caller stream_caller(const struct stream *stream);
/* Whose jobs the caller may touch: its uid, or (uid_t)-1 for everybody's. */
uid_t stream_scope(const struct stream *stream);

/* --- answering; put is taken (and may have failed: then INTERNAL) -------------- */

void stream_event(struct stream *stream, struct jsonput *put);
/* Ends the stream. */
void stream_reply(struct stream *stream, struct jsonput *put);
/* With the DATA that follows; bytes (malloc'd) are taken. Ends the stream. */
void stream_reply_data(struct stream *stream, struct jsonput *put, uint8_t *bytes, size_t len);
/* Ends the stream. why: a sentence, NULL or "" for the error's own. */
void stream_error(struct stream *stream, enum forebay_err err, const char *why);

/* session.c */
void session_end_stream(struct stream *stream);
void session_say_error(struct session *session, uint32_t number, enum forebay_err err,
		       const char *why);
void session_start(struct server *server, int fd, const struct peer *peer, bool admin,
		   struct uid_count *user);
/* What blocked may have passed: read on. */
void session_unblock(struct session *session);
/* At the end of the daemon. */
void session_free(struct session *session);

#endif
