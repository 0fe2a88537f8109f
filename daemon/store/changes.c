/*
 * changes.c - the operations that change rows. Each runs inside a transaction
 * and writes nothing before it knows that it may.
 */
#include "daemon/store/jobs.h"
#include "daemon/store/op.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#include <inttypes.h>
#include <string.h>

/* How long one sweep may hold the writer. */
#define SWEEP_MS 8

/* What a run function answers when all went well, as far as it knows. */
static enum forebay_err
ended(const struct db *db)
{
	return db->failure == DB_FINE ? FOREBAY_ERR_OK : FOREBAY_ERR_STORAGE;
}

/* NOT_FOUND, unless the search itself failed. */
static enum forebay_err
not_found(const struct db *db)
{
	return db->failure == DB_FINE ? FOREBAY_ERR_NOT_FOUND : FOREBAY_ERR_STORAGE;
}

/* --- submit, record ---------------------------------------------------------- */

static void
learn_lane(struct db *db, const struct store_lane *lane)
{
	if (counts_learn(&db->counts, lane->id))
		db_run(db, SQL_LANE_ADD, DB_INT(lane->id), DB_INT(lane->uid), DB_INT(lane->class),
		       DB_TEXT(lane->route));
}

static bool
has_digest(sqlite3_stmt *query, int column, const uint8_t *digest)
{
	return sqlite3_column_bytes(query, column) == STORE_DIGEST_LEN &&
	       memcmp(sqlite3_column_blob(query, column), digest, STORE_DIGEST_LEN) == 0;
}

/* The insert met a row that was there: the job of this key, or a used id. */
static enum forebay_err
submit_existing(struct db *db, struct op *op, const struct store_job *job)
{
	CLEANUP(db_done)
	sqlite3_stmt *query = db_query(db, SQL_JOB_BY_KEY, DB_INT(job->uid), DB_TEXT(job->key));

	if (!job->key || !db_row(db, query)) {
		if (db->failure == DB_FINE)
			log_error("store: job id %" PRIu64 " is taken", job->head.id);
		return db->failure == DB_FINE ? FOREBAY_ERR_INTERNAL : FOREBAY_ERR_STORAGE;
	}
	op->reply.id = (uint64_t)sqlite3_column_int64(query, 0);
	op->reply.state = (enum forebay_job_state)sqlite3_column_int(query, 1);
	op->reply.lane = (uint32_t)sqlite3_column_int64(query, 2);
	op->reply.uid = job->uid;
	if (!has_digest(query, 3, job->digest) || !has_digest(query, 4, job->options))
		return FOREBAY_ERR_KEY_CONFLICT;
	op->reply.existing = true;
	return FOREBAY_ERR_OK;
}

/* What was tried before the job had a row. */
static void
add_ledger(struct db *db, uint64_t job, const struct store_attempt *attempts, size_t count)
{
	uint64_t refused = ledger_add_all(db, job, attempts, count);

	if (refused)
		db_run(db, SQL_JOB_REFUSED, DB_INT(job), DB_INT(refused), DB_INT(0));
}

/* The body of the job that is tried again, and its length. */
static bool
find_shared(struct db *db, struct store_job *job, uint64_t *ret_body)
{
	struct job_hot origin;

	if (!jobs_find(db, job->retry_of, (uid_t)-1, &origin) || !origin.body)
		return false;
	*ret_body = origin.body;
	job->head.body_len = origin.head.body_len;
	return true;
}

enum forebay_err
op_run_submit(struct db *db, struct op *op)
{
	const struct submit_args *args = op->args;
	struct store_job job = args->job;
	uint64_t body = op->in[0].id, len;

	if (job.retry_of && !find_shared(db, &job, &body))
		return not_found(db);
	if (!jobs_add(db, &job, body))
		return submit_existing(db, op, &job);
	learn_lane(db, &args->lane);
	add_ledger(db, job.head.id, job.earlier, job.earlier_count);
	if (!job.retry_of)
		bodies_put(db, &op->in[0]);
	else if (!bodies_share(db, body, &len))
		db_damaged(db, "a job's body is missing");
	op->reply.id = job.head.id;
	op->reply.state = job.state;
	op->reply.lane = job.head.lane;
	op->reply.uid = job.uid;
	return ended(db);
}

static void
add_result(struct db *db, struct op *op, uint64_t job, const struct store_result *result)
{
	struct job_result row = { .result = *result };

	row.result.body_len = op->in[0].len;
	for (size_t i = 0; i < ARRAY_LEN(op->in); i++)
		if (op->in[i].data)
			bodies_put(db, &op->in[i]);
	row.body = op->in[0].data ? op->in[0].id : 0;
	row.raw = op->in[1].data ? op->in[1].id : 0;
	results_add(db, job, &row);
}

/* An ephemeral job's key promised nothing: if somebody has it by now, go without. */
static bool
add_without_key(struct db *db, struct store_job *job)
{
	if (db->failure != DB_FINE || !job->key)
		return false;
	job->key = NULL;
	return jobs_add(db, job, 0);
}

