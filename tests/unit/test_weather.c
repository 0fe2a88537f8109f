/*
 * test_weather.c - the gate in words, its holds by hand, and its state as text:
 * a round trip, a restart in the dark, old records and nonsense.
 */
#include "daemon/gate/weather.h"
#include "protocol/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WALL 1.7e9

struct scene {
	struct gate_config config;
	struct gate gate;
};

static void
scene_init(struct scene *s, int slots)
{
	gate_config_init(&s->config, slots, GATE_DEFAULT);
	gate_init(&s->gate, &s->config);
}

static void
refuse(struct scene *s, double now)
{
	struct gate_ticket ticket;

	gate_sent(&s->gate, &s->config, now - 0.25, &ticket);
	gate_refused(&s->gate, &s->config, now, &ticket, 0.5, true);
	gate_ended(&s->gate, &ticket, false);
}

static void
accept(struct scene *s, double now)
{
	struct gate_ticket ticket;

	gate_sent(&s->gate, &s->config, now - 0.9, &ticket);
	gate_accepted(&s->gate, &s->config, now, &ticket);
	gate_ended(&s->gate, &ticket, true);
}

static void
assert_described(const struct scene *s, double now, const char *want)
{
	char got[GATE_DESCRIPTION_LEN];

	assert_string_equal(gate_describe(&s->gate, &s->config, now, got, sizeof(got)), want);
}

static void
assert_weather(const struct scene *s, double now, enum gate_weather want)
{
	assert_string_equal(gate_weather_name(gate_weather_of(&s->gate, &s->config, now)),
			    gate_weather_name(want));
}

static void
every_weather_and_reason_has_words(void **unused)
{
	(void)unused;
	for (int i = 0; i < GATE_WEATHER_COUNT; i++) {
		assert_string_not_equal(gate_weather_name(i), "unknown");
		assert_true(strlen(gate_weather_text(i)) > 5);
	}
	for (int i = 0; i < GATE_WHY_COUNT; i++)
		assert_string_not_equal(gate_why_text(i), "unknown");
	assert_string_equal(gate_weather_name(-1), "unknown");
	assert_string_equal(gate_weather_text(GATE_WEATHER_COUNT), "unknown");
	assert_string_equal(gate_why_text(99), "unknown");
}

static void
open_and_limited(void **unused)
{
	struct gate_ticket tickets[64];
	struct scene s;

	(void)unused;
	scene_init(&s, 64);
	assert_described(&s, 0.0, "open 64/64");
	for (int i = 0; i < 64; i++) {
		gate_sent(&s.gate, &s.config, 0.0, &tickets[i]);
		gate_accepted(&s.gate, &s.config, 0.9, &tickets[i]);
	}
	gate_ended(&s.gate, &tickets[0], true);
	refuse(&s, 2.0); /* one refusal is no weather */
	assert_described(&s, 2.0, "open 63/64");
	s.gate.level = 40.7;
	assert_described(&s, 2.0, "limited 40/64");
	scene_init(&s, 2);
	s.gate.level = 1.0;
	assert_described(&s, 0.0, "limited 1/2");
}

static void
chance_is_told_in_percent(void **unused)
{
	uint64_t seed = 88172645463325252u;
	struct scene s;
	double now = 0;

	(void)unused;
	scene_init(&s, 64);
	for (int i = 0; i < 400; i++, now += 0.1) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		if ((seed >> 32) % 10 < 3)
			refuse(&s, now);
		else
			accept(&s, now);
	}
	assert_weather(&s, now, GATE_CHANCE);
	s.gate.refused_share = 0.314;
	assert_described(&s, now, "31 % refused by chance");
	assert_weather(&s, now + 120, GATE_OPEN); /* nobody has asked for two minutes */
}

