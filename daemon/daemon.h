/*
 * daemon.h - the rooms, built in order, connected, and taken down in reverse.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/base/config.h"

/* What the command line said. All borrowed. */
struct daemon_options {
	struct config_source source;
};

/* Run until told to stop; the exit status. config is taken. */
int daemon_run(const struct daemon_options *options, struct config *config);

#endif
