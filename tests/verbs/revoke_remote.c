/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A peer uses the remote key of an MR over a VFIO BAR. While the BAR is revoked
 * every operation ends in IBV_WC_REM_ACCESS_ERR; after the un-revoke the same
 * MR with the same key serves again, once the QP has been recycled.
 */
#include <string.h>

#include "fixture.h"

#define LENGTH 4096
#define OFFSET 8192

static const uint64_t OLD_VALUE = 0x0123456789abcdef;

/*
 * Before each operation the BAR holds pattern 1 and the peer's buffer pattern
 * 2; post_*() starts the operation and must_have_*() looks at what it did.
 */
static void set_up_memory(struct fixture *fixture)
{
	fill_pattern(fixture->window, fixture->size, 1);
	fill_pattern(fixture->buffer.address, fixture->size, 2);
	memcpy(fixture->window + OFFSET, &OLD_VALUE, sizeof(OLD_VALUE));
}

static void must_have_old_value_but(struct fixture *fixture, uint64_t value)
{
	uint64_t found, returned;

	memcpy(&found, fixture->window + OFFSET, sizeof(found));
	memcpy(&returned, (uint8_t *)fixture->buffer.address + OFFSET, sizeof(returned));
	assert_int_equal(found, value);
	assert_int_equal(returned, OLD_VALUE);
}

static void post_write(struct fixture *fixture)
{
	must(verbs_post_write(&fixture->pair.initiator, 1, buffer_at(fixture, OFFSET, LENGTH),
			      mr_remote_at(fixture, OFFSET), &test_error));
}

static void must_have_written(struct fixture *fixture)
{
	assert_memory_equal(fixture->window + OFFSET, (uint8_t *)fixture->buffer.address + OFFSET,
			    LENGTH);
}

static void post_read(struct fixture *fixture)
{
	must(verbs_post_read(&fixture->pair.initiator, 1, buffer_at(fixture, OFFSET, LENGTH),
			     mr_remote_at(fixture, OFFSET), &test_error));
}

static void post_fetch_add(struct fixture *fixture)
{
	must(verbs_post_fetch_add(&fixture->pair.initiator, 1,
				  buffer_at(fixture, OFFSET, sizeof(OLD_VALUE)),
				  mr_remote_at(fixture, OFFSET), 7, &test_error));
}

static void must_have_added(struct fixture *fixture)
{
	must_have_old_value_but(fixture, OLD_VALUE + 7);
}

static void post_compare_swap(struct fixture *fixture)
{
	must(verbs_post_compare_swap(&fixture->pair.initiator, 1,
				     buffer_at(fixture, OFFSET, sizeof(OLD_VALUE)),
				     mr_remote_at(fixture, OFFSET), OLD_VALUE, 99, &test_error));
}

static void must_have_swapped(struct fixture *fixture)
{
	must_have_old_value_but(fixture, 99);
}

typedef void (*step)(struct fixture *fixture);

static void check(struct fixture *fixture, step post, step must_have_happened)
{
	struct verbs_qp *initiator = &fixture->pair.initiator;
	const uint32_t lkey = fixture->mr->lkey, rkey = fixture->mr->rkey;

	set_up_memory(fixture);
	post(fixture);
	must_complete(initiator, IBV_WC_SUCCESS);
	must_have_happened(fixture);

	set_up_memory(fixture);
	fixture_revoke(fixture);
	post(fixture);
	must_complete(initiator, IBV_WC_REM_ACCESS_ERR);
	assert_int_equal(verbs_qp_state(initiator), IBV_QPS_ERR);

	/* Neither the revoke nor the failed operation changed the BAR. */
	fixture_unrevoke(fixture);
	assert_memory_equal(fixture->window + OFFSET, &OLD_VALUE, sizeof(OLD_VALUE));

	must(verbs_pair_recycle(&fixture->pair, &test_error));
	assert_int_equal(fixture->mr->lkey, lkey);
	assert_int_equal(fixture->mr->rkey, rkey);
	post(fixture);
	must_complete(initiator, IBV_WC_SUCCESS);
	must_have_happened(fixture);
}

static void rdma_write(void **state)
{
	check(*state, post_write, must_have_written);
}

