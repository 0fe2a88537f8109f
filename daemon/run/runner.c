/*
 * runner.c - who starts next, and the loop's side of it: one deferred event
 * that looks whenever anything may have changed, and one timer for the
 * earliest moment anything can change by itself.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/run/choose.h"
#include "daemon/run/direct.h"
#include "daemon/run/live.h"
#include "daemon/run/runner_internal.h"
#include "daemon/run/watch.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define STORAGE_REST_MS 1000 /* a job whose start the disk refused */

/* An API that hangs keeps its probes for as long as a first byte may take. */
#define LENT_MIN 128

void
runner_kick(struct runner *runner)
{
	event_active(runner->pump, 0, 0);
}

/* --- choosing ----------------------------------------------------------------- */

static void
arm_wake(struct runner *runner, double in_s)
{
	/* A gate may answer with a moment that rounding puts at now. */
	struct timeval tv = clock_timer(fmax(in_s, 0.001));

	event_add(runner->wake, &tv);
}

static void
runner_on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;
	struct choosing look = { runner, clock_mono(), INFINITY, clock_wall_ms() };
	unsigned workers = (unsigned)runner->config->workers;
	int64_t rest_ms = lanes_wake(runner->lanes, clock_mono_ms());
	struct job *job;

	(void)fd;
	(void)what;
	direct_pump(runner, look.now, &look.when);
	while (runner->begun && !runner->draining && runner->in_flight < workers) {
		job = schedule_next(&runner->schedule, runner->lanes, workers - runner->in_flight,
				    workers, look.wall_ms, choose, &look);
		if (!job)
			break;
		runner_start_job(runner, job, look.now);
	}
	if (rest_ms != INT64_MAX)
		look.when = fmin(look.when, (double)rest_ms / 1000.0);
	if (isfinite(look.when))
		arm_wake(runner, look.when - look.now);
}

static void
runner_on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	runner_kick(arg);
}

/* --- starting ------------------------------------------------------------------ */

/* Back into its lane after a rest, as if it had not been chosen. */
static void
unstart(struct runner *runner, struct attempt *attempt, int64_t rest_ms)
{
	struct job *job = attempt->job;

	gates_unsent(runner->gates, &attempt->pass, clock_mono());
	runner_slot_freed(runner, attempt);
	schedule_settle(job, 0);
	job->tries--;
	job->attempt = NULL;
	job->moving = job->cancel_wanted = false;
	job->rest_until_ms = clock_mono_ms() + rest_ms;
	lanes_rest(runner->lanes, job);
	attempt_free(attempt);
	cancel_resume(runner, job->id);
	runner_check_drained(runner);
}

/* Somebody else moved it first: cancel, or its deadline. */
static void
lost_race(struct runner *runner, struct attempt *attempt)
{
	struct job *job = attempt->job;
	uint64_t id = job->id;

	gates_unsent(runner->gates, &attempt->pass, clock_mono());
	runner_slot_freed(runner, attempt);
	schedule_settle(job, 0);
	attempt_free(attempt);
	job->attempt = NULL;
	runner_drop_job(runner, job);
	cancel_resume(runner, id);
	runner_check_drained(runner);
}

static void
tell_start(struct runner *runner, const struct attempt *attempt)
{
	const struct job *job = attempt->job;
	struct watch_news news = { .kind = WATCH_ATTEMPT,
				   .id = job->id,
				   .state = FOREBAY_JOB_RUNNING,
				   .attempt = attempt->number,
				   .model = attempt->model,
				   .changes = attempt->changes };

	live_begin(runner->live, job->id, attempt->number);
	watch_notify(runner->watch, &news);
}

static void
tell_running(struct runner *runner, struct job *job)
{
	runner_move(runner, &(struct moved){ .id = job->id,
					     .job = job,
					     .lane = job->lane,
					     .body_len = job->body_len,
					     .from = FOREBAY_JOB_QUEUED,
					     .to = FOREBAY_JOB_RUNNING });
}

static void
go(struct runner *runner, struct attempt *attempt, const struct store_job *row, uint8_t *body,
   size_t len)
{
	tell_running(runner, attempt->job);
	attempt_prepare(attempt, row, body, len);
	tell_start(runner, attempt);
	attempt_send(attempt);
}

/* Its body cannot be had: not now, or not at all. The disk may have it as running. */
static void
not_started(struct runner *runner, struct attempt *attempt, enum forebay_err err, bool moved)
{
	struct job *job = attempt->job;

	if (err != FOREBAY_ERR_STORAGE)
		log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.job_id = job->id), "cannot be started: %s",
			 forebay_err_text(err));
	if (!moved) {
		unstart(runner, attempt, STORAGE_REST_MS);
		return;
	}
	tell_running(runner, job);
	attempt_abort(attempt, err == FOREBAY_ERR_STORAGE ? ATTEMPT_PUT_BACK : ATTEMPT_DAMAGED);
}

