/*
 * frame.c - the envelope as bytes; see frame.h and "Frames" in PROTOCOL.md.
 *
 * What a single header can break is judged here, from one table. What needs a
 * memory of the connection (a second HELLO, a stream in use) is not.
 */
#include "protocol/frame.h"

#include <stdbool.h>
#include <string.h>

#define CLIENT FRAME_SIDE_CLIENT
#define DAEMON FRAME_SIDE_DAEMON

static const struct type_row {
	const char *name;
	unsigned senders; /* FRAME_SIDE_* */
} types[] = {
#define X(name, number, senders, payload) [number] = { #name, senders },
	FOREBAY_FRAMES(X)
#undef X
};

static const struct type_row *
type_of(int type)
{
	if (type < 0 || (size_t)type >= ARRAY_LEN(types) || !types[type].name)
		return NULL;
	return &types[type];
}

const char *
frame_type_name(int type)
{
	const struct type_row *row = type_of(type);

	return row ? row->name : "unknown";
}

static uint32_t
parse_u32(const uint8_t *buf)
{
	return (uint32_t)buf[0] << 24 | (uint32_t)buf[1] << 16 | (uint32_t)buf[2] << 8 | buf[3];
}

static void
put_u32(uint8_t *ret, uint32_t value)
{
	ret[0] = (uint8_t)(value >> 24);
	ret[1] = (uint8_t)(value >> 16);
	ret[2] = (uint8_t)(value >> 8);
	ret[3] = (uint8_t)value;
}

/* Where a type belongs: the connection (stream 0), a request, or either. */
static const char *
broken_stream(const struct frame *frame)
{
	switch ((enum frame_type)frame->type) {
	case FRAME_HELLO:
	case FRAME_PING:
	case FRAME_PONG:
		return frame->stream == 0
			   ? NULL
			   : "HELLO, PING and PONG belong on stream 0, not on another";
	case FRAME_REQUEST:
	case FRAME_DATA:
	case FRAME_EVENT:
	case FRAME_REPLY:
	case FRAME_CANCEL:
	case FRAME_CHUNK:
		return frame->stream != 0 ? NULL
					  : "stream 0 is the connection, requests use another";
	case FRAME_ERROR:
		return NULL;
	}
	return NULL;
}

/* The rules that only some types have. */
static const char *
broken_type_rule(const struct frame *frame)
{
	bool end = frame->flags & FRAME_FLAG_END;

	switch ((enum frame_type)frame->type) {
	case FRAME_PING:
	case FRAME_PONG:
		return frame->len <= FRAME_MAX_PING ? NULL : "PING and PONG carry at most 64 bytes";
	case FRAME_CANCEL:
		return frame->len == 0 ? NULL : "CANCEL has no payload";
	case FRAME_EVENT:
	case FRAME_CHUNK:
		return end ? "EVENT and CHUNK never carry END, a REPLY or ERROR follows" : NULL;
	case FRAME_ERROR:
		return end ? NULL : "ERROR always carries END";
	case FRAME_HELLO:
	case FRAME_REQUEST:
	case FRAME_DATA:
	case FRAME_REPLY:
		return NULL;
	}
	return NULL;
}

/* The first rule that the header breaks, as a sentence; NULL when it is fine. */
static const char *
broken_rule(const struct frame *frame, uint16_t reserved, enum frame_side from,
	    uint32_t max_payload)
{
	const struct type_row *row = type_of(frame->type);
	const char *why;

	if (!row)
		return "unknown frame type, expected 1 to 10";
	if (frame->flags & ~FRAME_FLAG_END)
		return "unknown flag, only bit 0 (END) may be set";
	if (reserved != 0)
		return "bytes 6 and 7 are reserved and must be 0";
	if (!(row->senders & from))
		return from == CLIENT ? "a frame of this type is sent by the daemon only"
				      : "a frame of this type is sent by clients only";
	if (frame->len > max_payload)
		return "the payload is longer than the limit";
	why = broken_stream(frame);
	return why ? why : broken_type_rule(frame);
}

enum forebay_err
frame_parse(const uint8_t *buf, size_t len, enum frame_side from, uint32_t max_payload,
	    struct frame *ret, size_t *ret_used, const char **ret_why)
{
	const char *why;

	*ret = (struct frame){ 0 };
	*ret_used = 0;
	if (len < FRAME_HEADER_LEN)
		return FOREBAY_ERR_OK;

	ret->len = parse_u32(buf);
	ret->type = buf[4];
	ret->flags = buf[5];
	ret->stream = parse_u32(buf + 8);
	why = broken_rule(ret, (uint16_t)(buf[6] << 8 | buf[7]), from,
			  MIN(max_payload, FRAME_MAX_PAYLOAD));
	if (why) {
		*ret_why = why;
		return FOREBAY_ERR_BAD_FRAME;
	}
	if (len - FRAME_HEADER_LEN < ret->len)
		return FOREBAY_ERR_OK;

	ret->payload = buf + FRAME_HEADER_LEN;
	*ret_used = FRAME_HEADER_LEN + (size_t)ret->len;
	return FOREBAY_ERR_OK;
}

void
frame_put_header(uint8_t ret[static FRAME_HEADER_LEN], enum frame_type type, unsigned flags,
		 uint32_t stream, uint32_t len)
{
	put_u32(ret, len);
	ret[4] = (uint8_t)type;
	ret[5] = (uint8_t)flags;
	memset(ret + 6, 0, 2);
	put_u32(ret + 8, stream);
}
