/*
 * ask.c - one question, one answer, printed as it is written.
 *
 *	ask claude-sonnet-5-5 "Why do dams have a forebay?"
 *
 * The job waits out overload by itself. When this program dies, the job goes on:
 * `forebay list` has it, and `forebay result @last` its answer.
 */
#include <forebay.h>
#include <forebay_loop.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
text(struct forebay *f, const struct forebay_event *event, void *arg)
{
	(void)f;
	(void)arg;
	fwrite(event->data, 1, event->len, stdout);
	fflush(stdout);
}

static void
restart(struct forebay *f, const struct forebay_event *event, void *arg)
{
	(void)f;
	(void)event;
	(void)arg;
	puts("\n[that attempt broke off; the answer begins again]");
}

static void
done(struct forebay *f, const struct forebay_event *event, void *arg)
{
	int *error = arg;

	*error = event->error;
	if (event->error)
		fprintf(stderr, "%s: %s\n", forebay_error_name(event->error), forebay_message(f));
	else
		fprintf(stderr, "\n(%s, job %lld)\n",
			forebay_event_text(event, "model_served", "?"),
			(long long)forebay_event_int(event, "id", 0));
}

static void
put_quoted(FILE *to, const char *text)
{
	putc('"', to);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == '"' || c == '\\')
			fprintf(to, "\\u%04x", c);
		else
			putc(c, to);
	}
	putc('"', to);
}

/* A Messages request; the caller frees it. */
static char *
compose(const char *model, const char *question)
{
	size_t len;
	char *body = NULL;
	FILE *to = open_memstream(&body, &len);

	if (!to)
		return NULL;
	fputs("{\"model\":", to);
	put_quoted(to, model);
	fputs(",\"max_tokens\":1024,\"messages\":[{\"role\":\"user\",\"content\":", to);
	put_quoted(to, question);
	fputs("}]}", to);
	fclose(to);
	return body;
}

int
main(int argc, char **argv)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;
	int error = 0, err;
	struct forebay_callbacks callbacks = { .size = sizeof(callbacks),
					       .arg = &error,
					       .text = text,
					       .restart = restart,
					       .done = done };
	struct forebay *f;
	uint32_t stream;
	char *body = argc == 3 ? compose(argv[1], argv[2]) : NULL;

	if (!body) {
		fputs("usage: ask MODEL QUESTION\n", stderr);
		return 2;
	}
	submit.job_class = "interactive";
	submit.want_result = submit.follow = true;
	err = forebay_open(NULL, NULL, &f);
	if (!err)
		err = forebay_submit(f, body, strlen(body), &submit, &stream);
	if (!err)
		err = forebay_attach(f, stream, &callbacks);
	while (!err && forebay_pending(f) > 0)
		err = forebay_dispatch(f, -1);
	if (err)
		fprintf(stderr, "%s: %s\n", forebay_error_name(err), forebay_message(f));
	forebay_close(f);
	free(body);
	return err || error;
}
