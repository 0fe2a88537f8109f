/*
 * test_order.c - a submit understood: which models in which order, what is
 * refused and in which words, times, and what makes two orders the same.
 */
#include "daemon/run/order.h"

#include "daemon/job/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW  INT64_C(1700000000000)
#define HOUR INT64_C(3600000)
#define BODY                                                                                       \
	"{\"model\":\"claude-sonnet-5\",\"max_tokens\":64,\"messages\":"                           \
	"[{\"role\":\"user\",\"content\":\"Hello there\"}]}"
#define BARE "{\"max_tokens\":64,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"

/* The members of a request are its own to change. */
#define T(text) ((char[]){ text })

static struct config *config;
static char why[256];

static struct request
plain(void)
{
	struct request request;

	request_init(&request, FOREBAY_VERB_SUBMIT);
	return request;
}

static enum forebay_err
understand(struct order *ret, const struct request *request, const char *body)
{
	*ret = (struct order){ 0 };
	why[0] = '\0';
	return order_from_request(ret, config, request, (const uint8_t *)body, strlen(body), NOW,
				  why);
}

static void
accept(struct order *ret, const struct request *request, const char *body)
{
	if (understand(ret, request, body))
		fail_msg("refused: %s", why);
}

static void
refuse(const struct request *request, const char *body, enum forebay_err err, const char *words)
{
	struct order order;

	assert_int_equal(understand(&order, request, body), err);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
	order_clear(&order);
}

static void
expect_route(const struct request *request, const char *body, const char *wanted)
{
	struct order order;
	char *route;

	accept(&order, request, body);
	route = route_of_order(&order);
	assert_string_equal(route, wanted);
	assert_null(order.models[order.model_count]);
	free(route);
	order_clear(&order);
}

/* --- models -------------------------------------------------------------------------- */

static void
the_bodys_model_is_used_unless_told_otherwise(void **unused)
{
	struct request request = plain();

	(void)unused;
	expect_route(&request, BODY, "claude-sonnet-5");
	request.chain = T("default");
	expect_route(&request, BODY, "claude-sonnet-5");
	request.model = T("claude-opus-5-5");
	expect_route(&request, BODY, "claude-opus-5-5");
	request.batch = FOREBAY_BATCH_ALLOW;
	expect_route(&request, BARE, "claude-opus-5-5 batch=allow");
}

static void
a_chain_is_the_list_of_models(void **unused)
{
	struct request request = plain();
	char *list[] = { T("claude-opus-5-5"), T("claude-sonnet-5"), T("claude-opus-5-5"), NULL };

	(void)unused;
	request.chain = T("nightly");
	expect_route(&request, BODY, "claude-opus-5-5,claude-haiku-5-5 chain=nightly");
	expect_route(&request, BARE, "claude-opus-5-5,claude-haiku-5-5 chain=nightly");
	/* The option comes first, and no model twice. */
	request.model = T("claude-haiku-5-5");
	expect_route(&request, BODY, "claude-haiku-5-5,claude-opus-5-5 chain=nightly");

	request = plain();
	request.chain_models = list;
	expect_route(&request, BODY, "claude-opus-5-5,claude-sonnet-5");
	request.model = T("claude-fable-5-5");
	expect_route(&request, BARE, "claude-fable-5-5,claude-opus-5-5,claude-sonnet-5");
}

