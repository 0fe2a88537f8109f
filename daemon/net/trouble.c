/*
 * trouble.c - the table of libcurl's errors that can happen to a call.
 */
#include "daemon/net/trouble.h"

#include "daemon/base/log.h"

#define QUIET_MS 1000

/* clang-format off */
static const unsigned char kinds[CURL_LAST] = {
	[CURLE_COULDNT_RESOLVE_PROXY]    = ANSWER_DNS,
	[CURLE_COULDNT_RESOLVE_HOST]     = ANSWER_DNS,
	[CURLE_COULDNT_CONNECT]          = ANSWER_CONNECT,
	[CURLE_INTERFACE_FAILED]         = ANSWER_CONNECT,
	[CURLE_NO_CONNECTION_AVAILABLE]  = ANSWER_CONNECT,
	[CURLE_PROXY]                    = ANSWER_CONNECT,
	[CURLE_SSL_CONNECT_ERROR]        = ANSWER_TLS,
	[CURLE_SSL_ENGINE_NOTFOUND]      = ANSWER_TLS,
	[CURLE_SSL_ENGINE_SETFAILED]     = ANSWER_TLS,
	[CURLE_SSL_ENGINE_INITFAILED]    = ANSWER_TLS,
	[CURLE_SSL_CERTPROBLEM]          = ANSWER_TLS,
	[CURLE_SSL_CIPHER]               = ANSWER_TLS,
	[CURLE_PEER_FAILED_VERIFICATION] = ANSWER_TLS,
	[CURLE_SSL_CACERT_BADFILE]       = ANSWER_TLS,
	[CURLE_SSL_CRL_BADFILE]          = ANSWER_TLS,
	[CURLE_SSL_ISSUER_ERROR]         = ANSWER_TLS,
	[CURLE_SSL_PINNEDPUBKEYNOTMATCH] = ANSWER_TLS,
	[CURLE_SSL_INVALIDCERTSTATUS]    = ANSWER_TLS,
	[CURLE_SSL_CLIENTCERT]           = ANSWER_TLS,
	[CURLE_PARTIAL_FILE]             = ANSWER_TRUNCATED,
	[CURLE_OPERATION_TIMEDOUT]       = ANSWER_TIMEOUT_FIRST_BYTE,
};
/* clang-format on */

enum answer_transport
trouble_kind(CURLcode code, bool left)
{
	enum answer_transport kind = ANSWER_TRANSPORT_NONE;

	if ((unsigned)code < CURL_LAST)
		kind = kinds[code];
	if (kind == ANSWER_TRANSPORT_NONE)
		kind = ANSWER_RESET;
	/* A proxy's refusal or a handshake cut short: there never was a connection. */
	if (!left && (kind == ANSWER_RESET || kind == ANSWER_TIMEOUT_FIRST_BYTE))
		kind = ANSWER_CONNECT;
	return kind;
}

void
trouble_log(struct troubles *troubles, CURLcode code, const char *words, int64_t now_ms)
{
	struct trouble *trouble = &troubles->of[(unsigned)code < CURL_LAST ? code : 0];

	if (trouble->logged_ms && now_ms - trouble->logged_ms < QUIET_MS) {
		trouble->unlogged++;
		return;
	}
	if (trouble->unlogged)
		log_debug("upstream: %s (curl %d), and %u like it before", words, (int)code,
			  trouble->unlogged);
	else
		log_debug("upstream: %s (curl %d)", words, (int)code);
	*trouble = (struct trouble){ .logged_ms = now_ms };
}
