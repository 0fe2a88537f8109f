/*
 * body.c - one pass over a Messages request for the facts; see body.h. What is
 * done with them lies in edits.c.
 */
#include "daemon/claude/body.h"

#include "protocol/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Images and documents come as base64 in one long string. */
#define BLOB_MIN_BYTES	 16384
#define BLOB_PROBE	 256
/* An image costs at most about 1,600 tokens, a page of a document some 3,000
 * in 100 KB or more of base64. */
#define BLOB_TOKENS	 1600
#define BLOB_TOKEN_BYTES 200
#define TEXT_TOKEN_BYTES 4

static const char *const names[] = {
#define X(KEY, spelled, once) [BODY_##KEY] = spelled,
	BODY_KEYS(X)
#undef X
};

static const bool only_once[] = {
#define X(KEY, spelled, once) [BODY_##KEY] = once,
	BODY_KEYS(X)
#undef X
};

struct body_scan {
	const uint8_t *buf;
	struct body_facts *facts;
	enum body_key inside; /* the top-level member being looked into */
	enum body_role role;  /* of the message being looked into */
	bool elements;	      /* messages has any */
	enum json_kind kind;  /* of the document */
	char *why;	      /* of the first thing wrong; "" so far */
	size_t why_len;
};

const char *
body_key_name(enum body_key key)
{
	return names[key];
}

static enum body_key
find_key(const char *word, size_t len)
{
	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++)
		if (strlen(names[key]) == len && memcmp(names[key], word, len) == 0)
			return key;
	return BODY_KEY_COUNT;
}

static bool
has_complaint(const struct body_scan *scan)
{
	return scan->why[0] != '\0';
}

PRINTF_LIKE(2, 3)
static void
complain(struct body_scan *scan, const char *fmt, ...)
{
	va_list args;

	if (has_complaint(scan))
		return;
	va_start(args, fmt);
	vsnprintf(scan->why, scan->why_len, fmt, args);
	va_end(args);
}

/* The wanted key that this one only means: another parser would read it as
 * such. BODY_KEY_COUNT if none. */
static enum body_key
find_escaped_key(struct body_scan *scan, const struct json_node *node)
{
	const uint8_t *quoted = (const uint8_t *)node->key - 1;
	char word[256];

	if (json_decode(quoted, node->key_len + 2, word, sizeof(word)) == SIZE_MAX)
		return BODY_KEY_COUNT;
	/* Up to a NUL, where a parser in C would stop. */
	enum body_key key = find_key(word, strlen(word));

	if (key != BODY_KEY_COUNT && only_once[key])
		complain(scan,
			 "the key at byte %zu means \"%s\" but is spelled with escapes; "
			 "write it plainly",
			 (size_t)(quoted - scan->buf), names[key]);
	return key;
}

static bool
decode(const struct body_scan *scan, const struct json_node *node, char *ret, size_t size)
{
	if (node->kind == JSON_STRING) {
		size_t len = json_decode(scan->buf + node->offset, node->len, ret, size);

		if (len != SIZE_MAX && strlen(ret) == len)
			return true;
	}
	ret[0] = '\0';
	return false;
}

static bool
is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void
take_model(struct body_scan *scan, const struct json_node *node)
{
	struct body_facts *facts = scan->facts;

	if (!decode(scan, node, facts->model, sizeof(facts->model)) || facts->model[0] == '\0' ||
	    !is_printable(facts->model))
		complain(scan,
			 "\"model\" (byte %zu) must be a string of 1 to %zu printable bytes, "
			 "such as \"claude-opus-5-5\"",
			 node->offset, sizeof(facts->model) - 1);
}

static void
take_max_tokens(struct body_scan *scan, const struct json_node *node)
{
	int64_t *ret = &scan->facts->max_tokens;

	if (node->kind != JSON_NUMBER || !json_whole(scan->buf + node->offset, node->len, ret) ||
	    *ret < 0)
		complain(scan, "\"max_tokens\" (byte %zu) must be a whole number, 0 or more",
			 node->offset);
}

