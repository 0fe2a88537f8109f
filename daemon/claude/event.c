/*
 * event.c - see event.h.
 */
#include "daemon/claude/event.h"

#include <string.h>

static const struct event_name {
	const char *name;
	size_t len;
} names[] = {
#define X(KEY, spelled) [EVENT_##KEY] = { spelled, sizeof(spelled) - 1 },
	EVENT_KEYS(X) EVENT_DELTA_KEYS(X)
#undef X
};

static bool
event_on_enter(const struct json_node *node, void *arg)
{
	(void)arg;
	return node->kind == JSON_OBJECT &&
	       (node->depth == 0 || (node->depth == 1 && json_key_is(node, "delta")));
}

static void
event_on_value(const struct json_node *node, void *arg)
{
	struct event *event = arg;
	enum event_key key = node->depth == 1 ? 0 : EVENT_FIRST_DELTA_KEY;
	enum event_key end = node->depth == 1 ? EVENT_FIRST_DELTA_KEY : EVENT_KEY_COUNT;

	if (node->depth == 0)
		return;
	for (; key < end; key++) {
		if (node->key_len != names[key].len ||
		    memcmp(node->key, names[key].name, node->key_len) != 0)
			continue;
		event->part[key].at = event->data + node->offset;
		event->part[key].len = node->len;
		event->part[key].kind = node->kind;
		return;
	}
}

static void
decode(const struct event_part *part, char *ret, size_t size)
{
	if (!part->at || part->kind != JSON_STRING ||
	    json_decode(part->at, part->len, ret, size) == SIZE_MAX)
		ret[0] = '\0';
}

bool
event_parse(struct event *ret, const uint8_t *data, size_t len, struct json_result *result)
{
	static const struct json_visitor visitor = { .enter = event_on_enter,
						     .value = event_on_value };
	const struct event_part *index = &ret->part[EVENT_INDEX];

	memset(ret, 0, sizeof(*ret));
	ret->data = data;
	ret->len = len;
	ret->index = -1;
	if (!json_scan(data, len, JSON_MAX_DEPTH, &visitor, ret, result))
		return false;
	decode(&ret->part[EVENT_TYPE], ret->type, sizeof(ret->type));
	decode(&ret->part[EVENT_DELTA_TYPE], ret->delta_type, sizeof(ret->delta_type));
	if (index->at && index->kind == JSON_NUMBER)
		(void)json_whole(index->at, index->len, &ret->index);
	return data[strspn((const char *)data, " \t\r\n")] == '{';
}

bool
event_has(const struct event *event, enum event_key key)
{
	return event->part[key].at && event->part[key].kind != JSON_NULL;
}
