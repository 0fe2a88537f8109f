/*
 * arena.h - memory that is freed at once: what one operation or one opening of
 * the store copies, borrows and answers lives exactly as long as its arena.
 */
#ifndef DAEMON_STORE_ARENA_H
#define DAEMON_STORE_ARENA_H

#include <stddef.h>

struct arena_block;

/* All zero is an empty arena. */
struct arena {
	struct arena_block *blocks; /* owned, newest first */
};

/* Zeroed, aligned for anything; never NULL. Only for sizes we have bounded. */
void *arena_alloc(struct arena *arena, size_t size);
/* NULL for NULL. */
const char *arena_strdup(struct arena *arena, const char *text);
void arena_clear(struct arena *arena);

#endif
