/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The control queue: every command's refusals, the ring, and the knobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define OPCODES 64u
#define RING 4u
#define UNMAPPED 0x7000000000ull

static int set_up(void **state)
{
	*state = host_new();
	return 0;
}

static int tear_down(void **state)
{
	host_free(*state);
	return 0;
}

static void must_be_empty(const struct host *host)
{
	assert_int_equal(id_table_count(host->dev->qps), 0);
	assert_int_equal(id_table_count(host->dev->cqs), 0);
	assert_int_equal(id_table_count(host->dev->stags), 0);
	assert_int_equal(id_table_count(host->dev->ahs), 0);
}

static void unknown_operation(void **state)
{
	u64 wqe[CONTROL_WQE_QWORDS] = {};
	struct host *host = *state;

	assert_int_equal(host_command(host, OPCODES - 1, wqe), CONTROL_BAD_OPCODE);
	assert_int_equal(host_counter(host, "commands_failed"), 1);
}

static bool makes_object(u8 opcode)
{
	switch (opcode) {
	case IRDMA_CQP_OP_CREATE_QP:
	case IRDMA_CQP_OP_CREATE_CQ:
	case IRDMA_CQP_OP_ALLOC_STAG:
	case IRDMA_CQP_OP_REG_MR:
	case IRDMA_CQP_OP_CREATE_CEQ:
	case IRDMA_CQP_OP_CREATE_AEQ:
	case IRDMA_CQP_OP_COMMIT_FPM_VAL:
		return true;
	default:
		return false;
	}
}

static void nothing_in_a_command(void **state)
{
	struct host *host = *state;

	for (u8 opcode = 0; opcode < OPCODES; opcode++) {
		u64 wqe[CONTROL_WQE_QWORDS] = {};
		u16 code = host_command(host, opcode, wqe);

		if (makes_object(opcode) && !code)
			fail_msg("operation 0x%x makes something of nothing", opcode);
	}
	must_be_empty(host);
}

static void all_ones_in_a_command(void **state)
{
	struct host *host = *state;

	for (u8 opcode = 0; opcode < OPCODES; opcode++) {
		u64 wqe[CONTROL_WQE_QWORDS];
		u16 code;

		memset(wqe, 0xff, sizeof(wqe));
		/* Any number that fits is a window's. */
		if (opcode == IRDMA_CQP_OP_ALLOC_STAG)
			continue;
		code = host_command(host, opcode, wqe);
		if (makes_object(opcode) && !code)
			fail_msg("operation 0x%x makes something of all ones", opcode);
	}
	must_be_empty(host);
}

static void queue_pair(void **state)
{
	struct host *host = *state;
	struct host_qp qp, none = {.host = host, .number = 9};
	struct host_cq cq;
	u64 context;

	host_new_cq(host, &cq, 3);
	host_new_qp(host, &qp, 4, 4, cq.number);
	context = host_iova(host, qp.context);
	none.context = qp.context;
	assert_int_equal(host_try_qp(&qp, IRDMA_QP_TYPE_ROCE_RC, context), CONTROL_OBJECT_EXISTS);
	assert_int_equal(host_try_qp(&none, IRDMA_QP_TYPE_ROCE_RC, UNMAPPED), CONTROL_BAD_ADDRESS);
	assert_int_equal(host_try_qp(&none, 7, context), CONTROL_BAD_PARAMETER);
	assert_int_equal(host_set_state(&none, IRDMA_QP_STATE_RTS), CONTROL_NO_OBJECT);
	none.number = HOST_QPS;
	assert_int_equal(host_try_qp(&none, IRDMA_QP_TYPE_ROCE_RC, context), CONTROL_BAD_PARAMETER);
	none.number = 0;
	assert_int_equal(host_try_qp(&none, IRDMA_QP_TYPE_ROCE_RC, context), CONTROL_BAD_PARAMETER);
	assert_int_equal(id_table_count(host->dev->qps), 1);
}

