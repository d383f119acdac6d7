/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Shared receive queues in their three forms: the plain SRQ of interface step 0, and since step 1
 * the RMP for ordinary QPs and the XRC SRQ. All share one number space. The entries form a linked
 * list through next_wqe_index; how many of them are posted is counted by the doorbell record, which
 * bounds every walk.
 */
#include "qp.h"

#define RMP_READY 1
#define RMP_ERROR 3
#define SRQ_STATE_ERROR 1

static u32 context_bytes(enum srq_kind kind)
{
	switch (kind) {
	case SRQ_RMP: /* without the page list */
		return IFC_BYTES(rmpc);
	case SRQ_XRC:
		return IFC_BYTES(xrc_srqc);
	default:
		return IFC_BYTES(srqc);
	}
}

void srq_destroy(void *object)
{
	struct mlx5_srq *srq = object;

	if (srq->cq)
		cq_put(srq->cq);
	queue_buffer_destroy(&srq->buffer);
	g_free(srq->context);
	g_free(srq);
}

struct mlx5_srq *srq_find(struct mlx5_device *dev, u32 srqn)
{
	return id_table_find(dev->srqs, srqn);
}

static struct mlx5_srq *find_kind(struct mlx5_device *dev, u32 srqn, enum srq_kind kind)
{
	struct mlx5_srq *srq = srq_find(dev, srqn);

	return srq && srq->kind == kind ? srq : NULL;
}

/* Reads sizes and page list, and checks that they fit each other. */
static bool load_layout(struct mlx5_srq *srq, const u8 *pas, const struct command *cmd,
			u32 log_page_size, u32 page_offset)
{
	u32 shift = log_page_size + MLX5_PAGE_SHIFT, pages;
	u64 start, needed;

	if (srq->log_size > QUEUE_MAX_LOG || srq->log_stride < 5 ||
	    1u << srq->log_stride > WQE_MAX_BYTES || shift > 40)
		return false;
	start = (u64)page_offset << (shift - 6);
	needed = start + (1ull << (srq->log_size + srq->log_stride));
	pages = (u32)((needed + (1ull << shift) - 1) >> shift);
	if (pas + 8ull * pages > cmd->in + cmd->in_len)
		return false;
	return queue_buffer_init(&srq->buffer, pas, pages, shift, start);
}

static enum command_status add(struct mlx5_device *dev, struct mlx5_srq *srq)
{
	srq->srqn = id_table_add(dev->srqs, srq);
	if (srq->srqn)
		return COMMAND_OK;
	srq_destroy(srq);
	return COMMAND_NO_RESOURCES;
}

static struct mlx5_srq *new_srq(struct mlx5_device *dev, enum srq_kind kind, const void *context)
{
	struct mlx5_srq *srq = g_new0(struct mlx5_srq, 1);

	srq->dev = dev;
	srq->kind = kind;
	srq->context = g_malloc0(context_bytes(kind));
	memcpy(srq->context, context, context_bytes(kind));
	return srq;
}

static enum command_status create_rmp(struct mlx5_device *dev, struct command *cmd)
{
	const u8 *context = IFC_PTR(create_rmp_in, cmd->in, ctx);
	const u8 *wq = IFC_PTR(rmpc, context, wq);
	struct mlx5_srq *srq = new_srq(dev, SRQ_RMP, context);

	srq->log_size = IFC_GET(wq, wq, log_wq_sz);
	srq->log_stride = IFC_GET(wq, wq, log_wq_stride);
	srq->pd = IFC_GET(wq, wq, pd);
	srq->limit = IFC_GET(wq, wq, lwm);
	srq->doorbell_record = IFC_GET64(wq, wq, dbr_addr);
	srq->user_index = DEFAULT_USER_INDEX;
	if (IFC_GET(wq, wq, wq_signature) ||
	    !load_layout(srq, IFC_PTR(wq, wq, pas), cmd, IFC_GET(wq, wq, log_wq_pg_sz),
			 IFC_GET(wq, wq, page_offset))) {
		srq_destroy(srq);
		return COMMAND_BAD_PARAM;
	}
	if (add(dev, srq) != COMMAND_OK)
		return COMMAND_NO_RESOURCES;
	IFC_SET(create_rmp_out, cmd->out, rmpn, srq->srqn);
	return COMMAND_OK;
}

