/*
 * spec.h - a weather text taken apart into phases and rules; between spec.c, which reads the
 * language, and weather.c, which lives by it.
 */
#ifndef FAKEAPI_SPEC_H
#define FAKEAPI_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/base.h"

enum { PHASE_ALWAYS = -1, PHASE_ADDED = -2 };

/* The words for the models of one pattern in one phase. */
struct rule {
	int phase;
	char pattern[128];
	char *words; /* owned */
};

struct spec {
	struct rule *rules; /* owned, in the order in which they apply */
	size_t rule_count;
	double *lengths; /* owned; seconds of each phase, INFINITY for the last that stays */
	int phase_count;
	bool repeat; /* begin again after the last phase */
};

/* False with a sentence in `why`; what was built so far is freed by spec_clear. */
MUST_CHECK bool spec_parse(struct spec *spec, const char *text, char *why, size_t why_len);
MUST_CHECK bool spec_add(struct spec *spec, const char *text, char *why, size_t why_len);
void spec_clear(struct spec *spec);

#endif
