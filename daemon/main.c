/*
 * main.c - forebayd's arguments.
 */
#include "daemon/base/log.h"
#include "daemon/daemon.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define MAX_SETS   64
#define HEAP_SLACK (1 << 20) /* bytes of free heap kept */

static const char usage[] =
    "usage: forebayd [options]\n"
    "  -c, --config FILE      read FILE (default /etc/forebay/forebayd.conf) and FILE.d/*.conf\n"
    "      --socket PATH      [daemon] socket\n"
    "      --state DIR        [daemon] state_dir\n"
    "      --upstream URL     [upstream] url\n"
    "      --set SECTION.KEY=VALUE   any key\n"
    "      --check-config     say what is wrong with the configuration, and end\n"
    "      --print-config     every key with its default, value and meaning, and end\n"
    "      --version          and end\n"
    "  -h, --help             this\n";

enum { OPT_SOCKET = 256, OPT_STATE, OPT_UPSTREAM, OPT_SET, OPT_CHECK, OPT_PRINT, OPT_VERSION };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "upstream", required_argument, NULL, OPT_UPSTREAM },
	{ "set", required_argument, NULL, OPT_SET },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "print-config", no_argument, NULL, OPT_PRINT },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	struct daemon_options options;
	const char *sets[MAX_SETS + 1];
	size_t set_count;
	bool check, print;
};

static void
add_set(struct arguments *arguments, const char *key, const char *value)
{
	char *set;

	if (arguments->set_count == MAX_SETS || asprintf(&set, "%s%s", key, value) < 0) {
		fprintf(stderr, "forebayd: more than %d settings on the command line\n", MAX_SETS);
		exit(2);
	}
	arguments->sets[arguments->set_count++] = set;
}

static void
parse(int argc, char **argv, struct arguments *ret)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->options.source.file = optarg;
			break;
		case OPT_SOCKET:
			add_set(ret, "daemon.socket=", optarg);
			break;
		case OPT_STATE:
			add_set(ret, "daemon.state_dir=", optarg);
			break;
		case OPT_UPSTREAM:
			add_set(ret, "upstream.url=", optarg);
			break;
		case OPT_SET:
			add_set(ret, "", optarg);
			break;
		case OPT_CHECK:
			ret->check = true;
			break;
		case OPT_PRINT:
			ret->print = true;
			break;
		case OPT_VERSION:
			puts("forebayd " FOREBAY_VERSION);
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "forebayd: unexpected argument \"%s\"\n%s", argv[optind], usage);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static struct arguments arguments;
	struct config *config;

	signal(SIGPIPE, SIG_IGN);
	/* Bodies come and go all the time: without these the heap is given back
	 * and taken again about once a job. */
	mallopt(M_TRIM_THRESHOLD, HEAP_SLACK);
	mallopt(M_TOP_PAD, HEAP_SLACK / 4);
	/* No core and no ptrace by others: the key is in memory. */
	prctl(PR_SET_DUMPABLE, 0);
	parse(argc, argv, &arguments);
	arguments.options.source.sets = arguments.sets;
	if (config_load(&arguments.options.source, stderr, &config))
		return 2;
	if (arguments.print)
		config_print(config, stdout);
	if (arguments.print || arguments.check) {
		config_free(config);
		return 0;
	}
	return daemon_run(&arguments.options, config);
}
