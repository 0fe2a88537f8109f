/*
 * answer.c - the classifier: what an attempt's end means. See answer.h.
 */
#include "daemon/claude/answer.h"

#include "daemon/claude/when.h"
#include "protocol/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_MAX_DEPTH 16
#define MAX_TITLE	200

static const struct transport_row {
	const char *type;
	const char *text;
} transports[] = { [ANSWER_TRANSPORT_NONE] = { "", "a whole answer" },
#define X(KIND, type, text) [ANSWER_##KIND] = { type, text },
		   ANSWER_TRANSPORTS(X)
#undef X
};

const char *
answer_transport_text(enum answer_transport kind)
{
	return transports[kind].text;
}

/* --- keys said back ------------------------------------------------------------------ */

/* How keys of the API begin; what stays of them when they are scrubbed. */
static const char key_prefix[] = "sk-ant-";

static bool
is_of_key(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

static void
scrub_word(char *text, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	char *end = text + len, *at = text;

	while (word_len > 0 && (at = memmem(at, (size_t)(end - at), word, word_len))) {
		memset(at, '*', word_len);
		at += word_len;
	}
}

void
answer_scrub(char *text, size_t len, const char *key)
{
	size_t prefix_len = sizeof(key_prefix) - 1;
	char *end, *at = text;

	if (len == 0) /* then text may be NULL */
		return;
	end = text + len;
	if (key)
		scrub_word(text, len, key);
	while ((at = memmem(at, (size_t)(end - at), key_prefix, prefix_len)))
		for (at += prefix_len; at < end && is_of_key(*at); at++)
			*at = '*';
}

/* --- the body ------------------------------------------------------------------------ */

/* One line for people out of valid UTF-8: controls, those of Unicode too,
 * become spaces, and a character is never cut in two. */
static void
copy_line(char *ret, size_t size, const char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		uint8_t lead = (uint8_t)text[i];
		size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
		bool control =
		    lead < 0x20 || lead == 0x7f || (lead == 0xc2 && (uint8_t)text[i + 1] < 0xa0);

		if (used + (control ? 1 : n) >= size)
			break;
		if (control)
			ret[used++] = ' ';
		else
			memcpy(ret + used, text + i, n);
		used += control ? 0 : n;
		i += n;
	}
	ret[used] = '\0';
}

/* A machine's word: kept only if it is one. */
static void
copy_word(char *ret, size_t size, const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= 0x20 || *c > 0x7e)
			return;
	snprintf(ret, size, "%s", text);
}

/* Decodes a string of the error body; the caller frees. NULL if it is none. */
static char *
decode(const uint8_t *body, const struct json_node *node, size_t *ret_len)
{
	char *text = node->kind == JSON_STRING ? malloc(node->len) : NULL;

	if (!text)
		return NULL;
	*ret_len = json_decode(body + node->offset, node->len, text, node->len);
	/* Before it is cut: half a key is hard to know. */
	answer_scrub(text, *ret_len, NULL);
	return text;
}

struct error_scan {
	const uint8_t *body;
	struct answer *answer;
};

/* Only "error" and, in it, "details" are looked into: depths tell them apart. */
static bool
error_on_enter(const struct json_node *node, void *arg)
{
	(void)arg;
	if (node->kind != JSON_OBJECT)
		return false;
	return node->depth == 0 || (node->depth == 1 && json_key_is(node, "error")) ||
	       (node->depth == 2 && json_key_is(node, "details"));
}

static void
error_on_value(const struct json_node *node, void *arg)
{
	struct error_scan *scan = arg;
	struct answer *answer = scan->answer;
	size_t len = 0;
	char *text = decode(scan->body, node, &len);

	if (text && node->depth == 1 && json_key_is(node, "request_id"))
		copy_word(answer->request_id, sizeof(answer->request_id), text);
	else if (text && node->depth == 2 && json_key_is(node, "type"))
		copy_word(answer->type, sizeof(answer->type), text);
	else if (text && node->depth == 2 && json_key_is(node, "message"))
		copy_line(answer->message, sizeof(answer->message), text, len);
	else if (text && node->depth == 3 && json_key_is(node, "error_code"))
		copy_word(answer->code, sizeof(answer->code), text);
	free(text);
}

/* Pages of proxies say what they are in their title. */
static void
take_title(struct answer *answer, const uint8_t *body, size_t len)
{
	static const char open[] = "<title>";
	const uint8_t *title = memmem(body, len, open, sizeof(open) - 1);
	size_t used = 0;

	if (!title)
		return;
	title += sizeof(open) - 1;
	for (; title < body + len && *title != '<' && used < sizeof(answer->message) - 1; title++)
		answer->message[used++] = (char)(*title >= 0x20 && *title < 0x7f ? *title : ' ');
	answer_scrub(answer->message, used, NULL);
	answer->message[MIN(used, (size_t)MAX_TITLE)] = '\0';
}

static void
take_body(struct answer *answer, const uint8_t *body, size_t len)
{
	static const struct json_visitor visitor = { .enter = error_on_enter,
						     .value = error_on_value };
	struct error_scan scan = { .body = body, .answer = answer };
	struct json_result result;

	if (len == 0 || len > ANSWER_MAX_ERROR_BODY)
		return;
	/* First whether it is JSON at all, then what it says. */
	if (!json_valid(body, len, ERROR_MAX_DEPTH, &result) ||
	    !json_scan(body, len, ERROR_MAX_DEPTH, &visitor, &scan, &result))
		take_title(answer, body, len);
}

