/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* RC traffic between two queue pairs, stags that do not fit, and broken requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define BYTES (3 * HOST_PAGE)
#define NUMBER_LOCAL 20u
#define NUMBER_REMOTE 21u

struct fixture {
	struct host *host;
	struct host_pair pair;
	u8 *local, *remote;
	u32 local_stag, remote_stag;
};

static int set_up(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	fixture->host = host_new();
	host_new_pair(fixture->host, &fixture->pair);
	fixture->local = host_alloc(fixture->host, BYTES);
	fixture->remote = host_alloc(fixture->host, BYTES);
	fixture->local_stag = host_register(fixture->host, NUMBER_LOCAL, fixture->local, BYTES);
	fixture->remote_stag = host_register(fixture->host, NUMBER_REMOTE, fixture->remote, BYTES);
	fill_pattern(fixture->local, BYTES);
	*state = fixture;
	return 0;
}

static void must_succeed(const u64 *cqe, u32 qpn)
{
	assert_false(cqe[3] & IRDMA_CQ_ERROR);
	assert_int_equal(FIELD_GET(IRDMACQ_QPID, cqe[2]), qpn);
}

static void write_to(struct fixture *fixture, u32 length, u32 remote_stag)
{
	host_post(&fixture->pair.initiator, IRDMAQP_OP_RDMA_WRITE, fixture->local, length,
		  fixture->local_stag, fixture->remote, remote_stag);
}

static void write_and_read(void **state)
{
	struct fixture *fixture = *state;

	write_to(fixture, BYTES, fixture->remote_stag);
	must_succeed(host_wait(&fixture->pair.cq), 4);
	assert_memory_equal(fixture->remote, fixture->local, BYTES);
	memset(fixture->local, 0, BYTES);
	host_post(&fixture->pair.initiator, IRDMAQP_OP_RDMA_READ, fixture->local, BYTES,
		  fixture->local_stag, fixture->remote, fixture->remote_stag);
	must_succeed(host_wait(&fixture->pair.cq), 4);
	assert_memory_equal(fixture->local, fixture->remote, BYTES);
	assert_int_equal(host_counter(fixture->host, "bytes_written"), 2 * BYTES);
}

static void queue_goes_round(void **state)
{
	struct fixture *fixture = *state;

	for (u32 i = 0; i < 3 * HOST_QUANTA; i++) {
		fixture->local[0] = (u8)i;
		write_to(fixture, 64, fixture->remote_stag);
		must_succeed(host_wait(&fixture->pair.cq), 4);
		assert_int_equal(fixture->remote[0], (u8)i);
	}
}

static void send_arrives(void **state)
{
	struct fixture *fixture = *state;
	const u64 *first, *second;

	host_post_receive(&fixture->pair.responder, fixture->remote, BYTES, fixture->remote_stag);
	host_post(&fixture->pair.initiator, IRDMAQP_OP_RDMA_SEND, fixture->local, BYTES,
		  fixture->local_stag, NULL, 0);
	first = host_wait(&fixture->pair.cq);
	second = host_wait(&fixture->pair.cq);
	assert_int_equal(FIELD_GET(IRDMACQ_QPID, first[2]) + FIELD_GET(IRDMACQ_QPID, second[2]), 9);
	assert_false((first[3] | second[3]) & IRDMA_CQ_ERROR);
	assert_memory_equal(fixture->remote, fixture->local, BYTES);
}

static void list_of_pages(void **state)
{
	struct fixture *fixture = *state;
	struct host *host = fixture->host;
	u8 *pages = host_alloc(host, 2 * HOST_PAGE);
	u64 *pbles = (void *)(host->base.memory + host->pbles);
	const struct host_region region = {
		.index = 30, .key = 1, .pd = HOST_PD, .rights = RIGHTS_ALL,
		.address = fixture->remote,
		.length = 2 * HOST_PAGE, .has_list = true, .first_pble = 8,
	};

	/* In the other order than they lie in memory. */
	pbles[8] = host_iova(host, pages + HOST_PAGE);
	pbles[9] = host_iova(host, pages);
	assert_int_equal(host_try_region(host, &region), CONTROL_OK);
	write_to(fixture, 2 * HOST_PAGE, region.index << 8 | region.key);
	must_succeed(host_wait(&fixture->pair.cq), 4);
	assert_memory_equal(pages + HOST_PAGE, fixture->local, HOST_PAGE);
	assert_memory_equal(pages, fixture->local + HOST_PAGE, HOST_PAGE);
}

/* ---- what does not fit ---- */

static u8 state_of(const struct host_qp *qp)
{
	return qp_find(qp->host->dev, qp->number)->state;
}

