/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Making and unmaking queue pairs, and their doorbells. */
#include "qp.h"

#define LONG_WQE SEND_WQE_BYTES
#define SHORT_WQE sizeof(struct efa_io_tx_wqe)

static struct efa_qp *find_slot(struct efa_device *dev, u32 slot)
{
	/* Numbers in the table begin with 1. */
	return id_table_find(dev->qps, slot ? slot : EFA_MAX_QPS);
}

struct efa_qp *qp_find(struct efa_device *dev, u32 qpn)
{
	struct efa_qp *qp = find_slot(dev, qpn & (EFA_MAX_QPS - 1));

	return qp && qp->qpn == qpn ? qp : NULL;
}

void qp_destroy(void *object)
{
	struct efa_qp *qp = object;

	requester_forget_all(qp);
	turn_leave(&qp->turn);
	if (qp->send_cq)
		cq_put(qp->send_cq);
	if (qp->receive_cq)
		cq_put(qp->receive_cq);
	uar_put(qp->dev, qp->uar);
	pd_put(qp->dev, qp->pd);
	g_free(qp);
}

static bool is_power_of_2(u32 value)
{
	return value && !(value & (value - 1));
}

static bool send_queue_is_legal(struct efa_admin_qp_alloc_size size)
{
	u32 stride;

	if (!size.send_queue_depth)
		return !size.send_queue_ring_size;
	if (!is_power_of_2(size.send_queue_depth) ||
	    size.send_queue_ring_size > EFA_LLQ_BYTES ||
	    size.send_queue_ring_size % size.send_queue_depth)
		return false;
	stride = size.send_queue_ring_size / size.send_queue_depth;
	return stride == SHORT_WQE || stride == LONG_WQE;
}

static bool receive_queue_is_legal(const struct efa_admin_create_qp_cmd *in)
{
	u32 bytes = in->qp_alloc_size.recv_queue_ring_size;
	u32 entries = bytes / sizeof(struct efa_io_rx_desc);

	if (!bytes)
		return true;
	return bytes % sizeof(struct efa_io_rx_desc) == 0 && is_power_of_2(entries) &&
	       entries <= EFA_MAX_RQ_DEPTH * EFA_MAX_RECEIVE_SGES &&
	       in->rq_base_addr % sizeof(struct efa_io_rx_desc) == 0;
}

static bool create_is_legal(const struct efa_admin_create_qp_cmd *in)
{
	if (in->qp_type != EFA_ADMIN_QP_TYPE_UD && in->qp_type != EFA_ADMIN_QP_TYPE_SRD)
		return false;
	if (in->flags & (EFA_ADMIN_CREATE_QP_CMD_SQ_VIRT_MASK |
			 EFA_ADMIN_CREATE_QP_CMD_RQ_VIRT_MASK))
		return false;
	return send_queue_is_legal(in->qp_alloc_size) && receive_queue_is_legal(in);
}

static bool run_slice(void *opaque)
{
	struct efa_qp *qp = opaque;

	return qp->state == EFA_ADMIN_QP_STATE_ERR ? qp_flush(qp) : requester_run(qp);
}

static void timer_ran_out(void *opaque)
{
	requester_timeout(opaque);
}

/* Takes everything it names; qp_destroy() gives it back. */
static struct efa_qp *make(struct efa_device *dev, const struct efa_admin_create_qp_cmd *in)
{
	struct efa_qp *qp;

	if (!pd_get(dev, in->pd))
		return NULL;
	if (!uar_get(dev, in->uar)) {
		pd_put(dev, in->pd);
		return NULL;
	}
	qp = g_new0(struct efa_qp, 1);
	qp->dev = dev;
	qp->pd = in->pd;
	qp->uar = in->uar;
	qp->type = in->qp_type;
	qp->send_cq = cq_get(dev, in->send_cq_idx);
	qp->receive_cq = cq_get(dev, in->recv_cq_idx);
	qp->wide = EFA_GET(&in->flags, EFA_ADMIN_CREATE_QP_CMD_SQ_64_BIT_REQ_ID);
	qp->unsolicited_writes = EFA_GET(&in->flags, EFA_ADMIN_CREATE_QP_CMD_UNSOLICITED_WRITE_RECV);
	qp->sq_depth = in->qp_alloc_size.send_queue_depth;
	if (qp->sq_depth)
		qp->sq_stride = in->qp_alloc_size.send_queue_ring_size / qp->sq_depth;
	qp->rq_base = in->rq_base_addr;
	qp->rq_entries = in->qp_alloc_size.recv_queue_ring_size / sizeof(struct efa_io_rx_desc);
	qp->rnr_retry = RNR_RETRY_FOREVER;
	g_queue_init(&qp->active);
	g_queue_init(&qp->waiting);
	turn_init(&qp->turn, dev->turns, run_slice, timer_ran_out, qp);
	return qp;
}

