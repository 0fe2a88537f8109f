/*
 * test_adapt.c - which requests can be moved where, and that what is sent then
 * is what the target takes. What the models take is said here once more, apart
 * from the table that the code goes by.
 */
#include "daemon/claude/adapt.h"
#include "daemon/claude/models.h"
#include "protocol/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define OLD  .version = "2023-06-01"
#define NEW  .version = "2026-10-21"

static void
free_text(char **text)
{
	free(*text);
}

static struct body_facts
scan(const char *body)
{
	struct body_facts facts;
	char why[300];

	if (body_scan_without_model((const uint8_t *)body, strlen(body), &facts, why, sizeof(why)))
		fail_msg("%s: %s", body, why);
	return facts;
}

/* The body as it is sent to target, valid again; the caller frees it. */
static char *
adapt(const char *body, const char *target, bool moved, const struct adapt_wishes *wishes,
      char *text)
{
	struct body_edits edits = { 0 };
	struct body_facts facts = scan(body);
	struct body_reader reader;
	size_t len = strlen(body);

	assert_int_equal(
	    adapt_body(&edits, (const uint8_t *)body, len, &facts, target, moved, wishes, text),
	    FOREBAY_ERR_OK);
	assert_int_equal(text[0] == '\0', body_edits_is_empty(&edits));
	body_reader_init(&reader, (const uint8_t *)body, len, &facts, &edits);
	char *sent = calloc(1, reader.total + 1);

	body_reader_read(&reader, (uint8_t *)sent, reader.total);
	body_edits_clear(&edits);
	(void)scan(sent);
	return sent;
}

/* What the API takes, from its documentation. */
static const struct row {
	const char *id;
	int context, max_output;
	const char *thinking, *effort;
	bool quiet_to_high, forced_tools, prefill, sampling;
} rows[] = {
#define M     1000000, 128000
#define K     200000, 64000
#define FIVE  "low medium high xhigh max"
#define FOUR  "low medium high max"
#define THREE "low medium high"
	{ "claude-fable-5-2", M, "adaptive", FIVE, false, false, false, false },
	{ "claude-mythos-5-2", M, "adaptive", FIVE, false, false, false, false },
	{ "claude-fable-5-1", M, "adaptive", FIVE, false, false, false, false },
	{ "claude-mythos-5-1", M, "adaptive", FIVE, false, false, false, false },
	{ "claude-opus-5-5", M, "adaptive", FIVE, false, false, false, false },
	{ "claude-sonnet-5-5", M, "adaptive between_tools", FIVE, true, false, false, false },
	{ "claude-haiku-5-5", M, "adaptive disabled", FIVE, true, true, false, false },
	{ "claude-fable-5", M, "adaptive", FIVE, false, true, false, false },
	{ "claude-mythos-5", M, "adaptive", FIVE, false, true, false, false },
	{ "claude-opus-5", M, "adaptive disabled", FIVE, true, true, false, false },
	{ "claude-sonnet-5", M, "adaptive disabled", FIVE, false, true, false, false },
	{ "claude-opus-4-8", M, "adaptive disabled", FIVE, false, true, false, false },
	{ "claude-opus-4-7", M, "adaptive disabled", FIVE, false, true, false, false },
	{ "claude-opus-4-6", M, "adaptive enabled disabled", FOUR, false, true, false, true },
	{ "claude-sonnet-4-6", M, "adaptive enabled disabled", FOUR, false, true, false, true },
	{ "claude-opus-4-5", K, "enabled disabled", THREE, false, true, true, true },
	{ "claude-sonnet-4-5", K, "enabled disabled", "", false, true, true, true },
	{ "claude-haiku-4-5-20251001", K, "enabled disabled", "", false, true, true, true },
};

static const char *const modes[] = { "", "adaptive", "enabled", "disabled", "between_tools" };
static const char *const levels[] = { "", "low", "medium", "high", "xhigh", "max" };

static bool
lists(const char *words, const char *word)
{
	const char *at = strstr(words, word);

	/* No word of these is the beginning of another; some are the end of one. */
	return at && (at == words || at[-1] == ' ');
}

static int
rank(const char *level)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(levels[i], level) == 0)
			return (int)i;
	return -1;
}

