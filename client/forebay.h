/*
 * forebay.h - libforebay: put Claude API requests into the queue of forebayd on
 * this host, and read the answers. Link with -lforebay.
 *
 *	int err = forebay_open(NULL, NULL, &f);
 *	if (!err)
 *		err = forebay_submit_wait(f, body, body_len, NULL, &id);
 *	if (!err) // the job is on disk: it survives us, the daemon and a power cut
 *		err = forebay_result(f, id, -1, &answer, &answer_len);
 *	if (err)
 *		fprintf(stderr, "%s: %s\n", forebay_error_name(err), forebay_message(f));
 *	forebay_close(f);
 * Many at once: forebay_submit() and forebay_request() as often as you like, then
 * forebay_next() until forebay_pending() is 0; each event names its stream. With
 * callbacks, in an event loop of your own: forebay_loop.h.
 *
 * Errors: 0 is success, negative are the three below, positive have a stable name
 * (not number): compare with forebay_error_is(). The library never prints, never
 * touches signals, never exits.
 *
 * Threads: a handle belongs to one thread at a time, and handing it over is yours to
 * lock; handles know nothing of each other, and there is no other state. No calls in
 * signal handlers. After fork() a handle is its parent's; the child may only close it.
 *
 * When the connection breaks, what is unanswered is sent again over a new one:
 * submits (their random idempotency key keeps them from being done twice) and what
 * is harmless to repeat. hold, release, retry, drain, verify and reload fail with
 * "unreachable".
 */
#ifndef FOREBAY_H
#define FOREBAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>
__BEGIN_DECLS
struct forebay;		    /* one connection and what is unanswered on it */
#define FOREBAY_AGAIN  (-1) /* too much is under way: take events first */
#define FOREBAY_MISUSE (-2) /* not possible in this state */
#define FOREBAY_CLOSED (-3) /* a callback has closed the handle */
struct forebay_options {
	size_t size;	   /* sizeof(struct forebay_options) */
	int hello_ms;	   /* how long the daemon may take to greet; 0: 10 s */
	int reconnect_ms;  /* how long to try again after a break; 0: 120 s, -1: not */
	const char *agent; /* who we are, for the daemon's eyes; NULL: libforebay/VERSION */
	bool background;   /* forebay_open() does not wait; requests do, for reconnect_ms */
};

/* Connect and greet. path NULL: $FOREBAY_SOCKET, else /run/forebay/forebay.sock
 * where that exists, else $XDG_RUNTIME_DIR/forebay/forebay.sock. Also after an
 * error *ret (NULL only without memory) answers forebay_message() and wants
 * closing. */
int forebay_open(const char *path, const struct forebay_options *options, struct forebay **ret);
void forebay_close(struct forebay *f); /* ends no job, except ephemeral ones */
/* What went wrong last, as a sentence; valid until the next call. */
const char *forebay_message(const struct forebay *f);
const char *forebay_hello(const struct forebay *f); /* the daemon's, JSON; or NULL */

/* How a job is to be treated. Start from FOREBAY_SUBMIT_INIT. Strings are
 * borrowed for the call; NULL and 0 mean: as the daemon is configured. */
struct forebay_submit {
	size_t size;
	const char *model;	   /* replaces the body's */
	const char *chain;	   /* name of a configured fallback chain */
	const char *const *models; /* or the chain itself; NULL-terminated */
	const char *job_class;	   /* "interactive" "normal" "patient" */
	const char *batch;	   /* "never" "allow" "only" */
	const char *transport;	   /* "stream" "plain" */
	int priority;		   /* -100 .. 100 among your own jobs */
	uint64_t attempts;	   /* that count; overload never does */
	int64_t deadline_ms;	   /* from now */
	int64_t not_before_ms;	   /* since 1970 */
	uint64_t shrink_to;	   /* smallest max_tokens to fall back to */
	const char *version;	   /* anthropic-version */
	const char *const *betas;  /* anthropic-beta; NULL-terminated */
	const char *label;	   /* yours, to find jobs again; <= 256 bytes */
	const char *key;	   /* idempotency key; NULL: a random one */
	int64_t keep_ms;	   /* after the end; -1: as configured */
	bool ephemeral;		   /* dies with this connection */
	bool want_result;	   /* the reply is the answer, not the id */
	bool follow;		   /* with want_result: also NEWS and CHUNKs before it */
};				   /* clang-format off */
#define FOREBAY_SUBMIT_INIT { .size = sizeof(struct forebay_submit), .keep_ms = -1 }
/* clang-format on */

