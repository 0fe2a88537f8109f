/*
 * counts.c - deltas of lane counts; see counts.h.
 */
#include "daemon/store/counts.h"

#include "daemon/base/log.h"
#include "daemon/store/db.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(text) fatal("%s", text)
#include <uthash.h>

struct counts_lane {
	uint32_t id;
	bool known;		  /* has a row */
	bool fresh;		  /* which is part of the transaction under way */
	bool changed;		  /* is in the list */
	struct counts_lane *next; /* borrowed: next changed one */
	int64_t bytes;
	int64_t jobs[FOREBAY_JOB_STATE_COUNT];
	UT_hash_handle hh;
};

static struct counts_lane *
find_or_add(struct counts *counts, uint32_t id)
{
	struct counts_lane *lane;

	HASH_FIND(hh, counts->lanes, &id, sizeof(id), lane);
	if (lane)
		return lane;
	lane = must_alloc(sizeof(*lane));
	lane->id = id;
	HASH_ADD(hh, counts->lanes, id, sizeof(id), lane);
	return lane;
}

static void
mark_changed(struct counts *counts, struct counts_lane *lane)
{
	if (lane->changed)
		return;
	lane->changed = true;
	lane->next = counts->changed;
	counts->changed = lane;
}

bool
counts_learn(struct counts *counts, uint32_t id)
{
	struct counts_lane *lane = find_or_add(counts, id);

	if (lane->known)
		return false;
	lane->known = lane->fresh = true;
	mark_changed(counts, lane);
	return true;
}

static bool
is_pending(int state)
{
	return state != COUNTS_NOWHERE &&
	       !forebay_job_state_is_final((enum forebay_job_state)state);
}

void
counts_move(struct counts *counts, uint32_t id, int from, int to, uint64_t body_len)
{
	struct counts_lane *lane = find_or_add(counts, id);

	mark_changed(counts, lane);
	if (from != COUNTS_NOWHERE)
		lane->jobs[from]--;
	if (to != COUNTS_NOWHERE)
		lane->jobs[to]++;
	lane->bytes +=
	    (is_pending(to) ? (int64_t)body_len : 0) - (is_pending(from) ? (int64_t)body_len : 0);
}

static bool
is_zero(const struct counts_lane *lane)
{
	static const int64_t none[FOREBAY_JOB_STATE_COUNT];

	return lane->bytes == 0 && memcmp(lane->jobs, none, sizeof(none)) == 0;
}

void
counts_flush(struct counts *counts, struct db *db)
{
	_Static_assert(FOREBAY_JOB_STATE_COUNT == 8, "lane has one column a state");

	for (const struct counts_lane *lane = counts->changed; lane; lane = lane->next) {
		struct db_value values[2 + FOREBAY_JOB_STATE_COUNT];

		if (is_zero(lane))
			continue;
		values[0] = DB_INT(lane->id);
		values[1] = DB_INT(lane->bytes);
		for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++)
			values[2 + state] = DB_INT(lane->jobs[state]);
		db_run_values(db, SQL_LANE_COUNT, values, ARRAY_LEN(values));
	}
}

void
counts_settle(struct counts *counts, bool committed)
{
	struct counts_lane *lane = counts->changed;

	while (lane) {
		struct counts_lane *next = lane->next;

		if (lane->fresh && !committed) {
			HASH_DEL(counts->lanes, lane);
			free(lane);
		} else {
			lane->fresh = lane->changed = false;
			lane->next = NULL;
			lane->bytes = 0;
			memset(lane->jobs, 0, sizeof(lane->jobs));
		}
		lane = next;
	}
	counts->changed = NULL;
}

void
counts_clear(struct counts *counts)
{
	struct counts_lane *lane, *next;

	HASH_ITER (hh, counts->lanes, lane, next) {
		HASH_DEL(counts->lanes, lane);
		free(lane);
	}
	counts->changed = NULL;
}
