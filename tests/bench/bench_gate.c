/*
 * bench_gate.c - B8: what a decision and its answer cost. Each cycle asks, sends,
 * takes the answer and ends, at a gate with its windows nearly full.
 */
#include "daemon/gate/gate.h"
#include "daemon/gate/pace.h"
#include "daemon/gate/ratelimit.h"
#include "protocol/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CYCLES	200000
#define ROUNDS	9
#define GOAL_NS 1000

struct scene {
	struct gate_config config;
	struct gate gate;
	struct gate_ticket others[32];
	struct ratelimit ratelimit;
	struct pace pace;
	double now;
	long passed; /* so that nothing is optimised away */
};

static void
scene_init(struct scene *s)
{
	struct ratelimit_charge charge;

	*s = (struct scene){ .now = 1e5 };
	gate_config_init(&s->config, 64, GATE_DEFAULT);
	gate_init(&s->gate, &s->config);
	for (size_t i = 0; i < ARRAY_LEN(s->others); i++) {
		gate_sent(&s->gate, &s->config, s->now, &s->others[i]);
		gate_accepted(&s->gate, &s->config, s->now + 1, &s->others[i]);
	}
	ratelimit_init(&s->ratelimit);
	ratelimit_sent(&s->ratelimit, s->now, 100, 50, &charge);
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		ratelimit_headers(&s->ratelimit, s->now, &charge, (enum bucket_kind)kind, 6e9, 1e9);
	pace_init(&s->pace);
	pace_set(&s->pace, 1e-9, 6e9, 6e9, 6e9, s->now);
	s->now += 2;
}

static void
cycle(struct scene *s, bool refused)
{
	struct gate_ticket ticket;
	double when;

	s->now += 0.05;
	s->passed += gate_may_send(&s->gate, &s->config, s->now, &when);
	gate_sent(&s->gate, &s->config, s->now, &ticket);
	gate_left(&ticket, s->now);
	if (refused)
		gate_refused(&s->gate, &s->config, s->now + 0.02, &ticket, 0.5, true);
	else
		gate_accepted(&s->gate, &s->config, s->now + 0.02, &ticket);
	gate_ended(&s->gate, &ticket, !refused);
}

static void
accepted(struct scene *s)
{
	cycle(s, false);
}

static void
refused_three_in_four(struct scene *s)
{
	cycle(s, s->passed++ % 4 != 0);
}

static void
all_the_gates(struct scene *s)
{
	struct ratelimit_charge charge;
	double when;

	cycle(s, false);
	s->passed += ratelimit_may_send(&s->ratelimit, s->now, 100, 50, &when);
	s->passed += pace_may_send(&s->pace, s->now, 100, 50, &when);
	ratelimit_sent(&s->ratelimit, s->now, 100, 50, &charge);
	pace_sent(&s->pace, s->now, 100, 50);
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		ratelimit_headers(&s->ratelimit, s->now, &charge, (enum bucket_kind)kind, 6e9, 1e9);
	ratelimit_settled(&s->ratelimit, s->now, &charge, 90, 60);
	pace_settled(&s->pace, s->now, 100, 50, 90, 60);
}

static double
nanoseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
measure(void (*one)(struct scene *))
{
	double rounds[ROUNDS];
	struct scene s;

	for (int i = 0; i < ROUNDS; i++) {
		double start;

		scene_init(&s);
		start = nanoseconds();
		for (int k = 0; k < CYCLES; k++)
			one(&s);
		rounds[i] = (nanoseconds() - start) / CYCLES;
	}
	qsort(rounds, ROUNDS, sizeof(rounds[0]), by_value);
	return rounds[ROUNDS / 2];
}

int
main(void)
{
	static const struct {
		const char *name;
		void (*one)(struct scene *);
	} rows[] = {
		{ "accepted", accepted },
		{ "refused three times in four", refused_three_in_four },
		{ "accepted, with rate limit and pace", all_the_gates },
	};
	bool missed = false;

	printf("B8 gate: decision + answer, median of %d rounds of %d; %zu bytes a gate, "
	       "%zu a ticket\n\n",
	       ROUNDS, CYCLES, sizeof(struct gate), sizeof(struct gate_ticket));
	printf("| cycle | ns | goal |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double ns = measure(rows[i].one);

		missed |= ns >= GOAL_NS;
		printf("| %s | %.0f | < %d |\n", rows[i].name, ns, GOAL_NS);
	}
	return missed;
}
