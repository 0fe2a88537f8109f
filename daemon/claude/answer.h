/*
 * answer.h - what one attempt's end means. Status, headers, an error body or
 * an error event or a broken transport go in; a row of the error table and the
 * few facts worth keeping come out. No clock: now is an argument.
 */
#ifndef DAEMON_CLAUDE_ANSWER_H
#define DAEMON_CLAUDE_ANSWER_H

#include "daemon/claude/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX_ERROR_BODY 65536 /* error bodies longer than this are not parsed */

/* clang-format off */
/*	  KIND                type in the error table    for people */
#define ANSWER_TRANSPORTS(X)                                                                       \
	X(CONNECT,            "network/connect",         "no connection")                          \
	X(DNS,                "network/dns",             "the name did not resolve")               \
	X(TLS,                "network/tls",             "no trusted TLS connection")              \
	X(TIMEOUT_FIRST_BYTE, "network/first-byte",      "no answer in time")                      \
	X(TIMEOUT_IDLE,       "network/idle",            "the answer stopped coming")              \
	X(LIFETIME,           "network/lifetime",        "the answer took too long")               \
	X(RESET,              "network/reset",           "the connection broke")                   \
	X(TRUNCATED,          "network/truncated",       "the stream ended early")                 \
	X(TOO_BIG,            "network/too-big",         "the answer passed max_answer")           \
	X(BAD_STREAM,         "network/bad-stream",      "the answer cannot be read")
/* clang-format on */

#define ANSWER_TRANSPORT_ENUM(KIND, ...) ANSWER_##KIND,
enum answer_transport {
	ANSWER_TRANSPORT_NONE, /* the whole HTTP answer came */
	ANSWER_TRANSPORTS(ANSWER_TRANSPORT_ENUM) ANSWER_TRANSPORT_COUNT
};
#undef ANSWER_TRANSPORT_ENUM

enum answer_limit {
	ANSWER_REQUESTS,
	ANSWER_INPUT_TOKENS,
	ANSWER_OUTPUT_TOKENS,
	ANSWER_LIMIT_COUNT
};

/* anthropic-ratelimit-<limit>-*; -1 where the header did not come. */
struct answer_ratelimit {
	int64_t limit, remaining;
	double reset_s; /* wall clock, seconds since 1970: full again */
};

/* The response headers that matter. */
struct answer_headers {
	double retry_after_s; /* a span; -1 none */
	double retry_at_s;    /* retry-after as a date, wall clock; -1 none */
	double date_s;	      /* the server's clock; -1 none */
	int should_retry;     /* x-should-retry: 1, 0, or -1 none */
	char request_id[80];  /* printable; "" none */
	struct answer_ratelimit ratelimit[ANSWER_LIMIT_COUNT];
};

/* Whoever stands in front of the API may say our own key back to us: what looks
 * like one is overwritten with stars, in place. All words of an answer have been
 * through it; raw bytes of an error must go through it before they are kept or
 * told. key, unless NULL, is overwritten too, whatever it looks like. */
void answer_scrub(char *text, size_t len, const char *key);

void answer_headers_init(struct answer_headers *headers);
/* One raw header line, with or without its line end. A status line starts
 * afresh, as after 100 Continue. Anything unknown or senseless is ignored. */
void answer_header(struct answer_headers *headers, const char *line, size_t len);

struct answer {
	const struct api_error *row; /* never NULL; static */
	enum api_class class;	     /* these three of row, */
	enum api_retry retry;	     /* unless x-should-retry */
	enum api_effect effect;	     /* says otherwise */
	enum forebay_err err;	     /* of a job that ends with it */
	int status;		     /* HTTP; 0 when none came */
	bool in_stream;		     /* an error event after a 200 */
	char type[64], code[64];     /* printable; "" when absent */
	char message[512];	     /* printable UTF-8, one line; "" when absent */
	char request_id[80];
	double retry_after_s;	 /* wait so long from now; -1: nobody said */
	bool retry_derived;	 /* from the reset headers, not told */
	double billing_resume_s; /* wall clock when access returns; -1: nobody said */
	struct answer_ratelimit ratelimit[ANSWER_LIMIT_COUNT];
};

/* A whole response. The body is looked at only when status is an error; it may
 * be HTML, empty, huge, or no text at all. A success other than 200 answers
 * nothing: it is a broken one. now_s: wall clock. Headers that name a time are
 * read by the server's own clock if it told it. */
void answer_from_http(struct answer *ret, int status, const struct answer_headers *headers,
		      const uint8_t *body, size_t len, double now_s);

/* The data of an SSE event "error", in a stream whose status was 200. */
void answer_from_event(struct answer *ret, const struct answer_headers *headers,
		       const uint8_t *data, size_t len, double now_s);

/* No answer, or not a whole one. headers may be NULL; status is 0 if none came;
 * an error status counts more than how its body ended. */
void answer_from_transport(struct answer *ret, enum answer_transport kind, int status,
			   const struct answer_headers *headers);

const char *answer_transport_text(enum answer_transport kind);

/* "529 overloaded_error: Overloaded", one line for logs and attempt rows. */
void answer_text(const struct answer *answer, char *ret, size_t size);

#endif
