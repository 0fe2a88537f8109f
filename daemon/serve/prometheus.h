/*
 * prometheus.h - the page of metrics: everything that is counted or can be
 * looked at, in the text format of Prometheus, version 0.0.4.
 */
#ifndef DAEMON_SERVE_PROMETHEUS_H
#define DAEMON_SERVE_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

struct server;

/* Of the response that carries it. */
#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The page as it is now: malloc'd, the caller's, never NULL, not terminated. */
char *prometheus_text(struct server *server, size_t *ret_len);

/* One family after the other, in the order of the page: for daemon/METRICS.md. */
struct prometheus_row {
	const char *name;   /* without the prefix forebay_ */
	const char *kind;   /* "counter", "gauge" or "histogram" */
	const char *labels; /* "gate, kind"; "" none */
	const char *help;
};
/* False after the last. */
bool prometheus_row(unsigned index, struct prometheus_row *ret);

#endif
