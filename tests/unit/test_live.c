/*
 * test_live.c - the bytes of running answers: kept once, in order, up to a
 * bound over all, and gone with the attempt they belong to.
 */
#include "daemon/run/live.h"

#include "daemon/base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool
append(struct live *live, uint64_t id, const char *text)
{
	return live_append(live, id, (const uint8_t *)text, strlen(text));
}

static void
expect(const struct live *live, uint64_t id, unsigned attempt, const char *text)
{
	unsigned number = 0;
	const uint8_t *bytes = NULL;
	size_t len = 0;

	assert_int_equal(live_look(live, id, &number, &bytes, &len), LIVE_RUNNING);
	assert_int_equal(number, attempt);
	assert_int_equal(len, strlen(text));
	if (len > 0)
		assert_memory_equal(bytes, text, len);
}

static enum live_state
state_of(const struct live *live, uint64_t id)
{
	unsigned attempt;
	const uint8_t *bytes;
	size_t len;

	return live_look(live, id, &attempt, &bytes, &len);
}

static void
bytes_are_kept_in_order(void **unused)
{
	struct live *live = live_new(1 << 20);

	(void)unused;
	assert_int_equal(state_of(live, 1), LIVE_NONE);
	assert_false(append(live, 1, "to nobody"));
	live_begin(live, 1, 1);
	live_begin(live, 2, 4);
	expect(live, 1, 1, "");
	assert_true(append(live, 1, "event: "));
	assert_true(append(live, 2, "other"));
	assert_true(append(live, 1, "ping\n"));
	expect(live, 1, 1, "event: ping\n");
	expect(live, 2, 4, "other");
	live_end(live, 1);
	assert_int_equal(state_of(live, 1), LIVE_NONE);
	expect(live, 2, 4, "other");
	live_end(live, 1);
	live_free(live);
	live_free(NULL);
}

static void
a_new_attempt_begins_at_zero(void **unused)
{
	struct live *live = live_new(1 << 20);

	(void)unused;
	live_begin(live, 1, 1);
	assert_true(append(live, 1, "half a sen"));
	live_begin(live, 1, 2);
	expect(live, 1, 2, "");
	assert_true(append(live, 1, "a whole sentence"));
	expect(live, 1, 2, "a whole sentence");
	live_free(live);
}

static void
a_big_answer_is_the_same_bytes(void **unused)
{
	enum { LEN = 300000 };
	struct live *live = live_new(1 << 20);
	uint8_t *wanted = malloc(LEN);
	const uint8_t *bytes;
	unsigned attempt;
	size_t len;

	(void)unused;
	for (size_t i = 0; i < LEN; i++)
		wanted[i] = (uint8_t)(i * 7 + i / 251);
	live_begin(live, 1, 1);
	for (size_t at = 0, piece = 1; at < LEN; at += piece, piece = piece * 3 % 9973 + 1)
		assert_true(live_append(live, 1, wanted + at, at + piece > LEN ? LEN - at : piece));
	assert_int_equal(live_look(live, 1, &attempt, &bytes, &len), LIVE_RUNNING);
	assert_int_equal(len, LEN);
	assert_memory_equal(bytes, wanted, LEN);
	free(wanted);
	live_free(live);
}

static void
what_does_not_fit_is_lost_for_followers_alone(void **unused)
{
	struct live *live = live_new(16384);
	char piece[4001];

	(void)unused;
	memset(piece, 'x', 4000);
	piece[4000] = '\0';
	live_begin(live, 1, 1);
	live_begin(live, 2, 1);
	assert_true(append(live, 1, piece));
	assert_true(append(live, 2, piece));
	assert_true(append(live, 2, piece));
	assert_int_equal(metrics.live_bytes, 4096 + 8192);
	/* 1 would need 8 KiB, and 2 has them. */
	assert_false(append(live, 1, piece) && append(live, 1, piece));
	assert_int_equal(state_of(live, 1), LIVE_LOST);
	assert_false(append(live, 1, "more"));
	assert_int_equal(state_of(live, 1), LIVE_LOST);
	assert_int_equal(state_of(live, 2), LIVE_RUNNING);
	/* Its room is free for others, */
	assert_int_equal(metrics.live_bytes, 8192);
	live_begin(live, 3, 1);
	assert_true(append(live, 3, piece));
	/* and a new attempt starts anew. */
	live_begin(live, 1, 2);
	assert_true(append(live, 1, "again"));
	expect(live, 1, 2, "again");
	live_free(live);
	assert_int_equal(metrics.live_bytes, 0);
}

static void
a_smaller_bound_counts_from_now_on(void **unused)
{
	struct live *live = live_new(1 << 20);

	(void)unused;
	live_begin(live, 1, 1);
	assert_true(append(live, 1, "kept"));
	live_resize(live, 4096);
	expect(live, 1, 1, "kept");
	assert_true(append(live, 1, " in its room"));
	live_begin(live, 2, 1);
	assert_false(append(live, 2, "no room"));
	live_end(live, 1);
	live_begin(live, 2, 2);
	assert_true(append(live, 2, "room"));
	live_free(live);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_kept_in_order),
		cmocka_unit_test(a_new_attempt_begins_at_zero),
		cmocka_unit_test(a_big_answer_is_the_same_bytes),
		cmocka_unit_test(what_does_not_fit_is_lost_for_followers_alone),
		cmocka_unit_test(a_smaller_bound_counts_from_now_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
