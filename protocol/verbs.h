/*
 * verbs.h - what a client may ask for. One row a verb: the dispatch array of
 * the daemon, the names for metrics, the fuzz dictionary and the check of
 * PROTOCOL.md come from here.
 *
 * who: ANY    every client that reached the socket
 *      OWNER  its own jobs; root and the admin group all jobs
 *      ADMIN  root and the admin group
 */
#ifndef PROTOCOL_VERBS_H
#define PROTOCOL_VERBS_H

#include <stdbool.h>

enum forebay_right { FOREBAY_RIGHT_ANY, FOREBAY_RIGHT_OWNER, FOREBAY_RIGHT_ADMIN };

/* clang-format off */
/*	  VERB     verb       who    help */
#define FOREBAY_VERBS(X)                                                                           \
	X(SUBMIT,  submit,  ANY,   "put a Messages request into the queue")                        \
	X(WAIT,    wait,    OWNER, "be told when jobs have ended")                                 \
	X(FOLLOW,  follow,  OWNER, "watch a job, with the stream of its answer")                   \
	X(RESULT,  result,  OWNER, "fetch the answer of a finished job")                           \
	X(SHOW,    show,    OWNER, "everything known about a job, with its attempts")              \
	X(LIST,    list,    OWNER, "jobs, newest first")                                           \
	X(CANCEL,  cancel,  OWNER, "end jobs that have not ended yet")                             \
	X(RETRY,   retry,   OWNER, "submit the body of a finished job again")                      \
	X(DELETE,  delete,  OWNER, "forget finished jobs at once")                                 \
	X(STATUS,  status,  ANY,   "the daemon: queue, gates, disk, key fingerprint")              \
	X(GATES,   gates,   ANY,   "the state of every gate, in words and numbers")                \
	X(HOLD,    hold,    ADMIN, "close a gate by hand")                                         \
	X(RELEASE, release, ADMIN, "open a gate by hand")                                          \
	X(DRAIN,   drain,   ADMIN, "stop starting jobs; running ones finish")                      \
	X(MODELS,  models,  ANY,   "the models table with limits and gate state")                  \
	X(VERIFY,  verify,  ANY,   "one real call of 10 tokens through the gate")                  \
	X(STATS,   stats,   ANY,   "counters since the start")                                     \
	X(WATCH,   watch,   ANY,   "status again and again")                                       \
	X(WHOAMI,  whoami,  ANY,   "what the kernel says about the caller")                        \
	X(RELOAD,  reload,  ADMIN, "read the configuration again")
/* clang-format on */

#define FOREBAY_VERB_ENUM(VERB, ...) FOREBAY_VERB_##VERB,
enum forebay_verb { FOREBAY_VERBS(FOREBAY_VERB_ENUM) FOREBAY_VERB_COUNT };
#undef FOREBAY_VERB_ENUM

const char *forebay_verb_name(int verb);
const char *forebay_verb_help(int verb);
enum forebay_right forebay_verb_right(enum forebay_verb verb);
bool forebay_verb_from_name(const char *name, enum forebay_verb *ret);

#endif
