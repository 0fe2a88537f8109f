/*
 * gates_keep.h - what must be on disk before a request leaves, so that a daemon
 * that is killed again and again knocks no faster than one that runs.
 */
#ifndef DAEMON_RUN_GATES_KEEP_H
#define DAEMON_RUN_GATES_KEEP_H

#include "daemon/run/gates.h"

/*
 * Call it when a request to model has been taken, just before its row "sent"
 * goes to the disk, and again when it has ended, just before its end goes
 * there: what fn is handed belongs into the same transaction.
 *
 * Hands over the model's gate and the host's, each only while it is dark or held
 * or has not let anything through since the daemon began, and the key's when it
 * has changed; in any other weather it costs a few comparisons. The text is that
 * of a gate which has been refused all that is unanswered (gate_foresee):
 * whoever loads it waits.
 */
void gates_save_before_probe(struct gates *gates, const char *model, double now, double wall_offset,
			     gates_save_fn *fn, void *arg);

/*
 * The wall clock was set, by so many seconds (back: negative), while the one that
 * now comes from went on. Pauses and holds are spans and stay as they are; the
 * end of a billing pause is a date and moves. All is saved anew.
 */
void gates_wall_jumped(struct gates *gates, double by);

#endif
