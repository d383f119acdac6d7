/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Completion queues. The host arms with the consumer index it has reached; a queue that holds a
 * completion beyond that index and beyond what the last event told of (a solicited one, if armed
 * for those only) raises its event at once, else the next such completion does. So each completion
 * is told of once, also to a program that arms before it polls. Unverified on silicon, but the CQ
 * context has a "last notified index", and programs that poll once for each event rely on it.
 */
#include "device.h"

#define CQE_BYTES 64u
#define INDEX_MASK 0xffffffu
#define DOORBELL_SOLICITED_ONLY (1u << 24)

enum { CQE_64 = 0, CQE_128 = 1, CQE_128_PADDED = 2 };
#define TIMESTAMP_BIT_OFFSET (48 * 8)

enum { OPCODE_RESIZE = 5, OPCODE_REQUEST_ERROR = 13 };
enum { STATUS_OK = 0, STATUS_OVERFLOW = 9, STATUS_WRITE_FAILURE = 10 };
enum { ERROR_OVERRUN = 1, ERROR_ACCESS = 2 };
enum { MODIFY_RESIZE = 1 };
enum { SELECT_OVERRUN = 1 << 2 };
enum { RESIZE_LOG_SIZE = 1 << 0 };
enum armed { ARMED_NOT, ARMED_NEXT, ARMED_SOLICITED };

struct mlx5_cq {
	struct mlx5_device *dev;
	u32 cqn, eqn, uar;
	struct queue_buffer buffer;
	u32 log_size, entry_size, cqe_size_code;
	u64 doorbell_record;
	bool overrun_ignored;
	u16 moderation_count, moderation_period;
	u32 producer, consumer; /* never wrapped by the queue's size */
	u32 notified;		/* producer index at the last event */
	u32 solicited;		/* producer index after the last solicited completion */
	bool any_solicited;
	enum armed armed;
	u8 status;
	u32 users;
};

struct mlx5_cq *cq_find(struct mlx5_device *dev, u32 cqn)
{
	return id_table_find(dev->cqs, cqn);
}

void cq_get(struct mlx5_cq *cq)
{
	cq->users++;
}

void cq_put(struct mlx5_cq *cq)
{
	if (cq->users)
		cq->users--;
}

void completion_queue_destroy(void *object)
{
	struct mlx5_cq *cq = object;

	queue_buffer_destroy(&cq->buffer);
	g_free(cq);
}

/* True if the host has not consumed everything below `index` when it is at `consumer`. */
static bool beyond(u32 index, u32 consumer)
{
	u32 distance = (index - consumer) & INDEX_MASK;

	return distance && distance <= INDEX_MASK / 2;
}

static void raise_event(struct mlx5_cq *cq)
{
	u32 data[7] = {};

	cq->armed = ARMED_NOT;
	cq->notified = cq->producer;
	/* A driver that waits for it has to look by itself. */
	if (cq->dev->knobs && knob_check(cq->dev->knobs, "completion_event").action == KNOB_DROP)
		return;
	data[6] = htobe32(cq->cqn);
	event_post_to(cq->dev, cq->eqn, EVENT_COMPLETION, 0, data, sizeof(data));
}

static void fail(struct mlx5_cq *cq, u8 status, u8 syndrome)
{
	u8 data[12] = {};
	u32 cqn = htobe32(cq->cqn);

	if (cq->status != STATUS_OK)
		return;
	cq->status = status;
	memcpy(data, &cqn, sizeof(cqn));
	data[11] = syndrome;
	event_post(cq->dev, EVENT_CQ_ERROR, 0, data, sizeof(data));
}

static bool read_consumer(struct mlx5_cq *cq)
{
	u32 record;

	if (dma_read(cq->dev->dma, cq->doorbell_record, &record, sizeof(record)))
		return false;
	cq->consumer = be32toh(record) & INDEX_MASK;
	return true;
}

static bool full(struct mlx5_cq *cq)
{
	u32 entries = 1u << cq->log_size;

	if (((cq->producer - cq->consumer) & INDEX_MASK) < entries)
		return false;
	/* The record in host memory is read only when it matters. */
	return !read_consumer(cq) || ((cq->producer - cq->consumer) & INDEX_MASK) >= entries;
}

static bool write_entry(struct mlx5_cq *cq, u8 cqe[CQE_BYTES])
{
	u64 offset = (u64)(cq->producer & ((1u << cq->log_size) - 1)) * cq->entry_size;

	cqe[CQE_BYTES - 1] = (cqe[CQE_BYTES - 1] & 0xfe) | (cq->producer >> cq->log_size & 1);
	/* The last 64 bytes of a 128 byte entry are the completion. */
	if (queue_buffer_publish(cq->dev, &cq->buffer, offset + cq->entry_size - CQE_BYTES, cqe,
				 CQE_BYTES, sizeof(u32)))
		return false;
	cq->producer++;
	return true;
}

