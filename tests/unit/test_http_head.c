/*
 * test_http_head.c - heads and chunked bodies: what is taken, what is refused, and
 * that it does not matter where the bytes are cut.
 */
#include "daemon/serve/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* From an allocation of its own, so that a sanitizer sees a look beyond it. */
static int
parse(const char *text, size_t len, struct http_head *ret, const char **ret_why)
{
	uint8_t *copy = malloc(len);
	int status;

	memcpy(copy, text, len);
	status = http_head_parse(ret, copy, len, ret_why);
	free(copy);
	return status;
}

static void
a_head_is_read(void **unused)
{
	static const char text[] = "POST /v1/messages?beta=true&x HTTP/1.1\r\n"
				   "Host: localhost\r\n"
				   "X-Empty:\r\n"
				   "x-padded: \t a b \t\r\n"
				   "Connection: keep-alive, X-Hop\r\n"
				   "Content-Length: 12\r\n"
				   "expect: 100-Continue\r\n\r\n";
	struct http_head head;
	const char *why;

	(void)unused;
	assert_int_equal(parse(text, sizeof(text) - 1, &head, &why), 0);
	assert_string_equal(head.method, "POST");
	assert_string_equal(head.path, "/v1/messages");
	assert_string_equal(head.query, "beta=true&x");
	assert_int_equal(head.field_count, 6);
	assert_string_equal(http_head_find(&head, "x-empty"), "");
	assert_string_equal(http_head_find(&head, "X-PADDED"), "a b");
	assert_null(http_head_find(&head, "x-padde"));
	assert_int_equal(head.content_length, 12);
	assert_true(head.keep_alive && head.expects_continue && !head.chunked && !head.is_1_0);
	assert_true(http_list_has(http_head_find(&head, "connection"), "x-hop"));
	assert_false(http_list_has(http_head_find(&head, "connection"), "x-ho"));
	assert_false(http_list_has(NULL, "x"));
	http_head_clear(&head);
}

static void
it_says_whether_to_go_on(void **unused)
{
	static const struct {
		const char *text;
		bool keep_alive, chunked;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: a, Close\r\n\r\n", false, false },
		{ "GET / HTTP/1.0\r\n\r\n", false, false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false },
		{ "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", true, false },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", true, false },
		{ "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", true, true },
		{ "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
		  true, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head head;
		const char *why;

		assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &head, &why), 0);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
		assert_int_equal(head.chunked, cases[i].chunked);
		http_head_clear(&head);
	}
}

#define HEAD(lines) "GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n"

