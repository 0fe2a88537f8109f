/*
 * test_store_faults.c - the store on a disk that is full, broken, damaged, read
 * only or somebody else's. Faults come from a VFS between SQLite and the disk.
 */
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include <sqlite3.h>

/* --- the VFS ----------------------------------------------------------------- */

static struct {
	_Atomic int write, sync, system_errno; /* results instead of doing it; 0: do it */
	_Atomic bool database_only;	       /* not the log */
	_Atomic int writes;
} fault;

static void
no_faults(void)
{
	fault.write = fault.sync = fault.system_errno = 0;
	fault.database_only = false;
}

struct shim_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind us */
	bool is_database;
};

static sqlite3_vfs shim_vfs, *real_vfs;

static sqlite3_file *
real_of(sqlite3_file *file)
{
	return ((struct shim_file *)file)->real;
}

static bool
hits(sqlite3_file *file)
{
	return !fault.database_only || ((struct shim_file *)file)->is_database;
}

static int
shim_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int
shim_read(sqlite3_file *file, void *buf, int len, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), buf, len, at);
}

static int
shim_write(sqlite3_file *file, const void *buf, int len, sqlite3_int64 at)
{
	fault.writes++;
	if (fault.write && hits(file)) {
		errno = fault.system_errno;
		return fault.write;
	}
	return real_of(file)->pMethods->xWrite(real_of(file), buf, len, at);
}

static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
shim_sync(sqlite3_file *file, int flags)
{
	if (fault.sync && hits(file)) {
		errno = fault.system_errno;
		return fault.sync;
	}
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int
shim_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int
shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int
shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int
shim_check_lock(sqlite3_file *file, int *ret)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int
shim_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int
shim_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
shim_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: no shared memory, which a store with its file to itself needs not. */
static const sqlite3_io_methods shim_methods = {
	.iVersion = 1,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector_size,
	.xDeviceCharacteristics = shim_traits,
};

static int
shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct shim_file *shim = (struct shim_file *)file;
	int rc;

	(void)vfs;
	shim->real = (sqlite3_file *)(shim + 1);
	shim->is_database = flags & SQLITE_OPEN_MAIN_DB;
	rc = real_vfs->xOpen(real_vfs, name, shim->real, flags, ret_flags);
	shim->base.pMethods = shim->real->pMethods ? &shim_methods : NULL;
	return rc;
}

static void
install_shim(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	shim_vfs = *real_vfs;
	shim_vfs.zName = "shim";
	shim_vfs.pNext = NULL;
	shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
	shim_vfs.xOpen = shim_open;
	assert_int_equal(sqlite3_vfs_register(&shim_vfs, 1), SQLITE_OK);
}

/* --- helpers -------------------------------------------------------------------- */

static int
setup(void **state)
{
	no_faults();
	return fixture_setup(state);
}

static int
teardown(void **state)
{
	no_faults();
	return fixture_teardown(state);
}

/* A fixture that is not open yet. */
static int
setup_closed(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	no_faults();
	fixture_make(f);
	*state = f;
	return 0;
}

static void
submit_fails(struct fixture *f, uint64_t id, size_t len)
{
	struct store_job job = job_of(id, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	struct got got = { 0 };

	ASK(f, &got, FOREBAY_ERR_STORAGE, store_submit, &job, &lane, body_of(id, len), len);
	got_clear(&got);
}

static void
submit_works(struct fixture *f, uint64_t id, size_t len)
{
	struct store_job job = job_of(id, ALICE, 1);

	submit(f, &job, len);
}

static void
wait_until_writable(struct fixture *f)
{
	while (!f->writable)
		fixture_turn(f);
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

/* --- full ------------------------------------------------------------------------- */

static void
check_full_and_back(struct fixture *f, size_t len)
{
	const char *why = NULL;
	struct got got = { 0 };

	submit_fails(f, 2, len);
	while (!f->writable_calls)
		fixture_turn(f);
	assert_false(f->writable);
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(why, "takes no writes"));
	/* what is there can still be read */
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 1, ALICE);
	assert_body(&got.reply, 1, 100);
	submit_fails(f, 3, len);
	assert_int_equal(f->writable_calls, 1);
	assert_int_equal(f->broken_calls, 0);
	no_faults();
	wait_until_writable(f);
	assert_int_equal(f->writable_calls, 2);
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_OK);
	submit_works(f, 4, len);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 2);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_show, 2, ALICE, false);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 4, ALICE);
	assert_body(&got.reply, 4, len);
	got_clear(&got);
}

static void
a_full_disk_refuses_and_recovers(void **state)
{
	submit_works(*state, 1, 100);
	fault.write = SQLITE_FULL;
	check_full_and_back(*state, 100);
}

static void
full_while_a_big_body_is_staged(void **state)
{
	submit_works(*state, 1, 100);
	fault.write = SQLITE_FULL;
	check_full_and_back(*state, 3u << 20);
}

static void
no_space_in_disguise(void **state)
{
	submit_works(*state, 1, 100);
	fault.system_errno = ENOSPC;
	fault.write = SQLITE_IOERR_WRITE;
	check_full_and_back(*state, 100);
}

