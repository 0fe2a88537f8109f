/*
 * storm_world.c - the API and a daemon of 64 workers with an endless backlog, in
 * simulated time: a port of tests/storms/{upstream,clients}.py, the gate being
 * the daemon's own. Included by test_storms.c, which has the scenarios.
 */
#include "daemon/gate/gate.h"
#include "protocol/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORKERS	   64
#define CAPACITY   64
#define T0	   120.0 /* the overload begins, in a warm system */
#define TIMEOUT_S  60.0
#define PATIENCE_S 10.0
#define MODELS_MAX 2
#define EVENTS_MAX 1024
#define JOBS_MAX   1024 /* given back, waiting to be taken again */

enum outcome { OUT_OK, OUT_529, OUT_429, OUT_500, OUT_TIMEOUT };
enum event_kind { EVENT_HEADER, EVENT_END, EVENT_QUIET, EVENT_STALL, EVENT_ALARM };

/* --- the weather ----------------------------------------------------------- */

struct model_weather {
	double (*capacity)(double t); /* NULL: CAPACITY */
	double (*refused)(double t);  /* share, by chance */
	double (*sick)(double t);     /* share that hangs or fails with 500 */
	double rpm;		      /* behind a 429; 0: none */
	double speed;		      /* generation takes so many times as long */
};

struct scenario {
	const char *name;
	struct model_weather models[MODELS_MAX];
	int model_count;
	double until;
	double recovery;    /* 0: none */
	double goodput_min; /* mean over the seeds, as all of these */
	double excess_max;  /* failed requests a job beyond the oracle's */
	double full_max;    /* s until 9 of 10 slots work again */
	double storm_max;   /* failed requests in any second */
};

/* --- the world ------------------------------------------------------------- */

struct job {
	double first_byte, generation;
	double head_since; /* head of the queue and not let in since; < 0: not yet */
};

struct attempt {
	struct job job;
	struct gate_ticket ticket;
	enum outcome outcome;
	int model;
	bool live, answered;
	unsigned serial; /* events of earlier attempts in this place are stale */
};

struct event {
	double t;
	unsigned long order;
	enum event_kind kind;
	int attempt;
	unsigned serial;
};

struct model {
	struct model_weather weather;
	int busy;
	double tokens, tokens_at;
	struct gate gate;
};

struct world {
	const struct scenario *scenario;
	bool oracle;
	double now, alarm;
	uint64_t upstream_seed, jobs_seed;
	struct gate_config config;
	struct model models[MODELS_MAX];
	struct attempt attempts[EVENTS_MAX / 4];
	int using; /* workers busy; a stalled attempt lends its own away */
	struct job waiting[JOBS_MAX];
	int waiting_count;
	struct event heap[EVENTS_MAX];
	int heap_len;
	unsigned long order;
	/* what is measured */
	long taken, done, live;	   /* jobs: none may be lost */
	long failed_in, done_in;   /* within the window of the scenario */
	long limited_in;	   /* 429 seen */
	double work;		   /* slot-seconds of accepted work in the window */
	double full_at;		   /* INFINITY: not yet */
	double recent_failed[256]; /* ring: times of failed requests */
	long failed;
	double storm;
};

static double
random_unit(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (double)((*seed * 0x2545f4914f6cdd1du) >> 11) / (double)(1ull << 53);
}

static double
random_lognormal(uint64_t *seed, double median, double sigma)
{
	double radius = sqrt(-2.0 * log(1.0 - random_unit(seed)));

	return median * exp(sigma * radius * cos(2.0 * M_PI * random_unit(seed)));
}

static bool
is_earlier(const struct event *a, const struct event *b)
{
	return a->t < b->t || (a->t == b->t && a->order < b->order);
}

