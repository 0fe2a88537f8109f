/*
 * cmd_show.c - everything known about a job, with its attempts.
 */
#include "client/commands.h"
#include "client/times.h"

#include <inttypes.h>
#include <string.h>

static const char *const titles[] = { "TRY", "STARTED", "MODEL",   "OUTCOME", "HTTP", "WAITED",
				      "IN",  "OUT",	"REQUEST", "WHY",     NULL };

/* The members worth a line, in this order; absent ones are left out. */
static const char *const members[] = {
	"state", "waiting",	 "model",      "model_served", "chain", "route",    "skipped",
	"class", "priority",	 "batch",      "transport",    "owner", "unit",	    "label",
	"key",	 "created",	 "not_before", "started",      "ended", "deadline", "attempts",
	"tries", "max_attempts", "retry_of",   "body_bytes",   "error", "message",
};

static void
put_members(struct output *out, const struct message *job)
{
	output_line(out, "job %" PRId64, message_int(job, "id", 0));
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *text = message_text(job, members[i], NULL);
		char local[TIMES_TEXT_LEN];

		if (text)
			output_line(out, "  %-12s  %s", members[i],
				    out->tty ? times_local(text, local) : text);
		else if (message_has(job, members[i]))
			output_line(out, "  %-12s  %" PRId64, members[i],
				    message_int(job, members[i], 0));
	}
}

/* What its number alone does not say: never seen to end, what broke, or what was
 * changed on its way to this model. */
static const char *
why_of(const struct message *row)
{
	static const char *const reasons[] = { "billing", "message", "error_type", "edits" };

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (message_has(row, reasons[i]))
			return message_text(row, reasons[i], "");
	return "";
}

static void
put_attempt(struct output *out, const struct message *row)
{
	const char *outcome = message_text(row, "outcome", "running");
	const char *started = message_text(row, "started", "");
	char local[TIMES_TEXT_LEN], waited[TIMES_TEXT_LEN];

	output_cell_int(out, message_int(row, "attempt", 0));
	output_cell(out, out->tty ? times_local(started, local) : started);
	output_cell(out, message_text(row, "model", ""));
	output_cell_ink(out, output_state_color(outcome), outcome);
	output_cell_int(out, message_int(row, "http_status", 0));
	output_cell(out, times_span(message_int(row, "waited_ms", 0), waited));
	output_cell_int(out, message_int(row, "input_tokens", 0));
	output_cell_int(out, message_int(row, "output_tokens", 0));
	output_cell(out, message_text(row, "request_id", ""));
	output_cell(out, why_of(row));
}

static void
put_rows(struct output *out, const struct reply *reply)
{
	struct message *row;
	const char *line;
	size_t at = 0, len;
	bool table = false;

	while ((row = reply_row(reply, &at, &line, &len))) {
		if (message_has(row, "request_bytes")) {
			output_table_end(out);
			output_raw(out, reply->data + at, reply->len - at);
			at = reply->len;
		} else if (out->json) {
			output_raw(out, line, len);
			output_raw(out, "\n", 1);
		} else if (!message_has(row, "attempt")) {
			put_members(out, row);
		} else {
			if (!table)
				output_table(out, titles);
			table = true;
			put_attempt(out, row);
		}
		message_free(row);
	}
	if (table)
		output_table_end(out);
}

/* Only the request body: what follows the line that announces it. */
static void
put_request(struct output *out, const struct reply *reply)
{
	struct message *row;
	const char *line;
	size_t at = 0, len;
	bool found = false;

	while (!found && (row = reply_row(reply, &at, &line, &len))) {
		found = message_has(row, "request_bytes");
		message_free(row);
	}
	if (found)
		output_raw(out, reply->data + at, reply->len - at);
	if (out->tty)
		output_end_text(out);
}

int
cmd_show(struct session *session, struct arguments *arguments)
{
	struct reply reply;
	int code, err = session_id(session, arguments->words[0], &arguments->request.id);

	if (err)
		return session_fail(session, err);
	if (!command_call(session, arguments, FOREBAY_VERB_SHOW, &reply, &code))
		return code;
	if (arguments->request.request)
		put_request(&session->out, &reply);
	else
		put_rows(&session->out, &reply);
	reply_clear(&reply);
	return 0;
}
