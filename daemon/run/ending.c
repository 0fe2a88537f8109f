/*
 * ending.c - an attempt is over: what the gates learn, what becomes of the
 * job, and that on disk before anybody hears of it.
 *
 * Waiting at a gate, a 529, a 429, a closed key and a connection that never
 * came about do not count against a job, and neither does a fault that others
 * meet too; its own do, up to its attempts.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/run/runner_internal.h"
#include "daemon/run/totals.h"
#include "daemon/store/store.h"

#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* policy = classic, the rule of the field: so many refusals, so long a pause. */
#define CLASSIC_ATTEMPTS 3
#define CLASSIC_BASE_MS	 5000
#define CLASSIC_MAX_MS	 30000

#define PAID_REST_TIMES	 4
#define PUT_BACK_REST_MS 1000 /* a job that could not be read just now */

/* What the ledger and the metrics make of a class. */
static struct ending_row {
	const char *outcome;
	bool counts; /* against the job's attempts */
	uint64_t *counter;
	uint64_t ended; /* so many attempts, since the start */
} rows[API_CLASS_COUNT] = {
	[API_SUCCESS] = { "succeeded", true, &metrics.attempts_succeeded_total },
	[API_OVERLOADED] = { "overloaded", false, &metrics.attempts_overloaded_total },
	[API_RATE_LIMITED] = { "limited", false, &metrics.attempts_limited_total },
	[API_BILLING] = { "billing", false, &metrics.attempts_refused_total },
	[API_FAULT] = { "fault", true, &metrics.attempts_faulted_total },
	[API_AUTH] = { "auth", false, &metrics.attempts_refused_total },
	[API_MODEL] = { "model", true, &metrics.attempts_refused_total },
	[API_REQUEST] = { "request", true, &metrics.attempts_refused_total },
};

/* And of an attempt that we gave up. */
static struct abort_row {
	const char *outcome;
	uint64_t ended;
} aborts[] = {
	[ATTEMPT_GOES_ON] = { "put-back", 0 },	    [ATTEMPT_CANCELED] = { "canceled", 0 },
	[ATTEMPT_PUT_BACK] = { "put-back", 0 },	    [ATTEMPT_DAMAGED] = { "damaged", 0 },
	[ATTEMPT_UNSENDABLE] = { "unsendable", 0 },
};

const char *
runner_outcome(unsigned index, uint64_t *ret_count)
{
	unsigned first = ATTEMPT_GOES_ON + 1, i = index - API_CLASS_COUNT + first;

	if (index < API_CLASS_COUNT) {
		*ret_count = rows[index].ended;
		return rows[index].outcome;
	}
	if (i >= ARRAY_LEN(aborts))
		return NULL;
	*ret_count = aborts[i].ended;
	return aborts[i].outcome;
}

static const char *
text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

/* --- what has come --------------------------------------------------------------- */

static void
take_facts(struct attempt *attempt, const struct assembly_facts *facts)
{
	struct store_attempt *row = &attempt->end.attempt;
	struct store_result *result = &attempt->result;

	row->input_tokens = (uint64_t)facts->input_tokens;
	row->output_tokens = (uint64_t)facts->output_tokens;
	row->cache_read_tokens = (uint64_t)facts->cache_read_tokens;
	row->cache_write_tokens = (uint64_t)facts->cache_write_tokens;
	result->input_tokens = row->input_tokens;
	result->output_tokens = row->output_tokens;
	result->cache_read_tokens = row->cache_read_tokens;
	result->cache_write_tokens = row->cache_write_tokens;
	metrics.tokens_input_total += row->input_tokens;
	metrics.tokens_output_total += row->output_tokens;
	metrics.tokens_cache_read_total += row->cache_read_tokens;
	metrics.tokens_cache_write_total += row->cache_write_tokens;
}

