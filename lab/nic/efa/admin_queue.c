/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The admin queue: a ring of commands, a ring of their completions, and a ring of events that
 * nobody asked for. Commands have 64 bytes, or 128 with a checksum (the host says which when it
 * sets the queue up). A command is executed at once.
 *
 * A knob named like a command (REG_MR, CREATE_QP ...) delays, holds or drops it, or fails it with
 * the admin status given. Completions then come in another order than commands, as they may.
 */
#include "efa.h"

#define OPCODES (EFA_ADMIN_MAX_OPCODE + 1)
#define ENTRY_BYTES 64u /* of completions and events, and of the shorter commands */
#define LONG_ENTRY_BYTES sizeof(struct efa_admin_aq_entry_v2)

struct ring_state {
	struct admin_ring ring;
	u32 producer, consumer;
};

struct admin_queue {
	struct efa_device *dev;
	const struct admin_entry *entries[OPCODES];
	u64 *counters[OPCODES];
	struct ring_state commands, completions, events;
	bool masked, pending; /* an interrupt is owed */
	u32 pending_vector;
	GList *parked; /* of struct parked */
};

/* A command that a knob keeps from being executed, as it lay in the ring. */
struct parked {
	struct admin_queue *admin;
	u64 ticket; /* 0: a delay */
	struct ev_timer timer;
	u8 entry[LONG_ENTRY_BYTES] __attribute__((aligned(8)));
};

static const struct admin_entry *const command_tables[] = {
	feature_commands, protection_commands, memory_region_commands,
	event_queue_commands, completion_queue_commands, qp_commands,
};

/* Polynomial 0x8005, bits mirrored; starts with all ones and is inverted at the end. */
static u16 checksum(const u8 *data, u32 len)
{
	u16 crc = 0xffff;

	for (u32 i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
	}
	return crc ^ 0xffff;
}

struct admin_queue *admin_queue_new(struct efa_device *dev)
{
	struct admin_queue *admin = g_new0(struct admin_queue, 1);

	admin->dev = dev;
	for (size_t i = 0; i < G_N_ELEMENTS(command_tables); i++) {
		for (const struct admin_entry *e = command_tables[i]; e->handler; e++) {
			admin->entries[e->opcode] = e;
			admin->counters[e->opcode] = counter(dev->counters, e->counter);
		}
	}
	return admin;
}

static void parked_free(struct parked *parked)
{
	struct admin_queue *admin = parked->admin;

	admin->parked = g_list_remove(admin->parked, parked);
	ev_timer_stop(pci_device_loop(admin->dev->pci), &parked->timer);
	if (parked->ticket)
		knob_forget(admin->dev->knobs, parked->ticket);
	g_free(parked);
}

void admin_queue_reset(struct admin_queue *admin)
{
	while (admin->parked)
		parked_free(admin->parked->data);
	memset(&admin->commands, 0, sizeof(admin->commands));
	memset(&admin->completions, 0, sizeof(admin->completions));
	memset(&admin->events, 0, sizeof(admin->events));
	admin->masked = false;
	admin->pending = false;
}

void admin_queue_free(struct admin_queue *admin)
{
	if (!admin)
		return;
	admin_queue_reset(admin);
	g_free(admin);
}

void admin_queue_set_submission(struct admin_queue *admin, struct admin_ring ring)
{
	admin->commands = (struct ring_state){.ring = ring};
}

void admin_queue_set_completion(struct admin_queue *admin, struct admin_ring ring)
{
	admin->completions = (struct ring_state){.ring = ring};
}

void admin_queue_set_events(struct admin_queue *admin, struct admin_ring ring)
{
	admin->events = (struct ring_state){.ring = ring};
}

/* The phase bit is 1 in the first lap and changes with every one. */
static u8 phase(const struct ring_state *state, u32 index)
{
	return !(index / state->ring.depth & 1);
}

static u64 entry_address(const struct ring_state *state, u32 index)
{
	return state->ring.base + (u64)(index & (state->ring.depth - 1)) * state->ring.entry_size;
}

static void interrupt(struct admin_queue *admin, u32 vector)
{
	if (admin->masked) {
		admin->pending = true;
		admin->pending_vector = vector;
		return;
	}
	pci_device_interrupt(admin->dev->pci, vector);
}

