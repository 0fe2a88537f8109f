/*
 * test_rewrite.c - what is left out of a value is gone, and every other byte is
 * where it was; told by literal cases and beside a tree of json-c.
 */
#include "daemon/claude/rewrite.h"
#include "protocol/json.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T  "{\"type\":\"thinking\",\"thinking\":\"hm, [\\\"\",\"signature\":\"x\"}"
#define R  "{\"type\":\"redacted_thinking\",\"data\":\"y\"}"
#define A  "{\"type\":\"text\",\"text\":\"a\"}"
#define U  "{\"role\":\"user\",\"content\":\"hi\"}"
#define AS "{\"role\":\"assistant\",\"content\":"

/* wanted NULL: nothing is to be done. */
static void
assert_stripped(const char *messages, const char *wanted, size_t blocks)
{
	size_t got_blocks;
	char *got;

	assert_int_equal(rewrite_without_thinking((const uint8_t *)messages, strlen(messages), &got,
						  &got_blocks),
			 FOREBAY_ERR_OK);
	if (!got != !wanted || (got && strcmp(got, wanted) != 0))
		fail_msg("%s\nbecame %s\nnot    %s", messages, got, wanted);
	assert_int_equal(got_blocks, blocks);
	free(got);
}

static void
thinking_goes_and_the_rest_stays(void **unused)
{
	/* clang-format off */
	static const struct { const char *messages, *wanted; size_t blocks; } rows[] = {
		{ "[" U "]", NULL, 0 },
		{ "[" U "," AS "[" A "]}]", NULL, 0 },
		{ "[" U "," AS "[" T "," A "]}]", "[" U "," AS "[" A "]}]", 1 },
		{ "[" U "," AS "[" A "," T "]}]", "[" U "," AS "[" A "]}]", 1 },
		{ "[" U "," AS "[" A "," T "," A "," R "]}]", "[" U "," AS "[" A "," A "]}]", 2 },
		{ "[" U "," AS "[" T "," R "," A "," A "]}]", "[" U "," AS "[" A "," A "]}]", 2 },
		/* Space is kept, but for that between what goes and its comma. */
		{ "[ " U " , " AS " [ " T " ,\n " A " , " R "\t, " A " , " T " ] } ] ",
		  "[ " U " , " AS " [ " A "\t, " A " ] } ] ", 3 },
		/* The only block, in a message at the beginning, the middle and the end. */
		{ "[" AS "[" T "]}, " U "]", "[" U "]", 1 },
		{ "[ " AS "[ " T " , " R " ] } , " AS "[" T "]}," U " ]", "[ " U " ]", 3 },
		{ "[" U " , " AS "[" T "]} , " U "]", "[" U " , " U "]", 1 },
		{ "[ " U " , " AS "[" T "]} ]", "[ " U " ]", 1 },
		{ "[" U "," AS "[" A "," T "]}," AS "[" T "]}," AS "[" T "," A "]}]",
		  "[" U "," AS "[" A "]}," AS "[" A "]}]", 3 },
		{ "[" AS "[" T "]},7," AS "[" T "]},[],{}]", "[7,[],{}]", 2 },
		/* Nothing would be left. */
		{ "[" AS "[" T "]}]", NULL, 0 },
		{ "[" AS "[" T "," T "]} , " AS "[" R "]}]", NULL, 0 },
		/* An empty content that was there before is nobody's business. */
		{ "[" AS "[]}," AS "[" T "," A "]}]", "[" AS "[]}," AS "[" A "]}]", 1 },
		/* Spelled with escapes. */
		{ "[" AS "[{\"typ\\u0065\":\"th\\u0069nking\"},1]}]", "[" AS "[1]}]", 1 },
		{ "[{\"c\\u006fntent\":[" T ",1]}]", "[{\"c\\u006fntent\":[1]}]", 1 },
		{ "[{\"c\\u006fntent\":[{\"type\":\"redacted_thin\\u006bing\"}]},1]", "[1]", 1 },
		/* Only what stands in a message's content is a block of the history. */
		{ "[" AS "[{\"type\":\"tool_use\",\"input\":{\"type\":\"thinking\",\"content\":[" T "]}}]}]",
		  NULL, 0 },
		{ "[" AS "[{\"type\":\"tool_result\",\"content\":[" T "]},[" T "]]}]", NULL, 0 },
		{ "[{\"type\":\"thinking\"},[" T "],{\"contents\":[" T "]},{\"content\":" T "}]",
		  NULL, 0 },
		{ "[" AS "[{\"type\":\"thinking_\"},{\"type\":\"thinking\\u0000\"},"
		  "{\"type\":[\"thinking\"]},{\"Type\":\"thinking\"},\"thinking\"]}]", NULL, 0 },
		/* Of two members of one name the last one is meant. */
		{ "[" AS "[{\"type\":\"text\",\"type\":\"thinking\"},1]}]", "[" AS "[1]}]", 1 },
		{ "[" AS "[{\"type\":\"thinking\",\"type\":\"text\"},1]}]", NULL, 0 },
		{ "[{\"content\":[" T "],\"content\":\"x\"}]", "[{\"content\":[],\"content\":\"x\"}]", 1 },
		{ "[{\"content\":[1],\"content\":[" T "]},1]", "[1]", 1 },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_stripped(rows[i].messages, rows[i].wanted, rows[i].blocks);
		if (rows[i].wanted)
			assert_stripped(rows[i].wanted, NULL, 0);
	}
}

