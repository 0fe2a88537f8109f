/*
 * test_log.c - what a line looks like on stderr, and that a flood is bounded.
 */
#include "daemon/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What was written to stderr between capture_begin and capture_end. */
static int real_stderr;
static FILE *captured;

static void
capture_begin(void)
{
	captured = tmpfile();
	assert_non_null(captured);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

static const char *
capture_end(void)
{
	static char text[LOG_LINES_PER_SECOND * 64];
	size_t len;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	rewind(captured);
	len = fread(text, 1, sizeof(text) - 1, captured);
	text[len] = '\0';
	fclose(captured);
	return text;
}

static void
a_line_has_program_level_and_fields(void **unused)
{
	(void)unused;
	log_init(LOG_LEVEL_INFO);
	capture_begin();
	log_info("ready");
	log_warn("disk at %d %%", 91);
	log_debug("not shown at this level");
	log_with(LOG_LEVEL_ERROR,
		 LOG_FIELDS(.job_id = 17, .model = "m-1", .request_id = "req_1",
			    .unit = "c.service", .owner = 1000),
		 "gone");
	assert_string_equal(capture_end(), "forebayd: ready\n"
					   "forebayd: warning: disk at 91 %\n"
					   "forebayd: error: gone job=17 model=m-1 request=req_1 "
					   "unit=c.service owner=1000\n");
}

static void
the_level_can_change_later(void **unused)
{
	(void)unused;
	log_init(LOG_LEVEL_DEBUG);
	capture_begin();
	log_debug("now shown");
	log_init(LOG_LEVEL_ERROR);
	log_warn("now hidden");
	assert_string_equal(capture_end(), "forebayd: debug: now shown\n");
	log_init(LOG_LEVEL_INFO);
}

static void
a_line_stays_one_line(void **unused)
{
	char longer[4 * LOG_LINE_MAX];
	const char *text;

	(void)unused;
	capture_begin();
	log_with(LOG_LEVEL_INFO, LOG_FIELDS(.model = "x\ny"), "a\nb\033[31m\177");
	assert_string_equal(capture_end(), "forebayd: a?b?[31m? model=x?y\n");

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	capture_begin();
	log_info("%s", longer);
	text = capture_end();
	assert_in_range(strlen(text), LOG_LINE_MAX - 1, LOG_LINE_MAX + 64);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void
a_flood_is_cut_and_counted(void **unused)
{
	struct log_meter meter = { 0 };
	unsigned dropped, written = 0;

	(void)unused;
	for (int i = 0; i < 1000; i++)
		written += log_meter_take(&meter, 5000 + i / 2, &dropped);
	assert_int_equal(written, LOG_LINES_PER_SECOND);
	assert_false(log_meter_take(&meter, 5999, &dropped));
	assert_true(log_meter_take(&meter, 6000, &dropped));
	assert_int_equal(dropped, 1001 - LOG_LINES_PER_SECOND);
	assert_true(log_meter_take(&meter, 6001, &dropped));
	assert_int_equal(dropped, 0);
}

static void
fatal_says_why_and_leaves_a_core(void **unused)
{
	int status;
	pid_t child;

	(void)unused;
	capture_begin();
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		fatal("job %d: illegal move", 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_string_equal(capture_end(), "forebayd: error: job 3: illegal move\n");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
must_alloc_zeroes(void **unused)
{
	char *memory = must_alloc(64), *copy = must_strdup("abc");

	(void)unused;
	for (int i = 0; i < 64; i++)
		assert_int_equal(memory[i], 0);
	assert_string_equal(copy, "abc");
	free(memory);
	free(copy);
	free(must_alloc(0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_program_level_and_fields),
		cmocka_unit_test(the_level_can_change_later),
		cmocka_unit_test(a_line_stays_one_line),
		cmocka_unit_test(a_flood_is_cut_and_counted),
		cmocka_unit_test(fatal_says_why_and_leaves_a_core),
		cmocka_unit_test(must_alloc_zeroes),
	};

	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
