/*
 * json.c - the scanner, see json.h. Nesting is a stack of bits; a string is
 * passed over 16 bytes at a time where the machine can, 8 where it cannot.
 */
#include "protocol/json.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Where a value stands: filled at its key, used at its end. */
struct place {
	const char *key;
	size_t key_len;
	bool key_escaped;
	size_t offset;
};

struct scan {
	const uint8_t *buf;
	const uint8_t *p; /* the next byte */
	const uint8_t *end;
	unsigned depth; /* open containers */
	unsigned max_depth;
	unsigned reported; /* the outermost of them that the visitor looks into */
	uint64_t objects[JSON_MAX_DEPTH / 64]; /* bit n: container n is an object */
	struct place here;		       /* of the value that begins */
	struct place places[JSON_MAX_DEPTH];   /* of the open containers that are reported */
	const struct json_visitor *visitor;
	void *arg;
	struct json_result *result;
};

static bool
fail_at(struct scan *s, const uint8_t *at, const char *error)
{
	s->result->error = error;
	s->result->error_at = (size_t)(at - s->buf);
	return false;
}

/* The bytes end where more was needed. */
static bool
fail_short(struct scan *s, const uint8_t *at, const char *error)
{
	s->result->truncated = true;
	return fail_at(s, at, error);
}

/* Whatever was expected at p did not come. */
static bool
fail(struct scan *s, const char *error)
{
	return s->p == s->end ? fail_short(s, s->p, "the document ends too early")
			      : fail_at(s, s->p, error);
}

static inline void
skip_space(struct scan *s)
{
	const uint8_t *p = s->p;

	/* Mostly there is none: one comparison settles that. */
	while (p < s->end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	s->p = p;
}

#define EVERY_BYTE(x) (UINT64_C(0x0101010101010101) * (x))

/* Some byte of x is below n (<= 128), or not ASCII. */
#define HAS_LESS(x, n) (((x)-EVERY_BYTE(n)) & EVERY_BYTE(0x80))

/* The first byte from p on that needs a look: quote, backslash, control
 * character, or not ASCII. */
static inline const uint8_t *
skip_plain(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i stop = _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash));

		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
		/* The sign bit of x itself says "not ASCII". */
		unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(stop, x));
		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (end - p >= 8) {
		uint64_t x;

		memcpy(&x, p, 8);
		if ((x & EVERY_BYTE(0x80)) || HAS_LESS(x, 0x20) ||
		    HAS_LESS(x ^ EVERY_BYTE('"'), 1) || HAS_LESS(x ^ EVERY_BYTE('\\'), 1))
			break;
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static inline bool
continues(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The end of the character at p, which is not ASCII; NULL if it is not UTF-8. */
static inline const uint8_t *
skip_character(const uint8_t *p, const uint8_t *end)
{
	size_t left = (size_t)(end - p);
	unsigned lead = p[0];

	if (lead < 0xc2 || left < 2 || !continues(p[1]))
		return NULL;
	if (lead < 0xe0)
		return p + 2;
	if (left < 3 || !continues(p[2]))
		return NULL;
	if (lead < 0xf0) /* neither overlong nor a surrogate */
		return (lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] >= 0xa0) ? NULL
										       : p + 3;
	if (lead > 0xf4 || left < 4 || !continues(p[3]))
		return NULL;
	/* neither overlong nor past U+10FFFF */
	return (lead == 0xf0 && p[1] < 0x90) || (lead == 0xf4 && p[1] >= 0x90) ? NULL : p + 4;
}

static inline int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* p is at a backslash. */
static bool
scan_escape(struct scan *s)
{
	const uint8_t *escape = s->p++;

	if (s->p == s->end)
		return fail_short(s, s->end, "the string does not end");
	switch (*s->p) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->p++;
		return true;
	case 'u':
		break;
	default:
		return fail_at(s, escape, "this escape does not exist in JSON");
	}
	for (int i = 1; i <= 4; i++) {
		if (s->end - s->p <= i)
			return fail_short(s, s->end, "the string does not end");
		if (hex_digit(s->p[i]) < 0)
			return fail_at(s, escape, "\\u needs four hexadecimal digits");
	}
	s->p += 5;
	return true;
}

