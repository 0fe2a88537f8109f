/*
 * facade.c - who is connected to the façade: listening, limits, identity, and
 * which part of it each event of a connection is for.
 */
#include "daemon/serve/facade.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/serve/facade_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG	       1024
#define REFUSED_LOG_MS 10000
#define TOKEN_MIN      16
#define TOKEN_MAX      512
#define BIG_BODY       65536u /* see session.c: some room is always left for others */
#define BIG_SHARE      3
#define SMALL_SHARE    7

/* --- saying no ------------------------------------------------------------------------- */

void
http_client_fail(struct http_client *client, int status, const char *why)
{
	http_error_reply(client->conn, &(struct http_error){ .status = status, .message = why });
}

void
http_client_refuse(struct http_client *client, enum forebay_err err, const char *why)
{
	struct http_error error = http_error_of(err, why);

	http_error_reply(client->conn, &error);
}

/* --- users --------------------------------------------------------------------------------- */

static struct http_user *
user_of(struct facade *facade, uid_t uid)
{
	struct http_user *user;

	HASH_FIND(hh, facade->users, &uid, sizeof(uid), user);
	if (user)
		return user;
	user = must_alloc(sizeof(*user));
	*user = (struct http_user){ .uid = uid };
	HASH_ADD(hh, facade->users, uid, sizeof(uid), user);
	return user;
}

static void
leave_user(struct facade *facade, struct http_user *user)
{
	if (--user->connections > 0)
		return;
	HASH_DEL(facade->users, user);
	free(user);
}

/* A body is whole, or nobody wants it any more. */
static void
stop_receiving(struct http_client *client)
{
	client->user->receiving -= client->receiving;
	client->facade->server->receiving -= client->receiving;
	client->receiving = 0;
}

/* --- what connections tell ---------------------------------------------------------------------
 */

static bool
facade_on_head(struct http_conn *conn, void *arg)
{
	(void)conn;
	return http_route_head(arg);
}

static bool
is_room_used_up(const struct http_client *client, uint64_t here, size_t len)
{
	const struct server *server = client->facade->server;
	uint64_t room = server->config->receive_buffer;
	uint64_t others = client->user->receiving - client->receiving;
	unsigned share = here <= BIG_BODY ? SMALL_SHARE : BIG_SHARE;

	if (server->receiving + len > room)
		return true;
	return others > 0 && others + here > share * (room - server->receiving);
}

static bool
facade_on_receive(struct http_conn *conn, size_t len, void *arg)
{
	struct http_client *client = arg;
	struct server *server = client->facade->server;
	uint64_t here = client->receiving + len;

	(void)conn;
	if (here > server->config->max_body) {
		stop_receiving(client);
		http_client_refuse(client, FOREBAY_ERR_TOO_BIG,
				   "the body is larger than [queue] max_body allows");
		return false;
	}
	if (is_room_used_up(client, here, len)) {
		stop_receiving(client);
		http_client_refuse(client, FOREBAY_ERR_QUEUE_FULL,
				   "too many bodies are being received at once, see [daemon] "
				   "receive_buffer; send it again in a moment");
		return false;
	}
	client->receiving = here;
	client->user->receiving += len;
	server->receiving += len;
	return true;
}

static void
facade_on_request(struct http_conn *conn, void *arg)
{
	struct http_client *client = arg;

	(void)conn;
	stop_receiving(client);
	http_route_request(client);
}

static void
facade_on_drained(struct http_conn *conn, void *arg)
{
	struct http_client *client = arg;

	(void)conn;
	if (client->exchange)
		exchange_look(client->exchange);
}

static void
facade_on_answered(struct http_conn *conn, void *arg)
{
	struct http_client *client = arg;

	if (client->exchange)
		exchange_answered(client->exchange);
	if (client->facade->draining)
		http_conn_finish(conn);
}

static void
facade_on_bad(struct http_conn *conn, int status, const char *why, void *arg)
{
	struct http_client *client = arg;

	(void)conn;
	stop_receiving(client);
	http_client_fail(client, status, why);
}

static void
take_down(struct http_client *client)
{
	struct facade *facade = client->facade;

	stop_receiving(client);
	http_direct_cancel(client);
	TAILQ_REMOVE(&facade->clients, client, link);
	facade->client_count--;
	leave_user(facade, client->user);
	free(client);
}

static void
facade_on_gone(struct http_conn *conn, void *arg)
{
	struct http_client *client = arg;
	struct facade *facade = client->facade;

	(void)conn;
	if (client->exchange)
		exchange_gone(client->exchange);
	take_down(client);
	server_check_empty(facade->server);
}

static const struct http_conn_events conn_events = {
	.head = facade_on_head,
	.receive = facade_on_receive,
	.request = facade_on_request,
	.drained = facade_on_drained,
	.answered = facade_on_answered,
	.bad = facade_on_bad,
	.gone = facade_on_gone,
};

