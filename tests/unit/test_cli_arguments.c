/*
 * test_cli_arguments.c - the command line, and the table of commands as a table.
 */
#include "client/arguments.h"
#include "client/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PARSE(arguments, command, ...)                                                             \
	parse(arguments, command, (const char *[]){ "forebay", __VA_ARGS__, NULL })

static bool
parse(struct arguments *arguments, const struct command **ret, const char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	arguments_init(arguments);
	return arguments_parse(arguments, argc, (char **)argv, ret);
}

static void
options_stand_anywhere(void **unused)
{
	const struct command *command;
	struct arguments a;

	(void)unused;
	assert_true(PARSE(&a, &command, "--json", "ask", "-m", "opus", "why", "-qd",
			  "--system=be brief", "--socket", "/s", "-fa.txt", "-f", "b.txt", "--",
			  "-x"));
	assert_string_equal(command->name, "ask");
	assert_true(a.json && a.quiet && a.detach && !a.verbose);
	assert_string_equal(a.request.model, "opus");
	assert_string_equal(a.system, "be brief");
	assert_string_equal(a.socket, "/s");
	assert_string_equal(a.files[0], "a.txt");
	assert_string_equal(a.files[1], "b.txt");
	assert_null(a.files[2]);
	assert_int_equal(a.word_count, 2);
	assert_string_equal(a.words[0], "why");
	assert_string_equal(a.words[1], "-x");
	arguments_clear(&a);
}

static void
values_have_kinds(void **unused)
{
	const struct command *command;
	struct arguments a;

	(void)unused;
	assert_true(PARSE(&a, &command, "submit", "-", "--chain", "a,b,c", "--class", "patient",
			  "--priority", "-7", "--keep", "1h", "--beta", "x,y", "--beta", "z",
			  "--deadline", "2h", "--not-before", "2026-11-24T22:00:00Z", "--batch",
			  "only", "--version", "2023-06-01"));
	assert_string_equal(a.words[0], "-");
	assert_null(a.request.chain);
	assert_string_equal(a.request.chain_models[2], "c");
	assert_int_equal(a.job_class, FOREBAY_CLASS_PATIENT);
	assert_int_equal(a.request.priority, -7);
	assert_int_equal(a.request.keep_ms, 3600000);
	assert_string_equal(a.request.betas[2], "z");
	assert_int_equal(a.request.deadline_ms, 7200000);
	assert_int_equal(a.request.not_before, INT64_C(1795557600000));
	assert_int_equal(a.request.batch, FOREBAY_BATCH_ONLY);
	assert_string_equal(a.request.version, "2023-06-01");
	assert_false(a.version);
	arguments_clear(&a);
	assert_true(PARSE(&a, &command, "ls", "-s", "failed", "-n", "0", "-u", "alice"));
	assert_string_equal(command->name, "list");
	assert_int_equal(a.request.state, FOREBAY_JOB_FAILED);
	assert_int_equal(a.rows, 0);
	assert_string_equal(a.request.owner, "alice");
	arguments_clear(&a);
}

static void
mistakes_are_refused(void **unused)
{
	static const char *const bad[][5] = {
		{ "forebay", "frobnicate" },
		{ "forebay", "list", "--frob" },
		{ "forebay", "list", "-Z" },
		{ "forebay", "list", "-s" },
		{ "forebay", "list", "-s", "lost" },
		{ "forebay", "list", "word" },
		{ "forebay", "list", "--json=yes" },
		{ "forebay", "wait" },
		{ "forebay", "wait", "1", "-t", "soon" },
		{ "forebay", "submit", "--priority", "101" },
		{ "forebay", "submit", "--attempts", "-1" },
		{ "forebay", "submit", "--class", "first" },
		{ "forebay", "result", "1", "2" },
		{ "forebay", "--color", "red" },
		{ "forebay", "exec", "--" },
		{ "forebay", "env", "--shell", "cmd" },
	};
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY), accepted = 0;
	const struct command *command;
	struct arguments a;

	(void)unused;
	/* What is said about them goes to stderr, and is not looked at here. */
	fflush(stderr);
	assert_return_code(dup2(null, STDERR_FILENO), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int argc = 0;

		while (argc < 5 && bad[i][argc])
			argc++;
		arguments_init(&a);
		accepted += arguments_parse(&a, argc, (char **)bad[i], &command);
		arguments_clear(&a);
	}
	fflush(stderr);
	assert_return_code(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	close(null);
	assert_int_equal(accepted, 0);
}

/* What belongs to the other program is not looked at. */
static void
a_command_to_run_ends_the_options(void **unused)
{
	const struct command *command;
	struct arguments a;

	(void)unused;
	assert_true(PARSE(&a, &command, "exec", "-q", "-l", "nightly", "claude", "-p", "--json",
			  "--", "-q"));
	assert_true(a.quiet && !a.json);
	assert_string_equal(a.request.label, "nightly");
	assert_int_equal(a.word_count, 5);
	assert_string_equal(a.words[1], "-p");
	assert_string_equal(a.words[3], "--");
	assert_null(a.words[5]);
	arguments_clear(&a);
	assert_true(PARSE(&a, &command, "exec", "--", "-x", "-h"));
	assert_false(a.help);
	assert_string_equal(a.words[0], "-x");
	arguments_clear(&a);
}

static void
check_options(const struct command *command, const struct command_option *options)
{
	for (size_t i = 0; options && options[i].name; i++) {
		assert_true(options[i].help && *options[i].help);
		assert_true((options[i].argument == NULL) == (options[i].kind == OPTION_FLAG));
		assert_true(options[i].offset < sizeof(struct arguments));
		for (size_t j = 0; j < i; j++) {
			if (strcmp(options[i].name, options[j].name) == 0 ||
			    (options[i].letter && options[i].letter == options[j].letter))
				fail_msg("%s: --%s and --%s", command ? command->name : "global",
					 options[i].name, options[j].name);
		}
		/* -h and --help mean the same everywhere. */
		assert_string_not_equal(options[i].name, command ? "help" : "");
		assert_int_not_equal(options[i].letter, command ? 'h' : '?');
	}
}

static void
the_table_is_sound(void **unused)
{
	const struct command *command;

	(void)unused;
	check_options(NULL, global_options);
	for (size_t i = 0; (command = commands_row(i)); i++) {
		assert_ptr_equal(commands_find(command->name), command);
		if (command->alias)
			assert_ptr_equal(commands_find(command->alias), command);
		assert_true(command->max == -1 || command->min <= command->max);
		assert_non_null(command->run);
		assert_true(*command->help >= 'a' && *command->help <= 'z');
		check_options(command, command->options);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(values_have_kinds),
		cmocka_unit_test(a_command_to_run_ends_the_options),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(mistakes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
