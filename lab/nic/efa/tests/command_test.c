/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Registers, the admin rings with short and long entries, features, events, and their knobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "host.h"

#include <cmocka.h>

#define DEPTH 8u
#define ID 0x123

struct fixture {
	struct host *host;
	u8 *commands;
	struct efa_admin_acq_entry *completions;
	struct efa_admin_aenq_entry *events;
	struct efa_admin_mmio_req_read_less_resp *answer;
	u32 entry_size, producer, consumer;
};

static void write_register(struct fixture *fixture, u64 offset, u32 value)
{
	host_write32(fixture->host, EFA_REGISTER_BAR, offset, value);
}

static void write_address(struct fixture *fixture, u64 low, u64 high, const void *where)
{
	u64 address = host_iova(fixture->host, where);

	write_register(fixture, low, address);
	write_register(fixture, high, address >> 32);
}

static void set_answer(struct fixture *fixture)
{
	write_address(fixture, EFA_REGS_MMIO_RESP_LO_OFF, EFA_REGS_MMIO_RESP_HI_OFF,
		      fixture->answer);
}

/* As the driver does it: no register is read. */
static u32 read_register(struct fixture *fixture, u16 offset)
{
	static u16 sequence;

	memset(fixture->answer, 0, sizeof(*fixture->answer));
	write_register(fixture, EFA_REGS_MMIO_REG_READ_OFF, (u32)offset << 16 | ++sequence);
	assert_int_equal(fixture->answer->req_id, sequence);
	assert_int_equal(fixture->answer->reg_off, offset);
	return fixture->answer->reg_val;
}

static void set_rings(struct fixture *fixture, u32 entry_size)
{
	fixture->entry_size = entry_size;
	fixture->producer = 0;
	fixture->consumer = 0;
	memset(fixture->completions, 0, DEPTH * sizeof(*fixture->completions));
	set_answer(fixture);
	write_register(fixture, EFA_REGS_INTR_MASK_OFF, 0);
	write_address(fixture, EFA_REGS_AQ_BASE_LO_OFF, EFA_REGS_AQ_BASE_HI_OFF, fixture->commands);
	write_register(fixture, EFA_REGS_AQ_CAPS_OFF, entry_size << 16 | DEPTH);
	write_address(fixture, EFA_REGS_ACQ_BASE_LO_OFF, EFA_REGS_ACQ_BASE_HI_OFF,
		      fixture->completions);
	write_register(fixture, EFA_REGS_ACQ_CAPS_OFF, 64 << 16 | DEPTH);
	write_address(fixture, EFA_REGS_AENQ_BASE_LO_OFF, EFA_REGS_AENQ_BASE_HI_OFF,
		      fixture->events);
	write_register(fixture, EFA_REGS_AENQ_CAPS_OFF, 64 << 16 | DEPTH);
}

static int set_up(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	fixture->host = host_new();
	fixture->commands = host_alloc(fixture->host, DEPTH * 128);
	fixture->completions = (void *)host_alloc(fixture->host, DEPTH * 64);
	fixture->events = (void *)host_alloc(fixture->host, DEPTH * 64);
	fixture->answer = (void *)host_alloc(fixture->host, 8);
	set_rings(fixture, 128);
	*state = fixture;
	return 0;
}

/* Bit by bit, so that it is not the model's own. */
static u16 crc(const u8 *data, u32 len)
{
	u16 remainder = 0xffff;

	for (u32 bit = 0; bit < len * 8; bit++) {
		bool in = (data[bit / 8] >> bit % 8 & 1) != (remainder & 1);

		remainder = remainder >> 1 ^ (in ? 0xa001 : 0);
	}
	return ~remainder;
}

static u8 *put(struct fixture *fixture, u16 id, u8 opcode, const void *payload, u32 len)
{
	u8 *entry = fixture->commands + fixture->producer++ % DEPTH * fixture->entry_size;
	struct efa_admin_aq_common_desc_v2 *head = (void *)entry;
	u32 offset = fixture->entry_size == 128 ? sizeof(*head) : sizeof(head->common);

	memset(entry, 0, fixture->entry_size);
	head->common.command_id = id;
	head->common.opcode = opcode;
	if (len)
		memcpy(entry + offset, payload, len);
	if (fixture->entry_size == 128)
		head->checksum = crc(entry, 128);
	return entry;
}