static void
check_thinking(const struct row *row, const struct body_facts *from, const struct body_facts *to)
{
	assert_true(to->thinking[0] == '\0' || lists(row->thinking, to->thinking));
	if (from->thinking[0] == '\0' || lists(row->thinking, from->thinking))
		assert_string_equal(to->thinking, from->thinking);
	else if (strcmp(from->thinking, "enabled") == 0)
		assert_string_equal(to->thinking, "adaptive");
	else if (strcmp(from->thinking, "between_tools") == 0 && lists(row->thinking, "disabled"))
		assert_string_equal(to->thinking, "disabled");
	else
		assert_int_equal(to->at[BODY_THINKING].len, 0);
	if (strcmp(to->thinking, "enabled") == 0)
		assert_in_range(to->thinking_budget, 1024,
				MIN(from->thinking_budget, to->max_tokens - 1));
	else
		assert_int_equal(to->thinking_budget, -1);
}

static void
check_effort(const struct row *row, const struct body_facts *from, const struct body_facts *to)
{
	bool quiet =
	    strcmp(to->thinking, "disabled") == 0 || strcmp(to->thinking, "between_tools") == 0;
	int highest = row->quiet_to_high && quiet ? 3 : 5;

	/* The best there is: no level between it and the one asked for will do. */
	for (int level = 1; level <= MIN(rank(from->effort), highest); level++)
		if (lists(row->effort, levels[level]))
			assert_true(rank(to->effort) >= level);
	assert_true(rank(to->effort) <= MIN(rank(from->effort), highest));
	if (to->effort[0])
		assert_true(lists(row->effort, to->effort));
	assert_int_equal(to->format.len, from->format.len);
}

static void
check_move(const char *body, const struct row *row, const struct adapt_wishes *wishes)
{
	char text[ADAPT_TEXT_LEN], nothing[ADAPT_TEXT_LEN];
	struct body_facts from = scan(body);
	CLEANUP(free_text) char *sent = adapt(body, row->id, true, wishes, text);
	struct body_facts to = scan(sent);
	int64_t wish = wishes->max_tokens ? wishes->max_tokens : INT64_MAX;

	assert_int_equal(text[0] == '\0', strcmp(sent, body) == 0);
	check_thinking(row, &from, &to);
	check_effort(row, &from, &to);
	if (strcmp(to.thinking, "enabled") == 0)
		wish = MAX(wish, 1025);
	assert_int_equal(to.max_tokens, MIN(MIN(from.max_tokens, row->max_output), wish));
	assert_null(adapt_refusal(&from, 1000, row->id, wishes));
	assert_null(adapt_refusal(&to, 1000, row->id, wishes));
	CLEANUP(free_text) char *again = adapt(sent, row->id, true, wishes, nothing);

	assert_string_equal(nothing, "");
	assert_string_equal(again, sent);
}

static void
what_is_sent_is_what_the_model_takes(void **unused)
{
	static const int max_tokens[] = { 1100, 64000, 64001, 128000 };
	static const int64_t wished[] = { 0, 1, 1026, 100000 };
	char thinking[100], config[100], body[500];

	(void)unused;
	for (size_t n = 0; n < ARRAY_LEN(rows) * ARRAY_LEN(modes) * ARRAY_LEN(levels) * 16; n++) {
		size_t i = n / 16;
		const char *mode = modes[i % ARRAY_LEN(modes)];
		const char *level = levels[i / ARRAY_LEN(modes) % ARRAY_LEN(levels)];
		const struct row *row = &rows[i / ARRAY_LEN(modes) / ARRAY_LEN(levels)];
		const struct adapt_wishes wishes = { OLD, .max_tokens = wished[n % 4] };
		int most = max_tokens[n / 4 % 4];

		thinking[0] = config[0] = '\0';
		if (strcmp(mode, "enabled") == 0)
			sprintf(thinking,
				"\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":%d},",
				most - 1);
		else if (mode[0])
			sprintf(thinking, "\"thinking\":{\"type\":\"%s\"},", mode);
		if (level[0])
			sprintf(config, "\"output_config\":{\"effort\":\"%s\",\"format\":{}},",
				level);
		sprintf(body, "{\"model\":\"other\",%s%s\"max_tokens\":%d," USER "}", thinking,
			config, most);
		check_move(body, row, &wishes);
	}
}

static void
the_table_has_no_other_models(void **unused)
{
	size_t count;

	(void)unused;
	(void)models_all(&count);
	assert_int_equal(count, ARRAY_LEN(rows));
	for (size_t i = 0; i < count; i++)
		assert_non_null(models_find(rows[i].id));
}

/* --- literal cases --------------------------------------------------------- */

