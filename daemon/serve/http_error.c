/*
 * http_error.c - errors as the API says them. What is final says so, or a
 * client's retries would multiply ours.
 */
#include "daemon/serve/http_error.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/serve/http_conn.h"
#include "protocol/jsonput.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct status_row {
	int status;
	const char *text, *type;
} statuses[] = {
	{ 200, "OK",                              "" },
	{ 400, "Bad Request",                     "invalid_request_error" },
	{ 401, "Unauthorized",                    "authentication_error" },
	{ 402, "Payment Required",                "billing_error" },
	{ 403, "Forbidden",                       "permission_error" },
	{ 404, "Not Found",                       "not_found_error" },
	{ 405, "Method Not Allowed",              "invalid_request_error" },
	{ 408, "Request Timeout",                 "timeout_error" },
	{ 409, "Conflict",                        "invalid_request_error" },
	{ 413, "Content Too Large",               "request_too_large" },
	{ 417, "Expectation Failed",              "invalid_request_error" },
	{ 429, "Too Many Requests",               "rate_limit_error" },
	{ 431, "Request Header Fields Too Large", "request_too_large" },
	{ 499, "Canceled",                        "api_error" },
	{ 500, "Internal Server Error",           "api_error" },
	{ 501, "Not Implemented",                 "invalid_request_error" },
	{ 502, "Bad Gateway",                     "api_error" },
	{ 503, "Service Unavailable",             "api_error" },
	{ 504, "Gateway Timeout",                 "timeout_error" },
	{ 505, "HTTP Version Not Supported",      "invalid_request_error" },
	{ 529, "Overloaded",                      "overloaded_error" },
};

/* What each of our errors is to a client of the API; after_s > 0: it may ask again. */
static const struct error_row {
	int status;
	unsigned after_s;
} errors[FOREBAY_ERR_COUNT] = {
	[FOREBAY_ERR_BAD_FRAME]        = { 400, 0 },
	[FOREBAY_ERR_BAD_REQUEST]      = { 400, 0 },
	[FOREBAY_ERR_UNKNOWN_VERB]     = { 400, 0 },
	[FOREBAY_ERR_TOO_BIG]          = { 413, 0 },
	[FOREBAY_ERR_INVALID_BODY]     = { 400, 0 },
	[FOREBAY_ERR_KEY_CONFLICT]     = { 409, 0 },
	[FOREBAY_ERR_NOT_FOUND]        = { 404, 0 },
	[FOREBAY_ERR_NOT_ALLOWED]      = { 403, 0 },
	[FOREBAY_ERR_OVER_QUOTA]       = { 429, 10 },
	[FOREBAY_ERR_QUEUE_FULL]       = { 503, 10 },
	[FOREBAY_ERR_DRAINING]         = { 503, 1 },
	[FOREBAY_ERR_STORAGE]          = { 503, 30 },
	[FOREBAY_ERR_INTERNAL]         = { 500, 0 },
	[FOREBAY_ERR_UNREACHABLE]      = { 503, 1 },
	[FOREBAY_ERR_NO_MEMORY]        = { 503, 10 },
	[FOREBAY_ERR_TIMEOUT]          = { 504, 0 },
	[FOREBAY_ERR_API_ERROR]        = { 502, 0 },
	[FOREBAY_ERR_OVERLOADED]       = { 529, 0 },
	[FOREBAY_ERR_RATE_LIMITED]     = { 429, 0 },
	[FOREBAY_ERR_BILLING]          = { 402, 0 },
	[FOREBAY_ERR_AUTH_FAILED]      = { 401, 0 },
	[FOREBAY_ERR_REFUSED_BY_MODEL] = { 404, 0 },
	[FOREBAY_ERR_TIMED_OUT]        = { 504, 0 },
	[FOREBAY_ERR_NETWORK]          = { 502, 0 },
	[FOREBAY_ERR_DEADLINE]         = { 504, 0 },
	[FOREBAY_ERR_CANCELED]         = { 499, 0 },
};
/* clang-format on */

static const struct status_row *
row_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return NULL;
}

const char *
http_status_text(int status)
{
	const struct status_row *row = row_of(status);

	return row ? row->text : "Error";
}

const char *
http_error_type(int status)
{
	const struct status_row *row = row_of(status);

	if (row && row->type[0])
		return row->type;
	return status >= 400 && status < 500 ? "invalid_request_error" : "api_error";
}

struct http_error
http_error_of(enum forebay_err err, const char *message)
{
	const struct error_row *row = &errors[err];

	return (struct http_error){ .status = row->status ? row->status : 500,
				    .message =
					message && message[0] ? message : forebay_err_text(err),
				    .again = row->after_s > 0,
				    .after_s = row->after_s };
}

const char *
http_request_id(char ret[static HTTP_REQUEST_ID_LEN])
{
	static uint32_t serial;

	snprintf(ret, HTTP_REQUEST_ID_LEN, "req_forebay_%011" PRIx64 "%08" PRIx32 "%04x",
		 (uint64_t)clock_wall_ms(), ++serial, (unsigned)(clock_random() * 65536));
	return ret;
}

static char *
error_json(const struct http_error *error, const char *request_id, size_t *ret_len)
{
	struct jsonput put = { 0 };
	char *json;

	jsonput_object(&put);
	jsonput_member_string(&put, "type", "error");
	jsonput_key(&put, "error");
	jsonput_object(&put);
	jsonput_member_string(&put, "type",
			      error->type ? error->type : http_error_type(error->status));
	jsonput_member_string(&put, "message", error->message);
	jsonput_end(&put);
	jsonput_member_string(&put, "request_id", request_id);
	jsonput_end(&put);
	json = jsonput_take(&put, ret_len);
	if (!json)
		fatal("out of memory");
	return json;
}

/* The status line's company: what a client makes its retries of. */
static void
put_lines(const struct http_error *error, const char *request_id, char ret[static HTTP_LINES_LEN])
{
	char after[48] = "", job[48] = "";

	if (error->after_s > 0)
		snprintf(after, sizeof(after), "retry-after: %u\r\n", error->after_s);
	if (error->job)
		snprintf(job, sizeof(job), "x-forebay-job: %" PRIu64 "\r\n", error->job);
	snprintf(ret, HTTP_LINES_LEN,
		 "content-type: application/json\r\nrequest-id: %s\r\nx-should-retry: %s\r\n"
		 "%s%s%s",
		 request_id, error->again ? "true" : "false", after, job,
		 error->status == 405 ? "allow: GET, HEAD, POST\r\n" : "");
}

void
http_error_reply(struct http_conn *conn, const struct http_error *error)
{
	char lines[HTTP_LINES_LEN], ours[HTTP_REQUEST_ID_LEN];
	const char *request_id = error->request_id ? error->request_id : http_request_id(ours);
	size_t len;
	char *json = error_json(error, request_id, &len);

	put_lines(error, request_id, lines);
	http_conn_reply(conn, error->status, lines, json, len);
	free(json);
}

void
http_error_event(struct http_conn *conn, const struct http_error *error)
{
	char ours[HTTP_REQUEST_ID_LEN];
	const char *request_id = error->request_id ? error->request_id : http_request_id(ours);
	char *json, *event;
	size_t len;
	int event_len;

	json = error_json(error, request_id, &len);
	event_len = asprintf(&event, "event: error\ndata: %s\n\n", json);
	if (event_len < 0)
		fatal("out of memory");
	metrics.requests_failed_total++; /* the status was spent on a 200 */
	http_conn_send(conn, event, (size_t)event_len);
	http_conn_end(conn);
	free(event);
	free(json);
}
