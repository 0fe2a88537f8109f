/*
 * watch.h - who wants to know about which job. Calls back and never writes to
 * a socket: the connection decides whether its client can take it.
 */
#ifndef DAEMON_RUN_WATCH_H
#define DAEMON_RUN_WATCH_H

#include "protocol/errors.h"
#include "protocol/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_result;
struct watch;
struct watcher;

enum watch_kind {
	WATCH_STATE,   /* state */
	WATCH_ATTEMPT, /* attempt, model: a new one begins; what was read is void */
	WATCH_BYTES,   /* more live bytes can be read */
	WATCH_LOST,    /* the live bytes are no longer kept; the message comes */
	WATCH_ENDED,   /* state, error; result and body when they are at hand */
};

/* Valid until the callback returns. */
struct watch_news {
	enum watch_kind kind;
	uint64_t id;
	enum forebay_job_state state;
	unsigned attempt;
	const char *model, *changes; /* changes: "" as it came; of WATCH_ATTEMPT */
	enum forebay_err error;
	/* ENDED, when the answer is at hand; result NULL: ask the store. Then also
	 * model (as asked for), attempts (that counted), tries and created_ms. */
	const struct store_result *result;
	const uint8_t *body;
	size_t body_len;
	int64_t created_ms;
	unsigned attempts, tries;
};

/* May add and remove watchers, this one too. After ENDED the watcher is still
 * the caller's to remove. */
typedef void watch_fn(const struct watch_news *news, void *arg);

struct watch *watch_new(void);
void watch_free(struct watch *watch);

/* Owned by the caller: remove it. */
struct watcher *watch_add(struct watch *watch, uint64_t id, watch_fn *fn, void *arg);
void watch_remove(struct watch *watch, struct watcher *watcher); /* accepts NULL */

bool watch_has(const struct watch *watch, uint64_t id);
void watch_notify(struct watch *watch, const struct watch_news *news);

#endif
