/*
 * assemble.c - a recorded stream on the command line, the Message the daemon makes of
 * it on stdout: what stories compare with the official SDK. However the bytes are
 * cut, the result must be the same.
 *
 *   assemble FILE    status 0: whole; 3: broken or not whole, stderr says why;
 *                    4: whole, but some event could not be assembled (stderr has it)
 */
#include "daemon/claude/assembly.h"
#include "daemon/claude/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (64u << 20)

enum { WRONG_USE = 2, NOT_WHOLE = 3, UNASSEMBLED = 4 };

struct play {
	struct assembly *assembly; /* owned */
	enum forebay_err err;	   /* of the first event that was refused */
	char *message;		   /* owned; NULL if there is none */
	size_t len;
};

static void
assemble_on_event(const char *name, const uint8_t *data, size_t len, void *arg)
{
	struct play *play = arg;
	enum assembly_step step;
	enum forebay_err err = assembly_feed(play->assembly, name, data, len, &step);

	if (!play->err)
		play->err = step == ASSEMBLY_FAILED ? FOREBAY_ERR_API_ERROR : err;
}

/* The whole stream, so many bytes at a time. */
static void
play(struct play *play, const uint8_t *bytes, size_t len, size_t step)
{
	enum forebay_err err = FOREBAY_ERR_OK;
	struct sse sse;

	*play = (struct play){ .assembly = assembly_new(LIMIT) };
	if (!play->assembly)
		abort();
	sse_init(&sse, LIMIT);
	for (size_t at = 0; at < len && !err; at += step)
		err = sse_feed(&sse, bytes + at, MIN(step, len - at), assemble_on_event, play);
	if (!err)
		err = sse_end(&sse, assemble_on_event, play);
	sse_clear(&sse);
	if (!play->err)
		play->err = err;
	if (!play->err)
		play->err = assembly_take(play->assembly, &play->message, &play->len);
}

static void
play_clear(struct play *play)
{
	assembly_free(play->assembly);
	free(play->message);
}

static bool
same(const struct play *a, const struct play *b)
{
	return a->err == b->err && a->len == b->len &&
	       (a->len == 0 || memcmp(a->message, b->message, a->len) == 0);
}

static int
tell(const struct play *play)
{
	size_t len;
	const char *unassembled = assembly_unassembled(play->assembly, &len);

	fwrite(unassembled, 1, len, stderr);
	if (play->message)
		printf("%s\n", play->message);
	if (play->err || !assembly_is_whole(play->assembly)) {
		fprintf(stderr, "%s: %s\n", forebay_err_wire(play->err),
			assembly_why(play->assembly));
		return NOT_WHOLE;
	}
	return len > 0 ? UNASSEMBLED : 0;
}

static uint8_t *
load(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(LIMIT);

	if (!file || !bytes) {
		perror(path);
		exit(WRONG_USE);
	}
	*ret_len = fread(bytes, 1, LIMIT, file);
	fclose(file);
	return bytes;
}

int
main(int argc, char **argv)
{
	static const size_t steps[] = { 1, 2, 3, 7, 61, 4096 };
	struct play whole, cut;
	uint8_t *bytes;
	size_t len;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: assemble FILE\n");
		return WRONG_USE;
	}
	bytes = load(argv[1], &len);
	play(&whole, bytes, len, LIMIT);
	status = tell(&whole);
	for (size_t i = 0; i < ARRAY_LEN(steps) && status != WRONG_USE; i++) {
		play(&cut, bytes, len, steps[i]);
		if (!same(&whole, &cut)) {
			fprintf(stderr, "another message in steps of %zu\n", steps[i]);
			status = WRONG_USE;
		}
		play_clear(&cut);
	}
	play_clear(&whole);
	free(bytes);
	return status;
}
