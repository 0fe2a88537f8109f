/*
 * cmd_verify.c - one real call of 10 tokens, and in words what came of it.
 */
#include "client/commands.h"

#include <string.h>

int
cmd_verify(struct session *session, struct arguments *arguments)
{
	const struct message *message;
	struct reply reply;
	int err, code;

	if (arguments->word_count > 0) {
		arguments->request.model = strdup(arguments->words[0]);
		if (!arguments->request.model)
			return session_fail(session, FOREBAY_ERR_NO_MEMORY);
	}
	if (!command_call(session, arguments, FOREBAY_VERB_VERIFY, &reply, &code))
		return code;
	message = reply.message;
	if (!session->out.json)
		output_line(&session->out, "%s", message_text(message, "words", ""));
	if (!message_bool(message, "ok", false)) {
		err = forebay_err_from_wire(message_text(message, "error", "api-error"));
		code = forebay_err_exit_code(err);
		if (err != FOREBAY_ERR_OVERLOADED)
			explain_briefly(&session->out, message);
	}
	reply_clear(&reply);
	return code;
}
