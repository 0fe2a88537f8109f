/*
 * origin.c - the upstream URL: TLS, or this machine.
 */
#include "daemon/net/origin.h"

#include "daemon/base/log.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static bool
host_is_loopback(const char *host)
{
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static enum forebay_err
parse_socket(const char *path, struct origin *ret, char *why, size_t why_len)
{
	const struct sockaddr_un *address = NULL;

	if (path[0] != '/') {
		snprintf(why, why_len, "unix:%s: the socket's path must be absolute", path);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	if (strlen(path) >= sizeof(address->sun_path)) {
		snprintf(why, why_len,
			 "unix:%s: the path is longer than the %zu bytes a socket's may be", path,
			 sizeof(address->sun_path) - 1);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	ret->base = must_strdup("http://localhost");
	ret->socket_path = must_strdup(path);
	return FOREBAY_ERR_OK;
}

/* A part of the URL, "" if it has none; free with curl_free(). */
static char *
url_part(CURLU *parsed, CURLUPart part)
{
	char *text = NULL;

	if (curl_url_get(parsed, part, &text, 0) != CURLUE_OK)
		return NULL;
	return text;
}

static bool
has_part(CURLU *parsed, CURLUPart part)
{
	char *text = url_part(parsed, part);
	bool has = text != NULL;

	curl_free(text);
	return has;
}

/* NULL if the URL is good. */
static const char *
complaint(CURLU *parsed)
{
	char *scheme = url_part(parsed, CURLUPART_SCHEME);
	char *host = url_part(parsed, CURLUPART_HOST);
	const char *wrong = NULL;

	if (!scheme || !host)
		wrong = "it must be https://HOST, http:// to this machine, or unix:/PATH";
	else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
		wrong = "only https://, http:// and unix: are known";
	else if (strcmp(scheme, "http") == 0 && !host_is_loopback(host))
		wrong = "plain http:// would show the key to the network; use https://";
	else if (has_part(parsed, CURLUPART_USER) || has_part(parsed, CURLUPART_PASSWORD))
		wrong = "a user or password does not belong here; the key has its own place";
	else if (has_part(parsed, CURLUPART_QUERY) || has_part(parsed, CURLUPART_FRAGMENT))
		wrong = "remove what follows '?' or '#'";
	curl_free(scheme);
	curl_free(host);
	return wrong;
}

static enum forebay_err
parse_http(const char *url, struct origin *ret, char *why, size_t why_len)
{
	CURLU *parsed = curl_url();
	const char *wrong;
	CURLUcode rc;
	size_t len;

	if (!parsed)
		fatal("out of memory");
	rc = curl_url_set(parsed, CURLUPART_URL, url, 0);
	wrong = rc == CURLUE_OK ? complaint(parsed) : curl_url_strerror(rc);
	curl_url_cleanup(parsed);
	if (wrong) {
		snprintf(why, why_len, "%s: %s", url, wrong);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	ret->base = must_strdup(url);
	ret->socket_path = NULL;
	for (len = strlen(ret->base); len > 0 && ret->base[len - 1] == '/'; len--)
		ret->base[len - 1] = '\0';
	return FOREBAY_ERR_OK;
}

enum forebay_err
origin_parse(const char *url, struct origin *ret, char *why, size_t why_len)
{
	if (strncmp(url, "unix:", 5) == 0)
		return parse_socket(url + 5, ret, why, why_len);
	return parse_http(url, ret, why, why_len);
}

void
origin_clear(struct origin *origin)
{
	free(origin->base);
	free(origin->socket_path);
	*origin = (struct origin){ 0 };
}