void admin_queue_mask(struct admin_queue *admin, bool masked)
{
	admin->masked = masked;
	if (masked || !admin->pending)
		return;
	admin->pending = false;
	interrupt(admin, admin->pending_vector);
}

static enum admin_status execute(struct efa_device *dev, const struct admin_command *command)
{
	const struct admin_entry *entry;

	if (!command->opcode || command->opcode >= OPCODES)
		return ADMIN_BAD_OPCODE;
	entry = dev->admin->entries[command->opcode];
	if (!entry)
		return ADMIN_UNSUPPORTED;
	++*dev->admin->counters[command->opcode];
	return entry->handler(dev, command);
}

enum admin_status admin_execute(struct efa_device *dev, u8 opcode, u8 flags, const void *payload,
				u32 len, void *out)
{
	u64 in[(ADMIN_PAYLOAD_BYTES + 7) / 8] = {};
	struct admin_command command = {
		.opcode = opcode,
		.control_buffer = EFA_GET(&flags, EFA_ADMIN_AQ_COMMON_DESC_CTRL_DATA),
		.indirect = EFA_GET(&flags, EFA_ADMIN_AQ_COMMON_DESC_CTRL_DATA_INDIRECT),
		.in = in,
		.out = out,
	};
	enum admin_status status;

	++*dev->count.commands;
	memset(out, 0, ENTRY_BYTES);
	if (len)
		memcpy(in, payload, MIN(len, ADMIN_PAYLOAD_BYTES));
	status = execute(dev, &command);
	if (status) {
		const struct admin_entry *entry =
			opcode < OPCODES ? dev->admin->entries[opcode] : NULL;

		++*dev->count.commands_failed;
		efa_log(dev, "command %u %s: status %u", opcode, entry ? entry->name : "", status);
		memset(out, 0, ENTRY_BYTES);
	}
	return status;
}

static void complete(struct admin_queue *admin, u16 id, enum admin_status status, void *entry)
{
	struct efa_admin_acq_common_desc *head = entry;
	struct ring_state *ring = &admin->completions;

	if (!ring->ring.depth)
		return;
	head->command = id;
	head->status = status;
	head->flags = phase(ring, ring->producer);
	head->checksum = 0;
	head->checksum = checksum(entry, ENTRY_BYTES);
	/* The phase lies in the first four bytes. */
	if (efa_publish(admin->dev, entry_address(ring, ring->producer), entry, ENTRY_BYTES, 4)) {
		efa_log(admin->dev, "completion of command %u: the queue is not mapped", id);
		return;
	}
	ring->producer++;
	interrupt(admin, ring->ring.vector);
}

static bool is_long(const struct admin_queue *admin)
{
	return admin->commands.ring.entry_size == LONG_ENTRY_BYTES;
}

/* The checksum covers the entry with a checksum of 0. */
static bool checksum_fits(const struct admin_queue *admin, const u8 *raw)
{
	u8 copy[LONG_ENTRY_BYTES];
	struct efa_admin_aq_common_desc_v2 *head = (void *)copy;
	u16 given;

	if (!is_long(admin))
		return true;
	memcpy(copy, raw, sizeof(copy));
	given = head->checksum;
	head->checksum = 0;
	return checksum(copy, sizeof(copy)) == given;
}

/* forced: a knob's status, instead of what the command would do; 0: none. */
static void run(struct admin_queue *admin, const u8 *raw, u32 forced)
{
	const struct efa_admin_aq_common_desc *head = (const void *)raw;
	u16 id = EFA_GET(&head->command_id, EFA_ADMIN_AQ_COMMON_DESC_COMMAND_ID);
	u32 payload = is_long(admin) ? sizeof(struct efa_admin_aq_common_desc_v2) : sizeof(*head);
	u64 out[ENTRY_BYTES / 8] = {};
	enum admin_status status = forced;

	if (!status && !checksum_fits(admin, raw)) {
		efa_log(admin->dev, "command %u has a wrong checksum", head->opcode);
		status = ADMIN_MALFORMED;
	}
	if (!status)
		status = admin_execute(admin->dev, head->opcode, head->flags, raw + payload,
				       admin->commands.ring.entry_size - payload, out);
	complete(admin, id, status, out);
}

