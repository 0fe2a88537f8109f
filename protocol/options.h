/*
 * options.h - the words a job's options are made of: classes, batch modes,
 * transports, what a submit wants back. The numbers are stored on disk:
 * written out, never reused.
 */
#ifndef PROTOCOL_OPTIONS_H
#define PROTOCOL_OPTIONS_H

#include <stdbool.h>

/* clang-format off */
/*	  name         no  wire name */
#define FOREBAY_CLASSES(X)                                                                         \
	X(INTERACTIVE, 0, "interactive") /* somebody is looking at it */                           \
	X(NORMAL,      1, "normal")                                                                \
	X(PATIENT,     2, "patient")     /* may wait behind everything else */

#define FOREBAY_BATCH_MODES(X)                                                                     \
	X(NEVER,       0, "never")                                                                 \
	X(ALLOW,       1, "allow")                                                                 \
	X(ONLY,        2, "only")

/* How the request goes upstream. DEFAULT: as configured. */
#define FOREBAY_TRANSPORTS(X)                                                                      \
	X(DEFAULT,     0, "default")                                                               \
	X(STREAM,      1, "stream")                                                                \
	X(PLAIN,       2, "plain")

/* What the reply to a submit is. */
#define FOREBAY_WANTS(X)                                                                           \
	X(ID,          0, "id")          /* at once, as soon as it is on disk */                   \
	X(RESULT,      1, "result")      /* when the job has ended */
/* clang-format on */

#define FOREBAY_CLASS_ENUM(name, number, wire)	   FOREBAY_CLASS_##name = (number),
#define FOREBAY_BATCH_ENUM(name, number, wire)	   FOREBAY_BATCH_##name = (number),
#define FOREBAY_TRANSPORT_ENUM(name, number, wire) FOREBAY_TRANSPORT_##name = (number),
#define FOREBAY_WANT_ENUM(name, number, wire)	   FOREBAY_WANT_##name = (number),
enum forebay_class { FOREBAY_CLASSES(FOREBAY_CLASS_ENUM) FOREBAY_CLASS_COUNT };
enum forebay_batch { FOREBAY_BATCH_MODES(FOREBAY_BATCH_ENUM) FOREBAY_BATCH_COUNT };
enum forebay_transport { FOREBAY_TRANSPORTS(FOREBAY_TRANSPORT_ENUM) FOREBAY_TRANSPORT_COUNT };
enum forebay_want { FOREBAY_WANTS(FOREBAY_WANT_ENUM) FOREBAY_WANT_COUNT };
#undef FOREBAY_CLASS_ENUM
#undef FOREBAY_BATCH_ENUM
#undef FOREBAY_TRANSPORT_ENUM
#undef FOREBAY_WANT_ENUM

/* "unknown" for a number without a word. */
const char *forebay_class_name(int value);
const char *forebay_batch_name(int value);
const char *forebay_transport_name(int value);
const char *forebay_want_name(int value);

/* One word list; what a parser needs to name the right words in an error. */
struct forebay_words {
	const char *const *words;
	int count;
};
extern const struct forebay_words forebay_classes, forebay_batch_modes, forebay_transports,
    forebay_wants;

/* The number of word, or -1. */
int forebay_word_find(const struct forebay_words *list, const char *word);

#endif
