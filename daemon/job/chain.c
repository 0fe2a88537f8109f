/*
 * chain.c - the way of a job through its chain; see chain.h.
 */
#include "daemon/job/chain.h"

#include "protocol/base.h"

#include <math.h>

/* So many faults in a row on one model, and another one is preferred. */
#define FAULTS_BEFORE_NEXT 2

/* Refusals further apart are no row: a rest is a few seconds. */
#define ROW_MS 60000

bool
chain_is_barred(const struct chain_state *state, unsigned model)
{
	return state->barred >> model & 1u;
}

void
chain_blocked(struct chain_state *state, int64_t now_ms)
{
	if (state->blocked_ms == 0)
		state->blocked_ms = now_ms;
}

void
chain_sent(struct chain_state *state)
{
	state->blocked_ms = 0;
}

void
chain_refused(struct chain_state *state, unsigned model, int64_t now_ms)
{
	if (state->refused_ms == 0 || state->refuser != model ||
	    now_ms - state->last_refused_ms > ROW_MS)
		state->refused_ms = now_ms;
	state->refuser = (uint8_t)model;
	state->last_refused_ms = now_ms;
}

static unsigned
count_on(struct chain_count *count, unsigned model)
{
	if (count->model != model)
		count->times = 0;
	count->model = (uint8_t)model;
	count->times += count->times < UINT8_MAX;
	return count->times;
}

void
chain_faulted(struct chain_state *state, unsigned model)
{
	(void)count_on(&state->faults, model);
}

unsigned
chain_tried(struct chain_state *state, unsigned model)
{
	return count_on(&state->tries, model);
}

bool
chain_bar(struct chain_state *state, unsigned model, unsigned count)
{
	uint32_t all = count >= CHAIN_MAX ? UINT32_MAX : (1u << count) - 1u;

	state->barred |= 1u << model;
	return (state->barred & all) != all;
}

/* How long the gates have kept this job, in seconds. */
static double
waited(const struct chain_state *state, int64_t patience_ms, int64_t now_ms)
{
	int64_t ms = state->blocked_ms ? now_ms - state->blocked_ms : 0;

	/* Refused again and again: it waits since the first of these. A row that
	 * ended long ago says nothing about now. */
	if (state->refused_ms && now_ms - state->last_refused_ms <= patience_ms)
		ms = MAX(ms, now_ms - state->refused_ms);
	return (double)ms / 1000.0;
}

/* One model's turn in the walk of chain_choose(). */
struct walk {
	const struct chain_state *state;
	unsigned count;
	int64_t patience_ms, now_ms;
	bool usable_only; /* there is one that is neither barred nor unusable */
	chain_look_fn *look;
	void *arg;
};

static unsigned
next_model(const struct walk *walk, unsigned from, struct chain_look *ret)
{
	for (unsigned i = from; i < walk->count; i++) {
		if (chain_is_barred(walk->state, i))
			continue;
		*ret = (struct chain_look){ 0 };
		walk->look(i, ret, walk->arg);
		if (!ret->unusable || !walk->usable_only)
			return i;
	}
	return walk->count;
}

/*
 * The model takes requests, and yet another one is better for this job: it
 * failed it again and again, or has refused it for longer than its patience
 * and took nobody else's since.
 */
static bool
is_tired(const struct walk *walk, unsigned model, const struct chain_look *look)
{
	const struct chain_state *state = walk->state;

	if (state->faults.times >= FAULTS_BEFORE_NEXT && state->faults.model == model)
		return true;
	return state->refused_ms && state->refuser == model && !look->classic &&
	       walk->patience_ms != CHAIN_NEVER &&
	       state->last_refused_ms - state->refused_ms >= walk->patience_ms &&
	       look->accepted_ms < state->last_refused_ms;
}

static struct chain_choice
go(unsigned model, const struct chain_look *look)
{
	return (struct chain_choice){ look->probe ? CHAIN_PROBE : CHAIN_GO, model, INT64_MAX,
				      false };
}

/* From the first on, as long as patience has run out with each. */
static struct chain_choice
seek_refuge(const struct walk *walk, unsigned first, struct chain_look look)
{
	int64_t patience_ms = walk->patience_ms, now_ms = walk->now_ms;
	struct chain_choice choice = { CHAIN_WAIT, 0, INT64_MAX, walk->state->barred != 0 };
	double patience = (double)patience_ms / 1000.0;

	for (unsigned i = first; i < walk->count; i = next_model(walk, i + 1, &look)) {
		double wait = fmax(waited(walk->state, patience_ms, now_ms), look.wait_s);

		if (look.open && !is_tired(walk, i, &look))
			return go(i, &look);
		/* One that failed this job again and again is better than none. */
		if (look.open && choice.answer == CHAIN_WAIT)
			choice = go(i, &look);
		if (look.open)
			continue;
		if (look.classic || patience_ms == CHAIN_NEVER)
			break;
		if (wait < patience) {
			choice.when_ms = now_ms + (int64_t)((patience - wait) * 1000.0) + 1;
			break;
		}
	}
	return choice;
}

struct chain_choice
chain_choose(const struct chain_state *state, unsigned count, bool refuge, int64_t patience_ms,
	     int64_t now_ms, chain_look_fn *look, void *arg)
{
	struct walk walk = { state, count, patience_ms, now_ms, true, look, arg };
	struct chain_look at = { 0 };
	unsigned first = next_model(&walk, 0, &at);

	if (first == count) {
		walk.usable_only = false;
		first = next_model(&walk, 0, &at);
	}
	if (refuge)
		return seek_refuge(&walk, first, at);
	if (first < count && at.open && !is_tired(&walk, first, &at))
		return go(first, &at);
	return (struct chain_choice){ CHAIN_WAIT, 0, INT64_MAX, state->barred != 0 || at.open };
}
