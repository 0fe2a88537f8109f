/*
 * test_direct.c - requests that are no job, with a real runner, a real store and
 * a small real server: what goes out, what is tried again, what comes back.
 */
#include "daemon/run/direct.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/run/gates.h"
#include "daemon/run/runner.h"
#include "daemon/store/store.h"
#include "tests/unit/call_world.h"

#include <math.h>
#include <signal.h>
#include <unistd.h>

#define COUNTED "{\"input_tokens\":7}"
#define GOOD	"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_1\r\n"
#define SCALE	10 /* waits are not what is tested */

/* What stands around the room under test. */
static struct {
	char dir[64];
	struct store *store;
	struct config *config;
	struct runner *runner;
	const char *first; /* what the server says to the first `times` requests, */
	unsigned times;
	const char *then; /* and to the others */
	unsigned drained;
	bool started; /* direct_start() has returned */
} desk;

/* One request's end. */
struct ending {
	struct direct *direct;
	unsigned told;
	int status;
	char content_type[64], request_id[64], body[512], why[512];
	size_t len;
	double retry_after_s;
};

static void
desk_on_drained(void *arg)
{
	(void)arg;
	desk.drained++;
	event_base_loopbreak(world.base);
}

static const struct runner_events runner_events = { .drained = desk_on_drained };

static void
desk_on_writable(bool writable, const char *why, void *arg)
{
	(void)writable;
	(void)why;
	(void)arg;
}

static void
desk_on_broken(const char *why, void *arg)
{
	(void)arg;
	fail_msg("the store broke: %s", why);
}

static const struct store_events store_events = { desk_on_writable, desk_on_broken };

static void
answer_by_script(struct visitor *visitor)
{
	const char *text = visitor->server->arrivals <= desk.times ? desk.first : desk.then;
	char head[256];

	if (!text) /* keeps silent */
		return;
	if (text[0] != '{') {
		visitor_say(visitor, text);
		return;
	}
	snprintf(head, sizeof(head), GOOD "content-length: %zu\r\n\r\n", strlen(text));
	visitor_say(visitor, head);
	visitor_say(visitor, text);
}

