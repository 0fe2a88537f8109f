/*
 * test_config.c - the table of keys as a table; files, drop-ins and --set; what
 * people are told about mistakes; and that what is printed can be read again.
 */
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

static char dir[64];
static char file[128];

static void
write_file(const char *path, const char *content, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(content, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* With complaints, if any, in a buffer that lives until the next call. */
static struct config *
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

static struct config *
load_good(const char *content)
{
	const char *errors;
	struct config *config = load(content, NULL, &errors);

	if (!config)
		fail_msg("refused: %s", errors);
	return config;
}

/* The file part of a complaint is taken off. */
static void
expect_complaint(const char *content, const char *complaint)
{
	const char *errors;
	struct config *config = load(content, NULL, &errors);
	char wanted[1024];

	assert_null(config);
	snprintf(wanted, sizeof(wanted), "%s:%s\n", file, complaint);
	assert_string_equal(errors, wanted);
}

static char *
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

static void
a_file_that_cannot_be_read_is_named(void **unused)
{
	struct config_source source = { .file = "/nonexistent/f.conf" };
	struct config *config = NULL;
	char errors[256] = "";
	FILE *out = fmemopen(errors, sizeof(errors), "w");

	(void)unused;
	assert_int_equal(config_load(&source, out, &config), FOREBAY_ERR_BAD_REQUEST);
	source.file = dir;
	assert_int_equal(config_load(&source, out, &config), FOREBAY_ERR_BAD_REQUEST);
	fclose(out);
	assert_non_null(strstr(errors, "/nonexistent/f.conf: cannot be read: No such file"));
	assert_non_null(strstr(errors, ": cannot be read: Is a directory"));
}

static void
an_endless_file_is_cut(void **unused)
{
	struct config_source source = { .file = "/dev/zero" };
	struct config *config = NULL;
	char errors[4096] = "";
	FILE *out = fmemopen(errors, sizeof(errors), "w");

	(void)unused;
	assert_int_equal(config_load(&source, out, &config), FOREBAY_ERR_BAD_REQUEST);
	fclose(out);
	assert_non_null(strstr(errors, "larger than 1 MiB"));
}

/* --- several sources -------------------------------------------------------- */

static void
drop_ins_come_after_in_name_order_and_sets_last(void **unused)
{
	const char *sets[] = { "daemon.log_level = debug ", "gate us.claude-x.policy=classic",
			       NULL };
	char path[256];
	const char *errors;
	struct config *config;

	(void)unused;
	snprintf(path, sizeof(path), "%s.d", file);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s.d/20-b.conf", file);
	write_file(path, "[daemon]\nworkers = 20\n", 22);
	snprintf(path, sizeof(path), "%s.d/10-a.conf", file);
	write_file(path, "[daemon]\nworkers = 10\nmax_streams = 5\n", 38);
	snprintf(path, sizeof(path), "%s.d/30-c.conf.bak", file);
	write_file(path, "nonsense\n", 9);
	config = load("[daemon]\nworkers = 1\nmax_streams = 1\nlog_level = error\n", sets, &errors);
	assert_non_null(config);
	assert_int_equal(config->workers, 20);
	assert_int_equal(config->max_streams, 5);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config_gate_of(config, "us.claude-x").policy, CONFIG_POLICY_CLASSIC);
	config_free(config);

	snprintf(path, sizeof(path), "%s.d/30-c.conf.bak", file);
	unlink(path);
	snprintf(path, sizeof(path), "%s.d/20-b.conf", file);
	unlink(path);
	snprintf(path, sizeof(path), "%s.d/10-a.conf", file);
	unlink(path);
	snprintf(path, sizeof(path), "%s.d", file);
	assert_int_equal(rmdir(path), 0);
}

static void
overrides_change_only_what_they_give(void **unused)
{
	struct config *config = load_good("[gate opus]\nmanner = polite\n"
					  "[gate]\npolicy = classic\n"
					  "[pace opus]\nrequests_per_minute = 7\n"
					  "[pace]\nmin_spacing = 2s\nrequests_per_minute = 9\n");

	(void)unused;
	/* What stands later in the file still reaches what was not given. */
	assert_int_equal(config_gate_of(config, "opus").policy, CONFIG_POLICY_CLASSIC);
	assert_int_equal(config_gate_of(config, "opus").manner, CONFIG_MANNER_POLITE);
	assert_int_equal(config_gate_of(config, "other").manner, CONFIG_MANNER_DEFAULT);
	assert_int_equal(config_pace_of(config, "opus").min_spacing_ms, 2000);
	assert_int_equal(config_pace_of(config, "opus").requests_per_minute, 7);
	assert_int_equal(config_pace_of(config, "other").requests_per_minute, 9);
	config_free(config);
}

static void
user_limits_win_over_group_limits(void **unused)
{
	struct config *config = load_good("[limits]\nweight = 2\nrunning = 9\n"
					  "[limits group 50]\nweight = 5\nqueued_jobs = 50\n"
					  "[limits group 60]\nweight = 6\nconnections = 60\n"
					  "[limits user 1000]\nweight = 10\n"
					  "[limits user 1000]\nrunning = 1\n"
					  "[limits user no-such-user-here]\nweight = 99\n");
	const gid_t groups[] = { 7, 60, 50 };
	struct config_limits limits;

	(void)unused;
	limits = config_limits_of(config, 1000, groups, 3);
	assert_int_equal(limits.weight, 10);
	assert_int_equal(limits.running, 1);
	assert_int_equal(limits.queued_jobs, 50);
	assert_int_equal(limits.connections, 60);
	limits = config_limits_of(config, 2000, groups, 3);
	assert_int_equal(limits.weight, 5);
	assert_int_equal(limits.running, 9);
	limits = config_limits_of(config, 2000, NULL, 0);
	assert_int_equal(limits.weight, 2);
	/* A name nobody has matches nobody, not even the uid that means nobody. */
	limits = config_limits_of(config, (uid_t)-1, NULL, 0);
	assert_int_equal(limits.weight, 2);
	limits = config_limits_of(config, 0, NULL, 0);
	assert_int_equal(limits.weight, 2);
	config_free(config);
	config = load_good("[limits user root]\nweight = 3\n");
	assert_int_equal(config_limits_of(config, 0, NULL, 0).weight, 3);
	config_free(config);
}

static void
chains_keep_their_order(void **unused)
{
	struct config *config = load_good("[chain fast]\nmodels = b,a  c\npatience = 90s\n"
					  "[chain slow]\nmodels = z\nadapt = yes\n"
					  "[chain fast]\nshrink_to = 512\n");
	const struct config_chain *chain = config_chain_of(config, "fast");

	(void)unused;
	assert_non_null(chain);
	assert_string_equal(chain->models[0], "b");
	assert_string_equal(chain->models[1], "a");
	assert_string_equal(chain->models[2], "c");
	assert_null(chain->models[3]);
	assert_int_equal(chain->patience_ms, 90000);
	assert_int_equal(chain->shrink_to, 512);
	assert_false(chain->adapt);
	assert_int_equal(config_chain_of(config, "slow")->patience_ms, -1);
	assert_true(config_chain_of(config, "slow")->adapt);
	assert_null(config_chain_of(config, "other"));
	config_free(config);
}

/* --- read back -------------------------------------------------------------- */

static void
what_is_printed_can_be_read_again(void **unused)
{
	struct config *config =
	    load_good("[daemon]\nsocket = /tmp/x.sock\nworkers = 7\nadmin_group =\n"
		      "[upstream]\nproxy = http://proxy:3128\nlifetime = 7200s\n"
		      "[gate a.b-c]\npolicy = classic\n[pace]\nmin_spacing = 1500ms\n"
		      "[queue]\ndurability = normal\nmax_store = 3G\n"
		      "[chain fast]\nmodels = a, b\npatience = 5min\n[chain slow]\nmodels = c\n"
		      "[limits group 50]\nweight = 5\n[limits user 1000]\nqueued_bytes = 5M\n");
	char *first = print(config), *second;
	struct config *again = load_good(first);

	(void)unused;
	second = print(again);
	assert_string_equal(first, second);
	assert_int_equal(again->lifetime_ms, 7200000);
	assert_null(again->admin_group);
	assert_int_equal(again->chain_count, 2);
	assert_int_equal(again->override_count, 3);
	assert_non_null(strstr(first, "\nlifetime = 2h\n"));
	assert_non_null(strstr(first, "\n#deadline = 24h\n"));
	free(first);
	free(second);
	config_free(config);
	config_free(again);
}

static void
restart_is_asked_for_what_needs_it(void **unused)
{
	struct config *before = load_good("[daemon]\nlog_level = error\n");
	struct config *after =
	    load_good("[daemon]\nworkers = 3\nsocket = /x\n[queue]\nkeep = 1h\n");
	char text[64], small[8];

	(void)unused;
	config_needs_restart(before, before, text, sizeof(text));
	assert_string_equal(text, "");
	config_needs_restart(before, after, text, sizeof(text));
	assert_string_equal(text, "daemon.socket, daemon.workers");
	config_needs_restart(before, after, small, sizeof(small));
	assert_string_equal(small, "daemon.");
	config_free(before);
	config_free(after);
}

static void
paths_follow_the_environment(void **unused)
{
	struct config *config = load_good("");
	char path[64];

	(void)unused;
	setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
	assert_int_equal(config_state_path(config, path, sizeof(path)), FOREBAY_ERR_OK);
	assert_string_equal(path, "/var/lib/a");
	unsetenv("STATE_DIRECTORY");
	setenv("XDG_STATE_HOME", "/home/x/state", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	assert_int_equal(config_state_path(config, path, sizeof(path)), FOREBAY_ERR_OK);
	assert_string_equal(path, geteuid() == 0 ? "/var/lib/forebay" : "/home/x/state/forebay");
	assert_int_equal(config_socket_path(config, path, sizeof(path)), FOREBAY_ERR_OK);
	assert_string_equal(path, geteuid() == 0 ? "/run/forebay/forebay.sock"
						 : "/run/user/7/forebay/forebay.sock");
	config_free(config);
	config = load_good("[daemon]\nsocket = /tmp/s\nstate_dir = /tmp/q\n");
	assert_int_equal(config_socket_path(config, path, sizeof(path)), FOREBAY_ERR_OK);
	assert_string_equal(path, "/tmp/s");
	assert_int_equal(config_state_path(config, path, sizeof(path)), FOREBAY_ERR_OK);
	assert_string_equal(path, "/tmp/q");
	assert_int_equal(config_state_path(config, path, 3), FOREBAY_ERR_BAD_REQUEST);
	config_free(config);
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
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(an_endless_file_is_cut),
		cmocka_unit_test(drop_ins_come_after_in_name_order_and_sets_last),
		cmocka_unit_test(overrides_change_only_what_they_give),
		cmocka_unit_test(user_limits_win_over_group_limits),
		cmocka_unit_test(chains_keep_their_order),
		cmocka_unit_test(what_is_printed_can_be_read_again),
		cmocka_unit_test(restart_is_asked_for_what_needs_it),
		cmocka_unit_test(paths_follow_the_environment),
	};
	int failed;

	log_init(LOG_LEVEL_ERROR);
	strcpy(dir, "/tmp/test_config.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/f.conf", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	rmdir(dir);
	return failed;
}
