/*
 * arguments.c - the command line; see arguments.h. Long options may be written
 * --name=value, short ones -nVALUE and together; "--" ends them.
 */
#include "client/arguments.h"

#include "client/commands.h"
#include "client/times.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	struct arguments *arguments;
	const struct command *command; /* NULL until its name came */
	char **argv;
	int argc, i;
	bool ended; /* by -- */
};

void
arguments_init(struct arguments *arguments)
{
	*arguments =
	    (struct arguments){ .timeout_ms = -1, .interval_ms = -1, .job_class = -1, .rows = 100 };
	/* The verb is set by the command; the members start alike for all. */
	request_init(&arguments->request, FOREBAY_VERB_SUBMIT);
}

static void
free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void
arguments_clear(struct arguments *arguments)
{
	request_clear(&arguments->request);
	free(arguments->words);
	free(arguments->socket);
	free(arguments->system);
	free(arguments->output);
	free(arguments->http_socket);
	free(arguments->tcp);
	free(arguments->token_file);
	free_list(arguments->files);
}

PRINTF_LIKE(2, 3)
static bool
complain(const struct cursor *cursor, const char *fmt, ...)
{
	va_list args;

	fputs("forebay", stderr);
	if (cursor->command)
		fprintf(stderr, " %s", cursor->command->name);
	fputs(": ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "; see: forebay help%s%s\n", cursor->command ? " " : "",
		cursor->command ? cursor->command->name : "");
	return false;
}

/* --- values ------------------------------------------------------------------- */

static bool
set_text(char **ret, const char *text, size_t len)
{
	free(*ret);
	*ret = strndup(text, len);
	return *ret != NULL;
}

static bool
add_text(char ***list, const char *text, size_t len)
{
	size_t count = 0;
	char **grown;

	while (*list && (*list)[count])
		count++;
	grown = realloc(*list, (count + 2) * sizeof(*grown));
	if (!grown)
		return false;
	*list = grown;
	grown[count] = strndup(text, len);
	grown[count + 1] = NULL;
	return grown[count] != NULL;
}

static bool
add_texts(char ***list, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ",");

		if (len > 0 && !add_text(list, text, len))
			return false;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

static bool
parse_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return end != text && !*end && !errno && *ret >= min && *ret <= max;
}

static bool
set_word(const struct forebay_words *words, const char *text, int *ret)
{
	*ret = forebay_word_find(words, text);
	return *ret >= 0;
}

static bool
set_state(const char *text, int *ret)
{
	enum forebay_job_state state;

	if (!forebay_job_state_from_name(text, &state))
		return false;
	*ret = state;
	return true;
}

static bool
set_when(const char *text, int *ret)
{
	static const char *const words[] = { "auto", "always", "never" };
	static const struct forebay_words list = { words, ARRAY_LEN(words) };

	return set_word(&list, text, ret);
}

static bool
set_shell(const char *text, int *ret)
{
	static const char *const words[] = { "sh", "fish", "csh" };
	static const struct forebay_words list = { words, ARRAY_LEN(words) };

	return set_word(&list, text, ret);
}

static bool
set_chain(struct request *request, const char *text)
{
	return strchr(text, ',') ? add_texts(&request->chain_models, text)
				 : set_text(&request->chain, text, strlen(text));
}

static bool
set_time(enum option_kind kind, const char *text, int64_t *ret)
{
	int64_t now_ms = times_wall_ms();

	if (!times_parse_when(text, now_ms, kind == OPTION_SINCE, ret))
		return false;
	if (kind == OPTION_UNTIL)
		*ret -= now_ms;
	return *ret > 0;
}

/* What would have been right. */
static const char *
expected(enum option_kind kind)
{
	switch (kind) {
	case OPTION_NUMBER:
		return "a whole number";
	case OPTION_PRIORITY:
		return "a whole number from -100 to 100";
	case OPTION_DURATION:
		return "a duration such as 90s, 2h or 1h30m";
	case OPTION_UNTIL:
	case OPTION_TIME:
	case OPTION_SINCE:
		return "a time such as 90s, 2h, 07:30 or 2026-11-24T07:30:00Z";
	case OPTION_CLASS:
		return "interactive, normal or patient";
	case OPTION_BATCH:
		return "never, allow or only";
	case OPTION_TRANSPORT:
		return "default, stream or plain";
	case OPTION_STATE:
		return "queued, delayed, running, batched, succeeded, failed, canceled or expired";
	case OPTION_WHEN:
		return "auto, always or never";
	case OPTION_SHELL:
		return "sh (also for bash and zsh), fish or csh";
	default:
		return "a text";
	}
}

