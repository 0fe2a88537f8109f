/*
 * test_secret.c - where the key may come from, what is refused, and that no
 * copy of it stays behind.
 */
#include "daemon/base/secret.h"

#include "daemon/base/digest.h"
#include "daemon/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "sk-test-0123456789-abcdefgh-WXYZ"

static char dir[64];
static char why[512];

static char *
put(const char *name, const char *content, mode_t mode)
{
	static char path[192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)unlink(path); /* it may be read-only, even for us */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static void
drop(const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static int
setup(void **unused)
{
	(void)unused;
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("ANTHROPIC_API_KEY");
	why[0] = '\0';
	return 0;
}

/* What is loaded must give this header; NULL: must be refused. */
static void
expect_header(const char *key_file, enum secret_auth auth, const char *header)
{
	struct secret *secret = NULL;
	enum forebay_err err = secret_load(key_file, auth, &secret, why, sizeof(why));

	if (header) {
		assert_int_equal(err, FOREBAY_ERR_OK);
		assert_string_equal(secret_header(secret), header);
	} else {
		assert_int_equal(err, FOREBAY_ERR_AUTH_FAILED);
		assert_null(secret);
		assert_true(strlen(why) > 0);
		assert_null(strstr(why, "sk-test"));
	}
	secret_free(secret);
}

static void
both_headers_from_a_file(void **unused)
{
	char *path = put("k", KEY "\r\n", 0600);

	(void)unused;
	expect_header(path, SECRET_AUTH_BEARER, "Authorization: Bearer " KEY);
	expect_header(path, SECRET_AUTH_X_API_KEY, "x-api-key: " KEY);
	drop("k");
}

static void
the_fingerprint_is_all_people_see(void **unused)
{
	struct secret *secret;
	uint8_t digest[DIGEST_LEN];
	char hex[9], wanted[40];

	(void)unused;
	digest_sha256(KEY, strlen(KEY), digest);
	digest_hex(digest, 4, hex);
	snprintf(wanted, sizeof(wanted), "sha256:%s ...WXYZ", hex);
	setenv("ANTHROPIC_API_KEY", KEY, 1);
	assert_int_equal(secret_load(NULL, SECRET_AUTH_BEARER, &secret, why, sizeof(why)), 0);
	assert_string_equal(secret_fingerprint(secret), wanted);
	secret_free(secret);

	/* Four characters of a short key would be a good part of it. */
	setenv("ANTHROPIC_API_KEY", "sk-test-short", 1);
	assert_int_equal(secret_load(NULL, SECRET_AUTH_BEARER, &secret, why, sizeof(why)), 0);
	assert_null(strstr(secret_fingerprint(secret), "hort"));
	secret_free(secret);
}

static void
credentials_come_first_and_by_name(void **unused)
{
	char *path = put("file", "sk-test-file", 0600), file[128];

	(void)unused;
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	setenv("ANTHROPIC_API_KEY", "sk-test-environment", 1);
	expect_header(path, SECRET_AUTH_X_API_KEY, "x-api-key: sk-test-file");
	put("key_b", "sk-test-b", 0444);
	put("other", "sk-test-other", 0444);
	path = put("key_a", "sk-test-a\n", 0440);
	snprintf(file, sizeof(file), "%s/file", dir);
	expect_header(file, SECRET_AUTH_X_API_KEY, "x-api-key: sk-test-a");
	put("ekey_z", "sk-test-z", 0444);
	expect_header(NULL, SECRET_AUTH_X_API_KEY, "x-api-key: sk-test-z");
	drop("ekey_z");
	put("forebay.key.a", "sk-test-imported", 0444);
	expect_header(NULL, SECRET_AUTH_X_API_KEY, "x-api-key: sk-test-imported");
	/* A bad first one is refused by name, and not passed over in silence. */
	put("forebay.key.a", "", 0444);
	expect_header(NULL, SECRET_AUTH_X_API_KEY, NULL);
	assert_non_null(strstr(why, "credential forebay.key.a holds no key"));
	drop("forebay.key.a");
	drop("key_a");
	drop("key_b");
	drop("other");
	drop("file");
}

static void
the_environment_is_wiped_in_place(void **unused)
{
	char variable[] = "ANTHROPIC_API_KEY=" KEY;
	char nothing[sizeof(KEY)] = { 0 };

	(void)unused;
	putenv(variable);
	expect_header(NULL, SECRET_AUTH_BEARER, "Authorization: Bearer " KEY);
	assert_null(getenv("ANTHROPIC_API_KEY"));
	assert_memory_equal(variable + strlen("ANTHROPIC_API_KEY="), nothing, sizeof(nothing));

	/* Also when the key came from elsewhere. */
	strcpy(variable, "ANTHROPIC_API_KEY=" KEY);
	putenv(variable);
	expect_header(put("k", "sk-test-1", 0600), SECRET_AUTH_BEARER,
		      "Authorization: Bearer sk-test-1");
	assert_null(getenv("ANTHROPIC_API_KEY"));
	assert_memory_equal(variable + strlen("ANTHROPIC_API_KEY="), nothing, sizeof(nothing));
	drop("k");
}

static void
a_key_file_is_ours_alone(void **unused)
{
	static const mode_t open_modes[] = { 0640, 0604, 0660, 0601, 0644 };
	char *path = NULL;

	(void)unused;
	for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
		path = put("k", KEY, open_modes[i]);
		expect_header(path, SECRET_AUTH_BEARER, NULL);
		assert_non_null(strstr(why, "chmod 600"));
	}
	path = put("k", KEY, 0400);
	expect_header(path, SECRET_AUTH_BEARER, "Authorization: Bearer " KEY);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		expect_header(path, SECRET_AUTH_BEARER, NULL);
		assert_non_null(strstr(why, "uid 12345"));
	}
	drop("k");
	expect_header(path, SECRET_AUTH_BEARER, NULL);
	assert_non_null(strstr(why, "No such file"));
	expect_header(dir, SECRET_AUTH_BEARER, NULL);
	assert_non_null(strstr(why, "regular file"));
	/* A pipe must not stop the daemon until somebody writes. */
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_header(path, SECRET_AUTH_BEARER, NULL);
	drop("k");
}

