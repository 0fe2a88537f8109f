/*
 * test_client_breaks.c - libforebay when the connection breaks: what is sent again,
 * from where, and what is not.
 */
#include "client/forebay.h"
#include "tests/unit/fake_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The library's clock: what is awaited here for hours must not take them. */
static _Atomic int64_t ahead_ms;

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	int failed = (int)syscall(SYS_clock_gettime, clock, ret);

	if (!failed && clock == CLOCK_MONOTONIC)
		ret->tv_sec += (time_t)(atomic_load(&ahead_ms) / 1000);
	return failed;
}

static void
break_then_answer(struct fake *fake)
{
	fake_accept(fake);
	if (fake_request(fake))
		fake_key(fake, fake->keys[0]);
	fake_accept(fake);
	if (fake_request(fake))
		fake_key(fake, fake->keys[1]);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{\"id\":5}");
	fake_idle(fake);
}

static void
a_submit_survives_a_broken_connection(void **unused)
{
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, break_then_answer);
	f = open_to(&fake);
	assert_int_equal(forebay_submit(f, "{\"x\":1}", 7, NULL, &stream), 0);
	(void)next(f, FOREBAY_EVENT_LOST);
	(void)next(f, FOREBAY_EVENT_BACK);
	event = next(f, FOREBAY_EVENT_REPLY);
	assert_int_equal(event.stream, stream);
	assert_int_equal(forebay_event_int(&event, "id", 0), 5);
	forebay_close(f);
	fake_join(&fake);
	assert_string_equal(fake.keys[0], fake.keys[1]);
	assert_memory_equal(fake.body, "{\"x\":1}", 7);
	fake_stop(&fake);
}

static void
a_retry_is_not_repeated(void **unused)
{
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, break_then_answer);
	f = open_to(&fake);
	assert_int_equal(forebay_request(f, "{\"verb\":\"retry\",\"ids\":[3]}", NULL, 0, &stream),
			 0);
	assert_true(forebay_error_is(next(f, FOREBAY_EVENT_FAILED).error, "unreachable"));
	assert_int_equal(forebay_pending(f), 0);
	/* The handle is still good for the next one. */
	assert_int_equal(forebay_submit(f, "{}", 2, NULL, &stream), 0);
	(void)next(f, FOREBAY_EVENT_REPLY);
	forebay_close(f);
	fake_stop(&fake);
}

static void
cut_the_follow(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_EVENT, 0, "{\"event\":\"attempt\",\"attempt\":2,\"restart\":true}");
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, "0123456789", 10);
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, "abc", 3);
	fake_json(fake, FRAME_REPLY, 0, "{\"id\":9,\"state\":\"succeeded\"}");
	fake_send(fake, FRAME_DATA, 0, fake->stream, "ANS", 3);
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_REPLY, 0, "{\"id\":9,\"state\":\"succeeded\"}");
	fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, "ANSWER", 6);
	fake_idle(fake);
}

static void
a_follow_goes_on_where_it_was_cut(void **unused)
{
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, cut_the_follow);
	f = open_to(&fake);
	assert_int_equal(forebay_request(f, "{\"verb\":\"follow\",\"id\":9}", NULL, 0, &stream), 0);
	(void)next(f, FOREBAY_EVENT_NEWS);
	event = next(f, FOREBAY_EVENT_CHUNK);
	assert_memory_equal(event.data, "0123456789", 10);
	event = next(f, FOREBAY_EVENT_CHUNK);
	assert_memory_equal(event.data, "abc", 3);
	assert_non_null(strstr(fake.json, "\"attempt\":2"));
	assert_non_null(strstr(fake.json, "\"offset\":10"));
	(void)next(f, FOREBAY_EVENT_REPLY);
	event = next(f, FOREBAY_EVENT_DATA);
	assert_int_equal(event.len, 3);
	/* Cut within the answer: the rest comes, and nothing comes twice. */
	event = next(f, FOREBAY_EVENT_DATA);
	assert_int_equal(event.len, 3);
	assert_memory_equal(event.data, "WER", 3);
	assert_true(event.last);
	assert_non_null(strstr(fake.json, "\"verb\":\"result\""));
	forebay_close(f);
	fake_stop(&fake);
}

