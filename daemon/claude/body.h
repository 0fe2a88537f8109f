/*
 * body.h - a Messages request as the client's own bytes.
 *
 * The bytes are scanned once for what the daemon must know, and never parsed
 * into a tree or written anew: whatever we do not understand reaches the API
 * as it came. Changes are splices over the original, pulled piecewise.
 */
#ifndef DAEMON_CLAUDE_BODY_H
#define DAEMON_CLAUDE_BODY_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
/*	  KEY              spelled                   once: twice, or spelled with escapes, is refused */
#define BODY_KEYS(X)                                                                               \
	X(MODEL,           "model",                  true)                                         \
	X(MAX_TOKENS,      "max_tokens",             true)                                         \
	X(STREAM,          "stream",                 true)                                         \
	X(TEMPERATURE,     "temperature",            true)                                         \
	X(TOP_P,           "top_p",                  true)                                         \
	X(TOP_K,           "top_k",                  true)                                         \
	X(THINKING,        "thinking",               true)                                         \
	X(TOOL_CHOICE,     "tool_choice",            true)                                         \
	X(TOOLS,           "tools",                  true)                                         \
	X(OUTPUT_CONFIG,   "output_config",          true)                                         \
	X(SPEED,           "speed",                  true)                                         \
	X(CONTAINER,       "container",              true)                                         \
	X(METADATA,        "metadata",               true)                                         \
	X(MESSAGES,        "messages",               true)                                         \
	X(SYSTEM,          "system",                 true)                                         \
	X(THREAD,          "thread",                 false)                                        \
	X(FALLBACK_CREDIT, "fallback_credit_token",  false)                                        \
	X(DIAGNOSTICS,     "diagnostics",            false)
/* clang-format on */

#define BODY_KEY_ENUM(KEY, ...) BODY_##KEY,
enum body_key { BODY_KEYS(BODY_KEY_ENUM) BODY_KEY_COUNT };
#undef BODY_KEY_ENUM

enum body_role { BODY_ROLE_NONE, BODY_ROLE_USER, BODY_ROLE_ASSISTANT, BODY_ROLE_OTHER };

/* Bytes of the document; len 0 means absent. */
struct body_span {
	size_t key; /* offset of the key's opening quote */
	size_t offset, len;
};

/* Small and flat: may be kept and copied without the document. */
struct body_facts {
	struct body_span at[BODY_KEY_COUNT];
	size_t open;		  /* offset of the document's { */
	char model[256];	  /* decoded; "" if absent */
	int64_t max_tokens;	  /* -1 if absent */
	bool stream;		  /* false if absent */
	enum body_role last_role; /* of messages; ASSISTANT means prefill */
	char thinking[16];	  /* .type: adaptive, enabled, disabled, ...; "" if absent */
	int64_t thinking_budget;  /* .budget_tokens; -1 if absent */
	char tool_choice[16];	  /* .type: auto, any, tool, none; "" if absent */
	char effort[16];	  /* output_config.effort; "" if absent */
	struct body_span format;  /* output_config.format: structured output; key unused */
	const char *state;	  /* what it uses that the API keeps for its model, for people:
				   * "container", "message thread", ... Static; NULL: nothing */
	size_t blob_count;	  /* long strings without a space: images, documents */
	size_t blob_bytes;
};

/* What is known of the body. FOREBAY_ERR_INVALID_BODY for invalid JSON, a key
 * above twice or spelled with escapes where that is refused, a value of the
 * wrong kind, no messages, no model; why is then a sentence that says what,
 * where and what would be right. Of the other keys the last one counts, spelled
 * in any way. Size is the caller's to limit. */
MUST_CHECK enum forebay_err body_scan(const uint8_t *buf, size_t len, struct body_facts *ret,
				      char *why, size_t why_len);

/* The same where the model comes from an option: it may be absent here. */
MUST_CHECK enum forebay_err body_scan_without_model(const uint8_t *buf, size_t len,
						    struct body_facts *ret, char *why,
						    size_t why_len);

/* Input tokens, roughly: a quarter of the text's bytes, and a guess a blob. */
int64_t body_estimate_tokens(const struct body_facts *facts, size_t len);

const char *body_key_name(enum body_key key);

/* What to change. All zero changes nothing; the last word on a key counts. */
struct body_edits {
	struct body_edit {
		enum { BODY_KEEP, BODY_SET, BODY_REMOVE } action;
		char *value; /* owned: the JSON text to set */
	} of[BODY_KEY_COUNT];
};

/* Replace the value, or insert the key right after { if it is absent. */
MUST_CHECK enum forebay_err body_edits_set_string(struct body_edits *edits, enum body_key key,
						  const char *text);
MUST_CHECK enum forebay_err body_edits_set_int(struct body_edits *edits, enum body_key key,
					       int64_t number);
MUST_CHECK enum forebay_err body_edits_set_bool(struct body_edits *edits, enum body_key key,
						bool truth);
/* json must be one valid JSON value. */
MUST_CHECK enum forebay_err body_edits_set_raw(struct body_edits *edits, enum body_key key,
					       const void *json, size_t len);
/* The same; takes ownership of json, which has a terminator. NULL: NO_MEMORY. */
MUST_CHECK enum forebay_err body_edits_take(struct body_edits *edits, enum body_key key,
					    char *json);
/* Change members of the object at key (see rewrite.h); without any left, drop
 * it. Counts from the body as it came, not from an earlier edit of key. */
struct rewrite_member;
MUST_CHECK enum forebay_err
body_edits_set_members(struct body_edits *edits, enum body_key key, const struct body_facts *facts,
		       const uint8_t *buf, const struct rewrite_member *changes, size_t count);
/* Drop the member if it is there. messages cannot be removed. */
void body_edits_remove(struct body_edits *edits, enum body_key key);
/* Drop output_config.effort and keep what stands beside it. */
MUST_CHECK enum forebay_err body_edits_remove_effort(struct body_edits *edits,
						     const struct body_facts *facts,
						     const uint8_t *buf);
bool body_edits_is_empty(const struct body_edits *edits);
void body_edits_clear(struct body_edits *edits);

/* The edited bytes, in order, without a copy of the body. */
struct body_reader {
	struct body_piece {
		const uint8_t *bytes; /* borrowed: from the body, the edits or a literal */
		size_t len;
	} pieces[4 * BODY_KEY_COUNT + 2];
	unsigned count;
	unsigned piece; /* the next byte to read lies here, */
	size_t offset;	/* so far in */
	size_t total;	/* bytes of the edited document */
};

/* buf and edits must outlive the reader; edits may be NULL. */
void body_reader_init(struct body_reader *reader, const uint8_t *buf, size_t len,
		      const struct body_facts *facts, const struct body_edits *edits);
/* Up to size bytes into ret; 0 at the end. */
size_t body_reader_read(struct body_reader *reader, uint8_t *ret, size_t size);
void body_reader_rewind(struct body_reader *reader);

#endif
