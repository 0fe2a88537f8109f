/*
 * event.h - one event of a stream: validated, and where its parts lie.
 */
#ifndef DAEMON_CLAUDE_EVENT_H
#define DAEMON_CLAUDE_EVENT_H

#include "protocol/json.h"

/* clang-format off */
/* Members of the event itself, then of its delta. */
#define EVENT_KEYS(X)                                                                              \
	X(TYPE,               "type")                                                              \
	X(INDEX,              "index")                                                             \
	X(MESSAGE,            "message")                                                           \
	X(BLOCK,              "content_block")                                                     \
	X(DELTA,              "delta")                                                             \
	X(USAGE,              "usage")                                                             \
	X(CONTEXT_MANAGEMENT, "context_management")                                                \
	X(TRANSFORMATIONS,    "input_transformations")
#define EVENT_DELTA_KEYS(X)                                                                        \
	X(DELTA_TYPE,         "type")                                                              \
	X(TEXT,               "text")                                                              \
	X(THINKING,           "thinking")                                                          \
	X(PARTIAL_JSON,       "partial_json")                                                      \
	X(SIGNATURE,          "signature")                                                         \
	X(CITATION,           "citation")                                                          \
	X(CONTENT,            "content")                                                           \
	X(ENCRYPTED_CONTENT,  "encrypted_content")                                                 \
	X(STOP_REASON,        "stop_reason")                                                       \
	X(STOP_SEQUENCE,      "stop_sequence")                                                     \
	X(STOP_DETAILS,       "stop_details")                                                      \
	X(CONTAINER,          "container")
/* clang-format on */

#define EVENT_KEY_ENUM(KEY, ...) EVENT_##KEY,
enum event_key {
	EVENT_KEYS(EVENT_KEY_ENUM) EVENT_DELTA_KEYS(EVENT_KEY_ENUM) EVENT_KEY_COUNT,
	EVENT_FIRST_DELTA_KEY = EVENT_DELTA_TYPE
};
#undef EVENT_KEY_ENUM

struct event {
	const uint8_t *data; /* borrowed */
	size_t len;
	struct event_part {
		const uint8_t *at; /* in data; NULL when absent */
		size_t len;
		enum json_kind kind;
	} part[EVENT_KEY_COUNT];
	char type[40];	     /* "" when absent, no string, or longer */
	char delta_type[40]; /* likewise */
	int64_t index;	     /* -1 when absent or no whole number */
};

/* False when data is no JSON object; result then says why (error NULL: no object). */
MUST_CHECK bool event_parse(struct event *ret, const uint8_t *data, size_t len,
			    struct json_result *result);

/* The part is there and is not null. */
bool event_has(const struct event *event, enum event_key key);

#endif
