/*
 * test_ratelimit.c - the server's buckets, mirrored.
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

static void
without_headers_nothing_is_bounded(void **unused)
{
	struct ratelimit rl;
	double when;

	(void)unused;
	ratelimit_init(&rl);
	for (int i = 0; i < 1000; i++) {
		assert_true(ratelimit_may_send(&rl, 1.0, 1e6, 1e6, &when));
		ratelimit_sent(&rl, 1.0, 1e6, 1e6);
	}
	ratelimit_headers(&rl, BUCKET_INPUT, 0, 17, 1.0);
	ratelimit_headers(&rl, BUCKET_INPUT, NAN, 17, 1.0);
	ratelimit_headers(&rl, BUCKET_INPUT, INFINITY, 17, 1.0);
	assert_true(ratelimit_may_send(&rl, 1.0, 1e6, 1e6, &when));
}

static void
requests_go_one_a_second_at_sixty_a_minute(void **unused)
{
	struct ratelimit rl;
	double now = 10.0;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_headers(&rl, BUCKET_REQUESTS, 60, 0, now); /* 0 left may be 0.99 */
	assert_true(passes_at(&rl, now, 0, 0) == now);
	ratelimit_sent(&rl, now, 0, 0);
	for (int i = 1; i <= 20; i++) {
		now = passes_at(&rl, now, 0, 0);
		assert_true(fabs(now - (10.0 + i)) < 1e-5);
		ratelimit_sent(&rl, now, 0, 0);
	}
}

/* A minute of it never exceeds what the server's own bucket would have given. */
static void
the_server_is_never_outrun(void **unused)
{
	struct ratelimit rl;
	double now = 100.0, server = 1.0, last = now;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_headers(&rl, BUCKET_REQUESTS, 120, 0, now);
	for (int i = 0; i < 120; i++) {
		now = passes_at(&rl, now, 0, 0);
		server = fmin(20.0, server + (now - last) * 2.0);
		last = now;
		assert_true(server >= 1.0 - 1e-4);
		server -= 1.0;
		ratelimit_sent(&rl, now, 0, 0);
		ratelimit_headers(&rl, BUCKET_REQUESTS, 120, floor(server + 1e-4), now);
	}
	assert_true(now - 100.0 < 61.0);
}

static void
what_others_used_is_believed(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_headers(&rl, BUCKET_INPUT, 60000, 50000, 0.0);
	assert_true(passes_at(&rl, 10.0, 1000, 0) == 10.0);
	ratelimit_headers(&rl, BUCKET_INPUT, 60000, 0, 10.0);
	assert_true(fabs(passes_at(&rl, 10.0, 500, 0) - 10.5) < 1e-5);
	ratelimit_headers(&rl, BUCKET_INPUT, 60000, 40000, 10.0); /* ours stays the lower */
	assert_true(fabs(passes_at(&rl, 10.0, 500, 0) - 10.5) < 1e-5);
}

static void
more_than_the_burst_still_goes(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_headers(&rl, BUCKET_INPUT, 6000, -1, 0.0); /* 100 a second */
	assert_true(passes_at(&rl, 5.0, 100000, 0) == 5.0);
	ratelimit_sent(&rl, 5.0, 1000, 0);
	/* Its debt is paid before the next: 900 missing, and then a full bucket. */
	assert_true(fabs(passes_at(&rl, 5.0, 1000, 0) - 15.0) < 1e-4);
	assert_true(fabs(passes_at(&rl, 5.0, 1, 0) - 14.01) < 1e-4);
}

static void
the_difference_is_settled(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_headers(&rl, BUCKET_OUTPUT, 6000, -1, 0.0);
	ratelimit_sent(&rl, 5.0, 0, 50);
	ratelimit_settled(&rl, 5.0, 0, 50, 0, 350); /* 300 more */
	assert_true(fabs(bucket_tokens(&rl.buckets[BUCKET_OUTPUT], 5.0) + 250) < 1e-6);
	ratelimit_settled(&rl, 5.0, 0, 350, 0, 0); /* refused: all of it back */
	assert_true(fabs(bucket_tokens(&rl.buckets[BUCKET_OUTPUT], 5.0) - 100) < 1e-6);
	ratelimit_settled(&rl, 5.0, 0, 350, 0, 0); /* but never beyond the burst */
	assert_true(fabs(bucket_tokens(&rl.buckets[BUCKET_OUTPUT], 5.0) - 100) < 1e-6);
}

