/*
 * block.c - see block.h. Which delta does what to which block is a table.
 */
#include "daemon/claude/block.h"

#include "daemon/claude/mend.h"
#include "protocol/jsonput.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct rule {
	const char *delta;    /* the delta's type */
	const char *block;    /* the block's type */
	const char *key;      /* the block's member that changes */
	enum event_key part;  /* the delta's member that is taken */
	enum { APPEND, INPUT, REPLACE, LIST } how;
} rules[] = {
	{ "text_delta",       "text",            "text",      EVENT_TEXT,         APPEND },
	{ "thinking_delta",   "thinking",        "thinking",  EVENT_THINKING,     APPEND },
	{ "input_json_delta", "tool_use",        "input",     EVENT_PARTIAL_JSON, INPUT },
	{ "input_json_delta", "server_tool_use", "input",     EVENT_PARTIAL_JSON, INPUT },
	{ "input_json_delta", "mcp_tool_use",    "input",     EVENT_PARTIAL_JSON, INPUT },
	{ "signature_delta",  "thinking",        "signature", EVENT_SIGNATURE,    REPLACE },
	{ "citations_delta",  "text",            "citations", EVENT_CITATION,     LIST },
	{ "compaction_delta", "compaction",      "content",   EVENT_CONTENT,      REPLACE },
};
/* clang-format on */

enum forebay_err
block_start(struct block *block, const uint8_t *json, size_t len)
{
	*block = (struct block){ 0 };
	return object_parse(&block->object, json, len);
}

void
block_clear(struct block *block)
{
	object_clear(&block->object);
	bytes_clear(&block->text);
	bytes_clear(&block->list);
}

static enum forebay_err
added(bool ok)
{
	return ok ? FOREBAY_ERR_OK : FOREBAY_ERR_NO_MEMORY;
}

/* Append the inside of the string at part. */
static enum forebay_err
append(struct block *block, const struct rule *rule, const struct event_part *part)
{
	const struct object_member *start = object_find(&block->object, rule->key);

	if (part->kind != JSON_STRING)
		return FOREBAY_ERR_NOT_FOUND;
	if (!block->text_key) {
		block->text_key = rule->key;
		block->is_input = rule->how == INPUT;
		/* The block may have started with some of it; input never does. */
		if (!block->is_input && start && start->value[0] == '"' &&
		    !bytes_add(&block->text, start->value + 1, start->len - 2))
			return FOREBAY_ERR_NO_MEMORY;
	}
	return added(bytes_add(&block->text, part->at + 1, part->len - 2));
}

/* Append the value at part to the list at key. */
static enum forebay_err
append_to_list(struct block *block, const struct rule *rule, const struct event_part *part)
{
	const struct object_member *start = object_find(&block->object, rule->key);

	if (!block->has_list && start && start->value[0] == '[') {
		const char *inside = start->value + 1;
		size_t len = start->len - 2;

		/* An empty list may still hold white space. */
		if (strspn(inside, " \t\r\n") < len && !bytes_add(&block->list, inside, len))
			return FOREBAY_ERR_NO_MEMORY;
	}
	block->has_list = true;
	if (block->list.len > 0 && !bytes_add(&block->list, ",", 1))
		return FOREBAY_ERR_NO_MEMORY;
	return added(bytes_add(&block->list, part->at, part->len));
}

static enum forebay_err
replace(struct block *block, const struct rule *rule, const struct event *event)
{
	const struct event_part *part = &event->part[rule->part];
	const struct event_part *beside = &event->part[EVENT_ENCRYPTED_CONTENT];
	enum forebay_err err = object_set(&block->object, rule->key, part->at, part->len);

	if (!err && rule->part == EVENT_CONTENT && beside->at)
		err = object_set(&block->object, "encrypted_content", beside->at, beside->len);
	return err;
}

enum forebay_err
block_add(struct block *block, const struct event *event)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *rule = &rules[i];
		const struct event_part *part = &event->part[rule->part];

		if (strcmp(rule->delta, event->delta_type) != 0 || !part->at ||
		    (block->finished && rule->how == INPUT) ||
		    !object_is(&block->object, "type", rule->block))
			continue;
		if (rule->how == REPLACE)
			return replace(block, rule, event);
		if (rule->how == LIST)
			return append_to_list(block, rule, part);
		return append(block, rule, part);
	}
	return FOREBAY_ERR_NOT_FOUND;
}

/* What the pieces mean, without their escapes. */
static enum forebay_err
decode_input(const struct block *block, struct bytes *ret)
{
	struct bytes quoted = { 0 };
	bool ok = bytes_add(&quoted, "\"", 1) &&
		  bytes_add(&quoted, block->text.at, block->text.len) &&
		  bytes_add(&quoted, "\"", 1);
	char *text = ok ? malloc(quoted.len) : NULL;

	if (text) {
		size_t len = json_decode(quoted.at, quoted.len, text, quoted.len);

		ok = bytes_add(ret, text, len);
	}
	free(text);
	bytes_clear(&quoted);
	return added(ok && text);
}

enum forebay_err
block_finish(struct block *block, struct bytes *lost)
{
	struct bytes input = { 0 }, mended = { 0 };
	struct json_result result;
	enum forebay_err err;

	if (block->finished || !block->is_input) {
		block->finished = true;
		return FOREBAY_ERR_OK;
	}
	block->finished = true;
	if (block->text.len == 0)
		return added(bytes_add(&block->text, "{}", 2));
	err = decode_input(block, &input);
	if (!err && json_valid(input.at, input.len, JSON_MAX_DEPTH, &result)) {
		bytes_clear(&block->text);
		block->text = input;
		return FOREBAY_ERR_OK;
	}
	if (!err)
		err = mend(input.at, input.len, &mended);
	if (err == FOREBAY_ERR_API_ERROR)
		err = added(bytes_add(&mended, "{}", 2));
	bytes_clear(&input);
	if (err) {
		bytes_clear(&mended);
		return err;
	}
	*lost = block->text;
	block->text = mended;
	return FOREBAY_ERR_NOT_FOUND;
}

static void
put_text(const struct block *block, struct jsonput *put)
{
	if (block->is_input)
		jsonput_raw(put, block->text.at, block->text.len);
	else
		jsonput_quoted(put, block->text.at, block->text.len);
}

static void
put_list(const struct block *block, struct jsonput *put)
{
	jsonput_array(put);
	jsonput_raw(put, block->list.at, block->list.len);
	jsonput_end(put);
}

void
block_put(const struct block *block, struct jsonput *put)
{
	jsonput_object(put);
	for (size_t i = 0; i < block->object.count; i++) {
		const struct object_member *member = &block->object.members[i];

		if (block->text_key && strcmp(member->key, block->text_key) == 0)
			continue;
		if (block->has_list && strcmp(member->key, "citations") == 0)
			continue;
		jsonput_member_raw(put, member->key, member->value, member->len);
	}
	if (block->text_key) {
		jsonput_key(put, block->text_key);
		put_text(block, put);
	}
	if (block->has_list) {
		jsonput_key(put, "citations");
		put_list(block, put);
	}
	jsonput_end(put);
}
