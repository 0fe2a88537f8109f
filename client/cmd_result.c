/*
 * cmd_result.c - the answer of a job; and `follow`, the answer while it comes.
 */
#include "client/answer.h"
#include "client/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int
ask_for(struct session *session, struct arguments *arguments, enum forebay_verb verb,
	uint32_t *ret_stream)
{
	int err = session_id(session, arguments->words[0], &arguments->request.id);

	if (err)
		return err;
	session->waits_for = arguments->request.id;
	session->progress.id = arguments->request.id;
	arguments->request.verb = verb;
	session_time_out(session, arguments->timeout_ms);
	return session_send(session, &arguments->request, ret_stream);
}

int
cmd_result(struct session *session, struct arguments *arguments)
{
	bool bytes = (arguments->raw || session->out.json) && !arguments->text;
	uint32_t stream;
	int err;

	err = ask_for(session, arguments,
		      arguments->wait ? FOREBAY_VERB_FOLLOW : FOREBAY_VERB_RESULT, &stream);
	if (err)
		return session_fail(session, err);
	/* Only now: a job that does not exist leaves no file behind. */
	if (arguments->output && strcmp(arguments->output, "-") != 0) {
		if (!freopen(arguments->output, "we", stdout)) {
			output_complain(&session->out, "%s: %s", arguments->output,
					strerror(errno));
			return 2;
		}
		session->out.tty = false;
	}
	return answer_print(session, stream, bytes ? ANSWER_BYTES : ANSWER_TEXT, false);
}

int
cmd_follow(struct session *session, struct arguments *arguments)
{
	enum answer_form form = ANSWER_TEXT;
	uint32_t stream;
	int err;

	if (arguments->events)
		form = ANSWER_EVENTS;
	else if (session->out.json)
		form = ANSWER_BYTES;
	err = ask_for(session, arguments, FOREBAY_VERB_FOLLOW, &stream);
	if (err)
		return session_fail(session, err);
	return answer_print(session, stream, form, form != ANSWER_BYTES);
}
