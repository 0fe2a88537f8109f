/*
 * test_config.c - the table of keys as a table, and what people are told about
 * mistakes.
 */
#include "tests/unit/config_fixture.h"

static void
each_row_is_complete(void **unused)
{
	char right[CONFIG_DESCRIPTION_LEN];

	(void)unused;
	for (const struct config_key *key = config_keys; key->section; key++) {
		const struct config_section *section = config_sections;

		while (section->name && strcmp(section->name, key->section) != 0)
			section++;
		assert_non_null(section->name);
		assert_true(key->min <= key->max);
		assert_true(strlen(key->help) > 0);
		assert_int_not_equal(key->help[strlen(key->help) - 1], '.');
		key->kind->describe(key, right, sizeof(right));
		assert_in_range(strlen(right), 1, sizeof(right) - 2);
		for (const struct config_key *other = config_keys; other < key; other++)
			assert_true(strcmp(other->section, key->section) != 0 ||
				    strcmp(other->name, key->name) != 0 ||
				    other->offset != key->offset);
	}
}

static void
the_keys_of_a_section_stand_together(void **unused)
{
	(void)unused;
	for (const struct config_key *key = config_keys; key->section; key++) {
		const struct config_key *first = config_keys;
		uint32_t n = 0;

		while (strcmp(first->section, key->section) != 0)
			first++;
		for (const struct config_key *k = first; k < key; k++, n++)
			assert_string_equal(k->section, key->section);
		assert_int_equal(config_key_bit(key), n < 32 ? 1u << n : 0);
	}
}

static void
the_sample_is_what_print_config_prints(void **unused)
{
	struct config *config = load_good("");
	char *printed = print(config), sample[32768];
	FILE *in = fopen("daemon/forebayd.conf", "r");
	size_t len;

	(void)unused;
	assert_non_null(in);
	len = fread(sample, 1, sizeof(sample) - 1, in);
	sample[len] = '\0';
	fclose(in);
	assert_string_equal(printed, sample);
	free(printed);
	config_free(config);
}

/* --- values ----------------------------------------------------------------- */

static void
defaults_hold_without_a_file(void **unused)
{
	struct config *config = load_good("");

	(void)unused;
	assert_null(config->socket);
	assert_null(config->state_dir);
	assert_string_equal(config->admin_group, "forebay-admin");
	assert_int_equal(config->workers, 32);
	assert_int_equal(config->drain_timeout_ms, 60000);
	assert_int_equal(config->output_high_mark, 1 << 20);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_string_equal(config->url, "https://api.anthropic.com");
	assert_int_equal(config->auth, SECRET_AUTH_BEARER);
	assert_int_equal(config->http, 11);
	assert_int_equal(config->lifetime_ms, 3600000);
	assert_int_equal(config->transport, CONFIG_TRANSPORT_STREAM);
	assert_int_equal(config->gate.policy, CONFIG_POLICY_GATE);
	assert_int_equal(config->gate.manner, CONFIG_MANNER_DEFAULT);
	assert_int_equal(config->pace.requests_per_minute, 0);
	assert_int_equal(config->deadline_ms, 86400000);
	assert_int_equal(config->keep_ms, 7 * 86400000LL);
	assert_int_equal(config->min_free, 512 << 20);
	assert_true(config->durability_full);
	assert_int_equal(config->on_crash, CONFIG_ON_CRASH_RETRY);
	assert_int_equal(config->retry_min_ms, 250);
	assert_int_equal(config->limits.weight, 1);
	assert_int_equal(config->limits.connections, 256);
	assert_int_equal(config->limits.queued_jobs, 0);
	config_free(config);
}

