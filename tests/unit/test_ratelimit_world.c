/*
 * test_ratelimit_world.c - ten minutes of more work than the limits allow,
 * against a server that counts by its own buckets: never a 429, and hardly less
 * than it allows. All in simulated time.
 */
#include "daemon/gate/expect.h"
#include "daemon/gate/ratelimit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTES	  10
#define STEP_S	  0.01
#define MAX_OPEN  400
#define ESTIMATE  400.0 /* tokens by the bytes, log-normal */
#define COLD_OPEN 2	/* before the first headers: what the gates let through */

struct world {
	const char *name;
	double limits[BUCKET_KINDS]; /* a minute; 0: none */
	double size_s;		     /* the buckets hold what so many seconds bring */
	double others;		     /* share of the limits that somebody else uses */
	double ttfb_s, gen_s;	     /* log-normal */
	double ratio;		     /* real input over the estimate */
	double output;		     /* tokens, log-normal */
	double large;		     /* every fiftieth is so many times larger; 0: none */
	bool late;		     /* remaining is written with the answer, not on arrival */
};

enum state { GONE, ON_ITS_WAY, WAITING, REFUSED, STREAMING };

struct request {
	enum state state;
	double next_at; /* it changes its state then */
	double ttfb_s, gen_s;
	double estimate, input, output, retry_after;
	double remaining[BUCKET_KINDS];
	struct ratelimit_charge charge;
};

static struct request requests[MAX_OPEN];
static struct ratelimit rl;
static struct expect expect;
static double level[BUCKET_KINDS], used[BUCKET_KINDS];
static int refused, sent, open_count, unheard;
static double estimate; /* of the one that waits first */
static uint64_t seed;

static double
random_unit(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) / (double)(1ull << 53);
}

static double
around(double median, double sigma)
{
	double gauss = sqrt(-2.0 * log(1.0 - random_unit())) * cos(2.0 * M_PI * random_unit());

	return median * exp(sigma * gauss);
}

static double
size_of(const struct world *world, int kind)
{
	return fmax(1.0, world->limits[kind] / 60.0 * world->size_s);
}

/* --- the server ---------------------------------------------------------------- */

static void
note_remaining(struct request *request)
{
	for (int i = 0; i < BUCKET_KINDS; i++) {
		double left = fmax(0.0, level[i]);

		request->remaining[i] =
		    i == BUCKET_REQUESTS ? floor(left) : 1000.0 * round(left / 1000.0);
	}
}

static void
arrive(const struct world *world, struct request *request, double now)
{
	const double needs[BUCKET_KINDS] = { 1.0, request->input, 1.0 };
	double wait = 0.0;

	for (int i = 0; i < BUCKET_KINDS; i++) {
		double lacking = fmin(needs[i], size_of(world, i)) - level[i];

		if (world->limits[i] > 0 && lacking > 0)
			wait = fmax(wait, lacking * 60.0 / world->limits[i]);
	}
	request->state = wait > 0 ? REFUSED : WAITING;
	request->next_at = now + (wait > 0 ? 0.05 : request->ttfb_s);
	request->retry_after = ceil(wait);
	for (int i = 0; i < BUCKET_OUTPUT && wait <= 0; i++) {
		level[i] -= needs[i];
		used[i] += needs[i];
	}
	note_remaining(request);
}

/* --- what becomes of a request --------------------------------------------------- */

static void
hear(const struct world *world, struct request *request, double now)
{
	if (world->late)
		note_remaining(request);
	for (int i = 0; i < BUCKET_KINDS; i++)
		ratelimit_headers(&rl, now, &request->charge, (enum bucket_kind)i, world->limits[i],
				  request->remaining[i]);
	unheard--;
}

static void
end(struct request *request)
{
	request->state = GONE;
	open_count--;
}

static void
step_request(const struct world *world, struct request *request, double now)
{
	if (request->state == GONE || now < request->next_at)
		return;
	switch (request->state) {
	case ON_ITS_WAY:
		arrive(world, request, now);
		break;
	case WAITING:
		hear(world, request, now);
		request->state = STREAMING;
		request->next_at = now + request->gen_s;
		break;
	case REFUSED:
		hear(world, request, now);
		refused++;
		ratelimit_limited(&rl, now, &request->charge, request->retry_after, false,
				  random_unit());
		ratelimit_settled(&rl, now, &request->charge, 0, 0);
		end(request);
		break;
	case STREAMING:
		level[BUCKET_OUTPUT] -= request->output;
		used[BUCKET_OUTPUT] += request->output;
		ratelimit_settled(&rl, now, &request->charge, request->input, request->output);
		expect_learn(&expect, request->estimate, request->input, request->output);
		end(request);
		break;
	case GONE:
		break;
	}
}

/* --- us ------------------------------------------------------------------------------ */

