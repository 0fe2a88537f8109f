/*
 * facade_internal.h - what the files of the façade share: facade.c (who is
 * connected), http_route.c (what is asked for), http_exchange.c (one client and
 * its job), http_job.c (the job, also without a client), http_direct.c (what is
 * no job).
 */
#ifndef DAEMON_SERVE_FACADE_INTERNAL_H
#define DAEMON_SERVE_FACADE_INTERNAL_H

#include "daemon/base/digest.h"
#include "daemon/base/peer.h"
#include "daemon/serve/facade.h"
#include "daemon/serve/http_conn.h"
#include "daemon/serve/http_error.h"
#include "daemon/serve/http_job.h"
#include "daemon/serve/server_internal.h"

#include <sys/queue.h>
#include <uthash.h>

struct exchange;
struct http_direct;

struct http_user {
	uid_t uid;
	unsigned connections;
	uint64_t receiving; /* bytes of its bodies that are not whole yet */
	UT_hash_handle hh;
};

/* One connection, and what it waits for. */
struct http_client {
	struct facade *facade;	/* borrowed */
	struct http_conn *conn; /* owned until gone */
	struct http_user *user; /* borrowed */
	struct peer peer;	/* by TCP: the token's owner, and nothing else */
	bool tcp;
	uint64_t receiving;	    /* bytes of the body so far */
	struct exchange *exchange;  /* owned: a Messages request; NULL: none */
	struct http_direct *direct; /* owned: another one; NULL: none */
	TAILQ_ENTRY(http_client) link;
};
TAILQ_HEAD(http_client_list, http_client);

#define FACADE_LISTENERS 8

struct facade {
	struct server *server; /* borrowed */
	struct facade_listener {
		struct facade *facade;		 /* borrowed */
		struct evconnlistener *listener; /* owned */
		bool tcp;
	} listeners[FACADE_LISTENERS];
	size_t listener_count;
	struct event *accept_again; /* owned: after running out of descriptors */
	struct http_conn_limits limits;
	struct http_client_list clients;
	size_t client_count;
	struct http_user *users; /* owned */
	struct http_jobs jobs;
	bool has_token;
	uint8_t token[DIGEST_LEN]; /* its SHA-256: the token itself is not kept */
	uid_t token_uid;
	bool draining;
	int64_t refused_ms; /* when a refused connection was last logged, monotonic */
};

/* http_route.c: what the connection tells. */
bool http_route_head(struct http_client *client);
void http_route_request(struct http_client *client);

/* http_exchange.c */
void exchange_start(struct http_client *client);
/* The job has news: send what there is. */
void exchange_look(struct exchange *exchange);
/* The job came to nothing before it was one. */
void exchange_refused(struct exchange *exchange, const struct http_error *error);
/* The reply has been taken; the client has left; the daemon is going. */
void exchange_answered(struct exchange *exchange);
void exchange_gone(struct exchange *exchange);
void exchange_drain(struct exchange *exchange);
/* How long the client has taken nothing of an answer that is kept for it; -1: there
 * is none. */
int64_t exchange_stuck_since_ms(const struct exchange *exchange);
void exchange_break(struct exchange *exchange);
/* Without a word: at the end of the daemon. */
void exchange_free(struct exchange *exchange);

/* http_direct.c: path is the API's own, without query. */
#define HTTP_OTHER_GATE "other" /* of paths we do not know: such a request is not repeated */
void http_direct_start(struct http_client *client, const char *gate, const char *path);
void http_direct_cancel(struct http_client *client);

/* facade.c */
/* The error of the whole request, said. */
void http_client_refuse(struct http_client *client, enum forebay_err err, const char *why);
void http_client_fail(struct http_client *client, int status, const char *why);
/* Too many answers are kept for those that do not take them. */
void facade_relieve(struct facade *facade);

#endif
