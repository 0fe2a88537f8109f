/*
 * op.c - making, copying, running and freeing operations; see op.h.
 */
#include "daemon/store/op.h"

#include "daemon/base/log.h"

#include <stdlib.h>
#include <string.h>

static const struct op_row {
	const char *name;
	op_run_fn *run;
} rows[] = {
#define X(kind, run) [OP_##kind] = { #run, op_run_##run },
	OPS(X)
#undef X
};

struct op *
op_new(enum op_kind kind, store_done_fn *done, void *arg)
{
	struct op *op = must_alloc(sizeof(*op));

	op->kind = kind;
	op->done = done;
	op->arg = arg;
	return op;
}

static void
drop_bodies(struct op *op)
{
	for (size_t i = 0; i < ARRAY_LEN(op->in); i++) {
		free(op->in[i].data);
		op->in[i].data = NULL;
	}
}

static void
drop_reply(struct op *op)
{
	free(op->out.data);
	op->out = (struct body_out){ 0 };
	free(op->reply.body);
	op->reply = (struct store_reply){ 0 };
}

void
op_free(struct op *op)
{
	drop_bodies(op);
	drop_reply(op);
	arena_clear(&op->arena);
	free(op);
}

void
op_free_all(struct op_list *list)
{
	struct op *op;

	while ((op = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, next);
		op_free(op);
	}
}

void
op_add_body(struct op *op, unsigned slot, uint64_t id, uint8_t *data, size_t len)
{
	op->in[slot] = (struct body_in){ .id = id, .data = data, .len = data ? len : 0 };
	op->bytes += op->in[slot].len;
}

/* --- copies ------------------------------------------------------------------ */

/* Duplicate the string members of a struct that was copied byte for byte. */
static void
copy_strings(struct arena *arena, void *row, const size_t *offsets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char **member = (const char **)((char *)row + offsets[i]);

		*member = arena_strdup(arena, *member);
	}
}

void
op_copy_attempt(struct op *op, const struct store_attempt *attempt, struct store_attempt *ret)
{
	static const size_t strings[] = {
		offsetof(struct store_attempt, model),
		offsetof(struct store_attempt, edits),
		offsetof(struct store_attempt, outcome),
		offsetof(struct store_attempt, error_type),
		offsetof(struct store_attempt, error_code),
		offsetof(struct store_attempt, message),
		offsetof(struct store_attempt, request_id),
	};

	*ret = *attempt;
	copy_strings(&op->arena, ret, strings, ARRAY_LEN(strings));
}

static const struct store_attempt *
copy_attempts(struct op *op, const struct store_attempt *attempts, size_t count)
{
	struct store_attempt *copy = arena_alloc(&op->arena, count * sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		op_copy_attempt(op, &attempts[i], &copy[i]);
	return copy;
}

void
op_copy_job(struct op *op, const struct store_job *job, struct store_job *ret)
{
	/* Not the route: it is the lane's. */
	static const size_t strings[] = {
		offsetof(struct store_job, model),   offsetof(struct store_job, chain),
		offsetof(struct store_job, version), offsetof(struct store_job, model_option),
		offsetof(struct store_job, betas),   offsetof(struct store_job, label),
		offsetof(struct store_job, key),     offsetof(struct store_job, unit),
		offsetof(struct store_job, skipped), offsetof(struct store_job, headers),
		offsetof(struct store_job, query),
	};

	*ret = *job;
	ret->route = NULL;
	ret->earlier = copy_attempts(op, job->earlier, job->earlier_count);
	copy_strings(&op->arena, ret, strings, ARRAY_LEN(strings));
}

void
op_copy_lane(struct op *op, const struct store_lane *lane, struct store_lane *ret)
{
	*ret = *lane;
	ret->route = arena_strdup(&op->arena, lane->route ? lane->route : "");
}

void
op_copy_result(struct op *op, const struct store_result *result, struct store_result *ret)
{
	static const size_t strings[] = {
		offsetof(struct store_result, message),
		offsetof(struct store_result, model_served),
		offsetof(struct store_result, request_id),
		offsetof(struct store_result, stop_reason),
	};

	*ret = *result;
	copy_strings(&op->arena, ret, strings, ARRAY_LEN(strings));
}

/* --- running ----------------------------------------------------------------- */

/* A body that is whole goes into the reply; a bigger one when it has been read. */
static void
take_small_body(struct op *op)
{
	if (!op->out.id || !bodies_is_read(&op->out))
		return;
	op->reply.body_len = op->out.len;
	op->reply.body = TAKE(op->out.data);
	op->out.id = 0;
}

void
op_run(struct db *db, struct op *op)
{
	op->err = rows[op->kind].run(db, op);
	if (db->failure != DB_FINE)
		return;
	if (op->err && op->reply.moved)
		op_lose_body(op, op->err);
	else if (op->err && op->err != FOREBAY_ERR_KEY_CONFLICT)
		op_fail(op, op->err);
	take_small_body(op);
	for (size_t i = 0; i < ARRAY_LEN(op->in); i++)
		bodies_unstage(db, &op->in[i]);
}

void
op_fail(struct op *op, enum forebay_err err)
{
	drop_reply(op);
	op->err = err;
	for (size_t i = 0; i < ARRAY_LEN(op->in); i++)
		op->in[i].stored = false;
}

void
op_lose_body(struct op *op, enum forebay_err err)
{
	if (op->kind != OP_START) {
		op_fail(op, err);
		return;
	}
	free(op->out.data);
	op->out = (struct body_out){ 0 };
	/* Of a running job nobody removes it. */
	op->err = err == FOREBAY_ERR_NOT_FOUND ? FOREBAY_ERR_INTERNAL : err;
}

const char *
op_name(const struct op *op)
{
	return rows[op->kind].name;
}
