/*
 * http_options.c - headers into options. One row an option of ours; one list of
 * what is not passed on.
 */
#include "daemon/serve/http_options.h"

#include "daemon/base/log.h"
#include "protocol/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX	      "x-forebay-"
#define MAX_FORWARDED 16384
#define MAX_BETAS     64
#define MAX_VERSION   64

/* --- the values of x-forebay-* ------------------------------------------------------- */

static bool
parse_word(const struct forebay_words *words, const char *text, int *ret)
{
	int number = forebay_word_find(words, text);

	if (number >= 0)
		*ret = number;
	return number >= 0;
}

static bool
parse_class(struct http_options *options, const char *text)
{
	return parse_word(&forebay_classes, text, &options->request.class);
}

static bool
parse_batch(struct http_options *options, const char *text)
{
	return parse_word(&forebay_batch_modes, text, &options->request.batch);
}

static bool
parse_label(struct http_options *options, const char *text)
{
	if (text[0] == '\0' || strlen(text) > MESSAGE_MAX_LABEL)
		return false;
	free(options->request.label);
	options->request.label = must_strdup(text);
	return true;
}

/* "a, b" into an array that ends with NULL; NULL when there are more than max. */
static char **
split(const char *text, size_t max)
{
	char **list = must_alloc((max + 1) * sizeof(*list));
	size_t count = 0;

	for (const char *at = text + strspn(text, ", \t"); *at; at += strspn(at, ", \t")) {
		size_t len = strcspn(at, ", \t");

		if (count == max) {
			for (size_t i = 0; i < count; i++)
				free(list[i]);
			free(list);
			return NULL;
		}
		list[count] = strndup(at, len);
		if (!list[count++])
			fatal("out of memory");
		at += len;
	}
	return list;
}

static bool
parse_chain(struct http_options *options, const char *text)
{
	if (!strchr(text, ',')) {
		options->request.chain = must_strdup(text);
		return text[0] != '\0';
	}
	options->request.chain_models = split(text, MESSAGE_MAX_CHAIN);
	return options->request.chain_models && options->request.chain_models[0];
}

/* A span of time as the configuration writes it. */
static bool
parse_deadline(struct http_options *options, const char *text)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text + digits, units[i].name) == 0)
			options->request.deadline_ms = strtoll(text, NULL, 10) * units[i].ms;
	return options->request.deadline_ms > 0;
}

static bool
parse_priority(struct http_options *options, const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	options->request.priority = number;
	return end != text && *end == '\0' && number >= -100 && number <= 100;
}

static bool
parse_durable(struct http_options *options, const char *text)
{
	options->durable = strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0;
	return options->durable || strcmp(text, "0") == 0 || strcasecmp(text, "false") == 0;
}

/* clang-format off */
static const struct option_row {
	const char *name;
	bool (*parse)(struct http_options *options, const char *text);
	const char *right;
} rows[] = {
	{ "class",    parse_class,    "interactive, normal or patient" },
	{ "label",    parse_label,    "1 to 256 bytes" },
	{ "chain",    parse_chain,    "the name of a [chain NAME], or 1 to 8 models with commas between" },
	{ "deadline", parse_deadline, "a time from now: 90s, 15min, 2h" },
	{ "priority", parse_priority, "a whole number from -100 to 100" },
	{ "durable",  parse_durable,  "1 or 0" },
	{ "batch",    parse_batch,    "never, allow or only" },
};
/* clang-format on */

static enum forebay_err
take_option(struct http_options *options, const struct http_field *field, unsigned *seen,
	    char why[static MESSAGE_WHY_LEN])
{
	const char *name = field->name + strlen(PREFIX);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcasecmp(rows[i].name, name) != 0)
			continue;
		if (!(*seen & 1u << i) && rows[i].parse(options, field->value)) {
			*seen |= 1u << i;
			return FOREBAY_ERR_OK;
		}
		snprintf(why, MESSAGE_WHY_LEN, "%.40s: %.60s: expected %s, once", field->name,
			 field->value, rows[i].right);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	snprintf(why, MESSAGE_WHY_LEN,
		 "%.60s: no such option; there are x-forebay-class, -label, -chain, -deadline, "
		 "-priority, -durable and -batch",
		 field->name);
	return FOREBAY_ERR_BAD_REQUEST;
}

