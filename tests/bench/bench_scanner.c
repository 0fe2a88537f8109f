/*
 * bench_scanner.c - B7: the body scanner, MB/s, beside json-c in the same run.
 * Prints one table; a line a kind of body. Medians of several rounds, in time of
 * this process, so that neighbours do not count.
 */
#include "daemon/claude/body.h"
#include "protocol/json.h"
#include "protocol/jsonput.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct body {
	const char *name;
	char *bytes; /* owned */
	size_t len;
};

static void
put_text(struct jsonput *put, size_t len)
{
	static const char words[] =
	    "The function reads the file, checks each line and says\n"
	    "\"what is wrong\"; \tthe rest is left alone.  It costs 10 %.\n";
	char *text = malloc(len);

	for (size_t i = 0; text && i < len; i++)
		text[i] = words[i % (sizeof(words) - 1)];
	jsonput_string_len(put, text, text ? len : 0);
	free(text);
}

static void
put_message(struct jsonput *put, const char *role, size_t len)
{
	jsonput_object(put);
	jsonput_member_string(put, "role", role);
	jsonput_key(put, "content");
	jsonput_array(put);
	jsonput_object(put);
	jsonput_member_string(put, "type", "text");
	jsonput_key(put, "text");
	put_text(put, len);
	jsonput_end(put);
	jsonput_end(put);
	jsonput_end(put);
}

static void
put_tool(struct jsonput *put, int number)
{
	char name[32];

	snprintf(name, sizeof(name), "tool_%d", number);
	jsonput_object(put);
	jsonput_member_string(put, "name", name);
	jsonput_key(put, "description");
	put_text(put, 1500);
	jsonput_key(put, "input_schema");
	jsonput_object(put);
	jsonput_member_string(put, "type", "object");
	jsonput_key(put, "properties");
	jsonput_object(put);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "argument_%d", i);
		jsonput_key(put, name);
		jsonput_object(put);
		jsonput_member_string(put, "type", "string");
		jsonput_member_string(put, "description", "the path of the file to read");
		jsonput_member_int(put, "maxLength", 4096);
		jsonput_end(put);
	}
	jsonput_end(put);
	jsonput_member_bool(put, "additionalProperties", false);
	jsonput_end(put);
	jsonput_end(put);
}

/* What an agent sends: a long system prompt, tools with schemas, some turns. */
static char *
agent_body(size_t *ret_len)
{
	struct jsonput put = { 0 };

	jsonput_object(&put);
	jsonput_member_string(&put, "model", "claude-opus-5-5");
	jsonput_member_int(&put, "max_tokens", 32000);
	jsonput_member_bool(&put, "stream", true);
	jsonput_key(&put, "system");
	put_text(&put, 14000);
	jsonput_key(&put, "tools");
	jsonput_array(&put);
	for (int i = 0; i < 18; i++)
		put_tool(&put, i);
	jsonput_end(&put);
	jsonput_key(&put, "messages");
	jsonput_array(&put);
	for (int i = 0; i < 21; i++)
		put_message(&put, i % 2 ? "assistant" : "user", 1200);
	jsonput_end(&put);
	jsonput_end(&put);
	return jsonput_take(&put, ret_len);
}

/* {"model":...,"messages":[{"role":"user","content":X}]} where X is head, then
 * unit again and again up to len bytes, then tail. */
static char *
repeated(const char *head, const char *unit, const char *tail, size_t len, size_t *ret_len)
{
	static const char open[] = "{\"model\":\"claude-opus-5-5\",\"max_tokens\":1024,"
				   "\"messages\":[{\"role\":\"user\",\"content\":";
	char *bytes = malloc(len + 512), *p = bytes;

	if (!bytes)
		return NULL;
	p = stpcpy(stpcpy(p, open), head);
	while ((size_t)(p - bytes) < len)
		p = stpcpy(p, unit);
	p = stpcpy(p, tail);
	p = stpcpy(p, "}]}");
	*ret_len = (size_t)(p - bytes);
	return bytes;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool
scan_once(const struct body *body)
{
	struct body_facts facts;
	char why[200];

	return body_scan((const uint8_t *)body->bytes, body->len, &facts, why, sizeof(why)) ==
	       FOREBAY_ERR_OK;
}

static bool
jsonc_once(const struct body *body)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH);

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *tree = json_tokener_parse_ex(tokener, body->bytes, (int)body->len);
	bool ok = tree != NULL;

	json_object_put(tree);
	json_tokener_free(tokener);
	return ok;
}

#define SLOW_S 0.5 /* whoever needs longer for one is measured once */

/* MB/s, the median of ROUNDS rounds of at least min_s seconds. */
static double
rate(bool (*once)(const struct body *), const struct body *body, double min_s)
{
	double rates[ROUNDS];
	size_t rounds = 0;

	while (rounds < ROUNDS) {
		double start = now_s(), taken;
		size_t count = 0;

		do {
			if (!once(body))
				return 0;
			count++;
			taken = now_s() - start;
		} while (taken < min_s);
		rates[rounds++] = (double)(body->len * count) / taken / 1e6;
		if (taken > SLOW_S)
			break;
	}
	qsort(rates, rounds, sizeof(rates[0]), compare);
	return rates[rounds / 2];
}

static void
print_row(struct body *body)
{
	double ours = rate(scan_once, body, 0.05), theirs = rate(jsonc_once, body, 0.01);

	printf("%-34s %10zu %10.0f %10.1f %8.1fx\n", body->name, body->len, ours, theirs,
	       theirs > 0 ? ours / theirs : 0);
	free(body->bytes);
}

int
main(void)
{
	/* clang-format off */
	static const struct { const char *name, *head, *unit, *tail; size_t len; } worst[] = {
		{ "one long text",            "\"",  "all work and no play ",     "\"",   100000 },
		{ "8 MB of base64",           "\"",  "iVBORw0KGgoAAAANSUhEUgAA",  "\"",  8000000 },
		{ "Chinese text",             "\"",  "\xe4\xbd\xa0\xe5\xa5\xbd",  "\"",  1000000 },
		{ "escapes only",             "\"",  "\\n",                       "\"",  1000000 },
		{ "\\u escapes only",         "\"",  "\\u00e9",                   "\"",  1000000 },
		{ "[1,1,...]",                "[",   "1,",                        "1]",  1000000 },
		{ "[{},{},...]",              "[",   "{},",                       "{}]", 1000000 },
		{ "white space",              "[",   " \n",                       "1]",  1000000 },
		{ "empty strings",            "[",   "\"\",",                     "1]",  1000000 },
		{ "80,000 keys",              "{",   "\"key\":\"value\",", "\"k\":1}",   1200000 },
		{ "[{},{},...], 8 times that", "[",  "{},",                       "{}]", 8000000 },
	};
	/* clang-format on */
	struct body body = { .name = "an agent's request" };

	printf("%-34s %10s %10s %10s %9s\n", "B7: body", "bytes", "scan MB/s", "json-c", "");
	body.bytes = agent_body(&body.len);
	print_row(&body);
	for (size_t i = 0; i < ARRAY_LEN(worst); i++) {
		body.name = worst[i].name;
		body.bytes =
		    repeated(worst[i].head, worst[i].unit, worst[i].tail, worst[i].len, &body.len);
		print_row(&body);
	}
	return 0;
}
