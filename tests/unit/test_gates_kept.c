/*
 * test_gates_kept.c - what survives a restart, and which models are remembered
 * while the daemon runs, whatever names clients give them.
 */
#include "tests/unit/gates_world.h"

#include "daemon/run/gates_keep.h"

/* --- over a restart --------------------------------------------------------------------------- */

struct saved {
	struct {
		char name[160], text[GATE_SAVE_LEN];
	} rows[64];
	size_t count;
};

/* As the disk does: one row a name, the last one counts. */
static void
keep(const char *name, const char *text, void *arg)
{
	struct saved *saved = arg;
	size_t i = 0;

	while (i < saved->count && strcmp(saved->rows[i].name, name) != 0)
		i++;
	assert_true(i < ARRAY_LEN(saved->rows));
	saved->count = MAX(saved->count, i + 1);
	snprintf(saved->rows[i].name, sizeof(saved->rows[i].name), "%s", name);
	snprintf(saved->rows[i].text, sizeof(saved->rows[i].text), "%s", text);
}

static struct gates *
restart(const struct saved *saved, double now, double wall_offset)
{
	struct gates *gates = gates_new(config, now);

	for (size_t i = 0; i < saved->count; i++)
		gates_load(gates, saved->rows[i].name, saved->rows[i].text, now, wall_offset);
	return gates;
}

static void
a_restart_keeps_the_dark(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct saved saved = { 0 };
	double now;

	(void)unused;
	gates_save(gates, 1.0, 1e9, keep, &saved);
	assert_int_equal(saved.count, 0); /* nothing happened */
	succeed(gates, "claude-haiku-5-5", 10, 1.0);
	now = storm(gates, MODEL, 1.0);
	assert_true(may(gates, "held-one", now)); /* now it is known */
	assert_false(gates_hold(gates, "held-one", INFINITY, NULL));
	gates_save(gates, now, 1e9, keep, &saved);
	assert_true(saved.count >= 3);
	gates_free(gates);

	/* Another boot: the monotonic clock starts anew, the wall clock goes on. */
	gates = restart(&saved, 5.0, 1e9 + now - 5.0 + 2.0);
	assert_int_equal(row_of(gates, MODEL, 5.0).view.weather, GATE_DARK);
	assert_int_equal(row_of(gates, MODEL, 5.0).gate->in_flight, 0);
	assert_true(may(gates, "claude-haiku-5-5", 5.0));
	assert_false(may(gates, "held-one", 1e9));
	gates_free(gates);

	/* Much later the dark is no news any more, but a hold by hand is one. */
	gates = restart(&saved, 5.0, 1e9 + now + 7200.0);
	assert_true(may(gates, MODEL, 5.0));
	assert_false(may(gates, "held-one", 1e9));
	gates_free(gates);
}

/* Killed while its probe is out: who comes back waits as after a refusal. */
static void
a_probe_that_is_out_counts_as_refused(void **unused)
{
	struct gates *gates = gates_new(config, 1.0), *other;
	struct saved saved = { 0 };
	struct pass pass;
	double now, when;

	(void)unused;
	succeed(gates, MODEL, 10, 1.0);
	now = storm(gates, MODEL, 2.0);
	now = fmax(now, row_of(gates, MODEL, now).gate->next_at);
	assert_true(may(gates, MODEL, now));
	gates_take(gates, MODEL, 100, 100, now, &pass);
	gates_save_before_probe(gates, MODEL, now, 1e9, keep, &saved);
	assert_int_equal(saved.count, 1); /* the host is well: every answer came from there */
	other = restart(&saved, now, 1e9);
	when = row_of(other, MODEL, now).gate->next_at;
	assert_true(when > now);
	assert_false(may(other, MODEL, (now + when) / 2));
	gates_free(other);

	/* The save of every second knows it as well, for as long as it is out. */
	gates_left(gates, &pass, now);
	now += 0.5;
	gates_save(gates, now, 1e9, keep, &saved);
	other = restart(&saved, now, 1e9);
	assert_true(row_of(other, MODEL, now).gate->next_at > when);
	gates_free(other);

	/* Let in: the dark is over, on disk too. */
	gates_accepted(gates, &pass, now);
	gates_ended(gates, &pass, NULL, 100, 10, 0.0, now);
	gates_save(gates, now, 1e9, keep, &saved);
	gates_free(gates);
	other = restart(&saved, now, 1e9);
	assert_true(may(other, MODEL, now));
	assert_int_equal(row_of(other, MODEL, now).gate->run, 0);
	gates_free(other);
}

