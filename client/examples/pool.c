/*
 * pool.c - many jobs at once in a poll loop of one's own.
 *
 *	pool <prompts.jsonl
 *
 * One Messages request a line. Each answer is printed as soon as it is there, behind
 * the number of its line; what failed goes to stderr. Standard input is read in the
 * same loop, as the descriptor of any other library would be.
 */
#include <forebay.h>
#include <forebay_loop.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 256 /* under way at a time */

struct pool {
	struct forebay *f;
	char *line; /* what has come of it */
	size_t len, size, lines;
	int failed;
	bool at_end;
};

struct job {
	struct pool *pool;
	size_t line;
	FILE *out; /* into text */
	char *text;
	size_t len;
};

static void
on_text(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct job *job = arg;

	(void)f;
	fwrite(event->data, 1, event->len, job->out);
}

/* Another attempt is made: what came of the last one is void. */
static void
on_restart(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct job *job = arg;

	(void)f;
	(void)event;
	rewind(job->out);
}

static void
job_free(struct job *job)
{
	fclose(job->out);
	free(job->text);
	free(job);
}

static void
on_done(struct forebay *f, const struct forebay_event *event, void *arg)
{
	struct job *job = arg;

	fflush(job->out);
	if (event->error) {
		job->pool->failed++;
		fprintf(stderr, "%zu\t%s: %s\n", job->line, forebay_error_name(event->error),
			forebay_message(f));
	} else {
		printf("%zu\t%.*s\n", job->line, (int)job->len, job->text);
		fflush(stdout);
	}
	job_free(job);
}

static int
job_start(struct pool *pool, const char *body, size_t len)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;
	struct job *job = calloc(1, sizeof(*job));
	struct forebay_callbacks callbacks = { .size = sizeof(callbacks),
					       .arg = job,
					       .text = on_text,
					       .restart = on_restart,
					       .done = on_done };
	uint32_t stream;
	int err;

	if (!job || !(job->out = open_memstream(&job->text, &job->len))) {
		perror("pool");
		exit(1);
	}
	submit.label = "pool";
	submit.want_result = submit.follow = true;
	job->pool = pool;
	job->line = pool->lines + 1;
	err = forebay_submit(pool->f, body, len, &submit, &stream);
	if (!err)
		err = forebay_attach(pool->f, stream, &callbacks);
	if (err)
		job_free(job);
	else
		pool->lines++;
	return err;
}

/* Whole lines become jobs; the rest waits for its end. */
static int
take_lines(struct pool *pool)
{
	char *start = pool->line, *end;
	int err = 0;

	if (pool->len == 0)
		return 0;
	while (!err && forebay_pending(pool->f) < MOST &&
	       (end = memchr(start, '\n', pool->len - (size_t)(start - pool->line)))) {
		if (end > start)
			err = job_start(pool, start, (size_t)(end - start));
		if (err == FOREBAY_AGAIN) /* 64 MiB are unanswered: later */
			break;
		start = end + 1;
	}
	pool->len -= (size_t)(start - pool->line);
	memmove(pool->line, start, pool->len);
	return err == FOREBAY_AGAIN ? 0 : err;
}

static void
read_some(struct pool *pool)
{
	ssize_t n;

	if (pool->size - pool->len < 65536)
		pool->line = realloc(pool->line, pool->size = pool->size * 2 + 131072);
	if (!pool->line) {
		perror("pool");
		exit(1);
	}
	n = read(STDIN_FILENO, pool->line + pool->len, pool->size - pool->len - 1);
	pool->len += n > 0 ? (size_t)n : 0;
	pool->at_end = n <= 0;
	if (pool->at_end && pool->len > 0 && pool->line[pool->len - 1] != '\n')
		pool->line[pool->len++] = '\n';
}

static int
turn(struct pool *pool)
{
	bool more = !pool->at_end && forebay_pending(pool->f) < MOST;
	struct pollfd ready[] = {
		{ .fd = forebay_fd(pool->f), .events = forebay_events(pool->f) },
		{ .fd = more ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int err;

	poll(ready, 2, (int)forebay_timeout_ms(pool->f));
	if (ready[1].revents)
		read_some(pool);
	err = forebay_dispatch(pool->f, 0);
	return err ? err : take_lines(pool);
}

int
main(void)
{
	/* The daemon may be away now and come later. */
	struct forebay_options options = { .size = sizeof(options), .background = true };
	struct pool pool = { .size = 0 };
	int err = forebay_open(NULL, &options, &pool.f);

	while (!err && (!pool.at_end || pool.len > 0 || forebay_pending(pool.f) > 0))
		err = turn(&pool);
	if (err)
		fprintf(stderr, "%s: %s\n", forebay_error_name(err), forebay_message(pool.f));
	forebay_close(pool.f);
	free(pool.line);
	return err || pool.failed;
}
