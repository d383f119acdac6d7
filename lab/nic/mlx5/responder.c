/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The answering side of a connection. Rights and bounds of a whole message are checked with its
 * first packet, as the header that names them comes with it; each packet is checked again when its
 * bytes move. Requests are executed once and never repeated on the model's wire, so the resources
 * a device keeps to replay reads and atomics have nothing to hold.
 *
 * How an error is split between the two ends follows IBTA's classes: what the requester asked and
 * may not have is NAKed as an access error or invalid request and raises an asynchronous event;
 * what the responder's own receive work request got wrong completes that work request in error and
 * is NAKed as an operational error. The split for page faults that the host refuses is a reading,
 * unverified on silicon.
 */
#include "qp.h"

static bool answers(const struct mlx5_qp *qp)
{
	return qp->state == QP_RTR || qp->state == QP_RTS || qp->state == QP_SQD;
}

struct mlx5_qp *responder_find(struct mlx5_qp *initiator)
{
	struct mlx5_device *dev = port_reach(initiator->dev, initiator->remote_lid);
	struct mlx5_qp *qp = dev ? qp_find(dev, initiator->remote_qpn) : NULL;

	if (!qp || !answers(qp) || qp->service != initiator->service ||
	    qp->remote_qpn != initiator->qpn || qp->remote_lid != initiator->dev->lid)
		return NULL;
	if (qp->responder.psn != initiator->requester.psn) {
		/* A gap is not asked for again on an unreliable connection. */
		if (qp->service != SERVICE_UC || qp->responder.in_message)
			return NULL;
		qp->responder.psn = initiator->requester.psn;
	}
	return qp;
}

void responder_reset(struct mlx5_qp *qp)
{
	struct responder *responder = &qp->responder;

	responder->has_receive = false;
	responder->in_message = false;
	responder->established = false;
	responder->parked = false;
	responder->waiter = 0;
}

static void wait_for_me(struct mlx5_qp *qp, const struct mlx5_qp *initiator)
{
	qp->responder.waiter = initiator->qpn;
	qp->responder.waiter_lid = initiator->dev->lid;
}

/* Who waits for the parked packet's answer, and no longer counts as waiting; NULL: nobody. */
static struct mlx5_qp *take_waiter(struct mlx5_qp *qp)
{
	struct responder *responder = &qp->responder;
	struct mlx5_device *dev = responder->waiter ? port_lookup(qp->dev, responder->waiter_lid) :
						      NULL;
	struct mlx5_qp *waiter = dev ? qp_find(dev, responder->waiter) : NULL;

	responder->waiter = 0;
	responder->parked = false;
	return waiter && waiter->requester.block == BLOCK_REMOTE ? waiter : NULL;
}

void responder_wake_waiter(struct mlx5_qp *qp)
{
	struct mlx5_qp *waiter = take_waiter(qp);

	if (waiter)
		requester_wake(waiter);
}

void responder_stop(struct mlx5_qp *qp)
{
	struct responder *responder = &qp->responder;

	if (responder->has_receive && qp->state == QP_ERROR) {
		++*qp->dev->count.flushed;
		receive_error_completion(qp, &responder->receive, SYNDROME_WR_FLUSH);
	}
	responder->has_receive = false;
	responder->in_message = false;
	responder_wake_waiter(qp);
}

/* NAK of what was asked. An unreliable connection drops the message and goes on. */
static enum response refuse(struct mlx5_qp *qp, enum response nak)
{
	if (qp->service == SERVICE_UC) {
		qp->responder.in_message = false;
		return RESPONSE_NONE;
	}
	if (nak == RESPONSE_NAK_ACCESS)
		++*qp->dev->count.remote_access_errors;
	qp_enter_error(qp);
	event_post_qp(qp->dev,
		      nak == RESPONSE_NAK_ACCESS ? EVENT_QP_ACCESS_ERROR : EVENT_QP_REQUEST_ERROR,
		      qp->qpn, 0);
	return nak;
}