#define MODEL(id)	"{\"model\":\"claude-" id "\","
#define MAX_TOKENS(n)	"\"max_tokens\":" n ","
#define CONFIG(members) "\"output_config\":{" members "},"
#define EFFORT(level)	"\"output_config\":{\"effort\":\"" level "\"},"
#define THINK(type)	"\"thinking\":{\"type\":\"" type "\"},"
#define ENABLED(budget) "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":" budget "},"

static const struct move {
	const char *target, *body, *sent, *text;
	struct adapt_wishes wishes;
} moves[] = {
	/* clang-format off */
	{ "haiku-4-5",
	  MODEL("opus-5-5") MAX_TOKENS("128000") THINK("adaptive") USER "}",
	  MODEL("opus-5-5") MAX_TOKENS("64000") USER "}",
	  "max_tokens 128000 -> 64000, thinking dropped", { OLD } },
	{ "opus-4-5",
	  MODEL("opus-5-5") EFFORT("xhigh") MAX_TOKENS("9") USER "}",
	  MODEL("opus-5-5") EFFORT("high") MAX_TOKENS("9") USER "}",
	  "effort xhigh -> high", { OLD } },
	{ "opus-4-6",
	  MODEL("opus-5-5") CONFIG(" \"task_budget\" : 1 , \"effort\" : \"xhigh\" ") USER "}",
	  MODEL("opus-5-5") CONFIG(" \"task_budget\" : 1 , \"effort\" : \"high\" ") USER "}",
	  "effort xhigh -> high", { OLD } },
	{ "sonnet-4-5",
	  MODEL("opus-5-5") CONFIG("\"effort\":\"max\", \"format\":{\"a\": 1}") USER "}",
	  MODEL("opus-5-5") CONFIG("\"format\":{\"a\": 1}") USER "}",
	  "effort dropped", { OLD } },
	{ "sonnet-4-5",
	  MODEL("opus-5-5") EFFORT("max") USER "}",
	  MODEL("opus-5-5") USER "}", "effort dropped", { OLD } },
	/* A level of the future: dropped where there is no effort, else the API's to judge. */
	{ "sonnet-4-5",
	  MODEL("opus-5-5") EFFORT("ultra") USER "}",
	  MODEL("opus-5-5") USER "}", "effort dropped", { OLD } },
	{ "opus-5-5",
	  MODEL("opus-5") EFFORT("ultra") USER "}", NULL, "", { OLD } },
	{ "opus-5",
	  MODEL("sonnet-5") THINK("disabled") EFFORT("max") USER "}",
	  MODEL("sonnet-5") THINK("disabled") EFFORT("high") USER "}",
	  "effort max -> high", { OLD } },
	{ "sonnet-5",
	  MODEL("opus-4-8") THINK("disabled") EFFORT("max") USER "}",
	  NULL, "", { OLD } },
	{ "haiku-5-5",
	  MODEL("sonnet-5-5") EFFORT("xhigh") THINK("between_tools") USER "}",
	  MODEL("sonnet-5-5") EFFORT("high") THINK("disabled") USER "}",
	  "effort xhigh -> high, thinking between_tools -> disabled", { OLD } },
	{ "opus-5-5",
	  MODEL("sonnet-5-5") THINK("between_tools") USER "}",
	  MODEL("sonnet-5-5") USER "}", "thinking dropped", { OLD } },
	{ "opus-5-5",
	  MODEL("opus-5") THINK("disabled") USER "}",
	  MODEL("opus-5") USER "}", "thinking dropped", { OLD } },
	{ "opus-5",
	  MODEL("opus-4-5") MAX_TOKENS("4096") ENABLED("2048") USER "}",
	  MODEL("opus-4-5") MAX_TOKENS("4096") THINK("adaptive") USER "}",
	  "thinking enabled -> adaptive", { OLD } },
	/* What else thinking says is kept; its words may be spelled with escapes. */
	{ "opus-5",
	  MODEL("opus-4-6") "\"thinking\":{\"budget_tok\\u0065ns\":2048,\"display\":\"omitted\","
	  "\"type\":\"enabl\\u0065d\"}," USER "}",
	  MODEL("opus-4-6") "\"thinking\":{\"display\":\"omitted\",\"type\":\"adaptive\"}," USER "}",
	  "thinking enabled -> adaptive", { OLD } },
	{ "opus-5", MODEL("x") THINK("deep") USER "}", NULL, "", { OLD } },
	{ "opus-5", MODEL("x") "\"thinking\":null," MAX_TOKENS("0") USER "}", NULL, "",
	  { OLD, .max_tokens = 5 } },
	/* The budget keeps its share of a smaller max_tokens. */
	{ "opus-4-5",
	  MODEL("opus-4-6") MAX_TOKENS("128000") ENABLED("96000") USER "}",
	  MODEL("opus-4-6") MAX_TOKENS("64000") ENABLED("48000") USER "}",
	  "max_tokens 128000 -> 64000, thinking budget 96000 -> 48000", { OLD } },
	{ "opus-4-5",
	  MODEL("opus-4-6") MAX_TOKENS("128000") ENABLED("32000") USER "}",
	  MODEL("opus-4-6") MAX_TOKENS("64000") ENABLED("32000") USER "}",
	  "max_tokens 128000 -> 64000", { OLD } },
	{ "opus-4-6",
	  MODEL("opus-4-5") MAX_TOKENS("4096") ENABLED("2048") USER "}",
	  MODEL("opus-4-5") MAX_TOKENS("1025") ENABLED("1024") USER "}",
	  "max_tokens 4096 -> 1025, thinking budget 2048 -> 1024", { OLD, .max_tokens = 100 } },
	/* One above max_tokens is allowed with a beta: not ours to lower. */
	{ "opus-4-6",
	  MODEL("opus-4-5") MAX_TOKENS("4096") ENABLED("9000") USER "}",
	  MODEL("opus-4-5") MAX_TOKENS("2000") ENABLED("9000") USER "}",
	  "max_tokens 4096 -> 2000", { OLD, .max_tokens = 2000 } },
	{ "opus-5-5", MODEL("opus-5") "\"speed\":\"f\\u0061st\"," USER "}", NULL, "", { OLD } },
	{ "opus-5", MODEL("opus-4-8") "\"speed\":\"fast\"," USER "}", NULL, "", { OLD } },
	/* It may lack the beta header that the target wants. */
	{ "opus-5", MODEL("opus-5-5") "\"speed\":\"fast\"," USER "}",
	  MODEL("opus-5-5") USER "}", "speed fast dropped", { OLD } },
	{ "sonnet-5-5", MODEL("opus-5-5") "\"speed\":\"fast\"," USER "}",
	  MODEL("opus-5-5") USER "}", "speed fast dropped", { OLD } },
	{ "sonnet-5-5", MODEL("opus-5-5") "\"speed\":\"standard\"," USER "}", NULL, "", { OLD } },
	{ "sonnet-5-5", MODEL("opus-5-5") "\"speed\":null," USER "}", NULL, "", { OLD } },
	{ "opus-4-7", MODEL("opus-4-6") "\"temperature\":0,\"top_k\":5," USER ",\"top_p\":1}",
	  MODEL("opus-4-6") USER "}",
	  "temperature dropped, top_p dropped, top_k dropped", { OLD, .drop_sampling = true } },
	{ "opus-4-6", MODEL("x") "\"temperature\":0,\"top_k\":5,\"top_p\":1," USER "}",
	  MODEL("x") "\"temperature\":0,\"top_k\":5," USER "}",
	  "top_p dropped", { OLD, .drop_sampling = true } },
	{ "opus-4-6", MODEL("x") "\"top_k\":5,\"top_p\":1," USER "}", NULL, "",
	  { OLD, .drop_sampling = true } },
	{ "opus-4-6", MODEL("opus-4-5") "\"top_k\":5," USER "}", MODEL("opus-4-5") USER "}",
	  "top_k dropped", { NEW, .drop_sampling = true } },
	{ "opus-4-7", MODEL("opus-4-6") "\"top_k\":5," USER "}", NULL, "", { OLD } },
	/* Nobody knows what it takes. */
	{ "next-9", MODEL("opus-4-5") MAX_TOKENS("900000") "\"top_k\":5,\"speed\":\"fast\","
	  "\"thinking\":{\"type\":\"between_tools\"}," EFFORT("max") USER "}",
	  NULL, "", { OLD, .drop_sampling = true } },
	{ "next-9", MODEL("opus-4-5") MAX_TOKENS("900") "\"top_k\":5," USER "}",
	  MODEL("opus-4-5") MAX_TOKENS("20") USER "}", "max_tokens 900 -> 20, top_k dropped",
	  { NEW, .drop_sampling = true, .max_tokens = 20 } },
	{ "opus-5",
	  MODEL("x") "\"messages\": [{\"role\":\"user\",\"content\":[{\"type\":\"thinking\"}, 1]} ]}",
	  MODEL("x") "\"messages\": [{\"role\":\"user\",\"content\":[1]} ]}",
	  "1 thinking block dropped", { OLD, .strip_thinking = true } },
	/* clang-format on */
};

