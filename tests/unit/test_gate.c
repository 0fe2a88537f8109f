/*
 * test_gate.c - the law of the gate: the reference's golden trace, its checks,
 * and invariants under thousands of random lives. Words, holds and the record are
 * in test_weather.c.
 */
#include "daemon/gate/gate.h"
#include "protocol/base.h"
#include "tests/unit/gate_life.c"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN	      "tests/unit/golden-gate.txt"
#define TRACE_TICKETS 2000

/* --- the golden trace ------------------------------------------------------ */

struct trace {
	struct gate_config config;
	struct gate gate;
	struct gate_ticket tickets[TRACE_TICKETS];
	int line;
};

static double
field(const struct gate *gate, const char *key, size_t len)
{
	const struct {
		const char *key;
		double value;
	} fields[] = {
		{ "U", gate->window },
		{ "L", gate->level },
		{ "fly", gate->in_flight },
		{ "una", gate->unanswered },
		{ "quiet", gate->quiet },
		{ "freed", gate->freed },
		{ "pa", gate->refused_in_place },
		{ "pb", gate->refused_again },
		{ "usual", gate->usual_run },
		{ "run", gate->run },
		{ "next_at", gate->next_at },
		{ "hold_at", gate->hold_until },
		{ "grow_at", gate->grow_at },
		{ "grow_n", gate->grow_step },
		{ "grow_fly", gate->growing },
		{ "knocks", gate->knocks },
		{ "ttfb", gate->first_byte_s },
		{ "ttr", gate->refusal_s },
		{ "tokens", gate->tokens },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strlen(fields[i].key) == len && !strncmp(fields[i].key, key, len))
			return fields[i].value;
	fail_msg("%s: unknown field %.*s", GOLDEN, (int)len, key);
	return NAN;
}

/* Nine significant digits are in the file. */
static void
assert_near(const struct trace *trace, const char *what, double got, double want)
{
	if (fabs(got - want) > 1e-6)
		fail_msg("%s:%d: %s is %.9g, not %.9g", GOLDEN, trace->line, what, got, want);
}

static void
check_state(const struct trace *trace, const char *state)
{
	int count = 0;

	for (const char *at = state; *at && *at != '\n'; count++) {
		size_t len = strcspn(at, "=");
		char *end;
		double want = strtod(at + len + 1, &end);

		assert_near(trace, at, field(&trace->gate, at, len), want);
		at = end + strspn(end, " ");
	}
	assert_int_equal(count, 19);
}

static void
play_may_send(const struct trace *trace, double now, const char *args)
{
	double when;
	bool ok = gate_may_send(&trace->gate, &trace->config, now, &when);

	assert_near(trace, "may_send", ok, args[0] == '1');
	if (args[2] == '-')
		assert_true(isinf(when));
	else
		assert_near(trace, "when", when, strtod(args + 2, NULL));
}

static void
play(struct trace *trace, double now, const char *event, const char *args)
{
	struct gate *gate = &trace->gate;
	const struct gate_config *config = &trace->config;
	double a = 0, b = 0, c = 0;
	struct gate_ticket *ticket;

	sscanf(args, "%lf %lf %lf", &a, &b, &c);
	ticket = &trace->tickets[(int)a % TRACE_TICKETS];
	if (!strcmp(event, "may_send"))
		play_may_send(trace, now, args);
	else if (!strcmp(event, "send"))
		gate_sent(gate, config, now, ticket);
	else if (!strcmp(event, "accept"))
		gate_accepted(gate, config, now, ticket);
	else if (!strcmp(event, "quiet"))
		gate_quiet(gate, config, now, ticket);
	else if (!strcmp(event, "stall"))
		gate_stalled(gate, config, now, ticket, b);
	else if (!strcmp(event, "refuse") || !strcmp(event, "error"))
		gate_refused(gate, config, now, ticket, b, event[0] == 'r');
	else if (!strcmp(event, "limit"))
		gate_limited(gate, config, now, ticket, b, c);
	else if (!strcmp(event, "end"))
		gate_ended(gate, ticket, b != 0);
	else if (!strcmp(event, "headers"))
		gate_headers(gate, config, now, a, b);
	else
		fail_msg("%s:%d: unknown event %s", GOLDEN, trace->line, event);
}

