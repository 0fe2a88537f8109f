/*
 * models.c - GET /v1/models: the models of the day, with the paging of the real list.
 */
#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakeapi/server.h"

struct listed {
	const char *id, *created, *lifecycle;
	long context, output;
	bool old; /* thinks by budget only */
};

/* Newest first, as the API lists them. */
/* clang-format off */
static const struct listed models[] = {
	{ "claude-fable-5-2", "2026-11-09", "active", 1000000, 128000, false },
	{ "claude-haiku-5-5", "2026-10-07", "active", 1000000, 128000, false },
	{ "claude-opus-5-5", "2026-09-10", "active", 1000000, 128000, false },
	{ "claude-sonnet-5-5", "2026-09-01", "active", 1000000, 128000, false },
	{ "claude-opus-5", "2026-07-01", "active", 1000000, 128000, false },
	{ "claude-sonnet-5", "2026-06-01", "active", 1000000, 128000, false },
	{ "claude-opus-4-8", "2026-05-01", "active", 1000000, 128000, false },
	{ "claude-sonnet-4-6", "2026-02-17", "active", 1000000, 128000, false },
	{ "claude-opus-4-5-20251101", "2025-11-01", "active", 200000, 64000, true },
	{ "claude-haiku-4-5-20251001", "2025-10-01", "active", 200000, 64000, true },
	{ "claude-sonnet-4-5-20250929", "2025-09-29", "deprecated", 200000, 64000, true },
};
/* clang-format on */

static void
model_put(const struct listed *model, struct evbuffer *out)
{
	const char *adaptive = model->old ? "false" : "true";

	evbuffer_add_printf(
	    out,
	    "{\"type\":\"model\",\"id\":\"%s\",\"display_name\":\"Claude %s\",\"created_at\":"
	    "\"%sT00:00:00Z\",\"lifecycle\":\"%s\",\"deprecated_at\":null,\"retires_at\":null,"
	    "\"max_input_tokens\":%ld,\"max_tokens\":%ld,\"capabilities\":{\"batch\":{"
	    "\"supported\":true},\"effort\":{\"supported\":%s},\"thinking\":{\"supported\":true,"
	    "\"types\":{\"adaptive\":{\"supported\":%s},\"enabled\":{\"supported\":%s}}},"
	    "\"structured_outputs\":{\"supported\":true}}}",
	    model->id, model->id + strlen("claude-"), model->created, model->lifecycle,
	    model->context, model->output, adaptive, adaptive, model->old ? "true" : "false");
}

/* An id, or an alias without its date. */
static const struct listed *
model_find(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		if (strncmp(models[i].id, id, len) == 0 &&
		    (models[i].id[len] == '\0' || strncmp(models[i].id + len, "-202", 4) == 0))
			return &models[i];
	}
	return NULL;
}

bool
models_put_one(const char *id, struct evbuffer *out)
{
	const struct listed *model = model_find(id);

	if (model)
		model_put(model, out);
	return model != NULL;
}

void
models_put_list(struct evhttp_request *req, struct evbuffer *out)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	const char *value;
	struct evkeyvalq args = { 0 };
	size_t first = 0, end, limit = 20;

	TAILQ_INIT(&args);
	if (query && evhttp_parse_query_str(query, &args) == 0) {
		const struct listed *after;

		value = evhttp_find_header(&args, "limit");
		if (value)
			limit = strtoul(value, NULL, 10);
		value = evhttp_find_header(&args, "after_id");
		after = value ? model_find(value) : NULL;
		if (after)
			first = (size_t)(after - models) + 1;
	}
	evhttp_clear_headers(&args);
	end = MIN(first + limit, ARRAY_LEN(models));
	evbuffer_add_printf(out, "{\"data\":[");
	for (size_t i = first; i < end; i++) {
		if (i > first)
			evbuffer_add(out, ",", 1);
		model_put(&models[i], out);
	}
	if (end > first)
		evbuffer_add_printf(out,
				    "],\"has_more\":%s,\"first_id\":\"%s\",\"last_id\":\"%s\"}",
				    end < ARRAY_LEN(models) ? "true" : "false", models[first].id,
				    models[end - 1].id);
	else
		evbuffer_add_printf(out,
				    "],\"has_more\":false,\"first_id\":null,\"last_id\":null}");
}