/* --- who may connect ---------------------------------------------------------------------------
 */

/* A client that cannot take it just sees the end. */
static void
turn_away(int fd, const char *limit)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
			   "\"message\":\"forebay: too many connections, %s\"}}",
			   limit);

	dprintf(fd,
		"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n"
		"retry-after: 1\r\nx-should-retry: true\r\nconnection: close\r\n"
		"content-length: %d\r\n\r\n%s",
		len, text);
}

static bool
may_connect(struct facade *facade, int fd, const struct peer *peer, unsigned open)
{
	const struct config *config = facade->server->config;
	const char *limit = NULL;
	int64_t now_ms = clock_mono_ms();

	if (facade->client_count + facade->server->session_count >= config->max_connections)
		limit = "[daemon] max_connections";
	else if (open >= config->facade.connections)
		limit = "[http] connections";
	if (!limit)
		return true;
	metrics.connections_refused_total++;
	turn_away(fd, limit);
	if (facade->refused_ms == 0 || now_ms - facade->refused_ms >= REFUSED_LOG_MS) {
		facade->refused_ms = now_ms;
		log_with(LOG_LEVEL_WARN, LOG_FIELDS(.owner = peer->uid, .unit = peer->unit),
			 "refusing an HTTP connection of uid %u: %s is reached",
			 (unsigned)peer->uid, limit);
	}
	return false;
}

/* Whoever comes by TCP counts as the owner of the token, which it has yet to name. */
static bool
identify(struct facade *facade, int fd, bool tcp, struct peer *ret)
{
	if (!tcp)
		return peer_of(fd, ret) == FOREBAY_ERR_OK;
	*ret = (struct peer){ .uid = facade->token_uid, .gid = (gid_t)-1 };
	return facade->has_token;
}

static void
facade_on_accept(struct evconnlistener *evconn, evutil_socket_t fd, struct sockaddr *address,
		 int len, void *arg)
{
	const struct facade_listener *listener = arg;
	struct facade *facade = listener->facade;
	struct http_client *client;
	struct http_user *user;
	struct peer peer;

	(void)evconn;
	(void)address;
	(void)len;
	if (!identify(facade, fd, listener->tcp, &peer)) {
		close(fd);
		return;
	}
	user = user_of(facade, peer.uid);
	user->connections++;
	if (!may_connect(facade, fd, &peer, user->connections - 1)) {
		leave_user(facade, user);
		close(fd);
		return;
	}
	client = must_alloc(sizeof(*client));
	*client = (struct http_client){
		.facade = facade, .user = user, .peer = peer, .tcp = listener->tcp
	};
	client->conn =
	    http_conn_new(facade->server->base, fd, &facade->limits, &conn_events, client);
	TAILQ_INSERT_TAIL(&facade->clients, client, link);
	facade->client_count++;
}

/* --- listening ----------------------------------------------------------------------------------
 */

static void
set_accepting(struct facade *facade, bool accepting)
{
	for (size_t i = 0; i < facade->listener_count; i++) {
		if (accepting)
			evconnlistener_enable(facade->listeners[i].listener);
		else
			evconnlistener_disable(facade->listeners[i].listener);
	}
}

static void
facade_on_accept_error(struct evconnlistener *evconn, void *arg)
{
	static const struct timeval pause = { 1, 0 };
	struct facade *facade = ((const struct facade_listener *)arg)->facade;

	(void)evconn;
	log_warn("accept: %s, trying again in a second", strerror(errno));
	set_accepting(facade, false);
	event_add(facade->accept_again, &pause);
}

static void
facade_on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	set_accepting(arg, true);
}

void
facade_listen(struct facade *facade, int fd, bool tcp)
{
	struct facade_listener *listener = &facade->listeners[facade->listener_count];

	if (facade->listener_count == FACADE_LISTENERS) {
		close(fd);
		return;
	}
	evutil_make_socket_nonblocking(fd);
	*listener = (struct facade_listener){ .facade = facade, .tcp = tcp };
	listener->listener =
	    evconnlistener_new(facade->server->base, facade_on_accept, listener,
			       LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener->listener)
		fatal("out of memory");
	evconnlistener_set_error_cb(listener->listener, facade_on_accept_error);
	facade->listener_count++;
}