static void
fine_weather_costs_no_write(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct saved saved = { 0 };
	struct pass pass = send(gates, MODEL, 1.0), other = send(gates, "claude-haiku-5-5", 1.0);

	(void)unused;
	gates_save_before_probe(gates, MODEL, 1.0, 1e9, keep, &saved);
	assert_int_equal(saved.count, 2); /* nobody knows yet what the weather is */
	gates_accepted(gates, &pass, 2.0);
	end_with(gates, &pass, 500, "api_error", 2.0);
	saved.count = 0;
	pass = send(gates, MODEL, 3.0);
	gates_save_before_probe(gates, MODEL, 3.0, 1e9, keep, &saved);
	assert_int_equal(saved.count, 0);
	gates_save_before_probe(gates, "claude-haiku-5-5", 3.0, 1e9, keep, &saved);
	assert_int_equal(saved.count, 1);
	gates_forgotten(gates, &pass, 4.0);
	gates_forgotten(gates, &other, 4.0);
	gates_free(gates);
}

/* What the server asked for, and a closed key, are not forgotten for a second either. */
static void
a_hold_is_kept_as_soon_as_it_is_known(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct saved saved = { 0 };
	struct answer answer;
	struct pass pass;

	(void)unused;
	succeed(gates, MODEL, 10, 1.0);
	pass = send(gates, MODEL, 3.0);
	answered(&answer, 429, "rate_limit_error", "slow down");
	answer.retry_after_s = 30;
	gates_ended(gates, &pass, &answer, 0, 0, INFINITY, 4.0);
	gates_save_before_probe(gates, MODEL, 4.0, 1e9, keep, &saved);
	assert_int_equal(saved.count, 1);
	pass = send(gates, "claude-haiku-5-5", 4.0);
	end_with(gates, &pass, 402, "billing_error", 5.0);
	gates_save_before_probe(gates, "claude-haiku-5-5", 5.0, 1e9, keep, &saved);
	assert_int_equal(saved.count, 3);
	gates_free(gates);
	gates = restart(&saved, 1.0, 1e9 + 5.0);
	assert_int_equal(row_of(gates, MODEL, 28.9).view.weather, GATE_HELD);
	assert_int_not_equal(row_of(gates, MODEL, 29.3).view.weather, GATE_HELD);
	assert_int_equal(row_of(gates, "key", 1e6).view.why, GATE_WHY_BILLING);
	gates_free(gates);
}

static void
a_billing_pause_ends_by_the_wall_clock(void **unused)
{
	struct gates *gates = gates_new(config, 1.0), *other;
	struct saved saved = { 0 };
	struct answer answer;
	struct pass pass;

	(void)unused;
	succeed(gates, MODEL, 10, 1.0);
	assert_false(gates_hold(gates, MODEL, 50.0, "lunch"));
	pass = send(gates, MODEL, 3.0);
	answered(&answer, 402, "billing_error", "no");
	gates_ended(gates, &pass, &answer, 0, 0, 7200.0, 4.0);
	gates_wall_jumped(gates, 3600.0);
	assert_true(row_of(gates, "key", 3603.0).view.weather == GATE_HELD);
	gates_save(gates, 5.0, 1e9 + 3600.0, keep, &saved);
	assert_int_equal(saved.count, 3);
	gates_wall_jumped(gates, -1800.0);
	assert_true(row_of(gates, "key", 5403.0).view.weather == GATE_HELD);
	assert_true(row_of(gates, "key", 5405.0).view.weather != GATE_HELD);
	assert_true(row_of(gates, MODEL, 49.0).view.weather == GATE_HELD); /* a span */
	other = restart(&saved, 5.0, 1e9 + 3600.0);
	assert_true(row_of(other, "key", 3603.0).view.weather == GATE_HELD);
	assert_true(row_of(other, "key", 3605.0).view.weather != GATE_HELD);
	gates_free(other);
	gates_wall_jumped(gates, 1e6);
	assert_true(row_of(gates, "key", 6.0).view.weather != GATE_HELD);
	gates_free(gates);
}

