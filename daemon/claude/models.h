/*
 * models.h - what is known of each model: limits, what it accepts, which rate
 * limit it shares. An unknown model is passed through untouched and assumed
 * capable: the API is the judge, this table only keeps a job from being moved
 * to where it cannot work.
 */
#ifndef DAEMON_CLAUDE_MODELS_H
#define DAEMON_CLAUDE_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Thinking modes a model accepts. */
enum model_thinking {
	MODEL_ADAPTIVE = 1 << 0,
	MODEL_ENABLED = 1 << 1, /* enabled with budget_tokens */
	MODEL_DISABLED = 1 << 2,
	MODEL_BETWEEN_TOOLS = 1 << 3,
	MODEL_THINKS = 1 << 4, /* thinks when the request does not say */
};

/* In rising order. */
enum model_effort {
	MODEL_EFFORT_LOW = 1 << 0,
	MODEL_EFFORT_MEDIUM = 1 << 1,
	MODEL_EFFORT_HIGH = 1 << 2,
	MODEL_EFFORT_XHIGH = 1 << 3,
	MODEL_EFFORT_MAX = 1 << 4,
};

/* speed "fast". */
enum model_fast {
	MODEL_FAST_NONE,
	MODEL_FAST_PREVIEW, /* with a beta header only */
	MODEL_FAST_OPEN,
};

struct model {
	const char *id;
	const char *alias;  /* NULL if none */
	const char *bucket; /* models with the same word share a rate limit */
	int64_t context;    /* tokens, input and output together */
	int64_t max_output; /* tokens */
	unsigned thinking;  /* of enum model_thinking */
	unsigned effort;    /* of enum model_effort; 0: not supported */
	bool quiet_to_high; /* thinking disabled, between_tools: effort up to high only */
	enum model_fast fast;
	bool forced_tools;     /* tool_choice any, tool */
	bool prefill;	       /* a last message of the assistant */
	bool sampling;	       /* temperature, top_p, top_k */
	bool structured;       /* output_config.format */
	const char *lifecycle; /* for people: "active", "deprecated, ends 2026-11-30" */
};

const struct model *models_all(size_t *ret_count);

/* By id or alias; NULL if unknown. */
const struct model *models_find(const char *name);

/* The rate bucket of any name: an unknown model is alone in one of its own
 * name, so the result is static or name itself. */
const char *models_bucket(const char *name);

/* "high" -> MODEL_EFFORT_HIGH, "adaptive" -> MODEL_ADAPTIVE; 0 for other words. */
unsigned models_effort(const char *word);
unsigned models_thinking(const char *word);

/* MODEL_EFFORT_HIGH -> "high"; of several bits, the highest. NULL for 0. */
const char *models_effort_word(unsigned effort);

#endif
