/*
 * test_gates.c - one request's way through all gates: what each end teaches,
 * what closes the key's gate, and holds by hand.
 */
#include "tests/unit/gates_world.h"

/* --- the life of a pass --------------------------------------------------------------- */

static void
unsent_leaves_no_trace(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct gate model, host;
	struct pass pass;

	(void)unused;
	assert_true(may(gates, MODEL, 1.0));
	model = *row_of(gates, MODEL, 1.0).gate;
	host = *row_of(gates, "host", 1.0).gate;
	for (unsigned i = 0; i < 100; i++) {
		gates_take(gates, MODEL, 100, 100, 1.0 + i, &pass);
		assert_true(pass.open);
		assert_int_equal(row_of(gates, MODEL, 1.0).gate->in_flight, 1);
		gates_unsent(gates, &pass, 1.5 + i);
		assert_false(pass.open);
	}
	assert_memory_equal(row_of(gates, MODEL, 101.0).gate, &model, sizeof(model));
	assert_memory_equal(row_of(gates, "host", 101.0).gate, &host, sizeof(host));
	gates_free(gates);
}

static void
ended_and_forgotten_ones_free_their_place(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass passes[3];

	(void)unused;
	for (size_t i = 0; i < 3; i++)
		passes[i] = send(gates, MODEL, 1.0);
	assert_int_equal(row_of(gates, MODEL, 1.0).gate->in_flight, 3);
	assert_int_equal(row_of(gates, "host", 1.0).gate->in_flight, 3);
	gates_accepted(gates, &passes[0], 1.5);
	gates_ended(gates, &passes[0], NULL, 100, 50, 0.0, 2.0);
	end_with(gates, &passes[1], 529, "overloaded_error", 2.0);
	gates_forgotten(gates, &passes[2], 2.0);
	for (size_t i = 0; i < 3; i++)
		assert_false(passes[i].open);
	assert_int_equal(row_of(gates, MODEL, 2.0).gate->in_flight, 0);
	assert_int_equal(row_of(gates, "host", 2.0).gate->in_flight, 0);
	assert_int_equal(row_of(gates, MODEL, 2.0).gate->unanswered, 0);
	/* Of the three, only one was a refusal; one given up says nothing. */
	assert_int_equal(row_of(gates, MODEL, 2.0).gate->refusals, 1);
	gates_free(gates);
}

static void
refusals_make_it_dark_and_an_answer_bright(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	char words[160];
	double now, when = INFINITY;
	bool probe;

	(void)unused;
	assert_true(may(gates, MODEL, 1.0));
	assert_string_equal(gates_words(gates, MODEL, 1.0, words, sizeof(words)), "");
	now = storm(gates, MODEL, 1.0);
	assert_false(gates_may_send(gates, MODEL, 1, 1, now, &when, &probe));
	assert_true(probe);
	assert_in_range((unsigned)(1000 * (when - now)), 1, 60000);
	assert_non_null(
	    strstr(gates_words(gates, MODEL, now, words, sizeof(words)), MODEL " dark"));
	/* A refusal of one model says nothing of another, nor of the host. */
	assert_true(may(gates, "claude-haiku-5-5", now));
	assert_int_equal(row_of(gates, "host", now).view.weather, GATE_OPEN);

	/* When its time has come, one may try, and no second. */
	now = when + 0.001;
	assert_true(may(gates, MODEL, now));
	struct pass pass = send(gates, MODEL, now);

	assert_false(may(gates, MODEL, now));
	gates_accepted(gates, &pass, now + 0.1);
	gates_ended(gates, &pass, NULL, 10, 10, 0.0, now + 1.0);
	assert_int_not_equal(row_of(gates, MODEL, now + 1.0).view.weather, GATE_DARK);
	gates_free(gates);
}

static void
a_failure_after_the_first_bytes_is_no_refusal(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct answer answer;
	struct pass pass = send(gates, MODEL, 1.0);

	(void)unused;
	gates_accepted(gates, &pass, 1.5);
	answer_from_transport(&answer, ANSWER_RESET, 200, NULL);
	gates_ended(gates, &pass, &answer, 0, 0, INFINITY, 2.0);
	assert_int_equal(row_of(gates, MODEL, 2.0).gate->refusals, 0);
	assert_int_equal(row_of(gates, "host", 2.0).gate->refusals, 0);
	gates_free(gates);
}

