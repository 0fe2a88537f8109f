/*
 * peer_cgroup.h - from the number of a cgroup to its path. Private to peer.c.
 *
 * The number is the inode of the cgroup's directory, and there is no call that
 * turns it into a name: so what is learnt is kept, checked before it is believed,
 * and the tree is searched only when nothing else helps.
 */
#ifndef DAEMON_BASE_PEER_CGROUP_H
#define DAEMON_BASE_PEER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The path ("/system.slice/a.service") as it was learnt, if it still holds. */
bool peer_cgroup_known(uint64_t id, char *ret, size_t len);

/* Is this the path of that cgroup? If so it is remembered. */
bool peer_cgroup_learn(uint64_t id, const char *path);

/* Search the tree, within bounds: so many directories, once a second. */
bool peer_cgroup_search(uint64_t id, char *ret, size_t len);

#endif
