/*
 * config_http.c - the kinds of values only [http] has, and where its socket is.
 */
#include "daemon/base/config_table.h"
#include "daemon/base/log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- kinds: texts, as config_values.c keeps them ------------------------------- */

static void
store(void *field, const char *text)
{
	free(*(char **)field);
	*(char **)field = must_strdup(text);
}

static void
text_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	config_text.format(key, field, ret, len);
}

static void
text_clear(void *field)
{
	config_text.clear(field);
}

static bool
socket_parse(const struct config_key *key, const char *text, void *field)
{
	if (strcmp(text, "off") != 0)
		return config_path.parse(key, text, field);
	store(field, text);
	return true;
}

static void
socket_describe(const struct config_key *key, char *ret, size_t len)
{
	snprintf(ret, len, "off, empty, or an absolute path of at most %d characters",
		 (int)key->max);
}

const struct config_kind config_http_socket = { sizeof(char *),	 socket_parse, text_format,
						socket_describe, text_clear,   NULL };

/* Only what cannot be reached from another machine. Port 0: the kernel chooses. */
static bool
loopback_parse(const struct config_key *key, const char *text, void *field)
{
	const char *colon = strrchr(text, ':');
	struct in_addr address;
	char host[16], *end;

	if (strcmp(text, "off") == 0) {
		store(field, text);
		return true;
	}
	if (!colon || strlen(text) > (size_t)key->max || (size_t)(colon - text) >= sizeof(host) ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1])
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (strtoul(colon + 1, &end, 10) > 65535 || inet_pton(AF_INET, host, &address) != 1 ||
	    ntohl(address.s_addr) >> 24 != 127)
		return false;
	store(field, text);
	return true;
}

static void
loopback_describe(const struct config_key *key, char *ret, size_t len)
{
	(void)key;
	snprintf(ret, len, "off, or an address of this host alone with a port: 127.0.0.1:8080");
}

const struct config_kind config_loopback = { sizeof(char *),	loopback_parse, text_format,
					     loopback_describe, text_clear,	NULL };

/* --- where ----------------------------------------------------------------------- */

/* Beside a socket that was put somewhere: forebay.sock, forebay-http.sock. */
static int
put_beside(const char *socket, char *ret, size_t len)
{
	size_t stem = strlen(socket);

	if (stem > 5 && strcmp(socket + stem - 5, ".sock") == 0)
		stem -= 5;
	return snprintf(ret, len, "%.*s-http.sock", (int)stem, socket);
}

enum forebay_err
config_http_path(const struct config *config, char *ret, size_t len)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int put;

	if (config->facade.socket && strcmp(config->facade.socket, "off") == 0)
		put = snprintf(ret, len, "%s", "");
	else if (config->facade.socket)
		put = snprintf(ret, len, "%s", config->facade.socket);
	else if (config->socket)
		put = put_beside(config->socket, ret, len);
	else if (geteuid() == 0)
		put = snprintf(ret, len, "/run/forebay/http.sock");
	else
		put = snprintf(ret, len, "%s/forebay/http.sock", dir ? dir : "");
	if (put >= 0 && (size_t)put < len)
		return FOREBAY_ERR_OK;
	log_error("the path of the HTTP socket is too long: set [http] socket");
	return FOREBAY_ERR_BAD_REQUEST;
}
