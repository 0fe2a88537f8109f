/*
 * test_prometheus.c - the page of metrics of a real server, runner and store, read
 * by a strict reader; and that daemon/METRICS.md lists what is on it. Run from
 * the top of the tree.
 */
#include "daemon/serve/prometheus.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/run/runner_internal.h"
#include "daemon/run/totals.h"
#include "daemon/serve/exposition.h"
#include "daemon/serve/server.h"
#include "tests/unit/prometheus_page.h"
#include "tests/unit/store_fixture.h"

#include <time.h>

#define DOCUMENT "daemon/METRICS.md"
#define TABLE	 "## All of them\n"
#define OWNERS	 1000
#define MODELS	 510
#define BUDGET_S 0.05 /* what is promised is 2 ms, of a machine that is not busy */

/* --- a server with what it stands on ------------------------------------------------ */

static struct {
	struct fixture store;
	struct config *config;
	struct runner *runner;
	struct server *server;
} desk;

static void
desk_on_drained(void *arg)
{
	(void)arg;
}

static void
desk_on_empty(void *arg)
{
	(void)arg;
}

static bool
has_key(char *ret, size_t len, void *arg)
{
	(void)arg;
	snprintf(ret, len, "sha256:00000000");
	return true;
}

static int
desk_setup(void **state)
{
	static const struct runner_events runner_events = { desk_on_drained };
	static const struct server_events server_events = { .empty = desk_on_empty,
							    .key = has_key };
	struct config_source source = { .file = "/dev/null" };

	(void)state;
	metrics = (struct metrics){ 0 };
	histograms = (struct histograms){ 0 };
	fixture_make(&desk.store);
	fixture_open(&desk.store);
	assert_int_equal(config_load(&source, stderr, &desk.config), FOREBAY_ERR_OK);
	desk.runner =
	    runner_new(desk.store.base, desk.config, desk.store.store, NULL, &runner_events, NULL);
	desk.server = server_new(desk.store.base, desk.config, desk.store.store, desk.runner,
				 &server_events, NULL);
	return 0;
}

static int
desk_teardown(void **state)
{
	(void)state;
	server_free(desk.server);
	runner_free(desk.runner);
	config_free(desk.config);
	fixture_free(&desk.store);
	return 0;
}

static void
read_page(struct page *ret)
{
	size_t len;
	char *text = prometheus_text(desk.server, &len);

	page_read(ret, text, len);
}

static void
add_models(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		double when = INFINITY;
		char name[128];
		bool probe;

		snprintf(name, sizeof(name), "claude-of-a-name-of-some-length-%u", i);
		(void)gates_may_send(runner_gates(desk.runner), name, 1, 1, clock_mono(), &when,
				     &probe);
	}
}

/* The i-th has i jobs, and the others hold less than it. */
static void
add_owners(unsigned count)
{
	for (unsigned i = 1; i <= count; i++) {
		/* In an order that is not that of their size. */
		unsigned n = i * 7919 % count + 1;
		struct owner *owner = lanes_owner(desk.runner->lanes, 2000000 + n, NULL);

		owner->pending = n;
		owner->running = 1;
		owner->succeeded = 2 * n;
		owner->failed = 3;
		owner->tokens = 1000 * n;
	}
}

/* Of the sample spelled so; NULL: there is none. */
static const struct page_sample *
page_find(const struct page *page, const char *key)
{
	const struct page_sample wanted = { .key = key };

	return bsearch(&wanted, page->samples, page->sample_count, sizeof(wanted), by_key);
}

static double
page_value(const struct page *page, const char *key)
{
	const struct page_sample *sample = page_find(page, key);

	if (!sample)
		fail_msg("there is no %s", key);
	return sample->value;
}

/* --- the page ------------------------------------------------------------------------- */

