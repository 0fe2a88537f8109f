/*
 * fuzz_json.c - whatever the bytes: no step outside them, and what the scanner
 * says holds: spans lie inside each other, json-c agrees with what it accepts,
 * and strings decode into their own length.
 */
#include "protocol/json.h"
#include "protocol/jsonput.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	const uint8_t *data;
	size_t size;
	size_t last; /* values end in order */
};

static bool
walk_on_enter(const struct json_node *node, void *arg)
{
	const struct walk *walk = arg;

	if (node->offset >= walk->size || node->depth >= JSON_MAX_DEPTH)
		abort();
	return node->depth % 7 != 6;
}

/* A string decodes, and what it means can be written again. */
static void
check_string(const uint8_t *string, size_t len)
{
	struct json_result result;
	struct jsonput put = { 0 };
	char *text = malloc(len);
	size_t text_len = json_decode(string, len, text, len), again_len;

	if (text_len == SIZE_MAX)
		abort();
	jsonput_string_len(&put, text, text_len);
	char *again = jsonput_take(&put, &again_len);

	if (!again || !json_valid((const uint8_t *)again, again_len, 0, &result))
		abort();
	free(again);
	free(text);
}

static void
walk_on_value(const struct json_node *node, void *arg)
{
	struct walk *walk = arg;
	const uint8_t *value = walk->data + node->offset;
	int64_t number;

	if (node->len == 0 || node->offset + node->len > walk->size ||
	    node->offset + node->len < walk->last)
		abort();
	walk->last = node->offset + node->len;
	if (node->kind == JSON_STRING)
		check_string(value, node->len);
	else if (node->kind == JSON_NUMBER)
		(void)json_whole(value, node->len, &number);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_visitor visitor = { .enter = walk_on_enter,
						     .value = walk_on_value };
	struct walk walk = { data, size, 0 };
	struct json_result visited, plain;
	char why[200];
	bool ok = json_scan(data, size, 100, &visitor, &walk, &visited);

	if (ok != json_valid(data, size, 100, &plain) || ok != (visited.error == NULL) ||
	    visited.error_at != plain.error_at)
		abort();
	if (!ok) {
		if (plain.error_at > size)
			abort();
		json_explain(&plain, data, why, sizeof(why));
		return 0;
	}
	/* json-c is laxer: what is strict JSON it must take. */
	struct json_tokener *tokener = json_tokener_new_ex(200);

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json_object_put(json_tokener_parse_ex(tokener, (const char *)data, (int)size));
	enum json_tokener_error error = json_tokener_get_error(tokener);

	/* A number or word may still go on; tell it that it does not. */
	if (error == json_tokener_continue) {
		json_object_put(json_tokener_parse_ex(tokener, "", 1));
		error = json_tokener_get_error(tokener);
	}
	json_tokener_free(tokener);
	if (error != json_tokener_success)
		abort();
	return 0;
}
