/*
 * pace.h - the user's own pace from [pace]: an upper bound beside whatever the
 * server allows. Same shape as ratelimit. Pure.
 */
#ifndef DAEMON_GATE_PACE_H
#define DAEMON_GATE_PACE_H

#include "daemon/gate/bucket.h"

struct pace {
	struct bucket buckets[BUCKET_KINDS];
	double min_spacing; /* s between two requests; 0: none */
	double last_at;	    /* when one was last sent, or left */
	double before_last_at;
	int leaving; /* sent, and not on the wire yet */
};

void pace_init(struct pace *pace);
/* All of [pace], 0: no bound. Also on reload: what was used stays used. */
void pace_set(struct pace *pace, double min_spacing, double requests_per_min,
	      double input_tokens_per_min, double output_tokens_per_min, double now);

bool pace_may_send(const struct pace *pace, double now, double est_in, double est_out,
		   double *ret_when);
void pace_sent(struct pace *pace, double now, double est_in, double est_out);
/* It is on the wire, or ended without: from here on the spacing counts, and with
 * one nobody is sent before, so that the distance is that of the requests and
 * not of our decisions. */
void pace_left(struct pace *pace, double now);
void pace_settled(struct pace *pace, double now, double est_in, double est_out, double real_in,
		  double real_out);
/* sent_at: the now of its pace_sent. Before pace_left. */
void pace_unsent(struct pace *pace, double now, double sent_at, double est_in, double est_out);

#endif
