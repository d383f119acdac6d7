/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Missing translations: who waits, who goes on, and what both ends see when the host refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "host.h"

#include <cmocka.h>

struct world {
	struct host *host;
	struct host_cq cq_a, cq_b;
	struct host_qp a, b;
	u8 *from, *to;
	u32 present, missing; /* keys: over both buffers */
};

static const struct host_path path = {
	.ack_timeout = 1,
	.retry_count = 3,
	.rnr_retry = 7,
	.min_rnr_nak = 1,
};

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->host = host_new(false);
	host_new_rc(world->host, &world->cq_a, &world->a);
	host_new_rc(world->host, &world->cq_b, &world->b);
	host_connect_pair(&world->a, &world->b, &path);
	world->from = host_alloc(world->host, 65536);
	world->to = world->from + 32768;
	world->present = host_new_mkey(world->host, world->host->pd, world->from, 65536, true);
	world->missing = host_new_mkey(world->host, world->host->pd, world->from, 65536, false);
	*state = world;
	return 0;
}

static void write_to_peer(struct world *world, u8 opcode, u32 lkey, u32 rkey)
{
	u8 *wqe = host_wqe(&world->a, opcode, 3, true);

	host_put_remote(wqe + 16, host_iova(world->host, world->to), rkey);
	host_put_data(wqe + 32, world->from, world->host, 10000, lkey);
	host_ring(&world->a);
}

struct fault {
	u32 token, key;
	u64 va;
};

/* Exactly one fault event is there. */
static struct fault take_fault(struct host *host)
{
	struct fault fault = { 0 };
	const u8 *eqe;
	u32 count = 0;

	host_settle(host);
	while ((eqe = host_event(host))) {
		if (eqe[1] != EVENT_PAGE_FAULT)
			continue;
		count++;
		memcpy(&fault.token, eqe + 40, 4);
		memcpy(&fault.key, eqe + 48, 4);
		memcpy(&fault.va, eqe + 52, 8);
	}
	assert_int_equal(count, 1);
	fault.token = be32toh(fault.token);
	fault.key = be32toh(fault.key);
	fault.va = be64toh(fault.va);
	return fault;
}

static void answer(struct host *host, const struct fault *fault, bool error)
{
	u8 in[IFC_BYTES(page_fault_resume_in)] = { 0 }, out[IFC_BYTES(page_fault_resume_out)];
	u8 *info = IFC_PTR(page_fault_resume_in, in, page_fault_info);

	IFC_SET(page_fault_resume_in, in, opcode, MLX5_CMD_OP_PAGE_FAULT_RESUME);
	IFC_SET(mem_page_fault_info, info, error, error);
	IFC_SET(mem_page_fault_info, info, fault_token_31_0, fault->token);
	assert_int_equal(host_command(host, in, sizeof(in), out, sizeof(out)), COMMAND_OK);
}

static void expect(struct host_cq *cq, enum cqe_opcode opcode, enum cqe_syndrome syndrome)
{
	const u8 *cqe = host_wait(cq);

	assert_int_equal(cqe_op(cqe), opcode);
	if (opcode == CQE_REQUEST_ERROR || opcode == CQE_RECEIVE_ERROR)
		assert_int_equal(cqe_syndrome(cqe), syndrome);
}

static void test_remote(void **state)
{
	struct world *world = *state;
	struct fault fault;

	write_to_peer(world, WQE_RDMA_WRITE, world->present, world->missing);
	fault = take_fault(world->host);
	assert_int_equal(fault.key, world->missing);
	assert_int_equal(fault.va, host_iova(world->host, world->to));
	assert_null(host_poll(&world->cq_a));
	/* An answer that changed nothing: it faults again. */
	answer(world->host, &fault, false);
	fault = take_fault(world->host);
	answer(world->host, &fault, true);
	expect(&world->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_ACCESS);
	assert_int_equal(host_state(&world->b), QP_ERROR);
}

