/*
 * output.c - stdout and the sentences on stderr; see output.h.
 */
#include "client/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TABLE_ROWS 1000 /* laid out together; then the next ones */

static const char *const inks[] = {
	[OUTPUT_PLAIN] = "",	   [OUTPUT_GOOD] = "\033[32m", [OUTPUT_BUSY] = "\033[33m",
	[OUTPUT_BAD] = "\033[31m", [OUTPUT_FAINT] = "\033[2m",
};

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value && strcmp(value, "0") != 0;
}

static bool
wants_color(enum output_when when, bool tty)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	if (when != OUTPUT_AUTO)
		return when == OUTPUT_ALWAYS;
	if (is_set("CLICOLOR_FORCE"))
		return true;
	return tty && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static int
terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (columns && atoi(columns) > 0)
		return atoi(columns);
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void
output_init(struct output *out, enum output_when color)
{
	out->tty = isatty(STDOUT_FILENO);
	out->err_tty = isatty(STDERR_FILENO);
	out->color = wants_color(color, out->tty);
	out->err_color = wants_color(color, out->err_tty);
	out->width = out->tty ? terminal_width() : 0;
}

/* --- bytes ------------------------------------------------------------------ */

void
output_raw(struct output *out, const void *bytes, size_t len)
{
	if (len == 0 || out->broken)
		return;
	if (fwrite(bytes, 1, len, stdout) != len)
		out->broken = errno ? errno : EIO;
	out->last = ((const char *)bytes)[len - 1];
}

void
output_flush(struct output *out)
{
	if (!out->broken && fflush(stdout) != 0)
		out->broken = errno ? errno : EIO;
}

/* ESC and the like, DEL, and the C1 controls (0xc2 0x80 .. 0xc2 0x9f). How many
 * bytes they are; 0: harmless. */
