/*
 * errors.c - the table of everything that can go wrong, and how a row is found
 * in it. One row an error: a new one needs nothing else. libc only.
 */
#include "daemon/claude/errors.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* What follows from an error; each row has one of these. */
#define FOLLOWS(class_, whose_, retry_, effect_, fallback_, err_)                                  \
	.class = API_##class_, .whose = API_FAULT_##whose_, .retry = API_RETRY_##retry_,           \
	.effect = API_EFFECT_##effect_, .fallback = API_FALLBACK_##fallback_,                      \
	.err = FOREBAY_ERR_##err_

#define OVERLOADED FOLLOWS(OVERLOADED, PROVIDER, GATE, CAPACITY, YES, OVERLOADED)
#define LIMITED	   FOLLOWS(RATE_LIMITED, ACCOUNT, AFTER, LIMIT, OTHER_BUCKET, RATE_LIMITED)
#define BILLING	   FOLLOWS(BILLING, ACCOUNT, DATE, KEY, NO, BILLING)
#define FAULT	   FOLLOWS(FAULT, PROVIDER, PAUSE, FAULT, LATER, API_ERROR)
#define STAY	   FOLLOWS(FAULT, PROVIDER, PAUSE, FAULT, NO, API_ERROR)
#define LATE	   FOLLOWS(FAULT, PROVIDER, PAUSE, FAULT, LATER, TIMED_OUT)
#define AUTH	   FOLLOWS(AUTH, ACCOUNT, DATE, KEY, NO, AUTH_FAILED)
#define MODEL	   FOLLOWS(MODEL, CALLER, NEVER, MODEL, YES, REFUSED_BY_MODEL)
#define REQUEST	   FOLLOWS(REQUEST, CALLER, NEVER, NONE, NO, API_ERROR)
#define NETWORK	   FOLLOWS(FAULT, NETWORK, PAUSE, FAULT, LATER, NETWORK)
#define SILENT	   FOLLOWS(FAULT, NETWORK, PAUSE, FAULT, LATER, TIMED_OUT)
#define TOO_LONG   FOLLOWS(REQUEST, CALLER, NEVER, ACCEPT, NO, TOO_BIG)

#define WAITS	"Nothing: the job waits and is sent again by itself."
#define NEW_KEY "Put the right key in place and `systemctl reload forebayd`. Jobs wait meanwhile."
#define UNKEYED "Fix it in the Anthropic console, then `forebay release key`. Jobs wait meanwhile."

