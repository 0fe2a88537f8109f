/*
 * exchange.c - a request arrives, is judged, waits and ends: one timer an exchange, no state but
 * what it waits for.
 *
 * evhttp does not notice that a client leaves while its request waits for an answer, so an exchange
 * that waits watches its socket for EV_CLOSED. Whoever closes first, the exchange ends once.
 */
#include "tests/fakeapi/exchange.h"

#include <event2/bufferevent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/fakeapi/intake.h"
#include "tests/fakeapi/play.h"

/* --- ending ---------------------------------------------------------------- */

static void
exchange_end(struct exchange *x, enum outcome outcome)
{
	struct server *server = x->server;

	evhttp_connection_set_closecb(x->conn, NULL, NULL);
	ledger_ended(&server->ledger, x->entry, outcome, server_now(server));
	server_changed(server);
	if (x->armed) {
		event_del(&x->timer);
		event_del(&x->closed);
	}
	LIST_REMOVE(x, link);
	script_clear(&x->script);
	free(x);
}

static void
exchange_on_complete(struct evhttp_request *req, void *arg)
{
	struct exchange *x = arg;
	(void)req;

	exchange_end(x, exchange_is(x, KIND_EOF) ? OUTCOME_CUT : OUTCOME_COMPLETE);
}

/* evhttp is closing the connection under us. It leaves a request that was not finished to us. */
static void
exchange_on_evhttp_close(struct evhttp_connection *conn, void *arg)
{
	struct exchange *x = arg;
	struct evhttp_request *req = x->req;
	(void)conn;

	exchange_end(x, OUTCOME_LEFT);
	if (!evhttp_request_get_connection(req))
		evhttp_request_free(req);
}

void
exchange_break(struct exchange *x, enum outcome outcome, bool abort)
{
	struct evhttp_connection *conn = x->conn;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn));

	if (abort) {
		/* evhttp says goodbye with a FIN first; unconnecting sends the RST before it. */
		struct linger linger = { .l_onoff = 1 };
		struct sockaddr unspecified = { .sa_family = AF_UNSPEC };

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		(void)!connect(fd, &unspecified, sizeof(unspecified));
	}
	exchange_end(x, outcome);
	evhttp_connection_free(conn);
}

static void
exchange_on_closed(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	exchange_break(arg, OUTCOME_LEFT, false);
}

/* --- waiting --------------------------------------------------------------- */

static void exchange_on_timer(evutil_socket_t fd, short what, void *arg);

void
exchange_wait(struct exchange *x, enum wait wait, double seconds)
{
	double real = seconds / x->server->scale;
	struct timeval tv = { (time_t)real, (suseconds_t)((real - floor(real)) * 1e6) };

	x->wait = wait;
	if (!x->armed) {
		int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(x->conn));

		x->armed = true;
		evtimer_assign(&x->timer, x->server->base, exchange_on_timer, x);
		event_assign(&x->closed, x->server->base, fd, EV_CLOSED, exchange_on_closed, x);
		event_add(&x->closed, NULL);
	}
	if (seconds >= 0)
		evtimer_add(&x->timer, &tv);
}

static void
exchange_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *x = arg;
	(void)fd;
	(void)what;

	switch (x->wait) {
	case WAIT_REFUSE:
		play_refuse(x);
		break;
	case WAIT_FIRST:
		play_open(x);
		break;
	case WAIT_STEP:
		play_advance(x);
		break;
	case WAIT_PINGS:
		play_ping(x);
		break;
	case WAIT_CUT:
		exchange_break(x, OUTCOME_CUT, exchange_is(x, KIND_CUT_RESET));
		break;
	case WAIT_ODD:
		odd_next(x);
		break;
	case WAIT_HOLD:
	case WAIT_EVER:
		break;
	}
}

/* --- judging --------------------------------------------------------------- */

/* "529*3": for attempts 1 to 3; "cut@2": for attempt 2 only; takes the suffix off. */
static bool
marker_applies(struct slice *marker, uint32_t attempt)
{
	size_t digits = marker->len;
	unsigned long count;

	while (digits > 0 && marker->at[digits - 1] >= '0' && marker->at[digits - 1] <= '9')
		digits--;
	if (digits == 0 || digits == marker->len || !strchr("*@", marker->at[digits - 1]))
		return true;
	count = strtoul(marker->at + digits, NULL, 10);
	marker->len = digits - 1;
	return marker->at[marker->len] == '*' ? attempt <= count : attempt == count;
}

