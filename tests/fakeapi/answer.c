/*
 * answer.c - what the fake model says, and errors. stream.c puts the same answer as events.
 */
#include "tests/fakeapi/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base.h"

/* A model with nothing to say needs something to say. */
static const char *const sentences[] = {
	"A queue is a promise about order.",
	"The weather upstream has been changeable since the morning.",
	"Whoever waits for everybody waits the longest.",
	"A reservoir does not make rain; it makes the rain useful.",
	"Three of the seven gates were open, and that was enough.",
	"Nothing was lost, though much of it came late.",
	"The smallest job in the line is still somebody's whole afternoon.",
	"\\u201cTry again later\\u201d is advice only if later is known.",
	"Measured twice, the river was never the same width.",
	"What is written down survives the one who wrote it.",
	"Na\xc3\xafve r\xc3\xa9tries make a storm out of a shower \xe2\x9b\x88.",
	"Patience, said the gate, is arithmetic.\\n",
};

void
request_id_put(uint64_t seq, char ret[32])
{
	snprintf(ret, 32, "req_fake%016" PRIx64, seq);
}

long
request_tokens(const struct request *request)
{
	return (long)(request->messages.len / 4 + 8);
}

static size_t
answer_fill(char *made, size_t cap, size_t size, struct dice *dice)
{
	size_t len = 0;

	for (;;) {
		const char *sentence =
		    sentences[(size_t)(dice_uniform(dice) * ARRAY_LEN(sentences))];
		size_t more = strlen(sentence);

		if (len >= size || len + more + 1 > cap)
			return len;
		memcpy(made + len, sentence, more);
		made[len + more] = ' ';
		len += more + 1;
	}
}

/* The text in exactly `size` bytes if it is large, else a few sentences. */
static void
answer_make(struct answer *answer, size_t size, long max_tokens, struct dice *dice)
{
	size_t want = size ? size : 60 + (size_t)(dice_uniform(dice) * 200), cap = want + 100;

	answer->made = malloc(cap + 2);
	if (!answer->made)
		abort();
	answer->text.at = answer->made;
	answer->text.len = answer_fill(answer->made, cap, want, dice);
	if (!size && max_tokens > 0 && answer->text.len / 4 > (size_t)max_tokens) {
		const char *cut = answer->made + max_tokens * 4;

		/* Not inside a character or an escape: the ASCII sentences have blanks. */
		while (cut > answer->made && *cut != ' ')
			cut--;
		answer->text.len = (size_t)(cut - answer->made);
		answer->stop_reason = "max_tokens";
	}
}

static bool
style(const struct climate *climate, const char *name, struct dice *dice)
{
	double share = climate->share[fault_find(name, strlen(name)) - faults];

	return share > 0 && dice_uniform(dice) < share;
}

static void
answer_style(struct answer *answer, const struct climate *climate, struct dice *dice)
{
	answer->thinking = style(climate, "thinking", dice);
	answer->tool = style(climate, "tool", dice);
	answer->unknown = style(climate, "unknown", dice);
	answer->empty = style(climate, "no-content", dice);
	answer->refusal = style(climate, "refusal", dice);
	answer->mistyped = style(climate, "mistyped", dice);
	if (answer->tool)
		answer->stop_reason = "tool_use";
	if (answer->refusal) {
		answer->stop_reason = "refusal";
		answer->empty = true;
	}
	if (answer->empty)
		answer->thinking = answer->tool = answer->unknown = false;
}

void
answer_init(struct answer *answer, const struct request *request, const struct climate *climate,
	    uint64_t seq, struct dice *dice, bool bad_utf8)
{
	static const char spoilt[] = "bad: \xff\xfe\xc3";

	memset(answer, 0, sizeof(*answer));
	answer->seq = seq;
	answer->model = request->model;
	answer->stop_reason = "end_turn";
	answer->input_tokens = request_tokens(request);
	answer->deltas = (size_t)climate->deltas;
	if (bad_utf8)
		answer->text = (struct slice){ spoilt, sizeof(spoilt) - 1 };
	else if (request->echo.len)
		answer->text = request->echo;
	else
		answer_make(answer, (size_t)climate->size, request->max_tokens, dice);
	answer_style(answer, climate, dice);
	if (request->max_tokens == 0) {
		answer->empty = true;
		answer->stop_reason = "max_tokens";
	}
	answer->output_tokens = answer->empty ? 1 : (long)(answer->text.len / 4 + 1);
	if (answer->thinking)
		answer->output_tokens += 20;
	if (answer->tool)
		answer->output_tokens += 12;
}

