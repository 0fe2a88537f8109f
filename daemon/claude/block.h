/*
 * block.h - one content block of an answer, from its start through its deltas
 * to JSON. What is appended stays spelled as it came: the pieces of a JSON
 * string, one behind the other, are the pieces of the whole one.
 */
#ifndef DAEMON_CLAUDE_BLOCK_H
#define DAEMON_CLAUDE_BLOCK_H

#include "daemon/claude/bytes.h"
#include "daemon/claude/event.h"
#include "daemon/claude/object.h"
#include "protocol/errors.h"

struct jsonput;

/* All zero is an empty block. */
struct block {
	struct object object; /* as it started, and what deltas replaced */
	struct bytes text;    /* what deltas appended: inside of a JSON string */
	struct bytes list;    /* of citations: JSON values with commas between */
	const char *text_key; /* the member text belongs to; NULL before a delta came */
	bool has_list;
	bool is_input; /* text is a tool's input: JSON inside a JSON string */
	bool finished; /* text is decoded and valid JSON, if it is input */
};

/* json is the content_block of an event. Errors as object_parse. */
MUST_CHECK enum forebay_err block_start(struct block *block, const uint8_t *json, size_t len);
void block_clear(struct block *block);

/* FOREBAY_ERR_NOT_FOUND: a delta that this block cannot take; nothing changed. */
MUST_CHECK enum forebay_err block_add(struct block *block, const struct event *event);

/* No more deltas: read a tool's input. FOREBAY_ERR_NOT_FOUND: it was not whole
 * JSON and had to be mended or emptied; lost then holds it as it was, the inside
 * of a JSON string. */
MUST_CHECK enum forebay_err block_finish(struct block *block, struct bytes *lost);

/* A finished block as a JSON object. */
void block_put(const struct block *block, struct jsonput *put);

#endif
