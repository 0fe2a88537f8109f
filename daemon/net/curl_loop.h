/*
 * curl_loop.h - libcurl's multi interface driven by the libevent loop: one
 * handle for all transfers, their sockets and timers, and the settings every
 * transfer shares.
 */
#ifndef DAEMON_NET_CURL_LOOP_H
#define DAEMON_NET_CURL_LOOP_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct secret;
struct curl_loop;

/* Where calls go and how. Strings are copied; secret is borrowed and may be
 * NULL (no usable key: callers must not start calls that need one). */
struct curl_settings {
	const char *url;     /* https://host, http://loopback, or unix:/path */
	const char *ca_file; /* NULL: the system's */
	const char *proxy;   /* NULL: none, whatever the environment says */
	int http;	     /* 11 or 2 */
	const struct secret *secret;
	int64_t connect_timeout_ms;
	int64_t first_byte_timeout_ms;
	int64_t idle_timeout_ms; /* between two signs of progress */
	int64_t lifetime_ms;
	uint64_t max_answer;	/* bytes of one answer */
	unsigned max_transfers; /* connections kept; admission is the caller's */
};

MUST_CHECK enum forebay_err curl_loop_new(struct event_base *base,
					  const struct curl_settings *settings,
					  struct curl_loop **ret);
/*
 * Settings for the calls started from now on; running ones keep theirs, but
 * none points at the old secret any more: it may be freed after this. A refused
 * url is FOREBAY_ERR_BAD_REQUEST, logged; then nothing has changed.
 */
MUST_CHECK enum forebay_err curl_loop_configure(struct curl_loop *loop,
						const struct curl_settings *settings);
/* All calls must be over or canceled. Not from inside a callback. Accepts NULL. */
void curl_loop_free(struct curl_loop *loop);

/* Masks what looks like a key in bytes that came from outside, ours whatever it
 * looks like: before they are kept or told. */
void curl_loop_scrub(const struct curl_loop *loop, char *text, size_t len);

/* Calls started and not yet done. */
unsigned curl_loop_running(const struct curl_loop *loop);

#endif
