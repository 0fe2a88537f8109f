/*
 * faults.h - TABLE: everything that can go wrong at the API, by name. The same names are words of
 * the weather language and of the [fake:...] markers in a request.
 */
#ifndef FAKEAPI_FAULTS_H
#define FAKEAPI_FAULTS_H

#include <stddef.h>

#define FAULT_MAX 64

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
	const char *type;    /* error.type, NULL for none */
	const char *code;    /* error.details.error_code, NULL for none */
	const char *message; /* JSON-escaped */
};

extern const struct fault faults[];
extern const size_t fault_count;

/* The fault of that name, or NULL. The result points into the table. */
const struct fault *fault_find(const char *name, size_t len);

#endif