static void
members_are_exchanged_or_left_out(void **unused)
{
	static const struct rewrite_member changes[] = {
		{ "type", "\"adaptive\"" },
		{ "budget_tokens", NULL },
	};
	/* clang-format off */
	static const struct { const char *object, *wanted; } rows[] = {
		{ "{\"type\":\"enabled\",\"budget_tokens\":5}", "{\"type\":\"adaptive\"}" },
		{ "{ \"budget_tokens\" : 5 , \"type\" : \"enabled\" }", "{ \"type\" : \"adaptive\" }" },
		{ "{\"a\" : {\"type\":1}, \"budget_tokens\":5, \"b\":[2]}",
		  "{\"a\" : {\"type\":1}, \"b\":[2]}" },
		{ "{\"typ\\u0065\":1,\"budget\\u005ftokens\":2}", "{\"typ\\u0065\":\"adaptive\"}" },
		{ "{\"type\":1,\"x\":2,\"type\":3}", "{\"type\":\"adaptive\",\"x\":2}" },
		{ "{\"budget_tokens\":5,\"budget_tokens\":6}", NULL },
		{ "{\"budget_tokens\":5}", NULL },
		{ "{ }", NULL },
		{ "{\"x\":[]}", "{\"x\":[]}" },
	};
	/* clang-format on */
	char *got;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *object = rows[i].object, *wanted = rows[i].wanted;

		assert_int_equal(rewrite_members((const uint8_t *)object, strlen(object), changes,
						 ARRAY_LEN(changes), &got),
				 FOREBAY_ERR_OK);
		if (!got != !wanted || (got && strcmp(got, wanted) != 0))
			fail_msg("%s became %s, not %s", object, got, wanted);
		free(got);
	}
}

static void
what_is_not_json_is_said_to_be(void **unused)
{
	static const struct rewrite_member change = { "a", NULL };
	size_t blocks;
	char *got;

	(void)unused;
	assert_int_equal(rewrite_without_thinking((const uint8_t *)"[" U, 3, &got, &blocks),
			 FOREBAY_ERR_INVALID_BODY);
	assert_null(got);
	assert_int_equal(rewrite_members((const uint8_t *)"{\"b\":1", 6, &change, 1, &got),
			 FOREBAY_ERR_INVALID_BODY);
	assert_null(got);
}

/* --- beside a tree ---------------------------------------------------------- */

