/*
 * message.c - parsed JSON behind getters; the only file of protocol/ that
 * includes json-c. A struct message is a json_object under another name: never
 * defined, only cast. The strict scanner reads the bytes first, json-c builds.
 */
#include "protocol/message.h"

#include "protocol/json.h"
#include "protocol/value.h"

#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond it a double, and with it many a client's only number, skips some. */
#define WHOLE_MAX 9007199254740992.0

static json_object *
object_of(const struct message *message)
{
	return (json_object *)message; /* json-c's getters take no const */
}

static const struct message *
message_of(json_object *object)
{
	return (const struct message *)object;
}

/* Members of all objects below value. Those of a key that occurs twice are one
 * here and two for the scanner: that is how duplicates are found. The depth is
 * bounded by the scanner. */
static size_t
count_members(json_object *value)
{
	size_t count = 0;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			count += count_members(json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			(void)key;
			count += 1 + count_members(member);
		}
	}
	return count;
}

/* The tree of bytes that the scanner has accepted; NULL when out of memory. */
static json_object *
build(const uint8_t *buf, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(MESSAGE_MAX_DEPTH + 2);
	json_object *object = NULL;

	if (!tokener)
		return NULL;
	object = json_tokener_parse_ex(tokener, (const char *)buf, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

/* What the scanner can see: NULL, or a sentence in why. */
static bool
scan(const uint8_t *buf, size_t len, size_t max_len, struct json_result *ret, char *why)
{
	char where[MESSAGE_WHY_LEN - 32];

	if (len > max_len || len > INT_MAX) {
		snprintf(why, MESSAGE_WHY_LEN, "the JSON is %zu bytes long, the limit is %zu", len,
			 MIN(max_len, (size_t)INT_MAX));
		return false;
	}
	if (!json_valid(buf, len, MESSAGE_MAX_DEPTH, ret)) {
		json_explain(ret, buf, where, sizeof(where));
		snprintf(why, MESSAGE_WHY_LEN, "not valid JSON: %s", where);
		return false;
	}
	return true;
}

enum forebay_err
message_parse(const uint8_t *buf, size_t len, size_t max_len, struct message **ret,
	      char why[static MESSAGE_WHY_LEN])
{
	struct json_result result;
	json_object *object;

	why[0] = '\0';
	if (!scan(buf, len, max_len, &result, why))
		return FOREBAY_ERR_BAD_REQUEST;
	if (buf[strspn((const char *)buf, " \t\r\n")] != '{') {
		snprintf(why, MESSAGE_WHY_LEN, "expected a JSON object: {\"...\": ...}");
		return FOREBAY_ERR_BAD_REQUEST;
	}
	object = build(buf, len);
	if (!object) {
		snprintf(why, MESSAGE_WHY_LEN, "out of memory");
		return FOREBAY_ERR_NO_MEMORY;
	}
	if (count_members(object) != result.members) {
		json_object_put(object);
		snprintf(why, MESSAGE_WHY_LEN, "a member occurs twice in the same JSON object");
		return FOREBAY_ERR_BAD_REQUEST;
	}
	*ret = (struct message *)object;
	return FOREBAY_ERR_OK;
}

void
message_free(struct message *message)
{
	json_object_put(object_of(message));
}

/* --- any value ------------------------------------------------------------- */

const struct message *
value_member(const struct message *object, const char *name)
{
	json_object *member = NULL;

	if (!json_object_is_type(object_of(object), json_type_object))
		return NULL;
	json_object_object_get_ex(object_of(object), name, &member);
	return message_of(member);
}

const struct message *
value_item(const struct message *array, size_t i)
{
	if (i >= value_count(array))
		return NULL;
	return message_of(json_object_array_get_idx(object_of(array), i));
}

size_t
value_count(const struct message *array)
{
	if (value_kind(array) != JSON_ARRAY)
		return 0;
	return json_object_array_length(object_of(array));
}

enum json_kind
value_kind(const struct message *value)
{
	switch (json_object_get_type(object_of(value))) {
	case json_type_boolean:
		return JSON_BOOL;
	case json_type_double:
	case json_type_int:
		return JSON_NUMBER;
	case json_type_object:
		return JSON_OBJECT;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_string:
		return JSON_STRING;
	case json_type_null:
		break;
	}
	return JSON_NULL;
}

const char *
value_string(const struct message *value, size_t *ret_len)
{
	if (value_kind(value) != JSON_STRING)
		return NULL;
	*ret_len = (size_t)json_object_get_string_len(object_of(value));
	return json_object_get_string(object_of(value));
}

bool
value_whole(const struct message *value, int64_t *ret)
{
	double number;

	if (value_kind(value) != JSON_NUMBER)
		return false;
	number = json_object_get_double(object_of(value));
	if (!(fabs(number) <= WHOLE_MAX) || number != floor(number))
		return false;
	*ret = json_object_is_type(object_of(value), json_type_int)
		   ? json_object_get_int64(object_of(value))
		   : (int64_t)number;
	return true;
}

bool
value_bool(const struct message *value)
{
	return value_kind(value) == JSON_BOOL && json_object_get_boolean(object_of(value));
}

void
value_spell(const struct message *value, char *ret, size_t size)
{
	const char *text =
	    json_object_to_json_string_ext(object_of(value), JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = text ? strlen(text) : 0;

	if (!text || len < size) {
		snprintf(ret, size, "%s", text ? text : "something");
		return;
	}
	len = size - sizeof("...");
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) /* not inside a character */
		len--;
	snprintf(ret, size, "%.*s...", (int)len, text);
}

/* --- members of an object -------------------------------------------------- */

bool
message_has(const struct message *message, const char *name)
{
	return value_member(message, name) != NULL;
}

/* A string as C understands it: one that holds a NUL is no answer. */
static const char *
text_of(const struct message *value)
{
	size_t len;
	const char *text = value_string(value, &len);

	return text && strlen(text) == len ? text : NULL;
}

const char *
message_text(const struct message *message, const char *name, const char *otherwise)
{
	const char *text = text_of(value_member(message, name));

	return text ? text : otherwise;
}

int64_t
message_int(const struct message *message, const char *name, int64_t otherwise)
{
	int64_t number;

	return value_whole(value_member(message, name), &number) ? number : otherwise;
}

double
message_double(const struct message *message, const char *name, double otherwise)
{
	const struct message *value = value_member(message, name);
	double number;

	if (value_kind(value) != JSON_NUMBER)
		return otherwise;
	number = json_object_get_double(object_of(value));
	return isfinite(number) ? number : otherwise;
}

bool
message_bool(const struct message *message, const char *name, bool otherwise)
{
	const struct message *value = value_member(message, name);

	return value_kind(value) == JSON_BOOL ? value_bool(value) : otherwise;
}

const struct message *
message_object(const struct message *message, const char *name)
{
	const struct message *value = value_member(message, name);

	return value_kind(value) == JSON_OBJECT ? value : NULL;
}

size_t
message_count(const struct message *message, const char *name)
{
	return value_count(value_member(message, name));
}

const struct message *
message_item(const struct message *message, const char *name, size_t i)
{
	const struct message *value = value_item(value_member(message, name), i);

	return value_kind(value) == JSON_OBJECT ? value : NULL;
}

const char *
message_item_text(const struct message *message, const char *name, size_t i)
{
	return text_of(value_item(value_member(message, name), i));
}

const char *
message_member(const struct message *message, size_t i)
{
	if (value_kind(message) != JSON_OBJECT)
		return NULL;
	json_object_object_foreach(object_of(message), key, member)
	{
		(void)member;
		if (i-- == 0)
			return key;
	}
	return NULL;
}