/* All probes at a host that hangs are one life after another without an answer. */
static void
a_host_that_never_answers_gets_dark_over_restarts(void **unused)
{
	struct saved saved = { 0 };
	double now = 1.0;
	int lives = 0;

	(void)unused;
	for (; lives < 20; lives++, now += 1.0) {
		struct gates *gates = restart(&saved, now, 1e9);
		struct pass passes[2];

		if (row_of(gates, "host", now).view.weather == GATE_DARK) {
			assert_false(may(gates, MODEL, now));
			assert_false(may(gates, "claude-haiku-5-5", now));
			gates_free(gates);
			break;
		}
		for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
			gates_take(gates, i ? MODEL : "claude-haiku-5-5", 1, 1, now, &passes[i]);
			gates_save_before_probe(gates, passes[i].model->name, now, 1e9, keep,
						&saved);
		}
		gates_free(gates); /* killed */
	}
	assert_int_equal(lives, 8);
}

static void
a_restart_keeps_the_key_closed(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 1.0);
	struct saved saved = { 0 };

	(void)unused;
	end_with(gates, &pass, 401, "authentication_error", 2.0);
	gates_save(gates, 2.0, 1e9, keep, &saved);
	gates_free(gates);
	gates = restart(&saved, 1.0, 1e9 + 10);
	assert_false(may(gates, MODEL, 1e8));
	assert_false(gates_release(gates, "key"));
	gates_save(gates, 2.0, 1e9 + 10, keep, &saved);
	gates_free(gates);
	gates = restart(&saved, 1.0, 1e9 + 20);
	assert_true(may(gates, MODEL, 1.0));
	gates_free(gates);
}

static void
the_host_brightens_on_disk_too(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct saved saved = { 0 };
	struct answer answer;
	double now = 1.0;
	struct pass pass;

	(void)unused;
	for (unsigned i = 0; i < 100; i++, now += 0.1) {
		gates_take(gates, MODEL, 100, 100, now, &pass);
		answer_from_transport(&answer, ANSWER_DNS, 0, NULL);
		gates_ended(gates, &pass, &answer, 0, 0, INFINITY, now + 0.05);
	}
	gates_save(gates, now, 1e9, keep, &saved);
	struct gates *other = restart(&saved, now, 1e9);

	assert_int_equal(row_of(other, "host", now).view.weather, GATE_DARK);
	gates_free(other);

	succeed(gates, MODEL, 10, now + 60.0);
	assert_int_not_equal(row_of(gates, "host", now + 61.0).view.weather, GATE_DARK);
	gates_save(gates, now + 61.0, 1e9, keep, &saved);
	gates_free(gates);
	other = restart(&saved, now + 62.0, 1e9);
	assert_int_not_equal(row_of(other, "host", now + 62.0).view.weather, GATE_DARK);
	gates_free(other);
}

/* Clients choose names of models; these two would be read as other gates. */
static void
a_model_with_a_gates_name_does_no_harm(void **unused)
{
	static const char *const names[] = { "key", "host" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct gates *gates = gates_new(config, 1.0);
		struct saved saved = { 0 };

		assert_false(gates_hold(gates, names[i], INFINITY, "by hand"));
		gates_save(gates, 1.0, 1e9, keep, &saved);
		assert_int_equal(saved.count, 1);
		succeed(gates, names[i], 10, 2.0);
		gates_save(gates, 3.0, 1e9, keep, &saved);
		gates_free(gates);
		gates = restart(&saved, 1.0, 1e9 + 10);
		assert_false(may(gates, MODEL, 1e8));
		gates_free(gates);
	}
}

