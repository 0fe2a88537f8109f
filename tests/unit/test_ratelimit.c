/*
 * test_ratelimit.c - the server's buckets, mirrored: case by case. Against a
 * whole server: test_ratelimit_world.c.
 */
#include "daemon/gate/ratelimit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* When a request of these tokens may go, asking again as told. */
static double
passes_at(const struct ratelimit *rl, double now, double in, double out)
{
	double when;

	for (int i = 0; i < 3; i++, now = when) {
		if (ratelimit_may_send(rl, now, in, out, &when))
			return now;
		assert_true(isfinite(when) && when > now);
	}
	fail_msg("told to ask again for ever");
	return INFINITY;
}

static struct ratelimit_charge
sent(struct ratelimit *rl, double now, double in, double out)
{
	struct ratelimit_charge charge;

	ratelimit_sent(rl, now, in, out, &charge);
	return charge;
}

/* A request whose answer told this limit, and went out of the account again. */
static void
told(struct ratelimit *rl, enum bucket_kind kind, double limit, double remaining, double now)
{
	struct ratelimit_charge charge = sent(rl, now, 0, 0);

	ratelimit_headers(rl, now, &charge, kind, limit, remaining);
	ratelimit_unsent(rl, now, &charge);
}

static double
tokens(const struct ratelimit *rl, enum bucket_kind kind, double now)
{
	return bucket_tokens(&rl->kinds[kind].bucket, now);
}

static void
without_headers_nothing_is_bounded(void **unused)
{
	struct ratelimit rl;
	double when;

	(void)unused;
	ratelimit_init(&rl);
	for (int i = 0; i < 1000; i++) {
		assert_true(ratelimit_may_send(&rl, 1.0, 1e6, 1e6, &when));
		sent(&rl, 1.0, 1e6, 1e6);
	}
	told(&rl, BUCKET_INPUT, 0, 17, 1.0);
	told(&rl, BUCKET_INPUT, -1, -1, 1.0);
	told(&rl, BUCKET_INPUT, NAN, 17, 1.0);
	told(&rl, BUCKET_INPUT, INFINITY, 17, 1.0);
	assert_true(ratelimit_may_send(&rl, 1.0, 1e6, 1e6, &when));
	/* One kind says nothing of another. */
	told(&rl, BUCKET_REQUESTS, 60, 50, 1.0);
	assert_true(ratelimit_may_send(&rl, 9.0, 1e9, 1e9, &when));
}

/* A little less than one a second, from the first: what went before the first
 * header was not counted. */
static void
requests_go_one_by_one_at_sixty_a_minute(void **unused)
{
	struct ratelimit rl;
	double now = 10.0;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 60, 59, now);
	assert_true(passes_at(&rl, now, 0, 0) == now);
	sent(&rl, now, 0, 0);
	for (int i = 1; i <= 20; i++) {
		now = passes_at(&rl, now, 0, 0);
		assert_true(fabs(now - (10.0 + i / 0.98)) < 1e-4);
		sent(&rl, now, 0, 0);
	}
}

static void
a_burst_is_half_a_second(void **unused)
{
	struct ratelimit rl;
	double when;
	int count = 0;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 6000, 5999, 0.0); /* 100 a second */
	while (ratelimit_may_send(&rl, 60.0, 0, 0, &when)) {
		sent(&rl, 60.0, 0, 0);
		count++;
	}
	assert_int_equal(count, 49);
}

static void
what_others_used_is_believed(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_INPUT, 60000, 50000, 0.0);
	assert_true(passes_at(&rl, 10.0, 400, 0) == 10.0);
	told(&rl, BUCKET_INPUT, 60000, 0, 10.0);
	/* Nothing is left: at the slowest pace, a tenth. */
	assert_true(fabs(passes_at(&rl, 10.0, 40, 0) - (10.0 + 40 / 98.0)) < 1e-3);
	/* There is enough again, but not for all that was to come. */
	told(&rl, BUCKET_INPUT, 60000, 3000, 11.0);
	sent(&rl, 11.0, 400, 0);
	assert_true(rl.kinds[BUCKET_INPUT].bucket.rate < 700);
	told(&rl, BUCKET_INPUT, 60000, 40000, 12.0);
	assert_true(fabs(rl.kinds[BUCKET_INPUT].bucket.rate - 980) < 1e-9);
}

