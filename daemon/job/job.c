/*
 * job.c - the one place where a job's state changes; see job.h.
 */
#include "daemon/job/job.h"

#include "daemon/base/log.h"
#include "daemon/job/lanes.h"
#include "protocol/base.h"

#include <inttypes.h>

void
job_set_state(struct job *job, enum forebay_job_state next)
{
	enum forebay_job_state from = job->state;

	if (!forebay_job_state_allows(from, next))
		fatal("job %" PRIu64 ": illegal move %s -> %s", job->id,
		      forebay_job_state_name(from), forebay_job_state_name(next));
	job->state = next;
	log_with(LOG_LEVEL_DEBUG,
		 LOG_FIELDS(.job_id = job->id, .model = job->lane->route->models[0],
			    .owner = job->lane->owner->uid),
		 "%s -> %s (attempt %u)", forebay_job_state_name(from),
		 forebay_job_state_name(next), (unsigned)job->tries);
}

int64_t
job_rest_ms(unsigned refusals, int64_t min_ms, int64_t max_ms, double random)
{
	int64_t rest = min_ms;

	for (unsigned i = 1; i < refusals && rest < max_ms; i++)
		rest *= 2;
	rest = MIN(rest, max_ms);
	return (int64_t)((double)rest * (0.8 + 0.4 * random));
}
