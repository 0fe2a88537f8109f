/*
 * op.h - one operation on its way through the store: made on the loop, run on
 * the thread, answered on the loop. Private to daemon/store/.
 *
 * One row of the table is one operation: its name and what runs it. Arguments,
 * and strings of the reply, live in the operation's arena.
 */
#ifndef DAEMON_STORE_OP_H
#define DAEMON_STORE_OP_H

#include "protocol/base.h"
#include "daemon/store/arena.h"
#include "daemon/store/bodies.h"
#include "daemon/store/store.h"

#include <sys/queue.h>

/* clang-format off */
/*	  kind          run */
#define OPS(X)                                                                                     \
	X(SUBMIT,       submit)                                                                    \
	X(START,        start)                                                                     \
	X(FINISH,       finish)                                                                    \
	X(RECORD,       record)                                                                    \
	X(MOVE,         move)                                                                      \
	X(DUE,          due)                                                                       \
	X(DELETE,       delete)                                                                    \
	X(SWEEP,        sweep)                                                                     \
	X(RESERVE_IDS,  reserve_ids)                                                               \
	X(SAVE_GATE,    save_gate)                                                                 \
	X(WINDOW,       window)                                                                    \
	X(SHOW,         show)                                                                      \
	X(RESULT,       result)                                                                    \
	X(REQUEST,      request)                                                                   \
	X(STATES,       states)                                                                    \
	X(LIST,         list)
/* clang-format on */

#define OP_ENUM(kind, run) OP_##kind,
enum op_kind { OPS(OP_ENUM) OP_COUNT };
#undef OP_ENUM

struct op {
	STAILQ_ENTRY(op) next;
	enum op_kind kind;
	store_done_fn *done; /* may be NULL */
	void *arg;	     /* borrowed */
	size_t bytes;	     /* of its bodies, for the caps */
	const void *args;    /* borrowed from arena: the struct of its kind */
	struct body_in in[2];
	struct body_out out;
	enum forebay_err err;
	struct store_reply reply;
	struct arena arena;
};
STAILQ_HEAD(op_list, op);

struct submit_args {
	struct store_job job;
	struct store_lane lane;
};
struct record_args {
	struct store_job job;
	struct store_lane lane;
	struct store_end end;
	const struct store_attempt *attempts; /* earlier ones and the last */
	size_t attempt_count;
	struct store_result result;
	bool has_result;
};
struct finish_args {
	struct store_end end;
	struct store_result result;
	bool has_result;
};
struct move_args {
	uint64_t id;
	uid_t uid;
	unsigned from_mask;
	enum forebay_job_state to;
	enum forebay_err error;
	int64_t now_ms;
};
struct window_args {
	uint32_t lane;
	int16_t after_priority;
	uint64_t after_id;
	unsigned limit;
};
struct due_args { /* due, sweep */
	int64_t now_ms;
	unsigned limit;
};
struct read_args { /* show, result, request, delete, reserve_ids */
	uint64_t id;
	uid_t uid;
	bool with_attempts;
};
struct states_args {
	const uint64_t *ids;
	size_t count;
	uid_t uid;
};
struct gate_args {
	const char *name, *text;
};

struct op *op_new(enum op_kind kind, store_done_fn *done, void *arg);
/* With bodies that nobody took. */
void op_free(struct op *op);
void op_free_all(struct op_list *list);
/* Give it a body; takes data. */
void op_add_body(struct op *op, unsigned slot, uint64_t id, uint8_t *data, size_t len);

/* Strings and all, into the arena. */
void op_copy_job(struct op *op, const struct store_job *job, struct store_job *ret);
void op_copy_lane(struct op *op, const struct store_lane *lane, struct store_lane *ret);
void op_copy_attempt(struct op *op, const struct store_attempt *attempt, struct store_attempt *ret);
void op_copy_result(struct op *op, const struct store_result *result, struct store_result *ret);

/* What runs it: inside a transaction, filling op->reply; changes.c, reads.c. An
 * operation that refuses has written nothing, unless it answers that it moved. */
typedef enum forebay_err op_run_fn(struct db *db, struct op *op);
#define OP_DECLARE(kind, run) op_run_fn op_run_##run;
OPS(OP_DECLARE)
#undef OP_DECLARE

/* Run it inside the transaction under way; its result is in err and reply. */
void op_run(struct db *db, struct op *op);
/* Forget what it answered; err instead. */
void op_fail(struct op *op, enum forebay_err err);
/* The body it was to answer with cannot be had: err. That a job was started by it
 * stays said, for it is true. */
void op_lose_body(struct op *op, enum forebay_err err);
const char *op_name(const struct op *op);

#endif
