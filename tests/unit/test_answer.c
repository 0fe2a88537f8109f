/*
 * test_answer.c - the error table as a table, and what the classifier makes of
 * answers: well-formed ones, odd ones, and none.
 */
#include "daemon/claude/answer.h"

#include "daemon/claude/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1795514400.0 /* 2026-11-24T10:00:00Z */

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
	for (int i = 0; i <= API_RETRY_DATE; i++)
		assert_true(api_retry_text(i)[0]);
	for (int i = 0; i <= API_EFFECT_MODEL; i++)
		assert_true(api_effect_text(i)[0]);
	for (int i = 0; i <= API_FALLBACK_LATER; i++)
		assert_true(api_fallback_text(i)[0]);
	for (int i = 0; i < ANSWER_TRANSPORT_COUNT; i++)
		assert_true(answer_transport_text(i)[0]);
}

static void
the_most_specific_row_wins(void **unused)
{
	/* clang-format off */
	static const struct {
		int status; const char *type, *code, *message; enum api_class class;
	} rows[] = {
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
		{ 302, NULL, NULL, NULL, API_REQUEST },
		{ 418, "teapot_error", NULL, NULL, API_REQUEST },
		{ 0, "never_heard_error", NULL, NULL, API_FAULT },
		{ 0, NULL, NULL, NULL, API_FAULT },
		{ 0, NULL, NULL, "prompt is too long", API_FAULT },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct api_error *row = api_error_find_message(rows[i].status, rows[i].type,
								     rows[i].code, rows[i].message);

		if (row->class != rows[i].class)
			fail_msg("%d %s %s: %s", rows[i].status, rows[i].type ? rows[i].type : "-",
				 rows[i].code ? rows[i].code : "-", row->name);
	}
}

static void
pasted_text_is_explained(void **unused)
{
	/* clang-format off */
	static const struct { const char *text, *name; } rows[] = {
		{ "529", "529 Overloaded" },
		{ "529 Overloaded", "529 Overloaded" },
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
		{ "read ECONNRESET", "connection broken" },
		{ "Could not resolve host: api.anthropic.com", "name not resolved" },
		{ "connect ECONNREFUSED: Connection refused", "no connection" },
		{ "request_too_large", "413 request too large" },
		{ "network/idle", "the answer stopped coming" },
		{ "419", "request refused" },
		{ "577", "unknown fault" },
	};
	/* clang-format on */
	const struct api_error *found[3];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (api_error_explain(rows[i].text, found, 3) == 0)
			fail_msg("nothing for: %s", rows[i].text);
		if (strcmp(found[0]->name, rows[i].name) != 0)
			fail_msg("%s for: %s", found[0]->name, rows[i].text);
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

/* Lines with | between them. */
static struct answer_headers
headers_of(const char *lines)
{
	struct answer_headers headers;

	answer_headers_init(&headers);
	while (*lines) {
		size_t len = strcspn(lines, "|");

		answer_header(&headers, lines, len);
		lines += len + (lines[len] == '|');
	}
	return headers;
}

static struct answer
classify(int status, const char *headers, const char *body)
{
	struct answer_headers parsed = headers_of(headers);
	struct answer answer;
	size_t len = strlen(body);
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, body, len);
	answer_from_http(&answer, status, &parsed, copy, len, NOW);
	free(copy);
	assert_non_null(answer.row);
	return answer;
}

