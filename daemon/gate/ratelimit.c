/*
 * ratelimit.c - the server's buckets, mirrored.
 */
#include "daemon/gate/ratelimit.h"

#include <math.h>

#define RETRY_AFTER_MAX 86400.0 /* s; more is a broken header */

void
ratelimit_init(struct ratelimit *rl)
{
	*rl = (struct ratelimit){ 0 };
}

bool
ratelimit_may_send(const struct ratelimit *rl, double now, double est_in, double est_out,
		   double *ret_when)
{
	bool held = now < rl->hold_until;

	*ret_when = held ? rl->hold_until : now;
	return buckets_may_take(rl->buckets, now, est_in, est_out, ret_when) && !held;
}

void
ratelimit_sent(struct ratelimit *rl, double now, double est_in, double est_out)
{
	buckets_take(rl->buckets, now, 1.0, est_in, est_out);
}

void
ratelimit_settled(struct ratelimit *rl, double now, double est_in, double est_out, double real_in,
		  double real_out)
{
	buckets_take(rl->buckets, now, 0.0, real_in - est_in, real_out - est_out);
}

void
ratelimit_unsent(struct ratelimit *rl, double now, double est_in, double est_out)
{
	buckets_take(rl->buckets, now, -1.0, -est_in, -est_out);
}

void
ratelimit_headers(struct ratelimit *rl, enum bucket_kind kind, double limit_per_min,
		  double remaining, double now)
{
	struct bucket *bucket = &rl->buckets[kind];
	/* Requests are rounded down: 0 left may be 0.99 left. */
	double rounding = kind == BUCKET_REQUESTS ? 1.0 : 0.0;

	if (!(limit_per_min > 0) || !isfinite(limit_per_min))
		return;
	/* What went before was not counted: start with next to nothing. */
	bool first = !(bucket->rate > 0);

	bucket_set(bucket, limit_per_min, now);
	if (first)
		bucket_cap(bucket, now, 1.0);
	if (remaining >= 0)
		bucket_cap(bucket, now, remaining + rounding);
}

void
ratelimit_limited(struct ratelimit *rl, double now, double retry_after, double random)
{
	double after = retry_after > 0 ? fmin(retry_after, RETRY_AFTER_MAX) : 0.0;

	rl->hold_until = fmax(rl->hold_until, now + after + 0.25 * random);
	/* Which of them it was is not said. */
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		bucket_cap(&rl->buckets[kind], now, 0.0);
}
