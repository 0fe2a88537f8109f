/*
 * sse.h - a stream of bytes, cut anywhere, becomes server-sent events.
 *
 * Lines end in LF, CR or CRLF; a byte order mark and comments are skipped;
 * several data lines are joined by LF. id and retry mean nothing here.
 */
#ifndef DAEMON_CLAUDE_SSE_H
#define DAEMON_CLAUDE_SSE_H

#include "daemon/claude/bytes.h"
#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One whole event. name is "" for a nameless one; data has a terminator that
 * is not counted, and is valid until this returns. Must not call back into the
 * same sse. */
typedef void sse_event_fn(const char *name, const uint8_t *data, size_t len, void *arg);

struct sse {
	size_t max_event;	 /* bytes of one line, and of one event's data */
	struct bytes line;	 /* a line whose end has not come */
	struct bytes data;	 /* of the event whose end has not come */
	char name[64];		 /* longer names are cut */
	bool has_data;		 /* a data line came, even an empty one */
	bool after_cr;		 /* swallow the LF of a CRLF cut in two */
	unsigned bom;		 /* bytes of the mark seen; past 2: settled */
	enum forebay_err failed; /* sticky */
};

void sse_init(struct sse *sse, size_t max_event);
void sse_clear(struct sse *sse);

/* fn is called for each event that ends in these bytes. FOREBAY_ERR_TOO_BIG
 * when one passes max_event, FOREBAY_ERR_NO_MEMORY; both are final. */
MUST_CHECK enum forebay_err sse_feed(struct sse *sse, const uint8_t *bytes, size_t len,
				     sse_event_fn *fn, void *arg);

/* The stream is over: an event that lacks its blank line is handed out. */
MUST_CHECK enum forebay_err sse_end(struct sse *sse, sse_event_fn *fn, void *arg);

#endif