static void test_local(void **state)
{
	struct world *world = *state;
	struct fault fault;

	write_to_peer(world, WQE_RDMA_READ, world->missing, world->present);
	fault = take_fault(world->host);
	answer(world->host, &fault, true);
	expect(&world->cq_a, CQE_REQUEST_ERROR, SYNDROME_LOCAL_PROT);
	assert_int_equal(host_state(&world->b), QP_RTS);
}

static void test_receive(void **state)
{
	struct world *world = *state;
	struct fault fault;
	u8 *wqe = host_wqe(&world->a, WQE_SEND, 2, true);

	host_post_receive(&world->b, world->to, 32768, world->missing);
	host_put_data(wqe + 16, world->from, world->host, 10000, world->present);
	host_ring(&world->a);
	fault = take_fault(world->host);
	answer(world->host, &fault, true);
	expect(&world->cq_b, CQE_RECEIVE_ERROR, SYNDROME_LOCAL_PROT);
	expect(&world->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_OP);
}

static void test_others_go_on(void **state)
{
	struct world *world = *state;
	struct fault fault;
	u8 *wqe;

	write_to_peer(world, WQE_RDMA_WRITE, world->present, world->missing);
	fault = take_fault(world->host);
	/* The other direction of the same connection. */
	wqe = host_wqe(&world->b, WQE_RDMA_WRITE, 3, true);
	host_put_remote(wqe + 16, host_iova(world->host, world->to), world->present);
	host_put_data(wqe + 32, world->from, world->host, 100, world->present);
	host_ring(&world->b);
	expect(&world->cq_b, CQE_REQUEST, 0);
	assert_null(host_poll(&world->cq_a));
	answer(world->host, &fault, true);
	expect(&world->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_ACCESS);
}

static void test_late_answer(void **state)
{
	struct world *world = *state;
	struct fault fault;

	/* The responder goes away while the host works on its fault. */
	write_to_peer(world, WQE_RDMA_WRITE, world->present, world->missing);
	fault = take_fault(world->host);
	assert_int_equal(host_modify(&world->b, MLX5_CMD_OP_2RST_QP, &path), COMMAND_OK);
	expect(&world->cq_a, CQE_REQUEST_ERROR, SYNDROME_TRANSPORT_RETRY);
	answer(world->host, &fault, true);
	host_settle(world->host);
	assert_int_equal(host_state(&world->b), QP_RESET);
	assert_null(host_poll(&world->cq_a));
}

/* An unreliable sender hears of nothing; what it sends next arrives. */
static void test_unreliable(void **state)
{
	struct world *world = *state;
	struct host_qp_options options = { .service = SERVICE_UC, .cq = &world->cq_a };
	struct fault fault;
	u8 *wqe;

	assert_int_equal(host_new_qp(world->host, &world->a, &options), COMMAND_OK);
	options.cq = &world->cq_b;
	assert_int_equal(host_new_qp(world->host, &world->b, &options), COMMAND_OK);
	host_connect_pair(&world->a, &world->b, &path);
	write_to_peer(world, WQE_RDMA_WRITE, world->present, world->missing);
	fault = take_fault(world->host);
	answer(world->host, &fault, true);
	expect(&world->cq_a, CQE_REQUEST, 0);
	assert_int_equal(host_state(&world->b), QP_RTS);
	/* Nowhere to receive it: lost as well. */
	for (u32 i = 0; i < 2; i++) {
		if (i)
			host_post_receive(&world->b, world->to, 32768, world->present);
		wqe = host_wqe(&world->a, WQE_SEND, 2, true);
		host_put_data(wqe + 16, world->from, world->host, 10000, world->present);
		host_ring(&world->a);
		expect(&world->cq_a, CQE_REQUEST, 0);
	}
	expect(&world->cq_b, CQE_RECEIVE_SEND, 0);
	assert_null(host_poll(&world->cq_b));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_remote),  TEST(test_local),	    TEST(test_receive),
		TEST(test_others_go_on), TEST(test_late_answer), TEST(test_unreliable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
