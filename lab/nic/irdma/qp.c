/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Queue pairs: their making and their states. An error stops a QP and is told in an asynchronous
 * event; the driver answers with FLUSH_WQES, which leaves one completion for each queue that has
 * requests, and the host's software makes one of it for each request.
 */
#include "qp.h"

#define CONTEXT_QWORDS (IRDMA_QP_CTX_SIZE / 8u)
#define MIN_QUEUE_QUANTA 4u
#define FLUSHED_BOTH 1u /* any code but those that tell of one queue */
#define FLUSHED_RECEIVE 2u
#define FLUSHED_SEND 3u

struct irdma_qp *qp_find(struct irdma_device *dev, u32 qpn)
{
	return id_table_find(dev->qps, qpn);
}

struct access qp_access(const struct irdma_qp *qp, enum access_kind kind, u32 stag, u64 va,
			u64 length)
{
	return (struct access){
		.stag = stag,
		.pd = qp->pd,
		.qpn = qp->qpn,
		.privileged = qp->privileged,
		.va = va,
		.length = length,
		.kind = kind,
	};
}

void qp_stop(struct irdma_qp *qp)
{
	turn_leave(&qp->turn);
	requester_stop(qp);
	qp->responder.in_message = false;
	qp->suspending = false;
}

void qp_destroy(void *object)
{
	qp_stop(object);
	g_free(object);
}

static void post_event(struct irdma_qp *qp, u16 code, u8 source, u32 wqe_index)
{
	struct async_event event = {
		.code = code,
		.source = source,
		.number = qp->qpn,
		.context = qp->context,
		.wqe_index = wqe_index,
		.qp_state = qp->state,
	};

	event_post_async(qp->dev->events, &event);
}

void qp_async_error(struct irdma_qp *qp, u16 code, u8 source, u32 wqe_index)
{
	qp_stop(qp);
	qp->state = IRDMA_QP_STATE_ERROR;
	post_event(qp, code, source, wqe_index);
}

void qp_suspended(struct irdma_qp *qp)
{
	if (!qp->suspending)
		return;
	qp->suspending = false;
	post_event(qp, IRDMA_AE_QP_SUSPEND_COMPLETE, IRDMA_AE_SOURCE_RSVD, 0);
}

static bool run_slice(void *opaque)
{
	return requester_run(opaque);
}

static void timer_ran_out(void *opaque)
{
	requester_timeout(opaque);
}

static u32 discard_receives(struct irdma_qp *qp)
{
	u32 count = receive_queue_discard(qp);

	qp->rq.was_flushed = true;
	*qp->dev->count.flushed += count;
	return count;
}

static u32 discard_sends(struct irdma_qp *qp, u8 *opcode)
{
	u32 count = send_queue_discard(qp, opcode);

	qp->sq.was_flushed = true;
	*qp->dev->count.flushed += count;
	return count;
}

static bool flush_sends(struct irdma_qp *qp, u16 major, u16 minor)
{
	struct completion completion = {
		.send = true,
		.wqe_index = qp->sq.consumer,
		.qpn = qp->qpn,
		.context = qp->context,
		.major = major,
		.minor = minor,
	};

	if (!discard_sends(qp, &completion.op))
		return false;
	cq_post(qp->dev, qp->send_cqn, &completion);
	return true;
}

static bool flush_receives(struct irdma_qp *qp, u16 major, u16 minor)
{
	struct completion completion = {
		.wqe_index = qp->rq.consumer,
		.op = IRDMA_OP_TYPE_REC,
		.qpn = qp->qpn,
		.context = qp->context,
		.major = major,
		.minor = minor,
	};

	if (!discard_receives(qp))
		return false;
	cq_post(qp->dev, qp->receive_cqn, &completion);
	return true;
}

void qp_doorbell(struct irdma_device *dev, u32 qpn)
{
	struct irdma_qp *qp = qp_find(dev, qpn);

	if (!qp)
		return;
	/*
	 * The driver flushes what it knows to be posted. That requests which come later are flushed
	 * without being asked is the author's reading: libibverbs does not know of the error.
	 */
	if (qp->state == IRDMA_QP_STATE_ERROR && qp->sq.was_flushed)
		flush_sends(qp, IRDMA_FLUSH_MAJOR_ERR, FLUSH_GENERAL_ERR);
	else
		turn_ready(&qp->turn);
}

static bool read_context(struct irdma_device *dev, u64 address, u64 words[CONTEXT_QWORDS])
{
	return !dma_read(dev->dma, address, words, CONTEXT_QWORDS * sizeof(u64));
}

