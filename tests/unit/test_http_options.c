/*
 * test_http_options.c - headers into options, and what of them goes along.
 */
#include "daemon/serve/http_options.h"
#include "protocol/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum forebay_err
parse(const char *lines, struct http_options *ret, char *why)
{
	char text[32768];
	int len = snprintf(text, sizeof(text),
			   "POST /v1/messages?a=b HTTP/1.1\r\nHost: x\r\n%s\r\n", lines);
	struct http_head head;
	const char *head_why;
	enum forebay_err err;

	assert_int_equal(http_head_parse(&head, (const uint8_t *)text, (size_t)len, &head_why), 0);
	err = http_options_parse(&head, ret, why);
	http_head_clear(&head);
	return err;
}

static void
options_are_taken(void **unused)
{
	struct http_options options;
	char why[MESSAGE_WHY_LEN];

	(void)unused;
	assert_int_equal(parse("X-Forebay-Class: patient\r\nx-forebay-label: a b\r\n"
			       "x-forebay-priority: -100\r\nx-forebay-deadline: 15min\r\n"
			       "x-forebay-batch: allow\r\nx-forebay-durable: 1\r\n"
			       "x-forebay-chain: a, b ,c\r\n",
			       &options, why),
			 0);
	assert_int_equal(options.request.class, FOREBAY_CLASS_PATIENT);
	assert_int_equal(options.request.batch, FOREBAY_BATCH_ALLOW);
	assert_int_equal(options.request.priority, -100);
	assert_int_equal(options.request.deadline_ms, 900000);
	assert_string_equal(options.request.label, "a b");
	assert_string_equal(options.request.chain_models[2], "c");
	assert_null(options.request.chain_models[3]);
	assert_true(options.durable && !options.request.ephemeral);
	http_options_clear(&options);

	assert_int_equal(
	    parse("x-forebay-chain: named\r\nx-claude-code-session-id: s-1\r\n", &options, why), 0);
	assert_int_equal(options.request.class, FOREBAY_CLASS_INTERACTIVE);
	assert_string_equal(options.request.chain, "named");
	assert_string_equal(options.request.label, "s-1");
	assert_string_equal(options.request.query, "a=b");
	assert_true(options.request.ephemeral);
	http_options_clear(&options);
}

static void
mistakes_are_named(void **unused)
{
	static const char *const cases[] = {
		"x-forebay-class: slow",
		"x-forebay-class:",
		"x-forebay-label:",
		"x-forebay-priority: 1.5",
		"x-forebay-priority: -101",
		"x-forebay-priority:",
		"x-forebay-deadline: 5",
		"x-forebay-deadline: 0s",
		"x-forebay-deadline: 9999999999s",
		"x-forebay-durable: yes",
		"x-forebay-batch: maybe",
		"x-forebay-chain:",
		"x-forebay-chain: ,",
		"x-forebay-chain: 1,2,3,4,5,6,7,8,9",
		"x-forebay-colour: red",
		"x-forebay-: x",
		"x-forebay-class: patient\r\nx-forebay-class: patient",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_options options;
		char why[MESSAGE_WHY_LEN] = "", lines[256];

		snprintf(lines, sizeof(lines), "%s\r\n", cases[i]);
		if (parse(lines, &options, why) != FOREBAY_ERR_BAD_REQUEST || !why[0])
			fail_msg("%s", cases[i]);
	}
}

static void
the_rest_goes_along_in_order(void **unused)
{
	struct http_options options;
	char why[MESSAGE_WHY_LEN];

	(void)unused;
	assert_int_equal(parse("X-App: cli\r\nAuthorization: Bearer x\r\nX-Api-Key: y\r\n"
			       "Cookie: c\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: a\r\n"
			       "Accept-Encoding: gzip\r\nContent-Type: a/b\r\nUser-Agent: u\r\n"
			       "Anthropic-Version: 2026-10-21\r\nAnthropic-Beta: a-1, b-2\r\n"
			       "anthropic-beta: c-3\r\nx-empty:\r\nx-stainless-lang: js\r\n",
			       &options, why),
			 0);
	assert_string_equal(options.request.headers,
			    "X-App: cli\nUser-Agent: u\nx-stainless-lang: js\n");
	assert_string_equal(options.request.version, "2026-10-21");
	assert_string_equal(options.request.betas[0], "a-1");
	assert_string_equal(options.request.betas[2], "c-3");
	assert_null(options.request.betas[3]);
	http_options_clear(&options);
}

static void
it_is_bounded(void **unused)
{
	char *lines = malloc(20000);
	struct http_options options;
	char why[MESSAGE_WHY_LEN];

	(void)unused;
	memset(lines, 'x', 20000);
	memcpy(lines, "x-long: ", 8);
	memcpy(lines + 17000, "\r\n", 3);
	assert_int_equal(parse(lines, &options, why), FOREBAY_ERR_BAD_REQUEST);
	memcpy(lines + 16000, "\r\n", 3);
	assert_int_equal(parse(lines, &options, why), 0);
	http_options_clear(&options);
	strcpy(lines, "anthropic-beta: ");
	for (int i = 0; i < 65; i++)
		strcat(lines, "a,");
	strcat(lines, "\r\n");
	assert_int_equal(parse(lines, &options, why), FOREBAY_ERR_BAD_REQUEST);
	free(lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_taken),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(the_rest_goes_along_in_order),
		cmocka_unit_test(it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
