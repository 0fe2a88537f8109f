/*
 * assembly.c - events in, Message out; see assembly.h. Which members of a
 * message_delta count, and that a missing stop_details removes the one from
 * message_start, is what the official SDK does.
 */
#include "daemon/claude/assembly.h"

#include "daemon/claude/block.h"
#include "daemon/claude/event.h"
#include "daemon/claude/facts.h"
#include "daemon/claude/object.h"
#include "protocol/jsonput.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BLOCKS 65536 /* a block costs more memory than its shortest spelling */

struct assembly {
	size_t max_bytes, fed; /* data of all events */
	struct object message; /* of message_start, with what came later */
	struct object usage;
	struct block *blocks; /* owned */
	size_t count, size;   /* of blocks */
	bool started, whole, has_content;
	struct bytes unassembled;
	struct assembly_facts facts;
	enum forebay_err failed; /* sticky */
	char why[240];
};

struct assembly *
assembly_new(size_t max_bytes)
{
	struct assembly *assembly = calloc(1, sizeof(*assembly));

	if (assembly)
		assembly->max_bytes = max_bytes;
	return assembly;
}

void
assembly_free(struct assembly *assembly)
{
	if (!assembly)
		return;
	for (size_t i = 0; i < assembly->count; i++)
		block_clear(&assembly->blocks[i]);
	free(assembly->blocks);
	object_clear(&assembly->message);
	object_clear(&assembly->usage);
	bytes_clear(&assembly->unassembled);
	free(assembly);
}

PRINTF_LIKE(2, 3)
static enum forebay_err
broken(struct assembly *assembly, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(assembly->why, sizeof(assembly->why), fmt, args);
	va_end(args);
	return FOREBAY_ERR_API_ERROR;
}

static enum forebay_err
added(bool ok)
{
	return ok ? FOREBAY_ERR_OK : FOREBAY_ERR_NO_MEMORY;
}

/* Keep data as one line: line ends in valid JSON are only white space. */
static enum forebay_err
keep_raw(struct assembly *assembly, const void *data, size_t len)
{
	size_t start = assembly->unassembled.len;

	if (!bytes_add(&assembly->unassembled, data, len) ||
	    !bytes_add(&assembly->unassembled, "\n", 1))
		return FOREBAY_ERR_NO_MEMORY;
	for (uint8_t *at = assembly->unassembled.at + start; len > 0; at++, len--)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
	return FOREBAY_ERR_OK;
}

/* A tool's input that was no JSON, as the one delta it might have been. */
static enum forebay_err
keep_input(struct assembly *assembly, size_t index, const struct bytes *input)
{
	CLEANUP(jsonput_clear) struct jsonput put = { 0 };

	jsonput_object(&put);
	jsonput_member_string(&put, "type", "content_block_delta");
	jsonput_member_int(&put, "index", (int64_t)index);
	jsonput_key(&put, "delta");
	jsonput_object(&put);
	jsonput_member_string(&put, "type", "input_json_delta");
	jsonput_key(&put, "partial_json");
	jsonput_quoted(&put, input->at, input->len);
	jsonput_end(&put);
	jsonput_end(&put);
	return put.failed ? FOREBAY_ERR_NO_MEMORY : keep_raw(assembly, put.bytes, put.len);
}

static enum forebay_err
finish_block(struct assembly *assembly, size_t index)
{
	struct bytes lost = { 0 };
	enum forebay_err err = block_finish(&assembly->blocks[index], &lost);

	if (err == FOREBAY_ERR_NOT_FOUND)
		err = keep_input(assembly, index, &lost);
	bytes_clear(&lost);
	return err;
}

static enum forebay_err
add_block(struct assembly *assembly, const uint8_t *json, size_t len)
{
	if (assembly->count == MAX_BLOCKS)
		return broken(assembly, "more than %d content blocks", MAX_BLOCKS);
	if (assembly->count == assembly->size) {
		size_t size = assembly->size ? assembly->size * 2 : 4;
		void *grown = realloc(assembly->blocks, size * sizeof(assembly->blocks[0]));

		if (!grown)
			return FOREBAY_ERR_NO_MEMORY;
		assembly->blocks = grown;
		assembly->size = size;
	}
	enum forebay_err err = block_start(&assembly->blocks[assembly->count++], json, len);

	return err == FOREBAY_ERR_API_ERROR ? broken(assembly, "a content block is no JSON object")
					    : err;
}

