/*
 * test_migrations.c - the schema from every older version, and steps that fail.
 */
#include "daemon/store/migrations.h"

#include "tests/unit/store_jobs.h"

#include <sqlite3.h>

static sqlite3 *
open_memory(void)
{
	sqlite3 *handle;

	assert_int_equal(sqlite3_open(":memory:", &handle), SQLITE_OK);
	return handle;
}

static int
append_row(void *arg, int columns, char **values, char **names)
{
	struct arena_text {
		char text[16384];
	} *all = arg;

	(void)names;
	for (int i = 0; i < columns; i++) {
		strncat(all->text, values[i] ? values[i] : "-",
			sizeof(all->text) - strlen(all->text) - 1);
		strncat(all->text, "\n", sizeof(all->text) - strlen(all->text) - 1);
	}
	return 0;
}

static char *
schema_of(sqlite3 *handle)
{
	char *text = calloc(1, 16384);

	assert_int_equal(sqlite3_exec(handle,
				      "SELECT type, name, sql FROM sqlite_schema ORDER BY name",
				      append_row, text, NULL),
			 SQLITE_OK);
	return text;
}

static int
version_of(sqlite3 *handle)
{
	char text[16384] = "";

	assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version", append_row, text, NULL),
			 SQLITE_OK);
	return atoi(text);
}

static void
every_older_version_arrives(void **unused)
{
	sqlite3 *fresh = open_memory();
	char *want;

	(void)unused;
	assert_true(migration_count >= 1);
	assert_int_equal(migrations_apply(fresh, migrations, 0, migration_count), SQLITE_OK);
	assert_int_equal(version_of(fresh), migration_count);
	want = schema_of(fresh);
	for (int from = 0; from <= migration_count; from++) {
		sqlite3 *old = open_memory();
		char *got;

		assert_int_equal(migrations_apply(old, migrations, 0, from), SQLITE_OK);
		assert_int_equal(version_of(old), from);
		assert_int_equal(migrations_apply(old, migrations, from, migration_count),
				 SQLITE_OK);
		assert_int_equal(version_of(old), migration_count);
		got = schema_of(old);
		assert_string_equal(got, want);
		free(got);
		sqlite3_close(old);
	}
	free(want);
	sqlite3_close(fresh);
}

static void
a_failing_step_leaves_the_last_good_version(void **unused)
{
	static const char *const list[] = {
		"CREATE TABLE a(x)",
		"CREATE TABLE b(x); INSERT INTO a VALUES (1)",
		"CREATE TABLE c(x); INSERT INTO nowhere VALUES (1)",
	};
	sqlite3 *handle = open_memory();
	char *schema;

	(void)unused;
	assert_int_equal(migrations_apply(handle, list, 0, 3), SQLITE_ERROR);
	assert_int_equal(version_of(handle), 2);
	assert_true(sqlite3_get_autocommit(handle));
	schema = schema_of(handle);
	assert_non_null(strstr(schema, "CREATE TABLE b"));
	assert_null(strstr(schema, "CREATE TABLE c"));
	free(schema);
	sqlite3_close(handle);
}

/* What a first start leaves when it is killed between making the file and the
 * first step: ours, version 0, no table. */
static void
the_store_opens_a_file_of_every_version(void **unused)
{
	(void)unused;
	for (int version = 0; version <= migration_count; version++) {
		struct fixture f;
		sqlite3 *handle;
		char path[128];

		fixture_make(&f);
		fixture_path(&f, "forebay.db", path, sizeof(path));
		assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
		assert_int_equal(sqlite3_exec(handle,
					      "PRAGMA page_size=8192;"
					      "PRAGMA auto_vacuum=INCREMENTAL;"
					      "PRAGMA application_id=0x466f7265",
					      NULL, NULL, NULL),
				 SQLITE_OK);
		assert_int_equal(migrations_apply(handle, migrations, 0, version), SQLITE_OK);
		sqlite3_close(handle);
		fixture_open(&f);
		struct store_job job = job_of(1, ALICE, 1);
		submit(&f, &job, 100);
		fixture_reopen(&f);
		assert_int_equal(store_found(f.store)->counts[FOREBAY_JOB_QUEUED], 1);
		fixture_free(&f);
	}
}

static void
a_new_file_has_the_format_we_measured(void **unused)
{
	struct fixture f;
	sqlite3 *handle;
	char path[128], text[16384] = "";

	(void)unused;
	fixture_make(&f);
	fixture_open(&f);
	fixture_close(&f);
	fixture_path(&f, "forebay.db", path, sizeof(path));
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle,
				      "PRAGMA page_size; PRAGMA auto_vacuum;"
				      "PRAGMA application_id; PRAGMA journal_mode",
				      append_row, text, NULL),
			 SQLITE_OK);
	assert_string_equal(text, "8192\n2\n1181708901\nwal\n");
	sqlite3_close(handle);
	fixture_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_older_version_arrives),
		cmocka_unit_test(a_failing_step_leaves_the_last_good_version),
		cmocka_unit_test(the_store_opens_a_file_of_every_version),
		cmocka_unit_test(a_new_file_has_the_format_we_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
