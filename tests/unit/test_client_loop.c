/*
 * test_client_loop.c - libforebay in a poll loop: callbacks, what they may do, and
 * many streams at once, against a scripted daemon.
 */
#include "client/forebay.h"
#include "client/forebay_loop.h"
#include "tests/unit/fake_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELTA(text)                                                                                \
	"data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":"     \
	"\"" text "\"}}\n\n"
#define MESSAGE(text) "{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"

/* What one stream was told. */
struct told {
	char text[128], bytes[512], answer[128], news[512];
	int restarts, ends, error;
	enum forebay_event_type type;
	int64_t id;
	uint32_t stream;
	void (*now)(struct forebay *f, struct told *told); /* called by the next callback */
	struct told *other;
};

static void
add(char *to, size_t size, const struct forebay_event *event)
{
	size_t len = strlen(to);

	assert_true(len + event->len < size);
	memcpy(to + len, event->data, event->len);
	to[len + event->len] = 0;
}

static void
act(struct forebay *f, struct told *told)
{
	void (*now)(struct forebay *, struct told *) = told->now;

	told->now = NULL;
	if (now)
		now(f, told);
}

static void
on_text(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct told *told = arg;

	add(told->text, sizeof(told->text), event);
	act(f, told);
}

static void
on_bytes(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct told *told = arg;

	(void)f;
	add(told->bytes, sizeof(told->bytes), event);
}

static void
on_restart(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct told *told = arg;

	(void)f;
	(void)event;
	told->restarts++;
	told->text[0] = told->bytes[0] = 0;
}

static void
on_news(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct told *told = arg;

	(void)f;
	add(told->news, sizeof(told->news), event);
}

static void
on_done(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct told *told = arg;

	assert_true(event->last);
	assert_int_equal(((const char *)event->data)[event->len], 0);
	told->ends++;
	told->error = event->error;
	told->type = event->type;
	told->id = forebay_event_int(event, "id", 0);
	add(told->answer, sizeof(told->answer), event);
	act(f, told);
}

static void
attach(struct forebay *f, uint32_t stream, struct told *told)
{
	struct forebay_callbacks callbacks = { .size = sizeof(callbacks),
					       .arg = told,
					       .text = on_text,
					       .bytes = on_bytes,
					       .restart = on_restart,
					       .news = on_news,
					       .done = on_done };

	told->stream = stream;
	assert_int_equal(forebay_attach(f, stream, &callbacks), 0);
}

static void
follow(struct forebay *f, struct told *told)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;
	uint32_t stream;

	submit.want_result = submit.follow = true;
	assert_int_equal(forebay_submit(f, "{}", 2, &submit, &stream), 0);
	attach(f, stream, told);
}

static struct forebay *
open_in_background(struct fake *fake)
{
	struct forebay_options options = { .size = sizeof(options),
					   .reconnect_ms = 2000,
					   .background = true };
	struct forebay *f;

	assert_int_equal(forebay_open(fake->path, &options, &f), 0);
	return f;
}

/* One turn of a program's own loop. */
static int
turn(struct forebay *f)
{
	struct pollfd ready = { .fd = forebay_fd(f), .events = forebay_events(f) };
	int64_t timeout_ms = forebay_timeout_ms(f);

	/* Nothing may be due later than a test lasts, and something must be. */
	assert_true(timeout_ms >= 0 || ready.fd >= 0);
	assert_int_not_equal(
	    poll(&ready, 1, timeout_ms < 0 || timeout_ms > 2000 ? 2000 : (int)timeout_ms), -1);
	assert_true(ready.revents || timeout_ms >= 0);
	return forebay_dispatch(f, 0);
}

static void
loop(struct forebay *f)
{
	while (forebay_pending(f) > 0)
		assert_int_equal(turn(f), 0);
}

/* --- what is told ------------------------------------------------------------- */

