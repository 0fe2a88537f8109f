/*
 * watch.c - watchers by job id. A watcher removed while news is being told is
 * only marked; it is freed when the telling is over.
 */
#include "daemon/run/watch.h"

#include "daemon/base/log.h"

#include <stdlib.h>
#include <uthash.h>

struct watched {
	uint64_t id;
	struct watcher *first; /* owned list */
	UT_hash_handle hh;
};

struct watcher {
	struct watched *watched; /* borrowed */
	struct watcher *next, *prev;
	struct watcher *next_removed;
	watch_fn *fn;
	void *arg; /* borrowed */
	bool removed;
};

struct watch {
	struct watched *by_id;	 /* owned */
	struct watcher *removed; /* list of those to free when telling is over */
	unsigned telling;	 /* watch_notify() calls on the stack */
};

struct watch *
watch_new(void)
{
	struct watch *watch = must_alloc(sizeof(*watch));

	*watch = (struct watch){ 0 };
	return watch;
}

static struct watched *
find(const struct watch *watch, uint64_t id)
{
	struct watched *watched;

	HASH_FIND(hh, watch->by_id, &id, sizeof(id), watched);
	return watched;
}

struct watcher *
watch_add(struct watch *watch, uint64_t id, watch_fn *fn, void *arg)
{
	struct watched *watched = find(watch, id);
	struct watcher *watcher = must_alloc(sizeof(*watcher));

	if (!watched) {
		watched = must_alloc(sizeof(*watched));
		*watched = (struct watched){ .id = id };
		HASH_ADD(hh, watch->by_id, id, sizeof(id), watched);
	}
	*watcher =
	    (struct watcher){ .watched = watched, .next = watched->first, .fn = fn, .arg = arg };
	if (watcher->next)
		watcher->next->prev = watcher;
	watched->first = watcher;
	return watcher;
}

static void
drop(struct watch *watch, struct watcher *watcher)
{
	struct watched *watched = watcher->watched;

	if (watcher->prev)
		watcher->prev->next = watcher->next;
	else
		watched->first = watcher->next;
	if (watcher->next)
		watcher->next->prev = watcher->prev;
	free(watcher);
	if (watched->first)
		return;
	HASH_DEL(watch->by_id, watched);
	free(watched);
}

void
watch_remove(struct watch *watch, struct watcher *watcher)
{
	if (!watcher)
		return;
	if (watch->telling == 0) {
		drop(watch, watcher);
		return;
	}
	watcher->removed = true;
	watcher->next_removed = watch->removed;
	watch->removed = watcher;
}

bool
watch_has(const struct watch *watch, uint64_t id)
{
	const struct watched *watched = find(watch, id);

	/* Those who left while being told still stand in the list. */
	for (const struct watcher *w = watched ? watched->first : NULL; w; w = w->next)
		if (!w->removed)
			return true;
	return false;
}

void
watch_notify(struct watch *watch, const struct watch_news *news)
{
	struct watched *watched = find(watch, news->id);

	if (!watched)
		return;
	watch->telling++;
	/* One added meanwhile stands before the first and is not told. */
	for (struct watcher *watcher = watched->first; watcher; watcher = watcher->next)
		if (!watcher->removed)
			watcher->fn(news, watcher->arg);
	watch->telling--;
	while (watch->telling == 0 && watch->removed) {
		struct watcher *watcher = watch->removed;

		watch->removed = watcher->next_removed;
		drop(watch, watcher);
	}
}

void
watch_free(struct watch *watch)
{
	struct watched *watched, *next;

	if (!watch)
		return;
	HASH_ITER (hh, watch->by_id, watched, next) {
		while (watched->first->next)
			drop(watch, watched->first);
		drop(watch, watched->first);
	}
	free(watch);
}
