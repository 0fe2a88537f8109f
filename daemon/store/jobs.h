/*
 * jobs.h - the job row and the ledger between their tables and their structs.
 * Private to daemon/store/. Failures stay in db->failure.
 */
#ifndef DAEMON_STORE_JOBS_H
#define DAEMON_STORE_JOBS_H

#include "protocol/base.h"
#include "daemon/store/db.h"
#include "daemon/store/rows.h"

/* Bits of the column flags. */
enum { JOB_EPHEMERAL = 1, JOB_LATE = 2 };

/* What moving a job needs. */
struct job_hot {
	struct store_head head;
	enum forebay_job_state state;
	uid_t uid;
	int64_t keep_ms;
	uint64_t body;	  /* id of the request's body, 0: not kept */
	uint64_t refused; /* attempts that ended and did not count */
};

/* The row query stands on; false: it makes no sense, the file is damaged. */
bool jobs_hot(struct db *db, sqlite3_stmt *query, struct job_hot *ret);
/* The same with all of the job; strings go into arena. */
bool jobs_full(struct db *db, sqlite3_stmt *query, struct arena *arena, struct job_hot *ret_hot,
	       struct store_job *ret);

/* By id, if it belongs to uid ((uid_t)-1: anybody). */
bool jobs_find(struct db *db, uint64_t id, uid_t uid, struct job_hot *ret);
bool jobs_find_full(struct db *db, uint64_t id, uid_t uid, struct arena *arena,
		    struct job_hot *ret_hot, struct store_job *ret);

/* Insert. False without a failure: its id or (uid, key) is taken. */
bool jobs_add(struct db *db, const struct store_job *job, uint64_t body);

/* The change of state of one job, on disk and in the counts. */
struct job_move {
	enum forebay_job_state to;
	enum forebay_err error;
	int64_t now_ms;
};
/* False: it is in another state than hot says, or the move is not legal. */
bool jobs_move(struct db *db, const struct job_hot *hot, const struct job_move *move);
/* The job, its ledger, its result, and its bodies unless shared. */
void jobs_remove(struct db *db, const struct job_hot *hot);

/* When something is to be done about a job that is in state. */
int64_t jobs_due(enum forebay_job_state state, int64_t not_before_ms, int64_t deadline_ms,
		 int64_t ended_ms, int64_t keep_ms);

/* --- ledger ------------------------------------------------------------------ */

/* Of refused attempts so many rows are kept at each end. */
#define LEDGER_REFUSED_KEPT 20
/* Ended as overloaded or limited, or otherwise in a way that does not count. */
bool ledger_is_refused(const struct store_attempt *attempt);
void ledger_add(struct db *db, const struct store_attempt *attempt);
/* Write how it ended, adding the row when there is none; the middle of a long
 * series of refused ones is dropped. refused counts this one already. */
void ledger_end(struct db *db, const struct store_attempt *attempt, uint64_t refused);
/* The ledger of a job that had no row so far, in order, ended; refused ones of the
 * middle are left out. Returns how many were refused. */
uint64_t ledger_add_all(struct db *db, uint64_t job, const struct store_attempt *attempts,
			size_t count);
/* How often in a row it was sent and nobody saw the end, up to now; an overload in
 * between changes nothing. */
uint64_t ledger_lost(struct db *db, uint64_t job);
/* At most LEDGER_MAX rows, oldest first. */
#define LEDGER_MAX 256
size_t ledger_read(struct db *db, uint64_t job, struct arena *arena,
		   const struct store_attempt **ret);

/* --- the answer -------------------------------------------------------------- */

struct job_result {
	struct store_result result;
	uint64_t body, raw; /* ids of bodies, 0: none */
};
void results_add(struct db *db, uint64_t job, const struct job_result *result);
/* False: there is none. */
bool results_find(struct db *db, uint64_t job, struct arena *arena, struct job_result *ret);

#endif
