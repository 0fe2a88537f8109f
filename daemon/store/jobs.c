/*
 * jobs.c - job rows: columns to structs and back, moves, removal; see jobs.h.
 */
#include "daemon/store/jobs.h"

#include "daemon/store/bodies.h"

#include <string.h>

static bool
is_word(int64_t value, int count)
{
	return value >= 0 && value < count;
}

bool
jobs_hot(struct db *db, sqlite3_stmt *q, struct job_hot *ret)
{
	int64_t state = sqlite3_column_int64(q, 1);

	if (!is_word(state, FOREBAY_JOB_STATE_COUNT)) {
		db_damaged(db, "a job has a state that does not exist");
		return false;
	}
	*ret = (struct job_hot){
		.head = {
			.id = (uint64_t)sqlite3_column_int64(q, 0),
			.lane = (uint32_t)sqlite3_column_int64(q, 2),
			.priority = (int16_t)sqlite3_column_int(q, 3),
			.created_ms = sqlite3_column_int64(q, 5),
			.deadline_ms = sqlite3_column_int64(q, 6),
			.not_before_ms = sqlite3_column_int64(q, 7),
			.attempts = (uint16_t)sqlite3_column_int(q, 9),
			.max_attempts = (uint16_t)sqlite3_column_int(q, 10),
			.tries = (uint32_t)sqlite3_column_int64(q, 11),
			.cost_input = (uint32_t)sqlite3_column_int64(q, 12),
			.cost_output = (uint32_t)sqlite3_column_int64(q, 13),
			.body_len = (uint32_t)sqlite3_column_int64(q, 15),
		},
		.state = (enum forebay_job_state)state,
		.uid = (uid_t)sqlite3_column_int64(q, 4),
		.keep_ms = sqlite3_column_int64(q, 8),
		.body = (uint64_t)sqlite3_column_int64(q, 14),
		.refused = (uint64_t)sqlite3_column_int64(q, 16),
	};
	return true;
}

static void
read_digest(sqlite3_stmt *q, int column, uint8_t ret[static STORE_DIGEST_LEN])
{
	const void *bytes = sqlite3_column_blob(q, column);

	memset(ret, 0, STORE_DIGEST_LEN);
	if (bytes && sqlite3_column_bytes(q, column) == STORE_DIGEST_LEN)
		memcpy(ret, bytes, STORE_DIGEST_LEN);
}

static enum forebay_err
read_error(sqlite3_stmt *q, int column)
{
	const char *wire = (const char *)sqlite3_column_text(q, column);

	return wire ? forebay_err_from_wire(wire) : FOREBAY_ERR_OK;
}

bool
jobs_full(struct db *db, sqlite3_stmt *q, struct arena *arena, struct job_hot *hot,
	  struct store_job *ret)
{
	enum { AT = HOT_COUNT };
	int64_t flags = sqlite3_column_int64(q, AT + 3);

	if (!jobs_hot(db, q, hot))
		return false;
	*ret = (struct store_job){
		.head = hot->head,
		.state = hot->state,
		.uid = hot->uid,
		.class = sqlite3_column_int(q, AT + 4),
		.batch = sqlite3_column_int(q, AT + 5),
		.transport = sqlite3_column_int(q, AT + 6),
		.started_ms = sqlite3_column_int64(q, AT),
		.ended_ms = sqlite3_column_int64(q, AT + 1),
		.keep_ms = hot->keep_ms,
		.shrink_to = (uint64_t)sqlite3_column_int64(q, AT + 7),
		.retry_of = (uint64_t)sqlite3_column_int64(q, AT + 8),
		.model = db_text(q, AT + 11, arena),
		.chain = db_text(q, AT + 12, arena),
		.model_option = db_text(q, AT + 13, arena),
		.version = db_text(q, AT + 14, arena),
		.betas = db_text(q, AT + 15, arena),
		.label = db_text(q, AT + 16, arena),
		.key = db_text(q, AT + 17, arena),
		.unit = db_text(q, AT + 18, arena),
		.skipped = db_text(q, AT + 19, arena),
		.headers = db_text(q, AT + 20, arena),
		.query = db_text(q, AT + 21, arena),
		.route = db_text(q, AT + 22, arena),
		.error = read_error(q, AT + 2),
		.ephemeral = flags & JOB_EPHEMERAL,
		.late = flags & JOB_LATE,
	};
	read_digest(q, AT + 9, ret->digest);
	read_digest(q, AT + 10, ret->options);
	return true;
}

