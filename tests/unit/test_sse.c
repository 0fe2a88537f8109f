/*
 * test_sse.c - the same events come out however the bytes are cut.
 */
#include "daemon/claude/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_EVENT 1000

/* "name=data;" for each event. */
struct notes {
	char log[4096];
};

static void
notes_on_event(const char *name, const uint8_t *data, size_t len, void *arg)
{
	struct notes *notes = arg;
	size_t used = strlen(notes->log);

	assert_int_equal(data[len], '\0');
	snprintf(notes->log + used, sizeof(notes->log) - used, "%s=%.*s;", name, (int)len,
		 (const char *)data);
}

/* Fed from an allocation of its own a step, so that a sanitizer sees a look back. */
static enum forebay_err
feed(struct sse *sse, const char *bytes, size_t len, struct notes *notes)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	enum forebay_err err = sse_feed(sse, copy, len, notes_on_event, notes);

	free(copy);
	return err;
}

static void
assert_events(const char *stream, size_t len, const char *wanted)
{
	for (size_t step = 1; step <= len + 1; step++) {
		struct notes notes = { "" };
		struct sse sse;

		sse_init(&sse, MAX_EVENT);
		for (size_t at = 0; at < len; at += step)
			assert_int_equal(feed(&sse, stream + at, MIN(step, len - at), &notes), 0);
		assert_int_equal(sse_end(&sse, notes_on_event, &notes), 0);
		if (strcmp(notes.log, wanted) != 0)
			fail_msg("in steps of %zu: %s, not %s", step, notes.log, wanted);
		sse_clear(&sse);
	}
}

static void
streams_are_cut_into_events(void **unused)
{
	/* clang-format off */
	static const struct { const char *stream, *events; } rows[] = {
		{ "", "" },
		{ "\n\n\n", "" },
		{ "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", "a=1;b=2;" },
		{ "event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n", "a=1;b=2;" },
		{ "event: a\rdata: 1\r\revent: b\rdata: 2\r\r", "a=1;b=2;" },
		{ "event: a\rdata: 1\n\r\nevent: b\ndata: 2\r\n\n", "a=1;b=2;" },
		{ "data: nameless\n\n", "=nameless;" },
		{ "event: a\n\n", "a=;" },
		{ "event: a\ndata\n\n", "a=;" },
		{ "event: a\ndata: 1\ndata: 2\ndata:\ndata:  3\n\n", "a=1\n2\n\n 3;" },
		{ "event:a\ndata:{\"x\":1}\n\n", "a={\"x\":1};" },
		{ ": comment\nevent: a\n:\n: data: no\ndata: 1\nid: 7\nretry: 5\nother: x\n\n", "a=1;" },
		{ "event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", "b=1;=2;" },
		{ "\xef\xbb\xbf" "event: a\ndata: 1\n\n", "a=1;" },
		{ "\xef\xbb\xbf\n" "event: a\ndata: 1\n\n", "a=1;" },
		{ "event: a\ndata: \xef\xbb\xbf\n\n", "a=\xef\xbb\xbf;" },
		/* no mark after all: an unknown field */
		{ "\xef\xbb" "event: a\ndata: 1\n\n", "=1;" },
		/* the end of the stream ends the last event */
		{ "event: a\ndata: 1\n\nevent: b\ndata: 2\n", "a=1;b=2;" },
		{ "event: a\ndata: 1\n\nevent: b\ndata: 2", "a=1;b=2;" },
		{ "event: b\r\ndata: 2\r", "b=2;" },
		{ "data: \xe4\xbd\xa0\xf0\x9f\x98\x80\n\n", "=\xe4\xbd\xa0\xf0\x9f\x98\x80;" },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_events(rows[i].stream, strlen(rows[i].stream), rows[i].events);
}

static void
a_long_name_is_cut(void **unused)
{
	char stream[300], wanted[100];

	(void)unused;
	memset(wanted, 'n', sizeof(wanted));
	strcpy(wanted + 63, "=1;");
	sprintf(stream, "event: %0100d\ndata: 1\n\n", 0);
	memset(stream + 7, 'n', 100);
	assert_events(stream, strlen(stream), wanted);
}

static void
an_event_ends_with_its_blank_line(void **unused)
{
	struct notes notes = { "" };
	struct sse sse;

	(void)unused;
	sse_init(&sse, MAX_EVENT);
	assert_int_equal(feed(&sse, "event: a\ndata: 1\n", 17, &notes), 0);
	assert_string_equal(notes.log, "");
	assert_int_equal(feed(&sse, "\n", 1, &notes), 0);
	assert_string_equal(notes.log, "a=1;");
	/* A lone CR is an end: nobody waits for the LF that may follow. */
	assert_int_equal(feed(&sse, "data: 2\r\r", 9, &notes), 0);
	assert_string_equal(notes.log, "a=1;=2;");
	assert_int_equal(feed(&sse, "\ndata: 3\n\n", 10, &notes), 0);
	assert_string_equal(notes.log, "a=1;=2;=3;");
	sse_clear(&sse);
}

static enum forebay_err
feed_line(size_t len, size_t step)
{
	char stream[3 * MAX_EVENT];
	struct notes notes = { "" };
	struct sse sse;
	enum forebay_err err = FOREBAY_ERR_OK;

	memset(stream, 'x', sizeof(stream));
	memcpy(stream, "data: ", 6);
	strcpy(stream + len, "\n\n");
	sse_init(&sse, MAX_EVENT);
	for (size_t at = 0; at < len + 2 && !err; at += step)
		err = feed(&sse, stream + at, MIN(step, len + 2 - at), &notes);
	/* Once too big, always too big. */
	if (err)
		assert_int_equal(feed(&sse, "\n", 1, &notes), err);
	if (err)
		assert_int_equal(sse_end(&sse, notes_on_event, &notes), err);
	sse_clear(&sse);
	return err;
}

static void
an_event_has_a_largest_size(void **unused)
{
	static const size_t steps[] = { 1, 7, 999, 1000, 3000 };
	struct notes notes = { "" };
	struct sse sse;
	enum forebay_err err = FOREBAY_ERR_OK;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(feed_line(MAX_EVENT, steps[i]), FOREBAY_ERR_OK);
		assert_int_equal(feed_line(MAX_EVENT + 1, steps[i]), FOREBAY_ERR_TOO_BIG);
	}
	/* Many short lines are one long event, too. */
	sse_init(&sse, MAX_EVENT);
	for (int i = 0; i < 2000 && !err; i++)
		err = feed(&sse, "data: x\n", 8, &notes);
	assert_int_equal(err, FOREBAY_ERR_TOO_BIG);
	sse_clear(&sse);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_cut_into_events),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(an_event_ends_with_its_blank_line),
		cmocka_unit_test(an_event_has_a_largest_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
