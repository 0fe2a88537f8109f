/*
 * test_cli_stream.c - the words of an answer, streamed and whole.
 */
#include "client/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words {
	char text[256];
	size_t len;
};

static void
keep(const char *text, size_t len, void *arg)
{
	struct words *words = arg;

	assert_true(words->len + len < sizeof(words->text));
	memcpy(words->text + words->len, text, len);
	words->len += len;
}

#define DELTA(text)                                                                                \
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"         \
	"\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}}\n\n"

static const char streamed[] =
    "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{}}\r\n\r\n"
    "event: ping\ndata: {\"type\": \"ping\"}\n\n: a comment\n" DELTA("Gr\\u00fc\\u00df") DELTA(
	" dich") "data:{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\","
		 "\"thinking\":\"hm\"}}\n\n"
		 "data: not json\n\n"
		 "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n";

/* However it is cut, the words are the same. */
static void
cut_anywhere(void **unused)
{
	(void)unused;
	for (size_t cut = 1; cut < sizeof(streamed); cut++) {
		struct words words = { .len = 0 };
		struct stream stream;

		stream_init(&stream, keep, &words);
		for (size_t at = 0; at < sizeof(streamed) - 1; at += cut) {
			size_t len = sizeof(streamed) - 1 - at;

			stream_feed(&stream, (const uint8_t *)streamed + at, len < cut ? len : cut);
		}
		assert_int_equal(words.len, strlen("Grüß dich"));
		assert_memory_equal(words.text, "Grüß dich", words.len);
		assert_string_equal(stream.stop_reason, "end_turn");
		stream_clear(&stream);
	}
}

static void
a_line_without_end_is_passed_over(void **unused)
{
	char *flood = malloc(3u << 20);
	struct words words = { .len = 0 };
	struct stream stream;

	(void)unused;
	memset(flood, 'x', 3u << 20);
	stream_init(&stream, keep, &words);
	stream_feed(&stream, (const uint8_t *)"data: ", 6);
	stream_feed(&stream, (const uint8_t *)flood, 3u << 20);
	assert_true(stream.size <= 1u << 20);
	stream_feed(&stream, (const uint8_t *)"\n\n", 2);
	stream_feed(&stream, (const uint8_t *)DELTA("on"), sizeof(DELTA("on")) - 1);
	assert_int_equal(words.len, 2);
	stream_clear(&stream);
	free(flood);
}

static void
assert_text(const char *json, const char *expected)
{
	size_t len;
	char *text = stream_message_text(json, strlen(json), &len);

	if (!expected) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
}

static void
whole_messages(void **unused)
{
	(void)unused;
	assert_text(
	    "{\"content\":[{\"type\":\"text\",\"text\":\"a\\nb\"},"
	    "{\"type\":\"tool_use\",\"input\":{\"text\":\"no\",\"d\":[[[[[[[[[[[[[[[[[[1]]]]]"
	    "]]]]]]]]]]]]]}},{\"type\":\"text\",\"text\":\"c\"}],\"text\":\"no\"}",
	    "a\nbc");
	assert_text("{\"content\":[]}", "");
	assert_text("{\"content\":\"text\"}", "");
	assert_text("{\"error\":{\"text\":\"no\"}}", "");
	assert_text("{\"content\":[{\"text\":\"cut", NULL);
	assert_text("", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(a_line_without_end_is_passed_over),
		cmocka_unit_test(whole_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
