/*
 * cmd_list.c - jobs, newest first, a page at a time.
 */
#include "client/commands.h"
#include "client/times.h"

#include <inttypes.h>

#define PAGE 1000u

static const char *const titles[] = { "ID",    "STATE",	  "MODEL", "CLASS", "OWNER", "LABEL",
				      "TRIES", "CREATED", "ENDED", "ERROR", NULL };

static const char *
time_of(const struct output *out, const struct message *row, const char *name,
	char buf[static TIMES_TEXT_LEN])
{
	const char *text = message_text(row, name, "");

	return out->tty && *text ? times_local(text, buf) : text;
}

static void
put_job(struct output *out, const struct message *row)
{
	const char *state = message_text(row, "state", "");
	char created[TIMES_TEXT_LEN], ended[TIMES_TEXT_LEN];

	output_cell_int(out, message_int(row, "id", 0));
	output_cell_ink(out, output_state_color(state), state);
	output_cell(out, message_text(row, "model", ""));
	output_cell(out, message_text(row, "class", ""));
	output_cell(out, message_text(row, "owner", ""));
	output_cell(out, message_text(row, "label", ""));
	output_cell_int(out, message_int(row, "tries", 0));
	output_cell(out, time_of(out, row, "created", created));
	output_cell(out, time_of(out, row, "ended", ended));
	output_cell_ink(out, OUTPUT_BAD, message_text(row, "error", ""));
}

static uint64_t
put_page(struct session *session, const struct reply *reply)
{
	struct output *out = &session->out;
	struct message *row;
	const char *line;
	size_t at = 0, len;
	uint64_t count = 0;

	for (; (row = reply_row(reply, &at, &line, &len)); count++) {
		if (out->quiet)
			output_line(out, "%" PRId64, message_int(row, "id", 0));
		else if (out->json) {
			output_raw(out, line, len);
			output_raw(out, "\n", 1);
		} else
			put_job(out, row);
		message_free(row);
	}
	return count;
}

int
cmd_list(struct session *session, struct arguments *arguments)
{
	struct request *request = &arguments->request;
	uint64_t left = arguments->rows ? arguments->rows : UINT64_MAX;
	struct reply reply;
	uint64_t shown;
	int err, code = 0;

	request->verb = FOREBAY_VERB_LIST;
	output_table(&session->out, titles);
	while (left > 0) {
		request->limit = MIN(left, PAGE);
		err = session_call(session, request, &reply);
		if (err) {
			code = session_fail(session, err);
			break;
		}
		shown = put_page(session, &reply);
		left = left > shown ? left - shown : 0;
		request->after_id = (uint64_t)message_int(reply.message, "next", 0);
		reply_clear(&reply);
		if (request->after_id == 0)
			break;
	}
	output_table_end(&session->out);
	return code;
}
