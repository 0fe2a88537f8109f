/*
 * edits.c - changes to a request as splices over the client's bytes, and the
 * reader that yields the result piece by piece; declared in body.h.
 */
#include "daemon/claude/body.h"
#include "daemon/claude/rewrite.h"

#include "protocol/jsonput.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As it is inserted: the key in quotes and its colon. */
static const char *const labels[] = {
#define X(KEY, spelled, once) [BODY_##KEY] = "\"" spelled "\":",
	BODY_KEYS(X)
#undef X
};

/* Takes ownership of value. */
static enum forebay_err
set(struct body_edits *edits, enum body_key key, char *value)
{
	if (!value)
		return FOREBAY_ERR_NO_MEMORY;
	free(edits->of[key].value);
	edits->of[key].value = value;
	edits->of[key].action = BODY_SET;
	return FOREBAY_ERR_OK;
}

enum forebay_err
body_edits_set_raw(struct body_edits *edits, enum body_key key, const void *json, size_t len)
{
	char *value = malloc(len + 1);

	if (value) {
		memcpy(value, json, len);
		value[len] = '\0';
	}
	return set(edits, key, value);
}

enum forebay_err
body_edits_take(struct body_edits *edits, enum body_key key, char *json)
{
	return set(edits, key, json);
}

enum forebay_err
body_edits_set_string(struct body_edits *edits, enum body_key key, const char *text)
{
	struct jsonput put = { 0 };
	size_t len;

	jsonput_string(&put, text);
	return set(edits, key, jsonput_take(&put, &len));
}

enum forebay_err
body_edits_set_int(struct body_edits *edits, enum body_key key, int64_t number)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, number);

	return body_edits_set_raw(edits, key, text, (size_t)len);
}

enum forebay_err
body_edits_set_bool(struct body_edits *edits, enum body_key key, bool truth)
{
	return body_edits_set_raw(edits, key, truth ? "true" : "false", truth ? 4 : 5);
}

void
body_edits_remove(struct body_edits *edits, enum body_key key)
{
	/* Without messages nothing may be left to remove a comma from. */
	if (key == BODY_MESSAGES)
		return;
	free(edits->of[key].value);
	edits->of[key].value = NULL;
	edits->of[key].action = BODY_REMOVE;
}

enum forebay_err
body_edits_set_members(struct body_edits *edits, enum body_key key, const struct body_facts *facts,
		       const uint8_t *buf, const struct rewrite_member *changes, size_t count)
{
	const struct body_span *span = &facts->at[key];
	enum forebay_err err;
	char *json;

	if (span->len == 0 || buf[span->offset] != '{') {
		body_edits_remove(edits, key);
		return FOREBAY_ERR_OK;
	}
	err = rewrite_members(buf + span->offset, span->len, changes, count, &json);
	if (err)
		return err;
	if (json)
		return set(edits, key, json);
	body_edits_remove(edits, key);
	return FOREBAY_ERR_OK;
}

enum forebay_err
body_edits_remove_effort(struct body_edits *edits, const struct body_facts *facts,
			 const uint8_t *buf)
{
	static const struct rewrite_member change = { "effort", NULL };

	return body_edits_set_members(edits, BODY_OUTPUT_CONFIG, facts, buf, &change, 1);
}

bool
body_edits_is_empty(const struct body_edits *edits)
{
	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++)
		if (edits->of[key].action != BODY_KEEP)
			return false;
	return true;
}

void
body_edits_clear(struct body_edits *edits)
{
	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++)
		free(edits->of[key].value);
	*edits = (struct body_edits){ 0 };
}

static void
add_piece(struct body_reader *reader, const void *bytes, size_t len)
{
	if (len > 0)
		reader->pieces[reader->count++] = (struct body_piece){ bytes, len };
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The last member goes, and with it the comma before it. There is one: messages
 * stays, so it stands somewhere before. */
static void
drop_last_comma(struct body_reader *reader)
{
	while (reader->count > 0) {
		struct body_piece *last = &reader->pieces[reader->count - 1];

		while (last->len > 0 && is_space(last->bytes[last->len - 1]))
			last->len--;
		if (last->len > 0) {
			last->len -= last->bytes[last->len - 1] == ',';
			reader->count -= last->len == 0;
			return;
		}
		reader->count--;
	}
}

/* Skip the member at span; returns where the document goes on. */
static size_t
remove_member(struct body_reader *reader, const uint8_t *buf, size_t len,
	      const struct body_span *span)
{
	size_t at = span->offset + span->len;

	while (at < len && is_space(buf[at]))
		at++;
	if (at < len && buf[at] == ',')
		return at + 1;
	drop_last_comma(reader);
	return at;
}

/* The edited member that comes first at or after offset from. */
static enum body_key
next_edited(const struct body_facts *facts, const struct body_edits *edits, size_t from)
{
	enum body_key best = BODY_KEY_COUNT;

	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++) {
		const struct body_span *span = &facts->at[key];

		if (edits->of[key].action == BODY_KEEP || span->len == 0 || span->key < from)
			continue;
		if (best == BODY_KEY_COUNT || span->key < facts->at[best].key)
			best = key;
	}
	return best;
}

static void
insert_missing(struct body_reader *reader, const struct body_facts *facts,
	       const struct body_edits *edits)
{
	for (enum body_key key = 0; key < BODY_KEY_COUNT; key++) {
		if (edits->of[key].action != BODY_SET || facts->at[key].len > 0)
			continue;
		add_piece(reader, labels[key], strlen(labels[key]));
		add_piece(reader, edits->of[key].value, strlen(edits->of[key].value));
		add_piece(reader, ",", 1);
	}
}

void
body_reader_init(struct body_reader *reader, const uint8_t *buf, size_t len,
		 const struct body_facts *facts, const struct body_edits *edits)
{
	size_t at = 0; /* the document is dealt with up to here */

	*reader = (struct body_reader){ 0 };
	if (edits && !body_edits_is_empty(edits)) {
		enum body_key key;

		at = facts->open + 1;
		add_piece(reader, buf, at);
		insert_missing(reader, facts, edits);
		while ((key = next_edited(facts, edits, at)) != BODY_KEY_COUNT) {
			const struct body_span *span = &facts->at[key];

			if (edits->of[key].action == BODY_REMOVE) {
				add_piece(reader, buf + at, span->key - at);
				at = remove_member(reader, buf, len, span);
				continue;
			}
			add_piece(reader, buf + at, span->offset - at);
			add_piece(reader, edits->of[key].value, strlen(edits->of[key].value));
			at = span->offset + span->len;
		}
	}
	add_piece(reader, buf + at, len - at);
	for (unsigned i = 0; i < reader->count; i++)
		reader->total += reader->pieces[i].len;
}

size_t
body_reader_read(struct body_reader *reader, uint8_t *ret, size_t size)
{
	size_t done = 0;

	while (done < size && reader->piece < reader->count) {
		const struct body_piece *piece = &reader->pieces[reader->piece];
		size_t n = MIN(size - done, piece->len - reader->offset);

		memcpy(ret + done, piece->bytes + reader->offset, n);
		done += n;
		reader->offset += n;
		if (reader->offset == piece->len) {
			reader->piece++;
			reader->offset = 0;
		}
	}
	return done;
}

void
body_reader_rewind(struct body_reader *reader)
{
	reader->piece = 0;
	reader->offset = 0;
}
