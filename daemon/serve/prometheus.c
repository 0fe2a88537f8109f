/*
 * prometheus.c - the page of metrics. The table below declares the families
 * that have labels or are looked at for the page; the others are the rows of
 * daemon/base/metrics.h. daemon/METRICS.md lists both, and a test compares.
 *
 * It is made on the loop, within 2 ms for any number of callers and models: one
 * buffer, no printf, and of the callers only the largest by name.
 */
#include "daemon/serve/prometheus.h"

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/peer.h"
#include "daemon/base/process.h"
#include "daemon/gate/gate.h"
#include "daemon/run/gates.h"
#include "daemon/run/runner.h"
#include "daemon/run/totals.h"
#include "daemon/serve/exposition.h"
#include "daemon/serve/server_internal.h"
#include "daemon/store/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_OWNERS 100

/* One page being made. */
struct scrape {
	struct server *server; /* borrowed */
	struct exposition page;
	struct runner_counts counts;
	uint64_t store_bytes, free_bytes;
	double now;
	struct runner_owner owners[MAX_OWNERS]; /* those with the most jobs, descending */
	struct runner_owner other;		/* all the rest together */
	size_t owner_count;
	bool has_other;
};

struct family {
	const char *name, *kind, *labels;
	const char *help; /* for people, and the page */
	void (*print)(struct scrape *scrape, const struct family *family);
	/* What print needs to know which of its kind it is. */
	double (*value)(const struct scrape *scrape); /* NAN: it cannot be known, and is left out */
	double (*of_gate)(const struct gates_row *row, double now);
	size_t of_owner; /* offset of a uint64_t in struct runner_owner */
};

static void
begin(struct scrape *scrape, const struct family *family)
{
	exposition_sample(&scrape->page, family->name, "");
}

/* --- one value ---------------------------------------------------------------------- */

static void
print_value(struct scrape *scrape, const struct family *family)
{
	double value = family->value(scrape);

	if (isnan(value))
		return;
	begin(scrape, family);
	exposition_number(&scrape->page, value);
}

static double
known(int64_t value)
{
	return value < 0 ? NAN : (double)value;
}

static double
start_time(const struct scrape *scrape)
{
	return (double)scrape->server->started_ms / 1000.0;
}

static double
resident(const struct scrape *scrape)
{
	(void)scrape;
	return known(process_resident_bytes());
}

static double
open_fds(const struct scrape *scrape)
{
	(void)scrape;
	return known(process_open_fds());
}

static double
workers(const struct scrape *scrape)
{
	return scrape->counts.workers;
}

static double
in_flight(const struct scrape *scrape)
{
	return scrape->counts.in_flight;
}

static double
draining(const struct scrape *scrape)
{
	return runner_is_draining(scrape->server->runner);
}

static double
key_usable(const struct scrape *scrape)
{
	const struct server *server = scrape->server;
	char key[RUNNER_WHY_LEN];

	return server->events->key(key, sizeof(key), server->arg);
}

static double
store_bytes(const struct scrape *scrape)
{
	return (double)scrape->store_bytes;
}

static double
free_bytes(const struct scrape *scrape)
{
	return (double)scrape->free_bytes;
}

static double
writable(const struct scrape *scrape)
{
	const char *why;

	return store_accepts(scrape->server->store, &why) == FOREBAY_ERR_OK;
}

static double
backlog(const struct scrape *scrape)
{
	return (double)store_backlog(scrape->server->store);
}

static double
backlog_bytes(const struct scrape *scrape)
{
	return (double)store_backlog_bytes(scrape->server->store);
}

/* --- by a list of words --------------------------------------------------------------- */

static void
print_word(struct scrape *scrape, const struct family *family, const char *word, uint64_t value)
{
	begin(scrape, family);
	exposition_label(&scrape->page, family->labels, word);
	exposition_count(&scrape->page, value);
}

static void
print_build(struct scrape *scrape, const struct family *family)
{
	print_word(scrape, family, FOREBAY_VERSION, 1);
}

