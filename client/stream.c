/*
 * stream.c - the words of an answer; see stream.h.
 *
 * Only data lines count: the API's events carry their type in their JSON, each on
 * one line.
 */
#include "client/stream.h"

#include "protocol/json.h"
#include "protocol/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN (1u << 20)

void
stream_init(struct stream *stream, stream_text_fn *text, void *arg)
{
	*stream = (struct stream){ .text = text, .arg = arg };
}

void
stream_clear(struct stream *stream)
{
	free(stream->line);
	stream->line = NULL;
	stream->len = stream->size = 0;
}

static void
take_event(struct stream *stream, const struct message *event)
{
	const char *type = message_text(event, "type", "");
	const struct message *delta = message_object(event, "delta");
	const char *text, *reason;

	if (!delta)
		return;
	if (strcmp(type, "content_block_delta") == 0 &&
	    strcmp(message_text(delta, "type", ""), "text_delta") == 0) {
		text = message_text(delta, "text", "");
		stream->text(text, strlen(text), stream->arg);
	}
	if (strcmp(type, "message_delta") == 0) {
		reason = message_text(delta, "stop_reason", "");
		snprintf(stream->stop_reason, sizeof(stream->stop_reason), "%s", reason);
	}
}

static void
take_line(struct stream *stream)
{
	char why[MESSAGE_WHY_LEN];
	struct message *event = NULL;
	const char *line = stream->line;
	size_t len = stream->len;

	stream->len = 0;
	if (stream->too_long || len < 5 || memcmp(line, "data:", 5) != 0) {
		stream->too_long = false;
		return;
	}
	line += 5;
	len -= 5;
	if (len > 0 && *line == ' ') {
		line++;
		len--;
	}
	if (message_parse((const uint8_t *)line, len, LINE_MAX_LEN, &event, why))
		return;
	take_event(stream, event);
	message_free(event);
}

static void
keep(struct stream *stream, const uint8_t *bytes, size_t len)
{
	size_t size = stream->size ? stream->size : 1024;
	char *line;

	if (stream->too_long || len == 0)
		return;
	while (size < stream->len + len)
		size *= 2;
	if (size > stream->size) {
		line = size <= LINE_MAX_LEN ? realloc(stream->line, size) : NULL;
		if (!line) {
			stream->too_long = true;
			return;
		}
		stream->line = line;
		stream->size = size;
	}
	memcpy(stream->line + stream->len, bytes, len);
	stream->len += len;
}

void
stream_feed(struct stream *stream, const uint8_t *bytes, size_t len)
{
	/* A line ends in LF, CR or both; the empty line between is no data. */
	while (len > 0) {
		size_t n = 0;

		while (n < len && bytes[n] != '\n' && bytes[n] != '\r')
			n++;
		keep(stream, bytes, n);
		if (n == len)
			return;
		take_line(stream);
		bytes += n + 1;
		len -= n + 1;
	}
}

/* --- whole messages ----------------------------------------------------------- */

struct text_search {
	const uint8_t *json;
	char *text; /* as long as the JSON: decoded text is never longer */
	size_t len, room;
};

/* The document, its "content", and each block of that. */
static bool
enter(const struct json_node *node, void *arg)
{
	(void)arg;
	return node->depth == 0 || (node->depth == 1 && json_key_is(node, "content")) ||
	       node->depth == 2;
}

static void
value(const struct json_node *node, void *arg)
{
	struct text_search *search = arg;
	size_t len;

	if (node->depth != 3 || node->kind != JSON_STRING || !json_key_is(node, "text"))
		return;
	len = json_decode(search->json + node->offset, node->len, search->text + search->len,
			  search->room - search->len);
	if (len != SIZE_MAX)
		search->len += len;
}

char *
stream_message_text(const void *json, size_t json_len, size_t *ret_len)
{
	static const struct json_visitor visitor = { .enter = enter, .value = value };
	struct text_search search = { .json = json, .room = json_len + 1 };
	struct json_result result;

	search.text = malloc(search.room);
	if (!search.text)
		return NULL;
	if (!json_scan(json, json_len, JSON_MAX_DEPTH, &visitor, &search, &result)) {
		free(search.text);
		return NULL;
	}
	search.text[search.len] = 0;
	*ret_len = search.len;
	return search.text;
}
