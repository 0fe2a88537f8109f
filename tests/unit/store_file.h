/*
 * store_file.h - the database of a store that is closed, read and changed from
 * beside it. For tests/unit/test_store*.c.
 */
#ifndef TESTS_UNIT_STORE_FILE_H
#define TESTS_UNIT_STORE_FILE_H

#include "tests/unit/store_fixture.h"

#include <sqlite3.h>

static inline sqlite3 *
file_open(const struct fixture *f)
{
	sqlite3 *handle;
	char path[128];

	assert_null(f->store);
	fixture_path(f, "forebay.db", path, sizeof(path));
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	return handle;
}

/* The number in the first column of the only row. */
static inline int64_t
file_ask(const struct fixture *f, const char *sql)
{
	sqlite3 *handle = file_open(f);
	sqlite3_stmt *query;
	int64_t answer;

	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &query, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(query), SQLITE_ROW);
	answer = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return answer;
}

static inline void
file_run(const struct fixture *f, const char *sql)
{
	sqlite3 *handle = file_open(f);
	char *why = NULL;

	if (sqlite3_exec(handle, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

#endif
