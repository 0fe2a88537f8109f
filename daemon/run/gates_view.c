/*
 * gates_view.c - the gates by hand, in words, and over a restart.
 */
#include "daemon/base/log.h"
#include "daemon/claude/models.h"
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

/* The other name of the same model, NULL if it has none. */
static const char *
other_name(const char *name)
{
	const struct model *known = models_find(name);

	if (!known || !known->alias)
		return NULL;
	return strcmp(name, known->id) == 0 ? known->alias : known->id;
}

/* A typing error would hold nothing, in silence: the name must be in the table
 * of models, or of one that somebody has asked for. */
static bool
is_known_model(const struct gates *gates, const char *name)
{
	struct model_gate *model, *next;

	HASH_ITER (hh, gates->models, model, next)
		if (is_model_target(name, model))
			return true;
	return models_find(name) != NULL;
}

static void
hold_model(struct gates *gates, const char *name, double until, const char *reason)
{
	struct model_gate *model = gates_model(gates, name, 0.0);

	gate_hold(&model->gate, until);
	set_reason(model->reason, sizeof(model->reason), reason);
	model->dirty = true;
}

/* A hold for a while does not open what a refusal or the lack of a key has
 * closed for longer. */
static void
hold_key(struct gates *gates, double until, const char *reason)
{
	if (gates->key.closed_why != GATE_WHY_HAND && until < gates->key.closed_until)
		return;
	gate_hold(&gates->key, until);
	set_reason(gates->key_reason, sizeof(gates->key_reason), reason);
	gates->key_dirty = true;
}

enum forebay_err
gates_hold(struct gates *gates, const char *target, double until, const char *reason)
{
	const char *other;

	/* "all" closes the one gate everybody passes: models yet unknown too. */
	if (strcmp(target, HOST_NAME) == 0) {
		gate_hold(&gates->host, until);
		set_reason(gates->host_reason, sizeof(gates->host_reason), reason);
		gates->host_dirty = true;
	} else if (is_target(target, KEY_NAME)) {
		hold_key(gates, until, reason);
	} else if (is_known_model(gates, target)) {
		hold_model(gates, target, until, reason);
		other = other_name(target);
		if (other)
			hold_model(gates, other, until, reason);
	} else {
		return FOREBAY_ERR_NOT_FOUND;
	}
	gates->dirty = true;
	return FOREBAY_ERR_OK;
}

static void
release_host(struct gates *gates)
{
	gate_release(&gates->host);
	gates->host_reason[0] = '\0';
	gates->host_dirty = true;
}

/* Without a key it stays closed, for that reason alone. */
static void
release_key(struct gates *gates)
{
	if (!gates->key_missing) {
		gate_release(&gates->key);
		gates->key_reason[0] = '\0';
	} else if (gates->key.closed_why == GATE_WHY_HAND) {
		gate_close(&gates->key, INFINITY, GATE_WHY_KEY);
		set_reason(gates->key_reason, sizeof(gates->key_reason), "there is no usable key");
	}
	gates->key_dirty = true;
}

static void
release_model(struct model_gate *model)
{
	model->unusable_until = 0.0;
	ratelimit_release(&model->bucket->limit);
	gate_release(&model->gate);
	model->reason[0] = '\0';
	model->dirty = true;
}

enum forebay_err
gates_release(struct gates *gates, const char *target)
{
	const char *other = other_name(target);
	struct model_gate *model, *next;
	bool found = is_target(target, HOST_NAME) || is_target(target, KEY_NAME);

	if (is_target(target, HOST_NAME))
		release_host(gates);
	if (is_target(target, KEY_NAME))
		release_key(gates);
	HASH_ITER (hh, gates->models, model, next)
		if (is_model_target(target, model) || (other && is_model_target(other, model))) {
			release_model(model);
			found = true;
		}
	gates->dirty |= found;
	if (strcmp(target, KEY_NAME) == 0 && gates->key_missing)
		return FOREBAY_ERR_NOT_ALLOWED;
	return found ? FOREBAY_ERR_OK : FOREBAY_ERR_NOT_FOUND;
}

void
gates_key_missing(struct gates *gates, const char *why, enum gates_key key)
{
	bool by_hand = gates->key.closed_why == GATE_WHY_HAND && isinf(gates->key.closed_until);

	enum gate_why closed = (enum gate_why)gates->key.closed_why;
	bool opens = (closed == GATE_WHY_KEY && (gates->key_missing || key != GATES_KEY_SAME)) ||
		     (closed == GATE_WHY_BILLING && key == GATES_KEY_NEW);

	gates->key_missing = why != NULL;
	if (why && by_hand)
		return; /* closed anyway, and still so when there is a key again */
	if (why)
		gate_close(&gates->key, INFINITY, GATE_WHY_KEY);
	else if (!opens)
		return; /* by hand, or the same key as before */
	else
		gate_release(&gates->key);
	set_reason(gates->key_reason, sizeof(gates->key_reason), why);
	gates->key_dirty = gates->dirty = true;
}

