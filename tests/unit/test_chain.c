/*
 * test_chain.c - where a job goes when its models have weather: patience,
 * refuge, return, and what a model that cannot serve it means.
 */
#include "daemon/job/chain.h"

#include "protocol/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE 10000
#define NOW	 1000000

/* The models of the chain as a test wants them. */
static struct world {
	struct chain_look at[4];
	unsigned count;
	unsigned looks;
} world;

static int
setup(void **unused)
{
	(void)unused;
	world = (struct world){ .count = 3 };
	for (unsigned i = 0; i < ARRAY_LEN(world.at); i++)
		world.at[i].open = true;
	return 0;
}

static void
look(unsigned model, struct chain_look *ret, void *arg)
{
	struct world *all = arg;

	assert_true(model < all->count);
	all->looks++;
	*ret = all->at[model];
}

static struct chain_choice
native(const struct chain_state *state)
{
	return chain_choose(state, world.count, false, PATIENCE, NOW, look, &world);
}

static struct chain_choice
refugee(const struct chain_state *state)
{
	return chain_choose(state, world.count, true, PATIENCE, NOW, look, &world);
}

/* Its gate is closed and would keep a job for so long. */
static void
close_for(unsigned model, double seconds)
{
	world.at[model].open = false;
	world.at[model].wait_s = seconds;
}

#define assert_goes_to(choice, to)                                                                 \
	do {                                                                                       \
		struct chain_choice got_ = (choice);                                               \
		assert_int_equal(got_.answer, CHAIN_GO);                                           \
		assert_int_equal(got_.model, to);                                                  \
	} while (0)

static void
the_first_model_is_enough_when_it_is_open(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	assert_goes_to(native(&state), 0);
	assert_int_equal(world.looks, 1);
	world.at[0].probe = true;
	assert_int_equal(native(&state).answer, CHAIN_PROBE);
}

static void
nobody_leaves_before_patience_has_run_out(void **unused)
{
	struct chain_state state = { 0 };
	struct chain_choice choice;

	(void)unused;
	close_for(0, 4.0);
	assert_int_equal(native(&state).answer, CHAIN_WAIT);
	choice = refugee(&state);
	assert_int_equal(choice.answer, CHAIN_WAIT);
	/* Four of ten seconds are expected: in six it may be time. */
	assert_in_range(choice.when_ms, NOW + 6000, NOW + 6001);
	world.at[0].wait_s = 10.0;
	assert_goes_to(refugee(&state), 1);
	/* And never for who has no end of patience. */
	choice = chain_choose(&state, world.count, true, CHAIN_NEVER, NOW, look, &world);
	assert_int_equal(choice.answer, CHAIN_WAIT);
	assert_true(choice.when_ms == INT64_MAX);
}

static void
its_own_waiting_counts_from_the_moment_it_stood_first(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	close_for(0, 0.0);
	chain_blocked(&state, NOW - 9999);
	chain_blocked(&state, NOW - 1);
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
	assert_in_range(refugee(&state).when_ms, NOW + 1, NOW + 2);
	state.blocked_ms = NOW - PATIENCE;
	assert_goes_to(refugee(&state), 1);
	/* Sent meanwhile: the next wait begins anew. */
	chain_sent(&state);
	chain_blocked(&state, NOW);
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
}

static void
refused_again_and_again_is_kept_waiting_too(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	close_for(0, 0.0);
	chain_refused(&state, 0, NOW - 12000);
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
	chain_refused(&state, 0, NOW - 500);
	assert_goes_to(refugee(&state), 1);
	/* Open for this moment, and somebody else got through: back to its first model. */
	world.at[0].open = true;
	world.at[0].accepted_ms = NOW - 400;
	assert_goes_to(native(&state), 0);
	/* Nobody did since: it would be refused again, and the next one is preferred. */
	world.at[0].accepted_ms = NOW - 600;
	assert_int_equal(native(&state).answer, CHAIN_WAIT);
	assert_goes_to(refugee(&state), 1);
	/* But not before its patience has run out, */
	chain_refused(&state, 1, NOW - 300);
	assert_goes_to(native(&state), 0);
	/* and the one that refuses it is better than none. */
	state = (struct chain_state){ 0 };
	chain_refused(&state, 0, NOW - 12000);
	chain_refused(&state, 0, NOW - 500);
	close_for(1, 0.0);
	close_for(2, 0.0);
	assert_goes_to(refugee(&state), 0);
	/* Two that lie far apart are no row: it ran between them, or was held. */
	world.at[1].open = true;
	state = (struct chain_state){ 0 };
	chain_refused(&state, 0, NOW - 3600000);
	chain_refused(&state, 0, NOW - 500);
	assert_goes_to(native(&state), 0);
}

