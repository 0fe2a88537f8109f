/*
 * patrol.c - what happens by the clock: delays that are over, deadlines,
 * ephemeral jobs that become rows, gates saved, old jobs forgotten, draining.
 *
 * One timer for the earliest due time of all jobs, one tick a second; no timer
 * a job.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/run/direct.h"
#include "daemon/run/gates_keep.h"
#include "daemon/run/runner_internal.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define DUE_LIMIT   256
#define SWEEP_LIMIT 200
#define SWEEP_EVERY 30	/* ticks */
#define JUMP_MIN_S  5.0 /* less is the clock being disciplined */
#define DUE_MAX_MS  60000

/* --- delays and deadlines -------------------------------------------------------------- */

static void
arm_due(struct runner *runner)
{
	int64_t in_ms = runner->next_due_ms - clock_wall_ms();
	struct timeval tv;

	if (runner->due_asked || !runner->begun)
		return;
	in_ms = MAX((int64_t)1, MIN(in_ms, (int64_t)DUE_MAX_MS));
	tv = (struct timeval){ in_ms / 1000, in_ms % 1000 * 1000 };
	event_add(runner->due, &tv);
}

void
patrol_expect(struct runner *runner, int64_t wall_ms)
{
	if (wall_ms >= runner->next_due_ms)
		return;
	runner->next_due_ms = wall_ms;
	arm_due(runner);
}

static void
take_due(struct runner *runner, const struct store_moved *was)
{
	struct job *job = lanes_find(runner->lanes, was->head.id);
	struct lane *lane = lanes_find_lane(runner->lanes, was->head.lane);
	bool expired = was->to == FOREBAY_JOB_EXPIRED;

	runner_move(runner,
		    &(struct moved){ .id = was->head.id,
				     .job = job,
				     .lane = lane,
				     .body_len = was->head.body_len,
				     .from = was->from,
				     .to = was->to,
				     .error = expired ? FOREBAY_ERR_DEADLINE : FOREBAY_ERR_OK });
	if (was->to == FOREBAY_JOB_QUEUED && !job)
		(void)lanes_enter(runner->lanes, intake_head(runner, lane, &was->head));
}

static void
runner_on_due_moved(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct runner *runner = arg;

	runner->due_asked = false;
	if (!err) {
		runner->next_due_ms = MIN(runner->next_due_ms, reply->next_due_ms);
		for (size_t i = 0; i < reply->move_count; i++)
			take_due(runner, &reply->moves[i]);
		runner_kick(runner);
	} else {
		runner->next_due_ms = clock_wall_ms() + 1000;
	}
	arm_due(runner);
}

static void
runner_on_due(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;
	int64_t now = clock_wall_ms();

	(void)fd;
	(void)what;
	if (runner->next_due_ms > now) {
		arm_due(runner);
		return;
	}
	runner->due_asked = true;
	/* What is submitted meanwhile may be due earlier: patrol_expect() notes it. */
	runner->next_due_ms = INT64_MAX;
	store_due(runner->store, now, DUE_LIMIT, runner_on_due_moved, runner);
}

/* --- ephemeral jobs that wait too long -------------------------------------------------- */

/* A job that becomes a row, across the disk. */
struct spilled {
	struct runner *runner; /* borrowed */
	uint64_t id;
};

static void
runner_on_spilled(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct runner *runner = ((struct spilled *)arg)->runner;
	uint64_t id = ((struct spilled *)arg)->id;
	struct job *job = lanes_find(runner->lanes, id);
	struct ephemera *ephemera = job ? job->ephemera : NULL;

	free(arg);
	if (!job)
		return;
	job->moving = false;
	if (err) {
		/* The disk will not have it: it stays what it was, in memory. */
		ephemera->body = TAKE(reply->body);
		ephemera_wait(runner, ephemera);
	} else {
		job->ephemeral = false;
		job->ephemera = NULL;
		runner->ephemeral_bytes -= ephemera->body_len;
		ephemera_free(runner, ephemera);
		patrol_expect(runner, job->deadline_ms);
	}
	/* A rest goes on: becoming a row is no reason to ask sooner. */
	if (job->rest_until_ms > clock_mono_ms())
		lanes_rest(runner->lanes, job);
	else
		(void)lanes_enter(runner->lanes, job);
	cancel_resume(runner, id);
	runner_kick(runner);
}

