/*
 * arguments.h - a command line, read by the command's own table of options.
 */
#ifndef CLIENT_ARGUMENTS_H
#define CLIENT_ARGUMENTS_H

#include "client/output.h"
#include "protocol/base.h"
#include "protocol/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every option of every command. Members start as request_init() and {0} say. */
struct arguments {
	struct request request; /* what goes to the daemon as it is */
	char **words;		/* owned array of borrowed words: what is no option */
	int word_count;
	/* global */
	char *socket; /* owned, as all texts */
	int color;    /* enum output_when */
	bool json, quiet, verbose, no_header, help, version;
	/* of commands */
	char *system, *output;
	char **files; /* NULL-terminated */
	uint64_t max_tokens;
	int job_class; /* -1: not given */
	uint64_t rows;
	int64_t timeout_ms;  /* -1: none */
	int64_t interval_ms; /* -1: not given */
	char *http_socket, *tcp, *token_file;
	int shell; /* enum shell */
	bool detach, no_stream, raw, text, jsonl, wait, result, watch, yes, events;
};

enum option_kind {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_LIST,	 /* again, or with commas */
	OPTION_FILE,	 /* again */
	OPTION_NUMBER,	 /* uint64_t */
	OPTION_PRIORITY, /* int64_t */
	OPTION_DURATION, /* int64_t ms */
	OPTION_UNTIL,	 /* a time to come, as ms from now */
	OPTION_TIME,	 /* a time to come, as ms since 1970 */
	OPTION_SINCE,	 /* a time gone by, as ms since 1970 */
	OPTION_CHAIN,	 /* a name, or models with commas */
	OPTION_CLASS,
	OPTION_BATCH,
	OPTION_TRANSPORT,
	OPTION_STATE,
	OPTION_WHEN,  /* auto always never */
	OPTION_SHELL, /* sh fish csh */
};

struct command_option {
	char letter;	  /* 0: none */
	const char *name; /* without dashes; NULL ends a table */
	enum option_kind kind;
	size_t offset;	      /* in struct arguments */
	const char *argument; /* for the usage; NULL: a flag */
	const char *help;
};

struct command;

void arguments_init(struct arguments *arguments);
void arguments_clear(struct arguments *arguments);

/*
 * Read argv: global options, the command's name, its options and words in any
 * order. The command, or NULL when there is none (only global options). False:
 * something is wrong, and has been said; the command is there if its name came.
 */
MUST_CHECK bool arguments_parse(struct arguments *arguments, int argc, char **argv,
				const struct command **ret);

#endif
