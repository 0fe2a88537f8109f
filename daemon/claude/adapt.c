/*
 * adapt.c - the rules for moving a request to another model, see adapt.h. What
 * will be sent is planned from the facts and the table alone; refusing and
 * editing both go by that plan.
 */
#include "daemon/claude/adapt.h"

#include "daemon/claude/models.h"
#include "daemon/claude/rewrite.h"
#include "protocol/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The API takes no smaller budget_tokens, and only ones below max_tokens. */
#define MIN_BUDGET 1024

/* From this version on the API refuses sampling parameters for every model.
 * Versions are dates that compare as text. */
#define VERSION_WITHOUT_SAMPLING "2026-10-21"

/* Newer models count up to 30 % more tokens for the same text than older
 * ones: the estimate is taken for too low by as much. */
#define ESTIMATE_NUM 10
#define ESTIMATE_DEN 13

/* The settings as they would be sent. */
struct plan {
	unsigned thinking;  /* of enum model_thinking; 0: absent, or a word not known */
	unsigned effort;    /* of enum model_effort; 0: absent, dropped or not known */
	int64_t max_tokens; /* -1: absent */
	int64_t budget;	    /* -1: absent */
};

/* Where the mode does not exist: the nearest that does, else the model's own. */
static unsigned
plan_thinking(const struct body_facts *facts, const struct model *model)
{
	unsigned asked = models_thinking(facts->thinking);

	if (!model || (model->thinking & asked))
		return asked;
	if (asked == MODEL_ENABLED)
		return model->thinking & MODEL_ADAPTIVE;
	if (asked == MODEL_BETWEEN_TOOLS)
		return model->thinking & MODEL_DISABLED;
	return 0;
}

/* The highest level that the model has, up to the one asked for. */
static unsigned
plan_effort(const struct body_facts *facts, const struct model *model, unsigned thinking)
{
	unsigned asked = models_effort(facts->effort);

	if (!model || asked == 0)
		return asked;
	unsigned levels = model->effort & (asked | (asked - 1));

	if (model->quiet_to_high && (thinking & (MODEL_DISABLED | MODEL_BETWEEN_TOOLS)))
		levels &= MODEL_EFFORT_HIGH | (MODEL_EFFORT_HIGH - 1);
	while (levels & (levels - 1))
		levels &= levels - 1;
	return levels;
}

static int64_t
plan_max_tokens(const struct body_facts *facts, const struct model *model, int64_t wish,
		unsigned thinking)
{
	int64_t max_tokens = facts->max_tokens;

	/* The smallest budget must stay below it. */
	if (wish > 0 && thinking == MODEL_ENABLED)
		wish = MAX(wish, MIN_BUDGET + 1);
	if (wish > 0)
		max_tokens = MIN(max_tokens, wish);
	return model ? MIN(max_tokens, model->max_output) : max_tokens;
}

/* A budget that no longer fits below max_tokens keeps its share of it, so that
 * something is left for the answer. One that did not fit before is allowed in
 * some way that we do not know. */
static int64_t
plan_budget(const struct body_facts *facts, int64_t max_tokens)
{
	int64_t budget = facts->thinking_budget;

	if (budget < max_tokens || budget >= facts->max_tokens)
		return budget;
	double share = (double)budget / (double)facts->max_tokens;

	budget = (int64_t)(share * (double)max_tokens);
	return MAX(MIN_BUDGET, MIN(budget, max_tokens - 1));
}

static struct plan
plan_for(const struct body_facts *facts, const struct model *model,
	 const struct adapt_wishes *wishes)
{
	struct plan plan = { .thinking = plan_thinking(facts, model) };

	plan.effort = plan_effort(facts, model, plan.thinking);
	plan.max_tokens = plan_max_tokens(facts, model, wishes->max_tokens, plan.thinking);
	plan.budget = plan.thinking == MODEL_ENABLED ? plan_budget(facts, plan.max_tokens)
						     : facts->thinking_budget;
	return plan;
}

static const enum body_key sampling[] = { BODY_TEMPERATURE, BODY_TOP_P, BODY_TOP_K };

