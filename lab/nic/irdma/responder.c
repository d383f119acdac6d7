/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The other end of a connection: what becomes of a packet that arrives. A request that is refused for
 * its stag puts this QP into error as well, as RoCE wants it.
 */
#include "qp.h"

/* Of completions of receive queues, which bear the packet's operation; as InfiniBand numbers them. */
#define PACKET_WRITE_ONLY_IMMEDIATE 0x0bu
#define PACKET_WRITE_LAST_IMMEDIATE 0x09u

static bool is_ready(const struct irdma_qp *qp)
{
	return qp->state == IRDMA_QP_STATE_RTR || qp->state == IRDMA_QP_STATE_RTS ||
	       qp->state == IRDMA_QP_STATE_SQD;
}

struct peer_search {
	const struct irdma_qp *initiator;
	struct irdma_qp *found;
};

/* The host's addresses are known by its QPs' alone. */
static bool is_not_on(void *device, void *opaque)
{
	struct peer_search *search = opaque;
	const struct irdma_qp *initiator = search->initiator;
	struct irdma_qp *qp = qp_find(device, initiator->remote_qpn);

	if (qp && qp->type == IRDMA_QP_TYPE_ROCE_RC && is_ready(qp) &&
	    qp->remote_qpn == initiator->qpn &&
	    !memcmp(qp->local_ip, initiator->remote_ip, sizeof(qp->local_ip)) &&
	    !memcmp(qp->remote_ip, initiator->local_ip, sizeof(qp->remote_ip)))
		search->found = qp;
	return !search->found;
}

struct irdma_qp *responder_find(struct irdma_qp *initiator)
{
	struct peer_search search = {.initiator = initiator};

	fabric_for_each(initiator->dev->port, is_not_on, &search);
	return search.found;
}

static enum response refuse(struct irdma_qp *qp, u16 code, u8 source, u32 wqe_index)
{
	qp_async_error(qp, code, source, wqe_index);
	return code == AE_BUS_ERROR ? RESPONSE_NAK_OPERATION : RESPONSE_NAK_ACCESS;
}

static enum response refuse_receive(struct irdma_qp *qp, u16 code)
{
	u32 index = qp->responder.receive.index;

	/* It is what the flush has to begin with. */
	qp->rq.consumer = index;
	++*qp->dev->count.local_protection_errors;
	qp_async_error(qp, code, IRDMA_AE_SOURCE_RQ, index);
	return RESPONSE_NAK_OPERATION;
}

static void receive_done(struct irdma_qp *qp, const struct packet *packet, u8 op, u32 length)
{
	struct responder *responder = &qp->responder;
	struct completion completion = {
		.solicited = packet->solicited,
		.has_immediate = packet->has_immediate,
		.immediate = packet->immediate,
		.op = op,
		.wqe_index = responder->receive.index,
		.length = length,
		.qpn = qp->qpn,
		.context = qp->context,
	};

	if (packet->opcode == IRDMAQP_OP_RDMA_SEND_INV ||
	    packet->opcode == IRDMAQP_OP_RDMA_SEND_SOL_EVENT_INV) {
		completion.has_invalidated = true;
		completion.invalidated = packet->stag;
	}
	responder->in_message = false;
	cq_post(qp->dev, qp->receive_cqn, &completion);
}

/* Its first packet takes a receive request, which the others fill. */
static enum response take_receive(struct irdma_qp *qp)
{
	switch (receive_take(qp, &qp->responder.receive)) {
	case RECEIVE_TAKEN:
		qp->responder.in_message = true;
		return RESPONSE_ACK;
	case RECEIVE_EMPTY:
		return RESPONSE_RNR;
	default:
		qp_async_error(qp, AE_BUS_ERROR, IRDMA_AE_SOURCE_RQ, qp->rq.consumer);
		return RESPONSE_NAK_OPERATION;
	}
}

static enum response receive_packet(struct irdma_qp *qp, const struct packet *packet)
{
	struct receive_wqe *receive = &qp->responder.receive;
	u16 event;

