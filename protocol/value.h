/*
 * value.h - any JSON value of a parsed message. Between message.c, which alone
 * knows the JSON library, and request.c, which must tell "absent" from "of the
 * wrong kind". Everybody else uses the getters of message.h.
 */
#ifndef PROTOCOL_VALUE_H
#define PROTOCOL_VALUE_H

#include "protocol/json.h"

struct message;

/* A member of an object, an element of an array; borrowed; NULL: none. */
const struct message *value_member(const struct message *object, const char *name);
const struct message *value_item(const struct message *array, size_t i);
size_t value_count(const struct message *array); /* 0 for anything else */

enum json_kind value_kind(const struct message *value); /* JSON_NULL for NULL */
/* The string, which may hold NUL bytes; NULL for another kind. Borrowed. */
const char *value_string(const struct message *value, size_t *ret_len);
/* A number that is whole and within +-2^53: 2.0 is 2, 2.5 is none. */
bool value_whole(const struct message *value, int64_t *ret);
bool value_bool(const struct message *value);

/* The value as JSON, for an error message; at most size - 1 bytes, shortened
 * with "..." between two characters. */
void value_spell(const struct message *value, char *ret, size_t size);

#endif
