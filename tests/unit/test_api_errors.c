/*
 * test_api_errors.c - the table of API errors as a table, and how a row is
 * found: by what an answer said, or by what a person pasted.
 */
#include "daemon/claude/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
every_row_is_found_by_its_own_columns(void **unused)
{
	size_t count;
	const struct api_error *rows = api_errors(&count);

	(void)unused;
	for (size_t i = 0; i < count; i++) {
		const struct api_error *row = &rows[i];
		/* A row of any status stands behind the one of the usual status. */
		bool any = row->status == 0 && strncmp(row->type, "network/", 8) != 0;
		const struct api_error *found = api_error_find_message(
		    any ? 599 : row->status, row->type, row->code, row->message);

		if (found != row)
			fail_msg("%s instead of %s", found->name, row->name);
		assert_true(row->name[0] && row->cause[0] && row->advice[0]);
		assert_true(row->class < API_CLASS_COUNT);
		assert_int_equal(row->class == API_SUCCESS, row->err == FOREBAY_ERR_OK);
		assert_true(row->message == NULL || row->class != API_SUCCESS);
	}
}

static void
every_word_of_the_table_has_a_sentence(void **unused)
{
	(void)unused;
	for (int i = 0; i < API_CLASS_COUNT; i++)
		assert_true(api_class_name(i)[0] && api_class_text(i)[0]);
	for (int i = 0; i <= API_FAULT_NETWORK; i++)
		assert_true(api_fault_text(i)[0]);
	for (int i = 0; i <= API_RETRY_STRIPPED; i++)
		assert_true(api_retry_text(i)[0]);
	for (int i = 0; i <= API_EFFECT_MODEL; i++)
		assert_true(api_effect_text(i)[0]);
	for (int i = 0; i <= API_FALLBACK_LATER; i++)
		assert_true(api_fallback_text(i)[0]);
}

/* clang-format off */
static const struct {
	int status; const char *type, *code, *message; enum api_class class;
} finds[] = {
	{ 200, NULL, NULL, NULL, API_SUCCESS },
	{ 204, NULL, NULL, NULL, API_SUCCESS },
	{ 529, "overloaded_error", NULL, "Overloaded", API_OVERLOADED },
	{ 529, NULL, NULL, NULL, API_OVERLOADED },
	{ 529, "overloaded_error", "compaction_unavailable", NULL, API_OVERLOADED },
	{ 529, "something_new", "new_code", "x", API_OVERLOADED },
	{ 503, "overloaded_error", NULL, NULL, API_OVERLOADED },
	{ 0, "overloaded_error", NULL, NULL, API_OVERLOADED },
	{ 429, "rate_limit_error", NULL, NULL, API_RATE_LIMITED },
	{ 429, "rate_limit_error", "ramp_limit_exceeded", NULL, API_RATE_LIMITED },
	{ 429, NULL, NULL, NULL, API_RATE_LIMITED },
	{ 429, "rate_limit_error", "enforced_spend_limit_reached", NULL, API_BILLING },
	{ 429, "rate_limit_error", "contract_spend_limit_reached", NULL, API_BILLING },
	{ 0, "rate_limit_error", NULL, NULL, API_RATE_LIMITED },
	{ 402, "billing_error", NULL, NULL, API_BILLING },
	{ 402, "billing_error", "linked_organization_spend_limit_reached", NULL, API_BILLING },
	{ 402, NULL, NULL, NULL, API_BILLING },
	{ 400, "invalid_request_error", NULL, "You have reached your specified API usage "
	  "limits. You will regain access on 2026-12-01 at 00:00 UTC.", API_BILLING },
	{ 400, "invalid_request_error", NULL, "Your credit balance is too low", API_BILLING },
	{ 400, "invalid_request_error", "organization_on_hold", NULL, API_AUTH },
	{ 400, "invalid_request_error", "request_body_timeout", NULL, API_FAULT },
	{ 400, "invalid_request_error", NULL, "prompt is too long", API_REQUEST },
	{ 400, "invalid_request_error", NULL, NULL, API_REQUEST },
	{ 400, NULL, NULL, NULL, API_REQUEST },
	{ 0, "invalid_request_error", NULL, NULL, API_REQUEST },
	{ 401, "authentication_error", NULL, "invalid x-api-key", API_AUTH },
	{ 401, "invalid_request_error", NULL, NULL, API_AUTH },
	{ 403, "permission_error", NULL, "not allowed", API_AUTH },
	{ 403, "permission_error", NULL, "Your key may not use the model x", API_MODEL },
	{ 404, "not_found_error", NULL, "model: claude-2", API_MODEL },
	{ 404, "not_found_error", NULL, "no such batch", API_REQUEST },
	{ 404, NULL, NULL, NULL, API_REQUEST },
	{ 0, "not_found_error", NULL, "model: x", API_MODEL },
	{ 413, "request_too_large", NULL, NULL, API_REQUEST },
	{ 413, NULL, NULL, NULL, API_REQUEST },
	{ 422, NULL, NULL, NULL, API_REQUEST },
	{ 408, NULL, NULL, NULL, API_FAULT },
	{ 409, "conflict_error", NULL, NULL, API_FAULT },
	{ 500, "api_error", NULL, NULL, API_FAULT },
	{ 500, NULL, NULL, NULL, API_FAULT },
	{ 0, "api_error", NULL, NULL, API_FAULT },
	{ 0, "timeout_error", NULL, NULL, API_FAULT },
	{ 501, NULL, NULL, NULL, API_REQUEST },
	{ 502, NULL, NULL, NULL, API_FAULT },
	{ 503, "api_error", "cmek_key_unreachable", NULL, API_FAULT },
	{ 504, "timeout_error", NULL, NULL, API_FAULT },
	{ 520, NULL, NULL, NULL, API_FAULT },
	{ 524, NULL, NULL, NULL, API_FAULT },
	{ 599, NULL, NULL, NULL, API_FAULT },
	{ 302, NULL, NULL, NULL, API_FAULT },
	{ 307, "not_found_error", NULL, NULL, API_FAULT },
	{ 418, "teapot_error", NULL, NULL, API_REQUEST },
	{ 0, "never_heard_error", NULL, NULL, API_FAULT },
	{ 0, NULL, NULL, NULL, API_FAULT },
	{ 0, NULL, NULL, "prompt is too long", API_FAULT },
};
/* clang-format on */

