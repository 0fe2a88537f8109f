/*
 * submit_lines.c - submit --jsonl: one job a line, pipelined. The file is read as
 * fast as the daemon takes it; the ids come out in the order of the lines.
 */
#include "client/commands.h"
#include "client/times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WINDOW	   4096u       /* lines that have no answer or wait for an earlier one */
#define MOST_BYTES (16u << 20) /* of bodies on their way */

/* Line n sits in slot n % WINDOW from its submit until its id is printed. */
struct slot {
	uint32_t stream;
	int64_t id;
	size_t len; /* of its body; 0: answered */
	bool failed;
};

struct lines {
	struct session *session;
	struct arguments *arguments;
	FILE *file;
	const char *name;
	char *line; /* owned; read and not submitted yet when held */
	size_t line_size, line_len;
	bool held, eof;
	uint64_t number;	  /* of the line read last */
	uint64_t printed, queued; /* slots between them are in use */
	struct slot *slots;	  /* owned */
	uint64_t *numbers;	  /* owned; line number of each slot */
	size_t bytes;		  /* of the unanswered */
	uint64_t read_bytes, file_bytes;
	uint64_t failed;
	int worst; /* exit code */
};

/* The next line that is not empty; false at the end. */
static bool
read_line(struct lines *lines)
{
	while (!lines->held && !lines->eof) {
		ssize_t n = getline(&lines->line, &lines->line_size, lines->file);

		if (n < 0) {
			lines->eof = true;
			break;
		}
		lines->number++;
		lines->read_bytes += (uint64_t)n;
		while (n > 0 && strchr("\r\n \t", lines->line[n - 1]))
			n--;
		lines->line_len = (size_t)n;
		lines->held = n > 0;
	}
	return lines->held;
}

static void
fail_line(struct lines *lines, uint64_t number, int err)
{
	progress_erase(&lines->session->progress);
	output_complain(&lines->session->out, "%s:%" PRIu64 ": %s (%s)", lines->name, number,
			forebay_message(lines->session->f), forebay_error_name(err));
	lines->failed++;
	lines->worst = MAX(lines->worst, session_exit_code(err));
}

/* A key given by the user names the file; each line gets its own. */
static int
submit_line(struct lines *lines, struct slot *slot)
{
	struct request *request = &lines->arguments->request;
	char *key = request->key, *own = NULL;
	int err;

	if (key && asprintf(&own, "%s-%" PRIu64, key, lines->number) < 0)
		return FOREBAY_ERR_NO_MEMORY;
	request->key = own;
	err = command_submit(lines->session, request, lines->line, lines->line_len, false, false,
			     &slot->stream);
	request->key = key;
	free(own);
	return err;
}

/* As many lines as may be on their way. */
static int
fill(struct lines *lines)
{
	while (lines->queued - lines->printed < WINDOW && lines->bytes < MOST_BYTES &&
	       read_line(lines)) {
		size_t place = lines->queued % WINDOW;
		struct slot *slot = &lines->slots[place];
		int err;

		*slot = (struct slot){ .len = lines->line_len };
		err = submit_line(lines, slot);
		if (err == FOREBAY_AGAIN)
			return FOREBAY_ERR_OK;
		if (err)
			return err;
		lines->held = false;
		lines->numbers[place] = lines->number;
		lines->bytes += slot->len;
		lines->queued++;
	}
	return ferror(lines->file) ? FOREBAY_ERR_STORAGE : FOREBAY_ERR_OK;
}

static struct slot *
slot_of(struct lines *lines, uint32_t stream, uint64_t *ret_number)
{
	/* Answers come nearly in order: the first ones are the likely ones. */
	for (uint64_t i = lines->printed; i < lines->queued; i++) {
		struct slot *slot = &lines->slots[i % WINDOW];

		if (slot->len > 0 && slot->stream == stream) {
			*ret_number = lines->numbers[i % WINDOW];
			return slot;
		}
	}
	return NULL;
}