void cq_post(struct mlx5_device *dev, struct mlx5_cq *cq, u8 cqe[64], bool solicited)
{
	if (cq->status != STATUS_OK)
		return;
	if (full(cq) && !cq->overrun_ignored) {
		mlx5_log(dev, "CQ 0x%x: overrun, %u entries", cq->cqn, 1u << cq->log_size);
		fail(cq, STATUS_OVERFLOW, ERROR_OVERRUN);
		return;
	}
	/* Completions with error have their syndrome there. */
	if (cqe[CQE_BYTES - 1] >> 4 < OPCODE_REQUEST_ERROR)
		ifc_set64(cqe, TIMESTAMP_BIT_OFFSET, mlx5_clock());
	if (!write_entry(cq, cqe)) {
		mlx5_log(dev, "CQ 0x%x: entry %u is not mapped", cq->cqn, cq->producer);
		fail(cq, STATUS_WRITE_FAILURE, ERROR_ACCESS);
		return;
	}
	(*dev->count.cqes)++;
	if (solicited) {
		cq->solicited = cq->producer;
		cq->any_solicited = true;
	}
	if (cq->armed == ARMED_NEXT || (cq->armed == ARMED_SOLICITED && solicited))
		raise_event(cq);
}

void cq_doorbell(struct mlx5_device *dev, u32 command_and_index, u32 cqn)
{
	struct mlx5_cq *cq = cq_find(dev, cqn & INDEX_MASK);
	bool solicited = command_and_index & DOORBELL_SOLICITED_ONLY;
	u32 news;

	if (!cq || cq->status != STATUS_OK)
		return;
	cq->consumer = command_and_index & INDEX_MASK;
	cq->armed = solicited ? ARMED_SOLICITED : ARMED_NEXT;
	if (solicited && !cq->any_solicited)
		return;
	news = solicited ? cq->solicited : cq->producer;
	if (beyond(news, cq->consumer) && beyond(news, cq->notified))
		raise_event(cq);
}

static bool geometry(const void *context, u32 *log_size, u32 *entry_size)
{
	u32 code = IFC_GET(cqc, context, cqe_sz);

	*log_size = IFC_GET(cqc, context, log_cq_size);
	*entry_size = code == CQE_64 ? CQE_BYTES : 2 * CQE_BYTES;
	return code <= CQE_128_PADDED && *log_size <= MLX5_LOG_MAX_CQ_SIZE;
}

static enum command_status load_buffer(struct queue_buffer *buffer, const void *context,
				       const void *pas, u32 pas_len)
{
	u32 shift = IFC_GET(cqc, context, log_page_size) + MLX5_PAGE_SHIFT;
	u64 start = (u64)IFC_GET(cqc, context, page_offset) << (shift - 6);
	u32 pages = pas_len / sizeof(u64), log_size, entry_size;

	if (!geometry(context, &log_size, &entry_size))
		return COMMAND_BAD_PARAM;
	if (((u64)pages << shift) < start + ((u64)entry_size << log_size))
		return COMMAND_BAD_INPUT_LEN;
	return queue_buffer_init(buffer, pas, pages, shift, start) ? COMMAND_OK
								   : COMMAND_BAD_PARAM;
}

static enum command_status create_cq(struct mlx5_device *dev, struct command *cmd)
{
	const void *context = IFC_PTR(create_cq_in, cmd->in, cq_context);
	u32 pas_offset = IFC_BIT_OFFSET(create_cq_in, pas) / 8;
	u32 eqn = IFC_GET(cqc, context, c_eqn_or_apu_element);
	enum command_status status;
	struct mlx5_cq *cq;

	if (IFC_GET(create_cq_in, cmd->in, cq_umem_valid) ||
	    IFC_GET(cqc, context, dbr_umem_valid) || IFC_GET(cqc, context, cqe_comp_en) ||
	    IFC_GET(cqc, context, apu_cq))
		return COMMAND_BAD_PARAM;
	if (!id_table_find(dev->eqs, eqn))
		return COMMAND_BAD_RESOURCE;
	cq = g_new0(struct mlx5_cq, 1);
	status = load_buffer(&cq->buffer, context, IFC_PTR(create_cq_in, cmd->in, pas),
			     cmd->in_len - pas_offset);
	if (status) {
		g_free(cq);
		return status;
	}
	geometry(context, &cq->log_size, &cq->entry_size);
	cq->dev = dev;
	cq->eqn = eqn;
	cq->uar = IFC_GET(cqc, context, uar_page);
	cq->cqe_size_code = IFC_GET(cqc, context, cqe_sz);
	cq->overrun_ignored = IFC_GET(cqc, context, oi);
	cq->doorbell_record = IFC_GET64(cqc, context, dbr_addr);
	cq->cqn = id_table_add(dev->cqs, cq);
	if (!cq->cqn) {
		completion_queue_destroy(cq);
		return COMMAND_EXCEED_LIMIT;
	}
	IFC_SET(create_cq_out, cmd->out, cqn, cq->cqn);
	return COMMAND_OK;
}

static enum command_status destroy_cq(struct mlx5_device *dev, struct command *cmd)
{
	u32 cqn = IFC_GET(destroy_cq_in, cmd->in, cqn);
	struct mlx5_cq *cq = cq_find(dev, cqn);