static void
darkness_has_an_age_and_a_next_try(void **unused)
{
	struct scene s;

	(void)unused;
	scene_init(&s, 64);
	for (int i = 0; i < 20; i++)
		refuse(&s, 100.0 + i);
	s.gate.next_at = 293.4;
	assert_described(&s, 290.0, "dark 3m10s, next try in 3.4 s");
	assert_described(&s, 293.4, "dark 3m13s, next try now");
	assert_described(&s, 100.0 + 7500, "dark 2h05m, next try now");
	assert_described(&s, 100.0 + 100 * 3600, "dark 4d04h, next try now");
}

static void
holds_by_hand(void **unused)
{
	struct scene s;
	double when;

	(void)unused;
	scene_init(&s, 64);
	gate_hold(&s.gate, INFINITY);
	assert_described(&s, 5.0, "held (by hand)");
	assert_false(gate_may_send(&s.gate, &s.config, 5.0, &when));
	assert_true(isinf(when) && isinf(gate_expected_wait(&s.gate, &s.config, 5.0)));
	gate_release(&s.gate);
	assert_true(gate_may_send(&s.gate, &s.config, 5.0, &when));
	gate_hold(&s.gate, 17.0);
	assert_described(&s, 5.0, "held 12 s (by hand)");
	assert_false(gate_may_send(&s.gate, &s.config, 16.9, &when));
	assert_true(when == 17.0);
	assert_true(gate_may_send(&s.gate, &s.config, 17.0, &when));
	gate_close(&s.gate, INFINITY, GATE_WHY_KEY);
	assert_described(&s, 20.0, "held (the API key was refused)");
}

static void
holds_by_the_server(void **unused)
{
	struct scene s;
	struct gate_ticket ticket;

	(void)unused;
	scene_init(&s, 64);
	gate_sent(&s.gate, &s.config, 1.0, &ticket);
	gate_limited(&s.gate, &s.config, 1.0, &ticket, 12.0, 0.0);
	gate_ended(&s.gate, &ticket, false);
	assert_described(&s, 1.0, "held 12 s (rate limit)");
	gate_asked_to_wait(&s.gate, 2.0, 3.0, 0.9); /* the longer one stays */
	assert_described(&s, 2.0, "held 11 s (rate limit)");
	gate_asked_to_wait(&s.gate, 2.0, 90.0, 0.0);
	assert_described(&s, 2.0, "held 1m30s (asked to wait)");
	gate_asked_to_wait(&s.gate, 200.0, NAN, 0.0);
	assert_weather(&s, 200.0, GATE_OPEN);
}

static void
a_short_buffer_is_cut(void **unused)
{
	struct scene s;
	char buf[6];

	(void)unused;
	scene_init(&s, 64);
	assert_string_equal(gate_describe(&s.gate, &s.config, 0, buf, sizeof(buf)), "open ");
}

/* --- the record ------------------------------------------------------------ */

/* As a daemon that starts again: its monotonic clock may have begun anew. */
static bool
reload(const struct scene *before, struct scene *after, double saved_at, double loaded_at,
       double new_offset)
{
	char text[GATE_SAVE_LEN];
	int len = gate_save(&before->gate, saved_at, WALL, text, sizeof(text));

	assert_in_range(len, 1, sizeof(text) - 1);
	after->config = before->config;
	return gate_load(&after->gate, &after->config, loaded_at, new_offset, text, (size_t)len);
}

static void
a_record_survives_a_reboot(void **unused)
{
	struct scene s, t;

	(void)unused;
	scene_init(&s, 64);
	for (int i = 0; i < 30; i++)
		accept(&s, 100.0 + i);
	for (int i = 0; i < 24; i++)
		refuse(&s, 130.0 + i / 2.0);
	assert_true(gate_is_dark(&s.gate, &s.config));
	/* Down for 5 s at 142; the machine's clock then counts from 3. */
	assert_true(reload(&s, &t, 142.0, 3.0, WALL + 144.0));
	assert_true(gate_is_dark(&t.gate, &t.config));
	assert_true(fabs(t.gate.run_since - (s.gate.run_since - 144.0)) < 1e-5);
	assert_true(fabs(t.gate.next_at - (s.gate.next_at - 144.0)) < 1e-5);
	assert_true(fabs(t.gate.usual_run - s.gate.usual_run) < 1e-6);
	assert_int_equal(t.gate.run, s.gate.run);
	assert_true(t.gate.window == 2 && t.gate.level == 64);
}

