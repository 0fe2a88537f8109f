/*
 * ratelimit.h - the server's rate limits, mirrored: one struct per bucket name
 * of the models table. Learned from the anthropic-ratelimit-* headers, so that
 * a 429 need never be seen. Without headers it bounds nothing. Pure.
 *
 * Two bounds of each kind. A pace a little below the limit, with a burst of half
 * a second: "60 a minute" may be enforced as one a second, and requests do not
 * arrive in the rhythm they were sent in. And what the server last said to have
 * left, less what was sent since.
 *
 * One request:  may_send -> sent -> headers, limited -> settled
 *                                -> unsent (it never went)
 */
#ifndef DAEMON_GATE_RATELIMIT_H
#define DAEMON_GATE_RATELIMIT_H

#include "daemon/gate/bucket.h"

#include <stdint.h>

struct ratelimit_kind {
	struct bucket bucket; /* the pace */
	double limit;	      /* a minute, as told at told_at; 0: not known */
	double told_at;
	double left; /* what the server has, at left_at */
	double left_at;
	double most_left; /* it ever said; < 0: it never did */
	double charged;	  /* in all */
	uint64_t heard;	  /* the latest request whose headers were read */
};

struct ratelimit {
	struct ratelimit_kind kinds[BUCKET_KINDS];
	double hold_until; /* retry-after */
	double share;	   /* of the limits that is used; at share_at */
	double share_at;
	uint64_t sent;	  /* requests, in all */
	uint64_t limited; /* of these the last one that is no news if refused */
};

/* What one request was charged with. All zero: nothing. */
struct ratelimit_charge {
	uint64_t number; /* of all that were sent: 1, 2, ... */
	double at;
	double costs[BUCKET_KINDS];
	double charged[BUCKET_KINDS];  /* in all, itself included */
	double believed[BUCKET_KINDS]; /* to be left then; INFINITY: unbounded */
};

void ratelimit_init(struct ratelimit *rl);

/* If not, *ret_when is when to ask again. in, out: expected tokens. */
bool ratelimit_may_send(const struct ratelimit *rl, double now, double in, double out,
			double *ret_when);
void ratelimit_sent(struct ratelimit *rl, double now, double in, double out,
		    struct ratelimit_charge *ret_charge);

/* The request is over: charge the difference. Refused ones cost no tokens. */
void ratelimit_settled(struct ratelimit *rl, double now, const struct ratelimit_charge *charge,
		       double in, double out);
void ratelimit_unsent(struct ratelimit *rl, double now, const struct ratelimit_charge *charge);

/* -limit and -remaining of one kind, with the answer to this request, whatever
 * it is. limit <= 0: the header was missing; after a minute without it there is no limit
 * any more. remaining < 0: not known. An answer to an earlier request than one
 * already heard is no news. */
void ratelimit_headers(struct ratelimit *rl, double now, const struct ratelimit_charge *charge,
		       enum bucket_kind kind, double limit, double remaining);

/* By hand: what retry-after said is over. */
void ratelimit_release(struct ratelimit *rl);

/* 429. random in [0, 1) adds up to a quarter of a second, never less. For a while
 * a smaller share of the limits is used; ramp: a much smaller one. */
void ratelimit_limited(struct ratelimit *rl, double now, const struct ratelimit_charge *charge,
		       double retry_after, bool ramp, double random);

#endif
