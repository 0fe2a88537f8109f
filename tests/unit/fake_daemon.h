/*
 * fake_daemon.h - a daemon that is a script: a thread at the other end of a UNIX
 * socket that reads and writes frames as a test of libforebay says.
 */
#ifndef TESTS_UNIT_FAKE_DAEMON_H
#define TESTS_UNIT_FAKE_DAEMON_H

#include "client/forebay.h"
#include "protocol/frame.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake {
	char dir[32], path[64];
	int listener, fd;
	pthread_t thread;
	void (*script)(struct fake *fake);
	char keys[2][64];
	uint8_t *body; /* owned; of the request read last */
	size_t body_len;
	char json[4096]; /* of it */
	uint32_t stream; /* of it; fake_json() answers there */
	bool failed, joined;
};

void fake_start(struct fake *fake, void (*script)(struct fake *));
/* The script ends by itself; the client is closed before. What it has seen may be
 * looked at between the two. */
void fake_join(struct fake *fake);
void fake_stop(struct fake *fake);

/* --- for scripts --- */

/* Wait for a client and greet it; hangs up on the one before. */
void fake_accept(struct fake *fake);
/* The next whole request, CANCELs passed over; false when the client is gone. */
bool fake_request(struct fake *fake);
/* The idempotency key of it. */
void fake_key(struct fake *fake, char ret[static 64]);
/* One frame, judged by the protocol's own parser; bytes are malloc'd. */
bool fake_read(struct fake *fake, struct frame *ret, uint8_t **ret_bytes);
void fake_send(struct fake *fake, enum frame_type type, unsigned flags, uint32_t stream,
	       const void *payload, size_t len);
void fake_json(struct fake *fake, enum frame_type type, unsigned flags, const char *json);
/* Until the client hangs up. */
void fake_idle(struct fake *fake);

/* --- for tests --- */

struct forebay *open_to(struct fake *fake);
/* The next event, which has to be this one; LOST and BACK are passed over unless
 * wanted. */
struct forebay_event next(struct forebay *f, enum forebay_event_type want);

#endif
