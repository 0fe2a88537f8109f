/*
 * schedule.h - which job starts next. Pure: asked "it is now; who?", with a
 * verdict on each candidate that the caller takes from the gates.
 *
 * Classes strictly: interactive > normal > patient. A normal job that waited
 * age_up competes as interactive, a patient one after six times that as
 * normal, so nothing starves. Within a class the owners share by weight: each
 * has a virtual time, what it has been served divided by its weight, and the
 * one that is furthest behind goes first (start-time fair queueing: the
 * shares of deficit round robin, exact for every job and without rounds). An
 * owner that comes back after a rest starts at the clock of the class, so that
 * nobody saves up. Within an owner: by priority, then id, over all its lanes.
 */
#ifndef DAEMON_JOB_SCHEDULE_H
#define DAEMON_JOB_SCHEDULE_H

#include "daemon/job/lanes.h"

enum schedule_verdict {
	SCHEDULE_NO,	 /* not now: nothing of this lane can go */
	SCHEDULE_NOT_IT, /* not this one; what keeps it need not keep those behind it */
	SCHEDULE_YES,
	SCHEDULE_PROBE, /* it is the one request that tries a dark gate: a small one */
};
/*
 * Asked for each lane looked at, with the job that stands first. refuge: may it
 * go to a later model of its chain? Asked in a second round within the class,
 * when no job can go to its first one: natives go before refugees. Then also
 * the few behind the first are asked; and always whoever stands behind one that
 * is NOT_IT. Sets job->model when it may go.
 */
typedef enum schedule_verdict schedule_verdict_fn(const struct lane *lane, struct job *job,
						  bool refuge, void *arg);

struct schedule {
	double clock[FOREBAY_CLASS_COUNT]; /* virtual time */
	int64_t interactive_ms;		   /* wall: last seen one; 0: never */
	int64_t age_up_ms;
};

void schedule_init(struct schedule *schedule, int64_t age_up_ms);

/* An interactive job was submitted: keep a worker free for the next one. */
void schedule_saw_interactive(struct schedule *schedule, int64_t wall_ms);

/*
 * The job to start, still in its window; NULL when nothing can go. free: workers without
 * work, of pool. The last free one is left to interactive jobs while such were
 * seen in the last minute (pool >= 2).
 */
struct job *schedule_next(struct schedule *schedule, struct lanes *lanes, unsigned free,
			  unsigned pool, int64_t wall_ms, schedule_verdict_fn *verdict, void *arg);

/* job starts: its owner is charged what it is estimated to cost. */
void schedule_charge(struct schedule *schedule, struct job *job);
/* What it really cost, at the end: the difference is charged or given back. */
void schedule_settle(struct job *job, uint64_t tokens);

#endif
