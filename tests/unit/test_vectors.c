/*
 * test_vectors.c - protocol/vectors/ against the code: INDEX says what each file
 * holds, and the parsers must agree, byte for byte. Run from the top of the tree.
 */
#include "protocol/frame.h"
#include "protocol/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS	 "protocol/vectors"
#define MAX_LINE 512

struct vector {
	char file[128], side[16], holds[MAX_LINE];
	uint8_t *bytes; /* owned */
	size_t len;
};

static uint8_t *
load(const char *name, size_t *ret_len)
{
	char path[300];
	FILE *file;
	uint8_t *bytes;
	long len;

	snprintf(path, sizeof(path), "%s/%s", VECTORS, name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: cannot be read (run from the top of the tree)", path);
	fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	/* An exact size, so that a sanitizer sees a read past the end. */
	bytes = malloc((size_t)len + (len == 0));
	*ret_len = fread(bytes, 1, (size_t)len, file);
	fclose(file);
	assert_int_equal(*ret_len, len);
	return bytes;
}

/* Call fn with every row of INDEX; returns how many there were. */
static int
each_vector(void (*fn)(const struct vector *, void *arg), void *arg)
{
	FILE *index = fopen(VECTORS "/INDEX", "r");
	char line[MAX_LINE];
	int count = 0;

	if (!index)
		fail_msg(VECTORS "/INDEX: cannot be read (run from the top of the tree)");
	while (fgets(line, sizeof(line), index)) {
		struct vector vector = { 0 };

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%127s %15s %511[^\n]", vector.file, vector.side, vector.holds) !=
		    3)
			fail_msg("INDEX: not three words: %s", line);
		vector.bytes = load(vector.file, &vector.len);
		fn(&vector, arg);
		free(vector.bytes);
		count++;
	}
	fclose(index);
	return count;
}

/* The JSON a frame carries, as a word: "ok" or an error's wire name. */
static const char *
verdict(const struct frame *frame)
{
	char why[MESSAGE_WHY_LEN];
	struct request request;
	struct message *message;
	enum forebay_err err;

	switch (frame->type) {
	case FRAME_REQUEST:
		err = request_parse(frame->payload, frame->len, &request, why);
		if (!err)
			request_clear(&request);
		break;
	case FRAME_HELLO:
	case FRAME_EVENT:
	case FRAME_REPLY:
	case FRAME_ERROR:
		err = message_parse(frame->payload, frame->len, FRAME_MAX_PAYLOAD, &message, why);
		if (!err)
			message_free(message);
		break;
	default:
		return "ok";
	}
	return forebay_err_wire(err);
}

static size_t
describe(const struct frame *frame, bool with_verdict, char *ret, size_t size)
{
	return (size_t)snprintf(ret, size, "%s%s@%u:%u%s%s ", frame_type_name(frame->type),
				frame->flags & FRAME_FLAG_END ? "+END" : "", frame->stream,
				frame->len, with_verdict ? "=" : "",
				with_verdict ? verdict(frame) : "");
}

static enum frame_side
side_of(const struct vector *vector)
{
	if (strcmp(vector->side, "client") == 0)
		return FRAME_SIDE_CLIENT;
	assert_string_equal(vector->side, "daemon");
	return FRAME_SIDE_DAEMON;
}

/* What the file holds, in the words of INDEX; *ret_why as from frame_parse. */
static void
decode(const struct vector *vector, char *ret, size_t size, const char **ret_why)
{
	bool with_verdict = strchr(vector->holds, '=');
	size_t at = 0, len = 0;

	ret[0] = '\0';
	while (at < vector->len && len < size - 100) {
		struct frame frame;
		size_t used;

		if (frame_parse(vector->bytes + at, vector->len - at, side_of(vector),
				FRAME_MAX_PAYLOAD, &frame, &used, ret_why)) {
			snprintf(ret + len, size - len, "bad-frame ");
			return;
		}
		if (used == 0) {
			snprintf(ret + len, size - len, "more ");
			return;
		}
		if (!with_verdict && strcmp(verdict(&frame), "ok") != 0 &&
		    frame.type != FRAME_HELLO)
			fail_msg("%s: its JSON is %s", vector->file, verdict(&frame));
		len += describe(&frame, with_verdict, ret + len, size - len);
		at += used;
	}
}

static void
check_one(const struct vector *vector, void *arg)
{
	char holds[MAX_LINE], expected[MAX_LINE + 2];
	const char *why = NULL;
	char *session;

	(void)arg;
	decode(vector, holds, sizeof(holds), &why);
	snprintf(expected, sizeof(expected), "%s ", vector->holds);
	session = strstr(expected, "session ");
	if (session)
		*session = '\0';
	if (strcmp(holds, expected) != 0)
		fail_msg("%s: expected \"%s\", decoded \"%s\"", vector->file, expected, holds);
	assert_true(!why || strlen(why) > 0);
}

static void
every_file_holds_what_index_says(void **unused)
{
	(void)unused;
	assert_true(each_vector(check_one, NULL) > 80);
}

/* What was seen over all vectors. */
struct coverage {
	bool seen[3][16]; /* by side and type */
	const char *whys[32];
	int why_count;
};

static void
cover(const struct vector *vector, void *arg)
{
	struct coverage *coverage = arg;
	char holds[MAX_LINE];
	const char *why = NULL;

	decode(vector, holds, sizeof(holds), &why);
	for (int type = 1; type < 16; type++)
		if (strncmp(holds, frame_type_name(type), strlen(frame_type_name(type))) == 0)
			coverage->seen[side_of(vector)][type] = true;
	for (int i = 0; why && i < coverage->why_count; i++)
		if (coverage->whys[i] == why)
			return;
	if (why)
		coverage->whys[coverage->why_count++] = why;
}

static void
every_type_and_every_rule_has_a_vector(void **unused)
{
	enum { CLIENT = FRAME_SIDE_CLIENT, DAEMON = FRAME_SIDE_DAEMON };
	struct coverage coverage = { 0 };

	(void)unused;
	each_vector(cover, &coverage);
#define X(name, number, senders, payload)                                                          \
	assert_true(!((senders)&CLIENT) || coverage.seen[CLIENT][number]);                         \
	assert_true(!((senders)&DAEMON) || coverage.seen[DAEMON][number]);
	FOREBAY_FRAMES(X)
#undef X
	assert_int_equal(coverage.why_count, 12); /* sentences in frame.c */
}

static void
note_name(const struct vector *vector, void *arg)
{
	char *names = arg;

	assert_true(strlen(names) + strlen(vector->file) + 2 < 16384);
	strcat(strcat(names, vector->file), "\n");
}

static void
every_file_is_in_index(void **unused)
{
	static char names[16384] = "\n";
	DIR *dir = opendir(VECTORS);

	(void)unused;
	assert_non_null(dir);
	each_vector(note_name, names);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char line[300];

		snprintf(line, sizeof(line), "\n%s\n", entry->d_name);
		if (strstr(entry->d_name, ".bin") && !strstr(names, line))
			fail_msg("%s is not in INDEX", entry->d_name);
	}
	closedir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_holds_what_index_says),
		cmocka_unit_test(every_type_and_every_rule_has_a_vector),
		cmocka_unit_test(every_file_is_in_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
