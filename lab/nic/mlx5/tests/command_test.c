/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Command slots and mailboxes, right and wrong; event and completion queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "host.h"

#define SLOT 0u
#define IN_BOXES 0x1000u
#define OUT_BOXES 0x2000u
#define BOX 1024u
#define TOKEN 0x5c
#define AREA 0x4000u
#define COMMAND_EVENT 0x0a

struct fixture {
	struct host *host;
	u8 *area;
};

static int setup(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);
	u64 iova;
	u8 data[4];

	fixture->host = host_new(false);
	fixture->area = host_alloc(fixture->host, AREA);
	iova = host_iova(fixture->host, fixture->area);
	ifc_set32(data, 0, 32, iova >> 32);
	mlx5_mmio_write(fixture->host->dev, 0x10, data, sizeof(data));
	ifc_set32(data, 0, 32, (u32)iova);
	mlx5_mmio_write(fixture->host->dev, 0x14, data, sizeof(data));
	*state = fixture;
	return 0;
}

static void chain(struct fixture *fixture, u32 at, const u8 *data, u32 len)
{
	for (u32 i = 0, done = 16; done < len; i++, done += 512) {
		u8 *box = fixture->area + at + i * BOX;

		memset(box, 0, 576);
		if (data)
			memcpy(box, data + done, MIN(512, len - done));
		ifc_set64(box + 560, 0, host_iova(fixture->host, box + BOX));
		ifc_set32(box + 568, 0, 32, i);
		box[573] = TOKEN;
	}
}

static void put_slot(struct fixture *fixture, const u8 *in, u32 in_len, u32 out_len)
{
	u8 *slot = fixture->area + SLOT;

	memset(slot, 0, 64);
	slot[0] = 7;
	ifc_set32(slot, 32, 32, in_len);
	ifc_set64(slot, 64, host_iova(fixture->host, fixture->area + IN_BOXES));
	memcpy(slot + 16, in, MIN(16, in_len));
	ifc_set64(slot, 48 * 8, host_iova(fixture->host, fixture->area + OUT_BOXES));
	ifc_set32(slot, 56 * 8, 32, out_len);
	slot[60] = TOKEN;
	slot[63] = 1;
	chain(fixture, IN_BOXES, in, in_len);
	chain(fixture, OUT_BOXES, NULL, out_len);
}

static void ring(struct fixture *fixture)
{
	u8 doorbell[4];

	ifc_set32(doorbell, 0, 32, 1);
	mlx5_mmio_write(fixture->host->dev, 0x18, doorbell, sizeof(doorbell));
}

static u8 delivery(struct fixture *fixture)
{
	ring(fixture);
	assert_int_equal(fixture->area[63] & 1, 0);
	return fixture->area[63] >> 1;
}

/* QUERY_HCA_CAP has a long output, SET_HCA_CAP a long input. */
static void put_query(struct fixture *fixture)
{
	u8 in[16] = {0x01, 0x00, 0, 0, 0, 0, 0, 1};

	put_slot(fixture, in, sizeof(in), IFC_BYTES(query_hca_cap_out));
}

static u8 put_set(struct fixture *fixture)
{
	u8 in[IFC_BYTES(set_hca_cap_in)] = {0x01, 0x09};

	put_slot(fixture, in, sizeof(in), 16);
	return 0;
}

static void test_long_output(void **state)
{
	struct fixture *fixture = *state;
	u8 caps[1024];

	put_query(fixture);
	assert_int_equal(delivery(fixture), 0);
	assert_int_equal(fixture->area[32], COMMAND_OK);
	memcpy(caps, fixture->area + OUT_BOXES, 512);
	assert_int_equal(IFC_GET(cmd_hca_cap, caps, log_max_qp), MLX5_LOG_MAX_QP);
	assert_int_equal(IFC_GET(cmd_hca_cap, caps, atomic), 1);
}

static void test_event_carries_slot(void **state)
{
	struct fixture *fixture = *state;
	const u8 *eqe;

	put_query(fixture);
	assert_int_equal(delivery(fixture), 0);
	eqe = host_event(fixture->host);
	assert_non_null(eqe);
	assert_int_equal(eqe[1], COMMAND_EVENT);
	assert_int_equal(ifc_get32(eqe, 32 * 8, 32), 1);
	ring(fixture); /* the slot is the host's now: nothing happens */
	assert_null(host_event(fixture->host));
}

