/*
 * test_answer.c - what the classifier makes of answers: well-formed ones, odd
 * ones, and none.
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
	for (int kind = 0; kind < ANSWER_TRANSPORT_COUNT; kind++)
		assert_true(answer_transport_text(kind)[0]);
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
a_success_without_an_answer_is_a_broken_one(void **unused)
{
	(void)unused;
	for (int status = 201; status <= 299; status++) {
		struct answer answer = classify(status, "request-id: req_2", "{}");

		assert_int_equal(answer.class, API_FAULT);
		assert_int_equal(answer.retry, API_RETRY_PAUSE);
		assert_int_not_equal(answer.err, FOREBAY_ERR_OK);
		assert_int_equal(answer.status, status);
		assert_string_equal(answer.request_id, "req_2");
	}
}

/* clang-format off */
static const struct { const char *said, *kept; } keys[] = {
	{ "{\"error\":{\"message\":\"no: sk-ant-api03-aB_9-z.\"}}", "no: sk-ant-************." },
	{ "{\"error\":{\"message\":\"sk-ant-a sk-ant-bb\"}}", "sk-ant-* sk-ant-**" },
	{ "{\"error\":{\"message\":\"\\u0073k-ant-abc\"}}", "sk-ant-***" },
	{ "{\"error\":{\"message\":\"sk-ant-\"}}", "sk-ant-" },
	{ "{\"error\":{\"message\":\"ask-anton\"}}", "ask-anton" },
	{ "<html><title>not sk-ant-abc</title>", "not sk-ant-***" },
};
/* clang-format on */

static void
a_key_said_back_is_not_kept(void **unused)
{
	struct answer answer;
	char long_body[1200];
	int len;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_string_equal(classify(401, "", keys[i].said).message, keys[i].kept);
	answer = classify(500, "request-id: sk-ant-x", "{\"error\":{\"type\":\"sk-ant-y\"}}");
	assert_string_equal(answer.request_id, "sk-ant-*");
	assert_string_equal(answer.type, "sk-ant-*");
	/* One that the end of a message or a title cuts in two. */
	for (int at = 150; at < 520; at += 3) {
		len = snprintf(long_body, sizeof(long_body),
			       at % 2 ? "{\"error\":{\"message\":\"%*s sk-ant-secret\"}}"
				      : "<title>%*s sk-ant-secret</title>",
			       at, ".");
		assert_true(len < (int)sizeof(long_body));
		answer = classify(500, "", long_body);
		assert_null(strstr(answer.message, "sk-ant-s"));
	}
}

static void
bytes_are_scrubbed_in_place(void **unused)
{
	char bytes[] = "a\0sk-ant-key\0other.key!sk-ant-k",
	     want[] = "a\0sk-ant-***\0*********!sk-ant-*";
	char end[] = "xsk-an", none[] = "";

	(void)unused;
	answer_scrub(bytes, sizeof(bytes) - 1, "other.key");
	assert_memory_equal(bytes, want, sizeof(want));
	answer_scrub(end, sizeof(end) - 1, "");
	assert_string_equal(end, "xsk-an");
	answer_scrub(none, 0, "k");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(a_success_without_an_answer_is_a_broken_one),
		cmocka_unit_test(a_key_said_back_is_not_kept),
		cmocka_unit_test(bytes_are_scrubbed_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
