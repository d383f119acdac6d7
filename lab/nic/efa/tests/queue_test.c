/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Completion and event queues: laps, arming, overflow, and who may not go while in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define ARM CQ_DOORBELL_ARM_MASK

struct fixture {
	struct host *host;
	struct host_cq cq;
	struct efa_cq *device_cq;
};

static int set_up(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	fixture->host = host_new();
	host_new_cq(fixture->host, &fixture->cq, &(struct host_cq_options){.events = true});
	fixture->device_cq = cq_get(fixture->host->dev, fixture->cq.number);
	*state = fixture;
	return 0;
}

static void post(struct fixture *fixture, u16 request)
{
	cq_post(fixture->device_cq, &(struct completion){.request = request, .qpn = 1});
}

static void doorbell(struct fixture *fixture, u32 value)
{
	host_write32(fixture->host, EFA_DOORBELL_BAR,
		     (EFA_MAX_QPS + fixture->cq.number - 1) * EFA_DOORBELL_PAGE, value);
}

static void arm_eq(struct fixture *fixture)
{
	host_write32(fixture->host, EFA_REGISTER_BAR, EFA_REGS_EQ_DB_OFF,
		     fixture->host->eqn | EFA_REGS_EQ_DB_ARM_MASK);
}

static void phase_changes_with_every_lap(void **state)
{
	struct fixture *fixture = *state;

	for (u32 i = 0; i < 3 * HOST_CQES + 5; i++) {
		assert_null(host_poll(&fixture->cq));
		post(fixture, i);
		assert_int_equal(host_poll(&fixture->cq)->base.common.req_id, i);
		doorbell(fixture, fixture->cq.consumer & 0xffff);
	}
	assert_int_equal(host_counter(fixture->host, "cq_overflows"), 0);
}

static void overflow_loses_the_entry(void **state)
{
	struct fixture *fixture = *state;

	for (u32 i = 0; i < HOST_CQES + 1; i++)
		post(fixture, i);
	assert_int_equal(host_counter(fixture->host, "cq_overflows"), 1);
	for (u32 i = 0; i < HOST_CQES; i++)
		assert_int_equal(host_poll(&fixture->cq)->base.common.req_id, i);
	assert_null(host_poll(&fixture->cq));
	/* What the host says to have read cannot be more than there was. */
	doorbell(fixture, HOST_CQES + 1);
	post(fixture, 7);
	assert_null(host_poll(&fixture->cq));
	doorbell(fixture, HOST_CQES);
	post(fixture, 7);
	assert_int_equal(host_poll(&fixture->cq)->base.common.req_id, 7);
}

static void armed_queue_tells_once(void **state)
{
	struct fixture *fixture = *state;
	struct host *host = fixture->host;

	arm_eq(fixture);
	post(fixture, 1);
	assert_null(host_event(host));
	doorbell(fixture, 1 | ARM);
	assert_null(host_event(host));
	assert_int_equal(host_interrupts(host, HOST_VECTOR), 0);
	post(fixture, 2);
	assert_int_equal(host_event(host)->u.comp_event.cqn, fixture->cq.number);
	assert_int_equal(host_interrupts(host, HOST_VECTOR), 1);
	post(fixture, 3);
	assert_null(host_event(host));
}

/* Armed by a host that has not seen what came meanwhile. */
static void arming_late_tells_at_once(void **state)
{
	struct fixture *fixture = *state;

	post(fixture, 1);
	doorbell(fixture, 0 | ARM);
	assert_non_null(host_event(fixture->host));
	/* Reading on does not disarm. */
	doorbell(fixture, 1 | ARM);
	doorbell(fixture, 1);
	post(fixture, 2);
	assert_non_null(host_event(fixture->host));
}

