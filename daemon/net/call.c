/*
 * call.c - one request's life: connecting, waiting for the answer, answering.
 *
 * libcurl's callbacks only record (journal.h). Each phase has its own limit;
 * the timer is set anew only when it would ring too late, so that progress
 * costs a store: when it rings early, it is set for the rest.
 */
#include "daemon/net/call.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/secret.h"
#include "daemon/claude/body.h"
#include "daemon/gate/gate.h"
#include "daemon/net/inside.h"
#include "daemon/net/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum call_phase { CALL_CONNECTING, CALL_WAITING, CALL_ANSWERING, CALL_PHASE_COUNT };

struct call {
	struct curl_loop *loop;		  /* borrowed */
	struct transfer *transfer;	  /* owned; NULL: over */
	struct lines *lines;		  /* owned */
	struct body_reader *body;	  /* borrowed, or NULL */
	const struct call_events *events; /* borrowed */
	void *arg;			  /* borrowed */
	LIST_ENTRY(call) link;
	enum call_phase phase;
	int64_t started_ms;
	int64_t phase_ms;		    /* when phase began, or its last progress */
	int64_t rings_ms;		    /* when the timer rings; INT64_MAX: unset */
	int64_t limit_ms[CALL_PHASE_COUNT]; /* of each phase */
	int64_t lifetime_ms;
	uint64_t received, max_answer; /* bytes of the body */
	int status;
	bool left;
	bool bytes_are_progress;
	bool too_big;
	bool no_memory;
	struct answer_headers headers;
	char content_type[128];
};

/* --- time ------------------------------------------------------------------ */

static int64_t
after(int64_t since_ms, int64_t span_ms)
{
	return span_ms > 0 && span_ms < INT64_MAX - since_ms ? since_ms + span_ms : INT64_MAX;
}

static int64_t
call_phase_ends(const struct call *call)
{
	return after(call->phase_ms, call->limit_ms[call->phase]);
}

static int64_t
call_life_ends(const struct call *call)
{
	return after(call->started_ms, call->lifetime_ms);
}

static void
call_arm(struct call *call, int64_t now_ms)
{
	int64_t due_ms = MIN(call_phase_ends(call), call_life_ends(call));

	if (due_ms >= call->rings_ms)
		return;
	call->rings_ms = due_ms;
	loop_timer_set(call->transfer->timer, due_ms - now_ms);
}

static void
call_enter(struct call *call, enum call_phase phase)
{
	call->phase = phase;
	call->phase_ms = clock_mono_ms();
}

/* --- libcurl tells --------------------------------------------------------- */

int
call_on_ready(void *arg, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct transfer *transfer = arg;
	struct call *call = transfer->call;

	(void)peer_ip;
	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	/* A second time: libcurl would send again what has left already. */
	if (call->left)
		return call->body ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
	if (!journal_add(&call->loop->journal, call, JOURNAL_LEFT))
		return CURL_PREREQFUNC_ABORT;
	call->left = true;
	call_enter(call, CALL_WAITING);
	return CURL_PREREQFUNC_OK;
}

/* Printable ASCII alone: others pass it on as a header of their own. */
static void
call_keep_content_type(struct call *call)
{
	char *type = NULL;

	(void)curl_easy_getinfo(call->transfer->easy, CURLINFO_CONTENT_TYPE, &type);
	if (!type || strlen(type) >= sizeof(call->content_type))
		return;
	for (const unsigned char *c = (const unsigned char *)type; *c; c++)
		if (*c < 0x20 || *c >= 0x7f)
			return;
	stpcpy(call->content_type, type);
}

/* The empty line: a status is complete, unless it was only an interim one. */
static bool
call_end_headers(struct call *call)
{
	long status = 0;

	(void)curl_easy_getinfo(call->transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return true;
	call->status = (int)status;
	call->bytes_are_progress = status != 200;
	call_keep_content_type(call);
	call_enter(call, CALL_ANSWERING);
	return journal_add(&call->loop->journal, call, JOURNAL_HEADERS);
}

size_t
call_on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	struct call *call = transfer->call;
	size_t len = size * count;

	if (call->phase == CALL_ANSWERING) /* a trailer */
		return len;
	if (line[0] != '\r' && line[0] != '\n') {
		answer_header(&call->headers, line, len);
		return len;
	}
	if (call_end_headers(call))
		return len;
	call->no_memory = true;
	return CURL_WRITEFUNC_ERROR;
}

