/*
 * rewrite.h - one JSON value of a request with some of its parts exchanged or
 * left out. What stays is spelled as it was, to the byte; only the comma beside
 * what goes, and the space around it, go with it.
 *
 * The value must be valid JSON; FOREBAY_ERR_INVALID_BODY says it was not. The
 * results have a terminator and belong to the caller.
 */
#ifndef DAEMON_CLAUDE_REWRITE_H
#define DAEMON_CLAUDE_REWRITE_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stddef.h>
#include <stdint.h>

struct rewrite_member {
	const char *key;  /* borrowed; as it reads */
	const char *json; /* borrowed; its new value; NULL: leave the member out */
};

/* An object with these of its members changed; a member that it does not have
 * is not added, one that it has twice is written once. *ret is NULL when no
 * member is left. NO_MEMORY. */
MUST_CHECK enum forebay_err rewrite_members(const uint8_t *object, size_t len,
					    const struct rewrite_member *changes, size_t count,
					    char **ret);

/* A list of messages without the blocks of type thinking and redacted_thinking
 * that stand in a message's content, and without the messages whose content
 * had nothing else. *ret is NULL, and *ret_blocks 0, when there are none or
 * no message would be left. NO_MEMORY. */
MUST_CHECK enum forebay_err rewrite_without_thinking(const uint8_t *messages, size_t len,
						     char **ret, size_t *ret_blocks);

#endif
