/*
 * choose.h - the gates' answer to the schedule's question. Internal to run/.
 */
#ifndef DAEMON_RUN_CHOOSE_H
#define DAEMON_RUN_CHOOSE_H

#include "daemon/job/schedule.h"

struct runner;

/* One round of choosing; arg of choose(). */
struct choosing {
	struct runner *runner; /* borrowed */
	double now;	       /* monotonic, seconds */
	double when;	       /* earliest time to look again; INFINITY: none known */
	int64_t wall_ms;
};

/* A schedule_verdict_fn. */
enum schedule_verdict choose(const struct lane *lane, struct job *job, bool refuge, void *arg);

#endif
