/*
 * test_document.c - PROTOCOL.md against the tables: its examples decode, and
 * every word of the protocol is in it, where it belongs. Run from the top of the
 * tree.
 */
#include "protocol/frame.h"
#include "protocol/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT "protocol/PROTOCOL.md"

static char *document; /* owned */

static int
load_document(void **unused)
{
	FILE *file = fopen(DOCUMENT, "r");
	size_t len;

	(void)unused;
	if (!file) {
		fprintf(stderr, DOCUMENT ": cannot be read (run from the top of the tree)\n");
		return -1;
	}
	document = calloc(1, 1 << 20);
	len = fread(document, 1, (1 << 20) - 1, file);
	fclose(file);
	return len > 0 && len < (1 << 20) - 1 ? 0 : -1;
}

static int
free_document(void **unused)
{
	(void)unused;
	free(document);
	return 0;
}

/* Call fn with every line of every block that begins with ```info, between start
 * and end. Returns the number of lines. */
static int
each_line(const char *start, const char *end, const char *info, void (*fn)(char *line))
{
	char fence[64];
	int count = 0;

	snprintf(fence, sizeof(fence), "\n```%s\n", info);
	for (const char *at = start; (at = strstr(at, fence)) && at < end;) {
		at += strlen(fence);
		while (strncmp(at, "```", 3) != 0) {
			size_t len = strcspn(at, "\n");
			char *line = strndup(at, len);

			fn(line);
			free(line);
			count++;
			at += len + 1;
		}
	}
	return count;
}

static void
check_request(char *line)
{
	char why[MESSAGE_WHY_LEN];
	struct request request;

	if (request_parse((uint8_t *)line, strlen(line), &request, why))
		fail_msg("%s\n%s", line, why);
	request_clear(&request);
}

static struct message *
parse(const char *line)
{
	char why[MESSAGE_WHY_LEN];
	struct message *message;

	if (message_parse((const uint8_t *)line, strlen(line), FRAME_MAX_PAYLOAD, &message, why))
		fail_msg("%s\n%s", line, why);
	return message;
}

static void
check_message(char *line)
{
	message_free(parse(line));
}

static void
check_event(char *line)
{
	struct message *message = parse(line);

	assert_non_null(message_text(message, "event", NULL));
	message_free(message);
}

static void
check_error(char *line)
{
	struct message *message = parse(line);
	const char *wire = message_text(message, "error", NULL);

	assert_non_null(wire);
	assert_string_equal(forebay_err_wire(forebay_err_from_wire(wire)), wire);
	assert_non_null(message_text(message, "message", NULL));
	message_free(message);
}

static void
examples_decode(void **unused)
{
	const char *end = document + strlen(document);

	(void)unused;
	assert_true(each_line(document, end, "json request", check_request) > 25);
	assert_true(each_line(document, end, "json reply", check_message) > 20);
	assert_true(each_line(document, end, "json event", check_event) >= 6);
	assert_true(each_line(document, end, "json error", check_error) >= 3);
	assert_true(each_line(document, end, "json data", check_message) >= 4);
	assert_true(each_line(document, end, "json hello-client", check_message) == 1);
	assert_true(each_line(document, end, "json hello-daemon", check_message) == 1);
}

/* --- the conversation in hex ----------------------------------------------- */

static uint8_t hex[4096];
static size_t hex_len;

static void
add_hex(char *line)
{
	char *comment = strchr(line, '#');
	unsigned byte;
	int used;

	if (comment)
		*comment = '\0';
	while (sscanf(line, " %2x%n", &byte, &used) == 1) {
		assert_true(hex_len < sizeof(hex));
		hex[hex_len++] = (uint8_t)byte;
		line += used;
	}
}

static void
decode_hex(const char *info, enum frame_side side, const char *expected)
{
	char types[256] = "";

	hex_len = 0;
	each_line(document, document + strlen(document), info, add_hex);
	for (size_t at = 0; at < hex_len;) {
		struct frame frame;
		size_t used;
		const char *why = NULL;

		if (frame_parse(hex + at, hex_len - at, side, FRAME_MAX_PAYLOAD, &frame, &used,
				&why))
			fail_msg("%s: %s", info, why);
		assert_true(used > 0);
		if (frame.type == FRAME_REQUEST) {
			char *json = strndup((const char *)frame.payload, frame.len);

			check_request(json);
			free(json);
		}
		strcat(strcat(types, frame_type_name(frame.type)), " ");
		at += used;
	}
	assert_string_equal(types, expected);
}

