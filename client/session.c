/*
 * session.c - the connection of a command and the ends of its waiting.
 */
#include "client/session.h"

#include "client/times.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX (1u << 20)

static volatile sig_atomic_t interrupts;
static struct sigaction old_interrupt, old_pipe; /* as whoever started us wants them */

static void
note_interrupt(int number)
{
	(void)number;
	/* A second one means it: end at once. */
	if (interrupts++ > 0)
		signal(SIGINT, SIG_DFL);
}

void
session_catch_interrupts(void)
{
	/* Without SA_RESTART: poll() has to come back. */
	struct sigaction action = { .sa_handler = note_interrupt };

	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(&action.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGINT, &action, &old_interrupt);
	sigaction(SIGPIPE, &ignore, &old_pipe);
}

void
session_leave_interrupts(void)
{
	sigaction(SIGINT, &old_interrupt, NULL);
	sigaction(SIGPIPE, &old_pipe, NULL);
}

void
session_clear(struct session *session)
{
	progress_erase(&session->progress);
	forebay_close(session->f);
	session->f = NULL;
	output_clear(&session->out);
}

int
session_open(struct session *session)
{
	struct forebay_options options = { .size = sizeof(options),
					   .agent = "forebay/" FOREBAY_VERSION };

	if (session->f)
		return FOREBAY_ERR_OK;
	progress_start(&session->progress, session->out.err_tty && !session->out.quiet,
		       session->verbose, times_mono_ms());
	return forebay_open(session->socket, &options, &session->f);
}

void
session_time_out(struct session *session, int64_t timeout_ms)
{
	session->until_ms = timeout_ms < 0 ? -1 : times_mono_ms() + timeout_ms;
}

int
session_send(struct session *session, const struct request *request, uint32_t *ret_stream)
{
	int err = session_open(session);
	char *json;

	if (err)
		return err;
	json = request_put(request);
	if (!json)
		return FOREBAY_ERR_NO_MEMORY;
	err = forebay_request(session->f, json, NULL, 0, ret_stream);
	free(json);
	return err;
}

static int
step_ms(const struct session *session, int64_t now_ms)
{
	int64_t step_ms = PROGRESS_EVERY_MS;

	if (session->until_ms >= 0)
		step_ms = MIN(step_ms, MAX(session->until_ms - now_ms, 0));
	return (int)step_ms;
}

int
session_next(struct session *session, struct forebay_event *ret)
{
	int64_t now_ms = times_mono_ms();
	int err;

	if (session->out.broken)
		return SESSION_NO_OUTPUT;
	if (interrupts > 0)
		return SESSION_INTERRUPTED;
	err = forebay_next(session->f, step_ms(session, now_ms), ret);
	if (err)
		return err;
	now_ms = times_mono_ms();
	if (session->ticks)
		progress_tick(&session->progress, now_ms);
	if (ret->type == FOREBAY_EVENT_NOTHING && session->until_ms >= 0 &&
	    now_ms >= session->until_ms)
		return FOREBAY_ERR_TIMEOUT;
	if (ret->type == FOREBAY_EVENT_LOST || ret->type == FOREBAY_EVENT_BACK) {
		bool lost = ret->type == FOREBAY_EVENT_LOST;

		progress_erase(&session->progress);
		if (session->verbose || session->out.err_tty)
			output_note(&session->out, lost ? "the daemon is gone, connecting again"
							: "the daemon is back");
		ret->type = FOREBAY_EVENT_NOTHING;
	}
	return FOREBAY_ERR_OK;
}

/* --- whole answers ----------------------------------------------------------- */

void
reply_clear(struct reply *reply)
{
	message_free(reply->message);
	free(reply->json);
	free(reply->data);
	*reply = (struct reply){ 0 };
}

static int
keep_json(struct reply *reply, const struct forebay_event *event)
{
	char why[MESSAGE_WHY_LEN];

	reply->json = strndup(event->data, event->len);
	if (!reply->json)
		return FOREBAY_ERR_NO_MEMORY;
	reply->json_len = event->len;
	return message_parse(event->data, event->len, ROW_MAX, &reply->message, why);
}

static int
keep_data(struct reply *reply, const void *data, size_t len)
{
	size_t size = MAX(reply->size, 4096u);
	char *grown;

	while (size < reply->len + len + 1)
		size *= 2;
	if (size != reply->size) {
		grown = realloc(reply->data, size);
		if (!grown)
			return FOREBAY_ERR_NO_MEMORY;
		reply->data = grown;
		reply->size = size;
	}
	if (len)
		memcpy(reply->data + reply->len, data, len);
	reply->len += len;
	reply->data[reply->len] = 0;
	return FOREBAY_ERR_OK;
}

