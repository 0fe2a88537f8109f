/*
 * mend.c - see mend.h. The scanner tells of each container that begins and each
 * value that ends; the last such place is where the document can be closed.
 */
#include "daemon/claude/mend.h"

#include "protocol/json.h"

struct mend_scan {
	size_t len;		      /* of the document */
	size_t cut;		      /* it can be closed behind this many bytes, */
	unsigned open;		      /* with so many brackets */
	char closing[JSON_MAX_DEPTH]; /* these, innermost last */
};

static bool
mend_on_enter(const struct json_node *node, void *arg)
{
	struct mend_scan *scan = arg;

	scan->closing[node->depth] = node->kind == JSON_OBJECT ? '}' : ']';
	scan->open = node->depth + 1;
	scan->cut = node->offset + 1;
	return true;
}

static void
mend_on_value(const struct json_node *node, void *arg)
{
	struct mend_scan *scan = arg;
	size_t end = node->offset + node->len;

	/* More digits might have followed. */
	if (node->kind == JSON_NUMBER && end == scan->len)
		return;
	scan->open = node->depth;
	scan->cut = end;
}

enum forebay_err
mend(const uint8_t *json, size_t len, struct bytes *ret)
{
	static const struct json_visitor visitor = { .enter = mend_on_enter,
						     .value = mend_on_value };
	struct mend_scan scan = { .len = len };
	struct json_result result;

	if (!json_scan(json, len, JSON_MAX_DEPTH, &visitor, &scan, &result) &&
	    (!result.truncated || scan.cut == 0))
		return FOREBAY_ERR_API_ERROR;
	if (!bytes_add(ret, json, scan.cut))
		return FOREBAY_ERR_NO_MEMORY;
	while (scan.open > 0)
		if (!bytes_add(ret, &scan.closing[--scan.open], 1))
			return FOREBAY_ERR_NO_MEMORY;
	return FOREBAY_ERR_OK;
}
