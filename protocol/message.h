/*
 * message.h - the JSON bodies of frames: typed structs <-> JSON.
 *
 * Requests are one struct whose members come from one table (request.c): name,
 * kind, which verbs take it, which need it. json-c sits behind the getters
 * (message.c), and never before the strict scanner (json.h) said yes: UTF-8,
 * depth <= 16, <= 64 KiB, no duplicate keys.
 */
#ifndef PROTOCOL_MESSAGE_H
#define PROTOCOL_MESSAGE_H

#include "protocol/base.h"
#include "protocol/errors.h"
#include "protocol/options.h"
#include "protocol/states.h"
#include "protocol/verbs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX_LEN	  65536u
#define MESSAGE_MAX_DEPTH 16u
#define MESSAGE_MAX_IDS	  1000u
#define MESSAGE_MAX_LABEL 256u /* bytes of label and of key */
#define MESSAGE_MAX_MODEL 128u
#define MESSAGE_MAX_CHAIN 8u
#define MESSAGE_WHY_LEN	  256u

/* Every argument of every verb. Absent members keep the value request_init()
 * gave them: NULL, 0, false, or what stands behind them. */
struct request {
	enum forebay_verb verb;
	/* submit */
	char *model;	     /* owned, as all strings here; replaces the body's */
	char *chain;	     /* name of a configured chain */
	char **chain_models; /* or the list itself; NULL-terminated */
	int class;	     /* enum forebay_class; NORMAL */
	int batch;	     /* enum forebay_batch; NEVER */
	int transport;	     /* enum forebay_transport; DEFAULT */
	int want;	     /* enum forebay_want; ID */
	int64_t priority;    /* -100 .. 100 */
	uint64_t attempts;   /* 0: as configured */
	int64_t deadline_ms; /* from now; 0: as configured */
	int64_t not_before;  /* wall ms, RFC 3339 on the wire; 0: at once */
	uint64_t shrink_to;
	char *version;
	char **betas; /* NULL-terminated */
	char *label;
	char *key;
	int64_t keep_ms; /* -1: as configured */
	bool ephemeral;
	bool follow;
	/* Never on this wire: what a client of the HTTP side sent besides. */
	char *headers; /* more lines for the API, each ended by \n; NULL: none */
	char *query;   /* of its path, "beta=true"; NULL: none */
	/* wait, cancel, retry, delete */
	uint64_t *ids; /* owned */
	size_t id_count;
	bool any;
	int64_t timeout_ms; /* -1: none */
	/* follow, result, show */
	uint64_t id;
	uint64_t from_attempt; /* on the wire: "from": {"attempt": 2, "offset": 4096} */
	uint64_t from_offset;
	bool request;
	/* list, and the filter of cancel, retry, delete */
	int state;	   /* enum forebay_job_state; -1: any */
	char *owner;	   /* a login name or a number */
	int64_t since;	   /* wall ms, RFC 3339 on the wire */
	uint64_t after_id; /* older than this id */
	uint64_t limit;	   /* 0: 100; <= 1000 */
	bool all;	   /* every owner's (admin), or: yes, all that match */
	/* hold, release */
	char *target; /* a model, "key", "host", "batches" or "all" */
	char *reason;
	int64_t for_ms; /* 0: until released */
	/* watch */
	int64_t interval_ms; /* 1000 */
};

void request_init(struct request *request, enum forebay_verb verb);
void request_clear(struct request *request);

/*
 * Parse the payload of a REQUEST frame. BAD_REQUEST or UNKNOWN_VERB with a
 * sentence in why that names the member and what would be right; request needs
 * no clearing then. Unknown members are ignored.
 */
MUST_CHECK enum forebay_err request_parse(const uint8_t *buf, size_t len, struct request *ret,
					  char why[static MESSAGE_WHY_LEN]);

/* The JSON of a request, only the members that differ from request_init().
 * Owned by the caller; NULL when out of memory. */
char *request_put(const struct request *request);

/* Row i of the table of arguments: its name, NULL after the last one, and
 * whether verb takes it. For documents, tests and fuzz dictionaries. */
const char *request_argument(size_t i);
bool request_takes(enum forebay_verb verb, size_t i);

/*
 * A parsed JSON object of the other side (HELLO, EVENT, REPLY, ERROR), or a row
 * of JSON Lines, behind getters, so that nobody else needs a JSON library.
 * Strict as above, but up to max_len bytes. NULL members and wrong types count
 * as absent.
 */
struct message;
MUST_CHECK enum forebay_err message_parse(const uint8_t *buf, size_t len, size_t max_len,
					  struct message **ret, char why[static MESSAGE_WHY_LEN]);
void message_free(struct message *message); /* accepts NULL */

bool message_has(const struct message *message, const char *name);
const char *message_text(const struct message *message, const char *name, const char *otherwise);
int64_t message_int(const struct message *message, const char *name, int64_t otherwise);
double message_double(const struct message *message, const char *name, double otherwise);
bool message_bool(const struct message *message, const char *name, bool otherwise);
/* A member that is an object, or the i-th object of an array member; NULL when
 * there is none. Borrowed from message. */
const struct message *message_object(const struct message *message, const char *name);
size_t message_count(const struct message *message, const char *name);
const struct message *message_item(const struct message *message, const char *name, size_t i);
const char *message_item_text(const struct message *message, const char *name, size_t i);
/* The name of member i of the object, NULL after the last; for walking maps. */
const char *message_member(const struct message *message, size_t i);

/* RFC 3339 text <-> ms since 1970; parse is false for anything else. put writes
 * UTC with ms, "2026-11-24T09:51:08.123Z", or "unknown" outside the years 0 to 9999,
 * and returns ret. */
#define MESSAGE_TIME_LEN 32
bool message_time_parse(const char *text, int64_t *ret_ms);
char *message_time_put(int64_t ms, char ret[static MESSAGE_TIME_LEN]);

#endif