static void delay_ran_out(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct parked *parked = timer->data;

	(void)loop;
	(void)events;
	run(parked->admin, parked->entry, 0);
	parked_free(parked);
}

static void park(struct admin_queue *admin, const u8 *raw, const struct knob_verdict *verdict)
{
	struct parked *parked = g_new0(struct parked, 1);

	parked->admin = admin;
	memcpy(parked->entry, raw, sizeof(parked->entry));
	ev_timer_init(&parked->timer, delay_ran_out, verdict->delay_us * 1e-6, 0.);
	parked->timer.data = parked;
	admin->parked = g_list_prepend(admin->parked, parked);
	if (verdict->action == KNOB_HOLD)
		parked->ticket = verdict->ticket;
	else
		ev_timer_start(pci_device_loop(admin->dev->pci), &parked->timer);
}

bool admin_queue_release(struct admin_queue *admin, u64 ticket)
{
	for (GList *link = admin->parked; ticket && link; link = link->next) {
		struct parked *parked = link->data;

		if (parked->ticket != ticket)
			continue;
		parked->ticket = 0;
		run(admin, parked->entry, 0);
		parked_free(parked);
		return true;
	}
	return false;
}

static void start(struct admin_queue *admin, const u8 *raw)
{
	const struct efa_admin_aq_common_desc *head = (const void *)raw;
	const struct admin_entry *entry =
		head->opcode < OPCODES ? admin->entries[head->opcode] : NULL;
	struct knob_verdict verdict = {};

	if (entry)
		verdict = knob_check(admin->dev->knobs, entry->name);
	switch (verdict.action) {
	case KNOB_DELAY:
	case KNOB_HOLD:
		park(admin, raw, &verdict);
		break;
	case KNOB_DROP:
		efa_log(admin->dev, "command %s is dropped by request", entry->name);
		break;
	case KNOB_FAIL:
		run(admin, raw, verdict.status ? verdict.status : ADMIN_UNKNOWN);
		break;
	default:
		run(admin, raw, 0);
		break;
	}
}

void admin_queue_doorbell(struct admin_queue *admin, u32 producer)
{
	struct ring_state *ring = &admin->commands;
	u8 raw[LONG_ENTRY_BYTES] __attribute__((aligned(8)));

	/* The driver's counter has 16 bits. */
	producer &= 0xffff;
	if (!ring->ring.depth || (u16)(producer - ring->producer) > ring->ring.depth) {
		efa_log(admin->dev, "a doorbell of the admin queue makes no sense: %u after %u",
			producer, ring->producer);
		return;
	}
	while (ring->ring.depth && (u16)ring->producer != producer) {
		u32 index = ring->producer++;

		memset(raw, 0, sizeof(raw));
		if (dma_read(admin->dev->dma, entry_address(ring, index), raw,
			     ring->ring.entry_size)) {
			efa_log(admin->dev, "command %u of the admin queue is not mapped", index);
			return;
		}
		start(admin, raw);
	}
}

void admin_queue_events_consumed(struct admin_queue *admin, u32 consumer)
{
	/* No more than there are. */
	if (admin->events.producer - consumer <= admin->events.ring.depth)
		admin->events.consumer = consumer;
}

bool admin_post_event(struct admin_queue *admin, u16 group, u16 syndrome)
{
	struct efa_admin_aenq_entry entry = {};
	struct ring_state *ring = &admin->events;

	if (!ring->ring.depth || group >= 32 || !(admin->dev->aenq_groups >> group & 1))
		return false;
	if (ring->producer - ring->consumer >= ring->ring.depth)
		return false;
	entry.aenq_common_desc.group = group;
	entry.aenq_common_desc.syndrome = syndrome;
	entry.aenq_common_desc.flags = phase(ring, ring->producer);
	if (efa_publish(admin->dev, entry_address(ring, ring->producer), &entry, sizeof(entry), 8))
		return false;
	ring->producer++;
	interrupt(admin, ring->ring.vector);
	return true;
}
