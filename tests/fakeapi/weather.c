/*
 * weather.c - where in the timeline we are, what that means for a model, and the decision about a
 * request: certain faults and chance first, then the rate limit, then the capacity, then 529 by
 * chance, as in the reference simulator.
 */
#include "tests/fakeapi/weather.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakeapi/spec.h"

/* A noisy capacity forgets its past in about this many seconds. */
#define WANDER_TAU 20.0

struct weather {
	struct spec spec;
	char *text; /* owned */
	uint64_t seed;
	int phase;
	double phase_start;
	unsigned generation; /* counts changes of phase or rules */
};

/* Never 0, so that a new place is always out of date; never repeated over weathers. */
static unsigned generations;

struct weather *
weather_new(const char *text, uint64_t seed, char *why, size_t why_len)
{
	struct weather *weather = calloc(1, sizeof(*weather));

	if (!weather)
		abort();
	weather->seed = seed;
	weather->text = strdup(text);
	weather->generation = ++generations;
	if (!spec_parse(&weather->spec, text, why, why_len)) {
		weather_free(weather);
		return NULL;
	}
	return weather;
}

void
weather_free(struct weather *weather)
{
	if (!weather)
		return;
	spec_clear(&weather->spec);
	free(weather->text);
	free(weather);
}

void
weather_start(struct weather *weather, double now)
{
	weather->phase = 0;
	weather->phase_start = now;
	weather->generation = ++generations;
}

bool
weather_add(struct weather *weather, const char *text, char *why, size_t why_len)
{
	size_t before = weather->spec.rule_count;

	if (!spec_add(&weather->spec, text, why, why_len)) {
		while (weather->spec.rule_count > before)
			free(weather->spec.rules[--weather->spec.rule_count].words);
		return false;
	}
	weather->generation = ++generations;
	return true;
}

static void
weather_advance(struct weather *weather, double now)
{
	const struct spec *spec = &weather->spec;

	while (weather->phase < spec->phase_count &&
	       now >= weather->phase_start + spec->lengths[weather->phase]) {
		weather->phase_start += spec->lengths[weather->phase];
		weather->phase++;
		if (weather->phase == spec->phase_count && spec->repeat)
			weather->phase = 0;
		weather->generation = ++generations;
	}
}

static void
place_apply(struct place *place, const struct weather *weather, const char *model, int phase)
{
	char why[128];

	for (size_t i = 0; i < weather->spec.rule_count; i++) {
		const struct rule *rule = &weather->spec.rules[i];

		if (place->free && strcmp(rule->pattern, "*") == 0)
			continue;
		/* The words were tried when the text was read. */
		if (rule->phase == phase && fnmatch(rule->pattern, model, 0) == 0 &&
		    !climate_set_all(&place->climate, rule->words, strlen(rule->words), false, why,
				     sizeof(why)))
			abort();
	}
}

static void
bucket_settle(struct bucket *bucket, double limit, double size, double now)
{
	if (bucket->limit != limit || bucket->size != size) {
		bucket->limit = limit;
		bucket->size = size;
		bucket->level = size;
	} else if (limit > 0) {
		bucket->level += (now - bucket->stamp) * limit / 60.0;
		bucket->level = MIN(bucket->level, size);
	}
	bucket->stamp = now;
}

void
weather_settle(struct weather *weather, struct place *place, const char *model, double now)
{
	const struct climate *climate = &place->climate;

	weather_advance(weather, now);
	if (place->generation != weather->generation) {
		climate_init(&place->climate);
		place_apply(place, weather, model, PHASE_ALWAYS);
		place_apply(place, weather, model, weather->phase);
		place_apply(place, weather, model, PHASE_ADDED);
		place->generation = weather->generation;
	}
	bucket_settle(&place->buckets[BUCKET_REQUESTS], climate->rpm,
		      climate->burst > 0 ? climate->burst : MAX(1.0, climate->rpm / 6.0), now);
	bucket_settle(&place->buckets[BUCKET_INPUT], climate->itpm, climate->itpm, now);
	bucket_settle(&place->buckets[BUCKET_OUTPUT], climate->otpm, climate->otpm, now);
}

static double
place_wander(struct place *place, uint64_t seed, double now)
{
	double keep = exp(-1.0 / WANDER_TAU);

	if (place->wander_at == 0)
		place->wander_at = floor(now);
	for (; place->wander_at < floor(now); place->wander_at++) {
		struct dice dice = { seed * 101 + (uint64_t)place->wander_at };

		place->wander =
		    keep * place->wander + sqrt(1 - keep * keep) * 0.6 * dice_gauss(&dice);
	}
	return MAX(-1.0, MIN(1.0, place->wander));
}

