/*
 * store_space.h - how much room a store takes on disk, and waiting until what was
 * thrown away is gone. For tests/unit/test_store*.c.
 */
#ifndef TESTS_UNIT_STORE_SPACE_H
#define TESTS_UNIT_STORE_SPACE_H

#include "daemon/base/clock.h"
#include "tests/unit/store_answers.h"

#define ROOM	    65536 /* what pages may differ by: less than a piece of a body */
#define MEASURED_MS 1100  /* the store looks once a second of our clock: scale it */

/* What the store uses, measured after this was called. */
static inline uint64_t
space_used(struct fixture *f)
{
	int64_t until_ms = clock_mono_ms() + MEASURED_MS;
	struct got got = { 0 };
	uint64_t used, unused;

	do
		ASK(f, &got, FOREBAY_ERR_OK, store_states, NULL, 0, (uid_t)-1);
	while (clock_mono_ms() < until_ms);
	got_clear(&got);
	store_disk(f->store, &used, &unused);
	return used;
}

/* What is trash is removed when there is nothing else to do. */
static inline void
wait_for_space(struct fixture *f, uint64_t most)
{
	uint64_t used = space_used(f);

	for (int i = 0; i < 50 && used > most; i++)
		used = space_used(f);
	if (used > most)
		fail_msg("%zu bytes are in use, not %zu", (size_t)used, (size_t)most);
}

#endif
