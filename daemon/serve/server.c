/*
 * server.c - listening sockets, who may connect, and the list of sessions.
 */
#include "daemon/serve/server.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/base/peer.h"
#include "daemon/serve/facade.h"
#include "daemon/serve/server_internal.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	       1024
#define REFUSED_LOG_MS 10000
#define UNSENT_MAX     (256u * 1024 * 1024) /* of all clients together */

/* --- who may connect ----------------------------------------------------------------- */

static bool
is_admin(const struct server *server, const struct peer *peer)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	return server->admin_gid != (gid_t)-1 && peer_in_group(peer, server->admin_gid);
}

/* When the configuration is read, not for each client: it may ask a directory
 * server, and the loop would wait. */
static void
find_admin_group(struct server *server)
{
	const char *name = server->config->admin_group;
	const struct group *group = name && name[0] ? getgrnam(name) : NULL;

	server->admin_gid = group ? group->gr_gid : (gid_t)-1;
}

static struct uid_count *
count_of(struct server *server, uid_t uid)
{
	struct uid_count *count;

	HASH_FIND(hh, server->by_uid, &uid, sizeof(uid), count);
	if (count)
		return count;
	count = must_alloc(sizeof(*count));
	*count = (struct uid_count){ .uid = uid };
	HASH_ADD(hh, server->by_uid, uid, sizeof(uid), count);
	return count;
}

static void
uncount(struct server *server, uid_t uid)
{
	struct uid_count *count = count_of(server, uid);

	if (--count->connections > 0)
		return;
	HASH_DEL(server->by_uid, count);
	free(count);
}

/* Say so before hanging up; a client that cannot take it just sees the end. */
static void
refuse(int fd, const char *limit)
{
	char text[192];
	uint8_t header[FRAME_HEADER_LEN];
	int len =
	    snprintf(text, sizeof(text),
		     "{\"error\":\"over-quota\",\"message\":\"too many connections: %s; it frees "
		     "when one is closed\"}",
		     limit);

	frame_put_header(header, FRAME_ERROR, FRAME_FLAG_END, 0, (uint32_t)len);
	(void)!send(fd, header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)!send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Whoever knocks in a loop does not fill the journal. */
static void
log_refused(struct server *server, const struct peer *peer, const char *limit)
{
	int64_t now_ms = clock_mono_ms();

	server->refused++;
	if (server->refused_ms && now_ms - server->refused_ms < REFUSED_LOG_MS)
		return;
	log_with(LOG_LEVEL_WARN, LOG_FIELDS(.owner = peer->uid, .unit = peer->unit),
		 "refusing a connection of uid %u: %s, reached (%" PRIu64
		 " refused since this was last said)",
		 (unsigned)peer->uid, limit, server->refused);
	server->refused_ms = now_ms;
	server->refused = 0;
}

static bool
may_connect(struct server *server, int fd, const struct peer *peer, unsigned open)
{
	struct config_limits limits =
	    config_limits_of(server->config, peer->uid, peer->groups, peer->group_count);
	char limit[96];

	if (server->session_count >= server->config->max_connections)
		snprintf(limit, sizeof(limit), "[daemon] max_connections, %" PRIu64 " of all",
			 (uint64_t)server->config->max_connections);
	else if (limits.connections && open >= limits.connections)
		snprintf(limit, sizeof(limit), "[limits] connections, %" PRIu64 " a user",
			 (uint64_t)limits.connections);
	else
		return true;
	metrics.connections_refused_total++;
	refuse(fd, limit);
	log_refused(server, peer, limit);
	return false;
}

static void
server_on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		 int len, void *arg)
{
	struct server *server = arg;
	struct uid_count *count;
	struct peer peer;

	(void)listener;
	(void)address;
	(void)len;
	if (peer_of(fd, &peer)) {
		close(fd);
		return;
	}
	count = count_of(server, peer.uid);
	count->connections++;
	if (!may_connect(server, fd, &peer, count->connections - 1)) {
		uncount(server, peer.uid);
		close(fd);
		return;
	}
	session_start(server, fd, &peer, is_admin(server, &peer), count);
}

void
server_session_gone(struct server *server, struct session *session)
{
	TAILQ_REMOVE(&server->sessions, session, link);
	server->session_count--;
	uncount(server, session->peer.uid);
	server_check_empty(server);
}

void
server_check_empty(struct server *server)
{
	if (server_connections(server) == 0 && !server->closing)
		server->events->empty(server->arg);
}

/* --- listening ------------------------------------------------------------------------ */

static void
set_accepting(struct server *server, bool accepting)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		if (accepting)
			evconnlistener_enable(server->listeners[i]);
		else
			evconnlistener_disable(server->listeners[i]);
	}
}

static void
server_on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = { 1, 0 };
	struct server *server = arg;

	(void)listener;
	/* Out of descriptors: those who knock wait in the backlog for a second. */
	log_warn("accept: %s, trying again in a second", strerror(errno));
	set_accepting(server, false);
	event_add(server->accept_again, &pause);
}

static void
server_on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	set_accepting(arg, true);
}

void
server_listen(struct server *server, int fd)
{
	struct evconnlistener *listener;

	if (server->listener_count == ARRAY_LEN(server->listeners)) {
		close(fd);
		return;
	}
	evutil_make_socket_nonblocking(fd);
	/* It listens already, with a backlog that libevent shall not make shorter. */
	listener = evconnlistener_new(server->base, server_on_accept, server,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener)
		fatal("out of memory");
	evconnlistener_set_error_cb(listener, server_on_accept_error);
	server->listeners[server->listener_count++] = listener;
}