static void
print_states(struct scrape *scrape, const struct family *family)
{
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++)
		print_word(scrape, family, forebay_job_state_name(state),
			   scrape->counts.jobs[state]);
}

static void
print_classes(struct scrape *scrape, const struct family *family)
{
	for (int class = 0; class < FOREBAY_CLASS_COUNT; class ++)
		print_word(scrape, family, forebay_class_name(class), scrape->counts.queued[class]);
}

static void
print_outcomes(struct scrape *scrape, const struct family *family)
{
	const char *outcome;
	uint64_t count;

	for (unsigned i = 0; (outcome = runner_outcome(i, &count)); i++)
		print_word(scrape, family, outcome, count);
}

static void
print_tokens(struct scrape *scrape, const struct family *family)
{
	print_word(scrape, family, "input", metrics.tokens_input_total);
	print_word(scrape, family, "output", metrics.tokens_output_total);
	print_word(scrape, family, "cache_read", metrics.tokens_cache_read_total);
	print_word(scrape, family, "cache_write", metrics.tokens_cache_write_total);
}

/* --- by gate ---------------------------------------------------------------------------- */

static void
begin_gate(struct scrape *scrape, const struct family *family, const struct gates_row *row)
{
	begin(scrape, family);
	exposition_label(&scrape->page, "gate", row->name);
	exposition_label(&scrape->page, "kind", row->kind);
}

static void
print_gates(struct scrape *scrape, const struct family *family)
{
	struct gates *gates = runner_gates(scrape->server->runner);
	struct gates_row row = { 0 };

	while (gates_next(gates, scrape->now, &row)) {
		begin_gate(scrape, family, &row);
		exposition_number(&scrape->page, family->of_gate(&row, scrape->now));
	}
}

static void
print_weathers(struct scrape *scrape, const struct family *family)
{
	struct gates *gates = runner_gates(scrape->server->runner);
	struct gates_row row = { 0 };

	while (gates_next(gates, scrape->now, &row))
		for (int weather = 0; weather < GATE_WEATHER_COUNT; weather++) {
			begin_gate(scrape, family, &row);
			exposition_label(&scrape->page, "weather", gate_weather_name(weather));
			exposition_count(&scrape->page,
					 row.view.weather == (enum gate_weather)weather);
		}
}

static double
gate_level(const struct gates_row *row, double now)
{
	(void)now;
	return row->view.level;
}

static double
gate_window(const struct gates_row *row, double now)
{
	(void)now;
	return row->gate->window;
}

static double
gate_in_flight(const struct gates_row *row, double now)
{
	(void)now;
	return row->view.in_flight;
}

static double
gate_slots(const struct gates_row *row, double now)
{
	(void)now;
	return row->view.slots;
}

static double
gate_refused_share(const struct gates_row *row, double now)
{
	(void)now;
	return row->view.refused_share;
}

static double
gate_next_try(const struct gates_row *row, double now)
{
	(void)now;
	return fmax(row->view.weather == GATE_HELD ? row->view.held_s : row->view.next_try_s, 0.0);
}

static double
gate_closed(const struct gates_row *row, double now)
{
	return now < row->gate->closed_until;
}

/* --- by owner ------------------------------------------------------------------------------ */

static uint64_t
jobs_of(const struct runner_owner *owner)
{
	return owner->pending + owner->succeeded + owner->failed;
}

/* A total order, so that the same ones are chosen each time. */
static bool
is_larger(const struct runner_owner *a, const struct runner_owner *b)
{
	return jobs_of(a) != jobs_of(b) ? jobs_of(a) > jobs_of(b) : a->uid < b->uid;
}

static void
add_other(struct scrape *scrape, const struct runner_owner *owner)
{
	scrape->has_other = true;
	scrape->other.pending += owner->pending;
	scrape->other.running += owner->running;
	scrape->other.succeeded += owner->succeeded;
	scrape->other.failed += owner->failed;
	scrape->other.tokens += owner->tokens;
}

