/*
 * frame.h - the envelope: bytes <-> frames. Pure; see PROTOCOL.md.
 *
 *   0      4     5      6         8        12
 *   +------+-----+------+---------+--------+------------------+
 *   |length|type |flags |reserved | stream | payload (length) |
 *   +------+-----+------+---------+--------+------------------+   big-endian
 */
#ifndef PROTOCOL_FRAME_H
#define PROTOCOL_FRAME_H

#include "protocol/base.h"
#include "protocol/errors.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_LEN  12
#define FRAME_MAX_PAYLOAD 1048576u
#define FRAME_MAX_PING	  64u
#define FRAME_PROTOCOL	  1 /* version spoken in HELLO */

/* clang-format off */
/*	  name     no  sent by              payload */
#define FOREBAY_FRAMES(X)                                                                          \
	X(HELLO,    1, CLIENT | DAEMON,     "JSON, the first frame of each side, stream 0")        \
	X(REQUEST,  2, CLIENT,              "JSON with verb and arguments")                        \
	X(DATA,     3, CLIENT | DAEMON,     "raw bytes of a body, in order")                       \
	X(EVENT,    4, DAEMON,              "JSON, interim news of a request")                     \
	X(REPLY,    5, DAEMON,              "JSON, exactly one per successful request")            \
	X(ERROR,    6, DAEMON,              "JSON, ends the stream; on stream 0 the connection")   \
	X(CANCEL,   7, CLIENT,              "empty: stop telling me about this stream")            \
	X(PING,     8, CLIENT | DAEMON,     "up to 64 opaque bytes")                               \
	X(PONG,     9, CLIENT | DAEMON,     "the bytes of the PING")                               \
	X(CHUNK,   10, DAEMON,              "raw bytes of a running answer's event stream")
/* clang-format on */

#define FRAME_ENUM(name, number, ...) FRAME_##name = (number),
enum frame_type { FOREBAY_FRAMES(FRAME_ENUM) };
#undef FRAME_ENUM

#define FRAME_FLAG_END 0x01u /* last frame of this sender on this stream */

enum frame_side { FRAME_SIDE_CLIENT = 1, FRAME_SIDE_DAEMON = 2 };

struct frame {
	uint8_t type;  /* enum frame_type */
	uint8_t flags; /* FRAME_FLAG_* */
	uint32_t stream;
	const uint8_t *payload; /* borrowed from the input; NULL while incomplete */
	uint32_t len;
};

/*
 * The frame at the start of buf, as sent by side from. OK with *ret_used = 0
 * when buf holds less than a frame; *ret is then valid up to the payload if the
 * header is there. BAD_FRAME, with a sentence in *ret_why, when the header
 * breaks a rule: it is judged as soon as its 12 bytes are there, whatever
 * follows. max_payload <= FRAME_MAX_PAYLOAD.
 */
MUST_CHECK enum forebay_err frame_parse(const uint8_t *buf, size_t len, enum frame_side from,
					uint32_t max_payload, struct frame *ret, size_t *ret_used,
					const char **ret_why);

void frame_put_header(uint8_t ret[static FRAME_HEADER_LEN], enum frame_type type, unsigned flags,
		      uint32_t stream, uint32_t len);

/* "unknown" for a number that is no type. */
const char *frame_type_name(int type);

#endif
