/*
 * origin.h - where the API is: the configured URL, checked and taken apart.
 */
#ifndef DAEMON_NET_ORIGIN_H
#define DAEMON_NET_ORIGIN_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stddef.h>

/* All zero: cleared. */
struct origin {
	char *base;	   /* owned: "https://host/prefix", a path can be put behind it */
	char *socket_path; /* owned: UNIX socket to connect to, or NULL */
};

/*
 * https://host..., http:// to a loopback address, or unix:/absolute/path.
 * Otherwise FOREBAY_ERR_BAD_REQUEST, and why is a sentence: the key never
 * travels in clear text, and the URL carries no user, query or fragment.
 */
MUST_CHECK enum forebay_err origin_parse(const char *url, struct origin *ret, char *why,
					 size_t why_len);
void origin_clear(struct origin *origin);

#endif