static void
each_rule_does_what_it_says(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		const struct move *move = &moves[i];
		char text[ADAPT_TEXT_LEN], target[64];

		snprintf(target, sizeof(target), "claude-%s", move->target);
		CLEANUP(free_text)
		char *sent = adapt(move->body, target, true, &move->wishes, text);

		assert_string_equal(sent, move->sent ? move->sent : move->body);
		assert_string_equal(text, move->text);
		CLEANUP(free_text) char *again = adapt(sent, target, true, &move->wishes, text);

		assert_string_equal(again, sent);
		assert_string_equal(text, "");
	}
}

static void
what_is_not_moved_is_only_shrunk(void **unused)
{
	static const char body[] =
	    MODEL("opus-5-5") "\"max_tokens\":900000,\"temperature\":1,\"speed\":\"fast\","
			      "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5000},"
			      "\"output_config\":{\"effort\":\"max\"}," USER "}";
	struct adapt_wishes wishes = { NEW, .drop_sampling = true };
	char text[ADAPT_TEXT_LEN];
	CLEANUP(free_text) char *same = adapt(body, "claude-haiku-4-5", false, &wishes, text);

	(void)unused;
	assert_string_equal(same, body);
	wishes.max_tokens = 2000;
	CLEANUP(free_text) char *shrunk = adapt(body, "claude-haiku-4-5", false, &wishes, text);

	assert_string_equal(text, "max_tokens 900000 -> 2000, thinking budget 5000 -> 1024");
	struct body_facts facts = scan(shrunk);

	assert_int_equal(facts.max_tokens, 2000);
	assert_int_equal(facts.thinking_budget, 1024);
	assert_int_equal(facts.at[BODY_TEMPERATURE].len, 1);
	assert_string_equal(facts.effort, "max");
}

