/*
 * exchange.h - the life of one API request: it arrives, is judged, waits, is answered in steps, and
 * ends because it is complete, because it was cut, or because the client left.
 */
#ifndef FAKEAPI_EXCHANGE_H
#define FAKEAPI_EXCHANGE_H

#include "tests/fakeapi/server.h"

enum endpoint { ENDPOINT_MESSAGES, ENDPOINT_COUNT_TOKENS, ENDPOINT_MODELS, ENDPOINT_OTHER };

/* Takes the request; it is answered now or later. `path` is a literal, for the log; `id` the model
 * asked for by path, NULL if none. */
void exchange_start(struct server *server, struct evhttp_request *req, enum endpoint endpoint,
		    const char *path, const char *id);

/* Let go of requests on hold: all of them, or those with this tag. How many there were. */
size_t exchange_release(struct server *server, const char *tag);

/* How many are on hold. */
size_t exchange_held(const struct server *server);

/* Break every live exchange off, as at the end of the program or for a reset. */
void exchange_drop_all(struct server *server);

#endif
