/*
 * mend.h - JSON that was cut short, completed: what is only begun is dropped,
 * what is open is closed. So does the official SDK with a tool's input when
 * the answer ends in the middle of it.
 */
#ifndef DAEMON_CLAUDE_MEND_H
#define DAEMON_CLAUDE_MEND_H

#include "daemon/claude/bytes.h"
#include "protocol/errors.h"

/* FOREBAY_ERR_API_ERROR when json is not the beginning of an object or a list;
 * FOREBAY_ERR_NO_MEMORY. ret must be empty; the caller clears it. */
MUST_CHECK enum forebay_err mend(const uint8_t *json, size_t len, struct bytes *ret);

#endif
