/*
 * gate.c - the law of the gate. The order of the arithmetic is that of the
 * reference (tests/storms/gate.py), so that both give the same numbers to the
 * last bit.
 */
#include "daemon/gate/gate.h"
#include "daemon/gate/weather.h"

#include <math.h>

/* How an attempt came about: what its answer says about limit and chance. */
enum { KIND_NEITHER, KIND_IN_PLACE, KIND_AGAIN };
/* Where an attempt without answer is counted. */
enum { COUNTED_NOWHERE, COUNTED_UNANSWERED, COUNTED_QUIET };

#define FREED_MAX	16
#define QUIET_MAX_DARK	3     /* probes of a dark gate that may hang */
#define SHARE_GAIN	0.05  /* of refused_share, for people only */
#define RETRY_AFTER_MAX 86400 /* s; more is a broken header */

void
gate_config_init(struct gate_config *config, int slots, enum gate_manner manner)
{
	static const double kappas[] = { [GATE_EAGER] = 1, [GATE_DEFAULT] = 2, [GATE_POLITE] = 4 };
	double kappa = kappas[manner];

	*config = (struct gate_config){
		.slots = slots > 1 ? slots : 1,
		.window_start = 2.0,
		.window_share = 0.5,
		.window_add = 2.0,
		.window_memory = 10.0,
		.gain = 0.2,
		.dead_band = 0.2,
		.lift = 1.0,
		.run_min = 8.0,
		.run_mul = 14.0,
		.run_gain = 0.1,
		.kappa = kappa,
		.pause_max = fmin(8.0, 4.0 * kappa),
		.grow_kappa = 3.5,
		.grow_min = 0.5,
		.grow_max = 30.0,
		.knock = 1.0,
		.quiet = 1.0,
		.stall = 5.0,
		.jitter = 0.2,
	};
}

/* Most refusals that may be saved up. */
static double
knocks_max(const struct gate_config *config)
{
	return fmax(4.0, config->slots / 4.0);
}

static double
window_max(const struct gate_config *config)
{
	return fmax(4.0, config->window_share * config->slots);
}

void
gate_init(struct gate *gate, const struct gate_config *config)
{
	*gate = (struct gate){
		.window = config->window_start,
		.level = config->slots,
		.refused_again = 0.8, /* until more is known, suspect a limit */
		.run_window = 2.0,
		.run_level = config->slots,
		.grow_step = 1,
		.first_byte_s = 2.0,
		.refusal_s = 0.25,
		.knocks = knocks_max(config),
		.burst = 1.0,
	};
}

void
gate_fit(struct gate *gate, const struct gate_config *config)
{
	gate->level = fmin(gate->level, config->slots);
	gate->run_level = fmin(gate->run_level, config->slots);
	gate->window = fmin(gate->window, window_max(config));
	gate->run_window = fmin(gate->run_window, window_max(config));
	gate->knocks = fmin(gate->knocks, knocks_max(config));
	if (gate->grow_step > config->slots)
		gate->grow_step = config->slots;
}

double
gate_limit_share(const struct gate *gate, const struct gate_config *config)
{
	return fmax(0.0, (gate->refused_again - gate->refused_in_place - config->dead_band) /
			     (1.0 - config->dead_band));
}

bool
gate_is_dark(const struct gate *gate, const struct gate_config *config)
{
	return gate->run > fmax(config->run_min, config->run_mul * (gate->usual_run + 1.0));
}

/* Slots to divide by: a small pool does not wait for ever. */
static double
slots_at_least_16(const struct gate_config *config)
{
	return config->slots > 16 ? config->slots : 16;
}

/*
 * Between two tries of a dark gate. sqrt(age) is the optimal inspection schedule
 * when the chance that the outage ends falls like 1 / age; waiting costs in
 * proportion to who waits, hence / slots.
 */
static double
pause_at(const struct gate_config *config, double age)
{
	return fmin(config->pause_max, config->kappa * sqrt(age / slots_at_least_16(config)));
}

static double
knocks_now(const struct gate *gate, const struct gate_config *config, double now)
{
	return fmin(knocks_max(config),
		    gate->knocks + (now - gate->knocks_at) * config->slots / config->knock);
}

