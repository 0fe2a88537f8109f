/*
 * facts.h - what an answer says about itself, read out of a whole Message or of
 * one event of a stream.
 */
#ifndef DAEMON_CLAUDE_FACTS_H
#define DAEMON_CLAUDE_FACTS_H

#include "daemon/claude/assembly.h"

/* Overwrite what json speaks of, keep the rest. False when it is not valid JSON.
 * ret_type is its "type", "" if it has none. */
MUST_CHECK bool facts_read(struct assembly_facts *facts, const uint8_t *json, size_t len,
			   char ret_type[static 24]);

#endif