static void
each_family_of_the_table_is_on_the_page(void **unused)
{
	struct prometheus_row row;
	struct page page;
	unsigned i;

	(void)unused;
	read_page(&page);
	for (i = 0; prometheus_row(i, &row); i++) {
		assert_true(i < page.family_count);
		assert_string_equal(page.families[i].name + strlen("forebay_"), row.name);
		assert_string_equal(page.families[i].kind, row.kind);
		assert_string_equal(page.families[i].help, row.help);
	}
	assert_int_equal(i, page.family_count);
	page_clear(&page);
}

/* "gate, kind" as the labels of a sample: the same words in the same order. */
static bool
has_labels(const char *key, const char *labels)
{
	const char *p = key + strcspn(key, "{");

	while (*labels) {
		size_t len = strcspn(labels, ",");

		if ((*p != '{' && *p != ',') || strncmp(++p, labels, len) != 0 || p[len] != '=')
			return false;
		p = skip_label(p, key);
		labels += len;
		labels += strspn(labels, ", ");
	}
	return *p == '}' || *p == '\0';
}

static void
samples_have_the_labels_of_the_table(void **unused)
{
	struct prometheus_row row;
	struct page page;

	(void)unused;
	add_models(2);
	add_owners(3);
	read_page(&page);
	for (size_t i = 0; i < page.sample_count; i++) {
		const struct page_sample *sample = &page.samples[i];

		assert_true(prometheus_row((unsigned)sample->family, &row));
		if (strcmp(row.kind, "histogram") == 0)
			continue;
		if (!has_labels(sample->key, row.labels))
			fail_msg("%s does not have the labels \"%s\"", sample->key, row.labels);
	}
	page_clear(&page);
}

static void
what_is_counted_is_shown(void **unused)
{
	struct page page;

	(void)unused;
	metrics.attempts_total = UINT64_C(9007199254740991);
	metrics.tokens_cache_read_total = 5;
	histogram_observe(&histograms.first_byte_seconds, 0.3);
	histogram_observe(&histograms.first_byte_seconds, 1e6);
	desk.runner->counts[FOREBAY_JOB_BATCHED] = 11;
	desk.runner->queued[FOREBAY_CLASS_PATIENT] = 12;
	read_page(&page);
	assert_true(page_value(&page, "forebay_attempts_total") == 9007199254740991.0);
	assert_true(page_value(&page, "forebay_tokens_total{kind=\"cache_read\"}") == 5);
	assert_true(page_value(&page, "forebay_jobs{state=\"batched\"}") == 11);
	assert_true(page_value(&page, "forebay_jobs{state=\"queued\"}") == 0);
	assert_true(page_value(&page, "forebay_queued_jobs{class=\"patient\"}") == 12);
	assert_true(page_value(&page, "forebay_first_byte_seconds_bucket{le=\"0.2\"}") == 0);
	assert_true(page_value(&page, "forebay_first_byte_seconds_bucket{le=\"0.5\"}") == 1);
	assert_true(page_value(&page, "forebay_first_byte_seconds_bucket{le=\"+Inf\"}") == 2);
	assert_true(page_value(&page, "forebay_first_byte_seconds_count") == 2);
	assert_true(page_value(&page, "forebay_first_byte_seconds_sum") == 1000000.3);
	assert_true(page_value(&page, "forebay_build_info{version=\"" FOREBAY_VERSION "\"}") == 1);
	assert_true(page_value(&page, "forebay_key_usable") == 1);
	assert_true(page_value(&page, "forebay_store_writable") == 1);
	assert_true(page_value(&page, "forebay_store_bytes") > 0);
	assert_true(page_value(&page, "forebay_store_free_bytes") > 0);
	page_clear(&page);
}

