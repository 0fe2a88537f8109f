/*
 * pace.c - the user's own pace.
 */
#include "daemon/gate/pace.h"

#include <math.h>

#define BURST_S 1.0
#define LOOK_S	0.005 /* to look whether the one before has left: nobody tells */
#define LEAVE_S 2.0   /* so long it may take; then a connection hangs */

void
pace_init(struct pace *pace)
{
	*pace = (struct pace){ .last_at = -INFINITY, .before_last_at = -INFINITY };
}

void
pace_set(struct pace *pace, double min_spacing, double requests_per_min,
	 double input_tokens_per_min, double output_tokens_per_min, double now)
{
	pace->min_spacing = fmax(0.0, min_spacing);
	bucket_set(&pace->buckets[BUCKET_REQUESTS], requests_per_min, BURST_S, now);
	bucket_set(&pace->buckets[BUCKET_INPUT], input_tokens_per_min, BURST_S, now);
	bucket_set(&pace->buckets[BUCKET_OUTPUT], output_tokens_per_min, BURST_S, now);
}

bool
pace_may_send(const struct pace *pace, double now, double est_in, double est_out, double *ret_when)
{
	const double costs[BUCKET_KINDS] = { 1.0, est_in, est_out };
	double next = pace->last_at + pace->min_spacing;
	bool spaced;

	if (pace->leaving > 0 && pace->min_spacing > 0)
		next = fmax(next, fmin(now + LOOK_S, next + LEAVE_S));
	spaced = now >= next;
	*ret_when = spaced ? now : next;
	return buckets_may_take(pace->buckets, now, costs, ret_when) && spaced;
}

void
pace_sent(struct pace *pace, double now, double est_in, double est_out)
{
	const double costs[BUCKET_KINDS] = { 1.0, est_in, est_out };

	pace->before_last_at = pace->last_at;
	pace->last_at = now;
	pace->leaving++;
	buckets_take(pace->buckets, now, 1.0, costs);
}

void
pace_left(struct pace *pace, double now)
{
	pace->leaving--;
	pace->last_at = fmax(pace->last_at, now);
}

void
pace_settled(struct pace *pace, double now, double est_in, double est_out, double real_in,
	     double real_out)
{
	bucket_correct(&pace->buckets[BUCKET_INPUT], now, real_in - est_in);
	bucket_correct(&pace->buckets[BUCKET_OUTPUT], now, real_out - est_out);
}

void
pace_unsent(struct pace *pace, double now, double sent_at, double est_in, double est_out)
{
	const double costs[BUCKET_KINDS] = { 1.0, est_in, est_out };

	pace->leaving--;
	/* Others may have been spaced after it since: then its place is gone. */
	if (sent_at == pace->last_at)
		pace->last_at = pace->before_last_at;
	buckets_take(pace->buckets, now, -1.0, costs);
}
