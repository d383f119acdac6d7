/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The NIC's driver is unbound while a process has an MR over lent memory, in
 * use or revoked, and bound again: the exporter is free of the NIC at once, and
 * the NIC serves as before.
 */
#include <stdlib.h>
#include <unistd.h>

#include "driver.h"
#include "fixture.h"
#include "process.h"

/* The MR that loses its NIC is another process': this one's NIC must be whole afterwards. */
static struct process importer;

static int set_up(void **state)
{
	if (importer_start(&importer, &test_error)) {
		print_error("# setup: %s\n", test_error.text);
		return -1;
	}
	return fixture_setup_exporter(state);
}

static int tear_down(void **state)
{
	process_reap(&importer);
	return fixture_teardown(state);
}

static void find_nic(char *bdf, size_t bdf_length, char *driver, size_t driver_length)
{
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port,
		.gid_index = test_options.gid_index,
	};
	struct verbs_peer peer;

	must(verbs_peer_open(&peer, &options, &test_error));
	must(driver_bdf_of_ib_device(ibv_get_device_name(peer.context->device), bdf, bdf_length,
				     &test_error));
	must(driver_name(bdf, driver, driver_length, &test_error));
	verbs_peer_close(&peer);
}

static void unbind_and_bind(struct fixture *fixture, bool revoked, bool writing)
{
	char bdf[32], driver[64];

	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	find_nic(bdf, sizeof(bdf), driver, sizeof(driver));
	must(importer_lend(&importer, fixture->dmabuf, fixture->size, &test_error));
	assert_int_equal(must(importer_write(&importer, 1, &test_error)), IBV_WC_SUCCESS);
	if (writing)
		must(importer_write_forever(&importer, &test_error));
	if (revoked)
		fixture_revoke(fixture);
	must(driver_unbind(driver, bdf, &test_error));

	/* Nobody is left who would have to let go. */
	if (revoked)
		fixture_unrevoke(fixture);
	if (!writing)
		must_hold_pattern(fixture->window, fixture->size, 1);
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);

	must(driver_bind(driver, bdf, &test_error));
	fixture_open_nic(fixture);
	must_write_through(fixture, 2);
	fixture_revoke(fixture);
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	fixture_unrevoke(fixture);
	must_write_through(fixture, 3);

	/* The one that lost its NIC ends without disturbing anybody. */
	process_reap(&importer);
	must_write_through(fixture, 4);
}

static void while_in_use(void **state)
{
	unbind_and_bind(*state, false, false);
}

static void while_revoked(void **state)
{
	unbind_and_bind(*state, true, false);
}

static void while_being_refused(void **state)
{
	unbind_and_bind(*state, true, true);
}

/* With nothing lent: the plain unbinding and probing, several times. */
static void again_and_again(void **state)
{
	struct fixture *fixture = *state;
	char bdf[32], driver[64];

	if (driver_may_unbind(&test_error))
		test_skip("%s", test_error.text);
	find_nic(bdf, sizeof(bdf), driver, sizeof(driver));
	for (int i = 0; i < 3; i++) {
		must(driver_unbind(driver, bdf, &test_error));
		must(driver_bind(driver, bdf, &test_error));
	}
	fixture_open_nic(fixture);
	must_write_through(fixture, 1);
}

#define test_with_importer(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_with_importer(while_in_use),
	test_with_importer(while_revoked),
	test_with_importer(while_being_refused),
	test_with_importer(again_and_again),
};

TEST_MAIN("the NIC's driver is unbound and bound again, with an MR in use and with one revoked",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
