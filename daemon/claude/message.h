/*
 * message.h - the events of a stream, assembled into the Message that the same
 * request would have got without one: as parsed JSON equal to what the
 * official SDK accumulates. Content is appended to flat buffers as it was
 * spelled; it is never a tree. Nothing is lost: what this code does not
 * understand is kept raw and flagged.
 */
#ifndef DAEMON_CLAUDE_MESSAGE_H
#define DAEMON_CLAUDE_MESSAGE_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an answer says about itself. */
struct message_facts {
	char model[128];      /* the one that served; "" unknown */
	char id[80];	      /* msg_...; "" unknown */
	char stop_reason[40]; /* "" while there is none */
	int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens; /* 0 unknown */
};

/* What one event was. */
enum message_step {
	MESSAGE_IDLE,	  /* ping, nameless, unknown: says nothing about the model's work */
	MESSAGE_PROGRESS, /* the answer grows */
	MESSAGE_STOPPED,  /* message_stop: it is whole */
	MESSAGE_FAILED,	  /* an event "error": classify its data with answer_from_event */
};

struct message;

/* max_bytes bounds what is kept. NULL without memory. */
MUST_CHECK struct message *message_new(size_t max_bytes);
void message_free(struct message *message);

/* One event. FOREBAY_ERR_API_ERROR when the stream breaks its own grammar (see
 * message_why), FOREBAY_ERR_TOO_BIG past max_bytes, FOREBAY_ERR_NO_MEMORY; all
 * final. */
MUST_CHECK enum forebay_err message_feed(struct message *message, const char *name,
					 const uint8_t *data, size_t len, enum message_step *ret);

bool message_has_content(const struct message *message); /* a first content byte came */
bool message_is_whole(const struct message *message);	 /* message_stop came */
/* Some event could not be assembled: message_unassembled has it. */
bool message_is_unassembled(const struct message *message);
const struct message_facts *message_facts(const struct message *message); /* so far */
const char *message_why(const struct message *message); /* "" or what broke; borrowed */

/* The Message as JSON, malloced, with a terminator that is not counted.
 * FOREBAY_ERR_API_ERROR if no message_start came. May be called before the end:
 * what there is so far. */
MUST_CHECK enum forebay_err message_take(struct message *message, char **ret, size_t *ret_len);

/* The data of the events that could not be assembled, one a line; borrowed. */
const char *message_unassembled(const struct message *message, size_t *ret_len);

/* The same facts from a Message that came whole. FOREBAY_ERR_API_ERROR when it
 * is not valid JSON or no Message (type "message"). */
MUST_CHECK enum forebay_err message_from_plain(const uint8_t *buf, size_t len,
					       struct message_facts *ret);

#endif
