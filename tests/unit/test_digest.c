/*
 * test_digest.c - SHA-256 against the vectors of FIPS 180-4, whole and in pieces.
 */
#include "daemon/base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
expect(const uint8_t digest[static DIGEST_LEN], const char *hex)
{
	char text[2 * DIGEST_LEN + 1];

	digest_hex(digest, DIGEST_LEN, text);
	assert_string_equal(text, hex);
}

static void
known_answers(void **unused)
{
	uint8_t digest[DIGEST_LEN];

	(void)unused;
	digest_sha256("abc", 3, digest);
	expect(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(NULL, 0, digest);
	expect(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
pieces_give_what_the_whole_gives(void **unused)
{
	enum { LEN = 1000 };
	uint8_t data[LEN], whole[DIGEST_LEN], pieces[DIGEST_LEN];

	(void)unused;
	for (int i = 0; i < LEN; i++)
		data[i] = (uint8_t)(i * 7);
	digest_sha256(data, LEN, whole);
	for (size_t cut = 0; cut <= LEN; cut += 63) {
		struct digest *digest = digest_new();

		digest_add(digest, data, cut);
		digest_add(digest, NULL, 0);
		digest_add(digest, data + cut, LEN - cut);
		digest_end(digest, pieces);
		assert_memory_equal(whole, pieces, DIGEST_LEN);
	}
}

static void
an_abandoned_digest_is_freed(void **unused)
{
	struct digest *digest = digest_new();

	(void)unused;
	digest_add(digest, "abc", 3);
	digest_free(digest);
	digest_free(NULL);
}

static void
hex_of_the_first_bytes(void **unused)
{
	uint8_t bytes[] = { 0x00, 0x0f, 0xf0, 0xff };
	char text[9];

	(void)unused;
	digest_hex(bytes, 4, text);
	assert_string_equal(text, "000ff0ff");
	digest_hex(bytes, 2, text);
	assert_string_equal(text, "000f");
	digest_hex(bytes, 0, text);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(pieces_give_what_the_whole_gives),
		cmocka_unit_test(an_abandoned_digest_is_freed),
		cmocka_unit_test(hex_of_the_first_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
