/*
 * journal.h - what libcurl's callbacks saw, in order, until the loop may act
 * on it: inside a libcurl callback nothing is called, only written down here.
 */
#ifndef DAEMON_NET_JOURNAL_H
#define DAEMON_NET_JOURNAL_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;

enum journal_kind { JOURNAL_LEFT, JOURNAL_HEADERS, JOURNAL_DATA };

struct journal_entry {
	struct call *call; /* borrowed; NULL: canceled meanwhile */
	enum journal_kind kind;
	size_t offset, len; /* of data, in bytes */
};

/* All zero: empty. One for all calls, so 1,000 quiet streams hold no buffers. */
struct journal {
	struct journal_entry *entries; /* owned */
	size_t count, size;
	uint8_t *bytes; /* owned: the data of all entries */
	size_t bytes_len, bytes_size;
};

/* False without memory; nothing was added. */
MUST_CHECK bool journal_add(struct journal *journal, struct call *call, enum journal_kind kind);
MUST_CHECK bool journal_add_data(struct journal *journal, struct call *call, const void *data,
				 size_t len);
/* call is going away: its entries are skipped. */
void journal_forget(struct journal *journal, const struct call *call);
/* Everything was read. Memory is kept for the next time unless it is much. */
void journal_reset(struct journal *journal);
void journal_clear(struct journal *journal);

#endif
