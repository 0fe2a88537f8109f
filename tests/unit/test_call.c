/*
 * test_call.c - requests against a real, small server that answers as it
 * should, and owners that change their mind in the middle.
 */
#include "daemon/base/log.h"
#include "tests/unit/call_probe.h"

#include <signal.h>
#include <sys/un.h>
#include <unistd.h>

/* --- answers --------------------------------------------------------------- */

static void
a_plain_answer_comes_whole(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = say_hello;
	expect(&probe, "LHDE", 200, ANSWER_TRANSPORT_NONE);
	assert_string_equal(probe.body, "hello");
	assert_string_equal(probe.request_id, "req_1");
	assert_string_equal(probe.words, "");
	assert_non_null(strstr(world.server.head, "POST /v1/messages HTTP/1.1\r\n"));
	assert_int_equal(world.server.body_len, 2);
}

static void
a_get_has_no_body(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = say_hello;
	probe_start(&probe, NULL, 0);
	run();
	assert_int_equal(probe.how, ANSWER_TRANSPORT_NONE);
	assert_non_null(strstr(world.server.head, "GET /v1/messages HTTP/1.1\r\n"));
	assert_null(strcasestr(world.server.head, "content-"));
}

static unsigned
occurrences(const char *text, const char *word)
{
	unsigned count = 0;

	for (text = strcasestr(text, word); text; text = strcasestr(text + 1, word))
		count++;
	return count;
}

static void
the_request_carries_what_it_must_once(void **unused)
{
	const char *const more[] = { "x-forebay-test: yes", NULL };
	const char *head = world.server.head;
	struct probe probe = { 0 };
	struct call_request request = { .path = "/v1/messages?beta=true",
					.body = &probe.reader,
					.version = "2026-10-21",
					.betas = "a-1,b-2",
					.headers = more };

	(void)unused;
	world.server.answer = say_hello;
	body_reader_init(&probe.reader, (const uint8_t *)"{}", 2, &(struct body_facts){ 0 }, NULL);
	assert_int_equal(
	    call_start(world.loop, &open_ticket, &request, &probe_events, &probe, &probe.call),
	    FOREBAY_ERR_OK);
	world.waiting++;
	run();
	assert_int_equal(occurrences(head, "sk-ant-test-1"), 1);
	assert_int_equal(occurrences(head, "\r\nauthorization: Bearer sk-ant-test-1\r\n"), 1);
	assert_int_equal(occurrences(head, "\r\ncontent-type: application/json\r\n"), 1);
	assert_int_equal(occurrences(head, "\r\nanthropic-version: 2026-10-21\r\n"), 1);
	assert_int_equal(occurrences(head, "\r\nanthropic-beta: a-1,b-2\r\n"), 1);
	assert_int_equal(occurrences(head, "\r\nx-forebay-test: yes\r\n"), 1);
	assert_int_equal(occurrences(head, "\r\nuser-agent: forebayd/" FOREBAY_VERSION "\r\n"), 1);
	assert_int_equal(occurrences(head, "\r\nexpect"), 0);
	assert_int_equal(occurrences(head, "accept-encoding"), 0);
	assert_non_null(strstr(head, "POST /v1/messages?beta=true HTTP/1.1\r\n"));
}

/* The next chunk follows when the client has taken the one before. */
static void
send_next_chunk(struct probe *probe, struct visitor *visitor)
{
	static const char *const chunks[] = { "3\r\none\r\n", "5\r\nthree\r\n",
					      "0\r\nrequest-id: trailer\r\n\r\n" };

	(void)probe;
	assert_true(visitor->requests <= ARRAY_LEN(chunks));
	visitor_say(visitor, chunks[visitor->requests++ - 1]);
}

static void
chunked_on_data(struct call *call, const uint8_t *data, size_t len, void *arg)
{
	probe_on_data(call, data, len, arg);
	send_next_chunk(arg, world.server.visitors);
}

static void
begin_chunks(struct visitor *visitor)
{
	/* Two interim answers first: not for the owner's eyes. */
	visitor_say(visitor, "HTTP/1.1 100 Continue\r\n\r\n"
			     "HTTP/1.1 103 Early Hints\r\nrequest-id: hint\r\n\r\n"
			     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
			     "request-id: req_2\r\n\r\n");
	send_next_chunk(NULL, visitor);
}

static void
chunks_come_as_they_are_sent(void **unused)
{
	struct call_events events = probe_events;
	struct call_request request = { .path = "/v1/messages" };
	struct probe probe = { 0 };

	(void)unused;
	events.data = chunked_on_data;
	world.server.answer = begin_chunks;
	assert_int_equal(
	    call_start(world.loop, &open_ticket, &request, &events, &probe, &probe.call),
	    FOREBAY_ERR_OK);
	world.waiting++;
	run();
	assert_string_equal(probe.seen, "LHDE");
	assert_int_equal(probe.how, ANSWER_TRANSPORT_NONE);
	assert_string_equal(probe.body, "onethree");
	assert_string_equal(probe.request_id, "req_2");
}