size_t
call_on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	struct call *call = transfer->call;
	size_t len = size * count;

	call->too_big = len > call->max_answer - call->received;
	if (call->too_big)
		return CURL_WRITEFUNC_ERROR;
	call->no_memory = !journal_add_data(&call->loop->journal, call, bytes, len);
	if (call->no_memory)
		return CURL_WRITEFUNC_ERROR;
	call->received += len;
	if (call->bytes_are_progress)
		call->phase_ms = clock_mono_ms();
	return len;
}

size_t
call_on_read(char *ret, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;

	return body_reader_read(transfer->call->body, (uint8_t *)ret, size * count);
}

int
call_on_seek(void *arg, curl_off_t offset, int origin)
{
	(void)arg;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* --- the loop acts --------------------------------------------------------- */

void
call_deliver(struct call *call, const struct journal_entry *entry, const uint8_t *bytes)
{
	switch (entry->kind) {
	case JOURNAL_LEFT:
		call_arm(call, clock_mono_ms());
		call->events->left(call, call->arg);
		break;
	case JOURNAL_HEADERS:
		call_arm(call, clock_mono_ms());
		call->events->headers(call, call->status, &call->headers, call->arg);
		break;
	case JOURNAL_DATA:
		call->events->data(call, bytes, entry->len, call->arg);
		break;
	}
}

/* Give back what the loop lent; only the struct and its owner's view remain. */
static void
call_release(struct call *call)
{
	struct transfer *transfer = TAKE(call->transfer);
	CURLMcode rc;

	rc = curl_multi_remove_handle(call->loop->multi, transfer->easy);
	if (rc != CURLM_OK)
		fatal("libcurl: %s", curl_multi_strerror(rc));
	journal_forget(&call->loop->journal, call);
	LIST_REMOVE(call, link);
	call->loop->running--;
	transfer_return(transfer);
}

static void
call_free(struct call *call)
{
	lines_free(call->lines);
	free(call);
}

static void
call_end(struct call *call, enum answer_transport how, const char *words)
{
	call_release(call);
	call->events->done(call, how, words, call->arg);
	call_free(call);
}

static void
call_fail(struct call *call, CURLcode code)
{
	char words[CURL_ERROR_SIZE];
	enum answer_transport how = trouble_kind(code, call->left);
	const char *said = call->transfer->words;

	if (call->too_big) {
		how = ANSWER_TOO_BIG;
		snprintf(words, sizeof(words), "the answer is longer than %" PRIu64 " bytes",
			 call->max_answer);
	} else if (call->no_memory) {
		snprintf(words, sizeof(words), "out of memory");
	} else {
		snprintf(words, sizeof(words), "%s", said[0] ? said : curl_easy_strerror(code));
	}
	trouble_log(&call->loop->troubles, code, words, clock_mono_ms());
	call_end(call, how, words);
}

void
call_finish(struct call *call, CURLcode code)
{
	if (code == CURLE_OK && call->phase != CALL_ANSWERING)
		code = CURLE_GOT_NOTHING;
	if (code == CURLE_OK)
		call_end(call, ANSWER_TRANSPORT_NONE, "");
	else
		call_fail(call, code);
}

static void
call_expire(struct call *call, int64_t now_ms)
{
	/* clang-format off */
	static const struct { enum answer_transport how; const char *words; } ends[] = {
		[CALL_CONNECTING] = { ANSWER_CONNECT,            "no connection within" },
		[CALL_WAITING]    = { ANSWER_TIMEOUT_FIRST_BYTE, "no answer within" },
		[CALL_ANSWERING]  = { ANSWER_TIMEOUT_IDLE,       "no progress for" },
	};
	/* clang-format on */
	enum answer_transport how = ends[call->phase].how;
	char words[CURL_ERROR_SIZE];

	if (now_ms >= call_life_ends(call)) {
		how = ANSWER_LIFETIME;
		snprintf(words, sizeof(words), "not finished within %" PRId64 " ms",
			 call->lifetime_ms);
	} else {
		snprintf(words, sizeof(words), "%s %" PRId64 " ms", ends[call->phase].words,
			 call->limit_ms[call->phase]);
	}
	trouble_log(&call->loop->troubles, CURLE_OPERATION_TIMEDOUT, words, now_ms);
	call_end(call, how, words);
}

void
call_on_time(struct call *call)
{
	int64_t now_ms = clock_mono_ms();

	call->rings_ms = INT64_MAX;
	if (now_ms >= MIN(call_phase_ends(call), call_life_ends(call)))
		call_expire(call, now_ms);
	else
		call_arm(call, now_ms);
}

void
call_point_all_at(struct curl_loop *loop, const char *secret_line)
{
	struct call *call;

	LIST_FOREACH (call, &loop->calls, link)
		lines_point_at(call->lines, secret_line);
}

/* --- the owner asks -------------------------------------------------------- */

bool
call_path_is_safe(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const unsigned char *c = (const unsigned char *)path; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '#')
			return false;
	return true;
}

