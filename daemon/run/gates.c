/*
 * gates.c - all gates of a request as one; see gates.h.
 */
#include "daemon/run/gates.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/claude/models.h"
#include "daemon/gate/pace.h"
#include "daemon/gate/ratelimit.h"
#include "daemon/run/gates_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_MODELS     512 /* client-chosen names: the idle ones make room */
#define LIMIT_FALLBACK 5.0 /* s to hold after a 429 that names no time */
#define UNUSABLE_S     3600.0

#define NAME_LEN sizeof(((struct model_gate *)0)->name)

/* A name as it is kept: longer ones that begin alike share a gate. Whatever the
 * length, what is made under a name must be found under it again. */
static const char *
clip(const char *name, char ret[static NAME_LEN])
{
	snprintf(ret, NAME_LEN, "%s", name);
	return ret;
}

static enum gate_manner
manner_of(enum config_manner manner)
{
	switch (manner) {
	case CONFIG_MANNER_EAGER:
		return GATE_EAGER;
	case CONFIG_MANNER_POLITE:
		return GATE_POLITE;
	case CONFIG_MANNER_DEFAULT:
		break;
	}
	return GATE_DEFAULT;
}

static void
configure_pace(struct pace *pace, const struct config_pace *config, double now)
{
	pace_set(pace, (double)config->min_spacing_ms / 1000.0, (double)config->requests_per_minute,
		 (double)config->input_tokens_per_minute, (double)config->output_tokens_per_minute,
		 now);
}

static void
configure_model(struct gates *gates, struct model_gate *model, double now)
{
	struct config_gate gate = config_gate_of(gates->config, model->name);
	struct config_pace pace = config_pace_of(gates->config, model->name);

	model->classic = gate.policy == CONFIG_POLICY_CLASSIC;
	gate_config_init(&model->gate_config, (int)gates->config->workers, manner_of(gate.manner));
	configure_pace(&model->pace, &pace, now);
}

struct gates *
gates_new(const struct config *config, double now)
{
	struct gates *gates = must_alloc(sizeof(*gates));

	*gates = (struct gates){ .config = config };
	gate_config_init(&gates->host_config, (int)config->workers, manner_of(config->gate.manner));
	gate_init(&gates->host, &gates->host_config);
	gate_init(&gates->key, &gates->host_config);
	pace_init(&gates->pace);
	configure_pace(&gates->pace, &config->pace, now);
	return gates;
}

void
gates_configure(struct gates *gates, const struct config *config, double now)
{
	struct model_gate *model, *next;

	gates->config = config;
	gate_config_init(&gates->host_config, (int)config->workers, manner_of(config->gate.manner));
	gate_fit(&gates->host, &gates->host_config);
	configure_pace(&gates->pace, &config->pace, now);
	HASH_ITER (hh, gates->models, model, next) {
		configure_model(gates, model, now);
		gate_fit(&model->gate, &model->gate_config);
	}
}

void
gates_free(struct gates *gates)
{
	struct model_gate *model, *next_model;
	struct limit_bucket *bucket, *next_bucket;

	if (!gates)
		return;
	HASH_ITER (hh, gates->models, model, next_model) {
		HASH_DEL(gates->models, model);
		free(model);
	}
	HASH_ITER (hh, gates->buckets, bucket, next_bucket) {
		HASH_DEL(gates->buckets, bucket);
		free(bucket);
	}
	free(gates);
}

static struct limit_bucket *
bucket_of(struct gates *gates, const char *model)
{
	const char *name = models_bucket(model);
	struct limit_bucket *bucket;

	HASH_FIND_STR(gates->buckets, name, bucket);
	if (bucket)
		return bucket;
	bucket = must_alloc(sizeof(*bucket));
	*bucket = (struct limit_bucket){ 0 };
	snprintf(bucket->name, sizeof(bucket->name), "%s", name);
	ratelimit_init(&bucket->limit);
	HASH_ADD_STR(gates->buckets, name, bucket);
	return bucket;
}

/* A name nobody uses any more, whose weather is not worth remembering; rather
 * one that did not turn out to be no model. */
static void
forget_an_idle_model(struct gates *gates, double now)
{
	struct model_gate *model, *next, *idle = NULL;

	HASH_ITER (hh, gates->models, model, next) {
		if (model->passes > 0 ||
		    gate_weather_of(&model->gate, &model->gate_config, now) != GATE_OPEN)
			continue;
		idle = model;
		if (now >= model->unusable_until)
			break;
	}
	if (!idle)
		return;
	HASH_DEL(gates->models, idle);
	free(idle);
}

struct model_gate *
gates_find(struct gates *gates, const char *name)
{
	char kept[NAME_LEN];
	struct model_gate *model;

	name = clip(name, kept);
	HASH_FIND_STR(gates->models, name, model);
	return model;
}

