/*
 * http_head.c - the head of an HTTP/1.x request, see RFC 9112. The text is cut
 * up in place: names, values and paths are strings in it.
 */
#include "daemon/serve/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_EXTRA 8192 /* bytes of a chunked body that are no body */

static const char token_bytes[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool
http_is_token(const char *text, size_t len)
{
	return len > 0 && strspn(text, token_bytes) >= len;
}

bool
http_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (list && *list) {
		list += strspn(list, ", \t");
		if (strncasecmp(list, word, len) == 0 && strchr(", \t", list[len]))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

const char *
http_head_find(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	return NULL;
}

static size_t
count_fields(const struct http_head *head, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < head->field_count; i++)
		count += strcasecmp(head->fields[i].name, name) == 0;
	return count;
}

static int
no(int status, const char *why, const char **ret_why)
{
	*ret_why = why;
	return status;
}

/* --- lines ------------------------------------------------------------------------ */

/* The line at *rest as a string, without its end; NULL when there is none. */
static char *
next_line(char **rest)
{
	char *line = *rest, *end = strstr(line, "\r\n");

	if (!end)
		return NULL;
	*end = '\0';
	*rest = end + 2;
	return line;
}

/* Nothing below space but the tab, no DEL: nothing that could end a line. */
static bool
is_plain(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

/* A target is written in what can be seen: anything else is percent-encoded. */
static bool
is_visible(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f)
			return false;
	return true;
}

/* The part behind http://host, for those who speak to a proxy. */
static char *
origin_form(char *target)
{
	char *rest;

	if (strncasecmp(target, "http://", 7) != 0)
		return target;
	rest = strchr(target + 7, '/');
	return rest ? rest : (char *)"/";
}

static int
take_request_line(struct http_head *head, char *line, const char **ret_why)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
	char *query;

	if (!version || !is_plain(line))
		return no(400, "the first line is no request line of HTTP/1.1", ret_why);
	*target++ = '\0';
	*version++ = '\0';
	if (!http_is_token(line, strlen(line)))
		return no(400, "the method is no word", ret_why);
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return strncmp(version, "HTTP/", 5) == 0
			   ? no(505, "this server speaks HTTP/1.1", ret_why)
			   : no(400, "the first line is no request line of HTTP/1.1", ret_why);
	head->is_1_0 = version[7] == '0';
	head->method = line;
	target = origin_form(target);
	if ((target[0] != '/' && strcmp(target, "*") != 0) || strchr(target, '#') ||
	    !is_visible(target))
		return no(400, "the path must begin with a slash, and be percent-encoded", ret_why);
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	head->path = target;
	head->query = query && query[0] ? query : NULL;
	return 0;
}

static int
take_field(struct http_head *head, char *line, const char **ret_why)
{
	char *value = strchr(line, ':'), *end;

	if (!value || !http_is_token(line, (size_t)(value - line)))
		return no(400, "a header line is not of the form Name: value", ret_why);
	*value++ = '\0';
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && strchr(" \t", end[-1]))
		*--end = '\0';
	if (!is_plain(value))
		return no(400, "a header has control bytes in its value", ret_why);
	if (head->field_count == HTTP_MAX_FIELDS)
		return no(431, "too many headers", ret_why);
	head->fields[head->field_count++] = (struct http_field){ line, value };
	return 0;
}

/* --- what they mean ----------------------------------------------------------------- */

static bool
parse_length(const char *text, int64_t *ret)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18 || text[digits])
		return false;
	*ret = strtoll(text, NULL, 10);
	return true;
}

/* Two answers to "how long is the body" are an attack, or will be one. */
static int
take_length(struct http_head *head, const char **ret_why)
{
	const char *coding = http_head_find(head, "transfer-encoding");
	const char *length = http_head_find(head, "content-length");

	head->content_length = -1;
	if (coding && (length || head->is_1_0 || count_fields(head, "transfer-encoding") > 1))
		return no(400, "transfer-encoding and content-length contradict each other",
			  ret_why);
	if (coding && strcasecmp(coding, "chunked") != 0)
		return no(501, "the only transfer-encoding known here is chunked", ret_why);
	head->chunked = coding != NULL;
	for (size_t i = 0; length && i < head->field_count; i++)
		if (strcasecmp(head->fields[i].name, "content-length") == 0 &&
		    strcmp(head->fields[i].value, length) != 0)
			return no(400, "two content-lengths that differ", ret_why);
	if (length && !parse_length(length, &head->content_length))
		return no(400, "content-length is no number", ret_why);
	return 0;
}

