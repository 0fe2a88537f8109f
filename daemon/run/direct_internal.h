/*
 * direct_internal.h - what the two files of requests that are no job share:
 * direct.c (its life and its time) and direct_try.c (one try, and what follows
 * from it). Internal to run/.
 */
#ifndef DAEMON_RUN_DIRECT_INTERNAL_H
#define DAEMON_RUN_DIRECT_INTERNAL_H

#include "daemon/claude/body.h"
#include "daemon/run/direct.h"
#include "daemon/run/runner_internal.h"

#define DIRECT_WHY_LEN 768

struct direct {
	struct runner *runner; /* borrowed */
	direct_fn *done;
	void *arg; /* borrowed */
	char *gate, *path, *version, *betas;
	char **headers; /* owned, with its strings; NULL-terminated, or NULL */
	uint8_t *body;	/* owned; NULL: a GET */
	size_t len;
	int64_t started_ms, until_ms; /* monotonic, as all of these */
	int64_t rest_until_ms;
	unsigned refusals, faults, tries;
	/* the try that is under way, or the last one */
	struct call *call; /* owned; NULL: it waits */
	struct body_reader reader;
	struct pass pass;
	int64_t sent_ms;
	int status; /* 0: no answer, or none to hand on */
	struct answer_headers answer_headers;
	char content_type[128];
	struct attempt_bytes got;
	double retry_after_s;
	char said[DIRECT_WHY_LEN]; /* what came of it, in words */
	struct event *timer, *due;
	const char *over; /* static: it ends at once, for this reason; NULL: it goes on */
	bool told, opaque;
	TAILQ_ENTRY(direct) link;
};

/* A status that is no refusal of such a request. */
static inline bool
direct_is_success(const struct direct *direct)
{
	return direct->status == 200 ||
	       (direct->opaque && direct->status > 200 && direct->status < 300);
}

/* direct.c. The end, from the loop: direct is gone. */
void direct_tell(struct direct *direct, const char *why);
/* The same where nobody may be called back: from the loop, for this reason. */
void direct_end_soon(struct direct *direct, const char *over);
void direct_arm(struct event *event, double in_s);

/* direct_try.c. Ask the API; the gates have said yes. */
void direct_send(struct direct *direct, double now);
/* A try that is given up tells the gates nothing. Nothing if it waits. */
void direct_break_off(struct direct *direct);
/* Of direct->timer: a try is quiet, and then it has stalled. */
void direct_on_timer(int fd, short what, void *arg);

#endif
