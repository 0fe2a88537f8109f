/*
 * intake.c - checks, notes and headers.
 */
#include "tests/fakeapi/intake.h"

#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "tests/fakeapi/answer.h"

#define BODY_MAX (32u * 1024 * 1024)

const char *
intake_credential(struct evhttp_request *req)
{
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	const char *key = evhttp_find_header(headers, "x-api-key");
	const char *bearer = evhttp_find_header(headers, "authorization");

	if (!key && bearer && strncasecmp(bearer, "Bearer ", 7) == 0)
		key = bearer + 7;
	return key ? key : "nothing";
}

void
intake_date(double in_s, char *ret, size_t size)
{
	time_t at = time(NULL) + (time_t)ceil(in_s) + 1;
	struct tm tm;

	if (in_s > 0 && gmtime_r(&at, &tm))
		strftime(ret, size, "%Y-%m-%d at %H:%M:%S", &tm);
	else
		snprintf(ret, size, "2099-01-01 at 00:00");
}

static bool
key_matches(const struct server *server, const struct evkeyvalq *headers)
{
	const char *bearer = evhttp_find_header(headers, "authorization");
	const char *key = evhttp_find_header(headers, "x-api-key");

	/* With both, x-api-key wins. */
	if (key)
		return strcmp(key, server->key) == 0;
	return bearer && strncasecmp(bearer, "Bearer ", 7) == 0 &&
	       strcmp(bearer + 7, server->key) == 0;
}

static bool
refuse(struct fault *ret, const char *name, const char *message)
{
	*ret = *fault_find(name, strlen(name));
	ret->message = message;
	return true;
}

bool
intake_refuses(const struct server *server, struct evhttp_request *req,
	       const struct request *request, enum endpoint endpoint, struct fault *ret)
{
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	const char *version = evhttp_find_header(headers, "anthropic-version");

	if (server->key && !key_matches(server, headers))
		return refuse(ret, "401", "invalid x-api-key");
	if (endpoint == ENDPOINT_OTHER)
		return false;
	if (!version)
		return refuse(ret, "400", "anthropic-version: header is required");
	if (strcmp(version, "2023-06-01") != 0 && strcmp(version, "2026-10-21") != 0)
		return refuse(ret, "400", "anthropic-version: unknown version");
	if (endpoint == ENDPOINT_MODELS)
		return models_refuses(req, ret);
	if (evbuffer_get_length(evhttp_request_get_input_buffer(req)) > BODY_MAX)
		return refuse(ret, "413", "Payload Too Large");
	if (request->wrong)
		return refuse(ret, "400", request->wrong);
	if (!request->model.len)
		return refuse(ret, "400", "model: Field required");
	if (!request->messages.len)
		return refuse(ret, "400", "messages: Field required");
	if (request->max_tokens < 0 && endpoint == ENDPOINT_MESSAGES)
		return refuse(ret, "400", "max_tokens: Field required");
	if (request->sampling && strcmp(version, "2026-10-21") == 0)
		return refuse(ret, "400",
			      "temperature, top_p and top_k are not supported in this API version");
	return false;
}

static bool
header_is_secret(const char *name)
{
	return strcasecmp(name, "authorization") == 0 || strcasecmp(name, "x-api-key") == 0 ||
	       strcasecmp(name, "cookie") == 0;
}

static char *
headers_json(struct evhttp_request *req)
{
	struct json_object *object = json_object_new_object();
	struct evkeyval *header;
	char *text;

	for (header = evhttp_request_get_input_headers(req)->tqh_first; header;
	     header = header->next.tqe_next) {
		const char *value = header_is_secret(header->key) ? "***" : header->value;

		json_object_object_add(object, header->key, json_object_new_string(value));
	}
	text = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	return text;
}

void
intake_note(struct server *server, struct evhttp_request *req, struct entry *entry)
{
	struct evbuffer **slot;

	if (server->log_headers)
		entry->headers = headers_json(req);
	if (!server->keep_bodies)
		return;
	slot = &server->bodies[entry->seq % server->keep_bodies];
	if (*slot)
		evbuffer_free(*slot);
	*slot = evbuffer_new();
	if (!*slot)
		abort();
	evbuffer_add(*slot, evbuffer_pullup(evhttp_request_get_input_buffer(req), -1),
		     evbuffer_get_length(evhttp_request_get_input_buffer(req)));
}

static void
put_rate(struct evhttp_request *req, const char *name, const struct bucket *bucket, double scale)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	char header[64], value[32];
	double left = MAX(0, floor(bucket->level));
	/* A clock that runs faster sees the reset after fewer real seconds. */
	time_t reset = time(NULL) +
		       (time_t)ceil((bucket->size - bucket->level) * 60.0 / bucket->limit / scale);
	struct tm tm;

	snprintf(header, sizeof(header), "anthropic-ratelimit-%s-limit", name);
	snprintf(value, sizeof(value), "%.0f", bucket->limit);
	evhttp_add_header(headers, header, value);
	if (strcmp(name, "requests") != 0)
		left = round(left / 1000) * 1000;
	snprintf(header, sizeof(header), "anthropic-ratelimit-%s-remaining", name);
	snprintf(value, sizeof(value), "%.0f", left);
	evhttp_add_header(headers, header, value);
	snprintf(header, sizeof(header), "anthropic-ratelimit-%s-reset", name);
	gmtime_r(&reset, &tm);
	strftime(value, sizeof(value), "%Y-%m-%dT%H:%M:%SZ", &tm);
	evhttp_add_header(headers, header, value);
}

static void
put_rates(struct server *server, struct evhttp_request *req, const struct place *place)
{
	static const char *const names[BUCKET_COUNT] = { "requests", "input-tokens",
							 "output-tokens" };

	for (int i = 0; i < BUCKET_COUNT; i++) {
		if (place->buckets[i].limit > 0)
			put_rate(req, names[i], &place->buckets[i], server->scale);
	}
}

void
reply_headers_put(struct server *server, struct evhttp_request *req, const struct entry *entry,
		  const struct place *place, const struct climate *climate,
		  const struct verdict *verdict, const char *content_type)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	bool echo = verdict->fault && verdict->fault->kind == KIND_ECHO_ID;
	char value[32];

	request_id_put(entry->seq, value);
	evhttp_add_header(headers, "request-id", echo ? intake_credential(req) : value);
	evhttp_add_header(headers, "content-type", content_type);
	evhttp_add_header(headers, "anthropic-organization-id", "org_fake");
	if (place)
		put_rates(server, req, place);
	if (verdict->fault && verdict->fault->stage == STAGE_REFUSE) {
		if (verdict->retry_after >= 0) {
			snprintf(value, sizeof(value), "%g", verdict->retry_after);
			evhttp_add_header(headers, "retry-after", value);
		}
		if (climate->should_retry >= 0)
			evhttp_add_header(headers, "x-should-retry",
					  climate->should_retry > 0 ? "true" : "false");
	}
}
