/*
 * config_values.c - the kinds of values: text to field, field to text, and the
 * words that say what would have been right.
 */
#include "daemon/base/config_table.h"

#include "daemon/base/log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- numbers with and without a unit ---------------------------------------- */

struct unit {
	const char *name; /* NULL after the last */
	int64_t factor;
};

static const struct unit no_units[] = { { "", 1 }, { 0 } };
static const struct unit size_units[] = {
	{ "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 }, { "", 1 }, { 0 }
};
static const struct unit duration_units[] = { { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 },
					      { "s", 1000 },	 { "ms", 1 },	   { 0 } };

/* Digits and one unit, without sign, fraction or space; 0 needs no unit. */
static bool
parse_units(const struct unit *units, const char *text, int64_t *ret)
{
	int64_t number = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *text - '0', &number))
			return false;
	for (; units->name; units++)
		if (strcmp(text, units->name) == 0)
			return !__builtin_mul_overflow(number, units->factor, ret);
	*ret = 0;
	return number == 0 && *text == '\0';
}

/* In the largest unit that divides it, so that nothing is lost. */
static void
format_units(const struct unit *units, int64_t value, char *ret, size_t len)
{
	if (value == 0) {
		snprintf(ret, len, "0");
		return;
	}
	while (value % units->factor != 0)
		units++;
	snprintf(ret, len, "%" PRId64 "%s", value / units->factor, units->name);
}

static bool
parse_bounded(const struct config_key *key, const struct unit *units, const char *text, void *field)
{
	int64_t value;

	if (!parse_units(units, text, &value) || value < key->min || value > key->max)
		return false;
	memcpy(field, &value, sizeof(value));
	return true;
}

static int64_t
field_int64(const void *field)
{
	int64_t value;

	memcpy(&value, field, sizeof(value));
	return value;
}

static void
describe_bounded(const struct config_key *key, const struct unit *units, const char *what,
		 char *ret, size_t len)
{
	char min[32], max[32];

	format_units(units, key->min, min, sizeof(min));
	format_units(units, key->max, max, sizeof(max));
	snprintf(ret, len, "%s from %s to %s", what, min, max);
}

#define BOUNDED_KIND(name, units, what, example)                                                   \
	static bool name##_parse(const struct config_key *key, const char *text, void *field)      \
	{                                                                                          \
		return parse_bounded(key, units, text, field);                                     \
	}                                                                                          \
	static void name##_format(const struct config_key *key, const void *field, char *ret,      \
				  size_t len)                                                      \
	{                                                                                          \
		(void)key;                                                                         \
		format_units(units, field_int64(field), ret, len);                                 \
	}                                                                                          \
	static void name##_describe(const struct config_key *key, char *ret, size_t len)           \
	{                                                                                          \
		describe_bounded(key, units, what, ret, len);                                      \
	}                                                                                          \
	const struct config_kind config_##name = { sizeof(int64_t), name##_parse, name##_format,   \
						   name##_describe, NULL,	  example };

BOUNDED_KIND(number, no_units, "a whole number", NULL)
BOUNDED_KIND(size, size_units, "a size", "512K, 32M or 1G")
BOUNDED_KIND(duration, duration_units, "a time", "250ms, 90s, 5min, 2h or 7d")

/* A duration, or a word: what the job's class has, or without end. */
static bool
patience_parse(const struct config_key *key, const char *text, void *field)
{
	static const int64_t by_class = -1, never = INT64_MAX;

	if (strcmp(text, "class") == 0)
		memcpy(field, &by_class, sizeof(by_class));
	else if (strcmp(text, "never") == 0)
		memcpy(field, &never, sizeof(never));
	else
		return parse_bounded(key, duration_units, text, field);
	return true;
}

static void
patience_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	if (field_int64(field) < 0)
		snprintf(ret, len, "class");
	else if (field_int64(field) == INT64_MAX)
		snprintf(ret, len, "never");
	else
		duration_format(key, field, ret, len);
}

static void
patience_describe(const struct config_key *key, char *ret, size_t len)
{
	describe_bounded(key, duration_units, "class, never, or a time", ret, len);
}

const struct config_kind config_patience = { sizeof(int64_t),	patience_parse, patience_format,
					     patience_describe, NULL,		"90s or 5min" };

/* --- one of a few words ----------------------------------------------------- */

static bool
boolean_parse(const struct config_key *key, const char *text, void *field)
{
	static const char *const words[] = { "no", "off", "false", "0", "yes", "on", "true", "1" };

	(void)key;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0) {
			*(bool *)field = i >= ARRAY_LEN(words) / 2;
			return true;
		}
	return false;
}

