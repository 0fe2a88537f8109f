/*
 * http_job.h - a job the façade has made, with or without a client. Without: it
 * waits for one that asks the same again, byte for byte, and is forgotten after
 * [http] linger.
 */
#ifndef DAEMON_SERVE_HTTP_JOB_H
#define DAEMON_SERVE_HTTP_JOB_H

#include "daemon/base/digest.h"
#include "daemon/run/runner.h"

#include <sys/queue.h>

struct event;
struct exchange;
struct facade;
struct watcher;

/* How it ended. */
struct http_end {
	int status; /* of the API; 0: there was none */
	enum forebay_err error;
	char *message, *request_id; /* owned; NULL: none */
	uint8_t *body;		    /* owned: the answer, or the API's own error */
	size_t body_len;
	uint8_t *raw; /* owned: of a stream, all bytes of the last attempt */
	size_t raw_len;
};

struct http_job {
	struct facade *facade; /* borrowed */
	uint8_t key[DIGEST_LEN];
	uid_t uid;
	uint64_t id;		   /* 0: not acknowledged */
	struct watcher *watcher;   /* owned */
	struct exchange *exchange; /* borrowed: its client; NULL: nobody */
	struct event *linger;	   /* owned */
	char *asked_model, *model; /* owned: of the body; of the attempt, NULL: none yet */
	enum forebay_job_state state;
	int64_t running_ms; /* since when, monotonic */
	bool stream;
	bool durable;  /* outlives its client */
	bool lingers;  /* its client was told to ask again */
	bool asking;   /* the runner or the store will call back about it */
	bool unwanted; /* and it is to be forgotten then */
	bool ended;
	struct http_end end;
	TAILQ_ENTRY(http_job) by_key, link;
};
TAILQ_HEAD(http_job_list, http_job);

#define HTTP_JOB_BUCKETS 1024

struct http_jobs {
	struct http_job_list all;
	struct http_job_list orphans[HTTP_JOB_BUCKETS]; /* those without a client, oldest first */
	uint64_t kept;					/* bytes of answers kept, of all */
};

void http_jobs_init(struct http_jobs *jobs);
void http_jobs_clear(struct http_jobs *jobs);

/* Make one and hand it to the runner; body (malloc'd) is taken. What comes of it is
 * told to its exchange, later; an error known at once is returned, with a sentence, and
 * there is no job then. asked_model is copied. */
struct http_job_order {
	struct exchange *exchange;
	const struct caller *caller;
	const struct request *request;
	const uint8_t *key; /* DIGEST_LEN */
	const char *asked_model;
	bool stream, durable;
};
MUST_CHECK enum forebay_err http_job_new(struct facade *facade, const struct http_job_order *order,
					 uint8_t *body, size_t len, struct http_job **ret,
					 char why[static RUNNER_WHY_LEN]);

/* The oldest one with this key that nobody waits for; from now on exchange does.
 * NULL: there is none. */
struct http_job *http_job_take(struct facade *facade, const uint8_t key[static DIGEST_LEN],
			       struct exchange *exchange);

/* Its client is not there any more, and has not been told how it ended: cancel it,
 * or let it wait for the next one. */
void http_job_leave(struct http_job *job);
/* Its client knows how it ended, or nobody is to know; one that has not ended is
 * canceled, unless it is durable. Frees it now or later. */
void http_job_drop(struct http_job *job);
/* Of those that ended and wait for their client, forget the oldest. False: none. */
bool http_jobs_forget_one(struct facade *facade);

#endif
