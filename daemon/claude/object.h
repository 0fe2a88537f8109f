/*
 * object.h - a small JSON object as a list of members whose values stay the
 * bytes they came as: nothing is reformatted, no number is rounded.
 */
#ifndef DAEMON_CLAUDE_OBJECT_H
#define DAEMON_CLAUDE_OBJECT_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJECT_MAX_MEMBERS 256

/* All zero is an empty object. */
struct object {
	struct object_member {
		char *key;   /* owned; as it reads, with a terminator */
		char *value; /* owned; the JSON text, with a terminator */
		size_t len;  /* of value */
	} * members;	     /* owned */
	size_t count, size;
};

/* Add the members of a valid JSON object, replacing what is there of the same
 * key. FOREBAY_ERR_API_ERROR: no object, or more than OBJECT_MAX_MEMBERS. */
MUST_CHECK enum forebay_err object_parse(struct object *object, const uint8_t *json, size_t len);
void object_clear(struct object *object);

/* NULL if there is none. */
const struct object_member *object_find(const struct object *object, const char *key);
MUST_CHECK enum forebay_err object_set(struct object *object, const char *key, const void *json,
				       size_t len);
void object_remove(struct object *object, const char *key);

/* The member is a string that reads as text. */
bool object_is(const struct object *object, const char *key, const char *text);

#endif
