/*
 * thread.c - the store's thread; see thread.h.
 *
 *	take a batch -> BEGIN, run, COMMIT -> hand back -> checkpoint? ->
 *	pieces of big bodies -> trash, probe, free space -> take the next
 *
 * Only the first step waits, and only when the others have nothing to do. A
 * disk that takes no writes is probed; while it takes none, each operation has
 * a transaction of its own, so that one refused write hits nobody else. After an
 * I/O error nothing is tried again on this connection.
 */
#include "daemon/store/thread.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define CHECKPOINT_IDLE	 256  /* pages in the log: 2 MiB */
#define CHECKPOINT_BUSY	 1024 /* 8 MiB */
#define PIECES_MS	 2    /* of big bodies between two batches */
#define PROBE_MS	 1000
#define SPACE_MS	 1000
#define VACUUM_MIN_PAGES 8192 /* free ones: 64 MiB */

struct thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t given;
	/* under the lock */
	struct op_list work; /* the batch handed over */
	bool has_work;
	bool stopping;
	struct thread_news news; /* not yet collected */
	/* atomics */
	_Atomic int refusal;
	_Atomic uint64_t heartbeat, store_bytes, free_bytes;
	_Atomic bool idle;
	/* the thread's own */
	struct db *db;	     /* borrowed, but nobody else's while we run */
	char *dir;	     /* owned */
	struct op_list slow; /* with pieces to write or to read */
	uint64_t min_free, max_store;
	int eventfd; /* borrowed */
	bool writable, broken;
	bool vacuuming;
	uint64_t free_pages;
	int64_t probe_ms, space_ms; /* when to do it next */
};

/* --- between loop and thread --------------------------------------------------- */

static void
wake_loop(struct thread *thread)
{
	uint64_t one = 1;

	/* Full only when the loop has 2^64 - 2 wake-ups to read: it is awake. */
	while (write(thread->eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void
thread_give(struct thread *thread, struct op_list *batch)
{
	pthread_mutex_lock(&thread->lock);
	STAILQ_CONCAT(&thread->work, batch);
	thread->has_work = true;
	pthread_cond_signal(&thread->given);
	pthread_mutex_unlock(&thread->lock);
}

void
thread_collect(struct thread *thread, struct thread_news *ret)
{
	pthread_mutex_lock(&thread->lock);
	*ret = thread->news;
	STAILQ_INIT(&ret->done);
	STAILQ_CONCAT(&ret->done, &thread->news.done);
	thread->news = (struct thread_news){ 0 };
	STAILQ_INIT(&thread->news.done);
	pthread_mutex_unlock(&thread->lock);
}

static void
hand_back(struct thread *thread, struct op_list *done)
{
	pthread_mutex_lock(&thread->lock);
	STAILQ_CONCAT(&thread->news.done, done);
	pthread_mutex_unlock(&thread->lock);
	wake_loop(thread);
}

static void
report_batch_done(struct thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->news.batch_done = true;
	pthread_mutex_unlock(&thread->lock);
	wake_loop(thread);
}

enum thread_refusal
thread_refuses(const struct thread *thread)
{
	return (enum thread_refusal)atomic_load(&thread->refusal);
}

uint64_t
thread_heartbeat(struct thread *thread)
{
	if (atomic_load(&thread->idle))
		return atomic_fetch_add(&thread->heartbeat, 1) + 1;
	return atomic_load(&thread->heartbeat);
}

uint64_t
thread_store_bytes(const struct thread *thread)
{
	return atomic_load(&thread->store_bytes);
}

uint64_t
thread_free_bytes(const struct thread *thread)
{
	return atomic_load(&thread->free_bytes);
}

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
static void
measure_space(struct thread *thread)
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
	thread->probe_ms = clock_mono_ms() + PROBE_MS;
	judge(thread);
	if (writable)
		log_info("store: the disk takes writes again");
	else
		log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.message_id = LOG_MESSAGE_DISK_FULL),
			 "store: the disk takes no writes (%s), trying again every second",
			 thread->db->why);
	pthread_mutex_lock(&thread->lock);
	thread->news.writable_changed = true;
	thread->news.writable = writable;
	snprintf(thread->news.why, sizeof(thread->news.why), "%s", thread->db->why);
	pthread_mutex_unlock(&thread->lock);
	wake_loop(thread);
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
	wake_loop(thread);
}

