/*
 * intake.c - a submit becomes a job: the body is looked at once, the options
 * become a route and a row, limits are asked, and the disk has the last word.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/run/order.h"
#include "daemon/run/runner_internal.h"
#include "daemon/store/store.h"
#include "protocol/jsonput.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BLOCK 1024 /* ids of ephemeral jobs are reserved on disk in blocks */

void
intake_limits(struct owner *owner, const struct config_limits *limits)
{
	owner->limits = (struct owner_limits){ .queued_jobs = limits->queued_jobs,
					       .queued_bytes = limits->queued_bytes,
					       .running = limits->running,
					       .tokens_per_day = limits->tokens_per_day,
					       .weight = MAX(limits->weight, (uint64_t)1) };
}

/* A head of the disk, or of a new row, in memory; not yet in the window. */
struct job *
intake_head(struct runner *runner, struct lane *lane, const struct store_head *head)
{
	struct job *job = lanes_make(runner->lanes, lane, head->id);

	job->created_ms = head->created_ms;
	job->since_ms = MAX(head->created_ms, head->not_before_ms);
	job->deadline_ms = head->deadline_ms;
	job->priority = head->priority;
	job->attempts = head->attempts;
	job->max_attempts = head->max_attempts;
	job->tries = head->tries;
	job->cost_input = head->cost_input;
	job->max_output = head->cost_output;
	job->cost_output =
	    gates_expect_output(runner->gates, lane->route->models[0], head->cost_output);
	job->body_len = head->body_len;
	job->eligible_ms = clock_mono_ms();
	return job;
}

/* What a submit waits for the disk with. */
struct intake {
	struct runner *runner; /* borrowed, as all of these */
	struct lane *lane;
	struct store_head head;
	enum forebay_job_state state;
	runner_submit_fn *done;
	void *arg;
};

static void
give_back(const struct intake *intake)
{
	struct owner *owner = intake->lane->owner;

	intake->runner->pending--;
	owner->pending--;
	owner->bytes -= intake->head.body_len;
}

static void
runner_on_submitted(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct intake *intake = arg;
	struct runner *runner = intake->runner;
	bool is_new = !err && !reply->existing;

	if (!is_new)
		give_back(intake);
	if (is_new) {
		runner_count_new(runner, intake->lane, intake->state, intake->head.body_len);
		if (intake->state == FOREBAY_JOB_QUEUED)
			(void)lanes_enter(runner->lanes,
					  intake_head(runner, intake->lane, &intake->head));
		else
			patrol_expect(runner, intake->head.not_before_ms);
		patrol_expect(runner, intake->head.deadline_ms);
		runner_kick(runner);
	}
	metrics.jobs_deduplicated_total += !err && reply->existing;
	intake->done(err, forebay_err_text(err), err ? 0 : reply->id,
		     err ? FOREBAY_JOB_QUEUED : reply->state, !err && reply->existing, intake->arg);
	free(intake);
}

/* May the owner have one more? Counted at once, so that a pipeline cannot slip
 * past a quota; given back when the disk says no. */
static enum forebay_err
ask_limits(struct runner *runner, const struct caller *caller, struct owner *owner, size_t len,
	   char why[static RUNNER_WHY_LEN])
{
	struct config_limits limits =
	    config_limits_of(runner->config, caller->uid, caller->groups, caller->group_count);
	enum forebay_err err;
	const char *reason;

	intake_limits(owner, &limits);
	if (runner->pending >= runner->config->max_jobs) {
		snprintf(why, RUNNER_WHY_LEN,
			 "%" PRIu64 " unfinished jobs, [queue] max_jobs is %" PRIu64,
			 runner->pending, runner->config->max_jobs);
		return FOREBAY_ERR_QUEUE_FULL;
	}
	err = store_accepts(runner->store, &reason);
	if (err) {
		snprintf(why, RUNNER_WHY_LEN, "%s", reason);
		return err;
	}
	return owner_may_queue(owner, len, clock_wall_ms(), why, RUNNER_WHY_LEN);
}

static void
fill_head(struct runner *runner, const struct order *order, struct lane *lane, size_t len,
	  struct store_head *ret)
{
	*ret = (struct store_head){ .id = runner->next_id++,
				    .created_ms = order->now_ms,
				    .deadline_ms = order->deadline_ms,
				    .not_before_ms = order->not_before_ms,
				    .lane = lane->id,
				    .priority = (int16_t)order->priority,
				    .max_attempts = (uint16_t)order->attempts,
				    .cost_input = order->cost_input,
				    .body_len = (uint32_t)len };
	/* What it will probably be is the gates' affair, when it is sent. */
	ret->cost_output =
	    order->max_tokens < 0 ? UINT32_MAX : (uint32_t)MIN(order->max_tokens, UINT32_MAX);
}

