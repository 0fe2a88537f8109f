/*
 * forebay.c - libforebay: the functions of forebay.h. The connection is in
 * lib_link.c, the unanswered requests in lib_pending.c, incoming frames in
 * lib_events.c, the waiting conveniences in lib_calls.c.
 */
#include "client/lib.h"

#include "client/forebay_loop.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/forebay/forebay.sock"
#define HELLO_MS      10000
#define RECONNECT_MS  120000

int
lib_fail(struct forebay *f, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->message, sizeof(f->message), fmt, args);
	va_end(args);
	return err;
}

int64_t
lib_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
lib_random(void *buf, size_t len)
{
	return getrandom(buf, len, 0) == (ssize_t)len ? FOREBAY_ERR_OK : FOREBAY_ERR_INTERNAL;
}

/* --- opening and closing -------------------------------------------------- */

static char *
default_path(void)
{
	const char *given = getenv("FOREBAY_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path;

	if (given && *given)
		return strdup(given);
	if (!runtime || !*runtime || access(SYSTEM_SOCKET, F_OK) == 0)
		return strdup(SYSTEM_SOCKET);
	return asprintf(&path, "%s/forebay/forebay.sock", runtime) < 0 ? NULL : path;
}

static struct forebay *
handle_new(const char *path, const struct forebay_options *given)
{
	struct forebay_options options = { .agent = "libforebay/" FOREBAY_VERSION };
	struct forebay *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	/* A caller built against an older header has a shorter struct. */
	if (given)
		memcpy(&options, given, MIN(given->size, sizeof(options)));
	if (!options.agent)
		options.agent = "libforebay/" FOREBAY_VERSION;
	f->fd = -1;
	TAILQ_INIT(&f->waiting);
	TAILQ_INIT(&f->open);
	TAILQ_INIT(&f->failed);
	f->hello_ms = options.hello_ms > 0 ? options.hello_ms : HELLO_MS;
	f->background = options.background;
	f->reconnect_ms = options.reconnect_ms ? options.reconnect_ms : RECONNECT_MS;
	f->path = path ? strdup(path) : default_path();
	f->agent = strdup(options.agent);
	if (f->path && f->agent)
		return f;
	forebay_close(f);
	return NULL;
}

/* Wait until the socket is ready, or a timer of ours is due, or now is
 * until_ms (-1: never). False: a signal came. */
static bool
wait_ready(struct forebay *f, int64_t until_ms)
{
	struct pollfd poller = { .fd = f->fd, .events = forebay_events(f) };
	int64_t now_ms = lib_now_ms();
	int timeout_ms = link_due_ms(f, now_ms);

	if (until_ms >= 0) {
		int64_t left_ms = MAX(until_ms - now_ms, 0);

		if (timeout_ms < 0 || left_ms < timeout_ms)
			timeout_ms = (int)MIN(left_ms, INT32_MAX);
	}
	return poll(&poller, f->fd >= 0 ? 1 : 0, timeout_ms) >= 0 || errno != EINTR;
}

/* The first greeting is waited for; a refusal in it ends the opening. */
static int
wait_for_hello(struct forebay *f)
{
	int64_t until_ms = lib_now_ms() + f->hello_ms;
	struct forebay_event event;

	while (f->state == LINK_GREETING) {
		link_step(f, lib_now_ms());
		(void)events_take(f, &event);
		events_release(f);
		if (f->error)
			return f->error;
		if (f->state == LINK_GREETING && !wait_ready(f, until_ms))
			return lib_fail(f, FOREBAY_ERR_UNREACHABLE,
					"interrupted before forebayd at %s greeted", f->path);
	}
	return f->state == LINK_UP ? FOREBAY_ERR_OK : f->link_error;
}

int
forebay_open(const char *path, const struct forebay_options *options, struct forebay **ret)
{
	struct forebay *f = handle_new(path, options);
	int err;

	*ret = f;
	if (!f)
		return FOREBAY_ERR_NO_MEMORY;
	if (f->background)
		return FOREBAY_ERR_OK;
	err = link_open(f);
	return err ? err : wait_for_hello(f);
}

static void
free_list(struct pending_list *list)
{
	struct pending *pending;

	while ((pending = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, pending, link);
		pending_free(pending);
	}
}

void
forebay_close(struct forebay *f)
{
	if (!f)
		return;
	if (f->dispatching) {
		f->closing = true;
		return;
	}
	events_release(f);
	link_close(f);
	free_list(&f->waiting);
	free_list(&f->open);
	free_list(&f->failed);
	free(f->slots);
	free(f->in.data);
	free(f->out.data);
	free(f->hello);
	free(f->path);
	free(f->agent);
	free(f);
}

const char *
forebay_message(const struct forebay *f)
{
	return f ? f->message : forebay_err_text(FOREBAY_ERR_NO_MEMORY);
}

const char *
forebay_hello(const struct forebay *f)
{
	return f->hello;
}

/* --- asking --------------------------------------------------------------- */

static int
word_of(struct forebay *f, const char *what, const struct forebay_words *words, const char *word,
	int *ret)
{
	int number;

	if (!word)
		return FOREBAY_ERR_OK;
	number = forebay_word_find(words, word);
	if (number < 0)
		return lib_fail(f, FOREBAY_ERR_BAD_REQUEST, "%s: %s is not one of %s, %s%s%s", what,
				word, words->words[0], words->words[1],
				words->count > 2 ? ", " : "",
				words->count > 2 ? words->words[2] : "");
	*ret = number;
	return FOREBAY_ERR_OK;
}

/* All strings of ret are borrowed; it must not be cleared. */
static int
request_of(struct forebay *f, const struct forebay_submit *submit, char *key, struct request *ret)
{
	int err;

	request_init(ret, FOREBAY_VERB_SUBMIT);
	ret->key = key;
	if (!submit)
		return FOREBAY_ERR_OK;
	ret->model = (char *)submit->model;
	ret->chain = (char *)submit->chain;
	ret->chain_models = (char **)submit->models;
	ret->version = (char *)submit->version;
	ret->betas = (char **)submit->betas;
	ret->label = (char *)submit->label;
	ret->key = submit->key ? (char *)submit->key : key;
	ret->priority = submit->priority;
	ret->attempts = submit->attempts;
	ret->deadline_ms = submit->deadline_ms;
	ret->not_before = submit->not_before_ms;
	ret->shrink_to = submit->shrink_to;
	ret->keep_ms = submit->keep_ms;
	ret->ephemeral = submit->ephemeral;
	ret->follow = submit->follow;
	ret->want = submit->want_result ? FOREBAY_WANT_RESULT : FOREBAY_WANT_ID;
	err = word_of(f, "class", &forebay_classes, submit->job_class, &ret->class);
	if (!err)
		err = word_of(f, "batch", &forebay_batch_modes, submit->batch, &ret->batch);
	if (!err)
		err = word_of(f, "transport", &forebay_transports, submit->transport,
			      &ret->transport);
	return err;
}

/* The time in milliseconds, then 80 random bits: keys that grow are cheap to
 * index, those that jump about dirty a page of the daemon's index each. */
static int
random_key(struct forebay *f, char ret[static 33])
{
	struct timespec now;
	uint8_t bytes[16];
	uint64_t ms;

	if (lib_random(bytes, sizeof(bytes)))
		return lib_fail(f, FOREBAY_ERR_INTERNAL, "no random numbers: %s", strerror(errno));
	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	for (size_t i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return FOREBAY_ERR_OK;
}

int
forebay_submit(struct forebay *f, const void *body, size_t len,
	       const struct forebay_submit *options, uint32_t *ret_stream)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;
	struct request request;
	char key[33];
	char *json;
	int err;

	if (options)
		memcpy(&submit, options, MIN(options->size, sizeof(submit)));
	if (!body || len == 0)
		return lib_fail(f, FOREBAY_ERR_INVALID_BODY, "the body is empty");
	err = random_key(f, key);
	if (!err)
		err = request_of(f, &submit, key, &request);
	if (err)
		return err;
	json = request_put(&request);
	if (!json)
		return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	err = pending_add(f, json, body, len, ret_stream);
	if (err)
		free(json);
	return err;
}

int
forebay_request(struct forebay *f, const char *json, const void *body, size_t len,
		uint32_t *ret_stream)
{
	char *copy = strdup(json);
	int err;

	if (!copy)
		return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	err = pending_add(f, copy, body, len, ret_stream);
	if (err)
		free(copy);
	return err;
}

int
forebay_ping(struct forebay *f)
{
	uint8_t header[FRAME_HEADER_LEN];

	if (f->state != LINK_UP)
		return lib_fail(f, FOREBAY_ERR_UNREACHABLE, "not connected to forebayd at %s",
				f->path);
	frame_put_header(header, FRAME_PING, 0, 0, 0);
	if (bytes_add(&f->out, header, sizeof(header)))
		return lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	f->pings++;
	return FOREBAY_ERR_OK;
}

void
forebay_cancel_stream(struct forebay *f, uint32_t stream)
{
	struct pending *pending = pending_find(f, stream);
	uint8_t header[FRAME_HEADER_LEN];

	if (f->served && f->served->stream == stream)
		f->served->deaf = true;
	if (!pending)
		return;
	if (pending->head_sent && !pending->error) {
		frame_put_header(header, FRAME_CANCEL, FRAME_FLAG_END, stream, 0);
		if (bytes_add(&f->out, header, sizeof(header)))
			f->error = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
	}
	pending_remove(f, pending);
	/* Its callbacks are higher up the stack: they come back to it. */
	if (pending == f->served)
		f->done = pending;
	else
		pending_free(pending);
}

/* --- being answered ------------------------------------------------------- */

int
lib_next(struct forebay *f, int timeout_ms, struct forebay_event *ret)
{
	int64_t now_ms = lib_now_ms();
	int64_t until_ms = timeout_ms < 0 ? -1 : now_ms + timeout_ms;
	bool waited = timeout_ms == 0;

	events_release(f);
	for (;;) {
		link_step(f, now_ms);
		if (f->error)
			return f->error;
		if (events_take(f, ret))
			return FOREBAY_ERR_OK;
		if (f->error)
			return f->error;
		*ret = (struct forebay_event){ 0 };
		if (waited || (f->count == 0 && f->pings == 0))
			return FOREBAY_ERR_OK;
		if (!wait_ready(f, until_ms))
			return FOREBAY_ERR_OK;
		now_ms = lib_now_ms();
		waited = until_ms >= 0 && now_ms >= until_ms;
	}
}

int
forebay_next(struct forebay *f, int timeout_ms, struct forebay_event *ret)
{
	*ret = (struct forebay_event){ 0 };
	if (f->dispatching)
		return lib_fail(f, FOREBAY_MISUSE, "no waiting in a callback");
	return lib_next(f, timeout_ms, ret);
}

int64_t
forebay_event_int(const struct forebay_event *event, const char *name, int64_t otherwise)
{
	return event->fields ? message_int(event->fields, name, otherwise) : otherwise;
}

const char *
forebay_event_text(const struct forebay_event *event, const char *name, const char *otherwise)
{
	return event->fields ? message_text(event->fields, name, otherwise) : otherwise;
}

bool
forebay_event_bool(const struct forebay_event *event, const char *name)
{
	return event->fields && message_bool(event->fields, name, false);
}

size_t
forebay_pending(const struct forebay *f)
{
	return f->count;
}

/* --- errors --------------------------------------------------------------- */

static const struct {
	int err;
	const char *name, *text;
} own_errors[] = {
	{ FOREBAY_AGAIN, "again", "too much is under way, take events first" },
	{ FOREBAY_MISUSE, "misuse", "not possible in this state" },
	{ FOREBAY_CLOSED, "closed", "a callback has closed the handle" },
};

const char *
forebay_error_name(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(own_errors); i++)
		if (own_errors[i].err == err)
			return own_errors[i].name;
	return forebay_err_wire(err);
}

const char *
forebay_error_text(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(own_errors); i++)
		if (own_errors[i].err == err)
			return own_errors[i].text;
	return forebay_err_text(err);
}

bool
forebay_error_is(int err, const char *name)
{
	return strcmp(forebay_error_name(err), name) == 0;
}

bool
forebay_error_retryable(int err)
{
	return err == FOREBAY_AGAIN || forebay_err_retryable(err);
}
