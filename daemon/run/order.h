/*
 * order.h - a submit, understood: defaults put in, the body looked at, the
 * models in their order. Pure but for the configuration it reads. Internal to
 * run/.
 */
#ifndef DAEMON_RUN_ORDER_H
#define DAEMON_RUN_ORDER_H

#include "daemon/base/config.h"
#include "daemon/store/rows.h"
#include "protocol/message.h"

struct order {
	char **models; /* owned, NULL-terminated; first choice first */
	size_t model_count;
	char *model_option; /* owned, as all strings here; NULL: not given */
	char *chain;	    /* its name, or NULL: none, or a list */
	char *skipped;	    /* models of the chain that cannot take it, and why; NULL: none */
	char *version, *betas, *label, *key;
	char *headers, *query;
	int class, batch, transport;
	int64_t priority;
	uint64_t attempts, shrink_to, retry_of;
	int64_t now_ms, not_before_ms, deadline_ms, keep_ms;
	int64_t max_tokens; /* -1: the body has none */
	uint32_t cost_input;
	bool ephemeral;
	uint8_t digest[STORE_DIGEST_LEN];
	uint8_t options[STORE_DIGEST_LEN];
};

/* TOO_BIG, INVALID_BODY or BAD_REQUEST with a sentence in why (256 bytes). */
MUST_CHECK enum forebay_err order_from_request(struct order *ret, const struct config *config,
					       const struct request *request, const uint8_t *body,
					       size_t len, int64_t now_ms, char *why);
/* The same order again, with a new deadline, sharing the stored body. */
void order_from_job(struct order *ret, const struct config *config, const struct store_job *job,
		    int64_t now_ms);
void order_clear(struct order *order);

/* The canonical text of its route; owned by the caller. */
char *route_of_order(const struct order *order);

#endif