static double
tokens_now(const struct gate *gate, double now)
{
	return fmin(gate->burst, gate->tokens + (now - gate->tokens_at) * gate->rate);
}

/* The windows: in_flight and unanswered against what is believed. */
static bool
has_room(const struct gate *gate, const struct gate_config *config, double now, double *ret_when)
{
	if (gate->in_flight < (int)gate->level)
		return true;
	if (gate->in_flight >= config->slots || gate->growing >= gate->grow_step)
		return false;
	if (now < gate->grow_at) {
		*ret_when = gate->grow_at;
		return false;
	}
	return true;
}

bool
gate_may_send(const struct gate *gate, const struct gate_config *config, double now,
	      double *ret_when)
{
	double closed = fmax(fmax(gate->hold_until, gate->next_at), gate->closed_until);
	bool dark = gate_is_dark(gate, config);
	double knocks;

	*ret_when = INFINITY;
	if (now < closed) {
		*ret_when = closed;
		return false;
	}
	if (gate->unanswered >= (dark ? 1 : (int)gate->window))
		return false;
	if (dark && gate->quiet >= QUIET_MAX_DARK)
		return false;
	knocks = knocks_now(gate, config, now);
	if (knocks < 1.0) {
		*ret_when = now + (1.0 - knocks) * config->knock / config->slots;
		return false;
	}
	if (gate->rate > 0 && tokens_now(gate, now) < 1.0) {
		*ret_when = now + (1.0 - tokens_now(gate, now)) / gate->rate;
		return false;
	}
	return has_room(gate, config, now, ret_when);
}

void
gate_sent(struct gate *gate, const struct gate_config *config, double now,
	  struct gate_ticket *ticket)
{
	bool growth = gate->in_flight >= (int)gate->level;

	(void)config;
	*ticket = (struct gate_ticket){
		.sent_at = now,
		.in_flight = gate->in_flight + 1,
		.unanswered = gate->unanswered,
		.refusals = gate->refusals,
		.counted = COUNTED_UNANSWERED,
		.kind = gate->freed	      ? KIND_IN_PLACE
			: gate->run || growth ? KIND_AGAIN
					      : KIND_NEITHER,
		.taken = true,
		.in_level = true,
		.growth = growth,
	};
	if (gate->freed > 0)
		gate->freed--;
	gate->in_flight++;
	gate->unanswered++;
	gate->growing += growth;
	if (gate->rate > 0) {
		gate->tokens = tokens_now(gate, now) - 1.0;
		gate->tokens_at = now;
	}
}

void
gate_left(struct gate_ticket *ticket, double now)
{
	ticket->sent_at = now;
}

/* It has been answered, or is given up on: off the window. */
static void
take_off(struct gate *gate, struct gate_ticket *ticket)
{
	if (ticket->counted == COUNTED_QUIET)
		gate->quiet--;
	else if (ticket->counted == COUNTED_UNANSWERED)
		gate->unanswered--;
	ticket->counted = COUNTED_NOWHERE;
	if (ticket->growth)
		gate->growing--;
	ticket->growth = false;
}

void
gate_unsent(struct gate *gate, struct gate_ticket *ticket)
{
	if (!ticket->taken)
		return;
	take_off(gate, ticket);
	gate->in_flight -= ticket->in_level;
	if (ticket->kind == KIND_IN_PLACE && gate->freed < FREED_MAX)
		gate->freed++;
	if (gate->rate > 0)
		gate->tokens = fmin(gate->burst, gate->tokens + 1.0);
	ticket->taken = ticket->in_level = false;
}

/* Learns from the answer; returns the level the attempt stood for: itself and
 * what was really carried when it was sent. */
static int
answered(struct gate *gate, const struct gate_config *config, double now,
	 struct gate_ticket *ticket, double refused)
{
	int refused_since = gate->refusals - ticket->refusals;

	take_off(gate, ticket);
	gate->answered_at = now;
	gate->refused_share += SHARE_GAIN * (refused - gate->refused_share);
	if (!gate_is_dark(gate, config)) { /* a dark run teaches nothing about limits */
		if (ticket->kind == KIND_IN_PLACE)
			gate->refused_in_place += config->gain * (refused - gate->refused_in_place);
		else if (ticket->kind == KIND_AGAIN)
			gate->refused_again += config->gain * (refused - gate->refused_again);
	}
	return ticket->in_flight -
	       (ticket->unanswered < refused_since ? ticket->unanswered : refused_since);
}

