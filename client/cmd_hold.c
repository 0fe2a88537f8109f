/*
 * cmd_hold.c - what an administrator does to the running daemon: hold, release,
 * drain, reload.
 */
#include "client/commands.h"

#include <inttypes.h>
#include <string.h>

static int
move_gate(struct session *session, struct arguments *arguments, enum forebay_verb verb)
{
	struct reply reply;
	int code;

	if (arguments->word_count > 0) {
		arguments->request.target = strdup(arguments->words[0]);
		if (!arguments->request.target)
			return session_fail(session, FOREBAY_ERR_NO_MEMORY);
	}
	if (!command_call(session, arguments, verb, &reply, &code))
		return code;
	for (size_t i = 0; i < message_count(reply.message, "targets"); i++)
		if (!session->out.json)
			output_line(&session->out, "%s",
				    message_item_text(reply.message, "targets", i));
	reply_clear(&reply);
	return 0;
}

int
cmd_hold(struct session *session, struct arguments *arguments)
{
	return move_gate(session, arguments, FOREBAY_VERB_HOLD);
}

int
cmd_release(struct session *session, struct arguments *arguments)
{
	return move_gate(session, arguments, FOREBAY_VERB_RELEASE);
}

int
cmd_drain(struct session *session, struct arguments *arguments)
{
	struct reply reply;
	int code;

	if (!command_call(session, arguments, FOREBAY_VERB_DRAIN, &reply, &code))
		return code;
	output_note(&session->out, "%" PRId64 " jobs still run; no more are started",
		    message_int(reply.message, "running", 0));
	reply_clear(&reply);
	return 0;
}

int
cmd_reload(struct session *session, struct arguments *arguments)
{
	const char *keys;
	struct reply reply;
	int code;

	if (!command_call(session, arguments, FOREBAY_VERB_RELOAD, &reply, &code))
		return code;
	keys = message_text(reply.message, "restart_needed", "");
	if (*keys)
		output_note(&session->out, "these take a restart: %s", keys);
	reply_clear(&reply);
	return 0;
}
