/*
 * server.c - the clocks, what is counted when, and which path leads where.
 */
#include "tests/fakeapi/server.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fakeapi/exchange.h"

static double
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double
server_now(const struct server *server)
{
	return monotonic() - server->start;
}

double
server_weather(const struct server *server)
{
	return server->scale_w + (server_now(server) - server->scale_t) * server->scale;
}

void
server_set_scale(struct server *server, double scale)
{
	double now = server_now(server);

	server->scale_w = server_weather(server);
	server->scale_t = now;
	server->scale = scale;
}

void
server_reset(struct server *server)
{
	for (size_t i = 0; i < server->keep_bodies; i++) {
		if (server->bodies[i])
			evbuffer_free(server->bodies[i]);
		server->bodies[i] = NULL;
	}
	ledger_clear(&server->ledger);
	server->counting = server->listing = (struct place){ .free = true };
	server->start = monotonic();
	server->scale_t = server->scale_w = 0;
	weather_start(server->weather, 0);
}

static void
server_on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	(void)fd;
	(void)what;

	server->flush_due = false;
	fflush(server->ledger.file);
}

void
server_changed(struct server *server)
{
	static const struct timeval delay = { 0, 20000 };

	if (!LIST_EMPTY(&server->watches))
		event_active(server->watch_event, EV_TIMEOUT, 1);
	if (server->ledger.file && !server->flush_due) {
		server->flush_due = true;
		evtimer_add(server->flush_timer, &delay);
	}
}

void
server_init(struct server *server)
{
	server->base = event_base_new();
	server->http = server->base ? evhttp_new(server->base) : NULL;
	if (!server->http)
		abort();
	server->watch_event = event_new(server->base, -1, 0, watch_on_change, server);
	server->flush_timer = evtimer_new(server->base, server_on_flush, server);
	server->bodies = calloc(server->keep_bodies + 1, sizeof(*server->bodies));
	LIST_INIT(&server->live);
	LIST_INIT(&server->watches);
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST |
						     EVHTTP_REQ_HEAD | EVHTTP_REQ_DELETE);
	evhttp_set_max_headers_size(server->http, 256 * 1024);
	evhttp_set_max_body_size(server->http, 64 * 1024 * 1024);
	evhttp_set_gencb(server->http, server_on_request, server);
	server_reset(server);
}

void
server_clear(struct server *server)
{
	exchange_drop_all(server);
	watch_drop_all(server);
	evhttp_free(server->http);
	server_reset(server);
	event_free(server->watch_event);
	event_free(server->flush_timer);
	event_base_free(server->base);
	weather_free(server->weather);
	free(server->bodies);
	if (server->ledger.file)
		fclose(server->ledger.file);
}

/* /v1/messages and friends; evhttp has decoded nothing, so ids are compared as they were sent. */
void
server_on_request(struct evhttp_request *req, void *arg)
{
	struct server *server = arg;
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
	enum evhttp_cmd_type command = evhttp_request_get_command(req);

	path = path ? path : "/";
	if (command == EVHTTP_REQ_HEAD)
		evhttp_send_reply(req, 200, NULL, NULL);
	else if (strncmp(path, "/_", 2) == 0)
		control_handle(server, req, path);
	else if (command == EVHTTP_REQ_POST && strcmp(path, "/v1/messages") == 0)
		exchange_start(server, req, ENDPOINT_MESSAGES, "/v1/messages", NULL);
	else if (command == EVHTTP_REQ_POST && strcmp(path, "/v1/messages/count_tokens") == 0)
		exchange_start(server, req, ENDPOINT_COUNT_TOKENS, "/v1/messages/count_tokens",
			       NULL);
	else if (command == EVHTTP_REQ_GET && strcmp(path, "/v1/models") == 0)
		exchange_start(server, req, ENDPOINT_MODELS, "/v1/models", NULL);
	else if (command == EVHTTP_REQ_GET && strncmp(path, "/v1/models/", 11) == 0)
		exchange_start(server, req, ENDPOINT_MODELS, "/v1/models/ID", path + 11);
	else
		exchange_start(server, req, ENDPOINT_OTHER, "other", NULL);
}
