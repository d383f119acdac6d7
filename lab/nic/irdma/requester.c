/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The send queue's side. Work requests are worked off strictly in order, each one packet by packet of
 * the path's MTU, and every packet asks for its stags again: one that is deallocated in the middle of
 * a long message stops that message. Working in order means that a fence has nothing left to wait for.
 */
#include <errno.h>

#include "qp.h"

#define WQES_IN_A_SLICE 64u
/*
 * The driver gives this generation no RNR timer, and the other one's units are not public. Receivers
 * are guests that may be emulated: few retries have to last until such a one has posted its receive.
 */
#define RNR_INTERVAL_NS 50000000ull
#define RETRANSMIT_NS 20000000ull

enum step {
	STEP_DONE,    /* the work request is complete */
	STEP_AGAIN,   /* more of it in the next slice */
	STEP_BLOCKED, /* a timer or a knob will go on with it */
	STEP_ENDED,   /* the QP is in error now */
};

void requester_stop(struct irdma_qp *qp)
{
	struct requester *requester = &qp->requester;

	if (requester->ticket)
		knob_forget(qp->dev->knobs, requester->ticket);
	requester->ticket = 0;
	requester->active = false;
	requester->block = BLOCK_NONE;
}

void requester_fail(struct irdma_qp *qp, u16 code)
{
	struct send_wqe *wqe = &qp->requester.wqe;

	irdma_log(qp->dev, "QP %u: send WQE %u (operation 0x%x) fails", qp->qpn, wqe->index,
		  wqe->opcode);
	qp_async_error(qp, code, IRDMA_AE_SOURCE_SQ, wqe->index);
}

static enum step fail(struct irdma_qp *qp, u16 code)
{
	requester_fail(qp, code);
	return STEP_ENDED;
}

static enum step fail_locally(struct irdma_qp *qp, u16 code)
{
	++*qp->dev->count.local_protection_errors;
	return fail(qp, code);
}

static void wake(struct irdma_qp *qp)
{
	qp->requester.block = BLOCK_NONE;
	turn_timer_stop(&qp->turn);
	turn_ready(&qp->turn);
}

void requester_timeout(struct irdma_qp *qp)
{
	wake(qp);
}

static bool holds(const void *object, const void *ticket)
{
	const struct irdma_qp *qp = object;

	return qp->requester.ticket == *(const u64 *)ticket;
}

void data_path_release(struct irdma_device *dev, u64 ticket)
{
	struct irdma_qp *qp = ticket ? id_table_find_if(dev->qps, holds, &ticket) : NULL;

	if (!qp)
		return;
	qp->requester.ticket = 0;
	wake(qp);
}

static enum step wait_for(struct irdma_qp *qp, enum requester_block block, u64 nanoseconds)
{
	qp->requester.block = block;
	turn_timer(&qp->turn, nanoseconds);
	return STEP_BLOCKED;
}

static enum step receiver_not_ready(struct irdma_qp *qp)
{
	++*qp->dev->count.rnr_naks;
	if (!qp->requester.rnr_left)
		return fail(qp, IRDMA_AE_LLP_TOO_MANY_RNRS);
	if (qp->rnr_retry != RETRY_FOREVER)
		qp->requester.rnr_left--;
	return wait_for(qp, BLOCK_RNR, RNR_INTERVAL_NS);
}

static enum step nobody_answers(struct irdma_qp *qp)
{
	++*qp->dev->count.lost;
	if (!qp->requester.retries_left)
		return fail(qp, IRDMA_AE_LLP_TOO_MANY_RETRIES);
	qp->requester.retries_left--;
	return wait_for(qp, BLOCK_RETRY, RETRANSMIT_NS);
}

static enum step refused(struct irdma_qp *qp, enum response response)
{
	switch (response) {
	case RESPONSE_RNR:
		return receiver_not_ready(qp);
	case RESPONSE_NAK_INVALID:
		return fail(qp, IRDMA_AE_IB_INVALID_REQUEST);
	case RESPONSE_NAK_ACCESS:
		++*qp->dev->count.remote_access_errors;
		return fail(qp, IRDMA_AE_IB_REMOTE_ACCESS_ERROR);
	case RESPONSE_NAK_OPERATION:
		return fail(qp, IRDMA_AE_IB_REMOTE_OP_ERROR);
	default:
		return nobody_answers(qp);
	}
}

static bool is_read(u8 opcode)
{
	return opcode == IRDMAQP_OP_RDMA_READ || opcode == IRDMAQP_OP_RDMA_READ_LOC_INV;
}

static u16 local_access(struct irdma_qp *qp, void *data, u32 len, bool write)
{
	struct send_wqe *wqe = &qp->requester.wqe;

	if (!wqe->is_inline)
		return fragments_access(qp, wqe->fragments, wqe->fragment_count,
					qp->requester.moved, data, len, write);
	memcpy(data, wqe->inline_data + qp->requester.moved, len);
	return 0;
}

