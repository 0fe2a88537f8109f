/*
 * cmd_ask.c - compose a Messages request, submit it, print the answer as it comes.
 */
#include "client/answer.h"
#include "client/attach.h"
#include "client/commands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TOKENS 4096

/* The words, and what stands in a pipe behind them; owned by the caller. NULL:
 * said. */
static char *
read_prompt(struct session *session, const struct arguments *arguments, size_t *ret_len)
{
	bool dash = arguments->word_count == 1 && strcmp(arguments->words[0], "-") == 0;
	bool read_in = dash || !isatty(STDIN_FILENO);
	size_t in_len = 0, len = 0;
	char *in = read_in ? command_read_file(session, "-", &in_len) : strdup("");
	char *prompt;

	for (int i = 0; i < arguments->word_count; i++)
		len += strlen(arguments->words[i]) + 1;
	prompt = in ? malloc(len + in_len + 3) : NULL;
	if (!prompt) {
		free(in);
		return NULL;
	}
	len = 0;
	for (int i = 0; i < arguments->word_count && !dash; i++)
		len += (size_t)sprintf(prompt + len, "%s%s", i ? " " : "", arguments->words[i]);
	if (len > 0 && in_len > 0)
		len += (size_t)sprintf(prompt + len, "\n\n");
	memcpy(prompt + len, in, in_len);
	*ret_len = len + in_len;
	free(in);
	return prompt;
}

static bool
put_files(struct session *session, struct jsonput *put, char **files)
{
	for (; files && *files; files++) {
		size_t len;
		char *bytes = command_read_file(session, *files, &len);
		bool known = bytes && attach_put(put, *files, bytes, len);

		if (bytes && !known)
			output_complain(
			    &session->out,
			    "%s is neither text in UTF-8 nor a PNG, JPEG, GIF, WebP or PDF",
			    *files);
		free(bytes);
		if (!known)
			return false;
	}
	return true;
}

static bool
put_content(struct session *session, struct jsonput *put, const struct arguments *arguments)
{
	size_t len;
	char *prompt = read_prompt(session, arguments, &len);

	if (!prompt)
		return false;
	if (len == 0 && !arguments->files) {
		output_complain(&session->out,
				"what is the question? Give words, or a file with -f");
		free(prompt);
		return false;
	}
	jsonput_array(put);
	if (!put_files(session, put, arguments->files)) {
		free(prompt);
		return false;
	}
	if (len > 0) {
		jsonput_object(put);
		jsonput_member_string(put, "type", "text");
		jsonput_key(put, "text");
		jsonput_string_len(put, prompt, len);
		jsonput_end(put);
	}
	jsonput_end(put);
	free(prompt);
	return true;
}

/* The request; owned by the caller. NULL: said. */
static char *
compose(struct session *session, const struct arguments *arguments, const char *model,
	size_t *ret_len)
{
	struct jsonput put = { 0 };
	char *body;

	jsonput_object(&put);
	jsonput_member_string(&put, "model", model);
	jsonput_member_int(&put, "max_tokens",
			   (int64_t)(arguments->max_tokens ? arguments->max_tokens : MAX_TOKENS));
	if (arguments->system)
		jsonput_member_string(&put, "system", arguments->system);
	jsonput_key(&put, "messages");
	jsonput_array(&put);
	jsonput_object(&put);
	jsonput_member_string(&put, "role", "user");
	jsonput_key(&put, "content");
	if (!put_content(session, &put, arguments)) {
		jsonput_clear(&put);
		return NULL;
	}
	jsonput_end(&put);
	jsonput_end(&put);
	jsonput_end(&put);
	body = jsonput_take(&put, ret_len);
	if (!body)
		output_complain(&session->out, "out of memory");
	return body;
}

/* -m, the chain's first, $FOREBAY_MODEL, or the first the daemon knows; owned by
 * the caller. NULL with *ret_code: said. */
static char *
choose_model(struct session *session, struct request *request, int *ret_code)
{
	const char *model = request->model;
	const struct message *first;
	struct request models;
	struct reply reply;
	char *chosen;
	int err;

	if (!model && request->chain_models)
		model = request->chain_models[0];
	if (!model)
		model = getenv("FOREBAY_MODEL");
	if (model && *model)
		return strdup(model);
	request_init(&models, FOREBAY_VERB_MODELS);
	err = session_call(session, &models, &reply);
	if (err) {
		*ret_code = session_fail(session, err);
		return NULL;
	}
	first = message_item(reply.message, "models", 0);
	model = message_text(reply.message, "default", first ? message_text(first, "id", "") : "");
	chosen = strdup(model);
	reply_clear(&reply);
	return chosen;
}

int
cmd_ask(struct session *session, struct arguments *arguments)
{
	struct request *request = &arguments->request;
	/* Into a pipe the words of a try that breaks off could not be taken back. */
	bool live = !arguments->no_stream && !session->out.json && session->out.tty;
	uint32_t stream;
	size_t len;
	char *body, *model;
	int err, code = 2;

	err = session_open(session);
	if (err)
		return session_fail(session, err);
	model = choose_model(session, request, &code);
	body = model ? compose(session, arguments, model, &len) : NULL;
	free(model);
	if (!body)
		return code;
	if (arguments->job_class >= 0)
		request->class = arguments->job_class;
	else if (!arguments->detach)
		request->class = FOREBAY_CLASS_INTERACTIVE;
	session_time_out(session, arguments->timeout_ms);
	err = command_submit(session, request, body, len, !arguments->detach,
			     live && !arguments->detach, &stream);
	free(body);
	if (err)
		return session_fail(session, err);
	if (arguments->detach)
		return command_print_id(session, stream);
	return answer_print(session, stream, session->out.json ? ANSWER_BYTES : ANSWER_TEXT, live);
}
