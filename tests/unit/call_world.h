/*
 * call_world.h - what every test of calls stands in: one loop, one server, one
 * key and the room under test.
 */
#ifndef TESTS_UNIT_CALL_WORLD_H
#define TESTS_UNIT_CALL_WORLD_H

#include "daemon/base/secret.h"
#include "daemon/net/curl_loop.h"
#include "tests/unit/call_server.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define PATIENCE_S 20 /* only a broken test waits so long */

/* One world a test: a loop, a server, the room under test. */
static struct world {
	struct event_base *base;
	struct server server;
	struct curl_loop *loop;
	struct secret *secret;
	struct curl_settings settings;
	char url[64];
	unsigned waiting; /* calls whose end the test still wants */
} world;

static inline void
run(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };

	event_base_loopexit(world.base, &patience);
	event_base_dispatch(world.base);
	assert_int_equal(world.waiting, 0);
	assert_int_equal(curl_loop_running(world.loop), 0);
}

static inline void
reconfigure(void)
{
	assert_int_equal(curl_loop_configure(world.loop, &world.settings), FOREBAY_ERR_OK);
}

static inline void
load_secret(const char *key)
{
	char why[256];

	unsetenv("CREDENTIALS_DIRECTORY");
	setenv("ANTHROPIC_API_KEY", key, 1);
	assert_int_equal(secret_load(NULL, SECRET_AUTH_BEARER, &world.secret, why, sizeof(why)),
			 FOREBAY_ERR_OK);
	world.settings.secret = world.secret;
}

static inline int
set_up(void **unused)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	(void)unused;
	world = (struct world){ .base = event_base_new() };
	server_start(&world.server, world.base, (struct sockaddr *)&address, len);
	assert_int_equal(getsockname(evconnlistener_get_fd(world.server.listener),
				     (struct sockaddr *)&address, &len),
			 0);
	snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	world.settings = (struct curl_settings){ .url = world.url,
						 .http = 11,
						 .connect_timeout_ms = 10000,
						 .first_byte_timeout_ms = 10000,
						 .idle_timeout_ms = 10000,
						 .lifetime_ms = 15000,
						 .max_answer = 1 << 20,
						 .max_transfers = 256 };
	load_secret("sk-ant-test-1");
	assert_int_equal(curl_loop_new(world.base, &world.settings, &world.loop), FOREBAY_ERR_OK);
	return 0;
}

static inline int
tear_down(void **unused)
{
	(void)unused;
	curl_loop_free(world.loop);
	server_stop(&world.server);
	secret_free(world.secret);
	event_base_free(world.base);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