static int
take_meaning(struct http_head *head, const char **ret_why)
{
	const char *connection = http_head_find(head, "connection");
	const char *expect = http_head_find(head, "expect");
	int status = take_length(head, ret_why);

	if (status)
		return status;
	if (count_fields(head, "host") > 1 || (count_fields(head, "host") == 0 && !head->is_1_0))
		return no(400, "HTTP/1.1 needs one host header", ret_why);
	if (expect && !head->is_1_0) {
		if (strcasecmp(expect, "100-continue") != 0)
			return no(417, "the only expectation known here is 100-continue", ret_why);
		head->expects_continue = true;
	}
	head->keep_alive = head->is_1_0 ? http_list_has(connection, "keep-alive")
					: !http_list_has(connection, "close");
	return 0;
}

static int
parse(struct http_head *head, const char **ret_why)
{
	char *rest = head->text, *line = next_line(&rest);
	int status = line ? take_request_line(head, line, ret_why)
			  : no(400, "this is no HTTP request", ret_why);

	while (!status && (line = next_line(&rest)) && line[0])
		status = take_field(head, line, ret_why);
	return status ? status : take_meaning(head, ret_why);
}

int
http_head_parse(struct http_head *ret, const uint8_t *buf, size_t len, const char **ret_why)
{
	struct http_head head = { .text = malloc(len + 1) };
	int status;

	head.fields = calloc(HTTP_MAX_FIELDS, sizeof(*head.fields));
	if (!head.text || !head.fields) {
		http_head_clear(&head);
		return no(503, "out of memory", ret_why);
	}
	memcpy(head.text, buf, len);
	head.text[len] = '\0';
	status = memchr(buf, '\0', len) ? no(400, "a zero byte in the head", ret_why)
					: parse(&head, ret_why);
	if (status)
		http_head_clear(&head);
	else
		*ret = head;
	return status;
}

void
http_head_clear(struct http_head *head)
{
	free(head->text);
	free(head->fields);
	*head = (struct http_head){ 0 };
}

/* --- chunked bodies ------------------------------------------------------------------ */

static int
hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void
end_size_line(struct http_chunks *chunks)
{
	if (chunks->digits == 0)
		chunks->state = HTTP_CHUNK_BAD;
	else
		chunks->state = chunks->left > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER;
	chunks->digits = 0;
	chunks->in_extension = false;
	chunks->line_len = 0;
}

/* A byte of a size line, of a trailer, or behind the data; CR has been seen to. */
static void
take_byte(struct http_chunks *chunks, uint8_t byte)
{
	int digit = hex_digit(byte);

	if (chunks->state == HTTP_CHUNK_AFTER ||
	    (chunks->state != HTTP_CHUNK_SIZE && ++chunks->extra_len > MAX_EXTRA)) {
		chunks->state = HTTP_CHUNK_BAD;
	} else if (chunks->state == HTTP_CHUNK_TRAILER) {
		chunks->line_len++;
	} else if (!chunks->in_extension && digit >= 0 && chunks->digits < 15) {
		chunks->left = chunks->left * 16 + (unsigned)digit;
		chunks->digits++;
	} else if (chunks->in_extension || (chunks->digits > 0 && strchr("; \t", byte) && byte)) {
		chunks->in_extension = true;
		if (++chunks->extra_len > MAX_EXTRA)
			chunks->state = HTTP_CHUNK_BAD;
	} else {
		chunks->state = HTTP_CHUNK_BAD;
	}
}

static void
end_line(struct http_chunks *chunks)
{
	if (chunks->state == HTTP_CHUNK_SIZE)
		end_size_line(chunks);
	else if (chunks->state == HTTP_CHUNK_AFTER)
		chunks->state = HTTP_CHUNK_SIZE;
	else if (chunks->line_len == 0)
		chunks->state = HTTP_CHUNK_DONE;
	chunks->line_len = 0;
}

/* Lines end in CRLF and nothing else. */
static void
take_line_byte(struct http_chunks *chunks, uint8_t byte)
{
	bool after_cr = chunks->after_cr;

	chunks->after_cr = byte == '\r';
	if (after_cr != (byte == '\n') || (after_cr && byte == '\r'))
		chunks->state = HTTP_CHUNK_BAD;
	else if (byte == '\n')
		end_line(chunks);
	else if (byte != '\r')
		take_byte(chunks, byte);
}

size_t
http_chunks_feed(struct http_chunks *chunks, const uint8_t *buf, size_t len, const uint8_t **ret,
		 size_t *ret_len)
{
	size_t at = 0;

	*ret_len = 0;
	while (at < len && chunks->state != HTTP_CHUNK_DONE && chunks->state != HTTP_CHUNK_BAD) {
		if (chunks->state != HTTP_CHUNK_DATA) {
			take_line_byte(chunks, buf[at++]);
			continue;
		}
		*ret = buf + at;
		*ret_len = (size_t)MIN(chunks->left, (uint64_t)(len - at));
		chunks->left -= *ret_len;
		if (chunks->left == 0)
			chunks->state = HTTP_CHUNK_AFTER;
		return at + *ret_len;
	}
	return at;
}
