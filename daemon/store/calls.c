/*
 * calls.c - the functions of store.h that change or read: each copies its
 * arguments into an operation and appends it.
 */
#include "daemon/store/face.h"
#include "daemon/store/store.h"

#include <string.h>

/* No caller may ask for more rows at once than this. */
#define MAX_ROWS 1024u

static unsigned
bounded(unsigned limit)
{
	return MIN(MAX(limit, 1u), MAX_ROWS);
}

/* --- changes ---------------------------------------------------------------------- */

void
store_submit(struct store *store, const struct store_job *job, const struct store_lane *lane,
	     uint8_t *body, size_t body_len, store_done_fn *done, void *arg)
{
	struct op *op = op_new(OP_SUBMIT, done, arg);
	struct submit_args *args = arena_alloc(&op->arena, sizeof(*args));

	op->args = args;
	op_copy_job(op, job, &args->job);
	op_copy_lane(op, lane, &args->lane);
	args->job.head.lane = lane->id;
	if (!job->retry_of)
		args->job.head.body_len = (uint32_t)body_len;
	op_add_body(op, 0, bodies_id(job->head.id, BODY_REQUEST), body, body_len);
	store_add(store, op);
}

void
store_start(struct store *store, const struct store_attempt *attempt, store_done_fn *done,
	    void *arg)
{
	struct op *op = op_new(OP_START, done, arg);
	struct store_attempt *args = arena_alloc(&op->arena, sizeof(*args));

	op->args = args;
	op_copy_attempt(op, attempt, args);
	args->sent = true;
	store_add(store, op);
}

static void
copy_end(struct op *op, const struct store_end *end, struct store_end *ret)
{
	*ret = *end;
	op_copy_attempt(op, &end->attempt, &ret->attempt);
	ret->earlier = NULL;
	ret->earlier_count = 0;
	ret->result = NULL;
	ret->body = ret->raw = NULL;
}

static void
add_answer(struct op *op, const struct store_end *end, uint64_t job)
{
	op_add_body(op, 0, bodies_id(job, BODY_ANSWER), end->body, end->body_len);
	op_add_body(op, 1, bodies_id(job, BODY_RAW), end->raw, end->raw_len);
}

void
store_finish(struct store *store, const struct store_end *end, store_done_fn *done, void *arg)
{
	struct op *op = op_new(OP_FINISH, done, arg);
	struct finish_args *args = arena_alloc(&op->arena, sizeof(*args));

	op->args = args;
	copy_end(op, end, &args->end);
	args->has_result = end->result;
	if (end->result)
		op_copy_result(op, end->result, &args->result);
	add_answer(op, end, end->attempt.job);
	store_add(store, op);
}

/* All of the ledger, in order. */
static void
add_attempts(struct op *op, const struct store_end *end, struct record_args *args)
{
	size_t count = end->earlier_count;
	struct store_attempt *rows = arena_alloc(&op->arena, (count + 1) * sizeof(*rows));

	for (size_t i = 0; i < count; i++)
		op_copy_attempt(op, &end->earlier[i], &rows[i]);
	if (args->end.attempt.number)
		rows[count++] = args->end.attempt;
	args->attempts = rows;
	args->attempt_count = count;
}

void
store_record(struct store *store, const struct store_job *job, const struct store_lane *lane,
	     const struct store_end *end, store_done_fn *done, void *arg)
{
	struct op *op = op_new(OP_RECORD, done, arg);
	struct record_args *args = arena_alloc(&op->arena, sizeof(*args));

	op->args = args;
	op_copy_job(op, job, &args->job);
	op_copy_lane(op, lane, &args->lane);
	args->job.head.lane = lane->id;
	copy_end(op, end, &args->end);
	add_attempts(op, end, args);
	args->has_result = end->result;
	if (end->result)
		op_copy_result(op, end->result, &args->result);
	add_answer(op, end, job->head.id);
	store_add(store, op);
}

void
store_move(struct store *store, uint64_t id, uid_t uid, unsigned from_mask,
	   enum forebay_job_state to, enum forebay_err error, int64_t now_ms, store_done_fn *done,
	   void *arg)
{
	struct op *op = op_new(OP_MOVE, done, arg);
	struct move_args *args = arena_alloc(&op->arena, sizeof(*args));

	*args = (struct move_args){ id, uid, from_mask, to, error, now_ms };
	op->args = args;
	store_add(store, op);
}

