/*
 * climate.c - the words of the weather language, as a table of settings over struct climate.
 */
#include "tests/fakeapi/climate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum setting_kind { SET_SPAN, SET_NUMBER, SET_SIZE, SET_LEVEL, SET_BOOL };

struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset;
};

#define FIELD(name) offsetof(struct climate, name)

/* clang-format off */
static const struct setting settings[] = {
	{ "cap",          SET_LEVEL,  FIELD(cap) },
	{ "rpm",          SET_NUMBER, FIELD(rpm) },
	{ "itpm",         SET_NUMBER, FIELD(itpm) },
	{ "otpm",         SET_NUMBER, FIELD(otpm) },
	{ "burst",        SET_NUMBER, FIELD(burst) },
	{ "ttfb",         SET_SPAN,   FIELD(ttfb) },
	{ "gen",          SET_SPAN,   FIELD(gen) },
	{ "refuse",       SET_SPAN,   FIELD(refuse) },
	{ "drip",         SET_SPAN,   FIELD(drip) },
	{ "ping",         SET_SPAN,   FIELD(ping) },
	{ "until",        SET_SPAN,   FIELD(until) },
	{ "deltas",       SET_NUMBER, FIELD(deltas) },
	{ "size",         SET_SIZE,   FIELD(size) },
	{ "retry-after",  SET_NUMBER, FIELD(retry_after) },
	{ "should-retry", SET_BOOL,   FIELD(should_retry) },
};
/* clang-format on */

/* Words that stand for several others. */
static const struct {
	const char *word, *text;
} shorthands[] = {
	{ "calm", "" },
	{ "dark", "529=1" },
	{ "real", "refuse=250ms~0.4 ttfb=900ms~0.4 gen=12s~0.6" },
};

void
climate_init(struct climate *climate)
{
	memset(climate, 0, sizeof(*climate));
	climate->retry_after = -1;
	climate->should_retry = -1;
}

/* `clear` takes the troubles away and leaves the latencies. */
static void
climate_clear(struct climate *climate)
{
	memset(climate->share, 0, sizeof(climate->share));
	climate->cap.kind = LEVEL_NONE;
	climate->rpm = climate->itpm = climate->otpm = climate->burst = 0;
	climate->hold = false;
}

/* A number that fills the whole of text; NAN if there is something else. */
static double
number_parse(const char *text, size_t len)
{
	char copy[32], *end;
	double value;

	if (len == 0 || len >= sizeof(copy))
		return NAN;
	memcpy(copy, text, len);
	copy[len] = '\0';
	value = strtod(copy, &end);
	return *end == '\0' && isfinite(value) && value >= 0 ? value : NAN;
}

double
climate_parse_duration(const char *text, size_t len)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "", 0.001 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t unit_len = strlen(units[i].unit);
		double value;

		if (len <= unit_len || memcmp(text + len - unit_len, units[i].unit, unit_len) != 0)
			continue;
		value = number_parse(text, len - unit_len);
		if (!isnan(value))
			return value * units[i].seconds;
	}
	return -1;
}

static bool
span_parse(struct span *span, const char *text, size_t len)
{
	const char *tilde = memchr(text, '~', len);
	size_t head = tilde ? (size_t)(tilde - text) : len;

	span->median = climate_parse_duration(text, head);
	span->sigma = tilde ? number_parse(tilde + 1, len - head - 1) : 0;
	return span->median >= 0 && !isnan(span->sigma);
}

/* N, A..B (grows over the phase), A~B (wanders), or `none`. */
static bool
level_parse(struct level *level, const char *text, size_t len)
{
	const char *dots = memmem(text, len, "..", 2), *tilde = memchr(text, '~', len);
	const char *split = dots ? dots : tilde;
	size_t gap = dots ? 2 : 1;

	if (len == 4 && memcmp(text, "none", 4) == 0) {
		level->kind = LEVEL_NONE;
		return true;
	}
	level->kind = dots ? LEVEL_RAMP : tilde ? LEVEL_NOISE : LEVEL_CONST;
	level->from = number_parse(text, split ? (size_t)(split - text) : len);
	level->to = level->from;
	if (split)
		level->to = number_parse(split + gap, len - (size_t)(split - text) - gap);
	return !isnan(level->from) && !isnan(level->to);
}

