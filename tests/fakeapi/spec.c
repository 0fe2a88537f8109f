/*
 * spec.c - reads the weather language: phases separated by semicolons, words within, `model=` to
 * change whom the words that follow are for.
 */
#include "tests/fakeapi/spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakeapi/climate.h"

static const char blanks[] = " \t\r\n";

static void *
must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct rule *
spec_add_rule(struct spec *spec, int phase, const char *pattern, size_t len)
{
	struct rule *rule;

	spec->rules = must(realloc(spec->rules, (spec->rule_count + 1) * sizeof(*spec->rules)));
	rule = &spec->rules[spec->rule_count++];
	memset(rule, 0, sizeof(*rule));
	rule->phase = phase;
	memcpy(rule->pattern, pattern, MIN(len, sizeof(rule->pattern) - 1));
	rule->words = must(strdup(""));
	return rule;
}

static void
rule_add_word(struct rule *rule, const char *word, size_t len)
{
	size_t have = strlen(rule->words);

	rule->words = must(realloc(rule->words, have + len + 2));
	memcpy(rule->words + have, word, len);
	memcpy(rule->words + have + len, " ", 2);
}

/* The words of one phase, its length already taken off. */
static bool
spec_parse_words(struct spec *spec, int phase, const char *text, size_t len, char *why,
		 size_t why_len)
{
	struct rule *rule = spec_add_rule(spec, phase, "*", 1);
	size_t at = 0;

	while (at < len) {
		size_t word_len;
		struct climate scratch;

		at += strspn(text + at, blanks);
		if (at >= len)
			break;
		word_len = MIN(strcspn(text + at, blanks), len - at);
		if (word_len > 6 && memcmp(text + at, "model=", 6) == 0) {
			rule = spec_add_rule(spec, phase, text + at + 6, word_len - 6);
		} else {
			climate_init(&scratch);
			if (!climate_set(&scratch, text + at, word_len, false, why, why_len))
				return false;
			rule_add_word(rule, text + at, word_len);
		}
		at += word_len;
	}
	return true;
}

/* A length needs its unit: "503" is a fault, "503ms" a time. -1 if there is none. */
static double
phase_length(const char *text, size_t len)
{
	if (len == 0 || !strchr("smh", text[len - 1]))
		return -1;
	return climate_parse_duration(text, len);
}

static bool
spec_parse_phase(struct spec *spec, const char *text, size_t len, char *why, size_t why_len)
{
	size_t first = MIN(strcspn(text, " \t\r\n;"), len);
	double length = phase_length(text, first);
	int phase = spec->phase_count;

	if (spec->repeat) {
		snprintf(why, why_len, "'repeat' must be the last word");
		return false;
	}
	if (first == 6 && memcmp(text, "repeat", 6) == 0) {
		spec->repeat = true;
		return true;
	}
	if (first == 6 && memcmp(text, "always", 6) == 0)
		return spec_parse_words(spec, PHASE_ALWAYS, text + first, len - first, why,
					why_len);
	if (phase > 0 && isinf(spec->lengths[phase - 1])) {
		snprintf(why, why_len, "phase %d has no length, so phase %d is never reached",
			 phase, phase + 1);
		return false;
	}
	spec->lengths = must(realloc(spec->lengths, ((size_t)phase + 1) * sizeof(double)));
	spec->lengths[phase] = length > 0 ? length : INFINITY;
	spec->phase_count++;
	if (length < 0)
		first = 0;
	return spec_parse_words(spec, phase, text + first, len - first, why, why_len);
}

bool
spec_parse(struct spec *spec, const char *text, char *why, size_t why_len)
{
	memset(spec, 0, sizeof(*spec));
	while (*text) {
		size_t len;

		text += strspn(text, blanks);
		len = strcspn(text, ";");
		if (len > 0 && !spec_parse_phase(spec, text, len, why, why_len))
			return false;
		text += len;
		text += *text == ';';
	}
	if (spec->repeat &&
	    (spec->phase_count == 0 || isinf(spec->lengths[spec->phase_count - 1]))) {
		snprintf(why, why_len, "'repeat' needs phases that all have a length");
		return false;
	}
	return true;
}

bool
spec_add(struct spec *spec, const char *text, char *why, size_t why_len)
{
	if (strchr(text, ';')) {
		snprintf(why, why_len, "'add' takes words, not phases");
		return false;
	}
	return spec_parse_words(spec, PHASE_ADDED, text, strlen(text), why, why_len);
}

void
spec_clear(struct spec *spec)
{
	for (size_t i = 0; i < spec->rule_count; i++)
		free(spec->rules[i].words);
	free(spec->rules);
	free(spec->lengths);
	memset(spec, 0, sizeof(*spec));
}