/* A crash loop must not knock faster than one that keeps running. */
static void
a_crash_loop_knocks_no_faster(void **unused)
{
	struct scene s, t;
	double now = 0, when;
	int knocks = 0;

	(void)unused;
	scene_init(&s, 64);
	for (int i = 0; i < 40; i++)
		refuse(&s, i * 2.0);
	for (now = 80; now < 140; now += 0.5) { /* restarted twice a second */
		assert_true(reload(&s, &t, now, now, WALL));
		s = t;
		if (!gate_may_send(&s.gate, &s.config, now, &when))
			continue;
		refuse(&s, now);
		knocks++;
	}
	assert_in_range(knocks, 15, 30); /* the pause is 2.2 s there, and grows */
}

/* The same, but killed each time before the answer to its probe. */
static void
nor_does_one_that_dies_with_its_probe_out(void **unused)
{
	struct scene s, t;
	struct gate_ticket ticket;
	double now, when;
	int knocks = 0;

	(void)unused;
	scene_init(&s, 64);
	accept(&s, 0);
	for (int i = 0; i < 40; i++)
		refuse(&s, i * 2.0);
	for (now = 80; now < 140; now += 0.5) {
		t = s;
		if (gate_may_send(&t.gate, &t.config, now, &when)) {
			gate_sent(&t.gate, &t.config, now, &ticket);
			assert_true(gate_foresee(&t.gate, &t.config, now));
			assert_false(gate_may_send(&t.gate, &t.config, now + 1.0, &when));
			knocks++;
		}
		assert_true(reload(&t, &s, now, now, WALL));
	}
	assert_in_range(knocks, 10, 25); /* the pause is 2.6 s there, and grows */
}

/* When nothing is ever answered, and no life is long enough to call that stalled. */
static void
lives_without_an_answer_add_up_to_the_dark(void **unused)
{
	struct scene s, t;
	struct gate_ticket tickets[2];
	double begun = 100.0, when;
	int lives = 0;

	(void)unused;
	scene_init(&s, 64);
	for (; !gate_is_dark(&s.gate, &s.config); lives++) {
		double now = begun + lives;

		assert_true(gate_may_send(&s.gate, &s.config, now, &when));
		for (size_t i = 0; i < ARRAY_LEN(tickets); i++)
			gate_sent(&s.gate, &s.config, now, &tickets[i]);
		gate_quiet(&s.gate, &s.config, now + 0.9, &tickets[0]);
		assert_true(gate_foresee(&s.gate, &s.config, now + 0.9));
		assert_int_equal(s.gate.run, 2 * (lives + 1));
		assert_true(fabs(s.gate.run_since - begun - 0.9) < 1e-5);
		assert_true(reload(&s, &t, now + 0.9, now + 0.9, WALL));
		s = t;
	}
	assert_int_equal(lives, 8);
	assert_false(gate_may_send(&s.gate, &s.config, begun + lives - 0.1, &when));
	assert_true(fabs(when - (begun + lives - 0.1) - 2.0 * sqrt(7.0 / 64) * 1.2) < 1e-5);
}