static enum step move_packet(struct irdma_qp *qp, struct packet *packet)
{
	struct irdma_qp *peer = responder_find(qp);
	bool read = is_read(packet->opcode);
	enum response response;
	u16 event;

	event = read ? 0 : local_access(qp, packet->data, packet->length, false);
	if (event)
		return fail_locally(qp, event);
	/* A packet can get lost, an answer does not. */
	if (peer && !fabric_carries(qp->dev->port, peer->dev->port))
		peer = NULL;
	response = peer ? responder_packet(peer, packet) : RESPONSE_NONE;
	if (response != RESPONSE_ACK)
		return refused(qp, response);
	event = read ? local_access(qp, packet->data, packet->length, true) : 0;
	if (event)
		return fail_locally(qp, event);
	++*qp->dev->count.packets;
	qp->requester.moved += packet->length;
	qp->requester.rnr_left = qp->rnr_retry;
	qp->requester.retries_left = qp->retry_count;
	return packet->last ? STEP_DONE : STEP_AGAIN;
}

static enum step move_message(struct irdma_qp *qp, u32 *budget)
{
	struct requester *requester = &qp->requester;
	struct send_wqe *wqe = &requester->wqe;
	u8 data[MAX_MTU];
	enum step step;

	if (wqe->length > IRDMA_MAX_OUTBOUND_MSG_SIZE)
		return fail(qp, IRDMA_AE_UDA_XMIT_DGRAM_TOO_LONG);
	do {
		u64 left = wqe->length - requester->moved;
		struct packet packet = {
			.opcode = wqe->opcode,
			.first = !requester->moved,
			.last = left <= qp->mtu,
			.solicited = wqe->solicited,
			.has_immediate = wqe->has_immediate,
			.immediate = wqe->immediate,
			.va = wqe->remote_va + requester->moved,
			.stag = wqe->remote_stag,
			.message_length = wqe->length,
			.offset = requester->moved,
			.data = data,
			.length = MIN(left, qp->mtu),
		};

		step = move_packet(qp, &packet);
		*budget -= MIN(*budget, qp->mtu);
	} while (step == STEP_AGAIN && *budget);
	return step;
}

static enum step invalidate(struct irdma_qp *qp, u32 stag)
{
	u16 event = stag_invalidate(qp->dev, stag, qp->pd, false);

	return event ? fail_locally(qp, event) : STEP_DONE;
}

static enum step bind_window(struct irdma_qp *qp)
{
	u16 event = stag_bind(qp->dev, &qp->requester.wqe.bind);

	return event ? fail_locally(qp, event) : STEP_DONE;
}

static const char *operation_name(u8 opcode)
{
	switch (opcode) {
	case IRDMAQP_OP_RDMA_WRITE:
	case IRDMAQP_OP_RDMA_WRITE_SOL:
		return "rdma_write";
	case IRDMAQP_OP_RDMA_READ:
	case IRDMAQP_OP_RDMA_READ_LOC_INV:
		return "rdma_read";
	case IRDMAQP_OP_BIND_MW:
		return "bind";
	case IRDMAQP_OP_LOCAL_INVALIDATE:
		return "invalidate";
	default:
		return "send";
	}
}

/*
 * Knobs act once on a work request, before anything of it is done; a dropped one costs a timeout and
 * is sent again, a dropped datagram is lost.
 */
static enum step pass_gate(struct irdma_qp *qp)
{
	struct requester *requester = &qp->requester;
	struct knob_verdict verdict;

	if (requester->gate_passed || requester->wqe.opcode == IRDMAQP_OP_NOP)
		return STEP_AGAIN;
	requester->gate_passed = true;
	verdict = knob_check(qp->dev->knobs, operation_name(requester->wqe.opcode));
	switch (verdict.action) {
	case KNOB_DELAY:
		return wait_for(qp, BLOCK_KNOB, verdict.delay_us * 1000);
	case KNOB_HOLD:
		requester->block = BLOCK_KNOB;
		requester->ticket = verdict.ticket;
		return STEP_BLOCKED;
	case KNOB_DROP:
		if (qp->type == IRDMA_QP_TYPE_ROCE_RC)
			return nobody_answers(qp);
		++*qp->dev->count.lost;
		return STEP_DONE;
	case KNOB_FAIL:
		return fail(qp, verdict.status ? verdict.status : IRDMA_AE_IB_REMOTE_OP_ERROR);
	default:
		return STEP_AGAIN;
	}
}

static u64 message_delay_ns(struct irdma_qp *qp)
{
	struct irdma_qp *peer;

	if (qp->type == IRDMA_QP_TYPE_ROCE_UD)
		return datagram_delay_ns(qp);
	peer = responder_find(qp);
	return peer ? fabric_delay_ns(qp->dev->port, peer->dev->port) : 0;
}

/* Every message takes its time on the links, once. */
static enum step pass_link(struct irdma_qp *qp)
{
	u64 delay;

	if (qp->requester.link_passed || qp->requester.wqe.opcode == IRDMAQP_OP_NOP)
		return STEP_AGAIN;
	qp->requester.link_passed = true;
	delay = message_delay_ns(qp);
	return delay ? wait_for(qp, BLOCK_LINK, delay) : STEP_AGAIN;
}

