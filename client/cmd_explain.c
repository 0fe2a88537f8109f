/*
 * cmd_explain.c - what an error of the API means and what to do, from the table
 * the daemon acts on; needs no daemon, except for a job's id.
 */
#include "client/commands.h"
#include "daemon/claude/errors.h"
#include "protocol/jsonput.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_ROWS 5

static void
put_json(struct output *out, const struct api_error *row)
{
	struct jsonput put = { 0 };
	size_t len;
	char *json;

	jsonput_object(&put);
	jsonput_member_int(&put, "http_status", row->status);
	jsonput_member_string(&put, "error_type", row->type);
	jsonput_member_string(&put, "error_code", row->code);
	jsonput_member_string(&put, "class", api_class_name(row->class));
	jsonput_member_string(&put, "name", row->name);
	jsonput_member_string(&put, "cause", row->cause);
	jsonput_member_string(&put, "whose", api_fault_text(row->whose));
	jsonput_member_string(&put, "retry", api_retry_text(row->retry));
	jsonput_member_string(&put, "fallback", api_fallback_text(row->fallback));
	jsonput_member_string(&put, "advice", row->advice);
	jsonput_end(&put);
	json = jsonput_take(&put, &len);
	if (json)
		output_json(out, json, len);
	free(json);
}

static void
put_row(struct output *out, const struct api_error *row)
{
	if (out->json) {
		put_json(out, row);
		return;
	}
	output_line(out, "%s", row->name);
	output_line(out, "  what it is   %s", row->cause);
	output_line(out, "  whose fault  %s", api_fault_text(row->whose));
	output_line(out, "  retried      %s", api_retry_text(row->retry));
	output_line(out, "  gate         %s", api_effect_text(row->effect));
	output_line(out, "  fallback     %s", api_fallback_text(row->fallback));
	output_line(out, "  what to do   %s", row->advice);
}

/* What an attempt or a reply says of an error; NULL if it says nothing of one. */
static const struct api_error *
row_of(const struct message *message)
{
	const char *type = message_text(message, "error_type", NULL);
	int status = (int)message_int(message, "http_status", 0);

	if (!type && status < 300)
		return NULL;
	/* The 200 of a stream was sent before anybody knew. */
	return api_error_find_message(status < 300 ? 0 : status, type,
				      message_text(message, "error_code", NULL),
				      message_text(message, "message", NULL));
}

void
explain_briefly(struct output *out, const struct message *error)
{
	const struct api_error *row = row_of(error);

	if (row)
		output_note(out, "%s: %s", row->name, row->advice);
}

static int
explain_text(struct session *session, const char *text)
{
	const struct api_error *rows[MAX_ROWS];
	size_t count = api_error_explain(text, rows, MAX_ROWS);

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !session->out.json)
			output_raw(&session->out, "\n", 1);
		put_row(&session->out, rows[i]);
	}
	if (count > 0)
		return 0;
	output_complain(&session->out,
			"nothing known is in it: paste the API's error as it is, or "
			"give a status (529), a type (overloaded_error) or a job's id");
	return 1;
}

/* Without any text: the whole table. */
static int
explain_all(struct session *session)
{
	static const char *const titles[] = { "HTTP", "TYPE", "CODE", "CLASS", "NAME", NULL };
	struct output *out = &session->out;
	size_t count;
	const struct api_error *rows = api_errors(&count);

	output_table(out, titles);
	for (size_t i = 0; i < count; i++) {
		if (out->json) {
			put_json(out, &rows[i]);
			continue;
		}
		if (rows[i].status)
			output_cell_int(out, rows[i].status);
		else
			output_cell(out, "");
		output_cell(out, rows[i].type);
		output_cell(out, rows[i].code);
		output_cell(out, api_class_name(rows[i].class));
		output_cell(out, rows[i].name);
	}
	output_table_end(out);
	return 0;
}

/* The last attempt that went wrong tells what to explain. */
static int
explain_attempts(struct session *session, const struct reply *reply)
{
	const struct api_error *found = NULL;
	struct message *row;
	const char *line;
	size_t at = 0, len;

	while ((row = reply_row(reply, &at, &line, &len))) {
		const struct api_error *error = message_has(row, "attempt") ? row_of(row) : NULL;

		if (error)
			found = error;
		else if (message_has(row, "waiting") && !session->out.json)
			output_line(&session->out, "%s", message_text(row, "waiting", ""));
		message_free(row);
	}
	if (found)
		put_row(&session->out, found);
	else
		output_note(&session->out, "no error of the API is known of this job");
	return 0;
}

static int
explain_job(struct session *session, struct arguments *arguments, const char *word)
{
	struct reply reply;
	int err = session_id(session, word, &arguments->request.id);

	if (!err) {
		arguments->request.verb = FOREBAY_VERB_SHOW;
		err = session_call(session, &arguments->request, &reply);
	}
	if (err)
		return session_fail(session, err);
	err = explain_attempts(session, &reply);
	reply_clear(&reply);
	return err;
}

/* Three digits are a status, "#417", "@last" and other numbers a job. */
static bool
is_job(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	if (*word == '#' || strcmp(word, "@last") == 0)
		return true;
	return digits > 0 && !word[digits] && !(digits == 3 && *word >= '1' && *word <= '5');
}

int
cmd_explain(struct session *session, struct arguments *arguments)
{
	int count = arguments->word_count;
	char *text = NULL;
	size_t len = 0;
	int code;

	if (count == 0 && isatty(STDIN_FILENO))
		return explain_all(session);
	if (count == 1 && is_job(arguments->words[0]))
		return explain_job(session, arguments, arguments->words[0]);
	if (count == 0 || (count == 1 && strcmp(arguments->words[0], "-") == 0)) {
		text = command_read_file(session, "-", &len);
		if (!text)
			return 2;
		code = explain_text(session, text);
		free(text);
		return code;
	}
	for (int i = 0; i < count; i++)
		len += strlen(arguments->words[i]) + 1;
	text = calloc(1, len + 1);
	if (!text)
		return session_fail(session, FOREBAY_ERR_NO_MEMORY);
	for (int i = 0; i < count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, arguments->words[i]);
	}
	code = explain_text(session, text);
	free(text);
	return code;
}
