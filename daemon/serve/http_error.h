/*
 * http_error.h - errors as the API says them: {"type":"error","error":{"type",
 * "message"},"request_id"}, and which status and type our own have.
 */
#ifndef DAEMON_SERVE_HTTP_ERROR_H
#define DAEMON_SERVE_HTTP_ERROR_H

#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_conn;

#define HTTP_REQUEST_ID_LEN 48
#define HTTP_LINES_LEN	    1024 /* room for the headers of a reply */

struct http_error {
	int status;
	const char *type;	/* NULL: the usual one of that status */
	const char *message;	/* a sentence */
	const char *request_id; /* NULL: a new one of ours */
	bool again;		/* a client may ask again, and should after */
	unsigned after_s;	/* so many seconds; 0: nobody knows */
	uint64_t job;		/* 0: none */
};

/* Of a request that was refused, or a job that ended without an answer. message
 * NULL: the error's own words. */
struct http_error http_error_of(enum forebay_err err, const char *message);

/* The words for a status in the API: "invalid_request_error". */
const char *http_error_type(int status);

/* "req_forebay_..." */
const char *http_request_id(char ret[static HTTP_REQUEST_ID_LEN]);

/* As the whole reply. */
void http_error_reply(struct http_conn *conn, const struct http_error *error);
/* As the last event of a stream that has begun; ends it. */
void http_error_event(struct http_conn *conn, const struct http_error *error);

#endif
