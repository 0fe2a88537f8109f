/*
 * test_call_broken.c - servers that stall, reset, cheat and leave; each end
 * has its name, and no request is sent twice.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "tests/unit/call_probe.h"

#include <signal.h>

/* --- broken connections ---------------------------------------------------- */

static void
hello_then_reset(struct visitor *visitor)
{
	if (visitor->requests == 1)
		say_hello(visitor);
	else
		visitor_reset(visitor);
}

static void
hello_then_leave(struct visitor *visitor)
{
	if (visitor->requests == 1)
		say_hello(visitor);
	else
		visitor_free(visitor);
}

static void
a_dead_connection_is_no_second_request(void **unused)
{
	void (*const ways[])(struct visitor *) = { hello_then_reset, hello_then_leave };

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		struct probe second = { 0 }, first = { .start_next = &second };

		world.server.answer = ways[i / 2];
		world.server.early = i % 2; /* once its head, once all of it is there */
		world.server.arrivals = 0;
		world.server.connections = 0;
		expect(&first, "LHDE", 200, ANSWER_TRANSPORT_NONE);
		assert_int_equal(second.how, ANSWER_RESET);
		assert_string_equal(second.seen, "LE");
		assert_int_equal(world.server.arrivals, 2);
	}
}

static void
refuse_early(struct visitor *visitor)
{
	visitor_say(visitor, "HTTP/1.1 529 Overloaded\r\ncontent-length: 4\r\n"
			     "connection: close\r\n\r\nbusy");
	visitor_leave(visitor);
}

static void
an_early_refusal_of_a_large_body_is_not_lost(void **unused)
{
	size_t len = 5 << 20;
	char *body = malloc(len);

	(void)unused;
	assert_non_null(body);
	memset(body, 'x', len);
	world.server.answer = refuse_early;
	world.server.early = true;
	for (int i = 0; i < 20; i++) {
		struct probe probe = { 0 };

		probe_start(&probe, body, len);
		run();
		assert_string_equal(probe.seen, "LHDE");
		assert_int_equal(probe.status, 529);
		assert_string_equal(probe.body, "busy");
	}
	free(body);
}

static void
nobody_listens(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	server_stop(&world.server);
	expect(&probe, "E", 0, ANSWER_CONNECT);
	assert_true(strlen(probe.words) > 0);
}

static void
an_unknown_name_does_not_connect(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.settings.url = "https://forebay-test.invalid";
	world.settings.connect_timeout_ms = 1000;
	reconfigure();
	probe_start(&probe, "{}", 2);
	run();
	assert_string_equal(probe.seen, "E");
	assert_true(probe.how == ANSWER_DNS || probe.how == ANSWER_CONNECT);
}

static void
aim_tls_at_the_server(char url[static 80])
{
	snprintf(url, 80, "https%s", world.url + strlen("http"));
	world.settings.url = url;
	reconfigure();
}

static void
no_tls_where_tls_is_wanted(void **unused)
{
	struct probe probe = { 0 };
	char url[80];

	(void)unused;
	world.server.greeting = "220 mail.example ESMTP\r\n";
	aim_tls_at_the_server(url);
	expect(&probe, "E", 0, ANSWER_TLS);
	assert_int_equal(world.server.arrivals, 0);
}

static void
a_handshake_without_end_is_no_connection(void **unused)
{
	struct probe probe = { 0 };
	char url[80];

	(void)unused;
	world.settings.connect_timeout_ms = 60;
	aim_tls_at_the_server(url);
	expect(&probe, "E", 0, ANSWER_CONNECT);
	assert_string_equal(probe.words, "no connection within 60 ms");
}

static void
a_reset_before_the_answer(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = visitor_reset;
	expect(&probe, "LE", 0, ANSWER_RESET);
}

static void
leave_in_the_middle(struct visitor *visitor)
{
	visitor_say(visitor, "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello");
	visitor_leave(visitor);
}