static void
models_that_would_change_the_meaning_are_passed_by(void **unused)
{
	struct request request = plain();
	char *list[] = { T("claude-haiku-5-5"), T("claude-opus-5-5"), T("claude-opus-4-8"),
			 T("its-own-name"), NULL };
	struct order order;

	(void)unused;
	request.chain_models = list;
	accept(&order, &request,
	       "{\"max_tokens\":64,\"tool_choice\":{\"type\":\"any\"},"
	       "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
	assert_int_equal(order.model_count, 3);
	assert_string_equal(order.models[1], "claude-opus-4-8");
	assert_string_equal(order.models[2], "its-own-name");
	assert_non_null(strstr(order.skipped, "claude-opus-5-5 ("));
	assert_null(strstr(order.skipped, "claude-opus-4-8"));
	order_clear(&order);

	/* The first one is what was asked for, whatever it can. */
	list[0] = T("claude-opus-5-5");
	list[1] = NULL;
	accept(&order, &request,
	       "{\"max_tokens\":64,\"tool_choice\":{\"type\":\"any\"},"
	       "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
	assert_string_equal(order.models[0], "claude-opus-5-5");
	assert_null(order.skipped);
	order_clear(&order);
}

/* Sampling may be dropped only where the chain allows it. */
static void
a_named_chain_brings_its_rules(void **unused)
{
	static const char warm[] = "{\"max_tokens\":64,\"temperature\":0.5,"
				   "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	struct request request = plain();
	struct order order;

	(void)unused;
	request.model = T("claude-haiku-4-5");
	request.chain = T("nightly");
	accept(&order, &request, warm);
	assert_int_equal(order.model_count, 1);
	assert_int_equal(order.shrink_to, 0);
	order_clear(&order);
	request.chain = T("pliant");
	accept(&order, &request, warm);
	assert_int_equal(order.model_count, 2);
	assert_int_equal(order.shrink_to, 512);
	order_clear(&order);
	request.shrink_to = 17;
	accept(&order, &request, warm);
	assert_int_equal(order.shrink_to, 17);
	order_clear(&order);
}

static void
what_names_no_model_is_refused(void **unused)
{
	static const char *const bad[] = { "",	      "two words",   "a,b", "tab\there",
					   "quo\"te", "back\\slash", "é",   "\x7f" };
	struct request request = plain();
	char longest[MESSAGE_MAX_MODEL + 2];
	char *list[] = { T("claude-opus-5-5"), T("no good"), NULL };

	(void)unused;
	refuse(&request, BARE, FOREBAY_ERR_INVALID_BODY, "model");
	request.chain = T("nowhere");
	refuse(&request, BODY, FOREBAY_ERR_BAD_REQUEST, "there is no chain \"nowhere\"");
	request = plain();
	request.chain_models = list;
	refuse(&request, BODY, FOREBAY_ERR_INVALID_BODY, "\"no good\" is no model name");
	request = plain();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		request.model = (char *)bad[i];
		refuse(&request, BODY, FOREBAY_ERR_INVALID_BODY, "is no model name");
	}
	memset(longest, 'm', sizeof(longest));
	longest[MESSAGE_MAX_MODEL] = '\0';
	request.model = longest;
	expect_route(&request, BODY, longest);
	longest[MESSAGE_MAX_MODEL] = 'm';
	longest[MESSAGE_MAX_MODEL + 1] = '\0';
	refuse(&request, BODY, FOREBAY_ERR_INVALID_BODY, "is no model name");
	/* The body's own goes through the same door. */
	request = plain();
	refuse(&request,
	       "{\"model\":\"a b\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\","
	       "\"content\":\"x\"}]}",
	       FOREBAY_ERR_INVALID_BODY, "\"a b\" is no model name");
}

/* --- the body --------------------------------------------------------------------------- */

static void
a_body_too_big_is_refused_unread(void **unused)
{
	struct request request = plain();
	size_t len = config->max_body + 1;
	char *body = malloc(len);
	struct order order = { 0 };

	(void)unused;
	memset(body, ' ', len);
	assert_int_equal(
	    order_from_request(&order, config, &request, (uint8_t *)body, len, NOW, why),
	    FOREBAY_ERR_TOO_BIG);
	assert_non_null(strstr(why, "4097 bytes"));
	assert_non_null(strstr(why, "allows 4096"));
	order_clear(&order);
	/* Exactly as big as allowed it is read. */
	memcpy(body, BODY, strlen(BODY));
	assert_int_equal(
	    order_from_request(&order, config, &request, (uint8_t *)body, len - 1, NOW, why),
	    FOREBAY_ERR_OK);
	order_clear(&order);
	free(body);
}

static void
a_body_that_is_no_request_is_refused(void **unused)
{
	static const char *const bad[] = { "", "[]", "{", "{\"model\":\"m\"}",
					   "{\"model\":7,\"messages\":[]}" };
	struct request request = plain();

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct order order;

		assert_int_equal(understand(&order, &request, bad[i]), FOREBAY_ERR_INVALID_BODY);
		assert_true(why[0] != '\0');
		order_clear(&order);
	}
	request.batch = FOREBAY_BATCH_ONLY;
	refuse(&request, BODY, FOREBAY_ERR_BAD_REQUEST, "batch: \"only\"");
}

