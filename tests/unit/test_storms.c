/*
 * test_storms.c - the gate against the weather, in simulated time: the main
 * scenarios of tests/storms. Goodput is accepted work over that of an oracle
 * which knows at every moment whether the API would take a request; excess is
 * failed requests a job beyond the oracle's. Deterministic.
 */
#include "tests/unit/storm_world.c"

#include <stdio.h>

#define SEEDS 48

static double
during(double t, double from, double to)
{
	return t >= from && t < to;
}

static double
out_1m(double t)
{
	return during(t, T0, T0 + 60);
}

static double
out_5m(double t)
{
	return during(t, T0, T0 + 300);
}

static double
p70(double t)
{
	return 0.7 * during(t, T0, T0 + 300);
}

static double
flapping(double t)
{
	return during(t, T0, T0 + 300) && fmod(t - T0, 20.0) < 10.0;
}

static double
sick_2m(double t)
{
	return during(t, T0, T0 + 120);
}

static double
step_down(double t)
{
	return during(t, T0, T0 + 120) != 0 ? 16 : CAPACITY;
}

static double
forty(double t)
{
	(void)t;
	return 40;
}

static double
twenty_four(double t)
{
	(void)t;
	return 24;
}

/* The design's goals, as means over the seeds; a little room is left for another
 * libm, whose last digit makes another storm of the same kind. */
/* clang-format off */
static const struct scenario scenarios[] = {
	{ "calm",  {{ .speed = 1 }}, 1, 420, 0, 0.999, 0.001, 0, 0 },
	{ "cliff", {{ .capacity = forty, .speed = 1 }}, 1, 720, 0, 0.995, 0.07, 0, 4 },
	{ "step",  {{ .capacity = step_down, .speed = 1 }}, 1, T0 + 180, T0 + 120, 0.94, 0.37, 8, 60 },
	{ "p70",   {{ .refused = p70, .speed = 1 }}, 1, T0 + 300, 0, 0.98, 0.06, 0, 0 },
	{ "out60", {{ .refused = out_1m, .speed = 1 }}, 1, T0 + 120, T0 + 60, 0.94, 0.30, 5, 35 },
	{ "flap",  {{ .refused = flapping, .speed = 1 }}, 1, T0 + 330, T0 + 290, 0.925, 0.60, 4, 80 },
	{ "sick",  {{ .sick = sick_2m, .speed = 1 }}, 1, T0 + 240, T0 + 120, 0.94, 0.25, 8, 35 },
	{ "rpm",   {{ .rpm = 120, .speed = 1 }}, 1, 720, 0, 0.995, 0, 0, 0 },
	{ "fall",  {{ .refused = out_5m, .speed = 1 }, { .capacity = twenty_four, .speed = 0.5 }}, 2,
	  T0 + 360, T0 + 300, 0.95, 0.25, 7, 35 },
};
/* clang-format on */

/* --- the goals ------------------------------------------------------------- */

struct result {
	double goodput, excess, full, storm;
};

static double
waste(const struct world *w)
{
	return (double)w->failed_in / fmax(1, w->done_in);
}

static void
add_play(const struct scenario *scenario, unsigned seed, struct result *ret)
{
	struct world *gate = play(scenario, false, seed), *oracle = play(scenario, true, seed);

	/* Whatever the weather: done, running, or waiting. */
	assert_int_equal(gate->taken, gate->done + gate->live + gate->waiting_count);
	assert_int_equal(gate->limited_in, 0);
	ret->goodput += gate->work / oracle->work / SEEDS;
	ret->excess += (waste(gate) - waste(oracle)) / SEEDS;
	ret->full += fmin(gate->full_at, scenario->until) / SEEDS;
	ret->storm = fmax(ret->storm, gate->storm);
	free(gate);
	free(oracle);
}

static void
the_goal_is_met(void **state)
{
	const struct scenario *scenario = *state;
	struct result result = { 0 };

	for (unsigned seed = 401; seed < 401 + SEEDS; seed++)
		add_play(scenario, seed, &result);
	result.full -= scenario->recovery;
	print_message("%-6s goodput %.3f  excess %.2f  full %.1f s  storm %.0f\n", scenario->name,
		      result.goodput, result.excess, scenario->recovery > 0 ? result.full : 0.0,
		      result.storm);
	assert_true(result.goodput >= scenario->goodput_min);
	assert_true(result.excess <= scenario->excess_max);
	if (scenario->full_max > 0)
		assert_true(result.full <= scenario->full_max);
	if (scenario->storm_max > 0)
		assert_true(result.storm <= scenario->storm_max);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(scenarios)];

	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = the_goal_is_met,
						.initial_state = (void *)&scenarios[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
