/*
 * http_route.c - which part of the API a request is for, and whether it may be
 * asked. What is refused is refused before its body has come.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/serve/facade_internal.h"
#include "daemon/serve/prometheus.h"
#include "protocol/jsonput.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef void route_fn(struct http_client *client, const char *path);

/* --- what we answer ourselves ------------------------------------------------------------ */

static void
route_health(struct http_client *client, const char *path)
{
	bool draining = client->facade->draining;
	const char *body = draining ? "{\"status\":\"draining\"}\n"
				    : "{\"status\":\"ok\",\"server\":\"forebayd/" FOREBAY_VERSION
				      "\"}\n";

	(void)path;
	http_conn_reply(client->conn, draining ? 503 : 200, "content-type: application/json\r\n",
			body, strlen(body));
}

static void
route_metrics(struct http_client *client, const char *path)
{
	size_t len;
	char *text = prometheus_text(client->facade->server, &len);

	(void)path;
	http_conn_reply(client->conn, 200, "content-type: " PROMETHEUS_CONTENT_TYPE "\r\n", text,
			len);
	free(text);
}

/* --- what the API answers ------------------------------------------------------------------ */

static void
route_messages(struct http_client *client, const char *path)
{
	(void)path;
	exchange_start(client);
}

static void
route_count_tokens(struct http_client *client, const char *path)
{
	http_direct_start(client, "count_tokens", path);
}

static void
route_models(struct http_client *client, const char *path)
{
	http_direct_start(client, "models", path);
}

static void
route_other(struct http_client *client, const char *path)
{
	http_direct_start(client, HTTP_OTHER_GATE, path);
}

/* clang-format off */
static const struct route {
	const char *path; /* without /v1; one that ends in a slash stands for all below */
	const char *method;
	route_fn *fn;
	bool open; /* by TCP also without the token */
} routes[] = {
	{ "/messages",              "POST", route_messages,     false },
	{ "/messages/count_tokens", "POST", route_count_tokens, false },
	{ "/models",                "GET",  route_models,       false },
	{ "/models/",               "GET",  route_models,       false },
	{ "/healthz",               "GET",  route_health,       true },
	{ "/metrics",               "GET",  route_metrics,      false },
};
/* clang-format on */

static const struct route other = { "/", "", route_other, false };

/* Some bases end in /v1 and some do not: none, one and two of them mean the same. */
static const char *
without_version(const char *path)
{
	while (strncmp(path, "/v1/", 4) == 0)
		path += 3;
	return path;
}

static bool
fits(const struct route *route, const char *path)
{
	size_t len = strlen(route->path);

	if (route->path[len - 1] != '/')
		return strcmp(route->path, path) == 0;
	return strncmp(route->path, path, len) == 0 && path[len] != '\0';
}

/* A path that means another one once somebody has tidied it up. */
static bool
is_devious(const char *path)
{
	return strstr(path, "//") || strstr(path, "/.") || strstr(path, "%2") || strchr(path, '\\');
}

static const struct route *
find_route(const struct http_client *client, const char *path)
{
	const struct config_http *config = &client->facade->server->config->facade;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (fits(&routes[i], path))
			return &routes[i];
	return config->unknown_paths == CONFIG_UNKNOWN_PATHS_PASS ? &other : NULL;
}

/* --- who may ask: callers by TCP are unknown until they name the token ------------------------ */

/* Of this host, however it is called: anything else was put into a browser. */
static bool
is_our_host(const char *host)
{
	size_t len = host ? strcspn(host, ":") : 0;

	if (!host)
		return true; /* HTTP/1.0 */
	if (strncmp(host, "127.", 4) == 0)
		return strspn(host, "0123456789.") == len;
	return len == strlen("localhost") && strncasecmp(host, "localhost", len) == 0;
}

static bool
knows_token(const struct http_client *client)
{
	const struct http_head *head = http_conn_head(client->conn);
	const char *bearer = http_head_find(head, "authorization");
	const char *key = http_head_find(head, "x-api-key");
	uint8_t digest[DIGEST_LEN];
	bool known = false;

	/* Of digests it may be seen how far they agree. */
	if (bearer && strncasecmp(bearer, "bearer ", 7) == 0) {
		digest_sha256(bearer + 7, strlen(bearer + 7), digest);
		known = memcmp(digest, client->facade->token, DIGEST_LEN) == 0;
	}
	if (key) {
		digest_sha256(key, strlen(key), digest);
		known |= memcmp(digest, client->facade->token, DIGEST_LEN) == 0;
	}
	return known && client->facade->has_token;
}

/* False: it has been told no. */
static bool
may_ask(struct http_client *client, bool open)
{
	const struct http_head *head = http_conn_head(client->conn);

	if (!client->tcp)
		return true;
	if (http_head_find(head, "origin") || !is_our_host(http_head_find(head, "host")))
		http_client_fail(
		    client, 403,
		    "forebay: requests of browsers are refused (there is an origin, or "
		    "the host is not this one)");
	else if (!open && !knows_token(client))
		http_client_fail(client, 401,
				 "forebay: by TCP the API key must be the local token, the line in "
				 "[http] token_file");
	else
		return true;
	return false;
}

/* --- a head, then the whole request --------------------------------------------------------------
 */

static void
refuse_path(struct http_client *client, const char *path)
{
	char why[256];

	snprintf(why, sizeof(why),
		 "forebay: %.120s is not served here; there are /v1/messages, "
		 "/v1/messages/count_tokens and /v1/models (and [http] unknown_paths = pass)",
		 path);
	http_client_fail(client, 404, why);
}

static bool
is_size_good(struct http_client *client)
{
	const struct http_head *head = http_conn_head(client->conn);

	if (head->content_length <= (int64_t)client->facade->server->config->max_body)
		return true;
	http_client_refuse(client, FOREBAY_ERR_TOO_BIG,
			   "the body is larger than [queue] max_body allows");
	return false;
}

bool
http_route_head(struct http_client *client)
{
	const struct http_head *head = http_conn_head(client->conn);
	const char *path = without_version(head->path);
	const struct route *route = find_route(client, path);
	bool is_head = strcmp(head->method, "HEAD") == 0;

	if (!may_ask(client, is_head || (route && route->open)) || !is_size_good(client))
		return false;
	if (is_head)
		return true;
	if (client->facade->draining && !(route && route->fn == route_health))
		http_client_refuse(client, FOREBAY_ERR_DRAINING,
				   "forebay is restarting; ask again in a moment");
	else if (!route || is_devious(path))
		refuse_path(client, head->path);
	else if (route->method[0]
		     ? strcmp(route->method, head->method) != 0
		     : strcmp(head->method, "GET") != 0 && strcmp(head->method, "POST") != 0)
		http_client_fail(client, 405, "forebay: this path does not take that method");
	else
		return true;
	return false;
}

void
http_route_request(struct http_client *client)
{
	const struct http_head *head = http_conn_head(client->conn);
	const char *path = without_version(head->path);
	const struct route *route;

	/* Some ask whether we are there, at any path. */
	if (strcmp(head->method, "HEAD") == 0) {
		http_conn_reply(client->conn, 200, "", NULL, 0);
		return;
	}
	route = find_route(client, path);
	if (route)
		route->fn(client, path);
	else
		refuse_path(client, head->path); /* the configuration has changed meanwhile */
}