static void
what_is_no_key_is_refused(void **unused)
{
	static const char *const bad[] = {
		"",
		"\n",
		"two words",
		" sk-test",
		"sk-test ",
		"sk-test\nsk-test",
		"sk\ttest",
		"sk-test\r\nX-Evil: 1",
		"key = sk-test",
		"sk-test\033",
		"sk-test\177",
	};
	char longer[4096];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect_header(put("k", bad[i], 0600), SECRET_AUTH_BEARER, NULL);
		assert_non_null(strstr(why, "one line"));
	}
	memset(longer, 'k', sizeof(longer));
	longer[3072] = '\0';
	expect_header(put("k", longer, 0600), SECRET_AUTH_X_API_KEY,
		      strcat(strcpy((char[4096]){ 0 }, "x-api-key: "), longer));
	longer[3072] = 'k';
	longer[3073] = '\0';
	expect_header(put("k", longer, 0600), SECRET_AUTH_BEARER, NULL);
	assert_non_null(strstr(why, "too long"));
	drop("k");
	setenv("ANTHROPIC_API_KEY", longer, 1);
	expect_header(NULL, SECRET_AUTH_BEARER, NULL);
	assert_non_null(strstr(why, "too long"));
}

static void
without_any_key_it_says_what_to_do(void **unused)
{
	(void)unused;
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	expect_header(NULL, SECRET_AUTH_BEARER, NULL);
	assert_non_null(strstr(why, "/etc/forebay/keys.d"));
	setenv("CREDENTIALS_DIRECTORY", "/nonexistent", 1);
	expect_header(NULL, SECRET_AUTH_BEARER, NULL);
	secret_free(NULL);
}

/* In the map of this process: is the page with the header locked, and left out
 * of core dumps? */
static void
the_page_is_locked_and_not_dumped(void **unused)
{
	struct secret *secret;
	FILE *in = fopen("/proc/self/smaps", "r");
	unsigned long wanted, start, end;
	char line[512];
	bool inside = false, checked = false;

	(void)unused;
	setenv("ANTHROPIC_API_KEY", KEY, 1);
	assert_int_equal(secret_load(NULL, SECRET_AUTH_BEARER, &secret, why, sizeof(why)), 0);
	wanted = (unsigned long)secret_header(secret);
	if (!in) {
		secret_free(secret);
		skip();
	}
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= wanted && wanted < end;
		if (!inside || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		checked = true;
		assert_non_null(strstr(line, " dd"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		/* The sanitizers make mlock() do nothing; a container may forbid it. */
		if (mlock(line, 1) == 0)
			assert_non_null(strstr(line, " lo"));
#endif
	}
	fclose(in);
	assert_true(checked);
	secret_free(secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_headers_from_a_file, setup),
		cmocka_unit_test_setup(the_fingerprint_is_all_people_see, setup),
		cmocka_unit_test_setup(credentials_come_first_and_by_name, setup),
		cmocka_unit_test_setup(the_environment_is_wiped_in_place, setup),
		cmocka_unit_test_setup(a_key_file_is_ours_alone, setup),
		cmocka_unit_test_setup(what_is_no_key_is_refused, setup),
		cmocka_unit_test_setup(without_any_key_it_says_what_to_do, setup),
		cmocka_unit_test_setup(the_page_is_locked_and_not_dumped, setup),
	};
	int failed;

	strcpy(dir, "/tmp/test_secret.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
