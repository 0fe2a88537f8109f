/*
 * fuzz_frame.c - any bytes as a stream of frames, from either side: the first
 * byte chooses the side and the limit. What parses must be inside the input, must
 * come out of frame_put_header again, and must be judged the same when it
 * arrives piece by piece.
 */
#include "protocol/frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* With only the header there, the verdict is the same already. */
static void
check_early(const uint8_t *buf, size_t len, enum frame_side from, uint32_t limit,
	    enum forebay_err expected)
{
	struct frame frame;
	const char *why = NULL;
	size_t used;

	must(frame_parse(buf, MIN(len, (size_t)FRAME_HEADER_LEN), from, limit, &frame, &used,
			 &why) == expected);
	must(frame_parse(buf, MIN(len, (size_t)FRAME_HEADER_LEN - 1), from, limit, &frame, &used,
			 &why) == FOREBAY_ERR_OK);
	must(used == 0 && !frame.payload);
}

static void
check_frame(const uint8_t *buf, size_t len, const struct frame *frame, size_t used, uint32_t limit)
{
	uint8_t header[FRAME_HEADER_LEN];

	must(frame->len <= limit && frame->len <= FRAME_MAX_PAYLOAD);
	must(used == FRAME_HEADER_LEN + (size_t)frame->len && used <= len);
	must(frame->payload == buf + FRAME_HEADER_LEN);
	must(strcmp(frame_type_name(frame->type), "unknown") != 0);
	frame_put_header(header, frame->type, frame->flags, frame->stream, frame->len);
	must(memcmp(header, buf, sizeof(header)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum frame_side from;
	uint32_t limit;
	size_t at = 1;

	if (size < 1)
		return 0;
	from = data[0] & 1 ? FRAME_SIDE_CLIENT : FRAME_SIDE_DAEMON;
	limit = data[0] & 2 ? FRAME_MAX_PAYLOAD : 100;
	while (at < size) {
		struct frame frame;
		const char *why = NULL;
		size_t used;
		enum forebay_err err =
		    frame_parse(data + at, size - at, from, limit, &frame, &used, &why);

		must(err == FOREBAY_ERR_OK || err == FOREBAY_ERR_BAD_FRAME);
		must((err == FOREBAY_ERR_BAD_FRAME) == (why != NULL));
		check_early(data + at, size - at, from, limit, err);
		if (err || used == 0)
			break;
		check_frame(data + at, size - at, &frame, used, limit);
		at += used;
	}
	return 0;
}