static void
only_in_the_dark_is_the_worst_foreseen(void **unused)
{
	struct scene s;
	struct gate_ticket ticket;
	struct gate before;

	(void)unused;
	scene_init(&s, 64);
	assert_false(gate_foresee(&s.gate, &s.config, 1.0)); /* nothing is out */
	accept(&s, 1.0);
	refuse(&s, 2.0);
	gate_sent(&s.gate, &s.config, 3.0, &ticket);
	before = s.gate;
	assert_false(gate_foresee(&s.gate, &s.config, 3.0)); /* it may well be accepted */
	assert_memory_equal(&s.gate, &before, sizeof(before));
	gate_ended(&s.gate, &ticket, false);

	/* A pause that is on already is never made shorter, nor longer than the law's. */
	for (int i = 0; i < 2000; i++)
		refuse(&s, 4.0 + i);
	gate_sent(&s.gate, &s.config, 2100.0, &ticket);
	s.gate.next_at = 5000.0;
	assert_true(gate_foresee(&s.gate, &s.config, 2100.0));
	assert_true(s.gate.next_at == 5000.0);
	s.gate.next_at = 0.0;
	assert_true(gate_foresee(&s.gate, &s.config, 2100.0));
	assert_true(s.gate.next_at == 2100.0 + s.config.pause_max * 1.2);
}

static void
an_old_record_is_forgotten_but_not_a_hold(void **unused)
{
	struct scene s, t;

	(void)unused;
	scene_init(&s, 64);
	for (int i = 0; i < 24; i++)
		refuse(&s, 130.0 + i / 2.0);
	assert_true(reload(&s, &t, 142.0, 742.0, WALL));
	assert_false(reload(&s, &t, 142.0, 743.0, WALL));
	assert_false(gate_is_dark(&t.gate, &t.config));
	gate_hold(&s.gate, INFINITY);
	assert_false(reload(&s, &t, 142.0, 9000.0, WALL));
	assert_described(&t, 9000.0, "held (by hand)");
	gate_close(&s.gate, 9012.0, GATE_WHY_BILLING);
	assert_false(reload(&s, &t, 142.0, 9000.0, WALL));
	assert_described(&t, 9000.0, "held 12 s (a spending limit or missing credit)");
}

/* Spans are neither cut short nor made endless; a date stays where it is. */
static void
a_clock_set_back_changes_no_span(void **unused)
{
	static const double backs[] = { 1.0, 3600.0, 86400.0, 1e9 };
	struct scene s, t;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(backs); i++) {
		double back = WALL - backs[i];

		scene_init(&s, 64);
		accept(&s, 100.0);
		for (int k = 0; k < 40; k++)
			refuse(&s, 110.0 + k);
		s.gate.next_at = 152.5;
		assert_true(reload(&s, &t, 150.0, 150.0, back));
		assert_true(gate_is_dark(&t.gate, &t.config));
		assert_true(fabs(t.gate.next_at - 152.5) < 1e-4);
		assert_true(fabs(t.gate.run_since - s.gate.run_since) < 1e-4);

		s.gate.hold_until = 180.0;
		s.gate.hold_why = GATE_WHY_RATE_LIMIT;
		gate_hold(&s.gate, 750.0);
		assert_true(reload(&s, &t, 150.0, 150.0, back));
		assert_true(fabs(t.gate.hold_until - 180.0) < 1e-4);
		assert_true(fabs(t.gate.closed_until - 750.0) < 1e-4);
		gate_hold(&s.gate, INFINITY);
		assert_true(reload(&s, &t, 150.0, 150.0, back));
		assert_true(isinf(t.gate.closed_until));

		gate_close(&s.gate, 750.0, GATE_WHY_BILLING);
		assert_true(reload(&s, &t, 150.0, 150.0, back));
		assert_true(fabs(t.gate.closed_until - 750.0 - backs[i]) < 1e-4);
	}
}

static void
a_clock_set_forward_is_a_long_sleep(void **unused)
{
	struct scene s, t;

	(void)unused;
	scene_init(&s, 64);
	for (int k = 0; k < 40; k++)
		refuse(&s, 110.0 + k);
	s.gate.hold_until = 180.0;
	gate_hold(&s.gate, 9000.0);
	assert_false(reload(&s, &t, 150.0, 150.0, WALL + 3600.0));
	assert_false(gate_is_dark(&t.gate, &t.config));
	assert_described(&t, 150.0, "held 1h27m (by hand)");
	assert_false(reload(&s, &t, 150.0, 150.0, WALL + 86400.0));
	assert_described(&t, 150.0, "open 64/64");
}

