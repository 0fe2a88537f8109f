/*
 * thread.c - the store's thread: taking batches and handing them back; see
 * thread.h.
 *
 *	take a batch -> BEGIN, run, COMMIT -> hand back -> checkpoint? ->
 *	pieces of big bodies -> trash, probe, free space -> take the next
 *
 * Only the first step waits, and only when the others have nothing to do.
 */
#include "daemon/store/worker.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* --- between loop and thread --------------------------------------------------- */

void
thread_wake_loop(struct thread *thread)
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

void
thread_hand_back(struct thread *thread, struct op_list *done)
{
	pthread_mutex_lock(&thread->lock);
	STAILQ_CONCAT(&thread->news.done, done);
	pthread_mutex_unlock(&thread->lock);
	thread_wake_loop(thread);
}

void
thread_batch_done(struct thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->news.batch_done = true;
	pthread_mutex_unlock(&thread->lock);
	thread_wake_loop(thread);
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

bool
thread_has_work(struct thread *thread)
{
	bool work;

	pthread_mutex_lock(&thread->lock);
	work = thread->has_work;
	pthread_mutex_unlock(&thread->lock);
	return work;
}

void
thread_beat(struct thread *thread)
{
	atomic_fetch_add_explicit(&thread->heartbeat, 1, memory_order_relaxed);
}

/* --- the thread -------------------------------------------------------------------- */

static int
wait_for_work(struct thread *thread)
{
	int64_t wait_ms = upkeep_wait_ms(thread), until_us;
	struct timespec until;
	struct timeval wait;

	if (wait_ms < 0)
		return pthread_cond_wait(&thread->given, &thread->lock);
	wait = clock_timer((double)wait_ms / 1000.0);
	/* The clock of the condition, whatever the pace of ours. */
	until_us = clock_service_us() + (int64_t)wait.tv_sec * 1000000 + wait.tv_usec;
	until.tv_sec = (time_t)(until_us / 1000000);
	until.tv_nsec = (long)(until_us % 1000000) * 1000;
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
		thread_beat(thread);
		if (!STAILQ_EMPTY(&batch))
			turn_batch(thread, &batch);
		more = upkeep(thread);
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
	upkeep_space(thread);
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
