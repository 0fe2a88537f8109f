/*
 * test_config_files.c - files, drop-ins, --set and overrides; and that what is
 * printed can be read again.
 */
#include "tests/unit/config_fixture.h"

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
					  "[chain fast]\nshrink_to = 512\n"
					  "[chain true]\nmodels = z\npatience = never\n");
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
	assert_true(config_chain_of(config, "true")->patience_ms == INT64_MAX);
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
		      "[chain true]\nmodels = d\npatience = never\n"
		      "[limits group 50]\nweight = 5\n[limits user 1000]\nqueued_bytes = 5M\n");
	char *first = print(config), *second;
	struct config *again = load_good(first);

	(void)unused;
	second = print(again);
	assert_string_equal(first, second);
	assert_int_equal(again->lifetime_ms, 7200000);
	assert_null(again->admin_group);
	assert_int_equal(again->chain_count, 3);
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

	return run_config_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
