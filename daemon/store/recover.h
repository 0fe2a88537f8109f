/*
 * recover.h - what a fresh start finds: lanes, gates, ids, and jobs that were
 * running when the last daemon went away. Private to daemon/store/.
 */
#ifndef DAEMON_STORE_RECOVER_H
#define DAEMON_STORE_RECOVER_H

#include "protocol/base.h"
#include "daemon/store/db.h"
#include "daemon/store/store.h"

/* Bring the jobs that were RUNNING back (or fail them) and fill ret, whose
 * arrays live in arena. STORAGE: db->failure and db->why say what is wrong. */
MUST_CHECK enum forebay_err recover(struct db *db, const struct store_config *config,
				    struct arena *arena, struct store_found *ret);

#endif
