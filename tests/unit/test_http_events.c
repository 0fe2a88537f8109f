/*
 * test_http_events.c - where events end, and of which kind they are, however the
 * stream is cut.
 */
#include "daemon/serve/http_events.h"

#include "protocol/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
events_are_found(void **unused)
{
	static const struct {
		const char *text;
		size_t whole;
		bool content, error;
	} cases[] = {
		{ "", 0, false, false },
		{ "event: message_start\ndata: {}\n", 0, false, false },
		{ "event: message_start\ndata: {}\n\n", 31, false, false },
		{ "event: ping\ndata: {}\n\nevent: content_block_start\n", 22, false, false },
		{ "event: ping\ndata: {}\n\nevent: content_block_start\n\n", 50, true, false },
		{ "event:content_block_delta\r\ndata: x\r\n\r\n", 38, true, false },
		{ "event: message_delta\n\n", 22, true, false },
		{ "event: message_stop\n\n", 21, true, false },
		{ "event: error\ndata: {}\n\n", 23, false, true },
		{ "data: event: error\n\n", 20, false, false },
		{ "event: errors\n\nevent: message_starts_and_goes_on_and_on\n\n", 57, false,
		  false },
		{ ": comment\n\n\n", 12, false, false },
		{ "event: error\nevent: ping\n\n", 26, false, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].text);

		for (size_t step = 1; step <= len + 1; step++) {
			struct http_events events = { 0 };

			for (size_t at = 0; at < len; at += step) {
				size_t n = MIN(step, len - at);
				uint8_t *copy = malloc(n);

				memcpy(copy, cases[i].text + at, n);
				http_events_feed(&events, copy, n);
				free(copy);
			}
			if (events.whole != cases[i].whole || events.content != cases[i].content ||
			    events.error != cases[i].error || events.at != len)
				fail_msg("%s: %d", cases[i].text, (int)events.whole);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(events_are_found) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
