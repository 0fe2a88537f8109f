/*
 * test_store_rows.c - the store's rows: removing, sharing, listing, bodies of
 * every size, ids, gates, space.
 */
#include "tests/unit/store_file.h"
#include "tests/unit/store_jobs.h"
#include "tests/unit/store_space.h"

/* --- delete, sweep, retry --------------------------------------------------------------- */

static void
only_final_jobs_are_deleted(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };

	submit(f, &job, 10);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	assert_false(got.reply.moved);
	assert_int_equal(got.reply.state, FOREBAY_JOB_QUEUED);
	start(f, 1, 1);
	finish(f, 1, 1, 100000);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_delete, 1, BOB);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	assert_true(got.reply.moved);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_delete, 1, ALICE);
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_result, 1, ALICE);
	fixture_reopen(f);
	/* ids are never given out again, not even those of rows that are gone */
	assert_int_equal(store_found(f->store)->next_id, 2);
	assert_int_equal(store_found(f->store)->lane_count, 0);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_SUCCEEDED], 0);
	got_clear(&got);
}

static void
sweep_removes_what_is_past_its_time(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };
	size_t removed = 0;

	for (uint64_t id = 1; id <= 30; id++) {
		struct store_job job = job_of(id, ALICE, 1);

		job.keep_ms = id <= 20 ? 1000 : INT64_MAX - 5;
		submit(f, &job, 10);
		if (id == 20)
			continue; /* still queued: stays */
		start(f, id, 1);
		finish(f, id, 1, 10);
	}
	ASK(f, &got, FOREBAY_ERR_OK, store_sweep, NOW_MS + 2000, 100);
	assert_int_equal(got.reply.move_count, 0);
	assert_false(got.reply.more);
	do {
		ASK(f, &got, FOREBAY_ERR_OK, store_sweep, NOW_MS + HOUR_MS, 4);
		assert_true(got.reply.move_count <= 4);
		removed += got.reply.move_count;
	} while (got.reply.more);
	assert_int_equal(removed, 19);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_SUCCEEDED], 10);
	assert_int_equal(store_found(f->store)->counts[FOREBAY_JOB_QUEUED], 1);
	got_clear(&got);
}

static void
retry_shares_the_body(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1), again = job_of(2, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	size_t len = 700000; /* in pieces */
	struct got got = { 0 };

	submit(f, &job, len);
	ASK(f, &got, FOREBAY_ERR_OK, store_move, 1, ALICE, ~0u, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS);
	again.retry_of = 1;
	ASK(f, &got, FOREBAY_ERR_OK, store_submit, &again, &lane, NULL, 0);
	ASK(f, &got, FOREBAY_ERR_OK, store_delete, 1, ALICE);
	assert_true(got.reply.moved);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->lanes[0].bytes, len);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 2, ALICE);
	assert_int_equal(got.reply.job->retry_of, 1);
	assert_int_equal(got.reply.job->head.body_len, len);
	assert_body(&got.reply, 1, len);
	/* a third one, of the second */
	again.head.id = 3;
	again.retry_of = 2;
	ASK(f, &got, FOREBAY_ERR_OK, store_submit, &again, &lane, NULL, 0);
	again.head.id = 4;
	again.retry_of = 1;
	ASK(f, &got, FOREBAY_ERR_NOT_FOUND, store_submit, &again, &lane, NULL, 0);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 3, ALICE);
	assert_body(&got.reply, 1, len);
	got_clear(&got);
}

/* --- states, list ------------------------------------------------------------------------- */

static void
states_answer_in_the_order_asked(void **state)
{
	struct fixture *f = *state;
	struct store_job one = job_of(1, ALICE, 1), two = job_of(2, BOB, 2);
	const uint64_t ids[] = { 2, 99, 1, 2 };
	struct got got = { 0 };

	submit(f, &one, 10);
	submit(f, &two, 10);
	start(f, 2, 1);
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, 4, ANYBODY);
	assert_int_equal(got.reply.move_count, 4);
	assert_int_equal(got.reply.moves[0].from, FOREBAY_JOB_RUNNING);
	assert_int_equal(got.reply.moves[0].uid, BOB);
	assert_false(got.reply.moves[1].found);
	assert_int_equal(got.reply.moves[1].head.id, 99);
	assert_int_equal(got.reply.moves[2].to, FOREBAY_JOB_QUEUED);
	assert_true(got.reply.moves[3].found);
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, 4, ALICE);
	assert_false(got.reply.moves[0].found);
	assert_true(got.reply.moves[2].found);
	ASK(f, &got, FOREBAY_ERR_OK, store_states, ids, 0, ALICE);
	assert_int_equal(got.reply.move_count, 0);
	got_clear(&got);
}