static bool
send_one(const struct world *world, double now)
{
	double in = expect_input(&expect, estimate), out = expect_output(&expect, 8192), when;
	struct request *request = requests;

	if (open_count == MAX_OPEN || (unheard >= COLD_OPEN && unheard == sent) ||
	    !ratelimit_may_send(&rl, now, in, out, &when))
		return false;
	while (request->state != GONE)
		request++;
	*request = (struct request){
		.state = ON_ITS_WAY,
		.next_at = now + 0.02 + 0.05 * random_unit(),
		.ttfb_s = around(world->ttfb_s, 0.4),
		.gen_s = around(world->gen_s, 0.6),
		.estimate = estimate,
		.input = estimate * world->ratio * (0.7 + 0.6 * random_unit()),
		.output = around(world->output, 0.6),
	};
	ratelimit_sent(&rl, now, in, out, &request->charge);
	open_count++;
	unheard++;
	sent++;
	estimate = around(ESTIMATE, 0.5);
	if (world->large > 0 && sent % 50 == 49)
		estimate *= world->large;
	return true;
}

/* Returns the share of the tightest limit that was used. */
static double
run(const struct world *world)
{
	double share = 0.0;

	ratelimit_init(&rl);
	expect_init(&expect);
	memset(requests, 0, sizeof(requests));
	memset(used, 0, sizeof(used));
	refused = sent = open_count = unheard = 0;
	seed = 88172645463325252u;
	estimate = ESTIMATE;
	for (int i = 0; i < BUCKET_KINDS; i++)
		level[i] = size_of(world, i);
	for (double now = 0.0; now < 60.0 * MINUTES; now += STEP_S) {
		for (int i = 0; i < BUCKET_KINDS; i++)
			level[i] =
			    fmin(size_of(world, i), level[i] + STEP_S * world->limits[i] / 60.0 *
								   (1.0 - world->others));
		for (size_t i = 0; i < MAX_OPEN; i++)
			step_request(world, &requests[i], now);
		while (send_one(world, now))
			;
	}
	for (int i = 0; i < BUCKET_KINDS; i++)
		if (world->limits[i] > 0)
			share = fmax(
			    share, used[i] / (world->limits[i] * MINUTES * (1.0 - world->others)));
	return share;
}

/* clang-format off */
static const struct world worlds[] = {
	/* name                     requests, input, output a minute   size others ttfb  gen ratio out large late */
	{ "requests",               { 240, 0, 0 },                     60,  0,     0.9,  6,  1.4, 150,  0, false },
	{ "few requests",           { 50, 0, 0 },                      60,  0,     0.9,  6,  1.4, 150,  0, false },
	{ "a small bucket",         { 240, 0, 0 },                     10,  0,     0.9,  6,  1.4, 150,  0, true },
	{ "one second's worth",     { 240, 0, 0 },                     1,   0,     0.9,  6,  1.4, 150,  0, false },
	{ "slow answers",           { 240, 0, 0 },                     10,  0,     10,   6,  1.4, 150,  0, false },
	{ "slow answers, late",     { 240, 0, 0 },                     10,  0,     10,   6,  1.4, 150,  0, true },
	{ "input",                  { 0, 150000, 0 },                  60,  0,     0.9,  6,  1.4, 150,  0, true },
	{ "input, misjudged",       { 0, 150000, 0 },                  10,  0,     0.9,  6,  3,   150,  0, false },
	{ "input, now and then much", { 0, 300000, 0 },                60,  0,     0.9,  6,  1.4, 150, 50, false },
	{ "output",                 { 0, 0, 60000 },                   60,  0,     0.9,  6,  1.4, 250,  0, true },
	{ "long output",            { 0, 0, 80000 },                   60,  0,     0.9, 20,  1.4, 3000, 0, false },
	{ "all",                    { 240, 150000, 36000 },            60,  0,     0.9,  6,  1.4, 150,  0, false },
	{ "all, late",              { 240, 150000, 36000 },            10,  0,     0.9,  6,  1.4, 150,  0, true },
	{ "others on the requests", { 240, 0, 0 },                     60,  0.4,   0.9,  6,  1.4, 150,  0, false },
	{ "others on the input",    { 0, 300000, 0 },                  60,  0.7,   0.9,  6,  1.4, 150,  0, true },
};
/* clang-format on */

static void
never_a_429_and_hardly_less_than_allowed(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		double share = run(&worlds[i]);

		print_message("%-26s %4d sent, %d refused, %.1f %% of the limit\n", worlds[i].name,
			      sent, refused, 100.0 * share);
		if (refused > 0)
			fail_msg("%s: %d were refused", worlds[i].name, refused);
		if (share < 0.8)
			fail_msg("%s: only %.1f %%", worlds[i].name, 100.0 * share);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_a_429_and_hardly_less_than_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