static void
fill_row(const struct order *order, const struct store_head *head, const struct caller *caller,
	 const char *route, struct store_job *ret)
{
	*ret =
	    (struct store_job){ .head = *head,
				.state = order->not_before_ms > order->now_ms ? FOREBAY_JOB_DELAYED
									      : FOREBAY_JOB_QUEUED,
				.uid = caller->uid,
				.class = order->class,
				.batch = order->batch,
				.transport = order->transport,
				.keep_ms = order->keep_ms,
				.shrink_to = order->shrink_to,
				.retry_of = order->retry_of,
				.ephemeral = order->ephemeral,
				.model = order->models[0],
				.route = route,
				.chain = order->chain,
				.skipped = order->skipped,
				.model_option = order->model_option,
				.version = order->version,
				.betas = order->betas,
				.label = order->label,
				.headers = order->headers,
				.query = order->query,
				/* What dies with its client is never found again. */
				.key = order->ephemeral ? NULL : order->key,
				.unit = caller->unit && caller->unit[0] ? caller->unit : NULL };
	memcpy(ret->digest, order->digest, sizeof(ret->digest));
	memcpy(ret->options, order->options, sizeof(ret->options));
}

static void
send_row(struct runner *runner, struct lane *lane, const struct store_job *row, uint8_t *body,
	 size_t len, runner_submit_fn *done, void *arg)
{
	struct intake *intake = must_alloc(sizeof(*intake));
	struct store_lane on_disk = { .id = lane->id,
				      .uid = lane->owner->uid,
				      .class = lane->class,
				      .route = lane->route->text };

	*intake = (struct intake){ .runner = runner,
				   .lane = lane,
				   .head = row->head,
				   .state = row->state,
				   .done = done,
				   .arg = arg };
	store_submit(runner->store, row, &on_disk, body, len, runner_on_submitted, intake);
}

/* --- ephemeral jobs: no row before their end ------------------------------------------- */

static void
runner_on_reserved(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct runner *runner = arg;

	if (!err)
		runner->reserved_id = MAX(runner->reserved_id, reply->next_id);
}

void
intake_reserve_ids(struct runner *runner)
{
	if (runner->next_id + ID_BLOCK / 4 >= runner->reserved_id)
		store_reserve_ids(runner->store, runner->next_id + ID_BLOCK, runner_on_reserved,
				  runner);
}

static bool
fits_in_memory(struct runner *runner, const struct order *order, size_t len)
{
	return order->ephemeral && order->not_before_ms <= order->now_ms &&
	       runner->next_id < runner->reserved_id &&
	       runner->ephemeral_bytes + len <= runner->config->ephemeral_bytes;
}

/* The acknowledgement of an ephemeral job, in a later turn like all others. */
struct ephemeral_ack {
	uint64_t id;
	runner_submit_fn *done;
	void *arg; /* borrowed */
};

static void
runner_on_ephemeral(evutil_socket_t fd, short what, void *arg)
{
	struct ephemeral_ack *ack = arg;

	(void)fd;
	(void)what;
	ack->done(FOREBAY_ERR_OK, "", ack->id, FOREBAY_JOB_QUEUED, false, ack->arg);
	free(ack);
}

static void
enter_ephemeral(struct runner *runner, struct lane *lane, const struct store_job *row,
		uint8_t *body, size_t len, bool once, runner_submit_fn *done, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct ephemeral_ack *ack = must_alloc(sizeof(*ack));
	struct job *job = intake_head(runner, lane, &row->head);
	struct ephemera *ephemera = ephemera_new(runner, row, body, len);

	job->ephemeral = true;
	job->ephemera = ephemera;
	ephemera->once = once;
	ephemera->job = job;
	ephemera->row.route = lane->route->text;
	runner_count_new(runner, lane, FOREBAY_JOB_QUEUED, row->head.body_len);
	(void)lanes_enter(runner->lanes, job);
	intake_reserve_ids(runner);
	*ack = (struct ephemeral_ack){ row->head.id, done, arg };
	event_base_once(runner->base, -1, EV_TIMEOUT, runner_on_ephemeral, ack, &now);
	runner_kick(runner);
}

/* --- submit ---------------------------------------------------------------------------- */

static enum forebay_err
enter(struct runner *runner, const struct caller *caller, const struct order *order, uint8_t *body,
      size_t len, bool once, runner_submit_fn *done, void *arg, char why[static RUNNER_WHY_LEN])
{
	struct owner *owner = lanes_owner(runner->lanes, caller->uid, NULL);
	char *route = route_of_order(order);
	struct store_head head;
	struct store_job row;
	struct lane *lane;
	enum forebay_err err = ask_limits(runner, caller, owner, len, why);

	if (!err) {
		err = lanes_lane(runner->lanes, owner, order->class, route, &lane);
		if (err)
			snprintf(why, RUNNER_WHY_LEN,
				 "too many different model lists; [queue] max_routes is %" PRIu64,
				 runner->config->max_routes);
	}
	if (err) {
		free(route);
		free(body);
		return err;
	}
	runner->pending++;
	owner->pending++;
	owner->bytes += len;
	if (order->class == FOREBAY_CLASS_INTERACTIVE)
		schedule_saw_interactive(&runner->schedule, order->now_ms);
	if (order->ephemeral)
		intake_reserve_ids(runner);
	fill_head(runner, order, lane, len, &head);
	fill_row(order, &head, caller, lane->route->text, &row);
	if (fits_in_memory(runner, order, len) || once)
		enter_ephemeral(runner, lane, &row, body, len, once, done, arg);
	else
		send_row(runner, lane, &row, body, len, done, arg);
	free(route);
	return FOREBAY_ERR_OK;
}

