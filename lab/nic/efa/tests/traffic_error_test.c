/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Everything that goes wrong, seen from both ends; flushing; what a hostile host writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "traffic.h"

#include <cmocka.h>

static int set_up(void **state)
{
	*state = traffic_new((struct host_qp_options){}, (struct host_cq_options){});
	return 0;
}

/* Ends with that status, and the QP goes on. */
static void ends(struct traffic *traffic, const struct host_send *send, u8 status)
{
	struct host_send good = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1000, 16);

	host_post(&traffic->a, send);
	host_expect(&traffic->cq_a, send->request, status);
	host_post(&traffic->a, &good);
	host_expect(&traffic->cq_a, 1000, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(host_state(&traffic->a), EFA_ADMIN_QP_STATE_RTS);
}

#define ENDS(operation, length, status, ...)                                                       \
	do {                                                                                       \
		struct host_send send = traffic_send(traffic, operation, 3, length);               \
		__VA_ARGS__;                                                                       \
		ends(traffic, &send, EFA_IO_COMP_STATUS_##status);                                 \
	} while (0)

static void local_errors(void **state)
{
	struct traffic *traffic = *state;
	struct host *host = traffic->host;
	struct host_mr readable = host_new_mr(host, host->pd, traffic->from, 100, 0);
	struct host_mr foreign = host_new_mr(host, host_new_pd(host), traffic->from, 100, RIGHTS_ALL);

	ENDS(EFA_IO_RDMA_WRITE, 10, LOCAL_ERROR_INVALID_LKEY, send.lkey = 0xfffff);
	ENDS(EFA_IO_RDMA_WRITE, 10, LOCAL_ERROR_INVALID_LKEY, send.lkey = foreign.lkey);
	ENDS(EFA_IO_RDMA_WRITE, 200, LOCAL_ERROR_INVALID_LKEY, send.lkey = readable.lkey);
	ENDS(EFA_IO_RDMA_READ, 10, LOCAL_ERROR_INVALID_LKEY, send.lkey = readable.lkey);
	ENDS(EFA_IO_SEND, 10, LOCAL_ERROR_INVALID_LKEY, send.lkey = foreign.lkey);
	ENDS(EFA_IO_SEND, EFA_MTU + 1, LOCAL_ERROR_BAD_LENGTH, (void)0);
	ENDS(EFA_IO_RDMA_WRITE, EFA_MAX_RDMA + 1, LOCAL_ERROR_BAD_LENGTH, (void)0);
	ENDS(EFA_IO_SEND, 10, LOCAL_ERROR_INVALID_AH, send.ah = 999);
	ENDS(EFA_IO_FAST_REG, 10, LOCAL_ERROR_UNSUPPORTED_OP, (void)0);
	assert_int_equal(host_counter(host, "local_protection_errors"), 5);
}

static void remote_errors(void **state)
{
	static const u8 elsewhere[16] = {0xfe, 0x80, [15] = 1};
	struct traffic *traffic = *state;
	struct host *host = traffic->host;
	struct host_mr quiet = host_new_mr(host, host->pd, traffic->to, 100, 1);
	u16 far = host_new_ah(host, host->pd, elsewhere);
	struct host_qp_options options = {.cq = &traffic->cq_b, .pd = host_new_pd(host)};
	struct host_qp stranger;

	host_new_qp(host, &stranger, &options);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_ADDRESS, send.rkey = quiet.rkey);
	ENDS(EFA_IO_RDMA_READ, 10, REMOTE_ERROR_BAD_ADDRESS, send.rkey = quiet.rkey);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_ADDRESS, send.rkey = traffic->to_mr.lkey);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_ADDRESS, send.remote = traffic->to - 1);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_UNKNOWN_PEER, send.to = &stranger);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_DEST_QPN, send.to = NULL; send.destination = 77);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_DEST_QPN, send.qkey = 5);
	ENDS(EFA_IO_RDMA_WRITE, 10, LOCAL_ERROR_UNREACH_REMOTE, send.ah = far);
	assert_int_equal(host_counter(host, "remote_access_errors"), 4);
	/* A peer that is known now may, but not with a key of another PD. */
	host_new_ah(host, options.pd, host->dev->gid);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_ADDRESS, send.to = &stranger);
}