static void
golden_trace_to_a_millionth(void **unused)
{
	static struct trace trace;
	FILE *file = fopen(GOLDEN, "r");
	char line[1024], event[16];
	double now, before = INFINITY;

	(void)unused;
	if (!file)
		fail_msg("%s is missing; tests run in the root of the source", GOLDEN);
	for (trace.line = 1; fgets(line, sizeof(line), file); trace.line++) {
		char *state = strstr(line, " -> ");
		int args;

		assert_non_null(state);
		assert_int_equal(sscanf(line, "%lf %15s %n", &now, event, &args), 2);
		if (now < before) { /* another life begins */
			gate_config_init(&trace.config, 8, GATE_DEFAULT);
			gate_init(&trace.gate, &trace.config);
		}
		before = now;
		play(&trace, now, event, line + args);
		check_state(&trace, state + 4);
	}
	fclose(file);
	assert_true(trace.line > 1500);
}

/* --- the reference's checks ------------------------------------------------ */

struct warm {
	struct gate_config config;
	struct gate gate;
	struct gate_ticket tickets[64];
};

/* As many transfers begun as there are slots, nothing refused yet. */
static void
warm_up(struct warm *warm, int slots)
{
	double when;

	gate_config_init(&warm->config, slots, GATE_DEFAULT);
	gate_init(&warm->gate, &warm->config);
	for (int i = 0; i < slots; i++) {
		assert_true(gate_may_send(&warm->gate, &warm->config, 0.0, &when));
		gate_sent(&warm->gate, &warm->config, 0.0, &warm->tickets[i]);
		gate_accepted(&warm->gate, &warm->config, 0.9, &warm->tickets[i]);
	}
}

static double
asked_again_at(const struct warm *warm, double now)
{
	double when;

	assert_false(gate_may_send(&warm->gate, &warm->config, now, &when));
	return when;
}

static void
refuse_one(struct warm *warm, double sent_at, double now)
{
	struct gate_ticket ticket;

	gate_sent(&warm->gate, &warm->config, sent_at, &ticket);
	gate_refused(&warm->gate, &warm->config, now, &ticket, 0.5, true);
	gate_ended(&warm->gate, &ticket, false);
}

static void
calm_uses_every_slot(void **unused)
{
	struct warm w;

	(void)unused;
	warm_up(&w, 64);
	assert_true(w.gate.level == 64 && w.gate.window == 32 && w.gate.run == 0);
	assert_false(gate_is_dark(&w.gate, &w.config));
	assert_true(isinf(asked_again_at(&w, 1.0)));
}

static void
one_refusal_stops_nobody(void **unused)
{
	struct warm w;

	(void)unused;
	warm_up(&w, 64);
	gate_ended(&w.gate, &w.tickets[0], true);
	refuse_one(&w, 10.0, 10.2);
	assert_false(gate_is_dark(&w.gate, &w.config));
	assert_int_equal((int)w.gate.level, 63);
	assert_true(asked_again_at(&w, 10.2) < 10.9);
}

/* A minute in which everything is refused; the number of tries. */
static int
outage(struct warm *w, double from, double to)
{
	double now = from, when;
	int sent = 0;

	while (now < to) {
		if (!gate_may_send(&w->gate, &w->config, now, &when)) {
			now = fmax(when, now + 1e-9);
			continue;
		}
		refuse_one(w, now, now + 0.25);
		now += 0.25;
		sent++;
	}
	return sent;
}

static void
an_outage_is_asked_rarely_and_left_quickly(void **unused)
{
	struct warm w;
	struct gate_ticket ticket;
	double when;

	(void)unused;
	warm_up(&w, 64);
	for (int i = 0; i < 64; i++)
		gate_ended(&w.gate, &w.tickets[i], true);
	assert_in_range(outage(&w, 10.0, 70.0), 16, 74);
	assert_true(gate_is_dark(&w.gate, &w.config));
	assert_true(w.gate.next_at - 70.0 <= 2.0 * sqrt(70.0 / 64) + 0.3);
	assert_true(w.gate.level == 64); /* weather, not a limit */
	gate_sent(&w.gate, &w.config, 72.0, &ticket);
	assert_false(gate_may_send(&w.gate, &w.config, 72.0, &when)); /* one at a time */
	gate_accepted(&w.gate, &w.config, 73.0, &ticket);
	assert_false(gate_is_dark(&w.gate, &w.config));
	assert_true(w.gate.window >= 4.0 && w.gate.window <= 8.0);
	assert_true(gate_may_send(&w.gate, &w.config, 73.0, &when));
}

