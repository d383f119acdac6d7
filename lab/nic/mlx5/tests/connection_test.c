/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Reliable connections: every operation, long messages, and every error with both its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "host.h"

#include <cmocka.h>

#define BUFFER (1u << 20)

struct pair {
	struct host *host;
	struct host_cq cq_a, cq_b;
	struct host_qp a, b;
	u8 *from, *to;
	u32 from_key, to_key;
};

static const struct host_path usual_path = {
	.send_psn = 0xfffffe, /* wraps around soon */
	.receive_psn = 0x10,
	.ack_timeout = 1,
	.retry_count = 3,
	.rnr_retry = 7,
	.min_rnr_nak = 1,
};

static void make_pair(struct pair *pair, struct host *host, const struct host_path *path)
{
	pair->host = host;
	host_new_rc(host, &pair->cq_a, &pair->a);
	host_new_rc(host, &pair->cq_b, &pair->b);
	host_connect_pair(&pair->a, &pair->b, path);
	pair->from = host_alloc(host, BUFFER);
	pair->to = host_alloc(host, BUFFER);
	fill_pattern(pair->from, BUFFER);
	pair->from_key = host_new_mkey(host, host->pd, pair->from, BUFFER, true);
	pair->to_key = host_new_mkey(host, host->pd, pair->to, BUFFER, true);
}

static int set_up(void **state)
{
	struct pair *pair = g_new0(struct pair, 1);

	make_pair(pair, host_new(false), &usual_path);
	*state = pair;
	return 0;
}

static void post_send(struct pair *pair, u8 opcode, u32 len)
{
	u8 *wqe = host_wqe(&pair->a, opcode, 2, true);

	wqe[12] = 0xde;
	wqe[15] = 0xad;
	host_put_data(wqe + 16, pair->from, pair->host, len, pair->from_key);
	host_ring(&pair->a);
}

static void post_rdma(struct pair *pair, u8 opcode, u32 len, u32 rkey)
{
	u8 *wqe = host_wqe(&pair->a, opcode, len ? 3 : 2, true);

	host_put_remote(wqe + 16, host_iova(pair->host, pair->to), rkey);
	if (len)
		host_put_data(wqe + 32, pair->from, pair->host, len, pair->from_key);
	host_ring(&pair->a);
}

static void expect_error(struct host_cq *cq, enum cqe_opcode opcode, enum cqe_syndrome syndrome,
			 u16 index)
{
	const u8 *cqe = host_wait(cq);

	assert_int_equal(cqe_op(cqe), opcode);
	assert_int_equal(cqe_syndrome(cqe), syndrome);
	assert_int_equal(cqe_index(cqe), index);
}

static void expect_event(struct host *host, u8 type, u32 number)
{
	const u8 *eqe;

	while ((eqe = host_event(host)))
		if (eqe[1] == type && (eqe[0x39] << 16 | eqe[0x3a] << 8 | eqe[0x3b]) == (int)number)
			return;
		else if (eqe[1] == type)
			fail_msg("event 0x%x for another object", type);
	fail_msg("no event 0x%x", type);
}

static void test_send(void **state)
{
	static const struct {
		u8 send, receive;
	} kinds[] = {
		{ WQE_SEND, CQE_RECEIVE_SEND },
		{ WQE_SEND_IMM, CQE_RECEIVE_SEND_IMM },
	};
	struct pair *pair = *state;

	for (u32 i = 0; i < 2; i++) {
		const u8 *cqe;

		memset(pair->to, 0, 10000);
		host_post_receive(&pair->b, pair->to, 10000, pair->to_key);
		post_send(pair, kinds[i].send, 9000);
		cqe = host_wait(&pair->cq_b);
		assert_int_equal(cqe_op(cqe), kinds[i].receive);
		assert_int_equal(cqe_bytes(cqe), 9000);
		assert_int_equal(cqe_index(cqe), i);
		assert_int_equal(cqe_qpn(cqe), pair->b.qpn);
		if (i) {
			assert_int_equal(cqe[36], 0xde);
			assert_int_equal(cqe[39], 0xad);
		}
		assert_memory_equal(pair->to, pair->from, 9000);
		assert_int_equal(pair->to[9000], 0);
		cqe = host_wait(&pair->cq_a);
		assert_int_equal(cqe_op(cqe), CQE_REQUEST);
		assert_int_equal(cqe[56], kinds[i].send);
	}
}

