/*
 * test_peer.c - who is at the other end, on this kernel and on older ones: the
 * newer socket options can be refused here as an old kernel would.
 */
#include "daemon/base/peer.h"

#include "daemon/base/log.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* This program's own takes the C library's place. */
static int refused_option;
static int refused_with;

int
getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	if (level == SOL_SOCKET && option == refused_option) {
		errno = refused_with;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, option, value, len);
}

static bool
kernel_has_peer_pidfd(void)
{
	int fds[2], pidfd = -1;
	socklen_t len = sizeof(pidfd);
	bool has;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	has = getsockopt(fds[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0;
	if (has)
		close(pidfd);
	close(fds[0]);
	close(fds[1]);
	return has;
}

/* --- text ------------------------------------------------------------------- */

static void
units_in_proc_cgroup(void **unused)
{
	static const struct {
		const char *cgroup, *unit;
	} rows[] = {
		{ "0::/system.slice/c-alice.service\n", "c-alice.service" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/c-user.service\n",
		  "c-user.service" },
		{ "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope" },
		{ "0::/system.slice/foo.service/payload/deeper\n", "foo.service" },
		{ "0::/system.slice/gone.service (deleted)\n", "gone.service" },
		{ "0::/system.slice/gone.service (deleted)", "gone.service" },
		{ "0::/system.slice/getty@tty1\\x2d.service\n", "getty@tty1\\x2d.service" },
		{ "0::/system.slice/_cpu.service\n", "cpu.service" },
		{ "0::/a.slice/evil\033[31m\".service\n", "evil??31m?.service" },
		{ "0::/system.slice\n", "" },
		{ "0::/\n", "" },
		{ "0::/.service\n", "" },
		{ "0::", "" },
		{ "", "" },
		{ "\n\n", "" },
		/* hybrid and old hierarchies */
		{ "4:memory:/docker/x.scope\n1:name=systemd:/system.slice/a.service\n",
		  "a.service" },
		{ "1:name=systemd:/system.slice/a.service\n0::/\n", "a.service" },
		{ "1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n",
		  "b.service" },
		{ "4:memory:/docker/x.scope\n", "" },
	};
	char unit[PEER_UNIT_LEN];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peer_unit_of_cgroup(rows[i].cgroup, unit, sizeof(unit));
		assert_string_equal(unit, rows[i].unit);
	}
	peer_unit_of_cgroup("0::/system.slice/long-name.service\n", unit, 5);
	assert_string_equal(unit, "long");
}

/* --- this process ----------------------------------------------------------- */

static void
peer_of_self(struct peer *ret)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(peer_of(fds[0], ret), FOREBAY_ERR_OK);
	close(fds[0]);
	close(fds[1]);
}

static void
we_are_who_we_are(void **unused)
{
	gid_t groups[1024];
	int count = getgroups(1024, groups);
	struct peer peer;

	(void)unused;
	peer_of_self(&peer);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.group_count, count < PEER_MAX_GROUPS ? count : PEER_MAX_GROUPS);
	for (unsigned i = 0; i < peer.group_count; i++)
		assert_true(peer_in_group(&peer, peer.groups[i]));
	assert_true(peer_in_group(&peer, getegid()));
	assert_false(peer_in_group(&peer, 4294967000u));
	assert_int_equal(peer.unit_verified, kernel_has_peer_pidfd());
}

static void
an_old_kernel_leaves_the_unit_unverified(void **unused)
{
	struct peer peer, old;

	(void)unused;
	peer_of_self(&peer);
	refused_option = SO_PEERPIDFD;
	refused_with = ENOPROTOOPT;
	peer_of_self(&old);
	assert_false(old.unit_verified);
	assert_string_equal(old.unit, peer.unit);
	assert_int_equal(old.uid, geteuid());

	/* A peer that was reaped before we asked: nothing may be said of its pid. */
	refused_with = EINVAL;
	peer_of_self(&old);
	assert_false(old.unit_verified);
	assert_string_equal(old.unit, "");
	refused_option = 0;
}

