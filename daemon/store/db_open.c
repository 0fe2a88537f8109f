/*
 * db_open.c - from a directory to a connection one can trust: whose file is it,
 * which version, is it whole; pragmas; migrations; prepared statements.
 *
 * The pragmas and why are those of the measurements: one connection with the
 * file to itself (no -shm, no WAL-reset bug), small cache, checkpoints by the
 * store's thread.
 */
#include "daemon/store/db.h"

#include "daemon/base/log.h"
#include "daemon/store/migrations.h"

#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DB_NAME	       "forebay.db"
#define APPLICATION_ID 0x466f7265 /* "Fore" */
#define SQLITE_MAGIC   "SQLite format 3"
#define PATH_LEN       4096
#define HEADER_LEN     100
#define VERSION_AT     60
#define APPLICATION_AT 68

/* What SQLite keeps beside the database. */
static const char *const companions[] = { "-wal", "-journal" };

struct opening {
	char path[PATH_LEN];
	struct db *db; /* owned */
	bool refused;  /* not ours to touch: no checkpoint, no rename */
	char *why;     /* borrowed */
	size_t why_len;
};

static void PRINTF_LIKE(2, 3) say(const struct opening *opening, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(opening->why, opening->why_len, fmt, args);
	va_end(args);
}

/* --- whose file is it -------------------------------------------------------- */

static uint32_t
big_endian_32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum forebay_err
refuse_foreign(struct opening *opening, uint32_t id)
{
	opening->refused = true;
	say(opening,
	    "%s is an SQLite database of another program (application id 0x%08x); it was left "
	    "untouched, move it away or use another state directory",
	    opening->path, (unsigned)id);
	return FOREBAY_ERR_STORAGE;
}

static enum forebay_err
refuse_newer(struct opening *opening, int version)
{
	opening->refused = true;
	say(opening,
	    "%s has version %d, this forebayd knows versions up to %d; it was left untouched, "
	    "install the newer forebayd again",
	    opening->path, version, migration_count);
	return FOREBAY_ERR_STORAGE;
}

static bool
has_journal(const struct opening *opening)
{
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s-journal", opening->path);
	return access(path, F_OK) == 0;
}

/*
 * Look with our own eyes before SQLite does, which would roll a journal back.
 * Our id is in the header from the first write on; a journal beside it means
 * that this very write was cut off, and then SQLite sorts it out.
 */
static enum forebay_err
judge_header(struct opening *opening, int fd)
{
	uint8_t header[HEADER_LEN];
	ssize_t len = pread(fd, header, sizeof(header), 0);

	if (len < 0) {
		say(opening, "cannot read %s: %s", opening->path, strerror(errno));
		return FOREBAY_ERR_STORAGE;
	}
	if (len < HEADER_LEN || memcmp(header, SQLITE_MAGIC, sizeof(SQLITE_MAGIC)) != 0)
		return FOREBAY_ERR_OK;
	if (big_endian_32(header + APPLICATION_AT) != APPLICATION_ID)
		return has_journal(opening)
			   ? FOREBAY_ERR_OK
			   : refuse_foreign(opening, big_endian_32(header + APPLICATION_AT));
	if (big_endian_32(header + VERSION_AT) > (uint32_t)migration_count)
		return refuse_newer(opening, (int)big_endian_32(header + VERSION_AT));
	return FOREBAY_ERR_OK;
}

/* Made by us, so that it is private from its first byte; SQLite gives the log
 * the same mode. Closed again before SQLite opens it: closing later would drop
 * SQLite's locks. */