static void
a_real_overload_is_understood(void **unused)
{
	struct answer answer = classify(
	    529, "HTTP/1.1 529 \r\n|Request-Id: req_011\r\n|x-should-retry: true\r\n",
	    "{\"type\":\"error\",\"error\":{\"details\":null,\"type\":\"overloaded_error\","
	    "\"message\":\"Overloaded\"},\"request_id\":\"req_012\"}");
	char text[200];

	(void)unused;
	assert_int_equal(answer.class, API_OVERLOADED);
	assert_int_equal(answer.retry, API_RETRY_GATE);
	assert_int_equal(answer.effect, API_EFFECT_CAPACITY);
	assert_int_equal(answer.err, FOREBAY_ERR_OVERLOADED);
	assert_int_equal(answer.status, 529);
	assert_false(answer.in_stream);
	assert_string_equal(answer.type, "overloaded_error");
	assert_string_equal(answer.code, "");
	assert_string_equal(answer.message, "Overloaded");
	assert_string_equal(answer.request_id, "req_012");
	assert_true(answer.retry_after_s == -1);
	answer_text(&answer, text, sizeof(text));
	assert_string_equal(text, "529 overloaded_error: Overloaded");
}

static void
codes_in_details_are_read(void **unused)
{
	struct answer answer =
	    classify(429, "request-id: req_1",
		     "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\",\"details\":"
		     "{\"x\":1,\"error_code\":\"contract_spend_limit_reached\"}}}");

	(void)unused;
	assert_string_equal(answer.code, "contract_spend_limit_reached");
	assert_int_equal(answer.class, API_BILLING);
	assert_int_equal(answer.effect, API_EFFECT_KEY);
	assert_int_equal(answer.retry, API_RETRY_DATE);
	assert_string_equal(answer.request_id, "req_1");
	assert_true(answer.billing_resume_s == -1);
}

static void
a_success_has_no_error(void **unused)
{
	struct answer answer = classify(200, "retry-after: 3|x-should-retry: false",
					"{\"error\":{\"type\":\"overloaded_error\"}}");

	(void)unused;
	assert_int_equal(answer.class, API_SUCCESS);
	assert_int_equal(answer.effect, API_EFFECT_ACCEPT);
	assert_int_equal(answer.err, FOREBAY_ERR_OK);
	assert_string_equal(answer.type, "");
}

static void
odd_bodies_are_survived(void **unused)
{
	static const char *const bodies[] = {
		"",
		"null",
		"7",
		"[]",
		"{\"error\":null}",
		"{\"error\":[]}",
		"{\"error\":{\"type\":7,\"message\":null,\"details\":\"x\"}}",
		"{\"error\":{\"type\":\"",
		"\xff\xfe\xc0\x80",
		"{\"error\":{\"type\":\"\xff\"}}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct answer answer = classify(529, "", bodies[i]);

		assert_int_equal(answer.class, API_OVERLOADED);
		assert_string_equal(answer.type, "");
		assert_string_equal(answer.message, "");
	}
}

static void
a_page_is_known_by_its_title(void **unused)
{
	struct answer answer =
	    classify(502, "", "<html><head><title>502 Bad\n\x1b[31mGateway</title></head></html>");
	char text[200];

	(void)unused;
	assert_int_equal(answer.class, API_FAULT);
	assert_string_equal(answer.message, "502 Bad  [31mGateway");
	answer_text(&answer, text, sizeof(text));
	assert_string_equal(text, "502: 502 Bad  [31mGateway");
}

