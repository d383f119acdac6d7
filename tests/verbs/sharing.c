/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Several processes hold one dma-buf and have an MR over it each: a revoke is everybody's. */
#include <stdlib.h>

#include "fixture.h"
#include "process.h"

#define IMPORTERS 3

static struct process importers[IMPORTERS];

static int set_up(void **state)
{
	for (int i = 0; i < IMPORTERS; i++) {
		if (importer_start(&importers[i], &test_error)) {
			print_error("# setup: %s\n", test_error.text);
			return -1;
		}
	}
	return fixture_setup(state);
}

static int tear_down(void **state)
{
	for (int i = 0; i < IMPORTERS; i++)
		process_reap(&importers[i]);
	return fixture_teardown(state);
}

static void lend_to_all(struct fixture *fixture)
{
	for (int i = 0; i < IMPORTERS; i++)
		must(importer_lend(&importers[i], fixture->dmabuf, fixture->size, &test_error));
}

static void must_end_with(struct process *importer, uint32_t seed, enum ibv_wc_status status)
{
	assert_int_equal(must(importer_write(importer, seed, &test_error)), status);
}

/* Each writes, and what it wrote is what the BAR holds. */
static void all_can_write(struct fixture *fixture, uint32_t seed)
{
	for (int i = 0; i < IMPORTERS; i++) {
		if (!importers[i].pid)
			continue;
		must_end_with(&importers[i], seed + (uint32_t)i, IBV_WC_SUCCESS);
		must_hold_pattern(fixture->window, fixture->size, seed + (uint32_t)i);
	}
}

static void none_can_write(void)
{
	for (int i = 0; i < IMPORTERS; i++) {
		if (!importers[i].pid)
			continue;
		must_end_with(&importers[i], 0, IBV_WC_REM_ACCESS_ERR);
		must(importer_recycle(&importers[i], &test_error));
	}
}

static void a_revoke_reaches_all(void **state)
{
	struct fixture *fixture = *state;

	lend_to_all(fixture);
	all_can_write(fixture, 10);
	fixture_revoke(fixture);
	none_can_write();
	fixture_unrevoke(fixture);
	all_can_write(fixture, 20);
	must_write_through(fixture, 30);
}

/* One leaves while the memory is revoked: for the others that changes nothing. */
static void one_exits(void **state)
{
	struct fixture *fixture = *state;

	lend_to_all(fixture);
	all_can_write(fixture, 10);
	must(process_exit(&importers[0], &test_error));
	all_can_write(fixture, 20);
	fixture_revoke(fixture);
	none_can_write();
	must(process_exit(&importers[1], &test_error));
	none_can_write();
	fixture_unrevoke(fixture);
	all_can_write(fixture, 30);
	must_write_through(fixture, 40);
}

static void close_is_final_for_all(void **state)
{
	struct fixture *fixture = *state;

	lend_to_all(fixture);
	all_can_write(fixture, 10);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	none_can_write();
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	none_can_write();
	for (int i = 0; i < IMPORTERS; i++)
		must_fail(importer_lend(&importers[i], fixture->dmabuf, fixture->size, &test_error),
			  ENODEV);
}

/* A process that got the fd during the revoke can register once it is over. */
static void one_comes_late(void **state)
{
	struct fixture *fixture = *state;

	fixture_revoke(fixture);
	must_fail(importer_lend(&importers[0], fixture->dmabuf, fixture->size, &test_error), ENODEV);
	fixture_unrevoke(fixture);
	must(importer_lend(&importers[0], fixture->dmabuf, fixture->size, &test_error));
	must_end_with(&importers[0], 5, IBV_WC_SUCCESS);
	must_hold_pattern(fixture->window, fixture->size, 5);
}

#define test_with_importers(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_with_importers(a_revoke_reaches_all),
	test_with_importers(one_exits),
	test_with_importers(close_is_final_for_all),
	test_with_importers(one_comes_late),
};

TEST_MAIN("several processes share one dma-buf: a revoke reaches all of them",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
