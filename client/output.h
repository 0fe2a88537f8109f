/*
 * output.h - stdout: a table on a terminal, tab-separated values in a pipe, JSON
 * Lines with --json; the words of models, made harmless on a terminal.
 *
 * Nothing here fails: the first write that does marks the output as broken, and
 * session_next() and main() look at that.
 */
#ifndef CLIENT_OUTPUT_H
#define CLIENT_OUTPUT_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OUTPUT_MAX_COLUMNS 12

enum output_color { OUTPUT_PLAIN, OUTPUT_GOOD, OUTPUT_BUSY, OUTPUT_BAD, OUTPUT_FAINT };

struct output {
	bool json, quiet, header; /* as the user wants */
	bool raw;		  /* control bytes go out as they are */
	bool tty, color, err_tty, err_color;
	int width;  /* of the terminal; 0: no limit */
	int broken; /* errno of the first failed write */
	char last;  /* byte written by output_text or output_raw */
	/* the table under way */
	const char *const *titles; /* borrowed */
	size_t columns, cell;
	char **cells;  /* owned; row by row */
	uint8_t *inks; /* owned; enum output_color of each */
	size_t count, size;
	bool titled;
};

enum output_when { OUTPUT_AUTO, OUTPUT_ALWAYS, OUTPUT_NEVER };

/* Looks at the terminals and at NO_COLOR, CLICOLOR_FORCE, TERM, COLUMNS. */
void output_init(struct output *out, enum output_when color);
void output_clear(struct output *out);

void output_raw(struct output *out, const void *bytes, size_t len);
/* Foreign text: on a terminal, without raw, control bytes appear as \x1b. */
void output_text(struct output *out, const char *text, size_t len);
PRINTF_LIKE(2, 3) void output_line(struct output *out, const char *fmt, ...);
/* One JSON document or many JSON Lines; a newline is added where it lacks. */
void output_json(struct output *out, const void *json, size_t len);
/* End a text with a newline if it has none. */
void output_end_text(struct output *out);
void output_flush(struct output *out);

/* titles ends with NULL and lives until output_table_end(). Then cells, row by
 * row; NULL and "" are empty. */
void output_table(struct output *out, const char *const *titles);
void output_cell(struct output *out, const char *text);
void output_cell_ink(struct output *out, enum output_color color, const char *text);
void output_cell_int(struct output *out, int64_t number);
void output_table_end(struct output *out);

enum output_color output_state_color(const char *state);

/* "forebay: ..." on stderr. */
PRINTF_LIKE(2, 3) void output_complain(struct output *out, const char *fmt, ...);
/* A remark on stderr, not with -q. */
PRINTF_LIKE(2, 3) void output_note(struct output *out, const char *fmt, ...);

#endif