static void
add_due(struct store *store, enum op_kind kind, int64_t now_ms, unsigned limit, store_done_fn *done,
	void *arg)
{
	struct op *op = op_new(kind, done, arg);
	struct due_args *args = arena_alloc(&op->arena, sizeof(*args));

	*args = (struct due_args){ now_ms, bounded(limit) };
	op->args = args;
	store_add(store, op);
}

void
store_due(struct store *store, int64_t now_ms, unsigned limit, store_done_fn *done, void *arg)
{
	add_due(store, OP_DUE, now_ms, limit, done, arg);
}

void
store_sweep(struct store *store, int64_t now_ms, unsigned limit, store_done_fn *done, void *arg)
{
	add_due(store, OP_SWEEP, now_ms, limit, done, arg);
}

/* Everything about one job that needs its id and its owner. */
static void
add_read(struct store *store, enum op_kind kind, const struct read_args *wanted,
	 store_done_fn *done, void *arg)
{
	struct op *op = op_new(kind, done, arg);
	struct read_args *args = arena_alloc(&op->arena, sizeof(*args));

	*args = *wanted;
	op->args = args;
	store_add(store, op);
}

void
store_delete(struct store *store, uint64_t id, uid_t uid, store_done_fn *done, void *arg)
{
	add_read(store, OP_DELETE, &(struct read_args){ .id = id, .uid = uid }, done, arg);
}

void
store_reserve_ids(struct store *store, uint64_t limit, store_done_fn *done, void *arg)
{
	add_read(store, OP_RESERVE_IDS, &(struct read_args){ .id = limit }, done, arg);
}

void
store_save_gate(struct store *store, const char *name, const char *text, store_done_fn *done,
		void *arg)
{
	struct op *op = op_new(OP_SAVE_GATE, done, arg);
	struct gate_args *args = arena_alloc(&op->arena, sizeof(*args));

	args->name = arena_strdup(&op->arena, name);
	args->text = arena_strdup(&op->arena, text);
	op->args = args;
	store_add(store, op);
}

/* --- reads ------------------------------------------------------------------------ */

void
store_window(struct store *store, uint32_t lane, int16_t after_priority, uint64_t after_id,
	     unsigned limit, store_done_fn *done, void *arg)
{
	struct op *op = op_new(OP_WINDOW, done, arg);
	struct window_args *args = arena_alloc(&op->arena, sizeof(*args));

	*args = (struct window_args){ lane, after_priority, after_id, bounded(limit) };
	op->args = args;
	store_add(store, op);
}

void
store_show(struct store *store, uint64_t id, uid_t uid, bool with_attempts, store_done_fn *done,
	   void *arg)
{
	add_read(store, OP_SHOW, &(struct read_args){ id, uid, with_attempts }, done, arg);
}

void
store_result(struct store *store, uint64_t id, uid_t uid, store_done_fn *done, void *arg)
{
	add_read(store, OP_RESULT, &(struct read_args){ .id = id, .uid = uid }, done, arg);
}

void
store_request(struct store *store, uint64_t id, uid_t uid, store_done_fn *done, void *arg)
{
	add_read(store, OP_REQUEST, &(struct read_args){ .id = id, .uid = uid }, done, arg);
}

void
store_states(struct store *store, const uint64_t *ids, size_t count, uid_t uid, store_done_fn *done,
	     void *arg)
{
	struct op *op = op_new(OP_STATES, done, arg);
	struct states_args *args = arena_alloc(&op->arena, sizeof(*args));
	uint64_t *copy = arena_alloc(&op->arena, count * sizeof(*copy));

	if (count)
		memcpy(copy, ids, count * sizeof(*copy));
	*args = (struct states_args){ copy, count, uid };
	op->args = args;
	store_add(store, op);
}

void
store_list(struct store *store, const struct store_filter *filter, store_done_fn *done, void *arg)
{
	struct op *op = op_new(OP_LIST, done, arg);
	struct store_filter *args = arena_alloc(&op->arena, sizeof(*args));

	*args = *filter;
	args->model = arena_strdup(&op->arena, filter->model);
	args->label = arena_strdup(&op->arena, filter->label);
	args->limit = bounded(filter->limit);
	op->args = args;
	store_add(store, op);
}
