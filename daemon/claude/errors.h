/*
 * errors.h - everything the Claude API, or the way to it, can say no with, and
 * what follows. The classifier acts on this table and `forebay explain` prints
 * from it, so they cannot disagree. libc only: the command links it too.
 */
#ifndef DAEMON_CLAUDE_ERRORS_H
#define DAEMON_CLAUDE_ERRORS_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
/*	  CLASS         wire name       for people */
#define API_CLASSES(X)                                                                             \
	X(SUCCESS,      "success",      "an answer")                                               \
	X(OVERLOADED,   "overloaded",   "the model has no capacity")                               \
	X(RATE_LIMITED, "rate-limited", "our own rate limit")                                      \
	X(BILLING,      "billing",      "a spending limit or missing credit")                      \
	X(FAULT,        "fault",        "something broke on the way or at the API")                \
	X(AUTH,         "auth",         "the key is not accepted")                                 \
	X(MODEL,        "model",        "this model cannot be used")                               \
	X(REQUEST,      "request",      "the request itself is wrong")
/* clang-format on */

#define API_CLASS_ENUM(CLASS, ...) API_##CLASS,
enum api_class { API_CLASSES(API_CLASS_ENUM) API_CLASS_COUNT };
#undef API_CLASS_ENUM

enum api_fault {
	API_FAULT_NOBODY,
	API_FAULT_PROVIDER,
	API_FAULT_ACCOUNT,
	API_FAULT_CALLER,
	API_FAULT_NETWORK
};

enum api_retry {
	API_RETRY_NEVER,
	API_RETRY_GATE,	    /* when the model's gate lets it */
	API_RETRY_AFTER,    /* when retry-after or the reset headers say */
	API_RETRY_PAUSE,    /* backing off, as a fault */
	API_RETRY_DATE,	    /* when access returns, or a human says so */
	API_RETRY_STRIPPED, /* after a move to another model: once, without thinking blocks */
};

/* What the attempt means to the gates. */
enum api_effect {
	API_EFFECT_NONE,
	API_EFFECT_ACCEPT,   /* the model answered */
	API_EFFECT_CAPACITY, /* the model's gate: refused for capacity */
	API_EFFECT_LIMIT,    /* the rate bucket: held */
	API_EFFECT_FAULT,    /* the host's gate: refused by a fault */
	API_EFFECT_KEY,	     /* the key's gate: closed */
	API_EFFECT_MODEL,    /* the model: unusable for an hour */
};

enum api_fallback {
	API_FALLBACK_NO,
	API_FALLBACK_YES,
	API_FALLBACK_OTHER_BUCKET,
	API_FALLBACK_LATER /* after a few of these */
};

struct api_error {
	int status;	     /* HTTP; 0 matches any */
	const char *type;    /* error.type; NULL matches any */
	const char *code;    /* error.details.error_code; NULL matches any */
	const char *message; /* words the message contains, lower case; NULL matches any */
	const char *phrases; /* for explain only: lower case, separated by |; NULL: none */
	enum api_class class;
	enum api_fault whose;
	enum api_retry retry;
	enum api_effect effect;
	enum api_fallback fallback;
	enum forebay_err err; /* of a job that ends with it; OK for success */
	const char *name;     /* one line, for people */
	const char *cause;    /* what it is */
	const char *advice;   /* what to do */
};

/* All rows, in the order they are printed. */
const struct api_error *api_errors(size_t *ret_count);

/* The most specific row that matches. status 0, and NULL, say nothing: what
 * else is known decides. What the table does not know is ignored. Never NULL:
 * an unknown status from 400 to 499 is a wrong request, any other a fault. */
const struct api_error *api_error_find(int status, const char *type, const char *code);
const struct api_error *api_error_find_message(int status, const char *type, const char *code,
					       const char *message);

/* The rows that pasted text speaks of: a whole JSON error, a log line, a bare
 * status, type or code. Best first; returns how many of max were filled, 0 when
 * nothing is recognised. */
size_t api_error_explain(const char *text, const struct api_error **ret, size_t max);

const char *api_class_name(enum api_class class);
const char *api_class_text(enum api_class class);
/* Sentences for people. */
const char *api_fault_text(enum api_fault whose);
const char *api_retry_text(enum api_retry retry);
const char *api_effect_text(enum api_effect effect);
const char *api_fallback_text(enum api_fallback fallback);

#endif
