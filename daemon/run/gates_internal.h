/*
 * gates_internal.h - what the files of the gates share; nobody else.
 */
#ifndef DAEMON_RUN_GATES_INTERNAL_H
#define DAEMON_RUN_GATES_INTERNAL_H

#include "daemon/gate/expect.h"
#include "daemon/gate/pace.h"
#include "daemon/gate/ratelimit.h"
#include "daemon/run/gates.h"

#include <uthash.h>

/* The server's rate limit of one bucket name of the models table. Before its
 * first answer, which tells the limits, only so many go, however many models
 * share it. */
#define UNHEARD_MAX 2
struct limit_bucket {
	char name[128];
	struct ratelimit limit;
	unsigned unheard; /* under way, and a refusal might still come */
	bool heard;	  /* it has answered */
	UT_hash_handle hh;
};

struct model_gate {
	char name[128];
	struct gate gate;
	struct gate_config gate_config;
	struct pace pace;
	struct limit_bucket *bucket; /* borrowed */
	struct expect expect;
	enum gate_weather weather; /* as last said */
	unsigned passes;	   /* open ones: they point here */
	char reason[128];	   /* of a hold by hand */
	uint64_t faulted_job;	   /* the first one since a request got through; 0: none */
	bool many_faulted;	   /* and others since */
	double unusable_until;	   /* refused as a model: a chain goes past it */
	const char *unusable_why;  /* static: the row's name */
	bool classic;		   /* its gate and the host's only watch */
	bool dirty;		   /* changed since it was saved */
	UT_hash_handle hh;
};

struct gates {
	const struct config *config;  /* borrowed */
	struct model_gate *models;    /* owned, by name */
	struct limit_bucket *buckets; /* owned, by name */
	struct gate host, key;
	struct gate_config host_config;
	struct pace pace; /* of all models together */
	char host_reason[128], key_reason[512];
	char host_trouble[512];		/* why it is dark: what the last broken call said */
	enum gate_weather host_weather; /* as last said */
	bool dirty, host_dirty, key_dirty;
	bool key_missing; /* closed because there is nothing to send with */
};

/* Made when new. */
struct model_gate *gates_model(struct gates *gates, const char *name, double now);
/* NULL if nobody has asked for it yet. */
struct model_gate *gates_find(struct gates *gates, const char *name);

/* "unusable for 59m: 404 no such model" into buf, or false and nothing. */
bool gates_unusable_words(const struct model_gate *model, double now, char *buf, size_t len);
/* What keeps a model whose gate is open: that, or "held 12 s (rate limit of
 * opus-4)", "held 3 s (pace)", from a second on; or false and nothing. */
bool gates_model_words(const struct gates *gates, const struct model_gate *model, double now,
		       char *buf, size_t len);

#endif
