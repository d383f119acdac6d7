/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Shared receive queues, XRC, and datagrams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "host.h"

#include <cmocka.h>

struct world {
	struct host *host;
	struct host_cq cq_a, cq_b;
	u8 *from, *to;
	u32 key;
};

static const struct host_path path = {
	.ack_timeout = 1,
	.retry_count = 3,
	.rnr_retry = 7,
	.min_rnr_nak = 1,
	.qkey = 0x1234,
};

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->host = host_new(false);
	host_new_cq(world->host, &world->cq_a);
	host_new_cq(world->host, &world->cq_b);
	world->from = host_alloc(world->host, 65536);
	world->to = world->from + 32768;
	for (u32 i = 0; i < 32768; i++)
		world->from[i] = (u8)(i + 1);
	world->key = host_new_mkey(world->host, world->host->pd, world->from, 65536, true);
	*state = world;
	return 0;
}

static u32 event_number(const u8 *eqe)
{
	return (u32)eqe[0x39] << 16 | eqe[0x3a] << 8 | eqe[0x3b];
}

static u32 count_events(struct host *host, u8 type, u32 number)
{
	const u8 *eqe;
	u32 count = 0;

	while ((eqe = host_event(host)))
		count += eqe[1] == type && event_number(eqe) == number;
	return count;
}

static void send(struct world *world, struct host_qp *qp, u32 len)
{
	u8 *wqe = host_wqe(qp, WQE_SEND, 2, true);

	host_put_data(wqe + 16, world->from, world->host, len, world->key);
	host_ring(qp);
}

/* A pair whose receiver takes from the shared queue. */
static void make_pair(struct world *world, struct host_qp *a, struct host_qp *b,
		      struct host_srq *srq)
{
	struct host_qp_options options = { .service = SERVICE_RC, .cq = &world->cq_a };

	assert_int_equal(host_new_qp(world->host, a, &options), COMMAND_OK);
	options.cq = &world->cq_b;
	options.srq = srq;
	assert_int_equal(host_new_qp(world->host, b, &options), COMMAND_OK);
	host_connect_pair(a, b, &path);
}

static void test_limit(void **state)
{
	struct world *world = *state;
	struct host_qp a, b;
	struct host_srq srq;
	const u8 *cqe;

	host_new_srq(world->host, &srq, SRQ_RMP, 3, NULL, 0, 2);
	make_pair(world, &a, &b, &srq);
	for (u32 i = 0; i < 3; i++)
		host_post_srq(world->host, &srq, world->to + i * 100, 100, world->key);
	for (u16 i = 0; i < 3; i++) {
		send(world, &a, 60);
		cqe = host_wait(&world->cq_b);
		assert_int_equal(cqe_op(cqe), CQE_RECEIVE_SEND);
		assert_int_equal(cqe_index(cqe), i);
		assert_int_equal(cqe[35], srq.srqn);
		/* Two left are as many as the limit, one is fewer; and it comes once. */
		assert_int_equal(count_events(world->host, EVENT_SRQ_LIMIT, srq.srqn), i == 1);
	}
	assert_memory_equal(world->to + 200, world->from, 60);
	assert_int_equal(host_modify(&b, MLX5_CMD_OP_2ERR_QP, &path), COMMAND_OK);
	assert_int_equal(count_events(world->host, EVENT_LAST_WQE, b.qpn), 1);
}

static void test_linked_list(void **state)
{
	struct world *world = *state;
	struct host_qp a, b;
	struct host_srq srq;

	host_new_srq(world->host, &srq, SRQ_RMP, 3, NULL, 0, 0);
	make_pair(world, &a, &b, &srq);
	srq.entries[3] = 5; /* 0 -> 5 -> 2 */
	srq.entries[5 * 32 + 3] = 2;
	for (u32 i = 0; i < 3; i++) {
		static const u16 order[] = { 0, 5, 2 };

		host_post_srq(world->host, &srq, world->to, 100, world->key);
		send(world, &a, 1);
		assert_int_equal(cqe_index(host_wait(&world->cq_b)), order[i]);
	}
	/* A link to nowhere ends the queue, not the device. */
	srq.entries[3 * 32 + 2] = 0xff;
	srq.head = 3;
	host_post_srq(world->host, &srq, world->to, 100, world->key);
	send(world, &a, 1);
	host_settle(world->host);
	assert_int_equal(count_events(world->host, EVENT_SRQ_FATAL, srq.srqn), 1);
	assert_int_equal(host_state(&b), QP_ERROR);
}

