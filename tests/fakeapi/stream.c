/*
 * stream.c - an answer as server-sent events, cut into steps: the opening, one step a delta, the
 * closing. The grammar is that of the API: every block is started, filled and stopped in order.
 */
#include "tests/fakeapi/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base.h"

#define DELTAS_DEFAULT 8

void
script_init(struct script *script)
{
	memset(script, 0, sizeof(*script));
	script->bytes = evbuffer_new();
	if (!script->bytes)
		abort();
}

/* What was put since the last step becomes a step. */
void
script_step(struct script *script)
{
	size_t length = evbuffer_get_length(script->bytes);

	if (script->count == script->cap) {
		script->cap = MAX(script->cap * 2, (size_t)16);
		script->steps = realloc(script->steps, script->cap * sizeof(*script->steps));
		if (!script->steps)
			abort();
	}
	script->steps[script->count++] = length - script->total;
	script->total = length;
}

/* The length of the unit at `at` that must stay whole: an escape (a pair of surrogates is one), or
 * a UTF-8 sequence. */
static size_t
unit_len(const char *at, size_t left)
{
	size_t len = 1;

	if (*at == '\\' && left >= 6 && at[1] == 'u')
		len = (at[2] == 'd' || at[2] == 'D') && left >= 12 && at[6] == '\\' &&
			      strchr("89abAB", at[3])
			  ? 12
			  : 6;
	else if (*at == '\\')
		len = 2;
	else
		while (len < left && ((unsigned char)at[len] & 0xc0) == 0x80)
			len++;
	return MIN(len, left);
}

static void
put_delta(struct script *script, int index, const char *type, const char *field, const char *at,
	  size_t len)
{
	evbuffer_add_printf(script->bytes,
			    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
			    "\"index\":%d,\"delta\":{\"type\":\"%s\",\"%s\":\"",
			    index, type, field);
	evbuffer_add(script->bytes, at, len);
	evbuffer_add(script->bytes, "\"}}\n\n", 5);
	script_step(script);
}

static void
put_start(struct script *script, int index, const char *block)
{
	evbuffer_add_printf(script->bytes,
			    "event: content_block_start\ndata: {\"type\":\"content_block_start\","
			    "\"index\":%d,\"content_block\":%s}\n\n",
			    index, block);
	if (index == 0)
		answer_put_ping(script->bytes);
}

static void
put_stop(struct script *script, int index)
{
	evbuffer_add_printf(script->bytes,
			    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
			    "\"index\":%d}\n\n",
			    index);
}

static void
put_text(const struct answer *answer, struct script *script, int index)
{
	const char *at = answer->text.at, *end = at + answer->text.len;
	size_t pieces = answer->deltas ? answer->deltas : DELTAS_DEFAULT;
	size_t piece = MAX(answer->text.len / MAX(pieces, (size_t)1), answer->deltas ? 1u : 12u);

	put_start(script, index, "{\"type\":\"text\",\"text\":\"\"}");
	if (index == 0)
		script_step(script);
	for (size_t n = 1; at < end; n++) {
		const char *start = at;

		while (at < end && ((size_t)(at - start) < piece || n == pieces))
			at += unit_len(at, (size_t)(end - at));
		put_delta(script, index, "text_delta", "text", start, (size_t)(at - start));
	}
	put_stop(script, index);
}

static void
put_thinking(const struct answer *answer, struct script *script, int index)
{
	static const char first[] = "The question is about water, ";
	static const char second[] = "so the answer is about gates.";
	char signature[64];

	put_start(script, index, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
	script_step(script);
	put_delta(script, index, "thinking_delta", "thinking", first, sizeof(first) - 1);
	put_delta(script, index, "thinking_delta", "thinking", second, sizeof(second) - 1);
	snprintf(signature, sizeof(signature), "EqQBCkYIARgCKkDfake%016" PRIx64 "==", answer->seq);
	put_delta(script, index, "signature_delta", "signature", signature, strlen(signature));
	put_stop(script, index);
}

static void
put_tool(const struct answer *answer, struct script *script, int index)
{
	static const char *const parts[] = { "", "{\\\"city\\\":", " \\\"Lisbon\\\"", ", \\\"da",
					     "ys\\\": 3}" };
	char block[128];

	snprintf(block, sizeof(block),
		 "{\"type\":\"tool_use\",\"id\":\"toolu_fake%016" PRIx64
		 "\",\"name\":\"get_weather\",\"input\":{}}",
		 answer->seq);
	put_start(script, index, block);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		put_delta(script, index, "input_json_delta", "partial_json", parts[i],
			  strlen(parts[i]));
	put_stop(script, index);
}

/* Block, delta and event types of a future API. */
static void
put_unknown(struct script *script, int index)
{
	put_start(script, index, "{\"type\":\"hologram\",\"beam\":\"\",\"depth\":[1,2,3]}");
	put_delta(script, index, "beam_delta", "beam", "ab", 2);
	evbuffer_add_printf(script->bytes,
			    "event: weather_report\ndata: {\"type\":\"weather_report\","
			    "\"sky\":\"clear\"}\n\n");
	put_stop(script, index);
}

static void
put_message_start(const struct answer *answer, struct script *script)
{
	evbuffer_add_printf(script->bytes,
			    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"
			    "\"id\":\"msg_fake%016" PRIx64 "\",\"type\":\"message\",\"role\":"
			    "\"assistant\",\"model\":\"%.*s\",\"content\":[],\"stop_reason\":null,"
			    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":%ld,"
			    "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
			    "\"output_tokens\":1,\"service_tier\":\"standard\"}}}\n\n",
			    answer->seq, (int)answer->model.len, answer->model.at,
			    answer->input_tokens);
}

static void
put_message_end(const struct answer *answer, struct script *script)
{
	evbuffer_add_printf(script->bytes,
			    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
			    "\"stop_reason\":\"%s\",\"stop_sequence\":null%s},\"usage\":{"
			    "\"output_tokens\":%ld}}\n\n"
			    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
			    answer->stop_reason,
			    answer->refusal
				? ",\"stop_details\":{\"type\":\"refusal\","
				  "\"category\":\"cyber\",\"explanation\":\"asked for\"}"
				: "",
			    answer->output_tokens);
	script_step(script);
}

void
answer_put_script(const struct answer *answer, struct script *ret)
{
	int index = 0;

	script_init(ret);
	put_message_start(answer, ret);
	if (answer->empty)
		script_step(ret);
	if (answer->thinking)
		put_thinking(answer, ret, index++);
	if (!answer->empty)
		put_text(answer, ret, index++);
	if (answer->unknown)
		put_unknown(ret, index++);
	if (answer->tool)
		put_tool(answer, ret, index++);
	put_message_end(answer, ret);
}

void
script_clear(struct script *script)
{
	if (script->bytes)
		evbuffer_free(script->bytes);
	free(script->steps);
	memset(script, 0, sizeof(*script));
}