/* Queue a Messages request, byte for byte; body is copied, options may be NULL.
 * Returns at once; it leaves with the next forebay_next(). A REPLY {"id":417,...}
 * on *ret_stream comes only when the job is on disk. FOREBAY_AGAIN: 64 MiB or
 * 65,536 requests are unanswered; take events, then try again. */
int forebay_submit(struct forebay *f, const void *body, size_t len,
		   const struct forebay_submit *options, uint32_t *ret_stream);
/* Any request of the protocol, e.g. {"verb":"status"}; body may be NULL. */
int forebay_request(struct forebay *f, const char *json, const void *body, size_t len,
		    uint32_t *ret_stream);

enum forebay_event_type {
	FOREBAY_EVENT_NOTHING, /* the time is over, a signal came, or nothing is under way */
	FOREBAY_EVENT_NEWS,    /* interim JSON; one with "restart": true takes back all CHUNKs */
	FOREBAY_EVENT_CHUNK,   /* raw bytes of the API's event stream */
	FOREBAY_EVENT_REPLY,   /* JSON; the request succeeded. Once a stream */
	FOREBAY_EVENT_DATA,    /* bytes of the body behind the reply */
	FOREBAY_EVENT_FAILED,  /* the request did not; discard what came before it */
	FOREBAY_EVENT_PONG,    /* stream 0, as the next two */
	FOREBAY_EVENT_LOST,    /* the connection broke, it is being tried again */
	FOREBAY_EVENT_BACK,    /* it is there again */
};
struct forebay_event {
	enum forebay_event_type type;
	uint32_t stream;
	bool last;	  /* nothing follows on this stream; its number is dead */
	int error;	  /* FAILED: why; forebay_message() is the sentence */
	const void *data; /* borrowed until the next call with this handle */
	size_t len;
	const void *fields; /* ours */
};
/* The next event of any stream, waiting up to timeout_ms (-1: for ever, 0: not).
 * Failures are events; the only error here is "no-memory". */
int forebay_next(struct forebay *f, int timeout_ms, struct forebay_event *ret);
/* A member of the event's JSON; the text is borrowed like data. */
int64_t forebay_event_int(const struct forebay_event *event, const char *name, int64_t otherwise);
const char *forebay_event_text(const struct forebay_event *event, const char *name,
			       const char *otherwise);
bool forebay_event_bool(const struct forebay_event *event, const char *name);

size_t forebay_pending(const struct forebay *f); /* streams that have not ended */
/* Hear no more of it. Its job goes on (the verb "cancel" ends jobs). */
void forebay_cancel_stream(struct forebay *f, uint32_t stream);
int forebay_ping(struct forebay *f); /* answered by a PONG, or FAILED on stream 0 */
/* One thing at a time: FOREBAY_MISUSE while other streams are open. timeout_ms
 * -1: none. When it is over, or a signal comes: "timeout"; the job goes on. */
struct forebay_answer {
	char *json; /* of the REPLY; both owned by the caller: free() */
	void *data; /* what followed it, with a NUL behind; never NULL */
	size_t len;
};
int forebay_call(struct forebay *f, const char *json, const void *body, size_t len, int timeout_ms,
		 struct forebay_answer *ret);
int forebay_submit_wait(struct forebay *f, const void *body, size_t len,
			const struct forebay_submit *options, uint64_t *ret_id);
/* Waits for the job's end. free(*ret_body); the job's error if it has no answer. */
int forebay_result(struct forebay *f, uint64_t id, int timeout_ms, void **ret_body,
		   size_t *ret_len);

const char *forebay_error_name(int err);
const char *forebay_error_text(int err);
bool forebay_error_is(int err, const char *name);
bool forebay_error_retryable(int err);
__END_DECLS
#endif