static void make_xrc(struct world *world, struct host_qp *source, struct host_qp *target, u32 xrcd)
{
	struct host_qp_options options = { .service = SERVICE_XRC, .cq = &world->cq_a };
	struct host_srq unused;

	host_new_srq(world->host, &unused, SRQ_XRC, 2, &world->cq_a, 99, 0);
	options.srq = &unused;
	options.xrcd = 99;
	assert_int_equal(host_new_qp(world->host, source, &options), COMMAND_OK);
	options.xrcd = xrcd;
	options.target = true;
	options.pd = host_new_pd(world->host); /* not the one that counts */
	assert_int_equal(host_new_qp(world->host, target, &options), COMMAND_OK);
	host_connect_pair(source, target, &path);
}

static void send_xrc(struct world *world, struct host_qp *qp, u32 srqn)
{
	u8 *wqe = host_wqe(qp, WQE_SEND, 3, true);

	memset(wqe + 16, 0, 16);
	wqe[18] = (u8)(srqn >> 8);
	wqe[19] = (u8)srqn;
	host_put_data(wqe + 32, world->from, world->host, 5000, world->key);
	host_ring(qp);
}

static void test_xrc(void **state)
{
	struct world *world = *state;
	struct host_qp source, target;
	struct host_srq srq, other;
	const u8 *cqe;

	make_xrc(world, &source, &target, 7);
	host_new_srq(world->host, &srq, SRQ_XRC, 3, &world->cq_b, 7, 0);
	host_new_srq(world->host, &other, SRQ_XRC, 3, &world->cq_b, 8, 0);
	host_post_srq(world->host, &srq, world->to, 6000, world->key);
	send_xrc(world, &source, srq.srqn);
	cqe = host_wait(&world->cq_b);
	assert_int_equal(cqe_op(cqe), CQE_RECEIVE_SEND);
	assert_int_equal(cqe_qpn(cqe), target.qpn);
	assert_int_equal(cqe[35], srq.srqn);
	assert_memory_equal(world->to, world->from, 5000);
	assert_int_equal(cqe_op(host_wait(&world->cq_a)), CQE_REQUEST);
	/* A queue of another domain. */
	host_post_srq(world->host, &other, world->to, 6000, world->key);
	send_xrc(world, &source, other.srqn);
	cqe = host_wait(&world->cq_a);
	assert_int_equal(cqe_syndrome(cqe), SYNDROME_REMOTE_INVALID_REQUEST);
	assert_int_equal(count_events(world->host, EVENT_QP_REQUEST_ERROR, target.qpn), 1);
}

static void make_datagram_qp(struct world *world, struct host_qp *qp, struct host_cq *cq)
{
	struct host_qp_options options = { .service = SERVICE_UD, .cq = cq };

	assert_int_equal(host_new_qp(world->host, qp, &options), COMMAND_OK);
	host_connect(qp, &path);
}

static u8 *datagram(struct world *world, struct host_qp *qp, u32 to, u32 qkey, u32 len, bool grh)
{
	u8 *wqe = host_wqe(qp, WQE_SEND, 5, true);
	u32 word;

	memset(wqe + 16, 0, 48);
	word = htobe32(qkey);
	memcpy(wqe + 16, &word, 4);
	word = htobe32(0x80000000u | to);
	memcpy(wqe + 24, &word, 4);
	wqe[31] = world->host->dev->lid;
	word = htobe32(grh ? 1u << 30 : 0);
	memcpy(wqe + 44, &word, 4);
	memset(wqe + 48, 0xee, 16);
	host_put_data(wqe + 64, world->from, world->host, len, world->key);
	return wqe;
}

static void test_datagrams(void **state)
{
	struct world *world = *state;
	struct host_qp a, b;
	const u8 *cqe;

	make_datagram_qp(world, &a, &world->cq_a);
	make_datagram_qp(world, &b, &world->cq_b);
	for (u32 i = 0; i < 3; i++)
		host_post_receive(&b, world->to, 4096, world->key);
	memset(world->to, 0x55, 4096);
	datagram(world, &a, b.qpn, 0x1234, 100, false);
	host_ring(&a);
	cqe = host_wait(&world->cq_b);
	assert_int_equal(cqe_op(cqe), CQE_RECEIVE_SEND);
	assert_int_equal(cqe_bytes(cqe), 140);
	assert_int_equal((u32)cqe[25] << 16 | cqe[26] << 8 | cqe[27], a.qpn);
	assert_int_equal(cqe[24] >> 4 & 3, 0);
	assert_int_equal(world->to[0], 0x55);
	assert_memory_equal(world->to + 40, world->from, 100);
	/* With a global header, which lands in front; and the QP's own queue key. */
	datagram(world, &a, b.qpn, 0x80000000u, 100, true);
	host_ring(&a);
	cqe = host_wait(&world->cq_b);
	assert_int_equal(cqe[24] >> 4 & 3, 1);
	assert_int_equal(world->to[0] >> 4, 6);
	assert_int_equal(world->to[24], 0xee);
	/* Wrong queue key, nobody there, nowhere to put it: all are lost without a word. */
	datagram(world, &a, b.qpn, 0x4321, 100, false);
	datagram(world, &a, 0x7777, 0x1234, 100, false);
	host_ring(&a);
	host_settle(world->host);
	assert_null(host_poll(&world->cq_b));
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(cqe_op(host_wait(&world->cq_a)), CQE_REQUEST);
	datagram(world, &a, b.qpn, 0x1234, 4097, false);
	host_ring(&a);
	assert_int_equal(cqe_syndrome(host_wait(&world->cq_a)), SYNDROME_LOCAL_LENGTH);
}

