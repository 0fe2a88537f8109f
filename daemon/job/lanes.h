/*
 * lanes.h - which jobs are in memory. Pure: no clock, no disk, no timer.
 *
 * A lane is (owner, class, route). Its window holds the first few of its jobs
 * that are QUEUED and not resting, in the order (priority high first, id). The
 * disk has the rest. The rule that makes it right:
 *
 *   every QUEUED job of the lane that stands at or before its bound is in
 *   memory: in the window, resting, or about to run.
 *
 * A job before the bound is inserted and may push out the tail, which lowers
 * the bound; one behind it stays on disk, and the next refill brings it. A
 * refill that was asked for before the bound fell is dropped (generation).
 */
#ifndef DAEMON_JOB_LANES_H
#define DAEMON_JOB_LANES_H

#include "daemon/job/job.h"
#include "daemon/job/owner.h"
#include "protocol/base.h"
#include "protocol/errors.h"

/* What a job asks for: interned, compared by pointer. */
struct route {
	/* Owned: "model[,model...][ batch=only][ chain=NAME]", what the disk knows. */
	char *text;
	char **models; /* owned, NULL-terminated; models[0] is the first choice */
	size_t model_count;
	char *chain; /* owned: the [chain NAME] whose patience it has; NULL: its class's */
	int batch;   /* enum forebay_batch */
	UT_hash_handle hh;
};

struct lane {
	uint32_t id;	     /* as on disk */
	struct owner *owner; /* borrowed */
	struct route *route; /* borrowed */
	int class;	     /* enum forebay_class */
	struct job **window; /* owned array, sorted; jobs owned by lanes */
	size_t ready;	     /* in the window */
	size_t room;	     /* of the array */
	uint64_t queued;     /* jobs QUEUED, in memory or not */
	/* Bound: see above. complete: the disk holds nothing behind it. */
	bool complete;
	int16_t bound_priority;
	uint64_t bound_id;
	uint32_t generation;
	bool refilling;
	UT_hash_handle hh;
};

struct lanes;

/* window: heads a lane; max_heads: of all lanes together, the windows shrink
 * to a floor of 8 to keep it; max_routes: an owner. */
struct lanes *lanes_new(size_t window, size_t max_heads, size_t max_routes);
void lanes_free(struct lanes *lanes); /* frees everything in it */
void lanes_resize(struct lanes *lanes, size_t window, size_t max_heads, size_t max_routes);

/* Borrowed, made when new, with no limits and weight 1 (ret_new may be NULL). */
struct owner *lanes_owner(struct lanes *lanes, uid_t uid, bool *ret_new);
/* For walking: the first with NULL, NULL after the last. */
struct owner *lanes_next_owner(const struct lanes *lanes, const struct owner *owner);

/* The lane for these, made when new. OVER_QUOTA when the owner has max_routes
 * lanes of other routes already. */
MUST_CHECK enum forebay_err lanes_lane(struct lanes *lanes, struct owner *owner, int class,
				       const char *route, struct lane **ret);
/* Tell of a lane the disk has (at start), under the id it has there. */
struct lane *lanes_restore(struct lanes *lanes, struct owner *owner, int class, const char *route,
			   uint32_t id, uint64_t queued);
struct lane *lanes_find_lane(const struct lanes *lanes, uint32_t id);
struct lane *lanes_next_lane(const struct lanes *lanes, const struct lane *lane);

/* Borrowed; NULL when it is not in memory. */
struct job *lanes_find(const struct lanes *lanes, uint64_t id);
size_t lanes_heads(const struct lanes *lanes);

/* A job of the lane, in memory but not yet in the window; owned by lanes. */
struct job *lanes_make(struct lanes *lanes, struct lane *lane, uint64_t id);
/* Frees it, wherever it stands. */
void lanes_drop(struct lanes *lanes, struct job *job);

/*
 * job is QUEUED and eligible: put it into its lane's window. False when it
 * stands behind the bound (or was itself pushed out): it has been freed and
 * lives on disk. Ephemeral jobs are never pushed out.
 */
bool lanes_enter(struct lanes *lanes, struct job *job);
/* Take it out of the window, to run it. It stays in memory. */
void lanes_leave(struct lanes *lanes, struct job *job);

/* QUEUED but not eligible before job->rest_until_ms. It stays in memory. */
void lanes_rest(struct lanes *lanes, struct job *job);
/* Let those whose rest is over enter; INT64_MAX or when to call again. */
int64_t lanes_wake(struct lanes *lanes, int64_t now_ms);

/* Does it want heads from the disk? Then ask for those behind the bound, up to
 * lanes_refill_size(), and hand them to lanes_refilled(). */
bool lanes_wants_refill(const struct lanes *lanes, const struct lane *lane);
size_t lanes_refill_size(const struct lanes *lanes, const struct lane *lane);

/*
 * The answer to a refill: jobs made with lanes_make() for the ids that
 * lanes_find() did not know, count of them; last is the key of the last head
 * the disk returned, more whether there are others behind. False when it is
 * stale (generation): the jobs have been freed.
 */
bool lanes_refilled(struct lanes *lanes, struct lane *lane, uint32_t generation, struct job **jobs,
		    size_t count, int16_t last_priority, uint64_t last_id, bool more);

#endif
