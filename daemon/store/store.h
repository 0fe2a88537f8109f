/*
 * store.h - the disk, behind an asynchronous face that knows no SQL.
 *
 * Every function that takes a done callback only appends an operation to the
 * batch being filled. A thread of the store's own runs the batch in one
 * transaction; done is called on the loop in a later turn, in the order of the
 * calls, when the transaction is on disk (or was refused). Operations that carry
 * a body over 64 KiB, in or out, may run (in) and be done after later ones: it
 * goes in pieces, between the others. Nothing here blocks the loop. An operation cannot be
 * withdrawn: arg must live until done, so pass something that is looked up again, or owned by
 * whoever waits.
 */
#ifndef DAEMON_STORE_STORE_H
#define DAEMON_STORE_STORE_H

#include "protocol/base.h"
#include "daemon/store/rows.h"

struct event_base;
struct store;

typedef void store_done_fn(enum forebay_err err, struct store_reply *reply, void *arg);

struct store_config {
	const char *dir; /* holds forebay.db and forebay.lock */
	bool durability_full;
	bool fail_on_crash; /* RUNNING jobs of a dead daemon fail instead of going back */
	uint64_t min_free, max_store;
	int64_t now_ms;
};

/* What open found; owned by the store, valid until store_close(). */
struct store_found {
	const struct store_lane *lanes;
	size_t lane_count;
	uint64_t counts[FOREBAY_JOB_STATE_COUNT];
	uint64_t next_id;   /* first id never used */
	uint64_t recovered; /* were RUNNING, are QUEUED (or FAILED) now */
	int64_t next_due_ms;
	const struct store_gate {
		const char *name, *text; /* as saved */
	} * gates;
	size_t gate_count;
};

struct store_events {
	/* The disk is full or read-only (false, why), or takes writes again. */
	void (*writable)(bool writable, const char *why, void *arg);
	/* An I/O error or damage: nothing more will be written; stop and exit. */
	void (*broken)(const char *why, void *arg);
};

/* Lock, open, migrate, recover; synchronous, before the loop runs. why says what is wrong
 * in one sentence: a database of a newer version or of somebody else is refused untouched;
 * a damaged one is kept aside under a new name and the error is STORAGE. events may not be
 * NULL and must outlive the store. */
MUST_CHECK enum forebay_err store_open(const struct store_config *config, struct event_base *base,
				       const struct store_events *events, void *arg,
				       struct store **ret, char *why, size_t why_len);
const struct store_found *store_found(const struct store *store);

/* Commits what is waiting but calls nobody any more, joins the thread,
 * checkpoints. Not from a callback of the store. Accepts NULL. */
void store_close(struct store *store);

/* STORAGE with a sentence when a submit would be refused now (below min_free,
 * over max_store, not writable). Answers from memory. */
enum forebay_err store_accepts(const struct store *store, const char **ret_why);
/* Operations and bytes not yet on disk: the measure for back-pressure. */
size_t store_backlog(const struct store *store);
size_t store_backlog_bytes(const struct store *store);
/* Changes as long as the store's thread makes progress or is idle. */
uint64_t store_heartbeat(const struct store *store);
void store_disk(const struct store *store, uint64_t *ret_store_bytes, uint64_t *ret_free_bytes);

/* --- changes --------------------------------------------------------------- */

/* A new job (QUEUED or DELAYED) in lane, which is made if new; job->earlier goes into the
 * ledger. body is taken (malloc'd); with job->retry_of the body is that job's and body is
 * NULL. Reply: id, state, existing; KEY_CONFLICT when (uid, key) belongs to another body or
 * other options. */
void store_submit(struct store *store, const struct store_job *job, const struct store_lane *lane,
		  uint8_t *body, size_t body_len, store_done_fn *done, void *arg);

/* QUEUED -> RUNNING with a ledger row that says sent. Reply: moved, job, body. NOT_FOUND: no
 * such job. INTERNAL: its body is damaged (missing, or not as long as its row says), for good.
 * STORAGE: it cannot be had now (disk, memory). With these two there is no body, and moved is
 * the truth: if it is set (with INTERNAL always) the job is RUNNING and the attempt in the
 * ledger; store_finish() it, FAILED or QUEUED, with an attempt that was not sent. */
void store_start(struct store *store, const struct store_attempt *attempt, store_done_fn *done,
		 void *arg);

/* End of the attempt in the ledger (number 0: none), which now says whether it was really
 * sent, and RUNNING or BATCHED -> end->to. Reply: moved, state. Not moved: the result is kept
 * only when the job is EXPIRED and end->late. */
void store_finish(struct store *store, const struct store_end *end, store_done_fn *done, void *arg);

/* A job that never had a row, with its ledger (end->earlier in order, then end->attempt; of
 * refused ones the first and last 20): ephemeral jobs, at their end. The request is not kept. */
void store_record(struct store *store, const struct store_job *job, const struct store_lane *lane,
		  const struct store_end *end, store_done_fn *done, void *arg);

/* Move the job if it is in one of the states of from_mask (1 << state) and belongs to uid
 * ((uid_t)-1: anybody). Reply: moved, state (the one it has now), uid, lane, moves[0] with its
 * head and what it was; NOT_FOUND. */
void store_move(struct store *store, uint64_t id, uid_t uid, unsigned from_mask,
		enum forebay_job_state to, enum forebay_err error, int64_t now_ms,
		store_done_fn *done, void *arg);

/* At most limit jobs whose time has come: DELAYED ones become QUEUED, those
 * past their deadline EXPIRED. Reply: moves, next_due_ms. */
void store_due(struct store *store, int64_t now_ms, unsigned limit, store_done_fn *done, void *arg);

/* Remove a final job and its bodies. Reply: moved (it is gone), state; NOT_FOUND. */
void store_delete(struct store *store, uint64_t id, uid_t uid, store_done_fn *done, void *arg);

/* Remove at most limit jobs whose keep time is over. Reply: move_count, more. */
void store_sweep(struct store *store, int64_t now_ms, unsigned limit, store_done_fn *done,
		 void *arg);

/* No id below limit will be given to anybody else after a restart. */
void store_reserve_ids(struct store *store, uint64_t limit, store_done_fn *done, void *arg);

/* done may be NULL. */
void store_save_gate(struct store *store, const char *name, const char *text, store_done_fn *done,
		     void *arg);

/* --- reads (of a damaged body: INTERNAL) --------------------------------------- */

/* At most limit QUEUED heads of the lane behind (priority, id) in the order of
 * priority (high first), then id. Reply: heads, more. */
void store_window(struct store *store, uint32_t lane, int16_t after_priority, uint64_t after_id,
		  unsigned limit, store_done_fn *done, void *arg);

/* Reply: job, result (of a final job, else NULL), attempts when with_attempts; NOT_FOUND. */
void store_show(struct store *store, uint64_t id, uid_t uid, bool with_attempts,
		store_done_fn *done, void *arg);
/* Reply: job, result, body (the answer). */
void store_result(struct store *store, uint64_t id, uid_t uid, store_done_fn *done, void *arg);
/* Reply: job, body (the request, as submitted). */
void store_request(struct store *store, uint64_t id, uid_t uid, store_done_fn *done, void *arg);
/* Reply: moves, one an id in that order; found, uid, from = to = its state. */
void store_states(struct store *store, const uint64_t *ids, size_t count, uid_t uid,
		  store_done_fn *done, void *arg);
/* Reply: jobs (newest first), more, next_id. May return fewer than limit and
 * more: it reads a bounded number of rows at a time. */
void store_list(struct store *store, const struct store_filter *filter, store_done_fn *done,
		void *arg);

#endif