static void
nonsense_on_disk_is_a_fresh_gate(void **unused)
{
	static const char *const texts[] = { "", "saved=", "rubbish", "saved=nan level=-1e300",
					     "saved=1e9 run=1e300 in_flight=7 window=inf" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct gates *gates = gates_new(config, 1.0);

		gates_load(gates, MODEL, texts[i], 1.0, 1e9);
		gates_load(gates, "host", texts[i], 1.0, 1e9);
		gates_load(gates, "key", texts[i], 1.0, 1e9);
		assert_true(may(gates, MODEL, 1e6));
		assert_int_equal(row_of(gates, MODEL, 1.0).gate->in_flight, 0);
		gates_free(gates);
	}
}

/* --- by hand ---------------------------------------------------------------------------------- */

static void
a_hold_for_a_while_opens_nothing_that_is_closed(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass pass = send(gates, MODEL, 1.0);

	(void)unused;
	end_with(gates, &pass, 402, "billing_error", 2.0);
	assert_false(gates_hold(gates, "all", 10.0, "lunch"));
	assert_int_equal(row_of(gates, "key", 20.0).view.why, GATE_WHY_BILLING);
	assert_false(may(gates, MODEL, 1e6));
	assert_false(gates_release(gates, "all"));
	assert_true(may(gates, MODEL, 3.0));

	gates_key_missing(gates, "no key in /etc/key", GATES_KEY_SAME);
	assert_false(gates_hold(gates, "key", 10.0, "lunch"));
	assert_string_equal(row_of(gates, "key", 20.0).reason, "no key in /etc/key");
	assert_false(may(gates, MODEL, 1e6));

	/* For good: the key's return is no release; and a release finds the key missing. */
	assert_false(gates_hold(gates, "all", INFINITY, "audit"));
	gates_key_missing(gates, NULL, GATES_KEY_SAME);
	assert_string_equal(row_of(gates, "key", 20.0).reason, "audit");
	assert_false(may(gates, MODEL, 1e6));
	gates_key_missing(gates, "gone again", GATES_KEY_SAME);
	assert_string_equal(row_of(gates, "key", 20.0).reason, "audit");
	assert_false(gates_release(gates, "all"));
	assert_int_equal(row_of(gates, "key", 20.0).view.why, GATE_WHY_KEY);
	gates_key_missing(gates, NULL, GATES_KEY_SAME);
	assert_true(may(gates, MODEL, 20.0));
	gates_free(gates);
}

static void
both_names_of_a_model_are_held(void **unused)
{
	static const char *const names[] = { "claude-opus-4-5", "claude-opus-4-5-20251101" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct gates *gates = gates_new(config, 1.0);

		assert_false(gates_hold(gates, names[i], INFINITY, "old"));
		assert_false(may(gates, names[0], 2.0));
		assert_false(may(gates, names[1], 2.0));
		assert_true(may(gates, MODEL, 2.0));
		assert_false(gates_release(gates, names[1 - i]));
		assert_true(may(gates, names[0], 2.0));
		assert_true(may(gates, names[1], 2.0));
		gates_free(gates);
	}
}

static void
a_name_nobody_knows_cannot_be_held(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);

	(void)unused;
	assert_int_equal(gates_hold(gates, "claude-opus-55", 9.0, NULL), FOREBAY_ERR_NOT_FOUND);
	assert_int_equal(gates_hold(gates, "", 9.0, NULL), FOREBAY_ERR_NOT_FOUND);
	assert_true(may(gates, "our-own", 2.0));
	assert_false(gates_hold(gates, "our-own", 9.0, NULL));
	assert_false(may(gates, "our-own", 2.0));
	gates_free(gates);
}

