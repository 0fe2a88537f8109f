/*
 * lines.c - request headers in one piece of memory: the nodes, then the text.
 */
#include "daemon/net/lines.h"

#include "daemon/base/log.h"
#include "daemon/net/call.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* libcurl: a name without a value means "do not send this one". */
#define LINE_NO_EXPECT "Expect:"
#define LINE_NO_KEY    "x-api-key:"
/* Expect, the key, content-type, version, betas */
#define FIXED_LINES    5

struct lines {
	struct curl_slist *secret; /* borrowed: the node below that points at the key */
	unsigned count;
	char *text; /* borrowed: free place behind the nodes */
	struct curl_slist nodes[];
};

/* Lines that decide what the request is; only this room and libcurl write them. */
static const char *const reserved[] = {
	"authorization",     "x-api-key",	    "host",	    "content-length",
	"transfer-encoding", "connection",	    "content-type", "anthropic-version",
	"anthropic-beta",    "proxy-authorization", "expect",	    "upgrade"
};

/* Nothing below space but the tab, no DEL: nothing that could end a line. */
static bool
is_plain(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

bool
lines_is_safe(const char *line)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t name_len = strspn(line, token);

	if (name_len == 0 || line[name_len] != ':' || !is_plain(line))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strlen(reserved[i]) == name_len &&
		    strncasecmp(line, reserved[i], name_len) == 0)
			return false;
	return true;
}

static bool
request_is_safe(const struct call_request *request)
{
	const char *const values[] = { request->version, request->betas, request->content_type };

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i] && !is_plain(values[i])) {
			log_error("a header value with control bytes was not sent");
			return false;
		}
	for (size_t i = 0; request->headers && request->headers[i]; i++)
		if (!lines_is_safe(request->headers[i])) {
			log_error("a header line that is malformed or reserved was not sent");
			return false;
		}
	return true;
}

static void
append(struct lines *lines, char *line)
{
	struct curl_slist *node = &lines->nodes[lines->count];

	*node = (struct curl_slist){ .data = line };
	if (lines->count > 0)
		lines->nodes[lines->count - 1].next = node;
	lines->count++;
}

static void
append_text(struct lines *lines, const char *name, const char *value)
{
	char *line = lines->text;

	lines->text = stpcpy(stpcpy(line, name), value) + 1;
	append(lines, line);
}

static size_t
room_for(const struct call_request *request, const char *content_type, size_t *ret_nodes)
{
	size_t len = sizeof("content-type: ") + strlen(content_type);

	*ret_nodes = FIXED_LINES;
	len += request->version ? sizeof("anthropic-version: ") + strlen(request->version) : 0;
	len += request->betas ? sizeof("anthropic-beta: ") + strlen(request->betas) : 0;
	for (size_t i = 0; request->headers && request->headers[i]; i++) {
		len += strlen(request->headers[i]) + 1;
		(*ret_nodes)++;
	}
	return len;
}

enum forebay_err
lines_new(const struct call_request *request, const char *secret_line, struct lines **ret)
{
	const char *type = request->content_type ? request->content_type : "application/json";
	struct lines *lines;
	size_t text_len, nodes;

	if (!request_is_safe(request))
		return FOREBAY_ERR_INTERNAL;
	text_len = room_for(request, type, &nodes);
	lines = malloc(sizeof(*lines) + nodes * sizeof(lines->nodes[0]) + text_len);
	if (!lines)
		return FOREBAY_ERR_NO_MEMORY;

	lines->count = 0;
	lines->text = (char *)&lines->nodes[nodes];
	append(lines, (char *)LINE_NO_EXPECT);
	append(lines, NULL);
	lines->secret = &lines->nodes[1];
	lines_point_at(lines, secret_line);
	if (request->body)
		append_text(lines, "content-type: ", type);
	if (request->version && request->version[0])
		append_text(lines, "anthropic-version: ", request->version);
	if (request->betas && request->betas[0])
		append_text(lines, "anthropic-beta: ", request->betas);
	for (size_t i = 0; request->headers && request->headers[i]; i++)
		append_text(lines, request->headers[i], "");
	*ret = lines;
	return FOREBAY_ERR_OK;
}

void
lines_free(struct lines *lines)
{
	free(lines);
}

struct curl_slist *
lines_list(struct lines *lines)
{
	return lines->nodes;
}

void
lines_point_at(struct lines *lines, const char *secret_line)
{
	/* libcurl only reads the list, though its type does not say so. */
	lines->secret->data = (char *)(secret_line ? secret_line : LINE_NO_KEY);
}
