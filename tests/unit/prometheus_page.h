/*
 * prometheus_page.h - a reader of the text format of Prometheus, stricter than
 * the format: what our page must look like, and nothing else. A page that is
 * not so fails the test that reads it.
 */
#ifndef TESTS_UNIT_PROMETHEUS_PAGE_H
#define TESTS_UNIT_PROMETHEUS_PAGE_H

#include "tests/unit/prometheus_words.h"

struct page_sample {
	const char *key; /* "name{label="value",...}", as it was spelled */
	size_t family;	 /* of its page */
	double value;
};

struct page_family {
	const char *name, *kind, *help;
};

struct page {
	char *text; /* owned; cut into the strings of the others */
	struct page_family families[128];
	size_t family_count;
	struct page_sample *samples; /* owned; in the order of the page, then of their keys */
	size_t sample_count, room;
	double le, bucket; /* of the histogram being read: the last bound, and its count */
};

/* Is suffix, what stands behind the family's name, right for its kind? */
static inline void
check_kind(struct page *page, const struct page_family *family, const char *suffix, size_t len,
	   const char *labels, double value)
{
	bool histogram = strcmp(family->kind, "histogram") == 0;

	if (!histogram) {
		assert_int_equal(len, 0);
		assert_true(strcmp(family->kind, "gauge") == 0 || value >= 0);
	} else if (strncmp(suffix, "_bucket", len) == 0 && len == 7) {
		check_bucket(labels, value, &page->le, &page->bucket);
	} else if (strncmp(suffix, "_count", len) == 0 && len == 6) {
		/* The last bucket holds all. */
		assert_true(isinf(page->le) && value == page->bucket);
	} else {
		assert_true(strncmp(suffix, "_sum", len) == 0 && len == 4);
	}
}

static inline void
read_sample(struct page *page, char *line)
{
	const struct page_family *family = &page->families[page->family_count - 1];
	size_t name = strcspn(line, "{ "), own;
	const char *p = line + name, *labels = p;
	double value;

	assert_true(page->family_count > 0);
	own = strlen(family->name);
	if (name < own || strncmp(line, family->name, own) != 0)
		fail_msg("a sample that is not of the family before it: %s", line);
	if (*p == '{') {
		do
			p = skip_label(p + 1, line);
		while (*p == ',');
		if (*p++ != '}')
			fail_msg("labels that do not end: %s", line);
	}
	if (*p != ' ')
		fail_msg("a sample without a value: %s", line);
	value = number(p + 1, line);
	check_kind(page, family, line + own, name - own, labels, value);
	line[p - line] = '\0';
	if (page->sample_count == page->room) {
		page->room = page->room ? 2 * page->room : 1024;
		page->samples = realloc(page->samples, page->room * sizeof(page->samples[0]));
		assert_non_null(page->samples);
	}
	page->samples[page->sample_count++] =
	    (struct page_sample){ line, page->family_count - 1, value };
}

static inline void
read_family(struct page *page, char *help_line, char *type_line)
{
	char *help, *kind;
	struct page_family *family = &page->families[page->family_count++];
	size_t len;

	assert_true(page->family_count <= sizeof(page->families) / sizeof(page->families[0]));
	family->name = read_comment(help_line, "# HELP ", &help);
	assert_string_equal(read_comment(type_line, "# TYPE ", &kind), family->name);
	assert_null(strchr(help, '\\'));
	family->help = help;
	family->kind = kind;
	len = strlen(family->name);
	assert_true(strncmp(family->name, "forebay_", 8) == 0);
	assert_true(strcmp(kind, "counter") == 0 || strcmp(kind, "gauge") == 0 ||
		    strcmp(kind, "histogram") == 0);
	assert_int_equal(strcmp(kind, "counter") == 0,
			 len > 6 && strcmp(family->name + len - 6, "_total") == 0);
	for (const struct page_family *other = page->families; other < family; other++)
		assert_string_not_equal(other->name, family->name);
	page->le = -INFINITY;
	page->bucket = 0;
}

static inline int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct page_sample *)a)->key, ((const struct page_sample *)b)->key);
}

/* text is taken. */
static inline void
page_read(struct page *ret, char *text, size_t len)
{
	char *rest = text, *line, *type;

	*ret = (struct page){ .text = text };
	assert_true(len > 0 && text[len - 1] == '\n');
	assert_null(memchr(text, '\0', len));
	text[len - 1] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (line[0] != '#') {
			read_sample(ret, line);
			continue;
		}
		type = strsep(&rest, "\n");
		assert_non_null(type);
		read_family(ret, line, type);
	}
	qsort(ret->samples, ret->sample_count, sizeof(ret->samples[0]), by_key);
	for (size_t i = 1; i < ret->sample_count; i++)
		assert_string_not_equal(ret->samples[i - 1].key, ret->samples[i].key);
}

static inline void
page_clear(struct page *page)
{
	free(page->samples);
	free(page->text);
}

#endif