static void states(void **state)
{
	struct host *host = *state;
	struct host_pair pair;
	struct host_qp *initiator = &pair.initiator;

	host_new_pair(host, &pair);
	assert_int_equal(host_flush(initiator), CONTROL_INVALID_STATE);
	assert_int_equal(host_set_state(initiator, IRDMA_QP_STATE_RTR), CONTROL_INVALID_STATE);
	assert_int_equal(host_set_state(initiator, IRDMA_QP_STATE_ERROR), CONTROL_OK);
	assert_int_equal(host_set_state(initiator, IRDMA_QP_STATE_RTS), CONTROL_INVALID_STATE);
	assert_int_equal(host_set_state(initiator, IRDMA_QP_STATE_IDLE), CONTROL_INVALID_STATE);
	assert_int_equal(host_flush(initiator), CONTROL_OK);
}

static void completion_queue(void **state)
{
	struct host *host = *state;
	u64 wqe[CONTROL_WQE_QWORDS] = {[3] = FIELD_PREP(ICRDMA_CQPSQ_CQ_CQID, 3)};
	struct host_cq cq;

	host_new_cq(host, &cq, 3);
	assert_int_equal(host_try_cq(host, 3, HOST_IOVA, HOST_CQES), CONTROL_OBJECT_EXISTS);
	assert_int_equal(host_try_cq(host, 4, HOST_IOVA, 3), CONTROL_BAD_PARAMETER);
	assert_int_equal(host_try_cq(host, HOST_CQS, HOST_IOVA, HOST_CQES), CONTROL_BAD_PARAMETER);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_DESTROY_CQ, wqe), CONTROL_OK);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_DESTROY_CQ, wqe), CONTROL_NO_OBJECT);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_MODIFY_CQ, wqe), CONTROL_NO_OBJECT);
}

static void region(void **state)
{
	struct host *host = *state;
	const void *buffer = host_alloc(host, 4 * HOST_PAGE);
	struct host_region region = {
		.index = 12, .pd = HOST_PD, .address = buffer, .length = 4 * HOST_PAGE,
		.has_list = true, .first_pble = HOST_PBLES - 3,
	};
	u32 stag;

	assert_int_equal(host_try_region(host, &region), CONTROL_BAD_PARAMETER);
	region.index = 0;
	region.has_list = false;
	assert_int_equal(host_try_region(host, &region), CONTROL_BAD_PARAMETER);
	region.index = 11;
	region.length = 1ull << 45;
	region.has_list = true;
	region.first_pble = 0;
	assert_int_equal(host_try_region(host, &region), CONTROL_BAD_PARAMETER);
	/* In one run, whatever its length: the device looks at no page before it is used. */
	region.has_list = false;
	assert_int_equal(host_try_region(host, &region), CONTROL_OK);
	assert_int_equal(host_deallocate(host, 11 << 8, HOST_PD), CONTROL_OK);
	stag = host_register(host, 12, buffer, HOST_PAGE);
	region.index = 12;
	region.length = HOST_PAGE;
	assert_int_equal(host_try_region(host, &region), CONTROL_OBJECT_EXISTS);
	assert_int_equal(host_deallocate(host, stag, HOST_PD + 1), CONTROL_STAG_INVALID);
	assert_int_equal(host_deallocate(host, stag + (1 << 8), HOST_PD), CONTROL_STAG_INVALID);
	assert_int_equal(host_deallocate(host, stag, HOST_PD), CONTROL_OK);
	assert_int_equal(host_deallocate(host, stag, HOST_PD), CONTROL_STAG_INVALID);
	must_be_empty(host);
}

static void memory_cache(void **state)
{
	struct host *host = *state;
	u64 *buffer = (void *)host_alloc(host, HOST_PAGE);
	u64 commit[CONTROL_WQE_QWORDS] = {[4] = UNMAPPED};
	u64 update[CONTROL_WQE_QWORDS] = {[0] = IRDMA_PFHMC_SDCMD_PMSDWR | 1024};
	u64 page;

	assert_int_equal(host_command(host, IRDMA_CQP_OP_COMMIT_FPM_VAL, commit),
			 CONTROL_BAD_ADDRESS);
	commit[4] = host_iova(host, buffer);
	buffer[0] = UINT32_MAX;
	assert_int_equal(host_command(host, IRDMA_CQP_OP_COMMIT_FPM_VAL, commit),
			 CONTROL_NO_RESOURCES);
	assert_int_equal(hmc_qps(host->dev->hmc), HOST_QPS);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_UPDATE_PE_SDS, update),
			 CONTROL_BAD_PARAMETER);
	assert_int_equal(hmc_read_pble(host->dev->hmc, HOST_PBLES - 1, &page), 0);
	assert_int_not_equal(hmc_read_pble(host->dev->hmc, HOST_PBLES, &page), 0);
	/* Without its segment nothing can be read. */
	update[0] = IRDMA_PFHMC_SDCMD_PMSDWR;
	assert_int_equal(host_command(host, IRDMA_CQP_OP_UPDATE_PE_SDS, update), CONTROL_OK);
	assert_int_not_equal(hmc_read_pble(host->dev->hmc, 0, &page), 0);
}

