/*
 * commands.c - the table of commands and what is printed from it.
 */
#include "client/commands.h"

#include <stdio.h>
#include <string.h>

#define MEMBER(name) offsetof(struct arguments, name)
#define FLAG(letter, name, member, help)                                                           \
	{                                                                                          \
		letter, name, OPTION_FLAG, MEMBER(member), NULL, help                              \
	}
#define OPTION(letter, name, kind, member, argument, help)                                         \
	{                                                                                          \
		letter, name, OPTION_##kind, MEMBER(member), argument, help                        \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* clang-format off */
const struct command_option global_options[] = {
	OPTION(0,   "socket",    TEXT, socket, "PATH", "the daemon's socket ($FOREBAY_SOCKET)"),
	FLAG(0,     "json",      json,                 "one JSON document, or JSON Lines for many"),
	FLAG('q',   "quiet",     quiet,                "ids alone, no remarks, no progress"),
	FLAG('v',   "verbose",   verbose,              "tell more on stderr"),
	OPTION(0,   "color",     WHEN, color,  "WHEN", "auto, always or never"),
	FLAG(0,     "no-header", no_header,            "tables without their first line"),
	FLAG('h',   "help",      help,                 "help on a command"),
	FLAG(0,     "version",   version,              "print the version"),
	END
};

/* How a job is treated: the same for ask and submit. */
#define JOB_OPTIONS                                                                                \
	OPTION('m', "model", TEXT, request.model, "MODEL", "the model to use"),                    \
	OPTION(0, "chain", CHAIN, request.chain, "CHAIN", "fall back: a name, or A,B,C"),          \
	OPTION(0, "class", CLASS, job_class, "CLASS", "interactive, normal or patient"),           \
	OPTION(0, "priority", PRIORITY, request.priority, "N", "among your own jobs, -100..100"),  \
	OPTION(0, "attempts", NUMBER, request.attempts, "N", "so many faults end it"),             \
	OPTION(0, "deadline", UNTIL, request.deadline_ms, "TIME", "give up: 2h, 07:30, RFC 3339"), \
	OPTION(0, "not-before", TIME, request.not_before, "TIME", "start then, not earlier"),      \
	OPTION(0, "shrink-to", NUMBER, request.shrink_to, "N", "smallest max_tokens allowed"),     \
	OPTION(0, "version", TEXT, request.version, "V", "anthropic-version to send"),             \
	OPTION(0, "beta", LIST, request.betas, "BETA", "anthropic-beta to send; may be repeated"), \
	OPTION('l', "label", TEXT, request.label, "LABEL", "to find the job again"),               \
	OPTION(0, "key", TEXT, request.key, "KEY", "idempotency key; the default is random"),      \
	OPTION(0, "keep", DURATION, request.keep_ms, "DUR", "keep it so long after its end"),      \
	OPTION(0, "batch", BATCH, request.batch, "MODE", "never, allow or only: Message Batches"), \
	OPTION(0, "transport", TRANSPORT, request.transport, "HOW", "default, stream or plain")

#define TIMEOUT                                                                                    \
	OPTION('t', "timeout", DURATION, timeout_ms, "DUR", "wait no longer; the job goes on")

static const struct command_option ask_options[] = {
	OPTION('s', "system",     TEXT,   system,     "TEXT",  "the system prompt"),
	OPTION(0,   "max-tokens", NUMBER, max_tokens, "N",     "length of the answer; 4096"),
	OPTION('f', "file",       FILE,   files,      "FILE",  "attach a text, an image, a PDF"),
	JOB_OPTIONS,
	TIMEOUT,
	FLAG('d', "detach",    detach,            "print the id and do not wait"),
	FLAG('e', "ephemeral", request.ephemeral, "start at once; ends with this command"),
	FLAG(0,   "no-stream", no_stream,         "print the answer when it is complete"),
	FLAG(0,   "raw",       raw,               "do not escape control bytes on a terminal"),
	END
};
static const struct command_option submit_options[] = {
	JOB_OPTIONS,
	FLAG(0,   "jsonl",     jsonl,             "one job a line of FILE"),
	FLAG('w', "wait",      wait,              "wait and print the answer"),
	TIMEOUT,
	FLAG('e', "ephemeral", request.ephemeral, "with --wait: ends with this command"),
	FLAG(0,   "raw",       raw,               "with --wait: the API's message, byte for byte"),
	END
};
static const struct command_option wait_options[] = {
	FLAG('a', "any",    request.any, "until the first has ended"),
	TIMEOUT,
	FLAG('r', "result", result,      "then print the answers"),
	END
};
static const struct command_option result_options[] = {
	FLAG(0,     "text",   text,               "the words of the answer (default)"),
	FLAG(0,     "raw",    raw,                "the API's message, byte for byte"),
	OPTION('o', "output", TEXT, output, "FILE", "write to FILE"),
	FLAG('w',   "wait",   wait,               "wait until it has ended"),
	TIMEOUT,
	END
};
static const struct command_option show_options[] = {
	FLAG(0, "request", request.request, "the request body, byte for byte"),
	END
};
static const struct command_option status_options[] = {
	FLAG('w',   "watch",    watch,                      "again and again"),
	OPTION('d', "interval", DURATION, interval_ms, "DUR", "with --watch; 1s"),
	END
};
static const struct command_option list_options[] = {
	OPTION('s', "state", STATE,  request.state,    "STATE", "only jobs in this state"),
	OPTION('m', "model", TEXT,   request.model,    "MODEL", "only jobs for this model"),
	OPTION('u', "user",  TEXT,   request.owner,    "USER",  "only this user's (admin)"),
	OPTION('l', "label", TEXT,   request.label,    "LABEL", "only jobs with this label"),
	OPTION(0,   "since", SINCE,  request.since,    "TIME",  "newer than: 2h, 07:30, RFC 3339"),
	OPTION('n', "limit", NUMBER, rows,             "N",     "at most so many; 100, 0: all"),
	FLAG('a',   "all",   request.all,                       "everybody's jobs (admin)"),
	END
};
static const struct command_option jobs_options[] = {
	OPTION('s', "state", STATE, request.state, "STATE", "instead of ids: all in this state"),
	OPTION('m', "model", TEXT,  request.model, "MODEL", "all for this model"),
	OPTION('u', "user",  TEXT,  request.owner, "USER",  "all of this user (admin)"),
	OPTION('l', "label", TEXT,  request.label, "LABEL", "all with this label"),
	FLAG('y',   "yes",   yes,                           "do not ask"),
	END
};
static const struct command_option follow_options[] = {
	FLAG(0, "events", events, "the raw event stream"),
	FLAG(0, "raw",    raw,    "do not escape control bytes on a terminal"),
	TIMEOUT,
	END
};
static const struct command_option hold_options[] = {
	OPTION(0,   "for",    DURATION, request.for_ms, "DUR",  "open it again by itself"),
	OPTION('r', "reason", TEXT,     request.reason, "TEXT", "shown to those who wait"),
	END
};
#define FACADE_OPTIONS                                                                             \
	OPTION(0, "http-socket", TEXT, http_socket, "PATH", "the daemon's ($FOREBAY_HTTP_SOCKET)"), \
	OPTION(0, "tcp", TEXT, tcp, "PORT", "by [http] tcp instead, for what knows no sockets"),   \
	OPTION(0, "token-file", TEXT, token_file, "FILE", "with --tcp: the daemon's token")

static const struct command_option env_options[] = {
	OPTION(0, "shell", SHELL, shell, "SHELL", "sh (the default), fish or csh"),
	FACADE_OPTIONS,
	END
};
static const struct command_option exec_options[] = {
	OPTION(0, "class", CLASS, job_class, "CLASS", "interactive, normal or patient"),
	OPTION('l', "label", TEXT, request.label, "LABEL", "to find its jobs again"),
	OPTION(0, "chain", CHAIN, request.chain, "CHAIN", "fall back: a name, or A,B,C"),
	FACADE_OPTIONS,
	END
};
static const struct command_option ping_options[] = {
	TIMEOUT,
	END
};

/*	  name       alias     words            min max  options          function
 *	  help */
static const struct command commands[] = {
	{ "ask",     "run",    "[PROMPT...]",   0, -1,  ask_options,     cmd_ask,
	  .help = "ask a model and print its answer as it comes; stdin is appended" },
	{ "submit",  NULL,     "[FILE|-]",      0,  1,  submit_options,  cmd_submit,
	  .help = "queue a Messages request, byte for byte; prints the id" },
	{ "wait",    NULL,     "ID...",         1, -1,  wait_options,    cmd_wait,
	  .help = "wait until jobs have ended" },
	{ "result",  NULL,     "ID",            1,  1,  result_options,  cmd_result,
	  .help = "print the answer of a job" },
	{ "follow",  NULL,     "ID",            1,  1,  follow_options,  cmd_follow,
	  .help = "watch a job and print its answer as it comes" },
	{ "show",    NULL,     "ID",            1,  1,  show_options,    cmd_show,
	  .help = "everything about a job, with its attempts" },
	{ "list",    "ls",     "",              0,  0,  list_options,    cmd_list,
	  .help = "list jobs, newest first" },
	{ "cancel",  NULL,     "[ID...]",       0, -1,  jobs_options,    cmd_cancel,
	  .help = "end jobs" },
	{ "retry",   NULL,     "[ID...]",       0, -1,  jobs_options,    cmd_retry,
	  .help = "submit ended jobs again; prints the new ids" },
	{ "rm",      "delete", "[ID...]",       0, -1,  jobs_options,    cmd_rm,
	  .help = "forget ended jobs" },
	{ "status",  NULL,     "",              0,  0,  status_options,  cmd_status,
	  .help = "the daemon: queue, gates, key, disk" },
	{ "gates",   NULL,     "",              0,  0,  NULL,            cmd_gates,
	  .help = "what keeps requests from going now" },
	{ "models",  NULL,     "",              0,  0,  NULL,            cmd_models,
	  .help = "models, their limits and gates" },
	{ "stats",   NULL,     "",              0,  0,  NULL,            cmd_stats,
	  .help = "counters since the daemon's start" },
	{ "verify",  NULL,     "[MODEL]",       0,  1,  NULL,            cmd_verify,
	  .help = "one real call of 10 tokens" },
	{ "explain", NULL,     "[TEXT|CODE|ID|-]", 0, -1,  NULL,            cmd_explain,
	  .help = "what an API error means and what to do; works without a daemon" },
	{ "env",     NULL,     "",              0,  0,  env_options,     cmd_env,
	  .help = "print what makes unchanged programs go through the daemon",
	  .more =
	  "    eval \"$(forebay env)\"                sh, bash, zsh\n"
	  "    forebay env --shell fish | source\n"
	  "    eval \"`forebay env --shell csh`\"\n\n"
	  "Programs that know only addresses: forebay env --tcp 8080 --token-file FILE, as in\n"
	  "tcp and token_file of [http]. With --json one object; null is what is removed." },
	{ "exec",    NULL,     "CMD...",        1, -1,  exec_options,    cmd_exec,
	  .help = "run a program whose requests go through the daemon",
	  .more =
	  "    forebay exec -- claude -p \"hi\"\n"
	  "    forebay exec --class patient -l nightly -- ./batch.sh\n\n"
	  "It gets ANTHROPIC_UNIX_SOCKET, ANTHROPIC_BASE_URL and a token that is no key, and no\n"
	  "API key; it takes the place of forebay, so its status and its signals are its own.\n"
	  "125: forebay failed; 126: CMD cannot be run; 127: there is no CMD.", .runs = true },
	{ "hold",    NULL,     "[TARGET]",      0,  1,  hold_options,    cmd_hold,
	  .help = "close a gate by hand: a model, key, host, batches or all (admin)" },
	{ "release", NULL,     "[TARGET]",      0,  1,  NULL,            cmd_release,
	  .help = "open a gate again (admin)" },
	{ "drain",   NULL,     "",              0,  0,  NULL,            cmd_drain,
	  .help = "start no more jobs; running ones finish (admin)" },
	{ "reload",  NULL,     "",              0,  0,  NULL,            cmd_reload,
	  .help = "read the configuration again (admin)" },
	{ "ping",    NULL,     "",              0,  0,  ping_options,    cmd_ping,
	  .help = "is the daemon there, and how far" },
	{ "whoami",  NULL,     "",              0,  0,  NULL,            cmd_whoami,
	  .help = "who you are to the daemon" },
	{ "help",    NULL,     "[COMMAND]",     0,  1,  NULL,            cmd_help,
	  .help = "this list, or a command's options" },
};
/* clang-format on */

const struct command *
commands_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0 ||
		    (commands[i].alias && strcmp(commands[i].alias, name) == 0))
			return &commands[i];
	return NULL;
}

