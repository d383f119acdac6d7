/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The command interface: 32 slots of 64 bytes in host memory. A slot holds the first 16 bytes of
 * input and output; the rest is in chains of mailboxes with 512 bytes of data each. The doorbell
 * carries one bit for each slot. A command is executed at once and ends by clearing the slot's
 * owner bit and, if an event queue wants it, with an event that carries the slot's bit.
 *
 * A knob named like a command (CREATE_MKEY, PAGE_FAULT_RESUME ...) delays, holds or drops it, or
 * fails it with the command status given.
 *
 * Delivery status (this file) says whether the mailboxes could be read and written; the command
 * status (first byte of the output) what the command came to.
 */
#include "device.h"
#include "hca.h"

#define SLOT_BYTES 64u
#define SLOT_COUNT 32u
#define INLINE_BYTES 16u
#define MAILBOX_DATA 512u
#define MAX_COMMAND_BYTES (2u << 20)
#define OPCODES 0x1000u

enum delivery_status {
	DELIVERY_OK = 0x0,
	DELIVERY_TOKEN = 0x2,
	DELIVERY_BLOCK_NUMBER = 0x3,
	DELIVERY_OUT_POINTER = 0x4,
	DELIVERY_IN_POINTER = 0x5,
	DELIVERY_IN_LENGTH = 0x7,
	DELIVERY_OUT_LENGTH = 0x8,
	DELIVERY_DESCRIPTOR = 0x10,
};

enum { DESCRIPTOR_TYPE = 7 };

struct slot {
	u8 type, reserved0[3];
	u32 in_len;
	u64 in_mailbox;
	u8 in[INLINE_BYTES];
	u8 out[INLINE_BYTES];
	u64 out_mailbox;
	u32 out_len;
	u8 token, signature, reserved1, status_own;
} __attribute__((packed));

struct mailbox {
	u8 data[MAILBOX_DATA];
	u8 reserved0[48];
	u64 next;
	u32 block_number;
	u8 reserved1, token, control_signature, signature;
} __attribute__((packed));

_Static_assert(sizeof(struct slot) == SLOT_BYTES, "slot layout");
_Static_assert(sizeof(struct mailbox) == 576, "mailbox layout");

/* A slot whose command a knob keeps from starting. */
struct parked {
	struct command_interface *commands;
	u32 index;
	u64 ticket;
	struct ev_timer timer;
};

struct command_interface {
	struct mlx5_device *dev;
	struct parked parked[SLOT_COUNT];
	u64 queue;
	const struct command_entry *entries[OPCODES];
	u8 *in, *out;
};

static const struct command_entry *const command_tables[] = {
	device_commands,	   capability_commands, port_commands, event_queue_commands,
	completion_queue_commands, memory_key_commands, device_memory_commands, page_fault_commands,
	qp_commands,		   srq_commands,
};

static void delay_ran_out(struct ev_loop *loop, struct ev_timer *timer, int events);

struct command_interface *command_interface_new(struct mlx5_device *dev)
{
	struct command_interface *commands = g_new0(struct command_interface, 1);

	commands->dev = dev;
	commands->in = g_malloc(MAX_COMMAND_BYTES);
	commands->out = g_malloc(MAX_COMMAND_BYTES);
	for (u32 i = 0; i < SLOT_COUNT; i++) {
		commands->parked[i].commands = commands;
		commands->parked[i].index = i;
		ev_timer_init(&commands->parked[i].timer, delay_ran_out, 0., 0.);
		commands->parked[i].timer.data = &commands->parked[i];
	}
	for (size_t i = 0; i < G_N_ELEMENTS(command_tables); i++)
		for (const struct command_entry *entry = command_tables[i]; entry->handler; entry++)
			if (entry->opcode < OPCODES)
				commands->entries[entry->opcode] = entry;
	return commands;
}

void command_interface_reset(struct command_interface *commands)
{
	commands->queue = 0;
	for (u32 i = 0; i < SLOT_COUNT; i++) {
		struct parked *parked = &commands->parked[i];

		ev_timer_stop(pci_device_loop(commands->dev->pci), &parked->timer);
		if (parked->ticket)
			knob_forget(commands->dev->knobs, parked->ticket);
		parked->ticket = 0;
	}
}

void command_interface_free(struct command_interface *commands)
{
	if (!commands)
		return;
	command_interface_reset(commands);
	g_free(commands->in);
	g_free(commands->out);
	g_free(commands);
}

void command_interface_set_queue(struct command_interface *commands, u64 address)
{
	commands->queue = address;
}

