/*
 * control.c - the end points under /_, for tests: the weather at run time, counts, the log.
 */
#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakeapi/exchange.h"

static void
reply(struct evhttp_request *req, int status, const char *type, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(req), "content-type", type);
	evhttp_send_reply(req, status, NULL, body);
	evbuffer_free(body);
}

static void
put_json_string(struct evbuffer *out, const char *text)
{
	struct json_object *string = json_object_new_string(text);

	evbuffer_add_printf(out, "%s", json_object_to_json_string(string));
	json_object_put(string);
}

static void
put_state(struct server *server, struct evbuffer *out)
{
	evbuffer_add_printf(out,
			    "\"t\":%.6f,\"weather_t\":%.6f,\"time_scale\":%g,\"phase\":%d,"
			    "\"held\":%zu,\"weather\":",
			    server_now(server), server_weather(server), server->scale,
			    weather_phase(server->weather), exchange_held(server));
	put_json_string(out, weather_text(server->weather));
}

/* A phase begins when somebody looks, so look. */
static void
settle(struct server *server)
{
	struct place place = { 0 };

	weather_settle(server->weather, &place, "", server_weather(server));
}

void
stats_reply(struct server *server, struct evhttp_request *req, int status)
{
	struct evbuffer *body = evbuffer_new();

	settle(server);
	evbuffer_add_printf(body, "{");
	put_state(server, body);
	evbuffer_add_printf(body, ",");
	ledger_put_stats(&server->ledger, body);
	evbuffer_add_printf(body, "}\n");
	reply(req, status, "application/json", body);
}

static void
refuse(struct evhttp_request *req, const char *why)
{
	struct evbuffer *body = evbuffer_new();

	evbuffer_add_printf(body, "{\"error\":");
	put_json_string(body, why);
	evbuffer_add_printf(body, "}\n");
	reply(req, 400, "application/json", body);
}

/* Replace the weather by `text` (NULL: keep it) and lay `words` over it (NULL: none); both or
 * neither. */
static bool
set_weather(struct server *server, const char *text, const char *words, char *why, size_t why_len)
{
	struct weather *fresh = NULL;

	if (text) {
		fresh = weather_new(text, server->seed, why, why_len);
		if (!fresh)
			return false;
	}
	if (words && !weather_add(fresh ? fresh : server->weather, words, why, why_len)) {
		weather_free(fresh);
		return false;
	}
	if (fresh) {
		weather_free(server->weather);
		server->weather = fresh;
		weather_start(fresh, server_weather(server));
	}
	return true;
}

static const char *
wish_text(struct json_object *wish, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(wish, name, &value) ? json_object_get_string(value) : NULL;
}

/* {"weather":TEXT, "add":WORDS, "time_scale":X, "release":true|TAG}, any of them. */
static bool
control_json(struct server *server, struct json_object *wish, char *why, size_t why_len)
{
	const char *text = wish_text(wish, "weather"), *words = wish_text(wish, "add");
	struct json_object *scale = NULL, *which = NULL;

	json_object_object_get_ex(wish, "time_scale", &scale);
	json_object_object_get_ex(wish, "release", &which);
	if (!text && !words && !scale && !which) {
		snprintf(why, why_len, "none of weather, add, time_scale, release");
		return false;
	}
	if (scale && !(json_object_get_double(scale) > 0)) {
		snprintf(why, why_len, "time_scale must be above 0");
		return false;
	}
	if (!set_weather(server, text, words, why, why_len))
		return false;
	if (scale)
		server_set_scale(server, json_object_get_double(scale));
	if (which)
		exchange_release(server, json_object_is_type(which, json_type_string)
					     ? json_object_get_string(which)
					     : NULL);
	return true;
}

