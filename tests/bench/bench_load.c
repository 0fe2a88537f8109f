/*
 * bench_load.c - one load for every server, so that only the servers differ: C
 * connections with D requests in flight on each, in a closed loop on one thread.
 *
 *	bench_load DIALECT ADDRESS [-c CONNECTIONS] [-d DEPTH] [-b BODY_BYTES]
 *		   [-t SECONDS | -n REQUESTS]
 *
 * ADDRESS is the path of a socket or a port of 127.0.0.1. Prints one line of JSON.
 * A dialect writes a request and knows where an answer ends; see the table.
 */
#include "protocol/base.h"
#include "protocol/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_S  0.1		 /* of a timed run, not counted */
#define STUCK_MS   60000	 /* without any answer: give up */
#define INPUT_SIZE (256u * 1024) /* an answer must fit */
#define MAX_DEPTH  1024
#define MAX_BODY   (1024u * 1024)
#define BODY_BEFORE                                                                                \
	"{\"model\":\"claude-sonnet-5-5\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\","     \
	"\"content\":\""
#define BODY_AFTER "\"}]}"

struct conn {
	struct pollfd *poll; /* borrowed, of the load */
	uint8_t *out;	     /* owned; what the socket did not take yet */
	size_t out_len;
	uint8_t *in; /* owned; the beginning of an answer */
	size_t in_len;
	double *started; /* owned; a slot each request in flight, oldest at first where the */
	unsigned first;	 /* dialect answers in order */
};

/* What one look at the input found. */
struct found {
	size_t used;   /* bytes to drop; 0: more are needed */
	bool answered; /* they ended an answer */
	bool failed;   /* which was not a success */
	unsigned slot; /* if the dialect does not answer in order */
};

struct dialect {
	const char *name;
	size_t (*greet)(uint8_t *ret); /* NULL: none */
	/* One request, the same each time, but for what stamp changes. */
	size_t (*request)(const char *body, size_t len, uint8_t *ret);
	void (*stamp)(uint8_t *request, unsigned slot); /* NULL: answers come in order */
	void (*find)(const uint8_t *in, size_t len, struct found *ret);
};

struct load {
	const struct dialect *dialect;
	unsigned conns, depth;
	long wanted;	  /* requests; 0: timed */
	double seconds;	  /* of a timed run */
	uint8_t *request; /* owned */
	size_t request_len;
	struct conn *conn;    /* owned array */
	struct pollfd *polls; /* owned array, one a connection */
	double begin, end;    /* of what counts; end is 0 until it is known */
	long sent, answered, failed;
	float *took_us; /* owned; of each answer that counts */
	size_t took, took_size;
};