static void
what_can_be_read_in_two_ways_is_refused(void **unused)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "\r\n\r\n", 400 },
		{ "GET /\r\n\r\n", 400 },
		{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505 },
		{ "GET / HTTPS/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ HEAD("Host: b\r\n"), 400 },
		{ HEAD("a\r\n"), 400 },
		{ HEAD(": a\r\n"), 400 },
		{ HEAD("a : b\r\n"), 400 },
		{ HEAD(" folded\r\n"), 400 },
		{ HEAD("a: b\rc\r\n"), 400 },
		{ HEAD("a: b\nc: d\r\n"), 400 },
		{ HEAD("a: \x7f\r\n"), 400 },
		{ HEAD("Content-Length: 1x\r\n"), 400 },
		{ HEAD("Content-Length: +1\r\n"), 400 },
		{ HEAD("Content-Length:\r\n"), 400 },
		{ HEAD("Content-Length: 1234567890123456789\r\n"), 400 },
		{ HEAD("Content-Length: 1\r\nContent-Length: 2\r\n"), 400 },
		{ HEAD("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400 },
		{ HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400 },
		{ HEAD("Transfer-Encoding: gzip, chunked\r\n"), 501 },
		{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ HEAD("Expect: something\r\n"), 417 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head head;
		const char *why = NULL;
		int status = parse(cases[i].text, strlen(cases[i].text), &head, &why);

		if (status != cases[i].status || !why)
			fail_msg("%s: %d", cases[i].text, status);
	}
}

static void
fields_are_counted_and_zero_is_no_byte(void **unused)
{
	char text[8192] = "GET / HTTP/1.1\r\nHost: a\r\n";
	struct http_head head;
	const char *why;
	size_t len;

	(void)unused;
	for (int i = 1; i < HTTP_MAX_FIELDS; i++)
		strcat(text, "a: b\r\n");
	len = strlen(text);
	memcpy(text + len, "\r\n", 2);
	assert_int_equal(parse(text, len + 2, &head, &why), 0);
	http_head_clear(&head);
	memcpy(text + len, "a: b\r\n\r\n", 8);
	assert_int_equal(parse(text, len + 8, &head, &why), 431);
	text[30] = '\0';
	assert_int_equal(parse(text, len + 8, &head, &why), 400);
}

/* --- chunks --------------------------------------------------------------------------- */

/* The body, in steps; used: bytes of text that belong to it. */
static int
feed(const char *text, size_t len, size_t step, char *ret, size_t *ret_used)
{
	struct http_chunks chunks = { 0 };
	size_t at = 0, used;

	ret[0] = '\0';
	while (at < len && chunks.state != HTTP_CHUNK_DONE && chunks.state != HTTP_CHUNK_BAD) {
		size_t n = MIN(step, len - at), found_len = 0;
		uint8_t *copy = malloc(n);
		const uint8_t *found = NULL;

		memcpy(copy, text + at, n);
		used = http_chunks_feed(&chunks, copy, n, &found, &found_len);
		assert_true(used > 0 && used <= n);
		if (found_len > 0)
			strncat(ret, (const char *)found, found_len);
		free(copy);
		at += used;
	}
	*ret_used = at;
	return chunks.state;
}

static void
chunks_are_put_together(void **unused)
{
	static const char text[] = "4\r\nWiki\r\n5;name=\"v\"\r\npedia\r\nE \r\n in\r\n\r\nchunks."
				   "\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n";
	char body[256];
	size_t used;

	(void)unused;
	for (size_t step = 1; step <= sizeof(text); step++) {
		assert_int_equal(feed(text, sizeof(text) - 1, step, body, &used), HTTP_CHUNK_DONE);
		assert_string_equal(body, "Wikipedia in\r\n\r\nchunks.");
		assert_int_equal(used, sizeof(text) - 1);
	}
	/* What stands behind it is the next request. */
	assert_int_equal(feed("1\r\nx\r\n0\r\n\r\nGET", 14, 14, body, &used), HTTP_CHUNK_DONE);
	assert_int_equal(used, 11);
}

static void
broken_chunks_are_refused(void **unused)
{
	static const char *const cases[] = { "x\r\n",
					     "\r\n",
					     "1\nx\r\n",
					     "1\rx",
					     "-1\r\n",
					     "1 x\ny\r\n",
					     "1\r\nxy",
					     "1\r\nx\n",
					     "1\r\nx\r0",
					     ";a\r\n",
					     "0x1\r\n",
					     "0\r\na\nb\r\n\r\n",
					     "1111111111111111\r\n" };
	char body[256], *long_line;
	size_t used;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 8; step++)
			if (feed(cases[i], strlen(cases[i]), step, body, &used) != HTTP_CHUNK_BAD)
				fail_msg("%s", cases[i]);
	/* Trailers and extensions without end. */
	long_line = malloc(10000);
	memset(long_line, 'a', 10000);
	memcpy(long_line, "1;", 2);
	assert_int_equal(feed(long_line, 10000, 100, body, &used), HTTP_CHUNK_BAD);
	memcpy(long_line, "0\r\n", 3);
	assert_int_equal(feed(long_line, 10000, 100, body, &used), HTTP_CHUNK_BAD);
	free(long_line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_read),
		cmocka_unit_test(it_says_whether_to_go_on),
		cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
		cmocka_unit_test(fields_are_counted_and_zero_is_no_byte),
		cmocka_unit_test(chunks_are_put_together),
		cmocka_unit_test(broken_chunks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