/* --- time ------------------------------------------------------------------- */

#define BREAK_MS 1000000
#define SLACK_MS 100000 /* real time that may pass */

static void
break_the_wait_twice(struct fake *fake)
{
	for (int i = 0; i < 2; i++) {
		fake_accept(fake);
		(void)!fake_request(fake);
		atomic_fetch_add(&ahead_ms, BREAK_MS);
	}
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{\"jobs\":[]}");
	fake_idle(fake);
}

static void
a_wait_counts_the_time_that_has_passed_once(void **unused)
{
	struct forebay_options options = { .size = sizeof(options), .reconnect_ms = 10 * BREAK_MS };
	const char *timeout;
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;
	uint32_t stream;
	long left_ms;

	(void)unused;
	fake_start(&fake, break_the_wait_twice);
	assert_int_equal(forebay_open(fake.path, &options, &f), 0);
	assert_int_equal(forebay_request(f,
					 "{\"verb\":\"wait\",\"ids\":[3],"
					 "\"timeout_ms\":5000000}",
					 NULL, 0, &stream),
			 0);
	do
		assert_int_equal(forebay_next(f, 10000, &event), 0);
	while (event.type != FOREBAY_EVENT_REPLY && event.type != FOREBAY_EVENT_FAILED);
	assert_int_equal(event.type, FOREBAY_EVENT_REPLY);
	forebay_close(f);
	fake_join(&fake);
	timeout = strstr(fake.json, "\"timeout_ms\":");
	assert_non_null(timeout);
	left_ms = strtol(timeout + strlen("\"timeout_ms\":"), NULL, 10);
	assert_in_range(left_ms, 5000000 - 2 * BREAK_MS - SLACK_MS, 5000000 - 2 * BREAK_MS);
	fake_stop(&fake);
}

/* --- draining --------------------------------------------------------------- */

static void
drain_once(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_key(fake, fake->keys[0]);
	fake_json(fake, FRAME_ERROR, FRAME_FLAG_END,
		  "{\"error\":\"draining\",\"message\":\"going down\"}");
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_key(fake, fake->keys[1]);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{\"id\":6}");
	fake_idle(fake);
}

static void
a_draining_daemon_is_no_failure(void **unused)
{
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, drain_once);
	f = open_to(&fake);
	assert_int_equal(forebay_submit(f, "{}", 2, NULL, &stream), 0);
	(void)next(f, FOREBAY_EVENT_REPLY);
	forebay_close(f);
	fake_join(&fake);
	assert_string_equal(fake.keys[0], fake.keys[1]);
	assert_int_equal(fake.body_len, 2);
	fake_stop(&fake);
}

/* A job is under way when the daemon goes down; the next one begins it again. */
static void
drain_what_is_followed(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_key(fake, fake->keys[0]);
	fake_json(fake, FRAME_EVENT, 0, "{\"event\":\"queued\",\"id\":7}");
	fake_json(fake, FRAME_EVENT, 0, "{\"event\":\"attempt\",\"attempt\":1}");
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, "0123456789", 10);
	fake_json(fake, FRAME_ERROR, FRAME_FLAG_END,
		  "{\"error\":\"draining\",\"message\":\"going down\"}");
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_key(fake, fake->keys[1]);
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, "abc", 3);
	fake_json(fake, FRAME_REPLY, FRAME_FLAG_END, "{\"id\":8,\"state\":\"succeeded\"}");
	fake_idle(fake);
}

static struct forebay *
submit_followed(struct fake *fake, bool ephemeral)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;
	struct forebay_event event;
	struct forebay *f;
	uint32_t stream;

	submit.ephemeral = ephemeral;
	submit.want_result = submit.follow = true;
	fake_start(fake, drain_what_is_followed);
	f = open_to(fake);
	assert_int_equal(forebay_submit(f, "{\"x\":1}", 7, &submit, &stream), 0);
	(void)next(f, FOREBAY_EVENT_NEWS);
	(void)next(f, FOREBAY_EVENT_NEWS);
	event = next(f, FOREBAY_EVENT_CHUNK);
	assert_int_equal(event.len, 10);
	return f;
}