static void
a_file_with_every_form(void **unused)
{
	struct config *config = load_good("\xEF\xBB\xBF; a comment\n"
					  "[daemon] # why not\n"
					  "  workers = 8 ; indented is no continuation\n"
					  "socket=/tmp/f.sock\r\n"
					  "\n"
					  "[queue]\n"
					  "durability = normal\n"
					  "keep = 90s\n"
					  "max_body : 2000\n"
					  "[upstream]\n"
					  "url = http://127.0.0.1:8080//\n"
					  "http = 2\n"
					  "[daemon]\n"
					  "log_level = debug");

	(void)unused;
	assert_int_equal(config->workers, 8);
	assert_string_equal(config->socket, "/tmp/f.sock");
	assert_false(config->durability_full);
	assert_int_equal(config->keep_ms, 90000);
	assert_int_equal(config->max_body, 2000);
	assert_string_equal(config->url, "http://127.0.0.1:8080");
	assert_int_equal(config->http, 2);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	config_free(config);
}

/* What one key makes of a text: true if it takes it. */
static bool
takes(const char *set)
{
	const char *sets[] = { set, NULL };
	const char *errors;
	struct config *config = load("", sets, &errors);
	bool taken = config != NULL;

	config_free(config);
	return taken;
}

static void
bounds_and_units(void **unused)
{
	(void)unused;
	assert_true(takes("daemon.workers=1"));
	assert_true(takes("daemon.workers=10000"));
	assert_false(takes("daemon.workers=0"));
	assert_false(takes("daemon.workers=10001"));
	assert_false(takes("daemon.workers=-1"));
	assert_false(takes("daemon.workers="));
	assert_false(takes("daemon.workers=1 2"));
	assert_false(takes("daemon.workers=0x10"));
	assert_false(takes("daemon.workers=99999999999999999999999"));
	assert_true(takes("queue.keep=0"));
	assert_true(takes("queue.keep=5min"));
	assert_false(takes("queue.keep=5"));
	assert_false(takes("queue.keep=5m"));
	assert_false(takes("queue.keep=1.5h"));
	assert_false(takes("queue.keep=99999999999999999d"));
	assert_true(takes("queue.max_body=31M"));
	assert_false(takes("queue.max_body=31MB"));
	assert_false(takes("queue.max_body=9223372036854775807G"));
	assert_true(takes("queue.durability=normal"));
	assert_false(takes("queue.durability=yes"));
	assert_true(takes("chain x.models=a, b"));
	assert_true(takes("daemon.socket="));
	assert_false(takes("daemon.socket=relative"));
	assert_false(takes("daemon.admin_group=two words"));
	assert_false(takes("upstream.version=a\nb"));
}

static void
urls_that_leave_the_host_need_tls(void **unused)
{
	static const char *const good[] = {
		"https://api.anthropic.com", "https://gateway.example:8443/claude/",
		"https://[2001:db8::1]:443", "http://localhost:9",
		"http://127.0.0.1",	     "http://127.8.8.8:80/x",
		"http://[::1]:8080",	     "unix:/run/x.sock"
	};
	static const char *const bad[] = { "",
					   "api.anthropic.com",
					   "ftp://localhost",
					   "http://api.anthropic.com",
					   "http://127.0.0.1.evil.example",
					   "http://localhost.evil.example",
					   "http://127.1",
					   "http://localhost:0",
					   "http://localhost:65536",
					   "http://localhost:",
					   "http://localhost:8x",
					   "http://user@localhost",
					   "http://evil.example#@localhost",
					   "http://evil.example\\@localhost",
					   "https://host?x=1",
					   "https://ho st",
					   "https://",
					   "https:///path",
					   "https://[::1",
					   "https://[]",
					   "https://[evil.example]",
					   "unix:",
					   "unix:/",
					   "unix:relative" };
	char set[256];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(set, sizeof(set), "upstream.url=%s", good[i]);
		if (!takes(set))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(set, sizeof(set), "upstream.url=%s", bad[i]);
		if (takes(set))
			fail_msg("taken: %s", bad[i]);
	}
}

/* --- complaints ------------------------------------------------------------- */

