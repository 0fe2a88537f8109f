/*
 * lib_calls.h - the whole answer of one request, collected from its events: what
 * waiting calls and callbacks hand out at the end.
 */
#ifndef CLIENT_LIB_CALLS_H
#define CLIENT_LIB_CALLS_H

#include "client/lib.h"

struct collected {
	char *json;	   /* owned; of the REPLY, or NULL */
	struct bytes data; /* what came behind it; once whole, with a NUL that is not counted */
};

/* All events of a stream go through here. Not OK: the request failed, or its answer
 * cannot be kept; nothing more is to be given then. */
MUST_CHECK int collect(struct forebay *f, struct collected *collected,
		       const struct forebay_event *event);
void collected_clear(struct collected *collected);

/* The members of a reply; the caller frees them. */
MUST_CHECK int reply_parse(struct forebay *f, const char *json, struct message **ret);
/* Why a job has no answer, from the reply of result; OK: it has one. */
int reply_job_error(struct forebay *f, const struct message *reply);

#endif
