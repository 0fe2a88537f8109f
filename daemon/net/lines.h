/*
 * lines.h - the header lines of one request, as the list libcurl wants. The
 * key's line is pointed at where it lies in locked memory, never copied.
 */
#ifndef DAEMON_NET_LINES_H
#define DAEMON_NET_LINES_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>

struct call_request;
struct curl_slist;
struct lines;

/*
 * All of request is copied; secret_line is borrowed, or NULL. INTERNAL when a
 * line could break out of its place (control bytes), has no name, or is one
 * that is made here or by libcurl (the key, length, framing); NO_MEMORY.
 */
MUST_CHECK enum forebay_err lines_new(const struct call_request *request, const char *secret_line,
				      struct lines **ret);
void lines_free(struct lines *lines); /* accepts NULL */

/* Borrowed; lives as long as lines. */
struct curl_slist *lines_list(struct lines *lines);

/* The key has moved (or is gone: NULL). What was sent is sent. */
void lines_point_at(struct lines *lines, const char *secret_line);

/* One "Name: value" that cannot harm the request. */
bool lines_is_safe(const char *line);

#endif
