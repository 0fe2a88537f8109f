/*
 * lib_pending.c - requests that have no final answer yet, and what becomes of
 * them when the connection breaks.
 *
 * Streams are numbered upwards, so a power-of-two array indexed by the low bits
 * finds them; a number whose place is taken by an old stream is passed over.
 */
#include "client/lib.h"

#include <stdlib.h>
#include <string.h>

/* A second time does what one time does. Not here: hold, release, drain (the
 * restarted daemon would get it too), retry (a second job), verify (costs). */
static const bool repeatable_verbs[FOREBAY_VERB_COUNT] = {
	[FOREBAY_VERB_WAIT] = true,   [FOREBAY_VERB_FOLLOW] = true, [FOREBAY_VERB_RESULT] = true,
	[FOREBAY_VERB_SHOW] = true,   [FOREBAY_VERB_LIST] = true,   [FOREBAY_VERB_CANCEL] = true,
	[FOREBAY_VERB_DELETE] = true, [FOREBAY_VERB_STATUS] = true, [FOREBAY_VERB_GATES] = true,
	[FOREBAY_VERB_MODELS] = true, [FOREBAY_VERB_STATS] = true,  [FOREBAY_VERB_WATCH] = true,
	[FOREBAY_VERB_WHOAMI] = true,
};

static bool
grow_slots(struct forebay *f)
{
	size_t size = f->slot_count ? f->slot_count * 2 : 64;
	struct pending **slots = calloc(size, sizeof(struct pending *));

	if (!slots)
		return false;
	for (size_t i = 0; i < f->slot_count; i++)
		if (f->slots[i])
			slots[f->slots[i]->stream & (size - 1)] = f->slots[i];
	free(f->slots);
	f->slots = slots;
	f->slot_count = size;
	return true;
}

struct pending *
pending_find(const struct forebay *f, uint32_t stream)
{
	struct pending *pending;

	if (f->slot_count == 0)
		return NULL;
	pending = f->slots[stream & (f->slot_count - 1)];
	return pending && pending->stream == stream ? pending : NULL;
}

static bool
take_stream(struct forebay *f, struct pending *pending)
{
	if (f->count * 2 >= f->slot_count && !grow_slots(f))
		return false;
	do
		f->last_stream = f->last_stream == UINT32_MAX ? 1 : f->last_stream + 1;
	while (f->slots[f->last_stream & (f->slot_count - 1)]);
	pending->stream = f->last_stream;
	f->slots[pending->stream & (f->slot_count - 1)] = pending;
	return true;
}

void
pending_free(struct pending *pending)
{
	if (!pending)
		return;
	listener_free(pending->listener);
	free(pending->json);
	free(pending->body);
	free(pending);
}

/* Read off the request what matters for asking again. A verb that only a newer
 * daemon knows goes through, once. */
static int
look_at(struct forebay *f, struct pending *pending)
{
	char why[MESSAGE_WHY_LEN];
	struct request request;
	enum forebay_err err;

	err = request_parse((const uint8_t *)pending->json, strlen(pending->json), &request, why);
	if (err == FOREBAY_ERR_UNKNOWN_VERB) {
		pending->verb = FOREBAY_VERB_COUNT;
		return FOREBAY_ERR_OK;
	}
	if (err)
		return lib_fail(f, err, "%s", why);

	pending->verb = request.verb;
	pending->ephemeral = request.ephemeral;
	pending->repeatable = repeatable_verbs[request.verb];
	if (request.verb == FOREBAY_VERB_SUBMIT) {
		pending->repeatable = request.key != NULL;
		pending->answers = request.want == FOREBAY_WANT_RESULT;
	}
	if (request.verb == FOREBAY_VERB_FOLLOW || request.verb == FOREBAY_VERB_RESULT) {
		pending->answers = true;
		pending->id = request.id;
		pending->attempt = request.from_attempt;
		pending->offset = request.from_offset;
	}
	request_clear(&request);
	return FOREBAY_ERR_OK;
}

static struct pending *
pending_new(char *json, const void *body, size_t len)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return NULL;
	if (body) {
		pending->body = malloc(len ? len : 1);
		if (!pending->body) {
			free(pending);
			return NULL;
		}
		if (len)
			memcpy(pending->body, body, len);
		pending->body_len = len;
	}
	pending->json = json;
	pending->charge = sizeof(*pending) + strlen(json) + len;
	pending->created_ms = lib_now_ms();
	return pending;
}

