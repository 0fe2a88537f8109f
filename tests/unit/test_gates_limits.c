/*
 * test_gates_limits.c - the server's rate limits and the user's pace, among the
 * other gates; and what requests cost.
 */
#include "tests/unit/gates_world.h"

/* Models that share a limit. */
#define OPUS_A "claude-opus-4-8"
#define OPUS_B "claude-opus-4-7"
#define OPUS_C "claude-opus-4-6"

static void
a_limit_holds_the_bucket_as_long_as_told(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 1.0);
	struct answer_headers headers;
	struct answer answer;

	(void)unused;
	answer_headers_init(&headers);
	headers.retry_after_s = 30;
	answer_from_http(&answer, 429, &headers, (const uint8_t *)"", 0, 1.7e9);
	gates_ended(gates, &pass, &answer, 0, 0, INFINITY, 2.0);
	assert_false(may(gates, MODEL, 31.9));
	assert_true(may(gates, MODEL, 33.0));
	assert_int_equal(row_of(gates, "host", 3.0).view.weather, GATE_OPEN);
	gates_free(gates);
}

static void
the_servers_limits_are_mirrored(void **unused)
{
	struct answer_ratelimit limits[ANSWER_LIMIT_COUNT] = {
		[ANSWER_REQUESTS] = { .limit = 60, .remaining = 1 },
		[ANSWER_INPUT_TOKENS] = { .limit = -1, .remaining = -1 },
		[ANSWER_OUTPUT_TOKENS] = { .limit = -1, .remaining = -1 },
	};
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 1.0);

	(void)unused;
	gates_headers(gates, &pass, limits, 1.5);
	gates_accepted(gates, &pass, 1.5);
	gates_ended(gates, &pass, NULL, 100, 10, 0.0, 2.0);
	/* One is left, and taken, and given back unsent. */
	assert_true(may(gates, MODEL, 10.0));
	gates_take(gates, MODEL, 100, 100, 10.0, &pass);
	assert_false(may(gates, MODEL, 10.1));
	assert_true(may(gates, "of-another-bucket", 10.1));
	gates_unsent(gates, &pass, 10.1);
	assert_true(may(gates, MODEL, 10.1));
	gates_free(gates);
}

static void
an_unheard_bucket_starts_with_two(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass first, second, third;

	(void)unused;
	/* The host's gate starts small, too; here it has grown. */
	for (unsigned i = 0; i < 20; i++)
		succeed(gates, OTHER, 100, 0.0);
	first = send(gates, OPUS_A, 1.0);
	second = send(gates, OPUS_B, 1.0);
	assert_false(may(gates, OPUS_A, 1.0));
	assert_false(may(gates, OPUS_C, 1.0));
	assert_true(may(gates, MODEL, 1.0));
	/* One that should have been refused by now was let in; */
	gates_quiet(gates, &first, 2.5);
	assert_true(may(gates, OPUS_C, 2.5));
	third = send(gates, OPUS_C, 2.5);
	assert_false(may(gates, OPUS_C, 2.5));
	/* one that never went makes room; */
	gates_unsent(gates, &third, 2.6);
	assert_true(may(gates, OPUS_C, 2.6));
	/* and the first answer ends it, whether it tells limits or not. */
	third = send(gates, OPUS_C, 2.6);
	tell_limits(gates, &second, -1, -1, 3.0);
	gates_accepted(gates, &second, 3.0);
	assert_true(may(gates, OPUS_A, 3.0));
	assert_true(may(gates, OPUS_C, 3.0));
	gates_forgotten(gates, &first, 4.0);
	gates_forgotten(gates, &second, 4.0);
	gates_forgotten(gates, &third, 4.0);
	assert_int_equal(gates_model(gates, OPUS_A, 4.0)->bucket->unheard, 0);
	gates_free(gates);
}

/* A gate that has learned of slow refusals is stalled before it is quiet. */
static void
a_stalled_one_makes_room_in_an_unheard_bucket(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass first, second;

	(void)unused;
	for (unsigned i = 0; i < 20; i++)
		succeed(gates, OTHER, 100, 0.0);
	first = send(gates, OPUS_A, 1.0);
	second = send(gates, OPUS_B, 1.0);
	assert_false(may(gates, OPUS_C, 1.0));
	gates_stalled(gates, &first, 13.0);
	assert_int_equal(gates_model(gates, OPUS_A, 13.0)->bucket->unheard, 1);
	gates_forgotten(gates, &first, 14.0);
	gates_forgotten(gates, &second, 14.0);
	assert_int_equal(gates_model(gates, OPUS_A, 14.0)->bucket->unheard, 0);
	gates_free(gates);
}

