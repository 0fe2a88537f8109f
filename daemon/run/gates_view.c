/*
 * gates_view.c - the gates by hand, in words, and over a restart.
 */
#include "daemon/base/log.h"
#include "daemon/run/gates_internal.h"
#include "daemon/run/gates_keep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Names under which the two that are no model's are kept on disk. */
#define HOST_NAME "host"
#define KEY_NAME  "key"

static bool
is_target(const char *target, const char *name)
{
	return strcmp(target, "all") == 0 || strcmp(target, name) == 0;
}

/* As a model's gate keeps its name: cut. */
static bool
is_model_target(const char *target, const struct model_gate *model)
{
	return strcmp(target, "all") == 0 ||
	       strncmp(target, model->name, sizeof(model->name) - 1) == 0;
}

static void
set_reason(char *ret, size_t len, const char *reason)
{
	snprintf(ret, len, "%s", reason ? reason : "");
}

enum forebay_err
gates_hold(struct gates *gates, const char *target, double until, const char *reason)
{
	struct model_gate *model;

	if (strcmp(target, "batches") == 0)
		return FOREBAY_ERR_NOT_FOUND;
	gates->dirty = true;
	/* "all" closes the one gate everybody passes: models yet unknown too. */
	if (strcmp(target, HOST_NAME) == 0) {
		gate_hold(&gates->host, until);
		set_reason(gates->host_reason, sizeof(gates->host_reason), reason);
		gates->host_dirty = true;
	} else if (is_target(target, KEY_NAME)) {
		gate_hold(&gates->key, until);
		set_reason(gates->key_reason, sizeof(gates->key_reason), reason);
		gates->key_dirty = true;
	} else {
		model = gates_model(gates, target, 0.0);
		gate_hold(&model->gate, until);
		set_reason(model->reason, sizeof(model->reason), reason);
		model->dirty = true;
	}
	return FOREBAY_ERR_OK;
}

enum forebay_err
gates_release(struct gates *gates, const char *target)
{
	struct model_gate *model, *next;
	bool found = false;

	if (is_target(target, HOST_NAME)) {
		gate_release(&gates->host);
		gates->host_reason[0] = '\0';
		gates->host_dirty = found = true;
	}
	if (strcmp(target, KEY_NAME) == 0 && gates->key_missing)
		return FOREBAY_ERR_NOT_ALLOWED;
	if (is_target(target, KEY_NAME) && !gates->key_missing) {
		gate_release(&gates->key);
		gates->key_reason[0] = '\0';
		gates->key_dirty = found = true;
	}
	HASH_ITER (hh, gates->models, model, next)
		if (is_model_target(target, model)) {
			gate_release(&model->gate);
			model->reason[0] = '\0';
			model->dirty = found = true;
		}
	gates->dirty |= found;
	return found ? FOREBAY_ERR_OK : FOREBAY_ERR_NOT_FOUND;
}

void
gates_key_missing(struct gates *gates, const char *why)
{
	gates->key_missing = why != NULL;
	if (why)
		gate_close(&gates->key, INFINITY, GATE_WHY_KEY);
	else if (gates->key.closed_why != GATE_WHY_KEY)
		return; /* by hand, or a billing pause: no key of ours ends that */
	else
		gate_release(&gates->key);
	set_reason(gates->key_reason, sizeof(gates->key_reason), why);
	gates->key_dirty = gates->dirty = true;
}

static void
fill_row(struct gates_row *ret, const struct gate *gate, const struct gate_config *config,
	 double now)
{
	ret->gate = gate;
	gate_look(gate, config, now, &ret->view);
	gate_describe(gate, config, now, ret->words, sizeof(ret->words));
}

bool
gates_row(struct gates *gates, size_t i, double now, struct gates_row *ret)
{
	struct model_gate *model = gates->models;

	if (i == 0) {
		ret->name = KEY_NAME;
		ret->kind = "key";
		ret->reason = gates->key_reason;
		fill_row(ret, &gates->key, &gates->host_config, now);
		return true;
	}
	if (i == 1) {
		ret->name = HOST_NAME;
		ret->kind = "host";
		ret->reason = gates->host_reason;
		fill_row(ret, &gates->host, &gates->host_config, now);
		return true;
	}
	for (i -= 2; model && i > 0; i--)
		model = model->hh.next;
	if (!model)
		return false;
	ret->name = model->name;
	ret->kind = "model";
	ret->reason = model->reason;
	fill_row(ret, &model->gate, &model->gate_config, now);
	return true;
}

const char *
gates_words(struct gates *gates, const char *name, double now, char *buf, size_t len)
{
	struct model_gate *model = gates_model(gates, name, now);
	char words[GATE_DESCRIPTION_LEN];
	const struct {
		const char *name, *reason;
		const struct gate *gate;
		const struct gate_config *config;
	} all[] = {
		{ "the key", gates->key_reason, &gates->key, &gates->host_config },
		{ "the API's host", gates->host_reason, &gates->host, &gates->host_config },
		{ model->name, model->reason, &model->gate, &model->gate_config },
	};

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		enum gate_weather weather = gate_weather_of(all[i].gate, all[i].config, now);
		bool reasoned = weather == GATE_HELD && all[i].reason[0];

		if (weather == GATE_OPEN)
			continue;
		gate_describe(all[i].gate, all[i].config, now, words, sizeof(words));
		snprintf(buf, len, "%s %s%s%s", all[i].name, words, reasoned ? ": " : "",
			 reasoned ? all[i].reason : "");
		break;
	}
	return buf;
}