struct model_gate *
gates_model(struct gates *gates, const char *name, double now)
{
	struct model_gate *model = gates_find(gates, name);

	if (model)
		return model;
	if (HASH_COUNT(gates->models) >= MAX_MODELS)
		forget_an_idle_model(gates, now);
	model = must_alloc(sizeof(*model));
	*model = (struct model_gate){ 0 };
	(void)clip(name, model->name);
	expect_init(&model->expect);
	pace_init(&model->pace);
	configure_model(gates, model, now);
	gate_init(&model->gate, &model->gate_config);
	model->bucket = bucket_of(gates, model->name);
	HASH_ADD_STR(gates->models, name, model);
	return model;
}

void
gates_take(struct gates *gates, const char *name, double cost_input, double cost_output, double now,
	   struct pass *pass)
{
	struct model_gate *model = gates_model(gates, name, now);
	double in = expect_input(&model->expect, cost_input);
	double out = expect_output(&model->expect, cost_output);

	*pass = (struct pass){ .model = model,
			       .taken_at = now,
			       .estimated = cost_input,
			       .cost_input = in,
			       .cost_output = out,
			       .open = true };
	model->passes++;
	gate_sent(&model->gate, &model->gate_config, now, &pass->ticket);
	gate_sent(&gates->host, &gates->host_config, now, &pass->host_ticket);
	ratelimit_sent(&model->bucket->limit, now, in, out, &pass->charge);
	pass->unheard = !model->bucket->heard;
	model->bucket->unheard += pass->unheard;
	pace_sent(&model->pace, now, in, out);
	pace_sent(&gates->pace, now, in, out);
}

/* Its answer has come, or is not to be waited for. */
static void
hear(struct pass *pass)
{
	pass->model->bucket->unheard -= pass->unheard;
	pass->unheard = false;
}

void
gates_left(struct gates *gates, struct pass *pass, double now)
{
	pass->left = true;
	pace_left(&pass->model->pace, now);
	pace_left(&gates->pace, now);
	gate_left(&pass->ticket, now);
	gate_left(&pass->host_ticket, now);
}

/* The weather at a gate may have changed: say so, once. */
static void
note_gate(const struct gate *gate, const struct gate_config *config, const char *name,
	  const char *model, const char *trouble, double now, enum gate_weather *last)
{
	enum gate_weather weather = gate_weather_of(gate, config, now);
	char words[GATE_DESCRIPTION_LEN];
	bool storm = weather == GATE_DARK, was_storm = *last == GATE_DARK;

	if (weather == *last)
		return;
	metrics.gate_weather_changes_total++;
	gate_describe(gate, config, now, words, sizeof(words));
	/* A limit and chance come and go with every few answers. */
	log_with(storm	     ? LOG_LEVEL_WARN
		 : was_storm ? LOG_LEVEL_INFO
			     : LOG_LEVEL_DEBUG,
		 LOG_FIELDS(.model = model, .message_id = storm	      ? LOG_MESSAGE_STORM_BEGINS
							  : was_storm ? LOG_MESSAGE_STORM_ENDS
								      : NULL),
		 "gate of %s: %s%s%s", name, words, storm && trouble[0] ? ": " : "",
		 storm ? trouble : "");
	*last = weather;
}

static void
note_weather(struct gates *gates, struct model_gate *model, double now)
{
	/* The host has learned of the same request. */
	model->dirty = gates->host_dirty = gates->dirty = true;
	note_gate(&model->gate, &model->gate_config, model->name, model->name, "", now,
		  &model->weather);
	note_gate(&gates->host, &gates->host_config, "the API's host", NULL, gates->host_trouble,
		  now, &gates->host_weather);
}

/* A request has: what was held against the model is over. */
static void
got_through(struct model_gate *model)
{
	model->unusable_until = 0.0;
	model->faulted_job = 0;
	model->many_faulted = false;
}

void
gates_accepted(struct gates *gates, struct pass *pass, double now)
{
	gate_accepted(&pass->model->gate, &pass->model->gate_config, now, &pass->ticket);
	got_through(pass->model);
	gate_accepted(&gates->host, &gates->host_config, now, &pass->host_ticket);
	note_weather(gates, pass->model, now);
}

bool
gates_share_fault(struct gates *gates, const char *name, uint64_t job)
{
	struct model_gate *model = gates_find(gates, name);

	if (!model)
		return false;
	if (model->faulted_job == 0)
		model->faulted_job = job;
	model->many_faulted |= model->faulted_job != job;
	return model->many_faulted;
}

void
gates_forget_fault(struct gates *gates, const char *name, uint64_t job)
{
	struct model_gate *model = gates_find(gates, name);

	if (model && model->faulted_job == job && !model->many_faulted)
		model->faulted_job = 0;
}

