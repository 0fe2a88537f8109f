/*
 * metrics.c - the counters themselves, and the rows for whoever prints them.
 */
#include "daemon/base/metrics.h"

#include "protocol/base.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

struct metrics metrics;
struct histograms histograms;

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

/* --- histograms -------------------------------------------------------------- */

/* clang-format off */
static const double bounds[HISTOGRAM_BOUNDS] = {
	1e-4, 2e-4, 5e-4,
	1e-3, 2e-3, 5e-3,
	0.01, 0.02, 0.05,
	0.1,  0.2,  0.5,
	1,    2,    5,
	10,   20,   50,
	100,  200,  500,
	1e3,  2e3,  5e3,
	1e4,  2e4,  5e4,
};
/* clang-format on */

static const struct {
	const char *name;
	const char *help;
	const struct histogram *histogram;
} histogram_rows[] = {
#define X(name, help) { #name, help, &histograms.name },
	METRIC_HISTOGRAMS(X)
#undef X
};

double
histogram_bound(unsigned i)
{
	return i < HISTOGRAM_BOUNDS ? bounds[i] : INFINITY;
}

void
histogram_observe(struct histogram *histogram, double seconds)
{
	unsigned i = 0;

	/* Not a number counts as 0 too. */
	if (!(seconds > 0))
		seconds = 0;
	while (i < HISTOGRAM_BOUNDS && seconds > bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += seconds;
}

void
histogram_add(struct histogram *to, const struct histogram *from)
{
	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		to->counts[i] += from->counts[i];
	to->sum += from->sum;
}

bool
metrics_histogram(unsigned index, struct histogram_row *ret)
{
	if (index >= ARRAY_LEN(histogram_rows))
		return false;
	ret->name = histogram_rows[index].name;
	ret->help = histogram_rows[index].help;
	ret->histogram = histogram_rows[index].histogram;
	return true;
}
