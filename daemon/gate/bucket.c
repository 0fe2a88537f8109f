/*
 * bucket.c - token buckets; see bucket.h.
 */
#include "daemon/gate/bucket.h"

#include <math.h>

/* What rounding may lack of tokens that have been waited for: this share of one,
 * and of a second's worth. */
#define ROUNDING 1e-6

#define SPARE_S 10.0 /* most that is spared: what so many seconds bring */

static void
bring_up_to(struct bucket *bucket, double now)
{
	double over;

	bucket->tokens += (now - bucket->at) * bucket->rate;
	bucket->at = now;
	over = bucket->tokens - bucket->burst;
	if (over <= 0)
		return;
	bucket->tokens = bucket->burst;
	bucket->spare = fmax(0.0, bucket->spare - over);
}

void
bucket_set(struct bucket *bucket, double per_minute, double burst_s, double now)
{
	bool bounded = bucket->rate > 0;

	bring_up_to(bucket, now);
	bucket->rate = per_minute > 0 ? per_minute / 60.0 : 0.0;
	bucket->burst = fmax(1.0, bucket->rate * burst_s);
	bucket->tokens = bounded ? fmin(bucket->tokens, bucket->burst) : bucket->burst;
	bucket->spare = bounded ? fmin(bucket->spare, bucket->rate * SPARE_S) : 0.0;
}

double
bucket_tokens(const struct bucket *bucket, double now)
{
	struct bucket then = *bucket;

	bring_up_to(&then, now);
	return then.tokens + then.spare;
}

bool
bucket_may_take(const struct bucket *bucket, double now, double cost, double *ret_when)
{
	double lacking;

	if (!(bucket->rate > 0))
		return true;
	lacking = fmin(cost, bucket->burst) - bucket_tokens(bucket, now);
	if (lacking <= ROUNDING * (1.0 + bucket->rate))
		return true;
	*ret_when = fmax(*ret_when, now + lacking / bucket->rate);
	return false;
}

void
bucket_take(struct bucket *bucket, double now, double cost)
{
	double spared;

	if (!(bucket->rate > 0))
		return;
	bring_up_to(bucket, now);
	spared = fmax(0.0, fmin(bucket->spare, cost));
	bucket->spare -= spared;
	bucket->tokens = fmin(bucket->burst, bucket->tokens - (cost - spared));
}

void
bucket_correct(struct bucket *bucket, double now, double more)
{
	double room;

	bucket_take(bucket, now, fmax(0.0, more));
	if (!(bucket->rate > 0) || more >= 0)
		return;
	room = fmin(-more, bucket->burst - bucket->tokens);
	bucket->tokens += room;
	bucket->spare = fmin(bucket->spare - more - room, bucket->rate * SPARE_S);
}

void
bucket_cap(struct bucket *bucket, double now, double tokens)
{
	if (!(bucket->rate > 0))
		return;
	bring_up_to(bucket, now);
	bucket->tokens = fmin(bucket->tokens, tokens);
	bucket->spare = 0.0;
}

bool
buckets_may_take(const struct bucket buckets[static BUCKET_KINDS], double now,
		 const double costs[static BUCKET_KINDS], double *ret_when)
{
	bool yes = true;

	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		yes &= bucket_may_take(&buckets[kind], now, costs[kind], ret_when);
	return yes;
}

void
buckets_take(struct bucket buckets[static BUCKET_KINDS], double now, double times,
	     const double costs[static BUCKET_KINDS])
{
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		bucket_take(&buckets[kind], now, times * costs[kind]);
}
