/*
 * rewrite.c - leave parts of a JSON value out, see rewrite.h. One scan of the
 * value; between two cuts the bytes are copied as they are.
 */
#include "daemon/claude/rewrite.h"

#include "protocol/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct cutter {
	const uint8_t *bytes; /* borrowed */
	char *out;	      /* owned */
	size_t len;	      /* of out */
	size_t done;	      /* bytes are dealt with up to here */
};

/* The elements of a list, or the members of an object, as far as they are seen. */
struct elements {
	bool kept, dropped; /* is there one that is */
	size_t first;	    /* where the first dropped one begins */
	size_t end;	    /* of the last kept one; while there is none, of the last dropped */
};

/* Copy up to from, and skip what follows up to to. */
static void
cut(struct cutter *cutter, size_t from, size_t to)
{
	if (from > cutter->done) {
		memcpy(cutter->out + cutter->len, cutter->bytes + cutter->done,
		       from - cutter->done);
		cutter->len += from - cutter->done;
	}
	cutter->done = MAX(cutter->done, to);
}

/* An element begins. Those dropped before it go with the comma behind them. */
static void
elements_begin(struct cutter *cutter, struct elements *elements, size_t at)
{
	if (elements->dropped && !elements->kept)
		cut(cutter, elements->first, at);
}

static void
elements_keep(struct elements *elements, size_t end)
{
	elements->kept = true;
	elements->end = end;
}

static void
elements_drop(struct cutter *cutter, struct elements *elements, size_t begin, size_t end)
{
	if (elements->kept) {
		/* With the comma before it. */
		cut(cutter, elements->end, end);
		return;
	}
	if (!elements->dropped)
		elements->first = begin;
	elements->dropped = true;
	elements->end = end;
}

/* The list has ended; true when it was made empty. */
static bool
elements_end(struct cutter *cutter, const struct elements *elements)
{
	if (!elements->dropped || elements->kept)
		return false;
	cut(cutter, elements->first, elements->end);
	return true;
}

/* The key is this word, however it is spelled. */
static bool
key_means(const struct json_node *node, const char *word)
{
	char key[64];

	if (!node->key_escaped)
		return json_key_is(node, word);
	size_t len =
	    json_decode((const uint8_t *)node->key - 1, node->key_len + 2, key, sizeof(key));

	return len == strlen(word) && memcmp(key, word, len) == 0;
}

/* The rest, and a terminator. The caller owns it. */
static char *
finish(struct cutter *cutter, size_t len)
{
	cut(cutter, len, len);
	cutter->out[cutter->len] = '\0';
	return TAKE(cutter->out);
}

/* --- the members of an object ---------------------------------------------- */

#define MAX_CHANGES 8

struct members {
	struct cutter cutter;
	struct elements elements;
	const struct rewrite_member *changes;
	size_t count;
	bool written[MAX_CHANGES];
};

static bool
members_on_enter(const struct json_node *node, void *arg)
{
	(void)arg;
	return node->depth == 0 && node->kind == JSON_OBJECT;
}

static void
members_on_value(const struct json_node *node, void *arg)
{
	struct members *members = arg;
	struct cutter *cutter = &members->cutter;
	size_t i = 0, end = node->offset + node->len;

	if (node->depth != 1)
		return;
	size_t begin = (size_t)((const uint8_t *)node->key - 1 - cutter->bytes);

	elements_begin(cutter, &members->elements, begin);
	while (i < members->count && !key_means(node, members->changes[i].key))
		i++;
	const char *json = i < members->count ? members->changes[i].json : NULL;

	if (i < members->count && (!json || members->written[i])) {
		elements_drop(cutter, &members->elements, begin, end);
		return;
	}
	if (json) {
		cut(cutter, node->offset, end);
		memcpy(cutter->out + cutter->len, json, strlen(json));
		cutter->len += strlen(json);
		members->written[i] = true;
	}
	elements_keep(&members->elements, end);
}

enum forebay_err
rewrite_members(const uint8_t *object, size_t len, const struct rewrite_member *changes,
		size_t count, char **ret)
{
	static const struct json_visitor visitor = { members_on_enter, members_on_value, NULL, 0 };
	struct members members = { .cutter.bytes = object, .changes = changes, .count = count };
	struct json_result result;
	size_t size = len + 1;

	*ret = NULL;
	if (count > MAX_CHANGES)
		return FOREBAY_ERR_INTERNAL;
	for (size_t i = 0; i < count; i++)
		size += changes[i].json ? strlen(changes[i].json) : 0;
	members.cutter.out = malloc(size);
	if (!members.cutter.out)
		return FOREBAY_ERR_NO_MEMORY;
	bool valid = json_scan(object, len, JSON_MAX_DEPTH, &visitor, &members, &result);

	if (valid && members.elements.kept)
		*ret = finish(&members.cutter, len);
	free(members.cutter.out);
	return valid ? FOREBAY_ERR_OK : FOREBAY_ERR_INVALID_BODY;
}

