/*
 * ledger.h - what happened: one entry an arrival, one key a job (its tag, or the hash of its body),
 * the counts over all of them, and their JSON. Never holds a credential.
 */
#ifndef FAKEAPI_LEDGER_H
#define FAKEAPI_LEDGER_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <uthash.h>

#include "tests/fakeapi/request.h"
#include "tests/fakeapi/weather.h"

enum outcome { OUTCOME_OPEN, OUTCOME_COMPLETE, OUTCOME_CUT, OUTCOME_LEFT };

/* A model somebody asked for. Lives as long as the ledger. */
struct model {
	char name[128]; /* "" for requests without a model */
	struct place place;
	uint64_t arrivals, accepted, refused, completed;
	unsigned max_in_flight;
	UT_hash_handle hh;
};

/* A job as the tests see it: requests with the same tag, or byte-identical ones without. */
struct key {
	uint64_t hash;
	char *tag; /* owned; NULL if there is none */
	uint32_t attempts, accepted, completed;
	UT_hash_handle hh;
};

struct entry {
	double t, t_first, t_end; /* seconds since start, negative: not yet */
	uint64_t seq, body_hash, bytes;
	struct model *model; /* borrowed */
	struct key *key;     /* borrowed */
	const char *path;    /* a literal */
	const char *fault;   /* a literal, NULL for none */
	const char *cause;   /* a literal */
	char *headers;	     /* owned JSON, NULL unless asked for */
	uint32_t attempt;    /* the key's n-th, from 1 */
	int status;	     /* 0: none was sent */
	uint8_t outcome;
	bool stream;
	bool accepted;
};

/* The most events in any second. */
struct peak {
	double *times; /* owned ring */
	size_t cap, head, count, max;
};

struct ledger {
	struct entry **blocks; /* owned */
	uint64_t count;
	struct model *models; /* owned */
	struct key *keys;     /* owned */
	FILE *file;	      /* owned, NULL for none; gets a line when an entry ends */
	uint64_t accepted, refused, completed, cut, left, accepted_again, tags;
	uint64_t by_status[1000];
	uint64_t by_fault[FAULT_MAX];
	unsigned open, in_flight, max_in_flight;
	struct peak arrivals_peak, refusals_peak;
};

/* Forget everything but the file. No entry may be open. */
void ledger_clear(struct ledger *ledger);

struct model *ledger_model(struct ledger *ledger, const struct slice *name);
struct key *ledger_key(struct ledger *ledger, const struct request *request);

/* A new entry at time t; weather_t counts for the peaks. The entry does not move. */
struct entry *ledger_add(struct ledger *ledger, double t, double weather_t);
struct entry *ledger_find(const struct ledger *ledger, uint64_t seq); /* from 1; NULL if unknown */

void ledger_accepted(struct ledger *ledger, struct entry *entry);
void ledger_refused(struct ledger *ledger, struct entry *entry, const struct fault *fault,
		    double weather_t);
void ledger_fault(struct ledger *ledger, struct entry *entry, const struct fault *fault);
void ledger_ended(struct ledger *ledger, struct entry *entry, enum outcome outcome, double t);

/* One line of JSON with its newline. */
void entry_put(const struct entry *entry, struct evbuffer *out);
void ledger_put_stats(const struct ledger *ledger, struct evbuffer *out);
void ledger_put_tags(const struct ledger *ledger, struct evbuffer *out);

#endif
