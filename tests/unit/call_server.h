/*
 * call_server.h - a small scripted HTTP server in the test's own process and
 * on its own loop: what it answers, and when it breaks off, is a function.
 */
#ifndef TESTS_UNIT_CALL_SERVER_H
#define TESTS_UNIT_CALL_SERVER_H

#include "tests/unit/call_visitor.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nrequest-id: req_1\r\n\r\nhello"

static inline void
say_hello(struct visitor *visitor)
{
	visitor_say(visitor, OK_HELLO);
}

static inline void
server_on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		 int len, void *arg)
{
	struct server *server = arg;
	struct visitor *visitor = calloc(1, sizeof(*visitor));

	(void)listener;
	(void)address;
	(void)len;
	if (!visitor)
		abort();
	server->connections++;
	visitor->server = server;
	visitor->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	visitor->next = server->visitors;
	server->visitors = visitor;
	bufferevent_setcb(visitor->bev, visitor_on_read, NULL, visitor_on_gone, visitor);
	bufferevent_enable(visitor->bev, EV_READ | EV_WRITE);
	if (server->greeting)
		visitor_say(visitor, server->greeting);
}

static inline void
server_start(struct server *server, struct event_base *base, const struct sockaddr *address,
	     socklen_t len)
{
	*server = (struct server){ .base = base };
	server->listener = evconnlistener_new_bind(base, server_on_accept, server,
						   LEV_OPT_CLOSE_ON_FREE, 1024, address, (int)len);
	if (!server->listener)
		abort();
}

static inline void
server_stop(struct server *server)
{
	while (server->visitors)
		visitor_free(server->visitors);
	if (server->listener)
		evconnlistener_free(server->listener);
	server->listener = NULL;
}

#endif
