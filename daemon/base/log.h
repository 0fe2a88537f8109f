/*
 * log.h - one line an event: to the journal with fields when the service
 * manager listens, else to stderr with a level.
 *
 * ERROR someone must act; WARN we coped; INFO life cycle; DEBUG the rest.
 * Lower case, no full stop, identity in fields. Never a payload, never a key.
 */
#ifndef DAEMON_BASE_LOG_H
#define DAEMON_BASE_LOG_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The numbers are syslog's. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Identity of a line; zero, NULL and (uid_t)-1 mean "none". All borrowed. */
struct log_fields {
	uint64_t job_id;	/* FOREBAY_JOB_ID */
	const char *model;	/* FOREBAY_MODEL */
	const char *request_id; /* FOREBAY_REQUEST_ID */
	const char *unit;	/* FOREBAY_PEER_UNIT */
	const char *message_id; /* MESSAGE_ID: one of the LOG_MESSAGE_* below */
	uid_t owner;		/* FOREBAY_OWNER */
};
/* Naming .owner overrides the default below; that is meant, and no mistake. */
#pragma GCC diagnostic ignored "-Woverride-init"
#define LOG_FIELDS(...) (&(const struct log_fields){ .owner = (uid_t)-1, __VA_ARGS__ })

/* Kinds of event with a catalog entry (systemd/forebay.catalog). */
#define LOG_MESSAGE_STORM_BEGINS  "6f2b60a5cf3d4f0d9b4f7d6a9f0f3a11"
#define LOG_MESSAGE_STORM_ENDS	  "0b6a4a0a3c6f4d3c8a5d0c4c1b2e9d12"
#define LOG_MESSAGE_KEY_REFUSED	  "c1a7f6ea52f54b7f8d1e2f6b7a8c9d13"
#define LOG_MESSAGE_BILLING_PAUSE "9d3e8b7c6a5f4e3d8c2b1a0f9e8d7c14"
#define LOG_MESSAGE_DISK_FULL	  "4e5f6a7b8c9d4a1b9c2d3e4f5a6b7c15"
#define LOG_MESSAGE_STORE_DAMAGED "7a8b9c0d1e2f4a3b8c4d5e6f7a8b9c16"

/* Decide once where lines go; later calls change the level only. */
void log_init(enum log_level level);

/* From any thread. At most LOG_LINES_PER_SECOND; what was dropped is counted
 * and said with the next line. A job's name or text from outside is safe here:
 * control bytes are shown as '?', and a line is cut at LOG_LINE_MAX bytes. */
#define LOG_LINES_PER_SECOND 200
#define LOG_LINE_MAX	     2048
void log_with(enum log_level level, const struct log_fields *fields, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define log_error(...) log_with(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...)  log_with(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...)  log_with(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_with(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

/* An impossible state, ours: say it and abort, so that there is a core. */
_Noreturn void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* For small things of fixed size: zeroed memory, a copy. Never NULL: fatal() instead. */
void *must_alloc(size_t size);
char *must_strdup(const char *text);

/* For the unit test: may another line be written now? When one may and some
 * were dropped before, their number is in *ret_dropped, once. */
struct log_meter {
	int64_t since_ms; /* start of the second being counted */
	unsigned lines;
	unsigned dropped;
};
bool log_meter_take(struct log_meter *meter, int64_t now_ms, unsigned *ret_dropped);

#endif