static void wrong_receives(void **state)
{
	struct traffic *traffic = *state;
	const struct efa_io_rx_cdesc_ex *cqe;

	traffic_receive(traffic, 1, 9);
	ENDS(EFA_IO_SEND, 10, REMOTE_ERROR_BAD_LENGTH, (void)0);
	cqe = host_expect(&traffic->cq_b, 1, EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH);
	assert_true(is_receive(cqe));
	host_post_receive(&traffic->b, 2, traffic->to, 100, 0xfffff);
	ENDS(EFA_IO_SEND, 10, REMOTE_ERROR_BAD_STATUS, (void)0);
	host_expect(&traffic->cq_b, 2, EFA_IO_COMP_STATUS_LOCAL_ERROR_INVALID_LKEY);
	assert_int_equal(host_state(&traffic->b), EFA_ADMIN_QP_STATE_RTS);
}

static void receiver_never_ready(void **state)
{
	struct traffic *traffic = *state;

	assert_int_equal(host_set_rnr_retry(&traffic->a, 8), ADMIN_ILLEGAL);
	assert_int_equal(host_set_rnr_retry(&traffic->a, 2), ADMIN_OK);
	ENDS(EFA_IO_SEND, 10, REMOTE_ERROR_RNR, (void)0);
	assert_int_equal(host_counter(traffic->host, "rnr"), 3);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_RNR, send.has_immediate = true);
}

static void dead_network(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 3, 10);

	host_rule(traffic->host, "rdma_write", "drop", "\"count\": 8");
	ENDS(EFA_IO_RDMA_WRITE, 10, LOCAL_ERROR_UNREACH_REMOTE, (void)0);
	host_rule(traffic->host, "rdma_write", "fail", "\"status\": 12");
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_BAD_STATUS, (void)0);
	host_rule(traffic->host, "rdma_write", "fail", "");
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 3, EFA_IO_COMP_STATUS_REMOTE_ERROR_ABORT);
}

/* A region that goes away under a transfer ends it. */
static void deregistered_halfway(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, BUFFER);

	host_post(&traffic->a, &send);
	for (u32 i = 0; i < 3; i++)
		efa_device_ops()->work(traffic->host->dev);
	assert_null(host_poll(&traffic->cq_a));
	assert_int_equal(host_dereg(traffic->host, traffic->to_mr.lkey), ADMIN_OK);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_ADDRESS);
	assert_int_not_equal(traffic->to[0] | traffic->to[1], 0);
	assert_int_equal(traffic->to[BUFFER - 1], 0);
}

static void memory_that_is_not_there(void **state)
{
	struct traffic *traffic = *state;
	struct efa_admin_reg_mr_cmd in = {
		.pd = traffic->host->pd, .mr_length = 4096, .flags = 12, .permissions = RIGHTS_ALL,
		.pbl.inline_pbl_array = {0x5555000},
	};
	union {
		struct efa_admin_reg_mr_resp resp;
		u8 raw[64];
	} out;

	in.iova = host_iova(traffic->host, traffic->to);
	assert_int_equal(host_command(traffic->host, EFA_ADMIN_REG_MR, 0, &in, sizeof(in), &out),
			 ADMIN_OK);
	ENDS(EFA_IO_RDMA_WRITE, 10, REMOTE_ERROR_ABORT, send.rkey = out.resp.r_key);
	ENDS(EFA_IO_RDMA_WRITE, 10, LOCAL_ERROR_QP_INTERNAL_ERROR, send.lkey = out.resp.l_key;
	     send.address = traffic->to);
	host_post_receive(&traffic->b, 2, traffic->to, 100, out.resp.l_key);
	ENDS(EFA_IO_SEND, 10, REMOTE_ERROR_BAD_STATUS, (void)0);
	host_expect(&traffic->cq_b, 2, EFA_IO_COMP_STATUS_LOCAL_ERROR_QP_INTERNAL_ERROR);
	assert_int_equal(host_counter(traffic->host, "dma.unmapped_accesses"), 3);
}