/* What was in flight is let in: that says nothing about why somebody closed the gate. */
static void
an_acceptance_is_no_release(void **unused)
{
	static const char *const targets[] = { MODEL, "key", "host", "all" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct gates *gates = gates_new(config, 1.0);
		struct pass pass = send(gates, MODEL, 1.0);

		assert_false(gates_hold(gates, targets[i], INFINITY, NULL));
		gates_accepted(gates, &pass, 2.0);
		gates_ended(gates, &pass, NULL, 1, 1, 0.0, 3.0);
		assert_false(may(gates, MODEL, 1e6));
		gates_free(gates);
	}
}

/* --- names -------------------------------------------------------------------------------------
 */

static size_t
count_rows(struct gates *gates)
{
	struct gates_row row;
	size_t count = 0;

	while (gates_row(gates, count, 1.0, &row))
		count++;
	return count;
}

static void
idle_models_make_room_and_busy_ones_stay(void **unused)
{
	struct gates *gates = gates_new(config, 1.0);
	struct pass busy[20];
	char name[32];
	double now;

	(void)unused;
	for (unsigned i = 0; i < ARRAY_LEN(busy); i++) {
		snprintf(name, sizeof(name), "busy-%u", i);
		busy[i] = send(gates, name, 1.0);
	}
	now = storm(gates, "dark", 1.0);
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "idle-%u", i);
		(void)may(gates, name, now);
		if (i % 100 == 0)
			assert_in_range(count_rows(gates), 2, 2 + 512);
	}
	assert_int_equal(count_rows(gates), 2 + 512);
	assert_int_equal(row_of(gates, "dark", now).view.weather, GATE_DARK);
	for (unsigned i = 0; i < ARRAY_LEN(busy); i++) {
		snprintf(name, sizeof(name), "busy-%u", i);
		assert_int_equal(row_of(gates, name, now).gate->in_flight, 1);
		assert_string_equal(busy[i].model->name, name);
		gates_forgotten(gates, &busy[i], now);
	}
	gates_free(gates);
}

/* The longest name a client may send, and longer ones: one gate, found again. */
static void
a_long_name_has_one_gate(void **unused)
{
	(void)unused;
	for (size_t len = 126; len <= 300; len += len < 130 ? 1 : 85) {
		struct gates *gates = gates_new(config, 1.0);
		char name[301];

		memset(name, 'm', len);
		name[len] = '\0';
		for (unsigned i = 0; i < 10; i++)
			assert_true(may(gates, name, 1.0));
		assert_int_equal(count_rows(gates), 3);
		succeed(gates, name, 20000, 1.0);
		assert_in_range(gates_expect_output(gates, name, -1), 501, 20000);
		assert_int_equal(gates_hold(gates, name, INFINITY, NULL), FOREBAY_ERR_OK);
		assert_false(may(gates, name, 10.0));
		assert_int_equal(gates_release(gates, name), FOREBAY_ERR_OK);
		assert_true(may(gates, name, 10.0));
		assert_int_equal(count_rows(gates), 3);
		gates_free(gates);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_keeps_the_dark),
		cmocka_unit_test(a_probe_that_is_out_counts_as_refused),
		cmocka_unit_test(fine_weather_costs_no_write),
		cmocka_unit_test(a_hold_is_kept_as_soon_as_it_is_known),
		cmocka_unit_test(a_billing_pause_ends_by_the_wall_clock),
		cmocka_unit_test(a_host_that_never_answers_gets_dark_over_restarts),
		cmocka_unit_test(a_restart_keeps_the_key_closed),
		cmocka_unit_test(the_host_brightens_on_disk_too),
		cmocka_unit_test(a_model_with_a_gates_name_does_no_harm),
		cmocka_unit_test(nonsense_on_disk_is_a_fresh_gate),
		cmocka_unit_test(a_hold_for_a_while_opens_nothing_that_is_closed),
		cmocka_unit_test(both_names_of_a_model_are_held),
		cmocka_unit_test(a_name_nobody_knows_cannot_be_held),
		cmocka_unit_test(an_acceptance_is_no_release),
		cmocka_unit_test(idle_models_make_room_and_busy_ones_stay),
		cmocka_unit_test(a_long_name_has_one_gate),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
