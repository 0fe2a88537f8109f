/*
 * lib_link.c - the connection: connecting, greeting, writing what waits, reading
 * a bounded amount, and trying again after a break.
 */
#include "client/lib.h"
#include "protocol/jsonput.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_SIZE      (64u << 10)
#define RETRY_FIRST_MS 50
#define RETRY_MOST_MS  2000
#define STEADY_MS      5000 /* a connection this old was a good one */

enum forebay_err
bytes_reserve(struct bytes *bytes, size_t more)
{
	size_t size = bytes->size ? bytes->size : 4096;
	uint8_t *data;

	if (bytes->start > 0 && bytes->size - bytes->start - bytes->len < more) {
		memmove(bytes->data, bytes->data + bytes->start, bytes->len);
		bytes->start = 0;
	}
	if (bytes->size - bytes->start - bytes->len >= more)
		return FOREBAY_ERR_OK;
	while (size < bytes->len + more)
		size *= 2;
	data = realloc(bytes->data, size);
	if (!data)
		return FOREBAY_ERR_NO_MEMORY;
	bytes->data = data;
	bytes->size = size;
	return FOREBAY_ERR_OK;
}

enum forebay_err
bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (bytes_reserve(bytes, len))
		return FOREBAY_ERR_NO_MEMORY;
	if (len)
		memcpy(bytes->data + bytes->start + bytes->len, data, len);
	bytes->len += len;
	return FOREBAY_ERR_OK;
}

void
bytes_consume(struct bytes *bytes, size_t len)
{
	bytes->start += len;
	bytes->len -= len;
	if (bytes->len == 0)
		bytes->start = 0;
}

static int
add_frame(struct forebay *f, enum frame_type type, unsigned flags, uint32_t stream,
	  const void *payload, size_t len)
{
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, type, flags, stream, (uint32_t)len);
	/* Both or none: the reserve is what can fail. */
	if (bytes_reserve(&f->out, sizeof(header) + len) ||
	    bytes_add(&f->out, header, sizeof(header)) || bytes_add(&f->out, payload, len))
		return FOREBAY_ERR_NO_MEMORY;
	return FOREBAY_ERR_OK;
}

static int
say_hello(struct forebay *f)
{
	struct jsonput put = { 0 };
	size_t len;
	char *json;
	int err;

	jsonput_object(&put);
	jsonput_member_int(&put, "protocol", FRAME_PROTOCOL);
	jsonput_member_string(&put, "client", f->agent);
	jsonput_end(&put);
	json = jsonput_take(&put, &len);
	if (!json)
		return FOREBAY_ERR_NO_MEMORY;
	err = add_frame(f, FRAME_HELLO, 0, 0, json, len);
	free(json);
	return err;
}

