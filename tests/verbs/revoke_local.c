/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A process uses the local key of an MR over a VFIO BAR: as the source of what
 * it sends and writes, as the destination of what it reads, as a receive
 * buffer. While the BAR is revoked that ends in IBV_WC_LOC_PROT_ERR at the
 * process that named the key; the sender of a message that finds a revoked
 * receive buffer gets IBV_WC_REM_OP_ERR.
 *
 * Which local status a revoked key gives is chosen by the device: the driver
 * only answers the page fault with an error.
 */
#include <string.h>

#include "fixture.h"

#define LENGTH 4096
#define OFFSET 12288

/* The peer's memory for what is no receive: the second buffer's own key. */
static struct verbs_remote buffer_remote_at(const struct fixture *fixture, size_t offset)
{
	return (struct verbs_remote){
		.address = (uintptr_t)fixture->buffer.address + offset,
		.rkey = fixture->buffer.mr->rkey,
	};
}

static void set_up_memory(struct fixture *fixture)
{
	fill_pattern(fixture->window, fixture->size, 1);
	fill_pattern(fixture->buffer.address, fixture->size, 2);
}

static void must_agree(struct fixture *fixture)
{
	assert_memory_equal(fixture->window + OFFSET, (uint8_t *)fixture->buffer.address + OFFSET,
			    LENGTH);
}

typedef void (*step)(struct fixture *fixture);

/* One that the initiator alone can fail. */
static void check_initiator(struct fixture *fixture, step post)
{
	struct verbs_qp *initiator = &fixture->pair.initiator;

	set_up_memory(fixture);
	post(fixture);
	must_complete(initiator, IBV_WC_SUCCESS);
	must_agree(fixture);

	fixture_revoke(fixture);
	post(fixture);
	must_complete(initiator, IBV_WC_LOC_PROT_ERR);
	assert_int_equal(verbs_qp_state(initiator), IBV_QPS_ERR);

	fixture_unrevoke(fixture);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	set_up_memory(fixture);
	post(fixture);
	must_complete(initiator, IBV_WC_SUCCESS);
	must_agree(fixture);
}

static void post_write(struct fixture *fixture)
{
	must(verbs_post_write(&fixture->pair.initiator, 1, mr_local_at(fixture, OFFSET, LENGTH),
			      buffer_remote_at(fixture, OFFSET), &test_error));
}

static void source_of_a_write(void **state)
{
	check_initiator(*state, post_write);
}

static void post_read(struct fixture *fixture)
{
	must(verbs_post_read(&fixture->pair.initiator, 1, mr_local_at(fixture, OFFSET, LENGTH),
			     buffer_remote_at(fixture, OFFSET), &test_error));
}

static void destination_of_a_read(void **state)
{
	check_initiator(*state, post_read);
}

static void post_send(struct fixture *fixture)
{
	must(verbs_post_recv(&fixture->pair.responder, 2, buffer_at(fixture, OFFSET, LENGTH),
			     &test_error));
	must(verbs_post_send(&fixture->pair.initiator, 1, mr_local_at(fixture, OFFSET, LENGTH),
			     &test_error));
}

static void source_of_a_send(void **state)
{
	check_initiator(*state, post_send);
}

/* The destination is checked when the old value comes back: the remote word may have changed. */
static void result_of_an_atomic(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_qp *initiator = &fixture->pair.initiator;
	uint64_t before, result;

	if (fixture->peer.attr.orig_attr.atomic_cap == IBV_ATOMIC_NONE)
		test_skip("the NIC has no atomic operations");
	set_up_memory(fixture);
	fixture_revoke(fixture);
	must(verbs_post_fetch_add(initiator, 1, mr_local_at(fixture, OFFSET, sizeof(uint64_t)),
				  buffer_remote_at(fixture, OFFSET), 1, &test_error));
	must_complete(initiator, IBV_WC_LOC_PROT_ERR);

	fixture_unrevoke(fixture);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	memcpy(&before, (uint8_t *)fixture->buffer.address + OFFSET, sizeof(before));
	must(verbs_post_fetch_add(initiator, 1, mr_local_at(fixture, OFFSET, sizeof(uint64_t)),
				  buffer_remote_at(fixture, OFFSET), 1, &test_error));
	must_complete(initiator, IBV_WC_SUCCESS);
	memcpy(&result, fixture->window + OFFSET, sizeof(result));
	assert_int_equal(result, before);
}

/* A message into a revoked receive buffer: both sides learn of it, the rest is flushed. */
static void receive_buffer(void **state)
{
	struct fixture *fixture = *state;
	struct verbs_qp *initiator = &fixture->pair.initiator;
	struct verbs_qp *responder = &fixture->pair.responder;

	set_up_memory(fixture);
	must(verbs_post_recv(responder, 1, mr_local_at(fixture, OFFSET, LENGTH), &test_error));
	must(verbs_post_send(initiator, 2, buffer_at(fixture, OFFSET, LENGTH), &test_error));
	must_complete(responder, IBV_WC_SUCCESS);
	must_complete(initiator, IBV_WC_SUCCESS);
	must_agree(fixture);

	for (unsigned int i = 3; i < 6; i++)
		must(verbs_post_recv(responder, i, mr_local_at(fixture, OFFSET, LENGTH),
				     &test_error));
	fixture_revoke(fixture);
	must(verbs_post_send(initiator, 6, buffer_at(fixture, 0, LENGTH), &test_error));
	assert_int_equal(must_complete(responder, IBV_WC_LOC_PROT_ERR).wr_id, 3);
	assert_int_equal(must_complete(initiator, IBV_WC_REM_OP_ERR).wr_id, 6);
	assert_int_equal(must_complete(responder, IBV_WC_WR_FLUSH_ERR).wr_id, 4);
	assert_int_equal(must_complete(responder, IBV_WC_WR_FLUSH_ERR).wr_id, 5);

	fixture_unrevoke(fixture);
	must_agree(fixture);
	must(verbs_pair_recycle(&fixture->pair, &test_error));
	must(verbs_post_recv(responder, 7, mr_local_at(fixture, OFFSET, LENGTH), &test_error));
	must(verbs_post_send(initiator, 8, buffer_at(fixture, 0, LENGTH), &test_error));
	must_complete(responder, IBV_WC_SUCCESS);
	must_complete(initiator, IBV_WC_SUCCESS);
	assert_memory_equal(fixture->window + OFFSET, fixture->buffer.address, LENGTH);
}

static const struct CMUnitTest tests[] = {
	test_with_fixture(source_of_a_write),
	test_with_fixture(source_of_a_send),
	test_with_fixture(destination_of_a_read),
	test_with_fixture(result_of_an_atomic),
	test_with_fixture(receive_buffer),
};

TEST_MAIN("local keys: a revoke fails them, an un-revoke brings them back",
	  TEST_NEEDS_EXPORTER | TEST_NEEDS_NIC, tests)