static void ring(struct fixture *fixture)
{
	write_register(fixture, EFA_REGS_AQ_PROD_DB_OFF, fixture->producer & 0xffff);
}

/* NULL if there is none; else its checksum fits. */
static struct efa_admin_acq_entry *completion(struct fixture *fixture)
{
	struct efa_admin_acq_entry *entry = &fixture->completions[fixture->consumer % DEPTH], copy;

	if ((entry->acq_common_descriptor.flags & 1) == (fixture->consumer / DEPTH & 1))
		return NULL;
	fixture->consumer++;
	copy = *entry;
	copy.acq_common_descriptor.checksum = 0;
	assert_int_equal(entry->acq_common_descriptor.checksum, crc((u8 *)&copy, sizeof(copy)));
	return entry;
}

static struct efa_admin_acq_entry *run(struct fixture *fixture, u8 opcode, const void *payload,
				       u32 len, u8 status)
{
	struct efa_admin_acq_entry *entry;

	put(fixture, ID, opcode, payload, len);
	ring(fixture);
	entry = completion(fixture);
	assert_non_null(entry);
	assert_int_equal(entry->acq_common_descriptor.command, ID);
	assert_int_equal(entry->acq_common_descriptor.status, status);
	return entry;
}

static void registers_answer(void **state)
{
	struct fixture *fixture = *state;
	u32 caps = read_register(fixture, EFA_REGS_CAPS_OFF);

	assert_int_equal(read_register(fixture, EFA_REGS_VERSION_OFF), 3);
	assert_int_equal(read_register(fixture, EFA_REGS_DEV_STS_OFF), 1);
	assert_true(EFA_GET(&caps, EFA_REGS_CAPS_DMA_ADDR_WIDTH) >= 48);
	assert_true(EFA_GET(&caps, EFA_REGS_CAPS_RESET_TIMEOUT) > 0);
	assert_int_equal(read_register(fixture, 0x7ffc), 0);
	/* An answer that cannot be delivered is none. */
	write_register(fixture, EFA_REGS_MMIO_RESP_HI_OFF, 0x7777);
	write_register(fixture, EFA_REGS_MMIO_REG_READ_OFF, 5);
	assert_true(host_counter(fixture->host, "dma.unmapped_accesses") > 0);
}

static void reset_takes_everything(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(id_table_count(fixture->host->dev->eqs), 1);
	write_register(fixture, EFA_REGS_DEV_CTL_OFF, 1);
	set_answer(fixture);
	assert_true(read_register(fixture, EFA_REGS_DEV_STS_OFF) &
		    EFA_REGS_DEV_STS_RESET_IN_PROGRESS_MASK);
	write_register(fixture, EFA_REGS_DEV_CTL_OFF, 0);
	assert_int_equal(read_register(fixture, EFA_REGS_DEV_STS_OFF),
			 EFA_REGS_DEV_STS_READY_MASK | EFA_REGS_DEV_STS_RESET_FINISHED_MASK);
	assert_int_equal(id_table_count(fixture->host->dev->eqs), 0);
	assert_int_equal(id_table_count(fixture->host->dev->pds), 0);
	/* The old rings are forgotten. */
	put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	assert_null(completion(fixture));
	set_rings(fixture, 64);
	run(fixture, EFA_ADMIN_ALLOC_PD, NULL, 0, ADMIN_OK);
}

static void entries_of_both_sizes(void **state)
{
	struct fixture *fixture = *state;
	struct efa_admin_get_feature_cmd in = {.feature_common.feature_id = EFA_ADMIN_QUEUE_ATTR_1};
	struct efa_admin_get_feature_resp *out;

	for (u32 size = 64; size <= 128; size *= 2) {
		set_rings(fixture, size);
		/* Three laps: the phase changes. */
		for (u32 i = 0; i < 3 * DEPTH; i++) {
			out = (void *)run(fixture, EFA_ADMIN_GET_FEATURE, &in, sizeof(in), ADMIN_OK);
			assert_int_equal(out->u.queue_attr_1.max_qp, EFA_MAX_QPS);
		}
	}
	assert_int_equal(host_interrupts(fixture->host, 0), 6 * DEPTH);
	assert_int_equal(host_counter(fixture->host, "get_feature"), 6 * DEPTH);
}

