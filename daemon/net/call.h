/*
 * call.h - one HTTP request to the API and its answer.
 *
 * The gate is the only way to the network: a call cannot be started without a
 * ticket that gate_sent() has opened. Callbacks come from the loop, never from
 * inside call_start() or call_cancel() and never from inside a libcurl
 * callback, so they may start and cancel calls freely.
 */
#ifndef DAEMON_NET_CALL_H
#define DAEMON_NET_CALL_H

#include "daemon/claude/answer.h"
#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body_reader;
struct call;
struct curl_loop;
struct gate_ticket;

struct call_request {
	const char *path;	    /* "/v1/messages" */
	struct body_reader *body;   /* borrowed until done or cancel; NULL: a GET */
	const char *version;	    /* anthropic-version */
	const char *betas;	    /* anthropic-beta, or NULL */
	const char *content_type;   /* NULL: application/json */
	const char *const *headers; /* more lines "Name: value", NULL-terminated, or NULL */
};

struct call_events {
	/* A connection has the request's first bytes: it may now be billed. */
	void (*left)(struct call *call, void *arg);
	/* Status line and headers are complete (interim 1xx are not reported). */
	void (*headers)(struct call *call, int status, const struct answer_headers *headers,
			void *arg);
	/* Bytes of the answer's body, as they come. */
	void (*data)(struct call *call, const uint8_t *data, size_t len, void *arg);
	/* The last one; call is freed after it. how is ANSWER_TRANSPORT_NONE when the
	 * whole HTTP answer arrived, whatever its status; words are libcurl's. */
	void (*done)(struct call *call, enum answer_transport how, const char *words, void *arg);
};

/*
 * Start a call. ticket must be open (fatal() otherwise: the caller skipped the
 * gate). events must outlive the call. INTERNAL or NO_MEMORY: nothing was sent
 * and no callback comes.
 */
MUST_CHECK enum forebay_err call_start(struct curl_loop *loop, const struct gate_ticket *ticket,
				       const struct call_request *request,
				       const struct call_events *events, void *arg,
				       struct call **ret);

/* The answer moved on: restart the idle timer. Bytes alone do not: pings are
 * not progress. Non-200 answers and plain bodies count every byte themselves. */
void call_progress(struct call *call);
/* From now on every byte of the body is progress (a plain, unstreamed answer). */
void call_bytes_are_progress(struct call *call);

/* A connection was there and the request began to go out: from then on the
 * attempt may be billed, and its end says something about the API. */
bool call_is_left(const struct call *call);
/* Of the answer, from headers() on and until done() returns; printable, "" if
 * it did not say. */
const char *call_content_type(const struct call *call);

/* Close the connection now; no callback comes any more; frees call. Inside
 * done() it does nothing: the call is over. */
void call_cancel(struct call *call);

/* Printable, absolute, no fragment: what it says is what is asked for. Others
 * are not sent: call_start() refuses them as INTERNAL. */
bool call_path_is_safe(const char *path);

#endif
