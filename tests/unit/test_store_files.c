/*
 * test_store_files.c - what lies in the state directory: damaged, foreign, newer,
 * locked by another daemon, open in another program; and who may read it.
 */
#include "tests/unit/store_jobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

/* A fixture that is not open yet. */
static int
setup_closed(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

static void
submit_works(struct fixture *f, uint64_t id, size_t len)
{
	struct store_job job = job_of(id, ALICE, 1);

	submit(f, &job, len);
}

static uint8_t *
read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;

	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	*ret_len = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*ret_len + 1);
	assert_int_equal(fread(bytes, 1, *ret_len, file), *ret_len);
	fclose(file);
	return bytes;
}

static void
write_at(const char *path, long at, int byte, size_t len)
{
	int fd = open(path, O_RDWR);
	char *bytes = malloc(len);

	assert_true(fd >= 0);
	memset(bytes, byte, len);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
	free(bytes);
}

static bool
has_file_like(const struct fixture *f, const char *part)
{
	DIR *dir = opendir(f->dir);
	struct dirent *entry;
	bool found = false;

	while ((entry = readdir(dir)))
		found = found || strstr(entry->d_name, part);
	closedir(dir);
	return found;
}

/* --- damaged --------------------------------------------------------------------------- */

static void
fill(struct fixture *f, unsigned jobs)
{
	for (uint64_t id = 1; id <= jobs; id++)
		submit_works(f, id, 60000);
}

static void
check_set_aside(struct fixture *f)
{
	assert_int_equal(fixture_try_open(f), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(f->why, "damaged"));
	assert_true(has_file_like(f, "forebay.db.damaged-2026"));
	/* the next start begins anew */
	fixture_open(f);
	assert_int_equal(store_found(f->store)->next_id, 1);
}

static void
a_header_of_garbage_is_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fill(f, 5);
	fixture_close(f);
	fixture_path(f, "forebay.db", path, sizeof(path));
	write_at(path, 0, 'x', 200);
	check_set_aside(f);
}

static void
a_file_cut_short_is_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fill(f, 30);
	fixture_close(f);
	fixture_path(f, "forebay.db", path, sizeof(path));
	assert_int_equal(truncate(path, 5 * 8192 + 100), 0);
	check_set_aside(f);
}

static void
damage_met_on_the_way_is_the_end(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct got got = { 0 };
	bool met = false;

	fill(f, 100);
	fixture_reopen(f);
	fixture_path(f, "forebay.db", path, sizeof(path));
	write_at(path, 40 * 8192, 0xaa, 500 * 8192);
	for (uint64_t id = 1; id <= 100 && !met; id++) {
		got_clear(&got);
		store_request(f->store, id, ALICE, got_on_done, &got);
		got_wait(f, &got);
		met = got.err == FOREBAY_ERR_STORAGE;
	}
	assert_true(met);
	while (!f->broken_calls)
		fixture_turn(f);
	got_clear(&got);
}

/* --- somebody else's ---------------------------------------------------------------------- */

static void
run_sql(const char *path, const char *sql, bool checkpoint)
{
	sqlite3 *handle;

	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !checkpoint, NULL);
	assert_int_equal(sqlite3_exec(handle, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void
check_untouched(struct fixture *f, const char *word)
{
	char path[128], wal[128];
	size_t before_len, after_len, wal_before_len = 0, wal_after_len = 0;
	uint8_t *before, *after, *wal_before, *wal_after;

	fixture_path(f, "forebay.db", path, sizeof(path));
	fixture_path(f, "forebay.db-wal", wal, sizeof(wal));
	before = read_file(path, &before_len);
	wal_before = read_file(wal, &wal_before_len);
	assert_int_equal(fixture_try_open(f), FOREBAY_ERR_STORAGE);
	if (!strstr(f->why, word))
		fail_msg("\"%s\" is not in: %s", word, f->why);
	after = read_file(path, &after_len);
	wal_after = read_file(wal, &wal_after_len);
	assert_int_equal(before_len, after_len);
	assert_memory_equal(before, after, before_len);
	assert_int_equal(wal_before_len, wal_after_len);
	if (wal_before)
		assert_memory_equal(wal_before, wal_after, wal_before_len);
	assert_false(has_file_like(f, "damaged"));
	free(before);
	free(after);
	free(wal_before);
	free(wal_after);
}

static void
a_foreign_database_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fixture_path(f, "forebay.db", path, sizeof(path));
	run_sql(path, "CREATE TABLE recipe(name); INSERT INTO recipe VALUES ('soup')", true);
	check_untouched(f, "another program");
}

static void
a_newer_database_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fixture_open(f);
	submit_works(f, 1, 100);
	fixture_close(f);
	fixture_path(f, "forebay.db", path, sizeof(path));
	run_sql(path, "PRAGMA user_version=999", true);
	check_untouched(f, "version 999");
}

