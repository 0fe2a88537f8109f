/*
 * variables.c - the environment of programs that are to go through forebayd; see
 * variables.h.
 */
#include "client/variables.h"

#include "client/commands.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/forebay/http.sock"
#define PATH_MAX_LEN  (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)
#define HEADERS	      "ANTHROPIC_CUSTOM_HEADERS"

/* They would be sent instead of ours, or lead somewhere else. */
static const char *const removed[] = {
	"ANTHROPIC_API_KEY",
	"CLAUDE_CODE_OAUTH_TOKEN",
	"CLAUDE_CODE_USE_BEDROCK",
	"CLAUDE_CODE_USE_VERTEX",
};

void
variables_clear(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++)
		free(variables->rows[i].value);
	variables->count = 0;
}

/* Takes ownership of value; false: it is NULL, for want of memory. */
static bool
add(struct session *session, struct variables *variables, const char *name, char *value)
{
	if (!value) {
		output_complain(&session->out, "out of memory");
		return false;
	}
	variables->rows[variables->count++] = (struct variable){ name, value };
	return true;
}

static void
take_away(struct variables *variables, const char *name)
{
	variables->rows[variables->count++] = (struct variable){ name, NULL };
}

static char *
joined(const char *head, const char *tail)
{
	char *text;

	return asprintf(&text, "%s%s", head, tail) < 0 ? NULL : text;
}

/* --- where the daemon is -------------------------------------------------------- */