int
pending_add(struct forebay *f, char *json, const void *body, size_t len, uint32_t *ret_stream)
{
	struct pending *pending;
	int err;

	if (f->count >= LIB_MAX_UNANSWERED ||
	    (f->count > 0 && f->charged + len > LIB_MAX_UNANSWERED_BYTES))
		return lib_fail(f, FOREBAY_AGAIN,
				"%zu requests with %zu bytes are unanswered: take events first",
				f->count, f->charged);
	pending = pending_new(json, body, len);
	if (!pending)
		return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	err = look_at(f, pending);
	if (!err && !take_stream(f, pending))
		err = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	if (err) {
		pending->json = NULL; /* not taken */
		pending_free(pending);
		return err;
	}
	TAILQ_INSERT_TAIL(&f->waiting, pending, link);
	f->count++;
	f->charged += pending->charge;
	*ret_stream = pending->stream;
	return FOREBAY_ERR_OK;
}

static void
leave_list(struct forebay *f, struct pending *pending)
{
	if (pending->error) {
		TAILQ_REMOVE(&f->failed, pending, link);
	} else if (pending->head_sent) {
		TAILQ_REMOVE(&f->open, pending, link);
		f->open_count--;
	} else {
		TAILQ_REMOVE(&f->waiting, pending, link);
	}
}

void
pending_remove(struct forebay *f, struct pending *pending)
{
	leave_list(f, pending);
	f->slots[pending->stream & (f->slot_count - 1)] = NULL;
	f->count--;
	f->charged -= pending->charge;
}

void
pending_fail(struct forebay *f, struct pending *pending, int err)
{
	leave_list(f, pending);
	pending->error = err;
	TAILQ_INSERT_TAIL(&f->failed, pending, link);
}

void
pending_fail_all(struct forebay *f, int err)
{
	struct pending *pending;

	while ((pending = TAILQ_FIRST(&f->open)))
		pending_fail(f, pending, err);
	while ((pending = TAILQ_FIRST(&f->waiting)))
		pending_fail(f, pending, err);
}

/* The same request, to go on where this one was cut. */
static bool
compose_again(struct pending *pending, struct request *request)
{
	int64_t passed_ms = lib_now_ms() - pending->created_ms;

	if (pending->replied) {
		request_clear(request);
		request_init(request, FOREBAY_VERB_RESULT);
		request->id = pending->id;
		return true;
	}
	switch (request->verb) {
	case FOREBAY_VERB_WAIT:
		if (request->timeout_ms <= 0)
			return false;
		request->timeout_ms =
		    request->timeout_ms > passed_ms ? request->timeout_ms - passed_ms : 0;
		pending->created_ms += passed_ms; /* what is left counts from now */
		return true;
	case FOREBAY_VERB_SUBMIT:
		/* A durable job that is known by its id needs no second submit. */
		if (pending->id == 0 || pending->ephemeral)
			return false;
		pending->no_chunks = !request->follow;
		request_clear(request);
		request_init(request, FOREBAY_VERB_FOLLOW);
		request->id = pending->id;
		break;
	case FOREBAY_VERB_FOLLOW:
		break;
	default:
		return false;
	}
	request->from_attempt = pending->attempt;
	request->from_offset = pending->offset;
	return true;
}

static int
rewrite(struct pending *pending)
{
	char why[MESSAGE_WHY_LEN];
	struct request request;
	char *json;
	bool changed;
	int err;

	err = request_parse((const uint8_t *)pending->json, strlen(pending->json), &request, why);
	if (err)
		return err;
	changed = compose_again(pending, &request);
	json = changed ? request_put(&request) : NULL;
	if (changed && json) {
		pending->verb = request.verb;
		free(pending->json);
		pending->json = json;
		if (request.verb != FOREBAY_VERB_SUBMIT) {
			free(pending->body);
			pending->body = NULL;
			pending->body_len = 0;
		}
	}
	request_clear(&request);
	return changed && !json ? FOREBAY_ERR_NO_MEMORY : FOREBAY_ERR_OK;
}

/* What it takes to send it on the next connection; not OK: it cannot be. */
static int
rewind_one(struct pending *pending)
{
	int err;

	if (!pending->sent_before)
		return FOREBAY_ERR_OK;
	if (!pending->repeatable || (pending->replied && !(pending->answers && pending->id)))
		return FOREBAY_ERR_UNREACHABLE;
	err = rewrite(pending);
	if (err)
		return err;
	pending->skip = pending->data_len;
	/* Submitted again: its chunks come again from the first. */
	if (pending->verb == FOREBAY_VERB_SUBMIT && pending->offset > 0)
		pending->restart = true;
	return FOREBAY_ERR_OK;
}

int
pending_postpone(struct forebay *f, struct pending *pending)
{
	int err = rewind_one(pending);

	if (err)
		return err;
	leave_list(f, pending);
	pending->head_sent = false;
	pending->body_sent = 0;
	TAILQ_INSERT_HEAD(&f->waiting, pending, link);
	return FOREBAY_ERR_OK;
}

void
pending_rewind(struct forebay *f)
{
	struct pending *pending;

	while ((pending = TAILQ_LAST(&f->open, pending_list))) {
		int err = pending_postpone(f, pending);

		if (err)
			pending_fail(f, pending, err);
	}
}
