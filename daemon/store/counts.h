/*
 * counts.h - how many jobs each lane has in each state: deltas collected in
 * memory during a transaction, flushed with one UPDATE a lane before COMMIT.
 */
#ifndef DAEMON_STORE_COUNTS_H
#define DAEMON_STORE_COUNTS_H

#include "protocol/base.h"
#include "protocol/states.h"

#include <stdbool.h>
#include <stdint.h>

struct counts_lane; /* private to counts.c */
struct db;

/* All zero is empty. */
struct counts {
	struct counts_lane *lanes;   /* owned hash: every lane known to be on disk */
	struct counts_lane *changed; /* borrowed list: touched in this transaction */
};

#define COUNTS_NOWHERE (-1)

/* True when the lane was not known: the caller writes its row. */
bool counts_learn(struct counts *counts, uint32_t lane);
/* A job with a request of body_len bytes goes from one state to another; either
 * may be COUNTS_NOWHERE. */
void counts_move(struct counts *counts, uint32_t lane, int from, int to, uint64_t body_len);

/* Write the deltas; failures stay in db. */
void counts_flush(struct counts *counts, struct db *db);
/* The transaction is on disk, or is not: forget its deltas, and the lanes it
 * made when it failed. */
void counts_settle(struct counts *counts, bool committed);
void counts_clear(struct counts *counts);

#endif
