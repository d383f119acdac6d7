/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Queue pairs as objects: creation with all that is checked then, and destruction. */
#include "qp.h"

#define MAX_PAGE_SHIFT 40
#define LARGEST_LOG_STRIDE 6 /* 1 KiB */

struct mlx5_qp *qp_find(struct mlx5_device *dev, u32 qpn)
{
	return id_table_find(dev->qps, qpn);
}

void qp_destroy(void *object)
{
	struct mlx5_qp *qp = object;

	if (qp->schedule) {
		/* In another machine it waits on when this one is reset. */
		responder_wake_waiter(qp);
		requester_reset(qp);
		schedule_detach(qp);
	}
	if (qp->send_cq)
		cq_put(qp->send_cq);
	if (qp->receive_cq)
		cq_put(qp->receive_cq);
	queue_buffer_destroy(&qp->buffer);
	g_free(qp->context);
	g_free(qp);
}

static bool known_service(u32 service)
{
	switch (service) {
	case SERVICE_RC:
	case SERVICE_UC:
	case SERVICE_UD:
	case SERVICE_XRC:
	case SERVICE_QP0:
	case SERVICE_QP1:
	case SERVICE_REG_UMR:
		return true;
	default:
		return false;
	}
}

/* Options that would change the layout of queues or the order of messages. */
static bool asks_for_more(const void *qpc)
{
	return IFC_GET(qpc, qpc, wq_signature) || IFC_GET(qpc, qpc, ulp_stateless_offload_mode) ||
	       IFC_GET(qpc, qpc, offload_type) || IFC_GET(qpc, qpc, cd_master) ||
	       IFC_GET(qpc, qpc, cd_slave_send) || IFC_GET(qpc, qpc, cd_slave_receive);
}

/* Where the two queues lie in the buffer, and whether the page list covers them. */
static enum command_status load_queues(struct mlx5_qp *qp, const struct command *cmd)
{
	const u8 *qpc = (const u8 *)qp->context;
	const u8 *pas = IFC_PTR(create_qp_in, cmd->in, pas);
	u32 shift = IFC_GET(qpc, qpc, log_page_size) + MLX5_PAGE_SHIFT, pages;
	u64 start, receive_bytes = 0, bytes;

	qp->log_sq = IFC_GET(qpc, qpc, log_sq_size);
	qp->log_rq = IFC_GET(qpc, qpc, log_rq_size);
	qp->log_rq_stride = IFC_GET(qpc, qpc, log_rq_stride);
	qp->has_sq = !IFC_GET(qpc, qpc, no_sq);
	qp->has_rq = qp->receive_type == RECEIVE_OWN;
	if (qp->has_rq) {
		if (qp->log_rq_stride > LARGEST_LOG_STRIDE)
			return COMMAND_BAD_PARAM;
		receive_bytes = (u64)WQE_SEGMENT << (qp->log_rq + qp->log_rq_stride);
	}
	qp->sq_offset = receive_bytes;
	bytes = receive_bytes + (qp->has_sq ? (u64)WQE_BASIC_BLOCK << qp->log_sq : 0);
	if (!bytes)
		return COMMAND_OK;
	if (shift > MAX_PAGE_SHIFT)
		return COMMAND_BAD_PARAM;
	start = (u64)IFC_GET(qpc, qpc, page_offset) << (shift - 6);
	pages = (u32)((start + bytes + (1ull << shift) - 1) >> shift);
	if (pas + 8ull * pages > cmd->in + cmd->in_len)
		return COMMAND_BAD_SIZE;
	return queue_buffer_init(&qp->buffer, pas, pages, shift, start) ? COMMAND_OK :
									  COMMAND_NO_RESOURCES;
}

static bool take_cq(struct mlx5_device *dev, u32 cqn, struct mlx5_cq **cq)
{
	*cq = cq_find(dev, cqn);
	if (*cq)
		cq_get(*cq);
	return *cq;
}

static enum command_status build(struct mlx5_qp *qp, const struct command *cmd)
{
	struct mlx5_device *dev = qp->dev;
	const u8 *qpc = (const u8 *)qp->context;
	u32 service = IFC_GET(qpc, qpc, st), receive_type = IFC_GET(qpc, qpc, rq_type);
	enum command_status status;