/* Not null: the API is asked for something that it keeps for one model. */
static void
take_state(struct body_scan *scan, enum body_key key)
{
	if (key == BODY_CONTAINER)
		scan->facts->state = "container";
	else if (key == BODY_THREAD)
		scan->facts->state = "message thread";
	else if (key == BODY_FALLBACK_CREDIT)
		scan->facts->state = "fallback credit";
}

/* A top-level value has ended. */
static void
take_member(struct body_scan *scan, const struct json_node *node)
{
	enum body_key key =
	    node->key_escaped ? find_escaped_key(scan, node) : find_key(node->key, node->key_len);
	size_t key_at = (size_t)((const uint8_t *)node->key - 1 - scan->buf);

	if (key == BODY_KEY_COUNT)
		return;
	struct body_span *span = &scan->facts->at[key];

	if (span->len > 0 && only_once[key])
		complain(scan, "\"%s\" appears twice, at bytes %zu and %zu; say it once",
			 names[key], span->key, key_at);
	*span = (struct body_span){ key_at, node->offset, node->len };
	if (node->kind != JSON_NULL)
		take_state(scan, key);
	if (key == BODY_MODEL)
		take_model(scan, node);
	else if (key == BODY_MAX_TOKENS)
		take_max_tokens(scan, node);
	else if (key == BODY_STREAM && node->kind == JSON_BOOL)
		scan->facts->stream = scan->buf[node->offset] == 't';
	else if (key == BODY_STREAM && node->kind != JSON_NULL)
		complain(scan, "\"stream\" (byte %zu) must be true or false", node->offset);
	else if (key == BODY_MESSAGES && (node->kind != JSON_ARRAY || !scan->elements))
		complain(scan, "\"messages\" (byte %zu) must be a list of at least one message",
			 node->offset);
}

/* A member of thinking, tool_choice, output_config or diagnostics has ended. */
static void
take_option(struct body_scan *scan, const struct json_node *node)
{
	struct body_facts *facts = scan->facts;

	if (scan->inside == BODY_THINKING && json_key_is(node, "type"))
		(void)decode(scan, node, facts->thinking, sizeof(facts->thinking));
	else if (scan->inside == BODY_THINKING && json_key_is(node, "budget_tokens") &&
		 node->kind == JSON_NUMBER)
		(void)json_whole(scan->buf + node->offset, node->len, &facts->thinking_budget);
	else if (scan->inside == BODY_TOOL_CHOICE && json_key_is(node, "type"))
		(void)decode(scan, node, facts->tool_choice, sizeof(facts->tool_choice));
	else if (scan->inside == BODY_OUTPUT_CONFIG && json_key_is(node, "effort"))
		(void)decode(scan, node, facts->effort, sizeof(facts->effort));
	else if (scan->inside == BODY_OUTPUT_CONFIG && json_key_is(node, "format") &&
		 node->kind == JSON_OBJECT)
		facts->format = (struct body_span){ 0, node->offset, node->len };
	else if (scan->inside == BODY_DIAGNOSTICS && json_key_is(node, "previous_message_id") &&
		 node->kind != JSON_NULL)
		facts->state = "diagnostics of an earlier message";
}

static void
take_role(struct body_scan *scan, const struct json_node *node)
{
	char role[16];

	if (!json_key_is(node, "role"))
		return;
	(void)decode(scan, node, role, sizeof(role));
	scan->role = strcmp(role, "user") == 0	      ? BODY_ROLE_USER
		     : strcmp(role, "assistant") == 0 ? BODY_ROLE_ASSISTANT
						      : BODY_ROLE_OTHER;
}

