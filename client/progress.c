/*
 * progress.c - the line on stderr; see progress.h. Times are arguments.
 */
#include "client/progress.h"

#include "client/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void
progress_start(struct progress *progress, bool on, bool verbose, int64_t now_ms)
{
	struct winsize size;

	*progress = (struct progress){ .on = on, .verbose = verbose, .started_ms = now_ms };
	progress->shown_ms = now_ms; /* what is over at once shows nothing */
	progress->width =
	    ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void
progress_erase(struct progress *progress)
{
	if (!progress->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->shown = false;
}

/* Cut to the terminal: a line that wraps cannot be erased. */
static void
draw(struct progress *progress, const char *text, int64_t now_ms)
{
	size_t len = 0;

	for (int places = progress->width - 1; text[len]; len++)
		if (((unsigned char)text[len] & 0xc0) != 0x80 && places-- == 0)
			break;
	fprintf(stderr, "\r%.*s\033[K", (int)len, text);
	fflush(stderr);
	progress->shown = true;
	progress->shown_ms = now_ms;
}

/* Words of the daemon go to a terminal. */
static void
copy_plain(char *ret, size_t size, const char *text)
{
	size_t len = 0;

	for (; *text && len + 1 < size; text++)
		if ((unsigned char)*text >= 0x20 && *text != 0x7f)
			ret[len++] = *text;
	ret[len] = 0;
}

static void
say_change(struct progress *progress)
{
	char line[sizeof(progress->said)];

	/* The clock is no change. */
	progress_text(progress, progress->started_ms, line, sizeof(line));
	if (strcmp(line, progress->said) == 0)
		return;
	fprintf(stderr, "forebay: %s\n", line);
	memcpy(progress->said, line, sizeof(line));
}

void
progress_news(struct progress *progress, const struct message *event)
{
	const char *kind = message_text(event, "event", "");
	const char *state = message_text(event, "state", NULL);
	const char *words = message_text(event, "words", NULL);
	int64_t id = message_int(event, "id", 0);

	if (id > 0)
		progress->id = (uint64_t)id;
	if (strcmp(kind, "queued") == 0)
		state = "queued";
	if (strcmp(kind, "attempt") == 0) {
		progress->attempt = message_int(event, "attempt", progress->attempt);
		state = "running";
	}
	if (state)
		copy_plain(progress->state, sizeof(progress->state), state);
	if (words)
		copy_plain(progress->words, sizeof(progress->words), words);
	if (progress->verbose && !progress->on)
		say_change(progress);
}

void
progress_text(const struct progress *progress, int64_t now_ms, char *ret, size_t size)
{
	char clock[TIMES_TEXT_LEN], attempt[40] = "", id[24] = "";
	/* The reason to wait is told again only when it changes: keep it, but show
	 * it only to those who wait. */
	bool words = progress->words[0] != 0 && strcmp(progress->state, "running") != 0;

	if (progress->id)
		snprintf(id, sizeof(id), "#%" PRIu64 " ", progress->id);
	if (progress->attempt > 1)
		snprintf(attempt, sizeof(attempt), " (attempt %" PRId64 ")", progress->attempt);
	times_clock(now_ms - progress->started_ms, clock);
	snprintf(ret, size, "%s%s%s%s%s%s%s", id, progress->state[0] ? progress->state : "waiting",
		 words ? " · " : "", words ? progress->words : "", attempt,
		 now_ms > progress->started_ms ? " · " : "",
		 now_ms > progress->started_ms ? clock : "");
}

void
progress_tick(struct progress *progress, int64_t now_ms)
{
	char line[512];

	if (!progress->on || now_ms - progress->shown_ms < PROGRESS_EVERY_MS)
		return;
	progress_text(progress, now_ms, line, sizeof(line));
	draw(progress, line, now_ms);
}

void
progress_bulk_text(const char *what, uint64_t done, uint64_t total, int64_t passed_ms, char *ret,
		   size_t size)
{
	uint64_t rate = passed_ms > 0 ? done * 1000 / (uint64_t)passed_ms : 0;
	char left[TIMES_TEXT_LEN], of[24] = "";

	if (total > 0)
		snprintf(of, sizeof(of), "/%" PRIu64, total);
	if (total > done && rate > 0) {
		times_clock((int64_t)((total - done) * 1000 / rate), left);
		snprintf(ret, size, "%" PRIu64 "%s %s · %" PRIu64 "/s · %s left", done, of, what,
			 rate, left);
	} else {
		snprintf(ret, size, "%" PRIu64 "%s %s · %" PRIu64 "/s", done, of, what, rate);
	}
}

void
progress_bulk(struct progress *progress, const char *what, uint64_t done, uint64_t total,
	      int64_t now_ms)
{
	char line[160];

	if (!progress->on || now_ms - progress->shown_ms < PROGRESS_EVERY_MS)
		return;
	progress_bulk_text(what, done, total, now_ms - progress->started_ms, line, sizeof(line));
	draw(progress, line, now_ms);
}