void
gates_quiet(struct gates *gates, struct pass *pass, double now)
{
	gate_quiet(&pass->model->gate, &pass->model->gate_config, now, &pass->ticket);
	gate_quiet(&gates->host, &gates->host_config, now, &pass->host_ticket);
	hear(pass);
	note_weather(gates, pass->model, now);
}

void
gates_stalled(struct gates *gates, struct pass *pass, double now)
{
	gate_stalled(&pass->model->gate, &pass->model->gate_config, now, &pass->ticket,
		     clock_random());
	snprintf(gates->host_trouble, sizeof(gates->host_trouble), "requests get no answer");
	gate_stalled(&gates->host, &gates->host_config, now, &pass->host_ticket, clock_random());
	hear(pass); /* it need not have been quiet before */
	note_weather(gates, pass->model, now);
}

double
gates_quiet_after(const struct gates *gates, const struct pass *pass)
{
	(void)gates;
	return gate_quiet_after(&pass->model->gate, &pass->model->gate_config);
}

double
gates_stalled_after(const struct gates *gates, const struct pass *pass)
{
	(void)gates;
	return gate_stalled_after(&pass->model->gate, &pass->model->gate_config);
}

void
gates_headers(struct gates *gates, struct pass *pass,
	      const struct answer_ratelimit limits[static ANSWER_LIMIT_COUNT], double now)
{
	static const enum bucket_kind kinds[] = {
		[ANSWER_REQUESTS] = BUCKET_REQUESTS,
		[ANSWER_INPUT_TOKENS] = BUCKET_INPUT,
		[ANSWER_OUTPUT_TOKENS] = BUCKET_OUTPUT,
	};

	/* Whatever it says, the host lives. */
	gate_accepted(&gates->host, &gates->host_config, now, &pass->host_ticket);
	hear(pass);
	pass->model->bucket->heard = true;
	for (size_t i = 0; i < ANSWER_LIMIT_COUNT; i++)
		ratelimit_headers(&pass->model->bucket->limit, now, &pass->charge, kinds[i],
				  (double)limits[i].limit, (double)limits[i].remaining);
}

static void
close_pass(struct gates *gates, struct pass *pass, double now)
{
	hear(pass);
	pass->model->passes--;
	note_weather(gates, pass->model, now);
	pass->open = false;
}

void
gates_unsent(struct gates *gates, struct pass *pass, double now)
{
	gate_unsent(&pass->model->gate, &pass->ticket);
	gate_unsent(&gates->host, &pass->host_ticket);
	ratelimit_unsent(&pass->model->bucket->limit, now, &pass->charge);
	pace_unsent(&pass->model->pace, now, pass->taken_at, pass->cost_input, pass->cost_output);
	pace_unsent(&gates->pace, now, pass->taken_at, pass->cost_input, pass->cost_output);
	close_pass(gates, pass, now);
}

/* What it has really cost; nobody counted what broke off, and what was refused
 * cost nothing but the request. */
static void
settle(struct gates *gates, struct pass *pass, double input, double output, double now)
{
	double in = pass->cost_input, out = pass->cost_output;

	if (pass->left) {
		ratelimit_settled(&pass->model->bucket->limit, now, &pass->charge, input, output);
	} else {
		ratelimit_unsent(&pass->model->bucket->limit, now, &pass->charge);
		pace_left(&pass->model->pace, now);
		pace_left(&gates->pace, now);
	}
	pace_settled(&pass->model->pace, now, in, out, input, output);
	pace_settled(&gates->pace, now, in, out, input, output);
}

void
gates_forgotten(struct gates *gates, struct pass *pass, double now)
{
	bool carried = pass->ticket.accepted;

	gate_ended(&pass->model->gate, &pass->ticket, carried);
	gate_ended(&gates->host, &pass->host_ticket, pass->host_ticket.accepted);
	settle(gates, pass, pass->cost_input, carried ? pass->cost_output : 0, now);
	close_pass(gates, pass, now);
}

/* The model's gate learns from the answer. */
static void
tell_model(struct model_gate *model, struct pass *pass, const struct answer *answer, double now)
{
	struct gate *gate = &model->gate;
	double random = clock_random(), after = answer->retry_after_s;

	switch (answer->effect) {
	case API_EFFECT_CAPACITY:
		gate_refused(gate, &model->gate_config, now, &pass->ticket, random, true);
		if (after > 0)
			gate_asked_to_wait(gate, now, after, random);
		break;
	case API_EFFECT_LIMIT:
		after = after >= 0 ? after : LIMIT_FALLBACK;
		gate_limited(gate, &model->gate_config, now, &pass->ticket, after, random);
		break;
	case API_EFFECT_FAULT:
		gate_refused(gate, &model->gate_config, now, &pass->ticket, random, false);
		break;
	case API_EFFECT_ACCEPT:
		gate_accepted(gate, &model->gate_config, now, &pass->ticket);
		got_through(model);
		break;
	case API_EFFECT_MODEL:
		gate_accepted(gate, &model->gate_config, now, &pass->ticket);
		model->unusable_until = now + UNUSABLE_S;
		model->unusable_why = answer->row->name;
		break;
	case API_EFFECT_KEY:
	case API_EFFECT_NONE:
		break; /* says nothing about the model */
	}
}

