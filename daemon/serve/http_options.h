/*
 * http_options.h - what the headers of a request mean: options for us
 * (x-forebay-*), the API's version and betas, and what goes along as it came.
 */
#ifndef DAEMON_SERVE_HTTP_OPTIONS_H
#define DAEMON_SERVE_HTTP_OPTIONS_H

#include "daemon/serve/http_head.h"
#include "protocol/errors.h"
#include "protocol/message.h"

struct http_options {
	struct request request; /* a submit: owned, see http_options_clear() */
	bool durable;		/* the job outlives its client */
};

/*
 * BAD_REQUEST with a sentence that names the header and what would be right; ret
 * needs no clearing then. Both headers that authenticate the client to us, those of
 * the connection, and x-forebay-* never go along.
 */
MUST_CHECK enum forebay_err http_options_parse(const struct http_head *head,
					       struct http_options *ret,
					       char why[static MESSAGE_WHY_LEN]);
void http_options_clear(struct http_options *options);

#endif