static int
desk_set_up(void **state)
{
	static char url[128];
	const char *sets[] = { url, "queue.retry_min=50ms", "queue.retry_max=200ms", NULL };
	struct config_source source = { .sets = sets };
	struct store_config store = { .dir = desk.dir, .now_ms = clock_wall_ms() };
	char why[512];

	memset(&desk, 0, sizeof(desk));
	set_up(state);
	world.server.answer = answer_by_script;
	desk.then = COUNTED;
	snprintf(desk.dir, sizeof(desk.dir), "%s/test_direct.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(desk.dir));
	snprintf(url, sizeof(url), "upstream.url=%s", world.url);
	assert_int_equal(config_load(&source, stderr, &desk.config), FOREBAY_ERR_OK);
	assert_int_equal(
	    store_open(&store, world.base, &store_events, NULL, &desk.store, why, sizeof(why)),
	    FOREBAY_ERR_OK);
	desk.runner =
	    runner_new(world.base, desk.config, desk.store, world.loop, &runner_events, NULL);
	runner_begin(desk.runner);
	return 0;
}

static int
desk_tear_down(void **state)
{
	char remove[128];

	runner_free(desk.runner);
	store_close(desk.store);
	config_free(desk.config);
	snprintf(remove, sizeof(remove), "rm -rf '%s'", desk.dir);
	assert_int_equal(system(remove), 0);
	return tear_down(state);
}

static void
ending_on_done(const struct direct_answer *answer, void *arg)
{
	struct ending *ending = arg;

	assert_true(desk.started);
	direct_cancel(ending->direct); /* of one that is over: nothing */
	ending->told++;
	ending->status = answer->status;
	ending->len = answer->len;
	ending->retry_after_s = answer->retry_after_s;
	snprintf(ending->content_type, sizeof(ending->content_type), "%s", answer->content_type);
	snprintf(ending->request_id, sizeof(ending->request_id), "%s", answer->request_id);
	snprintf(ending->why, sizeof(ending->why), "%s", answer->why);
	snprintf(ending->body, sizeof(ending->body), "%.*s", (int)answer->len,
		 answer->body ? (const char *)answer->body : "");
	if (--world.waiting == 0)
		event_base_loopbreak(world.base);
}

static void
start(struct ending *ending, const struct direct_request *request)
{
	*ending = (struct ending){ 0 };
	desk.started = false;
	assert_int_equal(
	    direct_start(desk.runner, request, ending_on_done, ending, &ending->direct),
	    FOREBAY_ERR_OK);
	desk.started = true;
	world.waiting++;
}

/* Start, run to the end. */
static void
ask(struct ending *ending, const struct direct_request *request)
{
	start(ending, request);
	run();
	assert_int_equal(ending->told, 1);
}

static const struct direct_request list = { .gate = "models", .path = "/v1/models?limit=5" };

static struct direct_request
counting(void)
{
	static const char body[] = "{\"model\":\"m\",\"messages\":[]}";

	return (struct direct_request){ .gate = "count_tokens",
					.path = "/v1/messages/count_tokens",
					.body = (const uint8_t *)body,
					.len = sizeof(body) - 1 };
}

/* --- what goes out, what comes back --------------------------------------------- */

static void
an_answer_comes_whole(void **unused)
{
	const char *const lines[] = { "x-test: yes", NULL };
	struct direct_request request = list;
	struct ending ending;

	(void)unused;
	request.headers = lines;
	request.betas = "a-1";
	ask(&ending, &request);
	assert_int_equal(ending.status, 200);
	assert_string_equal(ending.body, COUNTED);
	assert_string_equal(ending.content_type, "application/json");
	assert_string_equal(ending.request_id, "req_1");
	assert_string_equal(ending.why, "");
	assert_non_null(strstr(world.server.head, "GET /v1/models?limit=5 HTTP/1.1\r\n"));
	assert_non_null(strstr(world.server.head, "\r\nx-test: yes\r\n"));
	assert_non_null(strstr(world.server.head, "\r\nanthropic-beta: a-1\r\n"));
	assert_non_null(strstr(world.server.head, "\r\nanthropic-version: 2023-06-01\r\n"));
	assert_non_null(
	    strcasestr(world.server.head, "\r\nauthorization: Bearer sk-ant-test-1\r\n"));
}

static void
a_body_is_posted_again_whole(void **unused)
{
	struct direct_request request = counting();
	struct ending ending;

	(void)unused;
	request.version = "2026-10-21";
	desk.times = 2;
	desk.first = "HTTP/1.1 529 \r\ncontent-length: 0\r\n\r\n";
	ask(&ending, &request);
	assert_int_equal(ending.status, 200);
	assert_int_equal(world.server.arrivals, 3);
	assert_int_equal(world.server.body_len, 3 * request.len);
	assert_non_null(strstr(world.server.head, "POST /v1/messages/count_tokens HTTP/1.1\r\n"));
	assert_non_null(strstr(world.server.head, "\r\nanthropic-version: 2026-10-21\r\n"));
}

static void
what_is_wrong_with_the_request_is_handed_on(void **unused)
{
	static const char error[] = "HTTP/1.1 404 \r\ncontent-type: text/plain\r\n"
				    "content-length: 25\r\n\r\nno model sk-ant-x12345678";
	struct ending ending;

	(void)unused;
	desk.then = error;
	ask(&ending, &list);
	assert_int_equal(ending.status, 404);
	assert_int_equal(world.server.arrivals, 1);
	assert_string_equal(ending.body, "no model sk-ant-*********");
	assert_string_equal(ending.content_type, "text/plain");
	assert_non_null(strstr(ending.why, "404"));
	assert_false(gates_is_unusable(runner_gates(desk.runner), "models", clock_mono()));
}

static void
our_key_is_not_told_whatever_it_looks_like(void **unused)
{
	struct secret *old = world.secret;
	struct ending ending;

	(void)unused;
	load_secret("odd-key-1");
	reconfigure();
	secret_free(old);
	desk.then =
	    "HTTP/1.1 400 \r\ncontent-type: text/odd-key-1\r\nrequest-id: odd-key-1\r\n"
	    "content-length: 47\r\n\r\n{\"error\":{\"type\":\"x\",\"message\":\"my odd-key-1\"}}";
	ask(&ending, &list);
	assert_int_equal(ending.status, 400);
	assert_string_equal(ending.body,
			    "{\"error\":{\"type\":\"x\",\"message\":\"my *********\"}}");
	assert_string_equal(ending.request_id, "*********");
	assert_string_equal(ending.content_type, "text/*********");
	assert_non_null(strstr(ending.why, "my *********"));
}

static void
a_page_is_no_answer(void **unused)
{
	struct ending ending;

	(void)unused;
	desk.times = 1;
	desk.first =
	    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
	ask(&ending, &list);
	assert_int_equal(ending.status, 200);
	assert_int_equal(world.server.arrivals, 2);
	assert_string_equal(ending.content_type, "application/json");
}

static void
faults_are_tried_again_so_often(void **unused)
{
	struct ending ending;

	(void)unused;
	desk.then = "HTTP/1.1 500 \r\ncontent-length: 4\r\n\r\noops";
	ask(&ending, &list);
	assert_int_equal(ending.status, 500);
	assert_string_equal(ending.body, "oops");
	assert_int_equal(world.server.arrivals, desk.config->attempts);
}

static void
an_opaque_one_is_never_done_twice(void **unused)
{
	struct direct_request request = counting();
	struct ending ending;

	(void)unused;
	request.opaque = true;
	desk.then = "HTTP/1.1 500 \r\ncontent-length: 4\r\n\r\noops";
	ask(&ending, &request);
	assert_int_equal(ending.status, 500);
	assert_int_equal(world.server.arrivals, 1);
	desk.times = 2;
	desk.first = "HTTP/1.1 529 \r\ncontent-length: 0\r\n\r\n";
	desk.then = "HTTP/1.1 201 \r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ndone";
	ask(&ending, &request);
	assert_int_equal(ending.status, 201);
	assert_string_equal(ending.body, "done");
	assert_string_equal(ending.why, "");
	assert_int_equal(world.server.arrivals, 3);
}

/* --- the gates --------------------------------------------------------------------- */

static void
the_key_is_closed_by_401_and_not_by_403(void **unused)
{
	struct ending ending;

	(void)unused;
	desk.then = "HTTP/1.1 403 \r\ncontent-length: 0\r\n\r\n";
	ask(&ending, &list);
	assert_int_equal(ending.status, 403);
	assert_false(runner_key_is_closed(desk.runner));
	desk.then = "HTTP/1.1 401 \r\ncontent-length: 0\r\n\r\n";
	ask(&ending, &list);
	assert_int_equal(ending.status, 401);
	assert_true(runner_key_is_closed(desk.runner));
}

static void
it_passes_the_gates_of_key_and_host_alone(void **unused)
{
	static const char *const closed[] = { "key", "host", "models" };
	struct gates *gates = runner_gates(desk.runner);
	struct direct_request request = list;
	struct ending ending;

	(void)unused;
	assert_int_equal(gates_hold(gates, "claude-sonnet-5-5", INFINITY, NULL), FOREBAY_ERR_OK);
	ask(&ending, &request);
	assert_int_equal(ending.status, 200);
	request.wait_ms = 500;
	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		assert_int_equal(gates_hold(gates, closed[i], INFINITY, "a test"), FOREBAY_ERR_OK);
		ask(&ending, &request);
		assert_int_equal(ending.status, 0);
		assert_non_null(strstr(ending.why, "not sent within"));
		assert_non_null(strstr(ending.why, closed[i]));
		assert_int_equal(world.server.arrivals, 1);
		assert_int_equal(gates_release(gates, closed[i]), FOREBAY_ERR_OK);
	}
}

