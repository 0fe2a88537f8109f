/*
 * play.h - an exchange from the inside, shared by exchange.c (its life) and play.c (its answer).
 */
#ifndef FAKEAPI_PLAY_H
#define FAKEAPI_PLAY_H

#include <event2/event_struct.h>

#include "tests/fakeapi/answer.h"
#include "tests/fakeapi/exchange.h"

/* What the timer is for. */
enum wait {
	WAIT_REFUSE, /* then the refusal is sent */
	WAIT_HOLD,   /* until a release */
	WAIT_FIRST,  /* then the headers and the opening */
	WAIT_STEP,   /* then the next step, or a ping */
	WAIT_EVER,   /* nothing any more */
	WAIT_PINGS,  /* pings for ever */
	WAIT_CUT,    /* the bytes are out, now the end of file */
	WAIT_ODD,    /* the next piece of an odd answer */
};

struct exchange {
	struct server *server;		/* borrowed */
	struct evhttp_request *req;	/* evhttp's until the exchange ends */
	struct evhttp_connection *conn; /* borrowed */
	struct event timer, closed;	/* initialised only if `armed` */
	struct entry *entry;		/* borrowed from the ledger */
	struct place *place;		/* borrowed: whose limits count; NULL: nobody's */
	struct request request;		/* points into the body until the answer is built */
	struct climate climate;
	struct verdict verdict;
	struct fault
	    own_fault;	  /* of a check, or with words of its own; the verdict may point here */
	char words[2048]; /* of own_fault, where the table's had to be filled in */
	struct script script;
	enum endpoint endpoint;
	enum wait wait;
	size_t step, stop;    /* next step, and the one before which it ends */
	double due, interval; /* of the next step; weather seconds */
	double ttfb, gen;     /* weather seconds */
	bool armed, mistyped;
	LIST_ENTRY(exchange) link;
};

static inline bool
exchange_is(const struct exchange *x, enum fault_kind kind)
{
	return x->verdict.fault && x->verdict.fault->kind == kind;
}

/* Wait some weather seconds; negative: until somebody else moves the exchange. */
void exchange_wait(struct exchange *x, enum wait wait, double seconds);

/* End of file to the client, or a reset if `abort`; the exchange is gone afterwards. Never from
 * within a callback of evhttp. */
void exchange_break(struct exchange *x, enum outcome outcome, bool abort);

/* Answer with the verdict's fault; the exchange may be gone afterwards, as after all of these. */
void play_refuse(struct exchange *x);

/* Status and headers are known: note them. The evhttp headers are put. */
void play_put_headers(struct exchange *x, int status, const char *content_type);

/* odd.c: answers in pieces, and answers that no HTTP server should give. True if the verdict is
 * one of them: then it is on its way. odd_next: the next piece is due. */
bool odd_refuse(struct exchange *x);
void odd_next(struct exchange *x);

/* The first byte is due; the next step is; a ping is. */
void play_open(struct exchange *x);
void play_advance(struct exchange *x);
void play_ping(struct exchange *x);

/* Endpoints that cost nothing: models, count_tokens, and 404 for the rest. */
void play_free(struct exchange *x, const char *id);

#endif
