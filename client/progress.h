/*
 * progress.h - one line on stderr while somebody waits: only on a terminal, at
 * most four times a second, gone when it is over.
 *
 *	#417 queued · claude-opus-5-5 dark, next try in 3.4 s (attempt 3) · 0:42
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_EVERY_MS 250

struct progress {
	bool on;      /* stderr is a terminal, and -q was not given */
	bool verbose; /* without a terminal: one line a change */
	bool shown;
	int width;
	int64_t started_ms, shown_ms; /* monotonic */
	uint64_t id;
	char state[16];
	char words[160]; /* of the gate */
	int64_t attempt;
	char said[256]; /* last line of verbose */
};

void progress_start(struct progress *progress, bool on, bool verbose, int64_t now_ms);
void progress_erase(struct progress *progress);

/* An EVENT of a job: remember what it says. */
void progress_news(struct progress *progress, const struct message *event);
/* The text of the line, without its control bytes. */
void progress_text(const struct progress *progress, int64_t now_ms, char *ret, size_t size);
/* Draw the line about a job, if it is time. */
void progress_tick(struct progress *progress, int64_t now_ms);

/* The line about many: done of total (0: not known yet), rate, time left. */
void progress_bulk_text(const char *what, uint64_t done, uint64_t total, int64_t passed_ms,
			char *ret, size_t size);
void progress_bulk(struct progress *progress, const char *what, uint64_t done, uint64_t total,
		   int64_t now_ms);

#endif
