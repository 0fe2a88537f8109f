/*
 * argument.h - the kinds of arguments a request can have, for the table in
 * request.c: how a field of struct request is read, written and described.
 */
#ifndef PROTOCOL_ARGUMENT_H
#define PROTOCOL_ARGUMENT_H

#include "protocol/jsonput.h"
#include "protocol/message.h"

struct argument_kind;

struct argument {
	const char *name;
	const struct argument_kind *kind;
	size_t offset;	       /* of the field in struct request */
	uint32_t verbs, needs; /* bit masks of enum forebay_verb: takes it, requires it */
	int64_t min, max;      /* of a number; max of a string's bytes, of a list's items */
	const struct forebay_words *words; /* that a word may be */
};

struct argument_kind {
	size_t size; /* of the field; equal bytes are equal values */
	/* BAD_REQUEST when the value is not as describe() says; *ret_bad then
	 * points at the element that is to blame, if it is not all of it. */
	enum forebay_err (*parse)(const struct argument *, const struct message *value,
				  struct request *request, const struct message **ret_bad);
	void (*put)(const struct argument *, const struct request *request, struct jsonput *put);
	/* What would be right, so that it reads on after "expected ". */
	void (*describe)(const struct argument *, char *ret, size_t size);
};

extern const struct argument_kind argument_text, /* UTF-8, no control characters */
    argument_name,				 /* visible ASCII, fit for an HTTP header */
    argument_names,				 /* a list of names */
    argument_chain,				 /* the name of a chain, or its models */
    argument_whole, argument_bool, argument_time, argument_word, argument_ids, argument_from;

void argument_free_list(char **list); /* NULL-terminated; accepts NULL */

#endif
