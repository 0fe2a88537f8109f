/*
 * server_internal.h - the server's own struct, for the files of serve/.
 */
#ifndef DAEMON_SERVE_SERVER_INTERNAL_H
#define DAEMON_SERVE_SERVER_INTERNAL_H

#include "daemon/serve/session.h"

struct evconnlistener;

struct uid_count {
	uid_t uid;
	unsigned connections;
	uint64_t receiving; /* bytes of its bodies that are not whole yet */
	uint64_t waited;    /* ids that its streams wait for */
	UT_hash_handle hh;
};

struct server {
	struct event_base *base; /* borrowed, as all of these */
	const struct config *config;
	struct store *store;
	struct runner *runner;
	const struct server_events *events;
	void *arg;

	struct evconnlistener *listeners[8]; /* owned */
	size_t listener_count;
	struct event *accept_again; /* owned: after running out of descriptors */
	struct event *unblock;	    /* owned: look at the blocked sessions */
	struct session_list sessions;
	struct session_list hungry; /* those with answers to fetch and room for them */
	size_t session_count;
	struct uid_count *by_uid; /* owned */
	struct stream *streams;	  /* by serial, owned by their sessions */
	uint64_t next_serial;
	uint64_t receiving;		 /* bytes of bodies that are not whole yet */
	size_t working;			 /* jobs that cancel, retry and delete are at */
	unsigned fetching, fetching_big; /* answers being read from disk, see fetch.c */
	gid_t admin_gid;		 /* (gid_t)-1: no such group */
	int64_t refused_ms;		 /* when a refused connection was last logged, monotonic */
	uint64_t refused;		 /* those since */
	struct facade *facade;		 /* owned */
	bool closing;			 /* the daemon ends: sessions are taken down */
	int64_t started_ms;
};

/* The store may have caught up: look at who is blocked, and what to fetch. */
void server_kick(struct server *server);
/* Much was just written for somebody: is it too much for all that do not read? */
void server_relieve(struct server *server);
/* A connection has gone: was it the last one? */
void server_check_empty(struct server *server);
void server_session_gone(struct server *server, struct session *session);

#endif