static void
fill_for_list(struct fixture *f, uint64_t count)
{
	struct store_lane lane = lane_of(1, ALICE);
	struct got got = { 0 };

	for (uint64_t id = 1; id <= count; id++) {
		struct store_job job = job_of(id, id % 2 ? ALICE : BOB, 1);

		job.label = id % 5000 == 0 ? "rare" : "common";
		job.model = id % 3 ? "a" : "b";
		job.head.created_ms = NOW_MS + (int64_t)id;
		store_submit(f->store, &job, &lane, body_of(id, 10), 10,
			     id == count ? got_on_done : NULL, &got);
	}
	got_wait(f, &got);
	got_clear(&got);
}

static size_t
list_all(struct fixture *f, struct store_filter *filter, unsigned *ret_calls)
{
	struct got got = { 0 };
	uint64_t before = UINT64_MAX;
	size_t seen = 0;

	*ret_calls = 0;
	do {
		ASK(f, &got, FOREBAY_ERR_OK, store_list, filter);
		(*ret_calls)++;
		for (size_t i = 0; i < got.reply.job_count; i++) {
			assert_true(got.reply.jobs[i].head.id < before);
			before = got.reply.jobs[i].head.id;
		}
		assert_true(got.reply.job_count <= filter->limit);
		seen += got.reply.job_count;
		filter->before_id = got.reply.next_id;
	} while (got.reply.more);
	got_clear(&got);
	return seen;
}

static void
list_pages_over_many_rows(void **state)
{
	struct fixture *f = *state;
	const struct store_filter all = { .uid = ANYBODY, .state = -1, .limit = 1000 };
	struct store_filter filter = all;
	unsigned calls;

	fill_for_list(f, 22000);
	assert_int_equal(list_all(f, &filter, &calls), 22000);
	assert_int_equal(calls, 22);
	filter = all;
	filter.label = "rare";
	filter.uid = BOB;
	assert_int_equal(list_all(f, &filter, &calls), 4); /* all 5,000s are even */
	assert_true(calls > 1);
	filter = all;
	filter.model = "b";
	filter.since_ms = NOW_MS + 21991; /* 21993 21996 21999 */
	assert_int_equal(list_all(f, &filter, &calls), 3);
	filter = all;
	filter.state = FOREBAY_JOB_RUNNING;
	assert_int_equal(list_all(f, &filter, &calls), 0);
	filter = all;
	filter.before_id = 11;
	filter.limit = 3;
	assert_int_equal(list_all(f, &filter, &calls), 10);
	assert_int_equal(calls, 4);
}

/* --- big bodies ------------------------------------------------------------------------------ */

static void
bodies_of_every_size_come_back(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0,	1,	65535,	65536,	65537,	262143,
					262144, 262145, 524288, 524289, 1500000 };
	struct got got = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store_job job = job_of(i + 1, ALICE, 1);

		submit(f, &job, sizes[i]);
		start(f, i + 1, 1);
		finish(f, i + 1, 1, sizes[i]);
	}
	fixture_reopen(f);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		ASK(f, &got, FOREBAY_ERR_OK, store_request, i + 1, ALICE);
		assert_body(&got.reply, i + 1, sizes[i]);
		ASK(f, &got, FOREBAY_ERR_OK, store_result, i + 1, ALICE);
		assert_body(&got.reply, i + 1001, sizes[i]);
	}
	got_clear(&got);
}