static void
control_post(struct server *server, struct evhttp_request *req)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(req);
	struct evbuffer *body;
	struct json_object *wish;
	char why[256] = "";
	char *text;
	bool ok;

	evbuffer_add(input, "", 1);
	text = (char *)evbuffer_pullup(input, -1);
	wish = *text == '{' ? json_tokener_parse(text) : NULL;
	if (wish)
		ok = control_json(server, wish, why, sizeof(why));
	else
		ok = set_weather(server, text, NULL, why, sizeof(why));
	json_object_put(wish);
	if (!ok) {
		refuse(req, why);
		return;
	}
	server_changed(server);
	settle(server);
	body = evbuffer_new();
	evbuffer_add_printf(body, "{");
	put_state(server, body);
	evbuffer_add_printf(body, "}\n");
	reply(req, 200, "application/json", body);
}

static void
control_handle_control(struct server *server, struct evhttp_request *req)
{
	if (evhttp_request_get_command(req) == EVHTTP_REQ_POST)
		control_post(server, req);
	else
		stats_reply(server, req, 200);
}

static uint64_t
query_number(struct evhttp_request *req, const char *name, uint64_t otherwise)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	const char *value = NULL;
	struct evkeyvalq args;

	TAILQ_INIT(&args);
	if (query && evhttp_parse_query_str(query, &args) == 0)
		value = evhttp_find_header(&args, name);
	if (value)
		otherwise = strtoull(value, NULL, 10);
	evhttp_clear_headers(&args);
	return otherwise;
}

static void
control_handle_log(struct server *server, struct evhttp_request *req)
{
	struct evbuffer *body = evbuffer_new();
	uint64_t since = query_number(req, "since", 0);

	for (uint64_t seq = since + 1; seq <= server->ledger.count; seq++)
		entry_put(ledger_find(&server->ledger, seq), body);
	reply(req, 200, "application/x-jsonl", body);
}

static void
control_handle_body(struct server *server, struct evhttp_request *req)
{
	uint64_t count = server->ledger.count, seq = query_number(req, "seq", count);
	struct evbuffer *kept = NULL, *body;

	if (server->keep_bodies && seq > 0 && seq <= count && count - seq < server->keep_bodies)
		kept = server->bodies[seq % server->keep_bodies];
	if (!kept) {
		refuse(req, "no such body; was the program started with --keep-bodies N?");
		return;
	}
	body = evbuffer_new();
	evbuffer_add(body, evbuffer_pullup(kept, -1), evbuffer_get_length(kept));
	reply(req, 200, "application/octet-stream", body);
}

static void
control_handle_reset(struct server *server, struct evhttp_request *req)
{
	exchange_drop_all(server);
	server_reset(server);
	stats_reply(server, req, 200);
}

static void
control_handle_stats(struct server *server, struct evhttp_request *req)
{
	stats_reply(server, req, 200);
}

static void
control_handle_tags(struct server *server, struct evhttp_request *req)
{
	struct evbuffer *body = evbuffer_new();

	ledger_put_tags(&server->ledger, body);
	reply(req, 200, "application/json", body);
}

static void
control_handle_help(struct server *server, struct evhttp_request *req)
{
	struct evbuffer *body = evbuffer_new();
	(void)server;

	for (size_t i = 0; i < fault_count; i++)
		evbuffer_add_printf(body, "%s\n", faults[i].name);
	reply(req, 200, "text/plain", body);
}

static const struct {
	const char *path;
	void (*handle)(struct server *server, struct evhttp_request *req);
} controls[] = {
	{ "/_stats", control_handle_stats },	 { "/_log", control_handle_log },
	{ "/_tags", control_handle_tags },	 { "/_wait", watch_start },
	{ "/_control", control_handle_control }, { "/_reset", control_handle_reset },
	{ "/_body", control_handle_body },	 { "/_faults", control_handle_help },
};

void
control_handle(struct server *server, struct evhttp_request *req, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		if (strcmp(controls[i].path, path) == 0) {
			controls[i].handle(server, req);
			return;
		}
	}
	refuse(req, "no such control end point");
}