static void
the_process_is_ours(void **unused)
{
	struct page page, other;
	double start;
	int fd;

	(void)unused;
	read_page(&page);
	start = page_value(&page, "forebay_process_start_time_seconds");
	assert_true(fabs(start - (double)clock_wall_ms() / 1000.0) < 60);
	assert_true(page_value(&page, "forebay_process_resident_memory_bytes") > 1e6);
	fd = dup(0);
	read_page(&other);
	assert_true(page_value(&other, "forebay_process_open_fds") ==
		    page_value(&page, "forebay_process_open_fds") + 1);
	close(fd);
	page_clear(&page);
	page_clear(&other);
}

static void
attempts_end_in_the_words_of_the_ledger(void **unused)
{
	const char *outcome;
	struct page page;
	uint64_t count;
	unsigned i;

	(void)unused;
	read_page(&page);
	for (i = 0; (outcome = runner_outcome(i, &count)); i++) {
		char key[128];

		snprintf(key, sizeof(key), "forebay_attempts_ended_total{outcome=\"%s\"}", outcome);
		assert_true(page_value(&page, key) == (double)count);
	}
	assert_true(i > 8);
	page_clear(&page);
}

/* --- gates -------------------------------------------------------------------------------- */

#define OF_GATE(name) "{gate=\"claude-opus-5-5\",kind=\"model\"" name "}"

static void
a_gate_has_one_weather(void **unused)
{
	struct gates *gates = runner_gates(desk.runner);
	struct page page;

	(void)unused;
	assert_false(gates_hold(gates, "claude-opus-5-5", clock_mono() + 1000, NULL));
	read_page(&page);
	assert_true(page_value(&page, "forebay_gate_weather" OF_GATE(",weather=\"held\"")) == 1);
	assert_true(page_value(&page, "forebay_gate_weather" OF_GATE(",weather=\"open\"")) == 0);
	assert_true(page_value(&page, "forebay_gate_weather" OF_GATE(",weather=\"dark\"")) == 0);
	assert_true(page_value(&page, "forebay_gate_closed" OF_GATE("")) == 1);
	assert_true(fabs(page_value(&page, "forebay_gate_next_try_seconds" OF_GATE("")) - 950) <=
		    50);
	assert_true(page_value(&page, "forebay_gate_slots" OF_GATE("")) ==
		    (double)desk.config->workers);
	assert_true(page_value(&page, "forebay_gate_closed{gate=\"host\",kind=\"host\"}") == 0);
	page_clear(&page);
	assert_false(gates_hold(gates, "key", INFINITY, NULL));
	assert_false(gates_release(gates, "claude-opus-5-5"));
	read_page(&page);
	assert_true(
	    isinf(page_value(&page, "forebay_gate_next_try_seconds{gate=\"key\",kind=\"key\"}")));
	assert_true(page_value(&page, "forebay_gate_weather" OF_GATE(",weather=\"open\"")) == 1);
	assert_true(page_value(&page, "forebay_gate_next_try_seconds" OF_GATE("")) == 0);
	page_clear(&page);
}

/* The quick walk sees what the one for people sees. */
static void
both_walks_over_the_gates_agree(void **unused)
{
	struct gates *gates = runner_gates(desk.runner);
	struct gates_row row, quick = { 0 };
	double now = clock_mono();
	size_t i;

	(void)unused;
	add_models(5);
	for (i = 0; gates_row(gates, i, now, &row); i++) {
		assert_true(gates_next(gates, now, &quick));
		assert_string_equal(quick.name, row.name);
		assert_string_equal(quick.kind, row.kind);
		assert_ptr_equal(quick.gate, row.gate);
		assert_int_equal(quick.view.weather, row.view.weather);
		assert_string_equal(quick.reason, "");
	}
	assert_int_equal(i, 7);
	assert_false(gates_next(gates, now, &quick));
}

/* --- owners --------------------------------------------------------------------------------- */

static double
sum_of(const struct page *page, const char *name, size_t *ret_count)
{
	size_t len = strlen(name);
	double sum = 0;

	*ret_count = 0;
	for (size_t i = 0; i < page->sample_count; i++)
		if (strncmp(page->samples[i].key, name, len) == 0) {
			sum += page->samples[i].value;
			(*ret_count)++;
		}
	return sum;
}