static void
stream_with_a_restart(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_EVENT, 0, "{\"event\":\"queued\",\"id\":7}");
	fake_json(fake, FRAME_EVENT, 0, "{\"event\":\"attempt\",\"attempt\":1}");
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, DELTA("wrong"), strlen(DELTA("wrong")));
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, "data: {", 7);
	fake_json(fake, FRAME_EVENT, 0, "{\"event\":\"attempt\",\"attempt\":2,\"restart\":true}");
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, DELTA("one "), strlen(DELTA("one ")));
	/* Nobody restarts from nothing: what follows is told at the end. */
	fake_json(fake, FRAME_REPLY, 0, "{\"id\":7,\"state\":\"succeeded\"}");
	fake_send(fake, FRAME_DATA, 0, fake->stream, MESSAGE("one two"), 10);
	fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, MESSAGE("one two") + 10,
		  strlen(MESSAGE("one two")) - 10);
	fake_idle(fake);
}

static void
text_bytes_news_and_the_end_are_told(void **unused)
{
	struct told told = { .id = 0 };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, stream_with_a_restart);
	f = open_in_background(&fake);
	assert_int_equal(forebay_fd(f), -1);
	follow(f, &told);
	assert_int_equal(forebay_timeout_ms(f), 0);
	loop(f);
	assert_string_equal(told.text, "one two");
	assert_string_equal(told.bytes, DELTA("one "));
	assert_string_equal(told.answer, MESSAGE("one two"));
	assert_int_equal(told.restarts, 1);
	assert_int_equal(told.ends, 1);
	assert_int_equal(told.error, 0);
	assert_int_equal(told.id, 7);
	assert_non_null(strstr(told.news, "\"queued\""));
	forebay_close(f);
	fake_stop(&fake);
}

static void
fail_in_three_ways(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(
	    fake, FRAME_REPLY, 0,
	    "{\"id\":3,\"state\":\"failed\",\"error\":\"api-error\",\"message\":\"too hot\"}");
	fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, "{\"type\":\"error\"}", 16);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_ERROR, FRAME_FLAG_END,
		  "{\"error\":\"over-quota\",\"message\":\"100 jobs are queued\"}");
	(void)!fake_request(fake);
	fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, "x", 1);
	fake_idle(fake);
}

static void
failures_come_as_the_end(void **unused)
{
	struct told told[3] = { { .id = 0 } };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, fail_in_three_ways);
	f = open_to(&fake);
	for (int i = 0; i < 3; i++)
		follow(f, &told[i]);
	loop(f);
	assert_true(forebay_error_is(told[0].error, "api-error"));
	assert_int_equal(told[0].type, FOREBAY_EVENT_REPLY);
	assert_string_equal(told[0].answer, "{\"type\":\"error\"}");
	assert_string_equal(told[0].text, "");
	assert_true(forebay_error_is(told[1].error, "over-quota"));
	assert_int_equal(told[1].type, FOREBAY_EVENT_FAILED);
	assert_true(forebay_error_is(told[2].error, "bad-frame"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(told[i].ends, 1);
	assert_true(forebay_error_is(
	    forebay_attach(f, told[0].stream, &(struct forebay_callbacks){ .size = 8 }),
	    "not-found"));
	forebay_close(f);
	fake_stop(&fake);
}

/* --- what callbacks may do ---------------------------------------------------- */

static void
answer_each(struct fake *fake)
{
	char json[64];

	fake_accept(fake);
	while (fake_request(fake)) {
		fake_send(fake, FRAME_CHUNK, 0, fake->stream, DELTA("a") DELTA("b"),
			  strlen(DELTA("a") DELTA("b")));
		snprintf(json, sizeof(json), "{\"id\":%u,\"state\":\"succeeded\"}", fake->stream);
		fake_json(fake, FRAME_REPLY, 0, json);
		fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, MESSAGE("abc"),
			  strlen(MESSAGE("abc")));
	}
}

static void
submit_other(struct forebay *f, struct told *told)
{
	follow(f, told->other);
}

static void
a_callback_submits_the_next(void **unused)
{
	struct told third = { .id = 0 }, second = { .other = &third, .now = submit_other };
	struct told first = { .other = &second, .now = submit_other };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, answer_each);
	f = open_to(&fake);
	follow(f, &first);
	loop(f);
	assert_string_equal(first.text, "abc");
	assert_string_equal(second.text, "abc");
	assert_string_equal(third.text, "abc");
	assert_int_equal(first.ends + second.ends + third.ends, 3);
	forebay_close(f);
	fake_stop(&fake);
}

