/*
 * service.c - what the service manager and we tell each other, by sd-daemon.
 */
#include "daemon/base/service.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* --- sockets ---------------------------------------------------------------- */

/* What was passed to us, kept because the environment says it only once. */
static char **names; /* owned, NULL-terminated; NULL until asked, or without any */
static int name_count = -1;

static void
take_descriptors(void)
{
	name_count = sd_listen_fds_with_names(1, &names);
	if (name_count < 0) {
		log_error("sockets passed by the service manager: %s", strerror(-name_count));
		name_count = 0;
	}
}

/* accept() on the loop must never block, whatever the unit's NonBlocking= says. */
static bool
is_usable(int fd, const char *name)
{
	int flags = fcntl(fd, F_GETFL);

	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
		log_warn("descriptor %d (%s) is no listening stream socket, ignoring it", fd, name);
		return false;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		log_error("socket %d (%s): %s", fd, name, strerror(errno));
		return false;
	}
	return true;
}

int
service_sockets(const char *name, int *ret_fds, int max)
{
	int found = 0;

	if (name_count < 0)
		take_descriptors();
	for (int i = 0; i < name_count && found < max; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (strcmp(names[i], name) == 0 && is_usable(fd, name))
			ret_fds[found++] = fd;
	}
	return found;
}

int
service_descriptor(const char *name)
{
	if (name_count < 0)
		take_descriptors();
	for (int i = 0; i < name_count; i++)
		if (strcmp(names[i], name) == 0)
			return SD_LISTEN_FDS_START + i;
	return -1;
}

/* --- what we say ------------------------------------------------------------ */

/* As sd_notify(), which waits while the manager's queue is full: a manager that
 * does not read must not stop the loop. -errno, or >= 0. */
static int
send_state(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	int fd, result;

	if (len == 0)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	result = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
			(const struct sockaddr *)&to, to_len) < 0
		     ? -errno
		     : 1;
	close(fd);
	return result;
}

/* False when the manager's queue is full; whatever else is wrong is said once. */
static bool PRINTF_LIKE(1, 2) notify(const char *fmt, ...)
{
	static bool complained;
	char state[512];
	va_list args;
	int sent;

	va_start(args, fmt);
	vsnprintf(state, sizeof(state), fmt, args);
	va_end(args);
	sent = send_state(state);
	if (sent < 0 && sent != -EAGAIN && !complained) {
		complained = true;
		log_warn("the service manager cannot be told anything: %s", strerror(-sent));
	}
	return sent != -EAGAIN;
}

/* The last change of state that did not get through: said again every second. */
static char owed[64];

static void
tell(const char *state)
{
	snprintf(owed, sizeof(owed), "%s", state);
	if (notify("%s", state))
		owed[0] = '\0';
}

void
service_ready(void)
{
	tell("READY=1");
}

void
service_reloading(void)
{
	char state[sizeof(owed)];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_service_us());
	tell(state);
}

void
service_stopping(void)
{
	tell("STOPPING=1");
}

void
service_status(const char *fmt, ...)
{
	static char last[256];
	char status[sizeof(last)];
	va_list args;

	if (owed[0] && notify("%s", owed))
		owed[0] = '\0';
	va_start(args, fmt);
	vsnprintf(status, sizeof(status), fmt, args);
	va_end(args);
	/* A line break would begin the next assignment of the message. */
	for (char *p = status; (p = strpbrk(p, "\r\n"));)
		*p = ' ';
	if (strcmp(status, last) == 0)
		return;
	if (notify("STATUS=%s", status))
		strcpy(last, status);
}

void
service_extend_timeout(int64_t ms)
{
	(void)notify("EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
}

int64_t
service_watchdog_ms(void)
{
	uint64_t limit_us;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	/* Twice within the limit, so that one late turn is no disaster. */
	return MAX((int64_t)(limit_us / 2000), 1);
}

void
service_alive(void)
{
	(void)notify("WATCHDOG=1");
}
