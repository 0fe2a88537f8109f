/*
 * lanes.c - windows over the queue on disk; the rule they keep is in lanes.h.
 */
#include "daemon/job/lanes.h"

#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/job/rest.h"
#include "daemon/job/routes.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_FLOOR 8

struct lanes {
	struct owner *owners; /* owned, hashed by uid */
	struct route *routes; /* owned, hashed by text */
	struct lane *by_id;   /* owned, hashed by id */
	struct job *jobs;     /* owned, hashed by id */
	struct rest rest;
	size_t window, max_heads, max_routes;
	size_t shared_window; /* what window_of() last said: no window is larger */
	uint32_t next_lane;
};

static void shrink_windows(struct lanes *lanes);

struct lanes *
lanes_new(size_t window, size_t max_heads, size_t max_routes)
{
	struct lanes *lanes = must_alloc(sizeof(*lanes));

	*lanes = (struct lanes){ .next_lane = 1 };
	lanes_resize(lanes, window, max_heads, max_routes);
	return lanes;
}

void
lanes_resize(struct lanes *lanes, size_t window, size_t max_heads, size_t max_routes)
{
	lanes->window = MAX(window, (size_t)WINDOW_FLOOR);
	lanes->max_heads = max_heads;
	lanes->max_routes = max_routes;
	shrink_windows(lanes);
}

void
lanes_free(struct lanes *lanes)
{
	struct job *job, *next_job;
	struct lane *lane, *next_lane;
	struct owner *owner, *next_owner;

	if (!lanes)
		return;
	HASH_ITER (hh, lanes->jobs, job, next_job)
		lanes_drop(lanes, job);
	HASH_ITER (hh, lanes->by_id, lane, next_lane) {
		HASH_DEL(lanes->by_id, lane);
		free(lane->window);
		free(lane);
	}
	HASH_ITER (hh, lanes->owners, owner, next_owner) {
		HASH_DEL(lanes->owners, owner);
		free(owner->lanes);
		free(owner);
	}
	routes_free(&lanes->routes);
	rest_clear(&lanes->rest);
	free(lanes);
}

struct owner *
lanes_owner(struct lanes *lanes, uid_t uid, bool *ret_new)
{
	struct owner *owner;

	HASH_FIND(hh, lanes->owners, &uid, sizeof(uid), owner);
	if (ret_new)
		*ret_new = !owner;
	if (owner)
		return owner;
	owner = must_alloc(sizeof(*owner));
	*owner = (struct owner){ .uid = uid, .limits = { .weight = 1 } };
	HASH_ADD(hh, lanes->owners, uid, sizeof(uid), owner);
	return owner;
}

struct owner *
lanes_next_owner(const struct lanes *lanes, const struct owner *owner)
{
	return owner ? owner->hh.next : lanes->owners;
}

struct lane *
lanes_find_lane(const struct lanes *lanes, uint32_t id)
{
	struct lane *lane;

	HASH_FIND(hh, lanes->by_id, &id, sizeof(id), lane);
	return lane;
}

struct lane *
lanes_next_lane(const struct lanes *lanes, const struct lane *lane)
{
	return lane ? lane->hh.next : lanes->by_id;
}

static struct lane *
find_among(const struct owner *owner, int class, const struct route *route)
{
	for (size_t i = 0; i < owner->lane_count; i++)
		if (owner->lanes[i]->class == class && owner->lanes[i]->route == route)
			return owner->lanes[i];
	return NULL;
}

static struct lane *
add_lane(struct lanes *lanes, struct owner *owner, int class, struct route *route, uint32_t id)
{
	struct lane *lane = must_alloc(sizeof(*lane));

	*lane = (struct lane){ .id = id, .owner = owner, .route = route, .class = class };
	HASH_ADD(hh, lanes->by_id, id, sizeof(id), lane);
	owner->lanes = realloc(owner->lanes, (owner->lane_count + 1) * sizeof(struct lane *));
	if (!owner->lanes)
		fatal("out of memory");
	owner->lanes[owner->lane_count++] = lane;
	lanes->next_lane = MAX(lanes->next_lane, id + 1);
	shrink_windows(lanes);
	return lane;
}

