/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Deregistration, QP destruction and the end of a context work whatever the state of the memory. */
#include <string.h>
#include <unistd.h>

#include "fixture.h"

static void post_writes(struct fixture *fixture, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		must(verbs_post_write(&fixture->pair.initiator, i, buffer_at(fixture, 0, 4096),
				      mr_remote_at(fixture, 0), &test_error));
}

static void replace_mr(struct fixture *fixture)
{
	fixture->mr = fixture_register(fixture, fixture->dmabuf, fixture->size);
}

static void dereg_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	fixture_unrevoke(fixture);
	replace_mr(fixture);
	must_write_through(fixture, 2);
}

/* The NIC has asked for a translation and been told that there is none. */
static void dereg_after_a_refusal(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	post_writes(fixture, 1);
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	fixture_unrevoke(fixture);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	replace_mr(fixture);
	must_write_through(fixture, 2);
}

static void dereg_after_close(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	fixture_unmap_window(fixture);
	must(vfio_exporter_close_device(fixture->exporter));
	close(fixture->dmabuf);
	fixture->dmabuf = -1;
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	must(vfio_exporter_reopen(fixture->exporter, &test_error));
	fixture_map_window(fixture);
	fixture->dmabuf = must(fixture_export(fixture, 0, fixture->size));
	replace_mr(fixture);
	must_write_through(fixture, 2);
}

/* A key that is gone fails as a revoked one does, and the revoke finds nothing to do. */
static void dereg_with_writes_under_way(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_remote gone = mr_remote_at(fixture, 0);

	must_write_through(fixture, 1);
	post_writes(fixture, 32);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	fixture_revoke(fixture);
	fixture_unrevoke(fixture);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, 0, 4096), gone,
			      &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	replace_mr(fixture);
	must_write_through(fixture, 2);
}

static void must_destroy_qp(struct verbs_qp *qp)
{
	assert_int_equal(ibv_destroy_qp(qp->qp), 0);
	qp->qp = NULL;
}

static void must_destroy_pair(struct fixture *fixture)
{
	must_destroy_qp(&fixture->pair.initiator);
	must_destroy_qp(&fixture->pair.responder);
	verbs_pair_destroy(&fixture->pair);
}

static void replace_pair(struct fixture *fixture)
{
	must_destroy_pair(fixture);
	must(verbs_pair_create(&fixture->peer, NULL, &fixture->pair, &test_error));
}

/* Nobody takes the completions of what was refused. */
static void qp_destroyed_while_revoked(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	post_writes(fixture, 32);
	replace_pair(fixture);
	post_writes(fixture, 1);
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	replace_pair(fixture);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 2);
}

/* The QPs go in the midst of writes, then the memory; and the other way round. */
static void qp_destroyed_around_the_revoke(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < 20; i++) {
		post_writes(fixture, 32);
		if (i % 2)
			fixture_revoke(fixture);
		replace_pair(fixture);
		if (i % 2)
			fixture_unrevoke(fixture);
		must_write_through(fixture, i);
	}
}

/* All of the process' verbs objects, the MR first or last, while the memory is revoked. */
static void context_closed_while_revoked(void **state)
{
	struct fixture *fixture = *state;
	const struct verbs_peer_options options = {
		.device = test_options.device, .port = test_options.port,
		.gid_index = test_options.gid_index,
	};

	must_write_through(fixture, 1);
	fixture_revoke(fixture);
	post_writes(fixture, 4);
	must_destroy_pair(fixture);
	assert_int_equal(ibv_dereg_mr(fixture->mr), 0);
	fixture->mr = NULL;
	verbs_buffer_free(&fixture->buffer);
	assert_int_equal(ibv_dealloc_pd(fixture->peer.pd), 0);
	fixture->peer.pd = NULL;
	verbs_peer_close(&fixture->peer);

	must(verbs_peer_open(&fixture->peer, &options, &test_error));
	must(verbs_pair_create(&fixture->peer, NULL, &fixture->pair, &test_error));
	must(verbs_buffer_init(&fixture->peer, fixture->size, VERBS_ACCESS_ALL, &fixture->buffer,
			       &test_error));
	must_fail(verbs_reg_dmabuf(&fixture->peer, fixture->dmabuf, 0, fixture->size, 0,
				   VERBS_ACCESS_ALL, &fixture->mr, &test_error), ENODEV);
	fixture_unrevoke(fixture);
	replace_mr(fixture);
	must_write_through(fixture, 2);
}

/* As many as a program may have; each revoke has to reach those that are left. */
static void many_come_and_go(void **state)
{
	enum { MRS = 64 };
	struct fixture *fixture = *state;
	struct ibv_mr *own = fixture->mr, *mrs[MRS];

	for (int i = 0; i < MRS; i++)
		mrs[i] = fixture_register(fixture, fixture->dmabuf, fixture->size);
	for (int i = 0; i < MRS; i++) {
		if (i % 8 == 0)
			fixture_revoke(fixture);
		if (i % 8 == 4)
			fixture_unrevoke(fixture);
		assert_int_equal(ibv_dereg_mr(mrs[i]), 0);
	}
	fixture_unrevoke(fixture);
	fixture->mr = own;
	must_write_through(fixture, 2);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(dereg_while_revoked),
	test_with_fixture(dereg_after_a_refusal),
	test_with_fixture(dereg_after_close),
	test_with_fixture(dereg_with_writes_under_way),
	test_with_fixture(qp_destroyed_while_revoked),
	test_with_fixture(qp_destroyed_around_the_revoke),
	test_with_fixture(context_closed_while_revoked),
	test_with_fixture(many_come_and_go),
};

TEST_MAIN("dereg, QP destroy and context close in every state of the memory",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
