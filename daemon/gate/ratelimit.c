/*
 * ratelimit.c - the server's buckets, mirrored.
 */
#include "daemon/gate/ratelimit.h"

#include <math.h>

#define RETRY_AFTER_MAX 86400.0 /* s; more is a broken header */
#define UNTOLD_S	60.0

/* Seconds' worth of a limit: */
#define BURST_S	 0.5  /* may go at once */
#define TOKENS_S 5.0  /* the same of tokens, where the server's bucket is much larger */
#define NEED_S	 10.0 /* is the most that is waited for to be left */
#define LOW_S	 5.0  /* left, and we go slower, */
#define SLOWEST	 0.1  /* down to this share */
#define SMALL_S	 1.0  /* is too little to steer by */

#define SHARE	      0.98 /* of a limit that is used, */
#define SHARE_LIMITED 0.8  /* times this after a 429, */
#define SHARE_RAMP    0.5  /* or this, when it rose too fast, */
#define SHARE_MIN     0.25
#define SHARE_REGAIN  (0.1 / 60.0) /* and a second brings back so much */

void
ratelimit_init(struct ratelimit *rl)
{
	*rl = (struct ratelimit){ .share = SHARE };
	for (int i = 0; i < BUCKET_KINDS; i++)
		rl->kinds[i].most_left = -1.0;
}

static double
share_now(const struct ratelimit *rl, double now)
{
	return fmin(SHARE, rl->share + (now - rl->share_at) * SHARE_REGAIN);
}

static double
left_now(const struct ratelimit_kind *kind, double now)
{
	return fmin(kind->limit, kind->left + (now - kind->left_at) * kind->bucket.rate);
}

static void
leave(struct ratelimit_kind *kind, double now, double left)
{
	kind->left = left;
	kind->left_at = now;
}

/* More than it ever had is not waited for, nor the whole of a large request:
 * among many small ones it would wait for ever. */
static bool
is_left(const struct ratelimit_kind *kind, double now, double cost, double *ret_when)
{
	double need = fmin(cost, fmin(kind->most_left, kind->limit * NEED_S / 60.0));
	double lacking;

	if (!(kind->limit > 0) || kind->most_left < 0)
		return true;
	lacking = need - left_now(kind, now);
	if (lacking <= 1e-6 * (1.0 + kind->bucket.rate))
		return true;
	*ret_when = fmax(*ret_when, now + lacking / kind->bucket.rate);
	return false;
}

bool
ratelimit_may_send(const struct ratelimit *rl, double now, double in, double out, double *ret_when)
{
	const double costs[BUCKET_KINDS] = { 1.0, in, out };
	bool yes = now >= rl->hold_until;

	*ret_when = fmax(now, rl->hold_until);
	for (int i = 0; i < BUCKET_KINDS; i++) {
		yes &= bucket_may_take(&rl->kinds[i].bucket, now, costs[i], ret_when);
		yes &= is_left(&rl->kinds[i], now, costs[i], ret_when);
	}
	return yes;
}

void
ratelimit_sent(struct ratelimit *rl, double now, double in, double out,
	       struct ratelimit_charge *ret_charge)
{
	*ret_charge =
	    (struct ratelimit_charge){ .number = ++rl->sent, .at = now, .costs = { 1.0, in, out } };
	for (int i = 0; i < BUCKET_KINDS; i++) {
		struct ratelimit_kind *kind = &rl->kinds[i];

		bucket_take(&kind->bucket, now, ret_charge->costs[i]);
		leave(kind, now, left_now(kind, now) - ret_charge->costs[i]);
		kind->charged += ret_charge->costs[i];
		ret_charge->charged[i] = kind->charged;
		ret_charge->believed[i] =
		    kind->limit > 0 ? bucket_tokens(&kind->bucket, now) : INFINITY;
	}
}

void
ratelimit_settled(struct ratelimit *rl, double now, const struct ratelimit_charge *charge,
		  double in, double out)
{
	const double more[BUCKET_KINDS] = { 0.0, in - charge->costs[BUCKET_INPUT],
					    out - charge->costs[BUCKET_OUTPUT] };

	for (int i = 0; i < BUCKET_KINDS; i++) {
		struct ratelimit_kind *kind = &rl->kinds[i];

		/* What went before the limit was known was not charged, */
		if (!isinf(charge->believed[i]))
			bucket_correct(&kind->bucket, now, more[i]);
		/* and what the server has counted it has told. */
		if (charge->number > kind->heard)
			leave(kind, now, left_now(kind, now) - more[i]);
	}
}

void
ratelimit_unsent(struct ratelimit *rl, double now, const struct ratelimit_charge *charge)
{
	for (int i = 0; i < BUCKET_KINDS; i++) {
		struct ratelimit_kind *kind = &rl->kinds[i];

		if (!isinf(charge->believed[i]))
			bucket_take(&kind->bucket, now, -charge->costs[i]);
		if (charge->number > kind->heard)
			leave(kind, now, left_now(kind, now) + charge->costs[i]);
		kind->charged -= charge->costs[i];
	}
}

