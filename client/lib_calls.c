/*
 * lib_calls.c - one thing at a time: ask, and wait for that answer.
 */
#include "client/lib.h"

#include <stdlib.h>
#include <string.h>

#define CALL_MAX_DATA (256u << 20) /* of an answer that is kept in memory */

struct call {
	uint32_t stream;
	char *json; /* owned */
	struct bytes data;
	bool done;
	int err;
};

static void
call_take(struct forebay *f, struct call *call, const struct forebay_event *event)
{
	switch (event->type) {
	case FOREBAY_EVENT_REPLY:
		call->json = strndup(event->data, event->len);
		if (!call->json)
			call->err = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		break;
	case FOREBAY_EVENT_DATA:
		if (call->data.len + event->len > CALL_MAX_DATA)
			call->err =
			    lib_fail(f, FOREBAY_ERR_TOO_BIG,
				     "the answer is larger than 256 MiB: read it by events");
		else if (bytes_add(&call->data, event->data, event->len))
			call->err = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		break;
	case FOREBAY_EVENT_FAILED:
		call->err = event->error;
		break;
	default:
		break;
	}
	call->done = event->last || call->err;
}

static int
call_wait(struct forebay *f, struct call *call, int timeout_ms)
{
	int64_t until_ms = lib_now_ms() + timeout_ms;
	struct forebay_event event;
	int err;

	while (!call->done) {
		int64_t now_ms = lib_now_ms();
		int left_ms = timeout_ms < 0 ? -1 : (int)MAX(until_ms - now_ms, 0);

		err = forebay_next(f, left_ms, &event);
		if (err)
			return err;
		if (event.type == FOREBAY_EVENT_NOTHING)
			return lib_fail(f, FOREBAY_ERR_TIMEOUT,
					left_ms == 0 ? "the waiting time is over"
						     : "a signal ended the waiting");
		if (event.stream == call->stream)
			call_take(f, call, &event);
	}
	return call->err;
}

/* Wait for stream, which is the only one. */
static int
call_finish(struct forebay *f, uint32_t stream, int timeout_ms, struct forebay_answer *ret)
{
	struct call call = { .stream = stream };
	int err = call_wait(f, &call, timeout_ms);

	if (!err)
		err = bytes_add(&call.data, "", 1);
	if (err) {
		forebay_cancel_stream(f, stream);
		free(call.json);
		free(call.data.data);
		return err;
	}
	*ret = (struct forebay_answer){ call.json, call.data.data, call.data.len - 1 };
	return FOREBAY_ERR_OK;
}

static int
only_one(struct forebay *f)
{
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

static int
parse_answer(struct forebay *f, const struct forebay_answer *answer, struct message **ret)
{
	char why[MESSAGE_WHY_LEN];
	int err = message_parse((const uint8_t *)answer->json, strlen(answer->json),
				FRAME_MAX_PAYLOAD, ret, why);

	return err ? lib_fail(f, err, "%s", why) : FOREBAY_ERR_OK;
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
		err = parse_answer(f, &answer, &reply);
	if (!err)
		*ret_id = (uint64_t)message_int(reply, "id", 0);
	message_free(reply);
	answer_clear(&answer);
	return err;
}

/* What the reply of result says of a job that has ended. */
static int
job_error(struct forebay *f, const struct forebay_answer *answer)
{
	struct message *reply = NULL;
	int err = parse_answer(f, answer, &reply);

	if (!err && message_has(reply, "error")) {
		err = forebay_err_from_wire(message_text(reply, "error", "ok"));
		lib_fail(f, err, "%s", message_text(reply, "message", forebay_err_text(err)));
	}
	message_free(reply);
	return err;
}

int
forebay_result(struct forebay *f, uint64_t id, int timeout_ms, void **ret_body, size_t *ret_len)
{
	struct forebay_answer answer;
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
		err = job_error(f, &answer);
	if (!err) {
		*ret_len = answer.len;
		*ret_body = TAKE(answer.data);
	}
	answer_clear(&answer);
	return err;
}