static void
complaints_say_where_what_and_how(void **unused)
{
	(void)unused;
	expect_complaint("[daemon]\nworkers = lots\n",
			 "2: [daemon] workers = lots: should be a whole number from 1 to 10000");
	expect_complaint("[queue]\n\nkeep = 5\n",
			 "3: [queue] keep = 5: should be a time from 0 to 3650d, such as 250ms, "
			 "90s, 5min, 2h or 7d");
	expect_complaint("[gate]\npolice = gate\n",
			 "2: [gate] police: there is no such key; there are policy manner");
	expect_complaint("[gate m]\nmanner = rude\n",
			 "2: [gate m] manner = rude: should be eager, default or polite");
	expect_complaint("workers = 3\n", "1: workers: stands before any [section]");
	expect_complaint("[daemon]\nworkers\n", "2: should be [section] or key = value");
	expect_complaint("[daemon\n", "1: [daemon: should be [section] alone");
	expect_complaint("[daemon] workers = 3\n",
			 "1: [daemon] workers = 3: should be [section] alone");
}

static void
an_unknown_section_is_said_once(void **unused)
{
	static const char *const titles[] = {
		"deamon",      "daemon x",	  "chain",	    "", "gate a b", "limits bob",
		"limits user", "limits usersbob", "limits user a b"
	};
	char content[128], start[256];
	const char *errors;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
		snprintf(content, sizeof(content), "[%s]\na = 1\nb = 2\n", titles[i]);
		assert_null(load(content, NULL, &errors));
		snprintf(start, sizeof(start), "%s:1: [%s]: there is no such section; there are ",
			 file, titles[i]);
		assert_int_equal(strncmp(errors, start, strlen(start)), 0);
		assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
	}
}

static void
all_mistakes_are_listed(void **unused)
{
	const char *sets[] = { "daemon.workers=x", "workers=1", "daemon.workers", NULL };
	const char *errors;
	size_t lines = 0;

	(void)unused;
	assert_null(load("[daemon]\nworkers = x\nnonsense\nlog_level = loud\n", sets, &errors));
	for (const char *p = errors; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 6);
	assert_non_null(strstr(errors, "--set: daemon.workers: should be SECTION.KEY=VALUE\n"));
}

static void
what_is_wrong_together_is_refused(void **unused)
{
	const char *errors;

	(void)unused;
	assert_null(load("[queue]\nretry_min = 10s\n", NULL, &errors));
	assert_non_null(strstr(errors, "retry_max"));
	assert_null(load("[daemon]\nreceive_buffer = 1M\n", NULL, &errors));
	assert_non_null(strstr(errors, "max_body"));
	assert_null(load("[chain fast]\n", NULL, &errors));
	assert_non_null(strstr(errors, "[chain fast] models"));
	assert_null(load("[chain default]\nmodels = a\n", NULL, &errors));
	assert_non_null(strstr(errors, "own model"));
}

static void
no_line_is_split_or_swallowed(void **unused)
{
	char content[700];
	const char *errors;
	struct config_source source = { .file = file };
	struct config *config = NULL;
	FILE *null = fopen("/dev/null", "w");

	(void)unused;
	/* Cut anywhere by a fixed buffer, this would end in a good line. */
	for (size_t pad = 150; pad < 500; pad++) {
		snprintf(content, sizeof(content), "[daemon]\n#%*s\nworkers = 3\n", (int)pad,
			 "workers = 7");
		config = load(content, NULL, &errors);
		if (config)
			assert_int_equal(config->workers, 3);
		else
			assert_non_null(strstr(errors, ":2: longer than"));
		config_free(config);
	}
	write_file(file, "[daemon]\nworkers = 3\0 4\n", 25);
	config = NULL;
	assert_int_equal(config_load(&source, null, &config), FOREBAY_ERR_BAD_REQUEST);
	assert_null(config);
	fclose(null);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_complete),
		cmocka_unit_test(the_keys_of_a_section_stand_together),
		cmocka_unit_test(the_sample_is_what_print_config_prints),
		cmocka_unit_test(defaults_hold_without_a_file),
		cmocka_unit_test(a_file_with_every_form),
		cmocka_unit_test(bounds_and_units),
		cmocka_unit_test(urls_that_leave_the_host_need_tls),
		cmocka_unit_test(complaints_say_where_what_and_how),
		cmocka_unit_test(an_unknown_section_is_said_once),
		cmocka_unit_test(all_mistakes_are_listed),
		cmocka_unit_test(what_is_wrong_together_is_refused),
		cmocka_unit_test(no_line_is_split_or_swallowed),
	};

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