struct start_scan {
	struct assembly *assembly;
	const uint8_t *json;
	bool is_list;
	enum forebay_err err;
};

static bool
start_on_enter(const struct json_node *node, void *arg)
{
	struct start_scan *scan = arg;

	if (node->depth == 0)
		scan->is_list = node->kind == JSON_ARRAY;
	return node->depth == 0 && scan->is_list;
}

static void
start_on_value(const struct json_node *node, void *arg)
{
	struct start_scan *scan = arg;

	if (node->depth == 1 && !scan->err)
		scan->err = add_block(scan->assembly, scan->json + node->offset, node->len);
}

/* The blocks that message_start already has: none, as far as is known. */
static enum forebay_err
take_content(struct assembly *assembly)
{
	static const struct json_visitor visitor = { .enter = start_on_enter,
						     .value = start_on_value };
	const struct object_member *content = object_find(&assembly->message, "content");
	struct start_scan scan = { .assembly = assembly };
	struct json_result result;

	if (content) {
		scan.json = (const uint8_t *)content->value;
		if (!json_scan(scan.json, content->len, JSON_MAX_DEPTH, &visitor, &scan, &result))
			return FOREBAY_ERR_INTERNAL;
	}
	return scan.is_list ? scan.err : broken(assembly, "message_start has no list of content");
}

static enum forebay_err
take_message_start(struct assembly *assembly, const struct event *event)
{
	const struct event_part *message = &event->part[EVENT_MESSAGE];
	const struct object_member *usage;
	enum forebay_err err;
	char type[24];

	if (assembly->started)
		return broken(assembly, "message_start came twice");
	if (!message->at || message->kind != JSON_OBJECT)
		return broken(assembly, "message_start has no message");
	err = object_parse(&assembly->message, message->at, message->len);
	if (!err)
		err = take_content(assembly);
	usage = object_find(&assembly->message, "usage");
	if (!err && usage && usage->value[0] == '{')
		err = object_parse(&assembly->usage, (const uint8_t *)usage->value, usage->len);
	assembly->started = !err;
	if (!err && !facts_read(&assembly->facts, message->at, message->len, type))
		return FOREBAY_ERR_INTERNAL;
	return err;
}

/* The member is what the delta says, even if that is nothing. */
static enum forebay_err
overwrite(struct object *object, const char *key, const struct event_part *part)
{
	if (part->at)
		return object_set(object, key, part->at, part->len);
	object_remove(object, key);
	return FOREBAY_ERR_OK;
}

static enum forebay_err
set_if_said(struct object *object, const char *key, const struct event *event, enum event_key part)
{
	return event_has(event, part)
		   ? object_set(object, key, event->part[part].at, event->part[part].len)
		   : FOREBAY_ERR_OK;
}

/* Cumulative: overwritten, never added. */
static enum forebay_err
take_usage(struct object *usage, const struct event_part *part)
{
	static const char *const keys[] = {
		"output_tokens",
		"input_tokens",
		"cache_creation_input_tokens",
		"cache_read_input_tokens",
		"server_tool_use",
		"output_tokens_details",
		"iterations",
		"fallback_credit",
	};
	CLEANUP(object_clear) struct object fresh = { 0 };
	enum forebay_err err = object_parse(&fresh, part->at, part->len);

	for (size_t i = 0; i < ARRAY_LEN(keys) && !err; i++) {
		const struct object_member *member = object_find(&fresh, keys[i]);

		if (member && (i == 0 || strcmp(member->value, "null") != 0))
			err = object_set(usage, keys[i], member->value, member->len);
		else if (i == 0)
			object_remove(usage, keys[i]);
	}
	return err;
}

