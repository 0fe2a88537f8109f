/*
 * worker.h - what the three files of the store's thread share: thread.c (taking
 * and handing back), turn.c (one batch, pieces of big bodies), upkeep.c (the
 * state of the disk, checkpoints, tidying). Private to them.
 */
#ifndef DAEMON_STORE_WORKER_H
#define DAEMON_STORE_WORKER_H

#include "daemon/store/thread.h"

#include <pthread.h>
#include <stdatomic.h>

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
	bool orphans; /* there are pieces staged for an operation that failed */
	bool vacuuming;
	uint64_t free_pages;
	int64_t probe_ms, space_ms; /* when to do it next */
	int64_t probe_gap_ms;
};

/* thread.c */
void thread_wake_loop(struct thread *thread);
/* These operations have their results. */
void thread_hand_back(struct thread *thread, struct op_list *done);
void thread_batch_done(struct thread *thread);
/* Another batch has been given. */
bool thread_has_work(struct thread *thread);
/* Progress was made. */
void thread_beat(struct thread *thread);

/* turn.c */
void turn_batch(struct thread *thread, struct op_list *batch);
/* Some pieces of big bodies, for a few milliseconds. */
void turn_pieces(struct thread *thread);

/* upkeep.c */
/* What there is to do when no batch runs; true: come back soon, there is more. */
bool upkeep(struct thread *thread);
/* How long to wait for work at most; -1: for ever. */
int64_t upkeep_wait_ms(const struct thread *thread);
void upkeep_space(struct thread *thread);
/* The transaction failed: undo it, and draw the consequences. */
void upkeep_failed(struct thread *thread);

#endif
