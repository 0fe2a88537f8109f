/*
 * call_visitor.h - one connection of the scripted server of call_server.h: it
 * reads requests, says what the script wants and breaks off as rudely as told.
 */
#ifndef TESTS_UNIT_CALL_VISITOR_H
#define TESTS_UNIT_CALL_VISITOR_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

struct server;

struct visitor {
	struct server *server;	 /* borrowed */
	struct bufferevent *bev; /* owned */
	struct event *ticker;	 /* owned, or NULL */
	struct visitor *next;
	size_t body_left; /* of the request being read */
	bool owed;	  /* its answer */
	unsigned requests;
};

struct server {
	struct event_base *base; /* borrowed */
	struct evconnlistener *listener;
	struct visitor *visitors;
	/* A request is there: whole, or, if early, as soon as its head is. */
	void (*answer)(struct visitor *visitor);
	bool early;
	const char *greeting; /* said before anybody asks, or NULL */
	unsigned connections;
	unsigned arrivals; /* requests whose head came */
	char head[4096];   /* of the latest */
	size_t body_len;   /* bytes of bodies that came */
};

static inline void
visitor_say(struct visitor *visitor, const char *text)
{
	bufferevent_write(visitor->bev, text, strlen(text));
}

static inline void
visitor_free(struct visitor *visitor)
{
	struct visitor **at = &visitor->server->visitors;

	while (*at != visitor)
		at = &(*at)->next;
	*at = visitor->next;
	if (visitor->ticker)
		event_free(visitor->ticker);
	bufferevent_free(visitor->bev);
	free(visitor);
}

/* Gone, the rude way: what is on the way is lost. */
static inline void
visitor_reset(struct visitor *visitor)
{
	struct linger rude = { .l_onoff = 1 };

	setsockopt(bufferevent_getfd(visitor->bev), SOL_SOCKET, SO_LINGER, &rude, sizeof(rude));
	visitor_free(visitor);
}

static inline void
visitor_on_gone(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	visitor_free(arg);
}

static inline void
visitor_on_sent(struct bufferevent *bev, void *arg)
{
	visitor_on_gone(bev, 0, arg);
}

/* Close in order once everything said is out. */
static inline void
visitor_leave(struct visitor *visitor)
{
	bufferevent_setcb(visitor->bev, NULL, visitor_on_sent, visitor_on_gone, visitor);
}

/* The head of the next request into server->head; false if it is not there yet. */
static inline bool
visitor_read_head(struct visitor *visitor)
{
	struct evbuffer *input = bufferevent_get_input(visitor->bev);
	struct server *server = visitor->server;
	struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
	const char *length;

	if (end.pos < 0)
		return false;
	if (end.pos > (ssize_t)sizeof(server->head) - 5)
		abort();
	server->head[evbuffer_remove(input, server->head, (size_t)end.pos + 4)] = '\0';
	length = strcasestr(server->head, "content-length:");
	visitor->body_left = length ? strtoul(length + 15, NULL, 10) : 0;
	visitor->requests++;
	server->arrivals++;
	return true;
}

static inline void
visitor_drain_body(struct visitor *visitor)
{
	struct evbuffer *input = bufferevent_get_input(visitor->bev);
	size_t len = evbuffer_get_length(input);

	if (len > visitor->body_left)
		len = visitor->body_left;
	evbuffer_drain(input, len);
	visitor->server->body_len += len;
	visitor->body_left -= len;
}

static inline void
visitor_on_read(struct bufferevent *bev, void *arg)
{
	struct visitor *visitor = arg;
	struct server *server = visitor->server;

	(void)bev;
	visitor_drain_body(visitor);
	if (visitor->body_left == 0 && !visitor->owed) {
		if (!visitor_read_head(visitor))
			return;
		visitor->owed = true;
		if (!server->early)
			visitor_drain_body(visitor);
	}
	if (visitor->owed && (server->early || visitor->body_left == 0)) {
		visitor->owed = false;
		server->answer(visitor);
	}
}

#endif
