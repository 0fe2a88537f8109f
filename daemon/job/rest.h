/*
 * rest.h - jobs that rest after a refusal, ordered by when that is over: a
 * binary heap that knows where each job stands in it.
 */
#ifndef DAEMON_JOB_REST_H
#define DAEMON_JOB_REST_H

#include "daemon/job/job.h"

struct rest {
	struct job **heap; /* owned array, jobs borrowed */
	size_t count, room;
};

void rest_clear(struct rest *rest);
void rest_add(struct rest *rest, struct job *job);    /* by job->rest_until_ms */
void rest_remove(struct rest *rest, struct job *job); /* nothing if it is not in it */
/* The one that is over first, NULL when empty. */
struct job *rest_first(const struct rest *rest);

#endif