static void test_broken_mailboxes(void **state)
{
	struct fixture *fixture = *state;
	u8 *second = fixture->area + IN_BOXES + BOX;

	put_set(fixture);
	assert_int_equal(delivery(fixture), 0);
	assert_int_equal(fixture->area[32], COMMAND_BAD_SYS_STATE); /* after INIT_HCA */
	put_set(fixture);
	second[573]++;
	assert_int_equal(delivery(fixture), 0x2);
	put_set(fixture);
	second[571]++;
	assert_int_equal(delivery(fixture), 0x3);
	put_set(fixture); /* a chain that loops */
	ifc_set64(fixture->area + IN_BOXES + 560, 0,
		  host_iova(fixture->host, fixture->area + IN_BOXES));
	assert_int_equal(delivery(fixture), 0x3);
	put_set(fixture); /* a chain that ends too early */
	ifc_set64(fixture->area + IN_BOXES + 560, 0, 0);
	assert_int_equal(delivery(fixture), 0x5);
	put_set(fixture);
	ifc_set64(fixture->area + IN_BOXES + 560, 0, 0x123456789000ull);
	assert_int_equal(delivery(fixture), 0x5);
	put_query(fixture);
	ifc_set64(fixture->area + OUT_BOXES + 560, 0, 0x123456789000ull);
	assert_int_equal(delivery(fixture), 0x4);
	put_query(fixture);
	fixture->area[0] = 6;
	assert_int_equal(delivery(fixture), 0x10);
	put_query(fixture);
	ifc_set32(fixture->area, 32, 32, ~0u);
	assert_int_equal(delivery(fixture), 0x7);
	put_query(fixture);
	ifc_set32(fixture->area, 56 * 8, 32, ~0u);
	assert_int_equal(delivery(fixture), 0x8);
}

static u8 plain(struct fixture *fixture, u16 opcode, u32 number, u32 in_len, u32 out_len)
{
	u8 in[64] = {opcode >> 8, opcode}, out[1024];

	ifc_set32(in, 64, 32, number);
	return host_command(fixture->host, in, in_len, out, out_len);
}

static void test_statuses(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(plain(fixture, 0xfff, 0, 16, 16), COMMAND_BAD_OP);
	assert_int_equal(plain(fixture, 0xffff, 0, 16, 16), COMMAND_BAD_OP);
	assert_int_equal(plain(fixture, 0x202, 0, 8, 16), COMMAND_BAD_INPUT_LEN);
	assert_int_equal(plain(fixture, 0x762, 0, 16, 16), COMMAND_BAD_OUTPUT_LEN);
	assert_int_equal(plain(fixture, 0x801, 0xabcdef, 16, 16), COMMAND_BAD_RESOURCE);
	assert_int_equal(plain(fixture, 0x801, fixture->host->pd, 16, 16), COMMAND_OK);
	assert_int_equal(plain(fixture, 0x801, fixture->host->pd, 16, 16), COMMAND_BAD_RESOURCE);
	assert_int_equal(plain(fixture, 0x102, 0, 16, 16), COMMAND_BAD_SYS_STATE); /* twice */
	assert_int_equal(plain(fixture, 0x103, 0, 16, 16), COMMAND_OK);		    /* teardown */
	assert_int_equal(plain(fixture, 0x800, 0, 16, 16), COMMAND_BAD_SYS_STATE);
	assert_int_equal(plain(fixture, 0x102, 0, 16, 16), COMMAND_OK);
	assert_int_equal(plain(fixture, 0x800, 0, 16, 16), COMMAND_OK);
}

static void test_knob_on_a_command(void **state)
{
	struct fixture *fixture = *state;

	host_rule(fixture->host, "QUERY_HCA_CAP", "hold", "");
	put_query(fixture);
	ring(fixture);
	assert_int_equal(fixture->area[63], 1);
	ring(fixture); /* rung again while held: still one command */
	assert_int_equal(host_release(fixture->host, NULL, 10), 1);
	assert_int_equal(fixture->area[63], 0);
	host_rule(fixture->host, "QUERY_HCA_CAP", "fail", "\"status\": 15");
	put_query(fixture);
	assert_int_equal(delivery(fixture), 0);
	assert_int_equal(fixture->area[32], COMMAND_NO_RESOURCES);
	host_rule(fixture->host, "QUERY_HCA_CAP", "hold", "");
	put_query(fixture);
	ring(fixture);
	mlx5_device_reset(fixture->host->dev);
	assert_int_equal(host_release(fixture->host, NULL, 10), 0);
}

static void arm_eq(struct fixture *fixture, u32 consumer)
{
	u8 data[4];

	ifc_set32(data, 0, 32, fixture->host->eqn << 24 | consumer);
	mlx5_mmio_write(fixture->host->dev, fixture->host->uar * 4096ull + 0x40, data, 4);
}

static void test_event_queue_overrun(void **state)
{
	struct fixture *fixture = *state;
	u8 in[16] = {0x03, 0x03}, out[IFC_BYTES(query_eq_out)];
	u64 *eqes = counter(fixture->host->base.model.counters, "eqes");
	u64 before = *eqes;
	u32 data = 0;

	ifc_set32(in, 64, 32, fixture->host->eqn);
	for (u32 i = 0; i < HOST_EQES + 10; i++)
		event_post(fixture->host->dev, EVENT_PORT_CHANGE, 4, &data, sizeof(data));
	assert_int_equal(*eqes - before, HOST_EQES);
	host_command(fixture->host, in, sizeof(in), out, sizeof(out));
	assert_int_equal(IFC_GET(eqc, IFC_PTR(query_eq_out, out, eq_context_entry), status), 9);
	arm_eq(fixture, HOST_EQES);
	event_post(fixture->host->dev, EVENT_PORT_CHANGE, 4, &data, sizeof(data));
	assert_int_equal(*eqes - before, HOST_EQES + 1);
}

