/*
 * bytes.h - a buffer that grows by doubling, so that many small additions cost
 * a few copies. All zero is an empty one.
 */
#ifndef DAEMON_CLAUDE_BYTES_H
#define DAEMON_CLAUDE_BYTES_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *at; /* owned; behind len stands a zero once anything was added */
	size_t len, size;
};

/* False without memory; the buffer is then as before. */
MUST_CHECK bool bytes_add(struct bytes *bytes, const void *more, size_t len);
void bytes_clear(struct bytes *bytes);

#endif
