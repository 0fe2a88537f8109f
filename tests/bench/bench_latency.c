/*
 * bench_latency.c - B2: what the daemon adds to one small request. The same body
 * in turn directly by libcurl, through the daemon as bare frames, and through the
 * daemon by libforebay; ephemeral, one at a time, over connections that stay open.
 *
 *	bench_latency SOCKET URL plain|stream [-n REQUESTS]
 *
 * The transport is that of the call to the API, with and without the daemon.
 * Prints one line of JSON.
 */
#include "client/forebay.h"
#include "protocol/base.h"
#include "protocol/frame.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP	     50
#define MAX_REQUESTS 100000
#define BODY(more)                                                                                 \
	"{\"model\":\"claude-sonnet-5-5\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\","     \
	"\"content\":\"Say hello.\"}]" more "}"

static const char body[] = BODY("");
static const char streaming_body[] = BODY(",\"stream\":true");

enum way { DIRECT, FRAMED, LIBRARY, WAY_COUNT };
static const char *const way_names[WAY_COUNT] = { "direct", "framed", "library" };

struct ways {
	bool stream;
	CURL *curl;		    /* owned */
	struct curl_slist *headers; /* owned */
	int fd;			    /* of the bare frames */
	uint32_t frame_stream;
	struct forebay *library; /* owned */
	size_t received;	 /* bytes of answers, so that none is taken for granted */
};

static void PRINTF_LIKE(1, 2) __attribute__((noreturn)) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench_latency: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- directly ------------------------------------------------------------------ */

static size_t
direct_on_data(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	*(size_t *)arg += size * count;
	return size * count;
}