/* srqc and xrc_srqc agree in all fields that they share. */
static enum command_status create_srq_common(struct mlx5_device *dev, struct command *cmd,
					     enum srq_kind kind, const u8 *context, const u8 *pas,
					     u32 *number)
{
	struct mlx5_srq *srq = new_srq(dev, kind, context);

	srq->log_size = IFC_GET(srqc, context, log_srq_size);
	srq->log_stride = IFC_GET(srqc, context, log_rq_stride) + 4;
	srq->pd = IFC_GET(srqc, context, pd);
	srq->xrcd = IFC_GET(srqc, context, xrcd);
	srq->limit = IFC_GET(srqc, context, lwm);
	srq->doorbell_record = IFC_GET64(srqc, context, dbr_addr);
	srq->user_index = kind == SRQ_XRC ? IFC_GET(xrc_srqc, context, user_index) :
					    DEFAULT_USER_INDEX;
	if (kind == SRQ_XRC) {
		srq->cq = cq_find(dev, IFC_GET(srqc, context, cqn));
		if (!srq->cq) {
			srq_destroy(srq);
			return COMMAND_BAD_RESOURCE;
		}
		cq_get(srq->cq);
	}
	if (IFC_GET(srqc, context, wq_signature) ||
	    !load_layout(srq, pas, cmd, IFC_GET(srqc, context, log_page_size),
			 IFC_GET(srqc, context, page_offset))) {
		srq_destroy(srq);
		return COMMAND_BAD_PARAM;
	}
	if (add(dev, srq) != COMMAND_OK)
		return COMMAND_NO_RESOURCES;
	*number = srq->srqn;
	return COMMAND_OK;
}

static enum command_status create_xrc_srq(struct mlx5_device *dev, struct command *cmd)
{
	u32 number = 0;
	enum command_status status =
		create_srq_common(dev, cmd, SRQ_XRC,
				  IFC_PTR(create_xrc_srq_in, cmd->in, xrc_srq_context_entry),
				  IFC_PTR(create_xrc_srq_in, cmd->in, pas), &number);

	IFC_SET(create_xrc_srq_out, cmd->out, xrc_srqn, number);
	return status;
}

static enum command_status create_srq(struct mlx5_device *dev, struct command *cmd)
{
	u32 number = 0;
	enum command_status status =
		create_srq_common(dev, cmd, SRQ_BASIC,
				  IFC_PTR(create_srq_in, cmd->in, srq_context_entry),
				  IFC_PTR(create_srq_in, cmd->in, pas), &number);

	IFC_SET(create_srq_out, cmd->out, srqn, number);
	return status;
}

static enum command_status destroy(struct mlx5_device *dev, u32 srqn, enum srq_kind kind)
{
	if (!find_kind(dev, srqn, kind))
		return COMMAND_BAD_RESOURCE;
	id_table_remove(dev->srqs, srqn);
	return COMMAND_OK;
}

static enum command_status destroy_rmp(struct mlx5_device *dev, struct command *cmd)
{
	return destroy(dev, IFC_GET(destroy_rmp_in, cmd->in, rmpn), SRQ_RMP);
}

static enum command_status destroy_xrc_srq(struct mlx5_device *dev, struct command *cmd)
{
	return destroy(dev, IFC_GET(destroy_xrc_srq_in, cmd->in, xrc_srqn), SRQ_XRC);
}

static enum command_status destroy_srq(struct mlx5_device *dev, struct command *cmd)
{
	return destroy(dev, IFC_GET(destroy_srq_in, cmd->in, srqn), SRQ_BASIC);
}

static enum command_status query_rmp(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_srq *srq = find_kind(dev, IFC_GET(query_rmp_in, cmd->in, rmpn), SRQ_RMP);
	u8 *context = IFC_PTR(query_rmp_out, cmd->out, rmp_context);

	if (!srq)
		return COMMAND_BAD_RESOURCE;
	memcpy(context, srq->context, context_bytes(SRQ_RMP));
	IFC_SET(rmpc, context, state, srq->broken ? RMP_ERROR : RMP_READY);
	IFC_SET(wq, IFC_PTR(rmpc, context, wq), lwm, srq->limit);
	return COMMAND_OK;
}

static enum command_status query_xrc_srq(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_srq *srq = find_kind(dev, IFC_GET(query_xrc_srq_in, cmd->in, xrc_srqn),
					 SRQ_XRC);
	u8 *context = IFC_PTR(query_xrc_srq_out, cmd->out, xrc_srq_context_entry);

	if (!srq)
		return COMMAND_BAD_RESOURCE;
	memcpy(context, srq->context, context_bytes(SRQ_XRC));
	IFC_SET(xrc_srqc, context, state, srq->broken ? SRQ_STATE_ERROR : 0);
	IFC_SET(xrc_srqc, context, lwm, srq->limit);
	return COMMAND_OK;
}

static enum command_status query_srq(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_srq *srq = find_kind(dev, IFC_GET(query_srq_in, cmd->in, srqn), SRQ_BASIC);
	u8 *context = IFC_PTR(query_srq_out, cmd->out, srq_context_entry);

	if (!srq)
		return COMMAND_BAD_RESOURCE;
	memcpy(context, srq->context, context_bytes(SRQ_BASIC));
	IFC_SET(srqc, context, state, srq->broken ? SRQ_STATE_ERROR : 0);
	IFC_SET(srqc, context, lwm, srq->limit);
	return COMMAND_OK;
}

/* How many entries are posted and not taken; false if the record cannot be, or is nonsense. */
static bool filled(struct mlx5_srq *srq, u32 *count)
{
	u16 producer;

	if (doorbell_record_read(srq->dev, srq->doorbell_record, &producer))
		return false;
	*count = (u16)(producer - srq->consumer);
	return *count <= 1u << srq->log_size;
}

