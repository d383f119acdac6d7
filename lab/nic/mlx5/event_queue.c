/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Event queues. An interrupt is raised only for an armed queue, and raising it disarms: the host
 * arms again with the consumer index it has reached, and gets an interrupt at once if there is
 * more. Events for a full queue are lost, the queue's state then says so.
 */
#include "device.h"

#define EQE_BYTES 64u
#define EQE_DATA_OFFSET 32
#define EQE_DATA_BYTES 28u
#define INDEX_MASK 0xffffffu
#define EVENT_MASK_WORDS 4

enum { STATUS_OK = 0, STATUS_OVERFLOW = 9, STATUS_WRITE_FAILURE = 10 };

struct mlx5_eq {
	struct mlx5_device *dev;
	u32 eqn;
	struct queue_buffer buffer;
	u32 log_size, uar, vector;
	u64 events[EVENT_MASK_WORDS];
	u32 producer, consumer; /* never wrapped by the queue's size */
	bool armed;
	u8 status;
};

void event_queue_destroy(void *object)
{
	struct mlx5_eq *eq = object;

	queue_buffer_destroy(&eq->buffer);
	g_free(eq);
}

bool event_queue_wants(const struct mlx5_eq *eq, u8 type)
{
	return eq->events[type / 64] >> type % 64 & 1;
}

static void raise_if_armed(struct mlx5_eq *eq)
{
	if (!eq->armed || !((eq->producer - eq->consumer) & INDEX_MASK))
		return;
	eq->armed = false;
	pci_device_interrupt(eq->dev->pci, eq->vector);
}

static void post(struct mlx5_eq *eq, u8 type, u8 subtype, const void *data, size_t len)
{
	struct mlx5_device *dev = eq->dev;
	u32 entries = 1u << eq->log_size;
	u8 eqe[EQE_BYTES] = {};

	if (((eq->producer - eq->consumer) & INDEX_MASK) >= entries) {
		if (eq->status == STATUS_OK)
			mlx5_log(dev, "EQ %u is full (%u entries), event 0x%x is lost", eq->eqn,
				 entries, type);
		eq->status = STATUS_OVERFLOW;
		return;
	}
	eqe[1] = type;
	eqe[3] = subtype;
	memcpy(eqe + EQE_DATA_OFFSET, data, MIN(len, EQE_DATA_BYTES));
	eqe[EQE_BYTES - 1] = eq->producer >> eq->log_size & 1;
	if (queue_buffer_publish(dev, &eq->buffer, (u64)(eq->producer & (entries - 1)) * EQE_BYTES,
				 eqe, EQE_BYTES, sizeof(u32))) {
		mlx5_log(dev, "EQ %u: entry %u is not mapped", eq->eqn, eq->producer);
		eq->status = STATUS_WRITE_FAILURE;
		return;
	}
	eq->producer++;
	(*dev->count.eqes)++;
	raise_if_armed(eq);
}

struct posting {
	u8 type, subtype;
	const void *data;
	size_t len;
	bool taken;
};

static void post_if_wanted(void *object, void *opaque)
{
	struct posting *posting = opaque;

	if (!event_queue_wants(object, posting->type))
		return;
	posting->taken = true;
	post(object, posting->type, posting->subtype, posting->data, posting->len);
}

void event_post(struct mlx5_device *dev, u8 type, u8 subtype, const void *data, size_t len)
{
	struct posting posting = {.type = type, .subtype = subtype, .data = data, .len = len};

	id_table_for_each(dev->eqs, post_if_wanted, &posting);
	/* The queue for command events is destroyed by a command. */
	if (!posting.taken && type != EVENT_COMMAND)
		mlx5_log(dev, "no EQ takes event 0x%x", type);
}

void event_post_to(struct mlx5_device *dev, u32 eqn, u8 type, u8 subtype, const void *data,
		   size_t len)
{
	struct mlx5_eq *eq = id_table_find(dev->eqs, eqn);

	if (eq)
		post(eq, type, subtype, data, len);
	else
		mlx5_log(dev, "event 0x%x for EQ %u, which does not exist", type, eqn);
}

static void post_number(struct mlx5_device *dev, u8 type, u32 number, u8 queue_type)
{
	u32 data[7] = {};

	data[5] = htobe32((u32)queue_type << 24);
	data[6] = htobe32(number);
	event_post(dev, type, 0, data, sizeof(data));
}

void event_post_qp(struct mlx5_device *dev, u8 type, u32 qpn, u8 queue_type)
{
	post_number(dev, type, qpn, queue_type);
}