static void test_inline_and_gathered(void **state)
{
	struct pair *pair = *state;
	u8 *wqe;

	/* Three pieces, the middle one inline. */
	host_post_receive(&pair->b, pair->to, 100, pair->to_key);
	wqe = host_wqe(&pair->a, WQE_SEND, 5, true);
	host_put_data(wqe + 16, pair->from, pair->host, 5, pair->from_key);
	memcpy(wqe + 32, "\x80\x00\x00\x0e" "fourteen bytes", 18);
	host_put_data(wqe + 64, pair->from + 10, pair->host, 3, pair->from_key);
	host_ring(&pair->a);
	assert_int_equal(cqe_bytes(host_wait(&pair->cq_b)), 22);
	assert_memory_equal(pair->to, pair->from, 5);
	assert_memory_equal(pair->to + 5, "fourteen bytes", 14);
	assert_memory_equal(pair->to + 19, pair->from + 10, 3);
}

static void test_wrap_around(void **state)
{
	struct pair *pair = *state;

	/* WQEs of two blocks, one of them across the end of the queue of 64. */
	for (u32 i = 0; i < 40; i++) {
		u8 *wqe = host_wqe(&pair->a, WQE_RDMA_WRITE, 7, true), *second;

		second = pair->a.sq + ((pair->a.sq_producer - 1u) & 63) * 64;
		host_put_remote(wqe + 16, host_iova(pair->host, pair->to), pair->to_key);
		host_put_data(wqe + 32, pair->from + i, pair->host, 1, pair->from_key);
		host_put_data(wqe + 48, pair->from + i + 1, pair->host, 1, pair->from_key);
		for (u32 j = 0; j < 3; j++)
			host_put_data(second + 16 * j, pair->from + i + 2 + j, pair->host, 1,
				      pair->from_key);
		host_ring(&pair->a);
		assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
		assert_memory_equal(pair->to, pair->from + i, 5);
		if (i == 20) { /* from now on at odd blocks */
			host_wqe(&pair->a, WQE_NOP, 1, true);
			host_ring(&pair->a);
			assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
		}
	}
}

static void test_rdma(void **state)
{
	struct pair *pair = *state;
	const u8 *cqe;

	post_rdma(pair, WQE_RDMA_WRITE, BUFFER, pair->to_key);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
	assert_memory_equal(pair->to, pair->from, BUFFER);
	memset(pair->from, 0, BUFFER);
	post_rdma(pair, WQE_RDMA_READ, BUFFER - 1, pair->to_key);
	cqe = host_wait(&pair->cq_a);
	assert_int_equal(cqe_op(cqe), CQE_REQUEST);
	assert_int_equal(cqe_bytes(cqe), BUFFER - 1);
	assert_memory_equal(pair->to, pair->from, BUFFER - 1);
	assert_int_equal(pair->from[BUFFER - 1], 0);
	/* An empty write does not look at its key. */
	post_rdma(pair, WQE_RDMA_WRITE, 0, 0xbad00);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
	host_post_receive(&pair->b, pair->to, 1, pair->to_key);
	post_rdma(pair, WQE_RDMA_WRITE_IMM, 5000, pair->to_key);
	cqe = host_wait(&pair->cq_b);
	assert_int_equal(cqe_op(cqe), CQE_RECEIVE_WRITE_IMM);
	assert_int_equal(cqe_bytes(cqe), 5000);
}

