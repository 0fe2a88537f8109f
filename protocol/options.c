/*
 * options.c - the word lists of options.h.
 */
#include "protocol/options.h"

#include "protocol/base.h"

#include <string.h>

#define X(name, number, wire) [number] = wire,
static const char *const class_words[] = { FOREBAY_CLASSES(X) };
static const char *const batch_words[] = { FOREBAY_BATCH_MODES(X) };
static const char *const transport_words[] = { FOREBAY_TRANSPORTS(X) };
static const char *const want_words[] = { FOREBAY_WANTS(X) };
#undef X

const struct forebay_words forebay_classes = { class_words, ARRAY_LEN(class_words) };
const struct forebay_words forebay_batch_modes = { batch_words, ARRAY_LEN(batch_words) };
const struct forebay_words forebay_transports = { transport_words, ARRAY_LEN(transport_words) };
const struct forebay_words forebay_wants = { want_words, ARRAY_LEN(want_words) };

static const char *
word_of(const struct forebay_words *list, int value)
{
	return value >= 0 && value < list->count ? list->words[value] : "unknown";
}

const char *
forebay_class_name(int value)
{
	return word_of(&forebay_classes, value);
}

const char *
forebay_batch_name(int value)
{
	return word_of(&forebay_batch_modes, value);
}

const char *
forebay_transport_name(int value)
{
	return word_of(&forebay_transports, value);
}

const char *
forebay_want_name(int value)
{
	return word_of(&forebay_wants, value);
}

int
forebay_word_find(const struct forebay_words *list, const char *word)
{
	for (int value = 0; value < list->count; value++)
		if (strcmp(list->words[value], word) == 0)
			return value;
	return -1;
}