static void
a_few_owners_have_a_name_each(void **unused)
{
	struct page page;
	size_t count;

	(void)unused;
	lanes_owner(desk.runner->lanes, 0, NULL)->pending = 4;
	add_owners(99);
	read_page(&page);
	assert_true(page_value(&page, "forebay_owner_jobs_pending{owner=\"root\",uid=\"0\"}") == 4);
	assert_true(
	    page_value(&page, "forebay_owner_tokens_total{owner=\"2000099\",uid=\"2000099\"}") ==
	    99000);
	assert_null(page_find(&page, "forebay_owner_jobs_pending{owner=\"other\",uid=\"\"}"));
	(void)sum_of(&page, "forebay_owner_jobs_pending{", &count);
	assert_int_equal(count, 100);
	page_clear(&page);
}

static void
of_many_owners_the_largest_have_a_name_and_none_is_lost(void **unused)
{
	const double all = OWNERS * (OWNERS + 1.0) / 2.0;
	const double rest = (OWNERS - 100) * (OWNERS - 99.0) / 2.0;
	struct page page;
	size_t count;

	(void)unused;
	add_owners(OWNERS);
	read_page(&page);
	assert_true(sum_of(&page, "forebay_owner_jobs_pending{", &count) == all);
	assert_int_equal(count, 101);
	assert_true(page_value(&page, "forebay_owner_jobs_pending{owner=\"other\",uid=\"\"}") ==
		    rest);
	assert_true(
	    page_value(&page, "forebay_owner_jobs_succeeded_total{owner=\"other\",uid=\"\"}") ==
	    2 * rest);
	assert_true(sum_of(&page, "forebay_owner_jobs_running{", &count) == OWNERS);
	assert_true(sum_of(&page, "forebay_owner_jobs_failed_total{", &count) == 3 * OWNERS);
	assert_true(sum_of(&page, "forebay_owner_tokens_total{", &count) == 1000 * all);
	assert_non_null(
	    page_find(&page, "forebay_owner_tokens_total{owner=\"2000901\",uid=\"2000901\"}"));
	assert_null(
	    page_find(&page, "forebay_owner_tokens_total{owner=\"2000900\",uid=\"2000900\"}"));
	page_clear(&page);
}

/* --- how long it takes --------------------------------------------------------------------------
 */

static double
cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
the_largest_page_is_made_in_a_moment(void **unused)
{
	double best = INFINITY, since;
	struct page page;
	size_t len = 0;

	(void)unused;
	add_models(MODELS);
	add_owners(OWNERS);
	for (int i = 0; i < 10; i++) {
		since = cpu_s();
		free(prometheus_text(desk.server, &len));
		best = fmin(best, cpu_s() - since);
	}
	print_message("%zu KB in %.2f ms\n", len / 1024, best * 1e3);
	assert_true(best < BUDGET_S);
	read_page(&page);
	(void)sum_of(&page, "forebay_gate_level{", &len);
	assert_int_equal(len, MODELS + 2);
	page_clear(&page);
}

/* --- how values and labels are spelled
 * ------------------------------------------------------------ */

