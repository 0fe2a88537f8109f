/*
 * daemon.c - builds the rooms in order (disk, network, runner, clients),
 * connects them, reloads, drains, and takes them down in reverse. What must go
 * up from a room comes here as a callback.
 */
#include "daemon/daemon.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/peer.h"
#include "daemon/base/secret.h"
#include "daemon/base/service.h"
#include "daemon/net/curl_loop.h"
#include "daemon/run/gates.h"
#include "daemon/run/runner.h"
#include "daemon/serve/facade.h"
#include "daemon/serve/server.h"
#include "daemon/store/store.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SOCKETS   8
#define GOODBYE_MS    2000 /* for replies that are still on their way at the end */
#define LOOK_AGAIN_MS 5	   /* whether the disk has answered all that was asked */
#define PATH_LEN      512
#define STALL_CHANCES 2 /* watchdog turns without progress of the store's thread */

struct daemon {
	const struct daemon_options *options; /* borrowed */
	struct config *config;		      /* owned, as all of these */
	struct secret *secret;
	char key_why[RUNNER_WHY_LEN]; /* why there is no usable key */
	struct event_base *base;
	struct store *store;
	struct curl_loop *loop;
	struct runner *runner;
	struct server *server;
	struct event *term, *interrupt, *hangup, *second, *watchdog, *goodbye;
	char socket_path[PATH_LEN]; /* "" when the service manager holds the socket */
	char http_path[PATH_LEN];
	uint64_t heartbeat;
	unsigned stalled;
	int64_t goodbye_ms; /* monotonic: then we go whoever waits */
	bool stopping, hung_up;
	int status;
};

/* --- the key and the way to the API ------------------------------------------------------ */

/* The key that is replaced, for the caller to wipe once nobody points at it. */
static struct secret *
load_key(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct secret *secret = NULL, *old = daemon->secret;

	/* A new key that cannot be read does not take the old one away. */
	if (secret_load(config->key_file, (enum secret_auth)config->auth, &secret, daemon->key_why,
			sizeof(daemon->key_why)) != FOREBAY_ERR_OK)
		return NULL;
	daemon->key_why[0] = '\0';
	daemon->secret = secret;
	return old;
}

static struct curl_settings
settings_of(const struct daemon *daemon)
{
	const struct config *config = daemon->config;

	return (struct curl_settings){ .url = config->url,
				       .ca_file = config->ca_file,
				       .proxy = config->proxy,
				       .http = config->http,
				       .secret = daemon->secret,
				       .connect_timeout_ms = config->connect_timeout_ms,
				       .first_byte_timeout_ms = config->first_byte_timeout_ms,
				       .idle_timeout_ms = config->idle_timeout_ms,
				       .lifetime_ms = config->lifetime_ms,
				       .max_answer = config->max_answer,
				       .max_transfers = (unsigned)config->workers };
}

static bool
daemon_key(char *ret, size_t len, void *arg)
{
	const struct daemon *daemon = arg;

	snprintf(ret, len, "%s",
		 daemon->secret ? secret_fingerprint(daemon->secret) : daemon->key_why);
	return daemon->secret != NULL;
}

/* --- reload --------------------------------------------------------------------------------- */

static enum forebay_err
read_config(const struct daemon *daemon, struct config **ret, char *why, size_t why_len)
{
	char *text = NULL;
	size_t len = 0;
	FILE *errors = open_memstream(&text, &len);
	enum forebay_err err;

	if (!errors)
		return FOREBAY_ERR_NO_MEMORY;
	err = config_load(&daemon->options->source, errors, ret);
	fclose(errors);
	if (err) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(why, why_len, "%s", text);
	}
	free(text);
	return err;
}