/* The transaction failed: undo it, and draw the consequences. */
static void
give_up_transaction(struct thread *thread)
{
	enum db_failure failure = thread->db->failure;

	db_rollback(thread->db);
	if (failure == DB_FULL)
		set_writable(thread, false);
	else if (failure == DB_BROKEN || failure == DB_DAMAGED)
		set_broken(thread, failure);
}

/* --- transactions --------------------------------------------------------------- */

static void
beat(struct thread *thread)
{
	atomic_fetch_add_explicit(&thread->heartbeat, 1, memory_order_relaxed);
}

static bool
is_refused(const struct thread *thread, const struct op *op)
{
	return op->kind == OP_SUBMIT && atomic_load(&thread->refusal) != REFUSE_NOTHING;
}

static bool
run_all(struct thread *thread, struct op_list *ops)
{
	struct op *op;

	if (!db_begin(thread->db))
		return false;
	STAILQ_FOREACH (op, ops, next) {
		beat(thread);
		if (is_refused(thread, op))
			op_fail(op, FOREBAY_ERR_STORAGE);
		else
			op_run(thread->db, op);
		if (thread->db->failure != DB_FINE)
			return false;
	}
	return db_commit(thread->db);
}

static void
count(struct thread *thread, struct op_list *ops, double since, bool committed)
{
	uint64_t operations = 0;
	struct op *op;

	STAILQ_FOREACH (op, ops, next)
		operations++;
	pthread_mutex_lock(&thread->lock);
	thread->news.commits += committed;
	thread->news.operations += committed ? operations : 0;
	thread->news.errors += committed ? 0 : operations;
	thread->news.commit_us += (uint64_t)((clock_mono() - since) * 1e6);
	pthread_mutex_unlock(&thread->lock);
}

/* Those whose body is still to be read stay with us. */
static void
sort_out(struct thread *thread, struct op_list *ops)
{
	struct op_list done = STAILQ_HEAD_INITIALIZER(done);
	struct op *op;

	while ((op = STAILQ_FIRST(ops))) {
		STAILQ_REMOVE_HEAD(ops, next);
		if (bodies_is_read(&op->out))
			STAILQ_INSERT_TAIL(&done, op, next);
		else
			STAILQ_INSERT_TAIL(&thread->slow, op, next);
	}
	hand_back(thread, &done);
}

static void
run_transaction(struct thread *thread, struct op_list *ops)
{
	double since = clock_mono();
	bool committed = !thread->broken && run_all(thread, ops);
	struct op *op;

	if (!committed) {
		if (!thread->broken)
			give_up_transaction(thread);
		STAILQ_FOREACH (op, ops, next)
			op_fail(op, FOREBAY_ERR_STORAGE);
	}
	count(thread, ops, since, committed);
	sort_out(thread, ops);
}

static void
run_one(struct thread *thread, struct op *op)
{
	struct op_list alone = STAILQ_HEAD_INITIALIZER(alone);

	STAILQ_INSERT_TAIL(&alone, op, next);
	run_transaction(thread, &alone);
}

static bool
has_pieces_to_stage(const struct op *op)
{
	return bodies_needs_staging(&op->in[0]) || bodies_needs_staging(&op->in[1]);
}

static void
run_batch(struct thread *thread, struct op_list *batch)
{
	struct op_list now = STAILQ_HEAD_INITIALIZER(now);
	struct op *op;

	if (clock_mono_ms() >= thread->space_ms && !thread->broken)
		measure_space(thread);
	while ((op = STAILQ_FIRST(batch))) {
		STAILQ_REMOVE_HEAD(batch, next);
		if (has_pieces_to_stage(op))
			STAILQ_INSERT_TAIL(&thread->slow, op, next);
		else if (!thread->writable)
			run_one(thread, op);
		else
			STAILQ_INSERT_TAIL(&now, op, next);
	}
	if (!STAILQ_EMPTY(&now))
		run_transaction(thread, &now);
	report_batch_done(thread);
}