static void event_queues(void **state)
{
	struct host *host = *state;
	u64 aeq[CONTROL_WQE_QWORDS] = {[2] = HOST_AEQES, [4] = HOST_IOVA};
	u64 ceq[CONTROL_WQE_QWORDS] = {[2] = HOST_AEQES, [4] = HOST_IOVA};
	u64 none[CONTROL_WQE_QWORDS] = {[3] = FIELD_PREP(IRDMA_CQPSQ_CEQ_CEQID, IRDMA_CEQS)};

	assert_int_equal(host_command(host, IRDMA_CQP_OP_CREATE_AEQ, aeq), CONTROL_OBJECT_EXISTS);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_DESTROY_AEQ, aeq), CONTROL_OK);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_DESTROY_AEQ, aeq), CONTROL_NO_OBJECT);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_DESTROY_CEQ, ceq), CONTROL_NO_OBJECT);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_CREATE_CEQ, ceq), CONTROL_OK);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_CREATE_CEQ, ceq), CONTROL_OBJECT_EXISTS);
	assert_int_equal(host_command(host, IRDMA_CQP_OP_CREATE_CEQ, none), CONTROL_BAD_PARAMETER);
}

static u32 cq_of(const u64 *entry)
{
	return FIELD_GET(IRDMA_CEQE_CQCTX, *entry);
}

static void late_events(void **state)
{
	struct host *host = *state;
	u64 *entries = (void *)host_alloc(host, HOST_PAGE);
	u64 ceq[CONTROL_WQE_QWORDS] = {[2] = HOST_AEQES, [4] = host_iova(host, entries)};
	struct event_queues *events = host->dev->events;

	assert_int_equal(host_command(host, IRDMA_CQP_OP_CREATE_CEQ, ceq), CONTROL_OK);
	/* Two are held; the third, and those of commands, overtake them. */
	host_rule(host, "completion_event", "hold", "\"count\": 2");
	event_post_completion(events, 0, 3);
	event_post_completion(events, 0, CONTROL_CQN);
	event_post_completion(events, 0, 4);
	event_post_completion(events, 0, 5);
	assert_int_equal(host_counter(host, "ceqes"), 2);
	assert_int_equal(cq_of(&entries[0]), CONTROL_CQN);
	assert_int_equal(cq_of(&entries[1]), 5);
	assert_int_equal(host_release(host, "completion_event", 1), 1);
	assert_int_equal(cq_of(&entries[2]), 3);
	/* One that is lost never comes, one that is delayed does. */
	host_rule(host, "completion_event", "drop", "");
	event_post_completion(events, 0, 6);
	host_rule(host, "completion_event", "delay", "\"delay_us\": 100");
	event_post_completion(events, 0, 7);
	assert_int_equal(host_counter(host, "ceqes"), 3);
	assert_true(host_wait_for(host, host_counter(host, "ceqes") == 4));
	assert_int_equal(cq_of(&entries[3]), 7);
	/* The one that is still held goes with the device's queues. */
	irdma_device_reset(host->dev);
	assert_int_equal(host_release(host, "completion_event", 1), 0);
}

/* ---- the ring ---- */

static u64 (*new_ring(struct host *host))[CONTROL_WQE_QWORDS]
{
	u64 *context = (void *)host_alloc(host, HOST_PAGE);
	u64 (*ring)[CONTROL_WQE_QWORDS] = (void *)host_alloc(host, HOST_PAGE);
	u64 where = host_iova(host, context);

	context[0] = FIELD_PREP(IRDMA_CQPHC_SQSIZE, 1);
	context[1] = host_iova(host, ring);
	host_write32(host, PFPE_CCQPHIGH, where >> 32);
	host_write32(host, PFPE_CCQPLOW, where);
	assert_int_equal(host_read32(host, PFPE_CCQPSTATUS), ICRDMA_CCQPSTATUS_CCQP_DONE);
	return ring;
}

