/*
 * journal.c - entries and their bytes, in two growing arrays.
 */
#include "daemon/net/journal.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ENTRIES 64
#define FIRST_BYTES   65536
#define KEEP_BYTES    1048576

static bool
grow(void **array, size_t *size, size_t wanted, size_t first, size_t unit)
{
	size_t bigger = *size ? *size : first;
	void *moved;

	if (wanted <= *size)
		return true;
	while (bigger < wanted) {
		if (bigger > SIZE_MAX / 2 / unit)
			return false;
		bigger *= 2;
	}
	moved = realloc(*array, bigger * unit);
	if (!moved)
		return false;
	*array = moved;
	*size = bigger;
	return true;
}

bool
journal_add(struct journal *journal, struct call *call, enum journal_kind kind)
{
	void *entries = journal->entries;

	if (!grow(&entries, &journal->size, journal->count + 1, FIRST_ENTRIES,
		  sizeof(journal->entries[0])))
		return false;
	journal->entries = entries;
	journal->entries[journal->count++] =
	    (struct journal_entry){ .call = call, .kind = kind, .offset = journal->bytes_len };
	return true;
}

bool
journal_add_data(struct journal *journal, struct call *call, const void *data, size_t len)
{
	struct journal_entry *last = journal->count ? &journal->entries[journal->count - 1] : NULL;
	void *bytes = journal->bytes;

	if (len > SIZE_MAX - journal->bytes_len ||
	    !grow(&bytes, &journal->bytes_size, journal->bytes_len + len, FIRST_BYTES, 1))
		return false;
	journal->bytes = bytes;
	if (!last || last->call != call || last->kind != JOURNAL_DATA) {
		if (!journal_add(journal, call, JOURNAL_DATA))
			return false;
		last = &journal->entries[journal->count - 1];
	}
	memcpy(journal->bytes + journal->bytes_len, data, len);
	journal->bytes_len += len;
	last->len += len;
	return true;
}

void
journal_forget(struct journal *journal, const struct call *call)
{
	for (size_t i = 0; i < journal->count; i++)
		if (journal->entries[i].call == call)
			journal->entries[i].call = NULL;
}

void
journal_reset(struct journal *journal)
{
	if (journal->bytes_size > KEEP_BYTES)
		journal_clear(journal);
	journal->count = 0;
	journal->bytes_len = 0;
}

void
journal_clear(struct journal *journal)
{
	free(journal->entries);
	free(journal->bytes);
	*journal = (struct journal){ 0 };
}
