/*
 * db.h - the one connection to SQLite: opening, statements by name, and the
 * translation of its errors. Private to daemon/store/; after the store's thread
 * has started, that thread alone touches it.
 *
 * A call that fails at the disk sets db->failure, which sticks until
 * db_rollback(): callers may go on to the end of what they do, and look once.
 */
#ifndef DAEMON_STORE_DB_H
#define DAEMON_STORE_DB_H

#include "protocol/base.h"
#include "protocol/errors.h"
#include "daemon/store/arena.h"
#include "daemon/store/counts.h"
#include "daemon/store/statements.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#define DB_PAGE_SIZE 8192u
#define DB_WHY_LEN   256

enum db_failure {
	DB_FINE,
	DB_REFUSED, /* this transaction cannot be; the next one may */
	DB_FULL,    /* no space, or read-only: goes by when somebody makes room */
	DB_BROKEN,  /* I/O error: what is on disk is unknown */
	DB_DAMAGED, /* the file is not what we wrote */
};

struct db {
	sqlite3 *handle;		     /* owned */
	sqlite3_stmt *statements[SQL_COUNT]; /* owned */
	struct counts counts;
	enum db_failure failure;
	char why[DB_WHY_LEN];	  /* of the failure, for people */
	bool quiet;		  /* failures are expected: do not log each */
	bool trash;		  /* there may be bodies to remove */
	unsigned wal_pages;	  /* in the log, not yet in the database */
	uint64_t high_id;	  /* highest job id ever seen */
	uint64_t next_id;	  /* as saved: none below is given out again */
	uint64_t next_id_pending; /* to be saved with this transaction, or 0 */
};

/*
 * Open DIR/forebay.db, make or migrate it. Foreign or newer: refused untouched.
 * Damaged: renamed aside. why says what is wrong in one sentence.
 */
MUST_CHECK enum forebay_err db_open(const char *dir, bool durability_full, int64_t now_ms,
				    struct db **ret, char *why, size_t why_len);
/* Checkpoints unless the file is broken. Accepts NULL. */
void db_close(struct db *db);
/* Put DIR/forebay.db and its log under another name; STORAGE and a sentence. */
MUST_CHECK enum forebay_err db_set_aside(const char *dir, int64_t now_ms, char *why,
					 size_t why_len);

/* A value to bind. Text and blobs are not copied: they outlive the statement. */
struct db_value {
	enum { DB_VALUE_NULL, DB_VALUE_INT, DB_VALUE_TEXT, DB_VALUE_BLOB } type;
	int64_t number; /* or the length of a blob */
	const void *bytes;
};
#define DB_NULL()	((struct db_value){ DB_VALUE_NULL, 0, NULL })
#define DB_INT(n)	((struct db_value){ DB_VALUE_INT, (int64_t)(n), NULL })
#define DB_TEXT(s)	((struct db_value){ DB_VALUE_TEXT, 0, (s) }) /* NULL is NULL */
#define DB_BLOB(p, len) ((struct db_value){ DB_VALUE_BLOB, (int64_t)(len), (p) })

/* A statement ready to be stepped; end with CLEANUP(db_done). */
sqlite3_stmt *db_query_values(struct db *db, enum sql sql, const struct db_value *values,
			      size_t count);
#define db_query(db, sql, ...)                                                                     \
	db_query_values(db, sql, (const struct db_value[]){ __VA_ARGS__ },                         \
			sizeof((const struct db_value[]){ __VA_ARGS__ }) /                         \
			    sizeof(struct db_value))
/* True: there is a row. False: no more, or a failure. */
bool db_row(struct db *db, sqlite3_stmt *query);
void db_done(sqlite3_stmt **query);

/* Run to the end. Returns the number of rows changed; -1 after a failure. */
int db_run_values(struct db *db, enum sql sql, const struct db_value *values, size_t count);
#define db_run(db, sql, ...)                                                                       \
	db_run_values(db, sql, (const struct db_value[]){ __VA_ARGS__ },                           \
		      sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value))

/* As written in the table. */
const char *db_statement_text(enum sql sql);

const char *db_text(sqlite3_stmt *query, int column, struct arena *arena);
/* The file says what we never wrote. */
void db_damaged(struct db *db, const char *what);

/* The number in the first column of the first row; otherwise when there is none. */
int64_t db_number(struct db *db, enum sql sql, int64_t otherwise);

bool db_begin(struct db *db);
/* Counts and the next id go in first. False: rolled back, failure says why. */
bool db_commit(struct db *db);
/* Accepts a transaction that SQLite has ended already. Forgets the failure. */
void db_rollback(struct db *db);

/* Copy what the log holds into the database. False: failure says why. */
bool db_checkpoint(struct db *db);

/* No id below limit is given out again; saved with the transaction under way. */
void db_keep_ids(struct db *db, uint64_t limit);

#endif