static void
without_credentials_there_is_no_peer(void **unused)
{
	struct peer peer;
	int fds[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	refused_with = EIO;
	refused_option = SO_PEERCRED;
	assert_int_equal(peer_of(fds[0], &peer), FOREBAY_ERR_INTERNAL);
	refused_option = SO_PEERGROUPS;
	assert_int_equal(peer_of(fds[0], &peer), FOREBAY_ERR_INTERNAL);
	refused_option = 0;
	close(fds[0]);
	close(fds[1]);
}

static void
many_groups_are_cut_at_the_maximum(void **unused)
{
	enum { MANY = 200 };
	int status;
	pid_t child;

	(void)unused;
	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0) {
		gid_t groups[MANY];
		struct peer peer;
		int fds[2];

		for (int i = 0; i < MANY; i++)
			groups[i] = (gid_t)(5000 + i);
		if (setgroups(MANY, groups) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
			_exit(2);
		if (peer_of(fds[0], &peer) || peer.group_count != PEER_MAX_GROUPS)
			_exit(3);
		_exit(peer_in_group(&peer, 5000 + PEER_MAX_GROUPS - 1) ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- a client in a unit of its own ------------------------------------------ */

static char unit_dir[160];
static char unit_name[64];

/* A cgroup with a unit's name; false where we may not make one. */
static bool
make_unit(void)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	snprintf(unit_name, sizeof(unit_name), "forebay-test-%d.service", (int)getpid());
	for (size_t i = 0; i < 2; i++) {
		snprintf(unit_dir, sizeof(unit_dir), "%s/cgroup.procs", roots[i]);
		if (access(unit_dir, W_OK) != 0)
			continue;
		snprintf(unit_dir, sizeof(unit_dir), "%s/%s", roots[i], unit_name);
		return mkdir(unit_dir, 0755) == 0;
	}
	return false;
}

/* The kernel may still be busy with the last process for a moment. */
static void
remove_unit(void)
{
	int tries = 0;

	while (rmdir(unit_dir) != 0) {
		assert_int_equal(errno, EBUSY);
		assert_true(tries++ < 1000);
		poll(NULL, 0, 1);
	}
}

struct client {
	pid_t pid;
	int fd;	  /* our end of its connection */
	int hold; /* it stays until this is closed */
};

/* Enter the unit, connect, stay. */
static void
be_client(const struct sockaddr_un *address, int hold)
{
	char path[200], byte;
	FILE *procs;
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", unit_dir);
	procs = fopen(path, "w");
	if (!procs || fprintf(procs, "0\n") < 0 || fclose(procs) != 0)
		_exit(2);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		_exit(3);
	_exit(read(hold, &byte, 1) == 0 ? 0 : 4);
}

static void
client_start(struct client *client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), hold[2];

	/* An abstract name: nothing to clean up. */
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", unit_name);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(pipe(hold), 0);
	client->pid = fork();
	if (client->pid == 0) {
		close(hold[1]);
		be_client(&address, hold[0]);
	}
	close(hold[0]);
	client->hold = hold[1];
	client->fd = accept(listener, NULL, NULL);
	assert_true(client->fd >= 0);
	close(listener);
}

static void
client_leave(struct client *client)
{
	int status;

	close(client->hold);
	assert_int_equal(waitpid(client->pid, &status, 0), client->pid);
	assert_int_equal(status, 0);
}

static bool
kernel_remembers_the_gone(void)
{
	int major, minor;
	FILE *in = fopen("/proc/sys/kernel/osrelease", "r");
	bool remembers;

	if (!in)
		return false;
	remembers =
	    fscanf(in, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 16));
	fclose(in);
	return remembers;
}

static void
expect_unit(const struct client *client, const char *unit, bool verified)
{
	struct peer peer;

	assert_int_equal(peer_of(client->fd, &peer), FOREBAY_ERR_OK);
	assert_int_equal(peer.pid, client->pid);
	assert_string_equal(peer.unit, unit);
	assert_int_equal(peer.unit_verified, verified);
}

static void
a_client_is_known_by_its_unit(void **unused)
{
	struct client client;

	(void)unused;
	if (!kernel_has_peer_pidfd() || !make_unit())
		skip();
	client_start(&client);
	/* As an old kernel first, which leaves nothing behind that could be known. */
	refused_option = SO_PEERPIDFD;
	refused_with = ENOPROTOOPT;
	expect_unit(&client, unit_name, false);
	refused_option = 0;
	client_leave(&client);

	if (kernel_remembers_the_gone()) {
		expect_unit(&client, unit_name, true); /* by searching */
		expect_unit(&client, unit_name, true); /* as known */
	} else {
		expect_unit(&client, "", false);
	}
	close(client.fd);

	client_start(&client);
	expect_unit(&client, unit_name, true);
	client_leave(&client);
	/* The number of a cgroup that is gone is not believed any more. */
	remove_unit();
	expect_unit(&client, "", false);
	close(client.fd);
}

static void
names_of_users(void **unused)
{
	char name[64], small[3];

	(void)unused;
	assert_string_equal(peer_user_name(0, name, sizeof(name)), "root");
	assert_string_equal(peer_user_name(0, name, sizeof(name)), "root");
	/* 64 apart share a place in the cache; none may get the other's name. */
	assert_string_equal(peer_user_name(4000000000u, name, sizeof(name)), "4000000000");
	assert_string_equal(peer_user_name(64 * 62500000u, name, sizeof(name)), "4000000000");
	assert_string_equal(peer_user_name(4000000064u, name, sizeof(name)), "4000000064");
	assert_string_equal(peer_user_name(0, name, sizeof(name)), "root");
	assert_string_equal(peer_user_name(0, small, sizeof(small)), "ro");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_in_proc_cgroup),
		cmocka_unit_test(we_are_who_we_are),
		cmocka_unit_test(an_old_kernel_leaves_the_unit_unverified),
		cmocka_unit_test(without_credentials_there_is_no_peer),
		cmocka_unit_test(many_groups_are_cut_at_the_maximum),
		cmocka_unit_test(a_client_is_known_by_its_unit),
		cmocka_unit_test(names_of_users),
	};

	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