int
link_open(struct forebay *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int err;

	if (strlen(f->path) >= sizeof(address.sun_path))
		return lib_fail(f, FOREBAY_ERR_UNREACHABLE,
				"the socket path %s is longer than %zu bytes", f->path,
				sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, f->path, strlen(f->path));
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return lib_fail(f, FOREBAY_ERR_UNREACHABLE, "no socket: %s", strerror(errno));
	if (connect(f->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = lib_fail(f, FOREBAY_ERR_UNREACHABLE, "cannot reach forebayd at %s: %s",
			       f->path, strerror(errno));
		link_close(f);
		return err;
	}
	f->state = LINK_GREETING;
	f->hello_due_ms = lib_now_ms() + f->hello_ms;
	err = say_hello(f);
	if (err) {
		link_close(f);
		return lib_fail(f, err, "out of memory");
	}
	return FOREBAY_ERR_OK;
}

void
link_close(struct forebay *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->state = LINK_DOWN;
	f->in.start = f->in.len = 0;
	f->out.start = f->out.len = 0;
	f->in_taken = 0;
	f->pings = 0;
}

/* Doubling pauses with jitter, so that many clients do not return as one. */
static int
retry_pause_ms(const struct forebay *f)
{
	unsigned doublings = MIN(f->tries, 6u);
	int pause_ms = MIN(RETRY_FIRST_MS << doublings, RETRY_MOST_MS);
	uint8_t byte = 0;

	if (lib_random(&byte, 1))
		byte = 128;
	return pause_ms / 2 + pause_ms * byte / 512;
}

void
link_broke(struct forebay *f, int err)
{
	int64_t now_ms = lib_now_ms();

	f->link_error = err;
	if (f->state == LINK_UP && now_ms - f->up_since_ms > STEADY_MS)
		f->broken_ms = 0;
	f->tell_no_pong |= f->pings > 0;
	link_close(f);
	pending_rewind(f);
	if (TAILQ_EMPTY(&f->waiting)) {
		f->broken_ms = f->retry_at_ms = 0;
		return;
	}
	if (f->broken_ms == 0) {
		f->broken_ms = now_ms;
		f->tries = 0;
		f->tell_lost = f->was_up && f->reconnect_ms >= 0;
	}
	if (f->reconnect_ms < 0 || now_ms - f->broken_ms >= f->reconnect_ms) {
		pending_fail_all(f, err);
		f->broken_ms = f->retry_at_ms = 0;
		return;
	}
	f->retry_at_ms = now_ms + retry_pause_ms(f);
	f->tries++;
}

/* DATA frames of a body, as many as fit below the mark. */
static int
add_body(struct forebay *f, struct pending *pending)
{
	while (pending->body_sent < pending->body_len && f->out.len < LIB_OUTPUT_MARK) {
		size_t len = MIN(pending->body_len - pending->body_sent, f->max_frame);
		bool end = pending->body_sent + len == pending->body_len;

		if (add_frame(f, FRAME_DATA, end ? FRAME_FLAG_END : 0, pending->stream,
			      pending->body + pending->body_sent, len))
			return FOREBAY_ERR_NO_MEMORY;
		pending->body_sent += len;
	}
	return FOREBAY_ERR_OK;
}

static int
add_request(struct forebay *f, struct pending *pending)
{
	bool end = pending->body_len == 0;

	if (add_frame(f, FRAME_REQUEST, end ? FRAME_FLAG_END : 0, pending->stream, pending->json,
		      strlen(pending->json)))
		return FOREBAY_ERR_NO_MEMORY;
	TAILQ_REMOVE(&f->waiting, pending, link);
	pending->head_sent = true;
	pending->sent_before = true;
	TAILQ_INSERT_TAIL(&f->open, pending, link);
	f->open_count++;
	return FOREBAY_ERR_OK;
}

void
link_end_body(struct forebay *f, const struct pending *pending)
{
	if (f->state == LINK_UP && pending->head_sent && !pending->error &&
	    pending->body_sent < pending->body_len &&
	    add_frame(f, FRAME_DATA, FRAME_FLAG_END, pending->stream, NULL, 0))
		f->error = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
}

/* Apart from the time. */
static bool
may_pump(const struct forebay *f)
{
	return f->out.len < LIB_OUTPUT_MARK && f->open_count < f->max_streams &&
	       !TAILQ_EMPTY(&f->waiting);
}

/* Requests become frames in the order they were made, one whole after the
 * other: only the newest open one can have a body that is not all out. */
static int
pump(struct forebay *f, int64_t now_ms)
{
	struct pending *pending = TAILQ_LAST(&f->open, pending_list);

	if (f->state != LINK_UP)
		return FOREBAY_ERR_OK;
	if (pending && add_body(f, pending))
		return FOREBAY_ERR_NO_MEMORY;
	while (may_pump(f) && now_ms >= f->pause_until_ms) {
		pending = TAILQ_FIRST(&f->waiting);
		if (add_request(f, pending) || add_body(f, pending))
			return FOREBAY_ERR_NO_MEMORY;
	}
	return FOREBAY_ERR_OK;
}

/* False: the connection is broken. */
static bool
write_out(struct forebay *f)
{
	while (f->out.len > 0) {
		ssize_t n = send(f->fd, f->out.data + f->out.start, f->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		bytes_consume(&f->out, (size_t)n);
	}
	return true;
}

/* Never more than one frame and a bit: what is not taken is not read, and a
 * daemon that is not read stops sending. */
static bool
read_in(struct forebay *f)
{
	size_t used;
	struct frame frame;
	const char *why;
	ssize_t n;

	if (frame_parse(f->in.data + f->in.start, f->in.len, FRAME_SIDE_DAEMON, FRAME_MAX_PAYLOAD,
			&frame, &used, &why) ||
	    used > 0)
		return true;
	if (bytes_reserve(&f->in, READ_SIZE)) {
		f->error = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
		return true;
	}
	do
		n = recv(f->fd, f->in.data + f->in.start + f->in.len,
			 f->in.size - f->in.start - f->in.len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;
	f->in.len += (size_t)n;
	return n > 0;
}

static void
step_up(struct forebay *f, int64_t now_ms)
{
	bool read_ok, write_ok = true;

	do {
		if (pump(f, now_ms)) {
			f->error = lib_fail(f, FOREBAY_ERR_NO_MEMORY, "out of memory");
			return;
		}
		if (f->out.len == 0)
			break;
		write_ok = write_out(f);
	} while (write_ok && f->out.len == 0);
	/* Read even when writing fails: the last words may say why. */
	read_ok = read_in(f);
	if (read_ok && f->state == LINK_GREETING && now_ms >= f->hello_due_ms) {
		lib_fail(f, FOREBAY_ERR_UNREACHABLE, "forebayd at %s does not greet", f->path);
		link_broke(f, FOREBAY_ERR_UNREACHABLE);
	} else if (!read_ok || (!write_ok && f->in.len == 0)) {
		lib_fail(f, FOREBAY_ERR_UNREACHABLE, "the connection to forebayd at %s broke",
			 f->path);
		link_broke(f, FOREBAY_ERR_UNREACHABLE);
	}
}

void
link_step(struct forebay *f, int64_t now_ms)
{
	if (f->state == LINK_DOWN) {
		if (TAILQ_EMPTY(&f->waiting) || now_ms < f->retry_at_ms)
			return;
		if (link_open(f)) {
			link_broke(f, FOREBAY_ERR_UNREACHABLE);
			return;
		}
	}
	step_up(f, now_ms);
}

int
link_due_ms(const struct forebay *f, int64_t now_ms)
{
	int64_t due_ms = INT64_MAX;

	if (f->state == LINK_DOWN && !TAILQ_EMPTY(&f->waiting))
		due_ms = f->retry_at_ms;
	if (f->state == LINK_GREETING)
		due_ms = f->hello_due_ms;
	if (f->state == LINK_UP && may_pump(f))
		due_ms = f->pause_until_ms;
	if (due_ms == INT64_MAX)
		return -1;
	return due_ms > now_ms ? (int)MIN(due_ms - now_ms, INT32_MAX) : 0;
}
