/*
 * runner_internal.h - what the files of the runner share: runner.c (who
 * starts), moves.c (state, disk and watchers together), attempt.c and ending.c
 * (one try), intake.c and cancel.c (what clients ask for), patrol.c (what
 * happens by the clock). Internal to run/.
 */
#ifndef DAEMON_RUN_RUNNER_INTERNAL_H
#define DAEMON_RUN_RUNNER_INTERNAL_H

#include "daemon/job/lanes.h"
#include "daemon/job/schedule.h"
#include "daemon/run/attempt.h"
#include "daemon/run/runner.h"

/* What an ephemeral job is made of until it has a row. */
struct ephemera {
	struct store_job row; /* strings owned below */
	char *version, *betas, *model_option, *label, *unit, *model, *chain, *skipped;
	char *headers, *query;
	struct store_attempt *earlier; /* owned, with its strings: refused ones */
	size_t earlier_count;
	uint8_t *body; /* owned */
	size_t body_len;
	int64_t spill_ms;	    /* monotonic: then it becomes an ordinary row */
	bool once;		    /* verify: one try, no second */
	bool listed;		    /* among the unsent */
	struct job *job;	    /* borrowed */
	TAILQ_ENTRY(ephemera) link; /* among the unsent */
	TAILQ_ENTRY(ephemera) link_all;
};
TAILQ_HEAD(ephemera_list, ephemera);

struct cancel;
TAILQ_HEAD(cancel_list, cancel);
struct direct;
TAILQ_HEAD(direct_list, direct);

struct runner {
	struct event_base *base; /* borrowed, as all of these */
	const struct config *config;
	struct store *store;
	struct curl_loop *loop;
	const struct runner_events *events;
	void *arg;

	struct gates *gates; /* owned, as all of these */
	struct lanes *lanes;
	struct watch *watch;
	struct live *live;
	struct schedule schedule;
	struct event *pump;   /* deferred: look who can start */
	struct event *wake;   /* the earliest time anybody can */
	struct event *due;    /* the earliest delay or deadline */
	struct event *second; /* patrol.c */
	struct event *drain_timer;

	struct attempt_list running;
	struct attempt_list ending;	/* ended, and on its way to the disk */
	struct attempt_list stuck;	/* ended, and the disk refused to hear it */
	struct ephemera_list unsent;	/* ephemeral jobs that wait, by spill_ms */
	struct ephemera_list ephemeral; /* all of them */
	struct cancel_list cancels;	/* of jobs that are on their way to the disk */
	struct direct_list directs;	/* requests that are no job, */
	unsigned direct_count;		/* how many, and the bytes of their bodies */
	size_t direct_bytes;
	uint64_t pending; /* jobs that have not ended, those on their way to the disk too */
	uint64_t ephemeral_bytes;
	uint64_t counts[FOREBAY_JOB_STATE_COUNT], queued[FOREBAY_CLASS_COUNT];
	uint64_t first_id; /* of this run */
	uint64_t next_id,
	    reserved_id;     /* ids below reserved_id are safe to give out without a row */
	int64_t next_due_ms; /* wall; as far as known */
	double wall_offset;  /* wall clock minus monotonic, as last seen */
	unsigned in_flight;  /* that have a slot of the pool; */
	unsigned lent;	     /* and that have none: nothing comes, somebody else has theirs */
	unsigned seconds;    /* ticks so far */
	bool begun, draining, drain_over, drained, due_asked, sweeping;
	char key_why[RUNNER_WHY_LEN]; /* "": there is a key */
};

/* runner.c */
void runner_start_job(struct runner *runner, struct job *job, double now);
void runner_refill(struct runner *runner, struct lane *lane);
/* The slot of an attempt is free again. */
void runner_slot_freed(struct runner *runner, struct attempt *attempt);
/* No first byte for too long: another job may have its slot, until it comes
 * after all. At most as many as there are workers, or 128. */
void runner_lend_slot(struct runner *runner, struct attempt *attempt);
void runner_reclaim_slot(struct runner *runner, struct attempt *attempt);
void runner_check_drained(struct runner *runner);

/*
 * moves.c: the only place where state, counts and watchers change, called when
 * the move is on disk. job is NULL for one that is not in memory. After a
 * final state job has been dropped (unless an attempt still holds it).
 */
struct moved {
	uint64_t id;
	struct job *job;
	struct lane *lane;
	uint32_t body_len;
	enum forebay_job_state from, to;
	enum forebay_err error;
	const struct store_result *result; /* of a final one, if at hand */
	const uint8_t *body;
	size_t result_len;
};
void runner_move(struct runner *runner, const struct moved *moved);
/* A new job is on disk (or, ephemeral, in memory). */
void runner_count_new(struct runner *runner, struct lane *lane, enum forebay_job_state state,
		      uint32_t body_len);
void runner_drop_job(struct runner *runner, struct job *job);

/* ephemera.c: what an ephemeral job keeps beside its head. body is taken. */
struct ephemera *ephemera_new(struct runner *runner, const struct store_job *row, uint8_t *body,
			      size_t len);
void ephemera_free(struct runner *runner, struct ephemera *ephemera);
/* It waits: after spill_after it becomes a row. And: it is sent, or gone. */
void ephemera_wait(struct runner *runner, struct ephemera *ephemera);
void ephemera_unlist(struct runner *runner, struct ephemera *ephemera);
/* An attempt ended and another follows: for the ledger, when it has one. */
void ephemera_remember(struct ephemera *ephemera, const struct store_attempt *attempt);

/* ending.c: try again what the disk refused to hear. */
void runner_retry_stuck(struct runner *runner);

/* cancel.c: job id has landed; who wanted to cancel it goes on. */
void cancel_resume(struct runner *runner, uint64_t id);
void cancel_free_all(struct runner *runner);

/* patrol.c */
void patrol_new(struct runner *runner);
void patrol_begin(struct runner *runner);
void patrol_end(struct runner *runner);
/* Something is due at wall_ms: perhaps earlier than the timer stands. */
void patrol_expect(struct runner *runner, int64_t wall_ms);
/* A request to model begins or has ended: in the dark its gate goes to the disk
 * together with that, for a daemon that is killed just then. */
void patrol_foresee(struct runner *runner, const char *model);
void patrol_spill(struct runner *runner, struct ephemera *ephemera);

/* intake.c */
struct job *intake_head(struct runner *runner, struct lane *lane, const struct store_head *head);
/* Keep a block of ids ready for jobs without a row. */
void intake_reserve_ids(struct runner *runner);
void intake_limits(struct owner *owner, const struct config_limits *limits);

#endif
