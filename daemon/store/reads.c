/*
 * reads.c - the operations that only read. Each looks at a bounded number of
 * rows, so that none holds up the changes that share its transaction.
 */
#include "daemon/store/jobs.h"
#include "daemon/store/op.h"

#include <string.h>

/* Rows a list looks at before it says "go on from here": about 10 ms. */
#define LIST_SCAN 4096

static enum forebay_err
ended(const struct db *db)
{
	return db->failure == DB_FINE ? FOREBAY_ERR_OK : FOREBAY_ERR_STORAGE;
}

/* --- windows ----------------------------------------------------------------- */

static void
add_heads(struct db *db, sqlite3_stmt *query, struct store_head *heads, size_t limit, size_t *count)
{
	struct job_hot hot;

	while (*count < limit && db_row(db, query) && jobs_hot(db, query, &hot))
		heads[(*count)++] = hot.head;
}

enum forebay_err
op_run_window(struct db *db, struct op *op)
{
	const struct window_args *args = op->args;
	size_t want = (size_t)args->limit + 1; /* one more, to know whether there is more */
	struct store_head *heads = arena_alloc(&op->arena, want * sizeof(*heads));
	size_t count = 0;
	{
		CLEANUP(db_done)
		sqlite3_stmt *same =
		    db_query(db, SQL_WINDOW_SAME, DB_INT(args->lane), DB_INT(args->after_priority),
			     DB_INT(args->after_id), DB_INT(want));
		add_heads(db, same, heads, want, &count);
	}
	if (count < want) {
		CLEANUP(db_done)
		sqlite3_stmt *below = db_query(db, SQL_WINDOW_BELOW, DB_INT(args->lane),
					       DB_INT(args->after_priority), DB_INT(want - count));
		add_heads(db, below, heads, want, &count);
	}
	op->reply.lane = args->lane;
	op->reply.heads = heads;
	op->reply.more = count == want;
	op->reply.head_count = op->reply.more ? args->limit : count;
	return ended(db);
}

/* --- one job ----------------------------------------------------------------- */

/* The job itself; NOT_FOUND. */
static enum forebay_err
reply_job(struct db *db, struct op *op, const struct read_args *args, struct job_hot *hot)
{
	struct store_job *job = arena_alloc(&op->arena, sizeof(*job));

	if (!jobs_find_full(db, args->id, args->uid, &op->arena, hot, job))
		return db->failure == DB_FINE ? FOREBAY_ERR_NOT_FOUND : FOREBAY_ERR_STORAGE;
	op->reply.job = job;
	op->reply.id = hot->head.id;
	op->reply.uid = hot->uid;
	op->reply.lane = hot->head.lane;
	op->reply.state = hot->state;
	return FOREBAY_ERR_OK;
}

/* Of a final job always something: one that was canceled has its error only. */
static void
reply_result(struct db *db, struct op *op, struct job_result *row)
{
	struct store_result *result = arena_alloc(&op->arena, sizeof(*result));

	*row = (struct job_result){ 0 };
	if (!forebay_job_state_is_final(op->reply.state))
		return;
	if (!results_find(db, op->reply.id, &op->arena, row))
		row->result.error = op->reply.job->error;
	*result = row->result;
	op->reply.result = result;
}

enum forebay_err
op_run_show(struct db *db, struct op *op)
{
	const struct read_args *args = op->args;
	struct job_result row;
	struct job_hot hot;
	enum forebay_err err = reply_job(db, op, args, &hot);

	if (err)
		return err;
	reply_result(db, op, &row);
	if (!args->with_attempts)
		return ended(db);
	op->reply.attempt_count = ledger_read(db, hot.head.id, &op->arena, &op->reply.attempts);
	if (hot.refused > 2 * LEDGER_REFUSED_KEPT)
		op->reply.attempts_left_out = hot.refused - 2 * LEDGER_REFUSED_KEPT;
	return ended(db);
}

enum forebay_err
op_run_result(struct db *db, struct op *op)
{
	struct job_result row;
	struct job_hot hot;
	enum forebay_err err = reply_job(db, op, op->args, &hot);

	if (err)
		return err;
	reply_result(db, op, &row);
	return row.body ? bodies_open(db, row.body, &op->out) : ended(db);
}

enum forebay_err
op_run_request(struct db *db, struct op *op)
{
	struct job_hot hot;
	enum forebay_err err = reply_job(db, op, op->args, &hot);

	if (err)
		return err;
	return hot.body ? bodies_open(db, hot.body, &op->out) : ended(db);
}

/* --- many jobs --------------------------------------------------------------- */

enum forebay_err
op_run_states(struct db *db, struct op *op)
{
	const struct states_args *args = op->args;
	struct store_moved *moves = arena_alloc(&op->arena, args->count * sizeof(*moves));

	for (size_t i = 0; i < args->count; i++) {
		struct job_hot hot;

		moves[i].head.id = args->ids[i];
		if (jobs_find(db, args->ids[i], args->uid, &hot))
			moves[i] =
			    (struct store_moved){ hot.head, hot.uid, hot.state, hot.state, true };
	}
	op->reply.moves = moves;
	op->reply.move_count = args->count;
	return ended(db);
}

static bool
is_word(const char *wanted, const unsigned char *text)
{
	return !wanted || (text && strcmp(wanted, (const char *)text) == 0);
}

/* The row query stands on passes. Columns as in FULL_COLUMNS. */
static bool
passes(const struct store_filter *filter, sqlite3_stmt *query)
{
	if (filter->state >= 0 && sqlite3_column_int(query, 1) != filter->state)
		return false;
	if (filter->uid != (uid_t)-1 && (uid_t)sqlite3_column_int64(query, 4) != filter->uid)
		return false;
	if (sqlite3_column_int64(query, 5) < filter->since_ms)
		return false;
	return is_word(filter->model, sqlite3_column_text(query, HOT_COUNT + 11)) &&
	       is_word(filter->label, sqlite3_column_text(query, HOT_COUNT + 16));
}

enum forebay_err
op_run_list(struct db *db, struct op *op)
{
	const struct store_filter *filter = op->args;
	int64_t below = filter->before_id ? (int64_t)filter->before_id : INT64_MAX;
	CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_JOBS_BELOW, DB_INT(below));
	struct store_job *jobs = arena_alloc(&op->arena, filter->limit * sizeof(*jobs));
	struct job_hot hot;

	op->reply.jobs = jobs;
	for (unsigned scanned = 0; db_row(db, query); scanned++) {
		/* One row beyond the last that was looked at: there is more. */
		if (scanned == LIST_SCAN || op->reply.job_count == filter->limit) {
			op->reply.more = true;
			break;
		}
		op->reply.next_id = (uint64_t)sqlite3_column_int64(query, 0);
		if (!passes(filter, query))
			continue;
		if (!jobs_full(db, query, &op->arena, &hot, &jobs[op->reply.job_count]))
			break;
		op->reply.job_count++;
	}
	return ended(db);
}
