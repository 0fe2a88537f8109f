/*
 * submit_later.c - leave a job with the daemon, go away, fetch the answer later.
 *
 *	submit_later put nightly-2026-11-24 request.json	prints the job's id
 *	submit_later get 417					prints the API's message
 *
 * The idempotency key makes put safe to repeat: when it is not known whether it was
 * done, do it again; the same key and body are the same job and id.
 */
#include <forebay.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
read_file(const char *path, size_t *ret_len)
{
	char *bytes = NULL, piece[65536];
	FILE *from = fopen(path, "r"), *to = open_memstream(&bytes, ret_len);
	size_t n;

	if (!from || !to) {
		perror(path);
		exit(2);
	}
	while ((n = fread(piece, 1, sizeof(piece), from)) > 0)
		fwrite(piece, 1, n, to);
	fclose(from);
	fclose(to);
	return bytes;
}

static int
put(struct forebay *f, const char *key, const char *path)
{
	struct forebay_submit submit = FOREBAY_SUBMIT_INIT;
	uint64_t id;
	size_t len;
	char *body = read_file(path, &len);
	int err;

	submit.key = key;
	submit.job_class = "patient"; /* others may go first */
	submit.keep_ms = INT64_C(30) * 24 * 3600 * 1000;
	err = forebay_submit_wait(f, body, len, &submit, &id);
	free(body);
	/* Now it is on the daemon's disk. */
	if (!err)
		printf("%" PRIu64 "\n", id);
	return err;
}

static int
get(struct forebay *f, const char *id, int timeout_ms)
{
	void *message;
	size_t len;
	int err = forebay_result(f, strtoull(id, NULL, 10), timeout_ms, &message, &len);

	if (err)
		return err;
	fwrite(message, 1, len, stdout);
	putchar('\n');
	free(message);
	return 0;
}

int
main(int argc, char **argv)
{
	struct forebay *f;
	int err;

	if (!(argc == 4 && strcmp(argv[1], "put") == 0) &&
	    !(argc >= 3 && strcmp(argv[1], "get") == 0)) {
		fputs("usage: submit_later put KEY FILE\n"
		      "       submit_later get ID [SECONDS]\n",
		      stderr);
		return 2;
	}
	err = forebay_open(NULL, NULL, &f);
	if (!err)
		err = argv[1][0] == 'p' ? put(f, argv[2], argv[3])
					: get(f, argv[2], argc > 3 ? atoi(argv[3]) * 1000 : -1);
	if (err)
		fprintf(stderr, "%s: %s\n", forebay_error_name(err), forebay_message(f));
	forebay_close(f);
	/* Worth trying again later? */
	return !err ? 0 : forebay_error_retryable(err) ? 75 : 1;
}