static void
without_a_connection_only_the_host_learns(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct answer answer;
	struct gate before;
	double now = 1.0;
	struct pass pass;

	(void)unused;
	assert_true(may(gates, MODEL, now));
	before = *row_of(gates, MODEL, now).gate;
	for (unsigned i = 0; i < 100; i++, now += 0.1) {
		gates_take(gates, MODEL, 100, 100, now, &pass);
		answer_from_transport(&answer, ANSWER_CONNECT, 0, NULL);
		gates_ended(gates, &pass, &answer, 0, 0, INFINITY, now + 0.05);
	}
	assert_memory_equal(row_of(gates, MODEL, now).gate, &before, sizeof(before));
	assert_int_equal(row_of(gates, "host", now).view.weather, GATE_DARK);
	assert_false(may(gates, "any-other-model", now));
	gates_free(gates);
}

/* --- for chains ------------------------------------------------------------------------ */

static void
a_dark_model_stays_dark_as_long_again(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	double now;

	(void)unused;
	assert_true(wait_of(gates, MODEL, 1.0) == 0.0);
	now = storm(gates, MODEL, 10.0);
	/* It has been dark since its first refusal, at 10.02. */
	assert_true(fabs(wait_of(gates, MODEL, now + 60.0) - (now + 60.0 - 10.02)) < 1e-9);
	assert_true(wait_of(gates, OTHER, now + 60.0) == 0.0);
	gates_free(gates);
}

static void
a_hold_is_waited_out(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);

	(void)unused;
	assert_false(gates_hold(gates, MODEL, 50.0, NULL));
	assert_true(wait_of(gates, MODEL, 20.0) == 30.0);
	assert_true(wait_of(gates, OTHER, 20.0) == 0.0);
	assert_false(gates_hold(gates, "key", 100.0, NULL));
	assert_true(wait_of(gates, OTHER, 20.0) == 80.0);
	assert_false(gates_hold(gates, "host", INFINITY, NULL));
	assert_true(isinf(wait_of(gates, OTHER, 20.0)));
	gates_free(gates);
}

static void
end_without_model(struct gates *gates, struct pass *pass, double now)
{
	struct answer answer;

	answered(&answer, 404, "not_found_error", "model: claude-opus-55");
	gates_ended(gates, pass, &answer, 0, 0, INFINITY, now);
}

static void
no_such_model_is_gone_past_for_an_hour(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 10.0);
	char words[96];

	(void)unused;
	assert_false(gates_is_unusable(gates, MODEL, 10.0));
	assert_false(gates_is_unusable(gates, "unheard-of", 10.0));
	end_without_model(gates, &pass, 11.0);
	assert_true(gates_is_unusable(gates, MODEL, 11.0));
	assert_false(gates_is_unusable(gates, OTHER, 11.0));
	assert_true(wait_of(gates, MODEL, 71.0) == 3540.0);
	assert_true(
	    gates_unusable_words(gates_model(gates, MODEL, 71.0), 71.0, words, sizeof(words)));
	assert_non_null(strstr(words, "unusable for 59m: 404 no such model"));
	/* Who has no other model asks all the same. */
	assert_true(may(gates, MODEL, 12.0));
	assert_true(gates_is_unusable(gates, MODEL, 3610.9));
	assert_false(gates_is_unusable(gates, MODEL, 3611.0));
	assert_false(
	    gates_unusable_words(gates_model(gates, MODEL, 3611.0), 3611.0, words, sizeof(words)));
	gates_free(gates);
}

static void
an_answer_makes_it_usable_again(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 10.0);
	struct answer answer;

	(void)unused;
	answered(&answer, 403, "permission_error", "no access to the model");
	gates_ended(gates, &pass, &answer, 0, 0, INFINITY, 11.0);
	assert_true(gates_is_unusable(gates, MODEL, 14.0));
	succeed(gates, MODEL, 10, 20.0);
	assert_false(gates_is_unusable(gates, MODEL, 21.0));
	gates_free(gates);
}