/* Ten left as it let the first in; five more are on their way, or not. */
static void
what_is_on_its_way_is_not_left(void **unused)
{
	struct ratelimit_charge first, last;
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 600, 500, 0.0);
	first = sent(&rl, 10.0, 0, 0);
	for (int i = 0; i < 5; i++)
		last = sent(&rl, 10.1, 0, 0);
	/* A tenth of a second has brought one. */
	ratelimit_headers(&rl, 10.1, &first, BUCKET_REQUESTS, 600, 0);
	assert_true(fabs(rl.kinds[BUCKET_REQUESTS].left + 4) < 1e-9);
	/* And the answer to the last one counts them all. */
	ratelimit_headers(&rl, 10.2, &last, BUCKET_REQUESTS, 600, 3);
	assert_true(fabs(rl.kinds[BUCKET_REQUESTS].left - 3) < 1e-9);
}

static void
an_older_answer_is_no_news(void **unused)
{
	struct ratelimit_charge first, second;
	struct ratelimit rl, before;

	(void)unused;
	ratelimit_init(&rl);
	first = sent(&rl, 0.0, 0, 0);
	second = sent(&rl, 0.0, 0, 0);
	ratelimit_headers(&rl, 1.0, &second, BUCKET_REQUESTS, 600, 500);
	before = rl;
	ratelimit_headers(&rl, 9.0, &first, BUCKET_REQUESTS, 60, 0);
	assert_memory_equal(&rl, &before, sizeof(rl));
}

/* A bucket that holds one second says "0 left" to everybody. */
static void
a_small_bucket_is_no_empty_one(void **unused)
{
	struct ratelimit rl;
	double now = 5.0;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 60, 0, now);
	for (int i = 0; i < 20; i++) {
		double next = passes_at(&rl, now, 0, 0);
		struct ratelimit_charge charge = sent(&rl, next, 0, 0);

		assert_true(next - now < 1.06);
		now = next;
		ratelimit_headers(&rl, now + 0.9, &charge, BUCKET_REQUESTS, 60, 0);
	}
}

static void
more_than_the_burst_still_goes(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_INPUT, 6000, -1, 0.0); /* 98 a second */
	assert_true(passes_at(&rl, 5.0, 100000, 0) == 5.0);
	sent(&rl, 5.0, 980, 0);
	/* Its debt is paid before the next: 902.5 missing, and a full bucket. */
	assert_true(fabs(passes_at(&rl, 5.0, 980, 0) - 15.0) < 1e-4);
	assert_true(fabs(passes_at(&rl, 5.0, 1, 0) - (14.5 + 1 / 98.0)) < 1e-4);
}

/* A large one waits until the server has room for it, as far as that is known;
 * but not for more than ten seconds bring: among small ones that never comes. */
static void
a_large_one_waits_for_room(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_INPUT, 60000, 60000, 0.0);
	told(&rl, BUCKET_INPUT, 60000, 6000, 10.0); /* not so little that we go slower */
	assert_true(passes_at(&rl, 11.0, 6500, 0) == 11.0);
	assert_true(fabs(passes_at(&rl, 10.0, 9000, 0) - (10.0 + 3000 / 980.0)) < 1e-3);
	assert_true(fabs(passes_at(&rl, 10.0, 50000, 0) - (10.0 + 4000 / 980.0)) < 1e-3);
}

static void
the_difference_is_settled(void **unused)
{
	struct ratelimit_charge charge;
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_OUTPUT, 6000, -1, 0.0);
	charge = sent(&rl, 5.0, 0, 40);
	ratelimit_settled(&rl, 5.0, &charge, 0, 340); /* 300 more */
	assert_true(fabs(tokens(&rl, BUCKET_OUTPUT, 5.0) + 291) < 1e-6);
	charge = sent(&rl, 5.0, 0, 500);
	ratelimit_settled(&rl, 5.0, &charge, 0, 0); /* refused: all of it back */
	assert_true(fabs(tokens(&rl, BUCKET_OUTPUT, 5.0) + 291) < 1e-6);
}

static void
unsent_gives_everything_back(void **unused)
{
	struct ratelimit_charge charge;
	struct ratelimit rl, before;

	(void)unused;
	ratelimit_init(&rl);
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		told(&rl, (enum bucket_kind)kind, 6000, 40, 1.0);
	before = rl;
	charge = sent(&rl, 1.0, 30, 500);
	ratelimit_unsent(&rl, 1.0, &charge);
	for (int kind = 0; kind < BUCKET_KINDS; kind++) {
		assert_true(fabs(tokens(&rl, (enum bucket_kind)kind, 1.0) -
				 tokens(&before, (enum bucket_kind)kind, 1.0)) < 1e-9);
		assert_true(fabs(rl.kinds[kind].left - before.kinds[kind].left) < 1e-9);
		assert_true(rl.kinds[kind].charged == before.kinds[kind].charged);
	}
}