static void
boolean_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	(void)key;
	snprintf(ret, len, "%s", *(const bool *)field ? "yes" : "no");
}

static void
boolean_describe(const struct config_key *key, char *ret, size_t len)
{
	(void)key;
	snprintf(ret, len, "yes or no");
}

const struct config_kind config_boolean = { sizeof(bool),     boolean_parse, boolean_format,
					    boolean_describe, NULL,	     NULL };

static bool
choice_parse(const struct config_key *key, const char *text, void *field)
{
	for (const struct config_choice *choice = key->choices; choice->name; choice++)
		if (strcmp(text, choice->name) == 0) {
			memcpy(field, &choice->value, sizeof(choice->value));
			return true;
		}
	return false;
}

static void
choice_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	int value;

	memcpy(&value, field, sizeof(value));
	for (const struct config_choice *choice = key->choices; choice->name; choice++)
		if (choice->value == value)
			snprintf(ret, len, "%s", choice->name);
}

static void
describe_choices(const struct config_key *key, char *ret, size_t len)
{
	const struct config_choice *choice = key->choices;
	size_t used = (size_t)snprintf(ret, len, "%s", choice->name);

	while ((++choice)->name && used < len)
		used += (size_t)snprintf(ret + used, len - used, "%s%s",
					 choice[1].name ? ", " : " or ", choice->name);
}

const struct config_kind config_choice_kind = { sizeof(int),	  choice_parse, choice_format,
						describe_choices, NULL,		NULL };

/* Two words for a bool: one of them says more than yes and no. */
static bool
flag_parse(const struct config_key *key, const char *text, void *field)
{
	int value;

	if (!choice_parse(key, text, &value))
		return false;
	*(bool *)field = value != 0;
	return true;
}

static void
flag_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	int value = *(const bool *)field;

	choice_format(key, &value, ret, len);
}

const struct config_kind config_flag = { sizeof(bool),	   flag_parse, flag_format,
					 describe_choices, NULL,       NULL };

/* --- texts: owned strings, NULL when empty ---------------------------------- */

static void
text_clear(void *field)
{
	char **text = field;

	free(*text);
	*text = NULL;
}

static void
text_store(void *field, const char *text, size_t len)
{
	text_clear(field);
	if (len == 0)
		return;
	*(char **)field = strndup(text, len);
	if (!*(char **)field)
		fatal("out of memory for a configuration value");
}

static bool
text_length_fits(const struct config_key *key, const char *text)
{
	size_t len = strlen(text);

	return len >= (size_t)key->min && len <= (size_t)key->max;
}

/* Without spaces: these end in header lines, group files and the like. */
static bool
text_parse(const struct config_key *key, const char *text, void *field)
{
	if (!text_length_fits(key, text) || strpbrk(text, " \t"))
		return false;
	text_store(field, text, strlen(text));
	return true;
}

static void
text_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	const char *text = *(char *const *)field;

	(void)key;
	snprintf(ret, len, "%s", text ? text : "");
}

static void
text_describe(const struct config_key *key, char *ret, size_t len)
{
	snprintf(ret, len, "%sa word of at most %" PRId64 " characters",
		 key->min == 0 ? "empty, or " : "", key->max);
}

const struct config_kind config_text = { sizeof(char *), text_parse, text_format,
					 text_describe,	 text_clear, NULL };

static bool
path_parse(const struct config_key *key, const char *text, void *field)
{
	if (!text_length_fits(key, text) || (*text && *text != '/'))
		return false;
	text_store(field, text, strlen(text));
	return true;
}

static void
path_describe(const struct config_key *key, char *ret, size_t len)
{
	snprintf(ret, len, "%san absolute path of at most %" PRId64 " characters",
		 key->min == 0 ? "empty, or " : "", key->max);
}

const struct config_kind config_path = { sizeof(char *), path_parse, text_format,
					 path_describe,	 text_clear, NULL };

/* --- URLs ------------------------------------------------------------------- */

static bool
port_is_good(const char *port)
{
	char *end;
	unsigned long number;

	if (*port == '\0')
		return true;
	if (port[0] != ':' || !isdigit((unsigned char)port[1]))
		return false;
	number = strtoul(port + 1, &end, 10);
	return *end == '\0' && number >= 1 && number <= 65535;
}

