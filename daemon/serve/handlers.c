/*
 * handlers.c - the table of handlers, made from the table of verbs, and the
 * JSON that several of them share.
 */
#include "daemon/serve/handlers.h"

#include "daemon/base/clock.h"
#include "daemon/run/gates.h"
#include "daemon/store/store.h"

#include <math.h>
#include <unistd.h>

handler_fn *const handlers[FOREBAY_VERB_COUNT] = {
#define X(VERB, verb, who, help) [FOREBAY_VERB_##VERB] = handle_##verb,
	FOREBAY_VERBS(X)
#undef X
};

void
put_time(struct jsonput *put, const char *key, int64_t wall_ms)
{
	char text[CLOCK_TEXT_LEN];

	jsonput_member_string(put, key, wall_ms > 0 ? clock_text(wall_ms, text) : NULL);
}

static void
put_usage(struct jsonput *put, const struct store_result *result)
{
	jsonput_key(put, "usage");
	jsonput_object(put);
	jsonput_member_int(put, "input_tokens", (int64_t)result->input_tokens);
	jsonput_member_int(put, "output_tokens", (int64_t)result->output_tokens);
	jsonput_member_int(put, "cache_read_input_tokens", (int64_t)result->cache_read_tokens);
	jsonput_member_int(put, "cache_creation_input_tokens", (int64_t)result->cache_write_tokens);
	jsonput_end(put);
}

static void
put_if(struct jsonput *put, const char *key, const char *text)
{
	if (text)
		jsonput_member_string(put, key, text);
}

void
put_result(struct jsonput *put, const struct result_facts *facts)
{
	static const struct store_result none = { 0 };
	const struct store_result *result = facts->result ? facts->result : &none;

	jsonput_object(put);
	jsonput_member_int(put, "id", (int64_t)facts->id);
	jsonput_member_string(put, "state", forebay_job_state_name(facts->state));
	if (facts->state != FOREBAY_JOB_SUCCEEDED) {
		jsonput_member_string(put, "error", forebay_err_wire(facts->error));
		jsonput_member_string(put, "message",
				      result->message ? result->message
						      : forebay_err_text(facts->error));
	}
	jsonput_member_int(put, "http_status", result->http_status);
	put_if(put, "model_requested", facts->model);
	put_if(put, "model_served", result->model_served);
	put_if(put, "request_id", result->request_id);
	if (facts->state == FOREBAY_JOB_SUCCEEDED) {
		put_usage(put, result);
		put_if(put, "stop_reason", result->stop_reason);
	}
	if (result->unassembled)
		jsonput_member_bool(put, "unassembled", true);
	jsonput_member_int(put, "attempts", (int64_t)facts->attempts);
	jsonput_member_int(put, "tries", (int64_t)facts->tries);
	jsonput_member_int(put, "body_bytes", (int64_t)facts->body_len);
	put_time(put, "created", facts->created_ms);
	put_time(put, "ended", facts->ended_ms);
	jsonput_end(put);
}

static void
put_gate(struct jsonput *put, const struct gates_row *row, int64_t wall_ms)
{
	const struct gate_view *view = &row->view;

	jsonput_object(put);
	jsonput_member_string(put, "name", row->name);
	jsonput_member_string(put, "kind", row->kind);
	jsonput_member_string(put, "weather", gate_weather_name(view->weather));
	jsonput_member_string(put, "words", row->words);
	jsonput_member_int(put, "in_flight", view->in_flight);
	jsonput_member_int(put, "window", (int64_t)row->gate->window);
	jsonput_member_int(put, "level", view->level);
	jsonput_member_int(put, "slots", view->slots);
	jsonput_member_double(put, "refused_share", view->refused_share);
	if (view->weather == GATE_DARK)
		jsonput_member_int(put, "next_try_ms", (int64_t)(view->next_try_s * 1000));
	if (view->weather == GATE_HELD && isfinite(view->held_s))
		put_time(put, "held_until", wall_ms + (int64_t)(view->held_s * 1000));
	if (row->reason[0])
		jsonput_member_string(put, "reason", row->reason);
	jsonput_end(put);
}

void
put_gates(struct jsonput *put, struct server *server)
{
	struct gates *gates = runner_gates(server->runner);
	int64_t wall_ms = clock_wall_ms();
	double now = clock_mono();
	struct gates_row row;

	jsonput_key(put, "gates");
	jsonput_array(put);
	for (size_t i = 0; gates_row(gates, i, now, &row); i++)
		put_gate(put, &row, wall_ms);
	jsonput_end(put);
}

static void
put_queue(struct jsonput *put, const struct runner_counts *counts)
{
	jsonput_key(put, "queue");
	jsonput_object(put);
	for (int state = 0; state < FOREBAY_JOB_STATE_COUNT; state++)
		jsonput_member_int(put, forebay_job_state_name(state),
				   (int64_t)counts->jobs[state]);
	jsonput_end(put);
}

static void
put_key_and_disk(struct jsonput *put, struct server *server)
{
	uint64_t store_bytes, free_bytes;
	const char *why = "";
	char key[RUNNER_WHY_LEN];
	bool usable = server->events->key(key, sizeof(key), server->arg);
	bool writable = store_accepts(server->store, &why) == FOREBAY_ERR_OK;

	jsonput_key(put, "key");
	jsonput_object(put);
	jsonput_member_string(put, "fingerprint", usable ? key : NULL);
	jsonput_member_bool(put, "usable", usable);
	jsonput_member_string(put, "why", usable ? "" : key);
	jsonput_end(put);
	store_disk(server->store, &store_bytes, &free_bytes);
	jsonput_key(put, "disk");
	jsonput_object(put);
	jsonput_member_int(put, "store_bytes", (int64_t)store_bytes);
	jsonput_member_int(put, "free_bytes", (int64_t)free_bytes);
	jsonput_member_bool(put, "writable", writable);
	jsonput_member_string(put, "why", writable ? "" : why);
	jsonput_end(put);
}

void
put_status(struct jsonput *put, struct server *server)
{
	struct runner_counts counts;

	runner_count(server->runner, &counts);
	jsonput_member_string(put, "version", FOREBAY_VERSION);
	jsonput_member_int(put, "pid", getpid());
	jsonput_member_int(put, "uptime_ms", clock_wall_ms() - server->started_ms);
	put_time(put, "started", server->started_ms);
	put_queue(put, &counts);
	jsonput_member_int(put, "in_flight", counts.in_flight);
	jsonput_member_int(put, "workers", counts.workers);
	put_gates(put, server);
	put_key_and_disk(put, server);
	jsonput_member_bool(put, "draining", runner_is_draining(server->runner));
	jsonput_member_int(put, "connections", (int64_t)server_connections(server));
}