/* Where what is saved goes, and when that is. */
struct keeper {
	double now, wall_offset;
	gates_save_fn *fn;
	void *arg;
};

/* The gate's own line, and on the next one why it was closed. */
static void
save_one(const struct keeper *keeper, const char *name, const struct gate *gate, const char *reason)
{
	char text[GATE_SAVE_LEN + sizeof(((struct gates *)0)->key_reason) + 1];
	int len = gate_save(gate, keeper->now, keeper->wall_offset, text, GATE_SAVE_LEN);

	if (len <= 0 || len >= GATE_SAVE_LEN)
		return;
	snprintf(text + len, sizeof(text) - (size_t)len, "\n%s", reason);
	keeper->fn(name, text, keeper->arg);
}

static void
save_host(const struct keeper *keeper, const struct gates *gates, const struct gate *gate)
{
	save_one(keeper, HOST_NAME, gate, gates->host_reason);
}

static void
save_model(const struct keeper *keeper, const struct model_gate *model, const struct gate *gate)
{
	/* A client may call a model so; on disk the name is taken. */
	if (strcmp(model->name, HOST_NAME) != 0 && strcmp(model->name, KEY_NAME) != 0)
		save_one(keeper, model->name, gate, model->reason);
}

/* A gate as it is to be read after a kill. */
static struct gate
foreseen(const struct gate *gate, const struct gate_config *config, double now)
{
	struct gate after = *gate;

	(void)gate_foresee(&after, config, now);
	return after;
}

void
gates_save(struct gates *gates, double now, double wall_offset, gates_save_fn *fn, void *arg)
{
	const struct keeper keeper = { now, wall_offset, fn, arg };
	struct model_gate *model, *next;
	struct gate gate;

	if (!gates->dirty)
		return;
	gates->dirty = false;
	if (gates->host_dirty) {
		gate = foreseen(&gates->host, &gates->host_config, now);
		save_host(&keeper, gates, &gate);
	}
	if (gates->key_dirty)
		save_one(&keeper, KEY_NAME, &gates->key, gates->key_reason);
	gates->host_dirty = gates->key_dirty = false;
	HASH_ITER (hh, gates->models, model, next) {
		if (model->dirty) {
			gate = foreseen(&model->gate, &model->gate_config, now);
			save_model(&keeper, model, &gate);
		}
		model->dirty = false;
	}
}

/* In such weather a kill must not make us forget what was refused. */
static bool
is_worth_a_write(const struct gate *gate, const struct gate_config *config, double now)
{
	enum gate_weather weather = gate_weather_of(gate, config, now);

	return gate->accepted_at <= 0 || weather == GATE_DARK || weather == GATE_HELD;
}

void
gates_save_before_probe(struct gates *gates, const char *name, double now, double wall_offset,
			gates_save_fn *fn, void *arg)
{
	const struct keeper keeper = { now, wall_offset, fn, arg };
	struct model_gate *model = gates_model(gates, name, now);
	struct gate gate;

	if (gates->key_dirty)
		save_one(&keeper, KEY_NAME, &gates->key, gates->key_reason);
	gates->key_dirty = false;
	if (is_worth_a_write(&gates->host, &gates->host_config, now)) {
		gate = foreseen(&gates->host, &gates->host_config, now);
		save_host(&keeper, gates, &gate);
	}
	if (is_worth_a_write(&model->gate, &model->gate_config, now)) {
		gate = foreseen(&model->gate, &model->gate_config, now);
		save_model(&keeper, model, &gate);
	}
}

/* What save_one() wrote, back into its place. */
static void
load_one(struct gate *gate, const struct gate_config *config, char *reason, size_t reason_len,
	 const char *text, double now, double wall_offset)
{
	size_t len = strcspn(text, "\n");

	(void)gate_load(gate, config, now, wall_offset, text, len);
	gate_restart(gate, config);
	if (text[len] && gate_weather_of(gate, config, now) == GATE_HELD)
		snprintf(reason, reason_len, "%s", text + len + 1);
}

void
gates_load(struct gates *gates, const char *name, const char *text, double now, double wall_offset)
{
	if (strcmp(name, HOST_NAME) == 0) {
		load_one(&gates->host, &gates->host_config, gates->host_reason,
			 sizeof(gates->host_reason), text, now, wall_offset);
	} else if (strcmp(name, KEY_NAME) == 0) {
		load_one(&gates->key, &gates->host_config, gates->key_reason,
			 sizeof(gates->key_reason), text, now, wall_offset);
	} else {
		struct model_gate *model = gates_model(gates, name, now);

		load_one(&model->gate, &model->gate_config, model->reason, sizeof(model->reason),
			 text, now, wall_offset);
		model->weather = gate_weather_of(&model->gate, &model->gate_config, now);
	}
}
