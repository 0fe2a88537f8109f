/*
 * http_direct.c - requests that are no job: counting tokens, the models, and what
 * is passed on. The API's answer goes back as it came.
 */
#include "daemon/run/direct.h"

#include "daemon/base/log.h"
#include "daemon/serve/facade_internal.h"
#include "daemon/serve/http_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RETRY_AFTER_S 60 /* more than that and clients give up at once */

struct http_direct {
	struct http_client *client; /* borrowed: it owns us */
	struct direct *direct;	    /* owned, gone when it has answered */
};

/* It passes: nothing came at all, or what came is no fault of the request. */
static bool
is_passing(const struct direct_answer *answer)
{
	return answer->status == 0 || answer->status == 429 || answer->status == 503 ||
	       answer->status == 529;
}

static unsigned
after_s(const struct direct_answer *answer)
{
	return (unsigned)fmin(fmax(ceil(answer->retry_after_s), 1), MAX_RETRY_AFTER_S);
}

static void
fail(struct http_client *client, const struct direct_answer *answer)
{
	struct http_error error = { .status = answer->status ? answer->status : 503,
				    .message = answer->why,
				    .request_id = answer->request_id[0] ? answer->request_id : NULL,
				    .again = is_passing(answer) };

	if (error.again)
		error.after_s = after_s(answer);
	http_error_reply(client->conn, &error);
}

/* What an SDK is to do with an answer that is none. */
static const char *
advice(const struct direct_answer *answer, char *ret, size_t size)
{
	ret[0] = '\0';
	if (answer->status / 100 == 2)
		return ret;
	if (is_passing(answer))
		snprintf(ret, size, "x-should-retry: true\r\nretry-after: %u\r\n", after_s(answer));
	else
		snprintf(ret, size, "x-should-retry: false\r\n");
	return ret;
}

/* A content type that can stand in a header. */
static const char *
type_of(const struct direct_answer *answer)
{
	size_t len = strlen(answer->content_type);

	for (size_t i = 0; i < len; i++)
		if (answer->content_type[i] < 0x20 || answer->content_type[i] > 0x7e)
			return "application/json";
	return len > 0 && len < 200 ? answer->content_type : "application/json";
}

static void
http_direct_on_answer(const struct direct_answer *answer, void *arg)
{
	struct http_direct *direct = arg;
	struct http_client *client = direct->client;
	char lines[HTTP_LINES_LEN], ours[HTTP_REQUEST_ID_LEN], words[64];

	client->direct = NULL;
	free(direct);
	if (answer->status / 100 != 2 && (answer->len == 0 || answer->body[0] != '{')) {
		fail(client, answer);
		return;
	}
	snprintf(lines, sizeof(lines), "content-type: %s\r\nrequest-id: %.100s\r\n%s",
		 type_of(answer),
		 answer->request_id[0] ? answer->request_id : http_request_id(ours),
		 advice(answer, words, sizeof(words)));
	http_conn_reply(client->conn, answer->status, lines, answer->body, answer->len);
}

/* "Name: value" lines as an array into them. */
static const char **
lines_of(char *text)
{
	const char **lines = must_alloc((HTTP_MAX_FIELDS + 1) * sizeof(*lines));
	size_t count = 0;
	char *line;

	while (text && (line = strsep(&text, "\n")) && count < HTTP_MAX_FIELDS)
		if (line[0])
			lines[count++] = line;
	return lines;
}

static char *
joined(char *const *betas)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		fatal("out of memory");
	for (size_t i = 0; betas && betas[i]; i++)
		fprintf(out, "%s%s", i ? "," : "", betas[i]);
	fclose(out);
	return text;
}

static enum forebay_err
start(struct http_direct *direct, const char *gate, const char *path, struct http_options *options)
{
	struct http_client *client = direct->client;
	const struct http_head *head = http_conn_head(client->conn);
	const struct request *request = &options->request;
	const char **lines = lines_of(request->headers);
	char *betas = joined(request->betas), *target = NULL;
	struct direct_request order = { .gate = gate,
					.version = request->version,
					.betas = betas[0] ? betas : NULL,
					.headers = lines,
					.opaque = strcmp(gate, HTTP_OTHER_GATE) == 0 };
	uint8_t *body = http_conn_take_body(client->conn, &order.len);
	enum forebay_err err;

	if (asprintf(&target, "/v1%s%s%s", path, head->query ? "?" : "",
		     head->query ? head->query : "") < 0)
		fatal("out of memory");
	order.path = target;
	order.body = strcmp(head->method, "POST") == 0 ? body ? body : (const uint8_t *)"" : NULL;
	err = direct_start(client->facade->server->runner, &order, http_direct_on_answer, direct,
			   &direct->direct);
	free(target);
	free(body);
	free(betas);
	free(lines);
	return err;
}

void
http_direct_start(struct http_client *client, const char *gate, const char *path)
{
	struct http_direct *direct;
	struct http_options options;
	char why[MESSAGE_WHY_LEN];
	enum forebay_err err = http_options_parse(http_conn_head(client->conn), &options, why);

	if (err) {
		http_client_refuse(client, err, why);
		return;
	}
	direct = must_alloc(sizeof(*direct));
	*direct = (struct http_direct){ .client = client };
	err = start(direct, gate, path, &options);
	http_options_clear(&options);
	if (err) {
		free(direct);
		http_client_refuse(client, err, NULL);
		return;
	}
	client->direct = direct;
}

void
http_direct_cancel(struct http_client *client)
{
	if (!client->direct)
		return;
	direct_cancel(client->direct->direct);
	free(TAKE(client->direct));
}
