/*
 * adapt.h - whether a request can be sent to another model without a change of
 * its meaning, and which splices that takes. What is clamped or dropped is a
 * model's own setting (how long, how hard it thinks); what was asked for is
 * never touched: a target that cannot do it is refused.
 *
 * Pure: facts come from one scan of the body, models from their table.
 */
#ifndef DAEMON_CLAUDE_ADAPT_H
#define DAEMON_CLAUDE_ADAPT_H

#include "daemon/claude/body.h"

#define ADAPT_TEXT_LEN 256

/* What may be done to a request besides changing its model. */
struct adapt_wishes {
	bool drop_sampling;  /* [chain] adapt: temperature, top_p, top_k may be dropped */
	bool strip_thinking; /* drop all thinking and redacted_thinking blocks of the history */
	int64_t max_tokens;  /* clamp to this as well (shrink_to); 0: no wish */
	const char *version; /* borrowed: the anthropic-version it is sent with */
};

/* Why target cannot take this request without a change of meaning: a short
 * static phrase for people ("forced tool_choice", "prefill", "structured
 * output", "context too small", "container", ...), or NULL: it can. A target
 * that the table does not know is assumed capable, but what the API keeps for
 * one model (a container, ...) and what the version refuses for all of them
 * (sampling) is refused for it as well. NULL, too, for the model that the body
 * itself names, under any of its names. input_tokens: the estimate of the body. */
const char *adapt_refusal(const struct body_facts *facts, int64_t input_tokens, const char *target,
			  const struct adapt_wishes *wishes);

/* Adds to edits what sending the body to target needs (not the model itself,
 * not stream). moved: target is not the model that the request was written
 * for; false: only wishes are applied (a shrink), nothing else is touched.
 * buf must be the bytes that facts were scanned from. text: what was changed,
 * for people and the ledger: "max_tokens 128000 -> 64000, effort xhigh -> high,
 * thinking dropped"; "" when nothing.
 * NO_MEMORY: edits may then hold some of it; clear them. */
MUST_CHECK enum forebay_err adapt_body(struct body_edits *edits, const uint8_t *buf, size_t len,
				       const struct body_facts *facts, const char *target,
				       bool moved, const struct adapt_wishes *wishes,
				       char text[static ADAPT_TEXT_LEN]);

#endif