/* Lay the request's own wishes over the climate; false if one of them cannot be read. */
static bool
exchange_apply_markers(struct exchange *x)
{
	static char why[128];

	for (size_t i = 0; i < x->request.marker_count; i++) {
		struct slice marker = x->request.markers[i];

		if (!marker_applies(&marker, x->entry->attempt) ||
		    climate_set_all(&x->climate, marker.at, marker.len, true, why, sizeof(why)))
			continue;
		for (char *p = why; *p; p++)
			*p = *p == '"' || *p == '\\' || (unsigned char)*p < ' ' ? '?' : *p;
		x->own_fault = *fault_find("400", 3);
		x->own_fault.message = why;
		return false;
	}
	return true;
}

/* The table's words with what only this request knows: its credential, and the date. */
static void
exchange_fill_in(struct exchange *x)
{
	const struct fault *fault = x->verdict.fault;
	size_t used = 0;

	if (!fault || !fault->message || !strchr(fault->message, '{'))
		return;
	for (const char *at = fault->message; *at && used < sizeof(x->words) - 1;) {
		char *to = x->words + used;
		size_t room = sizeof(x->words) - used;

		if (strncmp(at, "{key}", 5) == 0) {
			snprintf(to, room, "%s", intake_credential(x->req));
			at += 5;
		} else if (strncmp(at, "{date}", 6) == 0) {
			intake_date(x->climate.until.median, to, room);
			at += 6;
		} else {
			snprintf(to, room, "%c", *at++);
		}
		used += strlen(to);
	}
	x->own_fault = *fault;
	x->own_fault.message = x->words;
	x->verdict.fault = &x->own_fault;
}

/* Chance that does not depend on who came first: the job's own dice, thrown anew each attempt. */
static struct dice
exchange_dice(const struct exchange *x, uint64_t attempt)
{
	uint64_t seed[3] = { x->server->seed, x->entry->key->hash, attempt };

	return (struct dice){ bytes_hash((const char *)seed, sizeof(seed)) };
}

/* Whose limits the request meets, up to date: its model's, its end point's, or nobody's. */
static struct place *
exchange_place(const struct exchange *x, double now)
{
	struct server *server = x->server;

	switch (x->endpoint) {
	case ENDPOINT_MESSAGES:
		return &x->entry->model->place;
	case ENDPOINT_COUNT_TOKENS:
		weather_settle(server->weather, &server->counting, "count_tokens", now);
		return &server->counting;
	case ENDPOINT_MODELS:
		weather_settle(server->weather, &server->listing, "models", now);
		return &server->listing;
	case ENDPOINT_OTHER:
		break;
	}
	return NULL;
}

static void
exchange_judge(struct exchange *x)
{
	struct server *server = x->server;
	struct model *model = x->entry->model;
	double now = server_weather(server);
	struct dice dice = exchange_dice(x, x->entry->attempt), job = exchange_dice(x, 0);
	bool checked;

	weather_settle(server->weather, &model->place, model->name, now);
	x->climate = model->place.climate;
	x->place = exchange_place(x, now);
	checked = intake_refuses(server, x->req, &x->request, x->endpoint, &x->own_fault) ||
		  (x->endpoint == ENDPOINT_MESSAGES && !exchange_apply_markers(x));
	if (checked)
		x->verdict = (struct verdict){ &x->own_fault, "check", -1 };
	else if (x->endpoint == ENDPOINT_MESSAGES)
		weather_decide(server->weather, &model->place, &x->climate, &dice, now,
			       (double)request_tokens(&x->request), &x->verdict);
	else
		weather_decide_free(&x->climate, x->place, &dice, &x->verdict);
	exchange_fill_in(x);
	x->ttfb = dice_span(&job, &x->climate.ttfb);
	x->gen = dice_span(&job, &x->climate.gen);
	if (!x->request.stream) {
		x->ttfb += x->gen;
		x->gen = 0;
	}
	x->entry->cause = x->verdict.cause;
}

