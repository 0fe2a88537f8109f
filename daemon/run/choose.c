/*
 * choose.c - may this job go, and to which model of its chain? What the
 * schedule asks of each job that stands first, answered from the gates.
 */
#include "daemon/run/choose.h"

#include "daemon/run/runner_internal.h"

#include <math.h>
#include <string.h>

/* How long a class waits for a model before it looks at the next. */
static const int64_t patience_of_class[FOREBAY_CLASS_COUNT] = {
	[FOREBAY_CLASS_INTERACTIVE] = 2000,
	[FOREBAY_CLASS_NORMAL] = 10000,
	[FOREBAY_CLASS_PATIENT] = CHAIN_NEVER,
};

static int64_t
patience_of(const struct config *config, const struct lane *lane)
{
	const struct config_chain *chain =
	    lane->route->chain ? config_chain_of(config, lane->route->chain) : NULL;

	return chain && chain->patience_ms >= 0 ? chain->patience_ms
						: patience_of_class[lane->class];
}

/* One model, asked for by chain_choose(). */
struct looking {
	struct choosing *choosing;
	const struct lane *lane;
	const struct job *job;
};

static void
look_at(unsigned i, struct chain_look *ret, void *arg)
{
	struct looking *looking = arg;
	struct choosing *choosing = looking->choosing;
	struct gates *gates = choosing->runner->gates;
	const struct job *job = looking->job;
	const char *model = looking->lane->route->models[i];

	ret->open = gates_may_send(gates, model, job->cost_input, job->max_output, choosing->now,
				   &choosing->when, &ret->probe);
	ret->accepted_ms = (int64_t)(gates_accepted_at(gates, model) * 1000.0);
	ret->unusable = gates_is_unusable(gates, model, choosing->now);
	ret->classic =
	    config_gate_of(choosing->runner->config, model).policy == CONFIG_POLICY_CLASSIC;
	if (!ret->open)
		ret->wait_s = gates_expected_wait(gates, model, job->cost_input, job->max_output,
						  choosing->now);
}

static enum schedule_verdict
choose_of_chain(struct choosing *choosing, const struct lane *lane, struct job *job, bool refuge)
{
	int64_t now_ms = (int64_t)(choosing->now * 1000.0);
	struct looking looking = { choosing, lane, job };
	struct chain_choice choice;

	choice =
	    chain_choose(&job->chain, (unsigned)lane->route->model_count, refuge,
			 patience_of(choosing->runner->config, lane), now_ms, look_at, &looking);
	if (choice.answer == CHAIN_WAIT) {
		if (!refuge)
			chain_blocked(&job->chain, now_ms);
		if (choice.when_ms != INT64_MAX)
			choosing->when = fmin(choosing->when, (double)choice.when_ms / 1000.0);
		return choice.own ? SCHEDULE_NOT_IT : SCHEDULE_NO;
	}
	job->model = (uint8_t)choice.model;
	return choice.answer == CHAIN_PROBE ? SCHEDULE_PROBE : SCHEDULE_YES;
}

enum schedule_verdict
choose(const struct lane *lane, struct job *job, bool refuge, void *arg)
{
	struct choosing *choosing = arg;
	bool probe;

	if (lane->route->batch == FOREBAY_BATCH_ONLY ||
	    !owner_may_run(lane->owner, choosing->wall_ms))
		return SCHEDULE_NO;
	if (lane->route->model_count > 1)
		return choose_of_chain(choosing, lane, job, refuge);
	if (!gates_may_send(choosing->runner->gates, lane->route->models[0], job->cost_input,
			    job->max_output, choosing->now, &choosing->when, &probe))
		return SCHEDULE_NO;
	job->model = 0;
	return probe ? SCHEDULE_PROBE : SCHEDULE_YES;
}