static void
begin(struct answer *answer, int status, const struct answer_headers *headers)
{
	*answer = (struct answer){ .status = status, .retry_after_s = -1, .billing_resume_s = -1 };
	for (int i = 0; i < ANSWER_LIMIT_COUNT; i++)
		answer->ratelimit[i] = (struct answer_ratelimit){ -1, -1, -1 };
	if (!headers)
		return;
	memcpy(answer->request_id, headers->request_id, sizeof(answer->request_id));
	memcpy(answer->ratelimit, headers->ratelimit, sizeof(answer->ratelimit));
}

static void
take_row(struct answer *answer, const struct api_error *row)
{
	answer->row = row;
	answer->class = row->class;
	answer->retry = row->retry;
	answer->effect = row->effect;
	answer->err = row->err;
}

/* A limit that has nothing left is full again at its reset. */
static double
wait_for_resets(const struct answer *answer, double now_s)
{
	double wait = -1;

	for (int i = 0; i < ANSWER_LIMIT_COUNT; i++) {
		const struct answer_ratelimit *limit = &answer->ratelimit[i];

		if (limit->remaining == 0 && limit->reset_s >= 0)
			wait = MAX(wait, MAX(limit->reset_s - now_s, 0));
	}
	return wait;
}

static void
take_wait(struct answer *answer, const struct answer_headers *headers, double now_s)
{
	double clock_s = headers->date_s >= 0 ? headers->date_s : now_s;

	if (headers->retry_after_s >= 0) {
		answer->retry_after_s = headers->retry_after_s;
	} else if (headers->retry_at_s >= 0 && clock_s >= 0) {
		answer->retry_after_s = MAX(headers->retry_at_s - clock_s, 0);
	} else if (answer->class == API_RATE_LIMITED && clock_s >= 0) {
		answer->retry_after_s = wait_for_resets(answer, clock_s);
		answer->retry_derived = answer->retry_after_s >= 0;
	}
}

static void
take_resume(struct answer *answer, double now_s)
{
	if (answer->class != API_BILLING)
		return;
	answer->billing_resume_s = when_in_text(answer->message);
	if (answer->billing_resume_s < 0 && now_s >= 0 &&
	    strcmp(answer->code, "enforced_spend_limit_reached") == 0)
		answer->billing_resume_s = when_next_month(now_s);
}

/* x-should-retry knows better than the status. It does not open a key's gate:
 * billing and auth are not said by a status alone. */
static void
take_should_retry(struct answer *answer, const struct answer_headers *headers)
{
	bool never = answer->retry == API_RETRY_NEVER;

	if (answer->class == API_SUCCESS || answer->retry == API_RETRY_DATE)
		return;
	if (headers->should_retry == 0) {
		answer->retry = API_RETRY_NEVER;
	} else if (headers->should_retry == 1 && never) {
		answer->class = API_FAULT;
		answer->retry = API_RETRY_PAUSE;
		answer->effect = API_EFFECT_FAULT;
	}
}

static void
finish(struct answer *answer, const struct answer_headers *headers, int known_status, double now_s)
{
	take_row(answer,
		 api_error_find_message(known_status, answer->type, answer->code, answer->message));
	if (headers) {
		take_should_retry(answer, headers);
		take_wait(answer, headers, now_s);
	}
	take_resume(answer, now_s);
}

void
answer_from_http(struct answer *ret, int status, const struct answer_headers *headers,
		 const uint8_t *body, size_t len, double now_s)
{
	if (status > 200 && status <= 299) {
		answer_from_transport(ret, ANSWER_BAD_STREAM, status, headers);
		return;
	}
	begin(ret, status, headers);
	if (status != 200)
		take_body(ret, body, len);
	finish(ret, headers, status, now_s);
}

void
answer_from_event(struct answer *ret, const struct answer_headers *headers, const uint8_t *data,
		  size_t len, double now_s)
{
	begin(ret, 200, headers);
	ret->in_stream = true;
	take_body(ret, data, len);
	/* The 200 was sent before anybody knew: the type alone tells. What the
	 * headers said about retrying was said of a success, too. */
	finish(ret, NULL, 0, now_s);
}

void
answer_from_transport(struct answer *ret, enum answer_transport kind, int status,
		      const struct answer_headers *headers)
{
	if (status >= 300) {
		answer_from_http(ret, status, headers, NULL, 0, -1);
		return;
	}
	begin(ret, status, headers);
	take_row(ret, api_error_find(0, transports[kind].type, NULL));
}

void
answer_text(const struct answer *answer, char *ret, size_t size)
{
	const char *what = answer->message[0] ? answer->message : answer->row->name;

	if (answer->type[0])
		snprintf(ret, size, "%d %s: %s%s", answer->status, answer->type, what,
			 answer->in_stream ? " (inside the stream)" : "");
	else if (answer->status > 0)
		snprintf(ret, size, "%d: %s", answer->status, what);
	else
		snprintf(ret, size, "%s", what);
}