static void
at(struct world *w, double t, enum event_kind kind, int attempt)
{
	struct event event = { t, w->order++, kind, attempt, w->attempts[attempt].serial };
	int i = w->heap_len++;

	assert_true(i < EVENTS_MAX);
	for (; i > 0 && is_earlier(&event, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = event;
}

static struct event
next_event(struct world *w)
{
	struct event first = w->heap[0], last = w->heap[--w->heap_len];
	int i = 0, child;

	while ((child = 2 * i + 1) < w->heap_len) {
		if (child + 1 < w->heap_len && is_earlier(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!is_earlier(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

static bool
is_in_window(const struct world *w)
{
	return w->now >= T0 && w->now <= w->scenario->until;
}

/* --- the API --------------------------------------------------------------- */

static double
value(double (*f)(double), double t, double otherwise)
{
	return f ? f(t) : otherwise;
}

static void
refill(struct model *model, double now)
{
	double rate = model->weather.rpm / 60.0;

	model->tokens =
	    fmin(fmax(1.0, 10.0 * rate), model->tokens + (now - model->tokens_at) * rate);
	model->tokens_at = now;
}

static enum outcome
admit(struct world *w, struct model *model)
{
	double sick = value(model->weather.sick, w->now, 0);
	double refused = value(model->weather.refused, w->now, 0);

	if (sick > 0 && random_unit(&w->upstream_seed) < sick)
		return random_unit(&w->upstream_seed) < 0.5 ? OUT_TIMEOUT : OUT_500;
	if (model->weather.rpm > 0) {
		refill(model, w->now);
		if (model->tokens < 1.0)
			return OUT_429;
	}
	if (model->busy >= (int)value(model->weather.capacity, w->now, CAPACITY))
		return OUT_529;
	if (refused > 0 && random_unit(&w->upstream_seed) < refused)
		return OUT_529;
	model->tokens -= model->weather.rpm > 0;
	return OUT_OK;
}

static bool
is_open_now(struct world *w, struct model *model)
{
	if (value(model->weather.sick, w->now, 0) > 0 ||
	    value(model->weather.refused, w->now, 0) >= 1 ||
	    model->busy >= (int)value(model->weather.capacity, w->now, CAPACITY))
		return false;
	if (model->weather.rpm > 0)
		refill(model, w->now);
	return !(model->weather.rpm > 0) || model->tokens >= 1.0;
}

static void
count_failure(struct world *w)
{
	int within = 0;

	w->recent_failed[w->failed++ % 256] = w->now;
	for (long i = w->failed - 1; i >= 0 && i > w->failed - 256; i--) {
		if (w->recent_failed[i % 256] < w->now - 1.0)
			break;
		within++;
	}
	if (is_in_window(w)) {
		w->failed_in++;
		w->storm = fmax(w->storm, within);
	}
}

static void
begin(struct world *w, struct attempt *attempt, int index)
{
	struct model *model = &w->models[attempt->model];
	double speed = model->weather.speed;
	double end = w->now + attempt->job.first_byte + attempt->job.generation * speed;

	model->busy++;
	w->work += fmax(0.0, fmin(end, w->scenario->until) - fmax(w->now, T0)) / speed;
	at(w, w->now + attempt->job.first_byte, EVENT_HEADER, index);
	at(w, end, EVENT_END, index);
}

static void
call(struct world *w, struct attempt *attempt, int index)
{
	attempt->outcome = admit(w, &w->models[attempt->model]);
	if (attempt->outcome == OUT_OK) {
		begin(w, attempt, index);
		return;
	}
	count_failure(w);
	if (attempt->outcome == OUT_TIMEOUT)
		at(w, w->now + TIMEOUT_S, EVENT_END, index);
	else if (attempt->outcome == OUT_500)
		at(w, w->now + random_lognormal(&w->upstream_seed, 1.0, 0.5), EVENT_END, index);
	else
		at(w, w->now + random_lognormal(&w->upstream_seed, 0.25, 0.4), EVENT_END, index);
}

/* --- the daemon ------------------------------------------------------------ */

static struct job
take_job(struct world *w)
{
	struct job job;

	if (w->waiting_count > 0)
		return w->waiting[--w->waiting_count];
	w->taken++;
	job.first_byte = random_lognormal(&w->jobs_seed, 0.9, 0.4);
	job.generation = random_lognormal(&w->jobs_seed, 12.0, 0.6);
	job.head_since = -1;
	return job;
}

static void
give_back(struct world *w, struct job job)
{
	assert_true(w->waiting_count < JOBS_MAX);
	w->waiting[w->waiting_count++] = job;
}

static int
pick_as_oracle(struct world *w, double *ret_when)
{
	for (int i = 0; i < w->scenario->model_count; i++)
		if (is_open_now(w, &w->models[i]))
			return i;
	*ret_when = w->now + 0.1;
	return -1;
}

/* The first model whose gate says yes; the next is looked at only when this one
 * keeps the job waiting longer than its patience. */
static int
pick(struct world *w, struct job *job, double *ret_when)
{
	*ret_when = INFINITY;
	for (int i = 0; i < w->scenario->model_count; i++) {
		struct gate *gate = &w->models[i].gate;
		double when, waits;

		if (gate_may_send(gate, &w->config, w->now, &when)) {
			job->head_since = -1;
			return i;
		}
		if (job->head_since < 0)
			job->head_since = w->now;
		*ret_when = fmin(*ret_when, when);
		waits =
		    fmax(w->now - job->head_since, gate_expected_wait(gate, &w->config, w->now));
		if (waits < PATIENCE_S && i + 1 < w->scenario->model_count) {
			*ret_when = fmin(*ret_when, w->now + PATIENCE_S - waits);
			return -1;
		}
	}
	return -1;
}

static void
start(struct world *w, struct job job, int model)
{
	struct gate *gate = &w->models[model].gate;
	int index = 0;

	while (w->attempts[index].live)
		assert_true(++index < (int)ARRAY_LEN(w->attempts));
	struct attempt *attempt = &w->attempts[index];

	*attempt = (struct attempt){
		.job = job, .model = model, .live = true, .serial = attempt->serial + 1
	};
	w->using ++;
	w->live++;
	if (!w->oracle) {
		gate_sent(gate, &w->config, w->now, &attempt->ticket);
		gate_left(&attempt->ticket, w->now);
		at(w, w->now + gate_quiet_after(gate, &w->config), EVENT_QUIET, index);
		at(w, w->now + gate_stalled_after(gate, &w->config), EVENT_STALL, index);
	}
	call(w, attempt, index);
}

static void
pump(struct world *w)
{
	double when = INFINITY;

	while (w->using < WORKERS) {
		struct job job = take_job(w);
		int model = w->oracle ? pick_as_oracle(w, &when) : pick(w, &job, &when);

		if (model < 0) {
			give_back(w, job);
			break;
		}
		when = INFINITY;
		start(w, job, model);
	}
	if (when < w->alarm) {
		w->alarm = fmax(when, w->now + 1e-3);
		at(w, w->alarm, EVENT_ALARM, 0);
	}
}

static void
on_header(struct world *w, struct attempt *attempt)
{
	struct model *model = &w->models[attempt->model];

	attempt->answered = true;
	if (w->oracle)
		return;
	w->using += attempt->ticket.stalled;
	gate_accepted(&model->gate, &w->config, w->now, &attempt->ticket);
	if (model->weather.rpm > 0)
		gate_headers(&model->gate, &w->config, w->now, model->weather.rpm,
			     floor(model->tokens));
}

static void
tell_gate_the_end(struct world *w, struct attempt *attempt)
{
	struct gate *gate = &w->models[attempt->model].gate;
	double random = random_unit(&w->upstream_seed);
	bool fine = attempt->outcome == OUT_OK;

	if (attempt->outcome == OUT_429)
		gate_limited(gate, &w->config, w->now, &attempt->ticket, 1.0, random);
	else if (!fine)
		gate_refused(gate, &w->config, w->now, &attempt->ticket, random,
			     attempt->outcome == OUT_529);
	w->using += attempt->ticket.stalled && !fine;
	gate_ended(gate, &attempt->ticket, fine);
}

static void
on_end(struct world *w, struct attempt *attempt)
{
	if (!w->oracle)
		tell_gate_the_end(w, attempt);
	attempt->live = false;
	w->using --;
	w->live--;
	if (attempt->outcome != OUT_OK) {
		w->limited_in += attempt->outcome == OUT_429 && is_in_window(w);
		give_back(w, attempt->job);
		return;
	}
	w->models[attempt->model].busy--;
	w->done++;
	w->done_in += is_in_window(w);
}

static void
on_stall(struct world *w, struct attempt *attempt)
{
	gate_stalled(&w->models[attempt->model].gate, &w->config, w->now, &attempt->ticket,
		     random_unit(&w->upstream_seed));
	w->using --; /* its worker is lent to another */
}

static void
dispatch(struct world *w, const struct event *event)
{
	struct attempt *attempt = &w->attempts[event->attempt];
	bool stale = !attempt->live || attempt->serial != event->serial;

	if (event->kind == EVENT_ALARM) {
		if (event->t != w->alarm)
			return;
		w->alarm = INFINITY;
	} else if (stale) {
		return;
	} else if (event->kind == EVENT_HEADER) {
		on_header(w, attempt);
	} else if (event->kind == EVENT_END) {
		on_end(w, attempt);
	} else if (attempt->answered) {
		return;
	} else if (event->kind == EVENT_QUIET) {
		gate_quiet(&w->models[attempt->model].gate, &w->config, w->now, &attempt->ticket);
	} else {
		on_stall(w, attempt);
	}
	pump(w);
}

static void
look_at_recovery(struct world *w)
{
	int busy = 0;

	if (w->scenario->recovery == 0 || w->now < w->scenario->recovery || isfinite(w->full_at))
		return;
	for (int i = 0; i < w->scenario->model_count; i++)
		busy += w->models[i].busy;
	if (busy >= 0.9 * WORKERS)
		w->full_at = w->now;
}

/* The caller frees. */
static struct world *
play(const struct scenario *scenario, bool oracle, unsigned seed)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->scenario = scenario;
	w->oracle = oracle;
	w->alarm = w->full_at = INFINITY;
	w->upstream_seed = seed * 0x9e3779b97f4a7c15u;
	w->jobs_seed = seed * 0xd1342543de82ef95u;
	gate_config_init(&w->config, WORKERS, GATE_DEFAULT);
	for (int i = 0; i < scenario->model_count; i++) {
		w->models[i] = (struct model){ .weather = scenario->models[i], .tokens = 1.0 };
		gate_init(&w->models[i].gate, &w->config);
	}
	pump(w);
	while (w->heap_len > 0) {
		struct event event = next_event(w);

		if (event.t > scenario->until)
			break;
		w->now = event.t;
		dispatch(w, &event);
		look_at_recovery(w);
	}
	return w;
}