static void
the_most_specific_row_wins(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		const struct api_error *row = api_error_find_message(
		    finds[i].status, finds[i].type, finds[i].code, finds[i].message);

		if (row->class != finds[i].class)
			fail_msg("%d %s %s: %s", finds[i].status,
				 finds[i].type ? finds[i].type : "-",
				 finds[i].code ? finds[i].code : "-", row->name);
	}
}

/* clang-format off */
static const struct { const char *text, *name; } pasted[] = {
	{ "529", "529 Overloaded" },
	{ "529 Overloaded", "529 Overloaded" },
	{ "400 {\"error\":{\"type\":\"billing_error\"}}", "billing, under another status" },
	{ "422 invalid_request_error", "422 unprocessable" },
	{ "401 invalid_request_error", "401, without the usual body" },
	{ "500 rate_limit_error", "rate limit, under another status" },
	{ "Overloaded. Too many requests to this model right now", "529 Overloaded" },
	{ "Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
	  "\"message\":\"Overloaded\"}}", "529 Overloaded" },
	{ "429", "429 rate limit" },
	{ "rate_limit_error", "429 rate limit" },
	{ "HTTP/1.1 429 Too Many Requests", "429 rate limit" },
	{ "enforced_spend_limit_reached", "429 spend limit of the tier" },
	{ "400 You have reached your specified API usage limits. You will regain access on "
	  "2026-12-01 at 00:00 UTC.", "400 own usage limit" },
	{ "Your credit balance is too low to access the Claude API", "400 credit used up" },
	{ "401 invalid x-api-key", "401 key refused" },
	{ "authentication_error", "401 key refused" },
	{ "api_error", "500 API error" },
	{ "500", "500 API error" },
	{ "503 Service Unavailable", "503 service unavailable" },
	{ "504", "504 timeout at the API" },
	{ "522", "522 API not reachable" },
	{ "prompt is too long: 208310 tokens > 200000 maximum", "400 prompt too long" },
	{ "max_tokens: 128001 > 64000, which is the maximum allowed number of output tokens "
	  "for claude-opus-4-5-20251101", "400 max_tokens too large" },
	{ "messages.1.content.0: Invalid `signature` in `thinking` block",
	  "400 thinking signature" },
	{ "403 You do not have access to the model", "403 model not permitted" },
	{ "404 model: claude-9", "404 no such model" },
	{ "404 not_found_error: model: not found", "404 no such model" },
	{ "302 Found", "redirected" },
	{ "read ECONNRESET", "connection broken" },
	{ "Could not resolve host: api.anthropic.com", "name not resolved" },
	{ "connect ECONNREFUSED: Connection refused", "no connection" },
	{ "Error: connect ECONNREFUSED 127.0.0.1:443", "no connection" },
	{ "anthropic.APIConnectionError: Connection error.", "no connection" },
	{ "getaddrinfo ENOTFOUND api.anthropic.com", "name not resolved" },
	{ "anthropic.APITimeoutError: Request timed out.", "no answer in time" },
	{ "request_too_large", "413 request too large" },
	{ "network/idle", "the answer stopped coming" },
	{ "419", "request refused" },
	{ "577", "unknown fault" },
};
/* clang-format on */

static void
pasted_text_is_explained(void **unused)
{
	const struct api_error *found[3];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(pasted); i++) {
		if (api_error_explain(pasted[i].text, found, 3) == 0)
			fail_msg("nothing for: %s", pasted[i].text);
		if (strcmp(found[0]->name, pasted[i].name) != 0)
			fail_msg("%s for: %s", found[0]->name, pasted[i].text);
	}
	assert_int_equal(api_error_explain("", found, 3), 0);
	assert_int_equal(api_error_explain("all is well on 1.529.0, mostly", found, 3), 0);
	assert_int_equal(api_error_explain("529", found, 0), 0);
}

static void
the_row_of_every_phrase_is_recognised(void **unused)
{
	size_t count;
	const struct api_error *rows = api_errors(&count), *found[8];
	char phrase[200];

	(void)unused;
	for (size_t i = 0; i < count; i++) {
		for (const char *p = rows[i].phrases; p && *p;) {
			size_t len = strcspn(p, "|"), n;
			bool seen = false;

			snprintf(phrase, sizeof(phrase), "%.*s", (int)len, p);
			n = api_error_explain(phrase, found, 8);
			for (size_t k = 0; k < n; k++)
				seen |= found[k] == &rows[i];
			if (!seen)
				fail_msg("\"%s\" does not lead to %s", phrase, rows[i].name);
			p += len + (p[len] == '|');
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_own_columns),
		cmocka_unit_test(every_word_of_the_table_has_a_sentence),
		cmocka_unit_test(the_most_specific_row_wins),
		cmocka_unit_test(pasted_text_is_explained),
		cmocka_unit_test(the_row_of_every_phrase_is_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