/* clang-format off */
static const struct api_error rows[] = {
	{ 200, NULL, NULL, NULL, "success|200 ok",
	  FOLLOWS(SUCCESS, NOBODY, NEVER, ACCEPT, NO, OK), "answered",
	  "The model answered. A refusal (stop_reason \"refusal\") is an answer too.",
	  "Nothing." },

	{ 529, "overloaded_error", NULL, NULL,
	  "overloaded|529 overloaded|too many requests to this model|at capacity", OVERLOADED,
	  "529 Overloaded",
	  "The model has no capacity left just now. It hits everybody and is not your quota; "
	  "capacity is counted per model. It may come after an answer has begun.",
	  WAITS " To be served by another model meanwhile, give the job a chain." },
	{ 529, NULL, "compaction_unavailable", NULL, NULL, OVERLOADED,
	  "529 compaction unavailable",
	  "The part of the API that shortens long conversations has no capacity just now.", WAITS },
	{ 529, NULL, NULL, NULL, NULL, OVERLOADED, "529 Overloaded, without the usual body",
	  "The model has no capacity left just now; the answer's body is not the API's own.", WAITS },
	{ 0, "overloaded_error", NULL, NULL, NULL, OVERLOADED,
	  "overloaded, under another status",
	  "The model has no capacity left just now; the API said so in an unusual way.", WAITS },

	{ 429, "rate_limit_error", NULL, NULL,
	  "rate limit|rate limited|rate-limited|ratelimit|too many requests|"
	  "exceed your organization's rate limit", LIMITED, "429 rate limit",
	  "Your organization sent more requests or tokens a minute than its limit for this class "
	  "of models.",
	  "Nothing: it is sent again when the API said. If it happens often, set [pace] or raise "
	  "the limit in the console." },
	{ 429, NULL, "ramp_limit_exceeded", NULL, "acceleration limit", LIMITED,
	  "429 ramp limit",
	  "Traffic of your organization rose too steeply; the limit itself is not reached.",
	  "Nothing: it is sent again when the API said, and more slowly." },
	{ 429, NULL, NULL, NULL, NULL, LIMITED, "429, without the usual body",
	  "Too many requests, said by the API or by something in front of it.", WAITS },
	{ 0, "rate_limit_error", NULL, NULL, NULL, LIMITED,
	  "rate limit, under another status",
	  "Your organization's rate limit was reached.", WAITS },

	{ 429, NULL, "enforced_spend_limit_reached", NULL, "spend limit", BILLING,
	  "429 spend limit of the tier",
	  "The organization used up what its tier may spend in a month. Retrying cannot help "
	  "before the 1st, 00:00 UTC.",
	  "Raise the tier in the console, or wait. Then `forebay release key`." },
	{ 429, NULL, "contract_spend_limit_reached", NULL, NULL, BILLING,
	  "429 spend limit of the contract", "The contract's spending limit is reached.",
	  "Talk to Anthropic, then `forebay release key`." },
	{ 400, "invalid_request_error", NULL, "reached your specified api usage limits",
	  "specified api usage limits|you will regain access", BILLING,
	  "400 own usage limit",
	  "The monthly limit that your own organization or workspace set for itself is reached. "
	  "The request is not at fault.",
	  "Raise the limit in the console, or wait for the date in the message." },
	{ 400, "invalid_request_error", NULL, "credit balance is too low",
	  "credit balance|out of credit", BILLING, "400 credit used up",
	  "The organization's prepaid credit is used up.",
	  "Buy credit in the console, then `forebay release key`." },
	{ 402, NULL, "linked_organization_billing_unavailable", NULL, NULL, BILLING,
	  "402 billing of the linked organization",
	  "The organization that pays for this one cannot be billed.", UNKEYED },
	{ 402, NULL, "linked_organization_spend_limit_reached", NULL, NULL, BILLING,
	  "402 limit of the linked organization",
	  "The organization that pays for this one reached its spending limit.", UNKEYED },
	{ 402, "billing_error", NULL, NULL, "payment required|billing", BILLING, "402 billing",
	  "Billing of the organization failed.", UNKEYED },
	{ 402, NULL, NULL, NULL, NULL, BILLING, "402, without the usual body",
	  "Payment is required.", UNKEYED },
	{ 0, "billing_error", NULL, NULL, NULL, BILLING, "billing, under another status",
	  "Billing of the organization failed.", UNKEYED },

	{ 500, "api_error", NULL, NULL, "internal server error", FAULT, "500 API error",
	  "Something broke inside the API.", WAITS },
	{ 500, NULL, NULL, NULL, NULL, FAULT, "500, without the usual body",
	  "Something broke inside the API, or in front of it.", WAITS },
	{ 502, NULL, NULL, NULL, "bad gateway", FAULT, "502 bad gateway",
	  "The API's gateway got no sense from what stands behind it.", WAITS },
	{ 503, NULL, "cmek_key_unreachable", NULL, NULL, STAY, "503 encryption key unreachable",
	  "Your own encryption key (CMEK) cannot be reached by the API.",
	  "Look after the key service; jobs are sent again by themselves." },
	{ 503, NULL, "cmek_context_unavailable", NULL, NULL, STAY, "503 encryption unavailable",
	  "The API cannot open what your own encryption key (CMEK) protects.",
	  "Look after the key service; jobs are sent again by themselves." },
	{ 503, NULL, NULL, NULL, "service unavailable", FAULT, "503 service unavailable",
	  "A part of the API is not available.", WAITS },
	{ 504, "timeout_error", NULL, NULL, "gateway timeout", LATE, "504 timeout at the API",
	  "The API took too long over this request. It may have been billed.",
	  WAITS " Very long work is better sent as a stream or a batch." },
	{ 504, NULL, NULL, NULL, NULL, LATE, "504, without the usual body",
	  "A gateway waited too long for the API.", WAITS },
	{ 408, NULL, NULL, NULL, "request timeout", LATE, "408 request timeout",
	  "The request did not reach the API in time.", WAITS },
	{ 400, NULL, "request_body_timeout", NULL, NULL, LATE, "400 upload too slow",
	  "The request's body came too slowly; nothing was done with it.", WAITS },
	{ 409, NULL, NULL, NULL, "conflict", STAY, "409 conflict",
	  "Another request holds the same thing; it passes.", WAITS },
	{ 499, NULL, NULL, NULL, "client closed request", FAULT, "499 closed by the client",
	  "Something between here and the API hung up.", WAITS },
	{ 520, NULL, NULL, NULL, NULL, FAULT, "520 unknown error at the edge",
	  "The network in front of the API got an answer that it does not understand.", WAITS },
	{ 521, NULL, NULL, NULL, NULL, FAULT, "521 API down",
	  "The network in front of the API was refused by the API.", WAITS },
	{ 522, NULL, NULL, NULL, NULL, FAULT, "522 API not reachable",
	  "The network in front of the API cannot connect to it.", WAITS },
	{ 523, NULL, NULL, NULL, NULL, FAULT, "523 API not reachable",
	  "The network in front of the API finds no way to it.", WAITS },
	{ 524, NULL, NULL, NULL, NULL, LATE, "524 API silent",
	  "The network in front of the API waited too long for its answer.", WAITS },

	{ 401, "authentication_error", NULL, NULL,
	  "invalid x-api-key|invalid bearer token|invalid api key|unauthorized|auth-failed", AUTH,
	  "401 key refused", "The API key is wrong, revoked or expired.", NEW_KEY },
	{ 401, NULL, NULL, NULL, NULL, AUTH, "401, without the usual body",
	  "The API key, or the proxy's password, is not accepted.", NEW_KEY },
	{ 400, NULL, "organization_on_hold", NULL, "organization has been disabled", AUTH,
	  "organization on hold", "The whole organization is disabled.", UNKEYED },
	{ 400, NULL, "claude_code_key_creator_not_member", NULL, NULL, AUTH, "key without an owner",
	  "Who made this key is no longer a member of the organization.", NEW_KEY },
	{ 400, NULL, "cmek_key_disabled", NULL, NULL, AUTH, "encryption key disabled",
	  "Your own encryption key (CMEK) is disabled.", UNKEYED },
	{ 403, "permission_error", NULL, NULL, "permission|forbidden", AUTH, "403 not permitted",
	  "The key may not do this: a workspace, an address or a feature is barred.", UNKEYED },
	{ 403, NULL, NULL, NULL, NULL, AUTH, "403, without the usual body",
	  "The API, or something in front of it, does not let this key or address in.", UNKEYED },

	{ 403, "permission_error", NULL, "model", "access to the model|access to model", MODEL,
	  "403 model not permitted", "This key may not use this model.",
	  "Ask for access, or name another model. The model is left alone for an hour." },
	{ 404, "not_found_error", NULL, "model", "refused-by-model|model not found", MODEL,
	  "404 no such model",
	  "The model does not exist, is retired, or is not open to this key.",
	  "Check the name with `forebay models`; name another model or give the job a chain." },
	{ 404, "not_found_error", NULL, NULL, "not found", REQUEST, "404 not found",
	  "The API knows no such thing.", "Check the ids in the request." },
	{ 404, NULL, NULL, NULL, NULL, REQUEST, "404, without the usual body",
	  "There is no Claude API at this address.", "Check [upstream] url." },

	{ 400, NULL, NULL, "prompt is too long", "prompt is too long", REQUEST,
	  "400 prompt too long", "The input does not fit into the model's context.",
	  "Shorten the input, or name a model with a larger context (`forebay models`)." },
	{ 400, NULL, NULL, "maximum allowed number of output tokens",
	  "maximum allowed number of output tokens", REQUEST, "400 max_tokens too large",
	  "max_tokens is larger than the model can write.",
	  "Lower max_tokens; `forebay models` shows the limit." },
	{ 400, NULL, NULL, "`signature` in `thinking`", "invalid `signature`|invalid signature",
	  FOLLOWS(REQUEST, CALLER, STRIPPED, NONE, NO, API_ERROR), "400 thinking signature",
	  "A thinking block in the history was changed, or comes from another model.",
	  "Send thinking blocks exactly as they came, or leave all of them out." },
	{ 400, NULL, NULL, "does not support assistant message prefill", "message prefill",
	  REQUEST, "400 prefill", "This model does not continue a half-written answer.",
	  "End the messages with one of the user." },
	{ 400, NULL, NULL, "`temperature` and `top_p`", "cannot both be specified", REQUEST,
	  "400 temperature and top_p", "This model takes one of the two, not both.",
	  "Drop one of them." },
	{ 400, NULL, NULL, "for the `anthropic-beta` header", "anthropic-beta", REQUEST,
	  "400 unknown beta", "A name in anthropic-beta is unknown or not granted to this key.",
	  "Drop it, or ask for access." },
	{ 400, NULL, "organization_not_enrolled_in_beta", NULL, NULL, REQUEST, "400 not in the beta",
	  "The organization is not enrolled in a beta that the request asks for.",
	  "Drop the beta, or enroll." },
	{ 400, NULL, "image_dimensions_too_large", NULL, NULL, REQUEST, "400 image too large",
	  "An image has more pixels than the model takes.", "Scale it down." },
	{ 400, NULL, "unsupported_charset", NULL, NULL, REQUEST, "400 charset",
	  "The content type names a charset that the API does not read.", "Send UTF-8." },
	{ 400, NULL, "request_body_encoding_invalid", NULL, NULL, REQUEST, "400 bad compression",
	  "The body does not decompress.", "Send it uncompressed." },
	{ 400, NULL, "request_body_encoding_unsupported", NULL, NULL, REQUEST,
	  "400 unknown compression", "The body is compressed in a way the API does not read.",
	  "Send it uncompressed." },
	{ 400, "invalid_request_error", NULL, NULL, "bad request|api-error", REQUEST,
	  "400 invalid request", "The request is wrong; the message says where.",
	  "Correct it and submit it again; it is never sent again by itself." },
	{ 412, NULL, NULL, NULL, NULL, REQUEST, "412 precondition failed",
	  "A condition in the request does not hold.", "Correct the request." },
	{ 413, NULL, NULL, NULL, "request_too_large|too large", REQUEST, "413 request too large",
	  "The body is larger than the API takes (32 MB).", "Send less: shrink images, or use files." },
	{ 422, NULL, NULL, NULL, "unprocessable", REQUEST, "422 unprocessable",
	  "The request is understood but makes no sense to the API.", "Correct the request." },
	{ 431, NULL, NULL, NULL, NULL, REQUEST, "431 headers too large",
	  "The headers are too large.", "Send fewer betas." },
	{ 501, NULL, NULL, NULL, "not implemented", REQUEST, "501 not implemented",
	  "The API does not do this; asking again does not help.", "Correct the request." },

	{ 0, "network/connect", NULL, NULL,
	  "connection refused|failed to connect|couldn't connect|unreachable|econnrefused|"
	  "ehostunreach|enetunreach|connection error", NETWORK, "no connection",
	  "The API's host does not take connections, or a firewall is between.",
	  WAITS " Check the network, proxy and firewall of this machine if it lasts." },
	{ 0, "network/dns", NULL, NULL, "could not resolve|name resolution|getaddrinfo|enotfound|"
	  "eai_again", NETWORK, "name not resolved", "The API's name cannot be turned into an address.",
	  WAITS " Check DNS on this machine if it lasts." },
	{ 0, "network/tls", NULL, NULL, "certificate|tls|ssl", NETWORK, "TLS failed",
	  "No trusted connection: a wrong certificate, a wrong clock or an inspecting proxy.",
	  "Check the clock, and [upstream] ca_file if a proxy inspects traffic." },
	{ 0, "network/first-byte", NULL, NULL, "timed out|timeout|etimedout", SILENT,
	  "no answer in time", "The API took the request and did not begin to answer.", WAITS },
	{ 0, "network/idle", NULL, NULL, "stalled|idle", SILENT, "the answer stopped coming",
	  "The answer had begun and then nothing came, though the connection stood.", WAITS },
	{ 0, "network/lifetime", NULL, NULL, NULL, SILENT, "the answer took too long",
	  "The answer was not finished within the longest time an attempt may take.",
	  "Ask for less, send it as a batch, or raise [upstream] lifetime." },
	{ 0, "network/reset", NULL, NULL, "connection reset|econnreset|econnaborted|broken pipe|epipe|"
	  "socket hang up",
	  NETWORK, "connection broken",
	  "The connection broke before the answer was whole. It may have been billed.", WAITS },
	{ 0, "network/truncated", NULL, NULL, "truncated|unexpected eof|ended without", NETWORK,
	  "answer cut short", "The stream ended before its last event. It may have been billed.",
	  WAITS },
	{ 0, "network/bad-stream", NULL, NULL, NULL, NETWORK, "answer not readable",
	  "A success whose body is not what the API promises: a proxy's page, or damaged.", WAITS },
	{ 0, "network/too-big", NULL, NULL, "too-big", TOO_LONG, "answer too large",
	  "The answer passed the largest size forebayd keeps.",
	  "Raise [upstream] max_answer, or ask for less." },
};
/* clang-format on */

