/*
 * test_client.c - libforebay: opening, submitting, asking, against a scripted daemon.
 */
#include "client/forebay.h"
#include "tests/unit/fake_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- opening ---------------------------------------------------------------- */

static void
an_absent_daemon_is_named(void **unused)
{
	struct forebay *f;
	int err = forebay_open("/nonexistent/forebay.sock", NULL, &f);

	(void)unused;
	assert_true(forebay_error_is(err, "unreachable"));
	assert_non_null(strstr(forebay_message(f), "/nonexistent/forebay.sock"));
	forebay_close(f);
}

static void
accept_only(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
}

static void
hello_is_kept(void **unused)
{
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, accept_only);
	f = open_to(&fake);
	assert_non_null(strstr(forebay_hello(f), "fake/1"));
	assert_int_equal(forebay_pending(f), 0);
	forebay_close(f);
	fake_stop(&fake);
}

static void
never_greet(struct fake *fake)
{
	uint8_t byte;

	fake->fd = accept(fake->listener, NULL, NULL);
	while (read(fake->fd, &byte, 1) == 1)
		;
}

static void
a_silent_daemon_times_out(void **unused)
{
	struct forebay_options options = { .size = sizeof(options), .hello_ms = 20 };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, never_greet);
	assert_true(forebay_error_is(forebay_open(fake.path, &options, &f), "unreachable"));
	assert_non_null(strstr(forebay_message(f), "does not greet"));
	forebay_close(f);
	fake_stop(&fake);
}

static void
refuse_in_greeting(struct fake *fake)
{
	struct frame frame;
	uint8_t *bytes;

	fake->fd = accept(fake->listener, NULL, NULL);
	(void)!fake_read(fake, &frame, &bytes);
	free(bytes);
	fake_json(fake, FRAME_ERROR, FRAME_FLAG_END,
		  "{\"error\":\"over-quota\",\"message\":\"64 connections are open\"}");
}

static void
a_refusal_in_the_greeting_is_passed_on(void **unused)
{
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, refuse_in_greeting);
	assert_true(forebay_error_is(forebay_open(fake.path, NULL, &f), "over-quota"));
	assert_string_equal(forebay_message(f), "64 connections are open");
	forebay_close(f);
	fake_stop(&fake);
}

/* --- submitting ------------------------------------------------------------- */

static void
answer_417(struct fake *fake)
{
	fake_accept(fake);
	if (fake_request(fake)) {
		fake_key(fake, fake->keys[0]);
		fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{\"id\":417,\"state\":\"queued\"}");
	}
	fake_idle(fake);
}

static void
a_large_body_arrives_whole(void **unused)
{
	struct forebay_submit options = FOREBAY_SUBMIT_INIT;
	size_t len = (3u << 20) + 17;
	uint8_t *body = malloc(len);
	struct fake fake;
	struct forebay *f;
	uint64_t id = 0;

	(void)unused;
	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)(i * 31 >> 3);
	options.label = "nightly";
	options.job_class = "patient";
	fake_start(&fake, answer_417);
	f = open_to(&fake);
	assert_int_equal(forebay_submit_wait(f, body, len, &options, &id), 0);
	assert_int_equal(id, 417);
	forebay_close(f);
	fake_join(&fake);
	assert_int_equal(fake.body_len, len);
	assert_memory_equal(fake.body, body, len);
	assert_non_null(strstr(fake.json, "\"label\":\"nightly\""));
	assert_non_null(strstr(fake.json, "\"class\":\"patient\""));
	assert_int_equal(strspn(fake.keys[0], "0123456789abcdef"), 32);
	fake_stop(&fake);
	free(body);
}

static void
answer_in_reverse(struct fake *fake)
{
	uint32_t streams[16];
	size_t open = 0;

	fake_accept(fake);
	for (int left = 800; left > 0;) {
		if (!fake_request(fake)) {
			fake->failed = true;
			return;
		}
		streams[open++] = fake->stream;
		/* 800 is a multiple of 16: the client fills its allowance each time. */
		if (open < 16)
			continue;
		while (open > 0) {
			char json[64];

			fake->stream = streams[--open];
			snprintf(json, sizeof(json), "{\"id\":%u}", fake->stream * 10);
			fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, json);
			left--;
		}
	}
	fake_idle(fake);
}

static void
many_in_flight_stay_below_max_streams(void **unused)
{
	struct fake fake;
	struct forebay *f;
	uint32_t stream;
	int answered = 0;

	(void)unused;
	fake_start(&fake, answer_in_reverse);
	f = open_to(&fake);
	for (int i = 0; i < 800; i++)
		assert_int_equal(forebay_submit(f, "{}", 2, NULL, &stream), 0);
	assert_int_equal(forebay_pending(f), 800);
	while (forebay_pending(f)) {
		struct forebay_event event = next(f, FOREBAY_EVENT_REPLY);

		assert_int_equal(forebay_event_int(&event, "id", 0), event.stream * 10);
		assert_true(event.last);
		answered++;
	}
	assert_int_equal(answered, 800);
	forebay_close(f);
	fake_stop(&fake);
}