static enum forebay_err
take_message_delta(struct assembly *assembly, const struct event *event)
{
	struct object *message = &assembly->message;
	const struct event_part *usage = &event->part[EVENT_USAGE];
	enum forebay_err err;
	char type[24];

	err = overwrite(message, "stop_reason", &event->part[EVENT_STOP_REASON]);
	if (!err)
		err = overwrite(message, "stop_sequence", &event->part[EVENT_STOP_SEQUENCE]);
	if (!err)
		err = overwrite(message, "stop_details", &event->part[EVENT_STOP_DETAILS]);
	if (!err)
		err = set_if_said(message, "container", event, EVENT_CONTAINER);
	if (!err)
		err = set_if_said(message, "context_management", event, EVENT_CONTEXT_MANAGEMENT);
	if (!err)
		err = set_if_said(message, "input_transformations", event, EVENT_TRANSFORMATIONS);
	if (!err && usage->at && usage->kind == JSON_OBJECT)
		err = take_usage(&assembly->usage, usage);
	if (!err && !facts_read(&assembly->facts, event->data, event->len, type))
		return FOREBAY_ERR_INTERNAL;
	return err;
}

/* A server-side fallback: the block names the model that answers from here on. */
static enum forebay_err
take_fallback(struct assembly *assembly, const struct block *block)
{
	const struct object_member *to = object_find(&block->object, "to");
	CLEANUP(object_clear) struct object target = { 0 };
	const struct object_member *model = NULL;
	char type[24];

	if (!to || to->value[0] != '{' ||
	    object_parse(&target, (const uint8_t *)to->value, to->len) ||
	    !(model = object_find(&target, "model")))
		return FOREBAY_ERR_OK;
	if (!facts_read(&assembly->facts, (const uint8_t *)to->value, to->len, type))
		return FOREBAY_ERR_INTERNAL;
	return object_set(&assembly->message, "model", model->value, model->len);
}

static enum forebay_err
take_block_start(struct assembly *assembly, const struct event *event)
{
	const struct event_part *part = &event->part[EVENT_BLOCK];
	enum forebay_err err;

	if (!part->at)
		return broken(assembly, "content_block_start has no content_block");
	err = add_block(assembly, part->at, part->len);
	assembly->has_content |= !err;
	if (!err && object_is(&assembly->blocks[assembly->count - 1].object, "type", "fallback"))
		err = take_fallback(assembly, &assembly->blocks[assembly->count - 1]);
	return err;
}

static bool
has_block(const struct assembly *assembly, const struct event *event)
{
	return event->index >= 0 && (uint64_t)event->index < assembly->count;
}

static enum forebay_err
take_block_delta(struct assembly *assembly, const struct event *event)
{
	enum forebay_err err = FOREBAY_ERR_NOT_FOUND;

	assembly->has_content = true;
	if (has_block(assembly, event))
		err = block_add(&assembly->blocks[event->index], event);
	return err == FOREBAY_ERR_NOT_FOUND ? keep_raw(assembly, event->data, event->len) : err;
}

static enum forebay_err
take_block_stop(struct assembly *assembly, const struct event *event)
{
	return has_block(assembly, event) ? finish_block(assembly, (size_t)event->index)
					  : FOREBAY_ERR_OK;
}

static enum forebay_err
take_message_stop(struct assembly *assembly, const struct event *event)
{
	enum forebay_err err = FOREBAY_ERR_OK;

	(void)event;
	for (size_t i = 0; i < assembly->count && !err; i++)
		err = finish_block(assembly, i);
	assembly->whole = !err;
	return err;
}

static const struct handler {
	const char *type;
	enum forebay_err (*handle)(struct assembly *, const struct event *);
	enum assembly_step step;
} handlers[] = {
	{ "content_block_delta", take_block_delta, ASSEMBLY_PROGRESS },
	{ "content_block_start", take_block_start, ASSEMBLY_PROGRESS },
	{ "content_block_stop", take_block_stop, ASSEMBLY_PROGRESS },
	{ "message_start", take_message_start, ASSEMBLY_PROGRESS },
	{ "message_delta", take_message_delta, ASSEMBLY_PROGRESS },
	{ "message_stop", take_message_stop, ASSEMBLY_STOPPED },
};

