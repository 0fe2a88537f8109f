/*
 * chain.h - which model of its chain a job goes to. Pure: what the gates say
 * of a model is asked for when it is needed.
 *
 * Every attempt is decided anew, from the first model on: the first one whose
 * gate says yes. A later one is looked at only when the one before it keeps
 * the job waiting longer than its patience, so a job comes back to its first
 * model as soon as that takes requests again. A model that cannot serve the
 * job at all (404, a 400 that only a fallback gave) is barred for it.
 */
#ifndef DAEMON_JOB_CHAIN_H
#define DAEMON_JOB_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#define CHAIN_MAX   32	      /* models of one chain: a bit each */
#define CHAIN_NEVER INT64_MAX /* a patience without end */

/* How often, on the model it last happened on. */
struct chain_count {
	uint8_t model, times;
};

/* What a job remembers of its way, in memory alone. All zero: nothing yet. */
struct chain_state {
	int64_t blocked_ms;	   /* monotonic: first in line since, and not let in; 0: no */
	int64_t refused_ms;	   /* monotonic: first of its refusals in a row; 0: none */
	int64_t last_refused_ms;   /* and the last one */
	uint32_t barred;	   /* models that cannot serve it */
	uint8_t refuser;	   /* the model that refused it so */
	struct chain_count tries;  /* by the classic rule */
	struct chain_count faults; /* in a row */
};

/* One model, as the gates see it now. */
struct chain_look {
	bool open;	     /* it may be sent to */
	bool probe;	     /* as the one request that tries it in the dark */
	bool unusable;	     /* it refused somebody as a model lately */
	bool classic;	     /* policy = classic: left after its attempts, never for the wait */
	double wait_s;	     /* how long it would probably keep the job */
	int64_t accepted_ms; /* monotonic: when it last took a request; 0: never */
};
typedef void chain_look_fn(unsigned model, struct chain_look *ret, void *arg);

enum chain_answer { CHAIN_WAIT, CHAIN_GO, CHAIN_PROBE };
struct chain_choice {
	enum chain_answer answer;
	unsigned model;	 /* of GO and PROBE */
	int64_t when_ms; /* of WAIT, monotonic: patience ends then; INT64_MAX */
	bool own;	 /* of WAIT: it keeps this job, and perhaps not those behind it */
};

/*
 * Where now? count: models of the chain. refuge: also past the first one;
 * asked in a second round, when no job whose first model it is can go. The job
 * must not have all of them barred.
 */
struct chain_choice chain_choose(const struct chain_state *state, unsigned count, bool refuge,
				 int64_t patience_ms, int64_t now_ms, chain_look_fn *look,
				 void *arg);

/* Its first model did not let it in. */
void chain_blocked(struct chain_state *state, int64_t now_ms);
/* It was sent somewhere. */
void chain_sent(struct chain_state *state);
void chain_refused(struct chain_state *state, unsigned model, int64_t now_ms);
void chain_faulted(struct chain_state *state, unsigned model);
/* A try by the classic rule has failed; which one on this model it was. */
unsigned chain_tried(struct chain_state *state, unsigned model);
/* Never again to this model; false when that was the last one left. */
bool chain_bar(struct chain_state *state, unsigned model, unsigned count);
bool chain_is_barred(const struct chain_state *state, unsigned model);

#endif
