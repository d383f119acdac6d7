/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Everything that goes well: sends, RDMA, immediates, datagrams, order and its absence, knobs. */
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

static int set_up_datagrams(void **state)
{
	*state = traffic_new((struct host_qp_options){.type = EFA_ADMIN_QP_TYPE_UD},
			     (struct host_cq_options){});
	return 0;
}

static int set_up_long_wide(void **state)
{
	*state = traffic_new((struct host_qp_options){.long_wqe = true, .wide = true,
						      .unsolicited_writes = true},
			     (struct host_cq_options){.wide = true});
	return 0;
}

static void send_with_immediate(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 5, 8000);
	const struct efa_io_rx_cdesc_ex *cqe;

	send.has_immediate = true;
	send.immediate = 0xabcdef01;
	traffic_receive(traffic, 6, EFA_MTU);
	host_post(&traffic->a, &send);
	cqe = host_expect(&traffic->cq_a, 5, EFA_IO_COMP_STATUS_OK);
	assert_false(is_receive(cqe));
	assert_int_equal(cqe->base.common.qp_num, traffic->a.number);
	cqe = host_expect(&traffic->cq_b, 6, EFA_IO_COMP_STATUS_OK);
	assert_true(is_receive(cqe));
	assert_true(EFA_GET(&cqe->base.common.flags, EFA_IO_CDESC_COMMON_HAS_IMM));
	assert_int_equal(cqe->base.imm, 0xabcdef01);
	assert_int_equal(cqe->base.length, 8000);
	assert_int_equal(cqe->base.src_qp_num, traffic->a.number);
	assert_int_equal(cqe->base.ah, traffic->host->ah);
	assert_memory_equal(traffic->from, traffic->to, 8000);
	assert_int_equal(traffic->to[8000], 0);
	assert_int_equal(host_counter(traffic->host, "bytes_written"), 8000);
}

static void send_gathers_and_scatters(void **state)
{
	struct traffic *traffic = *state;
	struct efa_io_tx_wqe *wqe = host_wqe(&traffic->a, EFA_IO_SEND, 1);
	u64 from = host_iova(traffic->host, traffic->from);
	u64 to = host_iova(traffic->host, traffic->to);

	wqe->meta.dest_qp_num = traffic->b.number;
	wqe->meta.ah = traffic->host->ah;
	wqe->meta.qkey = HOST_QKEY;
	wqe->meta.length = 2;
	for (u32 i = 0; i < 2; i++)
		wqe->data.sgl[i] = (struct efa_io_tx_buf_desc){
			.length = 100, .lkey = traffic->from_mr.lkey,
			.buf_addr_lo = from + 1000 * i, .buf_addr_hi = (from + 1000 * i) >> 32,
		};
	for (u32 i = 0; i < 3; i++)
		traffic->b.rq[traffic->b.rq_producer++] = (struct efa_io_rx_desc){
			.buf_addr_lo = to + 5000 * i, .buf_addr_hi = (to + 5000 * i) >> 32,
			.req_id = 7, .length = 80,
			.lkey_ctrl = traffic->to_mr.lkey | (i == 0) << 30 | (u32)(i == 2) << 31,
		};
	host_ring_receive(&traffic->b);
	host_ring(&traffic->a);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	host_expect(&traffic->cq_b, 7, EFA_IO_COMP_STATUS_OK);
	assert_memory_equal(traffic->to, traffic->from, 80);
	assert_memory_equal(traffic->to + 5000, traffic->from + 80, 20);
	assert_memory_equal(traffic->to + 5020, traffic->from + 1000, 60);
	assert_memory_equal(traffic->to + 10000, traffic->from + 1060, 40);
	assert_int_equal(traffic->to[10040], 0);
}

static void inline_and_empty_sends(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, EFA_INLINE_64);

	send.inline_data = traffic->from;
	traffic_receive(traffic, 1, 100);
	traffic_receive(traffic, 2, 0);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(host_expect(&traffic->cq_b, 1, 0)->base.length, EFA_INLINE_64);
	assert_memory_equal(traffic->to, traffic->from, EFA_INLINE_64);
	send = (struct host_send){.operation = EFA_IO_SEND, .request = 2, .to = &traffic->b};
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(host_expect(&traffic->cq_b, 2, 0)->base.length, 0);
}

static void long_writes_and_reads(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, BUFFER);

	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	assert_memory_equal(traffic->from, traffic->to, BUFFER);
	memset(traffic->from, 0, BUFFER);
	send.operation = EFA_IO_RDMA_READ;
	send.request = 2;
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
	assert_memory_equal(traffic->from, traffic->to, BUFFER);
	send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 3, 0);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 3, EFA_IO_COMP_STATUS_OK);
	host_settle(traffic->host);
	assert_null(host_poll(&traffic->cq_b));
	assert_int_equal(traffic->host->dev->statistics.write.write_bytes, BUFFER);
	assert_int_equal(traffic->host->dev->statistics.read.read_resp_bytes, BUFFER);
}