static void error_state_flushes(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	host_rule(traffic->host, "rdma_write", "hold", "");
	host_post(&traffic->a, &send); /* waits for a receiver */
	send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 2, 10);
	host_post(&traffic->a, &send); /* held */
	host_settle(traffic->host);
	host_post_receive(&traffic->a, 4, traffic->from, 10, traffic->from_mr.lkey);
	send.request = 3;
	host_post(&traffic->a, &send); /* not begun */
	assert_int_equal(host_set_state(&traffic->a, EFA_ADMIN_QP_STATE_ERR), ADMIN_OK);
	for (u16 i = 1; i <= 4; i++)
		host_expect(&traffic->cq_a, i, EFA_IO_COMP_STATUS_FLUSHED);
	assert_int_equal(host_counter(traffic->host, "flushed"), 4);
	assert_int_equal(host_release(traffic->host, NULL, 10), 0);
	/* What is posted later as well. */
	host_post_receive(&traffic->a, 5, traffic->from, 10, traffic->from_mr.lkey);
	host_expect(&traffic->cq_a, 5, EFA_IO_COMP_STATUS_FLUSHED);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 3, EFA_IO_COMP_STATUS_FLUSHED);
	/* Nobody hears it any more. */
	send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 6, 10);
	send.to = &traffic->a;
	host_post(&traffic->b, &send);
	host_expect(&traffic->cq_b, 6, EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_DEST_QPN);
}

static void reset_forgets(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	host_post(&traffic->a, &send);
	host_settle(traffic->host);
	assert_int_equal(host_set_state(&traffic->a, EFA_ADMIN_QP_STATE_RESET), ADMIN_OK);
	assert_int_equal(qp_find(traffic->host->dev, traffic->a.number)->waiting.length, 0);
	traffic->a.sq_producer = 0;
	host_to_rts(&traffic->a);
	traffic_receive(traffic, 9, 100);
	host_settle(traffic->host);
	assert_null(host_poll(&traffic->cq_a));
	ENDS(EFA_IO_SEND, 10, OK, (void)0);
}

static void destroyed_while_it_waits(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	host_rule(traffic->host, "rdma_write", "hold", "");
	host_post(&traffic->a, &send);
	send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 2, 10);
	host_post(&traffic->a, &send);
	host_settle(traffic->host);
	assert_int_equal(host_destroy_qp(&traffic->a), ADMIN_OK);
	assert_int_equal(host_destroy_qp(&traffic->a), ADMIN_ILLEGAL);
	assert_int_equal(host_release(traffic->host, NULL, 10), 0);
	host_settle(traffic->host);
	assert_null(host_poll(&traffic->cq_a));
	host_ring(&traffic->a);
}

/* The slot of a QP comes back with another number, and the old one finds nobody. */
static void old_number_finds_nobody(void **state)
{
	struct traffic *traffic = *state;
	struct host_qp_options options = {.cq = &traffic->cq_b};
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 2, 10);
	u16 number = traffic->b.number;

	send.to = NULL;
	send.destination = number;
	do {
		assert_int_equal(host_destroy_qp(&traffic->b), ADMIN_OK);
		host_new_qp(traffic->host, &traffic->b, &options);
		traffic->host->base.used -= HOST_PAGE;
	} while ((traffic->b.number ^ number) % EFA_MAX_QPS);
	assert_int_not_equal(traffic->b.number, number);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_DEST_QPN);
	send.destination = traffic->b.number;
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
}

static void transitions(void **state)
{
	static const u32 right[][2] = {
		{0, 1}, {1, 1}, {1, 2}, {2, 3}, {3, 3}, {3, 4}, {4, 4}, {4, 3}, {3, 6}, {6, 6},
		{6, 0}, {0, 6}, {6, 0}, {0, 0},
	};
	struct traffic *traffic = *state;

	assert_int_equal(host_set_state(&traffic->a, 0), ADMIN_OK);
	for (u32 i = 0; i < G_N_ELEMENTS(right); i++) {
		assert_int_equal(host_state(&traffic->a), right[i][0]);
		assert_int_equal(host_set_state(&traffic->a, right[i][1]), ADMIN_OK);
	}
	for (u32 to = 2; to < 6; to++)
		assert_int_equal(host_set_state(&traffic->a, to), ADMIN_ILLEGAL);
	assert_int_equal(host_set_state(&traffic->a, 7), ADMIN_ILLEGAL);
	assert_int_equal(host_set_state(&traffic->a, ~0u), ADMIN_ILLEGAL);
}

