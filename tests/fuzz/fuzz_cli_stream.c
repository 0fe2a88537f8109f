/*
 * fuzz_cli_stream.c - the command's reading of event streams and of messages. The
 * first byte says how the stream is cut; the words must not depend on it.
 */
#include "client/stream.h"

#include <stdlib.h>

static void
count(const char *text, size_t len, void *arg)
{
	uint64_t *sum = arg;

	for (size_t i = 0; i < len; i++)
		*sum = *sum * 31 + (unsigned char)text[i];
}

static uint64_t
words_of(const uint8_t *data, size_t size, size_t cut)
{
	struct stream stream;
	uint64_t sum = 0;

	stream_init(&stream, count, &sum);
	for (size_t at = 0; at < size; at += cut)
		stream_feed(&stream, data + at, size - at < cut ? size - at : cut);
	stream_clear(&stream);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;

	if (size < 2)
		return 0;
	if (words_of(data + 1, size - 1, (size_t)*data + 1) != words_of(data + 1, size - 1, size))
		abort();
	free(stream_message_text(data + 1, size - 1, &len));
	return 0;
}