/* What went before the limit was known was never taken from it. */
static void
what_was_not_charged_is_not_given_back(void **unused)
{
	struct ratelimit_charge early, other;
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	early = sent(&rl, 0.0, 5000, 5000);
	other = sent(&rl, 0.0, 5000, 5000);
	told(&rl, BUCKET_INPUT, 6000, 1000, 1.0);
	ratelimit_settled(&rl, 1.0, &early, 0, 0);
	ratelimit_unsent(&rl, 1.0, &other);
	assert_true(tokens(&rl, BUCKET_INPUT, 1.0) <= 1.0);
	assert_true(rl.kinds[BUCKET_INPUT].left <= 1000);
}

static void
retry_after_is_never_shortened(void **unused)
{
	struct ratelimit_charge charge;
	struct ratelimit rl;
	double when;

	(void)unused;
	ratelimit_init(&rl);
	charge = sent(&rl, 10.0, 0, 0);
	ratelimit_limited(&rl, 10.0, &charge, 7.0, false, 0.5);
	assert_false(ratelimit_may_send(&rl, 17.0, 0, 0, &when));
	assert_true(when == 10.0 + 7.0 + 0.125);
	ratelimit_limited(&rl, 11.0, &charge, 1.0, false, 0.0); /* the longer one stays */
	assert_false(ratelimit_may_send(&rl, 17.0, 0, 0, &when));
	assert_true(ratelimit_may_send(&rl, 17.125, 0, 0, &when));
	ratelimit_limited(&rl, 20.0, &charge, NAN, false, 0.0);
	ratelimit_limited(&rl, 20.0, &charge, -5.0, false, 0.0);
	assert_true(ratelimit_may_send(&rl, 20.0, 0, 0, &when));
	ratelimit_limited(&rl, 20.0, &charge, INFINITY, false, 0.0);
	assert_false(ratelimit_may_send(&rl, 21.0, 0, 0, &when));
	assert_true(when <= 20.0 + 86400.0);
}

/* The server said when there is room for one; not for all that would have
 * gathered by then. */
static void
after_the_wait_they_go_one_by_one(void **unused)
{
	struct ratelimit_charge charge;
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 600, 500, 0.0);
	charge = sent(&rl, 10.0, 0, 0);
	ratelimit_headers(&rl, 10.1, &charge, BUCKET_REQUESTS, 600, 400);
	ratelimit_limited(&rl, 10.1, &charge, 5.0, false, 0.0);
	assert_true(fabs(passes_at(&rl, 11.0, 0, 0) - (15.1 + 1 / 7.84)) < 1e-4);
}

/* Refused once, we use less of the limit for some minutes. What was on its way
 * by then is refused too, and that is no news. */
static void
less_is_used_after_a_refusal(void **unused)
{
	struct ratelimit_charge charges[4];
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 600, 500, 0.0);
	for (int i = 0; i < 4; i++)
		charges[i] = sent(&rl, 10.0, 0, 0);
	for (int i = 0; i < 4; i++)
		ratelimit_limited(&rl, 10.2, &charges[i], 1.0, false, 0.0);
	assert_true(fabs(rl.kinds[BUCKET_REQUESTS].bucket.rate - 10 * 0.98 * 0.8) < 1e-9);
	charges[0] = sent(&rl, 20.2, 0, 0);
	ratelimit_limited(&rl, 20.2, &charges[0], 1.0, true, 0.0);
	assert_true(rl.kinds[BUCKET_REQUESTS].bucket.rate < 10 * 0.98 * 0.8 * 0.52);
	/* A tenth comes back every minute. */
	told(&rl, BUCKET_REQUESTS, 600, 500, 80.2);
	assert_true(fabs(rl.share - 0.98 * 0.8 * 0.5) < 0.01);
	assert_true(fabs(rl.kinds[BUCKET_REQUESTS].bucket.rate - 10 * (rl.share + 0.1)) < 1e-6);
	told(&rl, BUCKET_REQUESTS, 600, 500, 1000.0);
	assert_true(fabs(rl.kinds[BUCKET_REQUESTS].bucket.rate - 9.8) < 1e-9);
}