static void
a_huge_body_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	size_t len = 32u << 20;
	struct store_lane lane = lane_of(1, ALICE);
	struct store_job huge = job_of(1, ALICE, 1), small = job_of(2, ALICE, 1);
	struct got first = { 0 }, second = { 0 };

	store_submit(f->store, &huge, &lane, body_of(1, len), len, got_on_done, &first);
	store_submit(f->store, &small, &lane, body_of(2, 10), 10, got_on_done, &second);
	got_wait(f, &second);
	assert_false(first.done);
	got_wait(f, &first);
	assert_int_equal(first.err, FOREBAY_ERR_OK);
	got_clear(&first);
	got_clear(&second);
	/* reading it neither */
	store_request(f->store, 1, ALICE, got_on_done, &first);
	store_show(f->store, 2, ALICE, false, got_on_done, &second);
	got_wait(f, &second);
	assert_false(first.done);
	got_wait(f, &first);
	assert_body(&first.reply, 1, len);
	got_clear(&first);
	got_clear(&second);
}

static void
a_body_deleted_while_read_is_not_found(void **state)
{
	struct fixture *f = *state;
	size_t len = 8u << 20;
	struct store_job job = job_of(1, ALICE, 1);
	struct got read = { 0 }, gone = { 0 };

	submit(f, &job, len);
	ASK(f, &gone, FOREBAY_ERR_OK, store_move, 1, ALICE, ~0u, FOREBAY_JOB_CANCELED,
	    FOREBAY_ERR_CANCELED, NOW_MS);
	got_clear(&gone);
	store_request(f->store, 1, ALICE, got_on_done, &read);
	store_delete(f->store, 1, ALICE, got_on_done, &gone);
	got_wait(f, &read);
	/* whole, or not at all: the pieces go only after the readers */
	if (read.err == FOREBAY_ERR_OK)
		assert_body(&read.reply, 1, len);
	else
		assert_int_equal(read.err, FOREBAY_ERR_NOT_FOUND);
	got_wait(f, &gone);
	assert_true(gone.reply.moved);
	got_clear(&read);
	got_clear(&gone);
}

static void
a_refused_big_body_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct store_lane lane = lane_of(1, ALICE);
	size_t len = 3u << 20;
	struct got got = { 0 };

	job.key = "k";
	submit(f, &job, 10);
	job.head.id = 2;
	ASK(f, &got, FOREBAY_ERR_OK, store_submit, &job, &lane, body_of(2, len), len);
	assert_true(got.reply.existing);
	fixture_close(f);
	/* what may be left of its pieces is known as trash */
	assert_int_equal(file_ask(f, "SELECT count(*) FROM trash WHERE staged"), 0);
	assert_int_equal(file_ask(f, "SELECT count(*) FROM chunk WHERE id / 4096 NOT IN "
				     "(SELECT body FROM trash)"),
			 0);
	got_clear(&got);
}

static void
what_is_deleted_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };
	uint64_t before, unused;

	store_disk(f->store, &before, &unused);
	for (uint64_t id = 1; id <= 5; id++) {
		struct store_job job = job_of(id, ALICE, 1);

		submit(f, &job, 4u << 20);
	}
	assert_true(space_used(f) > before + (20u << 20));
	for (uint64_t id = 1; id <= 5; id++) {
		ASK(f, &got, FOREBAY_ERR_OK, store_move, id, ALICE, ~0u, FOREBAY_JOB_CANCELED,
		    FOREBAY_ERR_CANCELED, NOW_MS);
		ASK(f, &got, FOREBAY_ERR_OK, store_delete, id, ALICE);
	}
	wait_for_space(f, before + ROOM);
	fixture_close(f);
	assert_int_equal(file_ask(f, "SELECT count(*) FROM chunk"), 0);
	got_clear(&got);
}