static void
direct_open(struct ways *ways, const char *url)
{
	const char *bytes = ways->stream ? streaming_body : body;
	char messages[1024];

	snprintf(messages, sizeof(messages), "%s/v1/messages", url);
	ways->headers = curl_slist_append(NULL, "content-type: application/json");
	ways->headers = curl_slist_append(ways->headers, "anthropic-version: 2023-06-01");
	ways->headers = curl_slist_append(ways->headers, "Expect:");
	ways->curl = curl_easy_init();
	if (!ways->headers || !ways->curl)
		die("libcurl does not start");
	curl_easy_setopt(ways->curl, CURLOPT_URL, messages);
	curl_easy_setopt(ways->curl, CURLOPT_HTTPHEADER, ways->headers);
	curl_easy_setopt(ways->curl, CURLOPT_POSTFIELDS, bytes);
	curl_easy_setopt(ways->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(bytes));
	curl_easy_setopt(ways->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(ways->curl, CURLOPT_WRITEFUNCTION, direct_on_data);
	curl_easy_setopt(ways->curl, CURLOPT_WRITEDATA, &ways->received);
}

static void
direct_ask(struct ways *ways)
{
	CURLcode err = curl_easy_perform(ways->curl);
	long status = 0;

	curl_easy_getinfo(ways->curl, CURLINFO_RESPONSE_CODE, &status);
	if (err || status != 200)
		die("directly: %s, status %ld", curl_easy_strerror(err), status);
}

/* --- as bare frames -------------------------------------------------------------- */

static size_t
put_frame(uint8_t *ret, enum frame_type type, unsigned flags, uint32_t stream, const char *text)
{
	size_t len = strlen(text);

	frame_put_header(ret, type, flags, stream, (uint32_t)len);
	memcpy(ret + FRAME_HEADER_LEN, text, len);
	return FRAME_HEADER_LEN + len;
}

/* Read to the END of a stream; stream 0: one frame. */
static size_t
framed_read(int fd, uint32_t stream)
{
	static uint8_t in[256 * 1024];
	size_t len = 0, received = 0, used;
	struct frame frame;
	const char *why;

	for (;;) {
		ssize_t n = recv(fd, in + len, sizeof(in) - len, 0);

		if (n <= 0)
			die("the daemon closed the connection");
		len += (size_t)n;
		for (;;) {
			if (frame_parse(in, len, FRAME_SIDE_DAEMON, FRAME_MAX_PAYLOAD, &frame,
					&used, &why))
				die("the daemon sent a bad frame: %s", why);
			if (!used)
				break;
			if (frame.type == FRAME_ERROR)
				die("%.*s", (int)frame.len, (const char *)frame.payload);
			received += frame.type == FRAME_DATA ? frame.len : 0;
			if (frame.stream == stream && (!stream || (frame.flags & FRAME_FLAG_END)))
				return received;
			memmove(in, in + used, len - used);
			len -= used;
		}
	}
}

static void
framed_open(struct ways *ways, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint8_t hello[128];
	size_t len =
	    put_frame(hello, FRAME_HELLO, 0, 0, "{\"protocol\":1,\"client\":\"bench_latency\"}");

	if (strlen(path) >= sizeof(address.sun_path))
		die("the path is too long: %s", path);
	strcpy(address.sun_path, path);
	ways->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ways->fd < 0 || connect(ways->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(ways->fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("%s: %s", path, strerror(errno));
	(void)framed_read(ways->fd, 0);
}

static void
framed_ask(struct ways *ways)
{
	uint8_t out[1024];
	size_t len, received;
	const char *verb = ways->stream ? "{\"verb\":\"submit\",\"want\":\"result\","
					  "\"ephemeral\":true,\"transport\":\"stream\"}"
					: "{\"verb\":\"submit\",\"want\":\"result\","
					  "\"ephemeral\":true,\"transport\":\"plain\"}";

	len = put_frame(out, FRAME_REQUEST, 0, ++ways->frame_stream, verb);
	len += put_frame(out + len, FRAME_DATA, FRAME_FLAG_END, ways->frame_stream, body);
	if (send(ways->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("the daemon does not read");
	received = framed_read(ways->fd, ways->frame_stream);
	if (!received)
		die("an answer without a body");
	ways->received += received;
}

/* --- by the library --------------------------------------------------------------- */

static void
library_ask(struct ways *ways)
{
	struct forebay_submit options = FOREBAY_SUBMIT_INIT;
	struct forebay_event event;
	uint32_t stream;

	options.want_result = true;
	options.ephemeral = true;
	options.transport = ways->stream ? "stream" : "plain";
	if (forebay_submit(ways->library, body, strlen(body), &options, &stream))
		die("%s", forebay_message(ways->library));
	do {
		if (forebay_next(ways->library, -1, &event) || event.type == FOREBAY_EVENT_FAILED ||
		    event.type == FOREBAY_EVENT_LOST)
			die("%s", forebay_message(ways->library));
		ways->received += event.type == FOREBAY_EVENT_DATA ? event.len : 0;
	} while (!event.last);
}

/* --- all --------------------------------------------------------------------------- */

static void (*const ask[WAY_COUNT])(struct ways *) = { direct_ask, framed_ask, library_ask };

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* In turn, so that each way meets the same moments. */
static void
measure(struct ways *ways, float *took_us, size_t n)
{
	for (size_t i = 0; i < n + WARM_UP; i++)
		for (int way = 0; way < WAY_COUNT; way++) {
			double before = now_us();

			ask[way](ways);
			if (i >= WARM_UP)
				took_us[(size_t)way * n + i - WARM_UP] = (float)(now_us() - before);
		}
}

static void
print(float *took_us, size_t n)
{
	for (int way = 0; way < WAY_COUNT; way++) {
		float *took = took_us + (size_t)way * n;

		qsort(took, n, sizeof(*took), compare);
		printf("%s\"%s\":{\"p50_us\":%.1f,\"p99_us\":%.1f}", way ? "," : "{",
		       way_names[way], (double)took[n / 2], (double)took[n * 99 / 100]);
	}
	puts("}");
}

int
main(int argc, char **argv)
{
	struct ways ways = { 0 };
	size_t n = 1000;
	float *took_us;
	int option;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		n = (size_t)atol(optarg);
	}
	if (argc != optind + 3 || n < 1 || n > MAX_REQUESTS)
		die("usage: bench_latency SOCKET URL plain|stream [-n REQUESTS]");
	took_us = calloc(n * WAY_COUNT, sizeof(*took_us));
	if (!took_us)
		die("out of memory");
	ways.stream = !strcmp(argv[optind + 2], "stream");
	direct_open(&ways, argv[optind + 1]);
	framed_open(&ways, argv[optind]);
	if (forebay_open(argv[optind], NULL, &ways.library))
		die("%s", forebay_message(ways.library));
	measure(&ways, took_us, n);
	print(took_us, n);
	forebay_close(ways.library);
	close(ways.fd);
	curl_easy_cleanup(ways.curl);
	curl_slist_free_all(ways.headers);
	free(took_us);
	return 0;
}
