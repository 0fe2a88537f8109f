/*
 * facade.h - the HTTP façade: the Claude API for programs that know nothing of
 * us. Every Messages request becomes a job; a client that asks again gets the
 * job it had. Part of the server, which makes it and says when what happens.
 */
#ifndef DAEMON_SERVE_FACADE_H
#define DAEMON_SERVE_FACADE_H

#include <stdbool.h>
#include <stddef.h>

struct facade;
struct server;

/* server is borrowed, and its configuration and runner with it. */
struct facade *facade_new(struct server *server);
void facade_free(struct facade *facade); /* accepts NULL */
/* The server's configuration has changed. */
void facade_configure(struct facade *facade);

/* Serve connections of the listening socket fd, which is taken. tcp: callers must
 * know the token, and may not be browsers. */
void facade_listen(struct facade *facade, int fd, bool tcp);
/* Bind and listen at "127.0.0.1:8080". -1, with the reason logged. */
int facade_bind_tcp(const char *address);
void facade_stop_listening(struct facade *facade);

/* The daemon is going: whoever waits for a job that has not begun is told to ask
 * again, and so is everybody who comes now. */
void facade_drain(struct facade *facade);
/* Tell everybody good-bye once what is queued for them has gone out. */
void facade_hang_up(struct facade *facade);
/* Is a reply on its way? */
bool facade_is_busy(const struct facade *facade);
size_t facade_connections(const struct facade *facade);

#endif
