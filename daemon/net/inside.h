/*
 * inside.h - what the files of this room share; nobody else includes it.
 *
 * curl_loop.c has the sockets and timers, transfer.c the options every
 * transfer needs and the spare handles, call.c one request's life.
 */
#ifndef DAEMON_NET_INSIDE_H
#define DAEMON_NET_INSIDE_H

#include "daemon/net/curl_loop.h"
#include "daemon/net/journal.h"
#include "daemon/net/origin.h"
#include "daemon/net/trouble.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct call;
struct event;

/* struct curl_settings, kept. All zero: cleared. */
struct upstream {
	struct origin origin;
	char *ca_file; /* owned, or NULL */
	char *proxy;   /* owned; "": none */
	int http;
	const struct secret *secret; /* borrowed, or NULL */
	int64_t connect_timeout_ms;
	int64_t first_byte_timeout_ms;
	int64_t idle_timeout_ms;
	int64_t lifetime_ms;
	uint64_t max_answer;
};

/* An easy handle with its timer: lent to a call, then spare for the next. */
struct transfer {
	struct curl_loop *loop; /* borrowed */
	CURL *easy;		/* owned */
	struct event *timer;	/* owned: of the call */
	struct call *call;	/* borrowed; NULL while spare */
	unsigned generation;	/* of the settings its options come from */
	SLIST_ENTRY(transfer) link;
	char words[CURL_ERROR_SIZE]; /* libcurl's, of the failure */
};

struct sock;
LIST_HEAD(sock_list, sock);
LIST_HEAD(call_list, call);
SLIST_HEAD(transfer_list, transfer);

struct curl_loop {
	struct event_base *base;     /* borrowed */
	CURLM *multi;		     /* owned */
	struct event *timer;	     /* owned: libcurl's next timeout */
	struct upstream upstream;    /* for the calls from now on */
	unsigned generation;	     /* of upstream */
	struct transfer_list spares; /* owned */
	unsigned spare_count;
	struct sock_list socks;	      /* owned: sockets libcurl wants watched */
	struct sock_list spare_socks; /* owned */
	struct call_list calls;	      /* owned: running */
	unsigned running;
	struct journal journal; /* empty outside of a turn of the loop */
	struct troubles troubles;
};

/* curl_loop.c: the only file that knows libevent. */
struct event *loop_timer_new(struct curl_loop *loop, struct transfer *transfer);
void loop_timer_set(struct event *timer, int64_t span_ms);
void loop_timer_stop(struct event *timer);
void loop_timer_free(struct event *timer);

/* transfer.c. INTERNAL when libcurl refuses an option; it is logged. */
MUST_CHECK enum forebay_err transfer_take(struct curl_loop *loop, struct transfer **ret);
void transfer_return(struct transfer *transfer); /* not in the multi handle any more */
void transfer_drop_spares(struct curl_loop *loop);

/* call.c: from libcurl, arg is the transfer. They only record. */
int call_on_ready(void *arg, char *peer_ip, char *own_ip, int peer_port, int own_port);
size_t call_on_header(char *line, size_t size, size_t count, void *arg);
size_t call_on_body(char *bytes, size_t size, size_t count, void *arg);
size_t call_on_read(char *ret, size_t size, size_t count, void *arg);
int call_on_seek(void *arg, curl_off_t offset, int origin);
/* call.c: from the loop. Each may free the call. */
void call_deliver(struct call *call, const struct journal_entry *entry, const uint8_t *bytes);
void call_finish(struct call *call, CURLcode code);
void call_on_time(struct call *call);
/* The key has moved: no running call may point at the old one. */
void call_point_all_at(struct curl_loop *loop, const char *secret_line);

#endif