static void
unanswered_bytes_are_bounded(void **unused)
{
	size_t len = 20u << 20;
	char *body = calloc(1, len);
	struct fake fake;
	struct forebay *f;
	uint32_t stream, last = 0;

	(void)unused;
	fake_start(&fake, accept_only);
	f = open_to(&fake);
	for (int i = 0; i < 3; i++)
		assert_int_equal(forebay_submit(f, body, len, NULL, &last), 0);
	assert_int_equal(forebay_submit(f, body, len, NULL, &stream), FOREBAY_AGAIN);
	forebay_cancel_stream(f, last);
	assert_int_equal(forebay_submit(f, body, len, NULL, &stream), 0);
	forebay_close(f);
	fake_stop(&fake);
	free(body);
}

static void
bad_arguments_are_named(void **unused)
{
	struct forebay_submit options = FOREBAY_SUBMIT_INIT;
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, accept_only);
	f = open_to(&fake);
	options.batch = "perhaps";
	assert_true(forebay_error_is(forebay_submit(f, "{}", 2, &options, &stream), "bad-request"));
	assert_non_null(strstr(forebay_message(f), "perhaps"));
	assert_true(forebay_error_is(forebay_submit(f, "", 0, NULL, &stream), "invalid-body"));
	assert_true(forebay_error_is(
	    forebay_request(f, "{\"verb\":\"result\",\"id\":\"x\"}", NULL, 0, &stream),
	    "bad-request"));
	assert_non_null(strstr(forebay_message(f), "id"));
	assert_int_equal(forebay_pending(f), 0);
	forebay_close(f);
	fake_stop(&fake);
}

/* --- the rest ---------------------------------------------------------------- */

static void
answer_the_canceled(struct fake *fake)
{
	struct frame frame;
	uint8_t *bytes;
	uint32_t first;

	fake_accept(fake);
	(void)!fake_request(fake);
	first = fake->stream;
	if (!fake_read(fake, &frame, &bytes) || frame.type != FRAME_CANCEL || frame.stream != first)
		fake->failed = true;
	free(bytes);
	(void)!fake_request(fake);
	fake_send(fake, FRAME_REPLY, FRAME_FLAG_END, first, "{}", 2);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{\"id\":2}");
	fake_idle(fake);
}

static void
a_canceled_stream_is_silent(void **unused)
{
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;
	uint32_t first, second;

	(void)unused;
	fake_start(&fake, answer_the_canceled);
	f = open_to(&fake);
	assert_int_equal(forebay_request(f, "{\"verb\":\"status\"}", NULL, 0, &first), 0);
	assert_int_equal(forebay_next(f, 0, &event), 0);
	assert_int_equal(event.type, FOREBAY_EVENT_NOTHING);
	forebay_cancel_stream(f, first);
	assert_int_equal(forebay_pending(f), 0);
	assert_int_equal(forebay_submit(f, "{}", 2, NULL, &second), 0);
	event = next(f, FOREBAY_EVENT_REPLY);
	assert_int_equal(event.stream, second);
	forebay_close(f);
	fake_stop(&fake);
}

static void
fail_the_job(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{}");
	(void)!fake_request(fake);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END,
		  "{\"id\":3,\"state\":\"failed\",\"error\":\"api-error\","
		  "\"message\":\"max_tokens is required\"}");
	(void)!fake_request(fake);
	(void)!fake_request(fake);
}

static void
waiting_calls(void **unused)
{
	struct forebay_answer answer;
	struct fake fake;
	struct forebay *f;
	uint32_t stream;
	void *body;
	size_t len;

	(void)unused;
	fake_start(&fake, fail_the_job);
	f = open_to(&fake);
	assert_true(forebay_error_is(forebay_result(f, 3, -1, &body, &len), "api-error"));
	assert_string_equal(forebay_message(f), "max_tokens is required");
	/* Nobody answers this one. */
	assert_true(forebay_error_is(forebay_call(f, "{\"verb\":\"status\"}", NULL, 0, 10, &answer),
				     "timeout"));
	assert_int_equal(forebay_pending(f), 0);
	assert_int_equal(forebay_submit(f, "{}", 2, NULL, &stream), 0);
	assert_int_equal(forebay_call(f, "{\"verb\":\"status\"}", NULL, 0, 10, &answer),
			 FOREBAY_MISUSE);
	forebay_close(f);
	fake_stop(&fake);
}

static void
pong_and_ping(struct fake *fake)
{
	struct frame frame;
	uint8_t *bytes;

	fake_accept(fake);
	if (!fake_read(fake, &frame, &bytes) || frame.type != FRAME_PING)
		fake->failed = true;
	free(bytes);
	fake_send(fake, FRAME_PING, 0, 0, "hey", 3);
	fake_send(fake, FRAME_PONG, 0, 0, NULL, 0);
	fake_idle(fake);
}

static void
a_ping_is_answered(void **unused)
{
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, pong_and_ping);
	f = open_to(&fake);
	assert_int_equal(forebay_ping(f), 0);
	(void)next(f, FOREBAY_EVENT_PONG);
	assert_int_equal(forebay_next(f, 0, &event), 0);
	forebay_close(f);
	fake_stop(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_daemon_is_named),
		cmocka_unit_test(hello_is_kept),
		cmocka_unit_test(a_silent_daemon_times_out),
		cmocka_unit_test(a_refusal_in_the_greeting_is_passed_on),
		cmocka_unit_test(a_large_body_arrives_whole),
		cmocka_unit_test(many_in_flight_stay_below_max_streams),
		cmocka_unit_test(unanswered_bytes_are_bounded),
		cmocka_unit_test(bad_arguments_are_named),
		cmocka_unit_test(a_canceled_stream_is_silent),
		cmocka_unit_test(waiting_calls),
		cmocka_unit_test(a_ping_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