static void
leave_between_chunks(struct visitor *visitor)
{
	visitor_say(visitor, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
	visitor_leave(visitor);
}

static void
talk_nonsense(struct visitor *visitor)
{
	visitor_say(visitor, "220 mail.example ESMTP\r\n");
}

static void
an_answer_cut_short_is_truncated(void **unused)
{
	struct probe fixed = { 0 }, chunked = { 0 }, nonsense = { 0 };

	(void)unused;
	world.server.answer = leave_in_the_middle;
	expect(&fixed, "LHDE", 200, ANSWER_TRUNCATED);
	assert_string_equal(fixed.body, "hello");
	world.server.answer = leave_between_chunks;
	expect(&chunked, "LHDE", 200, ANSWER_TRUNCATED);
	assert_string_equal(chunked.body, "hello");
	world.server.answer = talk_nonsense;
	expect(&nonsense, "LE", 0, ANSWER_RESET);
}

static void
an_answer_past_the_limit_is_cut(void **unused)
{
	struct probe fits = { 0 }, too_big = { 0 };

	(void)unused;
	world.server.answer = say_hello;
	world.settings.max_answer = 5;
	reconfigure();
	expect(&fits, "LHDE", 200, ANSWER_TRANSPORT_NONE);
	world.settings.max_answer = 4;
	reconfigure();
	expect(&too_big, "LHE", 200, ANSWER_TOO_BIG);
}

/* --- time ------------------------------------------------------------------ */

static void
say_nothing(struct visitor *visitor)
{
	(void)visitor;
}

static void
silence_before_the_answer_ends_it(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = say_nothing;
	world.settings.first_byte_timeout_ms = 40;
	reconfigure();
	expect(&probe, "LE", 0, ANSWER_TIMEOUT_FIRST_BYTE);
}

static void
a_call_keeps_the_settings_it_began_with(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = say_nothing;
	world.settings.first_byte_timeout_ms = 40;
	reconfigure();
	probe_start(&probe, "{}", 2);
	world.settings.first_byte_timeout_ms = 10000;
	reconfigure();
	run();
	assert_int_equal(probe.how, ANSWER_TIMEOUT_FIRST_BYTE);
	assert_string_equal(probe.words, "no answer within 40 ms");
}

static void
visitor_on_tick(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	visitor_say(arg, "1\r\n:\r\n");
}

static void
ping_forever(struct visitor *visitor)
{
	struct timeval often = { .tv_usec = 5000 };

	visitor_say(visitor, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
	visitor->ticker =
	    event_new(visitor->server->base, -1, EV_PERSIST, visitor_on_tick, visitor);
	event_add(visitor->ticker, &often);
}

static void
pings_are_no_progress(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = ping_forever;
	world.settings.idle_timeout_ms = 60;
	reconfigure();
	expect(&probe, "LHDE", 200, ANSWER_TIMEOUT_IDLE);
}

static void
progress_lasts_until_the_lifetime_ends(void **unused)
{
	struct probe probe = { .progress = true };
	int64_t began_ms = clock_mono_ms();

	(void)unused;
	world.server.answer = ping_forever;
	world.settings.idle_timeout_ms = 100;
	world.settings.lifetime_ms = 250;
	reconfigure();
	expect(&probe, "LHDE", 200, ANSWER_LIFETIME);
	assert_true(clock_mono_ms() - began_ms >= 250);
}

static void
plain_on_headers(struct call *call, int status, const struct answer_headers *headers, void *arg)
{
	call_bytes_are_progress(call);
	probe_on_headers(call, status, headers, arg);
}

static void
bytes_are_progress_where_the_owner_says_so(void **unused)
{
	struct call_events events = probe_events;
	struct call_request request = { .path = "/v1/messages" };
	struct probe probe = { 0 };

	(void)unused;
	events.headers = plain_on_headers;
	world.server.answer = ping_forever;
	world.settings.idle_timeout_ms = 100;
	world.settings.lifetime_ms = 250;
	reconfigure();
	assert_int_equal(
	    call_start(world.loop, &open_ticket, &request, &events, &probe, &probe.call),
	    FOREBAY_ERR_OK);
	world.waiting++;
	run();
	assert_int_equal(probe.how, ANSWER_LIFETIME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_dead_connection_is_no_second_request),
		TEST(an_early_refusal_of_a_large_body_is_not_lost),
		TEST(nobody_listens),
		TEST(an_unknown_name_does_not_connect),
		TEST(no_tls_where_tls_is_wanted),
		TEST(a_handshake_without_end_is_no_connection),
		TEST(a_reset_before_the_answer),
		TEST(an_answer_cut_short_is_truncated),
		TEST(an_answer_past_the_limit_is_cut),
		TEST(silence_before_the_answer_ends_it),
		TEST(a_call_keeps_the_settings_it_began_with),
		TEST(pings_are_no_progress),
		TEST(progress_lasts_until_the_lifetime_ends),
		TEST(bytes_are_progress_where_the_owner_says_so),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