/* A command that does nothing and cannot fail. */
static u64 harmless(bool valid)
{
	return FIELD_PREP(IRDMA_CQPSQ_OPCODE, IRDMA_CQP_OP_SHMC_PAGES_ALLOCATED) |
	       FIELD_PREP(IRDMA_CQPSQ_WQEVALID, valid);
}

static void ring_goes_round(void **state)
{
	struct host *host = *state;
	u64 (*ring)[CONTROL_WQE_QWORDS] = new_ring(host);
	u64 before = host_counter(host, "commands");

	for (u32 i = 0; i < 3 * RING; i++) {
		ring[i % RING][CONTROL_HEADER] = harmless(!(i / RING & 1));
		host_write32(host, PFPE_CQPDB, (i + 1) % RING);
		assert_int_equal(host_read32(host, PFPE_CQPTAIL), (i + 1) % RING);
	}
	assert_int_equal(host_counter(host, "commands") - before, 3 * RING);
}

static void ring_is_refused(void **state)
{
	struct host *host = *state;

	host_write32(host, PFPE_CCQPHIGH, UNMAPPED >> 32);
	host_write32(host, PFPE_CCQPLOW, 0x1000);
	assert_int_equal(host_read32(host, PFPE_CCQPSTATUS), ICRDMA_CCQPSTATUS_CCQP_ERR);
}

static void stale_entries_stay(void **state)
{
	struct host *host = *state;
	u64 (*ring)[CONTROL_WQE_QWORDS] = new_ring(host);
	u64 before = host_counter(host, "commands");

	ring[0][CONTROL_HEADER] = harmless(false);
	host_write32(host, PFPE_CQPDB, 1);
	host_write32(host, PFPE_CQPDB, RING);
	assert_int_equal(host_counter(host, "commands"), before);
	assert_int_equal(host_read32(host, PFPE_CQPTAIL), 0);
}

static void failure_is_told(void **state)
{
	struct host *host = *state;
	u64 (*ring)[CONTROL_WQE_QWORDS] = new_ring(host);

	host_rule(host, "SHMC_PAGES_ALLOCATED", "fail", "\"status\": 77");
	ring[0][CONTROL_HEADER] = harmless(true);
	host_write32(host, PFPE_CQPDB, 1);
	assert_true(host_read32(host, PFPE_CQPTAIL) & IRDMA_CQPTAIL_CQP_OP_ERR);
	assert_int_equal(FIELD_GET(IRDMA_CQPERRCODES_CQP_MINOR_CODE,
				   host_read32(host, PFPE_CQPERRCODES)),
			 77);
}

static void held_command(void **state)
{
	struct host *host = *state;
	u64 (*ring)[CONTROL_WQE_QWORDS] = new_ring(host);

	host_rule(host, "SHMC_PAGES_ALLOCATED", "hold", "\"count\": 1");
	ring[0][CONTROL_HEADER] = harmless(true);
	ring[1][CONTROL_HEADER] = harmless(true);
	host_write32(host, PFPE_CQPDB, 2);
	host_settle(host);
	assert_int_equal(host_read32(host, PFPE_CQPTAIL), 0);
	assert_int_equal(host_release(host, NULL, 10), 1);
	host_settle(host);
	assert_int_equal(host_read32(host, PFPE_CQPTAIL), 2);
}

#define test_with_host(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test_with_host(unknown_operation),
		test_with_host(nothing_in_a_command),
		test_with_host(all_ones_in_a_command),
		test_with_host(queue_pair),
		test_with_host(states),
		test_with_host(completion_queue),
		test_with_host(region),
		test_with_host(memory_cache),
		test_with_host(event_queues),
		test_with_host(late_events),
		test_with_host(ring_goes_round),
		test_with_host(ring_is_refused),
		test_with_host(stale_entries_stay),
		test_with_host(failure_is_told),
		test_with_host(held_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
