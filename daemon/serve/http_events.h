/*
 * http_events.h - where the events of a stream of server-sent events end, and
 * of which kind they are. Pure. Lines end in LF or CRLF.
 */
#ifndef DAEMON_SERVE_HTTP_EVENTS_H
#define DAEMON_SERVE_HTTP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is the beginning of a stream. */
struct http_events {
	uint64_t at;	/* bytes seen */
	uint64_t whole; /* of those, up to the end of the last whole event */
	bool content;	/* one with a part of the answer is among the whole ones; */
	bool error;	/* one that says error is */
	char line[32];	/* the beginning of the line that has not ended */
	size_t line_len;
	bool content_next, error_next; /* of the event that has not ended */
};

/* The next bytes. */
void http_events_feed(struct http_events *events, const uint8_t *bytes, size_t len);

#endif