void
server_stop_listening(struct server *server)
{
	event_del(server->accept_again);
	while (server->listener_count > 0)
		evconnlistener_free(server->listeners[--server->listener_count]);
	facade_stop_listening(server->facade);
}

/* Is somebody listening there? A socket file of a dead daemon may be removed. */
static bool
is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd >= 0 && (connect(fd, (const void *)address, sizeof(*address)) == 0 ||
				 errno == EAGAIN); /* its backlog is full */

	if (fd >= 0)
		close(fd);
	return alive;
}

static void
make_parent(const char *path)
{
	char *parent = must_strdup(path);
	char *slash = strrchr(parent, '/');

	if (slash && slash != parent) {
		*slash = '\0';
		(void)mkdir(parent, 0755);
	}
	free(parent);
}

int
server_bind(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int fd, failed;

	if (strlen(path) >= sizeof(address.sun_path)) {
		log_error("socket path is too long (%zu bytes, at most %zu): %s", strlen(path),
			  sizeof(address.sun_path) - 1, path);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (is_alive(&address)) {
		log_error("another daemon listens on %s", path);
		return -1;
	}
	/* Never a file that is something else, whatever the configuration says. */
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		log_error("cannot listen on %s: it exists and is not a socket", path);
		return -1;
	}
	(void)unlink(path);
	make_parent(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0117); /* 0660 from the first moment on */
	failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		 listen(fd, BACKLOG) != 0;
	umask(mask);
	if (!failed)
		return fd;
	log_error("cannot listen on %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- life --------------------------------------------------------------------------------- */

static void
server_on_unblock(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 20000 };
	struct server *server = arg;
	struct session *session, *next;
	bool blocked = false;

	(void)fd;
	(void)what;
	for (session = TAILQ_FIRST(&server->sessions); session; session = next) {
		next = TAILQ_NEXT(session, link);
		session_unblock(session);
		blocked |= session->blocked;
	}
	fetch_next(server);
	/* The store tells nobody when it has caught up: look again soon. */
	if (blocked)
		event_add(server->unblock, &soon);
}

void
server_kick(struct server *server)
{
	event_active(server->unblock, 0, 0);
}

/* Who has taken nothing for the longest time, of those that have much to take. */
static struct session *
find_stuck(const struct server *server, size_t *ret_unsent)
{
	struct session *session, *stuck = NULL;

	*ret_unsent = 0;
	TAILQ_FOREACH (session, &server->sessions, link) {
		size_t unsent = conn_unsent(session->conn);

		*ret_unsent += unsent;
		if (unsent >= server->config->output_high_mark &&
		    (!stuck ||
		     conn_stuck_since_ms(session->conn) < conn_stuck_since_ms(stuck->conn)))
			stuck = session;
	}
	return stuck;
}

/*
 * Each connection holds little more than its high mark and an answer; but many
 * that do not read hold much together. Then those that have taken nothing for
 * the longest time go; they may come back and ask again.
 */
void
server_relieve(struct server *server)
{
	struct session *stuck;
	size_t unsent;

	while ((stuck = find_stuck(server, &unsent)) && unsent > UNSENT_MAX) {
		log_with(LOG_LEVEL_WARN,
			 LOG_FIELDS(.owner = stuck->peer.uid, .unit = stuck->peer.unit),
			 "%zu bytes wait for clients that do not read; closing one with %zu of "
			 "them",
			 unsent, conn_unsent(stuck->conn));
		conn_break(stuck->conn, "it did not read, and others need the memory");
	}
}

struct server *
server_new(struct event_base *base, const struct config *config, struct store *store,
	   struct runner *runner, const struct server_events *events, void *arg)
{
	struct server *server = must_alloc(sizeof(*server));

	*server = (struct server){ .base = base,
				   .config = config,
				   .store = store,
				   .runner = runner,
				   .events = events,
				   .arg = arg,
				   .started_ms = clock_wall_ms() };
	TAILQ_INIT(&server->sessions);
	TAILQ_INIT(&server->hungry);
	find_admin_group(server);
	server->accept_again = event_new(base, -1, 0, server_on_accept_again, server);
	server->unblock = event_new(base, -1, 0, server_on_unblock, server);
	if (!server->accept_again || !server->unblock)
		fatal("out of memory");
	server->facade = facade_new(server);
	return server;
}

void
server_configure(struct server *server, const struct config *config)
{
	struct session *session;

	server->config = config;
	find_admin_group(server);
	TAILQ_FOREACH (session, &server->sessions, link)
		session->admin = is_admin(server, &session->peer);
	facade_configure(server->facade);
}

void
server_listen_http(struct server *server, int fd, bool tcp)
{
	facade_listen(server->facade, fd, tcp);
}

void
server_drain(struct server *server)
{
	facade_drain(server->facade);
}

void
server_hang_up(struct server *server)
{
	struct session *session;

	TAILQ_FOREACH (session, &server->sessions, link)
		conn_close(session->conn, "the daemon is ending");
	facade_hang_up(server->facade);
}

bool
server_is_busy(const struct server *server)
{
	return server->working > 0 || server->fetching > 0 || !TAILQ_EMPTY(&server->hungry) ||
	       facade_is_busy(server->facade);
}

size_t
server_connections(const struct server *server)
{
	return server->session_count + facade_connections(server->facade);
}

void
server_free(struct server *server)
{
	if (!server)
		return;
	server->closing = true;
	while (!TAILQ_EMPTY(&server->sessions))
		session_free(TAILQ_FIRST(&server->sessions));
	server_stop_listening(server);
	facade_free(server->facade);
	event_free(server->accept_again);
	event_free(server->unblock);
	free(server);
}
