/*
 * test_client.c - libforebay against a daemon that is a script: a thread at the
 * other end of a UNIX socket that reads and writes frames as each test says.
 */
#include "client/forebay.h"
#include "protocol/frame.h"
#include "protocol/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the scripted daemon --------------------------------------------------- */

struct fake {
	char dir[32], path[64];
	int listener, fd;
	pthread_t thread;
	void (*script)(struct fake *fake);
	char keys[2][64];
	uint8_t *body; /* owned; of the request read last */
	size_t body_len;
	char json[4096]; /* of it */
	uint32_t stream;
	bool failed, joined;
};

static bool
read_all(int fd, void *buf, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

/* One frame of the client, judged by the protocol's own parser; payload is
 * malloc'd. */
static bool
fake_read(struct fake *fake, struct frame *ret, uint8_t **ret_bytes)
{
	uint8_t *bytes = malloc(FRAME_HEADER_LEN + FRAME_MAX_PAYLOAD);
	const char *why = "";
	size_t used;

	*ret_bytes = bytes;
	if (!bytes || !read_all(fake->fd, bytes, FRAME_HEADER_LEN))
		return false;
	if (frame_parse(bytes, FRAME_HEADER_LEN, FRAME_SIDE_CLIENT, FRAME_MAX_PAYLOAD, ret, &used,
			&why) ||
	    !read_all(fake->fd, bytes + FRAME_HEADER_LEN, ret->len)) {
		fake->failed |= *why != 0;
		return false;
	}
	ret->payload = bytes + FRAME_HEADER_LEN;
	return true;
}

static void
fake_send(struct fake *fake, enum frame_type type, unsigned flags, uint32_t stream,
	  const void *payload, size_t len)
{
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, type, flags, stream, (uint32_t)len);
	if (send(fake->fd, header, sizeof(header), MSG_NOSIGNAL) != (ssize_t)sizeof(header) ||
	    (len && send(fake->fd, payload, len, MSG_NOSIGNAL) != (ssize_t)len))
		fake->failed = true;
}

static void
fake_json(struct fake *fake, enum frame_type type, unsigned flags, const char *json)
{
	fake_send(fake, type, flags, fake->stream, json, strlen(json));
}

/* Wait for a client and greet it. */
static void
fake_accept(struct fake *fake)
{
	static const char hello[] = "{\"protocol\":1,\"server\":\"fake/1\",\"max_frame\":65536,"
				    "\"max_body\":33554432,\"max_streams\":16}";
	struct frame frame;
	uint8_t *bytes;

	if (fake->fd >= 0)
		close(fake->fd);
	fake->fd = accept(fake->listener, NULL, NULL);
	if (fake->fd < 0 || !fake_read(fake, &frame, &bytes) || frame.type != FRAME_HELLO)
		fake->failed = true;
	else
		fake_send(fake, FRAME_HELLO, 0, 0, hello, sizeof(hello) - 1);
	free(bytes);
}

/* The next whole request; false when the client is gone. */
static bool
fake_request(struct fake *fake)
{
	bool end = false;

	free(fake->body);
	fake->body = NULL;
	fake->body_len = 0;
	while (!end) {
		struct frame frame;
		uint8_t *bytes;

		if (!fake_read(fake, &frame, &bytes)) {
			free(bytes);
			return false;
		}
		end = frame.flags & FRAME_FLAG_END;
		if (frame.type == FRAME_REQUEST) {
			fake->stream = frame.stream;
			snprintf(fake->json, sizeof(fake->json), "%.*s", (int)frame.len,
				 (const char *)frame.payload);
		} else if (frame.type == FRAME_DATA) {
			fake->body = realloc(fake->body, fake->body_len + frame.len);
			memcpy(fake->body + fake->body_len, frame.payload, frame.len);
			fake->body_len += frame.len;
		}
		free(bytes);
	}
	return true;
}

static void
fake_key(struct fake *fake, char ret[static 64])
{
	const char *key = strstr(fake->json, "\"key\":\"");

	snprintf(ret, 64, "%.32s", key ? key + 7 : "none");
}

static void *
fake_run(void *arg)
{
	struct fake *fake = arg;

	fake->script(fake);
	return NULL;
}

static void
fake_start(struct fake *fake, void (*script)(struct fake *))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*fake = (struct fake){ .dir = "/tmp/forebay-test-XXXXXX", .fd = -1, .script = script };
	assert_non_null(mkdtemp(fake->dir));
	snprintf(fake->path, sizeof(fake->path), "%s/s", fake->dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_return_code(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_return_code(listen(fake->listener, 8), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

/* The script ends by itself; the client is closed before. What it has seen may
 * be looked at between the two. */
static void
fake_join(struct fake *fake)
{
	pthread_join(fake->thread, NULL);
	fake->joined = true;
}

static void
fake_stop(struct fake *fake)
{
	if (!fake->joined)
		fake_join(fake);
	if (fake->fd >= 0)
		close(fake->fd);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->dir);
	free(fake->body);
	assert_false(fake->failed);
}

static struct forebay *
open_to(struct fake *fake)
{
	struct forebay_options options = { .size = sizeof(options), .reconnect_ms = 2000 };
	struct forebay *f;

	assert_int_equal(forebay_open(fake->path, &options, &f), 0);
	return f;
}

/* The next event that matters to a test. */
static struct forebay_event
next(struct forebay *f, enum forebay_event_type want)
{
	struct forebay_event event;

	do {
		assert_int_equal(forebay_next(f, 2000, &event), 0);
		if (event.type == FOREBAY_EVENT_LOST && want != FOREBAY_EVENT_LOST)
			continue;
		if (event.type == FOREBAY_EVENT_BACK && want != FOREBAY_EVENT_BACK)
			continue;
		assert_int_equal(event.type, want);
	} while (event.type != want);
	return event;
}

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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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

/* --- broken connections ------------------------------------------------------ */

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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
	(void)!recv(fake->fd, &(char){ 0 }, 1, 0);
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
		cmocka_unit_test(a_submit_survives_a_broken_connection),
		cmocka_unit_test(a_retry_is_not_repeated),
		cmocka_unit_test(a_follow_goes_on_where_it_was_cut),
		cmocka_unit_test(a_draining_daemon_is_no_failure),
		cmocka_unit_test(a_daemon_that_stays_away_fails_what_is_open),
		cmocka_unit_test(a_foreign_tongue_is_a_bad_frame),
		cmocka_unit_test(a_canceled_stream_is_silent),
		cmocka_unit_test(waiting_calls),
		cmocka_unit_test(a_ping_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