static void expect_error_state(struct traffic *traffic, struct host_qp *qp)
{
	host_settle(traffic->host);
	assert_int_equal(host_state(qp), EFA_ADMIN_QP_STATE_ERR);
}

static void descriptor_that_is_none(void **state)
{
	struct traffic *traffic = *state;
	struct efa_io_tx_wqe *wqe = host_wqe(&traffic->a, EFA_IO_SEND, 1);

	wqe->meta.ctrl2 &= ~EFA_IO_TX_META_DESC_LAST_MASK;
	host_wqe(&traffic->a, EFA_IO_SEND, 2);
	host_ring(&traffic->a);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_LOCAL_ERROR_QP_INTERNAL_ERROR);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_FLUSHED);
	expect_error_state(traffic, &traffic->a);
}

static void wrong_lengths_in_descriptors(void **state)
{
	struct traffic *traffic = *state;
	struct efa_io_tx_wqe *wqe = host_wqe(&traffic->a, EFA_IO_SEND, 1);

	wqe->meta.length = 3; /* segments */
	wqe = host_wqe(&traffic->a, EFA_IO_SEND, 2);
	EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_INLINE_MSG, 1);
	wqe->meta.length = EFA_INLINE_64 + 1;
	wqe = host_wqe(&traffic->a, EFA_IO_RDMA_WRITE, 3);
	EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_INLINE_MSG, 1);
	wqe->meta.length = 1; /* there is no room in 64 bytes */
	wqe = host_wqe(&traffic->a, EFA_IO_RDMA_WRITE, 4);
	wqe->data.rdma_req.remote_mem.length = 5; /* and no bytes of its own */
	host_ring(&traffic->a);
	for (u16 i = 1; i <= 4; i++)
		host_expect(&traffic->cq_a, i, EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH);
	wqe = host_wqe(&traffic->a, EFA_IO_RDMA_READ, 5);
	EFA_SET(&wqe->meta.ctrl1, EFA_IO_TX_META_DESC_HAS_IMM, 1);
	host_ring(&traffic->a);
	host_expect(&traffic->cq_a, 5, EFA_IO_COMP_STATUS_LOCAL_ERROR_UNSUPPORTED_OP);
}

static void more_requests_than_room(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	/* All wait for a receiver; one more does not fit, wherever it stands. */
	for (u32 i = 0; i < HOST_QUEUE; i++)
		host_post(&traffic->a, &send);
	host_settle(traffic->host);
	assert_int_equal(host_state(&traffic->a), EFA_ADMIN_QP_STATE_RTS);
	host_post(&traffic->a, &send);
	expect_error_state(traffic, &traffic->a);
	for (u32 i = 0; i < HOST_QUEUE; i++)
		host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_FLUSHED);
	assert_null(host_poll(&traffic->cq_a));
	traffic->b.rq_producer = HOST_QUEUE + 1;
	host_ring_receive(&traffic->b);
	expect_error_state(traffic, &traffic->b);
}

static void wrong_receive(struct traffic *traffic, u32 count, u32 flags)
{
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	host_set_state(&traffic->b, EFA_ADMIN_QP_STATE_RESET);
	traffic->b.rq_producer = 0;
	host_to_rts(&traffic->b);
	for (u32 i = 0; i < count; i++)
		traffic->b.rq[traffic->b.rq_producer++] = (struct efa_io_rx_desc){
			.req_id = 1, .lkey_ctrl = flags,
		};
	host_ring_receive(&traffic->b);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_DEST_QPN);
	expect_error_state(traffic, &traffic->b);
}