/* The parameter is there and must not be. */
static bool
refuses_sampling(const struct body_facts *facts, const struct model *model,
		 const struct adapt_wishes *wishes, enum body_key key)
{
	if (facts->at[key].len == 0)
		return false;
	if (wishes->version && strcmp(wishes->version, VERSION_WITHOUT_SAMPLING) >= 0)
		return true;
	if (!model)
		return false;
	/* Those that do take them want one of these two. */
	return !model->sampling || (key == BODY_TOP_P && facts->at[BODY_TEMPERATURE].len > 0);
}

/* Written for the model that target names, by any of its names. */
static bool
is_written_for(const struct body_facts *facts, const char *target)
{
	const struct model *model = models_find(target);

	return strcmp(facts->model, target) == 0 || (model && models_find(facts->model) == model);
}

static const char *
refuse_by_table(const struct body_facts *facts, int64_t input_tokens, const struct model *model,
		const struct adapt_wishes *wishes)
{
	bool forced =
	    strcmp(facts->tool_choice, "any") == 0 || strcmp(facts->tool_choice, "tool") == 0;

	if (forced && !model->forced_tools)
		return "forced tool_choice";
	if (facts->last_role == BODY_ROLE_ASSISTANT && !model->prefill)
		return "prefill";
	if (facts->format.len > 0 && !model->structured)
		return "structured output";
	int64_t output = MAX(0, plan_for(facts, model, wishes).max_tokens);
	int64_t room = model->context - output;

	return input_tokens > room * ESTIMATE_NUM / ESTIMATE_DEN ? "context too small" : NULL;
}

const char *
adapt_refusal(const struct body_facts *facts, int64_t input_tokens, const char *target,
	      const struct adapt_wishes *wishes)
{
	const struct model *model = models_find(target);

	if (is_written_for(facts, target))
		return NULL;
	if (facts->state)
		return facts->state;
	for (size_t i = 0; i < ARRAY_LEN(sampling); i++)
		if (!wishes->drop_sampling && refuses_sampling(facts, model, wishes, sampling[i]))
			return "sampling parameters";
	return model ? refuse_by_table(facts, input_tokens, model, wishes) : NULL;
}

/* --- the splices ----------------------------------------------------------- */

struct change {
	struct body_edits *edits; /* borrowed, like all of these */
	const uint8_t *buf;
	const struct body_facts *facts;
	const struct model *model; /* NULL: not known, or not moved */
	const struct adapt_wishes *wishes;
	char *text; /* ADAPT_TEXT_LEN */
};

PRINTF_LIKE(2, 3)
static void
say(const struct change *change, const char *fmt, ...)
{
	size_t at = strlen(change->text);
	va_list args;

	if (at > 0)
		at += (size_t)snprintf(change->text + at, ADAPT_TEXT_LEN - at, ", ");
	if (at >= ADAPT_TEXT_LEN)
		return;
	va_start(args, fmt);
	vsnprintf(change->text + at, ADAPT_TEXT_LEN - at, fmt, args);
	va_end(args);
}

static enum forebay_err
change_max_tokens(const struct change *change, const struct plan *plan)
{
	if (plan->max_tokens == change->facts->max_tokens)
		return FOREBAY_ERR_OK;
	say(change, "max_tokens %" PRId64 " -> %" PRId64, change->facts->max_tokens,
	    plan->max_tokens);
	return body_edits_set_int(change->edits, BODY_MAX_TOKENS, plan->max_tokens);
}

static enum forebay_err
change_effort(const struct change *change, const struct plan *plan)
{
	const struct body_facts *facts = change->facts;
	struct rewrite_member to = { "effort", NULL };
	char level[16];

	if (!change->model || facts->effort[0] == '\0')
		return FOREBAY_ERR_OK;
	if (plan->effort == models_effort(facts->effort) && change->model->effort != 0)
		return FOREBAY_ERR_OK;
	if (plan->effort == 0) {
		say(change, "effort dropped");
		return body_edits_remove_effort(change->edits, facts, change->buf);
	}
	say(change, "effort %s -> %s", facts->effort, models_effort_word(plan->effort));
	snprintf(level, sizeof(level), "\"%s\"", models_effort_word(plan->effort));
	to.json = level;
	return body_edits_set_members(change->edits, BODY_OUTPUT_CONFIG, facts, change->buf, &to,
				      1);
}