static void
the_longest_text_fits(void **unused)
{
	static const char body[] = MODEL(
	    "x") "\"max_tokens\":9223372036854775807,\"temperature\":1,\"top_p\":1,"
		 "\"top_k\":1,\"speed\":\"fast\",\"thinking\":{\"type\":\"enabled\","
		 "\"budget_tokens\":9223372036854770000},"
		 "\"output_config\":{\"effort\":\"xhigh\"},"
		 "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"thinking\"},1]}]}";
	const struct adapt_wishes wishes = { NEW, .drop_sampling = true, .strip_thinking = true };
	char text[ADAPT_TEXT_LEN];
	CLEANUP(free_text) char *sent = adapt(body, "claude-opus-4-6", true, &wishes, text);

	(void)unused;
	assert_string_equal(
	    text, "max_tokens 9223372036854775807 -> 128000, effort xhigh -> high, "
		  "thinking budget 9223372036854770000 -> 127999, speed fast dropped, "
		  "temperature dropped, top_p dropped, top_k dropped, 1 thinking block dropped");
	assert_true(strlen(text) + 30 < ADAPT_TEXT_LEN);
}

/* --- refusals -------------------------------------------------------------- */

static void
assert_refused(const char *body, const char *target, const char *why)
{
	const struct adapt_wishes wishes = { OLD };
	struct body_facts facts = scan(body);
	const char *said = adapt_refusal(&facts, 1000, target, &wishes);

	if (!said != !why || (why && strcmp(said, why) != 0))
		fail_msg("%s to %s: %s, not %s", body, target, said, why);
}

static void
what_a_model_cannot_do_is_refused(void **unused)
{
#define ANY	"{\"tool_choice\":{\"type\":\"any\"}," USER "}"
#define TOOL	"{\"tool_choice\":{\"type\":\"tool\",\"name\":\"any\"}," USER "}"
#define AUTO	"{\"tool_choice\":{\"type\":\"auto\"}," USER "}"
#define PREFILL "{\"messages\":[{\"role\":\"user\"},{\"role\":\"assistant\"}]}"
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		const char *no = "sampling parameters";

		assert_refused("{" USER "}", row->id, NULL);
		assert_refused(AUTO, row->id, NULL);
		assert_refused(ANY, row->id, row->forced_tools ? NULL : "forced tool_choice");
		assert_refused(TOOL, row->id, row->forced_tools ? NULL : "forced tool_choice");
		assert_refused(PREFILL, row->id, row->prefill ? NULL : "prefill");
		assert_refused("{\"top_k\":1," USER "}", row->id, row->sampling ? NULL : no);
		assert_refused("{\"temperature\":1," USER "}", row->id, row->sampling ? NULL : no);
		assert_refused("{\"temperature\":1,\"top_p\":1," USER "}", row->id, no);
	}
	assert_refused(ANY, "claude-next-9", NULL);
	assert_refused(PREFILL, "claude-next-9", NULL);
	assert_refused("{\"temperature\":1,\"top_p\":1," USER "}", "claude-next-9", NULL);
}