static enum admin_status create_qp(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_create_qp_cmd *in = command->in;
	struct efa_admin_create_qp_resp *out = command->out;
	struct efa_qp *qp;
	u32 id;

	if (!create_is_legal(in))
		return ADMIN_ILLEGAL;
	qp = make(dev, in);
	if (!qp)
		return ADMIN_ILLEGAL;
	if (!qp->send_cq || !qp->receive_cq || (qp->wide && !cq_is_wide(qp->send_cq))) {
		qp_destroy(qp);
		return ADMIN_ILLEGAL;
	}
	id = id_table_add(dev->qps, qp);
	if (!id) {
		qp_destroy(qp);
		return ADMIN_NO_RESOURCES;
	}
	qp->slot = id & (EFA_MAX_QPS - 1);
	qp->qpn = (u16)(dev->qp_uses[qp->slot]++ << EFA_LOG_QPS) | qp->slot;
	qp->sq = (const u8 *)pci_device_bar_memory(dev->pci, EFA_LLQ_BAR) +
		 (u64)qp->slot * EFA_LLQ_BYTES;
	out->qp_handle = qp->qpn;
	out->qp_num = qp->qpn;
	out->sq_db_offset = qp->slot * EFA_DOORBELL_PAGE + EFA_SQ_DOORBELL;
	out->rq_db_offset = qp->slot * EFA_DOORBELL_PAGE + EFA_RQ_DOORBELL;
	out->llq_descriptors_offset = qp->slot * EFA_LLQ_BYTES;
	return ADMIN_OK;
}

static enum admin_status destroy_qp(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_destroy_qp_cmd *in = command->in;
	struct efa_qp *qp = qp_find(dev, in->qp_handle);

	if (!qp)
		return ADMIN_ILLEGAL;
	id_table_remove(dev->qps, qp->slot ? qp->slot : EFA_MAX_QPS);
	return ADMIN_OK;
}

void qp_send_doorbell(struct efa_device *dev, u32 slot, u16 producer)
{
	struct efa_qp *qp = find_slot(dev, slot);
	u32 posted;

	if (!qp || !qp->sq_depth)
		return;
	++*dev->count.doorbells;
	posted = (u16)(producer - qp->sq_consumer) + qp->active.length + qp->waiting.length;
	if (posted > qp->sq_depth) {
		qp_fatal(qp, "more send requests than the queue holds");
		return;
	}
	qp->sq_producer = producer;
	turn_ready(&qp->turn);
}

void qp_receive_doorbell(struct efa_device *dev, u32 slot, u16 producer)
{
	struct efa_qp *qp = find_slot(dev, slot);

	if (!qp || !qp->rq_entries)
		return;
	++*dev->count.doorbells;
	if ((u16)(producer - qp->rq_consumer) > qp->rq_entries) {
		qp_fatal(qp, "more receive requests than the queue holds");
		return;
	}
	qp->rq_producer = producer;
	requester_peer_ready(qp, (u16)(producer - qp->rq_consumer));
	if (qp->state == EFA_ADMIN_QP_STATE_ERR)
		turn_ready(&qp->turn);
}

const struct admin_entry qp_commands[] = {
	{EFA_ADMIN_CREATE_QP, "CREATE_QP", "create_qp", create_qp},
	{EFA_ADMIN_MODIFY_QP, "MODIFY_QP", "modify_qp", qp_modify},
	{EFA_ADMIN_QUERY_QP, "QUERY_QP", "query_qp", qp_query},
	{EFA_ADMIN_DESTROY_QP, "DESTROY_QP", "destroy_qp", destroy_qp},
	{},
};
