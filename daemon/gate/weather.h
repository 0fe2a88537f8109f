/*
 * weather.h - a gate in words a person understands, its holds by hand, and its
 * state as text for the disk. Pure, as the gate itself.
 */
#ifndef DAEMON_GATE_WEATHER_H
#define DAEMON_GATE_WEATHER_H

#include "daemon/gate/gate.h"

#include <stddef.h>

/* clang-format off */
/*	  weather   name       for people */
#define GATE_WEATHERS(X)                                                                           \
	X(OPEN,     "open",    "requests pass")                                                    \
	X(LIMITED,  "limited", "refused above some number in flight")                              \
	X(CHANCE,   "chance",  "a share of requests is refused")                                   \
	X(DARK,     "dark",    "everything is refused; one request at a time asks again")          \
	X(HELD,     "held",    "nothing is sent before a certain time")

/*	  why           text */
#define GATE_WHYS(X)                                                                               \
	X(NOTHING,      "")                                                                        \
	X(RATE_LIMIT,   "rate limit")                                                              \
	X(RETRY_AFTER,  "asked to wait")                                                           \
	X(HAND,         "by hand")                                                                 \
	X(KEY,          "the API key was refused")                                                 \
	X(BILLING,      "a spending limit or missing credit")
/* clang-format on */

#define GATE_WEATHER_ENUM(name, ...) GATE_##name,
enum gate_weather { GATE_WEATHERS(GATE_WEATHER_ENUM) GATE_WEATHER_COUNT };
#undef GATE_WEATHER_ENUM

#define GATE_WHY_ENUM(name, ...) GATE_WHY_##name,
enum gate_why { GATE_WHYS(GATE_WHY_ENUM) GATE_WHY_COUNT };
#undef GATE_WHY_ENUM

/* What there is to show of a gate. */
struct gate_view {
	enum gate_weather weather;
	enum gate_why why; /* of a held one */
	int level, slots;
	int in_flight;
	double refused_share; /* of the last twenty answers or so; 0 when they are old */
	double dark_s;	      /* how long it has been dark, else 0 */
	double next_try_s;    /* until the next try of a dark one; 0: any moment */
	double held_s;	      /* until a held one opens, maybe INFINITY */
};

void gate_look(const struct gate *gate, const struct gate_config *config, double now,
	       struct gate_view *ret);
enum gate_weather gate_weather_of(const struct gate *gate, const struct gate_config *config,
				  double now);
/* Both accept any int: "unknown". */
const char *gate_weather_name(int weather);
const char *gate_weather_text(int weather);
const char *gate_why_text(int why);

/* "open 64/64", "limited 40/64", "31 % refused by chance", "held 12 s (rate
 * limit)", "dark 3m10s, next try in 3.4 s". Returns buf; cut at len > 0. */
#define GATE_DESCRIPTION_LEN 96
char *gate_describe(const struct gate *gate, const struct gate_config *config, double now,
		    char *buf, size_t len);

/* Nothing is sent before until (INFINITY: before gate_release). */
void gate_hold(struct gate *gate, double until);
/* The same, not by hand: 401, 403, billing. */
void gate_close(struct gate *gate, double until, enum gate_why why);
/* Ends both, and a hold by the server too. */
void gate_release(struct gate *gate);

/*
 * What is written of a gate must make whoever reads it wait as long as we would:
 * in the dark, or while nothing has been accepted since gate_init or gate_load,
 * *gate becomes what it will be if none of its unanswered requests is accepted.
 * In any other weather it stays as it is. False: it stayed.
 */
bool gate_foresee(struct gate *gate, const struct gate_config *config, double now);

/* One line "key=value ...", without the newline. wall - now is wall_offset, so
 * that times survive on the wall clock. As snprintf: the length it takes. */
#define GATE_SAVE_LEN 1024
int gate_save(const struct gate *gate, double now, double wall_offset, char *buf, size_t len);

/* Initialises gate from what gate_save wrote; unknown keys and nonsense values
 * are skipped. False: it is a fresh gate, as there was nothing usable or it was
 * older than GATE_FORGET_S. Holds by hand are kept whatever their age. */
#define GATE_FORGET_S 600.0
bool gate_load(struct gate *gate, const struct gate_config *config, double now, double wall_offset,
	       const char *text, size_t len);

#endif
