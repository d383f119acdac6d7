/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Datagrams between QPs of this device. What does not arrive is lost without a word. */
#include <arpa/inet.h>

#include "qp.h"

#define HEADER_BYTES 40u /* before each received message: a GRH, or an IPv4 header in its second half */
#define NEXT_HEADER_IBA 0x1bu
#define PROTOCOL_UDP 17u

static void put32(u8 *to, u32 value)
{
	value = htonl(value);
	memcpy(to, &value, sizeof(value));
}

static void make_header(const struct address_handle *handle, u32 length, u8 header[HEADER_BYTES])
{
	memset(header, 0, HEADER_BYTES);
	if (handle->ipv4) {
		u8 *ip = header + 20;

		put32(ip, 0x45000000u | (u32)handle->traffic_class << 16 | (length + 20));
		put32(ip + 8, (u32)handle->hop_limit << 24 | PROTOCOL_UDP << 16);
		put32(ip + 12, handle->source_ip[3]);
		put32(ip + 16, handle->ip[3]);
		return;
	}
	put32(header, 6u << 28 | (u32)handle->traffic_class << 20 | handle->flow_label);
	put32(header + 4, length << 16 | NEXT_HEADER_IBA << 8 | handle->hop_limit);
	for (u32 i = 0; i < 4; i++) {
		put32(header + 8 + 4 * i, handle->source_ip[i]);
		put32(header + 24 + 4 * i, handle->ip[i]);
	}
}

static struct irdma_qp *find_receiver(const struct irdma_qp *sender,
				      const struct address_handle *handle)
{
	const struct send_wqe *wqe = &sender->requester.wqe;
	struct irdma_qp *qp = qp_find(sender->dev, wqe->remote_qpn);

	if (!handle->loopback || !qp || qp->type != IRDMA_QP_TYPE_ROCE_UD ||
	    qp->qkey != wqe->qkey)
		return NULL;
	if (qp->state != IRDMA_QP_STATE_RTR && qp->state != IRDMA_QP_STATE_RTS &&
	    qp->state != IRDMA_QP_STATE_SQD)
		return NULL;
	return qp;
}

/* False: nobody has it. */
static bool deliver(struct irdma_qp *sender, struct irdma_qp *qp,
		    const struct address_handle *handle, u8 *data)
{
	const struct send_wqe *wqe = &sender->requester.wqe;
	u32 length = HEADER_BYTES + wqe->length;
	struct receive_wqe receive;
	struct completion completion = {
		.solicited = wqe->solicited,
		.has_immediate = wqe->has_immediate,
		.immediate = wqe->immediate,
		.op = IRDMA_OP_TYPE_REC,
		.length = length,
		.qpn = qp->qpn,
		.source_qpn = sender->qpn,
		.datagram = true,
		.ipv4 = handle->ipv4,
		.context = qp->context,
	};
	u16 event;

	switch (receive_take(qp, &receive)) {
	case RECEIVE_TAKEN:
		break;
	case RECEIVE_EMPTY:
		return false;
	default:
		qp_async_error(qp, AE_BUS_ERROR, IRDMA_AE_SOURCE_RQ, qp->rq.consumer);
		return false;
	}
	make_header(handle, wqe->length, data);
	event = receive.capacity < length ?
			IRDMA_AE_DDP_UBE_DDP_MESSAGE_TOO_LONG_FOR_AVAILABLE_BUFFER :
			fragments_access(qp, receive.fragments, receive.fragment_count, 0, data,
					 length, true);
	if (event) {
		qp->rq.consumer = receive.index;
		qp_async_error(qp, event, IRDMA_AE_SOURCE_RQ, receive.index);
		return false;
	}
	completion.wqe_index = receive.index;
	cq_post(qp->dev, qp->receive_cqn, &completion);
	qp->dev->statistics.send_received++;
	return true;
}

static u16 read_message(struct irdma_qp *qp, u8 *data)
{
	struct send_wqe *wqe = &qp->requester.wqe;

	if (wqe->opcode != IRDMAQP_OP_RDMA_SEND && wqe->opcode != IRDMAQP_OP_RDMA_SEND_SOL_EVENT)
		return IRDMA_AE_WQE_UNEXPECTED_OPCODE;
	if (wqe->length > qp->mtu)
		return IRDMA_AE_UDA_XMIT_DGRAM_TOO_LONG;
	if (!wqe->is_inline)
		return fragments_access(qp, wqe->fragments, wqe->fragment_count, 0, data,
					wqe->length, false);
	memcpy(data, wqe->inline_data, wqe->length);
	return 0;
}

bool datagram_send(struct irdma_qp *qp)
{
	u8 data[HEADER_BYTES + MAX_MTU];
	const struct address_handle *handle;
	struct irdma_qp *receiver;
	u16 event = read_message(qp, data + HEADER_BYTES);

	handle = address_handle_find(qp->dev, qp->requester.wqe.remote_stag & GENMASK_ULL(24, 0),
				     qp->pd);
	if (!event && !handle)
		event = IRDMA_AE_UDA_XMIT_BAD_PD;
	if (event) {
		requester_fail(qp, event);
		return false;
	}
	receiver = find_receiver(qp, handle);
	if (!receiver || !deliver(qp, receiver, handle, data))
		++*qp->dev->count.lost;
	else
		++*qp->dev->count.packets;
	/* It may have been sent to itself, and have put itself into error. */
	return qp->state != IRDMA_QP_STATE_ERROR;
}