/* The receive work request is at fault: it completes in error. */
static enum response fail_receive(struct mlx5_qp *qp, enum cqe_syndrome syndrome)
{
	struct responder *responder = &qp->responder;

	if (syndrome == SYNDROME_LOCAL_PROT)
		++*qp->dev->count.local_protection_errors;
	responder->has_receive = false;
	receive_error_completion(qp, &responder->receive, syndrome);
	qp_enter_error(qp);
	return syndrome == SYNDROME_LOCAL_LENGTH ? RESPONSE_NAK_INVALID : RESPONSE_NAK_OPERATION;
}

static enum response park(struct mlx5_qp *qp, struct mlx5_qp *initiator,
			  const struct packet *packet, const struct access_fault *fault,
			  bool receive)
{
	struct responder *responder = &qp->responder;
	struct fault_report report = {
		.side = FAULT_RESPONDER,
		.access = *fault,
		.wq_number = qp->qpn,
		.packet_len = packet->length,
	};

	if (receive) {
		report.wqe_index = responder->receive.index;
		report.srq = responder->receive.shared;
		if (report.srq)
			report.wq_number = responder->receive.srqn;
	} else {
		report.r_key = packet->rkey;
		report.rdma_va = packet->va;
		report.rdma_len = (u32)(packet->message_length - packet->offset);
		if (fault->mkey == packet->rkey)
			report.access.length = packet->message_length - packet->offset -
					       (fault->va - packet->va);
	}
	responder->parked = true;
	responder->parked_receive = receive;
	wait_for_me(qp, initiator);
	page_fault_raise(qp->dev, qp, qp->qpn, &report);
	return RESPONSE_WAIT;
}

void qp_fault_resumed(struct mlx5_device *dev, struct mlx5_qp *qp, enum fault_side side,
		      bool error)
{
	struct responder *responder = &qp->responder;
	struct mlx5_qp *waiter;
	enum response nak;

	if (side == FAULT_REQUESTER) {
		if (qp->requester.block != BLOCK_FAULT)
			return;
		if (error) {
			++*dev->count.local_protection_errors;
			qp->requester.block = BLOCK_NONE;
			requester_fail(qp, SYNDROME_LOCAL_PROT);
		} else {
			requester_wake(qp);
		}
		return;
	}
	if (!responder->parked)
		return;
	if (!error) {
		responder_wake_waiter(qp);
		return;
	}
	waiter = take_waiter(qp);
	nak = responder->parked_receive ? fail_receive(qp, SYNDROME_LOCAL_PROT) :
					  refuse(qp, RESPONSE_NAK_ACCESS);
	if (!waiter)
		return;
	if (waiter->service == SERVICE_UC)
		waiter->requester.lost = true;
	/* One that the NAK does not reach asks again, and nobody will answer. */
	if (waiter->service == SERVICE_UC || !fabric_carries(dev->port, waiter->dev->port)) {
		requester_wake(waiter);
		return;
	}
	requester_fail(waiter, nak == RESPONSE_NAK_ACCESS ? SYNDROME_REMOTE_ACCESS :
							     SYNDROME_REMOTE_OP);
}

/* For XRC the packet names the shared queue, and the queue's PD is the one that counts. */
static bool find_queue(struct mlx5_qp *qp, const struct packet *packet, struct mlx5_srq **srq,
		       u32 *pd)
{
	*srq = NULL;
	*pd = qp->pd;
	if (qp->service != SERVICE_XRC)
		return true;
	*srq = srq_find(qp->dev, packet->xrc_srqn);
	if (!*srq || (*srq)->kind != SRQ_XRC || (*srq)->xrcd != qp->xrcd)
		return false;
	*pd = (*srq)->pd;
	return true;
}