static void
classic_only_watches(void **unused)
{
	static const char *const sets[] = { "gate " MODEL ".policy=classic", NULL };
	struct config *classic = load(sets);
	struct gates *gates = gates_new(classic, 1.0);
	double when = INFINITY, now = storm(gates, MODEL, 10.0);
	struct pass pass;
	bool probe;

	(void)unused;
	/* It sees that it is dark, says so, and is asked all the same. */
	assert_int_equal(row_of(gates, MODEL, now).view.weather, GATE_DARK);
	assert_true(gates_may_send(gates, MODEL, 1, 1, now, &when, &probe));
	assert_false(probe);
	assert_true(wait_of(gates, MODEL, now + 60.0) == 0.0);
	/* The same for a host that does not answer, though not for other models. */
	for (unsigned i = 0; i < 100; i++, now += 0.1) {
		struct answer answer;

		gates_take(gates, MODEL, 100, 100, now, &pass);
		answer_from_transport(&answer, ANSWER_CONNECT, 0, NULL);
		gates_ended(gates, &pass, &answer, 0, 0, INFINITY, now + 0.05);
	}
	assert_int_equal(row_of(gates, "host", now).view.weather, GATE_DARK);
	assert_true(may(gates, MODEL, now));
	assert_false(may(gates, OTHER, now));
	/* By hand is by hand. */
	assert_false(gates_hold(gates, MODEL, now + 50.0, NULL));
	when = INFINITY;
	assert_false(gates_may_send(gates, MODEL, 1, 1, now, &when, &probe));
	assert_true(when == now + 50.0 && wait_of(gates, MODEL, now) == 50.0);
	assert_false(gates_release(gates, MODEL));
	assert_false(gates_hold(gates, "host", INFINITY, NULL));
	assert_false(may(gates, MODEL, now));
	assert_false(gates_release(gates, "all"));
	/* And so are the server's word and the key. */
	pass = send(gates, MODEL, now);
	end_with(gates, &pass, 429, "rate_limit_error", now);
	assert_false(may(gates, MODEL, now + 4.9));
	assert_true(may(gates, MODEL, now + 5.3));
	assert_false(gates_hold(gates, "key", INFINITY, NULL));
	assert_false(may(gates, MODEL, now + 5.3));
	/* A reload ends it. */
	assert_false(gates_release(gates, "key"));
	gates_configure(gates, config, now + 6.0);
	(void)gates_may_send(gates, MODEL, 1, 1, now + 6.0, &when, &probe);
	assert_true(probe);
	gates_free(gates);
	config_free(classic);
}

/* --- the key ---------------------------------------------------------------------------- */

static void
a_refused_key_closes_everything_until_released(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 1.0);
	char words[160];

	(void)unused;
	end_with(gates, &pass, 401, "authentication_error", 2.0);
	assert_false(may(gates, MODEL, 1e9));
	assert_false(may(gates, "any-other-model", 1e9));
	assert_int_equal(row_of(gates, "key", 3.0).view.why, GATE_WHY_KEY);
	assert_string_equal(row_of(gates, "key", 3.0).reason, "no");
	assert_non_null(strstr(gates_words(gates, MODEL, 3.0, words, sizeof(words)), "the key"));
	assert_int_equal(row_of(gates, MODEL, 3.0).gate->refusals, 0);
	assert_int_equal(gates_release(gates, "key"), FOREBAY_ERR_OK);
	assert_true(may(gates, MODEL, 3.0));
	assert_string_equal(row_of(gates, "key", 3.0).reason, "");
	gates_free(gates);
}

static void
a_spending_limit_opens_at_its_date(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 1.0);
	struct answer answer;

	(void)unused;
	answered(&answer, 402, "billing_error", "spend limit reached");
	assert_int_equal(answer.class, API_BILLING);
	gates_ended(gates, &pass, &answer, 0, 0, 3600.0, 2.0);
	assert_int_equal(row_of(gates, "key", 3.0).view.why, GATE_WHY_BILLING);
	assert_false(may(gates, MODEL, 3601.0));
	assert_true(may(gates, MODEL, 3602.5));
	gates_free(gates);
}

static void
a_missing_key_closes_and_a_new_one_opens(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass;

	(void)unused;
	gates_key_missing(gates, "no key at /etc/key", GATES_KEY_SAME);
	assert_false(may(gates, MODEL, 1e9));
	assert_string_equal(row_of(gates, "key", 2.0).reason, "no key at /etc/key");
	gates_key_missing(gates, NULL, GATES_KEY_SAME);
	assert_true(may(gates, MODEL, 2.0));
	assert_string_equal(row_of(gates, "key", 2.0).reason, "");

	/* A new key ends the refusal of the old one, */
	pass = send(gates, MODEL, 3.0);
	end_with(gates, &pass, 401, "authentication_error", 4.0);
	assert_false(may(gates, MODEL, 5.0));
	gates_key_missing(gates, NULL, GATES_KEY_SAME);
	assert_false(may(gates, MODEL, 5.0));
	gates_key_missing(gates, NULL, GATES_KEY_PERHAPS_NEW);
	assert_true(may(gates, MODEL, 5.0));

	/* but not what somebody holds by hand: a start or a reload is no release. */
	assert_int_equal(gates_hold(gates, "all", INFINITY, "the bill"), FOREBAY_ERR_OK);
	gates_key_missing(gates, NULL, GATES_KEY_NEW);
	assert_false(may(gates, MODEL, 1e9));
	assert_string_equal(row_of(gates, "key", 6.0).reason, "the bill");
	assert_int_equal(gates_release(gates, "all"), FOREBAY_ERR_OK);

	/* A billing pause is of the account: only a key that is surely another ends it. */
	pass = send(gates, MODEL, 7.0);
	end_with(gates, &pass, 402, "billing_error", 8.0);
	gates_key_missing(gates, NULL, GATES_KEY_PERHAPS_NEW);
	assert_false(may(gates, MODEL, 9.0));
	gates_key_missing(gates, NULL, GATES_KEY_NEW);
	assert_true(may(gates, MODEL, 9.0));
	gates_free(gates);
}

