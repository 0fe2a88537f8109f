/*
 * models.c - GET /v1/models: the models of the day, with the paging of the real list.
 */
#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakeapi/server.h"

#define PAGE_DEFAULT 20
#define PAGE_MAX     1000

/* What a model does, as letters: (a)daptive, (e)nabled, (d)isabled thinking, between (t)ools. */
struct listed {
	const char *id, *created, *lifecycle, *retires;
	const char *thinking;
	int efforts; /* low, medium, high; a fourth: max; a fifth: xhigh */
	long context, output;
};

/* Newest first, as the API lists them; what daemon/claude/models.c knows. */
/* clang-format off */
static const struct listed models[] = {
	{ "claude-fable-5-2", "2026-11-09", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-mythos-5-2", "2026-11-09", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-fable-5-1", "2026-10-12", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-mythos-5-1", "2026-10-12", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-haiku-5-5", "2026-10-07", "active", NULL, "ad", 5, 1000000, 128000 },
	{ "claude-opus-5-5", "2026-09-10", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-sonnet-5-5", "2026-09-01", "active", NULL, "at", 5, 1000000, 128000 },
	{ "claude-fable-5", "2026-08-01", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-mythos-5", "2026-08-01", "active", NULL, "a", 5, 1000000, 128000 },
	{ "claude-opus-5", "2026-07-01", "active", NULL, "ad", 5, 1000000, 128000 },
	{ "claude-sonnet-5", "2026-06-01", "active", NULL, "ad", 5, 1000000, 128000 },
	{ "claude-opus-4-8", "2026-05-01", "active", NULL, "ad", 5, 1000000, 128000 },
	{ "claude-opus-4-7", "2026-04-01", "active", NULL, "ad", 5, 1000000, 128000 },
	{ "claude-sonnet-4-6", "2026-02-17", "active", NULL, "aed", 4, 1000000, 128000 },
	{ "claude-opus-4-6", "2026-02-04", "active", NULL, "aed", 4, 1000000, 128000 },
	{ "claude-opus-4-5-20251101", "2025-11-01", "active", NULL, "ed", 3, 200000, 64000 },
	{ "claude-haiku-4-5-20251001", "2025-10-01", "active", NULL, "ed", 0, 200000, 64000 },
	{ "claude-sonnet-4-5-20250929", "2025-09-29", "deprecated", "2026-11-30", "ed", 0, 200000, 64000 },
};
/* clang-format on */

static const char *
truth(bool yes)
{
	return yes ? "true" : "false";
}

static void
put_support(struct evbuffer *out, const char *name, bool supported)
{
	evbuffer_add_printf(out, ",\"%s\":{\"supported\":%s}", name, truth(supported));
}

static void
put_capabilities(const struct listed *model, struct evbuffer *out)
{
	static const char *const efforts[] = { "low", "medium", "high", "max", "xhigh" };
	static const struct {
		const char *name;
		char letter;
	} types[] = { { "adaptive", 'a' },
		      { "enabled", 'e' },
		      { "disabled", 'd' },
		      { "between_tools", 't' } };
	static const char *const all[] = { "structured_outputs", "image_input",	   "pdf_input",
					   "citations",		 "code_execution", "server_tools" };

	evbuffer_add_printf(out, "{\"batch\":{\"supported\":true},\"effort\":{\"supported\":%s",
			    truth(model->efforts > 0));
	for (int i = 0; i < (int)ARRAY_LEN(efforts); i++)
		put_support(out, efforts[i], i < model->efforts);
	evbuffer_add_printf(out, "},\"thinking\":{\"supported\":true,\"types\":{");
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		evbuffer_add_printf(out, "%s\"%s\":{\"supported\":%s}", i ? "," : "", types[i].name,
				    truth(strchr(model->thinking, types[i].letter)));
	evbuffer_add_printf(out, "}}");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		put_support(out, all[i], true);
	evbuffer_add_printf(out, ",\"context_management\":null}");
}

static void
model_put(const struct listed *model, struct evbuffer *out)
{
	evbuffer_add_printf(
	    out,
	    "{\"type\":\"model\",\"id\":\"%s\",\"display_name\":\"Claude %s\",\"created_at\":"
	    "\"%sT00:00:00Z\",\"lifecycle\":\"%s\",\"deprecated_at\":null,\"retires_at\":",
	    model->id, model->id + strlen("claude-"), model->created, model->lifecycle);
	if (model->retires)
		evbuffer_add_printf(out, "\"%sT00:00:00Z\"", model->retires);
	else
		evbuffer_add_printf(out, "null");
	evbuffer_add_printf(
	    out, ",\"line\":\"%.*s\",\"max_input_tokens\":%ld,\"max_tokens\":%ld,\"capabilities\":",
	    (int)strcspn(model->id + strlen("claude-"), "-"), model->id + strlen("claude-"),
	    model->context, model->output);
	put_capabilities(model, out);
	evbuffer_add_printf(out, "}");
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

/* --- pages ------------------------------------------------------------------ */

/* What the query asks for: at most limit rows after or before a row, of one lifecycle. */
struct page {
	size_t limit;
	const struct listed *after, *before;
	char lifecycle[16]; /* "": all */
};

/* The row of a cursor in the query; false if there is none of that name. */
static bool
cursor_read(const struct evkeyvalq *args, const char *name, const struct listed **ret)
{
	const char *id = evhttp_find_header(args, name);

	*ret = id ? model_find(id) : NULL;
	return !id || *ret;
}

/* NULL, or what is wrong with it. */
static const char *
page_read(struct evhttp_request *req, struct page *ret)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	const char *limit, *lifecycle, *why = NULL;
	struct evkeyvalq args = { 0 };
	char *end = NULL;

	TAILQ_INIT(&args);
	*ret = (struct page){ .limit = PAGE_DEFAULT };
	if (!query || evhttp_parse_query_str(query, &args) != 0)
		return NULL;
	limit = evhttp_find_header(&args, "limit");
	lifecycle = evhttp_find_header(&args, "lifecycle");
	if (limit)
		ret->limit = strtoul(limit, &end, 10);
	if (lifecycle)
		strncpy(ret->lifecycle, lifecycle, sizeof(ret->lifecycle) - 1);
	if (ret->limit < 1 || ret->limit > PAGE_MAX || (end && *end))
		why = "limit: should be a number from 1 to 1000";
	else if (!cursor_read(&args, "after_id", &ret->after))
		why = "after_id: no such model";
	else if (!cursor_read(&args, "before_id", &ret->before))
		why = "before_id: no such model";
	else if (ret->after && ret->before)
		why = "after_id, before_id: only one of them";
	evhttp_clear_headers(&args);
	return why;
}

bool
models_refuses(struct evhttp_request *req, struct fault *ret)
{
	struct page page;
	const char *why = page_read(req, &page);

	if (!why)
		return false;
	*ret = *fault_find("400", 3);
	ret->message = why;
	return true;
}

static size_t
page_fill(const struct page *page, const struct listed *ret[static ARRAY_LEN(models)],
	  bool *ret_more)
{
	const struct listed *first = page->after ? page->after + 1 : models;
	const struct listed *end = page->before ? page->before : models + ARRAY_LEN(models);
	size_t count = 0, skip;

	for (const struct listed *model = first; model < end; model++)
		if (!page->lifecycle[0] || strcmp(page->lifecycle, model->lifecycle) == 0)
			ret[count++] = model;
	*ret_more = count > page->limit;
	/* Backwards, a page is what stands right before its cursor. */
	skip = *ret_more && page->before ? count - page->limit : 0;
	memmove(ret, ret + skip, (count - skip) * sizeof(ret[0]));
	return MIN(count, page->limit);
}

void
models_put_list(struct evhttp_request *req, struct evbuffer *out)
{
	const struct listed *rows[ARRAY_LEN(models)];
	struct page page;
	size_t count;
	bool more;

	(void)page_read(req, &page); /* models_refuses() has had its say */
	count = page_fill(&page, rows, &more);
	evbuffer_add_printf(out, "{\"data\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			evbuffer_add(out, ",", 1);
		model_put(rows[i], out);
	}
	evbuffer_add_printf(out, "],\"has_more\":%s,", truth(more));
	if (count > 0)
		evbuffer_add_printf(out, "\"first_id\":\"%s\",\"last_id\":\"%s\"}", rows[0]->id,
				    rows[count - 1]->id);
	else
		evbuffer_add_printf(out, "\"first_id\":null,\"last_id\":null}");
}
