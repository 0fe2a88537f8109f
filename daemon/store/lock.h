/*
 * lock.h - one daemon a database: an exclusive lock file that says who has it.
 */
#ifndef DAEMON_STORE_LOCK_H
#define DAEMON_STORE_LOCK_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stddef.h>

/* Lock DIR/forebay.lock and write our pid into it. STORAGE, with a sentence
 * that names the pid that has it, when somebody does. *ret_fd is the caller's. */
MUST_CHECK enum forebay_err lock_take(const char *dir, int *ret_fd, char *why, size_t why_len);

/* The file stays: removing it would let two daemons lock two files. */
void lock_release(int fd);

#endif