/* --- what goes along -------------------------------------------------------------------- */

/* Ours, the connection's, or written by whoever sends the request on. */
static bool
stays_here(const struct http_head *head, const char *name)
{
	static const char *const names[] = { "authorization",
					     "x-api-key",
					     "proxy-authorization",
					     "proxy-authenticate",
					     "proxy-connection",
					     "connection",
					     "keep-alive",
					     "te",
					     "trailer",
					     "transfer-encoding",
					     "upgrade",
					     "host",
					     "content-length",
					     "content-type",
					     "expect",
					     "accept-encoding",
					     "cookie",
					     "anthropic-version",
					     "anthropic-beta" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return strncasecmp(name, PREFIX, strlen(PREFIX)) == 0 ||
	       http_list_has(http_head_find(head, "connection"), name);
}

/* Several fields of one name count as one list. */
static char *
joined(const struct http_head *head, const char *name)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		fatal("out of memory");
	for (size_t i = 0; i < head->field_count; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			fprintf(out, "%s%s", ftell(out) > 0 ? "," : "", head->fields[i].value);
	fclose(out);
	return text;
}

static enum forebay_err
take_version(struct http_options *options, const struct http_head *head,
	     char why[static MESSAGE_WHY_LEN])
{
	const char *version = http_head_find(head, "anthropic-version");
	char *betas = joined(head, "anthropic-beta");

	if (version && (version[0] == '\0' || strlen(version) > MAX_VERSION)) {
		snprintf(why, MESSAGE_WHY_LEN, "anthropic-version: expected 1 to %d characters",
			 MAX_VERSION);
		free(betas);
		return FOREBAY_ERR_BAD_REQUEST;
	}
	if (version)
		options->request.version = must_strdup(version);
	options->request.betas = split(betas, MAX_BETAS);
	free(betas);
	if (options->request.betas)
		return FOREBAY_ERR_OK;
	snprintf(why, MESSAGE_WHY_LEN, "anthropic-beta: more than %d of them", MAX_BETAS);
	return FOREBAY_ERR_BAD_REQUEST;
}

static enum forebay_err
take_rest(struct http_options *options, const struct http_head *head,
	  char why[static MESSAGE_WHY_LEN])
{
	size_t len = 0;
	FILE *out = open_memstream(&options->request.headers, &len);

	if (!out)
		fatal("out of memory");
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (!stays_here(head, field->name) && field->value[0])
			fprintf(out, "%s: %s\n", field->name, field->value);
	}
	fclose(out);
	if (len <= MAX_FORWARDED)
		return FOREBAY_ERR_OK;
	snprintf(why, MESSAGE_WHY_LEN, "%zu bytes of headers would go to the API; at most %d do",
		 len, MAX_FORWARDED);
	return FOREBAY_ERR_BAD_REQUEST;
}

/* Requests of one session of Claude Code are found together. */
static void
take_session(struct http_options *options, const struct http_head *head)
{
	const char *session = http_head_find(head, "x-claude-code-session-id");

	if (session && !options->request.label)
		(void)parse_label(options, session);
}

enum forebay_err
http_options_parse(const struct http_head *head, struct http_options *ret,
		   char why[static MESSAGE_WHY_LEN])
{
	struct http_options options = { .durable = false };
	enum forebay_err err = FOREBAY_ERR_OK;
	unsigned seen = 0;

	request_init(&options.request, FOREBAY_VERB_SUBMIT);
	options.request.class = FOREBAY_CLASS_INTERACTIVE;
	for (size_t i = 0; !err && i < head->field_count; i++)
		if (strncasecmp(head->fields[i].name, PREFIX, strlen(PREFIX)) == 0)
			err = take_option(&options, &head->fields[i], &seen, why);
	if (!err)
		err = take_version(&options, head, why);
	if (!err)
		err = take_rest(&options, head, why);
	if (err) {
		http_options_clear(&options);
		return err;
	}
	take_session(&options, head);
	if (head->query)
		options.request.query = must_strdup(head->query);
	options.request.ephemeral = !options.durable;
	*ret = options;
	return FOREBAY_ERR_OK;
}

void
http_options_clear(struct http_options *options)
{
	request_clear(&options->request);
}
