/*
 * schedule.c - classes, ageing and shares; see schedule.h.
 */
#include "daemon/job/schedule.h"

#include <math.h>

#define RESERVE_MS 60000 /* an interactive job seen this long ago keeps a worker free */
#define PATIENCE   6	 /* a patient job ages this many times slower */
#define LOOKS	   8	 /* how far into a window: for a small probe, for a refugee */

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
	int64_t waited = wall_ms - lane->window[0]->since_ms;

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
	       wall_ms >= schedule->interactive_ms && /* the clock may have been set back */
	       wall_ms - schedule->interactive_ms < RESERVE_MS;
}

/* A probe is a small one of the first few, from the one that may go on. */
static struct job *
smallest_like(const struct lane *lane, size_t at)
{
	struct job *first = lane->window[at], *best = first;

	for (size_t i = at + 1; i < MIN(lane->ready, (size_t)LOOKS); i++)
		if (lane->window[i]->priority == best->priority &&
		    lane->window[i]->cost_input < best->cost_input &&
		    !chain_is_barred(&lane->window[i]->chain, first->model))
			best = lane->window[i];
	best->model = first->model;
	return best;
}

struct question {
	const struct schedule *schedule;
	int class;
	bool refuge;
	bool interactive_only;
	int64_t wall_ms;
	schedule_verdict_fn *verdict;
	void *arg;
};

/* The first of the lane's jobs that can go. However many stand in front that are kept by
 * what concerns them alone. */
static struct job *
first_of_lane(const struct lane *lane, const struct question *ask)
{
	size_t looks = ask->refuge ? LOOKS : 1;

	for (size_t i = 0; i < lane->ready && looks > 0; i++) {
		struct job *job = lane->window[i];

		switch (ask->verdict(lane, job, ask->refuge, ask->arg)) {
		case SCHEDULE_YES:
			return job;
		case SCHEDULE_PROBE:
			return smallest_like(lane, i);
		case SCHEDULE_NO:
			looks--;
			break;
		case SCHEDULE_NOT_IT:
			break;
		}
	}
	return NULL;
}

/* The first of owner's jobs in this class that can go, over all its lanes. */
static struct job *
first_of_owner(const struct owner *owner, const struct question *ask)
{
	struct job *best = NULL;

	for (size_t i = 0; i < owner->lane_count; i++) {
		const struct lane *lane = owner->lanes[i];
		struct job *job;

		if (lane->ready == 0 || (ask->refuge && lane->route->model_count == 1) ||
		    (best && !job_before(lane->window[0], best)) ||
		    class_now(ask->schedule, lane, ask->wall_ms) != ask->class ||
		    (ask->interactive_only && lane->class != FOREBAY_CLASS_INTERACTIVE))
			continue;
		job = first_of_lane(lane, ask);
		if (job)
			best = job;
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
		.schedule = schedule,
		.interactive_only = last_worker_reserved(schedule, free, pool, wall_ms),
		.wall_ms = wall_ms,
		.verdict = verdict,
		.arg = arg,
	};
	struct job *job = NULL;

	for (ask.class = 0; !job && ask.class < FOREBAY_CLASS_COUNT; ask.class ++) {
		if (ask.interactive_only && ask.class != FOREBAY_CLASS_INTERACTIVE)
			break;
		ask.refuge = false;
		job = next_of_class(schedule, lanes, &ask);
		ask.refuge = true;
		if (!job)
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
