/*
 * lib_calls.c - one thing at a time: ask, and wait for that answer, whole.
 */
#include "client/lib_calls.h"

#include <stdlib.h>
#include <string.h>

#define CALL_MAX_DATA (256u << 20) /* of an answer that is kept in memory */

int
collect(struct forebay *f, struct collected *collected, const struct forebay_event *event)
{
	switch (event->type) {
	case FOREBAY_EVENT_REPLY:
		collected->json = strndup(event->data, event->len);
		if (!collected->json)
			return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		break;
	case FOREBAY_EVENT_DATA:
		if (collected->data.len + event->len > CALL_MAX_DATA)
			return lib_fail(f, FOREBAY_ERR_TOO_BIG,
					"the answer is larger than 256 MiB: read it by events");
		if (bytes_add(&collected->data, event->data, event->len))
			return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		break;
	case FOREBAY_EVENT_FAILED:
		return event->error;
	default:
		break;
	}
	if (!event->last)
		return FOREBAY_ERR_OK;
	if (!collected->json)
		return lib_fail(f, FOREBAY_ERR_BAD_FRAME,
				"the daemon sent an answer without a reply");
	if (bytes_add(&collected->data, "", 1))
		return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	collected->data.len--;
	return FOREBAY_ERR_OK;
}

void
collected_clear(struct collected *collected)
{
	free(collected->json);
	free(collected->data.data);
	*collected = (struct collected){ 0 };
}

int
reply_parse(struct forebay *f, const char *json, struct message **ret)
{
	char why[MESSAGE_WHY_LEN];
	int err = message_parse((const uint8_t *)json, strlen(json), FRAME_MAX_PAYLOAD, ret, why);

	return err ? lib_fail(f, err, "%s", why) : FOREBAY_ERR_OK;
}

int
reply_job_error(struct forebay *f, const struct message *reply)
{
	int err;

	if (!message_has(reply, "error"))
		return FOREBAY_ERR_OK;
	err = forebay_err_from_wire(message_text(reply, "error", "ok"));
	return lib_fail(f, err, "%s", message_text(reply, "message", forebay_err_text(err)));
}

/* Until stream, which is the only one, has ended. */
static int
wait_for(struct forebay *f, uint32_t stream, int timeout_ms, struct collected *collected)
{
	int64_t until_ms = lib_now_ms() + timeout_ms;
	struct forebay_event event;
	int err;

	for (;;) {
		int64_t now_ms = lib_now_ms();
		int left_ms = timeout_ms < 0 ? -1 : (int)MAX(until_ms - now_ms, 0);

		err = forebay_next(f, left_ms, &event);
		if (err)
			return err;
		if (event.type == FOREBAY_EVENT_NOTHING)
			return lib_fail(f, FOREBAY_ERR_TIMEOUT,
					left_ms == 0 ? "the waiting time is over"
						     : "a signal ended the waiting");
		if (event.stream != stream)
			continue;
		err = collect(f, collected, &event);
		if (err || event.last)
			return err;
	}
}

static int
call_finish(struct forebay *f, uint32_t stream, int timeout_ms, struct forebay_answer *ret)
{
	struct collected collected = { 0 };
	int err = wait_for(f, stream, timeout_ms, &collected);

	if (err) {
		forebay_cancel_stream(f, stream);
		collected_clear(&collected);
		return err;
	}
	*ret = (struct forebay_answer){ collected.json, collected.data.data, collected.data.len };
	return FOREBAY_ERR_OK;
}

static int
only_one(struct forebay *f)
{
	if (f->dispatching)
		return lib_fail(f, FOREBAY_MISUSE, "no waiting in a callback");
	if (f->count == 0 && f->pings == 0)
		return FOREBAY_ERR_OK;
	return lib_fail(f, FOREBAY_MISUSE, "%zu requests are under way: use forebay_next()",
			f->count + f->pings);
}

int
forebay_call(struct forebay *f, const char *json, const void *body, size_t len, int timeout_ms,
	     struct forebay_answer *ret)
{
	uint32_t stream;
	int err = only_one(f);

	*ret = (struct forebay_answer){ 0 };
	if (!err)
		err = forebay_request(f, json, body, len, &stream);
	return err ? err : call_finish(f, stream, timeout_ms, ret);
}

static void
answer_clear(struct forebay_answer *answer)
{
	free(answer->json);
	free(answer->data);
}

/* The reply of a call without a body. */
static int
call_verb(struct forebay *f, const struct request *request, int timeout_ms,
	  struct forebay_answer *ret)
{
	char *json = request_put(request);
	int err;

	*ret = (struct forebay_answer){ 0 };
	if (!json)
		return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	err = forebay_call(f, json, NULL, 0, timeout_ms, ret);
	free(json);
	return err;
}

int
forebay_submit_wait(struct forebay *f, const void *body, size_t len,
		    const struct forebay_submit *options, uint64_t *ret_id)
{
	struct forebay_answer answer = { 0 };
	struct message *reply = NULL;
	uint32_t stream;
	int err = only_one(f);

	if (!err)
		err = forebay_submit(f, body, len, options, &stream);
	if (!err)
		err = call_finish(f, stream, -1, &answer);
	if (!err)
		err = reply_parse(f, answer.json, &reply);
	if (!err)
		*ret_id = (uint64_t)message_int(reply, "id", 0);
	message_free(reply);
	answer_clear(&answer);
	return err;
}

int
forebay_result(struct forebay *f, uint64_t id, int timeout_ms, void **ret_body, size_t *ret_len)
{
	struct forebay_answer answer;
	struct message *reply = NULL;
	struct request request;
	int err;

	request_init(&request, FOREBAY_VERB_WAIT);
	request.ids = &id; /* borrowed: the request is never cleared */
	request.id_count = 1;
	err = call_verb(f, &request, timeout_ms, &answer);
	answer_clear(&answer);
	if (err)
		return err;

	request_init(&request, FOREBAY_VERB_RESULT);
	request.id = id;
	err = call_verb(f, &request, -1, &answer);
	if (!err)
		err = reply_parse(f, answer.json, &reply);
	if (!err)
		err = reply_job_error(f, reply);
	message_free(reply);
	if (!err) {
		*ret_len = answer.len;
		*ret_body = TAKE(answer.data);
	}
	answer_clear(&answer);
	return err;
}
