/*
 * test_routes.c - a route as text and as lists, and that one text is one route.
 */
#include "daemon/job/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
check(const char *const *models, size_t count, int batch, const char *chain, const char *text)
{
	struct route *routes = NULL, *route;
	char *written = route_text(models, count, batch, chain);

	assert_string_equal(written, text);
	route = routes_add(&routes, written);
	assert_string_equal(route->text, text);
	assert_int_equal(route->batch, batch);
	assert_int_equal(route->model_count, count);
	if (chain)
		assert_string_equal(route->chain, chain);
	else
		assert_null(route->chain);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(route->models[i], models[i]);
	assert_null(route->models[count]);
	assert_ptr_equal(routes_find(routes, text), route);
	assert_null(routes_find(routes, "another"));
	free(written);
	routes_free(&routes);
	assert_null(routes);
}

static void
a_route_survives_its_text(void **unused)
{
	static const char *const models[] = { "claude-opus-5-5", "claude-sonnet-5", "m=1" };

	(void)unused;
	check(models, 1, FOREBAY_BATCH_NEVER, NULL, "claude-opus-5-5");
	check(models, 2, FOREBAY_BATCH_NEVER, NULL, "claude-opus-5-5,claude-sonnet-5");
	check(models, 3, FOREBAY_BATCH_ALLOW, NULL,
	      "claude-opus-5-5,claude-sonnet-5,m=1 batch=allow");
	check(models, 2, FOREBAY_BATCH_NEVER, "cheap",
	      "claude-opus-5-5,claude-sonnet-5 chain=cheap");
	check(models, 1, FOREBAY_BATCH_ONLY, "a batch=allow chain=b",
	      "claude-opus-5-5 batch=only chain=a batch=allow chain=b");
	check(models + 1, 1, FOREBAY_BATCH_ONLY, NULL, "claude-sonnet-5 batch=only");
}

static void
what_the_disk_says_is_read_with_care(void **unused)
{
	struct route *routes = NULL;

	(void)unused;
	/* Of a newer version: the models count, the rest is not understood. */
	assert_int_equal(routes_add(&routes, "a,b batch=soon")->batch, FOREBAY_BATCH_NEVER);
	assert_int_equal(routes_add(&routes, "a,b mode=x")->model_count, 2);
	assert_string_equal(routes_find(routes, "a,b mode=x")->models[1], "b");
	assert_string_equal(routes_add(&routes, "")->models[0], "");
	routes_free(&routes);
}

static void
routes_are_interned(void **unused)
{
	struct lanes *lanes = lanes_new(8, 100, 10);
	struct lane *mine, *yours, *other;

	(void)unused;
	assert_false(lanes_lane(lanes, lanes_owner(lanes, 1, NULL), 1, "a,b", &mine));
	assert_false(lanes_lane(lanes, lanes_owner(lanes, 2, NULL), 1, "a,b", &yours));
	assert_false(lanes_lane(lanes, lanes_owner(lanes, 2, NULL), 1, "b,a", &other));
	assert_ptr_not_equal(mine, yours);
	assert_ptr_equal(mine->route, yours->route);
	assert_ptr_not_equal(yours->route, other->route);
	lanes_free(lanes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_survives_its_text),
		cmocka_unit_test(what_the_disk_says_is_read_with_care),
		cmocka_unit_test(routes_are_interned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
