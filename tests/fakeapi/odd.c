/*
 * odd.c - error bodies that are huge, slow or endless, and answers that no HTTP server should
 * give. Those are written to the socket behind evhttp's back, and the connection ends with them.
 */
#include <event2/bufferevent.h>
#include <string.h>

#include "tests/fakeapi/play.h"

#define HUGE_BYTES    (4u << 20)
#define PIECE_BYTES   16
#define ENDLESS_BYTES 1024
#define HEADER_LINES  1000
#define LONG_LINE     (200u << 10)
#define INTERIMS      1000
#define DRAIN_S	      0.002 /* between two looks whether the socket takes more */

static const char interim[] = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";

static double
odd_pause(const struct exchange *x)
{
	return x->climate.drip.median > 0 ? x->climate.drip.median : 0.020;
}

static void
put_filling(struct evbuffer *out, size_t len)
{
	char filling[1024];

	memset(filling, 'x', sizeof(filling));
	for (; len > 0; len -= MIN(len, sizeof(filling)))
		evbuffer_add(out, filling, MIN(len, sizeof(filling)));
}

/* The error, its message made longer. */
static void
put_huge(const struct exchange *x, struct evbuffer *out)
{
	size_t size = x->climate.size > 0 ? (size_t)x->climate.size : HUGE_BYTES;
	const struct fault *fault = x->verdict.fault;

	evbuffer_add_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s ",
			    fault->type, fault->message);
	put_filling(out, size);
	evbuffer_add_printf(out, "\"}}");
}

static void
put_raw_error(const struct exchange *x, const char *headers, struct evbuffer *out)
{
	struct evbuffer *body = evbuffer_new();

	answer_put_error(x->verdict.fault, x->entry->seq, false, body);
	evbuffer_add_printf(out, "HTTP/1.1 %d Odd\r\n%scontent-length: %zu\r\n\r\n",
			    x->verdict.fault->status, headers, evbuffer_get_length(body));
	evbuffer_add_buffer(out, body);
	evbuffer_free(body);
}

static void
put_raw(const struct exchange *x, struct evbuffer *out)
{
	static const char two[] = "{\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}";

	switch (x->verdict.fault->kind) {
	case KIND_LONG_LINE:
		evbuffer_add_printf(out, "HTTP/1.1 500 Odd\r\nx-filling: ");
		put_filling(out, LONG_LINE);
		evbuffer_add_printf(out, "\r\ncontent-length: 0\r\n\r\n");
		break;
	case KIND_GARBAGE:
		evbuffer_add(out, "\x16\x03\x01HTTP \xff\xfe 20x OK\r\n\0\r\n\r\n", 24);
		break;
	case KIND_TWO_LENGTHS:
		evbuffer_add_printf(
		    out,
		    "HTTP/1.1 500 Odd\r\nrequest-id: req_lengths\r\ncontent-length: %zu\r\n"
		    "content-length: 7\r\n\r\n%s",
		    sizeof(two) - 1, two);
		break;
	case KIND_CHUNKS:
		evbuffer_add_printf(out,
				    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
				    "request-id: req_chunks\r\ntransfer-encoding: chunked\r\n\r\n"
				    "12\r\nevent: ping\ndata: \r\nhello\r\nworld\r\n");
		break;
	case KIND_INTERIM:
		for (int i = 0; i < INTERIMS; i++)
			evbuffer_add(out, interim, sizeof(interim) - 1);
		put_raw_error(x, "content-type: application/json\r\nrequest-id: req_interim\r\n",
			      out);
		break;
	case KIND_INTERIMS:
		evbuffer_add(out, interim, sizeof(interim) - 1);
		break;
	default:
		break;
	}
}

/* Status, headers and nothing yet; then pieces by the timer. */
static void
start_pieces(struct exchange *x, const char *content_type)
{
	play_put_headers(x, x->verdict.fault->status, content_type);
	evhttp_send_reply_start(x->req, x->verdict.fault->status, NULL);
	exchange_wait(x, WAIT_ODD, odd_pause(x));
}

static void
reply_whole(struct exchange *x, struct evbuffer *body)
{
	play_put_headers(x, x->verdict.fault->status, "application/json");
	evhttp_send_reply(x->req, x->verdict.fault->status, NULL, body);
	evbuffer_free(body);
}

static void
reply_headers(struct exchange *x, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(x->req);
	char name[32], value[80];

	memset(value, 'h', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < HEADER_LINES; i++) {
		snprintf(name, sizeof(name), "x-filling-%d", i);
		evhttp_add_header(headers, name, value);
	}
	answer_put_error(x->verdict.fault, x->entry->seq, false, body);
	reply_whole(x, body);
}

static void
redirect(struct exchange *x, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(x->req), "location",
			  "/v1/messages?again");
	answer_put_html(x->verdict.fault, body);
	reply_whole(x, body);
}

static void
start_raw(struct exchange *x)
{
	x->entry->status = x->verdict.fault->status;
	x->entry->t_first = server_now(x->server);
	put_raw(x, x->script.bytes);
	server_changed(x->server);
	odd_next(x);
}

bool
odd_refuse(struct exchange *x)
{
	enum fault_kind kind = x->verdict.fault->kind;

	if (kind < KIND_HUGE || kind > KIND_INTERIMS || kind == KIND_ECHO_ID)
		return false;
	script_init(&x->script);
	switch (kind) {
	case KIND_HUGE:
		put_huge(x, x->script.bytes);
		reply_whole(x, TAKE(x->script.bytes));
		break;
	case KIND_HEADERS:
		reply_headers(x, TAKE(x->script.bytes));
		break;
	case KIND_REDIRECT:
		redirect(x, TAKE(x->script.bytes));
		break;
	case KIND_SLOW:
		answer_put_error(x->verdict.fault, x->entry->seq, false, x->script.bytes);
		start_pieces(x, "application/json");
		break;
	case KIND_ENDLESS:
		start_pieces(x, "text/plain");
		break;
	default:
		start_raw(x);
		break;
	}
	return true;
}

static void
next_piece(struct exchange *x)
{
	struct evbuffer *out = evbuffer_new();

	if (exchange_is(x, KIND_ENDLESS))
		put_filling(out, ENDLESS_BYTES);
	else
		evbuffer_remove_buffer(x->script.bytes, out, PIECE_BYTES);
	if (evbuffer_get_length(out)) {
		exchange_wait(x, WAIT_ODD, odd_pause(x));
		evhttp_send_reply_chunk(x->req, out);
	} else {
		evhttp_send_reply_end(x->req);
	}
	evbuffer_free(out);
}

static void
next_raw(struct exchange *x)
{
	evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(x->conn));
	struct evbuffer *bytes = x->script.bytes;

	if (evbuffer_get_length(bytes))
		(void)evbuffer_write(bytes, fd);
	if (evbuffer_get_length(bytes)) {
		exchange_wait(x, WAIT_ODD, DRAIN_S * x->server->scale);
	} else if (exchange_is(x, KIND_INTERIMS)) {
		put_raw(x, bytes);
		exchange_wait(x, WAIT_ODD, odd_pause(x));
	} else {
		exchange_break(x, OUTCOME_CUT, false);
	}
}

void
odd_next(struct exchange *x)
{
	enum fault_kind kind = x->verdict.fault->kind;

	if (kind == KIND_SLOW || kind == KIND_ENDLESS)
		next_piece(x);
	else
		next_raw(x);
}
