/*
 * test_store_faults.c - the store on a disk that is full, read only or broken.
 * Faults come from a VFS between SQLite and the disk.
 */
#include "tests/unit/store_jobs.h"
#include "tests/unit/store_space.h"

#include <errno.h>
#include <stdatomic.h>

#include <sqlite3.h>

/* --- the VFS ----------------------------------------------------------------- */

static struct {
	_Atomic int write, sync, system_errno; /* results instead of doing it; 0: do it */
	_Atomic bool database_only;	       /* not the log */
	_Atomic int writes;
	_Atomic int read_after_write; /* of reads, once something was written */
	const char *_Atomic write_of; /* only a write that holds this text; NULL: any */
} fault;

static void
no_faults(void)
{
	fault.write = fault.sync = fault.system_errno = 0;
	fault.database_only = false;
	fault.read_after_write = 0;
	fault.write_of = NULL;
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
	if (fault.read_after_write && fault.writes > 0)
		return fault.read_after_write;
	return real_of(file)->pMethods->xRead(real_of(file), buf, len, at);
}

static int
shim_write(sqlite3_file *file, const void *buf, int len, sqlite3_int64 at)
{
	const char *text = fault.write_of;

	fault.writes++;
	if (fault.write && hits(file) && (!text || memmem(buf, (size_t)len, text, strlen(text)))) {
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

static void
an_impossible_operation_takes_nobody_along(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	struct got before = { 0 }, impossible = { 0 }, after = { 0 };

	store_submit(f->store, &job, &lane, body_of(1, 100), 100, got_on_done, &before);
	store_save_gate(f->store, "a gate without text breaks a constraint", NULL, got_on_done,
			&impossible);
	store_request(f->store, 1, ALICE, got_on_done, &after);
	got_wait(f, &after);
	assert_int_equal(before.err, FOREBAY_ERR_OK);
	assert_int_equal(impossible.err, FOREBAY_ERR_STORAGE);
	assert_body(&after.reply, 1, 100);
	assert_int_equal(f->writable_calls + f->broken_calls, 0);
	got_clear(&before);
	got_clear(&impossible);
	got_clear(&after);
}

/* --- bodies in pieces ------------------------------------------------------------- */

/* All of them are on disk, and then the job cannot be. */
static void
what_was_staged_in_vain_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(2, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	struct got got = { 0 };
	uint64_t before;

	submit_works(f, 1, 100);
	before = space_used(f);
	job.label = "a label that is nowhere else";
	fault.write_of = job.label;
	fault.write = SQLITE_FULL;
	ASK(f, &got, FOREBAY_ERR_STORAGE, store_submit, &job, &lane, body_of(2, 3u << 20),
	    3u << 20);
	wait_until_writable(f);
	wait_for_space(f, before + ROOM);
	no_faults();
	submit(f, &job, 3u << 20);
	fixture_reopen(f);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 2, ALICE);
	assert_body(&got.reply, 2, 3u << 20);
	got_clear(&got);
}

/* The start is on disk; then a piece of the body cannot be read. */
static void
start_and_lose_the_body(struct fixture *f, struct got *got)
{
	struct store_attempt attempt = attempt_of(1, 1);

	submit_works(f, 1, 3u << 20);
	fixture_reopen(f); /* nothing is in the cache */
	fault.writes = 0;
	fault.read_after_write = SQLITE_IOERR_NOMEM;
	ASK(f, got, FOREBAY_ERR_STORAGE, store_start, &attempt);
	no_faults();
	assert_true(got->reply.moved);
	assert_int_equal(got->reply.state, FOREBAY_JOB_RUNNING);
	assert_int_equal(got->reply.job->head.tries, 1);
	assert_null(got->reply.body);
	assert_int_equal(f->broken_calls + f->writable_calls, 0);
}

static void
a_body_that_cannot_be_read_now_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct store_end end = end_of(1, 1, FOREBAY_JOB_QUEUED, "fault");
	struct got got = { 0 };

	start_and_lose_the_body(f, &got);
	end.attempt.sent = end.attempt.counted = false;
	end.attempts = 0;
	ASK(f, &got, FOREBAY_ERR_OK, store_finish, &end);
	assert_true(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	ASK(f, &got, FOREBAY_ERR_OK, store_show, 1, ALICE, true);
	assert_int_equal(got.reply.job->head.attempts, 0);
	assert_int_equal(got.reply.attempt_count, 1);
	assert_false(got.reply.attempts[0].sent);
	struct store_attempt attempt = attempt_of(1, 2);
	ASK(f, &got, FOREBAY_ERR_OK, store_start, &attempt);
	assert_true(got.reply.moved);
	assert_body(&got.reply, 1, 3u << 20);
	got_clear(&got);
}

static void
no_memory_for_a_start_is_no_start(void **state)
{
	struct fixture *f = *state;
	struct store_attempt attempt = attempt_of(1, 1);
	struct got got = { 0 };

	submit_works(f, 1, 100);
	fixture_reopen(f);
	fault.writes = 1;
	fault.read_after_write = SQLITE_IOERR_NOMEM;
	ASK(f, &got, FOREBAY_ERR_STORAGE, store_start, &attempt);
	assert_false(got.reply.moved);
	no_faults();
	ASK(f, &got, FOREBAY_ERR_OK, store_start, &attempt);
	assert_true(got.reply.moved);
	got_clear(&got);
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

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		FAULT_TEST(an_impossible_operation_takes_nobody_along),
		FAULT_TEST(what_was_staged_in_vain_is_given_back),
		FAULT_TEST(a_body_that_cannot_be_read_now_is_asked_for_again),
		FAULT_TEST(no_memory_for_a_start_is_no_start),
		FAULT_TEST(an_io_error_is_the_end),
		FAULT_TEST(a_failed_sync_is_the_end),
	};

	install_shim();
	clock_set_scale(20); /* probes and measurements come sooner */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