int
facade_bind_tcp(const char *address)
{
	struct sockaddr_in bound = { .sin_family = AF_INET };
	socklen_t len = sizeof(bound);
	const char *colon = strrchr(address, ':');
	char host[INET_ADDRSTRLEN];
	int one = 1, fd;

	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	inet_pton(AF_INET, host, &bound.sin_addr);
	bound.sin_port = htons((uint16_t)atoi(colon + 1));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&bound, sizeof(bound)) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) != 0) {
		log_error("cannot listen on %s: %s", address, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	log_info("serving HTTP on %s:%u", host, (unsigned)ntohs(bound.sin_port));
	return fd;
}

void
facade_stop_listening(struct facade *facade)
{
	event_del(facade->accept_again);
	while (facade->listener_count > 0)
		evconnlistener_free(facade->listeners[--facade->listener_count].listener);
}

/* --- configuration -----------------------------------------------------------------------------
 */

/* Its only line, which only its owner may write and not everybody read. */
static bool
read_token(const char *path, char ret[static TOKEN_MAX + 2], uid_t *ret_uid, const char **ret_why)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	bool good = false;

	*ret_why = strerror(errno);
	if (!file)
		return false;
	if (fstat(fileno(file), &st) != 0)
		*ret_why = strerror(errno);
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 037))
		*ret_why = "it must be a file with mode 0600 or 0640";
	else if (!fgets(ret, TOKEN_MAX + 2, file) || strcspn(ret, "\r\n") < TOKEN_MIN ||
		 strcspn(ret, "\r\n") > TOKEN_MAX)
		*ret_why = "its first line must have 16 to 512 characters";
	else
		good = true;
	ret[good ? strcspn(ret, "\r\n") : 0] = '\0';
	*ret_uid = st.st_uid;
	fclose(file);
	return good;
}

static void
load_token(struct facade *facade)
{
	const struct config_http *config = &facade->server->config->facade;
	char token[TOKEN_MAX + 2] = "";
	const char *why = NULL;

	facade->has_token =
	    config->token_file && read_token(config->token_file, token, &facade->token_uid, &why);
	if (facade->has_token)
		digest_sha256(token, strlen(token), facade->token);
	explicit_bzero(token, sizeof(token));
	if (facade->has_token || strcmp(config->tcp, "off") == 0)
		return;
	if (config->token_file)
		log_error("[http] token_file %s: %s; nobody is let in by TCP", config->token_file,
			  why);
	else
		log_error("[http] tcp needs token_file; nobody is let in by TCP");
}

void
facade_configure(struct facade *facade)
{
	const struct config *config = facade->server->config;

	facade->limits = (struct http_conn_limits){ .max_head = config->facade.max_headers,
						    .high_mark = config->output_high_mark,
						    .head_ms = config->hello_timeout_ms,
						    .idle_ms = config->facade.idle_timeout_ms };
	load_token(facade);
}

/* --- memory
 * ----------------------------------------------------------------------------------------- */

static struct http_client *
find_stuck(const struct facade *facade)
{
	struct http_client *client, *stuck = NULL;
	int64_t since_ms = INT64_MAX;

	TAILQ_FOREACH (client, &facade->clients, link) {
		int64_t ms = client->exchange ? exchange_stuck_since_ms(client->exchange) : -1;

		if (ms >= 0 && ms < since_ms) {
			since_ms = ms;
			stuck = client;
		}
	}
	return stuck;
}

void
facade_relieve(struct facade *facade)
{
	uint64_t most = facade->server->config->live_buffer;
	struct http_client *stuck;

	while (facade->jobs.kept > most && http_jobs_forget_one(facade))
		;
	while (facade->jobs.kept > most && (stuck = find_stuck(facade)))
		exchange_break(stuck->exchange);
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

struct facade *
facade_new(struct server *server)
{
	struct facade *facade = must_alloc(sizeof(*facade));

	*facade = (struct facade){ .server = server };
	TAILQ_INIT(&facade->clients);
	http_jobs_init(&facade->jobs);
	facade->accept_again = event_new(server->base, -1, 0, facade_on_accept_again, facade);
	if (!facade->accept_again)
		fatal("out of memory");
	facade_configure(facade);
	return facade;
}

/* Nobody is freed in here: those that go are freed by the loop. */
void
facade_hang_up(struct facade *facade)
{
	struct http_client *client;

	TAILQ_FOREACH (client, &facade->clients, link) {
		http_conn_finish(client->conn);
		if (client->exchange)
			exchange_drain(client->exchange);
	}
}

void
facade_drain(struct facade *facade)
{
	facade->draining = true;
	facade_hang_up(facade);
}

bool
facade_is_busy(const struct facade *facade)
{
	const struct http_client *client;

	TAILQ_FOREACH (client, &facade->clients, link)
		if (http_conn_unsent(client->conn) > 0)
			return true;
	return false;
}

size_t
facade_connections(const struct facade *facade)
{
	return facade->client_count;
}

void
facade_free(struct facade *facade)
{
	struct http_client *client;
	struct http_conn *conn;

	if (!facade)
		return;
	while ((client = TAILQ_FIRST(&facade->clients))) {
		conn = client->conn;
		if (client->exchange)
			exchange_free(client->exchange);
		take_down(client);
		http_conn_free(conn);
	}
	http_jobs_clear(&facade->jobs);
	facade_stop_listening(facade);
	event_free(facade->accept_again);
	free(facade);
}
