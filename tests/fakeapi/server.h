/*
 * server.h - the one process: its loop, clocks, weather and ledger, and the requests that are
 * alive.
 */
#ifndef FAKEAPI_SERVER_H
#define FAKEAPI_SERVER_H

#include <event2/event.h>
#include <event2/http.h>
#include <sys/queue.h>

#include "tests/fakeapi/ledger.h"

struct exchange;
LIST_HEAD(exchange_list, exchange);
struct watch;
LIST_HEAD(watch_list, watch);

struct server {
	struct event_base *base; /* owned */
	struct evhttp *http;	 /* owned */
	struct weather *weather; /* owned */
	struct ledger ledger;
	struct place counting, listing; /* of count_tokens and models, beside the models' */
	struct exchange_list live;
	struct watch_list watches;
	struct event *watch_event; /* owned */

	double start;		 /* monotonic seconds at start or reset */
	double scale;		 /* weather seconds a second */
	double scale_t, scale_w; /* since when, and the weather time then */

	uint64_t seed;
	const char *key; /* borrowed; NULL: nobody is asked for one */
	bool log_headers;
	size_t keep_bodies;	   /* how many of the last bodies are kept */
	struct evbuffer **bodies;  /* owned ring of keep_bodies, by seq */
	struct event *flush_timer; /* owned; NULL without a log file */
	bool flush_due;
};

/* Build the loop and the HTTP server, nothing bound yet; needs weather, scale, keep_bodies. */
void server_init(struct server *server);
void server_clear(struct server *server);
void server_on_request(struct evhttp_request *req, void *server);

double server_now(const struct server *server);	    /* real seconds since start */
double server_weather(const struct server *server); /* weather seconds since start */
void server_set_scale(struct server *server, double scale);

/* Forget what happened and begin the time line and the clocks anew. */
void server_reset(struct server *server);

/* Something was counted: those who wait for it are looked at after this turn of the loop. */
void server_changed(struct server *server);

/* The control end points under /_; answers every request it gets. */
void control_handle(struct server *server, struct evhttp_request *req, const char *path);

/* /_stats, with this status. */
void stats_reply(struct server *server, struct evhttp_request *req, int status);

/* GET /_wait: answers when the conditions in the query hold, or when its time is over. */
void watch_start(struct server *server, struct evhttp_request *req);
void watch_drop_all(struct server *server); /* before evhttp is freed, unanswered */
void watch_on_change(evutil_socket_t fd, short what, void *server);

/* GET /v1/models and GET /v1/models/ID; `id` NULL for the list. */
/* models_refuses: a query that cannot be answered; ret is a 400 that says why. */
bool models_refuses(struct evhttp_request *req, struct fault *ret);
void models_put_list(struct evhttp_request *req, struct evbuffer *out);
bool models_put_one(const char *id, struct evbuffer *out);

#endif