static int
compare_pointers(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

/* Routes of all its lanes, each counted once. */
static size_t
count_routes(const struct owner *owner)
{
	const struct route **routes = must_alloc((owner->lane_count + 1) * sizeof(*routes));
	size_t count = 0;

	for (size_t i = 0; i < owner->lane_count; i++)
		routes[i] = owner->lanes[i]->route;
	qsort(routes, owner->lane_count, sizeof(*routes), compare_pointers);
	for (size_t i = 0; i < owner->lane_count; i++)
		count += i == 0 || routes[i] != routes[i - 1];
	free(routes);
	return count;
}

/* Has it a lane of that route, in any class? */
static bool
uses_route(const struct owner *owner, const struct route *route)
{
	for (size_t i = 0; route && i < owner->lane_count; i++)
		if (owner->lanes[i]->route == route)
			return true;
	return false;
}

enum forebay_err
lanes_lane(struct lanes *lanes, struct owner *owner, int class, const char *text, struct lane **ret)
{
	struct route *route = routes_find(lanes->routes, text);

	*ret = route ? find_among(owner, class, route) : NULL;
	if (*ret)
		return FOREBAY_ERR_OK;
	if (owner->lane_count >= lanes->max_routes && !uses_route(owner, route) &&
	    count_routes(owner) >= lanes->max_routes)
		return FOREBAY_ERR_OVER_QUOTA;
	if (!route)
		route = routes_add(&lanes->routes, text);
	*ret = add_lane(lanes, owner, class, route, lanes->next_lane);
	(*ret)->complete = true; /* new: nothing of it is on disk yet */
	return FOREBAY_ERR_OK;
}

struct lane *
lanes_restore(struct lanes *lanes, struct owner *owner, int class, const char *text, uint32_t id,
	      uint64_t queued)
{
	struct route *route = routes_find(lanes->routes, text);
	struct lane *lane;

	if (!route)
		route = routes_add(&lanes->routes, text);
	lane = add_lane(lanes, owner, class, route, id);
	lane->queued = queued;
	lane->complete = queued == 0;
	lane->bound_priority = INT16_MAX;
	return lane;
}

struct job *
lanes_find(const struct lanes *lanes, uint64_t id)
{
	struct job *job;

	HASH_FIND(hh, lanes->jobs, &id, sizeof(id), job);
	return job;
}

size_t
lanes_heads(const struct lanes *lanes)
{
	return HASH_COUNT(lanes->jobs);
}

struct job *
lanes_make(struct lanes *lanes, struct lane *lane, uint64_t id)
{
	struct job *job = must_alloc(sizeof(*job));

	*job =
	    (struct job){ .id = id, .lane = lane, .state = FOREBAY_JOB_QUEUED, .heap_index = -1 };
	HASH_ADD(hh, lanes->jobs, id, sizeof(id), job);
	metrics.heads_in_memory++;
	return job;
}

/* Where job stands in its lane's window, or would stand. */
static size_t
position(const struct lane *lane, const struct job *job)
{
	size_t low = 0, high = lane->ready;

	/* New jobs mostly come last. */
	if (high && job_before(lane->window[high - 1], job))
		return high;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (job_before(lane->window[mid], job))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void
lanes_leave(struct lanes *lanes, struct job *job)
{
	struct lane *lane = job->lane;

	rest_remove(&lanes->rest, job);
	if (!job->ready)
		return;
	size_t at = position(lane, job);

	memmove(&lane->window[at], &lane->window[at + 1],
		(lane->ready - at - 1) * sizeof(struct job *));
	lane->ready--;
	lane->owner->ready--;
	job->ready = false;
}

void
lanes_drop(struct lanes *lanes, struct job *job)
{
	lanes_leave(lanes, job);
	HASH_DEL(lanes->jobs, job);
	metrics.heads_in_memory--;
	free(job);
}

/* Heads a lane may hold: everybody's window shrinks when there are many lanes. */
static size_t
window_of(const struct lanes *lanes)
{
	size_t lanes_open = HASH_COUNT(lanes->by_id);
	size_t share = lanes_open ? lanes->max_heads / lanes_open : lanes->max_heads;

	return MAX((size_t)WINDOW_FLOOR, MIN(lanes->window, share));
}

static void
set_bound(struct lane *lane, int16_t priority, uint64_t id, bool complete)
{
	lane->bound_priority = priority;
	lane->bound_id = id;
	lane->complete = complete;
}

/* Push out what stands last, back to where the disk alone knows it; false when
 * all of it lives in memory alone. */
static bool
evict_tail(struct lanes *lanes, struct lane *lane)
{
	size_t last = lane->ready;

	while (last > 0 && lane->window[last - 1]->ephemeral)
		last--;
	if (last == 0)
		return false;
	lanes_drop(lanes, lane->window[last - 1]);
	last--;
	while (last > 0 && lane->window[last - 1]->ephemeral)
		last--;
	if (last > 0)
		set_bound(lane, lane->window[last - 1]->priority, lane->window[last - 1]->id,
			  false);
	else
		set_bound(lane, INT16_MAX, 0, false);
	if (lane->refilling) {
		lane->refilling = false;
		lane->generation++;
	}
	return true;
}

/* After a change of what window_of() answers: a lane that nobody touches must
 * not keep more than its share. */
static void
shrink_windows(struct lanes *lanes)
{
	size_t before = lanes->shared_window, window = window_of(lanes);
	struct lane *lane, *next;

	lanes->shared_window = window;
	if (window >= before)
		return;
	HASH_ITER (hh, lanes->by_id, lane, next)
		while (lane->ready > window && evict_tail(lanes, lane))
			;
}

static bool
behind_bound(const struct lane *lane, const struct job *job)
{
	const struct job bound = { .priority = lane->bound_priority, .id = lane->bound_id };

	return !lane->complete && job_before(&bound, job);
}

bool
lanes_enter(struct lanes *lanes, struct job *job)
{
	struct lane *lane = job->lane;
	uint64_t id = job->id;

	if (!job->ephemeral && behind_bound(lane, job)) {
		lanes_drop(lanes, job);
		return false;
	}
	if (lane->ready == lane->room) {
		lane->room = lane->room ? 2 * lane->room : WINDOW_FLOOR;
		lane->window = realloc(lane->window, lane->room * sizeof(struct job *));
		if (!lane->window)
			fatal("out of memory");
	}
	size_t at = position(lane, job);

	memmove(&lane->window[at + 1], &lane->window[at],
		(lane->ready - at) * sizeof(struct job *));
	lane->window[at] = job;
	lane->ready++;
	lane->owner->ready++;
	job->ready = true;
	if (lane->ready > window_of(lanes))
		(void)evict_tail(lanes, lane);
	return lanes_find(lanes, id) != NULL;
}

void
lanes_rest(struct lanes *lanes, struct job *job)
{
	lanes_leave(lanes, job);
	rest_add(&lanes->rest, job);
}

int64_t
lanes_wake(struct lanes *lanes, int64_t now_ms)
{
	for (struct job *job; (job = rest_first(&lanes->rest));) {
		if (job->rest_until_ms > now_ms)
			return job->rest_until_ms;
		rest_remove(&lanes->rest, job);
		job->eligible_ms = job->rest_until_ms;
		(void)lanes_enter(lanes, job);
	}
	return INT64_MAX;
}

size_t
lanes_refill_size(const struct lanes *lanes, const struct lane *lane)
{
	size_t window = window_of(lanes);

	return window > lane->ready ? window - lane->ready : 0;
}

bool
lanes_wants_refill(const struct lanes *lanes, const struct lane *lane)
{
	return !lane->complete && !lane->refilling && lane->ready <= window_of(lanes) / 2;
}

bool
lanes_refilled(struct lanes *lanes, struct lane *lane, uint32_t generation, struct job **jobs,
	       size_t count, int16_t last_priority, uint64_t last_id, bool more)
{
	if (generation != lane->generation) {
		for (size_t i = 0; i < count; i++)
			lanes_drop(lanes, jobs[i]);
		return false;
	}
	lane->refilling = false;
	/* The bound first: what comes in stands before it. */
	if (more)
		set_bound(lane, last_priority, last_id, false);
	else
		lane->complete = true;
	for (size_t i = 0; i < count; i++)
		(void)lanes_enter(lanes, jobs[i]);
	return true;
}
