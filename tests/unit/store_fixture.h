/*
 * store_fixture.h - a store in a directory of its own, and a loop that is driven
 * until an answer is there, with a deadline. For tests/unit/test_store*.c.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "daemon/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#define PATIENCE_S 20

struct fixture {
	char dir[64];
	struct event_base *base;
	struct event *deadline;
	struct store *store;
	struct store_config config;
	char why[512];
	int writable_calls, broken_calls; /* what the events said */
	bool writable;
	char event_why[256];
	bool late; /* the deadline passed */
};

static inline void
fixture_on_writable(bool writable, const char *why, void *arg)
{
	struct fixture *f = arg;

	f->writable_calls++;
	f->writable = writable;
	snprintf(f->event_why, sizeof(f->event_why), "%s", why);
}

static inline void
fixture_on_broken(const char *why, void *arg)
{
	struct fixture *f = arg;

	f->broken_calls++;
	snprintf(f->event_why, sizeof(f->event_why), "%s", why);
}

static const struct store_events fixture_events = { fixture_on_writable, fixture_on_broken };

static inline void
fixture_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	f->late = true;
	event_base_loopbreak(f->base);
}

static inline enum forebay_err
fixture_try_open(struct fixture *f)
{
	f->why[0] = '\0';
	return store_open(&f->config, f->base, &fixture_events, f, &f->store, f->why,
			  sizeof(f->why));
}

static inline void
fixture_open(struct fixture *f)
{
	enum forebay_err err = fixture_try_open(f);

	if (err)
		fail_msg("store_open: %s: %s", forebay_err_wire(err), f->why);
}

static inline void
fixture_close(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static inline void
fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static inline void
fixture_make(struct fixture *f)
{
	*f = (struct fixture){ .writable = true };
	/* In memory where there is such a file system: what is tested is not the disk. */
	snprintf(f->dir, sizeof(f->dir), "%s/forebay-store-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	f->base = event_base_new();
	assert_non_null(f->base);
	f->deadline = event_new(f->base, -1, 0, fixture_on_deadline, f);
	f->config = (struct store_config){ .dir = f->dir, .now_ms = 1795513868000 };
}

static inline void
fixture_path(const struct fixture *f, const char *name, char *ret, size_t len)
{
	snprintf(ret, len, "%s/%s", f->dir, name);
}

static inline void
fixture_free(struct fixture *f)
{
	char remove[128];

	store_close(f->store);
	event_free(f->deadline);
	event_base_free(f->base);
	snprintf(remove, sizeof(remove), "rm -rf '%s'", f->dir);
	assert_int_equal(system(remove), 0);
}

/* setup and teardown for cmocka: a fresh open store for each test. */
static inline int
fixture_setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f);
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	fixture_free(*state);
	free(*state);
	return 0;
}

#endif