	if (!qp->responder.in_message) {
		enum response response = packet->first ? take_receive(qp) : RESPONSE_NAK_INVALID;

		if (response != RESPONSE_ACK)
			return response;
	}
	if (packet->offset + packet->length > receive->capacity) {
		refuse_receive(qp,
			       IRDMA_AE_DDP_UBE_DDP_MESSAGE_TOO_LONG_FOR_AVAILABLE_BUFFER);
		return RESPONSE_NAK_INVALID;
	}
	event = fragments_access(qp, receive->fragments, receive->fragment_count, packet->offset,
				 packet->data, packet->length, true);
	if (event)
		return refuse_receive(qp, event);
	if (!packet->last)
		return RESPONSE_ACK;
	if (packet->opcode == IRDMAQP_OP_RDMA_SEND_INV ||
	    packet->opcode == IRDMAQP_OP_RDMA_SEND_SOL_EVENT_INV) {
		event = stag_invalidate(qp->dev, packet->stag, qp->pd, true);
		if (event)
			return refuse_receive(qp, event);
	}
	qp->dev->statistics.send_received++;
	receive_done(qp, packet, IRDMA_OP_TYPE_REC, packet->message_length);
	return RESPONSE_ACK;
}

/* Rights and bounds of the whole message count from its first packet on. */
static u16 check_message(struct irdma_qp *qp, const struct packet *packet, enum access_kind kind)
{
	struct access access = qp_access(qp, kind, packet->stag, packet->va - packet->offset,
					 packet->message_length);

	return packet->first ? stag_check(qp->dev, &access) : 0;
}

static enum response write_packet(struct irdma_qp *qp, const struct packet *packet)
{
	struct access access =
		qp_access(qp, ACCESS_REMOTE_WRITE, packet->stag, packet->va, packet->length);
	enum response response = RESPONSE_ACK;
	u16 event;

	if (!qp->may_write)
		return RESPONSE_NAK_INVALID;
	event = check_message(qp, packet, ACCESS_REMOTE_WRITE);
	/* Without a receive request the last packet comes again. */
	if (!event && packet->last && packet->has_immediate)
		response = take_receive(qp);
	if (response != RESPONSE_ACK)
		return response;
	if (!event)
		event = stag_access(qp->dev, &access, packet->data);
	if (event)
		return refuse(qp, event, IRDMA_AE_SOURCE_IN_RR_WR, 0);
	if (!packet->last)
		return RESPONSE_ACK;
	qp->dev->statistics.write_received++;
	if (packet->has_immediate)
		receive_done(qp, packet,
			     packet->first ? PACKET_WRITE_ONLY_IMMEDIATE :
					     PACKET_WRITE_LAST_IMMEDIATE,
			     packet->message_length);
	return RESPONSE_ACK;
}

static enum response read_packet(struct irdma_qp *qp, const struct packet *packet)
{
	struct access access =
		qp_access(qp, ACCESS_REMOTE_READ, packet->stag, packet->va, packet->length);
	u16 event;

	if (!qp->may_read)
		return RESPONSE_NAK_INVALID;
	event = check_message(qp, packet, ACCESS_REMOTE_READ);
	if (!event)
		event = stag_access(qp->dev, &access, packet->data);
	if (event)
		return refuse(qp, event, IRDMA_AE_SOURCE_OUT_RR, 0);
	if (packet->last)
		qp->dev->statistics.read_received++;
	return RESPONSE_ACK;
}

enum response responder_packet(struct irdma_qp *qp, const struct packet *packet)
{
	switch (packet->opcode) {
	case IRDMAQP_OP_RDMA_WRITE:
	case IRDMAQP_OP_RDMA_WRITE_SOL:
		return write_packet(qp, packet);
	case IRDMAQP_OP_RDMA_READ:
	case IRDMAQP_OP_RDMA_READ_LOC_INV:
		return read_packet(qp, packet);
	default:
		return receive_packet(qp, packet);
	}
}