void
patrol_spill(struct runner *runner, struct ephemera *ephemera)
{
	struct job *job = ephemera->job;
	struct spilled *spilled = must_alloc(sizeof(*spilled));
	struct store_lane lane = { .id = job->lane->id,
				   .uid = job->lane->owner->uid,
				   .class = job->lane->class,
				   .route = job->lane->route->text };

	ephemera_unlist(runner, ephemera);
	lanes_leave(runner->lanes, job);
	ephemera->row.head.tries = job->tries;
	ephemera->row.head.attempts = job->attempts;
	job->moving = true;
	*spilled = (struct spilled){ runner, job->id };
	store_submit(runner->store, &ephemera->row, &lane, TAKE(ephemera->body), ephemera->body_len,
		     runner_on_spilled, spilled);
}

static void
spill(struct runner *runner, int64_t now_ms)
{
	struct ephemera *ephemera, *next;

	for (ephemera = TAILQ_FIRST(&runner->unsent); ephemera; ephemera = next) {
		next = TAILQ_NEXT(ephemera, link);
		if (ephemera->spill_ms > now_ms)
			break;
		if (!ephemera->once)
			patrol_spill(runner, ephemera);
	}
}

/* --- every second ------------------------------------------------------------------------- */

static void
save_gate(const char *name, const char *text, void *arg)
{
	struct runner *runner = arg;

	store_save_gate(runner->store, name, text, NULL, NULL);
}

static void
save_gates(struct runner *runner)
{
	double now = clock_mono();

	gates_save(runner->gates, now, (double)clock_wall_ms() / 1000.0 - now, save_gate, runner);
}

void
patrol_foresee(struct runner *runner, const char *model)
{
	double now = clock_mono();

	gates_save_before_probe(runner->gates, model, now, (double)clock_wall_ms() / 1000.0 - now,
				save_gate, runner);
}

struct saving {
	runner_saved_fn *done;
	void *arg; /* borrowed */
};

static void
runner_on_saved(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct saving *saving = arg;

	(void)reply;
	saving->done(err, saving->arg);
	free(saving);
}

void
runner_save_gates(struct runner *runner, runner_saved_fn *done, void *arg)
{
	struct saving *saving = must_alloc(sizeof(*saving));

	*saving = (struct saving){ done, arg };
	save_gates(runner);
	/* Operations are answered in their order: this one after those. */
	store_states(runner->store, NULL, 0, (uid_t)-1, runner_on_saved, saving);
	runner_kick(runner);
}

static void
runner_on_swept(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct runner *runner = arg;

	runner->sweeping = false;
	if (err)
		return;
	for (size_t i = 0; i < reply->move_count; i++)
		runner->counts[reply->moves[i].from]--;
	if (!reply->more)
		return;
	runner->sweeping = true;
	store_sweep(runner->store, clock_wall_ms(), SWEEP_LIMIT, runner_on_swept, runner);
}

/* Whatever was missed, a refused read or a window that was canceled whole. */
static void
refill_all(struct runner *runner)
{
	for (struct lane *lane = NULL; (lane = lanes_next_lane(runner->lanes, lane));)
		runner_refill(runner, lane);
	/* The reserve for interactive jobs and daily quotas end by the clock. */
	runner_kick(runner);
}

static double
wall_offset(void)
{
	return (double)clock_wall_ms() / 1000.0 - (double)clock_service_us() / 1e6;
}