/* --- options and defaults ------------------------------------------------------------------ */

static void
defaults_are_the_configurations(void **unused)
{
	struct request request = plain();
	struct order order;

	(void)unused;
	accept(&order, &request, BODY);
	assert_int_equal(order.attempts, 7);
	assert_int_equal(order.keep_ms, 2 * HOUR);
	assert_string_equal(order.version, config->version);
	assert_null(order.betas);
	assert_null(order.model_option);
	assert_int_equal(order.class, FOREBAY_CLASS_NORMAL);
	assert_int_equal(order.max_tokens, 64);
	assert_in_range(order.cost_input, 1, 200);
	assert_false(order.ephemeral);
	order_clear(&order);
	accept(&order, &request,
	       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}");
	assert_int_equal(order.max_tokens, -1);
	order_clear(&order);
}

static void
options_are_copied(void **unused)
{
	char *betas[] = { T("context-1m"), T("files-api"), NULL };
	struct request request = plain();
	struct order order;

	(void)unused;
	request.model = T("claude-opus-5-5");
	request.chain = T("nightly");
	request.class = FOREBAY_CLASS_PATIENT;
	request.transport = FOREBAY_TRANSPORT_PLAIN;
	request.priority = -100;
	request.attempts = 2;
	request.shrink_to = 1024;
	request.version = T("2042-01-01");
	request.betas = betas;
	request.label = T("a label");
	request.key = T("a key");
	request.keep_ms = 0;
	request.ephemeral = true;
	accept(&order, &request, BODY);
	assert_string_equal(order.model_option, "claude-opus-5-5");
	assert_string_equal(order.chain, "nightly");
	assert_int_equal(order.class, FOREBAY_CLASS_PATIENT);
	assert_int_equal(order.transport, FOREBAY_TRANSPORT_PLAIN);
	assert_int_equal(order.priority, -100);
	assert_int_equal(order.attempts, 2);
	assert_int_equal(order.shrink_to, 1024);
	assert_string_equal(order.version, "2042-01-01");
	assert_string_equal(order.betas, "context-1m,files-api");
	assert_string_equal(order.label, "a label");
	assert_string_equal(order.key, "a key");
	assert_int_equal(order.keep_ms, 0); /* gone at once, and not the default */
	assert_true(order.ephemeral);
	order_clear(&order);
	order_clear(&order); /* of an empty one */
}

static void
times_are_put_together(void **unused)
{
	struct request request = plain();
	struct order order;

	(void)unused;
	accept(&order, &request, BODY);
	assert_int_equal(order.deadline_ms, NOW + 5 * HOUR);
	order_clear(&order);

	/* A delayed one has its usual time from when it may start. */
	request.not_before = NOW + 10 * HOUR;
	accept(&order, &request, BODY);
	assert_int_equal(order.not_before_ms, NOW + 10 * HOUR);
	assert_int_equal(order.deadline_ms, NOW + 15 * HOUR);
	order_clear(&order);

	/* A time that has passed delays nothing. */
	request.not_before = NOW - HOUR;
	accept(&order, &request, BODY);
	assert_int_equal(order.deadline_ms, NOW + 5 * HOUR);
	order_clear(&order);

	request = plain();
	request.deadline_ms = 60000;
	accept(&order, &request, BODY);
	assert_int_equal(order.deadline_ms, NOW + 60000);
	order_clear(&order);
}