static void several_at_once(void **state)
{
	struct fixture *fixture = *state;

	for (u32 i = 0; i < DEPTH; i++)
		put(fixture, i, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	for (u32 i = 0; i < DEPTH; i++)
		assert_int_equal(completion(fixture)->acq_common_descriptor.command, i);
	assert_null(completion(fixture));
}

static void nonsense_is_refused(void **state)
{
	struct fixture *fixture = *state;
	u64 failed = host_counter(fixture->host, "commands_failed");
	u8 *entry;

	run(fixture, 0, NULL, 0, ADMIN_BAD_OPCODE);
	run(fixture, 0xff, NULL, 0, ADMIN_BAD_OPCODE);
	run(fixture, EFA_ADMIN_SERVICE, NULL, 0, ADMIN_UNSUPPORTED);
	assert_int_equal(host_counter(fixture->host, "commands_failed"), failed + 3);
	entry = put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	entry[100] ^= 1;
	ring(fixture);
	assert_int_equal(completion(fixture)->acq_common_descriptor.status, ADMIN_MALFORMED);
	/* More than the ring holds. */
	write_register(fixture, EFA_REGS_AQ_PROD_DB_OFF, fixture->producer + DEPTH + 1);
	assert_null(completion(fixture));
	run(fixture, EFA_ADMIN_ALLOC_PD, NULL, 0, ADMIN_OK);
}

static void rings_that_cannot_be(void **state)
{
	static const u32 wrong[] = {64 << 16 | 7, 96 << 16 | DEPTH, 0};
	struct fixture *fixture = *state;

	for (u32 i = 0; i < G_N_ELEMENTS(wrong); i++) {
		set_rings(fixture, 64);
		write_register(fixture, EFA_REGS_AQ_CAPS_OFF, wrong[i]);
		put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
		ring(fixture);
		assert_null(completion(fixture));
	}
	set_rings(fixture, 64);
	write_register(fixture, EFA_REGS_AQ_BASE_HI_OFF, 0x5555);
	write_register(fixture, EFA_REGS_AQ_CAPS_OFF, 64 << 16 | DEPTH);
	ring(fixture);
	put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	assert_null(completion(fixture));
	set_rings(fixture, 64);
	write_register(fixture, EFA_REGS_ACQ_BASE_HI_OFF, 0x5555);
	write_register(fixture, EFA_REGS_ACQ_CAPS_OFF, 64 << 16 | DEPTH);
	put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	assert_null(completion(fixture));
}

static void features(void **state)
{
	struct fixture *fixture = *state;
	struct efa_admin_get_feature_cmd get = {};
	struct efa_admin_set_feature_cmd set = {};
	struct efa_admin_get_feature_resp *out;

	get.feature_common.feature_id = EFA_ADMIN_DEVICE_ATTR;
	out = (void *)run(fixture, EFA_ADMIN_GET_FEATURE, &get, sizeof(get), ADMIN_OK);
	for (u32 id = EFA_ADMIN_AENQ_CONFIG; id < 12; id++) {
		bool supported = out->u.device_attr.supported_features >> id & 1;

		/* Host information can only be set. */
		if (id == EFA_ADMIN_HOST_INFO)
			continue;
		get.feature_common.feature_id = id;
		assert_int_equal(host_command(fixture->host, EFA_ADMIN_GET_FEATURE, 0, &get,
					      sizeof(get), NULL),
				 supported ? ADMIN_OK : ADMIN_ILLEGAL);
	}
	set.feature_common.feature_id = EFA_ADMIN_DEVICE_ATTR;
	run(fixture, EFA_ADMIN_SET_FEATURE, &set, sizeof(set), ADMIN_ILLEGAL);
	set.feature_common.feature_id = EFA_ADMIN_AENQ_CONFIG;
	set.u.aenq.enabled_groups = 1u << 9;
	run(fixture, EFA_ADMIN_SET_FEATURE, &set, sizeof(set), ADMIN_ILLEGAL);
	/* Host information without its buffer. */
	set.feature_common.feature_id = EFA_ADMIN_HOST_INFO;
	run(fixture, EFA_ADMIN_SET_FEATURE, &set, sizeof(set), ADMIN_MALFORMED);
}

static void host_information(void **state)
{
	struct fixture *fixture = *state;
	struct efa_admin_host_info *info = (void *)host_alloc(fixture->host, sizeof(*info));
	u64 where = host_iova(fixture->host, info);
	struct efa_admin_set_feature_cmd set = {
		.control_buffer = {.length = sizeof(*info),
				   .address = {.mem_addr_low = where, .mem_addr_high = where >> 32}},
		.feature_common.feature_id = EFA_ADMIN_HOST_INFO,
	};

	memset(info->os_dist_str, 'x', sizeof(info->os_dist_str));
	memcpy(info->os_dist_str, "7.3\n4", 5);
	assert_int_equal(host_command(fixture->host, EFA_ADMIN_SET_FEATURE, 2, &set, sizeof(set),
				      NULL),
			 ADMIN_OK);
	assert_memory_equal(fixture->host->dev->host, "7.3?4x", 6);
	set.control_buffer.address.mem_addr_high = 9;
	assert_int_equal(host_command(fixture->host, EFA_ADMIN_SET_FEATURE, 2, &set, sizeof(set),
				      NULL),
			 ADMIN_MALFORMED);
}

static void statistics_by_type(void **state)
{
	struct fixture *fixture = *state;
	struct efa_admin_aq_get_stats_cmd in = {};
	struct efa_admin_acq_get_stats_resp *out;

	fixture->host->dev->statistics.write.write_bytes = 77;
	for (in.type = 0; in.type <= EFA_ADMIN_GET_STATS_TYPE_NETWORK; in.type++) {
		out = (void *)run(fixture, EFA_ADMIN_GET_STATS, &in, sizeof(in), ADMIN_OK);
		if (in.type == EFA_ADMIN_GET_STATS_TYPE_RDMA_WRITE)
			assert_int_equal(out->u.rdma_write_stats.write_bytes, 77);
	}
	run(fixture, EFA_ADMIN_GET_STATS, &in, sizeof(in), ADMIN_ILLEGAL);
	in.type = 0;
	in.scope = EFA_ADMIN_GET_STATS_SCOPE_QUEUE;
	run(fixture, EFA_ADMIN_GET_STATS, &in, sizeof(in), ADMIN_ILLEGAL);
}

static void numbers_in_use_stay(void **state)
{
	struct fixture *fixture = *state;
	struct host *host = fixture->host;
	struct efa_admin_dealloc_pd_cmd pd = {.pd = host->pd};
	struct efa_admin_destroy_ah_cmd ah = {.ah = host->ah, .pd = host->pd};
	const u8 *gid = host->dev->gid;

	run(fixture, EFA_ADMIN_DEALLOC_PD, &pd, sizeof(pd), ADMIN_BUSY);
	/* The same address in the same PD: the same handle, and as often to be destroyed. */
	assert_int_equal(host_new_ah(host, host->pd, gid), host->ah);
	assert_int_not_equal(host_new_ah(host, host_new_pd(host), gid), host->ah);
	ah.pd++;
	run(fixture, EFA_ADMIN_DESTROY_AH, &ah, sizeof(ah), ADMIN_ILLEGAL);
	ah.pd--;
	run(fixture, EFA_ADMIN_DESTROY_AH, &ah, sizeof(ah), ADMIN_OK);
	assert_non_null(ah_address(host->dev, host->ah, host->pd));
	run(fixture, EFA_ADMIN_DESTROY_AH, &ah, sizeof(ah), ADMIN_OK);
	assert_null(ah_address(host->dev, host->ah, host->pd));
	run(fixture, EFA_ADMIN_DESTROY_AH, &ah, sizeof(ah), ADMIN_ILLEGAL);
	run(fixture, EFA_ADMIN_DEALLOC_PD, &pd, sizeof(pd), ADMIN_OK);
	run(fixture, EFA_ADMIN_DEALLOC_PD, &pd, sizeof(pd), ADMIN_ILLEGAL);
	for (u32 i = 0; i < EFA_MAX_PDS - 1; i++)
		host_new_pd(host);
	run(fixture, EFA_ADMIN_ALLOC_PD, NULL, 0, ADMIN_NO_RESOURCES);
}

static void events_nobody_asked_for(void **state)
{
	struct fixture *fixture = *state;
	struct efa_admin_set_feature_cmd set = {
		.feature_common.feature_id = EFA_ADMIN_AENQ_CONFIG,
		.u.aenq.enabled_groups = 1u << EFA_ADMIN_KEEP_ALIVE,
	};
	struct admin_queue *admin = fixture->host->dev->admin;

	assert_false(admin_post_event(admin, EFA_ADMIN_KEEP_ALIVE, 0));
	run(fixture, EFA_ADMIN_SET_FEATURE, &set, sizeof(set), ADMIN_OK);
	assert_false(admin_post_event(admin, EFA_ADMIN_WARNING, 0));
	host_interrupts(fixture->host, 0);
	for (u32 i = 0; i < DEPTH; i++) {
		assert_true(admin_post_event(admin, EFA_ADMIN_KEEP_ALIVE, i));
		assert_int_equal(fixture->events[i].aenq_common_desc.syndrome, i);
		assert_int_equal(fixture->events[i].aenq_common_desc.flags, 1);
	}
	assert_int_equal(host_interrupts(fixture->host, 0), DEPTH);
	assert_false(admin_post_event(admin, EFA_ADMIN_KEEP_ALIVE, 0));
	write_register(fixture, EFA_REGS_AENQ_CONS_DB_OFF, 1);
	assert_true(admin_post_event(admin, EFA_ADMIN_KEEP_ALIVE, 9));
	assert_int_equal(fixture->events[0].aenq_common_desc.flags, 0);
}

static void masked_interrupts_are_made_up_for(void **state)
{
	struct fixture *fixture = *state;

	write_register(fixture, EFA_REGS_INTR_MASK_OFF, 1);
	run(fixture, EFA_ADMIN_ALLOC_PD, NULL, 0, ADMIN_OK);
	run(fixture, EFA_ADMIN_ALLOC_PD, NULL, 0, ADMIN_OK);
	assert_int_equal(host_interrupts(fixture->host, 0), 0);
	write_register(fixture, EFA_REGS_INTR_MASK_OFF, 0);
	assert_int_equal(host_interrupts(fixture->host, 0), 1);
	write_register(fixture, EFA_REGS_INTR_MASK_OFF, 0);
	assert_int_equal(host_interrupts(fixture->host, 0), 0);
}

static void held_command_lets_others_go(void **state)
{
	struct fixture *fixture = *state;

	host_rule(fixture->host, "ALLOC_PD", "hold", "");
	put(fixture, 1, EFA_ADMIN_ALLOC_PD, NULL, 0);
	put(fixture, 2, EFA_ADMIN_ALLOC_UAR, NULL, 0);
	ring(fixture);
	assert_int_equal(completion(fixture)->acq_common_descriptor.command, 2);
	assert_null(completion(fixture));
	assert_int_equal(host_release(fixture->host, "ALLOC_PD", 1), 1);
	assert_int_equal(completion(fixture)->acq_common_descriptor.command, 1);
}

static void other_knobs(void **state)
{
	struct efa_admin_acq_entry *late;
	struct fixture *fixture = *state;

	host_rule(fixture->host, "ALLOC_PD", "fail", "\"status\": 7");
	run(fixture, EFA_ADMIN_ALLOC_PD, NULL, 0, ADMIN_BUSY);
	host_rule(fixture->host, "ALLOC_PD", "drop", "");
	put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	assert_null(completion(fixture));
	host_rule(fixture->host, "ALLOC_PD", "delay", "\"delay_us\": 2000");
	put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	assert_null(completion(fixture));
	late = host_wait_for(fixture->host, completion(fixture));
	assert_int_equal(late->acq_common_descriptor.status, ADMIN_OK);
	/* A reset forgets what is held. */
	host_rule(fixture->host, "ALLOC_PD", "hold", "");
	put(fixture, ID, EFA_ADMIN_ALLOC_PD, NULL, 0);
	ring(fixture);
	efa_device_reset(fixture->host->dev);
	assert_int_equal(host_release(fixture->host, NULL, 10), 0);
	assert_null(completion(fixture));
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, host_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(registers_answer),	       test(reset_takes_everything),
		test(entries_of_both_sizes),   test(several_at_once),
		test(nonsense_is_refused),     test(rings_that_cannot_be),
		test(features),		       test(host_information),
		test(statistics_by_type),      test(numbers_in_use_stay),
		test(events_nobody_asked_for), test(masked_interrupts_are_made_up_for),
		test(held_command_lets_others_go), test(other_knobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
