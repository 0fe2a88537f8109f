/*
 * store.c - the asynchronous face: the batch being filled, handing it over, and
 * calling back; see store.h.
 *
 * While the thread commits batch N, the loop fills batch N + 1. There is no
 * timer and no batch size: what has come in during one commit is the next one.
 * When N is done, N + 1 is handed over first and N is answered then, so that
 * answering overlaps with the disk.
 */
#include "daemon/store/store.h"

#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/store/face.h"
#include "daemon/store/lock.h"
#include "daemon/store/recover.h"
#include "daemon/store/thread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

/* Of one commit; a single bigger operation goes alone. */
#define BATCH_OPS   1024
#define BATCH_BYTES (4u * 1024 * 1024)

struct store {
	const struct store_events *events; /* borrowed */
	void *arg;			   /* borrowed */
	struct db *db;			   /* owned; the thread's while it runs */
	struct thread *thread;		   /* owned */
	struct event *ready;		   /* owned: the eventfd */
	struct event *flush;		   /* owned: after this turn's reads */
	int eventfd, lock;		   /* owned */
	struct op_list fill;		   /* not yet handed over */
	bool in_flight;			   /* a batch is with the thread */
	size_t backlog, backlog_bytes;
	char *dir; /* owned */
	uint64_t min_free, max_store;
	struct arena arena; /* of found */
	struct store_found found;
};

/* --- batches ------------------------------------------------------------------- */

static void
hand_over(struct store *store)
{
	struct op_list batch = STAILQ_HEAD_INITIALIZER(batch);
	size_t ops = 0, bytes = 0;
	struct op *op;

	if (store->in_flight)
		return;
	while ((op = STAILQ_FIRST(&store->fill))) {
		if (ops == BATCH_OPS || (ops > 0 && bytes + op->bytes > BATCH_BYTES))
			break;
		ops++;
		bytes += op->bytes;
		STAILQ_REMOVE_HEAD(&store->fill, next);
		STAILQ_INSERT_TAIL(&batch, op, next);
	}
	if (ops == 0)
		return;
	store->in_flight = true;
	thread_give(store->thread, &batch);
}

void
store_add(struct store *store, struct op *op)
{
	static const struct timeval now = { 0, 0 };

	STAILQ_INSERT_TAIL(&store->fill, op, next);
	store->backlog++;
	store->backlog_bytes += op->bytes;
	if (!store->in_flight && !event_pending(store->flush, EV_TIMEOUT, NULL))
		event_add(store->flush, &now);
}

static void
store_on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hand_over(arg);
}

static void
count_metrics(const struct thread_news *news)
{
	metrics.store_commits_total += news->commits;
	metrics.store_operations_total += news->operations;
	metrics.store_errors_total += news->errors;
	histogram_add(&histograms.store_commit_seconds, &news->commit_seconds);
}

/* Tell whoever asked. A body that came with a change goes back to him, written
 * or not: he may tell it on, or try again; what he leaves is freed here. */
static void
tell(struct op *op)
{
	bool lent = op->in[0].data && !op->reply.body;

	if (lent) {
		op->reply.body_len = op->in[0].len;
		op->reply.body = TAKE(op->in[0].data);
	}
	op->done(op->err, &op->reply, op->arg);
	if (lent)
		op->in[0].data = TAKE(op->reply.body);
}

static void
answer(struct store *store, struct op_list *done)
{
	struct op *op;

	while ((op = STAILQ_FIRST(done))) {
		STAILQ_REMOVE_HEAD(done, next);
		store->backlog--;
		store->backlog_bytes -= op->bytes;
		if (op->done)
			tell(op);
		op_free(op);
	}
}

static void
store_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;
	struct thread_news news;
	uint64_t wakeups;

	(void)what;
	/* Only to be woken again; what there is to do is in the news. */
	if (read((int)fd, &wakeups, sizeof(wakeups)) < 0 && errno != EAGAIN && errno != EINTR)
		log_warn("reading the store's eventfd: %s, going on", strerror(errno));
	thread_collect(store->thread, &news);
	if (news.batch_done)
		store->in_flight = false;
	hand_over(store);
	count_metrics(&news);
	if (news.broken)
		store->events->broken(news.why, store->arg);
	else if (news.writable_changed)
		store->events->writable(news.writable, news.why, store->arg);
	answer(store, &news.done);
}

/* --- open and close ------------------------------------------------------------- */

