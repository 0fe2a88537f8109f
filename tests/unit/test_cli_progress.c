/*
 * test_cli_progress.c - the line somebody sees while waiting.
 */
#include "client/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void
news(struct progress *progress, const char *json)
{
	char why[MESSAGE_WHY_LEN];
	struct message *event;

	assert_int_equal(message_parse((const uint8_t *)json, strlen(json), 4096, &event, why), 0);
	progress_news(progress, event);
	message_free(event);
}

static void
assert_line(const struct progress *progress, int64_t now_ms, const char *expected)
{
	char line[256];

	progress_text(progress, now_ms, line, sizeof(line));
	assert_string_equal(line, expected);
}

static void
a_job_tells_why_it_waits(void **unused)
{
	struct progress progress;

	(void)unused;
	progress_start(&progress, false, false, 1000);
	assert_line(&progress, 1000, "waiting");
	news(&progress, "{\"event\":\"queued\",\"id\":417}");
	assert_line(&progress, 2000, "#417 queued · 0:01");
	news(&progress, "{\"event\":\"gate\",\"id\":417,\"words\":\"opus dark, next try in 3 s\"}");
	assert_line(&progress, 43000, "#417 queued · opus dark, next try in 3 s · 0:42");
	/* While it runs there is no reason to wait; it may come back unchanged. */
	news(&progress, "{\"event\":\"attempt\",\"id\":417,\"attempt\":2,\"restart\":true}");
	assert_line(&progress, 3661000, "#417 running (attempt 2) · 1:01:00");
	news(&progress, "{\"event\":\"state\",\"id\":417,\"state\":\"queued\"}");
	assert_line(&progress, 1000, "#417 queued · opus dark, next try in 3 s (attempt 2)");
}

static void
the_daemons_words_cannot_steer_the_terminal(void **unused)
{
	struct progress progress;

	(void)unused;
	progress_start(&progress, false, false, 0);
	news(&progress, "{\"event\":\"gate\",\"words\":\"a\\u001b[2Jb\\n\"}");
	assert_line(&progress, 0, "waiting · a[2Jb");
}

static void
bulk(void **unused)
{
	char line[128];

	(void)unused;
	progress_bulk_text("queued", 500, 2000, 1000, line, sizeof(line));
	assert_string_equal(line, "500/2000 queued · 500/s · 0:03 left");
	progress_bulk_text("queued", 500, 0, 1000, line, sizeof(line));
	assert_string_equal(line, "500 queued · 500/s");
	progress_bulk_text("queued", 0, 2000, 0, line, sizeof(line));
	assert_string_equal(line, "0/2000 queued · 0/s");
	progress_bulk_text("queued", 2000, 2000, 4000, line, sizeof(line));
	assert_string_equal(line, "2000/2000 queued · 500/s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_tells_why_it_waits),
		cmocka_unit_test(the_daemons_words_cannot_steer_the_terminal),
		cmocka_unit_test(bulk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
