/*
 * config_fixture.h - a file to load, and what the tests of the configuration do
 * with it: load, expect a complaint, print.
 */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include "daemon/base/config_table.h"

#include "daemon/base/log.h"
#include "daemon/base/secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static __attribute__((unused)) char dir[64];
static __attribute__((unused)) char file[128];

static __attribute__((unused)) void
write_file(const char *path, const char *content, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(content, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* With complaints, if any, in a buffer that lives until the next call. */
static __attribute__((unused)) struct config *
load(const char *content, const char *const *sets, const char **ret_errors)
{
	static char *errors;
	size_t errors_len;
	struct config_source source = { .file = file, .sets = sets };
	struct config *config = NULL;
	enum forebay_err err;
	FILE *out;

	free(errors);
	out = open_memstream(&errors, &errors_len);
	write_file(file, content, strlen(content));
	err = config_load(&source, out, &config);
	fclose(out);
	assert_int_equal(err, config ? FOREBAY_ERR_OK : FOREBAY_ERR_BAD_REQUEST);
	assert_int_equal(config == NULL, errors_len > 0);
	*ret_errors = errors;
	return config;
}

static __attribute__((unused)) struct config *
load_good(const char *content)
{
	const char *errors;
	struct config *config = load(content, NULL, &errors);

	if (!config)
		fail_msg("refused: %s", errors);
	return config;
}

/* The file part of a complaint is taken off. */
static __attribute__((unused)) void
expect_complaint(const char *content, const char *complaint)
{
	const char *errors;
	struct config *config = load(content, NULL, &errors);
	char wanted[1024];

	assert_null(config);
	snprintf(wanted, sizeof(wanted), "%s:%s\n", file, complaint);
	assert_string_equal(errors, wanted);
}

static __attribute__((unused)) char *
print(const struct config *config)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	config_print(config, out);
	fclose(out);
	return text;
}

/* --- the table -------------------------------------------------------------- */

static int
run_config_tests(const struct CMUnitTest *tests, size_t count)
{
	int failed;

	log_init(LOG_LEVEL_ERROR);
	strcpy(dir, "/tmp/test_config.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/f.conf", dir);
	failed = _cmocka_run_group_tests("config", tests, count, NULL, NULL);
	unlink(file);
	rmdir(dir);
	return failed;
}

#endif
