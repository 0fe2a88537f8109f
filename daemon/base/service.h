/*
 * service.h - what the service manager and we tell each other: sockets handed
 * over, readiness, status, watchdog. Everything is a no-op without one. The
 * only file besides log.c that includes systemd's headers.
 */
#ifndef DAEMON_BASE_SERVICE_H
#define DAEMON_BASE_SERVICE_H

#include "protocol/base.h"

#include <stdbool.h>
#include <stdint.h>

/* The listening sockets named name (FileDescriptorName=) that were passed to
 * us, at most max of them; their number. First call before threads start, and
 * before anything is run. They are non-blocking, closed on exec, the caller's. */
int service_sockets(const char *name, int *ret_fds, int max);
/* Another descriptor that was passed, such as the unit's OpenFile=; -1: none. */
int service_descriptor(const char *name);

void service_ready(void);
void service_reloading(void);
void service_stopping(void);
/* STATUS=, a line for `systemctl status`. Sent only when it has changed. */
void service_status(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Ask for this much more time, while draining or recovering. */
void service_extend_timeout(int64_t ms);

/* How often to call service_alive(), in ms; 0 when nobody watches. */
int64_t service_watchdog_ms(void);
void service_alive(void);

#endif
