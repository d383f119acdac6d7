/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The three calls that revoke and what they leave behind: PCI_COMMAND's memory
 * bit revokes until it is on again, VFIO_DEVICE_RESET revokes and un-revokes
 * before it returns, and closing the device is the end of its dma-bufs.
 */
#include <unistd.h>

#include "fixture.h"

static void must_fail_remotely(struct fixture *fixture)
{
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096),
			      mr_remote_at(fixture, 0), &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
}

/* Turning off what is off, and on what is on, is nothing. */
static void memory_bit(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 2);
	fixture_revoke(fixture);
	must_fail_remotely(fixture);
	fixture_revoke(fixture);
	must_fail_remotely(fixture);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 3);
}

/* The device's memory is lost with a reset or kept: that is the device's affair, the MR lives. */
static void reset(void **state)
{
	struct fixture *fixture = *state;
	uint64_t faults = lab_counter(fixture, "page_faults");

	must_write_through(fixture, 4);
	if (vfio_exporter_reset(fixture->exporter, &test_error) == -EOPNOTSUPP)
		test_skip("%s", test_error.text);
	must_write_through(fixture, 5);
	/* The NIC had lost its translation, so the reset did revoke. */
	if (fixture->lab)
		assert_true(lab_counter(fixture, "page_faults") > faults);
	for (unsigned int i = 0; i < 10; i++) {
		must(vfio_exporter_reset(fixture->exporter, &test_error));
		must_write_through(fixture, 6 + i);
	}
}

/* A reset gives back the memory decoding that it found, so it un-revokes only what was not. */
static void reset_while_revoked(void **state)
{
	struct fixture *fixture = *state;
	bool on;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	if (vfio_exporter_reset(fixture->exporter, &test_error) == -EOPNOTSUPP)
		test_skip("%s", test_error.text);
	must(vfio_exporter_memory(fixture->exporter, &on, &test_error));
	if (!on) {
		must_fail_remotely(fixture);
		fixture_unrevoke(fixture);
	}
	must_write_through(fixture, 2);
}

static void close_is_final(void **state)
{
	struct fixture *fixture = *state;
	struct ibv_mr *old_mr = fixture->mr;
	struct ibv_mr *mr;
	int old_dmabuf = fixture->dmabuf;

	must_write_through(fixture, 1);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail_remotely(fixture);
	must_fail(verbs_reg_dmabuf(&fixture->peer, old_dmabuf, 0, 4096, 0, VERBS_ACCESS_ALL, &mr,
				   &test_error), ENODEV);

	/* Opening the device again brings back neither the dma-buf nor the MR. */
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail_remotely(fixture);
	must_fail(verbs_reg_dmabuf(&fixture->peer, old_dmabuf, 0, 4096, 0, VERBS_ACCESS_ALL, &mr,
				   &test_error), ENODEV);

	/* The same memory is lent again by a new dma-buf, while the old MR still exists. */
	fixture_map_window(fixture);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
	assert_int_not_equal(fixture->mr->rkey, old_mr->rkey);
	must_write_through(fixture, 2);

	assert_int_equal(ibv_dereg_mr(old_mr), 0);
	close(old_dmabuf);
	must_write_through(fixture, 3);
}

/* Closing what is already revoked must still make it final. */
static void close_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	must_fail_remotely(fixture);
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	must_fail_remotely(fixture);
}

/* The MR holds the dma-buf, so closing its file revokes nothing. */
static void closing_the_dmabuf_is_no_revoke(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	must_fail_remotely(fixture);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 2);
}

/* One call revokes every dma-buf of the device and every MR of each. */
static void all_of_many(void **state)
{
	enum { BUFFERS = 3, MRS = 4 };
	struct fixture *fixture = *state;
	struct ibv_mr *own = fixture->mr, *mrs[BUFFERS][MRS];
	int dmabufs[BUFFERS];

	for (int i = 0; i < BUFFERS; i++) {
		dmabufs[i] = must(fixture_export(fixture, 0, fixture->size));
		for (int k = 0; k < MRS; k++) {
			fixture->mr = mrs[i][k] = fixture_register(fixture, dmabufs[i], fixture->size);
			must_write_through(fixture, (uint32_t)(i * MRS + k));
		}
	}
	fixture_revoke(fixture);
	for (int i = 0; i < BUFFERS * MRS; i++) {
		fixture->mr = mrs[i / MRS][i % MRS];
		must_fail_remotely(fixture);
	}
	fixture_unrevoke(fixture);
	for (int i = 0; i < BUFFERS * MRS; i++) {
		fixture->mr = mrs[i / MRS][i % MRS];
		must_write_through(fixture, (uint32_t)(100 + i));
	}
	for (int i = 0; i < BUFFERS * MRS; i++)
		assert_int_equal(ibv_dereg_mr(mrs[i / MRS][i % MRS]), 0);
	for (int i = 0; i < BUFFERS; i++)
		close(dmabufs[i]);
	fixture->mr = own;
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(memory_bit),
	test_with_fixture(reset),
	test_with_fixture(reset_while_revoked),
	test_with_fixture(close_is_final),
	test_with_fixture(close_while_revoked),
	test_with_fixture(closing_the_dmabuf_is_no_revoke),
	test_with_fixture(all_of_many),
};

TEST_MAIN("what revokes: the memory bit, the reset and the close of a VFIO device",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
