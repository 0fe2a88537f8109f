/*
 * migrations.c - the append-only list of schema steps; see migrations.h.
 */
#include "daemon/store/migrations.h"

#include <stdio.h>

#include <sqlite3.h>

/*
 * Version 1.
 *
 * lane    one row per (owner, class, route) with its counts: nothing is counted
 *         at start, and one UPDATE a lane and commit keeps them true
 * job     everything small about a job, in one row. due says when something is
 *         to be done about it: min(not_before, deadline) while DELAYED, the
 *         deadline while QUEUED or BATCHED, the end of its keep time when final
 * attempt the ledger; ended = 0: nobody saw how it ended
 * result  the answer's facts
 * body    request, answer and raw bytes; id = 4 * job + kind. refs: jobs that
 *         share it. data is NULL when the bytes lie in chunk
 * chunk   pieces of big bodies; id = 4096 * body + number of the piece
 * trash   bodies whose chunks are to be removed in small steps; staged: they
 *         are just being written and will belong to a body row, or to nobody
 */
static const char version_1[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE gate(name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE lane(id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, class INTEGER NOT NULL,"
    " route TEXT NOT NULL, bytes INTEGER NOT NULL DEFAULT 0,"
    " queued INTEGER NOT NULL DEFAULT 0, delayed INTEGER NOT NULL DEFAULT 0,"
    " running INTEGER NOT NULL DEFAULT 0, batched INTEGER NOT NULL DEFAULT 0,"
    " succeeded INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
    " canceled INTEGER NOT NULL DEFAULT 0, expired INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE job(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, lane INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, uid INTEGER NOT NULL, created INTEGER NOT NULL,"
    " deadline INTEGER NOT NULL, not_before INTEGER NOT NULL, keep INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, max_attempts INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " cost_input INTEGER NOT NULL, cost_output INTEGER NOT NULL, body INTEGER,"
    " body_len INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL,"
    " started INTEGER NOT NULL, ended INTEGER NOT NULL, error TEXT, flags INTEGER NOT NULL,"
    " class INTEGER NOT NULL, batch INTEGER NOT NULL, transport INTEGER NOT NULL,"
    " shrink_to INTEGER NOT NULL, retry_of INTEGER NOT NULL, digest BLOB NOT NULL,"
    " options BLOB NOT NULL, model TEXT NOT NULL, chain TEXT, model_option TEXT, version TEXT,"
    " betas TEXT, label TEXT, key TEXT, unit TEXT);"
    "CREATE INDEX job_window ON job(lane, priority DESC) WHERE state = 0;"
    "CREATE INDEX job_due ON job(due) WHERE state < 4 AND state <> 2;"
    "CREATE INDEX job_running ON job(state) WHERE state = 2;"
    "CREATE INDEX job_old ON job(due) WHERE state > 3;"
    "CREATE UNIQUE INDEX job_key ON job(uid, key) WHERE key IS NOT NULL;"
    "CREATE TABLE attempt(job INTEGER NOT NULL, number INTEGER NOT NULL,"
    " started INTEGER NOT NULL, ended INTEGER NOT NULL, waited INTEGER NOT NULL, model TEXT,"
    " edits TEXT, flags INTEGER NOT NULL, outcome TEXT, http_status INTEGER NOT NULL,"
    " error_type TEXT, error_code TEXT, message TEXT, request_id TEXT,"
    " input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
    " cache_write INTEGER NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;"
    "CREATE TABLE result(job INTEGER PRIMARY KEY, error TEXT, http_status INTEGER NOT NULL,"
    " message TEXT, model_served TEXT, request_id TEXT, stop_reason TEXT,"
    " input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
    " cache_write INTEGER NOT NULL, flags INTEGER NOT NULL, body INTEGER,"
    " body_len INTEGER NOT NULL, raw INTEGER);"
    "CREATE TABLE body(id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, len INTEGER NOT NULL,"
    " data BLOB);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE trash(body INTEGER PRIMARY KEY, staged INTEGER NOT NULL);";

/* Version 2: models of the chain that cannot take the request, and why. */
static const char version_2[] = "ALTER TABLE job ADD COLUMN skipped TEXT;";

/* Version 3: of a request that came by HTTP, the header lines and the query it brought. */
static const char version_3[] = "ALTER TABLE job ADD COLUMN headers TEXT;"
				"ALTER TABLE job ADD COLUMN query TEXT;";

const char *const migrations[] = {
	version_1,
	version_2,
	version_3,
};
const int migration_count = (int)(sizeof(migrations) / sizeof(migrations[0]));

static int
apply_one(sqlite3 *handle, const char *step, int version)
{
	char set_version[48];
	int rc;

	snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", version);
	rc = sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(handle, step, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(handle, set_version, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(handle))
		(void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int
migrations_apply(sqlite3 *handle, const char *const *list, int from, int to)
{
	int rc = SQLITE_OK;

	for (int version = from; version < to && rc == SQLITE_OK; version++)
		rc = apply_one(handle, list[version], version + 1);
	return rc;
}
