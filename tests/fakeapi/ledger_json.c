/*
 * ledger_json.c - the ledger as JSON: log lines, /_stats, /_tags. Written by hand because a line is
 * written for each of ten thousand requests a second; model and tag are JSON string insides
 * already.
 */
#include "tests/fakeapi/ledger.h"

#include <inttypes.h>

#include "protocol/base.h"

static const char *const outcomes[] = {
	[OUTCOME_OPEN] = "open",
	[OUTCOME_COMPLETE] = "complete",
	[OUTCOME_CUT] = "cut",
	[OUTCOME_LEFT] = "client-left",
};

static void
put_string(struct evbuffer *out, const char *name, const char *value)
{
	if (value && *value)
		evbuffer_add_printf(out, ",\"%s\":\"%s\"", name, value);
	else
		evbuffer_add_printf(out, ",\"%s\":null", name);
}

static void
put_time(struct evbuffer *out, const char *name, double t)
{
	if (t >= 0)
		evbuffer_add_printf(out, ",\"%s\":%.6f", name, t);
	else
		evbuffer_add_printf(out, ",\"%s\":null", name);
}

void
entry_put(const struct entry *entry, struct evbuffer *out)
{
	evbuffer_add_printf(out, "{\"seq\":%" PRIu64 ",\"t\":%.6f", entry->seq, entry->t);
	put_time(out, "t_first", entry->t_first);
	put_time(out, "t_end", entry->t_end);
	put_string(out, "path", entry->path);
	put_string(out, "model", entry->model->name);
	put_string(out, "tag", entry->key->tag);
	evbuffer_add_printf(out,
			    ",\"attempt\":%u,\"stream\":%s,\"bytes\":%" PRIu64
			    ",\"body\":\"%016" PRIx64 "\",\"status\":%d,\"accepted\":%s",
			    entry->attempt, entry->stream ? "true" : "false", entry->bytes,
			    entry->body_hash, entry->status, entry->accepted ? "true" : "false");
	put_string(out, "fault", entry->fault);
	put_string(out, "cause", entry->cause);
	put_string(out, "outcome", outcomes[entry->outcome]);
	if (entry->headers)
		evbuffer_add_printf(out, ",\"headers\":%s", entry->headers);
	evbuffer_add(out, "}\n", 2);
}

static void
put_models(const struct ledger *ledger, struct evbuffer *out)
{
	const char *comma = "";

	for (const struct model *model = ledger->models; model; model = model->hh.next) {
		if (!*model->name)
			continue;
		evbuffer_add_printf(out,
				    "%s\"%s\":{\"arrivals\":%" PRIu64 ",\"accepted\":%" PRIu64
				    ",\"refused\":%" PRIu64 ",\"completed\":%" PRIu64
				    ",\"in_flight\":%u,\"max_in_flight\":%u}",
				    comma, model->name, model->arrivals, model->accepted,
				    model->refused, model->completed, model->place.in_flight,
				    model->max_in_flight);
		comma = ",";
	}
}

static void
put_counts(const struct ledger *ledger, struct evbuffer *out)
{
	const char *comma = "";

	evbuffer_add_printf(out, ",\"by_status\":{");
	for (size_t i = 0; i < ARRAY_LEN(ledger->by_status); i++) {
		if (!ledger->by_status[i])
			continue;
		evbuffer_add_printf(out, "%s\"%zu\":%" PRIu64, comma, i, ledger->by_status[i]);
		comma = ",";
	}
	comma = "";
	evbuffer_add_printf(out, "},\"by_fault\":{");
	for (size_t i = 0; i < fault_count; i++) {
		if (!ledger->by_fault[i])
			continue;
		evbuffer_add_printf(out, "%s\"%s\":%" PRIu64, comma, faults[i].name,
				    ledger->by_fault[i]);
		comma = ",";
	}
	evbuffer_add_printf(out, "}");
}

void
ledger_put_stats(const struct ledger *ledger, struct evbuffer *out)
{
	evbuffer_add_printf(out,
			    "\"arrivals\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"refused\":%" PRIu64
			    ",\"completed\":%" PRIu64 ",\"cut\":%" PRIu64
			    ",\"client_left\":%" PRIu64,
			    ledger->count, ledger->accepted, ledger->refused, ledger->completed,
			    ledger->cut, ledger->left);
	evbuffer_add_printf(out,
			    ",\"open\":%u,\"in_flight\":%u,\"max_in_flight\":%u"
			    ",\"max_arrivals_per_s\":%zu,\"max_refusals_per_s\":%zu"
			    ",\"tags\":%" PRIu64 ",\"accepted_again\":%" PRIu64,
			    ledger->open, ledger->in_flight, ledger->max_in_flight,
			    ledger->arrivals_peak.max, ledger->refusals_peak.max, ledger->tags,
			    ledger->accepted_again);
	put_counts(ledger, out);
	evbuffer_add_printf(out, ",\"by_model\":{");
	put_models(ledger, out);
	evbuffer_add_printf(out, "}");
}

void
ledger_put_tags(const struct ledger *ledger, struct evbuffer *out)
{
	const char *comma = "";

	evbuffer_add_printf(out, "{");
	for (const struct key *key = ledger->keys; key; key = key->hh.next) {
		if (!key->tag)
			continue;
		evbuffer_add_printf(out,
				    "%s\"%s\":{\"attempts\":%u,\"accepted\":%u,\"completed\":%u}",
				    comma, key->tag, key->attempts, key->accepted, key->completed);
		comma = ",\n";
	}
	evbuffer_add_printf(out, "}\n");
}