/* The facts must live as long as the strings that point into them. */
static void
take_answer(struct attempt *attempt)
{
	struct store_end *end = &attempt->end;
	struct store_result *result = &attempt->result;
	const struct assembly_facts *facts;
	char *message = NULL;

	if (!attempt->stream) {
		facts = &attempt->facts_plain;
		end->body = TAKE(attempt->plain.bytes);
		end->body_len = attempt->plain.len;
	} else {
		facts = assembly_facts(attempt->assembly);
		if (assembly_take(attempt->assembly, &message, &end->body_len))
			fatal("job %" PRIu64 ": a whole answer that cannot be assembled",
			      attempt->job->id);
		end->body = (uint8_t *)message;
		if (assembly_is_unassembled(attempt->assembly)) {
			const char *raw = assembly_unassembled(attempt->assembly, &end->raw_len);

			end->raw = must_alloc(end->raw_len + 1);
			memcpy(end->raw, raw, end->raw_len);
			result->unassembled = true;
		}
	}
	take_facts(attempt, facts);
	result->http_status = 200;
	result->model_served = text_or_null(facts->model);
	result->stop_reason = text_or_null(facts->stop_reason);
	result->body_len = end->body_len;
}

/* An error's body is the answer of a job that ends with it. */
static void
take_error(struct attempt *attempt, const struct answer *answer)
{
	struct store_end *end = &attempt->end;

	if (attempt->assembly)
		take_facts(attempt, assembly_facts(attempt->assembly));
	/* Without an answer the row's own name: network/tls, network/reset, ... */
	end->attempt.error_type = answer->type[0] ? answer->type : answer->row->type;
	end->attempt.error_code = text_or_null(answer->code);
	end->attempt.message = text_or_null(answer->message);
	end->attempt.http_status = answer->status;
	answer_text(answer, attempt->text, sizeof(attempt->text));
	attempt->result.message = attempt->text;
	attempt->result.http_status = answer->status;
	attempt->result.error = answer->err;
	if (answer->status != 200 && attempt->plain.len > 0) {
		end->body = TAKE(attempt->plain.bytes);
		end->body_len = attempt->result.body_len = attempt->plain.len;
	}
}

/* --- what becomes of the job -------------------------------------------------------- */

static void
final(struct attempt *attempt, enum forebay_job_state to, enum forebay_err error)
{
	attempt->end.to = to;
	attempt->end.error = error;
	attempt->result.error = error;
	attempt->end.result = &attempt->result;
}

/* Eligible again after its rest; unless its time is over, or nobody wants it. */
static void
again(struct attempt *attempt, int64_t rest_ms)
{
	struct job *job = attempt->job;

	if (job->cancel_wanted) {
		final(attempt, FOREBAY_JOB_CANCELED, FOREBAY_ERR_CANCELED);
	} else if (clock_wall_ms() >= job->deadline_ms) {
		final(attempt, FOREBAY_JOB_EXPIRED, FOREBAY_ERR_DEADLINE);
	} else {
		attempt->end.to = FOREBAY_JOB_QUEUED;
		job->rest_until_ms = clock_mono_ms() + rest_ms;
	}
}

/* This model cannot serve the job: on to the rest of its chain, uncounted; or
 * that was all. */
static void
leave_model(struct attempt *attempt, const struct answer *answer)
{
	struct job *job = attempt->job;
	unsigned count = (unsigned)job->lane->route->model_count;

	job->refusals = 0;
	if (!chain_bar(&job->chain, attempt->model_index, count)) {
		final(attempt, FOREBAY_JOB_FAILED, answer->err);
		return;
	}
	attempt->end.attempts = job->attempts;
	attempt->end.attempt.counted = false;
	again(attempt, 0);
}

/* The rule of the field: so many tries with a fixed back-off, whatever the
 * reason; then the next model; then failure. */
static void
again_as_classic(struct attempt *attempt, const struct answer *answer)
{
	/* Another model of its chain may have another rule, and a count of its own. */
	unsigned tries = chain_tried(&attempt->job->chain, attempt->model_index);

	if (tries >= CLASSIC_ATTEMPTS)
		leave_model(attempt, answer);
	else
		again(attempt,
		      MIN((int64_t)CLASSIC_MAX_MS, (int64_t)CLASSIC_BASE_MS << (tries - 1)));
}

/* An answer that had begun is paid for, whatever broke it: such a job asks again
 * less often than one that was only refused. */
static int64_t
rest_of(struct attempt *attempt)
{
	const struct config *config = attempt->runner->config;
	int64_t times = attempt->pass.ticket.accepted ? PAID_REST_TIMES : 1;

	attempt->job->refusals++;
	return job_rest_ms(attempt->job->refusals, times * config->retry_min_ms,
			   times * config->retry_max_ms, clock_random());
}

