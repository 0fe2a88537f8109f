/*
 * cancel.c - end a job its owner does not want any more, wherever it stands.
 *
 * The disk decides: the move is a compare-and-set. A running job is given up
 * first; then the answer to the move says CANCELED, or the final state that
 * won. While a start or an end of the job is on its way to the disk the cancel
 * waits for it to land. Nothing happens inside runner_cancel() itself: watchers
 * call it while they are being told.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/run/runner_internal.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <stdlib.h>

#define OPEN_STATES                                                                                \
	(1u << FOREBAY_JOB_QUEUED | 1u << FOREBAY_JOB_DELAYED | 1u << FOREBAY_JOB_BATCHED)

struct cancel {
	struct runner *runner; /* borrowed */
	uint64_t id;
	uid_t scope; /* whose jobs may be touched; (uid_t)-1: all */
	runner_cancel_fn *done;
	void *arg;		  /* borrowed */
	TAILQ_ENTRY(cancel) link; /* among those that wait for a job to land */
};

static void ask_disk(struct cancel *cancel);

static void
finish(struct cancel *cancel, enum forebay_err err, enum forebay_job_state state)
{
	cancel->done(err, state, cancel->arg);
	free(cancel);
}

static bool
is_under_way(const struct runner *runner, uint64_t id)
{
	const struct job *job = lanes_find(runner->lanes, id);

	return job && (job->attempt || job->moving);
}

static void
runner_on_canceled(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct cancel *cancel = arg;
	struct runner *runner = cancel->runner;

	if (err) {
		finish(cancel, err, FOREBAY_JOB_QUEUED);
	} else if (reply->moved) {
		/* from: the state it was in is not lost, see reply->from below. */
		const struct store_moved *was = reply->moves;

		runner_move(runner,
			    &(struct moved){ .id = cancel->id,
					     .job = lanes_find(runner->lanes, cancel->id),
					     .lane = lanes_find_lane(runner->lanes, was->head.lane),
					     .body_len = was->head.body_len,
					     .from = was->from,
					     .to = FOREBAY_JOB_CANCELED,
					     .error = FOREBAY_ERR_CANCELED });
		finish(cancel, FOREBAY_ERR_OK, FOREBAY_JOB_CANCELED);
	} else if (!forebay_job_state_is_final(reply->state) && is_under_way(runner, cancel->id)) {
		ask_disk(cancel); /* it was just starting: it runs now, and is given up */
	} else if (!forebay_job_state_is_final(reply->state)) {
		/* The disk says it runs and nobody runs it: a restart takes it back. */
		finish(cancel, FOREBAY_ERR_INTERNAL, reply->state);
	} else {
		finish(cancel, FOREBAY_ERR_OK, reply->state);
	}
}

/* An ephemeral job that is not running has no row to move: it ends in memory. */
static void
end_ephemeral(struct runner *runner, struct job *job)
{
	struct ephemera *ephemera = job->ephemera;
	struct store_lane lane = { .id = job->lane->id,
				   .uid = job->lane->owner->uid,
				   .class = job->lane->class,
				   .route = job->lane->route->text };
	struct store_result result = { .error = FOREBAY_ERR_CANCELED };
	struct store_end end = { .to = FOREBAY_JOB_CANCELED,
				 .error = FOREBAY_ERR_CANCELED,
				 .result = &result };

	ephemera->row.ended_ms = clock_wall_ms();
	ephemera->row.head.tries = job->tries;
	end.earlier = ephemera->earlier;
	end.earlier_count = ephemera->earlier_count;
	store_record(runner->store, &ephemera->row, &lane, &end, NULL, NULL);
	runner_move(runner, &(struct moved){ .id = job->id,
					     .job = job,
					     .lane = job->lane,
					     .body_len = job->body_len,
					     .from = job->state,
					     .to = FOREBAY_JOB_CANCELED,
					     .error = FOREBAY_ERR_CANCELED });
}

static void
ask_disk(struct cancel *cancel)
{
	struct runner *runner = cancel->runner;
	struct job *job = lanes_find(runner->lanes, cancel->id);

	if (job && cancel->scope != (uid_t)-1 && job->lane->owner->uid != cancel->scope)
		job = NULL; /* not theirs: the disk says so */
	if (job && job->moving) {
		job->cancel_wanted = job->attempt != NULL;
		TAILQ_INSERT_TAIL(&runner->cancels, cancel, link);
		return;
	}
	if (job && job->attempt)
		attempt_abort(job->attempt, ATTEMPT_CANCELED);
	else if (job && job->ephemeral)
		end_ephemeral(runner, job);
	store_move(runner->store, cancel->id, cancel->scope, OPEN_STATES, FOREBAY_JOB_CANCELED,
		   FOREBAY_ERR_CANCELED, clock_wall_ms(), runner_on_canceled, cancel);
}

void
cancel_resume(struct runner *runner, uint64_t id)
{
	struct cancel_list all = TAILQ_HEAD_INITIALIZER(all);
	struct cancel *cancel;

	TAILQ_CONCAT(&all, &runner->cancels, link);
	while ((cancel = TAILQ_FIRST(&all))) {
		TAILQ_REMOVE(&all, cancel, link);
		if (cancel->id == id)
			ask_disk(cancel);
		else
			TAILQ_INSERT_TAIL(&runner->cancels, cancel, link);
	}
}

void
cancel_free_all(struct runner *runner)
{
	struct cancel *cancel;

	while ((cancel = TAILQ_FIRST(&runner->cancels))) {
		TAILQ_REMOVE(&runner->cancels, cancel, link);
		free(cancel);
	}
}

static void
runner_on_cancel_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask_disk(arg);
}

void
runner_cancel(struct runner *runner, const struct caller *caller, uint64_t id,
	      runner_cancel_fn *done, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct cancel *cancel = must_alloc(sizeof(*cancel));

	*cancel = (struct cancel){ .runner = runner,
				   .id = id,
				   .scope = caller->admin ? (uid_t)-1 : caller->uid,
				   .done = done,
				   .arg = arg };
	event_base_once(runner->base, -1, EV_TIMEOUT, runner_on_cancel_turn, cancel, &now);
}
