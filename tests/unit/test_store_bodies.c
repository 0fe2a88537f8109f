/*
 * test_store_bodies.c - bodies in pieces, without the store's thread: what a crash
 * leaves of them, and what is damaged.
 */
#include "daemon/store/bodies.h"
#include "tests/unit/store_jobs.h"

#define BIG   (1u << 20)
#define SMALL 100000u /* one piece: nothing is staged */

static struct db *
open_db(const struct fixture *f)
{
	struct db *db;
	char why[DB_WHY_LEN];

	assert_int_equal(db_open(f->dir, false, NOW_MS, &db, why, sizeof(why)), FOREBAY_ERR_OK);
	return db;
}

static struct body_in
body_in_of(uint64_t id, size_t len)
{
	return (struct body_in){ .id = id, .data = body_of(id, len), .len = len };
}

static void
stage_all(struct db *db, struct body_in *in)
{
	while (bodies_needs_staging(in)) {
		assert_true(db_begin(db));
		bodies_stage(db, in);
		assert_true(db_commit(db));
	}
}

static void
put(struct db *db, uint64_t id, size_t len)
{
	struct body_in in = body_in_of(id, len);

	stage_all(db, &in);
	assert_true(db_begin(db));
	bodies_put(db, &in);
	assert_true(db_commit(db));
	free(in.data);
}

/* The error of reading it to its end. */
static enum forebay_err
read_back(struct db *db, uint64_t id, size_t len)
{
	struct body_out out;
	enum forebay_err err = bodies_open(db, id, &out);
	uint8_t *want = body_of(id, len);

	while (!err && !bodies_is_read(&out))
		err = bodies_read_piece(db, &out);
	if (!err) {
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, want, len);
	}
	free(out.data);
	free(want);
	return err;
}

static void
sweep_all(struct db *db)
{
	int steps = 0;

	while (bodies_sweep_trash(db))
		assert_true(++steps < 1000);
	assert_int_equal(db->failure, DB_FINE);
}

/* --- trash -------------------------------------------------------------------- */

static void
check_put_again(struct fixture *f, size_t len)
{
	uint64_t id = bodies_id(1, BODY_ANSWER);
	struct body_in in = body_in_of(id, BIG);
	struct db *db = open_db(f);

	/* A finish that died in the midst of its answer. */
	stage_all(db, &in);
	free(in.data);
	db_close(db);

	/* The start after it, and the answer of the next try before the sweep. */
	db = open_db(f);
	assert_true(bodies_forsake(db));
	put(db, id, len);
	sweep_all(db);
	assert_int_equal(read_back(db, id, len), FOREBAY_ERR_OK);
	db_close(db);
}

static void
a_body_put_again_is_not_swept_away(void **state)
{
	static const size_t sizes[] = { 10, BODIES_INLINE, SMALL, BIG, 2 * BIG };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		check_put_again(*state, sizes[i]);
}

static void
what_is_forsaken_is_swept(void **state)
{
	uint64_t id = bodies_id(1, BODY_REQUEST);
	struct body_in in = body_in_of(id, BIG);
	struct db *db = open_db(*state);

	stage_all(db, &in);
	free(in.data);
	/* not while it is being staged */
	sweep_all(db);
	assert_int_equal(db_number(db, SQL_TRASH_NEXT, 0), 0);
	assert_true(bodies_forsake(db));
	assert_int_equal(db_number(db, SQL_TRASH_NEXT, 0), (int64_t)id);
	sweep_all(db);
	assert_int_equal(db_number(db, SQL_TRASH_NEXT, 0), 0);
	db_close(db);
}

/* --- damage ------------------------------------------------------------------- */

static void
damage_of_one_body_is_not_the_files(void **state)
{
	static const char *const damages[] = {
		"DELETE FROM body WHERE id = 4",
		"UPDATE body SET len = len + 1 WHERE id = 4",
		"UPDATE body SET len = -1 WHERE id = 4",
		"UPDATE body SET data = x'00' WHERE id = 4",
		"DELETE FROM chunk WHERE id / 4096 = 4 AND id % 4096 = 2",
		"UPDATE chunk SET data = x'00' WHERE id / 4096 = 4 AND id % 4096 = 0",
	};
	struct db *db = open_db(*state);

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		size_t len = i == 3 ? 10 : BIG;

		put(db, 4, len);
		assert_int_equal(read_back(db, 4, len), FOREBAY_ERR_OK);
		assert_int_equal(sqlite3_exec(db->handle, damages[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_changes(db->handle), 1);
		assert_int_equal(read_back(db, 4, len), FOREBAY_ERR_INTERNAL);
		assert_int_equal(db->failure, DB_FINE);
	}
	db_close(db);
}

static void
a_body_removed_while_read_is_not_found(void **state)
{
	struct db *db = open_db(*state);
	struct body_out out;

	put(db, 4, BIG);
	assert_int_equal(bodies_open(db, 4, &out), FOREBAY_ERR_OK);
	assert_int_equal(bodies_read_piece(db, &out), FOREBAY_ERR_OK);
	assert_true(db_begin(db));
	bodies_release(db, 4);
	assert_true(db_commit(db));
	sweep_all(db);
	assert_int_equal(bodies_read_piece(db, &out), FOREBAY_ERR_NOT_FOUND);
	free(out.data);
	db_close(db);
}

static int
setup_closed(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

#define BODIES_TEST(name) cmocka_unit_test_setup_teardown(name, setup_closed, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BODIES_TEST(a_body_put_again_is_not_swept_away),
		BODIES_TEST(what_is_forsaken_is_swept),
		BODIES_TEST(damage_of_one_body_is_not_the_files),
		BODIES_TEST(a_body_removed_while_read_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
