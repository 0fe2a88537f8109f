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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

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

static void PRINTF_LIKE(1, 2) notify(const char *fmt, ...)
{
	static bool complained;
	char state[512];
	va_list args;
	int sent;

	va_start(args, fmt);
	vsnprintf(state, sizeof(state), fmt, args);
	va_end(args);
	sent = sd_notify(0, state);
	if (sent < 0 && !complained) {
		complained = true;
		log_warn("the service manager cannot be told anything: %s", strerror(-sent));
	}
}

void
service_ready(void)
{
	notify("READY=1");
}

void
service_reloading(void)
{
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRId64, (int64_t)(clock_mono() * 1e6));
}

void
service_stopping(void)
{
	notify("STOPPING=1");
}

void
service_status(const char *fmt, ...)
{
	static char last[256];
	char status[sizeof(last)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(status, sizeof(status), fmt, args);
	va_end(args);
	/* A line break would begin the next assignment of the message. */
	for (char *p = status; (p = strpbrk(p, "\r\n"));)
		*p = ' ';
	if (strcmp(status, last) == 0)
		return;
	strcpy(last, status);
	notify("STATUS=%s", status);
}

void
service_extend_timeout(int64_t ms)
{
	notify("EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
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
	notify("WATCHDOG=1");
}
