/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The states of a queue pair, and flushing. */
#include "qp.h"

#define FLUSH_AT_ONCE 64u
#define FIELD(name) EFA_ADMIN_MODIFY_QP_CMD_##name
#define MODIFIABLE                                                                                 \
	(FIELD(QP_STATE_MASK) | FIELD(CUR_QP_STATE_MASK) | FIELD(QKEY_MASK) | FIELD(SQ_PSN_MASK) | \
	 FIELD(SQ_DRAINED_ASYNC_NOTIFY_MASK) | FIELD(RNR_RETRY_MASK))

void qp_enter_error(struct efa_qp *qp)
{
	qp->state = EFA_ADMIN_QP_STATE_ERR;
	turn_timer_stop(&qp->turn);
	turn_ready(&qp->turn);
}

void qp_fatal(struct efa_qp *qp, const char *why)
{
	efa_log(qp->dev, "QP 0x%x: %s", qp->qpn, why);
	qp_enter_error(qp);
}

bool qp_flush(struct efa_qp *qp)
{
	for (u32 i = 0; i < FLUSH_AT_ONCE; i++) {
		struct send_request *request = g_queue_peek_head(&qp->active);

		if (!request)
			request = g_queue_peek_head(&qp->waiting);
		if (!request)
			request = send_request_skip(qp);
		if (!request)
			return receive_flush(qp, FLUSH_AT_ONCE);
		++*qp->dev->count.flushed;
		requester_complete(request, EFA_IO_COMP_STATUS_FLUSHED);
	}
	return true;
}

static void enter_reset(struct efa_qp *qp)
{
	requester_forget_all(qp);
	turn_leave(&qp->turn);
	qp->state = EFA_ADMIN_QP_STATE_RESET;
	qp->sq_producer = 0;
	qp->sq_consumer = 0;
	qp->rq_producer = 0;
	qp->rq_consumer = 0;
	qp->rnr_retry = RNR_RETRY_FOREVER;
}

static bool may_become(enum efa_admin_qp_state from, u32 to)
{
	switch (to) {
	case EFA_ADMIN_QP_STATE_RESET:
	case EFA_ADMIN_QP_STATE_ERR:
		return true;
	case EFA_ADMIN_QP_STATE_INIT:
		return from == EFA_ADMIN_QP_STATE_RESET || from == EFA_ADMIN_QP_STATE_INIT;
	case EFA_ADMIN_QP_STATE_RTR:
		return from == EFA_ADMIN_QP_STATE_INIT;
	case EFA_ADMIN_QP_STATE_RTS:
		return from == EFA_ADMIN_QP_STATE_RTR || from == EFA_ADMIN_QP_STATE_RTS ||
		       from == EFA_ADMIN_QP_STATE_SQD || from == EFA_ADMIN_QP_STATE_SQE;
	case EFA_ADMIN_QP_STATE_SQD:
		return from == EFA_ADMIN_QP_STATE_RTS || from == EFA_ADMIN_QP_STATE_SQD;
	default:
		return false;
	}
}

static void set_state(struct efa_qp *qp, enum efa_admin_qp_state state)
{
	switch (state) {
	case EFA_ADMIN_QP_STATE_RESET:
		enter_reset(qp);
		break;
	case EFA_ADMIN_QP_STATE_ERR:
		qp_enter_error(qp);
		break;
	default:
		qp->state = state;
		turn_ready(&qp->turn);
		break;
	}
}

enum admin_status qp_modify(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_modify_qp_cmd *in = command->in;
	struct efa_qp *qp = qp_find(dev, in->qp_handle);
	u32 mask = in->modify_mask;

	if (!qp || mask & ~MODIFIABLE)
		return ADMIN_ILLEGAL;
	if (mask & FIELD(QP_STATE_MASK) && !may_become(qp->state, in->qp_state))
		return ADMIN_ILLEGAL;
	if (mask & FIELD(RNR_RETRY_MASK) &&
	    (in->rnr_retry > RNR_RETRY_FOREVER || qp->type != EFA_ADMIN_QP_TYPE_SRD))
		return ADMIN_ILLEGAL;
	/* The state first: one of them takes the others' values back. */
	if (mask & FIELD(QP_STATE_MASK))
		set_state(qp, in->qp_state);
	if (mask & FIELD(QKEY_MASK))
		qp->qkey = in->qkey;
	if (mask & FIELD(SQ_PSN_MASK))
		qp->sq_psn = in->sq_psn;
	if (mask & FIELD(RNR_RETRY_MASK))
		qp->rnr_retry = in->rnr_retry;
	return ADMIN_OK;
}

enum admin_status qp_query(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_query_qp_cmd *in = command->in;
	struct efa_admin_query_qp_resp *out = command->out;
	struct efa_qp *qp = qp_find(dev, in->qp_handle);

	if (!qp)
		return ADMIN_ILLEGAL;
	out->qp_state = qp->state;
	out->qkey = qp->qkey;
	out->sq_psn = qp->sq_psn;
	out->rnr_retry = qp->rnr_retry;
	out->sq_draining = qp->state == EFA_ADMIN_QP_STATE_SQD &&
			   (qp->active.length || qp->waiting.length);
	return ADMIN_OK;
}
