/*
 * bodies.h - requests, answers and raw bytes on disk.
 *
 * Up to BODIES_INLINE a body is a column. A bigger one is a row and pieces, so
 * that it never stands twice in memory and never makes anybody wait for more
 * than one piece: all but the last are staged in transactions of their own
 * before the operation that owns them runs, and pieces are read one by one
 * after its transaction. What is staged for nobody is trash.
 */
#ifndef DAEMON_STORE_BODIES_H
#define DAEMON_STORE_BODIES_H

#include "protocol/base.h"
#include "protocol/errors.h"
#include "daemon/store/db.h"

#define BODIES_INLINE	 (64u * 1024)
#define BODIES_PIECE	 (256u * 1024)
#define BODIES_PIECE_MAX 4096u /* of one body: what an id has room for */

enum body_kind { BODY_REQUEST, BODY_ANSWER, BODY_RAW };

/* The body of that kind of a job, for its whole life. */
uint64_t bodies_id(uint64_t job, enum body_kind kind);

/* A body on its way to the disk. */
struct body_in {
	uint64_t id;
	uint8_t *data; /* owned */
	size_t len;
	size_t staged; /* bytes on disk in pieces */
	bool stored;   /* a row owns the pieces, in this transaction or for good */
};
/* A body on its way from the disk. */
struct body_out {
	uint64_t id; /* 0: none */
	uint8_t *data;
	size_t len;
	size_t done; /* bytes read */
};

/* Pieces must be staged before bodies_put() may run. */
bool bodies_needs_staging(const struct body_in *in);
void bodies_stage(struct db *db, struct body_in *in);
/* The row, and the last piece. */
void bodies_put(struct db *db, struct body_in *in);
/* What was staged for nothing becomes trash. */
void bodies_unstage(struct db *db, struct body_in *in);

/* One more job uses it. Its length; false: there is no such body. */
bool bodies_share(struct db *db, uint64_t id, uint64_t *ret_len);
/* One job less; the last takes it along. */
void bodies_release(struct db *db, uint64_t id);

/* Prepare to read a body that a row of this transaction names: a small one is read
 * at once, for a big one memory is taken. INTERNAL when it is not there or not
 * what its row says (damage, and logged); NO_MEMORY, STORAGE. */
MUST_CHECK enum forebay_err bodies_open(struct db *db, uint64_t id, struct body_out *ret);
bool bodies_is_read(const struct body_out *out);
/* NOT_FOUND when it was removed meanwhile; INTERNAL, STORAGE as above. */
MUST_CHECK enum forebay_err bodies_read_piece(struct db *db, struct body_out *out);

/* All that is staged belongs to nobody: trash, as a transaction of its own. False:
 * a failure. */
bool bodies_forsake(struct db *db);
/* Remove some pieces of some trash, as a transaction of its own. False: there is
 * none left, or a failure. */
bool bodies_sweep_trash(struct db *db);

#endif
