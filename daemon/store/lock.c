/*
 * lock.c - the lock file of the store; the kernel drops the lock with its
 * holder, so a stale file never keeps anybody out.
 */
#include "daemon/store/lock.h"

#include "daemon/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_NAME "forebay.lock"

static void
explain_holder(int fd, const char *path, char *why, size_t why_len)
{
	char text[32] = "";
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	long pid = len > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		snprintf(why, why_len, "another forebayd (pid %ld) has %s", pid, path);
	else
		snprintf(why, why_len, "another forebayd has %s", path);
}

/* For people only: a lock without a readable pid still locks. */
static void
write_pid(int fd, const char *path)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		log_warn("writing our pid into %s: %s, going on without", path, strerror(errno));
}

enum forebay_err
lock_take(const char *dir, int *ret_fd, char *why, size_t why_len)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/" LOCK_NAME, dir) >= (int)sizeof(path)) {
		snprintf(why, why_len, "the name of the state directory is too long");
		return FOREBAY_ERR_STORAGE;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		snprintf(why, why_len, "cannot open %s: %s", path, strerror(errno));
		return FOREBAY_ERR_STORAGE;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			explain_holder(fd, path, why, why_len);
		else
			snprintf(why, why_len, "cannot lock %s: %s", path, strerror(errno));
		close(fd);
		return FOREBAY_ERR_STORAGE;
	}
	write_pid(fd, path);
	*ret_fd = fd;
	return FOREBAY_ERR_OK;
}

void
lock_release(int fd)
{
	close(fd);
}
