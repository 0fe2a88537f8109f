/*
 * fuzz_answer.c - a response head and body of any bytes become a row of the
 * table and printable words. Lines up to an empty one are headers; two bytes in
 * front are the status.
 */
#include "daemon/claude/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_words(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

static void
check(const struct answer *answer)
{
	char text[700];

	if (!answer->row || answer->class >= API_CLASS_COUNT)
		abort();
	if (!isfinite(answer->retry_after_s) ||
	    (answer->retry_after_s < 0 && answer->retry_after_s != -1))
		abort();
	check_words(answer->type, sizeof(answer->type));
	check_words(answer->code, sizeof(answer->code));
	check_words(answer->message, sizeof(answer->message));
	check_words(answer->request_id, sizeof(answer->request_id));
	answer_text(answer, text, sizeof(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct api_error *found[4];
	struct answer_headers headers;
	struct answer answer;

	if (size < 2)
		return 0;
	int status = (data[0] << 8 | data[1]) % 1000;

	data += 2;
	size -= 2;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (strlen(text) < 2000 && api_error_explain(text, found, 4) > 4)
		abort();
	free(text);

	answer_headers_init(&headers);
	for (const uint8_t *end; (end = memchr(data, '\n', size)) && end > data;) {
		size_t len = (size_t)(end - data) + 1;

		answer_header(&headers, (const char *)data, len);
		data += len;
		size -= len;
	}
	answer_from_http(&answer, status, &headers, data, size, 1.8e9);
	check(&answer);
	answer_from_event(&answer, &headers, data, size, 1.8e9);
	check(&answer);
	answer_from_transport(&answer, 1 + status % (ANSWER_TRANSPORT_COUNT - 1), status, &headers);
	check(&answer);
	return 0;
}