/* The wall clock was set, or the machine slept. */
static void
notice_jump(struct runner *runner)
{
	double offset = wall_offset();
	double by = offset - runner->wall_offset;

	runner->wall_offset = offset;
	if (fabs(by) < JUMP_MIN_S)
		return;
	log_warn("the clock was set by %+.0f s", by);
	gates_wall_jumped(runner->gates, by);
}

static void
runner_on_second(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;

	(void)fd;
	(void)what;
	notice_jump(runner);
	arm_due(runner);
	spill(runner, clock_mono_ms());
	runner_retry_stuck(runner);
	refill_all(runner);
	save_gates(runner);
	if (runner->seconds++ % SWEEP_EVERY == 0 && !runner->sweeping) {
		runner->sweeping = true;
		store_sweep(runner->store, clock_wall_ms(), SWEEP_LIMIT, runner_on_swept, runner);
	}
}

/* --- draining ------------------------------------------------------------------------------- */

void
runner_check_drained(struct runner *runner)
{
	/* What has ended is told to whoever waits for it before we go. */
	if (!runner->draining || runner->drained || !TAILQ_EMPTY(&runner->running) ||
	    !TAILQ_EMPTY(&runner->ending) || !TAILQ_EMPTY(&runner->directs))
		return;
	runner->drained = true;
	event_del(runner->drain_timer);
	runner->events->drained(runner->arg);
}

static void
runner_on_drain_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;
	struct attempt *attempt, *next;

	(void)fd;
	(void)what;
	if (!TAILQ_EMPTY(&runner->running))
		log_warn("%u jobs still run; putting them back into the queue",
			 runner->in_flight + runner->lent);
	runner->drain_over = true;
	direct_drain(runner, true);
	for (attempt = TAILQ_FIRST(&runner->running); attempt; attempt = next) {
		next = TAILQ_NEXT(attempt, link);
		/* One whose start is still on its way to the disk ends when it landed. */
		if (!attempt->job->moving)
			attempt_abort(attempt, ATTEMPT_PUT_BACK);
	}
	runner_check_drained(runner);
}

void
runner_drain(struct runner *runner, int64_t timeout_ms)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct ephemera *ephemera, *next;
	bool idle = TAILQ_EMPTY(&runner->running) && !direct_is_sending(runner);

	runner->draining = true;
	direct_drain(runner, false);
	save_gates(runner);
	for (ephemera = TAILQ_FIRST(&runner->unsent); ephemera; ephemera = next) {
		next = TAILQ_NEXT(ephemera, link);
		if (!ephemera->once)
			patrol_spill(runner, ephemera);
	}
	/* Also when nothing runs: drained is told from the loop. */
	event_add(runner->drain_timer, idle ? &(struct timeval){ 0, 0 } : &tv);
}

void
runner_set_key(struct runner *runner, const char *why, enum gates_key key)
{
	gates_key_missing(runner->gates, why, key);
	runner_kick(runner);
}

/* --- life ------------------------------------------------------------------------------------- */

void
patrol_new(struct runner *runner)
{
	runner->due = event_new(runner->base, -1, 0, runner_on_due, runner);
	runner->second = event_new(runner->base, -1, EV_PERSIST, runner_on_second, runner);
	runner->drain_timer = event_new(runner->base, -1, 0, runner_on_drain_timeout, runner);
	if (!runner->due || !runner->second || !runner->drain_timer)
		fatal("out of memory");
}

void
patrol_begin(struct runner *runner)
{
	struct timeval second = clock_timer(1.0);

	runner->wall_offset = wall_offset();
	event_add(runner->second, &second);
	arm_due(runner);
	intake_reserve_ids(runner);
}

void
patrol_end(struct runner *runner)
{
	save_gates(runner);
	if (runner->due)
		event_free(runner->due);
	if (runner->second)
		event_free(runner->second);
	if (runner->drain_timer)
		event_free(runner->drain_timer);
}
