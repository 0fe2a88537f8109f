/*
 * object.c - see object.h.
 */
#include "daemon/claude/object.h"

#include "protocol/json.h"

#include <stdlib.h>
#include <string.h>

static char *
copy(const void *bytes, size_t len)
{
	char *text = malloc(len + 1);

	if (text) {
		memcpy(text, bytes, len);
		text[len] = '\0';
	}
	return text;
}

static struct object_member *
find(const struct object *object, const char *key, size_t len)
{
	for (size_t i = 0; i < object->count; i++) {
		struct object_member *member = &object->members[i];

		if (strncmp(member->key, key, len) == 0 && member->key[len] == '\0')
			return member;
	}
	return NULL;
}

/* A new member at the end, with its key. */
static enum forebay_err
add(struct object *object, const char *key, size_t len, struct object_member **ret)
{
	if (object->count == OBJECT_MAX_MEMBERS)
		return FOREBAY_ERR_API_ERROR;
	if (object->count == object->size) {
		size_t size = object->size ? object->size * 2 : 8;
		void *grown = realloc(object->members, size * sizeof(object->members[0]));

		if (!grown)
			return FOREBAY_ERR_NO_MEMORY;
		object->members = grown;
		object->size = size;
	}
	struct object_member *member = &object->members[object->count];

	*member = (struct object_member){ .key = copy(key, len) };
	if (!member->key)
		return FOREBAY_ERR_NO_MEMORY;
	object->count++;
	*ret = member;
	return FOREBAY_ERR_OK;
}

static enum forebay_err
set(struct object *object, const char *key, size_t key_len, const void *json, size_t len)
{
	struct object_member *member = find(object, key, key_len);
	char *value = copy(json, len);
	enum forebay_err err = value ? FOREBAY_ERR_OK : FOREBAY_ERR_NO_MEMORY;

	if (!err && !member)
		err = add(object, key, key_len, &member);
	if (err) {
		free(value);
		return err;
	}
	free(member->value);
	member->value = value;
	member->len = len;
	return FOREBAY_ERR_OK;
}

struct object_scan {
	struct object *object;
	const uint8_t *json;
	bool is_object;
	enum forebay_err err;
};

static bool
object_on_enter(const struct json_node *node, void *arg)
{
	struct object_scan *scan = arg;

	if (node->depth == 0)
		scan->is_object = node->kind == JSON_OBJECT;
	return node->depth == 0 && scan->is_object;
}

/* A key spelled with escapes is kept as what it means. */
static enum forebay_err
set_decoded(struct object *object, const struct json_node *node, const uint8_t *value)
{
	const uint8_t *quoted = (const uint8_t *)node->key - 1;
	char *key = malloc(node->key_len + 2);
	enum forebay_err err = FOREBAY_ERR_NO_MEMORY;

	if (key) {
		size_t len = json_decode(quoted, node->key_len + 2, key, node->key_len + 2);

		err = strlen(key) == len ? set(object, key, len, value, node->len)
					 : FOREBAY_ERR_API_ERROR;
	}
	free(key);
	return err;
}

static void
object_on_value(const struct json_node *node, void *arg)
{
	struct object_scan *scan = arg;
	const uint8_t *value = scan->json + node->offset;

	if (node->depth != 1 || scan->err)
		return;
	scan->err = node->key_escaped
			? set_decoded(scan->object, node, value)
			: set(scan->object, node->key, node->key_len, value, node->len);
}

enum forebay_err
object_parse(struct object *object, const uint8_t *json, size_t len)
{
	static const struct json_visitor visitor = { .enter = object_on_enter,
						     .value = object_on_value };
	struct object_scan scan = { .object = object, .json = json };
	struct json_result result;

	if (!json_scan(json, len, JSON_MAX_DEPTH, &visitor, &scan, &result) || !scan.is_object)
		return FOREBAY_ERR_API_ERROR;
	return scan.err;
}

static void
member_clear(struct object_member *member)
{
	free(member->key);
	free(member->value);
}

void
object_clear(struct object *object)
{
	for (size_t i = 0; i < object->count; i++)
		member_clear(&object->members[i]);
	free(object->members);
	*object = (struct object){ 0 };
}

const struct object_member *
object_find(const struct object *object, const char *key)
{
	return find(object, key, strlen(key));
}

enum forebay_err
object_set(struct object *object, const char *key, const void *json, size_t len)
{
	return set(object, key, strlen(key), json, len);
}

void
object_remove(struct object *object, const char *key)
{
	struct object_member *member = find(object, key, strlen(key));

	if (!member)
		return;
	member_clear(member);
	object->count--;
	memmove(member, member + 1,
		(size_t)(object->members + object->count - member) * sizeof(*member));
}

bool
object_is(const struct object *object, const char *key, const char *text)
{
	const struct object_member *member = object_find(object, key);
	char decoded[64];

	return member && member->value[0] == '"' &&
	       json_decode((const uint8_t *)member->value, member->len, decoded, sizeof(decoded)) ==
		   strlen(text) &&
	       strcmp(decoded, text) == 0;
}