static void
each_model_on_the_way_has_its_own_patience(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	close_for(0, 60.0);
	close_for(1, 5.0);
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
	assert_in_range(refugee(&state).when_ms, NOW + 5000, NOW + 5001);
	world.at[1].wait_s = 30.0;
	assert_goes_to(refugee(&state), 2);
	close_for(2, 30.0);
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
}

static void
all_dark_each_has_its_own_probe(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	close_for(0, 60.0);
	close_for(1, 60.0);
	close_for(2, 60.0);
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
	world.at[1].open = world.at[1].probe = true;
	assert_int_equal(refugee(&state).answer, CHAIN_PROBE);
	assert_int_equal(refugee(&state).model, 1);
	assert_int_equal(native(&state).answer, CHAIN_WAIT);
}

static void
a_barred_model_is_never_asked(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	assert_true(chain_bar(&state, 0, 3));
	assert_goes_to(native(&state), 1);
	close_for(1, 60.0);
	assert_goes_to(refugee(&state), 2);
	assert_true(chain_bar(&state, 2, 3));
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
	assert_false(chain_bar(&state, 1, 3));
	assert_true(chain_is_barred(&state, 1));
	/* A whole chain of the largest size. */
	state = (struct chain_state){ 0 };
	for (unsigned i = 0; i < CHAIN_MAX - 1; i++)
		assert_true(chain_bar(&state, i, CHAIN_MAX));
	assert_false(chain_bar(&state, CHAIN_MAX - 1, CHAIN_MAX));
}

static void
an_unusable_model_is_passed_by_while_there_is_another(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	world.at[0].unusable = true;
	assert_goes_to(native(&state), 1);
	world.at[1].unusable = world.at[2].unusable = true;
	/* None is left: its own answer is better than to wait an hour. */
	assert_goes_to(native(&state), 0);
}

static void
two_faults_in_a_row_make_the_next_model_preferred(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	chain_faulted(&state, 0);
	assert_goes_to(native(&state), 0);
	chain_faulted(&state, 0);
	assert_int_equal(native(&state).answer, CHAIN_WAIT);
	assert_goes_to(refugee(&state), 1);
	/* The others do not take it: the one with the faults is better than none. */
	close_for(1, 0.0);
	assert_goes_to(refugee(&state), 0);
	/* Faults of the second are counted on their own. */
	world.at[1].open = true;
	chain_faulted(&state, 1);
	assert_goes_to(native(&state), 0);
}

static void
classic_stays_until_its_tries_are_used_up(void **unused)
{
	struct chain_state state = { 0 };

	(void)unused;
	close_for(0, 600.0);
	world.at[0].classic = true;
	assert_int_equal(refugee(&state).answer, CHAIN_WAIT);
	assert_true(chain_bar(&state, 0, 3));
	assert_goes_to(native(&state), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_model_is_enough_when_it_is_open, setup),
		cmocka_unit_test_setup(nobody_leaves_before_patience_has_run_out, setup),
		cmocka_unit_test_setup(its_own_waiting_counts_from_the_moment_it_stood_first,
				       setup),
		cmocka_unit_test_setup(refused_again_and_again_is_kept_waiting_too, setup),
		cmocka_unit_test_setup(each_model_on_the_way_has_its_own_patience, setup),
		cmocka_unit_test_setup(all_dark_each_has_its_own_probe, setup),
		cmocka_unit_test_setup(a_barred_model_is_never_asked, setup),
		cmocka_unit_test_setup(an_unusable_model_is_passed_by_while_there_is_another,
				       setup),
		cmocka_unit_test_setup(two_faults_in_a_row_make_the_next_model_preferred, setup),
		cmocka_unit_test_setup(classic_stays_until_its_tries_are_used_up, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
