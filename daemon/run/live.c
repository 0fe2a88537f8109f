/*
 * live.c - buffers of running answers; see live.h.
 */
#include "daemon/run/live.h"

#include "daemon/base/log.h"
#include "daemon/base/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define ROOM_START 4096

struct stream {
	uint64_t id;
	unsigned attempt;
	uint8_t *bytes; /* owned */
	size_t len, room;
	bool lost;
	UT_hash_handle hh;
};

struct live {
	struct stream *streams;	   /* owned, by id */
	uint64_t max_bytes, bytes; /* of room, all streams */
};

struct live *
live_new(uint64_t max_bytes)
{
	struct live *live = must_alloc(sizeof(*live));

	*live = (struct live){ .max_bytes = max_bytes };
	return live;
}

void
live_resize(struct live *live, uint64_t max_bytes)
{
	live->max_bytes = max_bytes;
}

static struct stream *
find(const struct live *live, uint64_t id)
{
	struct stream *stream;

	HASH_FIND(hh, live->streams, &id, sizeof(id), stream);
	return stream;
}

static void
empty(struct live *live, struct stream *stream)
{
	free(stream->bytes);
	live->bytes -= stream->room;
	metrics.live_bytes = live->bytes;
	stream->bytes = NULL;
	stream->len = stream->room = 0;
}

void
live_begin(struct live *live, uint64_t id, unsigned attempt)
{
	struct stream *stream = find(live, id);

	if (!stream) {
		stream = must_alloc(sizeof(*stream));
		*stream = (struct stream){ .id = id };
		HASH_ADD(hh, live->streams, id, sizeof(id), stream);
	}
	empty(live, stream);
	stream->attempt = attempt;
	stream->lost = false;
}

static bool
make_room(struct live *live, struct stream *stream, size_t len)
{
	size_t room = stream->room ? stream->room : ROOM_START;
	uint8_t *bytes;

	while (room < stream->len + len)
		room *= 2;
	if (room == stream->room)
		return true;
	if (live->bytes - stream->room + room > live->max_bytes)
		return false;
	bytes = realloc(stream->bytes, room);
	if (!bytes)
		return false;
	live->bytes += room - stream->room;
	metrics.live_bytes = live->bytes;
	stream->bytes = bytes;
	stream->room = room;
	return true;
}

bool
live_append(struct live *live, uint64_t id, const uint8_t *bytes, size_t len)
{
	struct stream *stream = find(live, id);

	if (!stream || stream->lost)
		return false;
	if (!make_room(live, stream, len)) {
		empty(live, stream);
		stream->lost = true;
		return false;
	}
	memcpy(stream->bytes + stream->len, bytes, len);
	stream->len += len;
	return true;
}

void
live_end(struct live *live, uint64_t id)
{
	struct stream *stream = find(live, id);

	if (!stream)
		return;
	empty(live, stream);
	HASH_DEL(live->streams, stream);
	free(stream);
}

enum live_state
live_look(const struct live *live, uint64_t id, unsigned *ret_attempt, const uint8_t **ret_bytes,
	  size_t *ret_len)
{
	const struct stream *stream = find(live, id);

	if (!stream)
		return LIVE_NONE;
	*ret_attempt = stream->attempt;
	*ret_bytes = stream->bytes;
	*ret_len = stream->len;
	return stream->lost ? LIVE_LOST : LIVE_RUNNING;
}

void
live_free(struct live *live)
{
	struct stream *stream, *next;

	if (!live)
		return;
	HASH_ITER (hh, live->streams, stream, next)
		live_end(live, stream->id);
	free(live);
}