static void
the_limit_may_change(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 6000, 5000, 0.0);
	told(&rl, BUCKET_REQUESTS, 60, 50, 100.0);
	assert_true(tokens(&rl, BUCKET_REQUESTS, 100.0) == 1.0);
	sent(&rl, 100.0, 0, 0);
	assert_true(fabs(passes_at(&rl, 100.0, 0, 0) - (100.0 + 1 / 0.98)) < 1e-4);
	/* Raised, it is used at once. */
	told(&rl, BUCKET_REQUESTS, 6000, 5000, 100.0);
	assert_true(passes_at(&rl, 100.0, 0, 0) < 100.02);
}

static void
a_limit_nobody_speaks_of_is_forgotten(void **unused)
{
	struct ratelimit rl;
	double when;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 60, 50, 0.0);
	told(&rl, BUCKET_REQUESTS, -1, -1, 59.0);
	sent(&rl, 59.0, 0, 0);
	assert_false(ratelimit_may_send(&rl, 59.0, 0, 0, &when));
	told(&rl, BUCKET_REQUESTS, -1, -1, 61.0);
	for (int i = 0; i < 100; i++) {
		assert_true(ratelimit_may_send(&rl, 61.0, 0, 0, &when));
		sent(&rl, 61.0, 0, 0);
	}
	/* And learned anew. */
	told(&rl, BUCKET_REQUESTS, 60, 50, 62.0);
	sent(&rl, 62.0, 0, 0);
	assert_false(ratelimit_may_send(&rl, 62.0, 0, 0, &when));
}

/* Whatever is asked, at any hour, "ask again at" is obeyed in one go. */
static void
asking_again_as_told_always_passes(void **unused)
{
	uint64_t seed = 88172645463325252u;
	struct ratelimit rl;

	(void)unused;
	for (int i = 0; i < 5000; i++) {
		double random[5];

		for (int k = 0; k < 5; k++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			random[k] = (double)(seed >> 11) / (double)(1ull << 53);
		}
		double now = random[0] * 1e8; /* up to three years after boot */

		ratelimit_init(&rl);
		told(&rl, BUCKET_REQUESTS, 1 + random[1] * 4000, random[2] * 50, now);
		told(&rl, BUCKET_INPUT, 1 + random[2] * 4e6, random[3] * 1e4, now);
		told(&rl, BUCKET_OUTPUT, 1 + random[3] * 1e6, random[4] * 1e4, now);
		sent(&rl, now, random[4] * 1e5, random[1] * 1e4);
		(void)passes_at(&rl, now, random[1] * 1e6, random[2] * 1e5);
	}
}

static void
a_release_ends_the_wait(void **unused)
{
	struct ratelimit_charge charge;
	struct ratelimit rl;
	double when;

	(void)unused;
	ratelimit_init(&rl);
	told(&rl, BUCKET_REQUESTS, 600, 100, 0.0);
	charge = sent(&rl, 1.0, 0, 0);
	ratelimit_limited(&rl, 2.0, &charge, 3000, false, 0.0);
	assert_false(ratelimit_may_send(&rl, 100.0, 0, 0, &when));
	ratelimit_release(&rl);
	assert_true(ratelimit_may_send(&rl, 100.0, 0, 0, &when));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_release_ends_the_wait),
		cmocka_unit_test(without_headers_nothing_is_bounded),
		cmocka_unit_test(requests_go_one_by_one_at_sixty_a_minute),
		cmocka_unit_test(a_burst_is_half_a_second),
		cmocka_unit_test(what_others_used_is_believed),
		cmocka_unit_test(what_is_on_its_way_is_not_left),
		cmocka_unit_test(an_older_answer_is_no_news),
		cmocka_unit_test(a_small_bucket_is_no_empty_one),
		cmocka_unit_test(more_than_the_burst_still_goes),
		cmocka_unit_test(a_large_one_waits_for_room),
		cmocka_unit_test(the_difference_is_settled),
		cmocka_unit_test(unsent_gives_everything_back),
		cmocka_unit_test(what_was_not_charged_is_not_given_back),
		cmocka_unit_test(retry_after_is_never_shortened),
		cmocka_unit_test(after_the_wait_they_go_one_by_one),
		cmocka_unit_test(less_is_used_after_a_refusal),
		cmocka_unit_test(the_limit_may_change),
		cmocka_unit_test(a_limit_nobody_speaks_of_is_forgotten),
		cmocka_unit_test(asking_again_as_told_always_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
