/*
 * curl_loop.c - libcurl's sockets and timers on libevent; the only file of
 * this room that knows both.
 *
 * Each turn: tell libcurl what happened, then hand out what its callbacks
 * recorded and the transfers that ended, until there is nothing left.
 */
#include "daemon/net/curl_loop.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/secret.h"
#include "daemon/net/inside.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

/* A socket that libcurl wants watched. */
struct sock {
	struct event event;
	struct curl_loop *loop; /* borrowed */
	LIST_ENTRY(sock) link;
};

static unsigned loops; /* libcurl's global state lives while there is one */

static void
loop_deliver(struct curl_loop *loop)
{
	struct journal *journal = &loop->journal;
	CURLMsg *message;
	int waiting;

	for (size_t i = 0; i < journal->count; i++)
		if (journal->entries[i].call)
			call_deliver(journal->entries[i].call, &journal->entries[i],
				     journal->bytes + journal->entries[i].offset);
	journal_reset(journal);

	while ((message = curl_multi_info_read(loop->multi, &waiting))) {
		struct transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		call_finish(transfer->call, message->data.result);
	}
}

static void
loop_act(struct curl_loop *loop, curl_socket_t fd, int what)
{
	CURLMcode rc;
	int running;

	rc = curl_multi_socket_action(loop->multi, fd, what, &running);
	if (rc != CURLM_OK)
		log_error("libcurl: %s", curl_multi_strerror(rc));
	loop_deliver(loop);
}

static void
loop_on_timeout(evutil_socket_t unused, short events, void *arg)
{
	(void)unused;
	(void)events;
	loop_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
sock_on_event(evutil_socket_t fd, short events, void *arg)
{
	struct sock *sock = arg;
	int what =
	    (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);

	loop_act(sock->loop, fd, what);
}

static struct sock *
sock_add(struct curl_loop *loop)
{
	struct sock *sock = LIST_FIRST(&loop->spare_socks);

	if (sock)
		LIST_REMOVE(sock, link);
	else
		sock = must_alloc(sizeof(*sock));
	sock->loop = loop;
	LIST_INSERT_HEAD(&loop->socks, sock, link);
	return sock;
}

/* Its memory stays: we may be deep inside its own event. */
static void
sock_remove(struct sock *sock)
{
	(void)event_del(&sock->event);
	LIST_REMOVE(sock, link);
	LIST_INSERT_HEAD(&sock->loop->spare_socks, sock, link);
}

static int
sock_on_change(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct curl_loop *loop = arg;
	struct sock *sock = known;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (sock)
			sock_remove(sock);
		return 0;
	}
	events |= what & CURL_POLL_IN ? EV_READ : 0;
	events |= what & CURL_POLL_OUT ? EV_WRITE : 0;
	if (sock) {
		(void)event_del(&sock->event);
	} else {
		sock = sock_add(loop);
		/* Made for being called from here: it only files the pointer. */
		(void)curl_multi_assign(loop->multi, fd, sock);
	}
	(void)event_assign(&sock->event, loop->base, fd, events, sock_on_event, sock);
	return event_add(&sock->event, NULL);
}

static int
loop_on_timer_change(CURLM *multi, long span_ms, void *arg)
{
	struct curl_loop *loop = arg;

	(void)multi;
	if (span_ms < 0)
		loop_timer_stop(loop->timer);
	else
		loop_timer_set(loop->timer, span_ms);
	return 0;
}

static void
transfer_on_time(evutil_socket_t unused, short events, void *arg)
{
	struct transfer *transfer = arg;

	(void)unused;
	(void)events;
	call_on_time(transfer->call);
}

struct event *
loop_timer_new(struct curl_loop *loop, struct transfer *transfer)
{
	struct event *timer = evtimer_new(loop->base, transfer_on_time, transfer);

	if (!timer)
		fatal("out of memory");
	return timer;
}

void
loop_timer_set(struct event *timer, int64_t span_ms)
{
	struct timeval tv = clock_timer((double)span_ms / 1000.0);

	if (evtimer_add(timer, &tv) != 0)
		fatal("out of memory");
}

void
loop_timer_stop(struct event *timer)
{
	(void)evtimer_del(timer);
}

void
loop_timer_free(struct event *timer)
{
	if (timer)
		event_free(timer);
}

static void
upstream_clear(struct upstream *upstream)
{
	origin_clear(&upstream->origin);
	free(upstream->ca_file);
	free(upstream->proxy);
	*upstream = (struct upstream){ 0 };
}

