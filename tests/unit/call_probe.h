/*
 * call_probe.h - an owner of calls that writes down what it is told, in order,
 * and cancels or starts others when a test wants it.
 */
#ifndef TESTS_UNIT_CALL_PROBE_H
#define TESTS_UNIT_CALL_PROBE_H

#include "daemon/claude/body.h"
#include "daemon/gate/gate.h"
#include "daemon/net/call.h"
#include "tests/unit/call_world.h"

static const struct gate_ticket open_ticket = { .taken = true };

/* What one call told. */
struct probe {
	struct call *call; /* NULL: ended or canceled */
	char seen[64];	   /* L, H, D (repeats folded), E in order of arrival */
	char cancel_at;	   /* cancel in this callback */
	struct probe *cancel_other;
	struct probe *start_next; /* from done */
	bool progress;		  /* every byte is reported as progress */
	int status;
	char request_id[80];
	enum answer_transport how;
	char words[256];
	char body[256]; /* the first bytes */
	size_t body_len;
	struct body_reader reader;
};

static inline void probe_start(struct probe *probe, const void *body, size_t len);

static inline void
probe_end(struct probe *probe)
{
	probe->call = NULL;
	if (--world.waiting == 0)
		event_base_loopbreak(world.base);
}

/* True if this callback canceled its own call. */
static inline bool
probe_note(struct probe *probe, char what)
{
	size_t len = strlen(probe->seen);
	struct probe *other = probe->cancel_other;

	if (len == 0 || probe->seen[len - 1] != what)
		probe->seen[len] = what;
	if (other && other->call) {
		call_cancel(other->call);
		probe_end(other);
	}
	if (probe->cancel_at != what)
		return false;
	call_cancel(probe->call);
	return true;
}

static inline void
probe_on_left(struct call *call, void *arg)
{
	struct probe *probe = arg;

	assert_ptr_equal(call, probe->call);
	assert_true(call_is_left(call));
	if (probe_note(probe, 'L'))
		probe_end(probe);
}

static inline void
probe_on_headers(struct call *call, int status, const struct answer_headers *headers, void *arg)
{
	struct probe *probe = arg;

	assert_ptr_equal(call, probe->call);
	probe->status = status;
	snprintf(probe->request_id, sizeof(probe->request_id), "%s", headers->request_id);
	if (probe_note(probe, 'H'))
		probe_end(probe);
}

static inline void
probe_on_data(struct call *call, const uint8_t *data, size_t len, void *arg)
{
	struct probe *probe = arg;

	assert_ptr_equal(call, probe->call);
	for (size_t i = 0; i < len && probe->body_len + i < sizeof(probe->body) - 1; i++)
		probe->body[probe->body_len + i] = (char)data[i];
	probe->body_len += len;
	if (probe->progress)
		call_progress(call);
	if (probe_note(probe, 'D'))
		probe_end(probe);
}

static inline void
probe_on_done(struct call *call, enum answer_transport how, const char *words, void *arg)
{
	struct probe *probe = arg;

	assert_ptr_equal(call, probe->call);
	probe->how = how;
	snprintf(probe->words, sizeof(probe->words), "%s", words);
	(void)probe_note(probe, 'E');
	if (probe->start_next)
		probe_start(probe->start_next, "{}", 2);
	probe_end(probe);
}

static const struct call_events probe_events = { probe_on_left, probe_on_headers, probe_on_data,
						 probe_on_done };

static inline void
probe_start(struct probe *probe, const void *body, size_t len)
{
	struct call_request request = { .path = "/v1/messages", .version = "2023-06-01" };

	probe->how = ANSWER_TRANSPORT_COUNT;
	if (body) {
		body_reader_init(&probe->reader, body, len, &(struct body_facts){ 0 }, NULL);
		request.body = &probe->reader;
	}
	assert_int_equal(
	    call_start(world.loop, &open_ticket, &request, &probe_events, probe, &probe->call),
	    FOREBAY_ERR_OK);
	assert_string_equal(probe->seen, ""); /* nothing from inside call_start */
	assert_false(call_is_left(probe->call));
	world.waiting++;
}

/* Start, run to the end, compare. */
static inline void
expect(struct probe *probe, const char *seen, int status, enum answer_transport how)
{
	probe_start(probe, "{}", 2);
	run();
	assert_string_equal(probe->seen, seen);
	assert_int_equal(probe->status, status);
	assert_int_equal(probe->how, how);
}

#endif
