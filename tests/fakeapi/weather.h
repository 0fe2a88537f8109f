/*
 * weather.h - the timeline of troubles and the decision about one request. Pure: the time (weather
 * seconds) and the dice come in as arguments. README.md describes the language.
 */
#ifndef FAKEAPI_WEATHER_H
#define FAKEAPI_WEATHER_H

#include "tests/fakeapi/climate.h"

enum bucket_name { BUCKET_REQUESTS, BUCKET_INPUT, BUCKET_OUTPUT, BUCKET_COUNT };

/* A token bucket with continuous refill. limit 0: not in force. */
struct bucket {
	double limit; /* a minute */
	double size;
	double level;
	double stamp;
};

/* What the weather knows of one model; embedded in struct model. */
struct place {
	struct climate climate; /* in force now, markers not included */
	unsigned generation;	/* of the weather the climate was made for */
	struct bucket buckets[BUCKET_COUNT];
	unsigned in_flight;
	double wander; /* of a noisy capacity, -1 to 1 */
	double wander_at;
	bool free; /* of an end point that is no model's: only rules that name it count */
};

struct verdict {
	const struct fault *fault; /* NULL: accepted, and nothing goes wrong */
	const char *cause;	   /* "chance", "cap", "rate", "marker", "check", "" */
	double retry_after;	   /* seconds, -1 for none */
};

struct weather;

/* Read a text of the weather language; NULL with a sentence in `why`. */
struct weather *weather_new(const char *text, uint64_t seed, char *why, size_t why_len);
void weather_free(struct weather *weather);

/* The first phase begins at this time. */
void weather_start(struct weather *weather, double now);

/* Lay words over whatever the timeline says, for models that match the pattern, until the weather
 * is replaced. */
MUST_CHECK bool weather_add(struct weather *weather, const char *text, char *why, size_t why_len);

/* Bring the place up to date: phase, climate, buckets. Call it before decide and before looking. */
void weather_settle(struct weather *weather, struct place *place, const char *model, double now);

/* Capacity now; negative for none. */
double weather_cap(const struct weather *weather, struct place *place, double now);

/* Decide about one request for a settled place. `climate` is the place's with the markers laid
 * over. An accepted request has been taken from the buckets but in_flight is the caller's to
 * count. */
void weather_decide(const struct weather *weather, struct place *place,
		    const struct climate *climate, struct dice *dice, double now,
		    double input_tokens, struct verdict *ret);

/* A request that is not for a model's answer (models, count_tokens): what is refused to all, but no
 * 529; then the 529 and the limits of its end point's own place, settled; NULL: it has none. */
void weather_decide_free(const struct climate *climate, struct place *own, struct dice *dice,
			 struct verdict *ret);

/* The number of the phase in force (0 first) and the text as given; borrowed. */
int weather_phase(const struct weather *weather);
const char *weather_text(const struct weather *weather);

#endif