/* --- time --------------------------------------------------------------------------- */

static void
a_refusal_that_lasts_is_handed_on_in_the_end(void **unused)
{
	struct direct_request request = list;
	struct ending ending;

	(void)unused;
	request.wait_ms = 2000;
	desk.then =
	    "HTTP/1.1 529 \r\ncontent-type: application/json\r\ncontent-length: 71\r\n\r\n"
	    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Ov\"} }   ";
	ask(&ending, &request);
	assert_int_equal(ending.status, 529);
	assert_int_equal(ending.len, 71);
	assert_non_null(strstr(ending.why, "Ov"));
	assert_in_range(world.server.arrivals, 2, 100);
}

static void
a_wait_that_is_longer_than_its_time_ends_it(void **unused)
{
	struct ending ending;

	(void)unused;
	desk.then = "HTTP/1.1 429 \r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n";
	ask(&ending, &list);
	assert_int_equal(ending.status, 429);
	assert_int_equal(world.server.arrivals, 1);
	assert_true(ending.retry_after_s > 89);
}

static void
silence_ends_with_its_time(void **unused)
{
	struct direct_request request = list;
	struct ending ending;

	(void)unused;
	request.wait_ms = 100;
	desk.then = NULL;
	ask(&ending, &request);
	assert_int_equal(ending.status, 0);
	assert_non_null(strstr(ending.why, "no answer within"));
	assert_int_equal(world.server.arrivals, 1);
}

/* --- limits, cancel, drain ------------------------------------------------------------- */

static enum forebay_err
try(const struct direct_request *request)
{
	struct direct *direct;

	return direct_start(desk.runner, request, ending_on_done, NULL, &direct);
}

