/*
 * cmd_wait.c - wait until jobs have ended; the exit code tells how.
 */
#include "client/answer.h"
#include "client/commands.h"
#include "client/times.h"

#include <inttypes.h>
#include <string.h>

#define GRACE_MS 1000

static bool
has_ended(const struct message *job)
{
	enum forebay_job_state state;

	return forebay_job_state_from_name(message_text(job, "state", ""), &state) &&
	       forebay_job_state_is_final(state);
}

/* The answer of one, behind the others'. */
static int
print_result(struct session *session, uint64_t id)
{
	struct request request;
	uint32_t stream;
	int err;

	request_init(&request, FOREBAY_VERB_RESULT);
	request.id = id;
	err = session_send(session, &request, &stream);
	if (err)
		return session_fail(session, err);
	return answer_print(session, stream, session->out.json ? ANSWER_BYTES : ANSWER_TEXT, false);
}

/* How a job ended that is not printed. */
static int
judge(struct session *session, const struct message *job)
{
	const char *state = message_text(job, "state", NULL);
	const char *wire = message_text(job, "error", NULL);
	int err = wire ? forebay_err_from_wire(wire) : FOREBAY_ERR_OK;

	if (!state) {
		output_complain(&session->out, "%s (%s)",
				message_text(job, "message", forebay_err_text(err)), wire);
		return forebay_err_exit_code(err);
	}
	if (strcmp(state, "succeeded") == 0 || !has_ended(job))
		return 0;
	if (!wire)
		err = strcmp(state, "canceled") == 0  ? FOREBAY_ERR_CANCELED
		      : strcmp(state, "expired") == 0 ? FOREBAY_ERR_DEADLINE
						      : FOREBAY_ERR_API_ERROR;
	output_note(&session->out, "job %" PRId64 " %s", message_int(job, "id", 0), state);
	return forebay_err_exit_code(err);
}

static int
take_jobs(struct session *session, const struct arguments *arguments, const struct reply *reply)
{
	size_t count = message_count(reply->message, "jobs");
	int worst = 0;

	if (message_bool(reply->message, "timed_out", false))
		worst = session_fail(session, FOREBAY_ERR_TIMEOUT);
	for (size_t i = 0; i < count; i++) {
		const struct message *job = message_item(reply->message, "jobs", i);
		int code;

		if (!job)
			continue;
		if (arguments->result && has_ended(job))
			code = print_result(session, (uint64_t)message_int(job, "id", 0));
		else
			code = judge(session, job);
		worst = MAX(worst, code);
	}
	return worst;
}

int
cmd_wait(struct session *session, struct arguments *arguments)
{
	struct request *request = &arguments->request;
	struct reply reply;
	int code;

	if (!command_ids(session, arguments, &code))
		return code;
	if (request->id_count == 1)
		session->waits_for = request->ids[0];
	request->timeout_ms = arguments->timeout_ms;
	/* The daemon says when it is over, and how far each job is by then; this is
	 * for a daemon that says nothing. */
	if (arguments->timeout_ms >= 0)
		session_time_out(session, arguments->timeout_ms + GRACE_MS);
	progress_start(&session->progress, session->out.err_tty && !session->out.quiet, false,
		       times_mono_ms());
	session->progress.id = session->waits_for;
	session->ticks = true;
	if (!command_call(session, arguments, FOREBAY_VERB_WAIT, &reply, &code))
		return code;
	session->ticks = false;
	progress_erase(&session->progress);
	code = take_jobs(session, arguments, &reply);
	reply_clear(&reply);
	return code;
}