/* An event that is JSON and of a type that may matter. */
static enum forebay_err
take_event(struct assembly *assembly, const struct event *event, enum assembly_step *ret)
{
	if (strcmp(event->type, "error") == 0)
		*ret = ASSEMBLY_FAILED;
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		const struct handler *handler = &handlers[i];

		if (strcmp(handler->type, event->type) != 0)
			continue;
		/* As for the SDK, nothing counts before the message has started. */
		if (!assembly->started && handler->handle != take_message_start)
			return FOREBAY_ERR_OK;
		*ret = handler->step;
		return handler->handle(assembly, event);
	}
	return FOREBAY_ERR_OK;
}

static enum forebay_err
feed(struct assembly *assembly, const uint8_t *data, size_t len, enum assembly_step *ret)
{
	struct json_result result;
	struct event event;

	assembly->fed += len;
	if (assembly->fed > assembly->max_bytes)
		return FOREBAY_ERR_TOO_BIG;
	if (!event_parse(&event, data, len, &result)) {
		char where[160] = "it is no object";

		if (result.error)
			json_explain(&result, data, where, sizeof(where));
		return broken(assembly, "an event is not valid JSON: %s", where);
	}
	return take_event(assembly, &event, ret);
}

enum forebay_err
assembly_feed(struct assembly *assembly, const char *name, const uint8_t *data, size_t len,
	      enum assembly_step *ret)
{
	*ret = ASSEMBLY_IDLE;
	if (assembly->failed)
		return assembly->failed;
	if (assembly->whole || !name[0] || len == 0 || strcmp(name, "ping") == 0)
		return FOREBAY_ERR_OK;
	if (strcmp(name, "error") == 0) {
		*ret = ASSEMBLY_FAILED;
		return FOREBAY_ERR_OK;
	}
	assembly->failed = feed(assembly, data, len, ret);
	return assembly->failed;
}

bool
assembly_has_content(const struct assembly *assembly)
{
	return assembly->has_content;
}

bool
assembly_is_whole(const struct assembly *assembly)
{
	return assembly->whole;
}

bool
assembly_is_unassembled(const struct assembly *assembly)
{
	return assembly->unassembled.len > 0;
}

const struct assembly_facts *
assembly_facts(const struct assembly *assembly)
{
	return &assembly->facts;
}

const char *
assembly_why(const struct assembly *assembly)
{
	return assembly->why;
}

const char *
assembly_unassembled(const struct assembly *assembly, size_t *ret_len)
{
	*ret_len = assembly->unassembled.len;
	return assembly->unassembled.at ? (const char *)assembly->unassembled.at : "";
}

static void
put_object(struct jsonput *put, const struct object *object)
{
	jsonput_object(put);
	for (size_t i = 0; i < object->count; i++)
		jsonput_member_raw(put, object->members[i].key, object->members[i].value,
				   object->members[i].len);
	jsonput_end(put);
}

static void
put_content(struct jsonput *put, const struct assembly *assembly)
{
	jsonput_array(put);
	for (size_t i = 0; i < assembly->count; i++)
		block_put(&assembly->blocks[i], put);
	jsonput_end(put);
}

static void
put_message(struct jsonput *put, const struct assembly *assembly)
{
	jsonput_object(put);
	for (size_t i = 0; i < assembly->message.count; i++) {
		const struct object_member *member = &assembly->message.members[i];

		jsonput_key(put, member->key);
		if (strcmp(member->key, "content") == 0)
			put_content(put, assembly);
		else if (strcmp(member->key, "usage") == 0 && assembly->usage.count > 0)
			put_object(put, &assembly->usage);
		else
			jsonput_raw(put, member->value, member->len);
	}
	jsonput_end(put);
}

enum forebay_err
assembly_take(struct assembly *assembly, char **ret, size_t *ret_len)
{
	struct jsonput put = { 0 };

	*ret = NULL;
	*ret_len = 0;
	if (!assembly->started)
		return FOREBAY_ERR_API_ERROR;
	for (size_t i = 0; i < assembly->count; i++) {
		enum forebay_err err = finish_block(assembly, i);

		if (err)
			return err;
	}
	put_message(&put, assembly);
	*ret = jsonput_take(&put, ret_len);
	return added(*ret != NULL);
}
