/*
 * conn.h - one client connection: bytes <-> frames, with back-pressure. It
 * knows no verb.
 *
 * What is sent is never refused and never grows without bound: whoever
 * produces asks conn_is_full() first and goes on when told (drained). While the
 * output is full, or somebody paused it, the connection is not read.
 */
#ifndef DAEMON_SERVE_CONN_H
#define DAEMON_SERVE_CONN_H

#include "protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct event_base;

struct conn_events {
	/* One whole frame arrived; it is valid until this returns. False: not now;
	 * the connection was paused, and the same frame comes again after that. */
	bool (*frame)(struct conn *conn, const struct frame *frame, void *arg);
	/* The bytes are not this protocol, or a frame was begun and not finished in
	 * time; why is a sentence. Answer, and close. */
	void (*garbage)(struct conn *conn, const char *why, void *arg);
	/* The output has room again. */
	void (*drained)(struct conn *conn, void *arg);
	/* Last call about conn: forget it. */
	void (*gone)(struct conn *conn, void *arg);
};

/* Serve fd, taking ownership of it. Events and arg must outlive the conn. */
struct conn *conn_new(struct event_base *base, int fd, size_t high_mark, int64_t frame_timeout_ms,
		      const struct conn_events *events, void *arg);
/* At once, without gone: for the end of the daemon, not for callbacks. */
void conn_free(struct conn *conn);

/* len <= FRAME_MAX_PAYLOAD; the payload is copied. Nothing once it is closing. */
void conn_send(struct conn *conn, enum frame_type type, unsigned flags, uint32_t stream,
	       const void *payload, size_t len);
/* As many frames as it takes; bytes (malloc'd) are taken and freed when sent. */
void conn_send_all(struct conn *conn, enum frame_type type, bool end, uint32_t stream,
		   uint8_t *bytes, size_t len);
bool conn_is_full(const struct conn *conn);
/* Bytes the client has not taken yet, 0 once it is closing; and since when it has
 * taken none of them (monotonic). */
size_t conn_unsent(const struct conn *conn);
int64_t conn_stuck_since_ms(const struct conn *conn);

/* Do not read until conn_resume(); calls count. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* Send what is queued, then close. Safe anywhere: it is freed later, from the
 * loop, and gone comes then. */
void conn_close(struct conn *conn, const char *reason);
/* Close without sending the rest. */
void conn_break(struct conn *conn, const char *reason);

#endif
