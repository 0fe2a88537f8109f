/*
 * recover.c - the start after a stop or a crash; see recover.h.
 *
 * A job that was RUNNING may have been answered and billed without us seeing
 * it: its open attempt becomes "unknown" and keeps ended = 0, which says so.
 */
#include "daemon/store/recover.h"

#include "daemon/store/jobs.h"

#include "daemon/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Jobs brought back in one transaction. */
#define RECOVER_AT_ONCE	    256
/* A job that takes the daemon down with it would do so, and cost, until its
 * deadline. One that only runs beside it, or is hit by a power cut, must not be
 * taken for it: so many times max_attempts in a row are no accident. */
#define LOST_TIMES_ATTEMPTS 10

static const char billed[] =
    "forebayd stopped while the API was answering: the request may have been billed";

static void
fail_one(struct db *db, const struct job_hot *hot, const char *why, int64_t now_ms)
{
	const struct job_result row = { .result = { .error = FOREBAY_ERR_INTERNAL,
						    .message = why } };
	const struct job_move move = { FOREBAY_JOB_FAILED, FOREBAY_ERR_INTERNAL, now_ms };

	jobs_move(db, hot, &move);
	results_add(db, hot->head.id, &row);
}

static void
fail_lost(struct db *db, const struct job_hot *hot, uint64_t lost, int64_t now_ms)
{
	char why[160];

	snprintf(why, sizeof(why),
		 "forebayd stopped %" PRIu64 " times in a row while this job ran: it may have been "
		 "billed each time",
		 lost);
	log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.job_id = hot->head.id), "failed: %s", why);
	fail_one(db, hot, why, now_ms);
}

static void
recover_one(struct db *db, const struct store_config *config, const struct job_hot *hot)
{
	const struct job_move again = { FOREBAY_JOB_QUEUED, FOREBAY_ERR_OK, config->now_ms };
	uint64_t most = LOST_TIMES_ATTEMPTS * (uint64_t)MAX(hot->head.max_attempts, 1);
	uint64_t lost = ledger_lost(db, hot->head.id);

	db_run(db, SQL_ATTEMPTS_LOST, DB_INT(hot->head.id));
	if (config->fail_on_crash)
		fail_one(db, hot, billed, config->now_ms);
	else if (lost >= most)
		fail_lost(db, hot, lost, config->now_ms);
	else
		jobs_move(db, hot, &again);
}

static size_t
find_running(struct db *db, struct job_hot *rows)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_RUNNING, DB_INT(RECOVER_AT_ONCE));
	size_t count = 0;

	while (count < RECOVER_AT_ONCE && db_row(db, query) && jobs_hot(db, query, &rows[count]))
		count++;
	return count;
}

/* False: a failure. */
static bool
recover_running(struct db *db, const struct store_config *config, uint64_t *ret_count)
{
	struct job_hot rows[RECOVER_AT_ONCE];
	size_t count;

	*ret_count = 0;
	do {
		if (!db_begin(db))
			return false;
		count = find_running(db, rows);
		for (size_t i = 0; i < count; i++)
			recover_one(db, config, &rows[i]);
		if (*ret_count == 0)
			db_run_values(db, SQL_TRASH_ALL, NULL, 0);
		if (db->failure != DB_FINE || !db_commit(db))
			return false;
		*ret_count += count;
	} while (count == RECOVER_AT_ONCE);
	return true;
}

/* --- what there is --------------------------------------------------------------- */

/* An array in an arena that grows by doubling. */
static void *
grow(struct arena *arena, void *rows, size_t count, size_t row_size)
{
	void *bigger;

	if (count & (count - 1) || (count > 0 && count < 16))
		return rows;
	bigger = arena_alloc(arena, (count ? 2 * count : 16) * row_size);
	if (count)
		memcpy(bigger, rows, count * row_size);
	return bigger;
}

static void
read_lane(sqlite3_stmt *q, struct arena *arena, struct store_lane *ret, uint64_t *counts)
{
	*ret = (struct store_lane){
		.id = (uint32_t)sqlite3_column_int64(q, 0),
		.uid = (uid_t)sqlite3_column_int64(q, 1),
		.class = sqlite3_column_int(q, 2),
		.route = db_text(q, 3, arena),
		.bytes = (uint64_t)sqlite3_column_int64(q, 4),
		.queued = (uint64_t)sqlite3_column_int64(q, 5),
	};
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++) {
		uint64_t jobs = (uint64_t)sqlite3_column_int64(q, 5 + state);

		counts[state] += jobs;
		if (!forebay_job_state_is_final((enum forebay_job_state)state))
			ret->pending += jobs;
	}
}

static void
find_lanes(struct db *db, struct arena *arena, struct store_found *ret)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query_values(db, SQL_LANES, NULL, 0);
	struct store_lane *lanes = NULL;

	while (db_row(db, query)) {
		lanes = grow(arena, lanes, ret->lane_count, sizeof(*lanes));
		read_lane(query, arena, &lanes[ret->lane_count], ret->counts);
		counts_learn(&db->counts, lanes[ret->lane_count].id);
		ret->lane_count++;
	}
	counts_settle(&db->counts, true);
	ret->lanes = lanes;
}

static void
find_gates(struct db *db, struct arena *arena, struct store_found *ret)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query_values(db, SQL_GATES, NULL, 0);
	struct store_gate *gates = NULL;

	while (db_row(db, query)) {
		gates = grow(arena, gates, ret->gate_count, sizeof(*gates));
		gates[ret->gate_count].name = db_text(query, 0, arena);
		gates[ret->gate_count].text = db_text(query, 1, arena);
		ret->gate_count++;
	}
	ret->gates = gates;
}

static void
find_ids(struct db *db, struct store_found *ret)
{
	db->high_id = (uint64_t)db_number(db, SQL_JOB_LAST, 0);
	db->next_id = (uint64_t)db_number(db, SQL_NEXT_ID_LOAD, 1);
	ret->next_id = MAX(db->high_id + 1, db->next_id);
}

/* Lanes that no job is in, not even a finished one, are forgotten. */
static bool
drop_empty_lanes(struct db *db)
{
	if (!db_begin(db))
		return false;
	db_run_values(db, SQL_LANES_DROP, NULL, 0);
	return db_commit(db);
}

enum forebay_err
recover(struct db *db, const struct store_config *config, struct arena *arena,
	struct store_found *ret)
{
	*ret = (struct store_found){ 0 };
	if (!recover_running(db, config, &ret->recovered) || !drop_empty_lanes(db))
		return FOREBAY_ERR_STORAGE;
	counts_clear(&db->counts);
	find_ids(db, ret);
	find_lanes(db, arena, ret);
	find_gates(db, arena, ret);
	ret->next_due_ms = db_number(db, SQL_DUE_NEXT, INT64_MAX);
	db->trash = db_number(db, SQL_TRASH_NEXT, 0) != 0;
	return db->failure == DB_FINE ? FOREBAY_ERR_OK : FOREBAY_ERR_STORAGE;
}