static void PRINTF_LIKE(1, 2) __attribute__((noreturn)) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench_load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void *
need(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- dialects ---------------------------------------------------------------- */

static size_t
put_frame(uint8_t *ret, enum frame_type type, unsigned flags, uint32_t stream, const void *payload,
	  size_t len)
{
	frame_put_header(ret, type, flags, stream, (uint32_t)len);
	memcpy(ret + FRAME_HEADER_LEN, payload, len);
	return FRAME_HEADER_LEN + len;
}

static size_t
framed_greet(uint8_t *ret)
{
	static const char hello[] = "{\"protocol\":1,\"client\":\"bench_load\"}";

	return put_frame(ret, FRAME_HELLO, 0, 0, hello, sizeof(hello) - 1);
}

static size_t
framed(const char *verb, const char *body, size_t len, uint8_t *ret)
{
	size_t used = put_frame(ret, FRAME_REQUEST, 0, 1, verb, strlen(verb));

	return used + put_frame(ret + used, FRAME_DATA, FRAME_FLAG_END, 1, body, len);
}

static size_t
submit_request(const char *body, size_t len, uint8_t *ret)
{
	return framed("{\"verb\":\"submit\"}", body, len, ret);
}

static size_t
job_request(const char *body, size_t len, uint8_t *ret)
{
	return framed("{\"verb\":\"submit\",\"want\":\"result\"}", body, len, ret);
}

static size_t
plain_job_request(const char *body, size_t len, uint8_t *ret)
{
	return framed("{\"verb\":\"submit\",\"want\":\"result\",\"transport\":\"plain\"}", body,
		      len, ret);
}

/* A stream a slot: its number stands at the end of both headers. */
static void
framed_stamp(uint8_t *request, unsigned slot)
{
	uint32_t stream = htonl(slot + 1), verb_len;

	memcpy(&verb_len, request, sizeof(verb_len));
	memcpy(request + 8, &stream, sizeof(stream));
	memcpy(request + FRAME_HEADER_LEN + ntohl(verb_len) + 8, &stream, sizeof(stream));
}

static void
framed_find(const uint8_t *in, size_t len, struct found *ret)
{
	static bool told; /* the first refusal is enough */
	const char *why;
	struct frame frame;

	if (frame_parse(in, len, FRAME_SIDE_DAEMON, FRAME_MAX_PAYLOAD, &frame, &ret->used, &why))
		die("the daemon sent a bad frame: %s", why);
	if (!ret->used)
		return;
	if (frame.type == FRAME_ERROR && !told)
		fprintf(stderr, "bench_load: %.*s\n", (int)frame.len, (const char *)frame.payload);
	told |= frame.type == FRAME_ERROR;
	ret->answered = frame.stream && (frame.flags & FRAME_FLAG_END);
	ret->failed = frame.type == FRAME_ERROR;
	ret->slot = frame.stream - 1;
}

static size_t
put_request(const char *body, size_t len, uint8_t *ret)
{
	int head = sprintf((char *)ret, "put 0 0 60 %zu\r\n", len);

	memcpy(ret + head, body, len);
	memcpy(ret + head + len, "\r\n", 2);
	return (size_t)head + len + 2;
}

static void
put_find(const uint8_t *in, size_t len, struct found *ret)
{
	const uint8_t *end = memchr(in, '\n', len);

	if (!end)
		return;
	ret->used = (size_t)(end - in) + 1;
	ret->answered = true;
	ret->failed = memcmp(in, "INSERTED ", MIN(ret->used, 9)) != 0;
}

static size_t
post_request(const char *body, size_t len, uint8_t *ret)
{
	int head = sprintf((char *)ret,
			   "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			   "content-type: application/json\r\nanthropic-version: 2023-06-01\r\n"
			   "Content-Length: %zu\r\n\r\n",
			   len);

	memcpy(ret + head, body, len);
	return (size_t)head + len;
}

/* Answers with a length; the fake API gives one to all that are not streams. */
static void
post_find(const uint8_t *in, size_t len, struct found *ret)
{
	const char *end = memmem(in, len, "\r\n\r\n", 4), *field;
	size_t head, body;

	if (!end)
		return;
	head = (size_t)(end - (const char *)in) + 4;
	field = memmem(in, head, "\r\nContent-Length: ", 18);
	if (!field)
		field = memmem(in, head, "\r\ncontent-length: ", 18);
	if (!field)
		die("an answer without a length: %.*s", (int)head, (const char *)in);
	body = strtoul(field + 18, NULL, 10);
	if (len - head < body)
		return;
	ret->used = head + body;
	ret->answered = true;
	ret->failed = memcmp(in, "HTTP/1.1 200", 12) != 0;
}

static const struct dialect dialects[] = {
	{ "submit", framed_greet, submit_request, framed_stamp, framed_find }, /* to the id */
	{ "job", framed_greet, job_request, framed_stamp, framed_find },       /* to the answer */
	{ "plain-job", framed_greet, plain_job_request, framed_stamp, framed_find },
	{ "put", NULL, put_request, NULL, put_find },	 /* beanstalkd */
	{ "post", NULL, post_request, NULL, post_find }, /* the API itself; depth 1 */
};

/* --- connections --------------------------------------------------------------- */

static int
connect_to(const char *address)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct sockaddr_in port = { .sin_family = AF_INET };
	bool local = *address == '/';
	int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (strlen(address) >= sizeof(path.sun_path))
		die("the path is too long: %s", address);
	strcpy(path.sun_path, address);
	port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	port.sin_port = htons((uint16_t)atoi(address));
	err = local ? connect(fd, (struct sockaddr *)&path, sizeof(path))
		    : connect(fd, (struct sockaddr *)&port, sizeof(port));
	if (err)
		die("%s: %s", address, strerror(errno));
	return fd;
}