static void test_atomics(void **state)
{
	struct pair *pair = *state;
	u64 value = 40, operand, old;
	u8 *wqe;

	memcpy(pair->to, &value, 8);
	wqe = host_wqe(&pair->a, WQE_ATOMIC_FA, 4, true);
	host_put_remote(wqe + 16, host_iova(pair->host, pair->to), pair->to_key);
	operand = htobe64(2);
	memcpy(wqe + 32, &operand, 8);
	host_put_data(wqe + 48, pair->from, pair->host, 8, pair->from_key);
	host_ring(&pair->a);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
	memcpy(&old, pair->from, 8);
	memcpy(&value, pair->to, 8);
	assert_int_equal(old, 40);
	assert_int_equal(value, 42);
	for (u32 i = 0; i < 2; i++) { /* swaps, then does not */
		wqe = host_wqe(&pair->a, WQE_ATOMIC_CS, 4, true);
		host_put_remote(wqe + 16, host_iova(pair->host, pair->to), pair->to_key);
		operand = htobe64(7 + i);
		memcpy(wqe + 32, &operand, 8);
		operand = htobe64(42);
		memcpy(wqe + 40, &operand, 8);
		host_put_data(wqe + 48, pair->from, pair->host, 8, pair->from_key);
		host_ring(&pair->a);
		assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
		memcpy(&old, pair->from, 8);
		memcpy(&value, pair->to, 8);
		assert_int_equal(old, i ? 7 : 42);
		assert_int_equal(value, 7);
	}
}

static void test_unsignalled(void **state)
{
	struct pair *pair = *state;
	u8 *wqe = host_wqe(&pair->a, WQE_RDMA_WRITE, 2, false);

	host_put_remote(wqe + 16, host_iova(pair->host, pair->to), pair->to_key);
	host_ring(&pair->a);
	host_settle(pair->host);
	assert_null(host_poll(&pair->cq_a));
	/* An error completes even so. */
	wqe = host_wqe(&pair->a, WQE_RDMA_WRITE, 3, false);
	host_put_remote(wqe + 16, host_iova(pair->host, pair->to), 0xbad00);
	host_put_data(wqe + 32, pair->from, pair->host, 1, pair->from_key);
	host_ring(&pair->a);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_ACCESS, 1);
}

static void test_key_taken_away_in_the_middle(void **state)
{
	struct pair *pair = *state;
	u32 moved;

	post_rdma(pair, WQE_RDMA_WRITE, BUFFER, pair->to_key);
	for (u32 i = 0; i < 4; i++)
		assert_true(scheduler_run_slice(pair->host->dev->scheduler));
	assert_int_equal(host_destroy_mkey(pair->host, pair->to_key), COMMAND_OK);
	for (moved = 0; moved < BUFFER && pair->to[moved] == pair->from[moved]; moved++)
		;
	assert_in_range(moved, 1, 4 * QP_SLICE_BYTES + 1);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_ACCESS, 0);
	for (u32 i = moved + 1; i < BUFFER; i++)
		assert_int_equal(pair->to[i], 0);
	expect_event(pair->host, EVENT_QP_ACCESS_ERROR, pair->b.qpn);
	assert_int_equal(host_state(&pair->a), QP_ERROR);
	assert_int_equal(host_state(&pair->b), QP_ERROR);
}

static void test_slices_are_shared(void **state)
{
	struct pair *pair = *state;
	struct pair other = { 0 };

	make_pair(&other, pair->host, &usual_path);
	post_rdma(pair, WQE_RDMA_WRITE, BUFFER, pair->to_key);
	post_rdma(&other, WQE_RDMA_WRITE, 4096, other.to_key);
	for (u32 i = 0; i < 3; i++)
		scheduler_run_slice(pair->host->dev->scheduler);
	assert_non_null(host_poll(&other.cq_a));
	assert_null(host_poll(&pair->cq_a));
	assert_non_null(host_wait(&pair->cq_a));
}

static void test_local_errors(void **state)
{
	struct pair *pair = *state;
	u8 *wqe = host_wqe(&pair->a, WQE_SEND, 2, true);

	host_put_data(wqe + 16, pair->from, pair->host, 8, 0xbad00);
	host_ring(&pair->a);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_LOCAL_PROT, 0);
	assert_int_equal(host_state(&pair->a), QP_ERROR);
	assert_int_equal(host_state(&pair->b), QP_RTS);
}

