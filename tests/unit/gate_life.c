/*
 * gate_life.c - one life of a gate, its events taken from bytes, with every
 * invariant checked after each. Included by test_gate.c and fuzz_gate.c, each of
 * which is one file to the Makefile.
 */
#include "daemon/gate/gate.h"
#include "daemon/gate/weather.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LIFE_ATTEMPTS  80
#define LIFE_SLOTS_MAX 64

struct gate_life {
	struct gate_config config;
	struct gate gate;
	struct gate_ticket attempts[LIFE_ATTEMPTS];
	double now;
	const uint8_t *at, *end;
};

static unsigned
life_byte(struct gate_life *life)
{
	return life->at < life->end ? *life->at++ : 0;
}

static double
life_random(struct gate_life *life)
{
	return life_byte(life) / 256.0;
}

static void
life_require(const struct gate_life *life, bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "gate at %.6f with %zd bytes left: %s\n", life->now, life->end - life->at,
		what);
	abort();
}

#define REQUIRE(condition) life_require(life, condition, #condition)

static void
life_check_counts(const struct gate_life *life)
{
	const struct gate *gate = &life->gate;
	int in_flight = 0, taken = 0, growing = 0;

	for (int i = 0; i < LIFE_ATTEMPTS; i++) {
		in_flight += life->attempts[i].in_level;
		taken += life->attempts[i].taken;
		growing += life->attempts[i].growth;
	}
	REQUIRE(gate->in_flight == in_flight);
	REQUIRE(gate->growing == growing);
	REQUIRE(gate->unanswered >= 0 && gate->quiet >= 0 && gate->freed >= 0);
	REQUIRE(gate->unanswered + gate->quiet <= taken);
	REQUIRE(gate->run >= 0 && gate->refusals >= gate->run);
	if (taken == 0)
		REQUIRE(!gate->in_flight && !gate->unanswered && !gate->quiet && !gate->growing);
}

static void
life_check(const struct gate_life *life)
{
	const struct gate *gate = &life->gate;
	const struct gate_config *config = &life->config;
	double shares[] = { gate->refused_in_place, gate->refused_again, gate->refused_share,
			    gate_limit_share(gate, config) };
	char words[GATE_DESCRIPTION_LEN];

	life_check_counts(life);
	REQUIRE(gate->level >= 1 && gate->level <= config->slots);
	REQUIRE(gate->window >= 2 && gate->window <= fmax(4, config->slots / 2.0));
	REQUIRE(gate->next_at - life->now <= 10 && gate->grow_at - life->now <= 36);
	REQUIRE(gate->grow_step >= 1 && gate->grow_step <= fmax(1, config->slots / 4));
	for (int i = 0; i < 4; i++)
		REQUIRE(shares[i] >= 0 && shares[i] <= 1);
	REQUIRE(isfinite(gate->usual_run) && gate->usual_run >= 0);
	REQUIRE(isfinite(gate->first_byte_s) && isfinite(gate->refusal_s));
	REQUIRE(gate_expected_wait(gate, config, life->now) >= 0);
	gate_describe(gate, config, life->now, words, sizeof(words));
	REQUIRE(words[0] != '\0');
}

static void
life_ask(struct gate_life *life, struct gate_ticket *attempt)
{
	struct gate *gate = &life->gate;
	int window = gate_is_dark(gate, &life->config) ? 1 : (int)gate->window;
	double when;

	if (!gate_may_send(gate, &life->config, life->now, &when)) {
		REQUIRE(when >= life->now);
		return;
	}
	REQUIRE(gate->in_flight < life->config.slots && gate->unanswered < window);
	REQUIRE(life->now >= gate->next_at && life->now >= gate->hold_until);
	if (!attempt->taken)
		gate_sent(gate, &life->config, life->now, attempt);
}

static void
life_restart(struct gate_life *life)
{
	char text[GATE_SAVE_LEN];
	int len = gate_save(&life->gate, life->now, 1e9, text, sizeof(text));
	bool dark = gate_is_dark(&life->gate, &life->config);
	double next_at = life->gate.next_at;

	REQUIRE(len > 0 && len < (int)sizeof(text));
	REQUIRE(gate_load(&life->gate, &life->config, life->now, 1e9, text, (size_t)len));
	for (int i = 0; i < LIFE_ATTEMPTS; i++)
		life->attempts[i] = (struct gate_ticket){ 0 };
	life->gate.refusals = life->gate.run;
	REQUIRE(gate_is_dark(&life->gate, &life->config) == dark);
	REQUIRE(fabs(life->gate.next_at - next_at) < 1e-5);
}

static void
life_rare_event(struct gate_life *life, struct gate_ticket *attempt, unsigned event)
{
	struct gate *gate = &life->gate;

	switch (event) {
	case 0:
		gate_headers(gate, &life->config, life->now, life_byte(life) * 10,
			     (int)life_byte(life) - 1);
		break;
	case 1:
		gate_hold(gate, life_byte(life) & 1 ? INFINITY : life->now + life_byte(life));
		break;
	case 2:
		gate_release(gate);
		break;
	case 3:
		gate_asked_to_wait(gate, life->now, life_byte(life), life_random(life));
		break;
	case 4:
		life_restart(life);
		break;
	default:
		gate_unsent(gate, attempt);
	}
}

static void
life_event(struct gate_life *life)
{
	struct gate *gate = &life->gate;
	const struct gate_config *config = &life->config;
	unsigned event = life_byte(life);
	struct gate_ticket *attempt = &life->attempts[life_byte(life) % LIFE_ATTEMPTS];

	/* Mostly milliseconds, sometimes minutes. */
	life->now += event & 0x80 ? life_random(life) : exp2(life_byte(life) / 32.0) - 1;
	switch (event & 15) {
	case 0 ... 4:
		life_ask(life, attempt);
		break;
	case 5:
	case 6:
		gate_accepted(gate, config, life->now, attempt);
		break;
	case 7:
	case 8:
		gate_refused(gate, config, life->now, attempt, life_random(life), event & 16);
		gate_ended(gate, attempt, false);
		break;
	case 9:
		gate_quiet(gate, config, life->now, attempt);
		break;
	case 10:
		gate_stalled(gate, config, life->now, attempt, life_random(life));
		break;
	case 11:
		gate_limited(gate, config, life->now, attempt, life_byte(life), life_random(life));
		gate_ended(gate, attempt, false);
		break;
	case 12:
		gate_ended(gate, attempt, attempt->accepted);
		break;
	case 13:
		gate_left(attempt, life->now);
		break;
	case 14: /* refused after its acceptance, or again */
		gate_refused(gate, config, life->now, attempt, life_random(life), true);
		break;
	default:
		life_rare_event(life, attempt, event >> 4 & 7);
	}
}

static void
gate_life_play(const uint8_t *bytes, size_t len)
{
	struct gate_life life = { .at = bytes, .end = bytes + len };
	int slots = 1 + (int)(life_byte(&life) % LIFE_SLOTS_MAX);

	gate_config_init(&life.config, slots, (enum gate_manner)(life_byte(&life) % 3));
	gate_init(&life.gate, &life.config);
	life_check(&life);
	while (life.at < life.end) {
		life_event(&life);
		life_check(&life);
	}
	for (int i = 0; i < LIFE_ATTEMPTS; i++)
		gate_ended(&life.gate, &life.attempts[i], life.attempts[i].accepted);
	life_check(&life);
}

#undef REQUIRE