static bool
set_option(struct arguments *arguments, const struct command_option *option, const char *text)
{
	void *member = (char *)arguments + option->offset;
	int64_t number = 0;

	switch (option->kind) {
	case OPTION_FLAG:
		*(bool *)member = true;
		return true;
	case OPTION_TEXT:
		return set_text(member, text, strlen(text));
	case OPTION_LIST:
		return add_texts(member, text);
	case OPTION_FILE:
		return add_text(member, text, strlen(text));
	case OPTION_NUMBER:
		if (!parse_number(text, 0, INT64_MAX, &number))
			return false;
		*(uint64_t *)member = (uint64_t)number;
		return true;
	case OPTION_PRIORITY:
		return parse_number(text, -100, 100, member);
	case OPTION_DURATION:
		return times_parse_duration(text, member);
	case OPTION_UNTIL:
	case OPTION_TIME:
	case OPTION_SINCE:
		return set_time(option->kind, text, member);
	case OPTION_CHAIN:
		return set_chain(&arguments->request, text);
	case OPTION_CLASS:
		return set_word(&forebay_classes, text, member);
	case OPTION_BATCH:
		return set_word(&forebay_batch_modes, text, member);
	case OPTION_TRANSPORT:
		return set_word(&forebay_transports, text, member);
	case OPTION_STATE:
		return set_state(text, member);
	case OPTION_WHEN:
		return set_when(text, member);
	case OPTION_SHELL:
		return set_shell(text, member);
	}
	return false;
}

/* --- the line ------------------------------------------------------------------ */

static const struct command_option *
find_in(const struct command_option *options, const char *name, size_t len, char letter)
{
	for (; options && options->name; options++)
		if (name ? strlen(options->name) == len && strncmp(options->name, name, len) == 0
			 : options->letter == letter)
			return options;
	return NULL;
}

static const struct command_option *
find_option(const struct cursor *cursor, const char *name, size_t len, char letter)
{
	const struct command_option *option = NULL;

	if (cursor->command)
		option = find_in(cursor->command->options, name, len, letter);
	return option ? option : find_in(global_options, name, len, letter);
}

/* text: what stands behind the option in the same word, or NULL. */
static bool
take_value(struct cursor *cursor, const struct command_option *option, const char *text)
{
	if (!text && cursor->i + 1 >= cursor->argc)
		return complain(cursor, "--%s wants %s", option->name, expected(option->kind));
	if (!text)
		text = cursor->argv[++cursor->i];
	if (set_option(cursor->arguments, option, text))
		return true;
	return complain(cursor, "--%s %s: expected %s", option->name, text, expected(option->kind));
}

static bool
take_long(struct cursor *cursor, const char *word)
{
	size_t len = strcspn(word, "=");
	const char *text = word[len] ? word + len + 1 : NULL;
	const struct command_option *option = find_option(cursor, word, len, 0);

	if (!option)
		return complain(cursor, "unknown option --%.*s", (int)len, word);
	if (option->argument)
		return take_value(cursor, option, text);
	if (text)
		return complain(cursor, "--%s takes no value", option->name);
	return set_option(cursor->arguments, option, NULL);
}

static bool
take_short(struct cursor *cursor, const char *letters)
{
	for (; *letters; letters++) {
		const struct command_option *option = find_option(cursor, NULL, 0, *letters);

		if (!option)
			return complain(cursor, "unknown option -%c", *letters);
		if (option->argument)
			return take_value(cursor, option, letters[1] ? letters + 1 : NULL);
		if (!set_option(cursor->arguments, option, NULL))
			return false;
	}
	return true;
}

static bool
take_word(struct cursor *cursor, char *word)
{
	struct arguments *arguments = cursor->arguments;

	if (cursor->command) {
		arguments->words[arguments->word_count++] = word;
		/* What follows is that program's. */
		cursor->ended |= cursor->command->runs;
		return true;
	}
	cursor->command = commands_find(word);
	return cursor->command || complain(cursor, "unknown command %s", word);
}

static bool
take(struct cursor *cursor, char *word)
{
	if (cursor->ended || word[0] != '-' || !word[1])
		return take_word(cursor, word);
	if (strcmp(word, "--") == 0) {
		cursor->ended = true;
		return true;
	}
	return word[1] == '-' ? take_long(cursor, word + 2) : take_short(cursor, word + 1);
}

static bool
check_words(const struct cursor *cursor)
{
	const struct command *command = cursor->command;
	int count = cursor->arguments->word_count;

	if (!command || cursor->arguments->help)
		return true;
	if (count < command->min)
		return complain(cursor, "%s is missing", command->words);
	if (command->max >= 0 && count > command->max)
		return complain(cursor, "unexpected %s", cursor->arguments->words[command->max]);
	return true;
}

bool
arguments_parse(struct arguments *arguments, int argc, char **argv, const struct command **ret)
{
	struct cursor cursor = { .arguments = arguments, .argv = argv, .argc = argc };

	*ret = NULL;
	arguments->words = calloc((size_t)argc + 1, sizeof(char *));
	if (!arguments->words)
		return complain(&cursor, "out of memory");
	for (cursor.i = 1; cursor.i < argc; cursor.i++) {
		bool taken = take(&cursor, argv[cursor.i]);

		*ret = cursor.command;
		if (!taken)
			return false;
	}
	return check_words(&cursor);
}
