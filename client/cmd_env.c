/*
 * cmd_env.c - env and exec: unchanged programs go through forebayd.
 */
#include "client/commands.h"
#include "client/variables.h"
#include "protocol/jsonput.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_FOUND  127
#define NOT_USABLE 126

static void
put_json(struct output *out, const struct variables *variables)
{
	struct jsonput put = { 0 };
	size_t len;
	char *json;

	jsonput_object(&put);
	for (size_t i = 0; i < variables->count; i++)
		jsonput_member_string(&put, variables->rows[i].name, variables->rows[i].value);
	jsonput_end(&put);
	json = jsonput_take(&put, &len);
	if (json)
		output_json(out, json, len);
	free(json);
}

static bool
put_lines(struct output *out, const struct variables *variables, enum shell shell)
{
	for (size_t i = 0; i < variables->count; i++) {
		char *line = variable_put(&variables->rows[i], shell);

		if (!line) {
			output_complain(out, "csh cannot hold %s in one line: %s",
					variables->rows[i].name, "use forebay exec");
			return false;
		}
		output_line(out, "%s", line);
		free(line);
	}
	return true;
}

int
cmd_env(struct session *session, struct arguments *arguments)
{
	struct variables variables;
	bool ok = true;

	if (!variables_find(session, arguments, &variables))
		return 2;
	if (session->out.json)
		put_json(&session->out, &variables);
	else
		ok = put_lines(&session->out, &variables, (enum shell)arguments->shell);
	variables_clear(&variables);
	return ok ? 0 : 2;
}

static bool
set_all(const struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		const struct variable *row = &variables->rows[i];

		if (row->value ? setenv(row->name, row->value, 1) : unsetenv(row->name))
			return false;
	}
	return true;
}

/* The program takes our place: its signals and its end are nobody else's. */
int
cmd_exec(struct session *session, struct arguments *arguments)
{
	struct variables variables;
	bool set;
	int err;

	if (!variables_find(session, arguments, &variables))
		return COMMAND_OWN_FAILURE;
	set = set_all(&variables);
	variables_clear(&variables);
	if (!set) {
		output_complain(&session->out, "out of memory");
		return COMMAND_OWN_FAILURE;
	}
	session_leave_interrupts();
	execvp(arguments->words[0], arguments->words);
	err = errno;
	output_complain(&session->out, "%s: %s", arguments->words[0], strerror(err));
	return err == ENOENT ? NOT_FOUND : NOT_USABLE;
}