static void rdma_read(void **state)
{
	check(*state, post_read, must_have_written);
}

static void needs_atomics(struct fixture *fixture)
{
	if (fixture->peer.attr.orig_attr.atomic_cap == IBV_ATOMIC_NONE)
		test_skip("the NIC has no atomic operations");
}

static void fetch_add(void **state)
{
	needs_atomics(*state);
	check(*state, post_fetch_add, must_have_added);
}

static void compare_swap(void **state)
{
	needs_atomics(*state);
	check(*state, post_compare_swap, must_have_swapped);
}

/* A write with immediate is a write, and the receive it would have consumed is flushed. */
static void write_with_immediate(void **state)
{
	struct fixture *fixture = *state;

	fixture_revoke(fixture);
	must(verbs_post_recv(&fixture->pair.responder, 5, buffer_at(fixture, 0, 64), &test_error));
	must(verbs_post_write_imm(&fixture->pair.initiator, 1, buffer_at(fixture, OFFSET, LENGTH),
				  mr_remote_at(fixture, OFFSET), 0xabcd, &test_error));
	must_complete(&fixture->pair.initiator, IBV_WC_REM_ACCESS_ERR);
	must(verbs_qp_set_state(&fixture->pair.responder, IBV_QPS_ERR, &test_error));
	assert_int_equal(must_complete(&fixture->pair.responder, IBV_WC_WR_FLUSH_ERR).wr_id, 5);
}

/* What stood behind the failed operation in the queue is flushed, in order, and does nothing. */
static void queued_work_is_flushed(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_qp *initiator = &fixture->pair.initiator;

	set_up_memory(fixture);
	fixture_revoke(fixture);
	for (unsigned int i = 0; i < 8; i++)
		must(verbs_post_write(initiator, i, buffer_at(fixture, i * LENGTH, LENGTH),
				      mr_remote_at(fixture, i * LENGTH), &test_error));
	assert_int_equal(must_complete(initiator, IBV_WC_REM_ACCESS_ERR).wr_id, 0);
	for (unsigned int i = 1; i < 8; i++)
		assert_int_equal(must_complete(initiator, IBV_WC_WR_FLUSH_ERR).wr_id, i);
	fixture_unrevoke(fixture);
	memcpy(fixture->buffer.address, fixture->window, fixture->size);
	fill_pattern(fixture->window, fixture->size, 1);
	memcpy(fixture->window + OFFSET, &OLD_VALUE, sizeof(OLD_VALUE));
	assert_memory_equal(fixture->buffer.address, fixture->window, fixture->size);
}

/* Whoever touches nothing during the revoke never notices: no error, no recycling. */
static void idle_qp_does_not_notice(void **state)
{
	struct fixture *fixture = *state;

	must_write_through(fixture, 3);
	for (unsigned int i = 0; i < 10; i++) {
		fixture_revoke(fixture);
		fixture_unrevoke(fixture);
		must_write_through(fixture, 4 + i);
	}
}

/* The revoked MR does not pull others of its QP, PD or dma-buf with it. */
static void other_memory_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_remote own = {
		.address = (uintptr_t)fixture->buffer.address + LENGTH,
		.rkey = fixture->buffer.mr->rkey,
	};

	must_write_through(fixture, 20);
	fixture_revoke(fixture);
	for (unsigned int i = 0; i < 16; i++) {
		must(verbs_post_write(&fixture->pair.initiator, i, buffer_at(fixture, 0, LENGTH), own,
				      &test_error));
		must_complete(&fixture->pair.initiator, IBV_WC_SUCCESS);
	}
	assert_memory_equal(fixture->buffer.address, (uint8_t *)fixture->buffer.address + LENGTH,
			    LENGTH);
	fixture_unrevoke(fixture);
	must_write_through(fixture, 21);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(rdma_write),
	test_with_fixture(rdma_read),
	test_with_fixture(fetch_add),
	test_with_fixture(compare_swap),
	test_with_fixture(write_with_immediate),
	test_with_fixture(queued_work_is_flushed),
	test_with_fixture(idle_qp_does_not_notice),
	test_with_fixture(other_memory_goes_on),
};

TEST_MAIN("remote keys: a revoke fails them, an un-revoke brings them back",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
