/*
 * assembly.h - the events of a stream, assembled into the Message that the same
 * request would have got without one: as parsed JSON equal to what the
 * official SDK accumulates. Content is appended to flat buffers as it was
 * spelled; it is never a tree. Nothing is lost: what this code does not
 * understand is kept raw and flagged.
 */
#ifndef DAEMON_CLAUDE_ASSEMBLY_H
#define DAEMON_CLAUDE_ASSEMBLY_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an answer says about itself. */
struct assembly_facts {
	char model[128];      /* the one that served; "" unknown */
	char id[80];	      /* msg_...; "" unknown */
	char stop_reason[40]; /* "" while there is none */
	int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens; /* 0 unknown */
};

/* What one event was. */
enum assembly_step {
	ASSEMBLY_IDLE,	   /* ping, nameless, unknown: says nothing about the model's work */
	ASSEMBLY_PROGRESS, /* the answer grows */
	ASSEMBLY_STOPPED,  /* message_stop: it is whole */
	ASSEMBLY_FAILED,   /* an event "error": classify its data with answer_from_event */
};

struct assembly;

/* max_bytes bounds the data of all events. NULL without memory. */
MUST_CHECK struct assembly *assembly_new(size_t max_bytes);
void assembly_free(struct assembly *assembly);

/* One event. FOREBAY_ERR_API_ERROR when the stream breaks its own grammar (see
 * assembly_why), FOREBAY_ERR_TOO_BIG past max_bytes, FOREBAY_ERR_NO_MEMORY; all
 * final. */
MUST_CHECK enum forebay_err assembly_feed(struct assembly *assembly, const char *name,
					  const uint8_t *data, size_t len, enum assembly_step *ret);

bool assembly_has_content(const struct assembly *assembly); /* a first content byte came */
bool assembly_is_whole(const struct assembly *assembly);    /* message_stop came */
/* Some event could not be assembled: assembly_unassembled has it. */
bool assembly_is_unassembled(const struct assembly *assembly);
const struct assembly_facts *assembly_facts(const struct assembly *assembly); /* so far */
const char *assembly_why(const struct assembly *assembly); /* "" or what broke; borrowed */

/* The Message as JSON, malloced, with a terminator that is not counted.
 * FOREBAY_ERR_API_ERROR if no message_start came. Before the end it is what
 * there is so far; no events may be fed afterwards. */
MUST_CHECK enum forebay_err assembly_take(struct assembly *assembly, char **ret, size_t *ret_len);

/* The data of the events that could not be assembled, one a line; borrowed. */
const char *assembly_unassembled(const struct assembly *assembly, size_t *ret_len);

/* The same facts from a Message that came whole. FOREBAY_ERR_API_ERROR when it
 * is not valid JSON or no Message (type "message"). */
MUST_CHECK enum forebay_err assembly_from_plain(const uint8_t *buf, size_t len,
						struct assembly_facts *ret);

#endif
