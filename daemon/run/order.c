/*
 * order.c - what a submit asks for, with every default in its place.
 */
#include "daemon/run/order.h"

#include "daemon/base/digest.h"
#include "daemon/base/log.h"
#include "daemon/claude/adapt.h"
#include "daemon/claude/body.h"
#include "daemon/job/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_LEN	     256
#define API_MAX_BODY (32u << 20) /* of a Messages request */

void
order_clear(struct order *order)
{
	for (size_t i = 0; i < order->model_count; i++)
		free(order->models[i]);
	free(order->models);
	free(order->model_option);
	free(order->chain);
	free(order->skipped);
	free(order->version);
	free(order->betas);
	free(order->label);
	free(order->key);
	free(order->headers);
	free(order->query);
	*order = (struct order){ 0 };
}

static char *
copy(const char *text)
{
	return text ? must_strdup(text) : NULL;
}

/* Routes are written as lists: a name may hold nothing that separates. */
static bool
is_model_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) > MESSAGE_MAX_MODEL)
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c == ',' || *c == '"' || *c == '\\' || *c >= 0x7f)
			return false;
	return true;
}

static enum forebay_err
add_model(struct order *order, const char *name, char *why)
{
	if (!is_model_name(name)) {
		snprintf(why, WHY_LEN,
			 "model: \"%.80s\" is no model name; expected 1 to %u letters, digits and "
			 "signs without spaces, commas or quotes",
			 name, MESSAGE_MAX_MODEL);
		return FOREBAY_ERR_INVALID_BODY;
	}
	for (size_t i = 0; i < order->model_count; i++)
		if (strcmp(order->models[i], name) == 0)
			return FOREBAY_ERR_OK;
	order->models = realloc(order->models, (order->model_count + 2) * sizeof(char *));
	if (!order->models)
		fatal("out of memory");
	order->models[order->model_count++] = must_strdup(name);
	order->models[order->model_count] = NULL;
	return FOREBAY_ERR_OK;
}

static bool
is_named(const char *chain)
{
	return chain && strcmp(chain, "default") != 0;
}

/* The [chain NAME] that the request speaks of; NULL: none, or a list. */
static enum forebay_err
find_chain(const struct config *config, const struct request *request,
	   const struct config_chain **ret, char *why)
{
	*ret = is_named(request->chain) ? config_chain_of(config, request->chain) : NULL;
	if (*ret || !is_named(request->chain))
		return FOREBAY_ERR_OK;
	snprintf(why, WHY_LEN,
		 "chain: there is no chain \"%.80s\"; [chain NAME] sections of the "
		 "configuration name them, and \"default\" is the model alone",
		 request->chain);
	return FOREBAY_ERR_BAD_REQUEST;
}

/* The model of the option and the chain behind it; the body's where neither is given. */
static enum forebay_err
choose_models(struct order *order, const struct config_chain *named, const struct request *request,
	      const char *body_model, char *why)
{
	char *const *chain = named ? named->models : request->chain_models;
	enum forebay_err err = FOREBAY_ERR_OK;

	if (request->model)
		err = add_model(order, request->model, why);
	else if (!chain)
		err = add_model(order, body_model, why);
	for (size_t i = 0; !err && chain && chain[i]; i++)
		err = add_model(order, chain[i], why);
	return err;
}

/* Fallback keeps the meaning: models that cannot do what the body asks for are
 * no fallback. The first one stays: it is what was asked for. */
static void
skip_models(struct order *order, const struct config_chain *named, const struct body_facts *facts)
{
	struct adapt_wishes wishes = { .drop_sampling = named && named->adapt,
				       .version = order->version };
	size_t kept = 1, len = 0;
	FILE *out = order->model_count > 1 ? open_memstream(&order->skipped, &len) : NULL;

	if (order->model_count > 1 && !out)
		fatal("out of memory");
	for (size_t i = 1; i < order->model_count; i++) {
		char *model = order->models[i];
		const char *refusal = adapt_refusal(facts, order->cost_input, model, &wishes);

		if (!refusal) {
			order->models[kept++] = model;
			continue;
		}
		fprintf(out, "%s%s (%s)", ftell(out) > 0 ? ", " : "", model, refusal);
		free(model);
	}
	if (!out)
		return;
	fclose(out);
	order->models[kept] = NULL;
	order->model_count = kept;
	if (len == 0) {
		free(order->skipped);
		order->skipped = NULL;
	}
}

static char *
join_betas(char *const *betas)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!betas || !betas[0])
		return NULL;
	out = open_memstream(&text, &len);
	if (!out)
		fatal("out of memory");
	for (size_t i = 0; betas[i]; i++)
		fprintf(out, "%s%s", i ? "," : "", betas[i]);
	fclose(out);
	return text;
}

/* A second submit with the same key must mean the same; this is what counts. */
static void
digest_options(struct order *order)
{
	char *route = route_of_order(order);
	char *text = NULL;
	int len = asprintf(&text, "%s\n%s\n%s\n%s\n%" PRIu64 "\n%d\n%s\n%s", route,
			   order->model_option ? order->model_option : "", order->version,
			   order->betas ? order->betas : "", order->shrink_to, order->transport,
			   order->query ? order->query : "", order->headers ? order->headers : "");

	if (len < 0)
		fatal("out of memory");
	digest_sha256(text, (size_t)len, order->options);
	free(text);
	free(route);
}

static void
take_times(struct order *order, const struct config *config, const struct request *request)
{
	int64_t usual =
	    request->batch == FOREBAY_BATCH_ONLY ? config->batch_deadline_ms : config->deadline_ms;
	int64_t from = MAX(order->now_ms, request->not_before);

	order->not_before_ms = request->not_before;
	order->deadline_ms =
	    request->deadline_ms ? order->now_ms + request->deadline_ms : from + usual;
	order->keep_ms = request->keep_ms >= 0 ? request->keep_ms : config->keep_ms;
}

