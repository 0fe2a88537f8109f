/*
 * climate.h - the settings one request meets, and the words that set them. A word is NAME,
 * NAME=VALUE; README.md lists them all. Pure.
 */
#ifndef FAKEAPI_CLIMATE_H
#define FAKEAPI_CLIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/base.h"
#include "tests/fakeapi/faults.h"

/* A duration with a spread: log-normal with this median; sigma 0 is exact. Seconds. */
struct span {
	double median;
	double sigma;
};

enum level_kind { LEVEL_NONE, LEVEL_CONST, LEVEL_RAMP, LEVEL_NOISE };

/* A capacity: constant, growing from one value to another over the phase, or wandering. */
struct level {
	enum level_kind kind;
	double from, to;
};

struct climate {
	double share[FAULT_MAX]; /* chance of each fault, 0 to 1 */
	struct level cap;	 /* requests in flight at once, per model */
	double rpm, itpm, otpm;	 /* limits a minute, 0 for none */
	double burst;		 /* bucket size in requests, 0: a sixth of rpm */
	struct span ttfb;	 /* until the first byte of an accepted request */
	struct span gen;	 /* from there to the end */
	struct span refuse;	 /* until a refusal is answered */
	struct span drip;	 /* between two deltas; sets gen when not 0 */
	struct span ping;	 /* between two pings while nothing else is sent, 0: 1 s */
	struct span until;	 /* from now, until access returns, as messages say; 0: 2099 */
	double deltas;		 /* pieces of text, 0: 8 at most */
	double size;		 /* bytes of text, 0: a few sentences */
	double retry_after;	 /* seconds, -1: no header (429 by rpm: the true wait) */
	double should_retry;	 /* -1: no header, 0 false, 1 true */
	bool hold;		 /* wait for a release before the first byte */
	bool forced;		 /* a marker chose the fault: chance is out */
};

void climate_init(struct climate *climate);

/* Apply one word; false with a sentence in `why` if it is none. `alone`: the first
 * fault given so puts every other one out (markers). */
MUST_CHECK bool climate_set(struct climate *climate, const char *word, size_t len, bool alone,
			    char *why, size_t why_len);

/* Apply all words of a text that is separated by blanks. */
MUST_CHECK bool climate_set_all(struct climate *climate, const char *text, size_t len, bool alone,
				char *why, size_t why_len);

/* "20s", "500ms", "2m", "1h", or a bare number of milliseconds; seconds, or -1 if it is none. */
double climate_parse_duration(const char *text, size_t len);

/* A deterministic source of chance; any seed will do. */
struct dice {
	uint64_t state;
};
double dice_uniform(struct dice *dice); /* 0 <= x < 1 */
double dice_span(struct dice *dice, const struct span *span);
double dice_gauss(struct dice *dice);

#endif
