/*
 * owner.c - quotas of a uid; see owner.h.
 */
#include "daemon/job/owner.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_MS 86400000

static int64_t
minutes_to_midnight(int64_t wall_ms)
{
	return (DAY_MS - wall_ms % DAY_MS) / 60000 + 1;
}

/* Tokens are counted by UTC day: the count starts anew at midnight. */
static void
turn_day(struct owner *owner, int64_t wall_ms)
{
	int64_t day = wall_ms / DAY_MS;

	if (day != owner->day) {
		owner->day = day;
		owner->tokens_today = 0;
	}
}

enum forebay_err
owner_may_queue(struct owner *owner, uint64_t body_len, int64_t wall_ms, char *why, size_t why_len)
{
	const struct owner_limits *limits = &owner->limits;

	turn_day(owner, wall_ms);
	if (limits->queued_jobs && owner->pending >= limits->queued_jobs)
		snprintf(why, why_len,
			 "limit of %" PRIu64 " unfinished jobs reached; it frees when one of yours "
			 "ends",
			 limits->queued_jobs);
	else if (limits->queued_bytes && owner->bytes + body_len > limits->queued_bytes)
		snprintf(why, why_len,
			 "limit of %" PRIu64 " bytes of unfinished jobs: %" PRIu64
			 " are in use and this one has %" PRIu64 "; it frees as your jobs end",
			 limits->queued_bytes, owner->bytes, body_len);
	else if (limits->tokens_per_day && owner->tokens_today >= limits->tokens_per_day)
		snprintf(why, why_len,
			 "limit of %" PRIu64 " tokens a day is used up; it frees in %" PRId64
			 " min, at midnight UTC",
			 limits->tokens_per_day, minutes_to_midnight(wall_ms));
	else
		return FOREBAY_ERR_OK;
	return FOREBAY_ERR_OVER_QUOTA;
}

bool
owner_may_run(struct owner *owner, int64_t wall_ms)
{
	const struct owner_limits *limits = &owner->limits;

	turn_day(owner, wall_ms);
	return (!limits->running || owner->running < limits->running) &&
	       (!limits->tokens_per_day || owner->tokens_today < limits->tokens_per_day);
}

const char *
owner_waiting(struct owner *owner, int64_t wall_ms, char *buf, size_t len)
{
	const struct owner_limits *limits = &owner->limits;

	buf[0] = '\0';
	if (owner_may_run(owner, wall_ms))
		return buf;
	if (limits->running && owner->running >= limits->running)
		snprintf(buf, len,
			 "your limit of %" PRIu64 " running requests is reached; it frees when one "
			 "of yours ends",
			 limits->running);
	else
		snprintf(buf, len,
			 "your limit of %" PRIu64 " tokens a day is used up; it frees in %" PRId64
			 " min, at midnight UTC",
			 limits->tokens_per_day, minutes_to_midnight(wall_ms));
	return buf;
}

void
owner_charge(struct owner *owner, uint64_t tokens, int64_t wall_ms)
{
	turn_day(owner, wall_ms);
	owner->tokens_today += tokens;
	owner->tokens += tokens;
}