void
answer_clear(struct answer *answer)
{
	free(answer->made);
	answer->made = NULL;
}

static void
answer_put_content(const struct answer *answer, struct evbuffer *out)
{
	if (answer->thinking)
		evbuffer_add_printf(out,
				    "{\"type\":\"thinking\",\"thinking\":\"The question is about "
				    "water, so the answer is about gates.\",\"signature\":"
				    "\"EqQBCkYIARgCKkDfake%016" PRIx64 "==\"},",
				    answer->seq);
	evbuffer_add_printf(out, "{\"type\":\"text\",\"text\":\"");
	evbuffer_add(out, answer->text.at, answer->text.len);
	evbuffer_add(out, "\"}", 2);
	if (answer->unknown)
		evbuffer_add_printf(out,
				    ",{\"type\":\"hologram\",\"beam\":\"ab\",\"depth\":[1,2,3]}");
	if (answer->tool)
		evbuffer_add_printf(out,
				    ",{\"type\":\"tool_use\",\"id\":\"toolu_fake%016" PRIx64
				    "\",\"name\":\"get_weather\",\"input\":{\"city\":\"Lisbon\","
				    "\"days\":3}}",
				    answer->seq);
}

static void
answer_put_message(const struct answer *answer, struct evbuffer *out)
{
	evbuffer_add_printf(out,
			    "{\"id\":\"msg_fake%016" PRIx64 "\",\"type\":\"message\",\"role\":"
			    "\"assistant\",\"model\":\"%.*s\",\"content\":[",
			    answer->seq, (int)answer->model.len, answer->model.at);
	if (!answer->empty)
		answer_put_content(answer, out);
	evbuffer_add_printf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null",
			    answer->stop_reason);
	if (answer->refusal)
		evbuffer_add_printf(out, ",\"stop_details\":{\"type\":\"refusal\",\"category\":"
					 "\"cyber\",\"explanation\":\"asked for\"}");
	evbuffer_add_printf(out,
			    ",\"usage\":{\"input_tokens\":%ld,\"cache_creation_input_tokens\":0,"
			    "\"cache_read_input_tokens\":0,\"output_tokens\":%ld,"
			    "\"service_tier\":\"standard\"}}",
			    answer->input_tokens, answer->output_tokens);
}

void
answer_put_plain(const struct answer *answer, struct script *ret)
{
	script_init(ret);
	answer_put_message(answer, ret->bytes);
	script_step(ret);
	ret->steps[1] = ret->steps[0] - ret->steps[0] / 2;
	ret->steps[0] /= 2;
	ret->count = 2;
}

int
answer_status(const struct fault *fault)
{
	static const struct {
		const char *type;
		int status;
	} statuses[] = {
		{ "overloaded_error", 529 },	 { "rate_limit_error", 429 },
		{ "timeout_error", 504 },	 { "invalid_request_error", 400 },
		{ "authentication_error", 401 }, { "billing_error", 402 },
	};

	if (fault->status != 200)
		return fault->status;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (strcmp(statuses[i].type, fault->type) == 0)
			return statuses[i].status;
	return 500;
}

void
answer_put_error(const struct fault *fault, uint64_t seq, bool event, struct evbuffer *out)
{
	char id[32];

	request_id_put(seq, id);
	if (event)
		evbuffer_add_printf(out, "event: error\ndata: ");
	evbuffer_add_printf(out,
			    "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"",
			    fault->type, fault->message);
	if (fault->code)
		evbuffer_add_printf(out, ",\"details\":{\"error_code\":\"%s\"}", fault->code);
	evbuffer_add_printf(out, "},\"request_id\":\"%s\"}%s", id, event ? "\n\n" : "");
}

void
answer_put_html(const struct fault *fault, struct evbuffer *out)
{
	evbuffer_add_printf(out,
			    "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
			    "<center><h1>%d %s</h1></center>\r\n<hr><center>cloudflare</center>\r\n"
			    "</body>\r\n</html>\r\n",
			    fault->status, fault->message, fault->status, fault->message);
}

void
answer_put_ping(struct evbuffer *out)
{
	evbuffer_add_printf(out, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}