/* A reason belongs to a hold by hand, a closed key or a dark host, and ends with it. */
static const char *
reason_now(const struct gate_view *view, const char *reason, const char *trouble)
{
	bool given = view->weather == GATE_HELD &&
		     (view->why == GATE_WHY_HAND || view->why == GATE_WHY_KEY ||
		      view->why == GATE_WHY_BILLING);

	return given ? reason : view->weather == GATE_DARK ? trouble : "";
}

static void
fill_row(struct gates_row *ret, const struct gate *gate, const struct gate_config *config,
	 const char *reason, const char *trouble, double now)
{
	ret->gate = gate;
	gate_look(gate, config, now, &ret->view);
	ret->reason = reason_now(&ret->view, reason, trouble);
	gate_describe(gate, config, now, ret->words, sizeof(ret->words));
}

/* Open, or nearly: what is said of the weather can wait for more important news. */
static bool
is_passable(const struct gate_view *view)
{
	return view->weather != GATE_DARK && view->weather != GATE_HELD;
}

bool
gates_row(struct gates *gates, size_t i, double now, struct gates_row *ret)
{
	struct model_gate *model = gates->models;

	if (i == 0) {
		ret->name = KEY_NAME;
		ret->kind = "key";
		fill_row(ret, &gates->key, &gates->host_config, gates->key_reason, "", now);
		return true;
	}
	if (i == 1) {
		ret->name = HOST_NAME;
		ret->kind = "host";
		fill_row(ret, &gates->host, &gates->host_config, gates->host_reason,
			 gates->host_trouble, now);
		return true;
	}
	for (i -= 2; model && i > 0; i--)
		model = model->hh.next;
	if (!model)
		return false;
	ret->name = model->name;
	ret->kind = "model";
	fill_row(ret, &model->gate, &model->gate_config, model->reason, "", now);
	if (is_passable(&ret->view))
		(void)gates_model_words(gates, model, now, ret->words, sizeof(ret->words));
	return true;
}

static bool
fill_next(struct gates_row *ret, const char *name, const char *kind, const struct gate *gate,
	  const struct gate_config *config, double now)
{
	ret->name = name;
	ret->kind = kind;
	ret->reason = ret->words;
	ret->words[0] = '\0';
	ret->gate = gate;
	gate_look(gate, config, now, &ret->view);
	return true;
}

bool
gates_next(struct gates *gates, double now, struct gates_row *row)
{
	struct model_gate *model = gates->models;

	if (!row->gate)
		return fill_next(row, KEY_NAME, "key", &gates->key, &gates->host_config, now);
	if (row->gate == &gates->key)
		return fill_next(row, HOST_NAME, "host", &gates->host, &gates->host_config, now);
	if (row->gate != &gates->host)
		model = ((const struct model_gate *)((const char *)row->gate -
						     offsetof(struct model_gate, gate)))
			    ->hh.next;
	return model &&
	       fill_next(row, model->name, "model", &model->gate, &model->gate_config, now);
}

/* One of the gates that a request passes, as gates_words() looks at it. */
struct passed {
	const char *name, *reason, *trouble;
	const struct gate *gate;
	const struct gate_config *config;
};

/* Of the closed ones the first, or of the others: what is said of it. */
static bool
put_first(const struct passed *all, size_t count, bool closed, double now, char *buf, size_t len)
{
	char words[GATE_DESCRIPTION_LEN];

	for (size_t i = 0; i < count; i++) {
		struct gate_view view;
		const char *reason;

		gate_look(all[i].gate, all[i].config, now, &view);
		if (view.weather == GATE_OPEN || is_passable(&view) == closed)
			continue;
		reason = reason_now(&view, all[i].reason, all[i].trouble);
		gate_describe(all[i].gate, all[i].config, now, words, sizeof(words));
		snprintf(buf, len, "%s %s%s%s", all[i].name, words, reason[0] ? ": " : "", reason);
		return true;
	}
	return false;
}

const char *
gates_words(struct gates *gates, const char *name, double now, char *buf, size_t len)
{
	struct model_gate *model = gates_model(gates, name, now);
	char words[GATE_DESCRIPTION_LEN];
	const struct passed all[] = {
		{ "the key", gates->key_reason, "", &gates->key, &gates->host_config },
		{ "the API's host", gates->host_reason, gates->host_trouble, &gates->host,
		  &gates->host_config },
		{ model->name, model->reason, "", &model->gate, &model->gate_config },
	};

	/* What keeps requests back goes before what only slows them. */
	buf[0] = '\0';
	if (put_first(all, ARRAY_LEN(all), true, now, buf, len))
		return buf;
	if (gates_model_words(gates, model, now, words, sizeof(words)))
		snprintf(buf, len, "%s %s", model->name, words);
	else
		(void)put_first(all, ARRAY_LEN(all), false, now, buf, len);
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

void
gates_wall_jumped(struct gates *gates, double by)
{
	struct model_gate *model, *next;

	if (gates->key.closed_why == GATE_WHY_BILLING && gates->key.closed_until > 0)
		gates->key.closed_until = fmax(gates->key.closed_until - by, 0.0);
	gates->dirty = gates->host_dirty = gates->key_dirty = true;
	HASH_ITER (hh, gates->models, model, next)
		model->dirty = true;
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