/* For what no row matches. */
static const struct api_error unknown_request = {
	0,
	NULL,
	NULL,
	NULL,
	NULL,
	REQUEST,
	"request refused",
	"The API refused the request in a way that this version does not know.",
	"Read the message; correct the request and submit it again.",
};
static const struct api_error redirected = {
	0,
	NULL,
	NULL,
	NULL,
	NULL,
	NETWORK,
	"redirected",
	"Another address was named instead of an answer: a network that wants a login first, or a "
	"wrong address of ours. It is not followed: the key would go there.",
	WAITS " Check [upstream] url if it lasts.",
};
static const struct api_error unknown_fault = {
	0,
	NULL,
	NULL,
	NULL,
	NULL,
	FAULT,
	"unknown fault",
	"Something broke at the API in a way that this version does not know.",
	WAITS,
};

const struct api_error *
api_errors(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(rows);
	return rows;
}

/* How much of what is known the row speaks of; 0 when it does not match. */
static int
row_match(const struct api_error *row, int status, const char *type, const char *code,
	  const char *message)
{
	int score = 0;

	if (row->status && status && row->status != status)
		return 0;
	if (row->type && (!type || strcmp(row->type, type) != 0))
		return 0;
	if (row->code && (!code || strcmp(row->code, code) != 0))
		return 0;
	if (row->message && (!message || !strcasestr(message, row->message)))
		return 0;
	score += row->status && row->status == status ? 1 : 0;
	score += row->type ? 2 : 0;
	score += row->message ? 4 : 0;
	score += row->code ? 8 : 0;
	/* Words alone are too little to tell an error by. */
	return score == 4 ? 0 : score;
}

