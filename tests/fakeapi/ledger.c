/*
 * ledger.c - entries, keys, models and their counts.
 */
#include "tests/fakeapi/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/base.h"

#define BLOCK 4096

static void *
must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void
peak_add(struct peak *peak, double t)
{
	while (peak->count && peak->times[peak->head] <= t - 1.0) {
		peak->head = (peak->head + 1) % peak->cap;
		peak->count--;
	}
	if (peak->count == peak->cap) {
		size_t cap = MAX(peak->cap * 2, (size_t)256);
		double *times = must(malloc(cap * sizeof(*times)));

		for (size_t i = 0; i < peak->count; i++)
			times[i] = peak->times[(peak->head + i) % peak->cap];
		free(peak->times);
		peak->times = times;
		peak->cap = cap;
		peak->head = 0;
	}
	peak->times[(peak->head + peak->count++) % peak->cap] = t;
	peak->max = MAX(peak->max, peak->count);
}

struct model *
ledger_model(struct ledger *ledger, const struct slice *name)
{
	size_t len = MIN(name->len, sizeof(ledger->models->name) - 1);
	struct model *model;

	HASH_FIND(hh, ledger->models, name->len ? name->at : "", len, model);
	if (model)
		return model;
	model = must(calloc(1, sizeof(*model)));
	memcpy(model->name, name->len ? name->at : "", len);
	HASH_ADD(hh, ledger->models, name, len, model);
	return model;
}

struct key *
ledger_key(struct ledger *ledger, const struct request *request)
{
	const struct slice *tag = &request->tag;
	uint64_t hash = tag->len ? bytes_hash(tag->at, tag->len) : ~request->hash;
	struct key *key;

	HASH_FIND(hh, ledger->keys, &hash, sizeof(hash), key);
	if (key)
		return key;
	key = must(calloc(1, sizeof(*key)));
	key->hash = hash;
	if (tag->len) {
		key->tag = must(strndup(tag->at, tag->len));
		ledger->tags++;
	}
	HASH_ADD(hh, ledger->keys, hash, sizeof(hash), key);
	return key;
}

struct entry *
ledger_add(struct ledger *ledger, double t, double weather_t)
{
	uint64_t at = ledger->count++;
	struct entry *entry;

	if (at % BLOCK == 0) {
		ledger->blocks =
		    must(realloc(ledger->blocks, (at / BLOCK + 1) * sizeof(*ledger->blocks)));
		ledger->blocks[at / BLOCK] = must(calloc(BLOCK, sizeof(struct entry)));
	}
	entry = &ledger->blocks[at / BLOCK][at % BLOCK];
	entry->seq = ledger->count;
	entry->t = t;
	entry->t_first = entry->t_end = -1;
	entry->cause = "";
	ledger->open++;
	peak_add(&ledger->arrivals_peak, weather_t);
	return entry;
}

struct entry *
ledger_find(const struct ledger *ledger, uint64_t seq)
{
	if (seq == 0 || seq > ledger->count)
		return NULL;
	return &ledger->blocks[(seq - 1) / BLOCK][(seq - 1) % BLOCK];
}

void
ledger_accepted(struct ledger *ledger, struct entry *entry)
{
	struct model *model = entry->model;

	entry->accepted = true;
	ledger->accepted++;
	ledger->accepted_again += ++entry->key->accepted == 2;
	ledger->in_flight++;
	ledger->max_in_flight = MAX(ledger->max_in_flight, ledger->in_flight);
	model->accepted++;
	model->place.in_flight++;
	model->max_in_flight = MAX(model->max_in_flight, model->place.in_flight);
}

void
ledger_fault(struct ledger *ledger, struct entry *entry, const struct fault *fault)
{
	/* By name: checks of the request answer with a row's name and words of their own. */
	entry->fault = fault->name;
	ledger->by_fault[fault_find(fault->name, strlen(fault->name)) - faults]++;
}

void
ledger_refused(struct ledger *ledger, struct entry *entry, const struct fault *fault,
	       double weather_t)
{
	ledger->refused++;
	entry->model->refused++;
	ledger_fault(ledger, entry, fault);
	peak_add(&ledger->refusals_peak, weather_t);
}

static void
ledger_write(struct ledger *ledger, const struct entry *entry)
{
	struct evbuffer *line = must(evbuffer_new());

	entry_put(entry, line);
	fwrite(evbuffer_pullup(line, -1), 1, evbuffer_get_length(line), ledger->file);
	evbuffer_free(line);
}

void
ledger_ended(struct ledger *ledger, struct entry *entry, enum outcome outcome, double t)
{
	entry->outcome = outcome;
	entry->t_end = t;
	ledger->open--;
	ledger->by_status[entry->status % 1000]++;
	ledger->cut += outcome == OUTCOME_CUT;
	ledger->left += outcome == OUTCOME_LEFT;
	if (entry->accepted) {
		ledger->in_flight--;
		entry->model->place.in_flight--;
		if (outcome == OUTCOME_COMPLETE && !entry->fault) {
			ledger->completed++;
			entry->model->completed++;
			entry->key->completed++;
		}
	}
	if (ledger->file)
		ledger_write(ledger, entry);
}

static void
ledger_clear_keys(struct ledger *ledger)
{
	struct key *key, *next;

	HASH_ITER (hh, ledger->keys, key, next) {
		HASH_DEL(ledger->keys, key);
		free(key->tag);
		free(key);
	}
}

static void
ledger_clear_models(struct ledger *ledger)
{
	struct model *model, *next;

	HASH_ITER (hh, ledger->models, model, next) {
		HASH_DEL(ledger->models, model);
		free(model);
	}
}

void
ledger_clear(struct ledger *ledger)
{
	FILE *file = ledger->file;

	for (uint64_t seq = 1; seq <= ledger->count; seq++)
		free(ledger_find(ledger, seq)->headers);
	for (uint64_t block = 0; block * BLOCK < ledger->count; block++)
		free(ledger->blocks[block]);
	free(ledger->blocks);
	free(ledger->arrivals_peak.times);
	free(ledger->refusals_peak.times);
	ledger_clear_keys(ledger);
	ledger_clear_models(ledger);
	memset(ledger, 0, sizeof(*ledger));
	ledger->file = file;
}
