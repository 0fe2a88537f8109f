/*
 * jsonput.h - the bytes of a JSON document, written front to back.
 *
 *	struct jsonput put = { 0 };
 *
 *	jsonput_object(&put);
 *	jsonput_key(&put, "id");
 *	jsonput_int(&put, 417);
 *	jsonput_end(&put);
 *	bytes = jsonput_take(&put, &len);
 *
 * Commas and colons come by themselves. Nothing needs checking in between: the
 * first failure (no memory, or calls that do not make a document) sticks, and
 * jsonput_take answers NULL.
 */
#ifndef PROTOCOL_JSONPUT_H
#define PROTOCOL_JSONPUT_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSONPUT_MAX_DEPTH 64

/* All zero is an empty writer. */
struct jsonput {
	char *bytes;	 /* owned */
	size_t len;	 /* of what is written */
	size_t size;	 /* of the allocation */
	uint64_t arrays; /* bit n: the open container n is an array */
	unsigned depth;	 /* open containers */
	bool failed;	 /* sticky */
};

void jsonput_clear(struct jsonput *put); /* forget everything; usable again */

void jsonput_object(struct jsonput *put);
void jsonput_array(struct jsonput *put);
void jsonput_end(struct jsonput *put); /* of the innermost open container */
void jsonput_key(struct jsonput *put, const char *key);

void jsonput_string(struct jsonput *put, const char *text); /* NULL is written as null */
/* Any bytes: escaped as needed, invalid UTF-8 replaced by U+FFFD. */
void jsonput_string_len(struct jsonput *put, const char *text, size_t len);
void jsonput_int(struct jsonput *put, int64_t number);
void jsonput_double(struct jsonput *put, double number); /* null unless finite */
void jsonput_bool(struct jsonput *put, bool truth);
void jsonput_null(struct jsonput *put);
/* A string that is already escaped and only lacks its quotes. */
void jsonput_quoted(struct jsonput *put, const void *inside, size_t len);
/* One JSON value that is already bytes; the caller knows it to be valid. */
void jsonput_raw(struct jsonput *put, const void *json, size_t len);

/* One member of an object, in short. */
void jsonput_member_string(struct jsonput *put, const char *key, const char *text);
void jsonput_member_int(struct jsonput *put, const char *key, int64_t number);
void jsonput_member_double(struct jsonput *put, const char *key, double number);
void jsonput_member_bool(struct jsonput *put, const char *key, bool truth);
void jsonput_member_raw(struct jsonput *put, const char *key, const void *json, size_t len);

/* End a finished document with a newline and begin another: JSON Lines. */
void jsonput_line(struct jsonput *put);

/* The finished bytes, with a terminator that is not counted; the caller frees
 * them. NULL if anything failed or a container is still open. Either way the
 * writer is empty afterwards. */
MUST_CHECK char *jsonput_take(struct jsonput *put, size_t *ret_len);

#endif
