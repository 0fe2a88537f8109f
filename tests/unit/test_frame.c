/*
 * test_frame.c - the envelope: what goes in comes out, every rule has teeth,
 * and a frame may arrive one byte at a time.
 */
#include "protocol/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT FRAME_MAX_PAYLOAD

/* A header whose every field is free, legal or not. */
static void
put_raw(uint8_t ret[FRAME_HEADER_LEN], uint32_t len, int type, int flags, int reserved,
	uint32_t stream)
{
	frame_put_header(ret, (enum frame_type)type, (unsigned)flags, stream, len);
	ret[6] = (uint8_t)(reserved >> 8);
	ret[7] = (uint8_t)reserved;
}

static void
a_header_has_the_documented_bytes(void **unused)
{
	static const uint8_t expected[] = { 0, 0, 0x12, 0x34, 2, 1, 0, 0, 0xa1, 0xb2, 0xc3, 0xd4 };
	uint8_t header[FRAME_HEADER_LEN];

	(void)unused;
	frame_put_header(header, FRAME_REQUEST, FRAME_FLAG_END, 0xa1b2c3d4, 0x1234);
	assert_memory_equal(header, expected, sizeof(expected));
}

/* Every type, from every side that may send it, survives the round trip. */
static void
every_type_round_trips(void **unused)
{
	static const struct {
		enum frame_type type;
		unsigned flags;
		uint32_t stream, len;
		bool client, daemon;
	} rows[] = {
		{ FRAME_HELLO, 0, 0, 14, true, true },
		{ FRAME_REQUEST, 1, 7, 14, true, false },
		{ FRAME_DATA, 0, UINT32_MAX, 14, true, true },
		{ FRAME_EVENT, 0, 7, 14, false, true },
		{ FRAME_REPLY, 1, 7, 14, false, true },
		{ FRAME_ERROR, 1, 7, 14, false, true },
		{ FRAME_ERROR, 1, 0, 14, false, true },
		{ FRAME_CANCEL, 0, 7, 0, true, false },
		{ FRAME_PING, 0, 0, FRAME_MAX_PING, true, true },
		{ FRAME_PONG, 0, 0, 0, true, true },
		{ FRAME_CHUNK, 0, 7, 14, false, true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t buf[FRAME_HEADER_LEN + FRAME_MAX_PING] = { 0 };
		size_t whole = FRAME_HEADER_LEN + rows[i].len;

		frame_put_header(buf, rows[i].type, rows[i].flags, rows[i].stream, rows[i].len);
		for (int side = FRAME_SIDE_CLIENT; side <= FRAME_SIDE_DAEMON; side++) {
			bool may = side == FRAME_SIDE_CLIENT ? rows[i].client : rows[i].daemon;
			struct frame frame;
			const char *why = NULL;
			size_t used;
			enum forebay_err err =
			    frame_parse(buf, whole, side, LIMIT, &frame, &used, &why);

			assert_int_equal(err, may ? FOREBAY_ERR_OK : FOREBAY_ERR_BAD_FRAME);
			if (!may) {
				assert_non_null(why);
				continue;
			}
			assert_null(why);
			assert_int_equal(used, whole);
			assert_int_equal(frame.type, rows[i].type);
			assert_int_equal(frame.flags, rows[i].flags);
			assert_int_equal(frame.stream, rows[i].stream);
			assert_int_equal(frame.len, rows[i].len);
			assert_ptr_equal(frame.payload, buf + FRAME_HEADER_LEN);
		}
	}
}

static void
broken_headers_are_refused(void **unused)
{
	static const struct {
		uint32_t len;
		int type, flags, reserved;
		uint32_t stream;
		enum frame_side from;
		const char *word; /* the sentence contains it */
	} rows[] = {
		{ LIMIT + 1, FRAME_DATA, 0, 0, 1, FRAME_SIDE_CLIENT, "longer" },
		{ UINT32_MAX, FRAME_DATA, 0, 0, 1, FRAME_SIDE_CLIENT, "longer" },
		{ 0, 0, 0, 0, 1, FRAME_SIDE_CLIENT, "type" },
		{ 0, 11, 0, 0, 1, FRAME_SIDE_CLIENT, "type" },
		{ 0, 255, 0, 0, 1, FRAME_SIDE_CLIENT, "type" },
		{ 0, FRAME_DATA, 2, 0, 1, FRAME_SIDE_CLIENT, "flag" },
		{ 0, FRAME_DATA, 0x81, 0, 1, FRAME_SIDE_CLIENT, "flag" },
		{ 0, FRAME_DATA, 0, 1, 1, FRAME_SIDE_CLIENT, "reserved" },
		{ 0, FRAME_DATA, 0, 0x100, 1, FRAME_SIDE_CLIENT, "reserved" },
		{ 2, FRAME_HELLO, 0, 0, 1, FRAME_SIDE_CLIENT, "stream 0" },
		{ 2, FRAME_REQUEST, 1, 0, 0, FRAME_SIDE_CLIENT, "stream 0" },
		{ 2, FRAME_DATA, 1, 0, 0, FRAME_SIDE_CLIENT, "stream 0" },
		{ 0, FRAME_CANCEL, 0, 0, 0, FRAME_SIDE_CLIENT, "stream 0" },
		{ 1, FRAME_CANCEL, 0, 0, 1, FRAME_SIDE_CLIENT, "CANCEL" },
		{ 65, FRAME_PING, 0, 0, 0, FRAME_SIDE_CLIENT, "64" },
		{ 65, FRAME_PONG, 0, 0, 0, FRAME_SIDE_DAEMON, "64" },
		{ 2, FRAME_PING, 0, 0, 3, FRAME_SIDE_CLIENT, "stream 0" },
		{ 2, FRAME_EVENT, 1, 0, 1, FRAME_SIDE_DAEMON, "END" },
		{ 2, FRAME_CHUNK, 1, 0, 1, FRAME_SIDE_DAEMON, "END" },
		{ 2, FRAME_ERROR, 0, 0, 1, FRAME_SIDE_DAEMON, "END" },
		{ 2, FRAME_REPLY, 1, 0, 0, FRAME_SIDE_DAEMON, "stream 0" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t header[FRAME_HEADER_LEN];
		struct frame frame;
		const char *why = NULL;
		size_t used;

		put_raw(header, rows[i].len, rows[i].type, rows[i].flags, rows[i].reserved,
			rows[i].stream);
		assert_int_equal(
		    frame_parse(header, sizeof(header), rows[i].from, LIMIT, &frame, &used, &why),
		    FOREBAY_ERR_BAD_FRAME);
		assert_non_null(why);
		if (!strstr(why, rows[i].word))
			fail_msg("row %zu: \"%s\" does not say \"%s\"", i, why, rows[i].word);
		assert_int_equal(used, 0);
	}
}

static void
the_limit_of_the_caller_counts(void **unused)
{
	uint8_t header[FRAME_HEADER_LEN];
	struct frame frame;
	const char *why = NULL;
	size_t used;

	(void)unused;
	frame_put_header(header, FRAME_DATA, 0, 1, 101);
	assert_int_equal(
	    frame_parse(header, sizeof(header), FRAME_SIDE_CLIENT, 100, &frame, &used, &why),
	    FOREBAY_ERR_BAD_FRAME);
	frame_put_header(header, FRAME_DATA, 0, 1, 100);
	assert_int_equal(
	    frame_parse(header, sizeof(header), FRAME_SIDE_CLIENT, 100, &frame, &used, &why),
	    FOREBAY_ERR_OK);
	/* Asking for more than the protocol allows gives what it allows. */
	frame_put_header(header, FRAME_DATA, 0, 1, LIMIT + 1);
	assert_int_equal(
	    frame_parse(header, sizeof(header), FRAME_SIDE_CLIENT, UINT32_MAX, &frame, &used, &why),
	    FOREBAY_ERR_BAD_FRAME);
}

static void
a_frame_may_come_byte_by_byte(void **unused)
{
	uint8_t whole[FRAME_HEADER_LEN + 5 + FRAME_HEADER_LEN];
	struct frame frame;
	const char *why = NULL;
	size_t used;

	(void)unused;
	frame_put_header(whole, FRAME_DATA, FRAME_FLAG_END, 9, 5);
	memcpy(whole + FRAME_HEADER_LEN, "hello", 5);
	frame_put_header(whole + FRAME_HEADER_LEN + 5, FRAME_PING, 0, 0, 0);

	for (size_t len = 0; len < FRAME_HEADER_LEN + 5; len++) {
		/* An exact copy, so that a sanitizer sees a read past the end. */
		uint8_t *part = malloc(len + 1);

		memcpy(part, whole, len);
		part = realloc(part, len ? len : 1);
		assert_int_equal(
		    frame_parse(part, len, FRAME_SIDE_CLIENT, LIMIT, &frame, &used, &why),
		    FOREBAY_ERR_OK);
		assert_int_equal(used, 0);
		assert_null(frame.payload);
		assert_int_equal(frame.len, len < FRAME_HEADER_LEN ? 0 : 5);
		free(part);
	}
	assert_int_equal(
	    frame_parse(whole, sizeof(whole), FRAME_SIDE_CLIENT, LIMIT, &frame, &used, &why),
	    FOREBAY_ERR_OK);
	assert_int_equal(used, FRAME_HEADER_LEN + 5);
	assert_memory_equal(frame.payload, "hello", 5);
	assert_int_equal(frame_parse(whole + used, sizeof(whole) - used, FRAME_SIDE_CLIENT, LIMIT,
				     &frame, &used, &why),
			 FOREBAY_ERR_OK);
	assert_int_equal(frame.type, FRAME_PING);
	assert_int_equal(used, FRAME_HEADER_LEN);
	assert_non_null(frame.payload);
}

static void
types_have_names(void **unused)
{
	(void)unused;
	assert_string_equal(frame_type_name(FRAME_HELLO), "HELLO");
	assert_string_equal(frame_type_name(FRAME_CHUNK), "CHUNK");
	assert_string_equal(frame_type_name(0), "unknown");
	assert_string_equal(frame_type_name(-1), "unknown");
	assert_string_equal(frame_type_name(11), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_has_the_documented_bytes),
		cmocka_unit_test(every_type_round_trips),
		cmocka_unit_test(broken_headers_are_refused),
		cmocka_unit_test(the_limit_of_the_caller_counts),
		cmocka_unit_test(a_frame_may_come_byte_by_byte),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