static void arm_cq(struct fixture *fixture, const struct host_cq *cq, bool solicited, u32 consumer)
{
	u8 data[8];

	ifc_set32(data, 0, 32, (solicited ? 1u << 24 : 0) | consumer);
	ifc_set32(data, 32, 32, cq->cqn);
	/* In two halves, as some hosts split it. */
	mlx5_mmio_write(fixture->host->dev, fixture->host->uar * 4096ull + 0x20, data, 4);
	mlx5_mmio_write(fixture->host->dev, fixture->host->uar * 4096ull + 0x24, data + 4, 4);
}

static bool fired(struct fixture *fixture, const struct host_cq *cq)
{
	const u8 *eqe = host_event(fixture->host);

	return eqe && eqe[1] == EVENT_COMPLETION && ifc_get32(eqe, 56 * 8, 32) == cq->cqn;
}

static void complete(struct fixture *fixture, const struct host_cq *cq, bool solicited)
{
	u8 cqe[64] = {};

	cq_post(fixture->host->dev, cq_find(fixture->host->dev, cq->cqn), cqe, solicited);
}

static void test_arming(void **state)
{
	struct fixture *fixture = *state;
	struct host_cq cq;

	host_new_cq(fixture->host, &cq);
	complete(fixture, &cq, false);
	assert_false(fired(fixture, &cq));
	arm_cq(fixture, &cq, false, 0); /* there is one beyond that index */
	assert_true(fired(fixture, &cq));
	complete(fixture, &cq, false); /* one event for one arming */
	assert_false(fired(fixture, &cq));
	arm_cq(fixture, &cq, false, 2);
	assert_false(fired(fixture, &cq));
	complete(fixture, &cq, false);
	assert_true(fired(fixture, &cq));
	arm_cq(fixture, &cq, true, 3);
	complete(fixture, &cq, false);
	assert_false(fired(fixture, &cq));
	complete(fixture, &cq, true);
	assert_true(fired(fixture, &cq));
	arm_cq(fixture, &cq, true, 5); /* the solicited one is consumed */
	complete(fixture, &cq, false);
	assert_false(fired(fixture, &cq));
}

static void test_completion_queue_overrun(void **state)
{
	struct fixture *fixture = *state;
	struct host_cq cq;
	const u8 *eqe;

	host_new_cq(fixture->host, &cq);
	for (u32 i = 0; i < HOST_CQES + 2; i++)
		complete(fixture, &cq, false);
	eqe = host_event(fixture->host);
	assert_non_null(eqe);
	assert_int_equal(eqe[1], EVENT_CQ_ERROR);
	assert_int_equal(ifc_get32(eqe, 32 * 8, 32), cq.cqn);
	assert_int_equal(eqe[32 + 11], 1);
	assert_null(host_event(fixture->host));
}

static u8 resize(struct fixture *fixture, const struct host_cq *cq, u32 log_size, u8 *entries)
{
	u8 in[IFC_BYTES(modify_cq_in) + 8] = {}, out[16];
	void *context = IFC_PTR(modify_cq_in, in, cq_context);

	IFC_SET(modify_cq_in, in, opcode, 0x403);
	IFC_SET(modify_cq_in, in, op_mod, 1);
	IFC_SET(modify_cq_in, in, cqn, cq->cqn);
	IFC_SET(modify_cq_in, in, modify_field_select_resize_field_select, 7);
	IFC_SET(cqc, context, log_cq_size, log_size);
	ifc_set64(IFC_PTR(modify_cq_in, in, pas), 0, host_iova(fixture->host, entries));
	return host_command(fixture->host, in, sizeof(in), out, sizeof(out));
}

static void test_resize(void **state)
{
	struct fixture *fixture = *state;
	u8 *entries = host_alloc(fixture->host, MLX5_PAGE_SIZE);
	struct host_cq cq;

	host_new_cq(fixture->host, &cq);
	for (int i = 0; i < 3; i++)
		complete(fixture, &cq, false);
	assert_int_equal(resize(fixture, &cq, 1, entries), COMMAND_BAD_SIZE);
	assert_int_equal(resize(fixture, &cq, 7, entries), COMMAND_BAD_INPUT_LEN);
	assert_int_equal(resize(fixture, &cq, 5, entries), COMMAND_OK);
	assert_int_equal(cqe_op(cq.entries + 3 * 64), 5);
	/* The device goes on with the next index, in the new buffer. */
	entries[4 * 64 + 63] = 0xf1;
	complete(fixture, &cq, false);
	assert_int_equal(cqe_op(entries + 4 * 64), 0);
	assert_int_equal(entries[4 * 64 + 63] & 1, 0);
	assert_int_equal(cqe_op(cq.entries + 4 * 64), 0xf);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, host_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_long_output),	       TEST(test_event_carries_slot),
		TEST(test_broken_mailboxes),   TEST(test_statuses),
		TEST(test_knob_on_a_command),  TEST(test_event_queue_overrun),
		TEST(test_arming),	       TEST(test_completion_queue_overrun),
		TEST(test_resize),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
