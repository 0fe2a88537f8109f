/*
 * metrics.h - what is counted, and how long things take. One list gives the
 * struct, the text for Prometheus and the `stats` verb. Increments are plain
 * metrics.x++ on the loop thread; the store thread has counters of its own,
 * handed over with results.
 */
#ifndef DAEMON_BASE_METRICS_H
#define DAEMON_BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/*	  name                        kind     help */
#define METRICS(X)                                                                                 \
	X(connections_total,          counter, "Connections accepted")                             \
	X(connections_open,           gauge,   "Connections open now")                             \
	X(connections_refused_total,  counter, "Connections refused by a limit")                   \
	X(requests_total,             counter, "Requests received")                                \
	X(requests_failed_total,      counter, "Requests answered with an error")                  \
	X(frames_bad_total,           counter, "Connections ended by a broken frame")              \
	X(jobs_submitted_total,       counter, "Jobs acknowledged")                                \
	X(jobs_deduplicated_total,    counter, "Submits answered with a job that was already there") \
	X(jobs_succeeded_total,       counter, "Jobs that ended with an answer")                   \
	X(jobs_failed_total,          counter, "Jobs that failed for good")                        \
	X(jobs_canceled_total,        counter, "Jobs canceled")                                    \
	X(jobs_expired_total,         counter, "Jobs whose deadline passed")                       \
	X(jobs_queued,                gauge,   "Jobs queued")                                      \
	X(jobs_delayed,               gauge,   "Jobs whose time has not come")                     \
	X(jobs_running,               gauge,   "Jobs running")                                     \
	X(attempts_total,             counter, "Requests sent to the API")                         \
	X(attempts_succeeded_total,   counter, "Attempts that brought an answer")                  \
	X(attempts_overloaded_total,  counter, "Attempts refused as overloaded")                   \
	X(attempts_limited_total,     counter, "Attempts refused by a rate limit")                 \
	X(attempts_faulted_total,     counter, "Attempts ended by a fault")                        \
	X(attempts_refused_total,     counter, "Attempts refused for good")                        \
	X(attempts_unknown_total,     counter, "Attempts whose end was never seen")                \
	X(direct_calls_total,         counter, "Requests to the API that are no job: counting, models") \
	X(direct_calls_failed_total,  counter, "Of those, ended without a good answer")            \
	X(tokens_input_total,         counter, "Input tokens, as the API counted them")            \
	X(tokens_output_total,        counter, "Output tokens, as the API counted them")           \
	X(tokens_cache_read_total,    counter, "Input tokens read from the prompt cache")          \
	X(tokens_cache_write_total,   counter, "Input tokens written to the prompt cache")         \
	X(gate_weather_changes_total, counter, "Changes of weather at any gate")                   \
	X(live_bytes,                 gauge,   "Bytes of running answers kept for followers")      \
	X(heads_in_memory,            gauge,   "Job heads in memory")                              \
	X(store_commits_total,        counter, "Transactions committed")                           \
	X(store_operations_total,     counter, "Operations in those transactions")                 \
	X(store_errors_total,         counter, "Operations the disk refused")

/*	  name                        what is measured, in seconds */
#define METRIC_HISTOGRAMS(X)                                                                       \
	X(queue_wait_seconds,         "From when a job could have run to the sending of the request " \
				      "that the model took up")                                    \
	X(first_byte_seconds,         "From sending a request to the first byte of its answer")    \
	X(attempt_seconds,            "From sending a request to its end, however it ended")       \
	X(store_commit_seconds,       "One transaction of the store, with its sync")
/* clang-format on */

#define METRIC_FIELD(name, kind, help) uint64_t name;
extern struct metrics {
	METRICS(METRIC_FIELD)
} metrics;
#undef METRIC_FIELD

/* Seconds, in buckets that are the same for all: 1, 2, 5 of each decade from
 * 100 us to 50,000 s. All zero is empty. */
#define HISTOGRAM_BOUNDS 27
struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* each its own, the last above all bounds */
	double sum;
};

/* Below 0 counts as 0: the wall clock may have been set. */
void histogram_observe(struct histogram *histogram, double seconds);
void histogram_add(struct histogram *to, const struct histogram *from);
/* What bucket i goes up to, inclusive; INFINITY from HISTOGRAM_BOUNDS on. */
double histogram_bound(unsigned i);

#define METRIC_FIELD(name, help) struct histogram name;
extern struct histograms {
	METRIC_HISTOGRAMS(METRIC_FIELD)
} histograms;
#undef METRIC_FIELD

#define METRIC_COUNT (sizeof(struct metrics) / sizeof(uint64_t))

/* One metric after the other, for whoever prints them. */
struct metric_row {
	const char *name; /* without the prefix forebay_ */
	const char *kind; /* "counter" or "gauge" */
	const char *help;
	uint64_t value;
};
/* False after the last. */
bool metrics_row(unsigned index, struct metric_row *ret);

struct histogram_row {
	const char *name; /* without the prefix forebay_ */
	const char *help;
	const struct histogram *histogram;
};
/* False after the last. */
bool metrics_histogram(unsigned index, struct histogram_row *ret);

#endif