static void
a_limit_is_that_of_its_family(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, OPUS_A, 1.0);
	char words[96];

	(void)unused;
	tell_limits(gates, &pass, 60, 30, 1.5);
	end_with(gates, &pass, 429, "rate_limit_error", 2.0); /* 5 s, as nobody said */
	assert_false(may(gates, OPUS_B, 6.9));
	assert_true(
	    gates_model_words(gates, gates_model(gates, OPUS_B, 4.5), 4.5, words, sizeof(words)));
	assert_string_equal(strchr(words, '('), "(rate limit of opus-4)");
	assert_false(
	    gates_model_words(gates, gates_model(gates, MODEL, 4.5), 4.5, words, sizeof(words)));
	assert_true(fabs(wait_of(gates, OPUS_B, 2.0) - 5.0) < 3.0);
	assert_true(may(gates, MODEL, 2.0));
	assert_true(wait_of(gates, MODEL, 2.0) == 0.0);
	/* Then one goes, of whichever model, and no second at once. */
	assert_true(may(gates, OPUS_B, 9.0));
	pass = send(gates, OPUS_B, 9.0);
	tell_limits(gates, &pass, 60, 30, 9.2);
	gates_accepted(gates, &pass, 9.2);
	assert_false(may(gates, OPUS_A, 9.3));
	gates_ended(gates, &pass, NULL, 100, 10, 0.0, 9.4);
	gates_free(gates);
}

static void
too_steep_a_rise_starts_all_of_the_family_small(void **unused)
{
	static const char body[] =
	    "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"\","
	    "\"details\":{\"error_code\":\"ramp_limit_exceeded\"}}}";
	struct gates *gates = gates_new(config, 1.0);
	struct answer_headers headers;
	struct answer answer;
	struct pass pass;

	(void)unused;
	for (unsigned i = 0; i < 20; i++) {
		succeed(gates, OPUS_A, 100, 10.0 * i);
		succeed(gates, OPUS_B, 100, 10.0 * i);
		succeed(gates, MODEL, 100, 10.0 * i);
	}
	assert_true(row_of(gates, OPUS_B, 300.0).gate->window > 10);
	pass = send(gates, OPUS_A, 300.0);
	answer_headers_init(&headers);
	headers.retry_after_s = 3;
	answer_from_http(&answer, 429, &headers, (const uint8_t *)body, sizeof(body) - 1, 1.7e9);
	gates_ended(gates, &pass, &answer, 0, 0, INFINITY, 300.5);
	assert_true(row_of(gates, OPUS_A, 300.5).gate->window == 2);
	assert_true(row_of(gates, OPUS_B, 300.5).gate->window == 2);
	assert_true(row_of(gates, MODEL, 300.5).gate->window > 10);
	assert_false(may(gates, OPUS_B, 303.4));
	assert_true(may(gates, OPUS_B, 303.8));
	gates_free(gates);
}

/* A limit that is told in the middle of an answer is a limit all the same. */
static void
a_limit_in_the_stream_holds_too(void **unused)
{
	static const char data[] =
	    "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"\"}}";
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, OPUS_A, 1.0);
	struct answer_headers headers;
	struct answer answer;

	(void)unused;
	gates_accepted(gates, &pass, 1.5);
	answer_headers_init(&headers);
	answer_from_event(&answer, &headers, (const uint8_t *)data, sizeof(data) - 1, 1.7e9);
	gates_ended(gates, &pass, &answer, 0, 0, INFINITY, 2.0);
	assert_int_equal(row_of(gates, OPUS_A, 2.0).gate->refusals, 0);
	assert_false(may(gates, OPUS_B, 6.9));
	assert_true(may(gates, OPUS_B, 7.3));
	gates_free(gates);
}