static enum forebay_err
daemon_reload(char *ret, size_t len, void *arg)
{
	struct daemon *daemon = arg;
	struct config *config, *old = daemon->config;
	struct curl_settings settings;
	struct secret *replaced;
	char fingerprint[64] = "";
	enum forebay_err err;

	service_reloading();
	err = read_config(daemon, &config, ret, len);
	if (err) {
		log_error("%s; keeping the old configuration", ret);
		service_ready();
		return err;
	}
	config_needs_restart(old, config, ret, len);
	config->workers = old->workers; /* the gates' slots: these need a restart */
	daemon->config = config;
	log_init((enum log_level)config->log_level);
	if (daemon->secret)
		snprintf(fingerprint, sizeof(fingerprint), "%s",
			 secret_fingerprint(daemon->secret));
	replaced = load_key(daemon);
	settings = settings_of(daemon);
	if (!curl_loop_configure(daemon->loop, &settings)) {
		secret_free(replaced); /* no call points at it any more */
	} else {
		log_error("the new [upstream] settings were refused; keeping the old ones");
		if (replaced) { /* calls still point at it */
			secret_free(daemon->secret);
			daemon->secret = replaced;
		}
	}
	runner_configure(daemon->runner, config);
	server_configure(daemon->server, config);
	runner_set_key(daemon->runner, daemon->secret ? NULL : daemon->key_why,
		       daemon->secret &&
			       strcmp(secret_fingerprint(daemon->secret), fingerprint) != 0
			   ? GATES_KEY_NEW
			   : GATES_KEY_SAME);
	config_free(old);
	log_info("configuration reloaded%s%s", ret[0] ? "; these need a restart: " : "", ret);
	service_ready();
	return FOREBAY_ERR_OK;
}

static void
daemon_on_hangup(evutil_socket_t signal, short what, void *arg)
{
	char words[512];

	(void)signal;
	(void)what;
	(void)daemon_reload(words, sizeof(words), arg);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void
wait_goodbye(struct daemon *daemon, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(daemon->goodbye, &tv);
}

/* Replies on their way reach their clients: first what the disk still has to
 * confirm, then what is in the buffers; but not for ever. */
static void
say_goodbye(struct daemon *daemon)
{
	int64_t left_ms = daemon->goodbye_ms - clock_mono_ms();
	bool busy = store_backlog(daemon->store) > 0 || server_is_busy(daemon->server);

	if (!daemon->hung_up && left_ms > 0 && busy) {
		wait_goodbye(daemon, LOOK_AGAIN_MS);
		return;
	}
	if (daemon->hung_up || left_ms <= 0 || server_connections(daemon->server) == 0) {
		event_base_loopbreak(daemon->base);
		return;
	}
	daemon->hung_up = true;
	server_hang_up(daemon->server);
	wait_goodbye(daemon, left_ms);
}

static void
daemon_empty(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->hung_up)
		event_base_loopbreak(daemon->base);
}

static void
daemon_on_goodbye(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	say_goodbye(arg);
}

static void
daemon_drained(void *arg)
{
	struct daemon *daemon = arg;

	daemon->goodbye_ms = clock_mono_ms() + GOODBYE_MS;
	say_goodbye(daemon);
}

/* Our own socket goes while the store is still locked: after that the path may
 * be the next daemon's. */
static void
stop_listening(struct daemon *daemon)
{
	server_stop_listening(daemon->server);
	if (daemon->socket_path[0])
		(void)unlink(daemon->socket_path);
	if (daemon->http_path[0])
		(void)unlink(daemon->http_path);
	daemon->socket_path[0] = daemon->http_path[0] = '\0';
}

static void
daemon_drain(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping)
		return;
	daemon->stopping = true;
	service_stopping();
	log_info("stopping: running jobs may finish, the others stay queued");
	stop_listening(daemon);
	server_drain(daemon->server);
	runner_drain(daemon->runner, daemon->config->drain_timeout_ms);
}

static void
daemon_on_term(evutil_socket_t signal, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)signal;
	(void)what;
	if (daemon->stopping)
		event_base_loopbreak(daemon->base);
	else
		daemon_drain(daemon);
}

/* --- every second
 * --------------------------------------------------------------------------------- */

static void
say_status(struct daemon *daemon)
{
	struct gates *gates = runner_gates(daemon->runner);
	struct runner_counts counts;
	struct gates_row row;
	char closed[256] = "";
	double now = clock_mono();

	runner_count(daemon->runner, &counts);
	for (size_t i = 0; gates_row(gates, i, now, &row); i++)
		if (row.view.weather == GATE_DARK || row.view.weather == GATE_HELD) {
			snprintf(closed, sizeof(closed), ", %s %s", row.name, row.words);
			break;
		}
	service_status("%s%" PRIu64 " queued, %u running%s", daemon->stopping ? "draining: " : "",
		       counts.jobs[FOREBAY_JOB_QUEUED], counts.in_flight, closed);
}

static void
daemon_on_second(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)fd;
	(void)what;
	say_status(daemon);
	if (daemon->stopping)
		service_extend_timeout(5000);
}