double
weather_cap(const struct weather *weather, struct place *place, double now)
{
	const struct level *cap = &place->climate.cap;
	double length, share;

	switch (cap->kind) {
	case LEVEL_NONE:
		return -1;
	case LEVEL_CONST:
		return cap->from;
	case LEVEL_RAMP:
		length = weather->phase < weather->spec.phase_count
			     ? weather->spec.lengths[weather->phase]
			     : INFINITY;
		share = isinf(length) ? 1 : (now - weather->phase_start) / length;
		return floor(cap->from + (cap->to - cap->from) * share);
	case LEVEL_NOISE:
		return round((cap->from + cap->to) / 2 +
			     (cap->to - cap->from) / 2 * place_wander(place, weather->seed, now));
	}
	return -1;
}

/* One draw over all faults of a stage; 529 has a draw of its own, after rate and capacity. */
static const struct fault *
draw(const struct climate *climate, enum fault_stage stage, bool overloaded, struct dice *dice)
{
	double sum = 0, u = -1;

	for (size_t i = 0; i < fault_count; i++) {
		if (climate->share[i] <= 0 || faults[i].stage != stage || (!overloaded && i == 0))
			continue;
		if (u < 0)
			u = dice_uniform(dice);
		sum += climate->share[i];
		if (u < sum)
			return &faults[i];
	}
	return NULL;
}

/* Seconds until the rate limit allows this request; 0 for now. */
static double
place_wait(const struct place *place, double input_tokens)
{
	const double needs[BUCKET_COUNT] = { 1, input_tokens, 1 };
	double wait = 0;

	for (int i = 0; i < BUCKET_COUNT; i++) {
		const struct bucket *bucket = &place->buckets[i];
		double need = MIN(needs[i], bucket->size);

		if (bucket->limit > 0 && bucket->level < need)
			wait = MAX(wait, (need - bucket->level) * 60.0 / bucket->limit);
	}
	return wait;
}

static void
verdict_set(struct verdict *ret, const char *name, const char *cause, double retry_after)
{
	ret->fault = fault_find(name, strlen(name));
	ret->cause = cause;
	ret->retry_after = retry_after;
}

void
weather_decide_free(const struct climate *climate, struct place *own, struct dice *dice,
		    struct verdict *ret)
{
	double wait = own ? place_wait(own, 0) : 0;

	*ret = (struct verdict){ draw(climate, STAGE_REFUSE, false, dice), "chance",
				 climate->retry_after };
	if (ret->fault)
		return;
	*ret = (struct verdict){ NULL, "", -1 };
	if (!own)
		return;
	*ret = (struct verdict){ draw(&own->climate, STAGE_REFUSE, false, dice), "chance",
				 own->climate.retry_after };
	if (ret->fault)
		return;
	*ret = (struct verdict){ NULL, "", -1 };
	if (wait > 0)
		verdict_set(ret, "429", "rate", ceil(wait));
	else if (own->climate.share[0] > 0 && dice_uniform(dice) < own->climate.share[0])
		verdict_set(ret, "529", "chance", own->climate.retry_after);
	else
		own->buckets[BUCKET_REQUESTS].level -= 1;
}

void
weather_decide(const struct weather *weather, struct place *place, const struct climate *climate,
	       struct dice *dice, double now, double input_tokens, struct verdict *ret)
{
	double cap = weather_cap(weather, place, now), wait;

	ret->fault = draw(climate, STAGE_REFUSE, climate->forced, dice);
	ret->cause = climate->forced ? "marker" : "chance";
	ret->retry_after = climate->retry_after;
	if (ret->fault)
		return;
	wait = place_wait(place, input_tokens);
	if (wait > 0) {
		verdict_set(ret, "429", "rate", ceil(wait));
		return;
	}
	if (cap >= 0 && place->in_flight >= cap) {
		verdict_set(ret, "529", "cap", climate->retry_after);
		return;
	}
	if (!climate->forced && climate->share[0] > 0 && dice_uniform(dice) < climate->share[0]) {
		verdict_set(ret, "529", "chance", climate->retry_after);
		return;
	}
	place->buckets[BUCKET_REQUESTS].level -= 1;
	place->buckets[BUCKET_INPUT].level -= input_tokens;
	ret->fault = draw(climate, STAGE_SERVE, true, dice);
	if (!ret->fault)
		ret->cause = "";
}

int
weather_phase(const struct weather *weather)
{
	return weather->phase;
}

const char *
weather_text(const struct weather *weather)
{
	return weather->text;
}