void event_post_srq(struct mlx5_device *dev, u8 type, u32 srqn)
{
	post_number(dev, type, srqn, 0);
}

void event_queue_arm(struct mlx5_device *dev, u32 eqn_and_index, bool arm)
{
	struct mlx5_eq *eq = id_table_find(dev->eqs, eqn_and_index >> 24);

	if (!eq)
		return;
	eq->consumer = eqn_and_index & INDEX_MASK;
	if (eq->status == STATUS_OVERFLOW)
		eq->status = STATUS_OK;
	if (!arm)
		return;
	eq->armed = true;
	raise_if_armed(eq);
}

static enum command_status create_eq(struct mlx5_device *dev, struct command *cmd)
{
	const void *context = IFC_PTR(create_eq_in, cmd->in, eq_context_entry);
	u32 pas_offset = IFC_BIT_OFFSET(create_eq_in, pas) / 8;
	u32 log_size = IFC_GET(eqc, context, log_eq_size);
	u32 vector = IFC_GET(eqc, context, intr);
	u32 shift = IFC_GET(eqc, context, log_page_size) + MLX5_PAGE_SHIFT;
	u64 start = (u64)IFC_GET(eqc, context, page_offset) << (shift - 6);
	struct mlx5_eq *eq;
	u32 pages;

	if (log_size > MLX5_LOG_MAX_EQ_SIZE || vector >= MLX5_VECTORS)
		return COMMAND_BAD_PARAM;
	pages = (cmd->in_len - pas_offset) / sizeof(u64);
	if (((u64)pages << shift) < start + ((u64)EQE_BYTES << log_size))
		return COMMAND_BAD_INPUT_LEN;
	eq = g_new0(struct mlx5_eq, 1);
	if (!queue_buffer_init(&eq->buffer, IFC_PTR(create_eq_in, cmd->in, pas), pages, shift,
			       start)) {
		g_free(eq);
		return COMMAND_BAD_PARAM;
	}
	eq->dev = dev;
	eq->log_size = log_size;
	eq->vector = vector;
	eq->uar = IFC_GET(eqc, context, uar_page);
	for (int i = 0; i < EVENT_MASK_WORDS; i++)
		eq->events[i] = ifc_get64(cmd->in, IFC_BIT_OFFSET(create_eq_in, event_bitmask) +
							   i * 64);
	eq->eqn = id_table_add(dev->eqs, eq);
	if (!eq->eqn) {
		event_queue_destroy(eq);
		return COMMAND_EXCEED_LIMIT;
	}
	IFC_SET(create_eq_out, cmd->out, eq_number, eq->eqn);
	return COMMAND_OK;
}

static enum command_status destroy_eq(struct mlx5_device *dev, struct command *cmd)
{
	u32 eqn = IFC_GET(destroy_eq_in, cmd->in, eq_number);

	return id_table_remove(dev->eqs, eqn) ? COMMAND_OK : COMMAND_BAD_RESOURCE;
}

static enum command_status query_eq(struct mlx5_device *dev, struct command *cmd)
{
	void *context = IFC_PTR(query_eq_out, cmd->out, eq_context_entry);
	struct mlx5_eq *eq = id_table_find(dev->eqs, IFC_GET(query_eq_in, cmd->in, eq_number));

	if (!eq)
		return COMMAND_BAD_RESOURCE;
	IFC_SET(eqc, context, status, eq->status);
	IFC_SET(eqc, context, st, eq->armed ? 9 : 10); /* armed, fired */
	IFC_SET(eqc, context, log_eq_size, eq->log_size);
	IFC_SET(eqc, context, uar_page, eq->uar);
	IFC_SET(eqc, context, intr, eq->vector);
	IFC_SET(eqc, context, log_page_size, eq->buffer.page_shift - MLX5_PAGE_SHIFT);
	IFC_SET(eqc, context, consumer_counter, eq->consumer & INDEX_MASK);
	IFC_SET(eqc, context, producer_counter, eq->producer & INDEX_MASK);
	IFC_SET64(query_eq_out, cmd->out, event_bitmask, eq->events[0]);
	return COMMAND_OK;
}

const struct command_entry event_queue_commands[] = {
	{0x301, "CREATE_EQ", IFC_BYTES(create_eq_in) + 8, IFC_BYTES(create_eq_out), create_eq},
	{0x302, "DESTROY_EQ", IFC_BYTES(destroy_eq_in), 8, destroy_eq},
	{0x303, "QUERY_EQ", IFC_BYTES(query_eq_in), IFC_BYTES(query_eq_out), query_eq},
	{},
};