enum forebay_err
op_run_record(struct db *db, struct op *op)
{
	const struct record_args *args = op->args;
	struct store_job job = args->job;

	job.state = args->end.to;
	job.error = args->end.error;
	job.late = args->end.late;
	job.head.attempts = args->end.attempts;
	if (!jobs_add(db, &job, 0) && !add_without_key(db, &job))
		return submit_existing(db, op, &job);
	learn_lane(db, &args->lane);
	add_ledger(db, job.head.id, args->attempts, args->attempt_count);
	if (args->has_result)
		add_result(db, op, job.head.id, &args->result);
	op->reply.id = job.head.id;
	op->reply.state = job.state;
	op->reply.lane = job.head.lane;
	op->reply.moved = true;
	return ended(db);
}

/* --- start, finish ----------------------------------------------------------- */

/* The body is opened first: a job whose body cannot be had now is not started. One
 * whose body is damaged is, for only from there it can fail. */
static enum forebay_err
start_queued(struct db *db, struct op *op, const struct store_attempt *attempt,
	     const struct job_hot *hot)
{
	enum forebay_err err = hot->body ? bodies_open(db, hot->body, &op->out) : FOREBAY_ERR_OK;

	if (err == FOREBAY_ERR_NO_MEMORY)
		log_with(LOG_LEVEL_WARN, LOG_FIELDS(.job_id = attempt->job),
			 "store: no memory for its body, the job is not started");
	if (err && err != FOREBAY_ERR_INTERNAL)
		return FOREBAY_ERR_STORAGE;
	if (db_run(db, SQL_JOB_START, DB_INT(attempt->job), DB_INT(attempt->number),
		   DB_INT(attempt->started_ms)) <= 0)
		return ended(db);
	op->reply.moved = true;
	op->reply.state = FOREBAY_JOB_RUNNING;
	counts_move(&db->counts, hot->head.lane, FOREBAY_JOB_QUEUED, FOREBAY_JOB_RUNNING,
		    hot->head.body_len);
	ledger_add(db, attempt);
	return err ? err : ended(db);
}

enum forebay_err
op_run_start(struct db *db, struct op *op)
{
	const struct store_attempt *attempt = op->args;
	struct store_job *job = arena_alloc(&op->arena, sizeof(*job));
	struct job_hot hot;
	enum forebay_err err = FOREBAY_ERR_OK;

	if (!jobs_find_full(db, attempt->job, (uid_t)-1, &op->arena, &hot, job))
		return not_found(db);
	op->reply.id = attempt->job;
	op->reply.state = hot.state;
	op->reply.uid = hot.uid;
	op->reply.lane = hot.head.lane;
	op->reply.job = job;
	if (hot.state == FOREBAY_JOB_QUEUED)
		err = start_queued(db, op, attempt, &hot);
	/* As the job is now. */
	job->state = op->reply.state;
	job->head.tries = MAX(job->head.tries, op->reply.moved ? attempt->number : 0);
	if (op->reply.moved && !job->started_ms)
		job->started_ms = attempt->started_ms;
	return err;
}

static bool
update_finished(struct db *db, const struct store_end *end, const struct job_hot *hot,
		uint64_t refused)
{
	bool final = forebay_job_state_is_final(end->to);
	int64_t ended_ms = final ? end->attempt.ended_ms : 0;
	int64_t due = jobs_due(end->to, hot->head.not_before_ms, hot->head.deadline_ms, ended_ms,
			       hot->keep_ms);

	if (hot->state != FOREBAY_JOB_RUNNING && hot->state != FOREBAY_JOB_BATCHED)
		return false;
	if (!forebay_job_state_allows(hot->state, end->to))
		return false;
	if (db_run(db, SQL_JOB_FINISH, DB_INT(hot->head.id), DB_INT(hot->state), DB_INT(end->to),
		   DB_INT(due), DB_INT(ended_ms),
		   DB_TEXT(final && end->error ? forebay_err_wire(end->error) : NULL),
		   DB_INT(end->attempts), DB_INT(refused), DB_INT(end->late ? JOB_LATE : 0)) <= 0)
		return false;
	counts_move(&db->counts, hot->head.lane, (int)hot->state, (int)end->to, hot->head.body_len);
	return true;
}

enum forebay_err
op_run_finish(struct db *db, struct op *op)
{
	const struct finish_args *args = op->args;
	const struct store_end *end = &args->end;
	struct job_hot hot;
	uint64_t refused;
	bool keep_late;

	if (!jobs_find(db, end->attempt.job, (uid_t)-1, &hot))
		return not_found(db);
	refused = hot.refused + (ledger_is_refused(&end->attempt) ? 1 : 0);
	op->reply.id = hot.head.id;
	op->reply.uid = hot.uid;
	op->reply.lane = hot.head.lane;
	op->reply.moved = update_finished(db, end, &hot, refused);
	op->reply.state = op->reply.moved ? end->to : hot.state;
	/* The job went on without us; what the attempt cost is written all the same. */
	keep_late = !op->reply.moved && end->late && hot.state == FOREBAY_JOB_EXPIRED;
	if (!op->reply.moved)
		db_run(db, SQL_JOB_REFUSED, DB_INT(hot.head.id), DB_INT(refused),
		       DB_INT(keep_late ? JOB_LATE : 0));
	if (end->attempt.number)
		ledger_end(db, &end->attempt, refused);
	if (args->has_result && (op->reply.moved || keep_late))
		add_result(db, op, hot.head.id, &args->result);
	return ended(db);
}