static void
unsent_gives_everything_back(void **unused)
{
	struct ratelimit rl, before;

	(void)unused;
	ratelimit_init(&rl);
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		ratelimit_headers(&rl, (enum bucket_kind)kind, 6000, 40, 1.0);
	before = rl;
	ratelimit_sent(&rl, 1.0, 30, 500);
	ratelimit_unsent(&rl, 1.0, 30, 500);
	for (int kind = 0; kind < BUCKET_KINDS; kind++)
		assert_true(fabs(bucket_tokens(&rl.buckets[kind], 1.0) -
				 bucket_tokens(&before.buckets[kind], 1.0)) < 1e-9);
}

static void
retry_after_is_never_shortened(void **unused)
{
	struct ratelimit rl;
	double when;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_limited(&rl, 10.0, 7.0, 0.5);
	assert_false(ratelimit_may_send(&rl, 17.0, 0, 0, &when));
	assert_true(when == 10.0 + 7.0 + 0.125);
	ratelimit_limited(&rl, 11.0, 1.0, 0.0); /* the longer one stays */
	assert_false(ratelimit_may_send(&rl, 17.0, 0, 0, &when));
	assert_true(ratelimit_may_send(&rl, 17.125, 0, 0, &when));
	ratelimit_limited(&rl, 20.0, NAN, 0.0);
	ratelimit_limited(&rl, 20.0, -5.0, 0.0);
	assert_true(ratelimit_may_send(&rl, 20.0, 0, 0, &when));
	ratelimit_limited(&rl, 20.0, INFINITY, 0.0);
	assert_false(ratelimit_may_send(&rl, 21.0, 0, 0, &when));
	assert_true(when <= 20.0 + 86400.0);
}

static void
the_limit_may_change(void **unused)
{
	struct ratelimit rl;

	(void)unused;
	ratelimit_init(&rl);
	ratelimit_headers(&rl, BUCKET_REQUESTS, 6000, 5000, 0.0);
	ratelimit_headers(&rl, BUCKET_REQUESTS, 60, 50, 100.0);
	assert_true(bucket_tokens(&rl.buckets[BUCKET_REQUESTS], 100.0) == 1.0);
	ratelimit_sent(&rl, 100.0, 0, 0);
	assert_true(fabs(passes_at(&rl, 100.0, 0, 0) - 101.0) < 1e-5);
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
		ratelimit_headers(&rl, BUCKET_REQUESTS, 1 + random[1] * 4000, random[2] * 50, now);
		ratelimit_headers(&rl, BUCKET_INPUT, 1 + random[2] * 4e6, random[3] * 1e4, now);
		ratelimit_headers(&rl, BUCKET_OUTPUT, 1 + random[3] * 1e6, random[4] * 1e4, now);
		ratelimit_sent(&rl, now, random[4] * 1e5, random[1] * 1e4);
		(void)passes_at(&rl, now, random[1] * 1e6, random[2] * 1e5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_headers_nothing_is_bounded),
		cmocka_unit_test(requests_go_one_a_second_at_sixty_a_minute),
		cmocka_unit_test(the_server_is_never_outrun),
		cmocka_unit_test(what_others_used_is_believed),
		cmocka_unit_test(more_than_the_burst_still_goes),
		cmocka_unit_test(the_difference_is_settled),
		cmocka_unit_test(unsent_gives_everything_back),
		cmocka_unit_test(retry_after_is_never_shortened),
		cmocka_unit_test(the_limit_may_change),
		cmocka_unit_test(asking_again_as_told_always_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
