/*
 * stream.h - the words of an answer: out of the API's event stream while it
 * comes, and out of a whole message. Pure.
 */
#ifndef CLIENT_STREAM_H
#define CLIENT_STREAM_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some more of the text; valid until this returns. */
typedef void stream_text_fn(const char *text, size_t len, void *arg);

struct stream {
	stream_text_fn *text;
	void *arg;
	char *line; /* owned; what has come of it */
	size_t len, size;
	bool too_long;	      /* this line is passed over */
	char stop_reason[32]; /* "" until it is known */
};

void stream_init(struct stream *stream, stream_text_fn *text, void *arg);
void stream_clear(struct stream *stream);

/* Server-sent events, cut anywhere; text is called for each text delta. What is
 * not understood is passed over: the whole answer comes at the end anyway. */
void stream_feed(struct stream *stream, const uint8_t *bytes, size_t len);

/* The text blocks of a Messages answer, one after the other; owned by the caller,
 * with a terminator. NULL: it is no such JSON, or no memory. */
char *stream_message_text(const void *json, size_t json_len, size_t *ret_len);

#endif