static void
labels_are_spelled_so_that_they_come_back(void **unused)
{
	static const struct {
		const char *value, *spelled;
	} rows[] = {
		{ "", "" },
		{ "claude-opus-5-5", "claude-opus-5-5" },
		{ "a\"b", "a\\\"b" },
		{ "a\\", "a\\\\" },
		{ "two\nlines", "two\\nlines" },
		{ "\x01\x7f", "\\\\x01\\\\x7F" },
		{ "gr\xc3\xbc\xc3", "gr\\\\xC3\\\\xBC\\\\xC3" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exposition out = { 0 };
		struct page page;
		char key[128];

		exposition_family(&out, "x", "gauge", "help");
		exposition_sample(&out, "x", "");
		exposition_label(&out, "a", rows[i].value);
		exposition_label(&out, "b", rows[i].value);
		exposition_count(&out, 1);
		page_read(&page, out.text, out.len);
		snprintf(key, sizeof(key), "forebay_x{a=\"%s\",b=\"%s\"}", rows[i].spelled,
			 rows[i].spelled);
		assert_true(page_value(&page, key) == 1);
		page_clear(&page);
	}
}

static void
numbers_are_spelled_to_the_millionth(void **unused)
{
	static const struct {
		double value;
		const char *spelled;
	} rows[] = {
		{ 0, "0" },
		{ -0.0, "0" },
		{ 1, "1" },
		{ 12.5, "12.5" },
		{ 0.000001, "0.000001" },
		{ 0.0000001, "0" },
		{ -0.0000001, "0" },
		{ 0.1 + 0.2, "0.3" },
		{ 0.0501, "0.0501" },
		{ -3.25, "-3.25" },
		{ 0.9999999, "1" },
		{ 1795513868.123, "1795513868.123" },
		{ 999999999999.5, "999999999999.5" },
		{ 1e12, "1000000000000" },
		{ 1.5e300, "1.5000000000000001e+300" },
		{ INFINITY, "+Inf" },
		{ -INFINITY, "-Inf" },
		{ NAN, "NaN" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exposition out = { 0 };
		char line[64];

		exposition_sample(&out, "x", "");
		exposition_number(&out, rows[i].value);
		snprintf(line, sizeof(line), "forebay_x %s\n", rows[i].spelled);
		assert_int_equal(out.len, strlen(line));
		assert_memory_equal(out.text, line, out.len);
		free(out.text);
	}
}

/* --- the document
 * ------------------------------------------------------------------------------------ */

static void
the_document_has_a_row_for_each_and_no_other(void **unused)
{
	FILE *file = fopen(DOCUMENT, "r");
	char line[512], wanted[512], labels[128];
	struct prometheus_row row;
	bool in_table = false;
	unsigned i = 0;

	(void)unused;
	if (!file)
		fail_msg(DOCUMENT ": cannot be read (run from the top of the tree)");
	while (fgets(line, sizeof(line), file)) {
		in_table |= strcmp(line, TABLE) == 0;
		if (!in_table || strncmp(line, "| `", 3) != 0)
			continue;
		if (!prometheus_row(i++, &row))
			fail_msg(DOCUMENT " has a row too many: %s", line);
		snprintf(labels, sizeof(labels), "%s%s%s", row.labels[0] ? "`" : "", row.labels,
			 row.labels[0] ? "`" : "");
		snprintf(wanted, sizeof(wanted), "| `forebay_%s` | %s | %s | %s |\n", row.name,
			 row.kind, labels, row.help);
		assert_string_equal(line, wanted);
	}
	if (prometheus_row(i, &row))
		fail_msg(DOCUMENT " lacks forebay_%s: %s, %s: %s", row.name, row.kind, row.labels,
			 row.help);
	fclose(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_family_of_the_table_is_on_the_page),
		TEST(samples_have_the_labels_of_the_table),
		TEST(what_is_counted_is_shown),
		TEST(the_process_is_ours),
		TEST(attempts_end_in_the_words_of_the_ledger),
		TEST(a_gate_has_one_weather),
		TEST(both_walks_over_the_gates_agree),
		TEST(a_few_owners_have_a_name_each),
		TEST(of_many_owners_the_largest_have_a_name_and_none_is_lost),
		TEST(the_largest_page_is_made_in_a_moment),
		cmocka_unit_test(labels_are_spelled_so_that_they_come_back),
		cmocka_unit_test(numbers_are_spelled_to_the_millionth),
		cmocka_unit_test(the_document_has_a_row_for_each_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
