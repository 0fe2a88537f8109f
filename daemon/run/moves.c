/*
 * moves.c - where a job's state changes: the move is on disk, and now memory,
 * counts and watchers follow together. Also the small questions about jobs.
 */
#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/run/live.h"
#include "daemon/run/runner_internal.h"
#include "daemon/run/totals.h"
#include "daemon/run/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
count(struct runner *runner, enum forebay_job_state state, int by)
{
	runner->counts[state] += (uint64_t)by;
	metrics.jobs_queued = runner->counts[FOREBAY_JOB_QUEUED];
	metrics.jobs_delayed = runner->counts[FOREBAY_JOB_DELAYED];
	metrics.jobs_running = runner->counts[FOREBAY_JOB_RUNNING];
}

static void
count_queued(struct runner *runner, struct lane *lane, int by)
{
	lane->queued += (uint64_t)by;
	runner->queued[lane->class] += (uint64_t)by;
}

static void
count_end(struct owner *owner, enum forebay_job_state state)
{
	switch (state) {
	case FOREBAY_JOB_SUCCEEDED:
		metrics.jobs_succeeded_total++;
		owner->succeeded++;
		break;
	case FOREBAY_JOB_FAILED:
		metrics.jobs_failed_total++;
		owner->failed++;
		break;
	case FOREBAY_JOB_CANCELED:
		metrics.jobs_canceled_total++;
		break;
	case FOREBAY_JOB_EXPIRED:
		metrics.jobs_expired_total++;
		break;
	default:
		break;
	}
}

void
runner_count_new(struct runner *runner, struct lane *lane, enum forebay_job_state state,
		 uint32_t body_len)
{
	(void)body_len;
	count(runner, state, 1);
	if (state == FOREBAY_JOB_QUEUED)
		count_queued(runner, lane, 1);
	metrics.jobs_submitted_total++;
}

static void
tell(struct runner *runner, const struct moved *moved, bool final)
{
	struct watch_news news = { .kind = final ? WATCH_ENDED : WATCH_STATE,
				   .id = moved->id,
				   .state = moved->to,
				   .error = moved->error,
				   .result = moved->result,
				   .body = moved->body,
				   .body_len = moved->result_len };

	if (moved->job) {
		news.model = moved->lane->route->models[0];
		news.attempts = moved->job->attempts;
		news.tries = moved->job->tries;
		news.created_ms = moved->job->created_ms;
	}
	watch_notify(runner->watch, &news);
}

void
runner_move(struct runner *runner, const struct moved *moved)
{
	bool final = forebay_job_state_is_final(moved->to);
	struct lane *lane = moved->lane;
	struct job *job = moved->job;

	count(runner, moved->from, -1);
	count(runner, moved->to, 1);
	if (moved->from == FOREBAY_JOB_QUEUED)
		count_queued(runner, lane, -1);
	if (moved->to == FOREBAY_JOB_QUEUED)
		count_queued(runner, lane, 1);
	if (job) {
		job_set_state(job, moved->to);
		/* One that ended while its start was on its way to the disk: the start
		 * comes back as a lost race, and drops it. */
		job->moving = final && job->attempt && moved->from == FOREBAY_JOB_QUEUED;
	}
	if (final) {
		count_end(lane->owner, moved->to);
		runner->pending--;
		lane->owner->pending--;
		lane->owner->bytes -= moved->body_len;
	}
	tell(runner, moved, final);
	if (moved->from == FOREBAY_JOB_QUEUED)
		runner_refill(runner, lane);
	if (!final)
		return;
	live_end(runner->live, moved->id);
	if (job && !job->attempt)
		runner_drop_job(runner, job);
	runner_check_drained(runner);
}

void
runner_drop_job(struct runner *runner, struct job *job)
{
	struct ephemera *ephemera = job->ephemera;

	ephemera_free(runner, ephemera);
	lanes_drop(runner->lanes, job);
}

/* --- questions ------------------------------------------------------------------- */

struct gates *
runner_gates(struct runner *runner)
{
	return runner->gates;
}

struct watch *
runner_watch(struct runner *runner)
{
	return runner->watch;
}

struct live *
runner_live(struct runner *runner)
{
	return runner->live;
}

bool
runner_is_draining(const struct runner *runner)
{
	return runner->draining;
}

bool
runner_is_drained(const struct runner *runner)
{
	return runner->drained;
}

