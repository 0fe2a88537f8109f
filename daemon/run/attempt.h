/*
 * attempt.h - one try of one job: its way through the gates, its call, what
 * has come of the answer. Internal to run/.
 */
#ifndef DAEMON_RUN_ATTEMPT_H
#define DAEMON_RUN_ATTEMPT_H

#include "daemon/claude/adapt.h"
#include "daemon/claude/assembly.h"
#include "daemon/claude/body.h"
#include "daemon/claude/sse.h"
#include "daemon/job/job.h"
#include "daemon/run/gates.h"
#include "daemon/store/rows.h"

#include <sys/queue.h>

struct call;
struct event;
struct runner;

/* The growing bytes of an answer that is no stream. */
struct attempt_bytes {
	uint8_t *bytes; /* owned */
	size_t len, room;
};

/* Why an attempt was given up by us. */
enum attempt_abort {
	ATTEMPT_GOES_ON,
	ATTEMPT_CANCELED,
	ATTEMPT_PUT_BACK,
	ATTEMPT_DAMAGED,
	ATTEMPT_UNSENDABLE
};

struct attempt {
	struct runner *runner; /* borrowed */
	struct job *job;       /* borrowed; it stays in memory while this lives */
	struct pass pass;
	struct call *call;   /* owned while it runs */
	struct event *timer; /* owned: quiet, then stalled */
	uint32_t number;
	int64_t started_ms; /* wall */
	int64_t waited_ms;
	unsigned model_index; /* of its route */
	bool lent;	      /* another job has its slot: nothing came for too long */

	/* What is sent. */
	uint8_t *body; /* owned, unless the job is ephemeral */
	size_t body_len;
	struct body_facts facts;
	struct body_edits edits;
	struct body_reader reader;
	char *model, *version, *betas; /* owned; betas may be NULL */
	char *path;		       /* owned */
	char *header_text;	       /* owned: the lines that these point into */
	const char **header_lines;     /* owned array, NULL-terminated; NULL: none */
	char changes[ADAPT_TEXT_LEN];  /* what is sent otherwise than it came, for people */
	bool stream;		       /* as events, else plain */
	enum forebay_err unsendable;   /* why it could not be made ready */

	/* What has come. */
	int status;
	bool left;
	bool failed_event; /* the stream said "error" */
	bool broken;	   /* the stream cannot be read */
	bool lost;	   /* followers were told that no more bytes are kept */
	struct answer_headers headers;
	struct answer answer; /* of an error event, and in the end of any failure */
	struct sse sse;
	struct assembly *assembly;	   /* owned */
	struct assembly_facts facts_plain; /* of an answer that was no stream */
	struct attempt_bytes plain;	   /* a plain answer, or an error's body */
	enum attempt_abort abort;

	/* How it ended; owned here until it is on disk. */
	struct store_end end;
	struct store_result result;
	char text[640];		   /* for people */
	TAILQ_ENTRY(attempt) link; /* among the running ones, or the stuck ones */
};
TAILQ_HEAD(attempt_list, attempt);

/* Taken through the gates; the job has left its lane. */
struct attempt *attempt_new(struct runner *runner, struct job *job, double now);
void attempt_free(struct attempt *attempt); /* accepts NULL; cancels its call */

/* Make ready what goes out: then attempt->changes is known. body is borrowed
 * for ephemeral jobs, else taken. row gives version, betas, options. */
void attempt_prepare(struct attempt *attempt, const struct store_job *row, uint8_t *body,
		     size_t len);
/* Start the call. Failures end the attempt in a later turn at the latest; the
 * attempt may be gone when this returns. */
void attempt_send(struct attempt *attempt);

/* Give it up: it ends as canceled or goes back to the queue. */
void attempt_abort(struct attempt *attempt, enum attempt_abort why);

/* ending.c: the call is over, or never began. answer: NULL for a whole one.
 * Decides what becomes of the job and sends that to the disk. */
void attempt_ended(struct attempt *attempt, const struct answer *answer);

#endif
