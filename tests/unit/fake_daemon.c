/*
 * fake_daemon.c - a daemon that is a script; see fake_daemon.h.
 */
#include "tests/unit/fake_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool
read_all(int fd, void *buf, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

bool
fake_read(struct fake *fake, struct frame *ret, uint8_t **ret_bytes)
{
	uint8_t *bytes = malloc(FRAME_HEADER_LEN + FRAME_MAX_PAYLOAD);
	const char *why = "";
	size_t used;

	*ret_bytes = bytes;
	if (!bytes || !read_all(fake->fd, bytes, FRAME_HEADER_LEN))
		return false;
	if (frame_parse(bytes, FRAME_HEADER_LEN, FRAME_SIDE_CLIENT, FRAME_MAX_PAYLOAD, ret, &used,
			&why) ||
	    !read_all(fake->fd, bytes + FRAME_HEADER_LEN, ret->len)) {
		fake->failed |= *why != 0;
		return false;
	}
	ret->payload = bytes + FRAME_HEADER_LEN;
	return true;
}

void
fake_send(struct fake *fake, enum frame_type type, unsigned flags, uint32_t stream,
	  const void *payload, size_t len)
{
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, type, flags, stream, (uint32_t)len);
	if (send(fake->fd, header, sizeof(header), MSG_NOSIGNAL) != (ssize_t)sizeof(header) ||
	    (len && send(fake->fd, payload, len, MSG_NOSIGNAL) != (ssize_t)len))
		fake->failed = true;
}

void
fake_json(struct fake *fake, enum frame_type type, unsigned flags, const char *json)
{
	fake_send(fake, type, flags, fake->stream, json, strlen(json));
}

void
fake_accept(struct fake *fake)
{
	static const char hello[] = "{\"protocol\":1,\"server\":\"fake/1\",\"max_frame\":65536,"
				    "\"max_body\":33554432,\"max_streams\":16}";
	struct frame frame;
	uint8_t *bytes;

	if (fake->fd >= 0)
		close(fake->fd);
	fake->fd = accept(fake->listener, NULL, NULL);
	if (fake->fd < 0 || !fake_read(fake, &frame, &bytes) || frame.type != FRAME_HELLO)
		fake->failed = true;
	else
		fake_send(fake, FRAME_HELLO, 0, 0, hello, sizeof(hello) - 1);
	free(bytes);
}

bool
fake_request(struct fake *fake)
{
	bool end = false;

	free(fake->body);
	fake->body = NULL;
	fake->body_len = 0;
	while (!end) {
		struct frame frame;
		uint8_t *bytes;

		if (!fake_read(fake, &frame, &bytes)) {
			free(bytes);
			return false;
		}
		end = frame.type != FRAME_CANCEL && (frame.flags & FRAME_FLAG_END);
		if (frame.type == FRAME_REQUEST) {
			fake->stream = frame.stream;
			snprintf(fake->json, sizeof(fake->json), "%.*s", (int)frame.len,
				 (const char *)frame.payload);
		} else if (frame.type == FRAME_DATA) {
			fake->body = realloc(fake->body, fake->body_len + frame.len);
			memcpy(fake->body + fake->body_len, frame.payload, frame.len);
			fake->body_len += frame.len;
		}
		free(bytes);
	}
	return true;
}

void
fake_idle(struct fake *fake)
{
	char byte;

	(void)!recv(fake->fd, &byte, 1, 0);
}

void
fake_key(struct fake *fake, char ret[static 64])
{
	const char *key = strstr(fake->json, "\"key\":\"");

	snprintf(ret, 64, "%.32s", key ? key + 7 : "none");
}

static void *
fake_run(void *arg)
{
	struct fake *fake = arg;

	fake->script(fake);
	return NULL;
}

void
fake_start(struct fake *fake, void (*script)(struct fake *))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*fake = (struct fake){ .dir = "/tmp/forebay-test-XXXXXX", .fd = -1, .script = script };
	assert_non_null(mkdtemp(fake->dir));
	snprintf(fake->path, sizeof(fake->path), "%s/s", fake->dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_return_code(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_return_code(listen(fake->listener, 8), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

void
fake_join(struct fake *fake)
{
	pthread_join(fake->thread, NULL);
	fake->joined = true;
}

void
fake_stop(struct fake *fake)
{
	if (!fake->joined)
		fake_join(fake);
	if (fake->fd >= 0)
		close(fake->fd);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->dir);
	free(fake->body);
	assert_false(fake->failed);
}

struct forebay *
open_to(struct fake *fake)
{
	struct forebay_options options = { .size = sizeof(options), .reconnect_ms = 2000 };
	struct forebay *f;

	assert_int_equal(forebay_open(fake->path, &options, &f), 0);
	return f;
}

struct forebay_event
next(struct forebay *f, enum forebay_event_type want)
{
	struct forebay_event event;

	do {
		assert_int_equal(forebay_next(f, 2000, &event), 0);
		if (event.type == FOREBAY_EVENT_LOST && want != FOREBAY_EVENT_LOST)
			continue;
		if (event.type == FOREBAY_EVENT_BACK && want != FOREBAY_EVENT_BACK)
			continue;
		assert_int_equal(event.type, want);
	} while (event.type != want);
	return event;
}
