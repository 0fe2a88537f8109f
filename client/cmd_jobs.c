/*
 * cmd_jobs.c - cancel, retry, rm: by ids, or by a filter after a question.
 */
#include "client/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUND 1000u /* jobs a request with a filter does at most */

static bool
has_filter(const struct request *request)
{
	return request->state >= 0 || request->model || request->owner || request->label;
}

/* On a terminal a filter is asked about; elsewhere -y has to be said. */
static bool
confirm(struct session *session, const struct arguments *arguments, const char *doing)
{
	char answer[8] = "";

	if (arguments->yes)
		return true;
	if (!isatty(STDIN_FILENO) || !session->out.err_tty) {
		output_complain(&session->out, "%s all that match? Say so with -y", doing);
		return false;
	}
	fprintf(stderr, "%s all jobs that match? [y/N] ", doing);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static bool
choose(struct session *session, struct arguments *arguments, const char *doing, int *ret_code)
{
	struct request *request = &arguments->request;
	bool filter = has_filter(request);

	*ret_code = 2;
	if (filter == (arguments->word_count > 0)) {
		output_complain(&session->out, "give either ids or a filter (-s -m -u -l)");
		return false;
	}
	if (!filter)
		return command_ids(session, arguments, ret_code);
	request->all = true;
	return confirm(session, arguments, doing);
}

static int
put_job(struct session *session, const struct message *job)
{
	const char *wire = message_text(job, "error", NULL);
	int64_t id = message_int(job, "new_id", message_int(job, "id", 0));
	int err;

	/* Canceling makes jobs canceled: that is no failure here. */
	if (!wire || message_has(job, "state")) {
		if (!session->out.json)
			output_line(&session->out, "%" PRId64, id);
		return 0;
	}
	err = forebay_err_from_wire(wire);
	output_complain(&session->out, "%s (%s)",
			message_text(job, "message", forebay_err_text(err)), wire);
	return forebay_err_exit_code(err);
}

/* One request's worth. The first id in it tells whether a round was a new one. */
static int
put_jobs(struct session *session, const struct message *reply, size_t *ret_count,
	 int64_t *ret_first)
{
	int code, worst = 0;

	*ret_count = message_count(reply, "jobs");
	*ret_first = 0;
	for (size_t i = 0; i < *ret_count; i++) {
		const struct message *job = message_item(reply, "jobs", i);

		if (!job)
			continue;
		if (i == 0)
			*ret_first = message_int(job, "id", 0);
		code = put_job(session, job);
		worst = MAX(worst, code);
	}
	return worst;
}

static int
run(struct session *session, struct arguments *arguments, enum forebay_verb verb, const char *doing)
{
	int64_t first = 0, before;
	struct reply reply;
	size_t count;
	int code, worst = 0;

	if (!choose(session, arguments, doing, &code))
		return code;
	/* By filter the daemon does a thousand at a time. Retried jobs match again. */
	do {
		if (!command_call(session, arguments, verb, &reply, &code))
			return code;
		before = first;
		code = put_jobs(session, reply.message, &count, &first);
		worst = MAX(worst, code);
		reply_clear(&reply);
	} while (arguments->request.all && verb != FOREBAY_VERB_RETRY && count == ROUND &&
		 first != before);
	if (verb == FOREBAY_VERB_RETRY && arguments->request.all && count == ROUND)
		output_note(&session->out, "only the newest %u that match were retried", ROUND);
	return worst;
}

int
cmd_cancel(struct session *session, struct arguments *arguments)
{
	return run(session, arguments, FOREBAY_VERB_CANCEL, "cancel");
}

int
cmd_retry(struct session *session, struct arguments *arguments)
{
	return run(session, arguments, FOREBAY_VERB_RETRY, "retry");
}

int
cmd_rm(struct session *session, struct arguments *arguments)
{
	return run(session, arguments, FOREBAY_VERB_DELETE, "forget");
}
