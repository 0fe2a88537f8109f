/*
 * watch.c - GET /_wait: a test waits for a count instead of sleeping. Conditions are looked at when
 * something was counted, after the turn of the loop in which it was.
 */
#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakeapi/exchange.h"

#define TIMEOUT_DEFAULT 10.0

struct watch {
	struct server *server;	    /* borrowed */
	struct evhttp_request *req; /* ours until it is answered */
	struct evkeyvalq args;	    /* owned; the conditions */
	struct event *timer;	    /* owned */
	LIST_ENTRY(watch) link;
};

/* A count by name: of the job with that tag, or of all. False if there is no such name. */
static bool
count_find(const struct server *server, const char *tag, const char *name, uint64_t *ret)
{
	const struct ledger *ledger = &server->ledger;
	struct request request = { 0 };
	struct key none = { 0 }, *key = &none;

	if (tag) {
		uint64_t hash;

		request.tag = (struct slice){ tag, strlen(tag) };
		hash = bytes_hash(request.tag.at, request.tag.len);
		HASH_FIND(hh, ledger->keys, &hash, sizeof(hash), key);
		key = key ? key : &none;
	}
	const struct {
		const char *name;
		uint64_t all, of_tag;
		bool has_tag;
	} counts[] = {
		{ "arrivals", ledger->count, key->attempts, true },
		{ "accepted", ledger->accepted, key->accepted, true },
		{ "completed", ledger->completed, key->completed, true },
		{ "refused", ledger->refused, 0, false },
		{ "cut", ledger->cut, 0, false },
		{ "client_left", ledger->left, 0, false },
		{ "open", ledger->open, 0, false },
		{ "in_flight", ledger->in_flight, 0, false },
		{ "held", exchange_held(server), 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		if (strcmp(counts[i].name, name) == 0 && (!tag || counts[i].has_tag)) {
			*ret = tag ? counts[i].of_tag : counts[i].all;
			return true;
		}
	}
	return false;
}

/* 1: all conditions hold, 0: not yet, -1: one of them cannot be read. */
static int
watch_holds(struct server *server, struct evkeyvalq *args)
{
	const char *tag = evhttp_find_header(args, "tag");
	int holds = 1;

	for (struct evkeyval *arg = args->tqh_first; arg; arg = arg->next.tqe_next) {
		uint64_t count, want;
		char *end;

		if (strcmp(arg->key, "tag") == 0 || strcmp(arg->key, "timeout") == 0)
			continue;
		want = strtoull(arg->value, &end, 10);
		if (*end || end == arg->value || !count_find(server, tag, arg->key, &count))
			return -1;
		if (want == 0 ? count != 0 : count < want)
			holds = 0;
	}
	return holds;
}

static void
watch_free(struct watch *watch)
{
	LIST_REMOVE(watch, link);
	event_free(watch->timer);
	evhttp_clear_headers(&watch->args);
	free(watch);
}

static void
watch_answer(struct watch *watch, int status)
{
	struct evhttp_request *req = watch->req;
	struct server *server = watch->server;

	watch_free(watch);
	stats_reply(server, req, status);
}

static void
watch_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	watch_answer(arg, 504);
}

void
watch_on_change(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct watch *watch, *next;
	(void)fd;
	(void)what;

	for (watch = LIST_FIRST(&server->watches); watch; watch = next) {
		next = LIST_NEXT(watch, link);
		if (watch_holds(server, &watch->args) == 1)
			watch_answer(watch, 200);
	}
}

void
watch_start(struct server *server, struct evhttp_request *req)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	struct watch *watch = calloc(1, sizeof(*watch));
	const char *timeout;
	struct timeval tv;
	double seconds;
	int holds;

	if (!watch)
		abort();
	watch->server = server;
	watch->req = req;
	watch->timer = evtimer_new(server->base, watch_on_timeout, watch);
	TAILQ_INIT(&watch->args);
	LIST_INSERT_HEAD(&server->watches, watch, link);
	holds = query && evhttp_parse_query_str(query, &watch->args) == 0
		    ? watch_holds(server, &watch->args)
		    : -1;
	if (holds != 0) {
		watch_answer(watch, holds > 0 ? 200 : 400);
		return;
	}
	timeout = evhttp_find_header(&watch->args, "timeout");
	seconds = timeout ? strtod(timeout, NULL) : TIMEOUT_DEFAULT;
	tv.tv_sec = (time_t)seconds;
	tv.tv_usec = (suseconds_t)((seconds - (double)tv.tv_sec) * 1e6);
	evtimer_add(watch->timer, &tv);
}

void
watch_drop_all(struct server *server)
{
	while (!LIST_EMPTY(&server->watches))
		watch_free(LIST_FIRST(&server->watches));
}