static void
the_first_conversation_decodes(void **unused)
{
	(void)unused;
	decode_hex("hex client", FRAME_SIDE_CLIENT, "HELLO REQUEST DATA ");
	decode_hex("hex daemon", FRAME_SIDE_DAEMON, "HELLO REPLY ");
}

/* --- the words ------------------------------------------------------------- */

static void
must_say(const char *what, const char *start, const char *end, const char *text)
{
	const char *found = strstr(start, text);

	if (!found || found >= end)
		fail_msg("%s does not say %s", what, text);
}

/* The section of a verb: from the heading that names it to the next heading. */
static const char *
section_of(const char *verb, const char **ret_end)
{
	for (const char *at = document; (at = strstr(at, "\n### "));) {
		const char *end = strchr(at + 1, '\n'), *found = strstr(at, verb);

		at += 5;
		while (found && found < end &&
		       (!strchr(" ,", found[-1]) || !strchr(" ,", found[strlen(verb)])))
			found = strstr(found + 1, verb);
		if (!found || found >= end)
			continue;
		*ret_end = strstr(at, "\n##");
		if (!*ret_end)
			*ret_end = document + strlen(document);
		return at;
	}
	fail_msg("no section for the verb %s", verb);
	return NULL;
}

/* Described and used in an example, in the section of every verb that takes it. */
static void
every_argument_of_every_verb_is_there(void **unused)
{
	(void)unused;
	for (int verb = 0; verb < FOREBAY_VERB_COUNT; verb++) {
		const char *end, *start = section_of(forebay_verb_name(verb), &end);
		char text[128];

		snprintf(text, sizeof(text), "{\"verb\":\"%s\"", forebay_verb_name(verb));
		must_say(forebay_verb_name(verb), start, end, text);
		for (size_t i = 0; request_argument(i); i++) {
			if (!request_takes(verb, i))
				continue;
			snprintf(text, sizeof(text), "`%s`", request_argument(i));
			must_say(forebay_verb_name(verb), start, end, text);
			snprintf(text, sizeof(text), "\"%s\":", request_argument(i));
			must_say(forebay_verb_name(verb), start, end, text);
		}
	}
}

static void
rights_stand_in_the_headings(void **unused)
{
	static const char *const words[] = {
		[FOREBAY_RIGHT_ANY] = "(any)",
		[FOREBAY_RIGHT_OWNER] = "(owner)",
		[FOREBAY_RIGHT_ADMIN] = "(admin)",
	};

	(void)unused;
	for (int verb = 0; verb < FOREBAY_VERB_COUNT; verb++) {
		const char *end, *start = section_of(forebay_verb_name(verb), &end);

		must_say(forebay_verb_name(verb), start, strchr(start, '\n'),
			 words[forebay_verb_right(verb)]);
	}
}

static void
tables_are_the_tables(void **unused)
{
	const char *end = document + strlen(document);
	char row[256];

	(void)unused;
	for (int err = 0; err < FOREBAY_ERR_COUNT; err++) {
		snprintf(row, sizeof(row), "\n| `%s` | %s | %d | %s |\n", forebay_err_wire(err),
			 forebay_err_retryable(err) ? "yes" : "no", forebay_err_exit_code(err),
			 forebay_err_text(err));
		must_say("the table of errors", document, end, row);
	}
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++) {
		snprintf(row, sizeof(row), "\n| `%s` | %s", forebay_job_state_name(state),
			 forebay_job_state_is_final(state) ? "final" : "");
		must_say("the table of states", document, end, row);
	}
#define X(name, number, senders, payload)                                                          \
	snprintf(row, sizeof(row), "\n| %d | %s |", number, #name);                                \
	must_say("the table of frames", document, end, row);
	FOREBAY_FRAMES(X)
#undef X
}

static void
words_of_options_are_there(void **unused)
{
	static const struct forebay_words *const lists[] = { &forebay_classes, &forebay_batch_modes,
							     &forebay_transports, &forebay_wants };
	const char *end, *start = section_of("submit", &end);
	char text[64];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (int word = 0; word < lists[i]->count; word++) {
			snprintf(text, sizeof(text), "`%s`", lists[i]->words[word]);
			must_say("submit", start, end, text);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_decode),
		cmocka_unit_test(the_first_conversation_decodes),
		cmocka_unit_test(every_argument_of_every_verb_is_there),
		cmocka_unit_test(rights_stand_in_the_headings),
		cmocka_unit_test(tables_are_the_tables),
		cmocka_unit_test(words_of_options_are_there),
	};

	return cmocka_run_group_tests(tests, load_document, free_document);
}
