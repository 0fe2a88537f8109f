/*
 * sse.c - see sse.h. A line that lies whole in the bytes given is used where it
 * lies; only what is cut is copied aside.
 */
#include "daemon/claude/sse.h"

#include <string.h>

#define BOM_LEN 3

static const uint8_t bom[BOM_LEN] = { 0xef, 0xbb, 0xbf };

static bool
append(struct sse *sse, struct bytes *bytes, const void *more, size_t len)
{
	if (len > sse->max_event - MIN(bytes->len, sse->max_event))
		sse->failed = FOREBAY_ERR_TOO_BIG;
	else if (!bytes_add(bytes, more, len))
		sse->failed = FOREBAY_ERR_NO_MEMORY;
	return !sse->failed;
}

/* A blank line: hand out what came since the last one. */
static void
dispatch(struct sse *sse, sse_event_fn *fn, void *arg)
{
	bool complete = sse->has_data || sse->name[0];

	if (complete && !append(sse, &sse->data, NULL, 0))
		return;
	if (complete)
		fn(sse->name, sse->data.at, sse->data.len, arg);
	sse->data.len = 0;
	sse->has_data = false;
	sse->name[0] = '\0';
}

static void
take_data(struct sse *sse, const uint8_t *value, size_t len)
{
	if (sse->has_data && !append(sse, &sse->data, "\n", 1))
		return;
	sse->has_data = true;
	(void)append(sse, &sse->data, value, len);
}

static void
take_line(struct sse *sse, const uint8_t *line, size_t len, sse_event_fn *fn, void *arg)
{
	if (len == 0) {
		dispatch(sse, fn, arg);
		return;
	}
	const uint8_t *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : len;
	const uint8_t *value = colon ? colon + 1 : line + len;
	size_t value_len = (size_t)(line + len - value);

	if (value_len > 0 && value[0] == ' ') {
		value++;
		value_len--;
	}
	if (name_len == 4 && memcmp(line, "data", 4) == 0) {
		take_data(sse, value, value_len);
	} else if (name_len == 5 && memcmp(line, "event", 5) == 0) {
		size_t n = MIN(value_len, sizeof(sse->name) - 1);

		memcpy(sse->name, value, n);
		sse->name[n] = '\0';
	}
}

/* The line that ends here: what was kept of it, and these bytes. */
static void
end_line(struct sse *sse, const uint8_t *bytes, size_t len, sse_event_fn *fn, void *arg)
{
	if (sse->line.len == 0) {
		if (len > sse->max_event)
			sse->failed = FOREBAY_ERR_TOO_BIG;
		else
			take_line(sse, bytes, len, fn, arg);
		return;
	}
	if (!append(sse, &sse->line, bytes, len))
		return;
	take_line(sse, sse->line.at, sse->line.len, fn, arg);
	sse->line.len = 0;
}

/* The first CR or LF, or end. */
static const uint8_t *
find_line_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
	const uint8_t *cr = memchr(p, '\r', (size_t)((lf ? lf : end) - p));

	return cr ? cr : lf ? lf : end;
}

/* Pass over a byte order mark at the very start, even one that is cut. */
static const uint8_t *
skip_bom(struct sse *sse, const uint8_t *p, const uint8_t *end)
{
	while (p < end && sse->bom < BOM_LEN) {
		if (*p != bom[sse->bom]) {
			/* It was none: what was passed over is the first line's. */
			(void)append(sse, &sse->line, bom, sse->bom);
			sse->bom = BOM_LEN;
			break;
		}
		p++;
		sse->bom++;
	}
	return p;
}

void
sse_init(struct sse *sse, size_t max_event)
{
	*sse = (struct sse){ .max_event = max_event };
}

void
sse_clear(struct sse *sse)
{
	bytes_clear(&sse->line);
	bytes_clear(&sse->data);
	sse_init(sse, sse->max_event);
}

enum forebay_err
sse_feed(struct sse *sse, const uint8_t *bytes, size_t len, sse_event_fn *fn, void *arg)
{
	const uint8_t *end = bytes + len, *p = skip_bom(sse, bytes, end);

	while (p < end && !sse->failed) {
		/* Of CR and LF that belong together the LF may come alone. */
		if (sse->after_cr && *p == '\n') {
			sse->after_cr = false;
			p++;
			continue;
		}
		sse->after_cr = false;
		const uint8_t *stop = find_line_end(p, end);

		if (stop == end) {
			(void)append(sse, &sse->line, p, (size_t)(end - p));
			break;
		}
		sse->after_cr = *stop == '\r';
		end_line(sse, p, (size_t)(stop - p), fn, arg);
		p = stop + 1;
	}
	return sse->failed;
}

enum forebay_err
sse_end(struct sse *sse, sse_event_fn *fn, void *arg)
{
	if (sse->failed)
		return sse->failed;
	if (sse->bom > 0 && sse->bom < BOM_LEN)
		(void)append(sse, &sse->line, bom, sse->bom);
	sse->bom = BOM_LEN;
	if (sse->line.len > 0 && !sse->failed)
		end_line(sse, NULL, 0, fn, arg);
	if (!sse->failed)
		dispatch(sse, fn, arg);
	return sse->failed;
}
