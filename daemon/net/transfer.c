/*
 * transfer.c - the options that every transfer needs, and why; handles that
 * have them are kept and lent again, so a call sets only what is its own.
 */
#include "daemon/net/inside.h"

#include "daemon/base/log.h"

#include <stdlib.h>

#define MAX_SPARES  128
/* Ours fires first: libcurl's timeout is for a timer of ours that was missed. */
#define BACKSTOP_MS 5000

#define SET(easy, rc, option, value)                                                               \
	do {                                                                                       \
		if ((rc) == CURLE_OK)                                                              \
			(rc) = curl_easy_setopt((easy), (option), (value));                        \
	} while (0)

static CURLcode
set_callbacks(CURL *easy, struct transfer *transfer)
{
	CURLcode rc = CURLE_OK;

	SET(easy, rc, CURLOPT_PRIVATE, transfer);
	SET(easy, rc, CURLOPT_ERRORBUFFER, transfer->words);
	SET(easy, rc, CURLOPT_PREREQFUNCTION, call_on_ready);
	SET(easy, rc, CURLOPT_PREREQDATA, transfer);
	SET(easy, rc, CURLOPT_HEADERFUNCTION, call_on_header);
	SET(easy, rc, CURLOPT_HEADERDATA, transfer);
	SET(easy, rc, CURLOPT_WRITEFUNCTION, call_on_body);
	SET(easy, rc, CURLOPT_WRITEDATA, transfer);
	/* Pulling the body, with a seek that fails, is what keeps libcurl from
	 * sending a POST again by itself on a connection that died. */
	SET(easy, rc, CURLOPT_READFUNCTION, call_on_read);
	SET(easy, rc, CURLOPT_READDATA, transfer);
	SET(easy, rc, CURLOPT_SEEKFUNCTION, call_on_seek);
	SET(easy, rc, CURLOPT_SEEKDATA, transfer);
	return rc;
}

static CURLcode
set_connection(CURL *easy, const struct upstream *upstream)
{
	long connect_ms = (long)upstream->connect_timeout_ms + BACKSTOP_MS;
	CURLcode rc = CURLE_OK;

	SET(easy, rc, CURLOPT_NOSIGNAL, 1L);
	/* Else a cancel while a name resolves joins that thread: 5 s of silence. */
	SET(easy, rc, CURLOPT_QUICK_EXIT, 1L);
	SET(easy, rc, CURLOPT_TCP_NODELAY, 1L);
	SET(easy, rc, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(easy, rc, CURLOPT_TCP_KEEPIDLE, 60L);
	SET(easy, rc, CURLOPT_TCP_KEEPINTVL, 20L);
	/* Phases have timers of ours: see call.c. */
	SET(easy, rc, CURLOPT_TIMEOUT_MS, 0L);
	SET(easy, rc, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	/* Idle ones older than this tend to be dead already. */
	SET(easy, rc, CURLOPT_MAXAGE_CONN, 60L);
	/* What the environment says about proxies is not for us. */
	SET(easy, rc, CURLOPT_PROXY, upstream->proxy);
	SET(easy, rc, CURLOPT_NOPROXY, "");
	SET(easy, rc, CURLOPT_UNIX_SOCKET_PATH, upstream->origin.socket_path);
	return rc;
}

static CURLcode
set_trust(CURL *easy, const struct upstream *upstream)
{
	const char *bundle = NULL;
	CURLcode rc = CURLE_OK;

	SET(easy, rc, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(easy, rc, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(easy, rc, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (upstream->ca_file) {
		SET(easy, rc, CURLOPT_CAINFO, upstream->ca_file);
		SET(easy, rc, CURLOPT_PROXY_CAINFO, upstream->ca_file);
	}
	/* The system's directory of certificates beside a bundle would be trusted
	 * besides ca_file, and keeps libcurl from remembering the parsed bundle:
	 * 30 ms on the loop for each new connection. */
	(void)curl_easy_getinfo(easy, CURLINFO_CAINFO, &bundle);
	if (bundle) {
		SET(easy, rc, CURLOPT_CAPATH, NULL);
		SET(easy, rc, CURLOPT_PROXY_CAPATH, NULL);
	}
	return rc;
}

static CURLcode
set_http(CURL *easy, const struct upstream *upstream)
{
	bool two = upstream->http == 2;
	CURLcode rc = CURLE_OK;

	SET(easy, rc, CURLOPT_PROTOCOLS_STR, "http,https");
	/* Redirected, the key would travel. */
	SET(easy, rc, CURLOPT_FOLLOWLOCATION, 0L);
	SET(easy, rc, CURLOPT_PATH_AS_IS, 1L);
	SET(easy, rc, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(easy, rc, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(easy, rc, CURLOPT_USERAGENT, "forebayd/" FOREBAY_VERSION);
	SET(easy, rc, CURLOPT_HTTP_VERSION,
	    two ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	/* Else as many connections as calls that start together. This libcurl ends
	 * each h2 stream with RST_STREAM, and some servers break off after some
	 * 1,000 of those: the calls on that connection end as reset. */
	SET(easy, rc, CURLOPT_PIPEWAIT, two ? 1L : 0L);
	return rc;
}

static void
transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	loop_timer_free(transfer->timer);
	free(transfer);
}

static enum forebay_err
transfer_new(struct curl_loop *loop, struct transfer **ret)
{
	struct transfer *transfer = must_alloc(sizeof(*transfer));
	CURLcode rc;

	transfer->loop = loop;
	transfer->generation = loop->generation;
	transfer->timer = loop_timer_new(loop, transfer);
	transfer->easy = curl_easy_init();
	if (!transfer->easy) {
		transfer_free(transfer);
		return FOREBAY_ERR_NO_MEMORY;
	}
	rc = set_callbacks(transfer->easy, transfer);
	if (rc == CURLE_OK)
		rc = set_connection(transfer->easy, &loop->upstream);
	if (rc == CURLE_OK)
		rc = set_trust(transfer->easy, &loop->upstream);
	if (rc == CURLE_OK)
		rc = set_http(transfer->easy, &loop->upstream);
	if (rc != CURLE_OK) {
		log_error("libcurl refuses an option this daemon needs: %s",
			  curl_easy_strerror(rc));
		transfer_free(transfer);
		return FOREBAY_ERR_INTERNAL;
	}
	*ret = transfer;
	return FOREBAY_ERR_OK;
}

enum forebay_err
transfer_take(struct curl_loop *loop, struct transfer **ret)
{
	struct transfer *transfer = SLIST_FIRST(&loop->spares);

	if (!transfer)
		return transfer_new(loop, ret);
	SLIST_REMOVE_HEAD(&loop->spares, link);
	loop->spare_count--;
	transfer->words[0] = '\0';
	*ret = transfer;
	return FOREBAY_ERR_OK;
}

void
transfer_return(struct transfer *transfer)
{
	struct curl_loop *loop = transfer->loop;

	transfer->call = NULL;
	loop_timer_stop(transfer->timer);
	/* The lines are the call's and go with it. */
	(void)curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
	if (transfer->generation != loop->generation || loop->spare_count >= MAX_SPARES) {
		transfer_free(transfer);
		return;
	}
	SLIST_INSERT_HEAD(&loop->spares, transfer, link);
	loop->spare_count++;
}

void
transfer_drop_spares(struct curl_loop *loop)
{
	struct transfer *transfer;

	while ((transfer = SLIST_FIRST(&loop->spares))) {
		SLIST_REMOVE_HEAD(&loop->spares, link);
		transfer_free(transfer);
	}
	loop->spare_count = 0;
}
