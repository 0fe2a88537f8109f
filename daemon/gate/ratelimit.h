/*
 * ratelimit.h - the server's rate limits, mirrored: one struct per bucket name
 * of the models table. Learned from the anthropic-ratelimit-* headers, so that
 * a 429 need never be seen. Without headers it bounds nothing. Pure.
 *
 * One request:  may_send -> sent -> settled (once the real tokens are known)
 *                                -> unsent  (it never went)
 */
#ifndef DAEMON_GATE_RATELIMIT_H
#define DAEMON_GATE_RATELIMIT_H

#include "daemon/gate/bucket.h"

struct ratelimit {
	struct bucket buckets[BUCKET_KINDS];
	double hold_until; /* retry-after */
};

void ratelimit_init(struct ratelimit *rl);

/* If not, *ret_when is when to ask again. est_in, est_out: expected tokens. */
bool ratelimit_may_send(const struct ratelimit *rl, double now, double est_in, double est_out,
			double *ret_when);
void ratelimit_sent(struct ratelimit *rl, double now, double est_in, double est_out);

/* The request is over: charge the difference. Refused ones cost no tokens. */
void ratelimit_settled(struct ratelimit *rl, double now, double est_in, double est_out,
		       double real_in, double real_out);
void ratelimit_unsent(struct ratelimit *rl, double now, double est_in, double est_out);

/* -limit and -remaining of one kind. limit_per_min <= 0: the header was missing,
 * nothing is learned; remaining < 0: not known. */
void ratelimit_headers(struct ratelimit *rl, enum bucket_kind kind, double limit_per_min,
		       double remaining, double now);

/* 429. random in [0, 1) adds up to a quarter of a second, never less. */
void ratelimit_limited(struct ratelimit *rl, double now, double retry_after, double random);

#endif