/* What else it says, such as how to show the thinking, stays. */
static enum forebay_err
set_thinking(const struct change *change, const char *type, const char *budget)
{
	const struct rewrite_member members[] = { { "type", type }, { "budget_tokens", budget } };

	return body_edits_set_members(change->edits, BODY_THINKING, change->facts, change->buf,
				      members, ARRAY_LEN(members));
}

static enum forebay_err
change_thinking(const struct change *change, const struct plan *plan)
{
	const struct body_facts *facts = change->facts;
	unsigned asked = models_thinking(facts->thinking);
	char budget[24];

	if (plan->thinking == asked && plan->budget == facts->thinking_budget)
		return FOREBAY_ERR_OK;
	if (plan->thinking == 0) {
		say(change, "thinking dropped");
		body_edits_remove(change->edits, BODY_THINKING);
		return FOREBAY_ERR_OK;
	}
	if (plan->thinking == MODEL_ADAPTIVE) {
		say(change, "thinking %s -> adaptive", facts->thinking);
		return set_thinking(change, "\"adaptive\"", NULL);
	}
	if (plan->thinking == MODEL_DISABLED) {
		say(change, "thinking %s -> disabled", facts->thinking);
		return set_thinking(change, "\"disabled\"", NULL);
	}
	say(change, "thinking budget %" PRId64 " -> %" PRId64, facts->thinking_budget,
	    plan->budget);
	snprintf(budget, sizeof(budget), "%" PRId64, plan->budget);
	return set_thinking(change, "\"enabled\"", budget);
}

/* In preview, fast needs a beta header, which a request that was written for a
 * model past that may well lack. */
static bool
takes_fast(const struct body_facts *facts, const struct model *model)
{
	const struct model *from = models_find(facts->model);

	return model->fast == MODEL_FAST_OPEN ||
	       (model->fast == MODEL_FAST_PREVIEW && from && from->fast != MODEL_FAST_OPEN);
}

static void
change_speed(const struct change *change)
{
	const struct body_span *span = &change->facts->at[BODY_SPEED];
	char speed[8] = "";

	if (!change->model || span->len == 0 || change->buf[span->offset] != '"')
		return;
	if (json_decode(change->buf + span->offset, span->len, speed, sizeof(speed)) != 4 ||
	    strcmp(speed, "fast") != 0 || takes_fast(change->facts, change->model))
		return;
	say(change, "speed fast dropped");
	body_edits_remove(change->edits, BODY_SPEED);
}

static void
change_sampling(const struct change *change)
{
	for (size_t i = 0; i < ARRAY_LEN(sampling); i++) {
		if (!refuses_sampling(change->facts, change->model, change->wishes, sampling[i]))
			continue;
		say(change, "%s dropped", body_key_name(sampling[i]));
		body_edits_remove(change->edits, sampling[i]);
	}
}

static enum forebay_err
change_history(const struct change *change)
{
	const struct body_span *span = &change->facts->at[BODY_MESSAGES];
	enum forebay_err err;
	size_t blocks;
	char *json;

	err = rewrite_without_thinking(change->buf + span->offset, span->len, &json, &blocks);
	if (err || !json)
		return err;
	say(change, "%zu thinking block%s dropped", blocks, blocks == 1 ? "" : "s");
	return body_edits_take(change->edits, BODY_MESSAGES, json);
}

enum forebay_err
adapt_body(struct body_edits *edits, const uint8_t *buf, size_t len, const struct body_facts *facts,
	   const char *target, bool moved, const struct adapt_wishes *wishes,
	   char text[static ADAPT_TEXT_LEN])
{
	const struct change change = { edits,  buf, facts, moved ? models_find(target) : NULL,
				       wishes, text };
	struct plan plan = plan_for(facts, change.model, wishes);
	enum forebay_err err;

	(void)len;
	text[0] = '\0';
	err = change_max_tokens(&change, &plan);
	if (!err)
		err = change_effort(&change, &plan);
	if (!err)
		err = change_thinking(&change, &plan);
	if (err)
		return err;
	change_speed(&change);
	if (moved && wishes->drop_sampling)
		change_sampling(&change);
	return wishes->strip_thinking ? change_history(&change) : FOREBAY_ERR_OK;
}
