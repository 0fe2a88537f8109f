/*
 * fuzz_adapt.c - any request, moved to every model: what is sent is valid, no
 * change is left to make, and what the text does not name is as it was. The
 * first byte chooses the wishes.
 */
#include "daemon/claude/adapt.h"
#include "daemon/claude/models.h"
#include "protocol/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sent {
	uint8_t *bytes; /* owned */
	size_t len;
	struct body_facts facts;
	char text[ADAPT_TEXT_LEN];
};

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static struct sent
adapt(const uint8_t *body, size_t size, const struct body_facts *facts, const char *target,
      bool moved, const struct adapt_wishes *wishes)
{
	struct body_edits edits = { 0 };
	struct body_reader reader;
	struct sent sent;
	char why[300];

	must(!adapt_body(&edits, body, size, facts, target, moved, wishes, sent.text));
	must(body_edits_is_empty(&edits) == (sent.text[0] == '\0'));
	body_reader_init(&reader, body, size, facts, &edits);
	sent.len = reader.total;
	sent.bytes = malloc(sent.len + 1);
	must(body_reader_read(&reader, sent.bytes, sent.len) == sent.len);
	must(!body_scan_without_model(sent.bytes, sent.len, &sent.facts, why, sizeof(why)));
	body_edits_clear(&edits);
	return sent;
}

/* The bytes of all the members that the body has no name for, hashed. */
struct strangers {
	const uint8_t *bytes;
	uint64_t hash;
};

static bool
on_enter(const struct json_node *node, void *arg)
{
	(void)arg;
	return node->depth == 0;
}

static void
on_value(const struct json_node *node, void *arg)
{
	struct strangers *strangers = arg;

	if (node->depth != 1)
		return;
	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++)
		if (json_key_is(node, body_key_name(key)))
			return;
	for (size_t i = 0; i < node->key_len; i++)
		strangers->hash = (strangers->hash ^ (uint8_t)node->key[i]) * 1099511628211u;
	for (size_t i = 0; i < node->len; i++)
		strangers->hash =
		    (strangers->hash ^ strangers->bytes[node->offset + i]) * 1099511628211u;
}

static uint64_t
hash_strangers(const uint8_t *bytes, size_t len)
{
	static const struct json_visitor visitor = { on_enter, on_value, NULL, 0 };
	struct strangers strangers = { bytes, 14695981039346656037u };
	struct json_result result;

	must(json_scan(bytes, len, JSON_MAX_DEPTH, &visitor, &strangers, &result));
	return strangers.hash;
}

static bool
is_named(const char *text, enum body_key key)
{
	static const char *const words[BODY_KEY_COUNT] = {
		[BODY_MAX_TOKENS] = "max_tokens ",   [BODY_OUTPUT_CONFIG] = "effort ",
		[BODY_SPEED] = "speed fast dropped", [BODY_TEMPERATURE] = "temperature dropped",
		[BODY_TOP_P] = "top_p dropped",	     [BODY_TOP_K] = "top_k dropped",
		[BODY_MESSAGES] = " thinking block",
	};

	if (key == BODY_THINKING)
		return strstr(text, "thinking dropped") || strstr(text, "thinking budget") ||
		       strstr(text, "thinking enabled") || strstr(text, "thinking between");
	return words[key] && strstr(text, words[key]);
}

static void
check_unchanged(const uint8_t *body, const struct body_facts *facts, const struct sent *sent)
{
	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++) {
		const struct body_span *was = &facts->at[key], *is = &sent->facts.at[key];

		if (is_named(sent->text, key))
			continue;
		must(was->len == is->len);
		must(memcmp(body + was->offset, sent->bytes + is->offset, is->len) == 0);
	}
	must(facts->format.len == sent->facts.format.len);
	must(sent->facts.max_tokens <= facts->max_tokens);
	must(sent->facts.thinking_budget <= facts->thinking_budget);
}

static void
try_target(const uint8_t *body, size_t size, const struct body_facts *facts, const char *target,
	   bool moved, const struct adapt_wishes *wishes)
{
	const struct model *model = moved ? models_find(target) : NULL;
	struct sent sent = adapt(body, size, facts, target, moved, wishes);
	struct sent again = adapt(sent.bytes, sent.len, &sent.facts, target, moved, wishes);
	unsigned mode = models_thinking(sent.facts.thinking);
	unsigned effort = models_effort(sent.facts.effort);

	check_unchanged(body, facts, &sent);
	must(hash_strangers(body, size) == hash_strangers(sent.bytes, sent.len));
	must(again.text[0] == '\0');
	must(again.len == sent.len && memcmp(again.bytes, sent.bytes, sent.len) == 0);
	if (model) {
		must(!mode || (model->thinking & mode));
		must(!effort || (model->effort & effort));
		must(sent.facts.max_tokens <= model->max_output);
		if (!adapt_refusal(facts, 1000, target, wishes))
			must(!adapt_refusal(&sent.facts, 1000, target, wishes));
	}
	free(sent.bytes);
	free(again.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t wished[] = { 0, 1, 1500, 70000 };
	size_t count;
	const struct model *models = models_all(&count);
	struct body_facts facts;
	char why[300];

	if (size == 0 || body_scan_without_model(data + 1, size - 1, &facts, why, sizeof(why)))
		return 0;
	const struct adapt_wishes wishes = {
		.drop_sampling = data[0] & 1,
		.strip_thinking = data[0] & 2,
		.version = (data[0] & 4) ? "2023-06-01" : "2026-10-21",
		.max_tokens = wished[data[0] >> 3 & 3],
	};
	bool moved = !(data[0] & 32);

	for (size_t i = 0; i < count; i++)
		try_target(data + 1, size - 1, &facts, models[i].id, moved, &wishes);
	try_target(data + 1, size - 1, &facts, "claude-next-9", moved, &wishes);
	return 0;
}