/* ACK once a receive work request is at hand. */
static enum response need_receive(struct mlx5_qp *qp, struct mlx5_srq *srq)
{
	struct responder *responder = &qp->responder;

	if (responder->has_receive)
		return RESPONSE_ACK;
	switch (receive_take(qp, srq, &responder->receive)) {
	case RECEIVE_TAKEN:
		responder->has_receive = true;
		return RESPONSE_ACK;
	case RECEIVE_EMPTY:
		return qp->service == SERVICE_UC ? RESPONSE_NONE : RESPONSE_RNR;
	default:
		qp_fatal(qp, "the receive queue cannot be read or is malformed");
		return RESPONSE_NAK_OPERATION;
	}
}

static void complete_receive(struct mlx5_qp *qp, const struct mlx5_qp *initiator,
			     const struct packet *packet, enum cqe_opcode opcode)
{
	struct receive_info info = {
		.opcode = opcode,
		.bytes = (u32)packet->message_length,
		.source_qpn = initiator->qpn,
		.solicited = packet->solicited,
	};

	memcpy(info.immediate, packet->immediate, sizeof(info.immediate));
	qp->responder.has_receive = false;
	receive_completion(qp, &qp->responder.receive, &info);
}

static enum response receive_send(struct mlx5_qp *qp, struct mlx5_qp *initiator,
				  const struct packet *packet, struct mlx5_srq *srq)
{
	struct responder *responder = &qp->responder;
	struct receive_wqe *receive = &responder->receive;
	enum cqe_opcode opcode = CQE_RECEIVE_SEND;
	struct access_fault fault = { 0 };
	enum access_result result;
	enum response response;

	if (!packet->first && !responder->in_message)
		return refuse(qp, RESPONSE_NAK_INVALID);
	response = need_receive(qp, srq);
	if (response != RESPONSE_ACK)
		return response;
	responder->in_message = true;
	if (packet->offset + packet->length > receive->capacity)
		return fail_receive(qp, SYNDROME_LOCAL_LENGTH);
	result = segments_access(qp->dev, receive->segments, receive->segment_count,
				 packet->offset, packet->data, packet->length,
				 packet->message_length - packet->offset, true, receive->pd,
				 &fault);
	if (result == ACCESS_NOT_PRESENT)
		return park(qp, initiator, packet, &fault, true);
	if (result != ACCESS_OK)
		return fail_receive(qp, SYNDROME_LOCAL_PROT);
	if (!packet->last)
		return RESPONSE_ACK;
	responder->in_message = false;
	if (packet->opcode == WQE_SEND_IMM) {
		opcode = CQE_RECEIVE_SEND_IMM;
	} else if (packet->opcode == WQE_SEND_INVALIDATE) {
		u32 key;

		memcpy(&key, packet->immediate, sizeof(key));
		if (!memory_key_invalidate(qp->dev, be32toh(key), receive->pd, qp->qpn))
			return refuse(qp, RESPONSE_NAK_ACCESS);
		opcode = CQE_RECEIVE_SEND_INVALIDATE;
	}
	complete_receive(qp, initiator, packet, opcode);
	return RESPONSE_ACK;
}

static enum response remote_access(struct mlx5_qp *qp, struct mlx5_qp *initiator,
				   const struct packet *packet, enum access_kind kind, u32 pd)
{
	struct access whole = {
		.key = packet->rkey,
		.va = packet->va - packet->offset,
		.length = packet->message_length,
		.kind = kind,
		.pd = pd,
		.qpn = qp->qpn,
	};
	struct access access = whole;
	struct access_fault fault = { 0 };
	enum access_result result;

	if (packet->message_length > qp->max_message)
		return refuse(qp, RESPONSE_NAK_INVALID);
	/* The key of an empty message is not looked at. */
	if (!packet->message_length)
		return RESPONSE_ACK;
	if (packet->first && memory_key_check(qp->dev, &whole) == ACCESS_DENIED)
		return refuse(qp, RESPONSE_NAK_ACCESS);
	access.va = packet->va;
	access.length = packet->length;
	result = memory_key_access(qp->dev, &access, packet->data, &fault);
	if (result == ACCESS_NOT_PRESENT)
		return park(qp, initiator, packet, &fault, false);
	if (result != ACCESS_OK)
		return refuse(qp, RESPONSE_NAK_ACCESS);
	return RESPONSE_ACK;
}

