/*
 * states.c - the table of job states as rows; see states.h.
 */
#include "protocol/states.h"

#include <string.h>

#define TO(state) (1u << FOREBAY_JOB_##state)
#define FINAL	  0u

static const struct state_row {
	const char *name;
	unsigned successors; /* bit mask */
} rows[] = {
#define X(state, number, name, successors) [FOREBAY_JOB_##state] = { name, successors },
	FOREBAY_JOB_STATES(X)
#undef X
};

const char *
forebay_job_state_name(int state)
{
	return state >= 0 && state < FOREBAY_JOB_STATE_COUNT ? rows[state].name : "unknown";
}

bool
forebay_job_state_from_name(const char *name, enum forebay_job_state *ret)
{
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++)
		if (strcmp(rows[state].name, name) == 0) {
			*ret = state;
			return true;
		}
	return false;
}

bool
forebay_job_state_allows(enum forebay_job_state from, enum forebay_job_state to)
{
	return rows[from].successors & (1u << to);
}

bool
forebay_job_state_is_final(enum forebay_job_state state)
{
	return rows[state].successors == FINAL;
}