enum forebay_err
runner_submit(struct runner *runner, const struct caller *caller, const struct request *request,
	      uint8_t *body, size_t len, runner_submit_fn *done, void *arg,
	      char why[static RUNNER_WHY_LEN])
{
	CLEANUP(order_clear) struct order order = { 0 };
	enum forebay_err err;

	if (runner->draining) {
		snprintf(why, RUNNER_WHY_LEN,
			 "forebayd is shutting down; submit again in a moment");
		err = FOREBAY_ERR_DRAINING;
	} else {
		err = order_from_request(&order, runner->config, request, body, len,
					 clock_wall_ms(), why);
	}
	if (err) {
		free(body);
		return err;
	}
	return enter(runner, caller, &order, body, len, false, done, arg, why);
}

enum forebay_err
runner_verify(struct runner *runner, const struct caller *caller, const char *model,
	      runner_submit_fn *done, void *arg, char why[static RUNNER_WHY_LEN])
{
	static const char messages[] = "[{\"role\":\"user\",\"content\":\"Reply with: OK\"}]";
	CLEANUP(order_clear) struct order order = { 0 };
	struct jsonput put = { 0 };
	struct request request;
	enum forebay_err err;
	char *body;
	size_t len;

	if (runner->draining) {
		snprintf(why, RUNNER_WHY_LEN, "forebayd is shutting down");
		return FOREBAY_ERR_DRAINING;
	}
	jsonput_object(&put);
	jsonput_member_string(&put, "model", model);
	jsonput_member_int(&put, "max_tokens", 10);
	jsonput_member_raw(&put, "messages", messages, sizeof(messages) - 1);
	jsonput_end(&put);
	body = jsonput_take(&put, &len);
	if (!body)
		return FOREBAY_ERR_NO_MEMORY;
	request_init(&request, FOREBAY_VERB_SUBMIT);
	request.class = FOREBAY_CLASS_INTERACTIVE;
	request.priority = 100;
	err = order_from_request(&order, runner->config, &request, (uint8_t *)body, len,
				 clock_wall_ms(), why);
	if (err) {
		free(body);
		return err;
	}
	return enter(runner, caller, &order, (uint8_t *)body, len, true, done, arg, why);
}

/* --- retry ------------------------------------------------------------------------------- */

struct retry {
	struct runner *runner; /* borrowed */
	runner_submit_fn *done;
	void *arg; /* borrowed */
};

static enum forebay_err
enter_again(struct retry *retry, const struct store_job *job, char why[static RUNNER_WHY_LEN])
{
	struct runner *runner = retry->runner;
	CLEANUP(order_clear) struct order order = { 0 };
	struct caller caller = { .uid = job->uid, .unit = job->unit };

	if (!forebay_job_state_is_final(job->state)) {
		snprintf(why, RUNNER_WHY_LEN, "job %" PRIu64 " is %s; only an ended one is retried",
			 job->head.id, forebay_job_state_name(job->state));
		return FOREBAY_ERR_BAD_REQUEST;
	}
	if (job->ephemeral) {
		snprintf(why, RUNNER_WHY_LEN,
			 "job %" PRIu64 " was ephemeral: its body was not kept", job->head.id);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	if (runner->draining)
		return FOREBAY_ERR_DRAINING;
	order_from_job(&order, runner->config, job, clock_wall_ms());
	return enter(runner, &caller, &order, NULL, job->head.body_len, false, retry->done,
		     retry->arg, why);
}

static void
runner_on_shown(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct retry *retry = arg;
	char why[RUNNER_WHY_LEN] = "";

	if (!err)
		err = enter_again(retry, reply->job, why);
	if (err)
		retry->done(err, why[0] ? why : forebay_err_text(err), 0, FOREBAY_JOB_QUEUED, false,
			    retry->arg);
	free(retry);
}

void
runner_retry(struct runner *runner, const struct caller *caller, uint64_t id,
	     runner_submit_fn *done, void *arg)
{
	struct retry *retry = must_alloc(sizeof(*retry));

	*retry = (struct retry){ runner, done, arg };
	store_show(runner->store, id, caller->admin ? (uid_t)-1 : caller->uid, false,
		   runner_on_shown, retry);
}