static enum response receive_write(struct mlx5_qp *qp, struct mlx5_qp *initiator,
				   const struct packet *packet, struct mlx5_srq *srq, u32 pd)
{
	bool notify = packet->opcode == WQE_RDMA_WRITE_IMM && packet->last;
	enum response response;

	if (!qp->remote_write)
		return refuse(qp, RESPONSE_NAK_INVALID);
	if (notify) {
		response = need_receive(qp, srq);
		if (response != RESPONSE_ACK)
			return response;
	}
	response = remote_access(qp, initiator, packet, ACCESS_REMOTE_WRITE, pd);
	if (response == RESPONSE_ACK && notify)
		complete_receive(qp, initiator, packet, CQE_RECEIVE_WRITE_IMM);
	return response;
}

static enum response receive_atomic(struct mlx5_qp *qp, struct mlx5_qp *initiator,
				    const struct packet *packet, u32 pd)
{
	struct access access = {
		.key = packet->rkey,
		.va = packet->va,
		.length = 8,
		.kind = ACCESS_REMOTE_ATOMIC,
		.pd = pd,
		.qpn = qp->qpn,
	};
	struct access_fault fault = { 0 };
	enum access_result result;

	if (!qp->remote_atomic || packet->va & 7)
		return refuse(qp, RESPONSE_NAK_INVALID);
	result = memory_key_atomic(qp->dev, &access,
				   packet->opcode == WQE_ATOMIC_CS ? ATOMIC_COMPARE_SWAP :
								     ATOMIC_FETCH_ADD,
				   packet->swap_or_add, packet->compare, packet->atomic_old,
				   &fault);
	if (result == ACCESS_NOT_PRESENT)
		return park(qp, initiator, packet, &fault, false);
	if (result != ACCESS_OK)
		return refuse(qp, RESPONSE_NAK_ACCESS);
	return RESPONSE_ACK;
}

enum response responder_packet(struct mlx5_qp *qp, struct mlx5_qp *initiator,
			       const struct packet *packet)
{
	struct responder *responder = &qp->responder;
	struct mlx5_srq *srq;
	u32 pd;

	if (responder->parked) {
		wait_for_me(qp, initiator);
		return RESPONSE_WAIT;
	}
	if (qp->state == QP_RTR && !responder->established)
		event_post_qp(qp->dev, EVENT_COMM_ESTABLISHED, qp->qpn, 0);
	responder->established = true;
	if (!find_queue(qp, packet, &srq, &pd))
		return refuse(qp, RESPONSE_NAK_INVALID);
	if (responder->in_message && packet->opcode != WQE_SEND &&
	    packet->opcode != WQE_SEND_IMM && packet->opcode != WQE_SEND_INVALIDATE)
		return refuse(qp, RESPONSE_NAK_INVALID);
	switch (packet->opcode) {
	case WQE_SEND:
	case WQE_SEND_IMM:
	case WQE_SEND_INVALIDATE:
		return receive_send(qp, initiator, packet, srq);
	case WQE_RDMA_WRITE:
	case WQE_RDMA_WRITE_IMM:
		return receive_write(qp, initiator, packet, srq, pd);
	case WQE_RDMA_READ:
		if (!qp->remote_read)
			return refuse(qp, RESPONSE_NAK_INVALID);
		return remote_access(qp, initiator, packet, ACCESS_REMOTE_READ, pd);
	default:
		return receive_atomic(qp, initiator, packet, pd);
	}
}
