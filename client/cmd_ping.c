/*
 * cmd_ping.c - is the daemon there, and who are we to it.
 */
#include "client/commands.h"
#include "client/times.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
put_pong(struct session *session, int64_t round_us)
{
	const char *json = forebay_hello(session->f);
	char why[MESSAGE_WHY_LEN];
	struct message *hello = NULL;
	const char *server = "forebayd";

	if (json &&
	    !message_parse((const uint8_t *)json, strlen(json), MESSAGE_MAX_LEN, &hello, why))
		server = message_text(hello, "server", server);
	if (session->out.json)
		output_line(&session->out, "{\"server\":\"%s\",\"round_us\":%" PRId64 "}", server,
			    round_us);
	else
		output_line(&session->out, "%s answered in %" PRId64 " us", server, round_us);
	message_free(hello);
}

int
cmd_ping(struct session *session, struct arguments *arguments)
{
	struct forebay_event event = { 0 };
	int64_t start_us;
	int err;

	session_time_out(session, arguments->timeout_ms < 0 ? 5000 : arguments->timeout_ms);
	err = session_open(session);
	start_us = now_us();
	if (!err)
		err = forebay_ping(session->f);
	while (!err && event.type != FOREBAY_EVENT_PONG) {
		err = session_next(session, &event);
		if (!err && event.type == FOREBAY_EVENT_FAILED)
			err = event.error;
	}
	if (err)
		return session_fail(session, err);
	put_pong(session, now_us() - start_us);
	return 0;
}

int
cmd_whoami(struct session *session, struct arguments *arguments)
{
	struct output *out = &session->out;
	const char *unit;
	struct reply reply;
	int code;

	if (!command_call(session, arguments, FOREBAY_VERB_WHOAMI, &reply, &code))
		return code;
	if (!out->json) {
		unit = message_text(reply.message, "unit", "");
		output_line(out, "%s (uid %" PRId64 ", pid %" PRId64 "%s%s)%s",
			    message_text(reply.message, "user", "?"),
			    message_int(reply.message, "uid", -1),
			    message_int(reply.message, "pid", -1), *unit ? ", unit " : "", unit,
			    message_bool(reply.message, "admin", false) ? ", admin" : "");
	}
	reply_clear(&reply);
	return 0;
}
