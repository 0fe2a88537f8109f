/*
 * argument.c - the kinds of arguments; see argument.h. Each is a function that
 * reads it, one that writes it and one that says what it should have been.
 */
#include "protocol/argument.h"

#include "protocol/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX	 INT64_C(9007199254740991) /* what a double can still count */
#define MAX_NAME 64

static void *
field_of(const struct argument *argument, struct request *request)
{
	return (char *)request + argument->offset;
}

static const void *
const_field_of(const struct argument *argument, const struct request *request)
{
	return (const char *)request + argument->offset;
}

/* --- strings --------------------------------------------------------------- */

/* UTF-8 is the scanner's business; what is left are the control characters,
 * C0, DEL and C1, that would play tricks on a terminal or in a log. */
static bool
is_printable(const char *text, size_t len)
{
	const unsigned char *c = (const unsigned char *)text;

	for (size_t i = 0; i < len; i++)
		if (c[i] < 0x20 || c[i] == 0x7f ||
		    (c[i] == 0xc2 && i + 1 < len && c[i + 1] >= 0x80 && c[i + 1] < 0xa0))
			return false;
	return true;
}

/* Visible ASCII: may stand in a header of the HTTP request as it is. */
static bool
is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

static enum forebay_err
parse_string(const struct message *value, int64_t max, bool (*allowed)(const char *, size_t),
	     char **ret)
{
	size_t len;
	const char *text = value_string(value, &len);

	if (!text || len < 1 || len > (size_t)max || !allowed(text, len))
		return FOREBAY_ERR_BAD_REQUEST;
	*ret = strndup(text, len);
	return *ret ? FOREBAY_ERR_OK : FOREBAY_ERR_NO_MEMORY;
}

static enum forebay_err
text_parse(const struct argument *argument, const struct message *value, struct request *request,
	   const struct message **ret_bad)
{
	(void)ret_bad;
	return parse_string(value, argument->max, is_printable, field_of(argument, request));
}

static enum forebay_err
name_parse(const struct argument *argument, const struct message *value, struct request *request,
	   const struct message **ret_bad)
{
	(void)ret_bad;
	return parse_string(value, argument->max, is_name, field_of(argument, request));
}

static void
text_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_member_string(put, argument->name,
			      *(char *const *)const_field_of(argument, request));
}

static void
text_describe(const struct argument *argument, char *ret, size_t size)
{
	snprintf(ret, size, "a string of 1 to %" PRId64 " bytes without control characters",
		 argument->max);
}

static void
name_describe(const struct argument *argument, char *ret, size_t size)
{
	snprintf(ret, size, "a string of 1 to %" PRId64 " visible ASCII characters", argument->max);
}

/* --- lists of strings ------------------------------------------------------ */

void
argument_free_list(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

static enum forebay_err
parse_list(const struct message *value, int64_t max, int64_t max_bytes, char ***ret,
	   const struct message **ret_bad)
{
	size_t count = value_count(value);
	enum forebay_err err = FOREBAY_ERR_OK;
	char **list;

	if (count < 1 || count > (size_t)max)
		return FOREBAY_ERR_BAD_REQUEST;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return FOREBAY_ERR_NO_MEMORY;
	for (size_t i = 0; i < count && !err; i++) {
		*ret_bad = value_item(value, i);
		err = parse_string(*ret_bad, max_bytes, is_name, &list[i]);
	}
	if (err)
		argument_free_list(list);
	else
		*ret = list;
	return err;
}

static void
put_list(char *const *list, struct jsonput *put)
{
	jsonput_array(put);
	for (; *list; list++)
		jsonput_string(put, *list);
	jsonput_end(put);
}

static enum forebay_err
names_parse(const struct argument *argument, const struct message *value, struct request *request,
	    const struct message **ret_bad)
{
	return parse_list(value, argument->max, MAX_NAME, field_of(argument, request), ret_bad);
}

static void
names_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_key(put, argument->name);
	put_list(*(char **const *)const_field_of(argument, request), put);
}

static void
names_describe(const struct argument *argument, char *ret, size_t size)
{
	snprintf(ret, size,
		 "a list of 1 to %" PRId64 " strings of 1 to %d visible ASCII characters",
		 argument->max, MAX_NAME);
}