static void event_queue_waits_to_be_armed(void **state)
{
	struct fixture *fixture = *state;
	struct host *host = fixture->host;

	doorbell(fixture, ARM);
	post(fixture, 1);
	assert_non_null(host_event(host));
	assert_int_equal(host_interrupts(host, HOST_VECTOR), 0);
	arm_eq(fixture);
	assert_int_equal(host_interrupts(host, HOST_VECTOR), 1);
	/* Told already: nothing is new. */
	arm_eq(fixture);
	assert_int_equal(host_interrupts(host, HOST_VECTOR), 0);
	for (u32 i = 1; i < 2 * HOST_EQES; i++) {
		doorbell(fixture, i | ARM);
		post(fixture, i);
		assert_non_null(host_event(host));
	}
}

static void queues_in_use_stay(void **state)
{
	struct fixture *fixture = *state;
	struct efa_admin_destroy_eq_cmd eq = {.eqn = fixture->host->eqn};

	assert_int_equal(host_command(fixture->host, EFA_ADMIN_DESTROY_EQ, 0, &eq, sizeof(eq), NULL),
			 ADMIN_BUSY);
	assert_int_equal(host_destroy_cq(&fixture->cq), ADMIN_BUSY);
	cq_put(fixture->device_cq);
	assert_int_equal(host_destroy_cq(&fixture->cq), ADMIN_OK);
	assert_int_equal(host_destroy_cq(&fixture->cq), ADMIN_ILLEGAL);
	assert_int_equal(host_command(fixture->host, EFA_ADMIN_DESTROY_EQ, 0, &eq, sizeof(eq), NULL),
			 ADMIN_OK);
	/* Doorbells of queues that are gone. */
	doorbell(fixture, ARM);
	arm_eq(fixture);
}

static void wrong_queues_are_refused(void **state)
{
	struct host *host = ((struct fixture *)*state)->host;
	const struct efa_admin_create_cq_cmd right_cq = {
		.cq_caps_2 = 8, .sub_cq_depth = 64, .num_sub_cqs = 1, .uar = host->uar,
	};
	const struct efa_admin_create_eq_cmd right_eq = {.depth = 64, .caps = 4, .event_bitmask = 1};
	struct efa_admin_create_cq_cmd cq;
	struct efa_admin_create_eq_cmd eq;

#define TRY(what, opcode, status, ...)                                                             \
	do {                                                                                       \
		what = right_##what;                                                               \
		__VA_ARGS__;                                                                       \
		assert_int_equal(host_command(host, opcode, 0, &what, sizeof(what), NULL), status);\
	} while (0)
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_OK, (void)0);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.cq_caps_1 = 1 << 6);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.cq_caps_1 = 1 << 5; cq.eqn = 30);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.cq_caps_2 = 5);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.cq_caps_2 = 4 | 1 << 5);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.sub_cq_depth = 0);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.sub_cq_depth = 48);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.num_sub_cqs = 2);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.uar = host->uar + 1);
	TRY(cq, EFA_ADMIN_CREATE_CQ, ADMIN_ILLEGAL, cq.cq_ba.mem_addr_low = 16);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_OK, (void)0);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.depth = 0);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.depth = 63);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.depth = 8192);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.caps = 3);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.msix_vec = EFA_VECTORS);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.event_bitmask = 2);
	TRY(eq, EFA_ADMIN_CREATE_EQ, ADMIN_ILLEGAL, eq.ba.mem_addr_low = 8);
#undef TRY
}

static void unmapped_queue_takes_nothing(void **state)
{
	struct fixture *fixture = *state;
	u64 before = host_counter(fixture->host, "cqes");

	assert_int_equal(dma_space_unmap(fixture->host->dev->dma, HOST_IOVA, HOST_MEMORY), 0);
	doorbell(fixture, ARM);
	post(fixture, 1);
	assert_int_equal(host_counter(fixture->host, "cqes"), before);
	assert_true(host_counter(fixture->host, "dma.unmapped_accesses") > 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(phase_changes_with_every_lap), test(overflow_loses_the_entry),
		test(armed_queue_tells_once),	    test(arming_late_tells_at_once),
		test(event_queue_waits_to_be_armed), test(queues_in_use_stay),
		test(wrong_queues_are_refused),	    test(unmapped_queue_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