static void
a_deadline_before_the_start_is_refused(void **unused)
{
	struct request request = plain();
	struct order order;

	(void)unused;
	request.not_before = NOW + HOUR;
	request.deadline_ms = HOUR;
	refuse(&request, BODY, FOREBAY_ERR_BAD_REQUEST, "deadline_ms");
	request.deadline_ms = HOUR + 1;
	accept(&order, &request, BODY);
	order_clear(&order);
	request.not_before = NOW - HOUR;
	request.deadline_ms = 1;
	accept(&order, &request, BODY);
	order_clear(&order);
}

/* --- the same, or not ----------------------------------------------------------------------- */

static void
digests_of(const struct request *request, const char *body, uint8_t *ret_body, uint8_t *ret_options)
{
	struct order order;

	accept(&order, request, body);
	memcpy(ret_body, order.digest, STORE_DIGEST_LEN);
	memcpy(ret_options, order.options, STORE_DIGEST_LEN);
	order_clear(&order);
}

static void
compare(const struct request *a, const struct request *b, bool same)
{
	uint8_t body[2][STORE_DIGEST_LEN], options[2][STORE_DIGEST_LEN];

	digests_of(a, BODY, body[0], options[0]);
	digests_of(b, BODY, body[1], options[1]);
	assert_memory_equal(body[0], body[1], STORE_DIGEST_LEN);
	assert_int_equal(memcmp(options[0], options[1], STORE_DIGEST_LEN) == 0, same);
}

static void
options_that_change_the_meaning_change_the_digest(void **unused)
{
	char *beta[] = { T("context-1m"), NULL },
	     *betas[] = { T("context-1m"), T("files-api"), NULL };
	char *list[] = { T("claude-sonnet-5"), T("claude-haiku-5-5"), NULL };
	struct request base = plain(), other;
	uint8_t body[2][STORE_DIGEST_LEN], options[2][STORE_DIGEST_LEN];

	(void)unused;
#define DIFFERS(set)                                                                               \
	do {                                                                                       \
		other = plain();                                                                   \
		set;                                                                               \
		compare(&base, &other, false);                                                     \
	} while (0)
	DIFFERS(other.model = T("claude-opus-5-5"));
	DIFFERS(other.model = T("claude-sonnet-5")); /* the body is edited then */
	DIFFERS(other.chain = T("nightly"));
	DIFFERS(other.chain_models = list);
	DIFFERS(other.batch = FOREBAY_BATCH_ALLOW);
	DIFFERS(other.version = T("2042-01-01"));
	DIFFERS(other.betas = beta);
	DIFFERS(other.shrink_to = 1024);
	DIFFERS(other.transport = FOREBAY_TRANSPORT_PLAIN);
#undef DIFFERS
	base.betas = beta;
	other = plain();
	other.betas = betas;
	compare(&base, &other, false);

	/* Another body is another order, even by a byte nobody reads. */
	base = plain();
	digests_of(&base, BODY, body[0], options[0]);
	digests_of(&base, BODY " ", body[1], options[1]);
	assert_memory_not_equal(body[0], body[1], STORE_DIGEST_LEN);
	assert_memory_equal(options[0], options[1], STORE_DIGEST_LEN);
}

static void
options_of_waiting_do_not(void **unused)
{
	struct request base = plain(), other = plain();

	(void)unused;
	other.priority = 5;
	other.class = FOREBAY_CLASS_INTERACTIVE;
	other.deadline_ms = 1000;
	other.attempts = 3;
	other.label = T("x");
	other.key = T("y");
	other.want = FOREBAY_WANT_RESULT;
	other.version = config->version; /* said, or meant */
	compare(&base, &other, true);
}

/* --- again -------------------------------------------------------------------------------------
 */