	if (!known_service(service) || asks_for_more(qpc))
		return COMMAND_BAD_PARAM;
	if (receive_type != RECEIVE_OWN && receive_type != RECEIVE_SHARED &&
	    receive_type != RECEIVE_NONE)
		return COMMAND_BAD_PARAM;
	qp->service = service;
	qp->receive_type = receive_type;
	qp->user_index = IFC_GET(qpc, qpc, user_index);
	qp->xrcd = IFC_GET(qpc, qpc, xrcd);
	qp->srqn = IFC_GET(qpc, qpc, srqn_rmpn_xrqn);
	qp->doorbell_record = IFC_GET64(qpc, qpc, dbr_addr);
	status = load_queues(qp, cmd);
	if (status != COMMAND_OK)
		return status;
	if (qp->receive_type == RECEIVE_SHARED && !srq_find(dev, qp->srqn))
		return COMMAND_BAD_RESOURCE;
	/* A QP that has no queue to complete may name no CQ. */
	if (!take_cq(dev, IFC_GET(qpc, qpc, cqn_snd), &qp->send_cq) && qp->has_sq)
		return COMMAND_BAD_RESOURCE;
	if (!take_cq(dev, IFC_GET(qpc, qpc, cqn_rcv), &qp->receive_cq) &&
	    qp->receive_type != RECEIVE_NONE)
		return COMMAND_BAD_RESOURCE;
	return schedule_attach(qp) ? COMMAND_OK : COMMAND_NO_RESOURCES;
}

static enum command_status create_qp(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_qp *qp = g_new0(struct mlx5_qp, 1);
	enum command_status status;

	qp->dev = dev;
	qp->context = g_malloc0(IFC_BYTES(qpc));
	memcpy(qp->context, IFC_PTR(create_qp_in, cmd->in, qpc), IFC_BYTES(qpc));
	status = build(qp, cmd);
	if (status != COMMAND_OK) {
		qp_destroy(qp);
		return status;
	}
	qp_load_context(qp);
	qp->qpn = id_table_add(dev->qps, qp);
	if (!qp->qpn) {
		qp_destroy(qp);
		return COMMAND_NO_RESOURCES;
	}
	IFC_SET(create_qp_out, cmd->out, qpn, qp->qpn);
	return COMMAND_OK;
}

static enum command_status destroy_qp(struct mlx5_device *dev, struct command *cmd)
{
	u32 qpn = IFC_GET(destroy_qp_in, cmd->in, qpn);
	struct mlx5_qp *qp = qp_find(dev, qpn);

	if (!qp)
		return COMMAND_BAD_RESOURCE;
	qp_reset(qp);
	multicast_forget(dev, qpn);
	id_table_remove(dev->qps, qpn);
	return COMMAND_OK;
}

void qp_send_doorbell(struct mlx5_device *dev, u32 qpn, const u8 *data, unsigned int size)
{
	struct mlx5_qp *qp = qp_find(dev, qpn);

	/* The record counts; a copy of the WQE in the doorbell says nothing new. */
	(void)data;
	(void)size;
	if (qp)
		schedule_ready(qp);
}

#define ENTRY(op, type, fn)                                                                       \
	{                                                                                         \
		op, #type, IFC_BYTES(type##_in), IFC_BYTES(type##_out), fn                        \
	}

const struct command_entry qp_commands[] = {
	ENTRY(MLX5_CMD_OP_CREATE_QP, create_qp, create_qp),
	ENTRY(MLX5_CMD_OP_DESTROY_QP, destroy_qp, destroy_qp),
	ENTRY(MLX5_CMD_OP_RST2INIT_QP, rst2init_qp, qp_modify),
	ENTRY(MLX5_CMD_OP_INIT2RTR_QP, init2rtr_qp, qp_modify),
	ENTRY(MLX5_CMD_OP_RTR2RTS_QP, rtr2rts_qp, qp_modify),
	ENTRY(MLX5_CMD_OP_RTS2RTS_QP, rts2rts_qp, qp_modify),
	ENTRY(MLX5_CMD_OP_SQERR2RTS_QP, sqerr2rts_qp, qp_modify),
	ENTRY(MLX5_CMD_OP_2ERR_QP, qp_2err, qp_modify),
	ENTRY(MLX5_CMD_OP_2RST_QP, qp_2rst, qp_modify),
	ENTRY(MLX5_CMD_OP_INIT2INIT_QP, init2init_qp, qp_modify),
	ENTRY(MLX5_CMD_OP_QUERY_QP, query_qp, qp_query),
	ENTRY(MLX5_CMD_OP_ATTACH_TO_MCG, attach_to_mcg, multicast_attach),
	ENTRY(MLX5_CMD_OP_DETACH_FROM_MCG, detach_from_mcg, multicast_detach),
	{ 0 },
};