/*
 * When the server wrote what was left we do not know: as it let the request in,
 * without those sent since; or just now, without what has flowed in since. The
 * worse of the two is believed, unless it had even more than we believed
 * ourselves: then our own pace is the stricter.
 */
static double
left_as_told(const struct ratelimit_kind *kind, const struct ratelimit_charge *charge,
	     enum bucket_kind i, double remaining, double now)
{
	double since = kind->charged - charge->charged[i];
	double flowed = (now - charge->at) * kind->limit / 60.0;
	double left = remaining + fmin(0.0, flowed - since);
	double rounded_off = i == BUCKET_REQUESTS ? 1.0 : 0.0; /* 0 may be 0.99 */

	if (remaining + rounded_off > charge->believed[i])
		left = fmax(left, bucket_tokens(&kind->bucket, now));
	return left;
}

/*
 * Others may live on the same limits: the less is left, the slower we go, so
 * that what we leave over and what they take balance before nothing is left. Of
 * a bucket that never holds much, nothing can be told by what it holds.
 */
static void
set_pace(struct ratelimit *rl, enum bucket_kind i, double now)
{
	struct ratelimit_kind *kind = &rl->kinds[i];
	double second = kind->limit / 60.0;
	double low = fmin(LOW_S * second, kind->most_left / 2.0);
	double burst_s = BURST_S, slower = 1.0;

	/* Costs differ, and waiting for one kind must not waste what the others
	 * bring meanwhile. Only requests are counted by the second. */
	if (i != BUCKET_REQUESTS && kind->most_left > 4.0 * TOKENS_S * second)
		burst_s = TOKENS_S;
	if (low > (i == BUCKET_REQUESTS ? 1.0 : SMALL_S * second))
		slower = fmax(SLOWEST, fmin(1.0, left_now(kind, now) / low));
	bucket_set(&kind->bucket, kind->limit * share_now(rl, now) * slower, burst_s, now);
}

/* Answers come, and for a while none of them has spoken of this limit. */
static void
forget(struct ratelimit_kind *kind, double now)
{
	kind->limit = 0.0;
	kind->most_left = -1.0;
	bucket_set(&kind->bucket, 0.0, BURST_S, now);
}

void
ratelimit_headers(struct ratelimit *rl, double now, const struct ratelimit_charge *charge,
		  enum bucket_kind i, double limit, double remaining)
{
	struct ratelimit_kind *kind = &rl->kinds[i];
	bool first = !(kind->limit > 0);

	if (!(limit > 0) || !isfinite(limit)) {
		if (!first && now - kind->told_at > UNTOLD_S)
			forget(kind, now);
		return;
	}
	if (charge->number < kind->heard)
		return;
	kind->heard = charge->number;
	kind->told_at = now;
	if (limit != kind->limit)
		kind->most_left = -1.0;
	kind->limit = limit;
	/* What went before was not counted: start with next to nothing. */
	if (first) {
		bucket_set(&kind->bucket, limit, BURST_S, now);
		bucket_cap(&kind->bucket, now, 1.0);
	}
	if (remaining >= 0) {
		kind->most_left = fmax(kind->most_left, remaining);
		leave(kind, now, left_as_told(kind, charge, i, remaining, now));
	}
	set_pace(rl, i, now);
}

/* The same news comes with every request that was on its way. */
static void
use_less(struct ratelimit *rl, double now, const struct ratelimit_charge *charge, double times)
{
	if (charge->number <= rl->limited)
		return;
	rl->limited = rl->sent;
	rl->share = fmax(SHARE_MIN, times * share_now(rl, now));
	rl->share_at = now;
}

void
ratelimit_limited(struct ratelimit *rl, double now, const struct ratelimit_charge *charge,
		  double retry_after, bool ramp, double random)
{
	double after = retry_after > 0 ? fmin(retry_after, RETRY_AFTER_MAX) : 0.0;

	use_less(rl, now, charge, ramp ? SHARE_RAMP : SHARE_LIMITED);
	rl->hold_until = fmax(rl->hold_until, now + after + 0.25 * random);
	/* Which of them it was is not said. Then there is room for one, not for
	 * what would have come together meanwhile. */
	for (int i = 0; i < BUCKET_KINDS; i++) {
		struct ratelimit_kind *kind = &rl->kinds[i];

		if (kind->limit > 0)
			set_pace(rl, (enum bucket_kind)i, now);
		bucket_cap(&kind->bucket, rl->hold_until, 0.0);
	}
}

void
ratelimit_release(struct ratelimit *rl)
{
	rl->hold_until = 0.0;
	/* These were emptied as of that moment. */
	for (int i = 0; i < BUCKET_KINDS; i++)
		rl->kinds[i].bucket.at = 0.0;
}
