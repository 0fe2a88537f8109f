/*
 * bucket.c - token buckets; see bucket.h.
 */
#include "daemon/gate/bucket.h"

#include <math.h>

/* What rounding may lack of tokens that have been waited for: this share of one,
 * and of a second's worth. */
#define ROUNDING 1e-6

void
bucket_set(struct bucket *bucket, double per_minute, double now)
{
	bool bounded = bucket->rate > 0;
	double tokens = bucket_tokens(bucket, now);

	bucket->rate = per_minute > 0 ? per_minute / 60.0 : 0.0;
	bucket->burst = fmax(1.0, bucket->rate);
	bucket->tokens = bounded ? fmin(tokens, bucket->burst) : bucket->burst;
	bucket->at = now;
}

double
bucket_tokens(const struct bucket *bucket, double now)
{
	return fmin(bucket->burst, bucket->tokens + (now - bucket->at) * bucket->rate);
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
	if (!(bucket->rate > 0))
		return;
	bucket->tokens = fmin(bucket->burst, bucket_tokens(bucket, now) - cost);
	bucket->at = now;
}

void
bucket_cap(struct bucket *bucket, double now, double tokens)
{
	if (!(bucket->rate > 0))
		return;
	bucket->tokens = fmin(bucket_tokens(bucket, now), tokens);
	bucket->at = now;
}

bool
buckets_may_take(const struct bucket buckets[static BUCKET_KINDS], double now, double input_tokens,
		 double output_tokens, double *ret_when)
{
	bool requests = bucket_may_take(&buckets[BUCKET_REQUESTS], now, 1.0, ret_when);
	bool input = bucket_may_take(&buckets[BUCKET_INPUT], now, input_tokens, ret_when);
	bool output = bucket_may_take(&buckets[BUCKET_OUTPUT], now, output_tokens, ret_when);

	return requests && input && output;
}

void
buckets_take(struct bucket buckets[static BUCKET_KINDS], double now, double requests,
	     double input_tokens, double output_tokens)
{
	bucket_take(&buckets[BUCKET_REQUESTS], now, requests);
	bucket_take(&buckets[BUCKET_INPUT], now, input_tokens);
	bucket_take(&buckets[BUCKET_OUTPUT], now, output_tokens);
}