/* The limit event comes once for each arming. */
static void check_limit(struct mlx5_srq *srq, u32 count)
{
	if (!srq->limit || count >= srq->limit)
		return;
	srq->limit = 0;
	event_post_srq(srq->dev, EVENT_SRQ_LIMIT, srq->srqn);
}

static enum command_status arm(struct mlx5_srq *srq, u32 limit)
{
	u32 count;

	if (!srq)
		return COMMAND_BAD_RESOURCE;
	if (limit > 1u << srq->log_size)
		return COMMAND_BAD_PARAM;
	srq->limit = limit;
	if (filled(srq, &count))
		check_limit(srq, count);
	return COMMAND_OK;
}

static enum command_status modify_rmp(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_srq *srq = find_kind(dev, IFC_GET(modify_rmp_in, cmd->in, rmpn), SRQ_RMP);
	const u8 *context = IFC_PTR(modify_rmp_in, cmd->in, ctx);

	if (!srq)
		return COMMAND_BAD_RESOURCE;
	if (!IFC_GET(rmp_bitmask, IFC_PTR(modify_rmp_in, cmd->in, bitmask), lwm))
		return COMMAND_OK;
	return arm(srq, IFC_GET(wq, IFC_PTR(rmpc, context, wq), lwm));
}

static enum command_status arm_xrc_srq(struct mlx5_device *dev, struct command *cmd)
{
	return arm(find_kind(dev, IFC_GET(arm_xrc_srq_in, cmd->in, xrc_srqn), SRQ_XRC),
		   IFC_GET(arm_xrc_srq_in, cmd->in, lwm));
}

static enum command_status arm_rq(struct mlx5_device *dev, struct command *cmd)
{
	return arm(find_kind(dev, IFC_GET(arm_rq_in, cmd->in, srq_number), SRQ_BASIC),
		   IFC_GET(arm_rq_in, cmd->in, lwm));
}

static enum receive_status break_queue(struct mlx5_srq *srq, const char *why)
{
	mlx5_log(srq->dev, "SRQ 0x%x stops: %s", srq->srqn, why);
	srq->broken = true;
	event_post_srq(srq->dev, EVENT_SRQ_FATAL, srq->srqn);
	return RECEIVE_BROKEN;
}

enum receive_status srq_take(struct mlx5_srq *srq, u16 *index, u8 *wqe, size_t *len)
{
	u32 count, next;

	if (srq->broken)
		return RECEIVE_BROKEN;
	if (!filled(srq, &count))
		return break_queue(srq, "the doorbell record is not mapped or beyond the queue");
	if (!count)
		return RECEIVE_EMPTY;
	*len = 1u << srq->log_stride;
	if (queue_buffer_read(srq->dev, &srq->buffer, (u64)srq->head << srq->log_stride, wqe, *len))
		return break_queue(srq, "the queue cannot be read");
	next = (u32)wqe[2] << 8 | wqe[3];
	if (next >= 1u << srq->log_size)
		return break_queue(srq, "an entry links outside of the queue");
	*index = srq->head;
	srq->head = (u16)next;
	srq->consumer++;
	check_limit(srq, count - 1);
	return RECEIVE_TAKEN;
}

#define ENTRY(op, type, fn)                                                                       \
	{                                                                                         \
		op, #type, IFC_BYTES(type##_in), IFC_BYTES(type##_out), fn                        \
	}

const struct command_entry srq_commands[] = {
	ENTRY(MLX5_CMD_OP_CREATE_SRQ, create_srq, create_srq),
	ENTRY(MLX5_CMD_OP_DESTROY_SRQ, destroy_srq, destroy_srq),
	ENTRY(MLX5_CMD_OP_QUERY_SRQ, query_srq, query_srq),
	ENTRY(MLX5_CMD_OP_ARM_RQ, arm_rq, arm_rq),
	ENTRY(MLX5_CMD_OP_CREATE_XRC_SRQ, create_xrc_srq, create_xrc_srq),
	ENTRY(MLX5_CMD_OP_DESTROY_XRC_SRQ, destroy_xrc_srq, destroy_xrc_srq),
	ENTRY(MLX5_CMD_OP_QUERY_XRC_SRQ, query_xrc_srq, query_xrc_srq),
	ENTRY(MLX5_CMD_OP_ARM_XRC_SRQ, arm_xrc_srq, arm_xrc_srq),
	ENTRY(MLX5_CMD_OP_CREATE_RMP, create_rmp, create_rmp),
	ENTRY(MLX5_CMD_OP_MODIFY_RMP, modify_rmp, modify_rmp),
	ENTRY(MLX5_CMD_OP_DESTROY_RMP, destroy_rmp, destroy_rmp),
	ENTRY(MLX5_CMD_OP_QUERY_RMP, query_rmp, query_rmp),
	{ 0 },
};