static void
a_read_only_disk(void **state)
{
	submit_works(*state, 1, 100);
	fault.write = SQLITE_READONLY;
	check_full_and_back(*state, 100);
}

static void
full_when_the_log_is_copied(void **state)
{
	struct fixture *f = *state;

	submit_works(f, 1, 100);
	fault.database_only = true;
	fault.write = SQLITE_FULL;
	/* the log takes them, until it is to be copied */
	for (uint64_t id = 10; id < 100 && f->writable; id++) {
		struct store_job job = job_of(id, ALICE, 1);
		struct store_lane lane = lane_of(1, ALICE);

		store_submit(f->store, &job, &lane, body_of(id, 60000), 60000, NULL, NULL);
		fixture_turn(f);
	}
	while (f->writable)
		fixture_turn(f);
	no_faults();
	wait_until_writable(f);
	submit_works(f, 100, 100);
}

static void
running_jobs_can_end_when_there_is_room(void **state)
{
	struct fixture *f = *state;
	struct store_end end = end_of(1, 1, FOREBAY_JOB_SUCCEEDED, "succeeded");
	struct got got = { 0 };

	submit_works(f, 1, 100);
	start(f, 1, 1);
	fault.write = SQLITE_FULL;
	ASK(f, &got, FOREBAY_ERR_STORAGE, store_finish, &end);
	assert_false(got.reply.moved);
	no_faults();
	/* even before the probe has said so */
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	assert_true(got.reply.moved);
	got_clear(&got);
}

static void
one_failing_commit_fails_all_of_it(void **state)
{
	struct fixture *f = *state;
	struct store_lane lane = lane_of(9, ALICE);
	static struct got gots[50];

	submit_works(f, 1, 100);
	fault.write = SQLITE_FULL;
	for (uint64_t i = 0; i < ARRAY_LEN(gots); i++) {
		struct store_job job = job_of(i + 10, ALICE, 9);

		gots[i] = (struct got){ 0 };
		store_submit(f->store, &job, &lane, body_of(i, 9), 9, got_on_done, &gots[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(gots); i++) {
		got_wait(f, &gots[i]);
		assert_int_equal(gots[i].err, FOREBAY_ERR_STORAGE);
		assert_int_equal(gots[i].reply.id, 0);
		got_clear(&gots[i]);
	}
	no_faults();
	wait_until_writable(f);
	/* the lane that was new in it is written again */
	struct store_job job = job_of(99, ALICE, 9);
	submit(f, &job, 10);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->lane_count, 2);
	assert_int_equal(store_found(f->store)->lanes[1].queued, 1);
}

/* --- broken ------------------------------------------------------------------------- */

static void
check_broken(struct fixture *f)
{
	const char *why = NULL;
	struct got got = { 0 };
	int writes;

	submit_fails(f, 2, 100);
	while (!f->broken_calls)
		fixture_turn(f);
	no_faults();
	writes = fault.writes;
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_STORAGE);
	submit_fails(f, 3, 100);
	submit_fails(f, 4, 1u << 20);
	ASK(f, &got, FOREBAY_ERR_STORAGE, store_request, 1, ALICE);
	assert_int_equal(f->broken_calls, 1);
	fixture_close(f);
	/* not one more write on that connection, not even at the end */
	assert_int_equal(fault.writes, writes);
	fixture_open(f);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 1, ALICE);
	assert_body(&got.reply, 1, 100);
	got_clear(&got);
}

static void
an_io_error_is_the_end(void **state)
{
	submit_works(*state, 1, 100);
	fault.system_errno = EIO;
	fault.write = SQLITE_IOERR_WRITE;
	check_broken(*state);
}

static void
a_failed_sync_is_the_end(void **state)
{
	struct fixture *f = *state;

	f->config.durability_full = true;
	fixture_reopen(f);
	submit_works(f, 1, 100);
	/* even for lack of space: nobody knows which pages were dropped */
	fault.system_errno = ENOSPC;
	fault.sync = SQLITE_IOERR_FSYNC;
	check_broken(f);
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

#define FAULT_TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CLOSED_TEST(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(a_full_disk_refuses_and_recovers),
		FAULT_TEST(full_while_a_big_body_is_staged),
		FAULT_TEST(no_space_in_disguise),
		FAULT_TEST(a_read_only_disk),
		FAULT_TEST(full_when_the_log_is_copied),
		FAULT_TEST(running_jobs_can_end_when_there_is_room),
		FAULT_TEST(one_failing_commit_fails_all_of_it),
		FAULT_TEST(an_io_error_is_the_end),
		FAULT_TEST(a_failed_sync_is_the_end),
		FAULT_TEST(a_header_of_garbage_is_set_aside),
		FAULT_TEST(a_file_cut_short_is_set_aside),
		FAULT_TEST(damage_met_on_the_way_is_the_end),
		CLOSED_TEST(a_foreign_database_is_left_alone),
		CLOSED_TEST(a_newer_database_is_left_alone),
		CLOSED_TEST(a_newer_one_whose_version_is_in_the_log),
		CLOSED_TEST(one_daemon_a_database),
		CLOSED_TEST(a_curious_sqlite_is_told_apart),
		CLOSED_TEST(a_missing_directory_is_named),
		CLOSED_TEST(files_are_private),
	};

	install_shim();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
