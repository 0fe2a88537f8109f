/*
 * cmd_models.c - the models the daemon knows; and its counters.
 */
#include "client/commands.h"

#include <string.h>

static const char *const model_titles[] = { "MODEL", "BUCKET",	  "CONTEXT", "MAX OUTPUT",
					    "GATE",  "LIFECYCLE", NULL };
static const char *const stat_titles[] = { "COUNTER", "VALUE", NULL };

int
cmd_models(struct session *session, struct arguments *arguments)
{
	struct output *out = &session->out;
	struct reply reply;
	int code;

	if (!command_call(session, arguments, FOREBAY_VERB_MODELS, &reply, &code))
		return code;
	output_table(out, model_titles);
	for (size_t i = 0; i < message_count(reply.message, "models") && !out->json; i++) {
		const struct message *model = message_item(reply.message, "models", i);

		if (!model)
			continue;
		if (out->quiet) {
			output_line(out, "%s", message_text(model, "id", ""));
			continue;
		}
		output_cell(out, message_text(model, "id", ""));
		output_cell(out, message_text(model, "bucket", ""));
		output_cell_int(out, message_int(model, "context", 0));
		output_cell_int(out, message_int(model, "max_output", 0));
		output_cell(out, message_text(model, "words", ""));
		output_cell(out, message_text(model, "lifecycle", ""));
	}
	output_table_end(out);
	reply_clear(&reply);
	return 0;
}

int
cmd_stats(struct session *session, struct arguments *arguments)
{
	struct output *out = &session->out;
	const struct message *metrics;
	struct reply reply;
	const char *name;
	int code;

	if (!command_call(session, arguments, FOREBAY_VERB_STATS, &reply, &code))
		return code;
	metrics = message_object(reply.message, "metrics");
	output_table(out, stat_titles);
	for (size_t i = 0; metrics && !out->json && (name = message_member(metrics, i)); i++) {
		output_cell(out, name);
		output_cell_int(out, message_int(metrics, name, 0));
	}
	output_table_end(out);
	reply_clear(&reply);
	return 0;
}