static CURLcode
call_set_options(struct call *call, const char *path)
{
	const char *base = call->loop->upstream.origin.base;
	CURL *easy = call->transfer->easy;
	char *url = must_alloc(strlen(base) + strlen(path) + 1);
	CURLcode rc;

	stpcpy(stpcpy(url, base), path);
	rc = curl_easy_setopt(easy, CURLOPT_URL, url);
	free(url);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines_list(call->lines));
	if (rc == CURLE_OK && call->body) {
		rc = curl_easy_setopt(easy, CURLOPT_POST, 1L);
		if (rc == CURLE_OK)
			rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
					      (curl_off_t)call->body->total);
	} else if (rc == CURLE_OK) {
		rc = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	return rc;
}

static void
call_init(struct call *call, struct curl_loop *loop)
{
	const struct upstream *upstream = &loop->upstream;

	call->loop = loop;
	call->limit_ms[CALL_CONNECTING] = upstream->connect_timeout_ms;
	call->limit_ms[CALL_WAITING] = upstream->first_byte_timeout_ms;
	call->limit_ms[CALL_ANSWERING] = upstream->idle_timeout_ms;
	call->lifetime_ms = upstream->lifetime_ms;
	call->max_answer = upstream->max_answer;
	call->rings_ms = INT64_MAX;
	call_enter(call, CALL_CONNECTING);
	call->started_ms = call->phase_ms;
	answer_headers_init(&call->headers);
}

/* Into libcurl's hands. Nothing has happened yet if it fails. */
static enum forebay_err
call_launch(struct call *call, const char *path)
{
	enum forebay_err err = transfer_take(call->loop, &call->transfer);
	CURLcode rc;
	CURLMcode multi_rc = CURLM_OK;

	if (err)
		return err;
	call->transfer->call = call;
	rc = call_set_options(call, path);
	if (rc == CURLE_OK)
		multi_rc = curl_multi_add_handle(call->loop->multi, call->transfer->easy);
	if (rc != CURLE_OK || multi_rc != CURLM_OK) {
		log_error("a request could not be started: %s",
			  rc ? curl_easy_strerror(rc) : curl_multi_strerror(multi_rc));
		transfer_return(TAKE(call->transfer));
		return rc == CURLE_OUT_OF_MEMORY || multi_rc == CURLM_OUT_OF_MEMORY
			   ? FOREBAY_ERR_NO_MEMORY
			   : FOREBAY_ERR_INTERNAL;
	}
	LIST_INSERT_HEAD(&call->loop->calls, call, link);
	call->loop->running++;
	call_arm(call, call->started_ms);
	return FOREBAY_ERR_OK;
}

enum forebay_err
call_start(struct curl_loop *loop, const struct gate_ticket *ticket,
	   const struct call_request *request, const struct call_events *events, void *arg,
	   struct call **ret)
{
	const struct secret *secret = loop->upstream.secret;
	struct call *call;
	enum forebay_err err;

	if (!ticket || !ticket->taken)
		fatal("a request without a ticket: the gate was not asked");
	if (!call_path_is_safe(request->path)) {
		log_error("a request with an impossible path was not sent");
		return FOREBAY_ERR_INTERNAL;
	}
	call = must_alloc(sizeof(*call));
	call_init(call, loop);
	call->body = request->body;
	call->events = events;
	call->arg = arg;
	err = lines_new(request, secret ? secret_header(secret) : NULL, &call->lines);
	if (!err)
		err = call_launch(call, request->path);
	if (err) {
		call_free(call);
		return err;
	}
	*ret = call;
	return FOREBAY_ERR_OK;
}

void
call_progress(struct call *call)
{
	if (call->phase == CALL_ANSWERING)
		call->phase_ms = clock_mono_ms();
}

void
call_bytes_are_progress(struct call *call)
{
	call->bytes_are_progress = true;
}

bool
call_is_left(const struct call *call)
{
	return call->left;
}

const char *
call_content_type(const struct call *call)
{
	return call->content_type;
}

void
call_cancel(struct call *call)
{
	if (!call->transfer)
		return;
	call_release(call);
	call_free(call);
}