static void
again_after_refusal(struct attempt *attempt, const struct answer *answer)
{
	struct job *job = attempt->job;

	chain_refused(&job->chain, attempt->model_index, clock_mono_ms());
	if (answer->class == API_OVERLOADED)
		job->overloads += job->overloads < UINT8_MAX;
	again(attempt, rest_of(attempt));
}

static void
again_after_fault(struct attempt *attempt, const struct answer *answer)
{
	struct job *job = attempt->job;
	int64_t rest = rest_of(attempt);

	if (answer->row->fallback == API_FALLBACK_LATER)
		chain_faulted(&job->chain, attempt->model_index);
	if (answer->retry_after_s > 0)
		rest = MAX(rest, (int64_t)(answer->retry_after_s * 1000));
	if (attempt->end.attempts < job->max_attempts) {
		again(attempt, rest);
		return;
	}
	gates_forget_fault(attempt->runner->gates, attempt->model, job->id);
	final(attempt, FOREBAY_JOB_FAILED, answer->err);
}

/*
 * What the API says of the request itself is final, unless only a fallback
 * said it: the first model may take what a later one does not. Thinking blocks
 * that another model wrote are left out once, and the same one asked again.
 */
static void
refused_for_good(struct attempt *attempt, const struct answer *answer)
{
	struct job *job = attempt->job;

	if (attempt->model_index > 0 && answer->row->retry == API_RETRY_STRIPPED &&
	    !job->stripped) {
		job->stripped = true;
		attempt->end.attempts = job->attempts;
		attempt->end.attempt.counted = false;
		again(attempt, 0);
	} else if (attempt->model_index > 0 || answer->class == API_MODEL) {
		leave_model(attempt, answer);
	} else {
		final(attempt, FOREBAY_JOB_FAILED, answer->err);
	}
}

static bool
is_classic(const struct attempt *attempt)
{
	return config_gate_of(attempt->runner->config, attempt->model).policy ==
	       CONFIG_POLICY_CLASSIC;
}

static void
decide_failure(struct attempt *attempt, const struct answer *answer)
{
	const struct ephemera *ephemera = attempt->job->ephemera;
	bool key = answer->class == API_BILLING || answer->class == API_AUTH;

	if ((ephemera && ephemera->once) || attempt->job->sealed) {
		final(attempt, FOREBAY_JOB_FAILED, answer->err);
		return;
	}
	/* Without a connection nothing was tried, in this rule too. */
	if (is_classic(attempt) && !key && attempt->left && answer->retry != API_RETRY_NEVER &&
	    answer->retry != API_RETRY_STRIPPED) {
		again_as_classic(attempt, answer);
		return;
	}
	switch (answer->class) {
	case API_OVERLOADED:
	case API_RATE_LIMITED:
		again_after_refusal(attempt, answer);
		break;
	case API_BILLING:
	case API_AUTH:
		/* The key's gate is closed now: it waits there, uncounted. */
		again(attempt, attempt->runner->config->retry_min_ms);
		break;
	case API_FAULT:
	case API_SUCCESS:
	case API_MODEL:
	case API_REQUEST:
	case API_CLASS_COUNT:
		if (answer->retry == API_RETRY_NEVER || answer->retry == API_RETRY_STRIPPED)
			refused_for_good(attempt, answer);
		else
			again_after_fault(attempt, answer);
		break;
	}
}

static void
decide_abort(struct attempt *attempt)
{
	struct store_attempt *row = &attempt->end.attempt;

	/* What had come by then was paid for. */
	if (attempt->assembly)
		take_facts(attempt, assembly_facts(attempt->assembly));
	row->sent = attempt->left;
	row->outcome = aborts[attempt->abort].outcome;
	aborts[attempt->abort].ended++;
	switch (attempt->abort) {
	case ATTEMPT_CANCELED:
		final(attempt, FOREBAY_JOB_CANCELED, FOREBAY_ERR_CANCELED);
		break;
	case ATTEMPT_DAMAGED:
		attempt->result.message = "its request cannot be read: it is damaged on disk";
		final(attempt, FOREBAY_JOB_FAILED, FOREBAY_ERR_INTERNAL);
		break;
	case ATTEMPT_UNSENDABLE:
		attempt->result.message = forebay_err_text(attempt->unsendable);
		final(attempt, FOREBAY_JOB_FAILED, attempt->unsendable);
		break;
	case ATTEMPT_PUT_BACK:
	case ATTEMPT_GOES_ON:
		if (attempt->job->ephemeral || attempt->job->sealed)
			final(attempt, FOREBAY_JOB_CANCELED, FOREBAY_ERR_DRAINING);
		else
			again(attempt, PUT_BACK_REST_MS);
		break;
	}
}