static void test_flush(void **state)
{
	struct pair *pair = *state;

	for (u32 i = 0; i < 3; i++)
		host_post_receive(&pair->a, pair->from, 8, pair->from_key);
	post_rdma(pair, WQE_RDMA_WRITE, 8, 0xbad00);
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	host_wqe(&pair->a, WQE_NOP, 7, false);
	host_wqe(&pair->a, WQE_NOP, 1, false);
	host_ring(&pair->a);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_ACCESS, 0);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_WR_FLUSH, 1);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_WR_FLUSH, 2);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_WR_FLUSH, 4);
	for (u16 i = 0; i < 3; i++)
		expect_error(&pair->cq_a, CQE_RECEIVE_ERROR, SYNDROME_WR_FLUSH, i);
	/* What comes later is flushed too, receives without any doorbell. */
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_WR_FLUSH, 5);
	host_post_receive(&pair->a, pair->from, 8, pair->from_key);
	expect_error(&pair->cq_a, CQE_RECEIVE_ERROR, SYNDROME_WR_FLUSH, 3);
	/* A reset forgets all of it, and the QP works again. */
	assert_int_equal(host_modify(&pair->a, MLX5_CMD_OP_2RST_QP, &usual_path), COMMAND_OK);
	assert_int_equal(host_modify(&pair->b, MLX5_CMD_OP_2RST_QP, &usual_path), COMMAND_OK);
	memset(pair->a.doorbell, 0, 8);
	memset(pair->b.doorbell, 0, 8);
	pair->a.sq_producer = 0;
	host_connect_pair(&pair->a, &pair->b, &usual_path);
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
}

static void test_receiver_not_ready(void **state)
{
	struct pair *pair = *state;

	post_send(pair, WQE_SEND, 8);
	host_settle(pair->host);
	assert_null(host_poll(&pair->cq_a));
	host_post_receive(&pair->b, pair->to, 8, pair->to_key);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
	assert_true(*pair->host->dev->count.rnr_naks > 0);
}

static void test_receiver_never_ready(void **state)
{
	struct pair *pair = *state, other = { 0 };
	struct host_path path = usual_path;

	path.rnr_retry = 2;
	make_pair(&other, pair->host, &path);
	post_send(&other, WQE_SEND, 8);
	expect_error(&other.cq_a, CQE_REQUEST_ERROR, SYNDROME_RNR_RETRY, 0);
	assert_int_equal(*pair->host->dev->count.rnr_naks, 3);
}

static void test_nobody_answers(void **state)
{
	struct pair *pair = *state, other = { 0 };
	struct host_path path = usual_path;

	assert_int_equal(host_modify(&pair->b, MLX5_CMD_OP_2RST_QP, &path), COMMAND_OK);
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_TRANSPORT_RETRY, 0);
	/* Packet numbers that do not fit are not heard either. */
	make_pair(&other, pair->host, &path);
	assert_int_equal(host_modify(&other.b, MLX5_CMD_OP_2RST_QP, &path), COMMAND_OK);
	path.remote_qpn = other.a.qpn;
	path.receive_psn = 0x123;
	host_connect(&other.b, &path);
	post_rdma(&other, WQE_RDMA_WRITE, 8, other.to_key);
	expect_error(&other.cq_a, CQE_REQUEST_ERROR, SYNDROME_TRANSPORT_RETRY, 0);
}

static void test_receive_errors(void **state)
{
	struct pair *pair = *state, other = { 0 };

	host_post_receive(&pair->b, pair->to, 7, pair->to_key);
	post_send(pair, WQE_SEND, 8);
	expect_error(&pair->cq_b, CQE_RECEIVE_ERROR, SYNDROME_LOCAL_LENGTH, 0);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_INVALID_REQUEST, 0);
	make_pair(&other, pair->host, &usual_path);
	host_post_receive(&other.b, other.to, 8, 0xbad00);
	host_post_receive(&other.b, other.to, 8, other.to_key);
	post_send(&other, WQE_SEND, 8);
	expect_error(&other.cq_b, CQE_RECEIVE_ERROR, SYNDROME_LOCAL_PROT, 0);
	expect_error(&other.cq_b, CQE_RECEIVE_ERROR, SYNDROME_WR_FLUSH, 1);
	expect_error(&other.cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_OP, 0);
}

