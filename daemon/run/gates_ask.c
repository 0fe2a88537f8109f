/*
 * gates_ask.c - what the gates are asked and only tell: may a request go, how
 * long would it wait, what will it cost.
 */
#include "daemon/run/gates_internal.h"

#include <math.h>
#include <stdio.h>

#define SHOWN_S 1.0 /* shorter waits for a limit or the pace are no news */

/* Until when a gate is closed by hand, by the key's fate or by the server. */
static double
closed_until(const struct gate *gate)
{
	return fmax(gate->closed_until, gate->hold_until);
}

/* Under the classic policy a gate only watches, unless it was closed. */
static bool
watching_may_send(const struct gate *gate, double now, double *ret_when)
{
	*ret_when = closed_until(gate);
	return now >= *ret_when;
}

static bool
weather_may_send(const struct gates *gates, const struct model_gate *model, double now,
		 double *ret_host, double *ret_model)
{
	bool yes;

	if (model->classic) {
		yes = watching_may_send(&gates->host, now, ret_host);
		return watching_may_send(&model->gate, now, ret_model) && yes;
	}
	yes = gate_may_send(&gates->host, &gates->host_config, now, ret_host);
	return gate_may_send(&model->gate, &model->gate_config, now, ret_model) && yes;
}

/* What is counted: the server's limits, the model's pace, the pace of all. If
 * not, *ret_when becomes the later of itself and the time to ask again. */
static bool
limits_may_send(const struct gates *gates, const struct model_gate *model, double now, double in,
		double out, double *ret_when)
{
	double when[3] = { now, now, now };
	bool yes = ratelimit_may_send(&model->bucket->limit, now, in, out, &when[0]);

	yes &= pace_may_send(&model->pace, now, in, out, &when[1]);
	yes &= pace_may_send(&gates->pace, now, in, out, &when[2]);
	yes &= model->bucket->heard || model->bucket->unheard < UNHEARD_MAX;
	*ret_when = fmax(*ret_when, fmax(when[0], fmax(when[1], when[2])));
	return yes;
}

bool
gates_may_send(struct gates *gates, const char *name, double cost_input, double cost_output,
	       double now, double *ret_when, bool *ret_probe)
{
	struct model_gate *model = gates_model(gates, name, now);
	double in = expect_input(&model->expect, cost_input);
	double out = expect_output(&model->expect, cost_output);
	double when[4] = { INFINITY, INFINITY, INFINITY, now };
	bool yes = gate_may_send(&gates->key, &gates->host_config, now, &when[0]);

	yes &= weather_may_send(gates, model, now, &when[1], &when[2]);
	yes &= limits_may_send(gates, model, now, in, out, &when[3]);
	*ret_probe = !model->classic && (gate_is_dark(&model->gate, &model->gate_config) ||
					 gate_is_dark(&gates->host, &gates->host_config));
	if (yes)
		return true;
	/* Ask again at the earliest moment anything changes: never too late. */
	for (size_t i = 0; i < ARRAY_LEN(when); i++)
		if (when[i] > now && when[i] < *ret_when)
			*ret_when = when[i];
	return false;
}

double
gates_expected_wait(struct gates *gates, const char *name, double cost_input, double cost_output,
		    double now)
{
	struct model_gate *model = gates_model(gates, name, now);
	double in = expect_input(&model->expect, cost_input);
	double out = expect_output(&model->expect, cost_output);
	double until = fmax(closed_until(&gates->key), model->unusable_until);
	double dark = 0.0;

	if (model->classic) {
		until = fmax(until, fmax(closed_until(&gates->host), closed_until(&model->gate)));
	} else {
		dark = fmax(gate_expected_wait(&gates->host, &gates->host_config, now),
			    gate_expected_wait(&model->gate, &model->gate_config, now));
	}
	(void)limits_may_send(gates, model, now, in, out, &until);
	return fmax(fmax(until - now, dark), 0.0);
}

double
gates_accepted_at(struct gates *gates, const char *name)
{
	const struct model_gate *model = gates_find(gates, name);

	return model ? model->gate.accepted_at : 0.0;
}

bool
gates_is_unusable(struct gates *gates, const char *name, double now)
{
	const struct model_gate *model = gates_find(gates, name);

	return model && now < model->unusable_until;
}

bool
gates_unusable_words(const struct model_gate *model, double now, char *buf, size_t len)
{
	if (now >= model->unusable_until)
		return false;
	snprintf(buf, len, "unusable for %.0fm: %s", ceil((model->unusable_until - now) / 60.0),
		 model->unusable_why);
	return true;
}

bool
gates_model_words(const struct gates *gates, const struct model_gate *model, double now, char *buf,
		  size_t len)
{
	double limited = now, paced = now, paced_all = now;

	if (gates_unusable_words(model, now, buf, len))
		return true;
	/* As the smallest request would find it. */
	(void)ratelimit_may_send(&model->bucket->limit, now, 1, 1, &limited);
	(void)pace_may_send(&model->pace, now, 1, 1, &paced);
	(void)pace_may_send(&gates->pace, now, 1, 1, &paced_all);
	paced = fmax(paced, paced_all);
	if (fmax(limited, paced) - now < SHOWN_S)
		return false;
	if (limited >= paced)
		snprintf(buf, len, "held %.0f s (rate limit of %.60s)", ceil(limited - now),
			 model->bucket->name);
	else
		snprintf(buf, len, "held %.0f s (pace)", ceil(paced - now));
	return true;
}

uint32_t
gates_expect_input(struct gates *gates, const char *name, uint32_t estimated)
{
	const struct model_gate *model = gates_find(gates, name);
	double tokens = model ? expect_input(&model->expect, estimated) : estimated;

	return (uint32_t)fmin(tokens, UINT32_MAX);
}

uint32_t
gates_expect_output(struct gates *gates, const char *name, int64_t max_tokens)
{
	const struct model_gate *model = gates_find(gates, name);
	struct expect unseen;

	expect_init(&unseen);
	return (uint32_t)fmin(expect_output(model ? &model->expect : &unseen, (double)max_tokens),
			      UINT32_MAX);
}