static bool
body_on_enter(const struct json_node *node, void *arg)
{
	struct body_scan *scan = arg;

	if (node->depth == 0)
		return node->kind == JSON_OBJECT;
	if (node->depth == 2) {
		scan->role = BODY_ROLE_OTHER;
		return scan->inside == BODY_MESSAGES && node->kind == JSON_OBJECT;
	}
	if (node->depth > 2)
		return false;
	scan->inside = find_key(node->key, node->key_len);
	switch (scan->inside) {
	case BODY_MESSAGES:
		return node->kind == JSON_ARRAY;
	case BODY_THINKING:
	case BODY_TOOL_CHOICE:
	case BODY_OUTPUT_CONFIG:
	case BODY_DIAGNOSTICS:
		return node->kind == JSON_OBJECT;
	default:
		return false;
	}
}

static void
body_on_value(const struct json_node *node, void *arg)
{
	struct body_scan *scan = arg;

	if (node->depth == 0) {
		scan->kind = node->kind;
		scan->facts->open = node->offset;
	} else if (node->depth == 1) {
		take_member(scan, node);
	} else if (node->depth == 2 && scan->inside == BODY_MESSAGES) {
		scan->elements = true;
		scan->facts->last_role = node->kind == JSON_OBJECT ? scan->role : BODY_ROLE_OTHER;
	} else if (node->depth == 2) {
		take_option(scan, node);
	} else if (node->depth == 3) {
		take_role(scan, node);
	}
}

static bool
is_base64(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("+/=\\-_", c);
}

static void
body_on_long_string(const uint8_t *string, size_t len, void *arg)
{
	struct body_scan *scan = arg;

	for (size_t i = 1; i <= BLOB_PROBE; i++)
		if (!is_base64(string[i]))
			return;
	if (memchr(string, ' ', len))
		return;
	scan->facts->blob_count++;
	scan->facts->blob_bytes += len;
}

static void
check_presence(struct body_scan *scan, bool needs_model)
{
	const struct body_facts *facts = scan->facts;

	if (scan->kind != JSON_OBJECT)
		complain(scan,
			 "the body must be a JSON object: {\"model\": ..., \"messages\": ...}");
	if (facts->at[BODY_MESSAGES].len == 0)
		complain(scan,
			 "\"messages\" is missing; it must be a list of at least one message");
	if (facts->at[BODY_MODEL].len == 0 && needs_model)
		complain(scan, "\"model\" is missing; name one in the body or as an option, "
			       "such as \"claude-opus-5-5\"");
}

static enum forebay_err
scan_body(const uint8_t *buf, size_t len, bool needs_model, struct body_facts *ret, char *why,
	  size_t why_len)
{
	static const struct json_visitor visitor = { body_on_enter, body_on_value,
						     body_on_long_string, BLOB_MIN_BYTES };
	struct body_scan scan = { .buf = buf, .facts = ret, .why = why, .why_len = why_len };
	struct json_result result;

	*ret = (struct body_facts){ .max_tokens = -1, .thinking_budget = -1 };
	why[0] = '\0';
	if (!json_scan(buf, len, JSON_MAX_DEPTH, &visitor, &scan, &result)) {
		char where[160];

		json_explain(&result, buf, where, sizeof(where));
		snprintf(why, why_len, "the body is not valid JSON: %s", where);
		return FOREBAY_ERR_INVALID_BODY;
	}
	check_presence(&scan, needs_model);
	return has_complaint(&scan) ? FOREBAY_ERR_INVALID_BODY : FOREBAY_ERR_OK;
}

enum forebay_err
body_scan(const uint8_t *buf, size_t len, struct body_facts *ret, char *why, size_t why_len)
{
	return scan_body(buf, len, true, ret, why, why_len);
}

enum forebay_err
body_scan_without_model(const uint8_t *buf, size_t len, struct body_facts *ret, char *why,
			size_t why_len)
{
	return scan_body(buf, len, false, ret, why, why_len);
}

int64_t
body_estimate_tokens(const struct body_facts *facts, size_t len)
{
	size_t text = len - MIN(facts->blob_bytes, len);

	return (int64_t)(text / TEXT_TOKEN_BYTES + facts->blob_count * BLOB_TOKENS +
			 facts->blob_bytes / BLOB_TOKEN_BYTES + 1);
}