const struct api_error *
api_error_find_message(int status, const char *type, const char *code, const char *message)
{
	const struct api_error *best = NULL;
	int best_score = 0;

	if (status >= 200 && status <= 299)
		return &rows[0];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int score = row_match(&rows[i], status, type, code, message);

		if (score > best_score) {
			best = &rows[i];
			best_score = score;
		}
	}
	if (best)
		return best;
	if (status >= 300 && status <= 399)
		return &redirected;
	return status >= 400 && status <= 499 ? &unknown_request : &unknown_fault;
}

const struct api_error *
api_error_find(int status, const char *type, const char *code)
{
	return api_error_find_message(status, type, code, NULL);
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The word (of len bytes) stands in text, not as a part of a longer one. */
static bool
speaks_of(const char *text, const char *word, size_t len)
{
	for (const char *at = text; *at; at++) {
		if (strncasecmp(at, word, len) != 0)
			continue;
		if ((at == text || !is_word(at[-1]) || !is_word(word[0])) &&
		    (!is_word(at[len]) || !is_word(word[len - 1])))
			return true;
	}
	return false;
}

/* The longest of the row's phrases that stands in text. */
static size_t
longest_phrase(const char *text, const char *phrases)
{
	size_t best = 0;

	while (phrases && *phrases) {
		size_t len = strcspn(phrases, "|");

		if (len > best && speaks_of(text, phrases, len))
			best = len;
		phrases += len + (phrases[len] == '|');
	}
	return best;
}

/* The first number in text that can be an error's status; 0 if there is none. */
static int
status_in(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (at > text && (is_word(at[-1]) || at[-1] == '.'))
			continue;
		if (*at >= '2' && *at <= '5' && isdigit((unsigned char)at[1]) &&
		    isdigit((unsigned char)at[2]) && !is_word(at[3]))
			return (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
	}
	return 0;
}

/* A type of the table stands in text: it is no error of another type then. */
static bool
names_a_type(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type && speaks_of(text, rows[i].type, strlen(rows[i].type)))
			return true;
	return false;
}