/*
 * Our own rate: the limit is that of all models of the bucket. The gate of the
 * one that was told starts small again; when the rise was too steep, so do the
 * others'.
 */
static void
tell_bucket(struct gates *gates, struct pass *pass, const struct answer *answer, double now)
{
	struct limit_bucket *bucket = pass->model->bucket;
	double after = answer->retry_after_s >= 0 ? answer->retry_after_s : LIMIT_FALLBACK;
	bool ramp = strcmp(answer->code, "ramp_limit_exceeded") == 0;
	struct model_gate *model, *next;

	ratelimit_limited(&bucket->limit, now, &pass->charge, after, ramp, clock_random());
	HASH_ITER (hh, gates->models, model, next)
		if (ramp && model->bucket == bucket)
			model->gate.window =
			    fmin(model->gate.window, model->gate_config.window_start);
}

/* The host's gate: whatever has a status lives; only a broken way counts. */
static void
tell_host(struct gates *gates, struct pass *pass, const struct answer *answer, double now)
{
	if (answer->status == 0) {
		snprintf(gates->host_trouble, sizeof(gates->host_trouble), "%s",
			 answer->message[0] ? answer->message : answer->row->name);
		gate_refused(&gates->host, &gates->host_config, now, &pass->host_ticket,
			     clock_random(), false);
		return;
	}
	gate_accepted(&gates->host, &gates->host_config, now, &pass->host_ticket);
}

/* " until 2026-12-01 00:00 UTC", nothing if nobody said. */
static void
put_date(double in, char *ret, size_t size)
{
	time_t at = isinf(in) ? 0 : (time_t)(clock_wall_ms() / 1000) + (time_t)in;
	struct tm tm;

	ret[0] = '\0';
	if (at > 0 && gmtime_r(&at, &tm))
		strftime(ret, size, " until %Y-%m-%d %H:%M UTC", &tm);
}

static void
close_key(struct gates *gates, const struct answer *answer, double resume_in, double now)
{
	bool billing = answer->class == API_BILLING;
	char until[48];

	if (gate_weather_of(&gates->key, &gates->host_config, now) == GATE_HELD)
		return;
	gate_close(&gates->key, now + resume_in, billing ? GATE_WHY_BILLING : GATE_WHY_KEY);
	snprintf(gates->key_reason, sizeof(gates->key_reason), "%s",
		 answer->message[0] ? answer->message : answer->row->name);
	gates->key_dirty = gates->dirty = true;
	put_date(resume_in, until, sizeof(until));
	log_with(
	    LOG_LEVEL_ERROR,
	    LOG_FIELDS(.request_id = answer->request_id[0] ? answer->request_id : NULL,
		       .message_id = billing ? LOG_MESSAGE_BILLING_PAUSE : LOG_MESSAGE_KEY_REFUSED),
	    "the key's gate is closed%s: %s (%s); jobs wait until then, for `forebay release key` "
	    "or for a new key",
	    until, answer->row->name, gates->key_reason);
}

void
gates_ended(struct gates *gates, struct pass *pass, const struct answer *answer,
	    double input_tokens, double output_tokens, double resume_in, double now)
{
	struct model_gate *model = pass->model;
	bool carried = pass->ticket.accepted;

	if (answer) {
		/* An answer after the first bytes: the model had accepted it; one
		 * without a connection says nothing about it. */
		if (!carried && pass->left)
			tell_model(model, pass, answer, now);
		if (!pass->host_ticket.accepted)
			tell_host(gates, pass, answer, now);
		if (answer->effect == API_EFFECT_LIMIT)
			tell_bucket(gates, pass, answer, now);
		if (answer->effect == API_EFFECT_KEY)
			close_key(gates, answer, resume_in, now);
		if (carried || answer->effect == API_EFFECT_FAULT)
			input_tokens = fmax(input_tokens, pass->cost_input);
		if (carried)
			output_tokens = fmax(output_tokens, pass->cost_output);
	} else {
		expect_learn(&model->expect, pass->estimated, input_tokens, output_tokens);
	}
	if (pass->left)
		gate_ended(&model->gate, &pass->ticket, pass->ticket.accepted);
	else
		gate_unsent(&model->gate, &pass->ticket);
	gate_ended(&gates->host, &pass->host_ticket, pass->host_ticket.accepted);
	settle(gates, pass, input_tokens, output_tokens, now);
	close_pass(gates, pass, now);
}