static void
runner_on_started(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct attempt *attempt = arg;
	struct runner *runner = attempt->runner;

	if (err) {
		not_started(runner, attempt, err, reply->moved);
		return;
	}
	if (!reply->moved) {
		lost_race(runner, attempt);
		return;
	}
	/* One that became a row in an earlier run: its client left with that run. */
	if (reply->job->ephemeral && attempt->job->id < runner->first_id)
		attempt->job->cancel_wanted = true;
	go(runner, attempt, reply->job, TAKE(reply->body), reply->body_len);
}

static void
start_on_disk(struct runner *runner, struct attempt *attempt)
{
	struct store_attempt row = { .job = attempt->job->id,
				     .number = attempt->number,
				     .started_ms = attempt->started_ms,
				     .waited_ms = attempt->waited_ms,
				     .model = attempt->model,
				     .sent = true };

	attempt->job->moving = true;
	store_start(runner->store, &row, runner_on_started, attempt);
}

void
runner_start_job(struct runner *runner, struct job *job, double now)
{
	struct lane *lane = job->lane;
	struct attempt *attempt = attempt_new(runner, job, now);
	struct ephemera *ephemera = job->ephemera;

	lanes_leave(runner->lanes, job);
	chain_sent(&job->chain);
	schedule_charge(&runner->schedule, job);
	runner->in_flight++;
	lane->owner->running++;
	TAILQ_INSERT_TAIL(&runner->running, attempt, link);
	patrol_foresee(runner, attempt->model);
	if (job->ephemeral) {
		ephemera_unlist(runner, ephemera);
		go(runner, attempt, &ephemera->row, ephemera->body, ephemera->body_len);
	} else {
		start_on_disk(runner, attempt);
	}
	runner_refill(runner, lane);
}

void
runner_slot_freed(struct runner *runner, struct attempt *attempt)
{
	TAILQ_REMOVE(&runner->running, attempt, link);
	if (attempt->lent)
		runner->lent--;
	else
		runner->in_flight--;
	attempt->job->lane->owner->running--;
	runner_kick(runner);
}

void
runner_lend_slot(struct runner *runner, struct attempt *attempt)
{
	if (attempt->lent || runner->lent >= MAX(runner->config->workers, (uint64_t)LENT_MIN))
		return;
	attempt->lent = true;
	runner->lent++;
	runner->in_flight--;
	runner_kick(runner);
}

void
runner_reclaim_slot(struct runner *runner, struct attempt *attempt)
{
	if (!attempt->lent)
		return;
	attempt->lent = false;
	runner->lent--;
	runner->in_flight++;
}

/* --- refilling windows ---------------------------------------------------------- */

struct refill {
	struct runner *runner; /* borrowed */
	struct lane *lane;     /* borrowed: lanes are never freed before the store */
	uint32_t generation;
};

static void
take_heads(struct runner *runner, const struct refill *refill, const struct store_reply *reply)
{
	const struct store_head *last = NULL;
	struct job **jobs = must_alloc((reply->head_count + 1) * sizeof(*jobs));
	size_t count = 0;

	for (size_t i = 0; i < reply->head_count; i++) {
		last = &reply->heads[i];
		if (!lanes_find(runner->lanes, last->id))
			jobs[count++] = intake_head(runner, refill->lane, last);
	}
	(void)lanes_refilled(runner->lanes, refill->lane, refill->generation, jobs, count,
			     last ? last->priority : INT16_MAX, last ? last->id : 0, reply->more);
	free(jobs);
}

static void
runner_on_window(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct refill *refill = arg;
	struct runner *runner = refill->runner;

	if (err && refill->generation == refill->lane->generation)
		refill->lane->refilling = false; /* asked again within a second */
	if (!err) {
		take_heads(runner, refill, reply);
		runner_refill(runner, refill->lane);
		runner_kick(runner);
	}
	free(refill);
}

void
runner_refill(struct runner *runner, struct lane *lane)
{
	struct refill *refill;

	if (lane->route->batch == FOREBAY_BATCH_ONLY || !lanes_wants_refill(runner->lanes, lane))
		return;
	refill = must_alloc(sizeof(*refill));
	lane->refilling = true;
	*refill = (struct refill){ runner, lane, lane->generation };
	store_window(runner->store, lane->id, lane->bound_priority, lane->bound_id,
		     (unsigned)lanes_refill_size(runner->lanes, lane), runner_on_window, refill);
}

/* --- life of the runner ----------------------------------------------------------- */