static uint64_t random_state = 88172645463325252u;

static unsigned
random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % limit;
}

static char *
put_space(char *p)
{
	static const char *const spaces[] = { "", "", "", " ", "\n", " \t " };

	return stpcpy(p, spaces[random_below(ARRAY_LEN(spaces))]);
}

static char *
put_list(char *p, char *(*put_element)(char *p), unsigned count)
{
	p = stpcpy(p, "[");
	for (unsigned i = 0; i < count; i++) {
		p = put_space(stpcpy(put_space(p), i > 0 ? "," : ""));
		p = put_element(p);
	}
	return stpcpy(put_space(p), "]");
}

static char *
put_block(char *p)
{
	static const char *const blocks[] = { T,     R, T,   "{\"type\":\"thinkin\\u0067\"}",
					      A,     A, "1", "[]",
					      "\"\"" };

	return stpcpy(p, blocks[random_below(ARRAY_LEN(blocks))]);
}

static char *
put_message(char *p)
{
	switch (random_below(8)) {
	case 0:
		return stpcpy(p, U);
	case 1:
		return stpcpy(p, "null");
	default:
		p = put_space(stpcpy(p, AS));
		return stpcpy(put_space(put_list(p, put_block, random_below(4))), "}");
	}
}

static bool
is_thinking(struct json_object *block)
{
	struct json_object *type = NULL;

	if (!json_object_is_type(block, json_type_object) ||
	    !json_object_object_get_ex(block, "type", &type))
		return false;
	return strcmp(json_object_get_string(type), "thinking") == 0 ||
	       strcmp(json_object_get_string(type), "redacted_thinking") == 0;
}

/* What the messages should become, counted by hand. */
static struct json_object *
strip_tree(struct json_object *messages, size_t *ret_blocks)
{
	struct json_object *kept = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(messages); i++) {
		struct json_object *message = json_object_array_get_idx(messages, i), *content;
		size_t before = *ret_blocks;

		if (json_object_is_type(message, json_type_object) &&
		    json_object_object_get_ex(message, "content", &content) &&
		    json_object_is_type(content, json_type_array)) {
			for (size_t n = json_object_array_length(content); n > 0; n--) {
				if (!is_thinking(json_object_array_get_idx(content, n - 1)))
					continue;
				json_object_array_del_idx(content, n - 1, 1);
				++*ret_blocks;
			}
			if (*ret_blocks > before && json_object_array_length(content) == 0)
				continue;
		}
		json_object_array_add(kept, json_object_get(message));
	}
	return kept;
}

static void
any_history_is_what_the_tree_says(void **unused)
{
	char messages[4096];

	(void)unused;
	for (int round = 0; round < 30000; round++) {
		size_t blocks = 0, got_blocks;
		char *got;

		*put_list(messages, put_message, 1 + random_below(5)) = '\0';
		struct json_object *tree = json_tokener_parse(messages);
		struct json_object *wanted = strip_tree(tree, &blocks);

		assert_int_equal(rewrite_without_thinking((const uint8_t *)messages,
							  strlen(messages), &got, &got_blocks),
				 FOREBAY_ERR_OK);
		if (blocks == 0 || json_object_array_length(wanted) == 0) {
			assert_null(got);
			assert_int_equal(got_blocks, 0);
		} else {
			struct json_object *is = json_tokener_parse(got);
			struct json_result result;

			if (!json_object_equal(is, wanted) ||
			    !json_valid((const uint8_t *)got, strlen(got), 99, &result))
				fail_msg("%s\nbecame %s", messages, got);
			assert_int_equal(got_blocks, blocks);
			json_object_put(is);
		}
		free(got);
		json_object_put(wanted);
		json_object_put(tree);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thinking_goes_and_the_rest_stays),
		cmocka_unit_test(members_are_exchanged_or_left_out),
		cmocka_unit_test(what_is_not_json_is_said_to_be),
		cmocka_unit_test(any_history_is_what_the_tree_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
