/*
 * verbs.c - the table of verbs as rows; see verbs.h.
 */
#include "protocol/verbs.h"

#include <string.h>

static const struct verb_row {
	const char *name;
	enum forebay_right right;
	const char *help;
} rows[] = {
#define X(VERB, verb, who, help) [FOREBAY_VERB_##VERB] = { #verb, FOREBAY_RIGHT_##who, help },
	FOREBAY_VERBS(X)
#undef X
};

const char *
forebay_verb_name(int verb)
{
	return verb >= 0 && verb < FOREBAY_VERB_COUNT ? rows[verb].name : "unknown";
}

const char *
forebay_verb_help(int verb)
{
	return verb >= 0 && verb < FOREBAY_VERB_COUNT ? rows[verb].help : "";
}

enum forebay_right
forebay_verb_right(enum forebay_verb verb)
{
	return rows[verb].right;
}

bool
forebay_verb_from_name(const char *name, enum forebay_verb *ret)
{
	for (int verb = 0; verb < FOREBAY_VERB_COUNT; verb++)
		if (strcmp(rows[verb].name, name) == 0) {
			*ret = verb;
			return true;
		}
	return false;
}
