/*
 * states.h - the life of a job, as one table of legal moves.
 *
 *   submit --> QUEUED ---------> RUNNING --------> SUCCEEDED
 *     |         |  ^  ^             |  |
 *     |         |  |  +---- again --+  +---------> FAILED
 *     |         |  |
 *     v         |  +---------------------------+
 *   DELAYED ----+  (its time has come)         | (expired or errored there)
 *               |                              |
 *               +--> BATCHED ------------------+-> SUCCEEDED / FAILED
 *
 *   any of the four that are not final may become CANCELED or EXPIRED
 *   (past its deadline; a RUNNING attempt is finished first).
 *
 * The numbers are stored on disk: written out, never reused.
 */
#ifndef PROTOCOL_STATES_H
#define PROTOCOL_STATES_H

#include <stdbool.h>

/* clang-format off */
/*	  state      no  wire name    may become */
#define FOREBAY_JOB_STATES(X)                                                                      \
	X(QUEUED,     0, "queued",    TO(RUNNING) | TO(BATCHED) | TO(CANCELED) | TO(EXPIRED))      \
	X(DELAYED,    1, "delayed",   TO(QUEUED) | TO(CANCELED) | TO(EXPIRED))                     \
	X(RUNNING,    2, "running",   TO(QUEUED) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELED) |     \
				      TO(EXPIRED))                                                 \
	X(BATCHED,    3, "batched",   TO(QUEUED) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELED) |     \
				      TO(EXPIRED))                                                 \
	X(SUCCEEDED,  4, "succeeded", FINAL)                                                       \
	X(FAILED,     5, "failed",    FINAL)                                                       \
	X(CANCELED,   6, "canceled",  FINAL)                                                       \
	X(EXPIRED,    7, "expired",   FINAL)
/* clang-format on */

#define FOREBAY_STATE_ENUM(name, number, ...) FOREBAY_JOB_##name = (number),
enum forebay_job_state { FOREBAY_JOB_STATES(FOREBAY_STATE_ENUM) FOREBAY_JOB_STATE_COUNT };
#undef FOREBAY_STATE_ENUM

/* "unknown" for anything that is no state. */
const char *forebay_job_state_name(int state);
bool forebay_job_state_from_name(const char *name, enum forebay_job_state *ret);
bool forebay_job_state_allows(enum forebay_job_state from, enum forebay_job_state to);
bool forebay_job_state_is_final(enum forebay_job_state state);

#endif
