/*
 * answer.h - the bytes of an answer: error bodies, Messages, and a stream as a script of steps that
 * are sent one by one. Deterministic from the request and its job's key.
 */
#ifndef FAKEAPI_ANSWER_H
#define FAKEAPI_ANSWER_H

#include <event2/buffer.h>
#include <stdbool.h>

#include "tests/fakeapi/climate.h"
#include "tests/fakeapi/request.h"

struct answer {
	uint64_t seq;	    /* makes the ids unique */
	struct slice model; /* borrowed from the request */
	struct slice text;  /* insides of a JSON string; borrowed or `made` */
	char *made;	    /* owned; NULL if the text is borrowed */
	bool thinking, tool, refusal, unknown;
	bool mistyped; /* to be sent under the wrong content type */
	bool empty;    /* no content at all */
	size_t deltas;
	long input_tokens, output_tokens;
	const char *stop_reason;
};

/* The stream's events, all in one buffer, and how many bytes each step sends. */
struct script {
	struct evbuffer *bytes;	  /* owned */
	size_t *steps;		  /* owned */
	size_t count, cap, total; /* total: bytes in all steps */
};

/* Keeps pointers into the request's body until the answer has been put. `bad_utf8`: end the text
 * with bytes that are not UTF-8. */
void answer_init(struct answer *answer, const struct request *request,
		 const struct climate *climate, uint64_t seq, struct dice *dice, bool bad_utf8);
void answer_clear(struct answer *answer);

/* About how many input tokens the request is. */
long request_tokens(const struct request *request);

/* The status a plain request gets for an error that a stream gets in an event. */
int answer_status(const struct fault *fault);

/* As a stream; as one JSON Message, in two steps, so that it can be cut. */
void answer_put_script(const struct answer *answer, struct script *ret);
void answer_put_plain(const struct answer *answer, struct script *ret);
void script_init(struct script *script);
void script_step(struct script *script);
void script_clear(struct script *script);

/* {"type":"error",...}; with `event` as an SSE event. */
void answer_put_error(const struct fault *fault, uint64_t seq, bool event, struct evbuffer *out);
void answer_put_html(const struct fault *fault, struct evbuffer *out);
void answer_put_ping(struct evbuffer *out);

/* request-id of this arrival: "req_fake" and 16 hex digits. */
void request_id_put(uint64_t seq, char ret[32]);

#endif
