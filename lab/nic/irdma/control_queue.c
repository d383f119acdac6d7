/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The control queue pair: commands in a ring of 64-byte WQEs, worked off strictly in order. The host
 * learns of their end by the tail register at first, and in CQ 0 once it has made that.
 */
#include "irdma.h"

#define OPCODES 64u
#define COMMANDS_IN_A_SLICE 16u
#define MIN_ENTRIES 4u
#define MAX_ENTRIES 2048u
#define WQE_BYTES (CONTROL_WQE_QWORDS * 8u)
#define CONTEXT_QWORDS 8u

struct control_queue {
	struct irdma_device *dev;
	const struct control_entry *entries[OPCODES];
	u64 *counters[OPCODES];

	u64 base, completion_context;
	u32 count; /* 0: there is no queue */
	u32 tail, head, error;
	bool polarity, failed, completes, refused;

	/* The command at the tail waits, and with it all that follow. */
	struct turn turn;
	bool parked, gate_passed;
	u64 ticket;
};

static bool run_slice(void *opaque);

static void go_on(void *opaque)
{
	struct control_queue *control = opaque;

	control->parked = false;
	turn_ready(&control->turn);
}

static void add_entries(struct control_queue *control, const struct control_entry *entries)
{
	for (; entries->handler; entries++) {
		control->entries[entries->opcode] = entries;
		control->counters[entries->opcode] =
			counter(control->dev->counters, entries->counter);
	}
}

struct control_queue *control_queue_new(struct irdma_device *dev)
{
	struct control_queue *control = g_new0(struct control_queue, 1);

	control->dev = dev;
	turn_init(&control->turn, dev->turns, run_slice, go_on, control);
	add_entries(control, hmc_commands);
	add_entries(control, event_queue_commands);
	add_entries(control, completion_queue_commands);
	add_entries(control, memory_region_commands);
	add_entries(control, qp_commands);
	add_entries(control, network_commands);
	add_entries(control, multicast_commands);
	return control;
}

void control_queue_reset(struct control_queue *control)
{
	turn_leave(&control->turn);
	if (control->ticket)
		knob_forget(control->dev->knobs, control->ticket);
	control->count = 0;
	control->tail = 0;
	control->head = 0;
	control->error = 0;
	control->failed = false;
	control->completes = false;
	control->refused = false;
	control->parked = false;
	control->gate_passed = false;
	control->ticket = 0;
}

void control_queue_free(struct control_queue *control)
{
	control_queue_reset(control);
	g_free(control);
}

void control_queue_create(struct control_queue *control, u64 context)
{
	u64 words[CONTEXT_QWORDS];
	u32 log_count;

	control_queue_reset(control);
	irdma_device_teardown(control->dev);
	if (!context)
		return;
	if (dma_read(control->dev->dma, context, words, sizeof(words))) {
		irdma_log(control->dev, "the control queue's context is not mapped");
		control->error = CONTROL_BAD_ADDRESS;
		control->refused = true;
		return;
	}
	log_count = FIELD_GET(IRDMA_CQPHC_SQSIZE, words[0]);
	control->base = words[1] & IRDMA_CQPHC_SQBASE;
	control->completion_context = words[3];
	control->count = log_count ? MIN_ENTRIES << (log_count - 1) : 0;
	if (!control->count || control->count > MAX_ENTRIES) {
		irdma_log(control->dev, "a control queue of encoded size %u", log_count);
		control->error = CONTROL_BAD_PARAMETER;
		control->refused = true;
		control->count = 0;
		return;
	}
	control->polarity = true;
}

u32 control_queue_status(const struct control_queue *control)
{
	if (control->refused)
		return ICRDMA_CCQPSTATUS_CCQP_ERR;
	return control->count ? ICRDMA_CCQPSTATUS_CCQP_DONE : 0;
}

u32 control_queue_tail(const struct control_queue *control)
{
	return FIELD_PREP(IRDMA_CQPTAIL_WQTAIL, control->tail) |
	       (control->failed ? (u32)IRDMA_CQPTAIL_CQP_OP_ERR : 0);
}

u32 control_queue_error(const struct control_queue *control)
{
	return control->error;
}

void control_queue_clear_tail(struct control_queue *control)
{
	if (!control->count)
		control->tail = 0;
	control->failed = false;
}

void control_queue_set_completions(struct control_queue *control, bool on)
{
	control->completes = on;
}

static u8 opcode_of(const u64 *wqe)
{
	return FIELD_GET(IRDMA_CQPSQ_OPCODE, wqe[CONTROL_HEADER]);
}