static enum step work_off(struct irdma_qp *qp, u32 *budget)
{
	struct send_wqe *wqe = &qp->requester.wqe;
	enum step step = pass_gate(qp);

	if (step == STEP_AGAIN)
		step = pass_link(qp);
	if (step != STEP_AGAIN)
		return step;
	if (qp->type == IRDMA_QP_TYPE_ROCE_UD && wqe->opcode != IRDMAQP_OP_NOP) {
		*budget -= MIN(*budget, wqe->length);
		return datagram_send(qp) ? STEP_DONE : STEP_ENDED;
	}
	switch (wqe->opcode) {
	case IRDMAQP_OP_NOP:
		return STEP_DONE;
	case IRDMAQP_OP_BIND_MW:
		return bind_window(qp);
	case IRDMAQP_OP_LOCAL_INVALIDATE:
		return invalidate(qp, wqe->remote_stag);
	case IRDMAQP_OP_RDMA_READ_LOC_INV:
		step = move_message(qp, budget);
		return step == STEP_DONE && wqe->fragment_count ?
			       invalidate(qp, wqe->fragments[0].stag) :
			       step;
	case IRDMAQP_OP_RDMA_WRITE:
	case IRDMAQP_OP_RDMA_WRITE_SOL:
	case IRDMAQP_OP_RDMA_READ:
	case IRDMAQP_OP_RDMA_SEND:
	case IRDMAQP_OP_RDMA_SEND_INV:
	case IRDMAQP_OP_RDMA_SEND_SOL_EVENT:
	case IRDMAQP_OP_RDMA_SEND_SOL_EVENT_INV:
		return move_message(qp, budget);
	default:
		/* Fast registration is for kernels, and the lab's have nobody who asks for it. */
		return fail(qp, IRDMA_AE_WQE_UNEXPECTED_OPCODE);
	}
}

static void count_end(struct irdma_device *dev, u8 opcode)
{
	switch (opcode) {
	case IRDMAQP_OP_RDMA_WRITE:
	case IRDMAQP_OP_RDMA_WRITE_SOL:
		dev->statistics.write_sent++;
		break;
	case IRDMAQP_OP_RDMA_READ:
	case IRDMAQP_OP_RDMA_READ_LOC_INV:
		dev->statistics.read_sent++;
		break;
	case IRDMAQP_OP_BIND_MW:
	case IRDMAQP_OP_LOCAL_INVALIDATE:
	case IRDMAQP_OP_NOP:
		break;
	default:
		dev->statistics.send_sent++;
		break;
	}
}

static void complete(struct irdma_qp *qp)
{
	struct send_wqe *wqe = &qp->requester.wqe;
	struct completion completion = {
		.send = true,
		.op = wqe->opcode,
		.wqe_index = wqe->index,
		.length = wqe->length,
		.qpn = qp->qpn,
		.context = qp->context,
	};

	qp->requester.active = false;
	send_wqe_done(qp);
	count_end(qp->dev, wqe->opcode);
	if (wqe->signalled)
		cq_post(qp->dev, qp->send_cqn, &completion);
}

static bool may_run(const struct irdma_qp *qp)
{
	return (qp->state == IRDMA_QP_STATE_RTS || qp->state == IRDMA_QP_STATE_SQD) &&
	       qp->requester.block == BLOCK_NONE;
}

/* The next request into qp->requester. False: there is none, or the QP is in error now. */
static bool fetch(struct irdma_qp *qp)
{
	struct requester *requester = &qp->requester;

	if (qp->state == IRDMA_QP_STATE_SQD) {
		qp_suspended(qp);
		return false;
	}
	switch (send_wqe_fetch(qp)) {
	case 0:
		return false;
	case 1:
		break;
	case -EINVAL:
		requester_fail(qp, IRDMA_AE_WQE_UNEXPECTED_OPCODE);
		return false;
	default:
		irdma_log(qp->dev, "QP %u: the send queue cannot be read", qp->qpn);
		qp_async_error(qp, AE_BUS_ERROR, IRDMA_AE_SOURCE_SQ, qp->sq.consumer);
		return false;
	}
	++*qp->dev->count.wqes;
	requester->active = true;
	requester->gate_passed = false;
	requester->link_passed = false;
	requester->moved = 0;
	requester->rnr_left = qp->rnr_retry;
	requester->retries_left = qp->retry_count;
	return true;
}

bool requester_run(struct irdma_qp *qp)
{
	u32 budget = QP_SLICE_BYTES;

	for (u32 i = 0; i < WQES_IN_A_SLICE && budget; i++) {
		if (!may_run(qp) || (!qp->requester.active && !fetch(qp)))
			return false;
		switch (work_off(qp, &budget)) {
		case STEP_DONE:
			complete(qp);
			break;
		case STEP_AGAIN:
			return true;
		default:
			return false;
		}
	}
	return true;
}