/* Without a connection nothing was tried; and a fault that others meet too is the
 * weather's: an outage of an hour would end the jobs that probed it. */
static bool
is_its_own(const struct attempt *attempt, enum api_class class)
{
	return attempt->left &&
	       !(class == API_FAULT &&
		 gates_share_fault(attempt->runner->gates, attempt->model, attempt->job->id));
}

static void
decide(struct attempt *attempt, const struct answer *answer)
{
	struct job *job = attempt->job;
	struct store_end *end = &attempt->end;
	enum api_class class = answer ? answer->class : API_SUCCESS;

	end->attempt = (struct store_attempt){ .job = job->id,
					       .number = attempt->number,
					       .started_ms = attempt->started_ms,
					       .ended_ms = clock_wall_ms(),
					       .waited_ms = attempt->waited_ms,
					       .model = attempt->model,
					       .edits = text_or_null(attempt->changes),
					       .sent = attempt->left,
					       .http_status = attempt->status };
	end->attempts = job->attempts;
	end->attempt.request_id = text_or_null(attempt->headers.request_id);
	attempt->result.request_id = end->attempt.request_id;
	if (attempt->abort != ATTEMPT_GOES_ON) {
		decide_abort(attempt);
		return;
	}
	end->attempt.outcome = rows[class].outcome;
	end->attempt.counted = rows[class].counts && is_its_own(attempt, class);
	end->attempts = (uint16_t)(job->attempts + end->attempt.counted);
	(*rows[class].counter)++;
	rows[class].ended++;
	if (!answer) {
		take_answer(attempt);
		end->late = clock_wall_ms() > job->deadline_ms;
		final(attempt, FOREBAY_JOB_SUCCEEDED, FOREBAY_ERR_OK);
		job->refusals = 0;
		return;
	}
	take_error(attempt, answer);
	decide_failure(attempt, answer);
}

/* --- and that to the disk -------------------------------------------------------------- */

/* The answer is at hand: the store gives it back, an ephemeral job never gave
 * it away. */
static void
landed(struct attempt *attempt, const uint8_t *body, size_t body_len)
{
	struct runner *runner = attempt->runner;
	struct job *job = attempt->job;
	struct store_end *end = &attempt->end;
	bool again = end->to == FOREBAY_JOB_QUEUED;
	uint64_t id = job->id;

	job->attempts = end->attempts;
	job->attempt = NULL;
	job->cancel_wanted = false;
	/* A final state drops the job, and attempt_free() looks at it. */
	if (!again)
		job->attempt = attempt;
	runner_move(runner, &(struct moved){ .id = job->id,
					     .job = job,
					     .lane = job->lane,
					     .body_len = job->body_len,
					     .from = FOREBAY_JOB_RUNNING,
					     .to = end->to,
					     .error = end->error,
					     .result = end->result,
					     .body = body,
					     .result_len = body_len });
	attempt_free(attempt);
	job->attempt = NULL;
	/* The disk left its deadline out while it ran. */
	if (again && !job->ephemeral)
		patrol_expect(runner, job->deadline_ms);
	if (again)
		lanes_rest(runner->lanes, job);
	if (again && job->ephemeral)
		ephemera_wait(runner, job->ephemera);
	/* Nothing starts any more: its row is all that stays of it. */
	if (again && job->ephemeral && runner->draining)
		patrol_spill(runner, job->ephemera);
	if (!again)
		runner_drop_job(runner, job);
	cancel_resume(runner, id);
	runner_kick(runner);
	runner_check_drained(runner);
}

static void
runner_on_finished(enum forebay_err err, struct store_reply *reply, void *arg)
{
	struct attempt *attempt = arg;
	struct runner *runner = attempt->runner;

	TAILQ_REMOVE(&runner->ending, attempt, link);
	if (err == FOREBAY_ERR_STORAGE) {
		/* Bounded: without room on disk no further job is started either. */
		attempt->end.body = TAKE(reply->body);
		TAILQ_INSERT_TAIL(&runner->stuck, attempt, link);
		runner_check_drained(runner);
		return;
	}
	if (err || (!reply->moved && !attempt->job->ephemeral))
		log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.job_id = attempt->job->id),
			 "the end of a running job found it in another state; keeping ours");
	landed(attempt, reply->body, reply->body_len);
}

