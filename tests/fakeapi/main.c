/*
 * main.c - the fake Claude API as a program: options, sockets, signals. README.md is the manual.
 */
#include <arpa/inet.h>
#include <event2/listener.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fakeapi/server.h"

#define LISTEN_MAX 4

struct options {
	const char *listen[LISTEN_MAX];
	size_t listen_count;
	const char *log;
	int ready_fd;
	char *weather; /* owned */
	struct server *server;
};

static const char usage[] =
    "usage: fakeapi [--listen 127.0.0.1:PORT|unix:PATH]... [--log FILE] [--seed N]\n"
    "               [--time-scale X] [--key K] [--ready-fd N] [--log-headers]\n"
    "               [--keep-bodies N] [[--weather] TEXT]...\n"
    "An API that answers like Claude's, and fails as it is told to; see tests/fakeapi/README.md.\n";

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "log", required_argument, NULL, 'o' },
	{ "seed", required_argument, NULL, 's' },
	{ "time-scale", required_argument, NULL, 't' },
	{ "key", required_argument, NULL, 'k' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "log-headers", no_argument, NULL, 'H' },
	{ "keep-bodies", required_argument, NULL, 'b' },
	{ "weather", required_argument, NULL, 'w' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "fakeapi: %s: %s\n", what, why);
	exit(2);
}

/* Several weather texts are one text. */
static void
add_weather(struct options *options, const char *text)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", options->weather ? options->weather : "",
		     options->weather ? "; " : "", text) < 0)
		abort();
	free(options->weather);
	options->weather = joined;
}

static double
number(const char *name, const char *text, double least)
{
	char *end;
	double value = strtod(text, &end);

	if (*end || end == text || !(value >= least))
		die(name, "not a number that makes sense here");
	return value;
}

static void
set_option(struct options *options, int option, const char *value)
{
	struct server *server = options->server;

	switch (option) {
	case 'l':
		if (options->listen_count == LISTEN_MAX)
			die("--listen", "too many");
		options->listen[options->listen_count++] = value;
		break;
	case 'o':
		options->log = value;
		break;
	case 's':
		server->seed = strtoull(value, NULL, 10);
		break;
	case 't':
		server->scale = number("--time-scale", value, 1e-3);
		break;
	case 'k':
		server->key = value;
		break;
	case 'r':
		options->ready_fd = (int)number("--ready-fd", value, 0);
		break;
	case 'H':
		server->log_headers = true;
		break;
	case 'b':
		server->keep_bodies = (size_t)number("--keep-bodies", value, 0);
		break;
	case 'w':
		add_weather(options, value);
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void
parse_options(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		set_option(options, option, optarg);
	for (; optind < argc; optind++)
		add_weather(options, argv[optind]);
	if (!options->listen_count)
		options->listen[options->listen_count++] = "127.0.0.1:0";
}

/* libevent's own parser has no port 0. */
static socklen_t
parse_inet(const char *text, struct sockaddr_in *ret)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN] = "";
	char *end;
	unsigned long port;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return 0;
	memcpy(host, text, (size_t)(colon - text));
	port = strtoul(colon + 1, &end, 10);
	if (*end || end == colon + 1 || port > 65535)
		return 0;
	ret->sin_family = AF_INET;
	ret->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &ret->sin_addr) == 1 ? sizeof(*ret) : 0;
}

/* Fills the address; its length, or 0 if the text is none. */
static socklen_t
parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_un *local = (struct sockaddr_un *)ret;

	memset(ret, 0, sizeof(*ret));
	if (strncmp(text, "unix:", 5) != 0)
		return parse_inet(text, (struct sockaddr_in *)ret);
	if (strlen(text + 5) >= sizeof(local->sun_path))
		return 0;
	local->sun_family = AF_UNIX;
	strcpy(local->sun_path, text + 5);
	unlink(local->sun_path);
	return sizeof(*local);
}

/* The URL into `ret`. */
static void
listen_at(struct server *server, const char *text, char *ret, size_t ret_len)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);
	struct evconnlistener *listener;
	struct sockaddr_in bound;
	const int on = 1;

	if (!len)
		die(text, "want 127.0.0.1:PORT or unix:PATH");
	listener = evconnlistener_new_bind(server->base, NULL, NULL,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE |
					       LEV_OPT_CLOSE_ON_EXEC,
					   4096, (struct sockaddr *)&address, (int)len);
	if (!listener || !evhttp_bind_listener(server->http, listener))
		die(text, "cannot listen there");
	if (address.ss_family == AF_UNIX) {
		snprintf(ret, ret_len, "%s", text);
		return;
	}
	/* Accepted sockets inherit it: a delta must not wait for the acknowledgement of the last.
	 */
	setsockopt(evconnlistener_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	len = sizeof(bound);
	getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&bound, &len);
	snprintf(ret, ret_len, "http://%s:%d", inet_ntoa(bound.sin_addr), ntohs(bound.sin_port));
}

static void
listen_all(const struct options *options)
{
	char url[256];

	for (size_t i = 0; i < options->listen_count; i++) {
		listen_at(options->server, options->listen[i], url, sizeof(url));
		printf("listening on %s\n", url);
		if (options->ready_fd >= 0)
			dprintf(options->ready_fd, "%s\n", url);
	}
	fflush(stdout);
	if (options->ready_fd >= 0)
		close(options->ready_fd);
}

static void
on_signal(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(base);
}

int
main(int argc, char **argv)
{
	static struct server server = { .scale = 1, .seed = 1 };
	struct options options = { .ready_fd = -1, .server = &server };
	struct rlimit files;
	struct event *stop[2];
	char why[256];

	parse_options(&options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	server.weather =
	    weather_new(options.weather ? options.weather : "", server.seed, why, sizeof(why));
	if (!server.weather)
		die("--weather", why);
	if (options.log) {
		server.ledger.file = fopen(options.log, "we");
		if (!server.ledger.file)
			die(options.log, "cannot write there");
	}
	server_init(&server);
	stop[0] = evsignal_new(server.base, SIGTERM, on_signal, server.base);
	stop[1] = evsignal_new(server.base, SIGINT, on_signal, server.base);
	event_add(stop[0], NULL);
	event_add(stop[1], NULL);
	listen_all(&options);
	event_base_dispatch(server.base);
	event_free(stop[0]);
	event_free(stop[1]);
	server_clear(&server);
	free(options.weather);
	return 0;
}
