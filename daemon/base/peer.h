/*
 * peer.h - who is at the other end of a UNIX socket, from the kernel alone.
 *
 * uid, gid and groups decide rights. The unit is for accounting and display
 * only (anybody may be foo.service in his own user manager); it is taken
 * through a pidfd, never by pid alone, which can be made to lie.
 */
#ifndef DAEMON_BASE_PEER_H
#define DAEMON_BASE_PEER_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <sys/types.h>

#define PEER_MAX_GROUPS 64
#define PEER_UNIT_LEN	128

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t groups[PEER_MAX_GROUPS]; /* supplementary, cut at the maximum */
	unsigned group_count;
	char unit[PEER_UNIT_LEN]; /* "c-alice.service", "" when unknown */
	bool unit_verified;	  /* the pid was not recycled while we looked */
};

/* Ask the kernel about fd, at accept time. FOREBAY_ERR_INTERNAL is logged. */
MUST_CHECK enum forebay_err peer_of(int fd, struct peer *ret);

bool peer_in_group(const struct peer *peer, gid_t gid);

/* The login name for a uid into buf, else its number; returns buf. */
const char *peer_user_name(uid_t uid, char *buf, size_t len);

/* Read /proc through this directory (service_descriptor("proc")), which sees more
 * than a sandboxed /proc. Stays the caller's, open for good. */
void peer_use_proc(int dir);

/* For the unit test: the unit in the text of /proc/PID/cgroup. */
void peer_unit_of_cgroup(const char *cgroup, char *ret, size_t len);

#endif