/* The loop is alive, or this would not run; the store's thread must be, too. */
static void
daemon_on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	uint64_t beat = store_heartbeat(daemon->store);
	bool moves = beat != daemon->heartbeat || store_backlog(daemon->store) == 0;

	(void)fd;
	(void)what;
	daemon->stalled = moves ? 0 : daemon->stalled + 1;
	daemon->heartbeat = beat;
	if (daemon->stalled < STALL_CHANCES)
		service_alive();
	else
		log_error("the store's thread has not moved for %u watchdog turns",
			  daemon->stalled);
}

/* --- what the disk tells
 * ------------------------------------------------------------------------------ */

static void
daemon_on_writable(bool writable, const char *why, void *arg)
{
	struct daemon *daemon = arg;

	if (writable)
		log_info("the disk takes writes again");
	else
		log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.message_id = LOG_MESSAGE_DISK_FULL),
			 "the disk takes no writes: %s; nothing new is acknowledged until it does",
			 why);
	runner_writable(daemon->runner, writable);
}

static void
daemon_on_broken(const char *why, void *arg)
{
	struct daemon *daemon = arg;

	log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.message_id = LOG_MESSAGE_STORE_DAMAGED),
		 "the store cannot go on: %s; ending, so that recovery reads what is on disk", why);
	daemon->status = 1;
	event_base_loopbreak(daemon->base);
}

/* --- building
 * ---------------------------------------------------------------------------------------------- */

/* mkdir -p, and what we make ourselves is nobody else's to read. */
static bool
make_state_dir(const char *path)
{
	char *part = must_strdup(path);
	bool ok;

	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(part, 0755);
		*slash = '/';
	}
	ok = mkdir(part, 0700) == 0 || errno == EEXIST;
	if (!ok)
		log_error("cannot make the state directory %s: %s", path, strerror(errno));
	free(part);
	return ok;
}

static bool
open_store(struct daemon *daemon)
{
	static const struct store_events events = { daemon_on_writable, daemon_on_broken };
	const struct config *config = daemon->config;
	char why[512], state[PATH_LEN];
	struct store_config store = { .dir = state,
				      .durability_full = config->durability_full,
				      .fail_on_crash = config->on_crash == CONFIG_ON_CRASH_FAIL,
				      .min_free = config->min_free,
				      .max_store = config->max_store,
				      .now_ms = clock_wall_ms() };
	const struct store_found *found;

	if (config_state_path(config, state, sizeof(state)) || !make_state_dir(state))
		return false;
	if (store_open(&store, daemon->base, &events, daemon, &daemon->store, why, sizeof(why))) {
		log_error("%s", why);
		return false;
	}
	found = store_found(daemon->store);
	log_info("queue in %s: %" PRIu64 " queued, %" PRIu64 " taken back from the last run", state,
		 found->counts[FOREBAY_JOB_QUEUED], found->recovered);
	return true;
}

/* With sockets of the service manager there are those it has, and no others. */
static bool
listen_http(struct daemon *daemon, bool managed)
{
	const struct config *config = daemon->config;
	int fds[MAX_SOCKETS];
	int count = service_sockets("http", fds, MAX_SOCKETS), fd;

	for (int i = 0; i < count; i++)
		server_listen_http(daemon->server, fds[i], false);
	if (strcmp(config->facade.tcp, "off") != 0) {
		fd = facade_bind_tcp(config->facade.tcp);
		if (fd < 0)
			return false;
		server_listen_http(daemon->server, fd, true);
	}
	if (count > 0 || managed)
		return true;
	if (config_http_path(config, daemon->http_path, sizeof(daemon->http_path)))
		return false;
	if (!daemon->http_path[0])
		return true;
	fd = server_bind(daemon->http_path);
	if (fd < 0) {
		daemon->http_path[0] = '\0';
		return false;
	}
	server_listen_http(daemon->server, fd, false);
	return true;
}

static bool
start_listening(struct daemon *daemon)
{
	int fds[MAX_SOCKETS];
	int count = service_sockets("forebay", fds, MAX_SOCKETS);

	for (int i = 0; i < count; i++)
		server_listen(daemon->server, fds[i]);
	if (!listen_http(daemon, count > 0))
		return false;
	if (count > 0)
		return true;
	if (config_socket_path(daemon->config, daemon->socket_path, sizeof(daemon->socket_path))) {
		daemon->socket_path[0] = '\0';
		return false;
	}
	fds[0] = server_bind(daemon->socket_path);
	if (fds[0] < 0) {
		daemon->socket_path[0] = '\0';
		return false;
	}
	server_listen(daemon->server, fds[0]);
	return true;
}

