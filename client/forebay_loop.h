/*
 * forebay_loop.h - libforebay in an event loop of your own: what to wait for, and
 * callbacks instead of forebay_next(). It stands beside forebay.h.
 *
 *	err = forebay_submit(f, body, len, &submit, &stream);
 *	if (!err)
 *		err = forebay_attach(f, stream, &callbacks);
 *	while (!err && forebay_pending(f) > 0) {
 *		struct pollfd ready = { forebay_fd(f), forebay_events(f), 0 };
 *
 *		poll(&ready, 1, (int)forebay_timeout_ms(f)); // with all that you wait for
 *		err = forebay_dispatch(f, 0);
 *	}
 *
 * The library has no thread and no timer: nothing happens between the calls. With
 * forebay_options.background not even forebay_open() waits.
 */
#ifndef FOREBAY_LOOP_H
#define FOREBAY_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>
__BEGIN_DECLS
struct forebay;
struct forebay_event;

/* Ask all three before each wait: the descriptor changes with every connection and
 * is -1 between two of them. Level-triggered; with epoll, a new one has to be added. */
int forebay_fd(const struct forebay *f);
short forebay_events(const struct forebay *f);	     /* of poll(2): POLLIN, POLLOUT */
int64_t forebay_timeout_ms(const struct forebay *f); /* from now; 0: call; -1: no timer */

/* The event is borrowed for the call. In a callback anything may be called but what
 * waits (that is FOREBAY_MISUSE): submit and attach, cancel this stream or others, and
 * even forebay_close(). */
typedef void forebay_fn(struct forebay *f, const struct forebay_event *event, void *arg);

/* Members may be NULL. arg is borrowed: as long as the stream lives. */
struct forebay_callbacks {
	size_t size; /* sizeof(struct forebay_callbacks) */
	void *arg;
	/* The answer's words in data and len: as they come for a submit with follow and the
	 * verb follow; and before done what has not been handed out by then. */
	forebay_fn *text;
	forebay_fn *bytes; /* CHUNK: the API's event stream, as it is */
	/* This attempt broke off: what text and bytes gave of it is void. */
	forebay_fn *restart;
	forebay_fn *news; /* NEWS: interim JSON */
	/* Once and last. error 0: fields are those of the reply, data and len are what came
	 * behind it (the answer), with a NUL. A job without an answer: error says why, data is
	 * the API's own error if there is one. FAILED: there was no reply. */
	forebay_fn *done;
	forebay_fn *link; /* attached to stream 0: LOST, BACK, PONG, FAILED (a ping) */
};

/* Have these called for a stream that forebay_submit() or forebay_request() has just
 * made; again: instead of those before. Copied. "not-found": it has ended. Its events
 * come only through forebay_dispatch(); those of streams without callbacks are dropped
 * there. */
int forebay_attach(struct forebay *f, uint32_t stream, const struct forebay_callbacks *callbacks);

/* Write and read what can be, and call the callbacks: here and nowhere else, in this
 * thread, at most 64 of them, so that others have their turn (forebay_timeout_ms() is 0
 * then). timeout_ms as for forebay_next(): 0 in a loop of your own. Failures of requests
 * go to done; an error here is "no-memory", or FOREBAY_CLOSED when a callback has
 * closed the handle, which is gone then. Closing and canceling call nothing. */
int forebay_dispatch(struct forebay *f, int timeout_ms);
__END_DECLS
#endif