static void
count_acceptance(struct gate *gate, const struct gate_config *config, double now,
		 struct gate_ticket *ticket)
{
	bool growth = ticket->growth;
	int level = answered(gate, config, now, ticket, 0.0);

	if (gate_is_dark(gate, config)) { /* the weather has changed: start small */
		double age = now - gate->run_since;

		gate->window =
		    fmin(gate->window, gate->run_window / (1.0 + age / config->window_memory));
		gate->refused_in_place = 0.0;
		gate->refused_share = 0.0; /* that was darkness, not chance */
		gate->refused_again = fmax(gate->refused_again, 0.8);
	}
	if (!growth)
		gate->usual_run += config->run_gain * (gate->run - gate->usual_run);
	gate->run = 0;
	gate->next_at = 0.0;
	gate->window = fmax(2.0, fmin(gate->window + config->window_add, window_max(config)));
	gate->level = fmin(config->slots,
			   gate->level + config->lift * (1.0 - gate_limit_share(gate, config)));
	if (level > (int)gate->level) { /* growth succeeded: go on at once, twice as far */
		int step_max = config->slots / 4 > 1 ? config->slots / 4 : 1;

		gate->level = fmin(config->slots, level);
		gate->grow_at = gate->level_since = now;
		gate->grow_step = 2 * gate->grow_step < step_max ? 2 * gate->grow_step : step_max;
	}
}

void
gate_accepted(struct gate *gate, const struct gate_config *config, double now,
	      struct gate_ticket *ticket)
{
	if (!ticket->taken || ticket->accepted)
		return;
	ticket->accepted = true;
	if (!ticket->in_level) { /* it had stalled, and lives after all */
		gate->in_flight++;
		ticket->in_level = true;
	}
	gate->first_byte_s += 0.1 * (now - ticket->sent_at - gate->first_byte_s);
	gate->accepted_at = now;
	if (ticket->early)
		take_off(gate, ticket);
	else
		count_acceptance(gate, config, now, ticket);
}

/*
 * A refusal would have come by now, so most likely it was let in and no longer
 * holds others back. While headers do keep coming, it counts; when the upstream
 * hangs, it does not.
 */
void
gate_quiet(struct gate *gate, const struct gate_config *config, double now,
	   struct gate_ticket *ticket)
{
	if (!ticket->taken || ticket->counted != COUNTED_UNANSWERED)
		return;
	if (!gate_is_dark(gate, config) && now - gate->accepted_at < 2.0 * gate->first_byte_s) {
		count_acceptance(gate, config, now, ticket);
		ticket->early = true;
	} else {
		gate->unanswered--;
	}
	gate->quiet++;
	ticket->counted = COUNTED_QUIET;
}

/* One more of the run: what it says about darkness, and about the level. */
static void
count_refusal(struct gate *gate, const struct gate_config *config, double now, int level,
	      double jitter, bool capacity)
{
	if (gate->run == 0) {
		gate->run_since = now;
		gate->run_window = gate->window;
		gate->run_level = gate->level;
	}
	gate->run++;
	if (gate_is_dark(gate, config)) { /* it was the weather, not a limit */
		gate->level = fmax(gate->level, gate->run_level);
		gate->next_at = now + pause_at(config, now - gate->run_since) * jitter;
	} else if (capacity) {
		double fallen = fmax(1.0, gate->level - gate_limit_share(gate, config) *
							    fmax(0.0, gate->level - (level - 1)));

		if ((int)fallen < (int)gate->level) {
			gate->grow_step = 1;
			gate->level_since = now;
			gate->grow_at = fmax(gate->grow_at, now + config->grow_min * jitter);
		}
		gate->level = fallen;
	}
}

void
gate_refused(struct gate *gate, const struct gate_config *config, double now,
	     struct gate_ticket *ticket, double random, bool capacity)
{
	bool growth = ticket->growth;
	double jitter = 1.0 + config->jitter * (2.0 * random - 1.0);
	int level;