static void
it_learns_how_long_answers_are(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);

	(void)unused;
	assert_int_equal(gates_expect_output(gates, MODEL, -1), 500);
	assert_int_equal(gates_expect_output(gates, MODEL, 20), 20);
	for (unsigned i = 0; i < 200; i++)
		succeed(gates, MODEL, 3000, 10.0 * i);
	assert_int_equal(gates_expect_output(gates, MODEL, -1), 3000);
	assert_int_equal(gates_expect_output(gates, MODEL, 100000), 3000);
	assert_int_equal(gates_expect_output(gates, MODEL, 1000), 1000);
	assert_int_equal(gates_expect_output(gates, MODEL, 0), 0);
	assert_int_equal(gates_expect_output(gates, "unseen", -1), 500);
	/* A refused one had no answer: nothing to learn. */
	struct pass pass = send(gates, MODEL, 5000.0);

	end_with(gates, &pass, 529, "overloaded_error", 5001.0);
	assert_int_equal(gates_expect_output(gates, MODEL, -1), 3000);
	gates_free(gates);
}

static void
it_learns_what_estimates_are_worth(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass;

	(void)unused;
	assert_int_equal(gates_expect_input(gates, MODEL, 1000), 1000);
	pass = send(gates, MODEL, 1.0);
	assert_true(pass.cost_input == 100);
	gates_accepted(gates, &pass, 1.5);
	gates_ended(gates, &pass, NULL, 150, 20, 0.0, 2.0);
	assert_int_equal(gates_expect_input(gates, MODEL, 1000), 1500);
	assert_int_equal(gates_expect_input(gates, "unseen", 1000), 1000);
	/* What is charged is what they turn out to be, and at most what may come. */
	gates_take(gates, MODEL, 1000, 10, 3.0, &pass);
	assert_true(pass.cost_input == 1500 && pass.cost_output == 10);
	gates_unsent(gates, &pass, 3.0);
	gates_take(gates, MODEL, 1000, 4096, 4.0, &pass);
	assert_true(pass.cost_input == 1500 && pass.cost_output == 20);
	gates_unsent(gates, &pass, 4.0);
	gates_free(gates);
}

static void
the_pace_is_the_users(void **unused)
{
	static const char *const sets[] = { "pace.requests_per_minute=60", NULL };
	struct config *paced = load(sets);
	struct gates *gates = gates_new(paced, 1.0);
	double when = INFINITY;
	struct pass pass;
	bool probe;

	(void)unused;
	gates_take(gates, MODEL, 1, 1, 1.0, &pass);
	assert_false(gates_may_send(gates, "another", 1, 1, 1.1, &when, &probe));
	assert_true(when > 1.1 && when < 2.1);
	/* What was never sent is given back; without a pace all may go. */
	gates_unsent(gates, &pass, 1.1);
	assert_true(may(gates, "another", 1.1));
	gates_take(gates, MODEL, 1, 1, 1.2, &pass);
	gates_configure(gates, config, 1.3);
	assert_true(may(gates, "another", 1.3));
	gates_unsent(gates, &pass, 1.4);
	gates_free(gates);
	config_free(paced);
}

static void
a_pace_is_waited_out(void **unused)
{
	static const char *const sets[] = { "pace.min_spacing=40s", NULL };
	struct config *paced = load(sets);
	struct gates *gates = gates_new(paced, 1.0);
	struct pass pass = send(gates, MODEL, 10.0);
	char words[96];

	(void)unused;
	assert_true(fabs(wait_of(gates, OTHER, 20.0) - 30.0) < 1e-9);
	assert_true(
	    gates_model_words(gates, gates_model(gates, OTHER, 20.0), 20.0, words, sizeof(words)));
	assert_string_equal(words, "held 30 s (pace)");
	gates_forgotten(gates, &pass, 21.0);
	gates_free(gates);
	config_free(paced);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_holds_the_bucket_as_long_as_told),
		cmocka_unit_test(the_servers_limits_are_mirrored),
		cmocka_unit_test(an_unheard_bucket_starts_with_two),
		cmocka_unit_test(a_stalled_one_makes_room_in_an_unheard_bucket),
		cmocka_unit_test(a_limit_is_that_of_its_family),
		cmocka_unit_test(too_steep_a_rise_starts_all_of_the_family_small),
		cmocka_unit_test(a_limit_in_the_stream_holds_too),
		cmocka_unit_test(it_learns_how_long_answers_are),
		cmocka_unit_test(it_learns_what_estimates_are_worth),
		cmocka_unit_test(the_pace_is_the_users),
		cmocka_unit_test(a_pace_is_waited_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