/* --- a chain: the name of one, or its models -------------------------------- */

static enum forebay_err
chain_parse(const struct argument *argument, const struct message *value, struct request *request,
	    const struct message **ret_bad)
{
	if (value_kind(value) == JSON_ARRAY)
		return parse_list(value, argument->max, MESSAGE_MAX_MODEL, &request->chain_models,
				  ret_bad);
	return parse_string(value, MAX_NAME, is_name, &request->chain);
}

static void
chain_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_key(put, argument->name);
	if (request->chain_models)
		put_list(request->chain_models, put);
	else
		jsonput_string(put, request->chain);
}

static void
chain_describe(const struct argument *argument, char *ret, size_t size)
{
	snprintf(ret, size, "the name of a chain, or a list of 1 to %" PRId64 " model names",
		 argument->max);
}

/* --- numbers --------------------------------------------------------------- */

static bool
parse_whole(const struct message *value, int64_t min, int64_t max, int64_t *ret)
{
	return value_whole(value, ret) && *ret >= min && *ret <= max;
}

/* For int64_t and uint64_t fields alike: no limit reaches above INT64_MAX. */
static enum forebay_err
whole_parse(const struct argument *argument, const struct message *value, struct request *request,
	    const struct message **ret_bad)
{
	int64_t number;

	(void)ret_bad;
	if (!parse_whole(value, argument->min, argument->max, &number))
		return FOREBAY_ERR_BAD_REQUEST;
	memcpy(field_of(argument, request), &number, sizeof(number));
	return FOREBAY_ERR_OK;
}

static void
whole_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_member_int(put, argument->name,
			   *(const int64_t *)const_field_of(argument, request));
}

static void
whole_describe(const struct argument *argument, char *ret, size_t size)
{
	snprintf(ret, size, "a whole number from %" PRId64 " to %" PRId64, argument->min,
		 argument->max);
}

static enum forebay_err
bool_parse(const struct argument *argument, const struct message *value, struct request *request,
	   const struct message **ret_bad)
{
	(void)argument, (void)ret_bad;
	if (value_kind(value) != JSON_BOOL)
		return FOREBAY_ERR_BAD_REQUEST;
	*(bool *)field_of(argument, request) = value_bool(value);
	return FOREBAY_ERR_OK;
}

static void
bool_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_member_bool(put, argument->name, *(const bool *)const_field_of(argument, request));
}

static void
bool_describe(const struct argument *argument, char *ret, size_t size)
{
	(void)argument;
	snprintf(ret, size, "true or false");
}

static enum forebay_err
time_parse(const struct argument *argument, const struct message *value, struct request *request,
	   const struct message **ret_bad)
{
	size_t len;
	const char *text = value_string(value, &len);

	(void)argument, (void)ret_bad;
	return text && strlen(text) == len && message_time_parse(text, field_of(argument, request))
		   ? FOREBAY_ERR_OK
		   : FOREBAY_ERR_BAD_REQUEST;
}

static void
time_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	char text[MESSAGE_TIME_LEN];

	jsonput_member_string(
	    put, argument->name,
	    message_time_put(*(const int64_t *)const_field_of(argument, request), text));
}

static void
time_describe(const struct argument *argument, char *ret, size_t size)
{
	(void)argument;
	snprintf(ret, size, "an RFC 3339 time like \"2026-11-24T09:30:00Z\"");
}

/* --- one word of a list ---------------------------------------------------- */

static enum forebay_err
word_parse(const struct argument *argument, const struct message *value, struct request *request,
	   const struct message **ret_bad)
{
	size_t len;
	const char *text = value_string(value, &len);
	int number = text && strlen(text) == len ? forebay_word_find(argument->words, text) : -1;

	(void)ret_bad;
	if (number < 0)
		return FOREBAY_ERR_BAD_REQUEST;
	*(int *)field_of(argument, request) = number;
	return FOREBAY_ERR_OK;
}

static void
word_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	int number = *(const int *)const_field_of(argument, request);

	if (number >= 0 && number < argument->words->count)
		jsonput_member_string(put, argument->name, argument->words->words[number]);
}