static void
redirect(struct visitor *visitor)
{
	visitor_say(visitor, "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n"
			     "content-length: 0\r\n\r\n");
}

static void
a_redirect_is_not_followed(void **unused)
{
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = redirect;
	expect(&probe, "LHE", 302, ANSWER_TRANSPORT_NONE);
	assert_int_equal(world.server.arrivals, 1);
}

static void
a_connection_serves_two_calls(void **unused)
{
	struct probe second = { 0 }, first = { .start_next = &second };

	(void)unused;
	world.server.answer = say_hello;
	expect(&first, "LHDE", 200, ANSWER_TRANSPORT_NONE);
	assert_string_equal(second.seen, "LHDE");
	assert_int_equal(world.server.arrivals, 2);
	assert_int_equal(world.server.connections, 1);
}

static void
a_unix_socket_is_an_upstream(void **unused)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/forebay-call-XXXXXX", url[128];
	struct probe probe = { 0 };

	(void)unused;
	assert_non_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/api", dir);
	snprintf(url, sizeof(url), "unix:%s", address.sun_path);
	server_stop(&world.server);
	server_start(&world.server, world.base, (struct sockaddr *)&address, sizeof(address));
	world.server.answer = say_hello;
	world.settings.url = url;
	reconfigure();
	expect(&probe, "LHDE", 200, ANSWER_TRANSPORT_NONE);
	assert_int_equal(world.server.arrivals, 1);
	unlink(address.sun_path);
	rmdir(dir);
}

static void
two_hundred_calls_at_once(void **unused)
{
	static struct probe probes[200];

	(void)unused;
	world.server.answer = say_hello;
	memset(probes, 0, sizeof(probes));
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probe_start(&probes[i], "{}", 2);
	assert_int_equal(curl_loop_running(world.loop), ARRAY_LEN(probes));
	run();
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		assert_string_equal(probes[i].seen, "LHDE");
		assert_int_equal(probes[i].how, ANSWER_TRANSPORT_NONE);
	}
	assert_int_equal(world.server.arrivals, ARRAY_LEN(probes));
}

/* --- the owner's freedom --------------------------------------------------- */

static void
a_call_may_be_canceled_in_every_callback(void **unused)
{
	static const char *const seen[] = { "L", "LH", "LHD", "LHDE" };

	(void)unused;
	world.server.answer = say_hello;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		struct probe probe = { .cancel_at = "LHDE"[i] };

		probe_start(&probe, "{}", 2);
		run();
		assert_string_equal(probe.seen, seen[i]);
		assert_int_equal(probe.how, seen[i][3 * (i == 3)] == 'E' ? ANSWER_TRANSPORT_NONE
									 : ANSWER_TRANSPORT_COUNT);
	}
}

static void
a_callback_may_cancel_another_call(void **unused)
{
	(void)unused;
	world.server.answer = say_hello;
	for (int i = 0; i < 2; i++) {
		struct probe pair[2] = { 0 };

		/* Each in turn is the one that libcurl serves first. */
		pair[i].cancel_other = &pair[!i];
		probe_start(&pair[0], "{}", 2);
		probe_start(&pair[1], "{}", 2);
		run();
		assert_string_equal(pair[i].seen, "LHDE");
		assert_int_equal(pair[!i].how, ANSWER_TRANSPORT_COUNT);
	}
}

static void
a_call_canceled_at_once_sends_nothing(void **unused)
{
	struct probe canceled = { 0 }, other = { 0 };

	(void)unused;
	world.server.answer = say_hello;
	probe_start(&canceled, "{}", 2);
	call_cancel(canceled.call);
	world.waiting--;
	expect(&other, "LHDE", 200, ANSWER_TRANSPORT_NONE);
	assert_string_equal(canceled.seen, "");
	assert_int_equal(world.server.arrivals, 1);
}

static void
a_new_key_replaces_the_old_one_in_what_has_not_left(void **unused)
{
	struct secret *old = world.secret;
	struct probe probe = { 0 };

	(void)unused;
	world.server.answer = say_hello;
	probe_start(&probe, "{}", 2);
	load_secret("sk-ant-test-2");
	reconfigure();
	secret_free(old);
	run();
	assert_int_equal(occurrences(world.server.head, "sk-ant-test-1"), 0);
	assert_int_equal(occurrences(world.server.head, "sk-ant-test-2"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_answer_comes_whole),
		TEST(a_get_has_no_body),
		TEST(the_request_carries_what_it_must_once),
		TEST(chunks_come_as_they_are_sent),
		TEST(a_redirect_is_not_followed),
		TEST(a_connection_serves_two_calls),
		TEST(a_unix_socket_is_an_upstream),
		TEST(two_hundred_calls_at_once),
		TEST(a_call_may_be_canceled_in_every_callback),
		TEST(a_callback_may_cancel_another_call),
		TEST(a_call_canceled_at_once_sends_nothing),
		TEST(a_new_key_replaces_the_old_one_in_what_has_not_left),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
