/*
 * errors.h - every way a request or a job can fail. This list is the only
 * place an error is declared: the enum, the wire names, the retry policy, the
 * exit codes of the command and the table in PROTOCOL.md all come from it.
 *
 * Wire names are part of the protocol: add rows, never rename or reuse one.
 * "retry" means: the same request, sent again later, may succeed.
 */
#ifndef PROTOCOL_ERRORS_H
#define PROTOCOL_ERRORS_H

#include <stdbool.h>

/* clang-format off */
/*	  name              wire name           retry  exit  for people */
#define FOREBAY_ERRORS(X)                                                                          \
	X(OK,               "ok",               false,  0, "success")                              \
	/* a request was refused */                                                                \
	X(BAD_FRAME,        "bad-frame",        false,  1, "the byte stream is not this protocol") \
	X(BAD_REQUEST,      "bad-request",      false,  2, "the request's JSON or an argument is wrong") \
	X(UNKNOWN_VERB,     "unknown-verb",     false,  2, "this daemon has no such verb")         \
	X(TOO_BIG,          "too-big",          false,  5, "larger than the configured limit")     \
	X(INVALID_BODY,     "invalid-body",     false,  2, "the body is not a usable Messages request") \
	X(KEY_CONFLICT,     "key-conflict",     false,  5, "the idempotency key belongs to another body") \
	X(NOT_FOUND,        "not-found",        false,  4, "no such job, or not yours")            \
	X(NOT_ALLOWED,      "not-allowed",      false,  5, "you may not do this")                  \
	X(OVER_QUOTA,       "over-quota",       true,   5, "your quota is used up")                \
	X(QUEUE_FULL,       "queue-full",       true,   5, "the queue is full")                    \
	X(DRAINING,         "draining",         true,  75, "the daemon is shutting down")          \
	X(STORAGE,          "storage",          true,  75, "the disk refused to keep it")          \
	X(INTERNAL,         "internal",         false,  1, "a fault in forebayd itself")           \
	X(UNREACHABLE,      "unreachable",      true,   3, "the daemon cannot be reached")         \
	X(NO_MEMORY,        "no-memory",        true,   1, "out of memory")                        \
	X(TIMEOUT,          "timeout",          true, 124, "the waiting time is over, the job goes on") \
	/* a job ended without an answer */                                                        \
	X(API_ERROR,        "api-error",        false,  1, "the API refused the request")          \
	X(OVERLOADED,       "overloaded",       true,  75, "the model stayed overloaded")          \
	X(RATE_LIMITED,     "rate-limited",     true,  75, "the rate limit lasted too long")       \
	X(BILLING,          "billing",          true,  75, "a spending limit or missing credit")   \
	X(AUTH_FAILED,      "auth-failed",      true,  75, "the API key was refused")              \
	X(REFUSED_BY_MODEL, "refused-by-model", false,  1, "the model cannot be used with this key") \
	X(TIMED_OUT,        "timed-out",        true,   1, "the API did not answer in time")       \
	X(NETWORK,          "network",          true,   1, "the API could not be reached")         \
	X(DEADLINE,         "deadline",         true,  75, "the job's deadline passed first")      \
	X(CANCELED,         "canceled",         false,  6, "the job was canceled")
/* clang-format on */

#define FOREBAY_ERROR_ENUM(name, ...) FOREBAY_ERR_##name,
enum forebay_err { FOREBAY_ERRORS(FOREBAY_ERROR_ENUM) FOREBAY_ERR_COUNT };
#undef FOREBAY_ERROR_ENUM

/* All accept any int, so that a newer peer's code prints as "unknown". */
const char *forebay_err_wire(int err);
const char *forebay_err_text(int err);
bool forebay_err_retryable(int err);
int forebay_err_exit_code(int err);

/* FOREBAY_ERR_INTERNAL for a wire name this side does not know. */
enum forebay_err forebay_err_from_wire(const char *wire);

#endif
