/*
 * statements.h - every SQL statement the store runs, by name, in one table.
 * Only files of daemon/store/ include this.
 */
#ifndef DAEMON_STORE_STATEMENTS_H
#define DAEMON_STORE_STATEMENTS_H

/* clang-format off */
/* What moving a job needs, in the order of jobs_hot(). */
#define HOT_COLUMNS                                                                                \
	"job.id, job.state, job.lane, job.priority, job.uid, job.created, job.deadline, "          \
	"job.not_before, job.keep, job.attempts, job.max_attempts, job.tries, job.cost_input, "    \
	"job.cost_output, job.body, job.body_len, job.refused"
#define HOT_COUNT 17
/* The rest of it, in the order of jobs_full(). */
#define REST_COLUMNS                                                                               \
	"job.started, job.ended, job.error, job.flags, job.class, job.batch, job.transport, "      \
	"job.shrink_to, job.retry_of, job.digest, job.options, job.model, job.chain, "             \
	"job.model_option, job.version, job.betas, job.label, job.key, job.unit, job.skipped, " \
	"job.headers, job.query"
#define FULL_COLUMNS HOT_COLUMNS ", " REST_COLUMNS ", lane.route"
#define FULL_FROM    " FROM job LEFT JOIN lane ON lane.id = job.lane "
#define ATTEMPT_COLUMNS                                                                            \
	"job, number, started, ended, waited, model, edits, flags, outcome, http_status, "         \
	"error_type, error_code, message, request_id, input, output, cache_read, cache_write"

