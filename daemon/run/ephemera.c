/*
 * ephemera.c - what an ephemeral job is made of while it has no row: its
 * request, its options, and the attempts it has behind it.
 */
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/run/runner_internal.h"

#include <stdlib.h>

static char *
copy(const char *text)
{
	return text ? must_strdup(text) : NULL;
}

struct ephemera *
ephemera_new(struct runner *runner, const struct store_job *row, uint8_t *body, size_t len)
{
	struct ephemera *ephemera = must_alloc(sizeof(*ephemera));

	*ephemera = (struct ephemera){ .row = *row,
				       .version = copy(row->version),
				       .betas = copy(row->betas),
				       .model_option = copy(row->model_option),
				       .label = copy(row->label),
				       .unit = copy(row->unit),
				       .model = copy(row->model),
				       .chain = copy(row->chain),
				       .skipped = copy(row->skipped),
				       .headers = copy(row->headers),
				       .query = copy(row->query),
				       .body = body,
				       .body_len = len };
	ephemera->row.version = ephemera->version;
	ephemera->row.betas = ephemera->betas;
	ephemera->row.model_option = ephemera->model_option;
	ephemera->row.label = ephemera->label;
	ephemera->row.unit = ephemera->unit;
	ephemera->row.model = ephemera->model;
	ephemera->row.chain = ephemera->chain;
	ephemera->row.skipped = ephemera->skipped;
	ephemera->row.headers = ephemera->headers;
	ephemera->row.query = ephemera->query;
	ephemera->row.ephemeral = true;
	TAILQ_INSERT_TAIL(&runner->ephemeral, ephemera, link_all);
	ephemera_wait(runner, ephemera);
	runner->ephemeral_bytes += len;
	return ephemera;
}

void
ephemera_wait(struct runner *runner, struct ephemera *ephemera)
{
	ephemera->spill_ms = clock_mono_ms() + runner->config->spill_after_ms;
	ephemera->listed = true;
	TAILQ_INSERT_TAIL(&runner->unsent, ephemera, link);
}

void
ephemera_unlist(struct runner *runner, struct ephemera *ephemera)
{
	if (ephemera->listed)
		TAILQ_REMOVE(&runner->unsent, ephemera, link);
	ephemera->listed = false;
}

/* Few: one that is refused for longer than spill_after becomes a row. */
void
ephemera_remember(struct ephemera *ephemera, const struct store_attempt *attempt)
{
	struct store_attempt *list = ephemera->earlier, *last;

	list = realloc(list, (ephemera->earlier_count + 1) * sizeof(*list));
	if (!list)
		fatal("out of memory");
	ephemera->earlier = list;
	last = &list[ephemera->earlier_count++];
	*last = *attempt;
	last->model = copy(attempt->model);
	last->edits = copy(attempt->edits);
	last->error_type = copy(attempt->error_type);
	last->error_code = copy(attempt->error_code);
	last->message = copy(attempt->message);
	last->request_id = copy(attempt->request_id);
	ephemera->row.earlier = list;
	ephemera->row.earlier_count = ephemera->earlier_count;
}

static void
free_earlier(struct ephemera *ephemera)
{
	for (size_t i = 0; i < ephemera->earlier_count; i++) {
		struct store_attempt *attempt = &ephemera->earlier[i];

		free((char *)attempt->model);
		free((char *)attempt->edits);
		free((char *)attempt->error_type);
		free((char *)attempt->error_code);
		free((char *)attempt->message);
		free((char *)attempt->request_id);
	}
	free(ephemera->earlier);
}

void
ephemera_free(struct runner *runner, struct ephemera *ephemera)
{
	if (!ephemera)
		return;
	ephemera_unlist(runner, ephemera);
	TAILQ_REMOVE(&runner->ephemeral, ephemera, link_all);
	if (ephemera->body)
		runner->ephemeral_bytes -= ephemera->body_len;
	free_earlier(ephemera);
	free(ephemera->body);
	free(ephemera->version);
	free(ephemera->betas);
	free(ephemera->model_option);
	free(ephemera->label);
	free(ephemera->unit);
	free(ephemera->model);
	free(ephemera->chain);
	free(ephemera->skipped);
	free(ephemera->headers);
	free(ephemera->query);
	free(ephemera);
}