	if (!cq)
		return COMMAND_BAD_RESOURCE;
	if (cq->users)
		return COMMAND_RESOURCE_BUSY;
	id_table_remove(dev->cqs, cqn);
	return COMMAND_OK;
}

static enum command_status query_cq(struct mlx5_device *dev, struct command *cmd)
{
	void *context = IFC_PTR(query_cq_out, cmd->out, cq_context);
	struct mlx5_cq *cq = cq_find(dev, IFC_GET(query_cq_in, cmd->in, cqn));

	if (!cq)
		return COMMAND_BAD_RESOURCE;
#define FIELD(field, value) IFC_SET(cqc, context, field, value)
	FIELD(status, cq->status);
	FIELD(st, cq->armed == ARMED_NEXT ? 9 : cq->armed == ARMED_SOLICITED ? 6 : 10);
	FIELD(cqe_sz, cq->cqe_size_code);
	FIELD(oi, cq->overrun_ignored);
	FIELD(log_cq_size, cq->log_size);
	FIELD(uar_page, cq->uar);
	FIELD(c_eqn_or_apu_element, cq->eqn);
	FIELD(log_page_size, cq->buffer.page_shift - MLX5_PAGE_SHIFT);
	FIELD(consumer_counter, cq->consumer & INDEX_MASK);
	FIELD(producer_counter, cq->producer & INDEX_MASK);
	FIELD(last_notified_index, cq->notified & INDEX_MASK);
#undef FIELD
	IFC_SET64(cqc, context, dbr_addr, cq->doorbell_record);
	return COMMAND_OK;
}

/*
 * The old buffer gets a last entry that says "resized"; the host moves what it has not consumed to
 * the new one, and the device goes on there with the next index.
 */
static enum command_status resize(struct mlx5_cq *cq, const void *context, const void *pas,
				  u32 pas_len)
{
	u32 log_size, entry_size, outstanding;
	u8 cqe[CQE_BYTES] = {};
	struct queue_buffer buffer;
	enum command_status status;

	if (!geometry(context, &log_size, &entry_size) || entry_size != cq->entry_size)
		return COMMAND_BAD_PARAM;
	/* What the device remembers of the consumer may be old: the host's record has the word. */
	if (cq->status != STATUS_OK || !read_consumer(cq))
		return COMMAND_BAD_RES_STATE;
	outstanding = (cq->producer - cq->consumer) & INDEX_MASK;
	if (outstanding + 1 > MIN(1u << log_size, 1u << cq->log_size))
		return COMMAND_BAD_SIZE;
	status = load_buffer(&buffer, context, pas, pas_len);
	if (status)
		return status;
	cqe[CQE_BYTES - 1] = OPCODE_RESIZE << 4;
	if (!write_entry(cq, cqe)) {
		queue_buffer_destroy(&buffer);
		return COMMAND_BAD_PARAM;
	}
	queue_buffer_destroy(&cq->buffer);
	cq->buffer = buffer;
	cq->log_size = log_size;
	return COMMAND_OK;
}

static enum command_status modify_cq(struct mlx5_device *dev, struct command *cmd)
{
	const void *context = IFC_PTR(modify_cq_in, cmd->in, cq_context);
	struct mlx5_cq *cq = cq_find(dev, IFC_GET(modify_cq_in, cmd->in, cqn));
	u32 pas_offset = IFC_BIT_OFFSET(modify_cq_in, pas) / 8;
	u32 select = IFC_GET(modify_cq_in, cmd->in, modify_field_select_resize_field_select);

	if (!cq)
		return COMMAND_BAD_RESOURCE;
	if (cmd->op_mod == MODIFY_RESIZE) {
		if (!(select & RESIZE_LOG_SIZE) ||
		    IFC_GET(modify_cq_in, cmd->in, cq_umem_valid))
			return COMMAND_BAD_PARAM;
		if (cmd->in_len < pas_offset)
			return COMMAND_BAD_INPUT_LEN;
		return resize(cq, context, IFC_PTR(modify_cq_in, cmd->in, pas),
			      cmd->in_len - pas_offset);
	}
	/* Moderation is not claimed in the capabilities: every armed queue fires at once. */
	if (cmd->op_mod || select & ~SELECT_OVERRUN)
		return COMMAND_BAD_PARAM;
	if (select & SELECT_OVERRUN)
		cq->overrun_ignored = IFC_GET(cqc, context, oi);
	return COMMAND_OK;
}

const struct command_entry completion_queue_commands[] = {
	{0x400, "CREATE_CQ", IFC_BYTES(create_cq_in) + 8, IFC_BYTES(create_cq_out), create_cq},
	{0x401, "DESTROY_CQ", IFC_BYTES(destroy_cq_in), 8, destroy_cq},
	{0x402, "QUERY_CQ", IFC_BYTES(query_cq_in), IFC_BYTES(query_cq_out), query_cq},
	{0x403, "MODIFY_CQ", IFC_BYTES(modify_cq_in), 8, modify_cq},
	{},
};
