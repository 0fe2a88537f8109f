/*
 * expect.c - running means of what requests cost; see expect.h.
 */
#include "daemon/gate/expect.h"

#include <math.h>

#define INPUT_SEEN_MAX	10 /* the means forget what lies further back */
#define OUTPUT_SEEN_MAX 20

void
expect_init(struct expect *expect)
{
	*expect = (struct expect){ .estimated = 1.0, .real = 1.0, .output = EXPECT_OUTPUT_START };
}

/* The means of sums, not the mean of ratios: a thousand short requests, with
 * more words around them than in them, say nothing about a long one. */
double
expect_input(const struct expect *expect, double estimated)
{
	double ratio = expect->real / expect->estimated;

	return estimated * fmax(EXPECT_RATIO_MIN, fmin(EXPECT_RATIO_MAX, ratio));
}

double
expect_output(const struct expect *expect, double most)
{
	double usual = expect->output + expect->spread;

	return most >= 0 ? fmin(usual, most) : usual;
}

/* How much the next one weighs: the first few move the means a lot. */
static double
weigh(int *seen, int seen_max)
{
	if (*seen < seen_max)
		(*seen)++;
	return 1.0 / *seen;
}

void
expect_learn(struct expect *expect, double estimated, double real, double output)
{
	double gain;

	if (estimated > 0 && real >= 0) {
		gain = weigh(&expect->inputs, INPUT_SEEN_MAX);
		expect->estimated += gain * (estimated - expect->estimated);
		expect->real += gain * (real - expect->real);
	}
	if (output > 0) {
		gain = weigh(&expect->outputs, OUTPUT_SEEN_MAX);
		/* The first one tells nothing yet of how they differ. */
		double distance = expect->outputs > 1 ? fabs(output - expect->output) : 0.0;

		expect->spread += gain * (distance - expect->spread);
		expect->output += gain * (output - expect->output);
	}
}