static enum forebay_err
check_request(const struct config *config, const struct request *request, size_t len,
	      int64_t now_ms, char *why)
{
	if (len > config->max_body) {
		snprintf(why, WHY_LEN, "the body has %zu bytes; [queue] max_body allows %" PRIu64,
			 len, config->max_body);
		return FOREBAY_ERR_TOO_BIG;
	}
	if (request->batch == FOREBAY_BATCH_ONLY) {
		snprintf(why, WHY_LEN,
			 "batch: \"only\" needs the Message Batches API, which this version does "
			 "not use yet; submit with \"allow\" or \"never\"");
		return FOREBAY_ERR_BAD_REQUEST;
	}
	if (request->deadline_ms && request->not_before > now_ms &&
	    request->deadline_ms <= request->not_before - now_ms) {
		snprintf(why, WHY_LEN,
			 "deadline_ms: %" PRId64 " from now is over before not_before lets the "
			 "job start; it should be more than %" PRId64,
			 request->deadline_ms, request->not_before - now_ms);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	return FOREBAY_ERR_OK;
}

/* What we splice in must fit under the API's own limit, too: said now, not by a
 * refusal after hours in the queue. */
static enum forebay_err
check_sent_size(const struct config *config, const struct request *request,
		const struct body_facts *facts, size_t len, char *why)
{
	bool stream = request->transport == FOREBAY_TRANSPORT_STREAM ||
		      (request->transport == FOREBAY_TRANSPORT_DEFAULT &&
		       config->transport == CONFIG_TRANSPORT_STREAM);
	size_t more = stream && !facts->stream ? strlen("\"stream\":true,") : 0;

	if (request->model)
		more += strlen(request->model) + strlen("\"model\":\"\",");
	if (len + more <= API_MAX_BODY)
		return FOREBAY_ERR_OK;
	snprintf(why, WHY_LEN,
		 "the body has %zu bytes and %zu are added (stream, model); the API takes %u", len,
		 more, API_MAX_BODY);
	return FOREBAY_ERR_TOO_BIG;
}

enum forebay_err
order_from_request(struct order *ret, const struct config *config, const struct request *request,
		   const uint8_t *body, size_t len, int64_t now_ms, char *why)
{
	bool needs_model = !request->model && !request->chain_models && !is_named(request->chain);
	const struct config_chain *named = NULL;
	struct body_facts facts;
	enum forebay_err err = check_request(config, request, len, now_ms, why);

	if (!err)
		err = find_chain(config, request, &named, why);
	if (err)
		return err;
	err = needs_model ? body_scan(body, len, &facts, why, WHY_LEN)
			  : body_scan_without_model(body, len, &facts, why, WHY_LEN);
	if (err)
		return err;
	err = choose_models(ret, named, request, facts.model, why);
	if (!err)
		err = check_sent_size(config, request, &facts, len, why);
	if (err)
		return err;
	ret->now_ms = now_ms;
	ret->model_option = copy(request->model);
	ret->chain = copy(request->chain);
	ret->version = must_strdup(request->version ? request->version : config->version);
	ret->betas = join_betas(request->betas);
	ret->label = copy(request->label);
	ret->key = copy(request->key);
	ret->headers = copy(request->headers);
	ret->query = copy(request->query);
	ret->class = request->class;
	ret->batch = request->batch;
	ret->transport = request->transport;
	ret->priority = request->priority;
	ret->attempts = request->attempts ? request->attempts : config->attempts;
	ret->shrink_to = request->shrink_to ? request->shrink_to : named ? named->shrink_to : 0;
	ret->ephemeral = request->ephemeral;
	ret->max_tokens = facts.max_tokens;
	ret->cost_input = (uint32_t)body_estimate_tokens(&facts, len);
	skip_models(ret, named, &facts);
	take_times(ret, config, request);
	digest_sha256(body, len, ret->digest);
	digest_options(ret);
	return FOREBAY_ERR_OK;
}

void
order_from_job(struct order *ret, const struct config *config, const struct store_job *job,
	       int64_t now_ms)
{
	size_t len = strcspn(job->route, " ");
	char *models = strndup(job->route, len), *rest = models, *name;
	char why[WHY_LEN];

	if (!models)
		fatal("out of memory");
	while ((name = strsep(&rest, ",")))
		(void)!add_model(ret, name, why);
	free(models);
	ret->now_ms = now_ms;
	ret->model_option = copy(job->model_option);
	ret->chain = copy(job->chain);
	ret->skipped = copy(job->skipped);
	ret->version = must_strdup(job->version);
	ret->betas = copy(job->betas);
	ret->label = copy(job->label);
	ret->headers = copy(job->headers);
	ret->query = copy(job->query);
	ret->class = job->class;
	ret->batch = job->batch;
	ret->transport = job->transport;
	ret->priority = job->head.priority;
	ret->attempts = job->head.max_attempts;
	ret->shrink_to = job->shrink_to;
	ret->retry_of = job->head.id;
	ret->deadline_ms = now_ms + config->deadline_ms;
	ret->keep_ms = job->keep_ms;
	ret->max_tokens = job->head.cost_output;
	ret->cost_input = job->head.cost_input;
	memcpy(ret->digest, job->digest, sizeof(ret->digest));
	memcpy(ret->options, job->options, sizeof(ret->options));
}

char *
route_of_order(const struct order *order)
{
	return route_text((const char *const *)order->models, order->model_count, order->batch,
			  is_named(order->chain) ? order->chain : NULL);
}
