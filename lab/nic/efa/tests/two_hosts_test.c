/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* SRD between two devices on one fabric, and what a link or a dead peer does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define BUFFER (256u << 10)

/* Host a's QP writes and sends to host b's. */
struct world {
	struct host *a, *b;
	struct host_cq cq_a, cq_b;
	struct host_qp qp_a, qp_b;
	u8 *from, *to;
	u8 *remote; /* to in a's words: both hosts have their memory at the same bus address */
	struct host_mr from_mr, to_mr;
	u16 ah; /* of b, on a */
};

static int set_up(void **state)
{
	struct host_cq_options cq_options = {};
	struct host_qp_options options = {};
	struct world *world = g_new0(struct world, 1);

	world->a = host_new();
	world->b = host_new_beside(world->a);
	host_new_cq(world->a, &world->cq_a, &cq_options);
	host_new_cq(world->b, &world->cq_b, &cq_options);
	options.cq = &world->cq_a;
	host_new_qp(world->a, &world->qp_a, &options);
	options.cq = &world->cq_b;
	host_new_qp(world->b, &world->qp_b, &options);
	assert_int_equal(world->qp_a.number, world->qp_b.number);
	world->ah = host_new_ah(world->a, world->a->pd, world->b->dev->gid);
	world->from = host_alloc(world->a, BUFFER);
	world->to = host_alloc(world->b, BUFFER);
	world->remote = world->a->base.memory + (world->to - world->b->base.memory);
	fill_pattern(world->from, BUFFER);
	world->from_mr = host_new_mr(world->a, world->a->pd, world->from, BUFFER, RIGHTS_ALL);
	world->to_mr = host_new_mr(world->b, world->b->pd, world->to, BUFFER, RIGHTS_ALL);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	host_free(world->b);
	return host_tear_down(state);
}

static void introduce(struct world *world)
{
	host_new_ah(world->b, world->b->pd, world->a->dev->gid);
}

static void post(struct world *world, u8 operation, u32 length)
{
	const struct host_send send = {
		.operation = operation,
		.request = 1,
		.destination = world->qp_b.number,
		.ah = world->ah,
		.address = world->from,
		.length = length,
		.lkey = world->from_mr.lkey,
		.remote = world->remote,
		.rkey = world->to_mr.rkey,
	};

	host_post(&world->qp_a, &send);
}

static void expect(struct world *world, u8 status)
{
	host_expect(&world->cq_a, 1, status);
	/* An error ends the request, not the QP. */
	assert_int_equal(host_state(&world->qp_a), EFA_ADMIN_QP_STATE_RTS);
}

static void link_b(struct world *world, bool up, u32 loss, u64 delay_us)
{
	fabric_set_link(world->b->dev->port, up, loss, delay_us, 1);
}

static void both_ways(void **state)
{
	struct world *world = *state;

	introduce(world);
	post(world, EFA_IO_RDMA_WRITE, BUFFER);
	expect(world, EFA_IO_COMP_STATUS_OK);
	assert_memory_equal(world->from, world->to, BUFFER);
	assert_int_equal(host_counter(world->b, "bytes_written"), BUFFER);
	assert_int_equal(host_counter(world->a, "bytes_written"), 0);
	memset(world->from, 0, BUFFER);
	post(world, EFA_IO_RDMA_READ, BUFFER);
	expect(world, EFA_IO_COMP_STATUS_OK);
	assert_memory_equal(world->from, world->to, BUFFER);
}

static void strangers_do_no_rdma(void **state)
{
	struct world *world = *state;

	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_REMOTE_ERROR_UNKNOWN_PEER);
}

static void a_key_is_the_other_hosts(void **state)
{
	struct world *world = *state;

	introduce(world);
	assert_int_equal(host_dereg(world->b, world->to_mr.lkey), ADMIN_OK);
	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_ADDRESS);
	assert_int_equal(world->to[1], 0);
}

/* It waits over there, and is woken from over there; on this host nobody is. */
static void receiver_gets_ready(void **state)
{
	struct world *world = *state;
	const struct efa_io_rx_cdesc_ex *cqe;

	assert_int_equal(host_set_rnr_retry(&world->qp_a, RNR_RETRY_FOREVER), ADMIN_OK);
	post(world, EFA_IO_SEND, 100);
	host_settle(world->a);
	assert_null(host_poll(&world->cq_a));
	assert_int_equal(world->a->dev->rnr_waiting, 1);
	host_post_receive(&world->qp_a, 9, world->from, 100, world->from_mr.lkey);
	host_ring_receive(&world->qp_a);
	assert_int_equal(world->a->dev->rnr_waiting, 1);
	host_post_receive(&world->qp_b, 7, world->to, 100, world->to_mr.lkey);
	host_ring_receive(&world->qp_b);
	assert_int_equal(world->a->dev->rnr_waiting, 0);
	expect(world, EFA_IO_COMP_STATUS_OK);
	cqe = host_expect(&world->cq_b, 7, EFA_IO_COMP_STATUS_OK);
	assert_true(is_receive(cqe));
	assert_memory_equal(world->from, world->to, 100);
}

static void link_is_down(void **state)
{
	struct world *world = *state;

	introduce(world);
	link_b(world, false, 0, 0);
	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_LOCAL_ERROR_UNREACH_REMOTE);
	assert_int_equal(world->to[1], 0);
	link_b(world, true, 0, 0);
	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_OK);
}

static void link_loses(void **state)
{
	struct world *world = *state;

	introduce(world);
	/* More than one packet may be lost, but not one packet so often. */
	link_b(world, true, 300, 0);
	post(world, EFA_IO_RDMA_WRITE, BUFFER);
	expect(world, EFA_IO_COMP_STATUS_OK);
	assert_memory_equal(world->from, world->to, BUFFER);
	assert_true(host_counter(world->b, "link.lost") > 8);
	link_b(world, true, 1000, 0);
	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_LOCAL_ERROR_UNREACH_REMOTE);
}

static void link_delays(void **state)
{
	struct world *world = *state;
	double start = ev_time();

	introduce(world);
	link_b(world, true, 0, 50000);
	post(world, EFA_IO_RDMA_WRITE, 64);
	host_settle(world->a);
	assert_int_equal(world->to[1], 0);
	expect(world, EFA_IO_COMP_STATUS_OK);
	assert_true(ev_time() - start > .049);
}

static void peer_is_reset(void **state)
{
	struct world *world = *state;

	introduce(world);
	efa_device_reset(world->b->dev);
	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_DEST_QPN);
}

static void peer_goes(void **state)
{
	struct world *world = *state;

	introduce(world);
	host_free(world->b);
	world->b = NULL;
	post(world, EFA_IO_RDMA_WRITE, 64);
	expect(world, EFA_IO_COMP_STATUS_LOCAL_ERROR_UNREACH_REMOTE);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test_of(both_ways),
		test_of(strangers_do_no_rdma),
		test_of(a_key_is_the_other_hosts),
		test_of(receiver_gets_ready),
		test_of(link_is_down),
		test_of(link_loses),
		test_of(link_delays),
		test_of(peer_is_reset),
		test_of(peer_goes),
	};

	return cmocka_run_group_tests_name("two hosts", tests, NULL, NULL);
}