static void
rank_owner(struct scrape *scrape, const struct runner_owner *owner)
{
	size_t at = scrape->owner_count;

	while (at > 0 && is_larger(owner, &scrape->owners[at - 1]))
		at--;
	if (at == MAX_OWNERS) {
		add_other(scrape, owner);
		return;
	}
	if (scrape->owner_count == MAX_OWNERS)
		add_other(scrape, &scrape->owners[--scrape->owner_count]);
	memmove(&scrape->owners[at + 1], &scrape->owners[at],
		(scrape->owner_count - at) * sizeof(scrape->owners[0]));
	scrape->owners[at] = *owner;
	scrape->owner_count++;
}

static void
print_owner(struct scrape *scrape, const struct family *family, const struct runner_owner *owner,
	    const char *name, const char *uid)
{
	uint64_t value;

	memcpy(&value, (const char *)owner + family->of_owner, sizeof(value));
	begin(scrape, family);
	exposition_label(&scrape->page, "owner", name);
	exposition_label(&scrape->page, "uid", uid);
	exposition_count(&scrape->page, value);
}

static void
print_owners(struct scrape *scrape, const struct family *family)
{
	char name[64], uid[16];

	for (size_t i = 0; i < scrape->owner_count; i++) {
		const struct runner_owner *owner = &scrape->owners[i];

		snprintf(uid, sizeof(uid), "%u", (unsigned)owner->uid);
		print_owner(scrape, family, owner, peer_user_name(owner->uid, name, sizeof(name)),
			    uid);
	}
	if (scrape->has_other)
		print_owner(scrape, family, &scrape->other, "other", "");
}

/* --- the table -------------------------------------------------------------------------------- */

/* clang-format off */
#define VALUE(fn)   .print = print_value, .value = (fn)
#define GATE(fn)    .print = print_gates, .of_gate = (fn)
#define OWNER(word) .print = print_owners, .of_owner = offsetof(struct runner_owner, word)

/* Where print_word() is used, labels is the one label. */
static const struct family families[] = {
	{ "build_info",                     "gauge",   "version",              .print = print_build,
	  .help = "1, for the program that runs" },
	{ "process_start_time_seconds",     "gauge",   "",                     VALUE(start_time),
	  .help = "When it started, in seconds since 1970" },
	{ "process_resident_memory_bytes",  "gauge",   "",                     VALUE(resident),
	  .help = "Memory in use" },
	{ "process_open_fds",               "gauge",   "",                     VALUE(open_fds),
	  .help = "Open file descriptors" },
	{ "draining",                       "gauge",   "",                     VALUE(draining),
	  .help = "1: it is about to end and starts nothing any more" },
	{ "key_usable",                     "gauge",   "",                     VALUE(key_usable),
	  .help = "1: there is a key to send with; whether the API takes it says its gate" },
	{ "workers",                        "gauge",   "",                     VALUE(workers),
	  .help = "Requests that may be under way at a time" },
	{ "in_flight",                      "gauge",   "",                     VALUE(in_flight),
	  .help = "Requests under way" },
	{ "jobs",                           "gauge",   "state",                .print = print_states,
	  .help = "Jobs that are kept, ended ones until their keep time is over" },
	{ "queued_jobs",                    "gauge",   "class",                .print = print_classes,
	  .help = "Queued jobs by class" },
	{ "attempts_ended_total",           "counter", "outcome",              .print = print_outcomes,
	  .help = "Attempts by how they ended, also before anything was sent" },
	{ "tokens_total",                   "counter", "kind",                 .print = print_tokens,
	  .help = "Tokens, as the API counted them" },
	{ "gate_weather",                   "gauge",   "gate, kind, weather",  .print = print_weathers,
	  .help = "1 for the weather there is, 0 for the others" },
	{ "gate_level",                     "gauge",   "gate, kind",           GATE(gate_level),
	  .help = "Most requests in flight that it is believed to carry" },
	{ "gate_window",                    "gauge",   "gate, kind",           GATE(gate_window),
	  .help = "Most requests that may be unanswered" },
	{ "gate_in_flight",                 "gauge",   "gate, kind",           GATE(gate_in_flight),
	  .help = "Requests in flight" },
	{ "gate_slots",                     "gauge",   "gate, kind",           GATE(gate_slots),
	  .help = "Upper bound of the level" },
	{ "gate_refused_share",             "gauge",   "gate, kind",           GATE(gate_refused_share),
	  .help = "Share of the last answers that were refusals, 0 to 1" },
	{ "gate_next_try_seconds",          "gauge",   "gate, kind",           GATE(gate_next_try),
	  .help = "Until a request goes: in the dark the next try, held the end of that; +Inf until somebody opens it" },
	{ "gate_closed",                    "gauge",   "gate, kind",           GATE(gate_closed),
	  .help = "1: closed by hand, or because the key was refused or its money is spent" },
	{ "owner_jobs_pending",             "gauge",   "owner, uid",           OWNER(pending),
	  .help = "Jobs that have not ended" },
	{ "owner_jobs_running",             "gauge",   "owner, uid",           OWNER(running),
	  .help = "Of these: running" },
	{ "owner_jobs_succeeded_total",     "counter", "owner, uid",           OWNER(succeeded),
	  .help = "Jobs that ended with an answer" },
	{ "owner_jobs_failed_total",        "counter", "owner, uid",           OWNER(failed),
	  .help = "Jobs that failed for good" },
	{ "owner_tokens_total",             "counter", "owner, uid",           OWNER(tokens),
	  .help = "Input and output tokens, as the API counted them" },
	{ "store_bytes",                    "gauge",   "",                     VALUE(store_bytes),
	  .help = "Size of the database with its log" },
	{ "store_free_bytes",               "gauge",   "",                     VALUE(free_bytes),
	  .help = "Room left on its file system" },
	{ "store_writable",                 "gauge",   "",                     VALUE(writable),
	  .help = "1: new jobs are taken" },
	{ "store_backlog_operations",       "gauge",   "",                     VALUE(backlog),
	  .help = "Operations that are not on disk yet" },
	{ "store_backlog_bytes",            "gauge",   "",                     VALUE(backlog_bytes),
	  .help = "And their bytes" },
};
/* clang-format on */

