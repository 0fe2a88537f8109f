/*
 * rest.c - the heap of resting jobs; see rest.h.
 */
#include "daemon/job/rest.h"

#include "daemon/base/log.h"

#include <stdlib.h>

void
rest_clear(struct rest *rest)
{
	free(rest->heap);
	*rest = (struct rest){ 0 };
}

static void
put_at(struct rest *rest, size_t i, struct job *job)
{
	rest->heap[i] = job;
	job->heap_index = (int32_t)i;
}

static void
sift_up(struct rest *rest, size_t i, struct job *job)
{
	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (rest->heap[parent]->rest_until_ms <= job->rest_until_ms)
			break;
		put_at(rest, i, rest->heap[parent]);
		i = parent;
	}
	put_at(rest, i, job);
}

static void
sift_down(struct rest *rest, size_t i, struct job *job)
{
	for (size_t child; (child = 2 * i + 1) < rest->count; i = child) {
		if (child + 1 < rest->count &&
		    rest->heap[child + 1]->rest_until_ms < rest->heap[child]->rest_until_ms)
			child++;
		if (job->rest_until_ms <= rest->heap[child]->rest_until_ms)
			break;
		put_at(rest, i, rest->heap[child]);
	}
	put_at(rest, i, job);
}

void
rest_add(struct rest *rest, struct job *job)
{
	if (rest->count == rest->room) {
		rest->room = rest->room ? 2 * rest->room : 64;
		rest->heap = realloc(rest->heap, rest->room * sizeof(struct job *));
		if (!rest->heap)
			fatal("out of memory");
	}
	sift_up(rest, rest->count++, job);
}

void
rest_remove(struct rest *rest, struct job *job)
{
	if (job->heap_index < 0)
		return;
	size_t i = (size_t)job->heap_index;
	struct job *last = rest->heap[--rest->count];

	job->heap_index = -1;
	if (last == job)
		return;
	/* Not by job's own time: whoever moves it may have changed that already. */
	if (i > 0 && last->rest_until_ms < rest->heap[(i - 1) / 2]->rest_until_ms)
		sift_up(rest, i, last);
	else
		sift_down(rest, i, last);
}

struct job *
rest_first(const struct rest *rest)
{
	return rest->count ? rest->heap[0] : NULL;
}