u64 command_interface_queue(const struct command_interface *commands)
{
	return commands->queue;
}

/* Everything that makes or uses an object: between INIT_HCA and TEARDOWN_HCA only. */
static bool needs_initialised(u16 opcode)
{
	return (opcode >= 0x200 && opcode < 0x750) || (opcode >= 0x771 && opcode < 0x805) ||
	       opcode > 0x80d;
}

static const struct command_entry *entry_of(struct mlx5_device *dev, const u8 *in)
{
	u16 opcode = in[0] << 8 | in[1];

	return opcode < OPCODES ? dev->commands->entries[opcode] : NULL;
}

static u8 dispatch(struct mlx5_device *dev, const u8 *in, u32 in_len, u8 *out, u32 out_len)
{
	struct command cmd = {.in = in, .in_len = in_len, .out = out, .out_len = out_len};
	const struct command_entry *entry = entry_of(dev, in);

	cmd.opcode = in[0] << 8 | in[1];
	cmd.uid = in[2] << 8 | in[3];
	cmd.op_mod = in[6] << 8 | in[7];
	if (!entry) {
		mlx5_log(dev, "command 0x%x is not modelled: BAD_OP", cmd.opcode);
		return COMMAND_BAD_OP;
	}
	if (!dev->hca->initialised && needs_initialised(cmd.opcode))
		return COMMAND_BAD_SYS_STATE;
	if (in_len < entry->min_in)
		return COMMAND_BAD_INPUT_LEN;
	if (out_len < entry->min_out)
		return COMMAND_BAD_OUTPUT_LEN;
	return entry->handler(dev, &cmd);
}

u8 command_execute(struct mlx5_device *dev, const u8 *in, u32 in_len, u8 *out, u32 out_len)
{
	u16 opcode = in[0] << 8 | in[1];
	u8 status;

	(*dev->count.commands)++;
	memset(out, 0, out_len);
	status = dispatch(dev, in, in_len, out, out_len);
	if (status) {
		const struct command_entry *entry = entry_of(dev, in);

		(*dev->count.commands_failed)++;
		mlx5_log(dev, "command 0x%x %s: status 0x%x", opcode, entry ? entry->name : "",
			 status);
		memset(out, 0, out_len);
	}
	out[0] = status;
	return status;
}

/*
 * Walks as many mailboxes as the length needs, so a chain that loops ends; a block number that does
 * not count up tells it from a proper one.
 */
static u8 mailboxes_read(struct mlx5_device *dev, const struct slot *slot, u8 *data, u32 len)
{
	u64 address = be64toh(slot->in_mailbox);
	struct mailbox box;

	for (u32 offset = INLINE_BYTES, block = 0; offset < len; offset += MAILBOX_DATA, block++) {
		if (!address || address & (sizeof(u64) - 1) ||
		    dma_read(dev->dma, address, &box, sizeof(box)))
			return DELIVERY_IN_POINTER;
		if (be32toh(box.block_number) != block)
			return DELIVERY_BLOCK_NUMBER;
		if (box.token != slot->token)
			return DELIVERY_TOKEN;
		memcpy(data + offset, box.data, MIN(MAILBOX_DATA, len - offset));
		address = be64toh(box.next);
	}
	return DELIVERY_OK;
}

static u8 mailboxes_write(struct mlx5_device *dev, const struct slot *slot, const u8 *data, u32 len)
{
	u64 address = be64toh(slot->out_mailbox);
	struct mailbox box;

	for (u32 offset = INLINE_BYTES, block = 0; offset < len; offset += MAILBOX_DATA, block++) {
		if (!address || address & (sizeof(u64) - 1) ||
		    dma_read(dev->dma, address + MAILBOX_DATA, box.reserved0,
			     sizeof(box) - MAILBOX_DATA))
			return DELIVERY_OUT_POINTER;
		if (be32toh(box.block_number) != block)
			return DELIVERY_BLOCK_NUMBER;
		if (dma_write(dev->dma, address, data + offset, MIN(MAILBOX_DATA, len - offset)))
			return DELIVERY_OUT_POINTER;
		address = be64toh(box.next);
	}
	return DELIVERY_OK;
}