static void
add_events(struct daemon *daemon)
{
	static const struct timeval second = { 1, 0 };
	int64_t watch_ms = service_watchdog_ms();
	struct timeval watch = { watch_ms / 1000, watch_ms % 1000 * 1000 };

	daemon->term = evsignal_new(daemon->base, SIGTERM, daemon_on_term, daemon);
	daemon->interrupt = evsignal_new(daemon->base, SIGINT, daemon_on_term, daemon);
	daemon->hangup = evsignal_new(daemon->base, SIGHUP, daemon_on_hangup, daemon);
	daemon->second = event_new(daemon->base, -1, EV_PERSIST, daemon_on_second, daemon);
	daemon->watchdog = event_new(daemon->base, -1, EV_PERSIST, daemon_on_watchdog, daemon);
	daemon->goodbye = event_new(daemon->base, -1, 0, daemon_on_goodbye, daemon);
	if (!daemon->term || !daemon->interrupt || !daemon->hangup || !daemon->second ||
	    !daemon->watchdog || !daemon->goodbye)
		fatal("out of memory");
	event_add(daemon->term, NULL);
	event_add(daemon->interrupt, NULL);
	event_add(daemon->hangup, NULL);
	event_add(daemon->second, &second);
	if (watch_ms > 0)
		event_add(daemon->watchdog, &watch);
}

/* With a changelist epoll is told of changes once a turn, not one by one. */
static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (!base)
		fatal("out of memory");
	return base;
}

static bool
build(struct daemon *daemon)
{
	static const struct runner_events runner_events = { .drained = daemon_drained };
	static const struct server_events server_events = { .reload = daemon_reload,
							    .drain = daemon_drain,
							    .empty = daemon_empty,
							    .key = daemon_key };
	struct curl_settings settings;

	daemon->base = new_base();
	(void)load_key(daemon);
	if (!open_store(daemon))
		return false;
	settings = settings_of(daemon);
	if (curl_loop_new(daemon->base, &settings, &daemon->loop))
		return false;
	daemon->runner = runner_new(daemon->base, daemon->config, daemon->store, daemon->loop,
				    &runner_events, daemon);
	runner_set_key(daemon->runner, daemon->secret ? NULL : daemon->key_why,
		       GATES_KEY_PERHAPS_NEW);
	daemon->server = server_new(daemon->base, daemon->config, daemon->store, daemon->runner,
				    &server_events, daemon);
	add_events(daemon);
	return start_listening(daemon);
}

static void
free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void
take_down(struct daemon *daemon)
{
	if (daemon->server)
		stop_listening(daemon);
	server_free(daemon->server);
	runner_free(daemon->runner);
	curl_loop_free(daemon->loop);
	store_close(daemon->store);
	free_event(daemon->term);
	free_event(daemon->interrupt);
	free_event(daemon->hangup);
	free_event(daemon->second);
	free_event(daemon->watchdog);
	free_event(daemon->goodbye);
	if (daemon->base)
		event_base_free(daemon->base);
	secret_free(daemon->secret);
	config_free(daemon->config);
}

/* For tests: see clock_set_scale(). */
static void
scale_time(void)
{
	const char *text = getenv("FOREBAY_TIME_SCALE");
	double scale = text ? strtod(text, NULL) : 1.0;

	if (!text)
		return;
	if (!(scale >= 1.0 && scale <= 1000.0))
		fatal("FOREBAY_TIME_SCALE=%s: expected a number from 1 to 1000", text);
	clock_set_scale(scale);
	log_warn("for tests: time runs %g times faster", scale);
}

int
daemon_run(const struct daemon_options *options, struct config *config)
{
	struct daemon daemon = { .options = options, .config = config };
	int proc = service_descriptor("proc");

	log_init((enum log_level)config->log_level);
	scale_time();
	if (proc >= 0)
		peer_use_proc(proc);
	if (build(&daemon)) {
		runner_begin(daemon.runner);
		service_ready();
		log_info("forebayd " FOREBAY_VERSION " is ready");
		event_base_dispatch(daemon.base);
	} else {
		daemon.status = 1;
	}
	take_down(&daemon);
	log_info("ended");
	return daemon.status;
}