static bool
is_owned_by(const struct job_hot *hot, uid_t uid)
{
	return uid == (uid_t)-1 || uid == hot->uid;
}

bool
jobs_find(struct db *db, uint64_t id, uid_t uid, struct job_hot *ret)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_JOB_HOT, DB_INT(id));

	return db_row(db, query) && jobs_hot(db, query, ret) && is_owned_by(ret, uid);
}

bool
jobs_find_full(struct db *db, uint64_t id, uid_t uid, struct arena *arena, struct job_hot *ret_hot,
	       struct store_job *ret)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_JOB_FULL, DB_INT(id));

	return db_row(db, query) && jobs_full(db, query, arena, ret_hot, ret) &&
	       is_owned_by(ret_hot, uid);
}

/* --- changes ----------------------------------------------------------------- */

static const char *
wire_or_null(enum forebay_err error)
{
	return error ? forebay_err_wire(error) : NULL;
}

static int64_t
add_saturated(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* 0 on our side of the fence is "never". */
static int64_t
or_never(int64_t when_ms)
{
	return when_ms > 0 ? when_ms : INT64_MAX;
}

int64_t
jobs_due(enum forebay_job_state state, int64_t not_before_ms, int64_t deadline_ms, int64_t ended_ms,
	 int64_t keep_ms)
{
	if (forebay_job_state_is_final(state))
		return add_saturated(ended_ms, keep_ms);
	if (state == FOREBAY_JOB_DELAYED)
		return MIN(not_before_ms, or_never(deadline_ms));
	return or_never(deadline_ms);
}

bool
jobs_add(struct db *db, const struct store_job *job, uint64_t body)
{
	const struct store_head *head = &job->head;
	int64_t flags = (job->ephemeral ? JOB_EPHEMERAL : 0) | (job->late ? JOB_LATE : 0);
	int64_t due = jobs_due(job->state, head->not_before_ms, head->deadline_ms, job->ended_ms,
			       job->keep_ms);
	int added = db_run(
	    db, SQL_JOB_ADD, DB_INT(head->id), DB_INT(job->state), DB_INT(head->lane),
	    DB_INT(head->priority), DB_INT(job->uid), DB_INT(head->created_ms),
	    DB_INT(head->deadline_ms), DB_INT(head->not_before_ms), DB_INT(job->keep_ms),
	    DB_INT(head->attempts), DB_INT(head->max_attempts), DB_INT(head->tries),
	    DB_INT(head->cost_input), DB_INT(head->cost_output), body ? DB_INT(body) : DB_NULL(),
	    DB_INT(head->body_len), DB_INT(0), DB_INT(job->started_ms), DB_INT(job->ended_ms),
	    DB_TEXT(wire_or_null(job->error)), DB_INT(flags), DB_INT(job->class),
	    DB_INT(job->batch), DB_INT(job->transport), DB_INT(job->shrink_to),
	    DB_INT(job->retry_of), DB_BLOB(job->digest, STORE_DIGEST_LEN),
	    DB_BLOB(job->options, STORE_DIGEST_LEN), DB_TEXT(job->model ? job->model : ""),
	    DB_TEXT(job->chain), DB_TEXT(job->model_option), DB_TEXT(job->version),
	    DB_TEXT(job->betas), DB_TEXT(job->label), DB_TEXT(job->key), DB_TEXT(job->unit),
	    DB_INT(due), DB_TEXT(job->skipped), DB_TEXT(job->headers), DB_TEXT(job->query));

	if (added <= 0)
		return false;
	db->high_id = MAX(db->high_id, head->id);
	counts_move(&db->counts, head->lane, COUNTS_NOWHERE, (int)job->state, head->body_len);
	return true;
}

bool
jobs_move(struct db *db, const struct job_hot *hot, const struct job_move *move)
{
	bool final = forebay_job_state_is_final(move->to);
	int64_t ended_ms = final ? move->now_ms : 0;
	int64_t due = jobs_due(move->to, hot->head.not_before_ms, hot->head.deadline_ms, ended_ms,
			       hot->keep_ms);

	if (!forebay_job_state_allows(hot->state, move->to))
		return false;
	if (db_run(db, SQL_JOB_MOVE, DB_INT(hot->head.id), DB_INT(hot->state), DB_INT(move->to),
		   DB_INT(due), DB_INT(ended_ms),
		   DB_TEXT(final ? wire_or_null(move->error) : NULL)) <= 0)
		return false;
	counts_move(&db->counts, hot->head.lane, (int)hot->state, (int)move->to,
		    hot->head.body_len);
	return true;
}

void
jobs_remove(struct db *db, const struct job_hot *hot)
{
	struct job_result result = { 0 };
	struct arena arena = { 0 };

	if (results_find(db, hot->head.id, &arena, &result)) {
		bodies_release(db, result.body);
		bodies_release(db, result.raw);
		db_run(db, SQL_RESULT_DELETE, DB_INT(hot->head.id));
	}
	arena_clear(&arena);
	bodies_release(db, hot->body);
	db_run(db, SQL_ATTEMPTS_DELETE, DB_INT(hot->head.id));
	if (db_run(db, SQL_JOB_DELETE, DB_INT(hot->head.id)) <= 0)
		return;
	/* The highest ids live in the rows; once one is gone, beside them. */
	db_keep_ids(db, db->high_id + 1);
	counts_move(&db->counts, hot->head.lane, (int)hot->state, COUNTS_NOWHERE,
		    hot->head.body_len);
}

/* --- the answer -------------------------------------------------------------- */

void
results_add(struct db *db, uint64_t job, const struct job_result *row)
{
	const struct store_result *result = &row->result;

	db_run(db, SQL_RESULT_ADD, DB_INT(job), DB_TEXT(wire_or_null(result->error)),
	       DB_INT(result->http_status), DB_TEXT(result->message), DB_TEXT(result->model_served),
	       DB_TEXT(result->request_id), DB_TEXT(result->stop_reason),
	       DB_INT(result->input_tokens), DB_INT(result->output_tokens),
	       DB_INT(result->cache_read_tokens), DB_INT(result->cache_write_tokens),
	       DB_INT(result->unassembled), row->body ? DB_INT(row->body) : DB_NULL(),
	       DB_INT(result->body_len), row->raw ? DB_INT(row->raw) : DB_NULL());
}

bool
results_find(struct db *db, uint64_t job, struct arena *arena, struct job_result *ret)
{
	CLEANUP(db_done) sqlite3_stmt *q = db_query(db, SQL_RESULT, DB_INT(job));

	if (!db_row(db, q))
		return false;
	*ret = (struct job_result){
		.result = {
			.error = read_error(q, 0),
			.http_status = sqlite3_column_int(q, 1),
			.message = db_text(q, 2, arena),
			.model_served = db_text(q, 3, arena),
			.request_id = db_text(q, 4, arena),
			.stop_reason = db_text(q, 5, arena),
			.input_tokens = (uint64_t)sqlite3_column_int64(q, 6),
			.output_tokens = (uint64_t)sqlite3_column_int64(q, 7),
			.cache_read_tokens = (uint64_t)sqlite3_column_int64(q, 8),
			.cache_write_tokens = (uint64_t)sqlite3_column_int64(q, 9),
			.unassembled = sqlite3_column_int(q, 10),
			.body_len = (size_t)sqlite3_column_int64(q, 12),
		},
		.body = (uint64_t)sqlite3_column_int64(q, 11),
		.raw = (uint64_t)sqlite3_column_int64(q, 13),
	};
	return true;
}