/* p is behind the opening quote; afterwards behind the closing one. */
static inline bool
scan_string(struct scan *s, bool *ret_escaped)
{
	*ret_escaped = false;
	for (;;) {
		s->p = skip_plain(s->p, s->end);
		if (s->p == s->end)
			return fail_short(s, s->end, "the string does not end");
		if (*s->p == '"') {
			s->p++;
			return true;
		}
		if (*s->p == '\\') {
			*ret_escaped = true;
			do {
				if (!scan_escape(s))
					return false;
			} while (s->p < s->end && *s->p == '\\');
			continue;
		}
		if (*s->p < 0x20)
			return fail(s, "a control character in a string must be escaped");
		do {
			const uint8_t *next = skip_character(s->p, s->end);

			if (!next)
				return fail(s, "this is not UTF-8");
			s->p = next;
		} while (s->p < s->end && *s->p >= 0x80);
	}
}

static inline bool
scan_digits(struct scan *s)
{
	const uint8_t *first = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > first || fail(s, "a number needs a digit here");
}

static bool
scan_number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0') {
		s->p++;
		if (s->p < s->end && *s->p >= '0' && *s->p <= '9')
			return fail(s, "a number must not begin with 0");
	} else if (!scan_digits(s)) {
		return false;
	}
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p | 0x20) == 'e') {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return scan_digits(s);
	}
	return true;
}

static bool
scan_word(struct scan *s, const char *word, size_t len)
{
	size_t n = MIN(len, (size_t)(s->end - s->p));

	if (memcmp(s->p, word, n) != 0)
		return fail(s, "expected a value");
	if (n < len)
		return fail_short(s, s->end, "the document ends too early");
	s->p += len;
	return true;
}

static inline bool
in_object(const struct scan *s)
{
	unsigned i = s->depth - 1;

	return s->objects[i / 64] >> (i % 64) & 1;
}

static struct json_node
node_at(const struct scan *s, const struct place *place, enum json_kind kind)
{
	return (struct json_node){
		.depth = s->depth,
		.key = place->key,
		.key_len = place->key_len,
		.key_escaped = place->key_escaped,
		.kind = kind,
		.offset = place->offset,
	};
}

/* A value that began at place has ended at p. */
static inline void
report(struct scan *s, const struct place *place, enum json_kind kind)
{
	if (s->reported != s->depth || !s->visitor || !s->visitor->value)
		return;
	struct json_node node = node_at(s, place, kind);

	node.len = (size_t)(s->p - s->buf) - place->offset;
	s->visitor->value(&node, s->arg);
}

static inline void
report_enter(struct scan *s, enum json_kind kind)
{
	if (s->reported != s->depth)
		return;
	s->places[s->depth] = s->here;
	if (!s->visitor || !s->visitor->enter)
		return;
	struct json_node node = node_at(s, &s->here, kind);

	s->reported += s->visitor->enter(&node, s->arg);
}

/* A key and its colon; afterwards p is at the value. */
static inline bool
scan_key(struct scan *s)
{
	if (s->p == s->end || *s->p != '"')
		return fail(s, "expected a key in double quotes");
	const uint8_t *key = ++s->p;

	if (!scan_string(s, &s->here.key_escaped))
		return false;
	s->here.key = (const char *)key;
	s->here.key_len = (size_t)(s->p - key) - 1;
	s->result->members++;
	skip_space(s);
	if (s->p == s->end || *s->p != ':')
		return fail(s, "expected a colon after the key");
	s->p++;
	skip_space(s);
	return true;
}

/* p is at the innermost container's bracket: it has ended. */
static inline void
close_container(struct scan *s)
{
	enum json_kind kind = in_object(s) ? JSON_OBJECT : JSON_ARRAY;

	s->p++;
	s->depth--;
	s->reported = MIN(s->reported, s->depth);
	report(s, &s->places[s->depth], kind);
}

/* p is at a bracket. Afterwards it is at the first value inside, or behind an
 * empty container; ret_open says which. */
