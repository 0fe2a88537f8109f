/*
 * headers.c - the response headers that matter, one line at a time; declared
 * in answer.h.
 */
#include "daemon/claude/answer.h"

#include "daemon/claude/when.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_WAIT_S (32 * 86400.0) /* more than a month is no wait but nonsense */

void
answer_headers_init(struct answer_headers *headers)
{
	*headers = (struct answer_headers){
		.retry_after_s = -1,
		.retry_at_s = -1,
		.date_s = -1,
		.should_retry = -1,
	};
	for (int i = 0; i < ANSWER_LIMIT_COUNT; i++)
		headers->ratelimit[i] = (struct answer_ratelimit){ -1, -1, -1 };
}

/* A span of time in units of unit_s; -1 if it is none. */
static double
span(const char *value, double unit_s)
{
	char *end;
	double number;

	/* strtod would take "inf", "nan", hexadecimals and signs. */
	if (!isdigit((unsigned char)value[0]) || strpbrk(value, "xX"))
		return -1;
	number = strtod(value, &end) * unit_s;
	return *end == '\0' && isfinite(number) && number <= MAX_WAIT_S ? number : -1;
}

static int64_t
whole(const char *value)
{
	int64_t number = 0;

	if (!*value || strlen(value) > 18)
		return -1;
	for (; *value; value++) {
		if (!isdigit((unsigned char)*value))
			return -1;
		number = number * 10 + (*value - '0');
	}
	return number;
}

static void
take_retry_after(struct answer_headers *headers, const char *value)
{
	double seconds = span(value, 1);

	/* retry-after-ms is finer: it stays. */
	if (seconds < 0)
		headers->retry_at_s = when_from_http(value);
	else if (headers->retry_after_s < 0)
		headers->retry_after_s = seconds;
}

static void
take_request_id(struct answer_headers *headers, const char *value)
{
	for (const char *c = value; *c; c++)
		if (*c <= 0x20 || *c > 0x7e)
			return;
	snprintf(headers->request_id, sizeof(headers->request_id), "%s", value);
	answer_scrub(headers->request_id, strlen(headers->request_id), NULL);
}

/* name is what follows "anthropic-ratelimit-". */
static void
take_ratelimit(struct answer_headers *headers, const char *name, const char *value)
{
	static const char *const limits[] = {
		[ANSWER_REQUESTS] = "requests-",
		[ANSWER_INPUT_TOKENS] = "input-tokens-",
		[ANSWER_OUTPUT_TOKENS] = "output-tokens-",
	};

	for (int i = 0; i < ANSWER_LIMIT_COUNT; i++) {
		struct answer_ratelimit *limit = &headers->ratelimit[i];
		size_t len = strlen(limits[i]);

		if (strncasecmp(name, limits[i], len) != 0)
			continue;
		if (strcasecmp(name + len, "limit") == 0)
			limit->limit = whole(value);
		else if (strcasecmp(name + len, "remaining") == 0)
			limit->remaining = whole(value);
		else if (strcasecmp(name + len, "reset") == 0)
			limit->reset_s = when_from_rfc3339(value);
	}
}

static void
take_header(struct answer_headers *headers, const char *name, const char *value)
{
	static const char prefix[] = "anthropic-ratelimit-";

	if (strncasecmp(name, prefix, sizeof(prefix) - 1) == 0) {
		take_ratelimit(headers, name + sizeof(prefix) - 1, value);
	} else if (strcasecmp(name, "retry-after") == 0) {
		take_retry_after(headers, value);
	} else if (strcasecmp(name, "retry-after-ms") == 0) {
		double seconds = span(value, 0.001);

		if (seconds >= 0)
			headers->retry_after_s = seconds;
	} else if (strcasecmp(name, "x-should-retry") == 0) {
		if (strcasecmp(value, "true") == 0)
			headers->should_retry = 1;
		else if (strcasecmp(value, "false") == 0)
			headers->should_retry = 0;
	} else if (strcasecmp(name, "request-id") == 0) {
		take_request_id(headers, value);
	} else if (strcasecmp(name, "date") == 0) {
		headers->date_s = when_from_http(value);
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void
answer_header(struct answer_headers *headers, const char *line, size_t len)
{
	char text[256]; /* every header of interest is far shorter */

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (len >= sizeof(text) || memchr(line, '\0', len))
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	if (strncmp(text, "HTTP/", 5) == 0) {
		answer_headers_init(headers);
		return;
	}
	char *value = strchr(text, ':');

	if (!value)
		return;
	*value++ = '\0';
	while (is_blank(*value))
		value++;
	take_header(headers, text, value);
}
