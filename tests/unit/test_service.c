/*
 * test_service.c - what a service manager hears, from a socket of our own in
 * its place.
 */
#include "daemon/base/service.h"

#include "daemon/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int manager;

static const char *
heard(void)
{
	static char text[1024];
	ssize_t len = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void
states_are_told(void **unused)
{
	const char *text;

	(void)unused;
	service_ready();
	assert_string_equal(heard(), "READY=1");
	service_reloading();
	text = heard();
	assert_int_equal(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	/* Microseconds of this boot: more digits than milliseconds would have. */
	assert_true(strtoll(text + 27, NULL, 10) > 1000000);
	service_stopping();
	assert_string_equal(heard(), "STOPPING=1");
	service_extend_timeout(1500);
	assert_string_equal(heard(), "EXTEND_TIMEOUT_USEC=1500000");
	service_alive();
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_string_equal(heard(), "");
}

static void
a_status_is_told_when_it_changes(void **unused)
{
	(void)unused;
	service_status("%d queued", 3);
	assert_string_equal(heard(), "STATUS=3 queued");
	service_status("%d queued", 3);
	assert_string_equal(heard(), "");
	service_status("a\nREADY=1");
	assert_string_equal(heard(), "STATUS=a READY=1");
}

/* Its queue is full after a few: we neither wait nor lose what matters. */
static void
a_deaf_manager_stops_nothing(void **unused)
{
	bool stopping = false, status = false;

	(void)unused;
	alarm(10); /* whoever waits is killed */
	for (int i = 0; i < 2000; i++)
		service_status("%d queued", i);
	service_stopping();
	service_status("the last");
	alarm(0);
	while (heard()[0])
		continue;
	/* It reads again: what is owed comes with the next word. */
	service_status("the last");
	for (const char *text; (text = heard())[0];) {
		stopping |= strcmp(text, "STOPPING=1") == 0;
		status |= strcmp(text, "STATUS=the last") == 0;
	}
	assert_true(stopping);
	assert_true(status);
}

static void
the_watchdog_is_fed_twice_within_its_limit(void **unused)
{
	char pid[16];

	(void)unused;
	assert_int_equal(service_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(service_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(service_watchdog_ms(), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "2", 1);
	assert_int_equal(service_watchdog_ms(), 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* As PID 1 passes them: from 3 on, named by a variable. */
static void
sockets_are_found_by_name(void **unused)
{
	int fds[4], found[4];
	char pid[16];

	(void)unused;
	fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[1] = open("/dev/null", O_RDONLY);
	fds[2] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[3] = socket(AF_UNIX, SOCK_STREAM, 0);
	for (int i = 0; i < 4; i++) {
		struct sockaddr_un any = { .sun_family = AF_UNIX };

		if (i == 0 || i == 3)
			assert_int_equal(bind(fds[i], (void *)&any, sizeof(sa_family_t)), 0);
		if (i == 0 || i == 3)
			assert_int_equal(listen(fds[i], 1), 0);
		fds[i] = fcntl(fds[i], F_DUPFD, 20);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(dup2(fds[i], 3 + i), 3 + i);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "4", 1);
	setenv("LISTEN_FDNAMES", "forebay:proc:forebay:admin", 1);

	assert_int_equal(service_sockets("forebay", found, 4), 1); /* 5 does not listen */
	assert_int_equal(found[0], 3);
	assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
	assert_null(getenv("LISTEN_FDS"));
	assert_int_equal(service_sockets("admin", found, 4), 1);
	assert_int_equal(found[0], 6);
	assert_int_equal(service_sockets("admin", found, 0), 0);
	assert_int_equal(service_sockets("proc", found, 4), 0);
	assert_int_equal(service_sockets("http", found, 4), 0);
	assert_int_equal(service_descriptor("proc"), 4);
	assert_int_equal(service_descriptor("other"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_are_told),
		cmocka_unit_test(a_status_is_told_when_it_changes),
		cmocka_unit_test(a_deaf_manager_stops_nothing),
		cmocka_unit_test(the_watchdog_is_fed_twice_within_its_limit),
		cmocka_unit_test(sockets_are_found_by_name),
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64];

	snprintf(name, sizeof(name), "@forebay-test-service-%d", (int)getpid());
	strcpy(address.sun_path, name);
	address.sun_path[0] = '\0';
	manager = fcntl(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), F_DUPFD, 10);
	if (bind(manager, (void *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) != 0)
		return 1;
	setenv("NOTIFY_SOCKET", name, 1);
	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
