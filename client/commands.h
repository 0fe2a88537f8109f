/*
 * commands.h - the table of commands: usage, `forebay help`, the check of the
 * words' number and the manual's check all come from it.
 */
#ifndef CLIENT_COMMANDS_H
#define CLIENT_COMMANDS_H

#include "client/arguments.h"
#include "client/session.h"

/* Returns the exit code. */
typedef int command_fn(struct session *session, struct arguments *arguments);

struct command {
	const char *name;
	const char *alias;		      /* or NULL */
	const char *words;		      /* for the usage */
	int min, max;			      /* number of words; max -1: any */
	const struct command_option *options; /* or NULL */
	command_fn *run;
	const char *help;
	const char *more; /* what the usage says besides; or NULL */
	bool runs;	  /* another program: all behind the first word is that one's */
};

/* What a command that runs another returns when it fails itself. */
#define COMMAND_OWN_FAILURE 125

extern const struct command_option global_options[];

/* Exact names and aliases; NULL. */
const struct command *commands_find(const char *name);
/* Row i of the table; NULL behind the last. */
const struct command *commands_row(size_t i);

/* For people, to file. */
void commands_usage(FILE *file, const struct command *command);
void commands_overview(FILE *file);

command_fn cmd_ask, cmd_submit, cmd_wait, cmd_result, cmd_show, cmd_status, cmd_gates, cmd_list,
    cmd_cancel, cmd_retry, cmd_rm, cmd_follow, cmd_hold, cmd_release, cmd_drain, cmd_models,
    cmd_stats, cmd_ping, cmd_explain, cmd_verify, cmd_whoami, cmd_reload, cmd_env, cmd_exec,
    cmd_help;

/* --- shared by several commands ------------------------------------------------ */

/* Ask with arguments->request as verb. On failure it has been said and *ret_code
 * is the exit code. With --json the reply is printed already. */
MUST_CHECK bool command_call(struct session *session, struct arguments *arguments,
			     enum forebay_verb verb, struct reply *ret, int *ret_code);
/* Words as request.ids. False: said, *ret_code is the exit code. */
MUST_CHECK bool command_ids(struct session *session, struct arguments *arguments, int *ret_code);
/* arguments->request as a submit; body is borrowed. forebay_err and the like. */
MUST_CHECK int command_submit(struct session *session, const struct request *request,
			      const void *body, size_t len, bool want_result, bool follow,
			      uint32_t *ret_stream);
/* Wait for the reply of a submit and print its id; the exit code. */
int command_print_id(struct session *session, uint32_t stream);
/* A whole file, or stdin for "-"; owned by the caller, with a terminator. NULL:
 * said. */
char *command_read_file(struct session *session, const char *path, size_t *ret_len);
/* One line of advice on stderr for an object with http_status, error_type,
 * error_code; nothing if it has none. */
void explain_briefly(struct output *out, const struct message *error);
/* submit --jsonl: a job a line. */
int submit_lines(struct session *session, struct arguments *arguments);

#endif