/* forebay.sock -> forebay-http.sock, if that is there; NULL. */
static char *
beside(const char *socket)
{
	size_t stem = strlen(socket);
	char *path;

	if (stem > 5 && strcmp(socket + stem - 5, ".sock") == 0)
		stem -= 5;
	if (asprintf(&path, "%.*s-http.sock", (int)stem, socket) < 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *
usual_socket(const struct arguments *arguments)
{
	const char *given = getenv("FOREBAY_HTTP_SOCKET");
	const char *socket = arguments->socket ? arguments->socket : getenv("FOREBAY_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path;

	if (given && *given)
		return strdup(given);
	path = socket && *socket ? beside(socket) : NULL;
	if (path)
		return path;
	if (!runtime || !*runtime || access(SYSTEM_SOCKET, F_OK) == 0)
		return strdup(SYSTEM_SOCKET);
	return joined(runtime, "/forebay/http.sock");
}

/* The program may go to another directory. */
static char *
absolute(const char *path)
{
	char *here, *whole = NULL;

	if (*path == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (here && asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	free(here);
	return whole;
}

static bool
find_socket(struct session *session, const struct arguments *arguments, struct variables *ret)
{
	char *path =
	    arguments->http_socket ? strdup(arguments->http_socket) : usual_socket(arguments);
	char *whole = path ? absolute(path) : NULL;

	free(path);
	if (!whole) {
		output_complain(&session->out, "out of memory");
		return false;
	}
	if (strlen(whole) > PATH_MAX_LEN) {
		output_complain(&session->out,
				"the socket path %s is longer than %zu bytes: no program can "
				"connect to it",
				whole, PATH_MAX_LEN);
		free(whole);
		return false;
	}
	if (access(whole, F_OK) != 0)
		output_note(&session->out,
			    "there is no socket %s yet: is forebayd running, with [http] on?",
			    whole);
	return add(session, ret, "ANTHROPIC_UNIX_SOCKET", whole) &&
	       add(session, ret, "ANTHROPIC_BASE_URL", strdup("http://localhost")) &&
	       add(session, ret, "ANTHROPIC_AUTH_TOKEN", strdup("forebay"));
}

/* "8080", "127.0.0.1:8080", "localhost:8080" as a URL; NULL: it is none
 * of them. */
static char *
url_of(const char *address)
{
	const char *colon = strrchr(address, ':');
	const char *port = colon ? colon + 1 : address;
	size_t host = colon ? (size_t)(colon - address) : 0, digits = strspn(port, "0123456789");

	if (digits == 0 || digits > 5 || port[digits] || atoi(port) < 1 || atoi(port) > 65535)
		return NULL;
	if (!colon)
		return joined("http://127.0.0.1:", port);
	if (strncmp(address, "localhost:", 10) != 0 &&
	    (strncmp(address, "127.", 4) != 0 || strspn(address, "0123456789.") != host))
		return NULL;
	return joined("http://", address);
}

/* The file's only line; owned by the caller. NULL: said. */
static char *
read_token(struct session *session, const char *path)
{
	size_t len, end;
	char *text = command_read_file(session, path, &len);

	if (!text)
		return NULL;
	end = strcspn(text, "\r\n");
	if (end > 0 && end + strspn(text + end, "\r\n") == len) {
		text[end] = 0;
		for (len = 0; text[len] > ' ' && text[len] < 127; len++)
			;
		if (len == end)
			return text;
	}
	output_complain(&session->out,
			"%s: expected one line with the token, printable and without spaces", path);
	free(text);
	return NULL;
}

static bool
find_port(struct session *session, const struct arguments *arguments, struct variables *ret)
{
	char *url = url_of(arguments->tcp), *token = NULL;

	if (!url)
		output_complain(&session->out,
				"--tcp %s: expected a port of this host, such as 8080 or "
				"127.0.0.1:8080",
				arguments->tcp);
	else if (arguments->http_socket)
		output_complain(&session->out,
				"--tcp and --http-socket: only one of them can be used");
	else if (!arguments->token_file)
		output_complain(&session->out,
				"--tcp wants the daemon's token besides: --token-file FILE");
	else
		token = read_token(session, arguments->token_file);
	if (!token) {
		free(url);
		return false;
	}
	take_away(ret, "ANTHROPIC_UNIX_SOCKET");
	ret->rows[ret->count++] = (struct variable){ "ANTHROPIC_BASE_URL", url };
	ret->rows[ret->count++] = (struct variable){ "ANTHROPIC_AUTH_TOKEN", token };
	return true;
}

/* --- how the program's jobs are treated ------------------------------------------- */

char *
variable_add_header(const char *given, const char *name, const char *value)
{
	size_t name_len = strlen(name), room = (given ? strlen(given) : 0) + 1;
	char *text = malloc(room + name_len + 2 + strlen(value) + 1), *end = text;

	for (const char *line = given; text && line && *line;) {
		size_t len = strcspn(line, "\r\n");
		bool same = len > name_len && strncasecmp(line, name, name_len) == 0 &&
			    line[name_len] == ':';

		if (len > 0 && !same) {
			memcpy(end, line, len);
			end += len;
			*end++ = '\n';
		}
		line += len + strspn(line + len, "\r\n");
	}
	if (text)
		sprintf(end, "%s: %s", name, value);
	return text;
}

/* It travels in a line of HTTP. */
static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static bool
put_header(struct session *session, char **headers, const char *option, const char *value)
{
	char name[32], *grown;

	if (!*value || !is_plain(value) || strlen(value) > MESSAGE_MAX_LABEL) {
		output_complain(&session->out,
				"--%s: it travels in an HTTP header, so it has to be printable "
				"ASCII of 1 to %u bytes",
				option, MESSAGE_MAX_LABEL);
		return false;
	}
	snprintf(name, sizeof(name), "x-forebay-%s", option);
	grown = variable_add_header(*headers, name, value);
	if (!grown) {
		output_complain(&session->out, "out of memory");
		return false;
	}
	free(*headers);
	*headers = grown;
	return true;
}

/* "a,b,c"; owned by the caller. */
static char *
chain_text(char **models)
{
	char *text = strdup(models[0]), *longer;

	for (size_t i = 1; text && models[i]; i++) {
		if (asprintf(&longer, "%s,%s", text, models[i]) < 0)
			longer = NULL;
		free(text);
		text = longer;
	}
	return text;
}

static bool
put_chain(struct session *session, char **headers, const struct request *request)
{
	char *chain;
	bool ok;

	if (request->chain)
		return put_header(session, headers, "chain", request->chain);
	if (!request->chain_models)
		return true;
	chain = chain_text(request->chain_models);
	ok = put_header(session, headers, "chain", chain ? chain : "");
	free(chain);
	return ok;
}

static bool
find_headers(struct session *session, const struct arguments *arguments, struct variables *ret)
{
	const struct request *request = &arguments->request;
	const char *given = getenv(HEADERS);
	char *headers = given ? strdup(given) : NULL;
	bool asked =
	    arguments->job_class >= 0 || request->label || request->chain || request->chain_models;
	bool ok = true;

	if (arguments->job_class >= 0)
		ok = put_header(session, &headers, "class",
				forebay_class_name(arguments->job_class));
	if (ok && request->label)
		ok = put_header(session, &headers, "label", request->label);
	if (ok)
		ok = put_chain(session, &headers, request);
	if (ok && asked)
		return add(session, ret, HEADERS, headers);
	free(headers);
	return ok;
}

bool
variables_find(struct session *session, const struct arguments *arguments, struct variables *ret)
{
	bool ok;

	ret->count = 0;
	if (arguments->token_file && !arguments->tcp) {
		output_complain(&session->out,
				"--token-file goes with --tcp: a socket needs no token");
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(removed); i++)
		take_away(ret, removed[i]);
	ok = arguments->tcp ? find_port(session, arguments, ret)
			    : find_socket(session, arguments, ret);
	/* While its job waits the program hears pings at best, for longer than it would
	 * wait by itself; and a foreign URL would cost it its tool search. */
	ok = ok && add(session, ret, "CLAUDE_STREAM_IDLE_TIMEOUT_MS", strdup("900000")) &&
	     add(session, ret, "ENABLE_TOOL_SEARCH", strdup("true")) &&
	     find_headers(session, arguments, ret);
	if (!ok)
		variables_clear(ret);
	return ok;
}

/* --- for shells ------------------------------------------------------------------- */

/* In single quotes, what each shell needs for it to come out as it is. */
static const char *
escape(enum shell shell, char c)
{
	if (c == '\'')
		return shell == SHELL_FISH ? "\\'" : "'\\''";
	if (c == '\\' && shell == SHELL_FISH)
		return "\\\\";
	/* History is looked up even there. */
	if (c == '!' && shell == SHELL_CSH)
		return "\\!";
	return NULL;
}

static char *
quoted(const char *text, enum shell shell)
{
	char *quote = malloc(4 * strlen(text) + 3), *end = quote;

	if (!quote)
		return NULL;
	*end++ = '\'';
	for (; *text; text++) {
		const char *other = escape(shell, *text);

		if (other)
			end = stpcpy(end, other);
		else
			*end++ = *text;
	}
	*end++ = '\'';
	*end = 0;
	return quote;
}

char *
variable_put(const struct variable *variable, enum shell shell)
{
	static const char *const set[] = { "export %s=%s;", "set -gx %s %s;", "setenv %s %s;" };
	static const char *const unset[] = { "unset %s;", "set -e %s;", "unsetenv %s;" };
	char *value, *line;
	int len;

	if (!variable->value)
		return asprintf(&line, unset[shell], variable->name) < 0 ? NULL : line;
	/* Its quotes end with the line. */
	if (shell == SHELL_CSH && strchr(variable->value, '\n'))
		return NULL;
	value = quoted(variable->value, shell);
	len = value ? asprintf(&line, set[shell], variable->name, value) : -1;
	free(value);
	return len < 0 ? NULL : line;
}