/* Refusals that end the connection, which must not happen in a callback of evhttp. */
static bool
exchange_breaks(enum fault_kind kind)
{
	return kind == KIND_RESET || kind == KIND_CLOSE ||
	       (kind >= KIND_LONG_LINE && kind <= KIND_INTERIMS);
}

static void
exchange_refused(struct exchange *x)
{
	struct server *server = x->server;
	const struct fault *fault = x->verdict.fault;
	struct dice dice = exchange_dice(x, ~(uint64_t)x->entry->attempt);
	double delay = dice_span(&dice, &x->climate.refuse);

	ledger_refused(&server->ledger, x->entry, fault, server_weather(server));
	if (fault->kind == KIND_HANG)
		exchange_wait(x, WAIT_EVER, -1);
	else if (delay > 0 || exchange_breaks(fault->kind))
		exchange_wait(x, WAIT_REFUSE, delay);
	else
		play_refuse(x);
}

static void
exchange_accepted(struct exchange *x)
{
	struct ledger *ledger = &x->server->ledger;

	ledger_accepted(ledger, x->entry);
	if (x->verdict.fault)
		ledger_fault(ledger, x->entry, x->verdict.fault);
	if (x->climate.hold)
		exchange_wait(x, WAIT_HOLD, -1);
	else if (x->ttfb > 0)
		exchange_wait(x, WAIT_FIRST, x->ttfb);
	else
		play_open(x);
}

static void
exchange_arrive(struct exchange *x, const char *path, const char *id)
{
	struct server *server = x->server;
	struct evbuffer *input = evhttp_request_get_input_buffer(x->req);
	size_t len = evbuffer_get_length(input);
	struct entry *entry =
	    ledger_add(&server->ledger, server_now(server), server_weather(server));

	if (x->endpoint <= ENDPOINT_COUNT_TOKENS)
		request_scan(&x->request, len ? (const char *)evbuffer_pullup(input, -1) : "", len);
	if (id)
		x->request.model = (struct slice){ id, strlen(id) };
	if (x->endpoint != ENDPOINT_MESSAGES)
		x->request.stream = false;
	x->entry = entry;
	entry->path = path;
	entry->bytes = len;
	entry->body_hash = x->request.hash;
	entry->stream = x->request.stream;
	entry->model = ledger_model(&server->ledger, &x->request.model);
	entry->model->arrivals++;
	entry->key = ledger_key(&server->ledger, &x->request);
	if (x->endpoint == ENDPOINT_MESSAGES)
		entry->attempt = ++entry->key->attempts;
	intake_note(server, x->req, entry);
}

void
exchange_start(struct server *server, struct evhttp_request *req, enum endpoint endpoint,
	       const char *path, const char *id)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	x->server = server;
	x->req = req;
	x->conn = evhttp_request_get_connection(req);
	x->endpoint = endpoint;
	LIST_INSERT_HEAD(&server->live, x, link);
	evhttp_connection_set_closecb(x->conn, exchange_on_evhttp_close, x);
	evhttp_request_set_on_complete_cb(req, exchange_on_complete, x);
	exchange_arrive(x, path, id);
	exchange_judge(x);
	server_changed(server);
	if (x->verdict.fault && x->verdict.fault->stage == STAGE_REFUSE)
		exchange_refused(x);
	else if (endpoint == ENDPOINT_MESSAGES)
		exchange_accepted(x);
	else
		play_free(x, id);
}

size_t
exchange_release(struct server *server, const char *tag)
{
	size_t count = 0;
	struct exchange *x;

	LIST_FOREACH (x, &server->live, link) {
		const char *own = x->entry->key->tag;

		if (x->wait != WAIT_HOLD || !x->armed || (tag && (!own || strcmp(own, tag) != 0)))
			continue;
		exchange_wait(x, WAIT_FIRST, x->ttfb);
		count++;
	}
	return count;
}

size_t
exchange_held(const struct server *server)
{
	size_t count = 0;
	struct exchange *x;

	LIST_FOREACH (x, &server->live, link)
		count += x->armed && x->wait == WAIT_HOLD;
	return count;
}

void
exchange_drop_all(struct server *server)
{
	while (!LIST_EMPTY(&server->live))
		exchange_break(LIST_FIRST(&server->live), OUTCOME_CUT, false);
}
