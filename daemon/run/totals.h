/*
 * totals.h - what the runner has counted by owner and by outcome: the labelled
 * families of the page of metrics. In moves.c and ending.c, where it is counted.
 */
#ifndef DAEMON_RUN_TOTALS_H
#define DAEMON_RUN_TOTALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct runner;

/* One owner after the other: true for each, in no order, false after the last. */
struct runner_owner {
	const void *at; /* where the walk stands; NULL: before the first */
	uid_t uid;
	uint64_t pending, running;	    /* jobs: that have not ended; and of these */
	uint64_t succeeded, failed, tokens; /* since the daemon started */
};
bool runner_next_owner(const struct runner *runner, struct runner_owner *row);

/* One outcome of attempts after the other, as the ledger calls them, and how many ended so
 * since the daemon started; NULL after the last. */
const char *runner_outcome(unsigned index, uint64_t *ret_count);

#endif