int
reply_take(struct reply *reply, const struct forebay_event *event)
{
	if (event->type == FOREBAY_EVENT_REPLY) {
		int err = keep_json(reply, event);

		return err ? err : keep_data(reply, NULL, 0);
	}
	return event->type == FOREBAY_EVENT_DATA ? keep_data(reply, event->data, event->len)
						 : FOREBAY_ERR_OK;
}

int
session_call(struct session *session, const struct request *request, struct reply *ret)
{
	struct forebay_event event;
	uint32_t stream;
	int err;

	*ret = (struct reply){ 0 };
	err = session_send(session, request, &stream);
	while (!err) {
		err = session_next(session, &event);
		if (err || event.stream != stream)
			continue;
		err = event.type == FOREBAY_EVENT_FAILED ? event.error : reply_take(ret, &event);
		if (event.last)
			break;
	}
	if (err)
		reply_clear(ret);
	return err;
}

struct message *
reply_row(const struct reply *reply, size_t *at, const char **ret_line, size_t *ret_len)
{
	char why[MESSAGE_WHY_LEN];
	struct message *row = NULL;

	while (*at < reply->len) {
		const char *line = reply->data + *at;
		const char *end = memchr(line, '\n', reply->len - *at);
		size_t len = end ? (size_t)(end - line) : reply->len - *at;

		*at += len + (end != NULL);
		if (message_parse((const uint8_t *)line, len, ROW_MAX, &row, why))
			continue;
		*ret_line = line;
		*ret_len = len;
		return row;
	}
	return NULL;
}

/* --- ids --------------------------------------------------------------------- */

static int
last_id(struct session *session, uint64_t *ret)
{
	struct request request;
	struct reply reply;
	struct message *row;
	const char *line;
	size_t at = 0, len;
	int err;

	request_init(&request, FOREBAY_VERB_LIST);
	request.limit = 1;
	err = session_call(session, &request, &reply);
	request_clear(&request);
	if (err)
		return err;
	row = reply_row(&reply, &at, &line, &len);
	*ret = row ? (uint64_t)message_int(row, "id", 0) : 0;
	message_free(row);
	reply_clear(&reply);
	if (*ret > 0)
		return FOREBAY_ERR_OK;
	output_complain(&session->out, "@last: you have no jobs");
	return SESSION_USAGE;
}

int
session_id(struct session *session, const char *word, uint64_t *ret)
{
	const char *digits = word + (*word == '#');
	char *end;

	if (strcmp(word, "@last") == 0)
		return last_id(session, ret);
	errno = 0;
	*ret = strtoull(digits, &end, 10);
	if (*digits >= '0' && *digits <= '9' && !*end && !errno && *ret > 0 && *ret < 1ULL << 53)
		return FOREBAY_ERR_OK;
	output_complain(&session->out, "%s is no job id: expected a number such as 417, or @last",
			word);
	return SESSION_USAGE;
}

/* --- failures ---------------------------------------------------------------- */

int
session_exit_code(int err)
{
	switch (err) {
	case SESSION_INTERRUPTED:
		return 130;
	case SESSION_NO_OUTPUT:
		return 141;
	case SESSION_USAGE:
		return 2;
	default:
		return forebay_err_exit_code(err);
	}
}

static void
fail_unreachable(struct session *session, const char *message)
{
	output_complain(&session->out, "%s", message);
	output_note(&session->out, "is the daemon running? Try: systemctl status forebayd%s",
		    session->socket ? "" : " (or give its socket with --socket)");
}

int
session_fail(struct session *session, int err)
{
	const char *message = session->f ? forebay_message(session->f) : forebay_err_text(err);

	progress_erase(&session->progress);
	switch (err) {
	case FOREBAY_ERR_OK:
	case SESSION_USAGE:
		break;
	case SESSION_NO_OUTPUT:
		if (session->out.broken == EPIPE)
			break;
		output_complain(&session->out, "cannot write: %s", strerror(session->out.broken));
		return 1;
	case SESSION_INTERRUPTED:
	case FOREBAY_ERR_TIMEOUT:
		if (session->waits_for)
			output_complain(&session->out, "%s; job %" PRIu64 " goes on",
					err == FOREBAY_ERR_TIMEOUT ? "the time is over"
								   : "stopped waiting",
					session->waits_for);
		else
			output_complain(&session->out, "%s",
					err == FOREBAY_ERR_TIMEOUT ? "the time is over"
								   : "interrupted");
		break;
	case FOREBAY_ERR_UNREACHABLE:
		fail_unreachable(session, message);
		break;
	case FOREBAY_ERR_NO_MEMORY:
		output_complain(&session->out, "out of memory");
		break;
	default:
		output_complain(&session->out, "%s (%s)",
				*message ? message : forebay_err_text(err),
				forebay_error_name(err));
		break;
	}
	return session_exit_code(err);
}
