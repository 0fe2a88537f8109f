/*
 * schedule.c - classes, ageing and shares; see schedule.h.
 */
#include "daemon/job/schedule.h"

#include <math.h>

#define RESERVE_MS  60000 /* an interactive job seen this long ago keeps a worker free */
#define PATIENCE    6	  /* a patient job ages this many times slower */
#define PROBE_LOOKS 8	  /* a probe is the smallest of the first few */

void
schedule_init(struct schedule *schedule, int64_t age_up_ms)
{
	*schedule = (struct schedule){ .age_up_ms = age_up_ms };
}

void
schedule_saw_interactive(struct schedule *schedule, int64_t wall_ms)
{
	schedule->interactive_ms = wall_ms;
}

/* The class a lane's first job competes in now. */
static int
class_now(const struct schedule *schedule, const struct lane *lane, int64_t wall_ms)
{
	int64_t waited = wall_ms - lane->window[0]->created_ms;

	if (lane->class == FOREBAY_CLASS_NORMAL && waited >= schedule->age_up_ms)
		return FOREBAY_CLASS_INTERACTIVE;
	if (lane->class == FOREBAY_CLASS_PATIENT && waited >= PATIENCE * schedule->age_up_ms)
		return FOREBAY_CLASS_NORMAL;
	return lane->class;
}

static bool
last_worker_reserved(const struct schedule *schedule, unsigned free, unsigned pool, int64_t wall_ms)
{
	return pool >= 2 && free == 1 && schedule->interactive_ms > 0 &&
	       wall_ms - schedule->interactive_ms < RESERVE_MS;
}

static struct job *
smallest_of_first(const struct lane *lane)
{
	struct job *best = lane->window[0];

	for (size_t i = 1; i < MIN(lane->ready, (size_t)PROBE_LOOKS); i++)
		if (lane->window[i]->priority == best->priority &&
		    lane->window[i]->cost_input < best->cost_input)
			best = lane->window[i];
	return best;
}

struct question {
	const struct schedule *schedule;
	int class;
	bool interactive_only;
	int64_t wall_ms;
	schedule_verdict_fn *verdict;
	void *arg;
};

/* The first of owner's jobs in this class that can go, over all its lanes. */
static struct job *
first_of_owner(const struct owner *owner, const struct question *ask)
{
	struct job *best = NULL;

	for (size_t i = 0; i < owner->lane_count; i++) {
		const struct lane *lane = owner->lanes[i];
		enum schedule_verdict verdict;

		if (lane->ready == 0 || (best && !job_before(lane->window[0], best)) ||
		    class_now(ask->schedule, lane, ask->wall_ms) != ask->class ||
		    (ask->interactive_only && lane->class != FOREBAY_CLASS_INTERACTIVE))
			continue;
		verdict = ask->verdict(lane, lane->window[0], ask->arg);
		if (verdict == SCHEDULE_YES)
			best = lane->window[0];
		else if (verdict == SCHEDULE_PROBE)
			best = smallest_of_first(lane);
	}
	return best;
}

/* Where an owner stands in a class: never behind the clock, so that an owner
 * without jobs does not save up. */
static double
served(const struct schedule *schedule, const struct owner *owner, int class)
{
	return fmax(owner->served[class], schedule->clock[class]);
}

static struct job *
next_of_class(const struct schedule *schedule, struct lanes *lanes, const struct question *ask)
{
	struct job *best = NULL;
	double best_served = INFINITY;

	for (struct owner *owner = NULL; (owner = lanes_next_owner(lanes, owner));) {
		struct job *job;

		if (owner->ready == 0 || served(schedule, owner, ask->class) >= best_served)
			continue;
		job = first_of_owner(owner, ask);
		if (job) {
			best = job;
			best_served = served(schedule, owner, ask->class);
		}
	}
	return best;
}

struct job *
schedule_next(struct schedule *schedule, struct lanes *lanes, unsigned free, unsigned pool,
	      int64_t wall_ms, schedule_verdict_fn *verdict, void *arg)
{
	struct question ask = {
		schedule, 0,	   last_worker_reserved(schedule, free, pool, wall_ms),
		wall_ms,  verdict, arg
	};
	struct job *job = NULL;

	for (ask.class = 0; !job && ask.class < FOREBAY_CLASS_COUNT; ask.class ++) {
		if (ask.interactive_only && ask.class != FOREBAY_CLASS_INTERACTIVE)
			break;
		job = next_of_class(schedule, lanes, &ask);
		if (job)
			job->class = (uint8_t)ask.class;
	}
	return job;
}

static double
weighted(const struct owner *owner, double tokens)
{
	return tokens / (double)MAX(owner->limits.weight, (uint64_t)1);
}

void
schedule_charge(struct schedule *schedule, struct job *job)
{
	struct owner *owner = job->lane->owner;
	/* An aged job is paid for where it competed, or it would go before all others there. */
	int class = job->class;
	double start = served(schedule, owner, class);

	schedule->clock[class] = start;
	owner->served[class] =
	    start + weighted(owner, 1.0 + (double)job->cost_input + (double)job->cost_output);
}

void
schedule_settle(struct job *job, uint64_t tokens)
{
	struct owner *owner = job->lane->owner;
	double estimate = (double)job->cost_input + (double)job->cost_output;

	owner->served[job->class] += weighted(owner, (double)tokens - estimate);
}