/*	  name            SQL */
#define STATEMENTS(X)                                                                              \
	X(BEGIN,          "BEGIN IMMEDIATE")                                                       \
	X(COMMIT,         "COMMIT")                                                                \
	X(ROLLBACK,       "ROLLBACK")                                                              \
	X(PAGE_COUNT,     "PRAGMA page_count")                                                     \
	X(FREELIST_COUNT, "PRAGMA freelist_count")                                                 \
	X(VACUUM_SOME,    "PRAGMA incremental_vacuum(64)")                                         \
	X(NEXT_ID_SAVE,   "INSERT INTO meta(name, value) VALUES ('next_id', ?1) "                  \
			  "ON CONFLICT(name) DO UPDATE SET value = excluded.value")                \
	X(NEXT_ID_LOAD,   "SELECT value FROM meta WHERE name = 'next_id'")                         \
	X(GATE_SAVE,      "INSERT INTO gate(name, text) VALUES (?1, ?2) "                          \
			  "ON CONFLICT(name) DO UPDATE SET text = excluded.text")                  \
	X(GATES,          "SELECT name, text FROM gate ORDER BY name")                             \
	X(LANE_ADD,       "INSERT OR IGNORE INTO lane(id, uid, class, route) VALUES (?1, ?2, ?3, ?4)") \
	X(LANE_COUNT,     "UPDATE lane SET bytes = bytes + ?2, queued = queued + ?3, "             \
			  "delayed = delayed + ?4, running = running + ?5, batched = batched + ?6, " \
			  "succeeded = succeeded + ?7, failed = failed + ?8, "                     \
			  "canceled = canceled + ?9, expired = expired + ?10 WHERE id = ?1")       \
	X(LANES_DROP,     "DELETE FROM lane WHERE queued + delayed + running + batched + succeeded " \
			  "+ failed + canceled + expired = 0")                                     \
	X(LANES,          "SELECT id, uid, class, route, bytes, queued, delayed, running, batched, " \
			  "succeeded, failed, canceled, expired FROM lane ORDER BY id")            \
	X(JOB_ADD,        "INSERT OR IGNORE INTO job(id, state, lane, priority, uid, created, "    \
			  "deadline, not_before, keep, attempts, max_attempts, tries, cost_input, " \
			  "cost_output, body, body_len, refused, started, ended, error, flags, "   \
			  "class, batch, transport, shrink_to, retry_of, digest, options, model, " \
			  "chain, model_option, version, betas, label, key, unit, due, skipped, headers, query) " \
			  "VALUES " \
			  "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, " \
			  "?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, " \
			  "?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40)")                               \
	X(JOB_BY_KEY,     "SELECT id, state, lane, digest, options FROM job INDEXED BY job_key "   \
			  "WHERE uid = ?1 AND key = ?2")                                           \
	X(JOB_HOT,        "SELECT " HOT_COLUMNS " FROM job WHERE id = ?1")                         \
	X(JOB_FULL,       "SELECT " FULL_COLUMNS FULL_FROM "WHERE job.id = ?1")                    \
	X(JOBS_BELOW,     "SELECT " FULL_COLUMNS FULL_FROM "WHERE job.id < ?1 ORDER BY job.id DESC") \
	X(JOB_LAST,       "SELECT id FROM job ORDER BY id DESC LIMIT 1")                           \
	X(JOB_MOVE,       "UPDATE job SET state = ?3, due = ?4, ended = ?5, error = ?6 "           \
			  "WHERE id = ?1 AND state = ?2")                                          \
	X(JOB_START,      "UPDATE job SET state = 2, tries = max(tries, ?2), "                     \
			  "started = CASE started WHEN 0 THEN ?3 ELSE started END "                \
			  "WHERE id = ?1 AND state = 0")                                           \
	X(JOB_FINISH,     "UPDATE job SET state = ?3, due = ?4, ended = ?5, error = ?6, "          \
			  "attempts = ?7, refused = ?8, flags = flags | ?9 "                       \
			  "WHERE id = ?1 AND state = ?2")                                          \
	X(JOB_REFUSED,    "UPDATE job SET refused = ?2, flags = flags | ?3 WHERE id = ?1")         \
	X(JOB_DELETE,     "DELETE FROM job WHERE id = ?1")                                         \
	X(WINDOW_SAME,    "SELECT " HOT_COLUMNS " FROM job INDEXED BY job_window WHERE lane = ?1 " \
			  "AND state = 0 AND priority = ?2 AND id > ?3 ORDER BY id LIMIT ?4")      \
	X(WINDOW_BELOW,   "SELECT " HOT_COLUMNS " FROM job INDEXED BY job_window WHERE lane = ?1 " \
			  "AND state = 0 AND priority < ?2 ORDER BY priority DESC, id LIMIT ?3")   \
	X(DUE,            "SELECT " HOT_COLUMNS " FROM job INDEXED BY job_due WHERE "              \
			  "state < 4 AND state <> 2 AND due <= ?1 ORDER BY due LIMIT ?2")          \
	X(DUE_NEXT,       "SELECT due FROM job INDEXED BY job_due WHERE state < 4 AND state <> 2 " \
			  "ORDER BY due LIMIT 1")                                                  \
	X(OLD,            "SELECT " HOT_COLUMNS " FROM job INDEXED BY job_old WHERE "              \
			  "state > 3 AND due <= ?1 ORDER BY due LIMIT ?2")                         \
	X(RUNNING,        "SELECT " HOT_COLUMNS " FROM job INDEXED BY job_running WHERE state = 2 LIMIT ?1") \
	X(ATTEMPT_ADD,    "INSERT OR REPLACE INTO attempt(" ATTEMPT_COLUMNS ") VALUES (?1, ?2, ?3, " \
			  "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)")  \
	X(ATTEMPT_END,    "UPDATE attempt SET ended = ?3, flags = ?4, outcome = ?5, "              \
			  "http_status = ?6, error_type = ?7, error_code = ?8, message = ?9, "     \
			  "request_id = ?10, input = ?11, output = ?12, cache_read = ?13, "        \
			  "cache_write = ?14, edits = coalesce(?15, edits) "                       \
			  "WHERE job = ?1 AND number = ?2")                                        \
	X(ATTEMPTS,       "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE job = ?1 ORDER BY number LIMIT ?2") \
	X(ATTEMPT_DROP,   "DELETE FROM attempt WHERE job = ?1 AND number = (SELECT number FROM "   \
			  "attempt WHERE job = ?1 AND (outcome IN ('overloaded', 'limited') OR "   \
			  "(flags & 2 = 0 AND ended > 0 AND outcome <> 'succeeded')) "             \
			  "ORDER BY number LIMIT 1 OFFSET ?2)")                                    \
	X(ATTEMPTS_LOST,  "UPDATE attempt SET outcome = 'unknown' WHERE job = ?1 AND ended = 0")   \
	X(ATTEMPTS_LOST_COUNT, "SELECT count(*) FROM attempt WHERE job = ?1 AND ended = 0 AND "    \
			  "flags & 1 AND number > coalesce((SELECT max(number) FROM attempt "      \
			  "WHERE job = ?1 AND ended > 0 AND coalesce(outcome, '') NOT IN "         \
			  "('overloaded', 'limited')), 0)")                                        \
	X(ATTEMPTS_DELETE, "DELETE FROM attempt WHERE job = ?1")                                   \
	X(RESULT_ADD,     "INSERT OR REPLACE INTO result(job, error, http_status, message, "       \
			  "model_served, request_id, stop_reason, input, output, cache_read, "     \
			  "cache_write, flags, body, body_len, raw) VALUES (?1, ?2, ?3, ?4, ?5, "  \
			  "?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)")                         \
	X(RESULT,         "SELECT error, http_status, message, model_served, request_id, "         \
			  "stop_reason, input, output, cache_read, cache_write, flags, body, "     \
			  "body_len, raw FROM result WHERE job = ?1")                              \
	X(RESULT_DELETE,  "DELETE FROM result WHERE job = ?1")                                     \
	X(BODY_ADD,       "INSERT OR REPLACE INTO body(id, refs, len, data) VALUES (?1, 1, ?2, ?3)") \
	X(BODY_SHARE,     "UPDATE body SET refs = refs + ?2 WHERE id = ?1")                        \
	X(BODY_INFO,      "SELECT refs, len, data IS NULL FROM body WHERE id = ?1")                \
	X(BODY_READ,      "SELECT data FROM body WHERE id = ?1")                                   \
	X(BODY_DELETE,    "DELETE FROM body WHERE id = ?1")                                        \
	X(CHUNK_ADD,      "INSERT OR REPLACE INTO chunk(id, data) VALUES (?1, ?2)")                \
	X(CHUNK_READ,     "SELECT data FROM chunk WHERE id = ?1")                                  \
	X(CHUNKS_DROP,    "DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE "             \
			  "id >= ?1 AND id < ?1 + 4096 ORDER BY id LIMIT ?2)")                     \
	X(TRASH_ADD,      "INSERT OR REPLACE INTO trash(body, staged) VALUES (?1, ?2)")            \
	X(TRASH_NEXT,     "SELECT body FROM trash WHERE staged = 0 LIMIT 1")                       \
	X(TRASH_ALL,      "UPDATE trash SET staged = 0")                                           \
	X(TRASH_DELETE,   "DELETE FROM trash WHERE body = ?1")                                     \
	X(PROBE_ADD,      "INSERT OR REPLACE INTO chunk(id, data) VALUES (0, zeroblob(262144))")   \
	X(PROBE_DELETE,   "DELETE FROM chunk WHERE id = 0")
/* clang-format on */

#define STATEMENT_ENUM(name, text) SQL_##name,
enum sql { STATEMENTS(STATEMENT_ENUM) SQL_COUNT };
#undef STATEMENT_ENUM

#endif
