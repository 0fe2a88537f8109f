/*
 * pace.c - the user's own pace.
 */
#include "daemon/gate/pace.h"

#include <math.h>

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
	bucket_set(&pace->buckets[BUCKET_REQUESTS], requests_per_min, now);
	bucket_set(&pace->buckets[BUCKET_INPUT], input_tokens_per_min, now);
	bucket_set(&pace->buckets[BUCKET_OUTPUT], output_tokens_per_min, now);
}

bool
pace_may_send(const struct pace *pace, double now, double est_in, double est_out, double *ret_when)
{
	double next = pace->last_at + pace->min_spacing;
	bool spaced = now >= next;

	*ret_when = spaced ? now : next;
	return buckets_may_take(pace->buckets, now, est_in, est_out, ret_when) && spaced;
}

void
pace_sent(struct pace *pace, double now, double est_in, double est_out)
{
	pace->before_last_at = pace->last_at;
	pace->last_at = now;
	buckets_take(pace->buckets, now, 1.0, est_in, est_out);
}

void
pace_settled(struct pace *pace, double now, double est_in, double est_out, double real_in,
	     double real_out)
{
	buckets_take(pace->buckets, now, 0.0, real_in - est_in, real_out - est_out);
}

void
pace_unsent(struct pace *pace, double now, double sent_at, double est_in, double est_out)
{
	/* Others may have been spaced after it since: then its place is gone. */
	if (sent_at == pace->last_at)
		pace->last_at = pace->before_last_at;
	buckets_take(pace->buckets, now, -1.0, -est_in, -est_out);
}
