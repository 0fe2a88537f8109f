/*
 * metrics.c - the counters themselves, and the rows for whoever prints them.
 */
#include "daemon/base/metrics.h"

#include "protocol/base.h"

#include <stddef.h>
#include <string.h>

struct metrics metrics;

static const struct {
	const char *name;
	const char *kind;
	const char *help;
	size_t offset;
} rows[] = {
#define X(name, kind, help) { #name, #kind, help, offsetof(struct metrics, name) },
	METRICS(X)
#undef X
};

bool
metrics_row(unsigned index, struct metric_row *ret)
{
	if (index >= ARRAY_LEN(rows))
		return false;
	ret->name = rows[index].name;
	ret->kind = rows[index].kind;
	ret->help = rows[index].help;
	memcpy(&ret->value, (const char *)&metrics + rows[index].offset, sizeof(ret->value));
	return true;
}