void control_execute(struct irdma_device *dev, const u64 wqe[CONTROL_WQE_QWORDS],
		     struct control_result *result)
{
	u8 opcode = opcode_of(wqe);
	const struct control_entry *entry = dev->control->entries[opcode];

	memset(result, 0, sizeof(*result));
	++*dev->count.commands;
	if (entry) {
		++*dev->control->counters[opcode];
		entry->handler(dev, wqe, result);
	} else {
		result->code = CONTROL_BAD_OPCODE;
	}
	if (result->code) {
		++*dev->count.commands_failed;
		irdma_log(dev, "command 0x%x %s fails with code 0x%x", opcode,
			  entry ? entry->name : "(unknown)", result->code);
	}
}

static void advance(struct control_queue *control)
{
	control->gate_passed = false;
	if (++control->tail < control->count)
		return;
	control->tail = 0;
	control->polarity = !control->polarity;
}

static void complete(struct control_queue *control, const struct control_result *result)
{
	u32 major = result->code ? IRDMA_CQPSQ_MAJ_ERROR : 0;
	struct completion completion = {
		.major = major,
		.minor = result->code ? result->code : result->minor,
		.wqe_index = control->tail,
		.context = control->completion_context,
		.value = result->value,
	};

	control->failed = result->code;
	control->error = FIELD_PREP(IRDMA_CQPERRCODES_CQP_MAJOR_CODE, major) |
			 FIELD_PREP(IRDMA_CQPERRCODES_CQP_MINOR_CODE, completion.minor);
	advance(control);
	if (control->completes)
		cq_post(control->dev, CONTROL_CQN, &completion);
}

/* True if the command may be executed; otherwise what is to be done has been. */
static bool pass_gate(struct control_queue *control, const u64 *wqe)
{
	const struct control_entry *entry = control->entries[opcode_of(wqe)];
	struct control_result result = {};
	struct knob_verdict verdict;

	if (control->gate_passed || !entry)
		return true;
	control->gate_passed = true;
	verdict = knob_check(control->dev->knobs, entry->name);
	switch (verdict.action) {
	case KNOB_DELAY:
		control->parked = true;
		turn_timer(&control->turn, verdict.delay_us * 1000);
		return false;
	case KNOB_HOLD:
		control->parked = true;
		control->ticket = verdict.ticket;
		return false;
	case KNOB_DROP:
		irdma_log(control->dev, "command %s is dropped by request", entry->name);
		advance(control);
		return false;
	case KNOB_FAIL:
		irdma_log(control->dev, "command %s fails by request", entry->name);
		++*control->dev->count.commands;
		++*control->dev->count.commands_failed;
		result.code = verdict.status ? verdict.status : CONTROL_FAILED;
		complete(control, &result);
		return false;
	default:
		return true;
	}
}

static bool run_slice(void *opaque)
{
	struct control_queue *control = opaque;
	struct irdma_device *dev = control->dev;

	for (u32 i = 0; i < COMMANDS_IN_A_SLICE; i++) {
		u64 wqe[CONTROL_WQE_QWORDS];
		struct control_result result;

		if (!control->count || control->parked || control->tail == control->head)
			return false;
		if (dma_read(dev->dma, control->base + control->tail * (u64)WQE_BYTES, wqe,
			     sizeof(wqe))) {
			irdma_log(dev, "command %u is not mapped", control->tail);
			control->head = control->tail;
			control->error = CONTROL_BAD_ADDRESS;
			control->failed = true;
			return false;
		}
		if (FIELD_GET(IRDMA_CQPSQ_WQEVALID, wqe[CONTROL_HEADER]) != control->polarity) {
			irdma_log(dev, "command %u has the wrong valid bit", control->tail);
			control->head = control->tail;
			return false;
		}
		if (!pass_gate(control, wqe))
			continue;
		control_execute(dev, wqe, &result);
		complete(control, &result);
	}
	return true;
}

void control_queue_doorbell(struct control_queue *control, u32 head)
{
	if (!control->count)
		return;
	if (head >= control->count) {
		irdma_log(control->dev, "a control doorbell beyond the ring: %u of %u", head,
			  control->count);
		return;
	}
	control->head = head;
	/* What waits for a register finds it changed at the next look. */
	if (run_slice(control))
		turn_ready(&control->turn);
}

bool control_queue_release(struct control_queue *control, u64 ticket)
{
	if (!ticket || control->ticket != ticket)
		return false;
	control->ticket = 0;
	go_on(control);
	return true;
}
