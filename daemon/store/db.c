/*
 * db.c - statements by name, transactions, and the one place where SQLite's
 * words are translated into ours and logged.
 */
#include "daemon/store/db.h"

#include "daemon/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct statement_row {
	const char *name, *text;
} rows[] = {
#define X(name, text) [SQL_##name] = { #name, text },
	STATEMENTS(X)
#undef X
};

const char *
db_statement_text(enum sql sql)
{
	return rows[sql].text;
}

/* --- errors ------------------------------------------------------------------ */

/* Out of space in one of its disguises; never when a sync failed, because then
 * the kernel may have dropped pages it once took. */
static bool
is_out_of_space(int rc, int system_errno)
{
	if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
		return false;
	return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EROFS;
}

static enum db_failure
classify(int rc, int system_errno)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return DB_FULL;
	case SQLITE_READONLY: /* moved: what we write would be lost with the old file */
		return rc == SQLITE_READONLY_DBMOVED ? DB_BROKEN : DB_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return DB_DAMAGED;
	case SQLITE_IOERR:
		if (rc == SQLITE_IOERR_NOMEM)
			return DB_REFUSED;
		return is_out_of_space(rc, system_errno) ? DB_FULL : DB_BROKEN;
	default:
		return DB_REFUSED;
	}
}

/* The first failure of a transaction is the one that counts. */
static void
db_fail(struct db *db, const char *doing, int rc, int system_errno)
{
	const char *text = sqlite3_errmsg(db->handle);

	if (db->failure != DB_FINE)
		return;
	db->failure = classify(rc, system_errno);
	if ((rc & 0xff) == SQLITE_IOERR && system_errno)
		snprintf(db->why, sizeof(db->why), "%s (%s)", text, strerror(system_errno));
	else
		snprintf(db->why, sizeof(db->why), "%s", text);
	if (!db->quiet)
		log_error("store, %s: %s (SQLite result %d)", doing, db->why, rc);
}

void
db_damaged(struct db *db, const char *what)
{
	if (db->failure != DB_FINE)
		return;
	db->failure = DB_DAMAGED;
	snprintf(db->why, sizeof(db->why), "%s", what);
	log_error("store: the database is damaged: %s", what);
}

/* --- statements -------------------------------------------------------------- */

static int
bind(sqlite3_stmt *query, int at, const struct db_value *value)
{
	switch (value->type) {
	case DB_VALUE_NULL:
		break;
	case DB_VALUE_INT:
		return sqlite3_bind_int64(query, at, value->number);
	case DB_VALUE_TEXT:
		return sqlite3_bind_text(query, at, value->bytes, -1, SQLITE_STATIC);
	case DB_VALUE_BLOB:
		/* A NULL pointer would bind NULL; an empty body is a blob. */
		return sqlite3_bind_blob64(query, at, value->bytes ? value->bytes : "",
					   (sqlite3_uint64)value->number, SQLITE_STATIC);
	}
	return sqlite3_bind_null(query, at);
}

sqlite3_stmt *
db_query_values(struct db *db, enum sql sql, const struct db_value *values, size_t count)
{
	sqlite3_stmt *query = db->statements[sql];

	for (size_t i = 0; i < count; i++) {
		int rc = bind(query, (int)i + 1, &values[i]);

		if (rc != SQLITE_OK)
			db_fail(db, rows[sql].name, rc, 0);
	}
	return query;
}

static const char *
name_of(const struct db *db, const sqlite3_stmt *query)
{
	for (int sql = 0; sql < SQL_COUNT; sql++)
		if (db->statements[sql] == query)
			return rows[sql].name;
	return "statement";
}

/* sqlite3_system_errno() is not set by a COMMIT that fails, and may be old: the
 * thread's own errno, cleared before, says more. */
bool
db_row(struct db *db, sqlite3_stmt *query)
{
	int rc;

	if (db->failure != DB_FINE)
		return false;
	errno = 0;
	rc = sqlite3_step(query);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		db_fail(db, name_of(db, query), rc, errno);
	return rc == SQLITE_ROW;
}

void
db_done(sqlite3_stmt **query)
{
	sqlite3_reset(*query);
	sqlite3_clear_bindings(*query);
}

int
db_run_values(struct db *db, enum sql sql, const struct db_value *values, size_t count)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query_values(db, sql, values, count);

	while (db_row(db, query))
		;
	return db->failure == DB_FINE ? sqlite3_changes(db->handle) : -1;
}

const char *
db_text(sqlite3_stmt *query, int column, struct arena *arena)
{
	return arena_strdup(arena, (const char *)sqlite3_column_text(query, column));
}

int64_t
db_number(struct db *db, enum sql sql, int64_t otherwise)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query_values(db, sql, NULL, 0);

	return db_row(db, query) ? sqlite3_column_int64(query, 0) : otherwise;
}

/* --- transactions ------------------------------------------------------------ */

bool
db_begin(struct db *db)
{
	if (db_run_values(db, SQL_BEGIN, NULL, 0) >= 0)
		return true;
	return false;
}

static void
save_next_id(struct db *db)
{
	if (db->next_id_pending)
		db_run(db, SQL_NEXT_ID_SAVE, DB_INT(db->next_id_pending));
}

bool
db_commit(struct db *db)
{
	counts_flush(&db->counts, db);
	save_next_id(db);
	if (db_run_values(db, SQL_COMMIT, NULL, 0) < 0)
		return false;
	counts_settle(&db->counts, true);
	if (db->next_id_pending)
		db->next_id = db->next_id_pending;
	db->next_id_pending = 0;
	return true;
}

void
db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle)) {
		sqlite3_step(db->statements[SQL_ROLLBACK]);
		sqlite3_reset(db->statements[SQL_ROLLBACK]);
	}
	counts_settle(&db->counts, false);
	db->next_id_pending = 0;
	db->failure = DB_FINE;
}

bool
db_checkpoint(struct db *db)
{
	int logged = 0, copied = 0, rc;

	errno = 0;
	rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &logged,
				       &copied);
	if (rc != SQLITE_OK) {
		db_fail(db, "CHECKPOINT", rc, errno);
		return false;
	}
	/* All of it: the next transaction starts the log over. */
	if (copied >= logged)
		db->wal_pages = 0;
	return true;
}

void
db_keep_ids(struct db *db, uint64_t limit)
{
	if (limit > db->next_id && limit > db->next_id_pending)
		db->next_id_pending = limit;
}