static void
a_limit_is_found_exactly(void **unused)
{
	struct warm w;
	double now = 10.0, when;
	int live = 64, refused = 0;

	(void)unused;
	warm_up(&w, 64);
	for (int step = 0; step < 120; step++) { /* one of ours ends, 40 are carried */
		now += 0.5;
		gate_ended(&w.gate, &w.tickets[--live], true);
		while (gate_may_send(&w.gate, &w.config, now, &when)) {
			if (live >= 40) {
				refuse_one(&w, now, now);
				refused += step >= 80;
				continue;
			}
			gate_sent(&w.gate, &w.config, now, &w.tickets[live]);
			gate_accepted(&w.gate, &w.config, now, &w.tickets[live++]);
		}
	}
	assert_int_equal((int)w.gate.level, 40);
	assert_true(gate_limit_share(&w.gate, &w.config) > 0.9);
	assert_in_range(refused, 0, 8);
}

static void
retry_after_holds_and_teaches_nothing(void **unused)
{
	struct warm w;
	struct gate_ticket ticket;

	(void)unused;
	warm_up(&w, 4);
	gate_ended(&w.gate, &w.tickets[0], true);
	gate_sent(&w.gate, &w.config, 5.0, &ticket);
	gate_limited(&w.gate, &w.config, 5.2, &ticket, 7.0, 0.0);
	gate_ended(&w.gate, &ticket, false);
	assert_true(asked_again_at(&w, 5.3) == 5.2 + 7.0);
	assert_true(fabs(gate_expected_wait(&w.gate, &w.config, 5.2) - 7.0) < 1e-9);
	assert_true(w.gate.level == 4 && w.gate.run == 0);
}

static void
the_request_bucket_is_mirrored(void **unused)
{
	struct warm w;
	struct gate_ticket ticket;
	double when;

	(void)unused;
	warm_up(&w, 4);
	gate_headers(&w.gate, &w.config, 1.0, 60, 0);
	gate_ended(&w.gate, &w.tickets[0], true);
	assert_true(gate_may_send(&w.gate, &w.config, 1.0, &when)); /* 0 may be 0.99 */
	gate_sent(&w.gate, &w.config, 1.0, &ticket);
	gate_ended(&w.gate, &w.tickets[1], true);
	assert_true(fabs(asked_again_at(&w, 1.0) - 2.0) < 1e-6); /* one a second */
}

static void
a_stalled_attempt_lends_its_place(void **unused)
{
	struct warm w;
	struct gate_ticket ticket;
	int in_flight;

	(void)unused;
	warm_up(&w, 4);
	gate_ended(&w.gate, &w.tickets[0], true);
	gate_sent(&w.gate, &w.config, 5.0, &ticket);
	in_flight = w.gate.in_flight;
	gate_stalled(&w.gate, &w.config, 5.0 + gate_stalled_after(&w.gate, &w.config), &ticket,
		     0.5);
	assert_int_equal(w.gate.in_flight, in_flight - 1);
	assert_int_equal(w.gate.unanswered, 0);
	gate_accepted(&w.gate, &w.config, 30.0, &ticket); /* it lives after all */
	assert_int_equal(w.gate.in_flight, in_flight);
	assert_int_equal(w.gate.unanswered, 0);
	assert_int_equal(w.gate.run, 0);
}

static void
a_restart_in_the_dark_stays_dark(void **unused)
{
	struct warm w;

	(void)unused;
	warm_up(&w, 64);
	for (int i = 0; i < 64; i++)
		gate_ended(&w.gate, &w.tickets[i], true);
	for (int i = 0; i < 24; i++)
		refuse_one(&w, 10.0, 10.0 + i / 2.0);
	gate_restart(&w.gate, &w.config);
	assert_int_equal(w.gate.in_flight, 0);
	assert_true(gate_is_dark(&w.gate, &w.config));
	assert_true(w.gate.window <= 2 && w.gate.next_at > 21.0);
}

/* --- what the reference has not -------------------------------------------- */

