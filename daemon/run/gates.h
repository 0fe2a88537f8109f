/*
 * gates.h - every gate a request must pass, together: its model's, its host's,
 * the key's, the server's rate limit of its bucket, and the configured pace.
 *
 * No clock, no loop: times are seconds on the monotonic clock (now), and what
 * is saved goes through a callback. The gates rule the pool; how long a
 * refused job rests is the runner's affair.
 */
#ifndef DAEMON_RUN_GATES_H
#define DAEMON_RUN_GATES_H

#include "daemon/base/config.h"
#include "daemon/claude/answer.h"
#include "daemon/gate/gate.h"
#include "daemon/gate/ratelimit.h"
#include "daemon/gate/weather.h"

struct gates;
struct model_gate;

/* One attempt's way through all of them. All zero: not taken. */
struct pass {
	struct model_gate *model; /* borrowed from gates while open */
	struct gate_ticket ticket, host_ticket;
	double taken_at;
	double estimated;		/* input tokens, by the bytes */
	double cost_input, cost_output; /* as charged when it was taken */
	struct ratelimit_charge charge;
	bool open;
	bool left;    /* it was on the wire */
	bool unheard; /* one of the few that go before a bucket has ever answered */
};

/* config is borrowed and may be replaced with gates_configure(). */
struct gates *gates_new(const struct config *config, double now);
void gates_free(struct gates *gates);
void gates_configure(struct gates *gates, const struct config *config, double now);

/*
 * May a request to model go? If not, *ret_when (if earlier than what stands
 * there) is when to ask again. *ret_probe: it would be the one that tries a
 * gate in the dark.
 *
 * Costs, here and below: cost_input is the estimate by the bytes as it is, and
 * cost_output the most the answer may have. What such requests turn out to cost
 * is learned in here, and is what they are charged with.
 */
bool gates_may_send(struct gates *gates, const char *model, double cost_input, double cost_output,
		    double now, double *ret_when, bool *ret_probe);
void gates_take(struct gates *gates, const char *model, double cost_input, double cost_output,
		double now, struct pass *pass);

/* How long a request to model would probably be kept waiting, in seconds: as
 * long again as its gate has been dark, what retry-after, the rate limit and the
 * pace say, the rest of its hour when it is unusable; 0 when nothing but its
 * turn keeps it. For choosing the next model of a chain. */
double gates_expected_wait(struct gates *gates, const char *model, double cost_input,
			   double cost_output, double now);
/* A request of job to model ended in a fault. Did other jobs meet one, too, since a
 * request last got through? Then it is the weather's, not the job's. */
bool gates_share_fault(struct gates *gates, const char *model, uint64_t job);
/* It has failed by its own faults: they say nothing about those that come. */
void gates_forget_fault(struct gates *gates, const char *model, uint64_t job);
/* When model last took a request, monotonic seconds; 0: never yet. */
double gates_accepted_at(struct gates *gates, const char *model);
/* Refused as a model (404, 403 for the model) less than an hour ago: a chain
 * goes past it. Its gate stays as it is: who wants no other model may ask. */
bool gates_is_unusable(struct gates *gates, const char *model, double now);

/* The request is on the wire; without this it ends as if never sent. */
void gates_left(struct gates *gates, struct pass *pass, double now);
/* The model has begun to work on it. */
void gates_accepted(struct gates *gates, struct pass *pass, double now);
void gates_quiet(struct gates *gates, struct pass *pass, double now);
void gates_stalled(struct gates *gates, struct pass *pass, double now);
double gates_quiet_after(const struct gates *gates, const struct pass *pass);
double gates_stalled_after(const struct gates *gates, const struct pass *pass);
/* anthropic-ratelimit-* of any answer. */
void gates_headers(struct gates *gates, struct pass *pass,
		   const struct answer_ratelimit limits[static ANSWER_LIMIT_COUNT], double now);

/* It was never sent: nothing is learned. Closes pass. */
void gates_unsent(struct gates *gates, struct pass *pass, double now);
/* It was given up (canceled): ends it without evidence. Closes pass. */
void gates_forgotten(struct gates *gates, struct pass *pass, double now);
/*
 * How it ended: the row's effect on every gate. NULL: a whole answer. Tokens as
 * the API counted them, 0 when it did not. resume_in: seconds until access
 * returns when the key's gate closes, INFINITY when nobody knows. Closes pass.
 */
void gates_ended(struct gates *gates, struct pass *pass, const struct answer *answer,
		 double input_tokens, double output_tokens, double resume_in, double now);

/* What such a request will probably be charged with: input tokens, from the
 * estimate by its bytes; output tokens, at most max_tokens (< 0: unknown). For
 * the books; the gates need to be told neither. */
uint32_t gates_expect_input(struct gates *gates, const char *model, uint32_t estimated);
uint32_t gates_expect_output(struct gates *gates, const char *model, int64_t max_tokens);

/* --- by hand and to look at ------------------------------------------------ */

/* target: a model, "key", "host" or "all"; until may be INFINITY. NOT_FOUND
 * for "batches", which has no gate yet. reason may be NULL. */
MUST_CHECK enum forebay_err gates_hold(struct gates *gates, const char *target, double until,
				       const char *reason);
/* NOT_ALLOWED: "key", when there is no key to send with. */
MUST_CHECK enum forebay_err gates_release(struct gates *gates, const char *target);

/* What is known of a key beside the one before: at a start it may be another. */
enum gates_key { GATES_KEY_SAME, GATES_KEY_PERHAPS_NEW, GATES_KEY_NEW };
/* There is no usable key: its gate is closed and says why. NULL: there is one
 * (again). Another one than before ends the refusal of that one, and its billing
 * pause when it is surely another. */
void gates_key_missing(struct gates *gates, const char *why, enum gates_key key);

struct gates_row {
	const char *name, *kind, *reason; /* kind: model, host, key; reason: "" none */
	const struct gate *gate;
	struct gate_view view;
	char words[GATE_DESCRIPTION_LEN];
};
/* Row i of all; false after the last. */
bool gates_row(struct gates *gates, size_t i, double now, struct gates_row *ret);
/* The row after this one (all zero: the first), its reason and words left out: for who looks
 * at all of them often. False after the last. */
bool gates_next(struct gates *gates, double now, struct gates_row *row);
/* Why a job for model waits, "claude-opus-5-5 dark 3m10s, next try in 3.4 s",
 * or "" when nothing holds it. Returns buf. */
const char *gates_words(struct gates *gates, const char *model, double now, char *buf, size_t len);

/* --- over a restart --------------------------------------------------------- */

typedef void gates_save_fn(const char *name, const char *text, void *arg);
/* Hand over what changed since the last call; call it once a second. */
void gates_save(struct gates *gates, double now, double wall_offset, gates_save_fn *fn, void *arg);
void gates_load(struct gates *gates, const char *name, const char *text, double now,
		double wall_offset);

#endif
