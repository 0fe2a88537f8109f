/*
 * faults.h - TABLE: everything that can go wrong at the API, by name. The same names are words of
 * the weather language and of the [fake:...] markers in a request.
 */
#ifndef FAKEAPI_FAULTS_H
#define FAKEAPI_FAULTS_H

#include <stddef.h>

#define FAULT_MAX 160

/* When a fault is drawn: instead of an answer, or in the middle of one. */
enum fault_stage {
	STAGE_REFUSE, /* before the request is accepted */
	STAGE_SERVE,  /* accepted, counted as in flight, then it goes wrong */
	STAGE_STYLE,  /* no fault at all: another sort of good answer */
};

enum fault_kind {
	KIND_JSON,	  /* the API's own error body */
	KIND_HTML,	  /* a gateway's error page */
	KIND_BLANK,	  /* a status and no body */
	KIND_RESET,	  /* TCP reset before the headers */
	KIND_CLOSE,	  /* end of file before the headers */
	KIND_HANG,	  /* nothing, for ever */
	KIND_ERROR_EVENT, /* 200, then `event: error` as the first event */
	KIND_ERROR_START, /* 200, the opening, then `event: error` before any content */
	KIND_ERROR_MID,	  /* 200, half of the answer, then `event: error` */
	KIND_CUT,	  /* half of the answer, end of file without the last chunk */
	KIND_CUT_RESET,	  /* half of the answer, then a TCP reset */
	KIND_EOF,	  /* half of the answer, then a clean end of the body */
	KIND_SILENT,	  /* 200, then pings only, for ever */
	KIND_STALL,	  /* half of the answer, then pings only, for ever */
	KIND_FREEZE,	  /* half of the answer, then nothing, for ever */
	KIND_TRUNCATED,	  /* well-formed HTTP, JSON that ends too early */
	KIND_BAD_UTF8,	  /* a text with bytes that are not UTF-8 */
	KIND_EMPTY,	  /* 200 and no byte */
	KIND_WRONG_TYPE,  /* 200 and a page of HTML */
	KIND_FOREIGN,	  /* 200 and JSON that is no message */
	KIND_MISTYPED,	  /* the right bytes under the wrong content type */
	KIND_UNSTREAMED,  /* a whole Message where a stream was asked for */
	KIND_HUGE,	  /* the API's own error body, size= bytes of it (4M) */
	KIND_SLOW,	  /* the same in pieces of 16 bytes, one each drip= (20 ms) */
	KIND_ENDLESS,	  /* an error's headers, then 1 KiB each drip= (20 ms), for ever */
	KIND_HEADERS,	  /* an error with 100 KiB of headers */
	KIND_REDIRECT,	  /* a redirect to the same place */
	KIND_ECHO_ID,	  /* the request-id is the caller's credential */
	KIND_LONG_LINE,	  /* raw: one header line of 200 KiB */
	KIND_GARBAGE,	  /* raw: what no HTTP client can read */
	KIND_TWO_LENGTHS, /* raw: two content-lengths that differ */
	KIND_CHUNKS,	  /* raw: a 200 whose chunks have no lengths */
	KIND_INTERIM,	  /* raw: a thousand 1xx, then the error */
	KIND_INTERIMS,	  /* raw: 1xx for ever */
	KIND_REFUSAL,	  /* stop_reason refusal, no content */
	KIND_THINKING,	  /* a thinking block before the text */
	KIND_TOOL,	  /* a tool_use block after the text */
	KIND_NO_CONTENT,  /* end_turn with empty content */
	KIND_UNKNOWN,	  /* event, block and delta types nobody knows yet */
};

struct fault {
	const char *name;
	enum fault_stage stage;
	enum fault_kind kind;
	int status;
	const char *type; /* error.type, NULL for none */
	const char *code; /* error.details.error_code, NULL for none */
	/* JSON-escaped. "{key}" is the credential that came, "{date}" what until= says. */
	const char *message;
};

extern const struct fault faults[];
extern const size_t fault_count;

/* The fault of that name, or NULL. The result points into the table. */
const struct fault *fault_find(const char *name, size_t len);

#endif
