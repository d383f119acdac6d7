/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A process that holds an MR, or the exporter itself, is killed: whatever the state, nothing stays behind. */
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "process.h"

#define ROUNDS 20

/* Every test has its spare: one to kill and one to show that things go on. */
static struct process victim, heir;

static int set_up(void **state)
{
	if (importer_start(&victim, &test_error) || importer_start(&heir, &test_error)) {
		print_error("# setup: %s\n", test_error.text);
		return -1;
	}
	return fixture_setup(state);
}

static int tear_down(void **state)
{
	process_reap(&victim);
	process_reap(&heir);
	return fixture_teardown(state);
}

static void must_go_on(struct fixture *fixture)
{
	must(importer_lend(&heir, fixture->dmabuf, fixture->size, &test_error));
	assert_int_equal(must(importer_write(&heir, 77, &test_error)), IBV_WC_SUCCESS);
	must_hold_pattern(fixture->window, fixture->size, 77);
	fixture_revoke(fixture);
	assert_int_equal(must(importer_write(&heir, 78, &test_error)), IBV_WC_REM_ACCESS_ERR);
	fixture_unrevoke(fixture);
	must_hold_pattern(fixture->window, fixture->size, 77);
	must_write_through(fixture, 79);
}

static void importer_killed_while_writing(void **state)
{
	struct fixture *fixture = *state;

	must(importer_lend(&victim, fixture->dmabuf, fixture->size, &test_error));
	must(importer_write_forever(&victim, &test_error));
	process_reap(&victim);
	must_go_on(fixture);
}

static void importer_killed_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	must(importer_lend(&victim, fixture->dmabuf, fixture->size, &test_error));
	assert_int_equal(must(importer_write(&victim, 1, &test_error)), IBV_WC_SUCCESS);
	fixture_revoke(fixture);
	process_reap(&victim);
	fixture_unrevoke(fixture);
	must_go_on(fixture);
}

/* It tries to write, is refused, recycles its QPs, tries again, and dies in the midst of it. */
static void importer_killed_while_being_refused(void **state)
{
	struct fixture *fixture = *state;

	must(importer_lend(&victim, fixture->dmabuf, fixture->size, &test_error));
	must(importer_write_forever(&victim, &test_error));
	fixture_revoke(fixture);
	process_reap(&victim);
	fixture_unrevoke(fixture);
	must_go_on(fixture);
}

static void importer_killed_after_close(void **state)
{
	struct fixture *fixture = *state;

	must(importer_lend(&victim, fixture->dmabuf, fixture->size, &test_error));
	must(importer_write_forever(&victim, &test_error));
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	process_reap(&victim);

	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	fixture_map_window(fixture);
	close(fixture->dmabuf);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	must_go_on(fixture);
}

/* The revoke runs while the kernel takes the dead process' MR apart. */
static void revoke_meets_death(void **state)
{
	struct fixture *fixture = *state;

	must(importer_lend(&victim, fixture->dmabuf, fixture->size, &test_error));
	must(importer_write_forever(&victim, &test_error));
	process_kill(&victim);
	for (int i = 0; i < ROUNDS; i++) {
		fixture_revoke(fixture);
		fixture_unrevoke(fixture);
	}
	process_reap(&victim);
	must_go_on(fixture);
}

/* Its device is closed by the kernel: that is the end of its dma-bufs, and of nothing else. */
static void exporter_killed(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *own = fixture->mr, *mr;
	int dmabuf;

	/* The fixture's exporter gives way to the victim's. */
	fixture_unmap_window(fixture);
	vfio_exporter_close(fixture->exporter);
	fixture->exporter = NULL;
	dmabuf = must(exporter_export(&victim, fixture->size, &test_error));
	fixture->mr = mr = fixture_register(fixture, dmabuf, fixture->size);
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);

	process_reap(&victim);
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must_fail(verbs_reg_dmabuf(&fixture->peer, dmabuf, 0, 4096, 0, VERBS_ACCESS_ALL, &fixture->mr,
				   &test_error), ENODEV);
	assert_int_equal(ibv_dereg_mr(mr), 0);
	close(dmabuf);

	must(verbs_pair_recycle(&fixture->pair, &test_error));
	must(vfio_exporter_open(&fixture->exporter, test_options.exporter, test_options.interface,
				&test_error));
	fixture_map_window(fixture);
	close(fixture->dmabuf);
	assert_int_equal(ibv_dereg_mr(own), 0);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	must_go_on(fixture);
}

#define test_with_processes(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	test_with_processes(importer_killed_while_writing),
	test_with_processes(importer_killed_while_revoked),
	test_with_processes(importer_killed_while_being_refused),
	test_with_processes(importer_killed_after_close),
	test_with_processes(revoke_meets_death),
	test_with_processes(exporter_killed),
};

TEST_MAIN("SIGKILL to an importer or to the exporter, in every state of the memory",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