static enum forebay_err
look_at_file(struct opening *opening)
{
	int fd = open(opening->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum forebay_err err;

	if (fd < 0) {
		say(opening, "cannot open %s: %s", opening->path, strerror(errno));
		return FOREBAY_ERR_STORAGE;
	}
	err = judge_header(opening, fd);
	if (!err && fchmod(fd, 0600) != 0)
		log_warn("making %s private: %s, going on", opening->path, strerror(errno));
	close(fd);
	return err;
}

/* --- SQLite opens it --------------------------------------------------------- */

static enum forebay_err
failed(struct opening *opening, const char *doing)
{
	sqlite3 *handle = opening->db->handle;
	int rc = sqlite3_extended_errcode(handle);

	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
		opening->db->failure = DB_DAMAGED;
	if ((rc & 0xff) == SQLITE_BUSY)
		say(opening, "%s is open in another program (sqlite3?); close it there first",
		    opening->path);
	else
		say(opening, "%s, %s: %s", opening->path, doing, sqlite3_errmsg(handle));
	return FOREBAY_ERR_STORAGE;
}

static enum forebay_err
run(struct opening *opening, const char *sql)
{
	if (sqlite3_exec(opening->db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(opening, sql);
	return FOREBAY_ERR_OK;
}

static int
take_number(void *ret, int columns, char **values, char **names)
{
	(void)names;
	if (columns > 0 && values[0])
		*(int64_t *)ret = strtoll(values[0], NULL, 10);
	return 0;
}

static enum forebay_err
ask_number(struct opening *opening, const char *sql, int64_t *ret)
{
	*ret = 0;
	if (sqlite3_exec(opening->db->handle, sql, take_number, ret, NULL) != SQLITE_OK)
		return failed(opening, sql);
	return FOREBAY_ERR_OK;
}

static enum forebay_err
connect_to(struct opening *opening)
{
	int rc = sqlite3_open_v2(opening->path, &opening->db->handle,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (!opening->db->handle)
		fatal("out of memory");
	if (rc != SQLITE_OK)
		return failed(opening, "open");
	sqlite3_extended_result_codes(opening->db->handle, 1);
	sqlite3_db_config(opening->db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return run(opening, "PRAGMA locking_mode=EXCLUSIVE");
}

#define STRING(x)  STRING_(x)
#define STRING_(x) #x

/* These can only be chosen before anything is written; the last one writes. */
static enum forebay_err
make_new(struct opening *opening)
{
	return run(opening, "PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL;"
			    "PRAGMA application_id=" STRING(APPLICATION_ID));
}

static enum forebay_err
check_identity(struct opening *opening, int *ret_version)
{
	int64_t pages, id, version;
	enum forebay_err err = ask_number(opening, "PRAGMA page_count", &pages);

	if (!err && pages == 0)
		err = make_new(opening);
	if (!err)
		err = ask_number(opening, "PRAGMA application_id", &id);
	if (!err)
		err = ask_number(opening, "PRAGMA user_version", &version);
	if (err)
		return err;
	if (id != APPLICATION_ID)
		return refuse_foreign(opening, (uint32_t)id);
	if (version > migration_count)
		return refuse_newer(opening, (int)version);
	*ret_version = (int)version;
	return FOREBAY_ERR_OK;
}

static const char pragmas[] = "PRAGMA journal_mode=WAL;"
			      "PRAGMA wal_autocheckpoint=0;"
			      "PRAGMA journal_size_limit=67108864;"
			      "PRAGMA cache_size=-2000;"
			      "PRAGMA mmap_size=0;"
			      "PRAGMA temp_store=MEMORY;"
			      "PRAGMA trusted_schema=OFF;"
			      "PRAGMA cell_size_check=ON;";

static enum forebay_err
set_up(struct opening *opening, bool durability_full, int version)
{
	sqlite3 *handle = opening->db->handle;
	enum forebay_err err = run(opening, pragmas);
	int64_t is_wal = 0;

	if (!err)
		err = run(opening, durability_full ? "PRAGMA synchronous=FULL"
						   : "PRAGMA synchronous=NORMAL");
	if (!err)
		err = ask_number(opening, "SELECT journal_mode = 'wal' FROM pragma_journal_mode",
				 &is_wal);
	if (err)
		return err;
	if (!is_wal) {
		say(opening, "%s: this file system cannot hold a write-ahead log", opening->path);
		return FOREBAY_ERR_STORAGE;
	}
	if (version < migration_count) {
		if (version > 0)
			log_info("database version %d, migrating to %d", version, migration_count);
		if (migrations_apply(handle, migrations, version, migration_count) != SQLITE_OK)
			return failed(opening, "migrate");
	}
	return FOREBAY_ERR_OK;
}

static enum forebay_err
prepare_all(struct opening *opening)
{
	struct db *db = opening->db;

	for (int sql = 0; sql < SQL_COUNT; sql++)
		if (sqlite3_prepare_v3(db->handle, db_statement_text(sql), -1,
				       SQLITE_PREPARE_PERSISTENT, &db->statements[sql],
				       NULL) != SQLITE_OK)
			return failed(opening, db_statement_text(sql));
	return FOREBAY_ERR_OK;
}

static int
db_on_commit(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = arg;

	(void)handle;
	(void)name;
	db->wal_pages = (unsigned)pages;
	return SQLITE_OK;
}

static enum forebay_err
open_in_order(struct opening *opening, bool durability_full)
{
	int version = 0;
	enum forebay_err err = look_at_file(opening);

	if (!err)
		err = connect_to(opening);
	if (!err)
		err = check_identity(opening, &version);
	if (!err)
		err = set_up(opening, durability_full, version);
	if (!err)
		err = prepare_all(opening);
	return err;
}

/* --- endings ----------------------------------------------------------------- */

static void
close_handle(struct db *db, bool checkpoint)
{
	if (db->handle)
		sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !checkpoint, NULL);
	for (int sql = 0; sql < SQL_COUNT; sql++)
		sqlite3_finalize(db->statements[sql]);
	if (sqlite3_close(db->handle) != SQLITE_OK)
		log_warn("closing the database: %s", sqlite3_errmsg(db->handle));
	counts_clear(&db->counts);
	free(db);
}

void
db_close(struct db *db)
{
	if (db)
		close_handle(db, db->failure == DB_FINE);
}

enum forebay_err
db_set_aside(const char *dir, int64_t now_ms, char *why, size_t why_len)
{
	char path[PATH_LEN], aside[PATH_LEN + 48], from[PATH_LEN + 16], to[PATH_LEN + 64];
	char stamp[32], damage[DB_WHY_LEN];
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(path, sizeof(path), "%s/" DB_NAME, dir);
	snprintf(aside, sizeof(aside), "%s.damaged-%s", path, stamp);
	snprintf(damage, sizeof(damage), "%s", why);
	for (size_t i = 0; i < ARRAY_LEN(companions); i++) {
		snprintf(from, sizeof(from), "%s%s", path, companions[i]);
		snprintf(to, sizeof(to), "%s%s", aside, companions[i]);
		if (rename(from, to) != 0 && errno != ENOENT)
			log_warn("renaming %s: %s", from, strerror(errno));
	}
	if (rename(path, aside) != 0)
		snprintf(why, why_len, "the database is damaged (%s) and cannot be renamed: %s",
			 damage, strerror(errno));
	else
		snprintf(why, why_len, "the database is damaged (%s); it was kept as %s", damage,
			 aside);
	log_with(LOG_LEVEL_ERROR, LOG_FIELDS(.message_id = LOG_MESSAGE_STORE_DAMAGED), "%s", why);
	return FOREBAY_ERR_STORAGE;
}

enum forebay_err
db_open(const char *dir, bool durability_full, int64_t now_ms, struct db **ret, char *why,
	size_t why_len)
{
	struct opening opening = { .why = why, .why_len = why_len };
	enum forebay_err err;
	bool damaged;

	if (snprintf(opening.path, sizeof(opening.path), "%s/" DB_NAME, dir) >=
	    (int)sizeof(opening.path) - 64) {
		snprintf(why, why_len, "the name of the state directory is too long");
		return FOREBAY_ERR_STORAGE;
	}
	opening.db = must_alloc(sizeof(*opening.db));
	err = open_in_order(&opening, durability_full);
	if (!err) {
		sqlite3_wal_hook(opening.db->handle, db_on_commit, opening.db);
		*ret = opening.db;
		return FOREBAY_ERR_OK;
	}
	damaged = opening.db->failure == DB_DAMAGED && !opening.refused;
	close_handle(opening.db, false);
	return damaged ? db_set_aside(dir, now_ms, why, why_len) : err;
}