static void
print_ready(struct lines *lines)
{
	struct output *out = &lines->session->out;

	for (; lines->printed < lines->queued; lines->printed++) {
		struct slot *slot = &lines->slots[lines->printed % WINDOW];

		if (slot->len > 0)
			return;
		if (slot->failed)
			continue;
		if (out->tty)
			progress_erase(&lines->session->progress);
		if (out->json)
			output_line(out, "{\"id\":%" PRId64 ",\"line\":%" PRIu64 "}", slot->id,
				    lines->numbers[lines->printed % WINDOW]);
		else
			output_line(out, "%" PRId64, slot->id);
	}
}

static void
take_answer(struct lines *lines, const struct forebay_event *event)
{
	uint64_t number;
	struct slot *slot = event->last ? slot_of(lines, event->stream, &number) : NULL;

	if (!slot)
		return;
	slot->failed = event->type == FOREBAY_EVENT_FAILED;
	slot->id = forebay_event_int(event, "id", 0);
	lines->bytes -= slot->len;
	slot->len = 0;
	if (slot->failed)
		fail_line(lines, number, event->error);
	print_ready(lines);
}

/* How many lines there will be, judged by the bytes so far. */
static uint64_t
guess_total(const struct lines *lines)
{
	if (lines->eof)
		return lines->number;
	if (lines->file_bytes == 0 || lines->read_bytes == 0)
		return 0;
	return (uint64_t)((double)lines->number * (double)lines->file_bytes /
			  (double)lines->read_bytes);
}

static int
run(struct lines *lines)
{
	struct forebay_event event;
	int err = fill(lines);

	while (!err && (lines->queued > lines->printed || lines->held)) {
		err = session_next(lines->session, &event);
		if (err)
			break;
		take_answer(lines, &event);
		progress_bulk(&lines->session->progress, "queued", lines->printed,
			      guess_total(lines), times_mono_ms());
		err = fill(lines);
	}
	return err;
}

static int
finish(struct lines *lines, int err)
{
	struct session *session = lines->session;

	progress_erase(&session->progress);
	if (err == FOREBAY_ERR_STORAGE && ferror(lines->file)) {
		output_complain(&session->out, "%s: %s", lines->name, strerror(errno));
		return 2;
	}
	if (err && lines->printed < lines->queued)
		output_note(&session->out,
			    "%" PRIu64 " lines were queued for certain; of the next %" PRIu64
			    " it is not known (with --key the same command may be repeated)",
			    lines->printed - lines->failed, lines->queued - lines->printed);
	if (err)
		return session_fail(session, err);
	if (lines->failed > 0)
		output_note(&session->out, "%" PRIu64 " of %" PRIu64 " jobs were refused",
			    lines->failed, lines->queued);
	return lines->worst;
}

int
submit_lines(struct session *session, struct arguments *arguments)
{
	const char *path = arguments->word_count ? arguments->words[0] : "-";
	bool in = strcmp(path, "-") == 0;
	struct lines lines = { .session = session,
			       .arguments = arguments,
			       .name = in ? "stdin" : path };
	struct stat stat;
	int code = 2;

	lines.file = in ? stdin : fopen(path, "re");
	lines.slots = calloc(WINDOW, sizeof(*lines.slots));
	lines.numbers = calloc(WINDOW, sizeof(*lines.numbers));
	if (!lines.file) {
		output_complain(&session->out, "%s: %s", path, strerror(errno));
	} else if (!lines.slots || !lines.numbers) {
		code = session_fail(session, FOREBAY_ERR_NO_MEMORY);
	} else {
		if (fstat(fileno(lines.file), &stat) == 0 && S_ISREG(stat.st_mode))
			lines.file_bytes = (uint64_t)stat.st_size;
		code = finish(&lines, run(&lines));
	}
	if (lines.file && !in)
		fclose(lines.file);
	free(lines.line);
	free(lines.slots);
	free(lines.numbers);
	return code;
}