static size_t
control_len(const unsigned char *text, size_t len)
{
	if ((*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7f)
		return 1;
	return len > 1 && *text == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0 ? 2 : 0;
}

void
output_text(struct output *out, const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t from = 0;

	if (!out->tty || out->raw) {
		output_raw(out, text, len);
		return;
	}
	for (size_t i = 0; i < len;) {
		size_t control = control_len(bytes + i, len - i);
		char shown[8];

		if (control == 0) {
			i++;
			continue;
		}
		output_raw(out, text + from, i - from);
		snprintf(shown, sizeof(shown), "\\x%02x", bytes[i + control - 1]);
		output_raw(out, shown, strlen(shown));
		i += control;
		from = i;
	}
	output_raw(out, text + from, len - from);
}

void
output_line(struct output *out, const char *fmt, ...)
{
	va_list args;
	char *line;
	int len;

	va_start(args, fmt);
	len = vasprintf(&line, fmt, args);
	va_end(args);
	if (len < 0) {
		out->broken = ENOMEM;
		return;
	}
	output_text(out, line, (size_t)len);
	output_raw(out, "\n", 1);
	free(line);
}

void
output_json(struct output *out, const void *json, size_t len)
{
	output_raw(out, json, len);
	if (len > 0 && out->last != '\n')
		output_raw(out, "\n", 1);
}

void
output_end_text(struct output *out)
{
	if (out->last && out->last != '\n')
		output_raw(out, "\n", 1);
	output_flush(out);
}

/* --- tables ----------------------------------------------------------------- */

static void
drop_cells(struct output *out)
{
	for (size_t i = 0; i < out->count; i++)
		free(out->cells[i]);
	out->count = 0;
}

void
output_clear(struct output *out)
{
	drop_cells(out);
	free(out->cells);
	free(out->inks);
	out->cells = NULL;
	out->inks = NULL;
	out->size = 0;
}

void
output_table(struct output *out, const char *const *titles)
{
	out->titles = titles;
	for (out->columns = 0; titles[out->columns] && out->columns < OUTPUT_MAX_COLUMNS;)
		out->columns++;
	out->cell = 0;
	out->titled = !out->header;
}

/* Places on the screen: one a character, which is right for all but the wide
 * and the combining ones. */
static size_t
text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static size_t
bytes_of_width(const char *text, size_t width)
{
	size_t i = 0;

	for (; text[i]; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 && width-- == 0)
			break;
	return i;
}

/* One cell of a laid-out row; places is what the line has left. */
static void
put_cell(struct output *out, const char *text, enum output_color ink, size_t width, bool last,
	 size_t *places)
{
	size_t shown = MIN(text_width(text), *places);
	size_t len = bytes_of_width(text, shown);
	size_t pad = last ? 0 : MIN(width + 2 - MIN(width, shown), *places - shown);

	bool color = out->color && ink && len > 0;

	if (color)
		output_raw(out, inks[ink], strlen(inks[ink]));
	output_text(out, text, len);
	if (color)
		output_raw(out, "\033[0m", 4);
	for (size_t i = 0; i < pad; i++)
		output_raw(out, " ", 1);
	*places -= shown + pad;
}

static void
put_row(struct output *out, char *const *cells, const uint8_t *colors, const size_t *widths)
{
	size_t places = out->width > 0 ? (size_t)out->width : SIZE_MAX;

	for (size_t i = 0; i < out->columns; i++)
		put_cell(out, cells[i] ? cells[i] : "", colors ? colors[i] : OUTPUT_FAINT,
			 widths[i], i + 1 == out->columns, &places);
	output_raw(out, "\n", 1);
}

static void
put_rows(struct output *out)
{
	size_t widths[OUTPUT_MAX_COLUMNS] = { 0 };

	for (size_t i = 0; i < out->columns && !out->titled; i++)
		widths[i] = text_width(out->titles[i]);
	for (size_t i = 0; i < out->count; i++)
		if (out->cells[i])
			widths[i % out->columns] =
			    MAX(widths[i % out->columns], text_width(out->cells[i]));
	if (!out->titled)
		put_row(out, (char *const *)out->titles, NULL, widths);
	out->titled = true;
	for (size_t i = 0; i + out->columns <= out->count; i += out->columns)
		put_row(out, out->cells + i, out->inks + i, widths);
	drop_cells(out);
}

static bool
grow_cells(struct output *out)
{
	size_t size = out->size ? out->size * 2 : 256;
	char **cells = realloc(out->cells, size * sizeof(*cells));
	uint8_t *colors;

	if (cells)
		out->cells = cells;
	colors = cells ? realloc(out->inks, size) : NULL;
	if (!colors)
		return false;
	out->inks = colors;
	out->size = size;
	return true;
}

static void
keep_cell(struct output *out, enum output_color ink, const char *text)
{
	char *copy = text && *text ? strdup(text) : NULL;

	if ((out->count == out->size && !grow_cells(out)) || (text && *text && !copy)) {
		free(copy);
		out->broken = ENOMEM;
		return;
	}
	out->cells[out->count] = copy;
	out->inks[out->count++] = (uint8_t)ink;
	if (out->count == TABLE_ROWS * out->columns)
		put_rows(out);
}

/* In a pipe: the whole value, with what would break the row made harmless. */
static void
put_value(struct output *out, const char *text)
{
	bool last = ++out->cell == out->columns;

	for (; text && *text; text++) {
		size_t len = strcspn(text, "\t\n");

		output_raw(out, text, len);
		text += len;
		if (!*text)
			break;
		output_raw(out, " ", 1);
	}
	output_raw(out, last ? "\n" : "\t", 1);
	if (last)
		out->cell = 0;
}

static void
put_titles(struct output *out)
{
	out->titled = true;
	for (size_t i = 0; i < out->columns; i++)
		put_value(out, out->titles[i]);
}

void
output_cell_ink(struct output *out, enum output_color color, const char *text)
{
	if (out->tty) {
		keep_cell(out, color, text);
		return;
	}
	if (!out->titled)
		put_titles(out);
	put_value(out, text);
}

void
output_cell(struct output *out, const char *text)
{
	output_cell_ink(out, OUTPUT_PLAIN, text);
}

void
output_cell_int(struct output *out, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	output_cell(out, text);
}

void
output_table_end(struct output *out)
{
	if (out->tty && out->count > 0)
		put_rows(out);
	output_flush(out);
}

enum output_color
output_state_color(const char *state)
{
	static const struct {
		const char *state;
		enum output_color color;
	} rows[] = {
		{ "running", OUTPUT_BUSY },   { "batched", OUTPUT_BUSY },
		{ "succeeded", OUTPUT_GOOD }, { "failed", OUTPUT_BAD },
		{ "expired", OUTPUT_BAD },    { "canceled", OUTPUT_FAINT },
		{ "open", OUTPUT_GOOD },      { "dark", OUTPUT_BAD },
		{ "held", OUTPUT_BUSY },      { "overloaded", OUTPUT_BAD },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].state, state) == 0)
			return rows[i].color;
	return OUTPUT_PLAIN;
}

/* --- stderr ------------------------------------------------------------------ */

static void
say(struct output *out, enum output_color ink, const char *fmt, va_list args)
{
	char *line;
	int len = vasprintf(&line, fmt, args);

	fflush(stdout);
	fputs(out->err_color ? inks[ink] : "", stderr);
	fputs("forebay: ", stderr);
	fputs(out->err_color && ink ? "\033[0m" : "", stderr);
	if (len < 0) {
		fputs("out of memory\n", stderr);
		return;
	}
	for (const char *p = line; *p; p++)
		if (control_len((const unsigned char *)p, 1) && out->err_tty)
			fprintf(stderr, "\\x%02x", (unsigned char)*p);
		else
			fputc(*p, stderr);
	fputc('\n', stderr);
	free(line);
}

void
output_complain(struct output *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(out, OUTPUT_BAD, fmt, args);
	va_end(args);
}

void
output_note(struct output *out, const char *fmt, ...)
{
	va_list args;

	if (out->quiet)
		return;
	va_start(args, fmt);
	say(out, OUTPUT_FAINT, fmt, args);
	va_end(args);
}
