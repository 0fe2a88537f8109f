/*
 * process.h - what the kernel says of this process. -1: it says nothing.
 */
#ifndef DAEMON_BASE_PROCESS_H
#define DAEMON_BASE_PROCESS_H

#include <stdint.h>

int64_t process_resident_bytes(void);
int64_t process_open_fds(void);

#endif