static void test_rights(void **state)
{
	struct pair *pair = *state, other = { 0 };
	struct host_path path = usual_path;
	u32 foreign = host_new_mkey(pair->host, host_new_pd(pair->host), pair->to, 4096, true);

	/* Another protection domain. */
	post_rdma(pair, WQE_RDMA_WRITE, 8, foreign);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_ACCESS, 0);
	/* A QP that takes no RDMA. */
	path.no_remote_access = true;
	make_pair(&other, pair->host, &path);
	post_rdma(&other, WQE_RDMA_READ, 8, other.to_key);
	expect_error(&other.cq_a, CQE_REQUEST_ERROR, SYNDROME_REMOTE_INVALID_REQUEST, 0);
	expect_event(pair->host, EVENT_QP_REQUEST_ERROR, other.b.qpn);
}

static void test_malformed(void **state)
{
	struct pair *pair = *state;
	static const struct {
		u8 opcode, segments;
	} bad[] = {
		{ 0x77, 1 },		 /* no such operation */
		{ WQE_RDMA_WRITE, 1 },	 /* no address */
		{ WQE_ATOMIC_FA, 3 },	 /* no place for the result */
		{ WQE_RDMA_WRITE, 0 },	 /* no size */
		{ WQE_RDMA_WRITE, 62 },	 /* longer than what is posted */
	};

	for (u32 i = 0; i < 5; i++) {
		struct pair other = { 0 };
		u8 *wqe;

		make_pair(&other, pair->host, &usual_path);
		wqe = host_wqe(&other.a, bad[i].opcode, 3, true);
		host_put_remote(wqe + 16, 0, 0);
		host_put_data(wqe + 32, other.from, other.host, 8, other.from_key);
		wqe[7] = bad[i].segments;
		host_ring(&other.a);
		expect_error(&other.cq_a, CQE_REQUEST_ERROR, SYNDROME_LOCAL_QP_OP, 0);
		assert_int_equal(host_state(&other.a), QP_ERROR);
		pair->host->base.used -= 2 * BUFFER; /* enough for all rounds */
	}
}

static void test_nonsense_producer(void **state)
{
	struct pair *pair = *state;

	memcpy(pair->a.doorbell + 4, "\0\0\x40\0", 4);
	host_ring(&pair->a);
	host_settle(pair->host);
	assert_int_equal(host_state(&pair->a), QP_ERROR);
	expect_event(pair->host, EVENT_QP_FATAL, pair->a.qpn);
}

static void test_knobs(void **state)
{
	struct pair *pair = *state;

	host_rule(pair->host, "rdma_write", "hold", "");
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	host_settle(pair->host);
	assert_null(host_poll(&pair->cq_a));
	assert_int_equal(pair->to[1], 0);
	assert_int_equal(host_release(pair->host, "rdma_write", 1), 1);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
	/* A lost packet is sent again. */
	host_rule(pair->host, "rdma_write", "drop", "");
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	assert_int_equal(cqe_op(host_wait(&pair->cq_a)), CQE_REQUEST);
	/* Held work of a QP that goes away is not released any more. */
	host_rule(pair->host, "rdma_write", "hold", "");
	post_rdma(pair, WQE_RDMA_WRITE, 8, pair->to_key);
	host_settle(pair->host);
	assert_int_equal(host_modify(&pair->a, MLX5_CMD_OP_2ERR_QP, &usual_path), COMMAND_OK);
	expect_error(&pair->cq_a, CQE_REQUEST_ERROR, SYNDROME_WR_FLUSH, 2);
	assert_int_equal(host_release(pair->host, NULL, 1), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_send),
		TEST(test_inline_and_gathered),
		TEST(test_wrap_around),
		TEST(test_rdma),
		TEST(test_atomics),
		TEST(test_unsignalled),
		TEST(test_key_taken_away_in_the_middle),
		TEST(test_slices_are_shared),
		TEST(test_local_errors),
		TEST(test_flush),
		TEST(test_receiver_not_ready),
		TEST(test_receiver_never_ready),
		TEST(test_nobody_answers),
		TEST(test_receive_errors),
		TEST(test_rights),
		TEST(test_malformed),
		TEST(test_nonsense_producer),
		TEST(test_knobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