/* forced: a knob's command status, instead of what the command would do; 0: none. */
static u8 slot_execute(struct command_interface *commands, struct slot *slot, u8 forced)
{
	u32 in_len = be32toh(slot->in_len), out_len = be32toh(slot->out_len);
	struct mlx5_device *dev = commands->dev;
	u8 delivery;

	if (slot->type != DESCRIPTOR_TYPE)
		return DELIVERY_DESCRIPTOR;
	if (in_len < INLINE_BYTES / 2 || in_len > MAX_COMMAND_BYTES)
		return DELIVERY_IN_LENGTH;
	if (out_len < INLINE_BYTES / 2 || out_len > MAX_COMMAND_BYTES)
		return DELIVERY_OUT_LENGTH;
	memcpy(commands->in, slot->in, INLINE_BYTES);
	delivery = mailboxes_read(dev, slot, commands->in, in_len);
	if (delivery)
		return delivery;
	memset(commands->out, 0, INLINE_BYTES);
	if (forced) {
		memset(commands->out, 0, MAX(out_len, INLINE_BYTES));
		commands->out[0] = forced;
	} else {
		command_execute(dev, commands->in, in_len, commands->out, out_len);
	}
	memcpy(slot->out, commands->out, INLINE_BYTES);
	return mailboxes_write(dev, slot, commands->out, out_len);
}

static void subscribed(void *object, void *opaque)
{
	if (event_queue_wants(object, EVENT_COMMAND))
		*(bool *)opaque = true;
}

static bool slot_read(struct command_interface *commands, u32 index, struct slot *slot)
{
	u64 address = commands->queue + index * SLOT_BYTES;

	if (!commands->queue || dma_read(commands->dev->dma, address, slot, sizeof(*slot))) {
		mlx5_log(commands->dev, "command slot %u at 0x%llx is not mapped", index,
			 (unsigned long long)address);
		return false;
	}
	return slot->status_own & 1;
}

static void slot_run(struct command_interface *commands, u32 index, u8 forced)
{
	u64 address = commands->queue + index * SLOT_BYTES;
	struct mlx5_device *dev = commands->dev;
	bool event = false;
	struct slot slot;
	u32 vector;

	if (!slot_read(commands, index, &slot))
		return;
	/* The command that creates the queue for these events is itself waited for by polling. */
	id_table_for_each(dev->eqs, subscribed, &event);
	slot.status_own = slot_execute(commands, &slot, forced) << 1;
	if (slot.status_own)
		mlx5_log(dev, "command slot %u: delivery status 0x%x", index, slot.status_own >> 1);
	if (dma_write(dev->dma, address + offsetof(struct slot, out), slot.out, INLINE_BYTES) ||
	    dma_write_publish(dev->dma, address + offsetof(struct slot, status_own),
			      &slot.status_own, 1, 1)) {
		mlx5_log(dev, "command slot %u went away while it ran", index);
		return;
	}
	if (!event)
		return;
	vector = htobe32(1u << index);
	event_post(dev, EVENT_COMMAND, 0, &vector, sizeof(vector));
}

static void slot_start(struct command_interface *commands, u32 index)
{
	struct parked *parked = &commands->parked[index];
	struct mlx5_device *dev = commands->dev;
	const struct command_entry *entry;
	struct knob_verdict verdict;
	struct slot slot;

	if (parked->ticket || ev_is_active(&parked->timer) || !slot_read(commands, index, &slot))
		return;
	entry = entry_of(dev, slot.in);
	if (!entry) {
		slot_run(commands, index, 0);
		return;
	}
	verdict = knob_check(dev->knobs, entry->name);
	switch (verdict.action) {
	case KNOB_PASS:
		slot_run(commands, index, 0);
		break;
	case KNOB_DELAY:
		ev_timer_set(&parked->timer, verdict.delay_us * 1e-6, 0.);
		ev_timer_start(pci_device_loop(dev->pci), &parked->timer);
		break;
	case KNOB_HOLD:
		parked->ticket = verdict.ticket;
		break;
	case KNOB_DROP:
		mlx5_log(dev, "command %s in slot %u is dropped by request", entry->name, index);
		break;
	case KNOB_FAIL:
		slot_run(commands, index, verdict.status ? verdict.status : COMMAND_INTERNAL_ERROR);
		break;
	}
}

static void delay_ran_out(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct parked *parked = timer->data;

	(void)loop;
	(void)events;
	slot_run(parked->commands, parked->index, 0);
}

bool command_interface_release(struct command_interface *commands, u64 ticket)
{
	for (u32 i = 0; i < SLOT_COUNT; i++) {
		if (commands->parked[i].ticket != ticket)
			continue;
		commands->parked[i].ticket = 0;
		slot_run(commands, i, 0);
		return true;
	}
	return false;
}

void command_interface_doorbell(struct command_interface *commands, u32 slots)
{
	if (!commands->queue)
		return;
	for (u32 i = 0; i < SLOT_COUNT; i++)
		if (slots >> i & 1)
			slot_start(commands, i);
}
