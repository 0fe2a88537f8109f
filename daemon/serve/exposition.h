/*
 * exposition.h - the text format of Prometheus, version 0.0.4, into one buffer
 * that grows. It knows the format and our prefix, and no metric.
 *
 *	exposition_family(page, "gate_level", "gauge", "Most in flight");
 *	exposition_sample(page, "gate_level", "");
 *	exposition_label(page, "gate", row.name);
 *	exposition_number(page, row.view.level);
 */
#ifndef DAEMON_SERVE_EXPOSITION_H
#define DAEMON_SERVE_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram;

/* All zero: empty. */
struct exposition {
	char *text; /* owned by whoever has this; no terminator */
	size_t len, room;
	bool labelled; /* the sample being written has a label */
};

/* HELP and TYPE; its samples follow, all of them. help: no backslash, no newline. */
void exposition_family(struct exposition *page, const char *name, const char *kind,
		       const char *help);

/* A sample of the family name ("" or "_bucket" and so on behind it), its labels, its value. */
void exposition_sample(struct exposition *page, const char *name, const char *suffix);
/* value: any bytes; what is not printable ASCII is shown as \xNN. */
void exposition_label(struct exposition *page, const char *key, const char *value);
/* To the millionth; infinities and NaN are fine. */
void exposition_number(struct exposition *page, double value);
void exposition_count(struct exposition *page, uint64_t value);

/* The samples of a histogram without labels. */
void exposition_histogram(struct exposition *page, const char *name,
			  const struct histogram *histogram);

#endif