static void
a_newer_one_whose_version_is_in_the_log(void **state)
{
	struct fixture *f = *state;
	char path[128];

	fixture_open(f);
	submit_works(f, 1, 100);
	fixture_close(f);
	fixture_path(f, "forebay.db", path, sizeof(path));
	run_sql(path, "PRAGMA user_version=999", false);
	assert_true(has_file_like(f, "-wal"));
	check_untouched(f, "version 999");
}

static void
one_daemon_a_database(void **state)
{
	struct fixture *f = *state;
	int ready[2], stop[2], status;
	char word[32], byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(stop), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool opened = fixture_try_open(f) == FOREBAY_ERR_OK;

		if (write(ready[1], "x", 1) != 1 || read(stop[0], &byte, 1) != 1)
			_exit(2);
		fixture_close(f);
		_exit(opened ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(fixture_try_open(f), FOREBAY_ERR_STORAGE);
	snprintf(word, sizeof(word), "pid %ld", (long)child);
	if (!strstr(f->why, word))
		fail_msg("\"%s\" is not in: %s", word, f->why);
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(stop[i]);
	}
	/* free again, though the file is still there */
	fixture_open(f);
}

static void
a_curious_sqlite_is_told_apart(void **state)
{
	struct fixture *f = *state;
	char path[128];
	sqlite3 *handle;

	fixture_open(f);
	fixture_close(f);
	fixture_path(f, "forebay.db", path, sizeof(path));
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle,
				      "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE;"
				      "CREATE TABLE x(y)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(fixture_try_open(f), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(f->why, "another program"));
	assert_false(has_file_like(f, "damaged"));
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	fixture_open(f);
}

static void
a_missing_directory_is_named(void **state)
{
	struct fixture *f = *state;

	f->config.dir = "/nonexistent/forebay";
	assert_int_equal(fixture_try_open(f), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(f->why, "/nonexistent/forebay"));
}

static void
files_are_private(void **state)
{
	static const char *const names[] = { "forebay.db", "forebay.db-wal", "forebay.lock" };
	struct fixture *f = *state;
	mode_t before = umask(0);
	char path[128];
	struct stat st;

	fixture_open(f);
	submit_works(f, 1, 100);
	umask(before);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fixture_path(f, names[i], path, sizeof(path));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	/* nobody can look from beside: there is no shared index */
	assert_false(has_file_like(f, "-shm"));
}

#define OPEN_TEST(name)	  cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define CLOSED_TEST(name) cmocka_unit_test_setup_teardown(name, setup_closed, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPEN_TEST(a_header_of_garbage_is_set_aside),
		OPEN_TEST(a_file_cut_short_is_set_aside),
		OPEN_TEST(damage_met_on_the_way_is_the_end),
		CLOSED_TEST(a_foreign_database_is_left_alone),
		CLOSED_TEST(a_newer_database_is_left_alone),
		CLOSED_TEST(a_newer_one_whose_version_is_in_the_log),
		CLOSED_TEST(one_daemon_a_database),
		CLOSED_TEST(a_curious_sqlite_is_told_apart),
		CLOSED_TEST(a_missing_directory_is_named),
		CLOSED_TEST(files_are_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