static void
cancel_own(struct forebay *f, struct told *told)
{
	forebay_cancel_stream(f, told->stream);
	forebay_cancel_stream(f, told->stream);
}

static void
cancel_other(struct forebay *f, struct told *told)
{
	forebay_cancel_stream(f, told->other->stream);
}

/* In the middle of a piece: neither its rest nor anything later is told. */
static void
a_callback_cancels_its_own_stream_and_another(void **unused)
{
	struct told other = { .id = 0 }, own = { .now = cancel_own };
	struct told first = { .other = &other, .now = cancel_other };
	struct told last = { .id = 0 };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, answer_each);
	f = open_to(&fake);
	follow(f, &first);
	follow(f, &own);
	follow(f, &other);
	follow(f, &last);
	loop(f);
	assert_string_equal(first.text, "abc");
	assert_int_equal(first.ends, 1);
	assert_string_equal(own.text, "a");
	assert_int_equal(own.ends, 0);
	assert_string_equal(other.text, "");
	assert_int_equal(other.ends, 0);
	assert_string_equal(last.text, "abc");
	forebay_close(f);
	fake_stop(&fake);
}

static void
answer_unasked(struct fake *fake)
{
	fake_accept(fake);
	(void)!fake_request(fake);
	fake_json(fake, FRAME_REPLY, 0, "{\"id\":1,\"state\":\"succeeded\"}");
	fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, MESSAGE("all"),
		  strlen(MESSAGE("all")));
	fake_idle(fake);
}

/* The words come with the stream's last event: it is dead, but not told so. */
static void
a_cancel_silences_the_end(void **unused)
{
	struct told told = { .now = cancel_own };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, answer_unasked);
	f = open_to(&fake);
	follow(f, &told);
	loop(f);
	assert_string_equal(told.text, "all");
	assert_int_equal(told.ends, 0);
	forebay_close(f);
	fake_stop(&fake);
}

static void
wait_anyway(struct forebay *f, struct told *told)
{
	struct forebay_answer answer;
	struct forebay_event event;
	uint64_t id;

	(void)told;
	assert_int_equal(forebay_dispatch(f, 0), FOREBAY_MISUSE);
	assert_int_equal(forebay_next(f, 0, &event), FOREBAY_MISUSE);
	assert_int_equal(forebay_call(f, "{\"verb\":\"status\"}", NULL, 0, 0, &answer),
			 FOREBAY_MISUSE);
	assert_int_equal(forebay_submit_wait(f, "{}", 2, NULL, &id), FOREBAY_MISUSE);
	assert_int_equal(forebay_pending(f), 0);
	forebay_close(f);
	forebay_close(f);
}

static void
a_callback_may_not_wait_but_close(void **unused)
{
	struct told told = { .now = wait_anyway };
	struct fake fake;
	struct forebay *f;
	int err;

	(void)unused;
	fake_start(&fake, answer_unasked);
	f = open_to(&fake);
	follow(f, &told);
	do
		err = turn(f);
	while (!err);
	assert_int_equal(err, FOREBAY_CLOSED);
	assert_string_equal(told.text, "all");
	assert_int_equal(told.ends, 0);
	fake_stop(&fake);
}

static void
take_over(struct forebay *f, struct told *told)
{
	attach(f, told->stream, told->other);
}

static void
callbacks_are_replaced_while_they_run(void **unused)
{
	struct told second = { .id = 0 }, first = { .other = &second, .now = take_over };
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, answer_each);
	f = open_to(&fake);
	follow(f, &first);
	loop(f);
	assert_string_equal(first.text, "a");
	assert_int_equal(first.ends, 0);
	assert_string_equal(second.text, "bc");
	assert_int_equal(second.ends, 1);
	forebay_close(f);
	fake_stop(&fake);
}

/* --- many, and breaks --------------------------------------------------------- */

#define MANY 100