static void
a_huge_body_is_not_looked_at(void **unused)
{
	size_t len = ANSWER_MAX_ERROR_BODY + 100;
	char *body = malloc(len + 1);
	int head = sprintf(body, "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"");

	(void)unused;
	memset(body + head, 'x', len - (size_t)head);
	strcpy(body + len - 3, "\"}}");
	struct answer answer = classify(500, "", body);

	assert_int_equal(answer.class, API_FAULT);
	assert_string_equal(answer.type, "");
	/* Just below the limit it is; the message is cut. */
	memmove(body + head, body + head + 200, len - (size_t)head - 200 + 1);
	answer = classify(500, "", body);
	assert_int_equal(answer.class, API_OVERLOADED);
	assert_int_equal(strlen(answer.message), sizeof(answer.message) - 1);
	free(body);
}

static void
messages_are_made_fit_for_a_terminal(void **unused)
{
	struct answer answer = classify(
	    400, "",
	    "{\"error\":{\"type\":\"bad type\",\"message\":\"a\\u001b[2J\\nb\\u0000c\\u009bd\\u007f"
	    "\xc3\xa9\",\"details\":{\"error_code\":\"x\\ny\"}},\"request_id\":\"r q\"}");

	(void)unused;
	assert_string_equal(answer.message, "a [2J b c d \xc3\xa9");
	assert_string_equal(answer.type, "");
	assert_string_equal(answer.code, "");
	assert_string_equal(answer.request_id, "");
}

static void
a_long_message_is_cut_between_characters(void **unused)
{
	char body[2000] = "{\"error\":{\"message\":\"a";

	(void)unused;
	for (int i = 0; i < 400; i++)
		strcat(body, "\xe2\x82\xac");
	strcat(body, "\"}}");
	struct answer answer = classify(400, "", body);

	assert_int_equal(strlen(answer.message), 511);
	assert_string_equal(answer.message + 508, "\xe2\x82\xac");
}

static void
waits_are_read(void **unused)
{
	/* clang-format off */
	static const struct { const char *headers; double wait; bool derived; } rows[] = {
		{ "", -1, false },
		{ "retry-after: 7", 7, false },
		{ "Retry-After:0.5  ", 0.5, false },
		{ "retry-after: 0", 0, false },
		{ "retry-after: 7|retry-after-ms: 1500", 1.5, false },
		{ "retry-after-ms: 1500|retry-after: 7", 1.5, false },
		{ "retry-after: Tue, 24 Nov 2026 10:00:30 GMT", 30, false },
		{ "retry-after: Tue, 24 Nov 2026 10:00:30 GMT|"
		  "date: Tue, 24 Nov 2026 10:00:10 GMT", 20, false },
		{ "retry-after: Tue, 24 Nov 2026 09:00:00 GMT", 0, false },
		{ "retry-after: soon", -1, false },
		{ "retry-after: -3", -1, false },
		{ "retry-after: nan", -1, false },
		{ "retry-after: inf", -1, false },
		{ "retry-after: 0x10", -1, false },
		{ "retry-after: 99999999999999", -1, false },
		{ "retry-after:", -1, false },
		{ "anthropic-ratelimit-requests-remaining: 0|"
		  "anthropic-ratelimit-requests-reset: 2026-11-24T10:00:12Z", 12, true },
		{ "anthropic-ratelimit-requests-remaining: 3|"
		  "anthropic-ratelimit-requests-reset: 2026-11-24T10:00:12Z", -1, false },
		{ "Anthropic-RateLimit-Input-Tokens-Remaining: 0|"
		  "anthropic-ratelimit-input-tokens-reset: 2026-11-24T10:00:05Z|"
		  "anthropic-ratelimit-output-tokens-remaining: 0|"
		  "anthropic-ratelimit-output-tokens-reset: 2026-11-24T11:00:15.5+01:00", 15.5, true },
		{ "retry-after: 2|anthropic-ratelimit-requests-remaining: 0|"
		  "anthropic-ratelimit-requests-reset: 2026-11-24T10:00:12Z", 2, false },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer answer = classify(429, rows[i].headers, "");

		if (answer.retry_after_s != rows[i].wait || answer.retry_derived != rows[i].derived)
			fail_msg("%s: %g", rows[i].headers, answer.retry_after_s);
	}
}

static void
limits_are_read(void **unused)
{
	struct answer_headers headers = headers_of(
	    "anthropic-ratelimit-requests-limit: 1000|"
	    "anthropic-ratelimit-requests-remaining: 999|"
	    "anthropic-ratelimit-input-tokens-limit: 2000000|"
	    "anthropic-ratelimit-output-tokens-remaining: x|"
	    "anthropic-ratelimit-tokens-limit: 5|anthropic-ratelimit-requests-reset: never");

	(void)unused;
	assert_int_equal(headers.ratelimit[ANSWER_REQUESTS].limit, 1000);
	assert_int_equal(headers.ratelimit[ANSWER_REQUESTS].remaining, 999);
	assert_true(headers.ratelimit[ANSWER_REQUESTS].reset_s == -1);
	assert_int_equal(headers.ratelimit[ANSWER_INPUT_TOKENS].limit, 2000000);
	assert_int_equal(headers.ratelimit[ANSWER_INPUT_TOKENS].remaining, -1);
	assert_int_equal(headers.ratelimit[ANSWER_OUTPUT_TOKENS].remaining, -1);
}

static void
senseless_header_lines_are_ignored(void **unused)
{
	char longest[1000];
	struct answer_headers headers;

	(void)unused;
	memset(longest, 'x', sizeof(longest));
	answer_headers_init(&headers);
	answer_header(&headers, "", 0);
	answer_header(&headers, "\r\n", 2);
	answer_header(&headers, ":", 1);
	answer_header(&headers, "no colon", 8);
	answer_header(&headers, longest, sizeof(longest));
	answer_header(&headers, "request-id: a b", 15);
	answer_header(&headers, "request-id: a\0b", 15);
	answer_header(&headers, "request-id: \x1b[2J", 16);
	assert_string_equal(headers.request_id, "");
	answer_header(&headers, "request-id: req_1", 17);
	assert_string_equal(headers.request_id, "req_1");
	/* The answer after 100 Continue starts afresh. */
	answer_header(&headers, "HTTP/1.1 200 OK\r\n", 17);
	assert_string_equal(headers.request_id, "");
}

static void
should_retry_overrides_the_status(void **unused)
{
	struct answer answer = classify(400, "x-should-retry: true", "");

	(void)unused;
	assert_int_equal(answer.class, API_FAULT);
	assert_int_equal(answer.retry, API_RETRY_PAUSE);
	assert_int_equal(answer.effect, API_EFFECT_FAULT);
	answer = classify(500, "X-Should-Retry: FALSE", "");
	assert_int_equal(answer.class, API_FAULT);
	assert_int_equal(answer.retry, API_RETRY_NEVER);
	answer = classify(500, "x-should-retry: perhaps", "");
	assert_int_equal(answer.retry, API_RETRY_PAUSE);
	/* A spending limit stays one. */
	answer = classify(402, "x-should-retry: true", "");
	assert_int_equal(answer.class, API_BILLING);
	assert_int_equal(answer.retry, API_RETRY_DATE);
}

static void
access_returns_when_the_message_says(void **unused)
{
	struct answer answer = classify(
	    400, "",
	    "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached your "
	    "specified API usage limits. You will regain access on 2026-12-01 at 08:30 UTC.\"}}");

	(void)unused;
	assert_int_equal(answer.class, API_BILLING);
	assert_true(answer.billing_resume_s == when_from_rfc3339("2026-12-01T08:30:00Z"));
	answer =
	    classify(429, "",
		     "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"cap\",\"details\":"
		     "{\"error_code\":\"enforced_spend_limit_reached\"}}}");
	assert_true(answer.billing_resume_s == when_from_rfc3339("2026-12-01T00:00:00Z"));
	answer = classify(529, "", "{\"error\":{\"message\":\"2026-12-01\"}}");
	assert_true(answer.billing_resume_s == -1);
}

static void
an_error_in_a_stream_is_known_by_its_type(void **unused)
{
	/* clang-format off */
	static const struct { const char *data; enum api_class class; } rows[] = {
		{ "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", API_OVERLOADED },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}", API_RATE_LIMITED },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}", API_FAULT },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"timeout_error\"}}", API_FAULT },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\"}}", API_REQUEST },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"new_error\"}}", API_FAULT },
		{ "nonsense", API_FAULT },
		{ "", API_FAULT },
	};
	/* clang-format on */
	struct answer_headers headers = headers_of("request-id: req_9|x-should-retry: false");

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer answer;

		answer_from_event(&answer, &headers, (const uint8_t *)rows[i].data,
				  strlen(rows[i].data), NOW);
		assert_int_equal(answer.class, rows[i].class);
		assert_int_equal(answer.status, 200);
		assert_true(answer.in_stream);
		assert_string_equal(answer.request_id, "req_9");
		assert_int_equal(answer.retry, answer.row->retry);
	}
}

