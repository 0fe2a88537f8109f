/*
 * fuzz_message.c - any bytes as the JSON of a request and of a reply. What is
 * accepted must come out of request_put the same, again and again; what is not
 * must leave a sentence. All getters are tried on whatever is there.
 */
#include "protocol/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_sentence(enum forebay_err err, const char *why)
{
	must(err == FOREBAY_ERR_BAD_REQUEST || err == FOREBAY_ERR_UNKNOWN_VERB);
	must(memchr(why, '\0', MESSAGE_WHY_LEN) && why[0] != '\0');
}

/* Written and read again, the document no longer changes. */
static void
check_put(const struct request *request)
{
	char why[MESSAGE_WHY_LEN];
	char *once = request_put(request), *twice;
	struct request again;

	must(once);
	must(request_parse((uint8_t *)once, strlen(once), &again, why) == FOREBAY_ERR_OK);
	must(again.verb == request->verb && again.id_count == request->id_count);
	twice = request_put(&again);
	must(twice && strcmp(once, twice) == 0);
	free(once);
	free(twice);
	request_clear(&again);
}

static void
walk(const struct message *message, int depth)
{
	const char *name;

	for (size_t i = 0; i < 64 && (name = message_member(message, i)); i++) {
		int64_t ms;

		must(message_text(message, name, "") != NULL);
		(void)message_has(message, name);
		(void)message_int(message, name, -1);
		(void)message_bool(message, name, false);
		must(message_double(message, name, 0) * 0 == 0);
		(void)message_time_parse(message_text(message, name, ""), &ms);
		if (depth < (int)MESSAGE_MAX_DEPTH)
			walk(message_object(message, name), depth + 1);
		for (size_t k = 0; k < MIN(message_count(message, name), (size_t)16); k++) {
			(void)message_item_text(message, name, k);
			walk(message_item(message, name, k), depth + 1);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[MESSAGE_WHY_LEN];
	struct request request;
	struct message *message;
	enum forebay_err err = request_parse(data, size, &request, why);

	if (err) {
		check_sentence(err, why);
	} else {
		check_put(&request);
		request_clear(&request);
	}
	err = message_parse(data, size, MESSAGE_MAX_LEN, &message, why);
	if (err) {
		check_sentence(err, why);
		return 0;
	}
	walk(message, 0);
	message_free(message);
	return 0;
}
