/*
 * job.h - one job in memory: a head waiting in its lane, or a running one.
 *
 * Most jobs have no struct job: they are rows on disk, and a lane's window
 * holds only the next few. What is here can be thrown away at any instant.
 */
#ifndef DAEMON_JOB_JOB_H
#define DAEMON_JOB_JOB_H

#include "daemon/job/chain.h"
#include "protocol/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct lane;

struct job {
	uint64_t id;
	struct lane *lane;  /* borrowed: lanes outlive their jobs */
	int64_t created_ms; /* wall clock, as these two */
	int64_t since_ms;   /* it could have run: what it ages from */
	int64_t deadline_ms;
	int64_t rest_until_ms; /* monotonic; not eligible before, see job_rest_ms() */
	int64_t eligible_ms;   /* monotonic: since when it could have been started */
	uint32_t cost_input;   /* estimated tokens */
	uint32_t cost_output;
	uint32_t max_output; /* most tokens its answer may have */
	uint32_t body_len;
	uint32_t tries;	   /* attempts made, refused ones included */
	uint32_t refusals; /* in a row; what its rest doubles with */
	struct chain_state chain;
	int32_t heap_index; /* among the resting ones, -1: not resting */
	int16_t priority;
	uint16_t attempts; /* that counted */
	uint16_t max_attempts;
	uint8_t state;	    /* enum forebay_job_state */
	uint8_t class;	    /* in which it was chosen: its lane's, or the one above */
	uint8_t model;	    /* of its route, chosen by the verdict that let it go */
	uint8_t overloads;  /* refused for want of capacity so often: max_tokens may shrink */
	bool sealed;	    /* its answer is partly out: no second attempt */
	bool stripped;	    /* thinking blocks are left out on a fallback */
	bool ready;	    /* stands in its lane's window */
	bool moving;	    /* a move is on its way to the disk */
	bool cancel_wanted; /* decided when the move has landed */
	bool ephemeral;	    /* no row before its end */
	void *attempt;	    /* borrowed: the runner's, while it runs */
	void *ephemera;	    /* owned by the runner: body and options of an ephemeral job */
	UT_hash_handle hh;  /* in lanes, by id */
};

/* Does a come before b within one lane? */
static inline bool
job_before(const struct job *a, const struct job *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

/*
 * The only place a state changes: checks the table (fatal() for an illegal
 * move), logs, counts. Its caller is runner_move() and what it calls.
 */
void job_set_state(struct job *job, enum forebay_job_state next);

/*
 * How long a job rests after its n-th refusal in a row (n >= 1), whatever the
 * gate says (M9): min doubling to max, +- 20 % by random in [0, 1).
 */
int64_t job_rest_ms(unsigned refusals, int64_t min_ms, int64_t max_ms, double random);

#endif
