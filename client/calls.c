/*
 * calls.c - steps that several commands share; see commands.h.
 */
#include "client/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX (256u << 20)

bool
command_call(struct session *session, struct arguments *arguments, enum forebay_verb verb,
	     struct reply *ret, int *ret_code)
{
	int err;

	arguments->request.verb = verb;
	err = session_call(session, &arguments->request, ret);
	*ret_code = err ? session_fail(session, err) : 0;
	if (!err && session->out.json && ret->len == 0)
		output_json(&session->out, ret->json, ret->json_len);
	return !err;
}

bool
command_ids(struct session *session, struct arguments *arguments, int *ret_code)
{
	struct request *request = &arguments->request;
	size_t count = (size_t)arguments->word_count;
	int err = FOREBAY_ERR_OK;

	*ret_code = 0;
	if (count == 0)
		return true;
	request->ids = calloc(count, sizeof(*request->ids));
	if (!request->ids)
		err = FOREBAY_ERR_NO_MEMORY;
	for (size_t i = 0; i < count && !err; i++)
		err = session_id(session, arguments->words[i], &request->ids[i]);
	request->id_count = err ? 0 : count;
	*ret_code = err ? session_fail(session, err) : 0;
	return !err;
}

int
command_submit(struct session *session, const struct request *request, const void *body, size_t len,
	       bool want_result, bool follow, uint32_t *ret_stream)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;

	submit.model = request->model;
	submit.chain = request->chain;
	submit.models = (const char *const *)request->chain_models;
	submit.job_class = forebay_class_name(request->class);
	submit.batch = forebay_batch_name(request->batch);
	submit.transport = forebay_transport_name(request->transport);
	submit.priority = (int)request->priority;
	submit.attempts = request->attempts;
	submit.deadline_ms = request->deadline_ms;
	submit.not_before_ms = request->not_before;
	submit.shrink_to = request->shrink_to;
	submit.version = request->version;
	submit.betas = (const char *const *)request->betas;
	submit.label = request->label;
	submit.key = request->key;
	submit.keep_ms = request->keep_ms;
	submit.ephemeral = request->ephemeral;
	submit.want_result = want_result;
	submit.follow = follow;
	return forebay_submit(session->f, body, len, &submit, ret_stream);
}

int
command_print_id(struct session *session, uint32_t stream)
{
	struct forebay_event event;
	int err;

	do {
		err = session_next(session, &event);
		if (!err && event.stream == stream && event.type == FOREBAY_EVENT_FAILED)
			err = event.error;
		if (err)
			return session_fail(session, err);
	} while (event.type != FOREBAY_EVENT_REPLY);
	if (session->out.json)
		output_json(&session->out, event.data, event.len);
	else
		output_line(&session->out, "%" PRId64, forebay_event_int(&event, "id", 0));
	return 0;
}

/* All of fd; NULL with errno. */
static char *
read_fd(int fd, size_t *ret_len)
{
	size_t size = 64u << 10, len = 0;
	char *text = malloc(size), *grown;
	ssize_t n = 1;

	while (text && n > 0) {
		if (len + 1 == size) {
			size *= 2;
			grown = size <= READ_MAX ? realloc(text, size) : NULL;
			if (!grown) {
				free(text);
				errno = size <= READ_MAX ? ENOMEM : EFBIG;
				return NULL;
			}
			text = grown;
		}
		n = read(fd, text + len, size - len - 1);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) {
		free(text);
		return NULL;
	}
	if (text)
		text[len] = 0;
	*ret_len = len;
	return text;
}

char *
command_read_file(struct session *session, const char *path, size_t *ret_len)
{
	bool in = strcmp(path, "-") == 0;
	int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd >= 0 ? read_fd(fd, ret_len) : NULL;

	if (!text)
		output_complain(&session->out, "%s: %s", in ? "stdin" : path, strerror(errno));
	if (fd >= 0 && !in)
		close(fd);
	return text;
}
