/*
 * answer.c - wait for one job's answer and print it; see answer.h.
 */
#include "client/answer.h"

#include "client/stream.h"
#include "client/times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	struct session *session;
	enum answer_form form;
	bool live;
	struct stream words;
	struct reply reply;
	size_t printed; /* bytes of this attempt's text or events */
};

static void
print_words(const char *text, size_t len, void *arg)
{
	struct answer *answer = arg;

	progress_erase(&answer->session->progress);
	output_text(&answer->session->out, text, len);
	answer->printed += len;
}

static void
take_back(struct answer *answer)
{
	struct session *session = answer->session;

	stream_clear(&answer->words);
	stream_init(&answer->words, print_words, answer);
	if (answer->printed == 0)
		return;
	answer->printed = 0;
	output_end_text(&session->out);
	output_note(&session->out, "this attempt broke off; what stands above is void, "
				   "the answer begins again:");
}

static void
take_news(struct answer *answer, const struct message *event)
{
	struct session *session = answer->session;
	int64_t id = message_int(event, "id", 0);

	if (id > 0)
		session->waits_for = (uint64_t)id;
	if (message_bool(event, "restart", false))
		take_back(answer);
	progress_news(&session->progress, event);
}

static void
take_chunk(struct answer *answer, const struct forebay_event *event)
{
	if (!answer->live)
		return;
	if (answer->form == ANSWER_EVENTS) {
		progress_erase(&answer->session->progress);
		output_raw(&answer->session->out, event->data, event->len);
		answer->printed += event->len;
	} else {
		stream_feed(&answer->words, event->data, event->len);
	}
	output_flush(&answer->session->out);
}

/* Until the stream's last event. */
static int
read_all(struct answer *answer, uint32_t stream)
{
	struct session *session = answer->session;
	struct forebay_event event;
	int err;

	for (;;) {
		err = session_next(session, &event);
		if (err)
			return err;
		if (answer->printed == 0)
			progress_tick(&session->progress, times_mono_ms());
		if (event.stream != stream)
			continue;
		if (event.type == FOREBAY_EVENT_FAILED)
			return event.error;
		if (event.type == FOREBAY_EVENT_NEWS)
			take_news(answer, event.fields);
		if (event.type == FOREBAY_EVENT_CHUNK)
			take_chunk(answer, &event);
		err = reply_take(&answer->reply, &event);
		if (err || event.last)
			return err;
	}
}

/* What the live words have not shown: all of it, or what came after they were
 * lost. Words of the same attempt, so the beginning is the same. */
static void
print_rest(struct answer *answer)
{
	struct session *session = answer->session;
	size_t len;
	char *text = stream_message_text(answer->reply.data, answer->reply.len, &len);

	if (!text) {
		output_complain(&session->out,
				"the answer is not a message; `forebay result --raw "
				"%" PRIu64 "` prints it as it is",
				session->waits_for);
		return;
	}
	if (len > answer->printed)
		output_text(&session->out, text + answer->printed, len - answer->printed);
	output_end_text(&session->out);
	if (len == 0)
		output_note(&session->out,
			    "the answer has no text; `forebay result --raw %" PRIu64
			    "` shows all of it",
			    session->waits_for);
	free(text);
}

static void
remark(struct session *session, const struct message *reply)
{
	const char *reason = message_text(reply, "stop_reason", "");
	const char *wanted = message_text(reply, "model_requested", "");
	const char *served = message_text(reply, "model_served", wanted);

	if (strcmp(reason, "max_tokens") == 0)
		output_note(&session->out, "the answer was cut at max_tokens");
	if (strcmp(reason, "refusal") == 0)
		output_note(&session->out, "the model declined to answer");
	/* An alias is answered under its full name, which begins alike. */
	if (strncmp(served, wanted, strlen(wanted)) != 0)
		output_note(&session->out, "answered by %s instead of %s", served, wanted);
}

int
answer_outcome(struct session *session, const struct message *reply)
{
	const char *wire = message_text(reply, "error", NULL);
	const char *request_id = message_text(reply, "request_id", NULL);
	int64_t status = message_int(reply, "http_status", 0);
	char http[32] = "";
	int err;

	if (!wire)
		return 0;
	err = forebay_err_from_wire(wire);
	if (status > 0)
		snprintf(http, sizeof(http), ", HTTP %d", (int)status);
	output_complain(&session->out, "job %" PRId64 " %s: %s (%s%s%s%s)",
			message_int(reply, "id", 0), message_text(reply, "state", "failed"),
			message_text(reply, "message", forebay_err_text(err)), wire, http,
			request_id ? ", " : "", request_id ? request_id : "");
	return forebay_err_exit_code(err);
}

static int
finish(struct answer *answer)
{
	struct session *session = answer->session;
	const struct message *reply = answer->reply.message;
	bool failed = message_has(reply, "error");

	progress_erase(&session->progress);
	session->waits_for = (uint64_t)message_int(reply, "id", (int64_t)session->waits_for);
	if (answer->form == ANSWER_BYTES)
		output_raw(&session->out, answer->reply.data, answer->reply.len);
	else if (!failed && answer->form == ANSWER_TEXT)
		print_rest(answer);
	if (answer->form != ANSWER_BYTES || session->out.json || session->out.tty)
		output_end_text(&session->out);
	output_flush(&session->out);
	if (answer->form == ANSWER_EVENTS && answer->printed == 0)
		output_note(&session->out, "the events of a job that has ended are gone; "
					   "`forebay result` has its answer");
	if (failed)
		return answer_outcome(session, reply);
	remark(session, reply);
	return 0;
}

int
answer_print(struct session *session, uint32_t stream, enum answer_form form, bool live)
{
	struct answer answer = { .session = session, .form = form, .live = live };
	int err, code;

	stream_init(&answer.words, print_words, &answer);
	err = read_all(&answer, stream);
	if (err) {
		if (answer.printed > 0)
			output_end_text(&session->out);
		code = session_fail(session, err);
	} else {
		code = finish(&answer);
	}
	stream_clear(&answer.words);
	reply_clear(&answer.reply);
	return code;
}