static enum forebay_err
upstream_init(struct upstream *upstream, const struct curl_settings *settings)
{
	enum forebay_err err;
	char why[512];

	err = origin_parse(settings->url, &upstream->origin, why, sizeof(why));
	if (err) {
		log_error("upstream url %s", why);
		return err;
	}
	upstream->ca_file = settings->ca_file ? must_strdup(settings->ca_file) : NULL;
	upstream->proxy = must_strdup(settings->proxy ? settings->proxy : "");
	upstream->http = settings->http;
	upstream->secret = settings->secret;
	upstream->connect_timeout_ms = settings->connect_timeout_ms;
	upstream->first_byte_timeout_ms = settings->first_byte_timeout_ms;
	upstream->idle_timeout_ms = settings->idle_timeout_ms;
	upstream->lifetime_ms = settings->lifetime_ms;
	upstream->max_answer = settings->max_answer;
	return FOREBAY_ERR_OK;
}

/* Do the options work with this libcurl? A handle tells. */
static enum forebay_err
loop_try_options(struct curl_loop *loop)
{
	struct transfer *transfer;
	enum forebay_err err = transfer_take(loop, &transfer);

	if (!err)
		transfer_return(transfer);
	return err;
}

enum forebay_err
curl_loop_configure(struct curl_loop *loop, const struct curl_settings *settings)
{
	struct upstream before = loop->upstream, next = { 0 };
	enum forebay_err err = upstream_init(&next, settings);

	if (err)
		return err;
	loop->upstream = next;
	loop->generation++;
	transfer_drop_spares(loop);
	err = loop_try_options(loop);
	if (err) {
		loop->upstream = before;
		loop->generation++;
		upstream_clear(&next);
		return err;
	}
	upstream_clear(&before);
	call_point_all_at(loop, next.secret ? secret_header(next.secret) : NULL);
	(void)curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS,
				(long)MAX(settings->max_transfers, 1u));
	return FOREBAY_ERR_OK;
}

static void
loop_init(struct curl_loop *loop, struct event_base *base)
{
	if (loops++ == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("libcurl cannot be initialised");
	loop->base = base;
	loop->multi = curl_multi_init();
	loop->timer = evtimer_new(base, loop_on_timeout, loop);
	if (!loop->multi || !loop->timer)
		fatal("out of memory");
	LIST_INIT(&loop->socks);
	LIST_INIT(&loop->spare_socks);
	LIST_INIT(&loop->calls);
	SLIST_INIT(&loop->spares);
	(void)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, sock_on_change);
	(void)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	(void)curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, loop_on_timer_change);
	(void)curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
	(void)curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
}

enum forebay_err
curl_loop_new(struct event_base *base, const struct curl_settings *settings, struct curl_loop **ret)
{
	struct curl_loop *loop = must_alloc(sizeof(*loop));
	enum forebay_err err;

	loop_init(loop, base);
	err = curl_loop_configure(loop, settings);
	if (err) {
		curl_loop_free(loop);
		return err;
	}
	*ret = loop;
	return FOREBAY_ERR_OK;
}

static void
socks_free(struct sock_list *socks)
{
	struct sock *sock;

	while ((sock = LIST_FIRST(socks))) {
		LIST_REMOVE(sock, link);
		(void)event_del(&sock->event);
		free(sock);
	}
}

void
curl_loop_free(struct curl_loop *loop)
{
	if (!loop)
		return;
	if (loop->running > 0)
		fatal("%u calls are still running", loop->running);
	transfer_drop_spares(loop);
	(void)curl_multi_cleanup(loop->multi);
	socks_free(&loop->socks);
	socks_free(&loop->spare_socks);
	event_free(loop->timer);
	journal_clear(&loop->journal);
	upstream_clear(&loop->upstream);
	free(loop);
	if (--loops == 0)
		curl_global_cleanup();
}

void
curl_loop_scrub(const struct curl_loop *loop, char *text, size_t len)
{
	const struct secret *secret = loop->upstream.secret;
	const char *header = secret ? secret_header(secret) : NULL;
	const char *space = header ? strrchr(header, ' ') : NULL;

	answer_scrub(text, len, space ? space + 1 : NULL);
}

unsigned
curl_loop_running(const struct curl_loop *loop)
{
	return loop->running;
}
