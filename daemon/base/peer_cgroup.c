/*
 * peer_cgroup.c - from the number of a cgroup to its path.
 */
#include "daemon/base/peer_cgroup.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The root of the unified hierarchy; -1: there is none. */
static int
root_fd(void)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	static bool asked;
	static int fd = -1;

	for (size_t i = 0; !asked && fd < 0 && i < ARRAY_LEN(roots); i++) {
		struct statfs fs;

		if (statfs(roots[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			fd = open(roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	asked = true;
	return fd;
}

/* --- what is known ---------------------------------------------------------- */

/* One place for each number modulo the size: the newest has it. */
static struct known {
	uint64_t id;
	char *path; /* owned */
} known[256];

/* Paths begin with a slash; below the root they are relative. */
static bool
path_is_of(uint64_t id, const char *path)
{
	const char *below = path + strspn(path, "/");
	struct stat st;
	int root = root_fd();

	if (root < 0 || fstatat(root, *below ? below : ".", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	return S_ISDIR(st.st_mode) && st.st_ino == id;
}

bool
peer_cgroup_known(uint64_t id, char *ret, size_t len)
{
	const struct known *slot = &known[id % ARRAY_LEN(known)];

	if (!slot->path || slot->id != id || !path_is_of(id, slot->path))
		return false;
	return (size_t)snprintf(ret, len, "%s", slot->path) < len;
}

bool
peer_cgroup_learn(uint64_t id, const char *path)
{
	struct known *slot = &known[id % ARRAY_LEN(known)];

	if (!path_is_of(id, path))
		return false;
	free(slot->path);
	slot->id = id;
	slot->path = must_strdup(path);
	return true;
}

/* --- the search ------------------------------------------------------------- */

/* About 20 us a directory: 40 ms at worst, and no more than that each second. */
#define SEARCH_MAX_DIRS	 2000
#define SEARCH_MAX_DEPTH 16
#define SEARCH_PAUSE_MS	 1000

struct search {
	uint64_t id;
	char path[PATH_MAX]; /* of the directory being read, without a slash at the end */
	unsigned dirs_left;
};

/* True when found; path is then the cgroup's. */
static bool
search_below(struct search *search, int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t len = strlen(search->path);
	bool found = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	search->dirs_left--;
	for (struct dirent *entry; !found && (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (len + 1 + strlen(entry->d_name) >= sizeof(search->path))
			continue;
		snprintf(search->path + len, sizeof(search->path) - len, "/%s", entry->d_name);
		found = entry->d_ino == search->id ||
			(depth < SEARCH_MAX_DEPTH && search->dirs_left > 0 &&
			 search_below(search, dirfd(dir), entry->d_name, depth + 1));
		if (!found)
			search->path[len] = '\0';
	}
	closedir(dir);
	return found;
}

bool
peer_cgroup_search(uint64_t id, char *ret, size_t len)
{
	static int64_t next_ms = INT64_MIN;
	struct search search = { .id = id, .dirs_left = SEARCH_MAX_DIRS };
	int64_t now_ms = clock_mono_ms();

	if (root_fd() < 0 || now_ms < next_ms)
		return false;
	next_ms = now_ms + SEARCH_PAUSE_MS;
	if (!search_below(&search, root_fd(), ".", 0) || !peer_cgroup_learn(id, search.path))
		return false;
	return (size_t)snprintf(ret, len, "%s", search.path) < len;
}
