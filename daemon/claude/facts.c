/*
 * facts.c - see facts.h. In a Message the facts stand at the top and in usage,
 * in the event message_delta in delta and usage; the names do not collide.
 */
#include "daemon/claude/facts.h"

#include "protocol/json.h"

#include <string.h>

#define TEXT(field)                                                                                \
	offsetof(struct assembly_facts, field), sizeof(((struct assembly_facts *)0)->field)
#define NUMBER(field) offsetof(struct assembly_facts, field), 0

/* clang-format off */
static const struct fact {
	const char *key;
	size_t offset; /* in struct assembly_facts */
	size_t size;   /* of a text; 0: a number */
} rows[] = {
	{ "id",                          TEXT(id) },
	{ "model",                       TEXT(model) },
	{ "stop_reason",                 TEXT(stop_reason) },
	{ "input_tokens",                NUMBER(input_tokens) },
	{ "output_tokens",               NUMBER(output_tokens) },
	{ "cache_read_input_tokens",     NUMBER(cache_read_tokens) },
	{ "cache_creation_input_tokens", NUMBER(cache_write_tokens) },
};
/* clang-format on */

struct facts_scan {
	struct assembly_facts *facts;
	const uint8_t *json;
	char *type;
};

static bool
facts_on_enter(const struct json_node *node, void *arg)
{
	(void)arg;
	return node->kind == JSON_OBJECT &&
	       (node->depth == 0 ||
		(node->depth == 1 && (json_key_is(node, "usage") || json_key_is(node, "delta"))));
}

static void
take_text(const struct facts_scan *scan, const struct json_node *node, char *ret, size_t size)
{
	char decoded[512];
	size_t len = json_decode(scan->json + node->offset, node->len, decoded, sizeof(decoded));

	/* A word too long for its place, or with control characters, is none. */
	if (len >= size)
		return;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)decoded[i] < 0x20)
			return;
	memcpy(ret, decoded, len + 1);
}

static void
take_fact(const struct facts_scan *scan, const struct json_node *node, const struct fact *fact)
{
	char *place = (char *)scan->facts + fact->offset;
	int64_t number;

	if (fact->size > 0 && node->kind == JSON_STRING) {
		take_text(scan, node, place, fact->size);
	} else if (fact->size == 0 && node->kind == JSON_NUMBER &&
		   json_whole(scan->json + node->offset, node->len, &number) && number >= 0) {
		memcpy(place, &number, sizeof(number));
	}
}

static void
facts_on_value(const struct json_node *node, void *arg)
{
	struct facts_scan *scan = arg;

	if (node->depth == 1 && node->kind == JSON_STRING && json_key_is(node, "type"))
		take_text(scan, node, scan->type, 24);
	if (node->depth != 1 && node->depth != 2)
		return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (json_key_is(node, rows[i].key))
			take_fact(scan, node, &rows[i]);
}

bool
facts_read(struct assembly_facts *facts, const uint8_t *json, size_t len, char ret_type[static 24])
{
	static const struct json_visitor visitor = { .enter = facts_on_enter,
						     .value = facts_on_value };
	struct facts_scan scan = { facts, json, ret_type };
	struct json_result result;

	ret_type[0] = '\0';
	return json_scan(json, len, JSON_MAX_DEPTH, &visitor, &scan, &result);
}

enum forebay_err
assembly_from_plain(const uint8_t *buf, size_t len, struct assembly_facts *ret)
{
	char type[24];

	*ret = (struct assembly_facts){ 0 };
	return facts_read(ret, buf, len, type) && strcmp(type, "message") == 0
		   ? FOREBAY_ERR_OK
		   : FOREBAY_ERR_API_ERROR;
}
