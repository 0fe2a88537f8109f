/*
 * rows.h - what the store hands over and gets: rows as plain structs. Times are
 * wall-clock milliseconds. Strings are borrowed by calls for their duration, and in
 * replies valid until the done callback returns.
 */
#ifndef DAEMON_STORE_ROWS_H
#define DAEMON_STORE_ROWS_H

#include "protocol/errors.h"
#include "protocol/states.h"

#include <stdint.h>
#include <sys/types.h>

#define STORE_DIGEST_LEN 32

/* A lane as the disk knows it; ids are given out by the loop. */
struct store_lane {
	uint32_t id;
	uid_t uid;
	int class;	   /* enum forebay_class */
	const char *route; /* canonical text of (models, policy, batch mode) */
	uint64_t queued;   /* jobs QUEUED in it, and of the owner's not final ones: */
	uint64_t pending;  /* QUEUED, DELAYED, RUNNING or BATCHED */
	uint64_t bytes;	   /* request bytes of the pending ones */
};

/* What a lane's window holds: enough to choose a job, nothing more. */
struct store_head {
	uint64_t id;
	int64_t created_ms, deadline_ms;
	int64_t not_before_ms; /* 0: none */
	uint32_t lane;
	int16_t priority;
	uint16_t attempts; /* that counted, so far */
	uint16_t max_attempts;
	uint32_t tries;			  /* attempt rows so far, refused ones included */
	uint32_t cost_input, cost_output; /* estimated tokens */
	uint32_t body_len;
};

/* One job but for its bodies. */
struct store_job {
	struct store_head head;
	enum forebay_job_state state;
	uid_t uid;
	int class, batch, transport; /* protocol/options.h */
	int64_t started_ms;	     /* first attempt; 0: none yet */
	int64_t ended_ms;	     /* 0: not yet */
	int64_t keep_ms;	     /* after the end */
	uint64_t shrink_to;
	uint64_t retry_of;			  /* whose body it shares; 0: its own */
	const char *model, *route;		  /* first choice, as sent; its lane's */
	const char *chain;			  /* name given at submit, or NULL */
	const char *model_option;		  /* replaces the body's model, or NULL */
	const char *version, *betas;		  /* anthropic-version, anthropic-beta (or NULL) */
	const char *label, *key, *unit, *skipped; /* skipped: models of the chain, and why */
	const char *headers, *query;		  /* more than betas, see protocol/message.h */
	uint8_t digest[STORE_DIGEST_LEN];	  /* SHA-256 of the body */
	uint8_t options[STORE_DIGEST_LEN];	  /* SHA-256 of the options that change meaning */
	enum forebay_err error;			  /* of a final job */
	bool ephemeral, late;			  /* late: the answer came after the deadline */
	const struct store_attempt *earlier; /* submit: of one without a row so far; else NULL */
	size_t earlier_count;
};

/* One row of the attempts ledger. */
struct store_attempt {
	uint64_t job;
	uint32_t number; /* 1, 2, ... */
	int64_t started_ms;
	int64_t ended_ms;  /* 0: its end was never seen: may have been billed */
	int64_t waited_ms; /* from eligible to started */
	const char *model;
	const char *edits; /* "max_tokens 64000 -> 32000", or NULL */
	bool sent;	   /* on disk before the request left */
	bool counted;
	const char *outcome; /* word: succeeded overloaded limited fault ... unknown */
	int http_status;
	const char *error_type, *error_code, *message, *request_id;
	uint64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
};

/* The answer of a job that has ended. */
struct store_result {
	enum forebay_err error; /* OK: an answer */
	int http_status;
	const char *message; /* sentence for people when there is an error, or NULL */
	const char *model_served, *request_id, *stop_reason;
	uint64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
	bool unassembled; /* raw events are kept beside it */
	size_t body_len;
};

/* How an attempt ended, and what becomes of the job with it. */
struct store_end {
	enum forebay_job_state to; /* QUEUED: again; else final */
	enum forebay_err error;
	struct store_attempt attempt;	   /* of this job; number says which */
	uint16_t attempts;		   /* counted so far, this one included */
	const struct store_result *result; /* of a final state, else NULL; copied */
	uint8_t *body, *raw; /* answer, raw events kept beside it; taken, malloc'd; or NULL */
	size_t body_len, raw_len;
	bool late;
	const struct store_attempt *earlier; /* record: the attempts before this one */
	size_t earlier_count;
};

/* A filter of rows; zero, NULL and -1 members do not filter. */
struct store_filter {
	uid_t uid; /* (uid_t)-1: everybody's */
	int state; /* -1: any */
	const char *model, *label;
	int64_t since_ms;
	uint64_t before_id; /* ids below this one */
	unsigned limit;
};

/* One for all replies: an operation fills what its comment says. */
struct store_reply {
	bool existing; /* submit: the key was known, id and state are that job's */
	bool moved;    /* move, start, finish: false when the job was in another state */
	uint64_t id;
	uid_t uid;
	enum forebay_job_state state;
	uint32_t lane;
	const struct store_job *job;
	const struct store_result *result;
	uint8_t *body; /* take: malloc'd, free it or keep it; NULL it when kept */
	size_t body_len;
	const struct store_head *heads;
	size_t head_count;
	bool more; /* window: the disk holds more behind the last head; sweep, list: go on */
	const struct store_job *jobs;
	size_t job_count;
	uint64_t next_id; /* list: go on below this id */
	const struct store_attempt *attempts;
	size_t attempt_count;
	uint64_t attempts_left_out; /* refused ones between the first and last 20 */
	const struct store_moved {
		struct store_head head;
		uid_t uid;
		enum forebay_job_state from, to; /* from == to: nothing was moved */
		bool found;
	} * moves;
	size_t move_count;
	int64_t next_due_ms; /* due: earliest time anything else is due; INT64_MAX */
};

#endif
