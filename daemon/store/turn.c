/*
 * turn.c - one turn of the store's thread: a batch in one transaction, and
 * pieces of big bodies between two batches.
 *
 * While the disk takes no writes each operation has a transaction of its own, so
 * that one refused write hits nobody else. After an I/O error nothing is tried
 * again on this connection.
 */
#include "daemon/store/worker.h"

#include "daemon/base/clock.h"

#define PIECES_MS 2 /* between two batches */

/* --- transactions --------------------------------------------------------------- */

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
		thread_beat(thread);
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
	histogram_observe(&thread->news.commit_seconds, clock_mono() - since);
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
	thread_hand_back(thread, &done);
}

static void
fail_one(struct thread *thread, struct op *op)
{
	for (size_t i = 0; i < ARRAY_LEN(op->in); i++)
		thread->orphans |= op->in[i].staged > 0;
	op_fail(op, FOREBAY_ERR_STORAGE);
}

static void
fail_all(struct thread *thread, struct op_list *ops)
{
	struct op *op;

	STAILQ_FOREACH (op, ops, next)
		fail_one(thread, op);
}

static void run_each_alone(struct thread *thread, struct op_list *ops);

static void
run_transaction(struct thread *thread, struct op_list *ops)
{
	double since = clock_mono();
	bool committed = !thread->broken && run_all(thread, ops);
	enum db_failure failure = thread->db->failure;

	if (!committed) {
		if (!thread->broken)
			upkeep_failed(thread);
		fail_all(thread, ops);
	}
	count(thread, ops, since, committed);
	/* The disk is well: one of them cannot be, and must not take the others along. */
	if (!committed && failure == DB_REFUSED && STAILQ_NEXT(STAILQ_FIRST(ops), next))
		run_each_alone(thread, ops);
	else
		sort_out(thread, ops);
}

static void
run_each_alone(struct thread *thread, struct op_list *ops)
{
	struct op_list alone = STAILQ_HEAD_INITIALIZER(alone);
	struct op *op;

	while ((op = STAILQ_FIRST(ops))) {
		STAILQ_REMOVE_HEAD(ops, next);
		STAILQ_INSERT_TAIL(&alone, op, next);
		run_transaction(thread, &alone);
	}
}

static bool
has_pieces_to_stage(const struct op *op)
{
	return bodies_needs_staging(&op->in[0]) || bodies_needs_staging(&op->in[1]);
}

void
turn_batch(struct thread *thread, struct op_list *batch)
{
	struct op_list now = STAILQ_HEAD_INITIALIZER(now);
	struct op *op;

	if (clock_mono_ms() >= thread->space_ms && !thread->broken)
		upkeep_space(thread);
	while ((op = STAILQ_FIRST(batch))) {
		STAILQ_REMOVE_HEAD(batch, next);
		if (has_pieces_to_stage(op))
			STAILQ_INSERT_TAIL(&thread->slow, op, next);
		else
			STAILQ_INSERT_TAIL(&now, op, next);
	}
	if (!thread->writable)
		run_each_alone(thread, &now);
	else if (!STAILQ_EMPTY(&now))
		run_transaction(thread, &now);
	thread_batch_done(thread);
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

static void
refuse_staged(struct thread *thread, struct op *op)
{
	struct op_list done = STAILQ_HEAD_INITIALIZER(done);

	if (!thread->broken && thread->db->failure != DB_FINE)
		upkeep_failed(thread);
	fail_one(thread, op);
	STAILQ_INSERT_TAIL(&done, op, next);
	thread_hand_back(thread, &done);
}

/* True: all of it has been read, or it failed. */
static bool
read_piece(struct thread *thread, struct op *op)
{
	enum forebay_err err =
	    thread->broken ? FOREBAY_ERR_STORAGE : bodies_read_piece(thread->db, &op->out);

	if (thread->db->failure != DB_FINE)
		upkeep_failed(thread);
	if (err)
		op_lose_body(op, err);
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
	struct op_list ready = STAILQ_HEAD_INITIALIZER(ready);
	struct op *op = STAILQ_FIRST(&thread->slow);

	thread_beat(thread);
	STAILQ_REMOVE_HEAD(&thread->slow, next);
	if (op->out.id) {
		if (read_piece(thread, op)) {
			STAILQ_INSERT_TAIL(&ready, op, next);
			thread_hand_back(thread, &ready);
			return;
		}
	} else if (!stage_piece(thread, op)) {
		refuse_staged(thread, op);
		return;
	} else if (!has_pieces_to_stage(op)) {
		STAILQ_INSERT_TAIL(&ready, op, next);
		run_transaction(thread, &ready);
		return;
	}
	STAILQ_INSERT_TAIL(&thread->slow, op, next);
}

void
turn_pieces(struct thread *thread)
{
	int64_t until_ms = clock_mono_ms() + PIECES_MS;

	while (!STAILQ_EMPTY(&thread->slow)) {
		slow_step(thread);
		if (clock_mono_ms() >= until_ms)
			return;
	}
}
