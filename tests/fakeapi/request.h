/*
 * request.h - what the fake API wants to know of a request body, found in one cheap pass: the
 * top-level fields and the markers tests put into their texts. Pure; nothing is copied.
 */
#ifndef FAKEAPI_REQUEST_H
#define FAKEAPI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_MARKERS 16

/* Bytes inside the body; JSON strings without quotes, escapes left as they are. */
struct slice {
	const char *at;
	size_t len;
};

struct request {
	struct slice model, messages;
	bool stream;
	long max_tokens;		       /* -1: not there */
	bool sampling;			       /* temperature, top_p or top_k is there */
	struct slice tag;		       /* [tag:XYZ], the first; empty if none */
	struct slice echo;		       /* [echo:...], the last */
	struct slice markers[REQUEST_MARKERS]; /* the insides of [fake:...] */
	size_t marker_count;
	uint64_t hash;	   /* of the whole body */
	const char *wrong; /* why it is not JSON we can read, NULL if it is */
};

/* Never fails: what cannot be read is said in `wrong`. */
void request_scan(struct request *request, const char *body, size_t len);

uint64_t bytes_hash(const char *bytes, size_t len);

#endif