/* The responder is told why, the initiator that it was refused; the flush leaves one completion. */
static void must_be_refused(struct fixture *fixture, u16 code)
{
	const u64 *cqe;

	host_expect_event(fixture->host, code, 5);
	host_expect_event(fixture->host, IRDMA_AE_IB_REMOTE_ACCESS_ERROR, 4);
	assert_int_equal(state_of(&fixture->pair.initiator), IRDMA_QP_STATE_ERROR);
	assert_int_equal(state_of(&fixture->pair.responder), IRDMA_QP_STATE_ERROR);
	assert_int_equal(host_counter(fixture->host, "remote_access_errors"), 1);
	assert_null(host_poll(&fixture->pair.cq));
	assert_int_equal(host_flush(&fixture->pair.initiator), CONTROL_OK);
	cqe = host_wait(&fixture->pair.cq);
	assert_true(cqe[3] & IRDMA_CQ_ERROR);
	assert_int_equal(FIELD_GET(IRDMACQ_QPID, cqe[2]), 4);
	for (u32 i = 0; i < BYTES; i++)
		assert_int_equal(fixture->remote[i], 0);
}

static void deallocated_stag(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(host_deallocate(fixture->host, fixture->remote_stag, HOST_PD), CONTROL_OK);
	write_to(fixture, BYTES, fixture->remote_stag);
	must_be_refused(fixture, IRDMA_AE_AMP_UNALLOCATED_STAG);
}

static void wrong_key(void **state)
{
	struct fixture *fixture = *state;

	write_to(fixture, 64, fixture->remote_stag ^ 1);
	must_be_refused(fixture, IRDMA_AE_AMP_BAD_STAG_KEY);
}

static void out_of_bounds(void **state)
{
	struct fixture *fixture = *state;

	host_post(&fixture->pair.initiator, IRDMAQP_OP_RDMA_WRITE, fixture->local, 65,
		  fixture->local_stag, fixture->remote + BYTES - 64, fixture->remote_stag);
	must_be_refused(fixture, IRDMA_AE_AMP_BOUNDS_VIOLATION);
}

static void must_refuse_region(struct fixture *fixture, struct host_region region, u16 code)
{
	region.index = 31;
	region.address = fixture->remote;
	region.length = BYTES;
	assert_int_equal(host_try_region(fixture->host, &region), CONTROL_OK);
	write_to(fixture, 64, region.index << 8 | region.key);
	must_be_refused(fixture, code);
}

static void region_of_another_domain(void **state)
{
	must_refuse_region(*state, (struct host_region){.pd = HOST_PD + 1, .rights = RIGHTS_ALL},
			   IRDMA_AE_AMP_BAD_PD);
}

static void region_without_the_right(void **state)
{
	must_refuse_region(*state, (struct host_region){
		.pd = HOST_PD,
		.rights = IRDMA_ACCESS_FLAGS_LOCALREAD | IRDMA_ACCESS_FLAGS_LOCALWRITE,
	}, IRDMA_AE_AMP_RIGHTS_VIOLATION);
}

static void own_stag_is_gone(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(host_deallocate(fixture->host, fixture->local_stag, HOST_PD), CONTROL_OK);
	write_to(fixture, 64, fixture->remote_stag);
	host_expect_event(fixture->host, IRDMA_AE_AMP_UNALLOCATED_STAG, 4);
	assert_int_equal(host_counter(fixture->host, "local_protection_errors"), 1);
	assert_int_equal(state_of(&fixture->pair.responder), IRDMA_QP_STATE_RTS);
}

static void receiver_is_not_ready(void **state)
{
	struct fixture *fixture = *state;

	host_post(&fixture->pair.initiator, IRDMAQP_OP_RDMA_SEND, fixture->local, 64,
		  fixture->local_stag, NULL, 0);
	host_expect_event(fixture->host, IRDMA_AE_LLP_TOO_MANY_RNRS, 4);
	assert_int_equal(host_counter(fixture->host, "rnr_naks"), 2);
}

static void nobody_is_there(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(host_set_state(&fixture->pair.responder, IRDMA_QP_STATE_ERROR),
			 CONTROL_OK);
	write_to(fixture, 64, fixture->remote_stag);
	host_expect_event(fixture->host, IRDMA_AE_LLP_TOO_MANY_RETRIES, 4);
}

