/*
 * json.h - strict RFC 8259 in one pass over bytes that nobody vouches for.
 *
 * The scanner validates: grammar, UTF-8 (no overlongs, no surrogates), depth.
 * It allocates nothing, keeps nothing, and reports where values lie to a
 * visitor that decides, container by container, how far it wants to look.
 */
#ifndef PROTOCOL_JSON_H
#define PROTOCOL_JSON_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 512 /* the deepest nesting any caller may allow */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* One value of the document. All pointers point into the document. */
struct json_node {
	unsigned depth;	  /* 0: the document, 1: its members or elements, ... */
	const char *key;  /* between the quotes, as spelled; NULL outside an object */
	size_t key_len;	  /* bytes of key */
	bool key_escaped; /* key holds a backslash: as spelled is not what it means */
	enum json_kind kind;
	size_t offset; /* of the value's first byte in the document */
	size_t len;    /* of the value with its quotes or brackets; 0 in enter */
};

/* All may be NULL. They are called in the order of the bytes, before it is
 * known whether the rest of the document is valid. */
struct json_visitor {
	/* A container begins: true to be told of what is inside it. */
	bool (*enter)(const struct json_node *node, void *arg);
	/* A value has ended; a container after what is inside it. */
	void (*value)(const struct json_node *node, void *arg);
	/* A string of at least long_string bytes has ended, at any depth. */
	void (*long_string)(const uint8_t *string, size_t len, void *arg);
	size_t long_string_min;
};

struct json_result {
	size_t members;	   /* of all objects, at any depth, duplicates counted */
	const char *error; /* NULL, or what is wrong at error_at; a literal */
	size_t error_at;   /* byte offset */
	bool truncated;	   /* the error is that the bytes end: more might have been valid */
};

/* True when buf is exactly one JSON document, nested at most max_depth deep
 * (a scalar has depth 0, {} has 1). ret is filled either way. */
MUST_CHECK bool json_scan(const uint8_t *buf, size_t len, unsigned max_depth,
			  const struct json_visitor *visitor, void *arg, struct json_result *ret);

/* json_scan without a visitor. */
MUST_CHECK bool json_valid(const uint8_t *buf, size_t len, unsigned max_depth,
			   struct json_result *ret);

/* "line 2, byte 17: expected a comma or } after the value", for people. */
void json_explain(const struct json_result *result, const uint8_t *buf, char *ret, size_t size);

/* The key, as spelled, is exactly this word. */
bool json_key_is(const struct json_node *node, const char *word);

/* Decode a valid string, given with its quotes, to UTF-8 with a terminator.
 * Lone surrogates become U+FFFD. Returns the length of the decoded bytes (which
 * may contain NUL), or SIZE_MAX when it does not fit into size. A decoded
 * string is never longer than its spelling: size = len always fits. */
size_t json_decode(const uint8_t *string, size_t len, char *ret, size_t size);

/* A valid number that is whole and fits: true. 1e3 and 2.0 are whole. */
bool json_whole(const uint8_t *number, size_t len, int64_t *ret);

#endif