/* --- the thinking in a history --------------------------------------------- */

struct history {
	struct cutter cutter;
	struct elements messages;
	struct elements content; /* of the message being looked into */
	size_t out_len, done;	 /* of the cutter when that message began */
	bool hollow;		 /* its content has lost all its blocks */
	bool thinking;		 /* so has the block being looked into to go */
	size_t blocks;		 /* that went */
};

static void
begin_message(struct history *history, size_t at)
{
	elements_begin(&history->cutter, &history->messages, at);
	history->out_len = history->cutter.len;
	history->done = history->cutter.done;
	history->hollow = false;
}

static void
end_message(struct history *history, size_t begin, size_t end)
{
	if (!history->hollow) {
		elements_keep(&history->messages, end);
		return;
	}
	/* Take back what was copied of it. */
	history->cutter.len = history->out_len;
	history->cutter.done = history->done;
	elements_drop(&history->cutter, &history->messages, begin, end);
}

static void
begin_block(struct history *history, size_t at)
{
	elements_begin(&history->cutter, &history->content, at);
	history->thinking = false;
}

static void
end_block(struct history *history, size_t begin, size_t end)
{
	if (!history->thinking) {
		elements_keep(&history->content, end);
		return;
	}
	elements_drop(&history->cutter, &history->content, begin, end);
	history->blocks++;
}

static void
take_type(struct history *history, const struct json_node *node)
{
	char type[24];

	history->thinking = false;
	if (node->kind != JSON_STRING)
		return;
	size_t len =
	    json_decode(history->cutter.bytes + node->offset, node->len, type, sizeof(type));

	history->thinking =
	    len != SIZE_MAX && strlen(type) == len &&
	    (strcmp(type, "thinking") == 0 || strcmp(type, "redacted_thinking") == 0);
}

static bool
history_on_enter(const struct json_node *node, void *arg)
{
	struct history *history = arg;

	switch (node->depth) {
	case 0:
		return node->kind == JSON_ARRAY;
	case 1:
		begin_message(history, node->offset);
		return node->kind == JSON_OBJECT;
	case 2:
		history->content = (struct elements){ 0 };
		return node->kind == JSON_ARRAY && key_means(node, "content");
	case 3:
		begin_block(history, node->offset);
		return node->kind == JSON_OBJECT;
	default:
		return false;
	}
}

static void
history_on_value(const struct json_node *node, void *arg)
{
	struct history *history = arg;
	bool scalar = node->kind != JSON_ARRAY && node->kind != JSON_OBJECT;
	size_t end = node->offset + node->len;

	if (node->depth == 4 && key_means(node, "type")) {
		take_type(history, node);
	} else if (node->depth == 3) {
		if (scalar)
			begin_block(history, node->offset);
		end_block(history, node->offset, end);
	} else if (node->depth == 2 && key_means(node, "content")) {
		/* Of two contents the last one is meant. */
		history->hollow =
		    node->kind == JSON_ARRAY && elements_end(&history->cutter, &history->content);
	} else if (node->depth == 1) {
		if (scalar)
			begin_message(history, node->offset);
		end_message(history, node->offset, end);
	}
}

enum forebay_err
rewrite_without_thinking(const uint8_t *messages, size_t len, char **ret, size_t *ret_blocks)
{
	static const struct json_visitor visitor = { history_on_enter, history_on_value, NULL, 0 };
	struct history history = { .cutter.bytes = messages };
	struct json_result result;

	*ret = NULL;
	*ret_blocks = 0;
	history.cutter.out = malloc(len + 1);
	if (!history.cutter.out)
		return FOREBAY_ERR_NO_MEMORY;
	bool valid = json_scan(messages, len, JSON_MAX_DEPTH, &visitor, &history, &result);

	if (valid && history.blocks > 0 && history.messages.kept) {
		*ret = finish(&history.cutter, len);
		*ret_blocks = history.blocks;
	}
	free(history.cutter.out);
	return valid ? FOREBAY_ERR_OK : FOREBAY_ERR_INVALID_BODY;
}
