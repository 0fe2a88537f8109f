/*
 * arena.c - a list of blocks that only grows until all of it goes.
 */
#include "daemon/store/arena.h"

#include "daemon/base/log.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* An operation with its arguments fits one block. */
#define BLOCK_SIZE 1024

struct arena_block {
	struct arena_block *next; /* owned */
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

void *
arena_alloc(struct arena *arena, size_t size)
{
	size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_block *block = arena->blocks;
	void *memory;

	if (!block || block->size - block->used < rounded) {
		size_t room = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;

		block = must_alloc(sizeof(*block) + room);
		block->size = room;
		block->next = arena->blocks;
		arena->blocks = block;
	}
	memory = block->bytes + block->used;
	block->used += rounded;
	return memory;
}

const char *
arena_strdup(struct arena *arena, const char *text)
{
	size_t size;
	char *copy;

	if (!text)
		return NULL;
	size = strlen(text) + 1;
	copy = arena_alloc(arena, size);
	memcpy(copy, text, size);
	return copy;
}

void
arena_clear(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	arena->blocks = NULL;
}
