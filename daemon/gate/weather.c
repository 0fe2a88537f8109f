/*
 * weather.c - what a gate looks like from outside: the weather, in words, and
 * the holds that are not the gate's own idea.
 */
#include "daemon/gate/weather.h"

#include "protocol/base.h"

#include <math.h>
#include <stdio.h>

/* Below this a refusal now and then is no weather. */
#define CHANCE_MIN    0.1
/* The statistic of limit and chance wavers; in a limit it is near 1. */
#define LIMIT_MIN     0.5
/* Older answers say nothing about now. */
#define SHARE_FRESH_S 60.0

static const struct weather_row {
	const char *name;
	const char *text;
} weathers[] = {
#define X(name, word, text) [GATE_##name] = { word, text },
	GATE_WEATHERS(X)
#undef X
};

static const char *const whys[] = {
#define X(name, text) [GATE_WHY_##name] = text,
	GATE_WHYS(X)
#undef X
};

static double
share_now(const struct gate *gate, double now)
{
	return now - gate->answered_at < SHARE_FRESH_S ? gate->refused_share : 0.0;
}

/* Within a sixteenth of the slots nobody notices a limit, and single refusals
 * move the level by one: no weather. */
static bool
is_limited(const struct gate *gate, const struct gate_config *config, double now)
{
	if ((int)gate->level >= config->slots - config->slots / 16)
		return false;
	return gate_limit_share(gate, config) > LIMIT_MIN || share_now(gate, now) <= CHANCE_MIN;
}

enum gate_weather
gate_weather_of(const struct gate *gate, const struct gate_config *config, double now)
{
	if (now < gate->hold_until || now < gate->closed_until)
		return GATE_HELD;
	if (gate_is_dark(gate, config))
		return GATE_DARK;
	if (is_limited(gate, config, now))
		return GATE_LIMITED;
	return share_now(gate, now) > CHANCE_MIN ? GATE_CHANCE : GATE_OPEN;
}

void
gate_look(const struct gate *gate, const struct gate_config *config, double now,
	  struct gate_view *ret)
{
	*ret = (struct gate_view){
		.weather = gate_weather_of(gate, config, now),
		.level = (int)gate->level,
		.slots = config->slots,
		.in_flight = gate->in_flight,
		.refused_share = share_now(gate, now),
	};
	if (ret->weather == GATE_HELD) {
		bool closed = gate->closed_until >= gate->hold_until;

		ret->why = (enum gate_why)(closed ? gate->closed_why : gate->hold_why);
		ret->held_s = fmax(gate->closed_until, gate->hold_until) - now;
	}
	if (gate_is_dark(gate, config)) {
		ret->dark_s = fmax(0.0, now - gate->run_since);
		ret->next_try_s = fmax(0.0, gate->next_at - now);
	}
}

const char *
gate_weather_name(int weather)
{
	return weather >= 0 && weather < GATE_WEATHER_COUNT ? weathers[weather].name : "unknown";
}

const char *
gate_weather_text(int weather)
{
	return weather >= 0 && weather < GATE_WEATHER_COUNT ? weathers[weather].text : "unknown";
}

const char *
gate_why_text(int why)
{
	return why >= 0 && why < GATE_WHY_COUNT ? whys[why] : "unknown";
}

/* "3.4 s", "12 s", "3m10s", "2h05m", "3d04h": two figures are enough. */
static void
put_duration(double seconds, char *buf, size_t len)
{
	/* The reader wants no more, and a long fits. */
	long s = lround(fmin(seconds, 999 * 86400.0));

	if (seconds < 9.95)
		snprintf(buf, len, "%.1f s", seconds);
	else if (s < 60)
		snprintf(buf, len, "%ld s", s);
	else if (s < 3600)
		snprintf(buf, len, "%ldm%02lds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, len, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, len, "%ldd%02ldh", s / 86400, s / 3600 % 24);
}

static void
describe_dark(const struct gate_view *view, char *buf, size_t len)
{
	char age[24], next[24];

	put_duration(view->dark_s, age, sizeof(age));
	put_duration(view->next_try_s, next, sizeof(next));
	if (view->next_try_s > 0)
		snprintf(buf, len, "dark %s, next try in %s", age, next);
	else
		snprintf(buf, len, "dark %s, next try now", age);
}

static void
describe_held(const struct gate_view *view, char *buf, size_t len)
{
	char left[24];

	if (isinf(view->held_s)) {
		snprintf(buf, len, "held (%s)", gate_why_text(view->why));
		return;
	}
	put_duration(view->held_s, left, sizeof(left));
	snprintf(buf, len, "held %s (%s)", left, gate_why_text(view->why));
}

char *
gate_describe(const struct gate *gate, const struct gate_config *config, double now, char *buf,
	      size_t len)
{
	struct gate_view view;

	gate_look(gate, config, now, &view);
	switch (view.weather) {
	case GATE_DARK:
		describe_dark(&view, buf, len);
		break;
	case GATE_HELD:
		describe_held(&view, buf, len);
		break;
	case GATE_CHANCE:
		snprintf(buf, len, "%.0f %% refused by chance", 100.0 * view.refused_share);
		break;
	default:
		snprintf(buf, len, "%s %d/%d", gate_weather_name(view.weather), view.level,
			 view.slots);
	}
	return buf;
}

void
gate_close(struct gate *gate, double until, enum gate_why why)
{
	gate->closed_until = until;
	gate->closed_why = why;
}

void
gate_hold(struct gate *gate, double until)
{
	gate_close(gate, until, GATE_WHY_HAND);
}

void
gate_release(struct gate *gate)
{
	gate->closed_until = gate->hold_until = 0.0;
	gate->closed_why = gate->hold_why = GATE_WHY_NOTHING;
}
