/*
 * intake.h - what is done with a request's headers and body before the weather sees it, and the
 * headers of every answer.
 */
#ifndef FAKEAPI_INTAKE_H
#define FAKEAPI_INTAKE_H

#include "tests/fakeapi/exchange.h"

/* The checks the real API makes: key, version, required fields. True if the request is refused;
 * then `ret` is a row of the table of faults with a message of its own. */
bool intake_refuses(const struct server *server, struct evhttp_request *req,
		    const struct request *request, enum endpoint endpoint, struct fault *ret);

/* Keep headers and body if the program was asked to; credentials are blanked. */
void intake_note(struct server *server, struct evhttp_request *req, struct entry *entry);

/* The key that came, however it came; "nothing" if none did. */
const char *intake_credential(struct evhttp_request *req);

/* When access returns, so many real seconds from now; far away if that is 0. */
void intake_date(double in_s, char *ret, size_t size);

/* request-id, the rate limits of place (NULL: none), retry-after and the like, into the answer's
 * headers. */
void reply_headers_put(struct server *server, struct evhttp_request *req, const struct entry *entry,
		       const struct place *place, const struct climate *climate,
		       const struct verdict *verdict, const char *content_type);

#endif
