/*
 * upkeep.c - the store's thread between batches: how the disk is, checkpoints,
 * probing a disk that takes no writes, and small steps of tidying.
 */
#include "daemon/store/worker.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#include <stdio.h>
#include <sys/statvfs.h>

#define CHECKPOINT_IDLE	 256  /* pages in the log: 2 MiB */
#define CHECKPOINT_BUSY	 1024 /* 8 MiB */
#define PROBE_MIN_MS	 125  /* doubles to the maximum: a hiccup is over soon, a full */
#define PROBE_MAX_MS	 4000 /* disk is not */
#define SPACE_MS	 1000
#define VACUUM_MIN_PAGES 8192 /* free ones: 64 MiB */

/* --- the state of the disk ----------------------------------------------------- */

static void
judge(struct thread *thread)
{
	enum thread_refusal refusal = REFUSE_NOTHING;

	if (thread->broken)
		refusal = REFUSE_BROKEN;
	else if (!thread->writable)
		refusal = REFUSE_UNWRITABLE;
	else if (atomic_load(&thread->free_bytes) < thread->min_free)
		refusal = REFUSE_LOW;
	else if (thread->max_store && atomic_load(&thread->store_bytes) >= thread->max_store)
		refusal = REFUSE_BIG;
	atomic_store(&thread->refusal, (int)refusal);
}

/* What a new job may use: what the file system has for us, and what the database
 * holds that is not free inside it. */
void
upkeep_space(struct thread *thread)
{
	struct db *db = thread->db;
	struct statvfs fs;
	int64_t pages = db_number(db, SQL_PAGE_COUNT, 0);
	int64_t unused = db_number(db, SQL_FREELIST_COUNT, 0);

	thread->space_ms = clock_mono_ms() + SPACE_MS;
	thread->free_pages = (uint64_t)unused;
	thread->vacuuming = unused > VACUUM_MIN_PAGES && unused > pages / 2;
	atomic_store(&thread->store_bytes, (uint64_t)(pages - unused) * DB_PAGE_SIZE);
	if (statvfs(thread->dir, &fs) == 0)
		atomic_store(&thread->free_bytes, (uint64_t)fs.f_bavail * fs.f_frsize);
	judge(thread);
}

static void
set_writable(struct thread *thread, bool writable)
{
	if (thread->writable == writable)
		return;
	thread->writable = writable;
	thread->db->quiet = !writable;
	thread->probe_gap_ms = PROBE_MIN_MS;
	thread->probe_ms = clock_mono_ms() + PROBE_MIN_MS;
	judge(thread);
	if (writable)
		log_info("store: the disk takes writes again");
	else
		log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.message_id = LOG_MESSAGE_DISK_FULL),
			 "store: the disk takes no writes (%s), trying again every few seconds",
			 thread->db->why);
	pthread_mutex_lock(&thread->lock);
	thread->news.writable_changed = true;
	thread->news.writable = writable;
	snprintf(thread->news.why, sizeof(thread->news.why), "%s", thread->db->why);
	pthread_mutex_unlock(&thread->lock);
	thread_wake_loop(thread);
}

static void
set_broken(struct thread *thread, enum db_failure failure)
{
	if (thread->broken)
		return;
	thread->broken = true;
	judge(thread);
	log_with(LOG_LEVEL_ERROR,
		 LOG_FIELDS(.message_id = failure == DB_DAMAGED ? LOG_MESSAGE_STORE_DAMAGED : NULL),
		 "store: %s, nothing more will be written", thread->db->why);
	pthread_mutex_lock(&thread->lock);
	thread->news.broken = true;
	snprintf(thread->news.why, sizeof(thread->news.why), "%s", thread->db->why);
	pthread_mutex_unlock(&thread->lock);
	thread_wake_loop(thread);
}

void
upkeep_failed(struct thread *thread)
{
	enum db_failure failure = thread->db->failure;

	db_rollback(thread->db);
	if (failure == DB_FULL)
		set_writable(thread, false);
	else if (failure == DB_BROKEN || failure == DB_DAMAGED)
		set_broken(thread, failure);
}

/* --- housekeeping ------------------------------------------------------------------ */

static void
maybe_checkpoint(struct thread *thread)
{
	unsigned pages = thread->db->wal_pages;

	if (!thread->writable || pages < CHECKPOINT_IDLE)
		return;
	if (pages < CHECKPOINT_BUSY && thread_has_work(thread))
		return;
	if (!db_checkpoint(thread->db))
		upkeep_failed(thread);
}

/* A write of the size of a piece, and its removal. */
static bool
probe(struct db *db)
{
	if (db->wal_pages >= CHECKPOINT_IDLE && !db_checkpoint(db))
		return false;
	if (!db_begin(db))
		return false;
	db_run_values(db, SQL_PROBE_ADD, NULL, 0);
	if (!db_commit(db) || !db_begin(db))
		return false;
	db_run_values(db, SQL_PROBE_DELETE, NULL, 0);
	return db_commit(db);
}

static void
maybe_probe(struct thread *thread)
{
	if (thread->writable || clock_mono_ms() < thread->probe_ms)
		return;
	thread->probe_gap_ms = MIN(2 * thread->probe_gap_ms, PROBE_MAX_MS);
	thread->probe_ms = clock_mono_ms() + thread->probe_gap_ms;
	if (probe(thread->db))
		set_writable(thread, true);
	else
		upkeep_failed(thread);
}

/* One small step of what nobody waits for; true: there may be another. Nobody is
 * staging a body now: what is staged is of operations that failed. */
static bool
tidy(struct thread *thread)
{
	struct db *db = thread->db;

	if (!thread->writable)
		return false;
	if (thread->orphans) {
		thread->orphans = !bodies_forsake(db);
		db->trash = true;
	} else if (db->trash) {
		db->trash = bodies_sweep_trash(db) || db->failure != DB_FINE;
	} else if (thread->vacuuming) {
		db_run_values(db, SQL_VACUUM_SOME, NULL, 0);
		thread->free_pages -= MIN(thread->free_pages, 64u);
		thread->vacuuming = thread->free_pages > VACUUM_MIN_PAGES / 2;
	}
	if (db->failure != DB_FINE) {
		upkeep_failed(thread);
		return false; /* another time */
	}
	return db->trash || thread->vacuuming;
}

/* When submits are refused we must look by ourselves whether they still have to
 * be; otherwise there is nothing to wait for but work. */
int64_t
upkeep_wait_ms(const struct thread *thread)
{
	int64_t at_ms = thread->space_ms;

	if (thread->broken || atomic_load(&thread->refusal) == REFUSE_NOTHING)
		return -1;
	if (!thread->writable)
		at_ms = MIN(at_ms, thread->probe_ms);
	return MAX(at_ms - clock_mono_ms(), 1);
}

/* True: come back soon, there is more. */
bool
upkeep(struct thread *thread)
{
	turn_pieces(thread);
	if (thread->broken)
		return !STAILQ_EMPTY(&thread->slow);
	maybe_checkpoint(thread);
	maybe_probe(thread);
	if (atomic_load(&thread->refusal) != REFUSE_NOTHING && clock_mono_ms() >= thread->space_ms)
		upkeep_space(thread);
	if (!STAILQ_EMPTY(&thread->slow))
		return true;
	return !thread->broken && !thread_has_work(thread) && tidy(thread);
}