static void
fewer_slots_after_the_restart(void **unused)
{
	struct scene s, t;
	char text[GATE_SAVE_LEN];
	int len;

	(void)unused;
	scene_init(&s, 64);
	scene_init(&t, 8);
	len = gate_save(&s.gate, 1.0, WALL, text, sizeof(text));
	assert_true(gate_load(&t.gate, &t.config, 1.0, WALL, text, (size_t)len));
	assert_true(t.gate.level == 8);
}

static void
nonsense_is_a_fresh_gate(void **unused)
{
	static const char *const records[] = {
		"",
		" ",
		"\n",
		"=",
		"saved",
		"saved=",
		"saved=x",
		"saved=nan",
		"run=50",
		"saved=1700000001x run=50",
		"saved=1.7e9\1",
	};
	struct scene s, fresh;

	(void)unused;
	scene_init(&fresh, 64);
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		s.config = fresh.config;
		assert_false(
		    gate_load(&s.gate, &s.config, 1.0, WALL, records[i], strlen(records[i])));
		assert_memory_equal(&s.gate, &fresh.gate, sizeof(s.gate));
	}
}

static void
unknown_keys_and_wild_values_are_skipped(void **unused)
{
	static const char record[] =
	    "saved=1700000001 colour=blue window=-3 level=1e300 refused_again=nan run=20 "
	    "run_since=1800000000 next_at=1800000000 usual_run=inf first_byte_s=1.5 x=y=z ==\n";
	struct scene s;

	(void)unused;
	scene_init(&s, 64);
	assert_true(gate_load(&s.gate, &s.config, 2.0, WALL, record, sizeof(record) - 1));
	assert_true(s.gate.window == 2 && s.gate.level == 64 && s.gate.refused_again == 0.8);
	assert_true(s.gate.usual_run == 0 && s.gate.first_byte_s == 1.5 && s.gate.run == 20);
	assert_true(s.gate.run_since == 2.0 && s.gate.next_at == 12.0); /* never for ever */
}

static void
a_record_longer_than_the_buffer_says_so(void **unused)
{
	struct scene s;
	char small[20];

	(void)unused;
	scene_init(&s, 64);
	assert_true(gate_save(&s.gate, 1.0, WALL, small, sizeof(small)) > 100);
	assert_int_equal(strlen(small), sizeof(small) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_weather_and_reason_has_words),
		cmocka_unit_test(open_and_limited),
		cmocka_unit_test(chance_is_told_in_percent),
		cmocka_unit_test(darkness_has_an_age_and_a_next_try),
		cmocka_unit_test(holds_by_hand),
		cmocka_unit_test(holds_by_the_server),
		cmocka_unit_test(a_short_buffer_is_cut),
		cmocka_unit_test(a_record_survives_a_reboot),
		cmocka_unit_test(a_crash_loop_knocks_no_faster),
		cmocka_unit_test(nor_does_one_that_dies_with_its_probe_out),
		cmocka_unit_test(lives_without_an_answer_add_up_to_the_dark),
		cmocka_unit_test(only_in_the_dark_is_the_worst_foreseen),
		cmocka_unit_test(an_old_record_is_forgotten_but_not_a_hold),
		cmocka_unit_test(a_clock_set_back_changes_no_span),
		cmocka_unit_test(a_clock_set_forward_is_a_long_sleep),
		cmocka_unit_test(fewer_slots_after_the_restart),
		cmocka_unit_test(nonsense_is_a_fresh_gate),
		cmocka_unit_test(unknown_keys_and_wild_values_are_skipped),
		cmocka_unit_test(a_record_longer_than_the_buffer_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