static void
a_drained_ephemeral_job_begins_again_and_says_so(void **unused)
{
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;

	(void)unused;
	f = submit_followed(&fake, true);
	event = next(f, FOREBAY_EVENT_NEWS);
	assert_non_null(memmem(event.data, event.len, "\"restart\":true", 14));
	assert_true(forebay_event_bool(&event, "restart"));
	event = next(f, FOREBAY_EVENT_CHUNK);
	assert_memory_equal(event.data, "abc", 3);
	event = next(f, FOREBAY_EVENT_REPLY);
	assert_int_equal(forebay_event_int(&event, "id", 0), 8);
	forebay_close(f);
	fake_join(&fake);
	assert_string_equal(fake.keys[0], fake.keys[1]);
	assert_int_equal(fake.body_len, 7);
	fake_stop(&fake);
}

/* Its body is on the daemon's disk and here no longer. */
static void
a_drained_durable_job_is_followed_by_its_id(void **unused)
{
	struct forebay_event event;
	struct fake fake;
	struct forebay *f;

	(void)unused;
	f = submit_followed(&fake, false);
	event = next(f, FOREBAY_EVENT_CHUNK);
	assert_memory_equal(event.data, "abc", 3);
	(void)next(f, FOREBAY_EVENT_REPLY);
	forebay_close(f);
	fake_join(&fake);
	assert_non_null(strstr(fake.json, "\"verb\":\"follow\""));
	assert_non_null(strstr(fake.json, "\"id\":7"));
	assert_non_null(strstr(fake.json, "\"attempt\":1"));
	assert_non_null(strstr(fake.json, "\"offset\":10"));
	fake_stop(&fake);
}

static void
vanish(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	unlink(fake->path);
	close(fake->fd);
	fake->fd = -1;
}

static void
a_daemon_that_stays_away_fails_what_is_open(void **unused)
{
	struct forebay_options options = { .size = sizeof(options), .reconnect_ms = 100 };
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, vanish);
	assert_int_equal(forebay_open(fake.path, &options, &f), 0);
	assert_int_equal(forebay_submit(f, "{}", 2, NULL, &stream), 0);
	assert_true(forebay_error_is(next(f, FOREBAY_EVENT_FAILED).error, "unreachable"));
	assert_int_equal(forebay_pending(f), 0);
	forebay_close(f);
	fake_stop(&fake);
}

static void
speak_http(struct fake *fake)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	fake_accept(fake);
	(void)!fake_request(fake);
	(void)!send(fake->fd, http, sizeof(http) - 1, MSG_NOSIGNAL);
	fake_idle(fake);
}

static void
a_foreign_tongue_is_a_bad_frame(void **unused)
{
	struct fake fake;
	struct forebay *f;
	uint32_t stream;

	(void)unused;
	fake_start(&fake, speak_http);
	f = open_to(&fake);
	assert_int_equal(forebay_submit(f, "{}", 2, NULL, &stream), 0);
	assert_true(forebay_error_is(next(f, FOREBAY_EVENT_FAILED).error, "bad-frame"));
	forebay_close(f);
	fake_stop(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_submit_survives_a_broken_connection),
		cmocka_unit_test(a_retry_is_not_repeated),
		cmocka_unit_test(a_follow_goes_on_where_it_was_cut),
		cmocka_unit_test(a_wait_counts_the_time_that_has_passed_once),
		cmocka_unit_test(a_draining_daemon_is_no_failure),
		cmocka_unit_test(a_drained_ephemeral_job_begins_again_and_says_so),
		cmocka_unit_test(a_drained_durable_job_is_followed_by_its_id),
		cmocka_unit_test(a_daemon_that_stays_away_fails_what_is_open),
		cmocka_unit_test(a_foreign_tongue_is_a_bad_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