static void
a_broken_transport_has_a_row_each(void **unused)
{
	struct answer_headers headers = headers_of("request-id: req_5");
	const struct api_error *unknown = api_error_find(599, NULL, NULL);

	(void)unused;
	for (int kind = ANSWER_TRANSPORT_NONE + 1; kind < ANSWER_TRANSPORT_COUNT; kind++) {
		struct answer answer;

		answer_from_transport(&answer, kind, 0, NULL);
		assert_ptr_not_equal(answer.row, unknown);
		assert_int_equal(answer.retry == API_RETRY_NEVER, kind == ANSWER_TOO_BIG);
		answer_from_transport(&answer, kind, 200, &headers);
		assert_string_equal(answer.request_id, "req_5");
		assert_int_equal(answer.status, 200);
		/* The status of a refusal says more than its broken end. */
		answer_from_transport(&answer, kind, 529, &headers);
		assert_int_equal(answer.class, API_OVERLOADED);
	}
}

static void
dates_are_read(void **unused)
{
	(void)unused;
	assert_true(when_from_http("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
	assert_true(when_from_http("Sun, 06 Foo 1994 08:49:37 GMT") == -1);
	assert_true(when_from_http("Sun, 06 Nov") == -1);
	assert_true(when_from_http("") == -1);
	assert_true(when_from_rfc3339("2026-11-24T10:00:00Z") == NOW);
	assert_true(when_from_rfc3339("2026-11-24t12:30:00.25+02:30") == NOW + 0.25);
	assert_true(when_from_rfc3339("2026-11-24T10:00:00") == -1);
	assert_true(when_from_rfc3339("2026-11-24T10:00:00Zx") == -1);
	assert_true(when_from_rfc3339("2026-13-24T10:00:00Z") == -1);
	assert_true(when_from_rfc3339("2026-11-24") == -1);
	assert_true(when_in_text("limit 20000 until 2026-11-24 at 10:00 UTC") == NOW);
	assert_true(when_in_text("until 2026-11-24T10:00:00Z.") == NOW);
	assert_true(when_in_text("on 2026-11-24.") == NOW - 36000);
	assert_true(when_in_text("12345-67 tokens") == -1);
	assert_true(when_in_text("") == -1);
	assert_true(when_next_month(NOW) == when_from_rfc3339("2026-12-01T00:00:00Z"));
	assert_true(when_next_month(when_from_rfc3339("2026-12-31T23:59:59Z")) ==
		    when_from_rfc3339("2027-01-01T00:00:00Z"));
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
		cmocka_unit_test(a_real_overload_is_understood),
		cmocka_unit_test(codes_in_details_are_read),
		cmocka_unit_test(a_success_has_no_error),
		cmocka_unit_test(odd_bodies_are_survived),
		cmocka_unit_test(a_page_is_known_by_its_title),
		cmocka_unit_test(a_huge_body_is_not_looked_at),
		cmocka_unit_test(messages_are_made_fit_for_a_terminal),
		cmocka_unit_test(a_long_message_is_cut_between_characters),
		cmocka_unit_test(waits_are_read),
		cmocka_unit_test(limits_are_read),
		cmocka_unit_test(senseless_header_lines_are_ignored),
		cmocka_unit_test(should_retry_overrides_the_status),
		cmocka_unit_test(access_returns_when_the_message_says),
		cmocka_unit_test(an_error_in_a_stream_is_known_by_its_type),
		cmocka_unit_test(a_broken_transport_has_a_row_each),
		cmocka_unit_test(dates_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
