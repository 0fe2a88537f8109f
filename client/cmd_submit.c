/*
 * cmd_submit.c - queue a Messages request byte for byte, or with --jsonl one a line.
 */
#include "client/answer.h"
#include "client/commands.h"

#include <stdlib.h>

static int
submit_one(struct session *session, struct arguments *arguments)
{
	const char *path = arguments->word_count ? arguments->words[0] : "-";
	uint32_t stream;
	size_t len;
	char *body = command_read_file(session, path, &len);
	int err;

	if (!body)
		return 2;
	err = command_submit(session, &arguments->request, body, len, arguments->wait, false,
			     &stream);
	free(body);
	if (err)
		return session_fail(session, err);
	session_time_out(session, arguments->timeout_ms);
	if (!arguments->wait)
		return command_print_id(session, stream);
	return answer_print(session, stream,
			    arguments->raw || session->out.json ? ANSWER_BYTES : ANSWER_TEXT,
			    false);
}

int
cmd_submit(struct session *session, struct arguments *arguments)
{
	int err;

	if (arguments->jsonl && arguments->wait) {
		output_complain(&session->out, "--jsonl prints ids as they are queued; wait for "
					       "them with `forebay wait`, not with --wait");
		return 2;
	}
	if (arguments->request.ephemeral && !arguments->wait) {
		output_complain(&session->out, "--ephemeral ends with the command: use --wait");
		return 2;
	}
	if (arguments->job_class >= 0)
		arguments->request.class = arguments->job_class;
	err = session_open(session);
	if (err)
		return session_fail(session, err);
	return arguments->jsonl ? submit_lines(session, arguments) : submit_one(session, arguments);
}
