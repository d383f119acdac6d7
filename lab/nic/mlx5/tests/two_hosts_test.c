/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A connection between two devices on one fabric, and what a link or a dead peer does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include "host.h"

#include <cmocka.h>

#define BUFFER (256u << 10)

/* Host a's QP writes into host b. */
struct world {
	struct host *a, *b;
	struct host_cq cq_a, cq_b;
	struct host_qp qp_a, qp_b;
	u8 *from, *to;
	u32 from_key, to_key;
};

static const struct host_path usual_path = {
	.send_psn = 0xfffffe,
	.receive_psn = 0x10,
	.ack_timeout = 8, /* a millisecond */
	.retry_count = 3,
	.rnr_retry = 7,
	.min_rnr_nak = 1,
};

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->a = host_new(false);
	world->b = host_new_beside(world->a);
	host_new_rc(world->a, &world->cq_a, &world->qp_a);
	host_new_rc(world->b, &world->cq_b, &world->qp_b);
	/* Numbers say nothing about whose QP it is. */
	assert_int_equal(world->qp_a.qpn, world->qp_b.qpn);
	host_connect_pair(&world->qp_a, &world->qp_b, &usual_path);
	world->from = host_alloc(world->a, BUFFER);
	world->to = host_alloc(world->b, BUFFER);
	fill_pattern(world->from, BUFFER);
	world->from_key = host_new_mkey(world->a, world->a->pd, world->from, BUFFER, true);
	world->to_key = host_new_mkey(world->b, world->b->pd, world->to, BUFFER, true);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	host_free(world->b);
	return host_tear_down(state);
}

static void post(struct world *world, u8 opcode, u32 len, u32 rkey)
{
	u8 *wqe = host_wqe(&world->qp_a, opcode, 3, true);

	host_put_remote(wqe + 16, host_iova(world->b, world->to), rkey);
	host_put_data(wqe + 32, world->from, world->a, len, world->from_key);
	host_ring(&world->qp_a);
}

static void expect(struct host_cq *cq, enum cqe_syndrome syndrome)
{
	const u8 *cqe = host_wait(cq);

	assert_int_equal(cqe_op(cqe), syndrome ? CQE_REQUEST_ERROR : CQE_REQUEST);
	if (syndrome)
		assert_int_equal(cqe_syndrome(cqe), syndrome);
}

static void link_b(struct world *world, bool up, u32 loss, u64 delay_us)
{
	fabric_set_link(world->b->dev->port, up, loss, delay_us, 1);
}

static void test_both_ways(void **state)
{
	struct world *world = *state;
	u8 *wqe;

	post(world, WQE_RDMA_WRITE, BUFFER, world->to_key);
	expect(&world->cq_a, SYNDROME_NONE);
	assert_memory_equal(world->from, world->to, BUFFER);
	assert_true(*world->a->dev->count.bytes_read >= BUFFER);
	assert_true(*world->b->dev->count.bytes_written >= BUFFER);
	assert_int_equal(*world->a->dev->count.bytes_written, 0);
	memset(world->from, 0, BUFFER);
	post(world, WQE_RDMA_READ, BUFFER, world->to_key);
	expect(&world->cq_a, SYNDROME_NONE);
	assert_memory_equal(world->from, world->to, BUFFER);
	/* Receive work requests and completions of a send are the other host's. */
	memset(world->to, 0, BUFFER);
	host_post_receive(&world->qp_b, world->to, BUFFER, world->to_key);
	wqe = host_wqe(&world->qp_a, WQE_SEND, 2, true);
	host_put_data(wqe + 16, world->from, world->a, 9000, world->from_key);
	host_ring(&world->qp_a);
	expect(&world->cq_a, SYNDROME_NONE);
	assert_int_equal(cqe_bytes(host_wait(&world->cq_b)), 9000);
	assert_memory_equal(world->from, world->to, 9000);
}

static void test_key_of_the_other_host(void **state)
{
	struct world *world = *state;

	/* The number means another key there, or none. */
	assert_int_equal(host_destroy_mkey(world->b, world->to_key), COMMAND_OK);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	expect(&world->cq_a, SYNDROME_REMOTE_ACCESS);
	assert_int_equal(*world->b->dev->count.remote_access_errors, 1);
	assert_int_equal(*world->a->dev->count.remote_access_errors, 0);
	assert_int_equal(host_state(&world->qp_b), QP_ERROR);
}

static void test_other_lid(void **state)
{
	struct world *world = *state;
	struct host_path path = usual_path;

	/* What the peer's path does not name as its other end it does not hear. */
	path.lid = 7;
	path.remote_qpn = world->qp_a.qpn;
	path.send_psn = usual_path.receive_psn;
	path.receive_psn = usual_path.send_psn;
	assert_int_equal(host_modify(&world->qp_b, MLX5_CMD_OP_2RST_QP, &path), COMMAND_OK);
	host_connect(&world->qp_b, &path);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
}

static void test_down(void **state)
{
	struct world *world = *state;
	const u8 *eqe;

	link_b(world, false, 0, 0);
	while ((eqe = host_event(world->b)) && eqe[1] != EVENT_PORT_CHANGE)
		;
	assert_non_null(eqe);
	assert_int_equal(eqe[3], 1);
	assert_int_equal(eqe[40], 1 << 4);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
	assert_int_equal(world->to[1], 0);
}

