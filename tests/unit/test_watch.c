/*
 * test_watch.c - watchers hear of their job and of no other, and may come and
 * go while they are being told.
 */
#include "daemon/run/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct ear {
	struct watch *watch;
	struct watcher *watcher;
	unsigned heard;
	struct watch_news last;
	struct ear *removes;   /* on hearing something */
	struct ear *adds;      /* likewise, to the same job */
	uint64_t passes_on_to; /* a job to notify of, in the middle of it */
};

static void on_news(const struct watch_news *news, void *arg);

static void
listen(struct ear *ear, struct watch *watch, uint64_t id)
{
	ear->watch = watch;
	ear->watcher = watch_add(watch, id, on_news, ear);
}

static void
leave(struct ear *ear)
{
	watch_remove(ear->watch, ear->watcher);
	ear->watcher = NULL;
}

static void
on_news(const struct watch_news *news, void *arg)
{
	struct ear *ear = arg;

	ear->heard++;
	ear->last = *news;
	if (ear->removes && ear->removes->watcher)
		leave(ear->removes);
	if (ear->adds && !ear->adds->watcher)
		listen(ear->adds, ear->watch, news->id);
	if (ear->passes_on_to)
		watch_notify(ear->watch, &(struct watch_news){ .id = ear->passes_on_to });
}

static void
tell(struct watch *watch, uint64_t id)
{
	watch_notify(watch, &(struct watch_news){ .kind = WATCH_STATE, .id = id, .attempt = 3 });
}

static void
everybody_hears_of_his_job(void **unused)
{
	struct watch *watch = watch_new();
	struct ear a = { 0 }, b = { 0 }, other = { 0 };

	(void)unused;
	tell(watch, 7); /* to nobody */
	assert_false(watch_has(watch, 7));
	listen(&a, watch, 7);
	listen(&b, watch, 7);
	listen(&other, watch, 8);
	assert_true(watch_has(watch, 7));
	tell(watch, 7);
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 1);
	assert_int_equal(other.heard, 0);
	assert_int_equal(a.last.attempt, 3);
	leave(&a);
	tell(watch, 7);
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 2);
	leave(&b);
	assert_false(watch_has(watch, 7));
	tell(watch, 7);
	watch_remove(watch, NULL);
	watch_free(watch); /* with one that still listens */
}

static void
one_may_leave_while_being_told(void **unused)
{
	struct watch *watch = watch_new();
	struct ear a = { 0 }, b = { 0 }, c = { 0 };

	(void)unused;
	listen(&a, watch, 1);
	listen(&b, watch, 1);
	listen(&c, watch, 1);
	b.removes = &b;
	tell(watch, 1);
	assert_int_equal(b.heard, 1);
	/* The others may go too, told or not: the last to come is told first. */
	c.removes = &a;
	tell(watch, 1);
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 1);
	assert_int_equal(c.heard, 2);
	c.removes = &c;
	tell(watch, 1);
	assert_false(watch_has(watch, 1));
	watch_free(watch);
}

static void
a_job_nobody_watches_any_more_is_not_watched(void **unused)
{
	struct watch *watch = watch_new();
	struct ear a = { 0 }, b = { 0 };

	(void)unused;
	listen(&a, watch, 1);
	listen(&b, watch, 2);
	a.removes = &a;
	/* Told of 2 while 1 is being told: 1 has lost its watcher already. */
	a.passes_on_to = 2;
	tell(watch, 1);
	assert_int_equal(b.heard, 1);
	assert_false(watch_has(watch, 1));
	watch_free(watch);
}

static struct watch *asked;
static bool has_after_leaving;

static void
on_leaving(const struct watch_news *news, void *arg)
{
	struct watcher **watcher = arg;

	watch_remove(asked, *watcher);
	has_after_leaving = watch_has(asked, news->id);
}

static void
who_left_is_not_counted_even_at_once(void **unused)
{
	struct watcher *watcher;

	(void)unused;
	asked = watch_new();
	watcher = watch_add(asked, 1, on_leaving, &watcher);
	has_after_leaving = true;
	tell(asked, 1);
	assert_false(has_after_leaving);
	watch_free(asked);
}

static void
one_added_meanwhile_is_told_the_next_time(void **unused)
{
	struct watch *watch = watch_new();
	struct ear a = { 0 }, late = { 0 };

	(void)unused;
	listen(&a, watch, 1);
	a.adds = &late;
	tell(watch, 1);
	assert_int_equal(late.heard, 0);
	tell(watch, 1);
	assert_int_equal(late.heard, 1);
	assert_int_equal(a.heard, 2);
	watch_free(watch);
}

/* In place of itself: the list is never empty, and nothing is freed in use. */
static void
one_may_be_replaced_by_another(void **unused)
{
	struct watch *watch = watch_new();
	struct ear a = { 0 }, b = { 0 };

	(void)unused;
	listen(&a, watch, 1);
	a.removes = &a;
	a.adds = &b;
	tell(watch, 1);
	assert_true(watch_has(watch, 1));
	tell(watch, 1);
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 1);
	watch_free(watch);
}

static void
telling_may_be_nested(void **unused)
{
	struct watch *watch = watch_new();
	struct ear outer = { 0 }, inner = { 0 }, last = { 0 };

	(void)unused;
	listen(&last, watch, 1);
	listen(&outer, watch, 1);
	listen(&inner, watch, 2);
	outer.passes_on_to = 2;
	inner.removes = &outer; /* who is on the stack */
	tell(watch, 1);
	assert_int_equal(outer.heard, 1);
	assert_int_equal(inner.heard, 1);
	assert_int_equal(last.heard, 1);
	tell(watch, 1);
	assert_int_equal(outer.heard, 1);
	assert_int_equal(last.heard, 2);
	watch_free(watch);
	watch_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_hears_of_his_job),
		cmocka_unit_test(one_may_leave_while_being_told),
		cmocka_unit_test(a_job_nobody_watches_any_more_is_not_watched),
		cmocka_unit_test(who_left_is_not_counted_even_at_once),
		cmocka_unit_test(one_added_meanwhile_is_told_the_next_time),
		cmocka_unit_test(one_may_be_replaced_by_another),
		cmocka_unit_test(telling_may_be_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
