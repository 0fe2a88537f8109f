/*
 * direct.h - a request to the API that is no job: counting tokens, the list of
 * models. It passes the key's gate, the host's and one of its own, never a
 * model's; it is tried again within its time as a job would be; nothing of it
 * is on disk, and it is answered once, whole.
 */
#ifndef DAEMON_RUN_DIRECT_H
#define DAEMON_RUN_DIRECT_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct direct;
struct runner;

#define DIRECT_WAIT_MS 60000 /* where the caller does not say */

/* Copied, all of it. */
struct direct_request {
	const char *gate;    /* "count_tokens", "models": its own gate and rate limit */
	const char *path;    /* with query */
	const uint8_t *body; /* NULL: a GET */
	size_t len;
	const char *version, *betas; /* NULL: the configured one; none */
	const char *const *headers;  /* more lines "Name: value", NULL-terminated, or NULL */
	int64_t wait_ms;	     /* how long it may wait for the gates and be tried again;
				      * 0: DIRECT_WAIT_MS */
	bool opaque;		     /* a part of the API we do not know: it may have effects, so
				      * that once it has left only a refusal for capacity or by a
				      * rate limit is tried again; its answer is any 2xx, in any
				      * form. Else the answer is 200 and JSON. */
};

/* Borrowed until the callback returns. */
struct direct_answer {
	int status;		  /* 200 (opaque: 2xx), 400 to 599; 0: nothing came */
	const char *content_type; /* "" if it did not say */
	const char *request_id;	  /* "" none */
	const uint8_t *body;	  /* with len 0 where an error's was cut off or too long */
	size_t len;
	double retry_after_s; /* of a refusal; -1: nobody said */
	const char *why;      /* a sentence unless it is a good answer, then "" */
};

typedef void direct_fn(const struct direct_answer *answer, void *arg);

/*
 * done comes once, from the loop, never from inside direct_start(); *ret is gone
 * when it returns. At the latest that is when wait_ms is over, or some seconds
 * later for a try that was sent just before. A refusal that time did not allow
 * to be tried again is handed over as it came.
 *
 * BAD_REQUEST: a path or a header that cannot be sent. TOO_BIG. QUEUE_FULL: too
 * many, or too many bytes of them. DRAINING. NO_MEMORY. Then done does not come.
 */
MUST_CHECK enum forebay_err direct_start(struct runner *runner,
					 const struct direct_request *request, direct_fn *done,
					 void *arg, struct direct **ret);
/* done does not come any more; frees it. Inside done it does nothing. */
void direct_cancel(struct direct *direct);

/* --- for the runner -------------------------------------------------------------- */

/* Send what may go; the earliest time anything may change, if earlier, into *when. */
void direct_pump(struct runner *runner, double now, double *when);
/* The daemon goes: those that wait are told so, or with all the sent ones too. */
void direct_drain(struct runner *runner, bool all);
bool direct_is_sending(const struct runner *runner);
/* Without a word to anybody. */
void direct_free_all(struct runner *runner);

#endif
