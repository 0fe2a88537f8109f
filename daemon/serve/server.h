/*
 * server.h - everybody who is connected, and what their requests need: the
 * runner, the store, the configuration. One per daemon.
 */
#ifndef DAEMON_SERVE_SERVER_H
#define DAEMON_SERVE_SERVER_H

#include "daemon/base/config.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct runner;
struct server;
struct store;

struct server_events {
	/* Read the configuration again. FOREBAY_ERR_BAD_REQUEST with the sentence in
	 * ret; OK: ret names the keys that need a restart. */
	enum forebay_err (*reload)(char *ret, size_t len, void *arg);
	/* Finish what runs and end, as on SIGTERM. */
	void (*drain)(void *arg);
	/* The last client has gone. */
	void (*empty)(void *arg);
	/* "sha256:... ...wxyz", or why there is no usable key; false then. */
	bool (*key)(char *ret, size_t len, void *arg);
};

/* All borrowed, and must outlive the server. */
struct server *server_new(struct event_base *base, const struct config *config, struct store *store,
			  struct runner *runner, const struct server_events *events, void *arg);
/* Closes every connection at once. Accepts NULL. */
void server_free(struct server *server);
void server_configure(struct server *server, const struct config *config);

/* Serve connections of the listening socket fd, which is taken. */
void server_listen(struct server *server, int fd);
/* The same for HTTP, see facade.h. */
void server_listen_http(struct server *server, int fd, bool tcp);
/* Take no more connections; those that are open stay. */
void server_stop_listening(struct server *server);
/* The daemon is going: whoever asks by HTTP is told to ask again. */
void server_drain(struct server *server);
/* Tell everybody good-bye once what is queued for them has gone out. */
void server_hang_up(struct server *server);
/* Is something under way that ends in a reply? */
bool server_is_busy(const struct server *server);
size_t server_connections(const struct server *server);

/* Bind and listen at path, mode 0660, after taking away a socket nobody
 * listens on any more. -1, with the reason logged. */
int server_bind(const char *path);

#endif