/* An ephemeral job has no row to wait for: its client hears at once, and the
 * row for the books, without the answer, follows. */
static void
record_ephemeral(struct attempt *attempt)
{
	struct job *job = attempt->job;
	struct ephemera *ephemera = job->ephemera;
	struct store_end end = attempt->end;
	struct store_lane lane = { .id = job->lane->id,
				   .uid = job->lane->owner->uid,
				   .class = job->lane->class,
				   .route = job->lane->route->text };

	end.body = end.raw = NULL;
	end.body_len = end.raw_len = 0;
	ephemera->row.started_ms = attempt->started_ms;
	ephemera->row.ended_ms = end.attempt.ended_ms;
	ephemera->row.head.tries = job->tries;
	end.earlier = ephemera->earlier;
	end.earlier_count = ephemera->earlier_count;
	store_record(attempt->runner->store, &ephemera->row, &lane, &end, NULL, NULL);
}

static void
send_to_disk(struct attempt *attempt)
{
	struct runner *runner = attempt->runner;
	struct store_end end;

	if (attempt->job->ephemeral) {
		if (attempt->end.to == FOREBAY_JOB_QUEUED)
			ephemera_remember(attempt->job->ephemera, &attempt->end.attempt);
		else
			record_ephemeral(attempt);
		landed(attempt, attempt->end.body, attempt->end.body_len);
		return;
	}
	attempt->job->moving = true;
	TAILQ_INSERT_TAIL(&runner->ending, attempt, link);
	/* The body comes back with the answer; of the raw bytes we keep our own. */
	end = attempt->end;
	if (end.raw) {
		end.raw = must_alloc(end.raw_len);
		memcpy(end.raw, attempt->end.raw, end.raw_len);
	}
	store_finish(runner->store, &end, runner_on_finished, attempt);
	attempt->end.body = NULL;
}

void
runner_retry_stuck(struct runner *runner)
{
	struct attempt *attempt;
	struct attempt_list stuck = TAILQ_HEAD_INITIALIZER(stuck);

	TAILQ_CONCAT(&stuck, &runner->stuck, link);
	while ((attempt = TAILQ_FIRST(&stuck))) {
		TAILQ_REMOVE(&stuck, attempt, link);
		send_to_disk(attempt);
	}
}

void
runner_writable(struct runner *runner, bool writable)
{
	if (!writable)
		return;
	runner_retry_stuck(runner);
	runner_kick(runner);
}

/* Seconds until access returns, as a billing pause says; INFINITY if nobody does. */
static double
resume_in(const struct answer *answer)
{
	double in = answer->billing_resume_s - (double)clock_wall_ms() / 1000.0;

	return answer->billing_resume_s > 0 ? fmax(in, 1.0) : INFINITY;
}

void
attempt_ended(struct attempt *attempt, const struct answer *answer)
{
	struct runner *runner = attempt->runner;
	struct job *job = attempt->job;
	double now = clock_mono();
	const struct store_attempt *row = &attempt->end.attempt;
	bool aborted = attempt->abort != ATTEMPT_GOES_ON;

	event_del(attempt->timer);
	if (attempt->left)
		histogram_observe(&histograms.attempt_seconds, now - attempt->pass.ticket.sent_at);
	decide(attempt, answer);
	if (!aborted)
		gates_ended(runner->gates, &attempt->pass, answer,
			    (double)(row->input_tokens + row->cache_write_tokens),
			    (double)row->output_tokens, answer ? resume_in(answer) : 0.0, now);
	else if (attempt->left)
		gates_forgotten(runner->gates, &attempt->pass, now);
	else
		gates_unsent(runner->gates, &attempt->pass, now);
	schedule_settle(job, row->input_tokens + row->output_tokens);
	owner_charge(job->lane->owner, row->input_tokens + row->output_tokens, clock_wall_ms());
	runner_slot_freed(runner, attempt);
	patrol_foresee(runner, attempt->model);
	send_to_disk(attempt);
}