/* Only what cannot leave this machine, whatever the resolver says. */
static bool
host_is_loopback(const char *host)
{
	struct in_addr address;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

/* Cut "host:port" in two; the host without its port is left in authority. */
static bool
authority_is_good(char *authority)
{
	char *end = authority[0] == '[' ? strchr(authority, ']') : NULL;
	char *port;

	if (authority[0] == '[' && (!end || end == authority + 1))
		return false;
	port = end ? end + 1 : authority + strcspn(authority, ":");
	if (port == authority || !port_is_good(port))
		return false;
	*port = '\0';
	if (end)
		return strspn(authority + 1, "0123456789abcdefABCDEF:.") ==
		       (size_t)(end - authority - 1);
	for (const char *p = authority; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
			return false;
	return true;
}

/* The key is not ours to put in a URL, and a query would be cut off by a path
 * that is appended: both are mistakes. */
static bool
url_parse(const struct config_key *key, const char *text, void *field)
{
	bool plain = strncmp(text, "http://", 7) == 0;
	char authority[CONFIG_VALUE_LEN];
	const char *rest;
	size_t len = strlen(text);

	if (!text_length_fits(key, text) || strpbrk(text, " \t@?#\\\""))
		return false;
	while (len > 0 && text[len - 1] == '/')
		len--;
	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] != '/' || len <= 6 || len > 5 + 107)
			return false;
	} else {
		if (!plain && strncmp(text, "https://", 8) != 0)
			return false;
		rest = text + (plain ? 7 : 8);
		snprintf(authority, sizeof(authority), "%.*s", (int)strcspn(rest, "/"), rest);
		if (!authority_is_good(authority) || (plain && !host_is_loopback(authority)))
			return false;
	}
	text_store(field, text, len);
	return true;
}

static void
url_describe(const struct config_key *key, char *ret, size_t len)
{
	(void)key;
	snprintf(ret, len,
		 "https://HOST[:PORT][/PATH], unix:/PATH, or http:// for a loopback host "
		 "(127.*, [::1], localhost) only");
}

const struct config_kind config_url = { sizeof(char *), url_parse,  text_format,
					url_describe,	text_clear, NULL };

static bool
proxy_parse(const struct config_key *key, const char *text, void *field)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };

	if (!text_length_fits(key, text) || strpbrk(text, " \t"))
		return false;
	for (size_t i = 0; *text && i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(text, schemes[i], len) == 0 && text[len]) {
			text_store(field, text, strlen(text));
			return true;
		}
	}
	if (*text)
		return false;
	text_clear(field);
	return true;
}

static void
proxy_describe(const struct config_key *key, char *ret, size_t len)
{
	(void)key;
	snprintf(ret, len, "empty, or http://, https://, socks5:// or socks5h:// and HOST:PORT");
}

const struct config_kind config_proxy = { sizeof(char *), proxy_parse, text_format,
					  proxy_describe, text_clear,  NULL };

/* --- lists: words, NULL-terminated ------------------------------------------ */

static void
list_clear(void *field)
{
	char ***list = field;

	for (char **word = *list; word && *word; word++)
		free(*word);
	free(*list);
	*list = NULL;
}

/* Between commas, spaces or both. */
static bool
list_parse(const struct config_key *key, const char *text, void *field)
{
	char copy[CONFIG_VALUE_LEN], *position = NULL;
	char **list;
	int64_t count = 0;

	if (strlen(text) >= sizeof(copy))
		return false;
	list = must_alloc(((size_t)key->max + 1) * sizeof(*list));
	strcpy(copy, text);
	for (char *word = strtok_r(copy, ", \t", &position); word;
	     word = strtok_r(NULL, ", \t", &position)) {
		if (count == key->max) {
			list_clear(&list);
			return false;
		}
		list[count++] = must_strdup(word);
	}
	if (count < key->min) {
		list_clear(&list);
		return false;
	}
	list_clear(field);
	*(char ***)field = list;
	return true;
}

static void
list_format(const struct config_key *key, const void *field, char *ret, size_t len)
{
	char **list = *(char **const *)field;
	size_t used = 0;

	(void)key;
	ret[0] = '\0';
	for (; list && *list && used < len; list++)
		used += (size_t)snprintf(ret + used, len - used, "%s%s", used ? ", " : "", *list);
}

static void
list_describe(const struct config_key *key, char *ret, size_t len)
{
	snprintf(ret, len, "%" PRId64 " to %" PRId64 " names, with commas between", key->min,
		 key->max);
}

const struct config_kind config_list = { sizeof(char **), list_parse, list_format,
					 list_describe,	  list_clear, NULL };