/* --- move, due --------------------------------------------------------------- */

enum forebay_err
op_run_move(struct db *db, struct op *op)
{
	const struct move_args *args = op->args;
	const struct job_move move = { args->to, args->error, args->now_ms };
	struct store_moved *moved = arena_alloc(&op->arena, sizeof(*moved));
	struct job_hot hot;

	if (!jobs_find(db, args->id, args->uid, &hot))
		return not_found(db);
	op->reply.moved = (args->from_mask & 1u << hot.state) && jobs_move(db, &hot, &move);
	op->reply.state = op->reply.moved ? args->to : hot.state;
	*moved = (struct store_moved){ hot.head, hot.uid, hot.state, op->reply.state, true };
	op->reply.moves = moved;
	op->reply.move_count = 1;
	op->reply.id = hot.head.id;
	op->reply.uid = hot.uid;
	op->reply.lane = hot.head.lane;
	return ended(db);
}

/* The rows of a query, copied: they must not be changed while it is stepped. */
static size_t
collect(struct db *db, enum sql sql, const struct due_args *args, struct arena *arena,
	struct job_hot **ret)
{
	CLEANUP(db_done)
	sqlite3_stmt *query = db_query(db, sql, DB_INT(args->now_ms), DB_INT(args->limit));
	struct job_hot *rows = arena_alloc(arena, args->limit * sizeof(*rows));
	size_t count = 0;

	while (count < args->limit && db_row(db, query) && jobs_hot(db, query, &rows[count]))
		count++;
	*ret = rows;
	return count;
}

static bool
is_past(int64_t deadline_ms, int64_t now_ms)
{
	return deadline_ms > 0 && deadline_ms <= now_ms;
}

enum forebay_err
op_run_due(struct db *db, struct op *op)
{
	const struct due_args *args = op->args;
	struct job_hot *rows;
	size_t count = collect(db, SQL_DUE, args, &op->arena, &rows);
	struct store_moved *moves = arena_alloc(&op->arena, count * sizeof(*moves));

	for (size_t i = 0; i < count; i++) {
		struct job_move move = { FOREBAY_JOB_QUEUED, FOREBAY_ERR_OK, args->now_ms };

		if (is_past(rows[i].head.deadline_ms, args->now_ms))
			move = (struct job_move){ FOREBAY_JOB_EXPIRED, FOREBAY_ERR_DEADLINE,
						  args->now_ms };
		if (!jobs_move(db, &rows[i], &move))
			continue;
		moves[op->reply.move_count++] =
		    (struct store_moved){ rows[i].head, rows[i].uid, rows[i].state, move.to, true };
	}
	op->reply.moves = moves;
	op->reply.next_due_ms = db_number(db, SQL_DUE_NEXT, INT64_MAX);
	return ended(db);
}

/* --- delete, sweep ----------------------------------------------------------- */

enum forebay_err
op_run_delete(struct db *db, struct op *op)
{
	const struct read_args *args = op->args;
	struct job_hot hot;

	if (!jobs_find(db, args->id, args->uid, &hot))
		return not_found(db);
	op->reply.id = hot.head.id;
	op->reply.uid = hot.uid;
	op->reply.lane = hot.head.lane;
	op->reply.state = hot.state;
	op->reply.moved = forebay_job_state_is_final(hot.state);
	if (op->reply.moved)
		jobs_remove(db, &hot);
	return ended(db);
}

enum forebay_err
op_run_sweep(struct db *db, struct op *op)
{
	const struct due_args *args = op->args;
	int64_t until_ms = clock_mono_ms() + SWEEP_MS;
	struct job_hot *rows;
	size_t count = collect(db, SQL_OLD, args, &op->arena, &rows), removed = 0;
	struct store_moved *moves = arena_alloc(&op->arena, count * sizeof(*moves));

	while (removed < count && (removed == 0 || clock_mono_ms() < until_ms)) {
		const struct job_hot *hot = &rows[removed];

		jobs_remove(db, hot);
		moves[removed++] =
		    (struct store_moved){ hot->head, hot->uid, hot->state, hot->state, true };
	}
	op->reply.moves = moves;
	op->reply.move_count = removed;
	op->reply.more = removed < count || count == args->limit;
	return ended(db);
}

/* --- ids, gates -------------------------------------------------------------- */

enum forebay_err
op_run_reserve_ids(struct db *db, struct op *op)
{
	const struct read_args *args = op->args;

	db_keep_ids(db, args->id);
	op->reply.next_id = args->id;
	return ended(db);
}

enum forebay_err
op_run_save_gate(struct db *db, struct op *op)
{
	const struct gate_args *args = op->args;

	db_run(db, SQL_GATE_SAVE, DB_TEXT(args->name), DB_TEXT(args->text));
	return ended(db);
}