static enum forebay_err
open_disk(struct store *store, const struct store_config *config, char *why, size_t why_len)
{
	enum forebay_err err = lock_take(config->dir, &store->lock, why, why_len);

	if (!err)
		err = db_open(config->dir, config->durability_full, config->now_ms, &store->db, why,
			      why_len);
	if (err)
		return err;
	err = recover(store->db, config, &store->arena, &store->found);
	if (err) {
		bool damaged = store->db->failure == DB_DAMAGED;

		snprintf(why, why_len, "reading %s/forebay.db: %s", config->dir, store->db->why);
		db_close(TAKE(store->db));
		if (damaged)
			err = db_set_aside(config->dir, config->now_ms, why, why_len);
	}
	return err;
}

static void
start_thread(struct store *store, struct event_base *base)
{
	const struct thread_config config = { store->dir, store->min_free, store->max_store,
					      store->eventfd };

	store->ready = event_new(base, store->eventfd, EV_READ | EV_PERSIST, store_on_ready, store);
	store->flush = event_new(base, -1, 0, store_on_flush, store);
	if (!store->ready || !store->flush || event_add(store->ready, NULL) != 0)
		fatal("cannot watch the store's thread");
	store->thread = thread_start(store->db, &config);
}

enum forebay_err
store_open(const struct store_config *config, struct event_base *base,
	   const struct store_events *events, void *arg, struct store **ret, char *why,
	   size_t why_len)
{
	struct store *store = must_alloc(sizeof(*store));
	enum forebay_err err;

	STAILQ_INIT(&store->fill);
	store->events = events;
	store->arg = arg;
	store->lock = -1;
	store->dir = must_strdup(config->dir);
	store->min_free = config->min_free;
	store->max_store = config->max_store;
	store->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->eventfd < 0) {
		snprintf(why, why_len, "eventfd: %s", strerror(errno));
		store_close(store);
		return FOREBAY_ERR_STORAGE;
	}
	err = open_disk(store, config, why, why_len);
	if (err) {
		store_close(store);
		return err;
	}
	start_thread(store, base);
	*ret = store;
	return FOREBAY_ERR_OK;
}

const struct store_found *
store_found(const struct store *store)
{
	return &store->found;
}

/* All at once: nobody is waiting for a fair share any more. */
static void
stop_thread(struct store *store)
{
	if (!store->thread)
		return;
	if (!STAILQ_EMPTY(&store->fill))
		thread_give(store->thread, &store->fill);
	thread_stop(store->thread);
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	stop_thread(store);
	if (store->ready)
		event_free(store->ready);
	if (store->flush)
		event_free(store->flush);
	db_close(store->db);
	if (store->lock >= 0)
		lock_release(store->lock);
	if (store->eventfd >= 0)
		close(store->eventfd);
	op_free_all(&store->fill);
	arena_clear(&store->arena);
	free(store->dir);
	free(store);
}

/* --- what one can ask at once ---------------------------------------------------- */

enum forebay_err
store_accepts(const struct store *store, const char **ret_why)
{
	/* On the loop only, and until the next call: no need to own it. */
	static char why[256];
	uint64_t mib = 1024 * 1024;

	switch (thread_refuses(store->thread)) {
	case REFUSE_NOTHING:
		return FOREBAY_ERR_OK;
	case REFUSE_LOW:
		snprintf(why, sizeof(why),
			 "only %" PRIu64 " MiB are free at %s, [queue] min_free is %" PRIu64 " MiB",
			 thread_free_bytes(store->thread) / mib, store->dir, store->min_free / mib);
		break;
	case REFUSE_BIG:
		snprintf(why, sizeof(why),
			 "the database holds %" PRIu64 " MiB, [queue] max_store is %" PRIu64 " MiB",
			 thread_store_bytes(store->thread) / mib, store->max_store / mib);
		break;
	case REFUSE_UNWRITABLE:
		snprintf(why, sizeof(why), "the disk at %s takes no writes, is it full?",
			 store->dir);
		break;
	case REFUSE_BROKEN:
		snprintf(why, sizeof(why), "the disk at %s failed, forebayd is stopping",
			 store->dir);
		break;
	}
	*ret_why = why;
	return FOREBAY_ERR_STORAGE;
}

size_t
store_backlog(const struct store *store)
{
	return store->backlog;
}

size_t
store_backlog_bytes(const struct store *store)
{
	return store->backlog_bytes;
}

uint64_t
store_heartbeat(const struct store *store)
{
	return thread_heartbeat(store->thread);
}

void
store_disk(const struct store *store, uint64_t *ret_store_bytes, uint64_t *ret_free_bytes)
{
	*ret_store_bytes = thread_store_bytes(store->thread);
	*ret_free_bytes = thread_free_bytes(store->thread);
}