static void
an_unsent_ticket_leaves_no_evidence(void **unused)
{
	struct warm w;
	struct gate before;
	struct gate_ticket ticket;

	(void)unused;
	warm_up(&w, 8);
	gate_ended(&w.gate, &w.tickets[0], true);
	refuse_one(&w, 2.0, 2.25);
	gate_ended(&w.gate, &w.tickets[1], true);
	gate_headers(&w.gate, &w.config, 3.0, 600, 5);
	before = w.gate;
	gate_sent(&w.gate, &w.config, 3.0, &ticket);
	gate_unsent(&w.gate, &ticket);
	assert_memory_equal(&before, &w.gate, sizeof(before));
	gate_unsent(&w.gate, &ticket);
	gate_ended(&w.gate, &ticket, true);
	gate_refused(&w.gate, &w.config, 4.0, &ticket, 0.5, true);
	assert_memory_equal(&before, &w.gate, sizeof(before)); /* exactly once */
}

static void
the_clock_starts_when_the_request_leaves(void **unused)
{
	struct warm w;
	struct gate_ticket ticket;
	double usual;

	(void)unused;
	warm_up(&w, 8);
	gate_ended(&w.gate, &w.tickets[0], true);
	usual = w.gate.refusal_s;
	gate_sent(&w.gate, &w.config, 5.0, &ticket);
	gate_left(&ticket, 9.0);
	gate_refused(&w.gate, &w.config, 9.0 + usual, &ticket, 0.5, true);
	assert_true(fabs(w.gate.refusal_s - usual) < 1e-9);
}

static void
an_overload_after_acceptance_is_one_refusal(void **unused)
{
	struct warm w;
	int refusals;

	(void)unused;
	warm_up(&w, 8);
	refusals = w.gate.refusals;
	gate_refused(&w.gate, &w.config, 2.0, &w.tickets[3], 0.5, true);
	gate_ended(&w.gate, &w.tickets[3], false);
	assert_int_equal(w.gate.refusals, refusals + 1);
	assert_int_equal(w.gate.unanswered, 0);
	assert_int_equal(w.gate.in_flight, 7);
}

static void
fewer_slots_are_obeyed(void **unused)
{
	struct warm w;

	(void)unused;
	warm_up(&w, 64);
	gate_config_init(&w.config, 8, GATE_DEFAULT);
	gate_fit(&w.gate, &w.config);
	assert_true(w.gate.level == 8 && w.gate.window <= 4);
	assert_true(isinf(asked_again_at(&w, 1.0)));
}

static void
manners_differ_in_their_pauses(void **unused)
{
	struct gate_config config;

	(void)unused;
	gate_config_init(&config, 64, GATE_EAGER);
	assert_true(config.kappa == 1 && config.pause_max == 4);
	gate_config_init(&config, 64, GATE_DEFAULT);
	assert_true(config.kappa == 2 && config.pause_max == 8);
	gate_config_init(&config, 64, GATE_POLITE);
	assert_true(config.kappa == 4 && config.pause_max == 8);
	gate_config_init(&config, 0, GATE_DEFAULT);
	assert_int_equal(config.slots, 1);
}

/* Random orders of events; gate_life_play() aborts where an invariant breaks. */
static void
thousands_of_random_lives(void **unused)
{
	uint64_t seed = 88172645463325252u;
	uint8_t bytes[1024];

	(void)unused;
	for (int life = 0; life < 3000; life++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[i] = (uint8_t)(seed >> 32);
		}
		gate_life_play(bytes, sizeof(bytes));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_trace_to_a_millionth),
		cmocka_unit_test(calm_uses_every_slot),
		cmocka_unit_test(one_refusal_stops_nobody),
		cmocka_unit_test(an_outage_is_asked_rarely_and_left_quickly),
		cmocka_unit_test(a_limit_is_found_exactly),
		cmocka_unit_test(retry_after_holds_and_teaches_nothing),
		cmocka_unit_test(the_request_bucket_is_mirrored),
		cmocka_unit_test(a_stalled_attempt_lends_its_place),
		cmocka_unit_test(a_restart_in_the_dark_stays_dark),
		cmocka_unit_test(an_unsent_ticket_leaves_no_evidence),
		cmocka_unit_test(the_clock_starts_when_the_request_leaves),
		cmocka_unit_test(an_overload_after_acceptance_is_one_refusal),
		cmocka_unit_test(fewer_slots_are_obeyed),
		cmocka_unit_test(manners_differ_in_their_pauses),
		cmocka_unit_test(thousands_of_random_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
