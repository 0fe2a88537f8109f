/*
 * owner.h - who a job belongs to: a uid, its quotas, its share. Pure.
 */
#ifndef DAEMON_JOB_OWNER_H
#define DAEMON_JOB_OWNER_H

#include "protocol/base.h"
#include "protocol/errors.h"
#include "protocol/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>

struct lane;

/* 0: no bound. */
struct owner_limits {
	uint64_t queued_jobs;
	uint64_t queued_bytes;
	uint64_t running;
	uint64_t tokens_per_day;
	uint64_t weight; /* >= 1 */
};

struct owner {
	uid_t uid;
	struct owner_limits limits;
	uint64_t pending; /* jobs that have not ended */
	uint64_t bytes;	  /* of their request bodies */
	uint64_t running;
	uint64_t tokens_today; /* input + output */
	int64_t day;	       /* days since 1970 UTC that tokens_today counts */
	/* Since the daemon started; the last two are jobs that ended so. */
	uint64_t tokens, succeeded, failed;
	/* Virtual time of what it has been served, a class: see schedule.h. */
	double served[FOREBAY_CLASS_COUNT];
	struct lane **lanes; /* owned array, lanes borrowed */
	size_t lane_count;
	size_t ready; /* jobs ready in all its lanes */
	UT_hash_handle hh;
};

/*
 * May it queue one more job of body_len bytes now? OVER_QUOTA with a sentence
 * that names the limit and when it frees. wall_ms decides what "today" is.
 */
MUST_CHECK enum forebay_err owner_may_queue(struct owner *owner, uint64_t body_len, int64_t wall_ms,
					    char *why, size_t why_len);
/* May one more of its jobs run? */
bool owner_may_run(struct owner *owner, int64_t wall_ms);

/* Why none of them may, in words: the limit, and when it frees; "" when one may. */
const char *owner_waiting(struct owner *owner, int64_t wall_ms, char *buf, size_t len);

/* Tokens the API counted for it. */
void owner_charge(struct owner *owner, uint64_t tokens, int64_t wall_ms);

#endif