static inline bool
open_container(struct scan *s, enum json_kind kind, bool *ret_open)
{
	uint64_t bit = UINT64_C(1) << s->depth % 64;
	uint8_t closing = kind == JSON_OBJECT ? '}' : ']';

	if (s->depth == s->max_depth)
		return fail(s, "nested too deeply");
	report_enter(s, kind);
	if (kind == JSON_OBJECT)
		s->objects[s->depth / 64] |= bit;
	else
		s->objects[s->depth / 64] &= ~bit;
	s->depth++;
	s->p++;
	skip_space(s);
	*ret_open = s->p == s->end || *s->p != closing;
	if (!*ret_open) {
		close_container(s);
		return true;
	}
	if (kind == JSON_OBJECT)
		return scan_key(s);
	s->here.key = NULL;
	s->here.key_len = 0;
	s->here.key_escaped = false;
	return true;
}

static inline bool
scan_string_value(struct scan *s)
{
	const uint8_t *quote = s->p++;
	const struct json_visitor *visitor = s->visitor;
	bool escaped;

	if (!scan_string(s, &escaped))
		return false;
	size_t len = (size_t)(s->p - quote);

	if (visitor && visitor->long_string && len >= visitor->long_string_min)
		visitor->long_string(quote, len, s->arg);
	report(s, &s->here, JSON_STRING);
	return true;
}

static bool
scan_scalar(struct scan *s)
{
	enum json_kind kind = JSON_BOOL;
	bool ok;

	switch (s->p < s->end ? *s->p : 0) {
	case 't':
		ok = scan_word(s, "true", 4);
		break;
	case 'f':
		ok = scan_word(s, "false", 5);
		break;
	case 'n':
		kind = JSON_NULL;
		ok = scan_word(s, "null", 4);
		break;
	case '-':
	case '0' ... '9':
		kind = JSON_NUMBER;
		ok = scan_number(s);
		break;
	default:
		ok = fail(s, "expected a value");
	}
	if (ok)
		report(s, &s->here, kind);
	return ok;
}

/* p is where a value must begin. ret_open: it is a container, and p is where
 * the first value inside must begin; else p is behind the value. */
static inline bool
scan_value(struct scan *s, bool *ret_open)
{
	uint8_t c = s->p < s->end ? *s->p : 0;

	*ret_open = false;
	s->here.offset = (size_t)(s->p - s->buf);
	if (c == '"')
		return scan_string_value(s);
	if (c == '{')
		return open_container(s, JSON_OBJECT, ret_open);
	if (c == '[')
		return open_container(s, JSON_ARRAY, ret_open);
	return scan_scalar(s);
}

/* p is behind a value inside a container. Close what ends here; afterwards p
 * is at the next value, or depth is 0. */
static inline bool
scan_to_next(struct scan *s)
{
	while (s->depth > 0) {
		bool object = in_object(s);

		skip_space(s);
		uint8_t c = s->p < s->end ? *s->p : 0;
		if (c == ',') {
			s->p++;
			skip_space(s);
			return object ? scan_key(s) : true;
		}
		if (c != (object ? '}' : ']'))
			return fail(s, object ? "expected a comma or } after the value"
					      : "expected a comma or ] after the value");
		close_container(s);
	}
	return true;
}

static bool
scan_document(struct scan *s)
{
	bool open;

	skip_space(s);
	do {
		if (!scan_value(s, &open))
			return false;
		if (!open && !scan_to_next(s))
			return false;
	} while (s->depth > 0);

	skip_space(s);
	return s->p == s->end || fail(s, "something follows the document");
}

bool
json_scan(const uint8_t *buf, size_t len, unsigned max_depth, const struct json_visitor *visitor,
	  void *arg, struct json_result *ret)
{
	struct scan s;

	*ret = (struct json_result){ 0 };
	s.buf = s.p = buf;
	s.end = buf + len;
	s.depth = s.reported = 0;
	s.max_depth = MIN(max_depth, (unsigned)JSON_MAX_DEPTH);
	s.here = (struct place){ 0 };
	s.visitor = visitor;
	s.arg = arg;
	s.result = ret;
	return scan_document(&s);
}
