/*
 * config.h - the configuration as one struct, filled from one table of keys,
 * config_table.c.
 *
 * INI (inih, included by config.c only): a file, then the *.conf files of
 * FILE.d/ in name order, then --set SECTION.KEY=VALUE. Unknown keys and bad
 * values are errors that name file, line, key and what would be right.
 */
#ifndef DAEMON_BASE_CONFIG_H
#define DAEMON_BASE_CONFIG_H

#include "daemon/base/config_http.h"
#include "protocol/base.h"
#include "protocol/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum config_policy { CONFIG_POLICY_GATE, CONFIG_POLICY_CLASSIC };
enum config_manner { CONFIG_MANNER_EAGER, CONFIG_MANNER_DEFAULT, CONFIG_MANNER_POLITE };
enum config_transport { CONFIG_TRANSPORT_STREAM, CONFIG_TRANSPORT_PLAIN };
enum config_on_crash { CONFIG_ON_CRASH_RETRY, CONFIG_ON_CRASH_FAIL };

/* [gate] and [gate MODEL]; [pace] and [pace MODEL] */
struct config_gate {
	enum config_policy policy;
	enum config_manner manner;
};
struct config_pace { /* 0: no bound */
	int64_t min_spacing_ms;
	uint64_t requests_per_minute;
	uint64_t input_tokens_per_minute;
	uint64_t output_tokens_per_minute;
};

/* [limits], [limits user NAME], [limits group NAME]; 0: no bound */
struct config_limits {
	uint64_t queued_jobs;
	uint64_t queued_bytes;
	uint64_t running;
	uint64_t tokens_per_day;
	uint64_t weight;      /* share among owners, 1 .. 1000 */
	uint64_t connections; /* open at once, of one uid */
};

/* [chain NAME]: fallback, in this order. */
struct config_chain {
	char *name;	     /* owned */
	char **models;	     /* owned, NULL-terminated */
	int64_t patience_ms; /* -1: by class; INT64_MAX: never moves */
	uint64_t shrink_to;  /* smallest max_tokens, 0: never shrink */
	bool adapt;	     /* sampling parameters may be dropped */
};

struct config {
	/* [daemon] */
	char *socket;	 /* owned, as all strings here; NULL: the default of the moment */
	char *state_dir; /* NULL: $STATE_DIRECTORY, else $XDG_STATE_HOME/forebay */
	char *admin_group;
	uint64_t workers;
	int64_t drain_timeout_ms;
	int64_t hello_timeout_ms;
	uint64_t max_connections;
	uint64_t max_streams;	   /* open at once on one connection */
	uint64_t output_high_mark; /* bytes not yet read by a client */
	uint64_t receive_buffer;   /* bytes of bodies being received, all clients */
	uint64_t live_buffer;	   /* bytes of running answers kept, all jobs */
	int log_level;
	/* [upstream] */
	char *url;
	char *key_file;
	int auth; /* enum secret_auth */
	char *version;
	int http; /* 11 or 2 */
	char *ca_file;
	char *proxy;
	int64_t connect_timeout_ms;
	int64_t first_byte_timeout_ms;
	int64_t idle_timeout_ms;
	int64_t lifetime_ms;
	uint64_t max_answer;
	int transport;		 /* enum config_transport */
	struct config_gate gate; /* [gate] */
	struct config_pace pace; /* [pace] */
	/* [queue] */
	int64_t deadline_ms;
	int64_t batch_deadline_ms; /* of jobs with batch = only */
	uint64_t attempts;
	int64_t keep_ms;
	uint64_t window;
	uint64_t max_heads;
	uint64_t max_routes; /* an owner */
	uint64_t max_body;
	uint64_t max_jobs;
	uint64_t min_free;  /* bytes; submits are refused below */
	uint64_t max_store; /* bytes of the database, 0: no bound */
	bool durability_full;
	int on_crash; /* enum config_on_crash */
	int64_t age_up_ms;
	int64_t retry_min_ms, retry_max_ms; /* back-off of a refused job, doubles */
	int64_t spill_after_ms;
	uint64_t ephemeral_bytes;
	struct config_limits limits; /* [limits] */
	struct config_http facade;
	struct config_chain *chains; /* owned array */
	size_t chain_count;
	struct config_override *overrides; /* owned, private to config*.c */
	size_t override_count;
};

/* What may stand on the command line, all optional. */
struct config_source {
	const char *file;	 /* NULL: /etc/forebay/forebayd.conf if it is there */
	const char *const *sets; /* "section.key=value", NULL-terminated; may be NULL */
};

/* Everything that is wrong is written to errors, one line each, as
 * "file:line: [section] key = value: what would be right". Then
 * FOREBAY_ERR_BAD_REQUEST, and *ret is untouched. */
MUST_CHECK enum forebay_err config_load(const struct config_source *source, FILE *errors,
					struct config **ret);
void config_free(struct config *config); /* accepts NULL */

/* Every key with default, current value and comment, as a file one can use. */
void config_print(const struct config *config, FILE *out);

/* The keys that differ and only a restart can change, as "daemon.socket, ...";
 * "" when there are none. */
void config_needs_restart(const struct config *before, const struct config *after, char *ret,
			  size_t len);

/* With the override for that model, else the section's own. */
struct config_gate config_gate_of(const struct config *config, const char *model);
struct config_pace config_pace_of(const struct config *config, const char *model);
/* Key by key: user overrides win over group overrides win over [limits]; of
 * several groups that section wins which was written first. */
struct config_limits config_limits_of(const struct config *config, uid_t uid, const gid_t *groups,
				      size_t group_count);
/* Borrowed; NULL when there is none. */
const struct config_chain *config_chain_of(const struct config *config, const char *name);

/* Where clients connect and where the queue is kept, defaults put in.
 * FOREBAY_ERR_BAD_REQUEST, logged: no such place, or ret is too short. */
MUST_CHECK enum forebay_err config_socket_path(const struct config *config, char *ret, size_t len);
MUST_CHECK enum forebay_err config_state_path(const struct config *config, char *ret, size_t len);

#endif