/* What the host may change with every command. */
static void load_path(struct irdma_qp *qp, const u64 *words)
{
	qp->pd = FIELD_GET(IRDMAQPC_PDIDX, words[7]) | FIELD_GET(IRDMAQPC_PDIDXHI, words[0]) << 16;
	qp->remote_ip[0] = FIELD_GET(IRDMAQPC_DESTIPADDR0, words[5]);
	qp->remote_ip[1] = FIELD_GET(IRDMAQPC_DESTIPADDR1, words[5]);
	qp->remote_ip[2] = FIELD_GET(IRDMAQPC_DESTIPADDR2, words[4]);
	qp->remote_ip[3] = FIELD_GET(IRDMAQPC_DESTIPADDR3, words[4]);
	qp->local_ip[0] = FIELD_GET(IRDMAQPC_LOCAL_IPADDR0, words[24]);
	qp->local_ip[1] = FIELD_GET(IRDMAQPC_LOCAL_IPADDR1, words[24]);
	qp->local_ip[2] = FIELD_GET(IRDMAQPC_LOCAL_IPADDR2, words[23]);
	qp->local_ip[3] = FIELD_GET(IRDMAQPC_LOCAL_IPADDR3, words[23]);
	qp->mtu = CLAMP(FIELD_GET(IRDMAQPC_SNDMSS, words[6]), 256, MAX_MTU);
	qp->qkey = FIELD_GET(IRDMAQPC_QKEY, words[8]);
	qp->remote_qpn = FIELD_GET(IRDMAQPC_DESTQP, words[8]);
	qp->retry_count = FIELD_GET(IRDMAQPC_REXMIT_THRESH, words[16]);
	qp->rnr_retry = FIELD_GET(IRDMAQPC_RNRNAK_THRESH, words[16]);
	qp->send_cqn = FIELD_GET(IRDMAQPC_TXCQNUM, words[17]);
	qp->receive_cqn = FIELD_GET(IRDMAQPC_RXCQNUM, words[17]);
	qp->may_write = words[20] & IRDMAQPC_WRRDRSPOK;
	qp->may_read = words[20] & IRDMAQPC_RDOK;
	qp->privileged = words[20] & IRDMAQPC_PRIVEN;
	qp->context = words[21];
}

static bool init_queue(struct irdma_device *dev, struct work_queue *queue, u64 base, bool by_pages,
		       u32 log_size)
{
	u32 quanta = MIN_QUEUE_QUANTA << log_size;

	queue->ring = (struct ring){
		.base = base,
		.by_pages = by_pages,
		.count = quanta,
		.entry_bytes = QUANTUM_BYTES,
	};
	queue->polarity = true;
	return quanta <= IRDMA_QP_SW_MAX_WQ_QUANTA &&
	       (!by_pages ||
		(base < hmc_pbles(dev->hmc) &&
		 base + (quanta * QUANTUM_BYTES - 1) / HOST_PAGE_BYTES < hmc_pbles(dev->hmc)));
}

static u32 qp_number(const u64 *wqe)
{
	return wqe[CONTROL_HEADER] & IRDMA_CQPSQ_QP_QPID_M;
}

static u8 next_state(const u64 *wqe)
{
	return FIELD_GET(IRDMA_CQPSQ_QP_NEXTIWSTATE, wqe[CONTROL_HEADER]);
}

static bool fill(struct irdma_qp *qp, const u64 *wqe, const u64 *words)
{
	bool by_pages = wqe[CONTROL_HEADER] & IRDMA_CQPSQ_QP_VQ;

	qp->qpn = qp_number(wqe);
	qp->type = FIELD_GET(IRDMA_CQPSQ_QP_QPTYPE, wqe[CONTROL_HEADER]);
	qp->state = next_state(wqe);
	qp->receive_quanta = 1u << FIELD_GET(IRDMAQPC_RQWQESIZE, words[0]);
	load_path(qp, words);
	return qp->qpn && qp->qpn < hmc_qps(qp->dev->hmc) &&
	       (qp->type == IRDMA_QP_TYPE_ROCE_RC || qp->type == IRDMA_QP_TYPE_ROCE_UD) &&
	       qp->state <= IRDMA_QP_STATE_IDLE &&
	       init_queue(qp->dev, &qp->sq, words[1], by_pages,
			  FIELD_GET(IRDMAQPC_SQSIZE, words[3])) &&
	       init_queue(qp->dev, &qp->rq, words[2], by_pages,
			  FIELD_GET(IRDMAQPC_RQSIZE, words[3])) &&
	       qp->rq.ring.count >= qp->receive_quanta;
}

static void create_qp(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u64 words[CONTEXT_QWORDS];
	struct irdma_qp *qp;

	if (!read_context(dev, wqe[2], words)) {
		result->code = CONTROL_BAD_ADDRESS;
		return;
	}
	qp = g_new0(struct irdma_qp, 1);
	qp->dev = dev;
	turn_init(&qp->turn, dev->turns, run_slice, timer_ran_out, qp);
	if (!fill(qp, wqe, words))
		result->code = CONTROL_BAD_PARAMETER;
	else if (!id_table_add_at(dev->qps, qp->qpn, qp))
		result->code = CONTROL_OBJECT_EXISTS;
	if (result->code)
		g_free(qp);
}