static void write_with_immediate(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, 100000);
	const struct efa_io_rx_cdesc_ex *cqe;

	send.has_immediate = true;
	send.immediate = 99;
	traffic_receive(traffic, 8, 0);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	cqe = host_expect(&traffic->cq_b, 8, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(EFA_GET(&cqe->base.common.flags, EFA_IO_CDESC_COMMON_OP_TYPE),
			 EFA_IO_RDMA_WRITE);
	assert_false(EFA_GET(&cqe->base.common.flags, EFA_IO_CDESC_COMMON_UNSOLICITED));
	assert_int_equal(cqe->base.length | cqe->u.rdma_write.length_hi << 16, 100000);
	assert_int_equal(cqe->base.imm, 99);
	assert_memory_equal(traffic->from, traffic->to, 100000);
}

/* 128-byte requests: longer inline data, also of writes; ids of 64 bits; nobody posts receives. */
static void long_requests(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, EFA_INLINE_128);
	const struct efa_io_tx_cdesc *sent;
	const struct efa_io_rx_cdesc_ex *cqe;
	struct efa_io_tx_wqe *wqe;

	send.inline_data = traffic->from;
	send.has_immediate = true;
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	cqe = host_expect(&traffic->cq_b, 0, EFA_IO_COMP_STATUS_OK);
	assert_true(EFA_GET(&cqe->base.common.flags, EFA_IO_CDESC_COMMON_UNSOLICITED));
	assert_memory_equal(traffic->to, traffic->from, EFA_INLINE_128);

	wqe = host_wqe(&traffic->a, EFA_IO_RDMA_WRITE, 0x4444);
	wqe->meta.req_id_ex.w[0] = 0x3333;
	wqe->meta.req_id_ex.w[2] = 0x1111;
	wqe->meta.ah = traffic->host->ah;
	wqe->meta.dest_qp_num = traffic->b.number;
	wqe->meta.qkey = HOST_QKEY;
	host_ring(&traffic->a);
	sent = (const void *)host_expect(&traffic->cq_a, 0x4444, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(sent->req_id_ex.w[0], 0x3333);
	assert_int_equal(sent->req_id_ex.w[1], 0);
	assert_int_equal(sent->req_id_ex.w[2], 0x1111);

	send = traffic_send(traffic, EFA_IO_SEND, 2, EFA_INLINE_128);
	send.inline_data = traffic->from;
	traffic_receive(traffic, 2, EFA_INLINE_128);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
	host_expect(&traffic->cq_b, 2, EFA_IO_COMP_STATUS_OK);
}

static void datagram_has_a_header(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 200);

	traffic_receive(traffic, 2, 240);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(host_expect(&traffic->cq_b, 2, 0)->base.length, 240);
	assert_int_equal(traffic->to[0] >> 4, 6);
	assert_memory_equal(traffic->to + 8, traffic->host->dev->gid, 16);
	assert_memory_equal(traffic->to + 24, traffic->host->dev->gid, 16);
	assert_memory_equal(traffic->to + 40, traffic->from, 200);
}

static void datagrams_get_lost(void **state)
{
	static const u8 elsewhere[16] = {0xfe, 0x80, [15] = 1};
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	host_post(&traffic->a, &send); /* nobody receives */
	send.qkey = 5;
	host_post(&traffic->a, &send);
	send.qkey = 0;
	send.to = NULL;
	send.destination = 77;
	host_post(&traffic->a, &send);
	send.to = &traffic->b;
	send.ah = host_new_ah(traffic->host, traffic->host->pd, elsewhere);
	host_post(&traffic->a, &send);
	for (u32 i = 0; i < 4; i++)
		host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(host_counter(traffic->host, "lost"), 4);
	assert_int_equal(traffic->host->dev->statistics.basic.rx_drops, 4);
	assert_int_equal(traffic->host->dev->statistics.basic.qkey_viol, 1);
	/* RDMA is not a datagram's. */
	send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 9, 10);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 9, EFA_IO_COMP_STATUS_LOCAL_ERROR_UNSUPPORTED_OP);
}