static void
a_retried_job_is_the_same_order(void **unused)
{
	struct store_job job = { .head = { .id = 41,
					   .created_ms = NOW - 9 * HOUR,
					   .deadline_ms = NOW - 4 * HOUR,
					   .priority = -7,
					   .attempts = 5,
					   .max_attempts = 5,
					   .cost_input = 123,
					   .cost_output = 64 },
				 .class = FOREBAY_CLASS_PATIENT,
				 .batch = FOREBAY_BATCH_ALLOW,
				 .transport = FOREBAY_TRANSPORT_PLAIN,
				 .keep_ms = 77,
				 .shrink_to = 9,
				 .model = "claude-opus-5-5",
				 .route =
				     "claude-opus-5-5,claude-haiku-5-5 batch=allow chain=nightly",
				 .chain = "nightly",
				 .model_option = "claude-opus-5-5",
				 .version = "2023-06-01",
				 .betas = "a,b",
				 .label = "l",
				 .key = "k",
				 .digest = { 1, 2, 3 },
				 .options = { 4, 5, 6 } };
	struct order order = { 0 };
	char *route;

	(void)unused;
	order_from_job(&order, config, &job, NOW);
	route = route_of_order(&order);
	assert_string_equal(route, job.route);
	assert_int_equal(order.retry_of, 41);
	assert_int_equal(order.deadline_ms, NOW + 5 * HOUR);
	assert_int_equal(order.not_before_ms, 0);
	assert_int_equal(order.attempts, 5);
	assert_int_equal(order.priority, -7);
	assert_int_equal(order.class, FOREBAY_CLASS_PATIENT);
	assert_int_equal(order.transport, FOREBAY_TRANSPORT_PLAIN);
	assert_int_equal(order.keep_ms, 77);
	assert_int_equal(order.cost_input, 123);
	assert_string_equal(order.betas, "a,b");
	assert_string_equal(order.label, "l");
	/* A key names one job: the new one has none. */
	assert_null(order.key);
	assert_memory_equal(order.digest, job.digest, STORE_DIGEST_LEN);
	assert_memory_equal(order.options, job.options, STORE_DIGEST_LEN);
	free(route);
	order_clear(&order);

	/* Of a retry, too, the body is found by its own row: the first job may be
	 * gone by now. */
	job.retry_of = 17;
	order_from_job(&order, config, &job, NOW);
	assert_int_equal(order.retry_of, job.head.id);
	order_clear(&order);
}

static int
set_up(void **unused)
{
	static const char *const sets[] = {
		"queue.max_body=4K",
		"queue.attempts=7",
		"queue.deadline=5h",
		"queue.keep=2h",
		"chain nightly.models=claude-opus-5-5, claude-haiku-5-5",
		"chain pliant.models=claude-opus-5-5",
		"chain pliant.shrink_to=512",
		"chain pliant.adapt=yes",
		NULL,
	};
	struct config_source source = { .file = "/dev/null", .sets = sets };

	(void)unused;
	return (int)config_load(&source, stderr, &config);
}

static int
tear_down(void **unused)
{
	(void)unused;
	config_free(config);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bodys_model_is_used_unless_told_otherwise),
		cmocka_unit_test(a_chain_is_the_list_of_models),
		cmocka_unit_test(models_that_would_change_the_meaning_are_passed_by),
		cmocka_unit_test(a_named_chain_brings_its_rules),
		cmocka_unit_test(what_names_no_model_is_refused),
		cmocka_unit_test(a_body_too_big_is_refused_unread),
		cmocka_unit_test(a_body_that_is_no_request_is_refused),
		cmocka_unit_test(defaults_are_the_configurations),
		cmocka_unit_test(options_are_copied),
		cmocka_unit_test(times_are_put_together),
		cmocka_unit_test(a_deadline_before_the_start_is_refused),
		cmocka_unit_test(options_that_change_the_meaning_change_the_digest),
		cmocka_unit_test(options_of_waiting_do_not),
		cmocka_unit_test(a_retried_job_is_the_same_order),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
