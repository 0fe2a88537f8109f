/*
 * live.h - the raw event streams of running answers, each in memory once;
 * every follower reads from its own offset. Bounded over all jobs: what does
 * not fit is lost for followers, never for the job.
 */
#ifndef DAEMON_RUN_LIVE_H
#define DAEMON_RUN_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live;

struct live *live_new(uint64_t max_bytes);
void live_free(struct live *live);
void live_resize(struct live *live, uint64_t max_bytes);

/* A new attempt of the job: what was kept of an earlier one is gone. */
void live_begin(struct live *live, uint64_t id, unsigned attempt);
/* False when it is lost, from now on (told once) or before. */
bool live_append(struct live *live, uint64_t id, const uint8_t *bytes, size_t len);
void live_end(struct live *live, uint64_t id);

enum live_state { LIVE_NONE, LIVE_RUNNING, LIVE_LOST };
/* What is kept of the running attempt: its number, all its bytes so far
 * (borrowed until the next call that is no read). */
enum live_state live_look(const struct live *live, uint64_t id, unsigned *ret_attempt,
			  const uint8_t **ret_bytes, size_t *ret_len);

#endif