static int
row_score(const struct api_error *row, const char *text, int status, bool typed)
{
	size_t phrase = longest_phrase(text, row->phrases);
	bool type = row->type && speaks_of(text, row->type, strlen(row->type));
	bool code = row->code && speaks_of(text, row->code, strlen(row->code));
	bool message = row->message && strcasestr(text, row->message) != NULL;
	bool same_status = row->status && row->status == status;
	bool other_status = row->status && status && row->status != status;
	int score = 0;

	if (typed && row->type && !type)
		same_status = false;

	/* A code, or words that a person would not type, are certain. */
	if (code || (message && strlen(row->message) > 8))
		score += 1000;
	else if ((row->code || row->message) && phrase == 0 && !(message && same_status))
		return 0;
	score += type ? (other_status ? 150 : 230) : 0;
	score += same_status ? 220 : 0;
	score += message ? 150 : 0; /* more than any phrase of a row without one */
	score += phrase > 0 ? 100 + (int)phrase : 0;
	return score;
}

size_t
api_error_explain(const char *text, const struct api_error **ret, size_t max)
{
	int status = status_in(text);
	bool typed = names_a_type(text);
	size_t count = 0;
	int scores[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		scores[i] = row_score(&rows[i], text, status, typed);
	while (count < max) {
		size_t best = 0;

		for (size_t i = 1; i < ARRAY_LEN(rows); i++)
			if (scores[i] > scores[best])
				best = i;
		if (scores[best] == 0)
			break;
		ret[count++] = &rows[best];
		scores[best] = 0;
	}
	if (count == 0 && max > 0 && status >= 300)
		ret[count++] = api_error_find(status, NULL, NULL);
	return count;
}

const char *api_class_name(enum api_class class)
{
	static const char *const names[] = {
#define X(CLASS, name, text) [API_##CLASS] = name,
		API_CLASSES(X)
#undef X
	};
	return names[class];
}

const char *api_class_text(enum api_class class)
{
	static const char *const texts[] = {
#define X(CLASS, name, text) [API_##CLASS] = text,
		API_CLASSES(X)
#undef X
	};
	return texts[class];
}

const char *
api_fault_text(enum api_fault whose)
{
	static const char *const texts[] = {
		[API_FAULT_NOBODY] = "nobody's",
		[API_FAULT_PROVIDER] = "the API's, not yours",
		[API_FAULT_ACCOUNT] = "your account's: key, limits or billing",
		[API_FAULT_CALLER] = "the request's: who submitted it can fix it",
		[API_FAULT_NETWORK] = "the network's, somewhere between here and the API",
	};
	return texts[whose];
}

const char *
api_retry_text(enum api_retry retry)
{
	static const char *const texts[] = {
		[API_RETRY_NEVER] = "not sent again",
		[API_RETRY_GATE] = "sent again when the model's gate opens",
		[API_RETRY_AFTER] = "sent again after the time the API named",
		[API_RETRY_PAUSE] = "sent again after a pause that grows",
		[API_RETRY_DATE] = "held until access returns, or `forebay release key`",
		[API_RETRY_STRIPPED] = "not sent again; after a fallback once, without the "
				       "thinking blocks of the other model",
	};
	return texts[retry];
}

const char *
api_effect_text(enum api_effect effect)
{
	static const char *const texts[] = {
		[API_EFFECT_NONE] = "none",
		[API_EFFECT_ACCEPT] = "the model counts as answering",
		[API_EFFECT_CAPACITY] = "fewer requests go to this model until it answers again",
		[API_EFFECT_LIMIT] = "models that share this rate limit are held",
		[API_EFFECT_FAULT] = "counts as a fault of the host",
		[API_EFFECT_KEY] = "everything that needs this key is held",
		[API_EFFECT_MODEL] = "this model is not used for an hour",
	};
	return texts[effect];
}

const char *
api_fallback_text(enum api_fallback fallback)
{
	static const char *const texts[] = {
		[API_FALLBACK_NO] = "no: another model does not help",
		[API_FALLBACK_YES] = "yes, if the job has a chain",
		[API_FALLBACK_OTHER_BUCKET] = "only to a model with another rate limit",
		[API_FALLBACK_LATER] = "after a few of these, if the job has a chain",
	};
	return texts[fallback];
}
