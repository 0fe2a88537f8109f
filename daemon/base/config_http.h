/*
 * config_http.h - [http]: programs that speak the API's own HTTP. A part of
 * config.h.
 */
#ifndef DAEMON_BASE_CONFIG_HTTP_H
#define DAEMON_BASE_CONFIG_HTTP_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stddef.h>
#include <stdint.h>

enum config_keepalive { CONFIG_KEEPALIVE_AUTO, CONFIG_KEEPALIVE_NONE, CONFIG_KEEPALIVE_PINGS };
enum config_unknown_paths { CONFIG_UNKNOWN_PATHS_REFUSE, CONFIG_UNKNOWN_PATHS_PASS };

struct config_http {
	char *socket;	  /* owned, as all strings here; NULL: the default, "off": none */
	char *tcp;	  /* "127.0.0.1:8080"; "off" */
	char *token_file; /* what callers by TCP must know; NULL: none */
	int64_t hold_ms;
	int keepalive; /* enum config_keepalive */
	int64_t ping_every_ms;
	int64_t linger_ms;
	uint64_t max_headers;
	uint64_t connections; /* open at once, of one uid */
	int64_t idle_timeout_ms;
	int unknown_paths; /* enum config_unknown_paths */
};

struct config;
/* Where HTTP clients connect, default put in: beside [daemon] socket where that is
 * set. "" when there is to be none. BAD_REQUEST, logged: no such place. */
MUST_CHECK enum forebay_err config_http_path(const struct config *config, char *ret, size_t len);

#endif
