/*
 * record.c - a gate as one line of text, and back. What is read comes from our
 * own state directory, but perhaps from another version or a torn write: each
 * value must lie in its range, or keeps its fresh default.
 */
#include "daemon/gate/weather.h"

#include "protocol/base.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_kind { FIELD_NUMBER, FIELD_COUNT, FIELD_PAST, FIELD_FUTURE };

/* PAST and FUTURE are times: wall clock in the record; for them max is how far
 * ahead of now they may lie. */
static const struct field {
	const char *key;
	size_t offset;
	enum field_kind kind;
	double min, max;
	bool is_hold; /* outlives GATE_FORGET_S */
} fields[] = {
#define FIELD(member, kind, min, max, hold)                                                        \
	{                                                                                          \
#member, offsetof(struct gate, member), FIELD_##kind, min, max, hold               \
	}
	FIELD(window, NUMBER, 2, 1e6, false),
	FIELD(level, NUMBER, 1, 1e6, false),
	FIELD(refused_in_place, NUMBER, 0, 1, false),
	FIELD(refused_again, NUMBER, 0, 1, false),
	FIELD(usual_run, NUMBER, 0, 1e6, false),
	FIELD(refused_share, NUMBER, 0, 1, false),
	FIELD(run, COUNT, 0, 1e9, false),
	FIELD(run_since, PAST, 0, 0, false),
	FIELD(run_window, NUMBER, 2, 1e6, false),
	FIELD(run_level, NUMBER, 1, 1e6, false),
	FIELD(next_at, FUTURE, 0, 10, false),
	FIELD(grow_at, FUTURE, 0, 40, false),
	FIELD(level_since, PAST, 0, 0, false),
	FIELD(answered_at, PAST, 0, 0, false),
	FIELD(first_byte_s, NUMBER, 0, 3600, false),
	FIELD(refusal_s, NUMBER, 0, 3600, false),
	FIELD(hold_until, FUTURE, 0, 2 * 86400.0, true),
	FIELD(hold_why, COUNT, 0, GATE_WHY_COUNT - 1, true),
	FIELD(closed_until, FUTURE, 0, INFINITY, true),
	FIELD(closed_why, COUNT, 0, GATE_WHY_COUNT - 1, true),
#undef FIELD
};

static bool
is_time(const struct field *field)
{
	return field->kind == FIELD_PAST || field->kind == FIELD_FUTURE;
}

static double
value_of(const struct gate *gate, const struct field *field)
{
	const char *at = (const char *)gate + field->offset;

	return field->kind == FIELD_COUNT ? *(const int *)at : *(const double *)at;
}

int
gate_save(const struct gate *gate, double now, double wall_offset, char *buf, size_t len)
{
	int used = snprintf(buf, len, "saved=%.6f", now + wall_offset);

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *field = &fields[i];
		double value = value_of(gate, field);
		size_t at = MIN((size_t)used, len);

		if (is_time(field)) /* 0: never */
			used += snprintf(buf + at, len - at, " %s=%.6f", field->key,
					 value == 0.0 ? 0.0 : value + wall_offset);
		else
			used += snprintf(buf + at, len - at, " %s=%.9g", field->key, value);
	}
	return used;
}

bool
gate_foresee(struct gate *gate, const struct gate_config *config, double now)
{
	int unanswered = gate->unanswered + gate->quiet;
	struct gate refused = *gate;
	struct gate_ticket ticket;

	if (unanswered == 0 || (gate->accepted_at > 0 && !gate_is_dark(gate, config)))
		return false;
	/* The law is gate_refused()'s: ask it about one more, the longest pause it
	 * gives, and take over what concerns the run; the rest is no evidence. */
	gate_sent(&refused, config, now, &ticket);
	ticket.growth = false;
	if (gate->run == 0) {
		refused.run_since = now;
		refused.run_window = gate->window;
		refused.run_level = gate->level;
	}
	refused.run += unanswered - 1;
	gate_refused(&refused, config, now, &ticket, 1.0, false);
	gate->run = refused.run;
	gate->run_since = refused.run_since;
	gate->run_window = refused.run_window;
	gate->run_level = refused.run_level;
	gate->next_at = fmax(gate->next_at, refused.next_at);
	return true;
}

/* The value of key in text, a string; NAN when it is missing or no number. */
static double
number_of(const char *text, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *at = text; *at; at += strcspn(at, " \n")) {
		char *end;
		double value;

		at += strspn(at, " \n");
		if (strncmp(at, key, key_len) != 0 || at[key_len] != '=')
			continue;
		value = strtod(at + key_len + 1, &end);
		if (end == at + key_len + 1 || (*end && !strchr(" \n", *end)))
			return NAN;
		return value;
	}
	return NAN;
}

static void
load_field(struct gate *gate, const struct field *field, double now, double wall_offset,
	   double value)
{
	char *at = (char *)gate + field->offset;

	if (is_time(field) && value != 0.0) {
		value -= wall_offset;
		if (field->kind == FIELD_FUTURE && value > now + field->max)
			value = now + field->max;
		else if (field->kind == FIELD_PAST && value > now)
			value = now;
	} else if (!is_time(field) && !(value >= field->min && value <= field->max)) {
		return;
	}
	if (isnan(value))
		return;
	if (field->kind == FIELD_COUNT)
		*(int *)at = (int)value;
	else
		*(double *)at = value;
}

/*
 * A record of the future: since it was written, just now, the clock has been set
 * back. Spans then go on from now; only the date of a billing pause is a date.
 */
static double
offset_of(const struct field *field, const char *text, double wall_offset, double age)
{
	bool is_date = field->offset == offsetof(struct gate, closed_until) &&
		       number_of(text, "closed_why") == GATE_WHY_BILLING;

	return age < 0 && !is_date ? wall_offset - age : wall_offset;
}

bool
gate_load(struct gate *gate, const struct gate_config *config, double now, double wall_offset,
	  const char *text, size_t len)
{
	char copy[2 * GATE_SAVE_LEN];
	size_t copy_len = MIN(len, sizeof(copy) - 1);
	double age;
	bool fresh;

	if (copy_len > 0)
		memcpy(copy, text, copy_len);
	copy[copy_len] = '\0';
	gate_init(gate, config);
	age = now + wall_offset - number_of(copy, "saved");
	if (isnan(age))
		return false;
	fresh = age <= GATE_FORGET_S;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fresh || fields[i].is_hold)
			load_field(gate, &fields[i], now,
				   offset_of(&fields[i], copy, wall_offset, age),
				   number_of(copy, fields[i].key));
	gate_fit(gate, config);
	gate_restart(gate, config);
	return fresh;
}