static void
what_cannot_be_sent_is_refused_at_once(void **unused)
{
	const char *const line[] = { "x-api-key: other", NULL };
	struct direct_request request = list;

	(void)unused;
	request.path = "/v1/models/a b";
	assert_int_equal(try(&request), FOREBAY_ERR_BAD_REQUEST);
	request = list;
	request.headers = line;
	assert_int_equal(try(&request), FOREBAY_ERR_BAD_REQUEST);
	request = list;
	request.betas = "a\r\nb";
	assert_int_equal(try(&request), FOREBAY_ERR_BAD_REQUEST);
	request = counting();
	request.len = desk.config->max_body + 1;
	assert_int_equal(try(&request), FOREBAY_ERR_TOO_BIG);
}

static void
too_many_are_refused_and_all_can_be_canceled(void **unused)
{
	struct direct_request request = counting();
	struct direct *all[1024];
	struct ending ending;
	enum forebay_err err;
	size_t count = 0;

	(void)unused;
	do
		err = direct_start(desk.runner, &request, ending_on_done, NULL, &all[count]);
	while (!err && ++count < ARRAY_LEN(all));
	assert_int_equal(err, FOREBAY_ERR_QUEUE_FULL);
	while (count > 0)
		direct_cancel(all[--count]);
	ask(&ending, &request);
	assert_int_equal(world.server.arrivals, 1);
}

static void
cancel_the_other(struct visitor *visitor)
{
	struct ending *ending = (struct ending *)desk.first;

	if (visitor->server->arrivals == 1) {
		direct_cancel(ending->direct);
		world.waiting--;
	} else {
		visitor_say(visitor, GOOD "content-length: 2\r\n\r\n{}");
	}
}

static void
one_that_was_sent_can_be_canceled(void **unused)
{
	struct ending canceled, other;

	(void)unused;
	desk.first = (const char *)&canceled;
	world.server.answer = cancel_the_other;
	start(&canceled, &list);
	start(&other, &list);
	run();
	assert_int_equal(canceled.told, 0);
	assert_int_equal(other.status, 200);
}

/* Of two: one waits, and one the server keeps waiting. */
static void
drain_now(struct visitor *visitor)
{
	struct ending *waiting = (struct ending *)desk.first;

	(void)visitor;
	assert_int_equal(gates_hold(runner_gates(desk.runner), "key", INFINITY, NULL),
			 FOREBAY_ERR_OK);
	start(waiting, &list);
	runner_drain(desk.runner, 300);
}

static void
a_drain_ends_what_waits_and_then_what_was_sent(void **unused)
{
	struct ending sent, waiting;

	(void)unused;
	desk.first = (const char *)&waiting;
	world.server.answer = drain_now;
	ask(&sent, &list);
	assert_string_equal(waiting.why, "the daemon is shutting down");
	assert_string_equal(sent.why, "the daemon is shutting down");
	assert_int_equal(try(&list), FOREBAY_ERR_DRAINING);
	assert_int_equal(desk.drained, 1);
}

static void
all_are_counted(void **unused)
{
	uint64_t calls = metrics.direct_calls_total, failed = metrics.direct_calls_failed_total;
	struct ending ending;

	(void)unused;
	ask(&ending, &list);
	desk.then = "HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n";
	ask(&ending, &list);
	assert_int_equal(metrics.direct_calls_total, calls + 2);
	assert_int_equal(metrics.direct_calls_failed_total, failed + 1);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_whole),
		TEST(a_body_is_posted_again_whole),
		TEST(what_is_wrong_with_the_request_is_handed_on),
		TEST(our_key_is_not_told_whatever_it_looks_like),
		TEST(a_page_is_no_answer),
		TEST(faults_are_tried_again_so_often),
		TEST(an_opaque_one_is_never_done_twice),
		TEST(the_key_is_closed_by_401_and_not_by_403),
		TEST(it_passes_the_gates_of_key_and_host_alone),
		TEST(a_refusal_that_lasts_is_handed_on_in_the_end),
		TEST(a_wait_that_is_longer_than_its_time_ends_it),
		TEST(silence_ends_with_its_time),
		TEST(what_cannot_be_sent_is_refused_at_once),
		TEST(too_many_are_refused_and_all_can_be_canceled),
		TEST(one_that_was_sent_can_be_canceled),
		TEST(a_drain_ends_what_waits_and_then_what_was_sent),
		TEST(all_are_counted),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_LEVEL_ERROR);
	clock_set_scale(SCALE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
