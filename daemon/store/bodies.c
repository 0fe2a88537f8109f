/*
 * bodies.c - bodies as columns or pieces; see bodies.h.
 */
#include "daemon/store/bodies.h"

#include "daemon/base/log.h"

#include <stdlib.h>
#include <string.h>

/* Freed pieces are overwritten (SECURE_DELETE), so a few at a time: 1 MiB. */
#define TRASH_PIECES   4
#define BODIES_PER_JOB 4 /* places for kinds of them */

uint64_t
bodies_id(uint64_t job, enum body_kind kind)
{
	return job * BODIES_PER_JOB + kind;
}

static uint64_t
piece_id(uint64_t body, size_t offset)
{
	return body * BODIES_PIECE_MAX + offset / BODIES_PIECE;
}

/* --- to the disk ------------------------------------------------------------- */

bool
bodies_needs_staging(const struct body_in *in)
{
	return in->data && in->len - in->staged > BODIES_PIECE;
}

static void
put_piece(struct db *db, const struct body_in *in, size_t offset)
{
	size_t len = MIN(in->len - offset, (size_t)BODIES_PIECE);

	db_run(db, SQL_CHUNK_ADD, DB_INT(piece_id(in->id, offset)),
	       DB_BLOB(in->data + offset, len));
}

void
bodies_stage(struct db *db, struct body_in *in)
{
	if (in->staged == 0)
		db_run(db, SQL_TRASH_ADD, DB_INT(in->id), DB_INT(1));
	put_piece(db, in, in->staged);
	in->staged += BODIES_PIECE;
}

void
bodies_put(struct db *db, struct body_in *in)
{
	if (in->len <= BODIES_INLINE) {
		db_run(db, SQL_BODY_ADD, DB_INT(in->id), DB_INT(in->len),
		       DB_BLOB(in->data, in->len));
		return;
	}
	put_piece(db, in, in->staged);
	db_run(db, SQL_BODY_ADD, DB_INT(in->id), DB_INT(in->len), DB_NULL());
	/* Also what an earlier try at this body left behind: its sweep would take
	 * our pieces along. */
	db_run(db, SQL_TRASH_DELETE, DB_INT(in->id));
	in->stored = true;
}

void
bodies_unstage(struct db *db, struct body_in *in)
{
	if (!in->staged || in->stored)
		return;
	db_run(db, SQL_TRASH_ADD, DB_INT(in->id), DB_INT(0));
	db->trash = true;
}

/* --- sharing ----------------------------------------------------------------- */

struct info {
	int64_t refs;
	uint64_t len;
	bool in_pieces;
};

static bool
find_info(struct db *db, uint64_t id, struct info *ret)
{
	CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_BODY_INFO, DB_INT(id));

	if (!db_row(db, query))
		return false;
	ret->refs = sqlite3_column_int64(query, 0);
	ret->len = (uint64_t)sqlite3_column_int64(query, 1);
	ret->in_pieces = sqlite3_column_int(query, 2);
	return true;
}

bool
bodies_share(struct db *db, uint64_t id, uint64_t *ret_len)
{
	struct info info;

	if (!find_info(db, id, &info))
		return false;
	db_run(db, SQL_BODY_SHARE, DB_INT(id), DB_INT(1));
	*ret_len = info.len;
	return true;
}

void
bodies_release(struct db *db, uint64_t id)
{
	struct info info;

	if (!id || !find_info(db, id, &info))
		return;
	if (info.refs > 1) {
		db_run(db, SQL_BODY_SHARE, DB_INT(id), DB_INT(-1));
		return;
	}
	db_run(db, SQL_BODY_DELETE, DB_INT(id));
	if (!info.in_pieces)
		return;
	db_run(db, SQL_TRASH_ADD, DB_INT(id), DB_INT(0));
	db->trash = true;
}

/* --- from the disk ----------------------------------------------------------- */

/* One body, not the file: whoever needs it fails, everybody else goes on. */
static enum forebay_err
damaged(struct db *db, uint64_t id, const char *what)
{
	if (db->failure != DB_FINE)
		return FOREBAY_ERR_STORAGE;
	log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.job_id = id / BODIES_PER_JOB),
		 "store: a body of this job is damaged: %s", what);
	return FOREBAY_ERR_INTERNAL;
}

enum forebay_err
bodies_open(struct db *db, uint64_t id, struct body_out *ret)
{
	struct info info;

	*ret = (struct body_out){ .id = id };
	if (!find_info(db, id, &info))
		return damaged(db, id, "its row is missing");
	if (info.len > (uint64_t)BODIES_PIECE_MAX * BODIES_PIECE)
		return damaged(db, id, "its length cannot be");
	ret->len = info.len;
	/* Room for a terminator: an empty body is a pointer, not NULL. */
	ret->data = malloc(info.len + 1);
	if (!ret->data)
		return FOREBAY_ERR_NO_MEMORY;
	ret->data[info.len] = 0;
	return info.in_pieces ? FOREBAY_ERR_OK : bodies_read_piece(db, ret);
}

bool
bodies_is_read(const struct body_out *out)
{
	return !out->id || out->done == out->len;
}

/* Removed with its row, or alone. */
static enum forebay_err
missing(struct db *db, uint64_t id)
{
	struct info info;

	if (!find_info(db, id, &info))
		return db->failure ? FOREBAY_ERR_STORAGE : FOREBAY_ERR_NOT_FOUND;
	return damaged(db, id, "a piece of it is missing");
}

static enum forebay_err
read_into(struct db *db, sqlite3_stmt *query, struct body_out *out, size_t want)
{
	if (!db_row(db, query))
		return missing(db, out->id);
	if ((size_t)sqlite3_column_bytes(query, 0) != want)
		return damaged(db, out->id, "it has another length than its row says");
	if (want)
		memcpy(out->data + out->done, sqlite3_column_blob(query, 0), want);
	out->done += want;
	return FOREBAY_ERR_OK;
}

enum forebay_err
bodies_read_piece(struct db *db, struct body_out *out)
{
	if (out->len <= BODIES_INLINE) {
		CLEANUP(db_done) sqlite3_stmt *query = db_query(db, SQL_BODY_READ, DB_INT(out->id));

		return read_into(db, query, out, out->len);
	} else {
		CLEANUP(db_done)
		sqlite3_stmt *query =
		    db_query(db, SQL_CHUNK_READ, DB_INT(piece_id(out->id, out->done)));

		return read_into(db, query, out, MIN(out->len - out->done, (size_t)BODIES_PIECE));
	}
}

/* --- trash ------------------------------------------------------------------- */

static uint64_t
next_trash(struct db *db)
{
	return (uint64_t)db_number(db, SQL_TRASH_NEXT, 0);
}

bool
bodies_forsake(struct db *db)
{
	if (!db_begin(db))
		return false;
	db_run_values(db, SQL_TRASH_ALL, NULL, 0);
	return db_commit(db);
}

bool
bodies_sweep_trash(struct db *db)
{
	uint64_t body;

	if (!db_begin(db))
		return false;
	body = next_trash(db);
	if (body && db_run(db, SQL_CHUNKS_DROP, DB_INT(body * BODIES_PIECE_MAX),
			   DB_INT(TRASH_PIECES)) < TRASH_PIECES)
		db_run(db, SQL_TRASH_DELETE, DB_INT(body));
	return db_commit(db) && body != 0;
}
