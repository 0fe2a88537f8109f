/*
 * thread.h - the store's thread: runs batches of operations, one transaction
 * each, and what has to be done between them. Private to daemon/store/.
 *
 * It shares with the loop, under one lock, the batch handed over and the
 * operations that are done; an eventfd says that there is something to collect.
 */
#ifndef DAEMON_STORE_THREAD_H
#define DAEMON_STORE_THREAD_H

#include "protocol/base.h"
#include "daemon/base/metrics.h"
#include "daemon/store/op.h"

#include <stdbool.h>
#include <stdint.h>

struct thread;

struct thread_config {
	const char *dir; /* copied */
	uint64_t min_free, max_store;
	int eventfd; /* written when there is something to collect; borrowed */
};

/* Why a submit would be refused. */
enum thread_refusal { REFUSE_NOTHING, REFUSE_LOW, REFUSE_BIG, REFUSE_UNWRITABLE, REFUSE_BROKEN };

/* db is the thread's until thread_stop(). */
struct thread *thread_start(struct db *db, const struct thread_config *config);
/* Runs what it was given, joins, frees; nothing more is handed back. */
void thread_stop(struct thread *thread);

/* One batch at a time: not before the last one was reported done. */
void thread_give(struct thread *thread, struct op_list *batch);

/* What has happened since the last time. */
struct thread_news {
	struct op_list done; /* the caller's */
	bool batch_done;     /* the next batch may be given */
	bool writable_changed, writable;
	bool broken;
	char why[DB_WHY_LEN]; /* of unwritable, broken */
	uint64_t commits, operations, errors;
	struct histogram commit_seconds; /* of every transaction, committed or not */
};
void thread_collect(struct thread *thread, struct thread_news *ret);

/* These answer from atomics. */
enum thread_refusal thread_refuses(const struct thread *thread);
uint64_t thread_heartbeat(struct thread *thread);
uint64_t thread_store_bytes(const struct thread *thread);
uint64_t thread_free_bytes(const struct thread *thread);

#endif