static void test_down_and_up(void **state)
{
	struct world *world = *state;

	link_b(world, false, 0, 0);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	host_settle(world->a);
	assert_null(host_poll(&world->cq_a));
	link_b(world, true, 0, 0);
	expect(&world->cq_a, SYNDROME_NONE);
	assert_memory_equal(world->from, world->to, 4096);
}

static void test_loss(void **state)
{
	struct world *world = *state;
	u8 opcodes[] = { WQE_RDMA_WRITE, WQE_RDMA_READ, WQE_RDMA_WRITE };

	link_b(world, true, 100, 0);
	for (u32 i = 0; i < 3; i++) {
		if (opcodes[i] == WQE_RDMA_READ)
			memset(world->from, 0, BUFFER);
		else
			memset(world->to, 0, BUFFER);
		post(world, opcodes[i], BUFFER, world->to_key);
		expect(&world->cq_a, SYNDROME_NONE);
		assert_memory_equal(world->from, world->to, BUFFER);
	}
	assert_true(*counters_find(world->b->base.model.counters, "link.lost") > 0);
}

/* However often packets or answers are lost, an atomic is executed once. */
static void test_loss_of_answers(void **state)
{
	struct world *world = *state;
	u64 sum = 0, old, one = htobe64(1);

	link_b(world, true, 200, 0);
	memset(world->to, 0, 8);
	for (u32 i = 0; i < 50; i++) {
		u8 *wqe = host_wqe(&world->qp_a, WQE_ATOMIC_FA, 4, true);

		host_put_remote(wqe + 16, host_iova(world->b, world->to), world->to_key);
		memset(wqe + 32, 0, 16);
		memcpy(wqe + 32, &one, 8);
		host_put_data(wqe + 48, world->from, world->a, 8, world->from_key);
		host_ring(&world->qp_a);
		expect(&world->cq_a, SYNDROME_NONE);
		memcpy(&old, world->from, 8);
		assert_int_equal(old, sum++);
	}
	memcpy(&old, world->to, 8);
	assert_int_equal(old, 50);
}

static void test_all_is_lost(void **state)
{
	struct world *world = *state;

	link_b(world, true, 1000, 0);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
}

static void test_delay(void **state)
{
	struct world *world = *state;
	struct timespec before, after;

	link_b(world, true, 0, 50000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	host_settle(world->a);
	assert_int_equal(world->to[1], 0);
	expect(&world->cq_a, SYNDROME_NONE);
	clock_gettime(CLOCK_MONOTONIC, &after);
	/* A millisecond for the loop's idea of now. */
	assert_true((after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec >
		    49000000);
}

static void test_peer_is_reset(void **state)
{
	struct world *world = *state;

	mlx5_device_reset(world->b->dev);
	post(world, WQE_RDMA_WRITE, 4096, world->to_key);
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
}

static void test_peer_goes(void **state)
{
	struct world *world = *state;

	host_free(world->b);
	world->b = NULL;
	u8 *wqe = host_wqe(&world->qp_a, WQE_RDMA_WRITE, 3, true);

	host_put_remote(wqe + 16, 0x1000, world->to_key);
	host_put_data(wqe + 32, world->from, world->a, 64, world->from_key);
	host_ring(&world->qp_a);
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
}

/* Its packet waits for a translation over there when that machine is reset, or is gone. */
static void wait_at_a_fault(struct world *world)
{
	u32 missing = host_new_mkey(world->b, world->b->pd, world->to, BUFFER, false);

	post(world, WQE_RDMA_WRITE, 4096, missing);
	host_settle(world->a);
	assert_null(host_poll(&world->cq_a));
	assert_int_equal(page_faults_outstanding(world->b->dev->faults), 1);
}

static void test_reset_during_a_fault(void **state)
{
	struct world *world = *state;

	wait_at_a_fault(world);
	mlx5_device_reset(world->b->dev);
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
}

static void test_peer_goes_during_a_fault(void **state)
{
	struct world *world = *state;

	wait_at_a_fault(world);
	host_free(world->b);
	world->b = NULL;
	expect(&world->cq_a, SYNDROME_TRANSPORT_RETRY);
}

static void test_initiator_is_reset_during_a_fault(void **state)
{
	struct world *world = *state;

	wait_at_a_fault(world);
	mlx5_device_reset(world->a->dev);
	/* Its waiter is nobody; the QP can be taken down. */
	assert_int_equal(host_modify(&world->qp_b, MLX5_CMD_OP_2ERR_QP, &usual_path), COMMAND_OK);
	host_settle(world->b);
	assert_int_equal(page_faults_outstanding(world->b->dev->faults), 0);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test_of(test_both_ways),
		test_of(test_key_of_the_other_host),
		test_of(test_other_lid),
		test_of(test_down),
		test_of(test_down_and_up),
		test_of(test_loss),
		test_of(test_loss_of_answers),
		test_of(test_all_is_lost),
		test_of(test_delay),
		test_of(test_peer_is_reset),
		test_of(test_peer_goes),
		test_of(test_reset_during_a_fault),
		test_of(test_peer_goes_during_a_fault),
		test_of(test_initiator_is_reset_during_a_fault),
	};

	return cmocka_run_group_tests_name("two hosts", tests, NULL, NULL);
}