static void
restore_lanes(struct runner *runner)
{
	const struct store_found *found = store_found(runner->store);

	for (size_t i = 0; i < found->lane_count; i++) {
		const struct store_lane *lane = &found->lanes[i];
		bool is_new;
		struct owner *owner = lanes_owner(runner->lanes, lane->uid, &is_new);
		struct config_limits limits;

		limits = config_limits_of(runner->config, lane->uid, NULL, 0);
		if (is_new)
			intake_limits(owner, &limits);
		owner->pending += lane->pending;
		runner->pending += lane->pending;
		owner->bytes += lane->bytes;
		(void)lanes_restore(runner->lanes, owner, lane->class, lane->route, lane->id,
				    lane->queued);
		runner->queued[lane->class] += lane->queued;
	}
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++)
		runner->counts[state] = found->counts[state];
	runner->first_id = runner->next_id = found->next_id;
	runner->next_due_ms = found->next_due_ms;
	metrics.jobs_queued = runner->counts[FOREBAY_JOB_QUEUED];
	metrics.jobs_delayed = runner->counts[FOREBAY_JOB_DELAYED];
	metrics.attempts_unknown_total = found->recovered;
}

static void
restore_gates(struct runner *runner)
{
	const struct store_found *found = store_found(runner->store);
	double now = clock_mono(), wall = (double)clock_wall_ms() / 1000.0;

	for (size_t i = 0; i < found->gate_count; i++)
		gates_load(runner->gates, found->gates[i].name, found->gates[i].text, now,
			   wall - now);
}

struct runner *
runner_new(struct event_base *base, const struct config *config, struct store *store,
	   struct curl_loop *loop, const struct runner_events *events, void *arg)
{
	struct runner *runner = must_alloc(sizeof(*runner));

	*runner = (struct runner){ .base = base,
				   .config = config,
				   .store = store,
				   .loop = loop,
				   .events = events,
				   .arg = arg };
	TAILQ_INIT(&runner->running);
	TAILQ_INIT(&runner->stuck);
	TAILQ_INIT(&runner->ending);
	TAILQ_INIT(&runner->unsent);
	TAILQ_INIT(&runner->ephemeral);
	TAILQ_INIT(&runner->cancels);
	TAILQ_INIT(&runner->directs);
	runner->gates = gates_new(config, clock_mono());
	runner->lanes = lanes_new(config->window, config->max_heads, config->max_routes);
	runner->watch = watch_new();
	runner->live = live_new(config->live_buffer);
	schedule_init(&runner->schedule, config->age_up_ms);
	runner->pump = event_new(base, -1, 0, runner_on_pump, runner);
	runner->wake = event_new(base, -1, 0, runner_on_wake, runner);
	if (!runner->pump || !runner->wake)
		fatal("out of memory");
	patrol_new(runner);
	restore_lanes(runner);
	restore_gates(runner);
	return runner;
}

void
runner_begin(struct runner *runner)
{
	runner->begun = true;
	for (struct lane *lane = NULL; (lane = lanes_next_lane(runner->lanes, lane));)
		runner_refill(runner, lane);
	patrol_begin(runner);
	runner_kick(runner);
}

void
runner_configure(struct runner *runner, const struct config *config)
{
	runner->config = config;
	gates_configure(runner->gates, config, clock_mono());
	lanes_resize(runner->lanes, config->window, config->max_heads, config->max_routes);
	live_resize(runner->live, config->live_buffer);
	runner->schedule.age_up_ms = config->age_up_ms;
	for (struct owner *owner = NULL; (owner = lanes_next_owner(runner->lanes, owner));) {
		struct config_limits limits = config_limits_of(config, owner->uid, NULL, 0);

		intake_limits(owner, &limits);
	}
	runner_kick(runner);
}

void
runner_free(struct runner *runner)
{
	struct attempt *attempt;
	struct ephemera *ephemera;

	if (!runner)
		return;
	while ((attempt = TAILQ_FIRST(&runner->running))) {
		TAILQ_REMOVE(&runner->running, attempt, link);
		attempt_free(attempt);
	}
	while ((attempt = TAILQ_FIRST(&runner->stuck))) {
		TAILQ_REMOVE(&runner->stuck, attempt, link);
		attempt_free(attempt);
	}
	while ((attempt = TAILQ_FIRST(&runner->ending))) {
		TAILQ_REMOVE(&runner->ending, attempt, link);
		attempt_free(attempt);
	}
	while ((ephemera = TAILQ_FIRST(&runner->ephemeral)))
		ephemera_free(runner, ephemera);
	cancel_free_all(runner);
	direct_free_all(runner);
	patrol_end(runner);
	event_free(runner->pump);
	event_free(runner->wake);
	lanes_free(runner->lanes);
	watch_free(runner->watch);
	live_free(runner->live);
	gates_free(runner->gates);
	free(runner);
}
