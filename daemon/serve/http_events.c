/*
 * http_events.c - whole events, and their kinds, by the names of the events.
 */
#include "daemon/serve/http_events.h"

#include "protocol/base.h"

#include <string.h>

static bool
is_content(const char *name)
{
	/* message_start and ping say nothing yet; message_delta ends an empty answer. */
	return strncmp(name, "content_block", 13) == 0 || strcmp(name, "message_delta") == 0 ||
	       strcmp(name, "message_stop") == 0;
}

static void
end_line(struct http_events *events)
{
	size_t len = events->line_len;
	char name[sizeof(events->line) + 1];

	if (len > 0 && len <= sizeof(events->line) && events->line[len - 1] == '\r')
		len--;
	if (len == 0) {
		events->whole = events->at;
		events->content |= events->content_next;
		events->error |= events->error_next;
		events->content_next = events->error_next = false;
		return;
	}
	if (len <= 6 || len > sizeof(events->line) || memcmp(events->line, "event:", 6) != 0)
		return;
	memcpy(name, events->line, len);
	name[len] = '\0';
	events->content_next = is_content(name + 6 + strspn(name + 6, " "));
	events->error_next = strcmp(name + 6 + strspn(name + 6, " "), "error") == 0;
}

void
http_events_feed(struct http_events *events, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;

		if (events->line_len < sizeof(events->line))
			memcpy(events->line + events->line_len, bytes,
			       MIN(part, sizeof(events->line) - events->line_len));
		events->line_len += part;
		part += end != NULL;
		events->at += part;
		bytes += part;
		len -= part;
		if (end) {
			end_line(events);
			events->line_len = 0;
		}
	}
}