static bool is_allowed(u8 from, u8 to)
{
	switch (to) {
	case IRDMA_QP_STATE_ERROR:
		return true;
	case IRDMA_QP_STATE_IDLE:
		return from <= IRDMA_QP_STATE_IDLE;
	case IRDMA_QP_STATE_RTR:
		return from == IRDMA_QP_STATE_IDLE;
	case IRDMA_QP_STATE_RTS:
		return from == IRDMA_QP_STATE_IDLE || from == IRDMA_QP_STATE_RTR ||
		       from == IRDMA_QP_STATE_RTS || from == IRDMA_QP_STATE_SQD;
	case IRDMA_QP_STATE_SQD:
		return from == IRDMA_QP_STATE_RTS;
	default:
		return false;
	}
}

static void enter(struct irdma_qp *qp, u8 state)
{
	if (state == IRDMA_QP_STATE_ERROR && qp->state != state)
		qp_stop(qp);
	qp->state = state;
	qp->suspending = state == IRDMA_QP_STATE_SQD;
	if (state == IRDMA_QP_STATE_RTS || state == IRDMA_QP_STATE_SQD)
		turn_ready(&qp->turn);
}

static void modify_qp(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct irdma_qp *qp = qp_find(dev, qp_number(wqe));
	u64 words[CONTEXT_QWORDS];

	if (!qp)
		result->code = CONTROL_NO_OBJECT;
	else if (!is_allowed(qp->state, next_state(wqe)))
		result->code = CONTROL_INVALID_STATE;
	else if (!read_context(dev, wqe[2], words))
		result->code = CONTROL_BAD_ADDRESS;
	if (result->code)
		return;
	load_path(qp, words);
	enter(qp, next_state(wqe));
}

static void remove_qp(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	if (!id_table_remove(dev->qps, qp_number(wqe)))
		result->code = CONTROL_NO_OBJECT;
}

static void flush(struct irdma_qp *qp, const u64 *wqe, struct control_result *result)
{
	u64 header = wqe[CONTROL_HEADER];
	bool coded = header & IRDMA_CQPSQ_FWQE_USERFLCODE, sends = false, receives = false;
	u16 major = IRDMA_FLUSH_MAJOR_ERR, minor = FLUSH_GENERAL_ERR;

	if (header & IRDMA_CQPSQ_FWQE_FLUSHSQ)
		sends = flush_sends(
			qp, coded ? FIELD_GET(IRDMA_CQPSQ_FWQE_SQMJERR, wqe[2]) : major,
			coded ? FIELD_GET(IRDMA_CQPSQ_FWQE_SQMNERR, wqe[2]) : minor);
	if (header & IRDMA_CQPSQ_FWQE_FLUSHRQ)
		receives = flush_receives(
			qp, coded ? FIELD_GET(IRDMA_CQPSQ_FWQE_RQMJERR, wqe[2]) : major,
			coded ? FIELD_GET(IRDMA_CQPSQ_FWQE_RQMNERR, wqe[2]) : minor);
	if (sends && receives)
		result->minor = FLUSHED_BOTH;
	else if (sends)
		result->minor = FLUSHED_SEND;
	else if (receives)
		result->minor = FLUSHED_RECEIVE;
}

/* FLUSH_WQES and GEN_AE are one operation with different flags. */
static void flush_or_event(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u64 header = wqe[CONTROL_HEADER];
	struct irdma_qp *qp = qp_find(dev, FIELD_GET(IRDMA_CQPSQ_FWQE_QPID, header));

	if (!qp) {
		result->code = CONTROL_NO_OBJECT;
		return;
	}
	if (header & (IRDMA_CQPSQ_FWQE_FLUSHSQ | IRDMA_CQPSQ_FWQE_FLUSHRQ)) {
		if (qp->state == IRDMA_QP_STATE_ERROR)
			flush(qp, wqe, result);
		else
			result->code = CONTROL_INVALID_STATE;
	}
	if (!result->code && header & IRDMA_CQPSQ_FWQE_GENERATE_AE)
		post_event(qp, FIELD_GET(IRDMA_CQPSQ_FWQE_AECODE, wqe[1]),
			   FIELD_GET(IRDMA_CQPSQ_FWQE_AESOURCE, wqe[1]), 0);
}

const struct control_entry qp_commands[] = {
	{IRDMA_CQP_OP_CREATE_QP, "CREATE_QP", "create_qp", create_qp},
	{IRDMA_CQP_OP_MODIFY_QP, "MODIFY_QP", "modify_qp", modify_qp},
	{IRDMA_CQP_OP_DESTROY_QP, "DESTROY_QP", "destroy_qp", remove_qp},
	{IRDMA_CQP_OP_FLUSH_WQES, "FLUSH_WQES", "flush_wqes", flush_or_event},
	{},
};
