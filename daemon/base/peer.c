/*
 * peer.c - who is at the other end of a UNIX socket.
 *
 * The pid that SO_PEERCRED gives may have been given to another process since:
 * a client can fork, exit and wait for it. So the unit is believed only when a
 * pidfd, which always means the one process, vouches for it.
 */
#include "daemon/base/peer.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/peer_cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the C library's headers may be; kernels without them say so. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
struct pidfd_info_v1 {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
	uint32_t coredump_mask, spare;
};
#define PIDFD_INFO_CGROUP_ID 4u
#define PIDFD_INFO_EXITED    8u /* also of a process that is gone */
#define PIDFD_INFO_GET	     _IOWR(0xFF, 11, struct pidfd_info_v1)

/* --- user and groups -------------------------------------------------------- */

static enum forebay_err
ask_credentials(int fd, struct peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
		log_error("who is the client? SO_PEERCRED: %s", strerror(errno));
		return FOREBAY_ERR_INTERNAL;
	}
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	peer->pid = cred.pid;
	return FOREBAY_ERR_OK;
}

/* The kernel refuses a short buffer instead of filling it, and says how long. */
static enum forebay_err
ask_groups(int fd, struct peer *peer)
{
	socklen_t len = sizeof(peer->groups);
	gid_t *all;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &len) == 0) {
		peer->group_count = (unsigned)(len / sizeof(gid_t));
		return FOREBAY_ERR_OK;
	}
	if (errno != ERANGE || len > 65536 * sizeof(gid_t)) {
		log_error("the client's groups? SO_PEERGROUPS: %s", strerror(errno));
		return FOREBAY_ERR_INTERNAL;
	}
	all = must_alloc(len);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all, &len) != 0) {
		log_error("the client's groups? SO_PEERGROUPS: %s", strerror(errno));
		free(all);
		return FOREBAY_ERR_INTERNAL;
	}
	peer->group_count = MIN((unsigned)(len / sizeof(gid_t)), PEER_MAX_GROUPS);
	memcpy(peer->groups, all, peer->group_count * sizeof(gid_t));
	free(all);
	return FOREBAY_ERR_OK;
}

bool
peer_in_group(const struct peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

/* --- the unit's name in a path ---------------------------------------------- */

static bool
ends_in(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len > end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* The last part that is a unit with processes. Users make cgroups below their
 * own unit and name them as they like, so only what a unit's name may hold is
 * shown as it is. A leading _ is how the service manager escapes a name. */
static void
unit_of_path(const char *path, size_t path_len, char *ret, size_t len)
{
	const char *unit = NULL, *end = path + path_len;
	size_t unit_len = 0;

	for (const char *part = path; part < end;) {
		size_t part_len = MIN(strcspn(part, "/"), (size_t)(end - part));

		if (ends_in(part, part_len, ".service") || ends_in(part, part_len, ".scope")) {
			unit = part;
			unit_len = part_len;
		}
		part += part_len + 1;
	}
	if (unit && *unit == '_')
		unit++, unit_len--;
	snprintf(ret, len, "%.*s", (int)unit_len, unit ? unit : "");
	for (char *p = ret; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(":-_.\\@", *p))
			*p = '?';
}

/* The path on the line that begins, after its number, with this hierarchy. */
static const char *
path_in_hierarchy(const char *cgroup, const char *hierarchy, size_t *ret_len)
{
	while (*cgroup) {
		const char *rest = cgroup + strspn(cgroup, "0123456789");
		size_t line_len = strcspn(cgroup, "\n");

		if (strncmp(rest, hierarchy, strlen(hierarchy)) == 0) {
			const char *path = rest + strlen(hierarchy);

			*ret_len = line_len - (size_t)(path - cgroup);
			/* What the kernel adds when the cgroup was removed meanwhile. */
			if (ends_in(path, *ret_len, " (deleted)"))
				*ret_len -= strlen(" (deleted)");
			return path;
		}
		cgroup += line_len + (cgroup[line_len] == '\n');
	}
	return NULL;
}

void
peer_unit_of_cgroup(const char *cgroup, char *ret, size_t len)
{
	/* The second is where systemd keeps its units on older hosts. */
	static const char *const hierarchies[] = { "::", ":name=systemd:" };

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(hierarchies) && !*ret; i++) {
		size_t path_len;
		const char *path = path_in_hierarchy(cgroup, hierarchies[i], &path_len);

		if (path)
			unit_of_path(path, path_len, ret, len);
	}
}

/* --- /proc ------------------------------------------------------------------ */

static int proc_dir = -1;

void
peer_use_proc(int dir)
{
	proc_dir = dir;
}

/* A file of a process, as a string; "" when it cannot be read. */
static void
read_proc(pid_t pid, const char *name, char *ret, size_t len)
{
	char path[64];
	ssize_t got = -1;
	int fd;

	if (proc_dir < 0)
		proc_dir = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	fd = openat(proc_dir, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, ret, len - 1);
		close(fd);
	}
	ret[MAX(got, 0)] = '\0';
}