void
runner_count(const struct runner *runner, struct runner_counts *ret)
{
	memcpy(ret->jobs, runner->counts, sizeof(ret->jobs));
	memcpy(ret->queued, runner->queued, sizeof(ret->queued));
	ret->in_flight = runner->in_flight + runner->lent;
	ret->workers = (unsigned)runner->config->workers;
}

bool
runner_next_owner(const struct runner *runner, struct runner_owner *row)
{
	const struct owner *owner = lanes_next_owner(runner->lanes, row->at);

	if (!owner)
		return false;
	*row = (struct runner_owner){ .at = owner,
				      .uid = owner->uid,
				      .pending = owner->pending,
				      .running = owner->running,
				      .succeeded = owner->succeeded,
				      .failed = owner->failed,
				      .tokens = owner->tokens };
	return true;
}

void
runner_forgot(struct runner *runner, enum forebay_job_state state)
{
	runner->counts[state]--;
}

bool
runner_key_is_closed(struct runner *runner)
{
	struct gates_row row;

	/* The key's gate is the first row. */
	return gates_row(runner->gates, 0, clock_mono(), &row) && row.view.weather == GATE_HELD;
}

bool
runner_knows_ephemeral(const struct runner *runner, uint64_t id, uid_t *ret_uid,
		       enum forebay_job_state *ret_state)
{
	const struct job *job = lanes_find(runner->lanes, id);

	if (!job || !job->ephemeral)
		return false;
	*ret_uid = job->lane->owner->uid;
	*ret_state = job->state;
	return true;
}

void
runner_seal(struct runner *runner, uint64_t id)
{
	struct job *job = lanes_find(runner->lanes, id);

	if (job)
		job->sealed = true;
}

const char *
runner_attempt(const struct runner *runner, uint64_t id, const char **ret_changes)
{
	const struct job *job = lanes_find(runner->lanes, id);
	const struct attempt *attempt = job ? job->attempt : NULL;

	*ret_changes = attempt ? attempt->changes : NULL;
	return attempt ? attempt->model : NULL;
}

const char *
runner_request_id(const struct runner *runner, uint64_t id)
{
	const struct job *job = lanes_find(runner->lanes, id);
	const struct attempt *attempt = job ? job->attempt : NULL;

	return attempt && attempt->headers.request_id[0] ? attempt->headers.request_id : NULL;
}

static const char *
ordinal(size_t n)
{
	static const char *const suffixes[] = { "th", "st", "nd", "rd" };

	return n % 100 >= 11 && n % 100 <= 13 ? "th" : n % 10 <= 3 ? suffixes[n % 10] : "th";
}

static void
put_gate_words(struct runner *runner, const char *model, FILE *out)
{
	char words[160];

	gates_words(runner->gates, model, clock_mono(), words, sizeof(words));
	if (words[0])
		fputs(words, out);
	else
		fprintf(out, "%s open", runner->draining ? "draining;" : model);
}

/* What keeps a job that is known here: its first model, the rest of its chain, its place. */
static void
put_waiting(struct runner *runner, const struct job *job, FILE *out)
{
	const struct route *route = job->lane->route;
	int64_t rest_ms = job->rest_until_ms - clock_mono_ms();
	char limit[128];
	size_t at = 0;

	owner_waiting(job->lane->owner, clock_wall_ms(), limit, sizeof(limit));
	if (limit[0])
		fprintf(out, "%s; ", limit);

	for (size_t i = 0; i < route->model_count; i++) {
		if (i > 0)
			fputs("; else ", out);
		if (chain_is_barred(&job->chain, (unsigned)i))
			fprintf(out, "not %s, which refused it", route->models[i]);
		else
			put_gate_words(runner, route->models[i], out);
	}
	if (job->heap_index >= 0 && rest_ms > 0)
		fprintf(out, "; rests %.1f s after a refusal", (double)rest_ms / 1000.0);
	if (!job->ready)
		return;
	while (job->lane->window[at] != job)
		at++;
	fprintf(out, "; %zu%s in line", at + 1, ordinal(at + 1));
}

const char *
runner_waiting(struct runner *runner, uint64_t id, const char *model, char *buf, size_t len)
{
	const struct job *job = lanes_find(runner->lanes, id);
	FILE *out = fmemopen(buf, len, "w");

	buf[0] = '\0';
	if (!out)
		return buf;
	if (job)
		put_waiting(runner, job, out);
	else if (model)
		put_gate_words(runner, model, out);
	else
		fputs("behind the first of its owner's jobs", out);
	fclose(out);
	buf[len - 1] = '\0';
	return buf;
}