	if (!ticket->taken)
		return;
	level = answered(gate, config, now, ticket, 1.0);
	gate->refusals++;
	if (capacity && !ticket->accepted)
		gate->refusal_s += 0.1 * (now - ticket->sent_at - gate->refusal_s);
	gate->knocks = knocks_now(gate, config, now) - 1.0;
	gate->knocks_at = now;
	if (growth) { /* the limit is where it was: no news */
		double after = config->grow_kappa *
			       sqrt((now - gate->level_since) / slots_at_least_16(config));

		gate->grow_step = 1;
		gate->grow_at =
		    now + fmax(config->grow_min, fmin(config->grow_max, after)) * jitter;
		return;
	}
	count_refusal(gate, config, now, level, jitter, capacity);
}

void
gate_stalled(struct gate *gate, const struct gate_config *config, double now,
	     struct gate_ticket *ticket, double random)
{
	if (!ticket->taken || ticket->counted == COUNTED_NOWHERE)
		return;
	gate_refused(gate, config, now, ticket, random, false);
	ticket->stalled = true;
	ticket->kind = KIND_NEITHER;
	ticket->in_level = false;
	gate->in_flight--;
}

/* Positive jitter only: "earlier retries will fail". */
static void
hold(struct gate *gate, double now, double retry_after, double random, enum gate_why why)
{
	double after = retry_after > 0 ? fmin(retry_after, RETRY_AFTER_MAX) : 0.0;
	double until = now + after + 0.25 * random;

	if (until > gate->hold_until) {
		gate->hold_until = until;
		gate->hold_why = why;
	}
}

void
gate_asked_to_wait(struct gate *gate, double now, double retry_after, double random)
{
	hold(gate, now, retry_after, random, GATE_WHY_RETRY_AFTER);
}

/* Says nothing about capacity, only about our own rate. */
void
gate_limited(struct gate *gate, const struct gate_config *config, double now,
	     struct gate_ticket *ticket, double retry_after, double random)
{
	if (!ticket->taken)
		return;
	take_off(gate, ticket);
	hold(gate, now, retry_after, random, GATE_WHY_RATE_LIMIT);
	gate->window = fmin(gate->window, config->window_start);
	gate->tokens = 0.0;
	gate->tokens_at = now;
}

void
gate_ended(struct gate *gate, struct gate_ticket *ticket, bool carried)
{
	if (!ticket->taken)
		return;
	take_off(gate, ticket);
	gate->in_flight -= ticket->in_level;
	if (carried && gate->freed < FREED_MAX)
		gate->freed++;
	ticket->taken = ticket->in_level = false;
}

void
gate_headers(struct gate *gate, const struct gate_config *config, double now, double limit_per_min,
	     double remaining)
{
	(void)config;
	if (!(limit_per_min > 0))
		return;
	if (gate->rate == 0) {
		gate->tokens = 1.0;
		gate->tokens_at = now;
	}
	gate->rate = limit_per_min / 60.0;
	gate->burst = fmax(1.0, gate->rate);
	if (remaining >= 0) { /* rounded down by the server */
		gate->tokens = fmin(tokens_now(gate, now), remaining + 1.0);
		gate->tokens_at = now;
	}
}

double
gate_quiet_after(const struct gate *gate, const struct gate_config *config)
{
	return fmax(config->quiet, 4.0 * gate->refusal_s);
}

double
gate_stalled_after(const struct gate *gate, const struct gate_config *config)
{
	return fmax(config->stall, 4.0 * gate->first_byte_s);
}

double
gate_expected_wait(const struct gate *gate, const struct gate_config *config, double now)
{
	double held = fmax(gate->hold_until, gate->closed_until) - now;
	double dark = gate_is_dark(gate, config) ? now - gate->run_since : 0.0;

	return fmax(fmax(held, dark), 0.0);
}

void
gate_restart(struct gate *gate, const struct gate_config *config)
{
	gate->in_flight = gate->unanswered = gate->quiet = gate->growing = gate->freed = 0;
	gate->window = fmin(gate->window, config->window_start);
	gate->run_window = fmin(gate->run_window, config->window_start);
}
