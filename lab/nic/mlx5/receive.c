/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Receive work requests: where they come from (the QP's own queue or a shared one), and how they
 * complete. Which number a completion carries besides the QP's depends on the CQE version: with
 * version 0 the SRQ's number or 0, with version 1 the user index of the QP, or of the XRC SRQ.
 */
#include "qp.h"

static u32 completion_owner(const struct mlx5_qp *qp, const struct mlx5_srq *srq)
{
	u32 user_index = srq && srq->kind == SRQ_XRC ? srq->user_index : qp->user_index;

	if (qp->dev->cqe_version && user_index != DEFAULT_USER_INDEX)
		return user_index;
	return srq ? srq->srqn : 0;
}

static enum receive_status take_own(struct mlx5_qp *qp, struct receive_wqe *receive)
{
	u32 mask = (1u << qp->log_rq) - 1, stride = WQE_SEGMENT << qp->log_rq_stride;
	u8 list[WQE_MAX_BYTES];
	u16 producer, filled;

	if (doorbell_record_read(qp->dev, qp->doorbell_record, &producer))
		return RECEIVE_BROKEN;
	filled = (u16)(producer - qp->responder.consumer);
	if (!filled)
		return RECEIVE_EMPTY;
	if (filled > mask + 1 ||
	    queue_buffer_read(qp->dev, &qp->buffer,
			      (u64)(qp->responder.consumer & mask) * stride, list, stride))
		return RECEIVE_BROKEN;
	receive->index = qp->responder.consumer++;
	receive->pd = qp->pd;
	receive->cqe_owner = completion_owner(qp, NULL);
	receive->segment_count = scatter_list_parse(list, stride, receive->segments,
						    &receive->capacity);
	return RECEIVE_TAKEN;
}

enum receive_status receive_take(struct mlx5_qp *qp, struct mlx5_srq *srq,
				 struct receive_wqe *receive)
{
	u8 wqe[WQE_MAX_BYTES];
	enum receive_status status;
	size_t len;

	receive->shared = false;
	receive->srqn = 0;
	if (!srq && qp->receive_type == RECEIVE_SHARED)
		srq = srq_find(qp->dev, qp->srqn);
	else if (!srq)
		return qp->has_rq ? take_own(qp, receive) : RECEIVE_EMPTY;
	if (!srq)
		return RECEIVE_BROKEN;
	status = srq_take(srq, &receive->index, wqe, &len);
	if (status != RECEIVE_TAKEN)
		return status;
	receive->shared = true;
	receive->srqn = srq->srqn;
	receive->pd = srq->pd;
	receive->cqe_owner = completion_owner(qp, srq);
	receive->segment_count = scatter_list_parse(wqe + WQE_SEGMENT, len - WQE_SEGMENT,
						    receive->segments, &receive->capacity);
	return RECEIVE_TAKEN;
}

/* The shared queue, and with it its CQ, may be gone by the time a message ends. */
static struct mlx5_cq *completion_queue(struct mlx5_qp *qp, const struct receive_wqe *receive)
{
	struct mlx5_srq *srq = receive->shared ? srq_find(qp->dev, receive->srqn) : NULL;

	if (receive->shared && !srq)
		return NULL;
	return srq && srq->kind == SRQ_XRC ? srq->cq : qp->receive_cq;
}

void receive_completion(struct mlx5_qp *qp, const struct receive_wqe *receive,
			const struct receive_info *info)
{
	struct mlx5_cq *cq = completion_queue(qp, receive);
	u8 cqe[64] = { 0 };

	if (!cq)
		return;
	cqe[17] = info->path_bits;
	store16(cqe + 22, info->source_lid);
	store32(cqe + 24, (info->grh ? 1u << 28 : 0) | (u32)info->service_level << 24 |
				  info->source_qpn);
	store32(cqe + 32, receive->cqe_owner);
	memcpy(cqe + 36, info->immediate, sizeof(info->immediate));
	store32(cqe + 44, info->bytes);
	store32(cqe + 56, qp->qpn);
	store16(cqe + 60, receive->index);
	cqe[63] = (u8)(info->opcode << 4);
	cq_post(qp->dev, cq, cqe, info->solicited);
}

void receive_error_completion(struct mlx5_qp *qp, const struct receive_wqe *receive,
			      enum cqe_syndrome syndrome)
{
	struct mlx5_cq *cq = completion_queue(qp, receive);
	u8 cqe[64] = { 0 };

	if (!cq)
		return;
	if (syndrome != SYNDROME_WR_FLUSH)
		mlx5_log(qp->dev, "QP 0x%x: receive WQE %u fails with syndrome 0x%x", qp->qpn,
			 receive->index, syndrome);
	store32(cqe + 32, receive->cqe_owner);
	cqe[54] = syndrome == SYNDROME_WR_FLUSH ? 0xf5 : 0x52;
	cqe[55] = syndrome;
	store32(cqe + 56, qp->qpn);
	store16(cqe + 60, receive->index);
	cqe[63] = CQE_RECEIVE_ERROR << 4;
	cq_post(qp->dev, cq, cqe, true);
}

bool receive_flush(struct mlx5_qp *qp, u32 max)
{
	struct receive_wqe receive = {
		.cqe_owner = completion_owner(qp, NULL),
	};
	u16 producer, filled;

	if (!qp->has_rq || doorbell_record_read(qp->dev, qp->doorbell_record, &producer))
		return false;
	filled = (u16)(producer - qp->responder.consumer);
	if (filled > 1u << qp->log_rq)
		return false;
	for (; filled && max; filled--, max--) {
		receive.index = qp->responder.consumer++;
		++*qp->dev->count.flushed;
		receive_error_completion(qp, &receive, SYNDROME_WR_FLUSH);
	}
	return filled;
}
