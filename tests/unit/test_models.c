/*
 * test_models.c - the table of models as a table.
 */
#include "daemon/claude/models.h"

#include "protocol/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
every_row_is_found_and_makes_sense(void **unused)
{
	size_t count;
	const struct model *rows = models_all(&count);

	(void)unused;
	assert_true(count >= 18);
	for (size_t i = 0; i < count; i++) {
		const struct model *row = &rows[i];

		assert_ptr_equal(models_find(row->id), row);
		if (row->alias)
			assert_ptr_equal(models_find(row->alias), row);
		assert_string_equal(models_bucket(row->id), row->bucket);
		assert_true(row->max_output > 0 && row->context > row->max_output);
		assert_true(row->thinking != 0);
		assert_non_null(row->lifecycle);
		/* What thinks unasked does so adaptively. */
		if (row->thinking & MODEL_THINKS)
			assert_true(row->thinking & MODEL_ADAPTIVE);
	}
}

static void
aliases_share_the_row_of_their_model(void **unused)
{
	(void)unused;
	assert_string_equal(models_find("claude-haiku-4-5")->id, "claude-haiku-4-5-20251001");
	assert_string_equal(models_find("claude-opus-4-5")->id, "claude-opus-4-5-20251101");
	assert_string_equal(models_find("claude-sonnet-4-5")->id, "claude-sonnet-4-5-20250929");
}

static void
buckets_are_shared_as_documented(void **unused)
{
	(void)unused;
	assert_string_equal(models_bucket("claude-opus-4-8"), models_bucket("claude-opus-4-5"));
	assert_string_equal(models_bucket("claude-opus-4-6"), models_bucket("claude-opus-4-7"));
	assert_string_equal(models_bucket("claude-sonnet-4-6"), models_bucket("claude-sonnet-4-5"));
	assert_string_not_equal(models_bucket("claude-opus-5"), models_bucket("claude-opus-4-8"));
	assert_string_not_equal(models_bucket("claude-opus-5-5"), models_bucket("claude-opus-5"));
}

static void
an_unknown_model_is_alone_in_its_bucket(void **unused)
{
	static const char name[] = "claude-next-9";

	(void)unused;
	assert_null(models_find(name));
	assert_null(models_find(""));
	assert_ptr_equal(models_bucket(name), name);
}

static void
capabilities_are_those_of_the_generations(void **unused)
{
	const struct model *opus = models_find("claude-opus-5-5");
	const struct model *haiku = models_find("claude-haiku-4-5");

	(void)unused;
	assert_false(opus->forced_tools || opus->prefill || opus->sampling);
	assert_int_equal(opus->thinking, MODEL_THINKS | MODEL_ADAPTIVE);
	assert_true(opus->effort & MODEL_EFFORT_XHIGH);
	assert_true(haiku->forced_tools && haiku->prefill && haiku->sampling);
	assert_int_equal(haiku->effort, 0);
	assert_int_equal(haiku->context, 200000);
	assert_false(models_find("claude-opus-4-6")->effort & MODEL_EFFORT_XHIGH);
	assert_true(models_find("claude-opus-4-6")->effort & MODEL_EFFORT_MAX);
	assert_true(models_find("claude-sonnet-5-5")->thinking & MODEL_BETWEEN_TOOLS);
	assert_false(models_find("claude-sonnet-5-5")->thinking & MODEL_DISABLED);
}

static void
fast_is_offered_where_it_is_known(void **unused)
{
	(void)unused;
	assert_int_equal(models_find("claude-opus-5-5")->fast, MODEL_FAST_OPEN);
	assert_int_equal(models_find("claude-opus-5")->fast, MODEL_FAST_PREVIEW);
	assert_int_equal(models_find("claude-sonnet-5-5")->fast, MODEL_FAST_NONE);
	assert_int_equal(models_find("claude-opus-4-6")->fast, MODEL_FAST_NONE);
}

static void
words_become_bits(void **unused)
{
	(void)unused;
	assert_string_equal(models_effort_word(MODEL_EFFORT_MEDIUM), "medium");
	assert_string_equal(models_effort_word(MODEL_EFFORT_LOW | MODEL_EFFORT_MAX), "max");
	assert_null(models_effort_word(0));
	assert_int_equal(models_effort("xhigh"), MODEL_EFFORT_XHIGH);
	assert_int_equal(models_effort("low"), MODEL_EFFORT_LOW);
	assert_int_equal(models_effort("more"), 0);
	assert_int_equal(models_thinking("between_tools"), MODEL_BETWEEN_TOOLS);
	assert_int_equal(models_thinking("enabled"), MODEL_ENABLED);
	assert_int_equal(models_thinking(""), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_and_makes_sense),
		cmocka_unit_test(aliases_share_the_row_of_their_model),
		cmocka_unit_test(buckets_are_shared_as_documented),
		cmocka_unit_test(an_unknown_model_is_alone_in_its_bucket),
		cmocka_unit_test(capabilities_are_those_of_the_generations),
		cmocka_unit_test(fast_is_offered_where_it_is_known),
		cmocka_unit_test(words_become_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