static void
conn_open(struct conn *conn, struct load *load, const char *address)
{
	conn->poll->fd = connect_to(address);
	conn->poll->events = POLLIN;
	conn->out = need(malloc(load->depth * load->request_len + 512));
	conn->in = need(malloc(INPUT_SIZE));
	conn->started = need(calloc(load->depth, sizeof(*conn->started)));
	if (load->dialect->greet)
		conn->out_len = load->dialect->greet(conn->out);
}

static void
conn_close(struct conn *conn)
{
	close(conn->poll->fd);
	free(conn->out);
	free(conn->in);
	free(conn->started);
}

static void
conn_ask(struct conn *conn, struct load *load, unsigned slot, double now)
{
	uint8_t *request = conn->out + conn->out_len;

	memcpy(request, load->request, load->request_len);
	if (load->dialect->stamp)
		load->dialect->stamp(request, slot);
	conn->out_len += load->request_len;
	conn->started[slot] = now;
	load->sent++;
}

static void
conn_flush(struct conn *conn)
{
	ssize_t n = send(conn->poll->fd, conn->out, conn->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("the connection broke: %s", strerror(errno));
	if (n > 0) {
		/* Room for depth requests is enough when nothing that has left is kept. */
		memmove(conn->out, conn->out + n, conn->out_len - (size_t)n);
		conn->out_len -= (size_t)n;
	}
	conn->poll->events = (short)(POLLIN | (conn->out_len ? POLLOUT : 0));
}

/* --- the run -------------------------------------------------------------------- */

static bool
load_goes_on(const struct load *load, double now)
{
	return load->wanted ? load->sent < load->wanted : now < load->end;
}

static void
load_count(struct load *load, const struct found *found, double started, double now)
{
	load->failed += found->failed;
	if (!load->wanted && (now < load->begin || now > load->end))
		return;
	load->answered++;
	if (load->took == load->took_size) {
		load->took_size = load->took_size * 2 + 65536;
		load->took_us =
		    need(realloc(load->took_us, load->took_size * sizeof(*load->took_us)));
	}
	load->took_us[load->took++] = (float)((now - started) * 1e6);
}

/* All answers in the input; each makes room for another request. */
static unsigned
conn_answers(struct conn *conn, struct load *load, double now)
{
	unsigned ended = 0;
	size_t at = 0;

	for (;;) {
		struct found found = { .slot = conn->first };

		load->dialect->find(conn->in + at, conn->in_len - at, &found);
		if (!found.used)
			break;
		at += found.used;
		if (!found.answered)
			continue;
		if (found.slot >= load->depth)
			die("an answer to nothing");
		ended++;
		load_count(load, &found, conn->started[found.slot], now);
		conn->first = (found.slot + 1) % load->depth;
		if (load_goes_on(load, now)) {
			conn_ask(conn, load, found.slot, now);
			ended--;
		}
	}
	memmove(conn->in, conn->in + at, conn->in_len - at);
	conn->in_len -= at;
	return ended;
}

/* Returns how many requests were answered and not followed by another. */
static unsigned
conn_ready(struct conn *conn, struct load *load)
{
	ssize_t n =
	    recv(conn->poll->fd, conn->in + conn->in_len, INPUT_SIZE - conn->in_len, MSG_DONTWAIT);
	unsigned ended = 0;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("the connection ended: %s", n ? strerror(errno) : "closed by the server");
	if (n > 0) {
		conn->in_len += (size_t)n;
		ended = conn_answers(conn, load, now_s());
		if (conn->in_len == INPUT_SIZE)
			die("an answer is larger than %u bytes", INPUT_SIZE);
	}
	if (conn->out_len)
		conn_flush(conn);
	return ended;
}

static void
load_run(struct load *load)
{
	long under_way = 0;

	load->begin = now_s() + (load->wanted ? 0 : WARM_UP_S);
	load->end = load->begin + load->seconds;
	for (unsigned i = 0; i < load->conns; i++) {
		for (unsigned slot = 0; slot < load->depth; slot++) {
			if (!load_goes_on(load, 0))
				continue;
			conn_ask(&load->conn[i], load, slot, now_s());
			under_way++;
		}
		conn_flush(&load->conn[i]);
	}
	while (under_way > 0) {
		if (poll(load->polls, load->conns, STUCK_MS) <= 0)
			die("no answer within %d s", STUCK_MS / 1000);
		for (unsigned i = 0; i < load->conns; i++)
			if (load->polls[i].revents)
				under_way -= conn_ready(&load->conn[i], load);
	}
	if (load->wanted)
		load->end = now_s();
}

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void
load_print(struct load *load)
{
	double seconds = load->end - load->begin;
	const float *took = load->took_us;
	size_t n = load->took;

	if (!n)
		die("no answer at all");
	qsort(load->took_us, n, sizeof(*took), compare);
	printf("{\"answered\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"per_second\":%.1f,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
	       load->answered, load->failed, seconds, (double)load->answered / seconds,
	       (double)took[n / 2], (double)took[n * 99 / 100], (double)took[n - 1]);
}

static void
load_prepare(struct load *load, size_t body_len)
{
	char *body = need(malloc(body_len + 1));

	memset(body, 'x', body_len);
	memcpy(body, BODY_BEFORE, strlen(BODY_BEFORE));
	memcpy(body + body_len - strlen(BODY_AFTER), BODY_AFTER, strlen(BODY_AFTER));
	load->request = need(malloc(body_len + 512));
	load->request_len = load->dialect->request(body, body_len, load->request);
	free(body);
	load->conn = need(calloc(load->conns, sizeof(*load->conn)));
	load->polls = need(calloc(load->conns, sizeof(*load->polls)));
	for (unsigned i = 0; i < load->conns; i++)
		load->conn[i].poll = &load->polls[i];
}

static size_t
load_options(struct load *load, int argc, char **argv)
{
	size_t body_len = 1024;
	int option;

	while ((option = getopt(argc, argv, "c:d:b:t:n:")) != -1)
		switch (option) {
		case 'c':
			load->conns = (unsigned)atoi(optarg);
			break;
		case 'd':
			load->depth = (unsigned)atoi(optarg);
			break;
		case 'b':
			body_len = (size_t)atol(optarg);
			break;
		case 't':
			load->seconds = atof(optarg);
			break;
		case 'n':
			load->wanted = atol(optarg);
			break;
		default:
			exit(2);
		}
	for (size_t i = 0; optind < argc && i < ARRAY_LEN(dialects); i++)
		if (!strcmp(argv[optind], dialects[i].name))
			load->dialect = &dialects[i];
	if (!load->dialect || argc != optind + 2)
		die("usage: bench_load submit|job|plain-job|put|post ADDRESS [-c CONNECTIONS] "
		    "[-d DEPTH] [-b BODY_BYTES] [-t SECONDS | -n REQUESTS]");
	if (!load->conns || !load->depth || load->depth > MAX_DEPTH || body_len < 128 ||
	    body_len > MAX_BODY)
		die("-c from 1, -d from 1 to %d, -b from 128 to %u", MAX_DEPTH, MAX_BODY);
	return body_len;
}

int
main(int argc, char **argv)
{
	struct load load = { .conns = 1, .depth = 1, .seconds = 1 };

	load_prepare(&load, load_options(&load, argc, argv));
	for (unsigned i = 0; i < load.conns; i++)
		conn_open(&load.conn[i], &load, argv[optind + 1]);
	load_run(&load);
	load_print(&load);
	for (unsigned i = 0; i < load.conns; i++)
		conn_close(&load.conn[i]);
	free(load.conn);
	free(load.polls);
	free(load.request);
	free(load.took_us);
	return load.failed ? 1 : 0;
}
