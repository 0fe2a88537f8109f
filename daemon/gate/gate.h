/*
 * gate.h - may a request go now? One gate per model, shared by all workers; the
 * same code keyed by host and by key. It holds two windows (how many requests
 * may be unanswered, how many in flight), tells a limit from chance and from
 * darkness, and answers yes or when to ask again.
 *
 * Pure arithmetic. `now` is in seconds and never runs backwards, `random` in
 * [0, 1).
 *
 * One attempt:  may_send -> sent -> left -> accepted | refused | limited -> ended
 *               or, when it never went to the wire,                      -> unsent
 */
#ifndef DAEMON_GATE_GATE_H
#define DAEMON_GATE_GATE_H

#include <stdbool.h>

enum gate_manner { GATE_EAGER, GATE_DEFAULT, GATE_POLITE };
struct gate_config {
	int slots;	      /* transfers available: upper bound of level */
	double window_start;  /* window of a cold gate */
	double window_share;  /* window <= max(4, window_share * slots) */
	double window_add;    /* for each acceptance */
	double window_memory; /* s; after darkness the old window fades with its age */
	double gain;	      /* of the two averages that tell limit from chance */
	double dead_band;     /* a difference below this is chance */
	double lift;	      /* of level, for each acceptance */
	double run_min;	      /* dark: a run of refusals longer than this, and */
	double run_mul;	      /* than run_mul * (usual run + 1) */
	double run_gain;
	double kappa; /* pause = kappa * sqrt(age of the run / slots) */
	double pause_max;
	double grow_kappa;
	double grow_min;
	double grow_max;
	double knock;  /* s; at most slots / knock refusals a second in the long run */
	double quiet;  /* s without an answer: no longer holds others back */
	double stall;  /* s without a first byte: counted as refused */
	double jitter; /* of pauses, a share */
};

struct gate {
	double window;		 /* most requests neither refused nor begun */
	double level;		 /* most in flight: what the model is believed to carry */
	double refused_in_place; /* share, tried in place of one of ours that ended */
	double refused_again;	 /* share, tried again though nothing had ended */
	double usual_run;	 /* refusals per acceptance */
	double run_since;	 /* when this run of refusals began; then: */
	double run_window;
	double run_level;
	double next_at;	     /* pause: nothing is sent before */
	double hold_until;   /* retry-after: nothing is sent before */
	double closed_until; /* by hand, or by 401, 403, billing */
	double grow_at;	     /* growth: not before */
	double level_since;
	double first_byte_s; /* usual time to the first byte */
	double refusal_s;    /* usual time to a refusal */
	double accepted_at;  /* last acceptance */
	double answered_at;  /* last acceptance or refusal */
	double refused_share;
	double knocks; /* refusals left in the budget */
	double knocks_at;
	double rate; /* reference's request bucket, tokens a second; 0: none */
	double burst;
	double tokens;
	double tokens_at;
	int in_flight;
	int unanswered; /* of these: no answer yet, neither quiet nor stalled */
	int quiet;	/* no answer yet, though a refusal would have come */
	int freed;	/* of ours ended, place not tried again yet */
	int run;	/* refusals since the last acceptance */
	int refusals;
	int grow_step;
	int growing;		  /* growth requests not answered yet */
	int hold_why, closed_why; /* enum gate_why */
};
_Static_assert(sizeof(struct gate) <= 384, "a gate is small");

/* One attempt at one gate, embedded by the caller. All zero: not taken. */
struct gate_ticket {
	double sent_at;
	int in_flight; /* at that moment, itself included */
	int unanswered;
	int refusals;
	unsigned char counted; /* as unanswered, quiet or neither */
	unsigned char kind;
	bool taken;
	bool in_level; /* counted in gate.in_flight */
	bool early;    /* taken for accepted when it fell quiet */
	bool growth, stalled, accepted;
};

void gate_config_init(struct gate_config *config, int slots, enum gate_manner manner);
void gate_init(struct gate *gate, const struct gate_config *config);
/* After config has changed: slots may have become fewer. */
void gate_fit(struct gate *gate, const struct gate_config *config);

/* If not, *ret_when is when to ask again (by rounding perhaps now itself: have a
 * timer of 1 ms at least); INFINITY: after the next event. */
bool gate_may_send(const struct gate *gate, const struct gate_config *config, double now,
		   double *ret_when);

/* Fills ticket. It must be ended or returned unsent, exactly once. */
void gate_sent(struct gate *gate, const struct gate_config *config, double now,
	       struct gate_ticket *ticket);
/* The request really goes to the wire now: restarts the ticket's clock. */
void gate_left(struct gate_ticket *ticket, double now);
/* It never went: takes the ticket back, and nothing is learned. */
void gate_unsent(struct gate *gate, struct gate_ticket *ticket);

/* What happened to it. A second answer of the same kind is ignored; a refusal
 * after an acceptance (an overload in the first bytes) counts as one. */
void gate_accepted(struct gate *gate, const struct gate_config *config, double now,
		   struct gate_ticket *ticket);
/* No answer within gate_quiet_after, gate_stalled_after; the attempt goes on. */
void gate_quiet(struct gate *gate, const struct gate_config *config, double now,
		struct gate_ticket *ticket);
void gate_stalled(struct gate *gate, const struct gate_config *config, double now,
		  struct gate_ticket *ticket, double random);
/* capacity: 529. Otherwise 5xx, connection failure, timeout. */
void gate_refused(struct gate *gate, const struct gate_config *config, double now,
		  struct gate_ticket *ticket, double random, bool capacity);
/* 429 with retry-after in seconds. */
void gate_limited(struct gate *gate, const struct gate_config *config, double now,
		  struct gate_ticket *ticket, double retry_after, double random);
/* The transfer is over; after its answer. carried: it had been accepted. An
 * unanswered one (canceled) is forgotten without evidence. */
void gate_ended(struct gate *gate, struct gate_ticket *ticket, bool carried);

/* retry-after beside a 529: besides gate_refused. */
void gate_asked_to_wait(struct gate *gate, double now, double retry_after, double random);
/* The reference's request bucket; the daemon uses struct ratelimit instead.
 * remaining < 0: not known. */
void gate_headers(struct gate *gate, const struct gate_config *config, double now,
		  double limit_per_min, double remaining);

double gate_quiet_after(const struct gate *gate, const struct gate_config *config);
double gate_stalled_after(const struct gate *gate, const struct gate_config *config);
/* Seconds before it would take a request: a dark gate stays dark as long again. */
double gate_expected_wait(const struct gate *gate, const struct gate_config *config, double now);
bool gate_is_dark(const struct gate *gate, const struct gate_config *config);
/* 1: a limit, fewer in flight helps. 0: chance, it does not. */
double gate_limit_share(const struct gate *gate, const struct gate_config *config);

/* After a start with loaded state: nothing is in flight, start small. */
void gate_restart(struct gate *gate, const struct gate_config *config);

#endif