static void
the_version_may_refuse_sampling_for_every_model(void **unused)
{
	struct adapt_wishes wishes = { NEW };
	struct body_facts facts = scan("{\"top_p\":1," USER "}");

	(void)unused;
	assert_string_equal(adapt_refusal(&facts, 1, "claude-opus-4-5", &wishes),
			    "sampling parameters");
	assert_string_equal(adapt_refusal(&facts, 1, "claude-next-9", &wishes),
			    "sampling parameters");
	wishes.drop_sampling = true;
	assert_null(adapt_refusal(&facts, 1, "claude-opus-4-5", &wishes));
	assert_null(adapt_refusal(&facts, 1, "claude-next-9", &wishes));
}

static void
what_the_api_keeps_for_one_model_stays_with_it(void **unused)
{
	/* clang-format off */
	static const struct { const char *member, *why; } states[] = {
		{ "\"container\":\"c_1\"", "container" },
		{ "\"container\":{\"skills\":[]}", "container" },
		{ "\"container\":null", NULL },
		{ "\"thread\":{\"type\":\"create\"}", "message thread" },
		{ "\"thr\\u0065ad\":{\"type\":\"create\"}", "message thread" },
		{ "\"thread\":null", NULL },
		{ "\"fallback_credit_token\":\"t\"", "fallback credit" },
		{ "\"fallback_credit_token\":null", NULL },
		{ "\"diagnostics\":{\"previous_message_id\":\"m\"}",
		  "diagnostics of an earlier message" },
		{ "\"diagnostics\":{\"previous_message_id\":null}", NULL },
		{ "\"diagnostics\":null", NULL },
	};
	/* clang-format on */
	char body[200];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		snprintf(body, sizeof(body), MODEL("haiku-4-5") "%s," USER "}", states[i].member);
		assert_refused(body, "claude-opus-5", states[i].why);
		assert_refused(body, "claude-next-9", states[i].why);
		/* Its own model, by whichever name, it may have. */
		assert_refused(body, "claude-haiku-4-5", NULL);
		assert_refused(body, "claude-haiku-4-5-20251001", NULL);
	}
}

static void
the_context_must_hold_question_and_answer(void **unused)
{
	struct adapt_wishes wishes = { OLD };
	struct body_facts facts = scan("{\"max_tokens\":128000," USER "}");

	(void)unused;
	/* 1.3 times the estimate and the clamped 64,000 in 200,000. */
	assert_null(adapt_refusal(&facts, 104615, "claude-haiku-4-5", &wishes));
	assert_string_equal(adapt_refusal(&facts, 104616, "claude-haiku-4-5", &wishes),
			    "context too small");
	assert_null(adapt_refusal(&facts, 104616, "claude-opus-5", &wishes));
	assert_null(adapt_refusal(&facts, INT64_MAX, "claude-next-9", &wishes));
	assert_string_equal(adapt_refusal(&facts, INT64_MAX, "claude-opus-5", &wishes),
			    "context too small");
	wishes.max_tokens = 70;
	assert_null(adapt_refusal(&facts, 153792, "claude-haiku-4-5", &wishes));
	assert_non_null(adapt_refusal(&facts, 153793, "claude-haiku-4-5", &wishes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_is_what_the_model_takes),
		cmocka_unit_test(the_table_has_no_other_models),
		cmocka_unit_test(each_rule_does_what_it_says),
		cmocka_unit_test(what_is_not_moved_is_only_shrunk),
		cmocka_unit_test(the_longest_text_fits),
		cmocka_unit_test(what_a_model_cannot_do_is_refused),
		cmocka_unit_test(the_version_may_refuse_sampling_for_every_model),
		cmocka_unit_test(what_the_api_keeps_for_one_model_stays_with_it),
		cmocka_unit_test(the_context_must_hold_question_and_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