/* The receiver of the first has no request posted: the second one overtakes. */
static void waiting_request_is_overtaken(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);

	host_post(&traffic->a, &send);
	send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 2, 10);
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
	assert_null(host_poll(&traffic->cq_a));
	/* It is woken, and need not wait for its time. */
	assert_int_equal(host_counter(traffic->host, "rnr"), 1);
	traffic_receive(traffic, 3, 10);
	host_settle(traffic->host);
	assert_non_null(host_poll(&traffic->cq_b));
	assert_int_equal(host_poll(&traffic->cq_a)->base.common.req_id, 1);
	assert_int_equal(host_counter(traffic->host, "rnr"), 1);
	assert_int_equal(traffic->host->dev->rnr_waiting, 0);
}

static void held_request_is_overtaken(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, 10);

	host_rule(traffic->host, "rdma_write", "hold", "");
	host_post(&traffic->a, &send);
	send.request = 2;
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
	host_settle(traffic->host);
	assert_null(host_poll(&traffic->cq_a));
	assert_int_equal(host_release(traffic->host, "rdma_write", 1), 1);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	host_rule(traffic->host, "rdma_write", "delay", "\"delay_us\": 3000");
	host_post(&traffic->a, &send);
	host_settle(traffic->host);
	assert_null(host_poll(&traffic->cq_a));
	host_expect(&traffic->cq_a, 2, EFA_IO_COMP_STATUS_OK);
}

static void lost_packets_are_sent_again(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, 10);

	host_rule(traffic->host, "rdma_write", "drop", "\"count\": 3");
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(traffic->host->dev->statistics.network.retrans_pkts, 3);
	assert_memory_equal(traffic->from, traffic->to, 10);
}

static void drained_queue_takes_up_again(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send = traffic_send(traffic, EFA_IO_RDMA_WRITE, 1, 10);

	assert_int_equal(host_set_state(&traffic->a, EFA_ADMIN_QP_STATE_SQD), ADMIN_OK);
	host_post(&traffic->a, &send);
	host_settle(traffic->host);
	assert_null(host_poll(&traffic->cq_a));
	assert_int_equal(host_set_state(&traffic->a, EFA_ADMIN_QP_STATE_RTS), ADMIN_OK);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
}

/* A peer that the receiver has no handle for is told by its address, if there is room. */
static void unknown_sender_is_named(void **state)
{
	struct traffic *traffic = *state;
	struct host *host = traffic->host;
	struct host_qp_options options = {.cq = &traffic->cq_b, .pd = host_new_pd(host)};
	struct host_send send = traffic_send(traffic, EFA_IO_SEND, 1, 10);
	const struct efa_io_rx_cdesc_ex *cqe;
	struct host_cq cq;
	struct host_qp stranger;
	struct host_mr mr;

	host_new_cq(host, &cq, &(struct host_cq_options){.tells_source = true});
	options.cq = &cq;
	host_new_qp(host, &stranger, &options);
	mr = host_new_mr(host, options.pd, traffic->to, 100, RIGHTS_ALL);
	host_post_receive(&stranger, 4, traffic->to, 100, mr.lkey);
	send.to = &stranger;
	host_post(&traffic->a, &send);
	host_expect(&traffic->cq_a, 1, EFA_IO_COMP_STATUS_OK);
	cqe = host_expect(&cq, 4, EFA_IO_COMP_STATUS_OK);
	assert_int_equal(cqe->base.ah, EFA_UNKNOWN_AH);
	assert_memory_equal(cqe->u.src_addr, host->dev->gid, 16);
}

static void many_requests_take_turns(void **state)
{
	struct traffic *traffic = *state;
	struct host_send send;

	for (u32 i = 0; i < 10 * HOST_QUEUE; i++) {
		traffic_receive(traffic, i, 100);
		send = traffic_send(traffic, EFA_IO_SEND, i, 50);
		host_post(&traffic->a, &send);
		if (i % 4 == 3) {
			for (u32 k = i - 3; k <= i; k++) {
				host_expect(&traffic->cq_a, k, EFA_IO_COMP_STATUS_OK);
				host_expect(&traffic->cq_b, k, EFA_IO_COMP_STATUS_OK);
			}
		}
	}
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)
#define test_datagrams(name) cmocka_unit_test_setup_teardown(name, set_up_datagrams, host_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(send_with_immediate),	    test(send_gathers_and_scatters),
		test(inline_and_empty_sends),	    test(long_writes_and_reads),
		test(write_with_immediate),
		cmocka_unit_test_setup_teardown(long_requests, set_up_long_wide, host_tear_down),
		test_datagrams(datagram_has_a_header), test_datagrams(datagrams_get_lost),
		test(waiting_request_is_overtaken), test(held_request_is_overtaken),
		test(lost_packets_are_sent_again),  test(drained_queue_takes_up_again),
		test(unknown_sender_is_named),	    test(many_requests_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
