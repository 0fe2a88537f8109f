/*
 * main.c - the command `forebay`: read the line, run the command, make the exit
 * code of how it ended.
 */
#include "client/commands.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>

static int
run(const struct command *command, struct arguments *arguments)
{
	struct session session = { .socket = arguments->socket,
				   .verbose = arguments->verbose,
				   .until_ms = -1 };
	int code;

	session.out.json = arguments->json;
	session.out.quiet = arguments->quiet;
	session.out.header = !arguments->no_header;
	session.out.raw = arguments->raw;
	output_init(&session.out, (enum output_when)arguments->color);
	session_catch_interrupts();
	code = command->run(&session, arguments);
	output_flush(&session.out);
	if (session.out.broken && code == 0)
		code = session_fail(&session, SESSION_NO_OUTPUT);
	session_clear(&session);
	return code;
}

int
main(int argc, char **argv)
{
	const struct command *command;
	struct arguments arguments;
	int code = 2;

	setlocale(LC_CTYPE, "");
	arguments_init(&arguments);
	if (!arguments_parse(&arguments, argc, argv, &command)) {
		code = command && command->runs ? COMMAND_OWN_FAILURE : 2;
	} else if (arguments.version) {
		code = printf("forebay " FOREBAY_VERSION "\n") < 0;
	} else if (command && arguments.help) {
		commands_usage(stdout, command);
		code = 0;
	} else if (command) {
		code = run(command, &arguments);
	} else {
		commands_overview(arguments.help ? stdout : stderr);
		code = arguments.help ? 0 : 2;
	}
	arguments_clear(&arguments);
	return code;
}