/* A window of the bus goes away under a stag: it is counted, and what uses it then is an error. */
static void memory_goes_away(void **state)
{
	struct fixture *fixture = *state;
	struct host *host = fixture->host;
	const u64 iova = 0x40000000;
	u64 wqe[CONTROL_WQE_QWORDS] = {
		[0] = iova,
		[1] = FIELD_PREP(IRDMA_CQPSQ_STAG_STAGLEN, HOST_PAGE) |
		      FIELD_PREP(ICRDMA_CQPSQ_STAG_PDID, HOST_PD),
		[2] = FIELD_PREP(IRDMA_CQPSQ_STAG_IDX, 32),
		[3] = FIELD_PREP(IRDMA_CQPSQ_STAG_ARIGHTS, RIGHTS_ALL) | IRDMA_CQPSQ_STAG_VABASEDTO,
		[4] = iova,
	};
	const u64 request[4] = {
		host_iova(host, fixture->local),
		FIELD_PREP(IRDMAQPSQ_FRAG_LEN, 64) |
			FIELD_PREP(IRDMAQPSQ_FRAG_STAG, fixture->local_stag),
		iova,
		FIELD_PREP(IRDMAQPSQ_OPCODE, IRDMAQP_OP_RDMA_WRITE) |
			FIELD_PREP(IRDMAQPSQ_REMSTAG, 32 << 8),
	};

	assert_int_equal(dma_space_map(host->dev->dma, iova, HOST_PAGE, host->base.fd, 0,
				       DMA_MAY_READ | DMA_MAY_WRITE),
			 0);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_REG_MR, wqe), CONTROL_OK);
	assert_int_equal(dma_space_unmap(host->dev->dma, iova, HOST_PAGE), 0);
	irdma_device_ops()->dma_unmapped(host->dev, iova, HOST_PAGE);
	assert_int_equal(host_counter(host, "stale_keys"), 1);
	host_put(&fixture->pair.initiator, request);
	host_ring(&fixture->pair.initiator);
	host_expect_event(host, AE_BUS_ERROR, 5);
	host_expect_event(host, IRDMA_AE_IB_REMOTE_OP_ERROR, 4);
}

/* ---- broken requests ---- */

static void must_break(struct fixture *fixture, u64 header)
{
	const u64 qwords[4] = {[3] = header};

	host_put(&fixture->pair.initiator, qwords);
	host_ring(&fixture->pair.initiator);
	host_settle(fixture->host);
	assert_non_null(host_event(fixture->host));
	assert_int_equal(state_of(&fixture->pair.initiator), IRDMA_QP_STATE_ERROR);
	assert_int_equal(host_flush(&fixture->pair.initiator), CONTROL_OK);
	assert_true(host_wait(&fixture->pair.cq)[3] & IRDMA_CQ_ERROR);
}

static void operation_that_is_none(void **state)
{
	must_break(*state, FIELD_PREP(IRDMAQPSQ_OPCODE, 0x3f));
}

static void too_many_fragments(void **state)
{
	must_break(*state, FIELD_PREP(IRDMAQPSQ_OPCODE, IRDMAQP_OP_RDMA_WRITE) |
			   FIELD_PREP(IRDMAQPSQ_ADDFRAGCNT, 15));
}

static void too_much_inline(void **state)
{
	must_break(*state, FIELD_PREP(IRDMAQPSQ_OPCODE, IRDMAQP_OP_RDMA_WRITE) |
			   IRDMAQPSQ_INLINEDATAFLAG | FIELD_PREP(IRDMAQPSQ_INLINEDATALEN, 255));
}

static void queue_is_not_mapped(void **state)
{
	struct fixture *fixture = *state;
	struct host_qp qp;

	host_new_qp(fixture->host, &qp, 6, 6, fixture->pair.cq.number);
	qp.context[1] = 0x7000000000ull;
	qp.number = 7;
	assert_int_equal(host_try_qp(&qp, IRDMA_QP_TYPE_ROCE_RC,
				     host_iova(fixture->host, qp.context)), CONTROL_OK);
	assert_int_equal(host_set_state(&qp, IRDMA_QP_STATE_RTS), CONTROL_OK);
	host_ring(&qp);
	host_expect_event(fixture->host, AE_BUS_ERROR, 7);
}

static void held_write_meets_dealloc(void **state)
{
	struct fixture *fixture = *state;

	host_rule(fixture->host, "rdma_write", "hold", "\"count\": 1");
	write_to(fixture, BYTES, fixture->remote_stag);
	host_settle(fixture->host);
	assert_null(host_poll(&fixture->pair.cq));
	assert_int_equal(host_deallocate(fixture->host, fixture->remote_stag, HOST_PD), CONTROL_OK);
	assert_int_equal(host_release(fixture->host, NULL, 10), 1);
	must_be_refused(fixture, IRDMA_AE_AMP_UNALLOCATED_STAG);
}

#define test_traffic(test) cmocka_unit_test_setup_teardown(test, set_up, host_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test_traffic(write_and_read),
		test_traffic(queue_goes_round),
		test_traffic(send_arrives),
		test_traffic(list_of_pages),
		test_traffic(deallocated_stag),
		test_traffic(wrong_key),
		test_traffic(out_of_bounds),
		test_traffic(region_of_another_domain),
		test_traffic(region_without_the_right),
		test_traffic(own_stag_is_gone),
		test_traffic(receiver_is_not_ready),
		test_traffic(nobody_is_there),
		test_traffic(memory_goes_away),
		test_traffic(operation_that_is_none),
		test_traffic(too_many_fragments),
		test_traffic(too_much_inline),
		test_traffic(queue_is_not_mapped),
		test_traffic(held_write_meets_dealloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
