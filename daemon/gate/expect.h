/*
 * expect.h - what a request to a model will probably be charged with, learned
 * from those that ended: real input tokens against the estimate by bytes, and
 * how long answers are. Pure.
 */
#ifndef DAEMON_GATE_EXPECT_H
#define DAEMON_GATE_EXPECT_H

#define EXPECT_RATIO_MIN    0.25
#define EXPECT_RATIO_MAX    8.0
#define EXPECT_OUTPUT_START 500.0 /* tokens of an answer, before any was seen */

struct expect {
	double estimated;    /* running means of the input: as estimated, */
	double real;	     /* and as charged */
	double output;	     /* running mean, tokens */
	double spread;	     /* mean distance from it */
	int inputs, outputs; /* seen; they count no further than needed */
};

void expect_init(struct expect *expect);

/* estimated: tokens by the bytes. */
double expect_input(const struct expect *expect, double estimated);
/* One usual distance above the mean, so that what is charged when a request
 * starts is seldom too little; never more than most (< 0: no bound). */
double expect_output(const struct expect *expect, double most);

/* A whole answer has come. real: what counts against the rate limit, input and
 * what was written to the cache; not what was read from it. */
void expect_learn(struct expect *expect, double estimated, double real, double output);

#endif
