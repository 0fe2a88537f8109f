/*
 * http_head.h - the head of an HTTP/1.x request as the bytes it came in, and
 * chunked bodies. Pure: bytes in, facts out; strict where two readings of the
 * same bytes are possible.
 */
#ifndef DAEMON_SERVE_HTTP_HEAD_H
#define DAEMON_SERVE_HTTP_HEAD_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_FIELDS 256

struct http_field {
	const char *name, *value; /* borrowed from the head's text */
};

struct http_head {
	char *text; /* owned: what all strings here point into */
	const char *method, *path;
	const char *query;	   /* behind the ?, NULL: there is none */
	struct http_field *fields; /* owned */
	size_t field_count;
	int64_t content_length; /* -1: not said */
	bool chunked;
	bool keep_alive;       /* the client wants to go on after this one */
	bool expects_continue; /* and waits for our word before it sends the body */
	bool is_1_0;
};

/*
 * buf is a whole head, through its blank line (CRLF CRLF). 0, or the status it
 * is to be answered with (400, 417, 431, 501, 505) and why, a sentence that is
 * static; ret needs no clearing then.
 */
MUST_CHECK int http_head_parse(struct http_head *ret, const uint8_t *buf, size_t len,
			       const char **ret_why);
void http_head_clear(struct http_head *head);

/* The value of the first field of that name, any case; NULL: there is none. */
const char *http_head_find(const struct http_head *head, const char *name);

/* Is word one of the comma-separated words of list, any case? */
bool http_list_has(const char *list, const char *word);
/* Can it be the name of a field: a token and nothing else? */
bool http_is_token(const char *text, size_t len);

/* --- a chunked body, cut anywhere; all zero is its beginning ------------------- */

struct http_chunks {
	enum {
		HTTP_CHUNK_SIZE, /* digits, then perhaps an extension, of a size line */
		HTTP_CHUNK_DATA,
		HTTP_CHUNK_AFTER, /* the CRLF behind the data */
		HTTP_CHUNK_TRAILER,
		HTTP_CHUNK_DONE,
		HTTP_CHUNK_BAD
	} state;
	uint64_t left;	    /* of the chunk; while in its size line: so far */
	unsigned digits;    /* of the size */
	unsigned line_len;  /* bytes of the line so far */
	unsigned extra_len; /* of extensions and trailers, all */
	bool in_extension, after_cr;
};

/* Takes bytes until some of the body are found, which *ret points at (in buf),
 * or buf is used up, or it is DONE or BAD. Returns how many were taken. */
size_t http_chunks_feed(struct http_chunks *chunks, const uint8_t *buf, size_t len,
			const uint8_t **ret, size_t *ret_len);

#endif