static void
answer_half_then_break(struct fake *fake)
{
	char json[64];

	fake_accept(fake);
	for (int i = 0; i < MANY / 2; i++) {
		(void)!fake_request(fake);
		snprintf(json, sizeof(json), "{\"id\":%u,\"state\":\"succeeded\"}", fake->stream);
		fake_json(fake, FRAME_REPLY, 0, json);
		fake_send(fake, FRAME_DATA, FRAME_FLAG_END, fake->stream, MESSAGE("abc"),
			  strlen(MESSAGE("abc")));
	}
	/* This one is cut: its first words are already told. */
	(void)!fake_request(fake);
	snprintf(json, sizeof(json), "{\"event\":\"queued\",\"id\":%u}", fake->stream);
	fake_json(fake, FRAME_EVENT, 0, json);
	fake_send(fake, FRAME_CHUNK, 0, fake->stream, DELTA("a"), strlen(DELTA("a")));
	answer_each(fake);
}

static void
count_link(struct forebay *f, const struct forebay_event *event, void *arg)
{
	int *counts = arg;

	(void)f;
	counts[0] += event->type == FOREBAY_EVENT_LOST;
	counts[1] += event->type == FOREBAY_EVENT_BACK;
}

static void
a_hundred_at_once_survive_a_break(void **unused)
{
	int counts[2] = { 0 };
	struct forebay_callbacks link = { .size = sizeof(link), .arg = counts, .link = count_link };
	struct told *told = calloc(MANY, sizeof(*told));
	struct fake fake;
	struct forebay *f;

	(void)unused;
	fake_start(&fake, answer_half_then_break);
	f = open_in_background(&fake);
	assert_int_equal(forebay_attach(f, 0, &link), 0);
	for (int i = 0; i < MANY; i++)
		follow(f, &told[i]);
	loop(f);
	for (int i = 0; i < MANY; i++) {
		assert_string_equal(told[i].answer, MESSAGE("abc"));
		assert_int_equal(told[i].ends, 1);
		assert_int_equal(told[i].error, 0);
	}
	assert_string_equal(told[0].text, "abc");
	assert_string_equal(told[MANY - 1].text, "abc");
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	forebay_close(f);
	fake_stop(&fake);
	free(told);
}

static void
count_ends(struct forebay *f, const struct forebay_event *event, void *arg)
{
	(void)f;
	(void)event;
	++*(int *)arg;
}

static void
answer_at_once(struct fake *fake)
{
	fake_accept(fake);
	for (int i = 0; i < 16; i++) /* as many as it allows to be open */
		(void)!fake_request(fake);
	for (uint32_t stream = 1; stream <= 16; stream++) {
		for (int i = 0; i < 20; i++)
			fake_send(fake, FRAME_EVENT, 0, stream, "{}", 2);
		fake_send(fake, FRAME_REPLY, FRAME_FLAG_END, stream, "{}", 2);
	}
	fake_idle(fake);
}

/* However much there is, others get their turn; and what is left is due at once. */
static void
one_dispatch_is_bounded(void **unused)
{
	struct forebay_callbacks callbacks = { .size = sizeof(callbacks) };
	struct fake fake;
	struct forebay *f;
	int told = 0, turns = 0, before;
	uint32_t stream;

	(void)unused;
	callbacks.arg = &told;
	callbacks.news = callbacks.done = count_ends;
	fake_start(&fake, answer_at_once);
	f = open_to(&fake);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(forebay_request(f, "{\"verb\":\"status\"}", NULL, 0, &stream), 0);
		assert_int_equal(forebay_attach(f, stream, &callbacks), 0);
	}
	for (; forebay_pending(f) > 0; turns++) {
		before = told;
		assert_int_equal(turn(f), 0);
		assert_in_range(told - before, 0, 64);
	}
	assert_int_equal(told, 16 * 21);
	assert_true(turns >= 16 * 21 / 64);
	forebay_close(f);
	fake_stop(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_bytes_news_and_the_end_are_told),
		cmocka_unit_test(failures_come_as_the_end),
		cmocka_unit_test(a_callback_submits_the_next),
		cmocka_unit_test(a_callback_cancels_its_own_stream_and_another),
		cmocka_unit_test(a_cancel_silences_the_end),
		cmocka_unit_test(a_callback_may_not_wait_but_close),
		cmocka_unit_test(callbacks_are_replaced_while_they_run),
		cmocka_unit_test(a_hundred_at_once_survive_a_break),
		cmocka_unit_test(one_dispatch_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
