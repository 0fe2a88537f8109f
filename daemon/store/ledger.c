/*
 * ledger.c - rows of the attempts ledger; declared in jobs.h.
 *
 * A job that waits out a storm, or a resolver that is gone, may be refused
 * thousands of times. Of attempts that do not count the first and the last rows
 * are kept; the job's counter says how many there were.
 */
#include "daemon/store/jobs.h"

#include <string.h>

#define FLAG_SENT    1
#define FLAG_COUNTED 2

static int64_t
flags_of(const struct store_attempt *attempt)
{
	return (attempt->sent ? FLAG_SENT : 0) | (attempt->counted ? FLAG_COUNTED : 0);
}

bool
ledger_is_refused(const struct store_attempt *attempt)
{
	const char *outcome = attempt->outcome;

	if (!outcome || strcmp(outcome, "succeeded") == 0)
		return false;
	return !attempt->counted || strcmp(outcome, "overloaded") == 0 ||
	       strcmp(outcome, "limited") == 0;
}

void
ledger_add(struct db *db, const struct store_attempt *a)
{
	db_run(db, SQL_ATTEMPT_ADD, DB_INT(a->job), DB_INT(a->number), DB_INT(a->started_ms),
	       DB_INT(a->ended_ms), DB_INT(a->waited_ms), DB_TEXT(a->model), DB_TEXT(a->edits),
	       DB_INT(flags_of(a)), DB_TEXT(a->outcome), DB_INT(a->http_status),
	       DB_TEXT(a->error_type), DB_TEXT(a->error_code), DB_TEXT(a->message),
	       DB_TEXT(a->request_id), DB_INT(a->input_tokens), DB_INT(a->output_tokens),
	       DB_INT(a->cache_read_tokens), DB_INT(a->cache_write_tokens));
}

void
ledger_end(struct db *db, const struct store_attempt *a, uint64_t refused)
{
	if (db_run(db, SQL_ATTEMPT_END, DB_INT(a->job), DB_INT(a->number), DB_INT(a->ended_ms),
		   DB_INT(flags_of(a)), DB_TEXT(a->outcome), DB_INT(a->http_status),
		   DB_TEXT(a->error_type), DB_TEXT(a->error_code), DB_TEXT(a->message),
		   DB_TEXT(a->request_id), DB_INT(a->input_tokens), DB_INT(a->output_tokens),
		   DB_INT(a->cache_read_tokens), DB_INT(a->cache_write_tokens),
		   DB_TEXT(a->edits)) == 0)
		ledger_add(db, a);
	if (ledger_is_refused(a) && refused > 2 * LEDGER_REFUSED_KEPT)
		db_run(db, SQL_ATTEMPT_DROP, DB_INT(a->job), DB_INT(LEDGER_REFUSED_KEPT));
}

uint64_t
ledger_add_all(struct db *db, uint64_t job, const struct store_attempt *attempts, size_t count)
{
	uint64_t refused = 0, seen = 0;

	for (size_t i = 0; i < count; i++)
		refused += ledger_is_refused(&attempts[i]);
	for (size_t i = 0; i < count; i++) {
		struct store_attempt row = attempts[i];

		row.job = job;
		seen += ledger_is_refused(&row);
		if (!ledger_is_refused(&row) || seen <= LEDGER_REFUSED_KEPT ||
		    seen + LEDGER_REFUSED_KEPT > refused)
			ledger_add(db, &row);
	}
	return refused;
}

uint64_t
ledger_lost(struct db *db, uint64_t job)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_ATTEMPTS_LOST_COUNT, DB_INT(job));

	return db_row(db, query) ? (uint64_t)sqlite3_column_int64(query, 0) : 0;
}

static void
read_row(sqlite3_stmt *q, struct arena *arena, struct store_attempt *ret)
{
	int64_t flags = sqlite3_column_int64(q, 7);

	*ret = (struct store_attempt){
		.job = (uint64_t)sqlite3_column_int64(q, 0),
		.number = (uint32_t)sqlite3_column_int64(q, 1),
		.started_ms = sqlite3_column_int64(q, 2),
		.ended_ms = sqlite3_column_int64(q, 3),
		.waited_ms = sqlite3_column_int64(q, 4),
		.model = db_text(q, 5, arena),
		.edits = db_text(q, 6, arena),
		.sent = flags & FLAG_SENT,
		.counted = flags & FLAG_COUNTED,
		.outcome = db_text(q, 8, arena),
		.http_status = sqlite3_column_int(q, 9),
		.error_type = db_text(q, 10, arena),
		.error_code = db_text(q, 11, arena),
		.message = db_text(q, 12, arena),
		.request_id = db_text(q, 13, arena),
		.input_tokens = (uint64_t)sqlite3_column_int64(q, 14),
		.output_tokens = (uint64_t)sqlite3_column_int64(q, 15),
		.cache_read_tokens = (uint64_t)sqlite3_column_int64(q, 16),
		.cache_write_tokens = (uint64_t)sqlite3_column_int64(q, 17),
	};
}

size_t
ledger_read(struct db *db, uint64_t job, struct arena *arena, const struct store_attempt **ret)
{
	CLEANUP(db_done)
	sqlite3_stmt *query = db_query(db, SQL_ATTEMPTS, DB_INT(job), DB_INT(LEDGER_MAX));
	struct store_attempt *rows = arena_alloc(arena, LEDGER_MAX * sizeof(*rows));
	size_t count = 0;

	while (count < LEDGER_MAX && db_row(db, query))
		read_row(query, arena, &rows[count++]);
	*ret = rows;
	return count;
}