/* --- pieces of big bodies -------------------------------------------------------- */

static bool
stage_piece(struct thread *thread, struct op *op)
{
	struct db *db = thread->db;

	if (thread->broken || is_refused(thread, op) || !db_begin(db))
		return false;
	bodies_stage(db, bodies_needs_staging(&op->in[0]) ? &op->in[0] : &op->in[1]);
	return db_commit(db);
}

/* What has been staged is trash at the next start if it cannot be said now. */
static void
refuse_staged(struct thread *thread, struct op *op)
{
	struct op_list done = STAILQ_HEAD_INITIALIZER(done);

	if (!thread->broken) {
		if (thread->db->failure != DB_FINE)
			give_up_transaction(thread);
		if (!thread->broken && db_begin(thread->db)) {
			for (size_t i = 0; i < ARRAY_LEN(op->in); i++)
				bodies_unstage(thread->db, &op->in[i]);
			if (!db_commit(thread->db))
				give_up_transaction(thread);
		}
	}
	op_fail(op, FOREBAY_ERR_STORAGE);
	STAILQ_INSERT_TAIL(&done, op, next);
	hand_back(thread, &done);
}

/* True: all of it has been read, or it failed. */
static bool
read_piece(struct thread *thread, struct op *op)
{
	enum forebay_err err =
	    thread->broken ? FOREBAY_ERR_STORAGE : bodies_read_piece(thread->db, &op->out);

	if (thread->db->failure != DB_FINE)
		give_up_transaction(thread);
	if (err)
		op_fail(op, err);
	if (!err && !bodies_is_read(&op->out))
		return false;
	if (!err) {
		op->reply.body_len = op->out.len;
		op->reply.body = TAKE(op->out.data);
	}
	return true;
}

/* One piece of the first, which then goes to the end of the queue. */
static void
slow_step(struct thread *thread)
{
	struct op_list done = STAILQ_HEAD_INITIALIZER(done);
	struct op *op = STAILQ_FIRST(&thread->slow);

	beat(thread);
	STAILQ_REMOVE_HEAD(&thread->slow, next);
	if (op->out.id) {
		if (read_piece(thread, op)) {
			STAILQ_INSERT_TAIL(&done, op, next);
			hand_back(thread, &done);
			return;
		}
	} else if (!stage_piece(thread, op)) {
		refuse_staged(thread, op);
		return;
	} else if (!has_pieces_to_stage(op)) {
		run_one(thread, op);
		return;
	}
	STAILQ_INSERT_TAIL(&thread->slow, op, next);
}

static void
slow_steps(struct thread *thread)
{
	int64_t until_ms = clock_mono_ms() + PIECES_MS;

	while (!STAILQ_EMPTY(&thread->slow)) {
		slow_step(thread);
		if (clock_mono_ms() >= until_ms)
			return;
	}
}

/* --- housekeeping ------------------------------------------------------------------ */

static bool
has_work(struct thread *thread)
{
	bool work;

	pthread_mutex_lock(&thread->lock);
	work = thread->has_work;
	pthread_mutex_unlock(&thread->lock);
	return work;
}

static void
maybe_checkpoint(struct thread *thread)
{
	unsigned pages = thread->db->wal_pages;

	if (!thread->writable || pages < CHECKPOINT_IDLE)
		return;
	if (pages < CHECKPOINT_BUSY && has_work(thread))
		return;
	if (!db_checkpoint(thread->db))
		give_up_transaction(thread);
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
	thread->probe_ms = clock_mono_ms() + PROBE_MS;
	if (probe(thread->db))
		set_writable(thread, true);
	else
		give_up_transaction(thread);
}