const struct command *
commands_row(size_t i)
{
	return i < ARRAY_LEN(commands) ? &commands[i] : NULL;
}

static void
put_options(FILE *file, const struct command_option *options)
{
	for (; options && options->name; options++) {
		char letter[8] = "    ";
		int len;

		if (options->letter)
			snprintf(letter, sizeof(letter), "-%c, ", options->letter);
		len = fprintf(file, "  %s--%s%s%s", letter, options->name,
			      options->argument ? " " : "",
			      options->argument ? options->argument : "");
		fprintf(file, "%*s%s\n", MAX(28 - len, 2), "", options->help);
	}
}

void
commands_usage(FILE *file, const struct command *command)
{
	fprintf(file, "usage: forebay %s%s%s%s%s\n\n", command->name,
		command->options ? " [OPTION...]" : "", *command->words ? " " : "", command->words,
		command->alias ? "" : "");
	fprintf(file, "%s%s%s%s\n", command->help, command->alias ? " (also: " : "",
		command->alias ? command->alias : "", command->alias ? ")" : "");
	if (command->options) {
		fputs("\n", file);
		put_options(file, command->options);
	}
	if (command->more)
		fprintf(file, "\n%s\n", command->more);
}

void
commands_overview(FILE *file)
{
	fputs("usage: forebay [GLOBAL OPTION...] COMMAND [ARGUMENT...]\n\n", file);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\nglobal options, before or after the command:\n", file);
	put_options(file, global_options);
	fputs("\nIDs are numbers; @last is your latest job. `forebay help COMMAND` tells more.\n",
	      file);
}

int
cmd_help(struct session *session, struct arguments *arguments)
{
	const struct command *command;

	if (arguments->word_count == 0) {
		commands_overview(stdout);
		return 0;
	}
	command = commands_find(arguments->words[0]);
	if (!command) {
		output_complain(&session->out, "unknown command %s; see: forebay help",
				arguments->words[0]);
		return 2;
	}
	commands_usage(stdout, command);
	return 0;
}
