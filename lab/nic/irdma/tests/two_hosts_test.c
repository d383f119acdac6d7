/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* RC between two devices on one fabric, and what a link or a dead peer does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define BUFFER (64u * HOST_PAGE)
#define QPN 4u
#define CQN 3u
#define ADDRESS_A 0xc0000201u
#define ADDRESS_B 0xc0000202u

/* Host a's QP writes into host b. */
struct world {
	struct host *a, *b;
	struct host_cq cq_a, cq_b;
	struct host_qp qp_a, qp_b;
	u8 *from, *to;
	u8 *remote; /* to in a's words: both hosts have their memory at the same bus address */
	u32 from_stag, to_stag;
};

static void connect_qp(struct host_qp *qp, u32 local, u32 remote)
{
	qp->context[4] = FIELD_PREP(IRDMAQPC_DESTIPADDR3, remote);
	qp->context[23] = FIELD_PREP(IRDMAQPC_LOCAL_IPADDR3, local);
	assert_int_equal(host_set_state(qp, IRDMA_QP_STATE_RTS), CONTROL_OK);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->a = host_new();
	world->b = host_new_beside(world->a);
	host_new_cq(world->a, &world->cq_a, CQN);
	host_new_cq(world->b, &world->cq_b, CQN);
	/* Numbers say nothing about whose QP it is. */
	host_new_qp(world->a, &world->qp_a, QPN, QPN, CQN);
	host_new_qp(world->b, &world->qp_b, QPN, QPN, CQN);
	connect_qp(&world->qp_a, ADDRESS_A, ADDRESS_B);
	connect_qp(&world->qp_b, ADDRESS_B, ADDRESS_A);
	world->from = host_alloc(world->a, BUFFER);
	world->to = host_alloc(world->b, BUFFER);
	world->remote = world->a->base.memory + (world->to - world->b->base.memory);
	fill_pattern(world->from, BUFFER);
	world->from_stag = host_register(world->a, 20, world->from, BUFFER);
	world->to_stag = host_register(world->b, 21, world->to, BUFFER);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	host_free(world->b);
	return host_tear_down(state);
}

static void post(struct world *world, u8 opcode, u32 length)
{
	host_post(&world->qp_a, opcode, world->from, length, world->from_stag, world->remote,
		  world->to_stag);
}

static void succeeds(struct world *world)
{
	assert_false(host_wait(&world->cq_a)[3] & IRDMA_CQ_ERROR);
}

static void link_b(struct world *world, bool up, u32 loss, u64 delay_us)
{
	fabric_set_link(world->b->dev->port, up, loss, delay_us, 1);
}

static void both_ways(void **state)
{
	struct world *world = *state;

	post(world, IRDMAQP_OP_RDMA_WRITE, BUFFER);
	succeeds(world);
	assert_memory_equal(world->from, world->to, BUFFER);
	assert_int_equal(host_counter(world->b, "bytes_written"), BUFFER);
	assert_int_equal(host_counter(world->a, "bytes_written"), 0);
	memset(world->from, 0, BUFFER);
	post(world, IRDMAQP_OP_RDMA_READ, BUFFER);
	succeeds(world);
	assert_memory_equal(world->from, world->to, BUFFER);
	host_post_receive(&world->qp_b, world->to, BUFFER, world->to_stag);
	host_post(&world->qp_a, IRDMAQP_OP_RDMA_SEND, world->from, 5000, world->from_stag, NULL, 0);
	succeeds(world);
	assert_false(host_wait(&world->cq_b)[3] & IRDMA_CQ_ERROR);
}

static void a_stag_is_the_other_hosts(void **state)
{
	struct world *world = *state;

	assert_int_equal(host_deallocate(world->b, world->to_stag, HOST_PD), CONTROL_OK);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_expect_event(world->a, IRDMA_AE_IB_REMOTE_ACCESS_ERROR, QPN);
	assert_non_null(host_event(world->b));
	assert_int_equal(world->to[1], 0);
}

static void path_of_another(void **state)
{
	struct world *world = *state;

	/* What the peer's path does not name as its other end it does not hear. */
	connect_qp(&world->qp_b, ADDRESS_B, ADDRESS_A + 8);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_expect_event(world->a, IRDMA_AE_LLP_TOO_MANY_RETRIES, QPN);
}

static void link_is_down(void **state)
{
	struct world *world = *state;

	link_b(world, false, 0, 0);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_expect_event(world->a, IRDMA_AE_LLP_TOO_MANY_RETRIES, QPN);
	assert_int_equal(world->to[1], 0);
}

static void link_comes_back(void **state)
{
	struct world *world = *state;

	link_b(world, false, 0, 0);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_settle(world->a);
	assert_null(host_poll(&world->cq_a));
	link_b(world, true, 0, 0);
	succeeds(world);
	assert_memory_equal(world->from, world->to, 64);
}

static void link_loses(void **state)
{
	struct world *world = *state;

	/* Of these packets none is lost twice in a row, which would end the one retry. */
	link_b(world, true, 10, 0);
	post(world, IRDMAQP_OP_RDMA_WRITE, BUFFER);
	succeeds(world);
	assert_memory_equal(world->from, world->to, BUFFER);
	assert_true(host_counter(world->b, "link.lost") > 0);
	link_b(world, true, 1000, 0);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_expect_event(world->a, IRDMA_AE_LLP_TOO_MANY_RETRIES, QPN);
}

static void link_delays(void **state)
{
	struct world *world = *state;
	double start = ev_time();

	link_b(world, true, 0, 50000);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_settle(world->a);
	assert_int_equal(world->to[1], 0);
	succeeds(world);
	assert_true(ev_time() - start > .049);
}

static void peer_is_reset(void **state)
{
	struct world *world = *state;

	irdma_device_reset(world->b->dev);
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_expect_event(world->a, IRDMA_AE_LLP_TOO_MANY_RETRIES, QPN);
}

static void peer_goes(void **state)
{
	struct world *world = *state;

	host_free(world->b);
	world->b = NULL;
	post(world, IRDMAQP_OP_RDMA_WRITE, 64);
	host_expect_event(world->a, IRDMA_AE_LLP_TOO_MANY_RETRIES, QPN);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test_of(both_ways),
		test_of(a_stag_is_the_other_hosts),
		test_of(path_of_another),
		test_of(link_is_down),
		test_of(link_comes_back),
		test_of(link_loses),
		test_of(link_delays),
		test_of(peer_is_reset),
		test_of(peer_goes),
	};

	return cmocka_run_group_tests_name("two hosts", tests, NULL, NULL);
}
