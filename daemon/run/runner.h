/*
 * runner.h - the heart: jobs from acknowledgement to answer. It decides with
 * the lanes and the gates, moves with the store, calls with the net room, and
 * tells the watchers.
 *
 * What it promises is on disk first: every done callback comes in a later turn
 * of the loop, when the transaction that makes it true has been committed.
 */
#ifndef DAEMON_RUN_RUNNER_H
#define DAEMON_RUN_RUNNER_H

#include "daemon/base/config.h"
#include "daemon/run/gates.h"
#include "protocol/base.h"
#include "protocol/errors.h"
#include "protocol/message.h"
#include "protocol/options.h"
#include "protocol/states.h"

#include <sys/types.h>

struct curl_loop;
struct event_base;
struct gates;
struct live;
struct runner;
struct store;
struct watch;

#define RUNNER_WHY_LEN 256

/* Who asks, as the kernel says. Borrowed for the call. */
struct caller {
	uid_t uid;
	const gid_t *groups;
	size_t group_count;
	const char *unit; /* "" unknown */
	bool admin;
};

struct runner_events {
	/* draining and nothing runs any more; called once. */
	void (*drained)(void *arg);
};

/* All borrowed, and must outlive the runner. Jobs start with runner_begin(). */
struct runner *runner_new(struct event_base *base, const struct config *config, struct store *store,
			  struct curl_loop *loop, const struct runner_events *events, void *arg);
/* Cancels what runs; the store must still be open. Accepts NULL. */
void runner_free(struct runner *runner);
void runner_begin(struct runner *runner);
void runner_configure(struct runner *runner, const struct config *config);

/* The disk takes writes again, or does not: from the store's events. */
void runner_writable(struct runner *runner, bool writable);

/* Start nothing any more; what runs may finish until the timeout, then it goes
 * back to the queue. drained comes in the end. */
void runner_drain(struct runner *runner, int64_t timeout_ms);
bool runner_is_draining(const struct runner *runner);
bool runner_is_drained(const struct runner *runner);

/* Without a usable key nothing can be sent: why says so to everybody who asks.
 * NULL: there is one (again). */
void runner_set_key(struct runner *runner, const char *why, enum gates_key key);

/* Something outside changed (a gate was released): look again. */
void runner_kick(struct runner *runner);

/* The gates were changed by hand: done comes when that is on disk. */
typedef void runner_saved_fn(enum forebay_err err, void *arg);
void runner_save_gates(struct runner *runner, runner_saved_fn *done, void *arg);

/* --- what clients ask for ---------------------------------------------------- */

/* existing: the idempotency key was known, id and state are that job's. */
typedef void runner_submit_fn(enum forebay_err err, const char *why, uint64_t id,
			      enum forebay_job_state state, bool existing, void *arg);
/*
 * A new job. body is taken (malloc'd) whatever the result. An error known at
 * once is returned with a sentence in why, and done does not come.
 */
MUST_CHECK enum forebay_err runner_submit(struct runner *runner, const struct caller *caller,
					  const struct request *request, uint8_t *body, size_t len,
					  runner_submit_fn *done, void *arg,
					  char why[static RUNNER_WHY_LEN]);
/* The body of a final job again, as a new one. done: id is the new one. */
void runner_retry(struct runner *runner, const struct caller *caller, uint64_t id,
		  runner_submit_fn *done, void *arg);
/* One call of 10 tokens, tried once. The same done; follow the job by its id. */
MUST_CHECK enum forebay_err runner_verify(struct runner *runner, const struct caller *caller,
					  const char *model, runner_submit_fn *done, void *arg,
					  char why[static RUNNER_WHY_LEN]);

/* state: what the job is now: CANCELED, or the final state it already had. */
typedef void runner_cancel_fn(enum forebay_err err, enum forebay_job_state state, void *arg);
void runner_cancel(struct runner *runner, const struct caller *caller, uint64_t id,
		   runner_cancel_fn *done, void *arg);

/* Bytes of its answer went to somebody who cannot take them back: it is never tried again,
 * and a failure from now on ends it. */
void runner_seal(struct runner *runner, uint64_t id);

/* --- what there is to see ----------------------------------------------------- */

struct gates *runner_gates(struct runner *runner);
struct watch *runner_watch(struct runner *runner);
struct live *runner_live(struct runner *runner);

struct runner_counts {
	uint64_t jobs[FOREBAY_JOB_STATE_COUNT];
	uint64_t queued[FOREBAY_CLASS_COUNT]; /* of the queued ones */
	unsigned in_flight, workers;
};
void runner_count(const struct runner *runner, struct runner_counts *ret);

/* An ended job was deleted: it is not counted any more. */
void runner_forgot(struct runner *runner, enum forebay_job_state state);
/* No key, or one that is refused, or a billing pause. */
bool runner_key_is_closed(struct runner *runner);

/* Is it an ephemeral job that has not ended: known here alone? Then whose, and its state. */
bool runner_knows_ephemeral(const struct runner *runner, uint64_t id, uid_t *ret_uid,
			    enum forebay_job_state *ret_state);

/* Of the attempt that job id is in: its model, and what was changed for it ("" nothing).
 * Borrowed until the loop turns; NULL, and NULL, when it is in none. */
const char *runner_attempt(const struct runner *runner, uint64_t id, const char **ret_changes);

/* What the API calls the request of that attempt, NULL while its answer has not begun. Borrowed
 * as above. */
const char *runner_request_id(const struct runner *runner, uint64_t id);

/* Why job id waits: "claude-opus-5-5 dark 3m10s, next try in 3.4 s; 3rd in
 * line". model is its first choice, NULL if the caller does not know. Returns buf. */
const char *runner_waiting(struct runner *runner, uint64_t id, const char *model, char *buf,
			   size_t len);

#endif
