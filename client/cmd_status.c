/*
 * cmd_status.c - the daemon at a glance, once or again and again; and its gates.
 */
#include "client/commands.h"
#include "client/times.h"

#include <inttypes.h>
#include <string.h>

static const char *const gate_titles[] = { "GATE",  "KIND",   "STATE", "IN FLIGHT",
					   "LEVEL", "REASON", NULL };

static void
put_gates(struct output *out, const struct message *reply)
{
	output_table(out, gate_titles);
	for (size_t i = 0; i < message_count(reply, "gates"); i++) {
		const struct message *gate = message_item(reply, "gates", i);
		const char *weather;

		if (!gate)
			continue;
		weather = message_text(gate, "weather", "");
		output_cell(out, message_text(gate, "name", ""));
		output_cell(out, message_text(gate, "kind", ""));
		output_cell_ink(out, output_state_color(weather),
				message_text(gate, "words", weather));
		output_cell_int(out, message_int(gate, "in_flight", 0));
		output_cell_int(out, (int64_t)message_double(gate, "level", 0));
		output_cell(out, message_text(gate, "reason", ""));
	}
	output_table_end(out);
}

static void
put_queue(struct output *out, const struct message *queue)
{
	const char *name;

	if (!queue)
		return;
	output_raw(out, "queue     ", 10);
	for (size_t i = 0; (name = message_member(queue, i)); i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "%s%" PRId64 " %.24s", i ? ", " : "",
				   message_int(queue, name, 0), name);

		output_text(out, text, (size_t)len);
	}
	output_raw(out, "\n", 1);
}

static void
put_health(struct output *out, const struct message *reply)
{
	const struct message *key = message_object(reply, "key");
	const struct message *disk = message_object(reply, "disk");

	if (key)
		output_line(out, "key       %s%s%s", message_text(key, "fingerprint", "none"),
			    message_bool(key, "usable", true) ? "" : ", not usable: ",
			    message_bool(key, "usable", true) ? "" : message_text(key, "why", "?"));
	if (disk)
		output_line(out, "disk      %.1f MiB used, %.1f GiB free%s%s",
			    message_double(disk, "store_bytes", 0) / 1048576,
			    message_double(disk, "free_bytes", 0) / 1073741824,
			    message_bool(disk, "writable", true) ? "" : ", NOT WRITABLE: ",
			    message_bool(disk, "writable", true) ? ""
								 : message_text(disk, "why", "?"));
}

static void
put_status(struct output *out, const struct message *reply)
{
	char up[TIMES_TEXT_LEN];

	output_line(out, "forebayd  %s, pid %" PRId64 ", up %s%s",
		    message_text(reply, "version", "?"), message_int(reply, "pid", 0),
		    times_span(message_int(reply, "uptime_ms", 0), up),
		    message_bool(reply, "draining", false) ? ", DRAINING" : "");
	output_line(out, "workers   %" PRId64 " of %" PRId64 " busy, %" PRId64 " connections",
		    message_int(reply, "in_flight", 0), message_int(reply, "workers", 0),
		    message_int(reply, "connections", 0));
	put_queue(out, message_object(reply, "queue"));
	put_health(out, reply);
	put_gates(out, reply);
}

static int
watch(struct session *session, struct arguments *arguments)
{
	struct output *out = &session->out;
	struct forebay_event event;
	uint32_t stream;
	int err;

	arguments->request.verb = FOREBAY_VERB_WATCH;
	if (arguments->interval_ms >= 0)
		arguments->request.interval_ms = arguments->interval_ms;
	err = session_send(session, &arguments->request, &stream);
	while (!err) {
		err = session_next(session, &event);
		if (!err && event.type == FOREBAY_EVENT_FAILED)
			err = event.error;
		if (err || event.type != FOREBAY_EVENT_NEWS)
			continue;
		if (out->json) {
			output_json(out, event.data, event.len);
		} else {
			output_raw(out, "\033[H\033[2J", out->tty ? 7 : 0);
			put_status(out, event.fields);
		}
		output_flush(out);
	}
	/* Ctrl-C is how watching ends. */
	return err == SESSION_INTERRUPTED ? 0 : session_fail(session, err);
}

int
cmd_status(struct session *session, struct arguments *arguments)
{
	struct reply reply;
	int code;

	if (arguments->watch)
		return watch(session, arguments);
	if (!command_call(session, arguments, FOREBAY_VERB_STATUS, &reply, &code))
		return code;
	if (!session->out.json)
		put_status(&session->out, reply.message);
	reply_clear(&reply);
	return 0;
}

int
cmd_gates(struct session *session, struct arguments *arguments)
{
	struct reply reply;
	int code;

	if (!command_call(session, arguments, FOREBAY_VERB_GATES, &reply, &code))
		return code;
	if (!session->out.json)
		put_gates(&session->out, reply.message);
	reply_clear(&reply);
	return 0;
}