bool
prometheus_row(unsigned index, struct prometheus_row *ret)
{
	struct histogram_row histogram;
	struct metric_row metric;

	if (index < ARRAY_LEN(families)) {
		const struct family *family = &families[index];

		*ret = (struct prometheus_row){ family->name, family->kind, family->labels,
						family->help };
		return true;
	}
	index -= (unsigned)ARRAY_LEN(families);
	if (metrics_row(index, &metric)) {
		*ret = (struct prometheus_row){ metric.name, metric.kind, "", metric.help };
		return true;
	}
	if (!metrics_histogram(index - METRIC_COUNT, &histogram))
		return false;
	*ret = (struct prometheus_row){ histogram.name, "histogram", "", histogram.help };
	return true;
}

static void
look(struct scrape *scrape, struct server *server)
{
	struct runner_owner owner = { 0 };

	*scrape = (struct scrape){ .server = server, .now = clock_mono() };
	runner_count(server->runner, &scrape->counts);
	store_disk(server->store, &scrape->store_bytes, &scrape->free_bytes);
	while (runner_next_owner(server->runner, &owner))
		rank_owner(scrape, &owner);
}

char *
prometheus_text(struct server *server, size_t *ret_len)
{
	struct scrape scrape;
	struct histogram_row histogram;
	struct metric_row metric;

	look(&scrape, server);
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct family *family = &families[i];

		exposition_family(&scrape.page, family->name, family->kind, family->help);
		family->print(&scrape, family);
	}
	for (unsigned i = 0; metrics_row(i, &metric); i++) {
		exposition_family(&scrape.page, metric.name, metric.kind, metric.help);
		exposition_sample(&scrape.page, metric.name, "");
		exposition_count(&scrape.page, metric.value);
	}
	for (unsigned i = 0; metrics_histogram(i, &histogram); i++) {
		exposition_family(&scrape.page, histogram.name, "histogram", histogram.help);
		exposition_histogram(&scrape.page, histogram.name, histogram.histogram);
	}
	*ret_len = scrape.page.len;
	return scrape.page.text;
}
