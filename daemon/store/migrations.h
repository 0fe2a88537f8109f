/*
 * migrations.h - the schema, as the steps that lead to it.
 *
 * The list is append-only: step n takes a database from version n to n + 1, in
 * one transaction of its own, and is never edited once released.
 */
#ifndef DAEMON_STORE_MIGRATIONS_H
#define DAEMON_STORE_MIGRATIONS_H

#include "protocol/base.h"

#include <stdbool.h>

typedef struct sqlite3 sqlite3;

extern const char *const migrations[];
extern const int migration_count; /* the version this program speaks */

/* Apply steps from .. to - 1 of list; from is the database's version. An SQLite
 * result code: everything before the step that failed is committed, nothing of
 * that step is. */
MUST_CHECK int migrations_apply(sqlite3 *handle, const char *const *list, int from, int to);

#endif
