/*
 * test_options.c - the word lists: each word finds its number and back, and the
 * numbers that are stored on disk stay what they are.
 */
#include "protocol/base.h"
#include "protocol/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
	const struct forebay_words *list;
	const char *(*name)(int);
	int count;
} lists[] = {
	{ &forebay_classes, forebay_class_name, FOREBAY_CLASS_COUNT },
	{ &forebay_batch_modes, forebay_batch_name, FOREBAY_BATCH_COUNT },
	{ &forebay_transports, forebay_transport_name, FOREBAY_TRANSPORT_COUNT },
	{ &forebay_wants, forebay_want_name, FOREBAY_WANT_COUNT },
};

static void
every_word_round_trips(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		assert_int_equal(lists[i].list->count, lists[i].count);
		for (int value = 0; value < lists[i].count; value++) {
			const char *word = lists[i].name(value);

			assert_string_equal(word, lists[i].list->words[value]);
			assert_int_equal(forebay_word_find(lists[i].list, word), value);
		}
	}
}

static void
strangers_are_unknown(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		assert_int_equal(forebay_word_find(lists[i].list, "unknown"), -1);
		assert_int_equal(forebay_word_find(lists[i].list, ""), -1);
		assert_string_equal(lists[i].name(-1), "unknown");
		assert_string_equal(lists[i].name(lists[i].count), "unknown");
	}
}

static void
numbers_never_change(void **unused)
{
	(void)unused;
	assert_int_equal(FOREBAY_CLASS_INTERACTIVE, 0);
	assert_int_equal(FOREBAY_CLASS_NORMAL, 1);
	assert_int_equal(FOREBAY_CLASS_PATIENT, 2);
	assert_int_equal(FOREBAY_BATCH_NEVER, 0);
	assert_int_equal(FOREBAY_BATCH_ALLOW, 1);
	assert_int_equal(FOREBAY_BATCH_ONLY, 2);
	assert_int_equal(FOREBAY_TRANSPORT_DEFAULT, 0);
	assert_int_equal(FOREBAY_TRANSPORT_STREAM, 1);
	assert_int_equal(FOREBAY_TRANSPORT_PLAIN, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_round_trips),
		cmocka_unit_test(strangers_are_unknown),
		cmocka_unit_test(numbers_never_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