static void
trash_left_by_a_stop_is_swept(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1);
	struct got got = { 0 };
	uint64_t before, after, unused;

	submit(f, &job, 1u << 20);
	fixture_reopen(f);
	store_disk(f->store, &before, &unused);
	fixture_close(f);
	/* Of a job that was deleted, and of one that was never acknowledged. */
	file_run(f, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40) "
		    "INSERT INTO chunk SELECT 4096 * b.body + i, zeroblob(262144) "
		    "FROM n, (SELECT 8 AS body UNION SELECT 12) AS b");
	file_run(f, "INSERT INTO trash VALUES (8, 0), (12, 1)");
	fixture_open(f);
	store_disk(f->store, &after, &unused);
	assert_true(after > before + ROOM);
	wait_for_space(f, before + ROOM);
	ASK(f, &got, FOREBAY_ERR_OK, store_request, 1, ALICE);
	assert_body(&got.reply, 1, 1u << 20);
	fixture_close(f);
	assert_int_equal(file_ask(f, "SELECT count(*) FROM chunk"), 4);
	assert_int_equal(file_ask(f, "SELECT count(*) FROM trash"), 0);
	got_clear(&got);
}

/* --- ids, gates, disk ------------------------------------------------------------------------- */

static void
reserved_ids_stay_reserved(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };

	ASK(f, &got, FOREBAY_ERR_OK, store_reserve_ids, 1025);
	ASK(f, &got, FOREBAY_ERR_OK, store_reserve_ids, 500);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->next_id, 1025);
	struct store_job job = job_of(5000, ALICE, 1);
	submit(f, &job, 10);
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->next_id, 5001);
	got_clear(&got);
}

static void
gates_are_saved(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };

	store_save_gate(f->store, "key", "closed", NULL, NULL);
	ASK(f, &got, FOREBAY_ERR_OK, store_save_gate, "claude-opus-5-5", "v1 open 0.5");
	ASK(f, &got, FOREBAY_ERR_OK, store_save_gate, "key", "open");
	fixture_reopen(f);
	assert_int_equal(store_found(f->store)->gate_count, 2);
	assert_string_equal(store_found(f->store)->gates[0].name, "claude-opus-5-5");
	assert_string_equal(store_found(f->store)->gates[0].text, "v1 open 0.5");
	assert_string_equal(store_found(f->store)->gates[1].text, "open");
	got_clear(&got);
}

static void
too_little_space_refuses_submits_only(void **state)
{
	struct fixture *f = *state;
	struct store_job job = job_of(1, ALICE, 1), other = job_of(2, ALICE, 1);
	const char *why = NULL;
	struct got got = { 0 };

	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_OK);
	submit(f, &job, 10);
	f->config.min_free = UINT64_MAX;
	fixture_reopen(f);
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(why, "min_free"));
	submit_again(f, &got, &other, FOREBAY_ERR_STORAGE);
	start(f, 1, 1);
	finish(f, 1, 1, 10);
	f->config.min_free = 0;
	f->config.max_store = 8192;
	fixture_reopen(f);
	assert_int_equal(store_accepts(f->store, &why), FOREBAY_ERR_STORAGE);
	assert_non_null(strstr(why, "max_store"));
	got_clear(&got);
}

static void
an_idle_store_has_a_heartbeat(void **state)
{
	struct fixture *f = *state;
	struct got got = { 0 };
	uint64_t last;

	ASK(f, &got, FOREBAY_ERR_OK, store_reserve_ids, 10);
	last = store_heartbeat(f->store);
	while (store_heartbeat(f->store) == last)
		; /* until the thread is back at its wait: it never works for long */
	got_clear(&got);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(only_final_jobs_are_deleted),
		STORE_TEST(sweep_removes_what_is_past_its_time),
		STORE_TEST(retry_shares_the_body),
		STORE_TEST(states_answer_in_the_order_asked),
		STORE_TEST(list_pages_over_many_rows),
		STORE_TEST(bodies_of_every_size_come_back),
		STORE_TEST(a_huge_body_holds_up_nobody),
		STORE_TEST(a_body_deleted_while_read_is_not_found),
		STORE_TEST(a_refused_big_body_leaves_nothing),
		STORE_TEST(what_is_deleted_is_used_again),
		STORE_TEST(trash_left_by_a_stop_is_swept),
		STORE_TEST(reserved_ids_stay_reserved),
		STORE_TEST(gates_are_saved),
		STORE_TEST(too_little_space_refuses_submits_only),
		STORE_TEST(an_idle_store_has_a_heartbeat),
	};

	clock_set_scale(20); /* space is measured every 50 ms */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