/* Bytes; M and K may stand behind the number. */
static double
size_parse(const char *text, size_t len)
{
	double unit = 1;

	if (len && text[len - 1] == 'M')
		unit = 1024.0 * 1024.0;
	else if (len && text[len - 1] == 'K')
		unit = 1024.0;
	return unit * number_parse(text, len - (unit > 1));
}

static double
bool_parse(const char *text, size_t len)
{
	if (len == 4 && memcmp(text, "true", 4) == 0)
		return 1;
	if (len == 5 && memcmp(text, "false", 5) == 0)
		return 0;
	return NAN;
}

static bool
setting_parse(const struct setting *setting, struct climate *climate, const char *value, size_t len)
{
	void *field = (char *)climate + setting->offset;
	double number = 0;

	switch (setting->kind) {
	case SET_SPAN:
		return span_parse(field, value, len);
	case SET_LEVEL:
		return level_parse(field, value, len);
	case SET_NUMBER:
		number = number_parse(value, len);
		break;
	case SET_SIZE:
		number = size_parse(value, len);
		break;
	case SET_BOOL:
		number = bool_parse(value, len);
		break;
	}
	if (isnan(number))
		return false;
	*(double *)field = number;
	return true;
}

static bool
fault_set(struct climate *climate, const struct fault *fault, const char *value, size_t len,
	  bool alone)
{
	double share = value ? number_parse(value, len) : 1;

	if (isnan(share) || share > 1)
		return false;
	/* Styles do not put faults out, nor one another: thinking and tool go together. */
	if (alone && fault->stage != STAGE_STYLE) {
		if (climate->forced)
			return true;
		climate->forced = true;
		for (size_t i = 0; i < fault_count; i++)
			climate->share[i] *= faults[i].stage == STAGE_STYLE;
	}
	climate->share[fault - faults] = share;
	return true;
}

static bool
word_is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

bool
climate_set(struct climate *climate, const char *word, size_t len, bool alone, char *why,
	    size_t why_len)
{
	const char *equals = memchr(word, '=', len);
	size_t name_len = equals ? (size_t)(equals - word) : len;
	const char *value = equals ? equals + 1 : NULL;
	size_t value_len = equals ? len - name_len - 1 : 0;
	const struct fault *fault = word_is(word, name_len, "p") && value
					? fault_find("529", 3)
					: fault_find(word, name_len);
	bool ok = false, known = fault != NULL;

	if (fault)
		ok = fault_set(climate, fault, value, value_len, alone);
	for (size_t i = 0; !known && !value && i < ARRAY_LEN(shorthands); i++) {
		if (word_is(word, len, shorthands[i].word))
			return climate_set_all(climate, shorthands[i].text,
					       strlen(shorthands[i].text), alone, why, why_len);
	}
	for (size_t i = 0; !known && value && i < ARRAY_LEN(settings); i++) {
		known = word_is(word, name_len, settings[i].name);
		if (known)
			ok = setting_parse(&settings[i], climate, value, value_len);
	}
	if (!known && !value && (word_is(word, len, "hold") || word_is(word, len, "clear"))) {
		known = ok = true;
		if (*word == 'h')
			climate->hold = true;
		else
			climate_clear(climate);
	}
	if (!ok)
		snprintf(why, why_len, known ? "bad value in '%.*s'" : "unknown word '%.*s'",
			 (int)MIN(len, 60), word);
	return ok;
}

bool
climate_set_all(struct climate *climate, const char *text, size_t len, bool alone, char *why,
		size_t why_len)
{
	size_t at = 0;

	while (at < len) {
		size_t start;

		while (at < len && strchr(" \t\r\n,", text[at]))
			at++;
		start = at;
		while (at < len && !strchr(" \t\r\n,", text[at]))
			at++;
		if (at > start &&
		    !climate_set(climate, text + start, at - start, alone, why, why_len))
			return false;
	}
	return true;
}

/* splitmix64: any state is a good state. */
static uint64_t
dice_next(struct dice *dice)
{
	uint64_t z = (dice->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

double
dice_uniform(struct dice *dice)
{
	return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

double
dice_gauss(struct dice *dice)
{
	double u = 1 - dice_uniform(dice), v = dice_uniform(dice);

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

double
dice_span(struct dice *dice, const struct span *span)
{
	if (span->median <= 0)
		return 0;
	return span->sigma > 0 ? span->median * exp(span->sigma * dice_gauss(dice)) : span->median;
}