static u8 multicast(struct host *host, u16 opcode, u32 qpn)
{
	u8 in[IFC_BYTES(attach_to_mcg_in)] = { 0 }, out[16];

	IFC_SET(attach_to_mcg_in, in, opcode, opcode);
	IFC_SET(attach_to_mcg_in, in, qpn, qpn);
	memset(IFC_PTR(attach_to_mcg_in, in, multicast_gid), 0xee, 16);
	return host_command(host, in, sizeof(in), out, sizeof(out));
}

static void test_multicast(void **state)
{
	struct world *world = *state;
	struct host_qp a, b;

	make_datagram_qp(world, &a, &world->cq_a);
	make_datagram_qp(world, &b, &world->cq_b);
	host_post_receive(&b, world->to, 4096, world->key);
	assert_int_equal(multicast(world->host, MLX5_CMD_OP_ATTACH_TO_MCG, b.qpn), COMMAND_OK);
	datagram(world, &a, 0xffffff, 0x1234, 100, true);
	host_ring(&a);
	assert_int_equal(cqe_bytes(host_wait(&world->cq_b)), 140);
	assert_int_equal(multicast(world->host, MLX5_CMD_OP_DETACH_FROM_MCG, b.qpn), COMMAND_OK);
	assert_int_equal(multicast(world->host, MLX5_CMD_OP_DETACH_FROM_MCG, b.qpn),
			 COMMAND_BAD_RESOURCE);
}

static void test_impossible_queues(void **state)
{
	struct world *world = *state;
	u8 in[IFC_BYTES(create_qp_in) + 8] = { 0 }, out[IFC_BYTES(create_qp_out)];
	u8 *qpc = IFC_PTR(create_qp_in, in, qpc);

	IFC_SET(create_qp_in, in, opcode, MLX5_CMD_OP_CREATE_QP);
	IFC_SET(qpc, qpc, cqn_snd, world->cq_a.cqn);
	IFC_SET(qpc, qpc, cqn_rcv, world->cq_a.cqn);
	IFC_SET(qpc, qpc, log_sq_size, 15); /* 2 MiB with one page named */
	assert_int_equal(host_command(world->host, in, sizeof(in), out, sizeof(out)),
			 COMMAND_BAD_SIZE);
	IFC_SET(qpc, qpc, log_sq_size, 2);
	IFC_SET(qpc, qpc, log_page_size, 31);
	assert_int_equal(host_command(world->host, in, sizeof(in), out, sizeof(out)),
			 COMMAND_BAD_PARAM);
	IFC_SET(qpc, qpc, log_page_size, 0);
	IFC_SET(qpc, qpc, log_rq_stride, 7);
	assert_int_equal(host_command(world->host, in, sizeof(in), out, sizeof(out)),
			 COMMAND_BAD_PARAM);
	IFC_SET(qpc, qpc, log_rq_stride, 0);
	IFC_SET(qpc, qpc, st, 6);
	assert_int_equal(host_command(world->host, in, sizeof(in), out, sizeof(out)),
			 COMMAND_BAD_PARAM);
	IFC_SET(qpc, qpc, st, 0);
	IFC_SET(qpc, qpc, cqn_snd, 0x999);
	assert_int_equal(host_command(world->host, in, sizeof(in), out, sizeof(out)),
			 COMMAND_BAD_RESOURCE);
	IFC_SET(qpc, qpc, cqn_snd, world->cq_a.cqn);
	assert_int_equal(host_command(world->host, in, sizeof(in), out, sizeof(out)), COMMAND_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_limit),
		TEST(test_linked_list),
		TEST(test_xrc),
		TEST(test_datagrams),
		TEST(test_multicast),
		TEST(test_impossible_queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