/* --- by hand ------------------------------------------------------------------------------- */

static void
each_target_is_held_and_released(void **unused)
{
	static const struct {
		const char *target, *row;
		bool stops_model, stops_other;
	} all[] = {
		{ MODEL, MODEL, true, false },
		{ "key", "key", true, true },
		{ "host", "host", true, true },
		{ "all", "key", true, true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct gates *gates = gates_new(config, 1.0);

		assert_int_equal(gates_hold(gates, all[i].target, 100.0, "lunch"), FOREBAY_ERR_OK);
		assert_int_equal(may(gates, MODEL, 50.0), !all[i].stops_model);
		assert_int_equal(may(gates, "unheard-of", 50.0), !all[i].stops_other);
		assert_int_equal(row_of(gates, all[i].row, 50.0).view.why, GATE_WHY_HAND);
		assert_string_equal(row_of(gates, all[i].row, 50.0).reason, "lunch");
		assert_true(may(gates, MODEL, 100.5));

		assert_int_equal(gates_hold(gates, all[i].target, INFINITY, NULL), FOREBAY_ERR_OK);
		assert_false(may(gates, MODEL, 1e9));
		assert_int_equal(gates_release(gates, all[i].target), FOREBAY_ERR_OK);
		assert_true(may(gates, MODEL, 50.0));
		assert_true(may(gates, "unheard-of", 50.0));
		gates_free(gates);
	}
}

static void
what_is_no_target_is_not_found(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);

	(void)unused;
	assert_int_equal(gates_hold(gates, "batches", 1e9, NULL), FOREBAY_ERR_NOT_FOUND);
	assert_int_equal(gates_release(gates, "batches"), FOREBAY_ERR_NOT_FOUND);
	assert_int_equal(gates_release(gates, "unheard-of"), FOREBAY_ERR_NOT_FOUND);
	assert_int_equal(gates_release(gates, "all"), FOREBAY_ERR_OK);
	gates_free(gates);
}

static void
release_all_opens_what_was_held_one_by_one(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);

	(void)unused;
	assert_false(gates_hold(gates, MODEL, INFINITY, NULL));
	assert_false(gates_hold(gates, "host", INFINITY, NULL));
	assert_false(gates_hold(gates, "key", INFINITY, NULL));
	assert_false(gates_release(gates, "host"));
	assert_false(may(gates, MODEL, 2.0));
	assert_false(gates_release(gates, "all"));
	assert_true(may(gates, MODEL, 2.0));
	gates_free(gates);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsent_leaves_no_trace),
		cmocka_unit_test(ended_and_forgotten_ones_free_their_place),
		cmocka_unit_test(refusals_make_it_dark_and_an_answer_bright),
		cmocka_unit_test(a_failure_after_the_first_bytes_is_no_refusal),
		cmocka_unit_test(without_a_connection_only_the_host_learns),
		cmocka_unit_test(a_dark_model_stays_dark_as_long_again),
		cmocka_unit_test(a_hold_is_waited_out),
		cmocka_unit_test(no_such_model_is_gone_past_for_an_hour),
		cmocka_unit_test(an_answer_makes_it_usable_again),
		cmocka_unit_test(classic_only_watches),
		cmocka_unit_test(a_refused_key_closes_everything_until_released),
		cmocka_unit_test(a_spending_limit_opens_at_its_date),
		cmocka_unit_test(a_missing_key_closes_and_a_new_one_opens),
		cmocka_unit_test(each_target_is_held_and_released),
		cmocka_unit_test(what_is_no_target_is_not_found),
		cmocka_unit_test(release_all_opens_what_was_held_one_by_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
