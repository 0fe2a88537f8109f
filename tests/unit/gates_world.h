/*
 * gates_world.h - gates on the configuration's defaults, and requests that
 * pass through them. Included by the tests of the gates.
 */
#ifndef TESTS_UNIT_GATES_WORLD_H
#define TESTS_UNIT_GATES_WORLD_H

#include "daemon/base/log.h"
#include "daemon/run/gates_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL "claude-opus-5-5"
#define OTHER "claude-haiku-5-5" /* of another bucket */

static struct config *config;

static inline struct config *
load(const char *const *sets)
{
	struct config_source source = { .file = "/dev/null", .sets = sets };
	struct config *ret = NULL;

	assert_int_equal(config_load(&source, stderr, &ret), FOREBAY_ERR_OK);
	return ret;
}

static inline bool
may(struct gates *gates, const char *model, double now)
{
	double when = INFINITY;
	bool probe;

	return gates_may_send(gates, model, 100, 100, now, &when, &probe);
}

static inline double
wait_of(struct gates *gates, const char *model, double now)
{
	return gates_expected_wait(gates, model, 100, 100, now);
}

static inline struct pass
send(struct gates *gates, const char *model, double now)
{
	struct pass pass;

	gates_take(gates, model, 100, 100, now, &pass);
	gates_left(gates, &pass, now);
	return pass;
}

static inline void
answered(struct answer *ret, int status, const char *type, const char *message)
{
	struct answer_headers headers;
	char body[256];
	int len = snprintf(body, sizeof(body),
			   "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}",
			   type, message);

	answer_headers_init(&headers);
	answer_from_http(ret, status, &headers, (uint8_t *)body, (size_t)len, 1.7e9);
}

static inline void
tell_limits(struct gates *gates, struct pass *pass, int64_t limit, int64_t remaining, double now)
{
	struct answer_ratelimit limits[ANSWER_LIMIT_COUNT] = {
		[ANSWER_REQUESTS] = { .limit = limit, .remaining = remaining },
		[ANSWER_INPUT_TOKENS] = { .limit = -1, .remaining = -1 },
		[ANSWER_OUTPUT_TOKENS] = { .limit = -1, .remaining = -1 },
	};

	gates_headers(gates, pass, limits, now);
}

static inline void
end_with(struct gates *gates, struct pass *pass, int status, const char *type, double now)
{
	struct answer answer;

	answered(&answer, status, type, "no");
	gates_ended(gates, pass, &answer, 0, 0, INFINITY, now);
}

static inline void
succeed(struct gates *gates, const char *model, double output, double now)
{
	struct pass pass = send(gates, model, now);

	gates_accepted(gates, &pass, now + 0.5);
	gates_ended(gates, &pass, NULL, 100, output, 0.0, now + 1.0);
}

static inline struct gates_row
row_of(struct gates *gates, const char *name, double now)
{
	struct gates_row row;

	for (size_t i = 0; gates_row(gates, i, now, &row); i++)
		if (strcmp(row.name, name) == 0)
			return row;
	fail_msg("no gate %s", name);
	return row;
}

/* Refused until it is dark; when that was. */
static inline double
storm(struct gates *gates, const char *model, double now)
{
	(void)may(gates, model, now);
	for (unsigned i = 0; i < 2000; i++, now += 0.05) {
		struct pass pass;

		if (row_of(gates, model, now).view.weather == GATE_DARK)
			return now;
		pass = send(gates, model, now);
		end_with(gates, &pass, 529, "overloaded_error", now + 0.02);
	}
	fail_msg("%s never became dark", model);
	return now;
}

static inline int
set_up(void **unused)
{
	(void)unused;
	log_init(LOG_LEVEL_ERROR);
	config = load(NULL);
	return 0;
}

static inline int
tear_down(void **unused)
{
	(void)unused;
	config_free(config);
	return 0;
}

#endif
