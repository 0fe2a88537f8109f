/*
 * fuzz_body.c - a request of any bytes is taken or refused with a sentence; one
 * that is taken stays valid JSON under edits, and says what the edits say.
 * The first byte chooses the edits.
 */
#include "daemon/claude/body.h"
#include "protocol/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *
edited(const uint8_t *body, size_t size, const struct body_facts *facts,
       const struct body_edits *edits, size_t *ret_len)
{
	struct body_reader reader;
	size_t len = 0, n;

	body_reader_init(&reader, body, size, facts, edits);
	uint8_t *text = malloc(reader.total + 1);

	while ((n = body_reader_read(&reader, text + len, 1 + len % 61)) > 0) {
		len += n;
		if (len > reader.total)
			abort();
	}
	if (len != reader.total)
		abort();
	*ret_len = len;
	return text;
}

static void
try_edits(const uint8_t *body, size_t size, const struct body_facts *facts, uint8_t choice)
{
	struct body_edits edits = { 0 };
	struct body_facts after;
	char why[300];
	size_t len;

	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++)
		if ((key * 37u + choice) % 3 == 0 && key != BODY_MODEL)
			body_edits_remove(&edits, key);
	if (body_edits_set_int(&edits, BODY_MAX_TOKENS, choice) ||
	    ((choice & 1) && body_edits_set_bool(&edits, BODY_STREAM, true)) ||
	    ((choice & 2) && body_edits_set_string(&edits, BODY_MODEL, "other")) ||
	    ((choice & 4) && body_edits_remove_effort(&edits, facts, body)))
		abort();
	uint8_t *text = edited(body, size, facts, &edits, &len);

	if (body_scan_without_model(text, len, &after, why, sizeof(why)) ||
	    after.max_tokens != choice || after.last_role != facts->last_role ||
	    ((choice & 1) && !after.stream) ||
	    strcmp(after.model, (choice & 2) ? "other" : facts->model) != 0)
		abort();
	free(text);
	body_edits_clear(&edits);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct body_facts facts;
	char why[300];
	size_t len;

	if (size == 0)
		return 0;
	uint8_t choice = *data++;

	size--;
	enum forebay_err err = body_scan(data, size, &facts, why, sizeof(why));

	if ((err == FOREBAY_ERR_OK) != (why[0] == '\0'))
		abort();
	err = body_scan_without_model(data, size, &facts, why, sizeof(why));
	if (err)
		return 0;
	if (body_estimate_tokens(&facts, size) < 1)
		abort();
	uint8_t *same = edited(data, size, &facts, NULL, &len);

	if (len != size || memcmp(same, data, len) != 0)
		abort();
	free(same);
	try_edits(data, size, &facts, choice);
	return 0;
}