/* When the process began, in clock ticks; 0 when unknown. Its name, which it
 * chooses itself, ends with the last parenthesis. */
static unsigned long long
start_time(pid_t pid)
{
	char stat[1024], *field;
	unsigned long long ticks;

	read_proc(pid, "stat", stat, sizeof(stat));
	field = strrchr(stat, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	return field && sscanf(field, "%llu", &ticks) == 1 ? ticks : 0;
}

/* --- the unit --------------------------------------------------------------- */

/* 0 when the kernel does not tell. */
static uint64_t
cgroup_id_of(int pidfd)
{
	struct pidfd_info_v1 info = { .mask = PIDFD_INFO_CGROUP_ID | PIDFD_INFO_EXITED };

	if (ioctl(pidfd, PIDFD_INFO_GET, &info) != 0 || !(info.mask & PIDFD_INFO_CGROUP_ID))
		return 0;
	return info.cgroup_id;
}

/* ESRCH alone means that it is gone; EPERM comes from one that is there. */
static bool
is_alive(int pidfd)
{
	return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0 || errno == EPERM;
}

/* Believed because the process still had its pid after /proc had been read. */
static bool
find_unit_in_proc(int pidfd, uint64_t cgroup_id, struct peer *peer)
{
	char cgroup[PATH_MAX], path[PATH_MAX];
	const char *found;
	size_t len;

	read_proc(peer->pid, "cgroup", cgroup, sizeof(cgroup));
	if (!*cgroup || !is_alive(pidfd))
		return false;
	peer_unit_of_cgroup(cgroup, peer->unit, sizeof(peer->unit));
	found = path_in_hierarchy(cgroup, "::", &len);
	if (cgroup_id && found && *peer->unit) {
		snprintf(path, sizeof(path), "%.*s", (int)len, found);
		(void)peer_cgroup_learn(cgroup_id, path);
	}
	return true;
}

/* Cheapest first. The paths by number are believed because their inode is that
 * number: the kernel keeps it for the process even when it is gone. */
static void
find_unit_by_pidfd(int pidfd, struct peer *peer)
{
	uint64_t id = cgroup_id_of(pidfd);
	char path[PATH_MAX];

	if (!id || !peer_cgroup_known(id, path, sizeof(path))) {
		peer->unit_verified = find_unit_in_proc(pidfd, id, peer);
		if (peer->unit_verified || !id || !peer_cgroup_search(id, path, sizeof(path)))
			return;
	}
	unit_of_path(path, strlen(path), peer->unit, sizeof(peer->unit));
	peer->unit_verified = true;
}

/* Kernels before 6.5: as good as can be, and marked as no better. */
static void
find_unit_by_pid(struct peer *peer)
{
	unsigned long long began = start_time(peer->pid);
	char cgroup[PATH_MAX];

	read_proc(peer->pid, "cgroup", cgroup, sizeof(cgroup));
	if (began && start_time(peer->pid) == began)
		peer_unit_of_cgroup(cgroup, peer->unit, sizeof(peer->unit));
}

static void
find_unit(int fd, struct peer *peer)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0 && pidfd >= 0) {
		find_unit_by_pidfd(pidfd, peer);
		close(pidfd);
	} else if (errno == ENOPROTOOPT && peer->pid > 0) {
		find_unit_by_pid(peer);
	}
}

enum forebay_err
peer_of(int fd, struct peer *ret)
{
	enum forebay_err err;

	memset(ret, 0, sizeof(*ret));
	err = ask_credentials(fd, ret);
	if (!err)
		err = ask_groups(fd, ret);
	if (!err)
		find_unit(fd, ret);
	return err;
}

/* --- names ------------------------------------------------------------------ */

/* A directory server may be asked for these: not for each line of a list. */
#define NAME_KEPT_MS 300000

static struct user {
	uid_t uid;
	int64_t until_ms; /* 0: nothing here */
	char name[64];
} users[1024];

const char *
peer_user_name(uid_t uid, char *buf, size_t len)
{
	struct user *user = &users[uid % ARRAY_LEN(users)];
	int64_t now_ms = clock_mono_ms();
	char entry_text[4096];
	struct passwd entry, *found = NULL;

	if (user->until_ms <= now_ms || user->uid != uid) {
		if (getpwuid_r(uid, &entry, entry_text, sizeof(entry_text), &found) == 0 && found)
			snprintf(user->name, sizeof(user->name), "%s", entry.pw_name);
		else
			snprintf(user->name, sizeof(user->name), "%u", (unsigned)uid);
		user->uid = uid;
		user->until_ms = now_ms + NAME_KEPT_MS;
	}
	snprintf(buf, len, "%s", user->name);
	return buf;
}
