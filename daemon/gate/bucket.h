/*
 * bucket.h - a token bucket that may go into debt, and the cost of a request.
 * What ratelimit (the server's bounds) and pace (the user's) are made of. Pure.
 */
#ifndef DAEMON_GATE_BUCKET_H
#define DAEMON_GATE_BUCKET_H

#include <stdbool.h>

enum bucket_kind { BUCKET_REQUESTS, BUCKET_INPUT, BUCKET_OUTPUT, BUCKET_KINDS };

struct bucket {
	double rate; /* tokens a second; 0: no bound */
	double burst;
	double tokens; /* < 0: debt of a request larger than the burst */
	double spare;  /* charged too much, beyond the burst; idle time uses it up */
	double at;
};

/* Bounds the bucket, or lifts the bound with 0. The burst is what so many
 * seconds bring, but one token at least. A newly bounded one is full; a bounded
 * one keeps what it has. */
void bucket_set(struct bucket *bucket, double per_minute, double burst_s, double now);

double bucket_tokens(const struct bucket *bucket, double now);

/* A cost above the burst passes a full bucket and leaves a debt, so nobody
 * waits for ever. If not, *ret_when becomes the later of itself and the time to
 * ask again. */
bool bucket_may_take(const struct bucket *bucket, double now, double cost, double *ret_when);

/* Negative: gives back, never beyond the burst. */
void bucket_take(struct bucket *bucket, double now, double cost);
/* What was taken turned out to be so much more. Less: what does not fit into
 * the burst is spared for the next ones, or else those who guess high would get
 * less than their rate. */
void bucket_correct(struct bucket *bucket, double now, double more);

/* There are no more tokens than that. */
void bucket_cap(struct bucket *bucket, double now, double tokens);

/* All kinds at once. */
bool buckets_may_take(const struct bucket buckets[static BUCKET_KINDS], double now,
		      const double costs[static BUCKET_KINDS], double *ret_when);
void buckets_take(struct bucket buckets[static BUCKET_KINDS], double now, double times,
		  const double costs[static BUCKET_KINDS]);

#endif