static void
word_describe(const struct argument *argument, char *ret, size_t size)
{
	size_t len = (size_t)snprintf(ret, size, "one of");

	for (int i = 0; i < argument->words->count && len < size; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s \"%s\"", i ? "," : "",
					argument->words->words[i]);
}

/* --- job ids --------------------------------------------------------------- */

static enum forebay_err
ids_parse(const struct argument *argument, const struct message *value, struct request *request,
	  const struct message **ret_bad)
{
	size_t count = value_count(value);

	if (count < 1 || count > (size_t)argument->max)
		return FOREBAY_ERR_BAD_REQUEST;
	request->ids = calloc(count, sizeof(*request->ids));
	if (!request->ids)
		return FOREBAY_ERR_NO_MEMORY;
	request->id_count = count;
	for (size_t i = 0; i < count; i++) {
		int64_t id;

		*ret_bad = value_item(value, i);
		if (!parse_whole(*ret_bad, 1, ID_MAX, &id))
			return FOREBAY_ERR_BAD_REQUEST;
		request->ids[i] = (uint64_t)id;
	}
	return FOREBAY_ERR_OK;
}

static void
ids_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_key(put, argument->name);
	jsonput_array(put);
	for (size_t i = 0; i < request->id_count; i++)
		jsonput_int(put, (int64_t)request->ids[i]);
	jsonput_end(put);
}

static void
ids_describe(const struct argument *argument, char *ret, size_t size)
{
	snprintf(ret, size, "a list of 1 to %" PRId64 " job ids, whole numbers from 1",
		 argument->max);
}

/* --- a place in the event stream of a job ----------------------------------- */

static enum forebay_err
from_parse(const struct argument *argument, const struct message *value, struct request *request,
	   const struct message **ret_bad)
{
	const struct message *start = value_member(value, "offset");
	int64_t attempt, offset = 0;

	(void)ret_bad;
	if (!parse_whole(value_member(value, "attempt"), 1, argument->max, &attempt) ||
	    (value_kind(start) != JSON_NULL && !parse_whole(start, 0, ID_MAX, &offset)))
		return FOREBAY_ERR_BAD_REQUEST;
	request->from_attempt = (uint64_t)attempt;
	request->from_offset = (uint64_t)offset;
	return FOREBAY_ERR_OK;
}

static void
from_put(const struct argument *argument, const struct request *request, struct jsonput *put)
{
	jsonput_key(put, argument->name);
	jsonput_object(put);
	jsonput_member_int(put, "attempt", (int64_t)request->from_attempt);
	jsonput_member_int(put, "offset", (int64_t)request->from_offset);
	jsonput_end(put);
}

static void
from_describe(const struct argument *argument, char *ret, size_t size)
{
	(void)argument;
	snprintf(ret, size, "an object like {\"attempt\": 1, \"offset\": 4096}");
}

/* clang-format off */
/* Of two fields that are one argument, the size covers both. */
const struct argument_kind
	argument_text  = { sizeof(char *),        text_parse,  text_put,  text_describe },
	argument_name  = { sizeof(char *),        name_parse,  text_put,  name_describe },
	argument_names = { sizeof(char **),       names_parse, names_put, names_describe },
	argument_chain = { 2 * sizeof(void *),    chain_parse, chain_put, chain_describe },
	argument_whole = { sizeof(int64_t),       whole_parse, whole_put, whole_describe },
	argument_bool  = { sizeof(bool),          bool_parse,  bool_put,  bool_describe },
	argument_time  = { sizeof(int64_t),       time_parse,  time_put,  time_describe },
	argument_word  = { sizeof(int),           word_parse,  word_put,  word_describe },
	argument_ids   = { sizeof(uint64_t *),    ids_parse,   ids_put,   ids_describe },
	argument_from  = { 2 * sizeof(uint64_t),  from_parse,  from_put,  from_describe };
/* clang-format on */

_Static_assert(offsetof(struct request, chain_models) ==
		   offsetof(struct request, chain) + sizeof(char *),
	       "chain and chain_models are side by side");
_Static_assert(offsetof(struct request, from_offset) ==
		   offsetof(struct request, from_attempt) + sizeof(uint64_t),
	       "from_attempt and from_offset are side by side");
