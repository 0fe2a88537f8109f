/*
 * http_conn.h - one HTTP/1.1 connection: requests come in whole, one at a time;
 * each is replied to at once or later, in one piece or as a stream. It knows no
 * path and no job.
 *
 * A client that leaves while its request waits is noticed (half a close counts
 * as leaving). The next request is not looked at before the reply to the last one
 * has been taken by the kernel.
 */
#ifndef DAEMON_SERVE_HTTP_CONN_H
#define DAEMON_SERVE_HTTP_CONN_H

#include "daemon/serve/http_head.h"

struct evbuffer;
struct event_base;
struct http_conn;

struct http_conn_events {
	/* A head is there, and its body is not, if it has one. False: it has been
	 * replied to; its body is not wanted. */
	bool (*head)(struct http_conn *conn, void *arg);
	/* More bytes of the body came. False: it has been replied to, as above. */
	bool (*receive)(struct http_conn *conn, size_t len, void *arg);
	/* The whole request is there: reply to it, now or later. */
	void (*request)(struct http_conn *conn, void *arg);
	/* The output of a reply that is being sent has room again. */
	void (*drained)(struct http_conn *conn, void *arg);
	/* The whole reply has been taken. */
	void (*answered)(struct http_conn *conn, void *arg);
	/* No request that can be read; reply with this status. why is static. */
	void (*bad)(struct http_conn *conn, int status, const char *why, void *arg);
	/* Last call about conn, which is freed: forget it. */
	void (*gone)(struct http_conn *conn, void *arg);
};

/* The limits may change; borrowed. Bytes and milliseconds. */
struct http_conn_limits {
	size_t max_head;
	size_t high_mark; /* output that waits for the client */
	int64_t head_ms;  /* for a head once begun, and for each piece of a body */
	int64_t idle_ms;  /* between requests, and without a byte of output taken */
};

/* Serve fd, which is taken. Limits, events and arg must outlive the conn. */
struct http_conn *http_conn_new(struct event_base *base, int fd,
				const struct http_conn_limits *limits,
				const struct http_conn_events *events, void *arg);
/* At once, without gone: for the end of the daemon, not for callbacks. */
void http_conn_free(struct http_conn *conn);

/* The request that is being replied to. */
const struct http_head *http_conn_head(const struct http_conn *conn);
/* Its body, for the caller to keep (malloc'd); NULL: none. */
uint8_t *http_conn_take_body(struct http_conn *conn, size_t *ret_len);

/* The whole reply. lines: more headers, each ended by CRLF; may be "". body is
 * copied. To HEAD its length is said, and no more. */
void http_conn_reply(struct http_conn *conn, int status, const char *lines, const void *body,
		     size_t len);
/* Or piece by piece: begin, send..., end. */
void http_conn_begin(struct http_conn *conn, int status, const char *lines);
void http_conn_send(struct http_conn *conn, const void *bytes, size_t len);
void http_conn_end(struct http_conn *conn);

bool http_conn_is_full(const struct http_conn *conn);
/* Bytes the client has not taken; and since when it has taken none (monotonic). */
size_t http_conn_unsent(const struct http_conn *conn);
int64_t http_conn_stuck_since_ms(const struct http_conn *conn);
/* No request is being received or replied to. */
bool http_conn_is_idle(const struct http_conn *conn);

/* This request is the last one. Without one: close now. Safe anywhere, as all of these:
 * it is freed later, from the loop. */
void http_conn_finish(struct http_conn *conn);
/* Close without sending the rest. */
void http_conn_break(struct http_conn *conn, const char *reason);

/* The words for a status, "Not Found". */
const char *http_status_text(int status);

#endif