static void receives_that_are_none(void **state)
{
	struct traffic *traffic = *state;

	wrong_receive(traffic, 1, EFA_IO_RX_DESC_FIRST_MASK);
	wrong_receive(traffic, 1, EFA_IO_RX_DESC_LAST_MASK);
	wrong_receive(traffic, 2, EFA_IO_RX_DESC_FIRST_MASK);
	assert_int_equal(dma_space_unmap(traffic->host->dev->dma, HOST_IOVA, HOST_MEMORY), 0);
	traffic_receive(traffic, 1, 10);
	host_settle(traffic->host);
}

static void wrong_queue_pairs_are_refused(void **state)
{
	struct traffic *traffic = *state;
	const struct efa_admin_create_qp_cmd right = {
		.pd = traffic->host->pd, .qp_type = EFA_ADMIN_QP_TYPE_SRD,
		.send_cq_idx = traffic->cq_a.number, .recv_cq_idx = traffic->cq_a.number,
		.uar = traffic->host->uar,
		.qp_alloc_size = {.send_queue_ring_size = 1024, .send_queue_depth = 16,
				  .recv_queue_ring_size = 256, .recv_queue_depth = 16},
	};
	struct efa_admin_create_qp_cmd in;
	u32 before;

#define TRY(status, ...)                                                                           \
	do {                                                                                       \
		in = right;                                                                        \
		__VA_ARGS__;                                                                       \
		assert_int_equal(host_command(traffic->host, EFA_ADMIN_CREATE_QP, 0, &in,          \
					      sizeof(in), NULL),                                   \
				 status);                                                          \
	} while (0)
	TRY(ADMIN_OK, (void)0);
	TRY(ADMIN_OK, memset(&in.qp_alloc_size, 0, sizeof(in.qp_alloc_size)));
	before = id_table_count(traffic->host->dev->qps);
	TRY(ADMIN_ILLEGAL, in.pd = 1000);
	TRY(ADMIN_ILLEGAL, in.qp_type = 3);
	TRY(ADMIN_ILLEGAL, in.flags = 1);
	TRY(ADMIN_ILLEGAL, in.flags = 8); /* the CQ has no room for such ids */
	TRY(ADMIN_ILLEGAL, in.send_cq_idx = 1000);
	TRY(ADMIN_ILLEGAL, in.recv_cq_idx = 1000);
	TRY(ADMIN_ILLEGAL, in.uar = 1000);
	TRY(ADMIN_ILLEGAL, in.rq_base_addr = 8);
	TRY(ADMIN_ILLEGAL, in.qp_alloc_size.send_queue_depth = 0);
	TRY(ADMIN_ILLEGAL, in.qp_alloc_size.send_queue_depth = 15);
	TRY(ADMIN_ILLEGAL, in.qp_alloc_size.send_queue_ring_size = 16 * 96);
	TRY(ADMIN_ILLEGAL, in.qp_alloc_size.send_queue_ring_size = EFA_LLQ_BYTES * 2;
	    in.qp_alloc_size.send_queue_depth = EFA_LLQ_BYTES / 32);
	TRY(ADMIN_ILLEGAL, in.qp_alloc_size.recv_queue_ring_size = 250);
	TRY(ADMIN_ILLEGAL, in.qp_alloc_size.recv_queue_ring_size = 48);
	assert_int_equal(id_table_count(traffic->host->dev->qps), before);
	for (u32 i = before; i < EFA_MAX_QPS; i++)
		TRY(ADMIN_OK, (void)0);
	TRY(ADMIN_NO_RESOURCES, (void)0);
#undef TRY
	assert_int_equal(host_destroy_cq(&traffic->cq_a), ADMIN_BUSY);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(local_errors),		test(remote_errors),
		test(wrong_receives),		test(receiver_never_ready),
		test(dead_network),		test(deregistered_halfway),
		test(memory_that_is_not_there),	test(error_state_flushes),
		test(reset_forgets),		test(destroyed_while_it_waits),
		test(old_number_finds_nobody),	test(transitions),
		test(descriptor_that_is_none),
		test(wrong_lengths_in_descriptors), test(more_requests_than_room),
		test(receives_that_are_none),	test(wrong_queue_pairs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
