/*
 * request.c - requests: the table of all arguments of all verbs, and what
 * follows from it: parsing, writing, the sentences about what is wrong. A new
 * argument is a field of struct request and a row here.
 */
#include "protocol/argument.h"
#include "protocol/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MAX INT64_C(31536000000) /* 365 days */
#define COUNT_MAX    INT64_C(9007199254740991)
#define GOT_LEN	     64 /* of the wrong value, in a sentence */

#define X(state, number, name, successors) [number] = name,
static const char *const state_words[] = { FOREBAY_JOB_STATES(X) };
#undef X
static const struct forebay_words states = { state_words, ARRAY_LEN(state_words) };

_Static_assert(FOREBAY_VERB_COUNT <= 32, "a verb is a bit of a uint32_t");
#define V(VERB)	  (UINT32_C(1) << FOREBAY_VERB_##VERB)
#define CHOICE	  (V(LIST) | V(CANCEL) | V(RETRY) | V(DELETE)) /* take a filter */
#define MANY	  (V(CANCEL) | V(RETRY) | V(DELETE))
#define ONE	  (V(FOLLOW) | V(RESULT) | V(SHOW))
#define AT(field) offsetof(struct request, field)

/* clang-format off */
#define ROW(kind, field, verbs, needs, min, max)                                                   \
	{ #field, &argument_##kind, AT(field), verbs, needs, min, max, NULL }
#define WORD(field, words, verbs)                                                                  \
	{ #field, &argument_word, AT(field), verbs, 0, 0, 0, words }

static const struct argument arguments[] = {
	/*  kind   field        taken by                        needed by  min  max */
	ROW(name,  model,       V(SUBMIT) | V(VERIFY) | CHOICE, 0,          1, MESSAGE_MAX_MODEL),
	ROW(chain, chain,       V(SUBMIT),                      0,          1, MESSAGE_MAX_CHAIN),
	WORD(class,        &forebay_classes,     V(SUBMIT)),
	WORD(batch,        &forebay_batch_modes, V(SUBMIT)),
	WORD(transport,    &forebay_transports,  V(SUBMIT)),
	WORD(want,         &forebay_wants,       V(SUBMIT)),
	ROW(whole, priority,    V(SUBMIT),                      0,       -100, 100),
	ROW(whole, attempts,    V(SUBMIT),                      0,          1, 1000),
	ROW(whole, deadline_ms, V(SUBMIT),                      0,          1, DURATION_MAX),
	ROW(time,  not_before,  V(SUBMIT),                      0,          0, 0),
	ROW(whole, shrink_to,   V(SUBMIT),                      0,          1, 10000000),
	ROW(name,  version,     V(SUBMIT),                      0,          1, 32),
	ROW(names, betas,       V(SUBMIT),                      0,          1, 16),
	ROW(text,  label,       V(SUBMIT) | CHOICE,             0,          1, MESSAGE_MAX_LABEL),
	ROW(text,  key,         V(SUBMIT),                      0,          1, MESSAGE_MAX_LABEL),
	ROW(whole, keep_ms,     V(SUBMIT),                      0,          0, DURATION_MAX),
	ROW(bool,  ephemeral,   V(SUBMIT),                      0,          0, 0),
	ROW(bool,  follow,      V(SUBMIT),                      0,          0, 0),
	ROW(ids,   ids,         V(WAIT) | MANY,                 V(WAIT),    1, MESSAGE_MAX_IDS),
	ROW(bool,  any,         V(WAIT),                        0,          0, 0),
	ROW(whole, timeout_ms,  V(WAIT),                        0,          0, DURATION_MAX),
	ROW(whole, id,          ONE,                            ONE,        1, COUNT_MAX),
	{ "from", &argument_from, AT(from_attempt), V(FOLLOW), 0, 1, 1000000, NULL },
	ROW(bool,  request,     V(SHOW),                        0,          0, 0),
	WORD(state,        &states,              CHOICE),
	ROW(name,  owner,       CHOICE,                         0,          1, 64),
	ROW(time,  since,       V(LIST),                        0,          0, 0),
	ROW(whole, after_id,    V(LIST),                        0,          1, COUNT_MAX),
	ROW(whole, limit,       V(LIST),                        0,          1, 1000),
	ROW(bool,  all,         CHOICE,                         0,          0, 0),
	ROW(name,  target,      V(HOLD) | V(RELEASE),           0,          1, MESSAGE_MAX_MODEL),
	ROW(text,  reason,      V(HOLD),                        0,          1, 256),
	ROW(whole, for_ms,      V(HOLD),                        0,          1, DURATION_MAX),
	ROW(whole, interval_ms, V(WATCH),                       0,        100, 3600000),
};
/* clang-format on */

void
request_init(struct request *request, enum forebay_verb verb)
{
	*request = (struct request){
		.verb = verb,
		.class = FOREBAY_CLASS_NORMAL,
		.batch = FOREBAY_BATCH_NEVER,
		.transport = FOREBAY_TRANSPORT_DEFAULT,
		.want = FOREBAY_WANT_ID,
		.keep_ms = -1,
		.timeout_ms = -1,
		.state = -1,
		.interval_ms = 1000,
	};
}

void
request_clear(struct request *request)
{
	free(request->model);
	free(request->chain);
	argument_free_list(request->chain_models);
	free(request->version);
	argument_free_list(request->betas);
	free(request->label);
	free(request->key);
	free(request->headers);
	free(request->query);
	free(request->ids);
	free(request->owner);
	free(request->target);
	free(request->reason);
	request_init(request, request->verb);
}

const char *
request_argument(size_t i)
{
	return i < ARRAY_LEN(arguments) ? arguments[i].name : NULL;
}

bool
request_takes(enum forebay_verb verb, size_t i)
{
	return i < ARRAY_LEN(arguments) && (arguments[i].verbs >> verb & 1);
}

/* --- parsing --------------------------------------------------------------- */

static enum forebay_err
wrong_value(const struct argument *argument, const struct message *value, const struct message *bad,
	    char *why)
{
	char expected[MESSAGE_WHY_LEN / 2], got[GOT_LEN];

	argument->kind->describe(argument, expected, sizeof(expected));
	value_spell(bad, got, sizeof(got));
	snprintf(why, MESSAGE_WHY_LEN, "%s: expected %s, got %s%s", argument->name, expected, got,
		 bad == value ? "" : " in it");
	return FOREBAY_ERR_BAD_REQUEST;
}

static enum forebay_err
missing_value(const struct argument *argument, enum forebay_verb verb, char *why)
{
	char expected[MESSAGE_WHY_LEN / 2];

	argument->kind->describe(argument, expected, sizeof(expected));
	snprintf(why, MESSAGE_WHY_LEN, "%s needs \"%s\": %s", forebay_verb_name(verb),
		 argument->name, expected);
	return FOREBAY_ERR_BAD_REQUEST;
}

/* A member of null is an absent one. */
static enum forebay_err
parse_argument(const struct argument *argument, const struct message *message,
	       struct request *request, char *why)
{
	const struct message *value = value_member(message, argument->name), *bad = value;
	enum forebay_err err;

	if (!(argument->verbs >> request->verb & 1))
		return FOREBAY_ERR_OK;
	if (value_kind(value) == JSON_NULL)
		return argument->needs >> request->verb & 1
			   ? missing_value(argument, request->verb, why)
			   : FOREBAY_ERR_OK;
	err = argument->kind->parse(argument, value, request, &bad);
	return err == FOREBAY_ERR_BAD_REQUEST ? wrong_value(argument, value, bad, why) : err;
}

/* These verbs change many jobs: which ones must be said, and never twice. */
static enum forebay_err
check_choice(const struct request *request, char *why)
{
	bool filter = request->state >= 0 || request->label || request->model || request->owner;
	const char *verb = forebay_verb_name(request->verb), *sentence = NULL;

	if (!(MANY >> request->verb & 1))
		return FOREBAY_ERR_OK;
	if (request->ids && filter)
		sentence = "takes \"ids\" or a filter (state, label, model, owner), not both";
	else if (!request->ids && !filter)
		sentence =
		    "needs \"ids\", or a filter (state, label, model, owner) with \"all\": true";
	else if (!request->ids && !request->all)
		sentence =
		    "with a filter needs \"all\": true, to say that all that match are meant";
	if (!sentence)
		return FOREBAY_ERR_OK;
	snprintf(why, MESSAGE_WHY_LEN, "%s %s", verb, sentence);
	return FOREBAY_ERR_BAD_REQUEST;
}

static enum forebay_err
parse_verb(const struct message *message, enum forebay_verb *ret, char *why)
{
	const struct message *value = value_member(message, "verb");
	char got[GOT_LEN];

	if (value_kind(value) == JSON_STRING &&
	    forebay_verb_from_name(message_text(message, "verb", ""), ret))
		return FOREBAY_ERR_OK;
	value_spell(value, got, sizeof(got));
	if (value_kind(value) == JSON_STRING) {
		snprintf(why, MESSAGE_WHY_LEN, "this daemon has no verb %s", got);
		return FOREBAY_ERR_UNKNOWN_VERB;
	}
	snprintf(why, MESSAGE_WHY_LEN, "verb: expected a string like \"submit\", got %s",
		 value ? got : "nothing");
	return FOREBAY_ERR_BAD_REQUEST;
}

static enum forebay_err
parse_members(const struct message *message, struct request *ret, char *why)
{
	enum forebay_verb verb;
	enum forebay_err err = parse_verb(message, &verb, why);

	if (err)
		return err;
	request_init(ret, verb);
	for (size_t i = 0; i < ARRAY_LEN(arguments) && !err; i++)
		err = parse_argument(&arguments[i], message, ret, why);
	if (!err)
		err = check_choice(ret, why);
	if (err == FOREBAY_ERR_NO_MEMORY)
		snprintf(why, MESSAGE_WHY_LEN, "out of memory");
	if (err)
		request_clear(ret);
	return err;
}

enum forebay_err
request_parse(const uint8_t *buf, size_t len, struct request *ret, char why[static MESSAGE_WHY_LEN])
{
	struct message *message;
	enum forebay_err err = message_parse(buf, len, MESSAGE_MAX_LEN, &message, why);

	if (err)
		return err;
	err = parse_members(message, ret, why);
	message_free(message);
	return err;
}

/* --- writing --------------------------------------------------------------- */

char *
request_put(const struct request *request)
{
	struct jsonput put = { 0 };
	struct request absent;
	size_t len;

	request_init(&absent, request->verb);
	jsonput_object(&put);
	jsonput_member_string(&put, "verb", forebay_verb_name(request->verb));
	for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
		const struct argument *argument = &arguments[i];

		if ((argument->verbs >> request->verb & 1) &&
		    memcmp((const char *)request + argument->offset,
			   (const char *)&absent + argument->offset, argument->kind->size) != 0)
			argument->kind->put(argument, request, &put);
	}
	jsonput_end(&put);
	return jsonput_take(&put, &len);
}
