/*
 * session.h - what every command works with: the connection, stdout, the progress
 * line; and the ways its waiting can end.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/forebay.h"
#include "client/output.h"
#include "client/progress.h"
#include "protocol/base.h"
#include "protocol/message.h"

/* Besides enum forebay_err and what forebay.h adds to it. */
#define SESSION_INTERRUPTED (-10) /* Ctrl-C */
#define SESSION_NO_OUTPUT   (-11) /* nobody reads stdout, or it is full */
#define SESSION_USAGE	    (-12) /* complained about already: exit 2 */

struct session {
	struct output out;
	struct progress progress;
	const char *socket; /* borrowed; NULL: the usual one */
	bool verbose;
	struct forebay *f;  /* owned; NULL until it is needed */
	int64_t until_ms;   /* --timeout, monotonic; -1: none */
	bool ticks;	    /* session_next() draws the progress line itself */
	uint64_t waits_for; /* the job; told when the waiting ends early. 0: none */
};

/* Have SIGINT end the waiting instead of the process. */
void session_catch_interrupts(void);
/* As it was before, for a program that takes our place. */
void session_leave_interrupts(void);
void session_clear(struct session *session);

/* Connect, unless it is connected. */
MUST_CHECK int session_open(struct session *session);
void session_time_out(struct session *session, int64_t timeout_ms); /* -1: not */

MUST_CHECK int session_send(struct session *session, const struct request *request,
			    uint32_t *ret_stream);
/* forebay_next() with the progress line, the time-out and Ctrl-C. A NOTHING
 * comes every quarter of a second. */
MUST_CHECK int session_next(struct session *session, struct forebay_event *ret);

/* One request and its whole answer. */
struct reply {
	struct message *message; /* owned */
	char *json;		 /* owned; of message */
	size_t json_len;
	char *data; /* owned; what followed, with a terminator; never NULL */
	size_t len, size;
};
MUST_CHECK int session_call(struct session *session, const struct request *request,
			    struct reply *ret);
void reply_clear(struct reply *reply);
/* Keep more of the answer; forebay_err. */
MUST_CHECK int reply_take(struct reply *reply, const struct forebay_event *event);

/* The i-th line of data, parsed; NULL after the last. Owned by the caller.
 * *at is 0 for the first and moves on. */
struct message *reply_row(const struct reply *reply, size_t *at, const char **ret_line,
			  size_t *ret_len);

/* "417", "#417" or "@last" as an id; complains. */
MUST_CHECK int session_id(struct session *session, const char *word, uint64_t *ret);

/* Say what went wrong and return the exit code. */
int session_fail(struct session *session, int err);
int session_exit_code(int err);

#endif
