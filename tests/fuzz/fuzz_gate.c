/*
 * fuzz_gate.c - random orders of events at a gate, its invariants checked after
 * each; and the record it is loaded from, as bytes of anybody.
 */
#include "daemon/gate/gate.h"
#include "daemon/gate/weather.h"
#include "tests/unit/gate_life.c"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* Whatever was read, the gate is within its bounds and may be saved again. */
static void
load_record(const uint8_t *data, size_t size)
{
	struct gate_config config;
	struct gate gate, again;
	char text[GATE_SAVE_LEN];
	double now = 1000.0, when;
	int len;

	gate_config_init(&config, 64, GATE_DEFAULT);
	(void)gate_load(&gate, &config, now, 1.7e9, (const char *)data, size);
	require(gate.level >= 1 && gate.level <= 64 && gate.window >= 2 && gate.window <= 32);
	require(gate.run >= 0 && gate.in_flight == 0 && gate.unanswered == 0);
	require(gate.next_at <= now + 10 && gate.run_since <= now);
	(void)gate_may_send(&gate, &config, now, &when);
	require(when >= now);
	gate_describe(&gate, &config, now, text, sizeof(text));
	require(strlen(text) < GATE_DESCRIPTION_LEN);
	len = gate_save(&gate, now, 1.7e9, text, sizeof(text));
	require(len > 0 && len < GATE_SAVE_LEN);
	require(gate_load(&again, &config, now, 1.7e9, text, (size_t)len));
	require(again.run == gate.run);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] == 's') /* "saved=" */
		load_record(data, size);
	else
		gate_life_play(data, size);
	return 0;
}