/* One small step of what nobody waits for; true: there may be another. */
static bool
tidy(struct thread *thread)
{
	struct db *db = thread->db;

	if (!thread->writable)
		return false;
	if (db->trash) {
		db->trash = bodies_sweep_trash(db);
	} else if (thread->vacuuming) {
		db_run_values(db, SQL_VACUUM_SOME, NULL, 0);
		thread->free_pages -= MIN(thread->free_pages, 64u);
		thread->vacuuming = thread->free_pages > VACUUM_MIN_PAGES / 2;
	}
	if (db->failure != DB_FINE)
		give_up_transaction(thread);
	return db->trash || thread->vacuuming;
}

/* True: come back soon, there is more. */
static bool
between_batches(struct thread *thread)
{
	slow_steps(thread);
	if (thread->broken)
		return !STAILQ_EMPTY(&thread->slow);
	maybe_checkpoint(thread);
	maybe_probe(thread);
	if (atomic_load(&thread->refusal) != REFUSE_NOTHING && clock_mono_ms() >= thread->space_ms)
		measure_space(thread);
	if (!STAILQ_EMPTY(&thread->slow))
		return true;
	return !thread->broken && !has_work(thread) && tidy(thread);
}

/* --- the thread -------------------------------------------------------------------- */

/* When refused writes may have become possible we must look by ourselves. */
static int
wait_for_work(struct thread *thread)
{
	struct timespec until;

	if (thread->broken || atomic_load(&thread->refusal) == REFUSE_NOTHING)
		return pthread_cond_wait(&thread->given, &thread->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	return pthread_cond_timedwait(&thread->given, &thread->lock, &until);
}

/* False: stop. The batch may be empty, when there is something else to do. */
static bool
take_batch(struct thread *thread, struct op_list *ret, bool more)
{
	bool go_on;

	pthread_mutex_lock(&thread->lock);
	atomic_store(&thread->idle, true);
	while (!thread->has_work && !thread->stopping && !more)
		more = wait_for_work(thread) == ETIMEDOUT;
	atomic_store(&thread->idle, false);
	STAILQ_CONCAT(ret, &thread->work);
	go_on = thread->has_work || !thread->stopping || !STAILQ_EMPTY(&thread->slow);
	thread->has_work = false;
	pthread_mutex_unlock(&thread->lock);
	return go_on;
}

static void *
thread_main(void *arg)
{
	struct thread *thread = arg;
	struct op_list batch = STAILQ_HEAD_INITIALIZER(batch);
	bool more = thread->db->trash;

	while (take_batch(thread, &batch, more)) {
		beat(thread);
		if (!STAILQ_EMPTY(&batch))
			run_batch(thread, &batch);
		more = between_batches(thread);
	}
	return NULL;
}

struct thread *
thread_start(struct db *db, const struct thread_config *config)
{
	struct thread *thread = must_alloc(sizeof(*thread));
	pthread_condattr_t attr;
	sigset_t all, before;

	thread->db = db;
	thread->dir = must_strdup(config->dir);
	thread->min_free = config->min_free;
	thread->max_store = config->max_store;
	thread->eventfd = config->eventfd;
	thread->writable = true;
	STAILQ_INIT(&thread->work);
	STAILQ_INIT(&thread->slow);
	STAILQ_INIT(&thread->news.done);
	pthread_mutex_init(&thread->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->given, &attr);
	pthread_condattr_destroy(&attr);
	measure_space(thread);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread->id, NULL, thread_main, thread) != 0)
		fatal("cannot create the store's thread");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setname_np(thread->id, "store");
	return thread;
}

void
thread_stop(struct thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->stopping = true;
	pthread_cond_signal(&thread->given);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->id, NULL);
	if (thread->broken)
		thread->db->failure = DB_BROKEN;
	op_free_all(&thread->news.done);
	op_free_all(&thread->work);
	op_free_all(&thread->slow);
	pthread_cond_destroy(&thread->given);
	pthread_mutex_destroy(&thread->lock);
	free(thread->dir);
	free(thread);
}
