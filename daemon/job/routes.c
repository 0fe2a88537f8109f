/*
 * routes.c - what a job asks for, as one interned text:
 *
 *   claude-sonnet-5-5,claude-haiku-5-5 batch=allow chain=cheap
 *
 * Model names have neither comma nor space: intake refuses them. The name of a
 * chain may have spaces, so it stands last.
 */
#include "daemon/job/routes.h"

#include "daemon/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route *
routes_find(struct route *routes, const char *text)
{
	struct route *route;

	HASH_FIND_STR(routes, text, route);
	return route;
}

static void
parse_models(struct route *route, const char *list)
{
	size_t count = 1;

	for (const char *c = list; *c; c++)
		count += *c == ',';
	route->models = must_alloc((count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		size_t len = strcspn(list, ",");
		char *model = must_alloc(len + 1);

		memcpy(model, list, len);
		model[len] = '\0';
		route->models[i] = model;
		list += len + (list[len] == ',');
	}
	route->models[count] = NULL;
	route->model_count = count;
}

/* What stands behind the models: " batch=allow chain=cheap". */
static int
parse_batch(const char *options)
{
	char word[16] = "";
	int mode;

	if (strncmp(options, " batch=", 7) != 0)
		return FOREBAY_BATCH_NEVER;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(options + 7, " "), options + 7);
	mode = forebay_word_find(&forebay_batch_modes, word);
	return mode >= 0 ? mode : FOREBAY_BATCH_NEVER;
}

struct route *
routes_add(struct route **routes, const char *text)
{
	struct route *route = must_alloc(sizeof(*route));
	size_t models_len = strcspn(text, " ");
	char *models = must_alloc(models_len + 1);
	const char *chain = strstr(text, " chain=");

	*route = (struct route){ .text = must_strdup(text),
				 .batch = parse_batch(text + models_len),
				 .chain = chain ? must_strdup(chain + 7) : NULL };
	memcpy(models, text, models_len);
	models[models_len] = '\0';
	parse_models(route, models);
	free(models);
	HASH_ADD_KEYPTR(hh, *routes, route->text, strlen(route->text), route);
	return route;
}

void
routes_free(struct route **routes)
{
	struct route *route, *next;

	HASH_ITER (hh, *routes, route, next) {
		HASH_DEL(*routes, route);
		for (size_t i = 0; i < route->model_count; i++)
			free(route->models[i]);
		free(route->models);
		free(route->chain);
		free(route->text);
		free(route);
	}
}

char *
route_text(const char *const *models, size_t count, int batch, const char *chain)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		fatal("out of memory");
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? "," : "", models[i]);
	if (batch != FOREBAY_BATCH_NEVER)
		fprintf(out, " batch=%s", forebay_batch_name(batch));
	if (chain)
		fprintf(out, " chain=%s", chain);
	fclose(out);
	return text;
}
