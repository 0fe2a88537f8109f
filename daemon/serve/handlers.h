/*
 * handlers.h - what each verb does: one function a row of the verb table, and
 * the JSON they share. A handler answers its stream now or later, exactly once.
 */
#ifndef DAEMON_SERVE_HANDLERS_H
#define DAEMON_SERVE_HANDLERS_H

#include "daemon/serve/server_internal.h"
#include "daemon/store/rows.h"
#include "protocol/verbs.h"

typedef void handler_fn(struct stream *stream);

#define DECLARE_HANDLER(VERB, verb, who, help) handler_fn handle_##verb;
FOREBAY_VERBS(DECLARE_HANDLER)
#undef DECLARE_HANDLER

extern handler_fn *const handlers[FOREBAY_VERB_COUNT];

/* --- shared by several of them -------------------------------------------------- */

/* What the reply `result` says, from wherever it is known. */
struct result_facts {
	uint64_t id;
	enum forebay_job_state state;
	const char *model;	  /* as asked for */
	uint64_t attempts, tries; /* those that counted; all requests that were made */
	int64_t created_ms, ended_ms;
	const struct store_result *result; /* may be NULL */
	enum forebay_err error;
	size_t body_len;
};
void put_result(struct jsonput *put, const struct result_facts *facts);

void put_gates(struct jsonput *put, struct server *server);
/* The members of the reply to status, inside an open object. */
void put_status(struct jsonput *put, struct server *server);

/* The filter of list, cancel, retry, delete, within the caller's rights. False:
 * already answered with an error. */
bool filter_of(struct stream *stream, struct store_filter *ret);

/* RFC 3339, null for 0. */
void put_time(struct jsonput *put, const char *key, int64_t wall_ms);

#endif
