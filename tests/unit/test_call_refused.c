/*
 * test_call_refused.c - requests and settings that must not reach libcurl.
 */
#include "daemon/base/log.h"
#include "daemon/net/lines.h"
#include "daemon/net/origin.h"
#include "tests/unit/call_probe.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what is refused ------------------------------------------------------- */

static void
lines_that_break_out_are_refused(void **unused)
{
	static const char *const bad[] = { "x: a\r\ny: b",
					   "x: a\ny: b",
					   "x: a\r",
					   "no colon",
					   ": empty",
					   "sp ace: a",
					   "",
					   "x: \x01",
					   "Authorization: Bearer me",
					   "X-API-Key: me",
					   "content-length: 7",
					   "Transfer-Encoding: chunked",
					   "host: elsewhere" };
	struct call *call = NULL;

	(void)unused;
	assert_true(lines_is_safe("anthropic-workspace-id: wrkspc_1"));
	assert_true(lines_is_safe("x-empty:"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *const headers[] = { bad[i], NULL };
		struct call_request request = { .path = "/", .headers = headers };

		assert_int_equal(
		    call_start(world.loop, &open_ticket, &request, &probe_events, NULL, &call),
		    FOREBAY_ERR_INTERNAL);
	}
	assert_int_equal(curl_loop_running(world.loop), 0);
}

static void
requests_that_break_out_are_refused(void **unused)
{
	const struct call_request bad[] = { { .path = "/", .version = "1\r\nx: y" },
					    { .path = "/", .betas = "a\nb" },
					    { .path = "/", .content_type = "\r" },
					    { .path = "/a b" },
					    { .path = "/a\r\nHost: b" },
					    { .path = "/a#b" },
					    { .path = "" },
					    { .path = "@elsewhere/" } };
	struct call *call = NULL;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    call_start(world.loop, &open_ticket, &bad[i], &probe_events, NULL, &call),
		    FOREBAY_ERR_INTERNAL);
}

static void
only_tls_or_this_machine_is_an_upstream(void **unused)
{
	/* clang-format off */
	static const struct { const char *url, *base, *socket_path; } rows[] = {
		{ "https://api.anthropic.com",   "https://api.anthropic.com",   NULL },
		{ "https://proxy.example/ai//",  "https://proxy.example/ai",    NULL },
		{ "http://127.0.0.1:8080/",      "http://127.0.0.1:8080",       NULL },
		{ "http://127.1.2.3",            "http://127.1.2.3",            NULL },
		{ "http://[::1]:1",              "http://[::1]:1",              NULL },
		{ "http://localhost",            "http://localhost",            NULL },
		{ "unix:/run/api",               "http://localhost",            "/run/api" },
		{ "http://api.anthropic.com",    NULL, NULL },
		{ "http://127.0.0.1.example",    NULL, NULL },
		{ "http://localhost.example",    NULL, NULL },
		{ "http://10.0.0.1",             NULL, NULL },
		{ "https://user@example.com",    NULL, NULL },
		{ "https://example.com/?a=b",    NULL, NULL },
		{ "https://example.com/#a",      NULL, NULL },
		{ "ftp://example.com",           NULL, NULL },
		{ "unix:run/api",                NULL, NULL },
		{ "example.com",                 NULL, NULL },
		{ "",                            NULL, NULL },
	};
	/* clang-format on */
	char why[256];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct origin origin = { 0 };
		enum forebay_err err = origin_parse(rows[i].url, &origin, why, sizeof(why));

		assert_int_equal(err, rows[i].base ? FOREBAY_ERR_OK : FOREBAY_ERR_BAD_REQUEST);
		if (rows[i].base)
			assert_string_equal(origin.base, rows[i].base);
		if (rows[i].socket_path)
			assert_string_equal(origin.socket_path, rows[i].socket_path);
		else
			assert_null(origin.socket_path);
		origin_clear(&origin);
	}
}

static void
settings_that_are_refused_change_nothing(void **unused)
{
	struct curl_settings bad = world.settings;
	struct probe probe = { 0 };

	(void)unused;
	bad.url = "http://example.com";
	assert_int_equal(curl_loop_configure(world.loop, &bad), FOREBAY_ERR_BAD_REQUEST);
	world.server.answer = say_hello;
	expect(&probe, "LHDE", 200, ANSWER_TRANSPORT_NONE);
}

static void
without_a_ticket_nobody_calls(void **unused)
{
	const struct gate_ticket shut = { 0 };
	struct call_request request = { .path = "/" };
	struct call *call;
	int status = 0;
	pid_t child = fork();

	(void)unused;
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		(void)!freopen("/dev/null", "w", stderr);
		(void)!call_start(world.loop, &shut, &request, &probe_events, NULL, &call);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_that_break_out_are_refused),
		TEST(requests_that_break_out_are_refused),
		TEST(only_tls_or_this_machine_is_an_upstream),
		TEST(settings_that_are_refused_change_nothing),
		TEST(without_a_ticket_nobody_calls),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
