/*
 * models.c - the table of models. A new model is a row; what the API itself
 * says of a model at run time is laid over a copy of it elsewhere.
 */
#include "daemon/claude/models.h"

#include <string.h>

#include "protocol/base.h"

#define LARGE .context = 1000000, .max_output = 128000
#define SMALL .context = 200000, .max_output = 64000

#define THREE (MODEL_EFFORT_LOW | MODEL_EFFORT_MEDIUM | MODEL_EFFORT_HIGH)
#define FOUR  (THREE | MODEL_EFFORT_MAX)
#define FIVE  (FOUR | MODEL_EFFORT_XHIGH)

/* Thinking cannot be turned off; the model decides how long. */
#define ALWAYS (MODEL_THINKS | MODEL_ADAPTIVE)

#define ACTIVE .structured = true, .lifecycle = "active"
#define GATED  .structured = true, .lifecycle = "active, needs access"

/* clang-format off */
/* Newest first. The rate limits of the newest models are not documented: each
 * is taken to have its own. What is not known to be refused is allowed. */
static const struct model rows[] = {
	{ .id = "claude-fable-5-2", .bucket = "fable-5-2", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, .fast = MODEL_FAST_OPEN, ACTIVE },
	{ .id = "claude-mythos-5-2", .bucket = "mythos-5-2", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, GATED },
	{ .id = "claude-fable-5-1", .bucket = "fable-5-1", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, ACTIVE },
	{ .id = "claude-mythos-5-1", .bucket = "mythos-5-1", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, GATED },
	{ .id = "claude-opus-5-5", .bucket = "opus-5-5", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, .fast = MODEL_FAST_OPEN, ACTIVE },
	{ .id = "claude-sonnet-5-5", .bucket = "sonnet-5-5", LARGE,
	  .thinking = ALWAYS | MODEL_BETWEEN_TOOLS, .effort = FIVE, .quiet_to_high = true, ACTIVE },
	{ .id = "claude-haiku-5-5", .bucket = "haiku-5-5", LARGE,
	  .thinking = ALWAYS | MODEL_DISABLED, .effort = FIVE, .quiet_to_high = true,
	  .forced_tools = true, ACTIVE },
	{ .id = "claude-fable-5", .bucket = "fable-5", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, .forced_tools = true, ACTIVE },
	{ .id = "claude-mythos-5", .bucket = "mythos-5", LARGE,
	  .thinking = ALWAYS, .effort = FIVE, .forced_tools = true, GATED },
	{ .id = "claude-opus-5", .bucket = "opus-5", LARGE,
	  .thinking = ALWAYS | MODEL_DISABLED, .effort = FIVE, .quiet_to_high = true,
	  .fast = MODEL_FAST_PREVIEW, .forced_tools = true, ACTIVE },
	{ .id = "claude-sonnet-5", .bucket = "sonnet-5", LARGE,
	  .thinking = ALWAYS | MODEL_DISABLED, .effort = FIVE, .forced_tools = true, ACTIVE },
	/* Its fast mode is being withdrawn: no request is moved to it. */
	{ .id = "claude-opus-4-8", .bucket = "opus-4", LARGE,
	  .thinking = MODEL_ADAPTIVE | MODEL_DISABLED, .effort = FIVE, .forced_tools = true, ACTIVE },
	{ .id = "claude-opus-4-7", .bucket = "opus-4", LARGE,
	  .thinking = MODEL_ADAPTIVE | MODEL_DISABLED, .effort = FIVE, .forced_tools = true, ACTIVE },
	{ .id = "claude-opus-4-6", .bucket = "opus-4", LARGE,
	  .thinking = MODEL_ADAPTIVE | MODEL_ENABLED | MODEL_DISABLED, .effort = FOUR,
	  .forced_tools = true, .sampling = true, ACTIVE },
	{ .id = "claude-sonnet-4-6", .bucket = "sonnet-4", LARGE,
	  .thinking = MODEL_ADAPTIVE | MODEL_ENABLED | MODEL_DISABLED, .effort = FOUR,
	  .forced_tools = true, .sampling = true, ACTIVE },
	{ .id = "claude-opus-4-5-20251101", .alias = "claude-opus-4-5", .bucket = "opus-4", SMALL,
	  .thinking = MODEL_ENABLED | MODEL_DISABLED, .effort = THREE, .forced_tools = true,
	  .prefill = true, .sampling = true, .structured = true,
	  .lifecycle = "active, may retire from 2026-11-24" },
	{ .id = "claude-sonnet-4-5-20250929", .alias = "claude-sonnet-4-5", .bucket = "sonnet-4", SMALL,
	  .thinking = MODEL_ENABLED | MODEL_DISABLED, .forced_tools = true,
	  .prefill = true, .sampling = true, .structured = true,
	  .lifecycle = "deprecated, ends 2026-11-30" },
	{ .id = "claude-haiku-4-5-20251001", .alias = "claude-haiku-4-5", .bucket = "haiku-4", SMALL,
	  .thinking = MODEL_ENABLED | MODEL_DISABLED, .forced_tools = true,
	  .prefill = true, .sampling = true, .structured = true,
	  .lifecycle = "active, may retire from 2026-10-15" },
};
/* clang-format on */

const struct model *
models_all(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(rows);
	return rows;
}

const struct model *
models_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].id, name) == 0 ||
		    (rows[i].alias && strcmp(rows[i].alias, name) == 0))
			return &rows[i];
	return NULL;
}

const char *
models_bucket(const char *name)
{
	const struct model *model = models_find(name);

	return model ? model->bucket : name;
}

struct word {
	const char *word;
	unsigned bit;
};

static const struct word efforts[] = {
	{ "low", MODEL_EFFORT_LOW },   { "medium", MODEL_EFFORT_MEDIUM },
	{ "high", MODEL_EFFORT_HIGH }, { "xhigh", MODEL_EFFORT_XHIGH },
	{ "max", MODEL_EFFORT_MAX },
};

static unsigned
find_word(const struct word *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].bit;
	return 0;
}

unsigned
models_effort(const char *word)
{
	return find_word(efforts, ARRAY_LEN(efforts), word);
}

const char *
models_effort_word(unsigned effort)
{
	for (size_t i = ARRAY_LEN(efforts); i > 0; i--)
		if (efforts[i - 1].bit & effort)
			return efforts[i - 1].word;
	return NULL;
}

unsigned
models_thinking(const char *word)
{
	static const struct word words[] = {
		{ "adaptive", MODEL_ADAPTIVE },
		{ "enabled", MODEL_ENABLED },
		{ "disabled", MODEL_DISABLED },
		{ "between_tools", MODEL_BETWEEN_TOOLS },
	};

	return find_word(words, ARRAY_LEN(words), word);
}
