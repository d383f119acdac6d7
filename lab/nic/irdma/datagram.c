/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Datagrams, to QPs of this device or of others. What does not arrive is lost without a word. The CM
 * lives off these: its messages go from one device's QP 1 to another's, or to the same one.
 */
#include <arpa/inet.h>

#include "qp.h"

#define HEADER_BYTES 40u /* before each received message: a GRH, or an IPv4 header in its second half */
#define NEXT_HEADER_IBA 0x1bu
#define PROTOCOL_UDP 17u
#define MULTICAST_QPN 0xffffffu
/* A key with this bit stands for that of the sending QP, which only the kernel can have set. */
#define CONTROLLED_KEY (1u << 31)

struct datagram {
	struct irdma_qp *sender;
	const struct address_handle *handle;
	u8 *data; /* header and payload */
	u32 qkey;
	bool arrived;
};

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

static bool hears(const struct irdma_qp *qp, const struct datagram *datagram)
{
	return qp->type == IRDMA_QP_TYPE_ROCE_UD && qp->qkey == datagram->qkey &&
	       (qp->state == IRDMA_QP_STATE_RTR || qp->state == IRDMA_QP_STATE_RTS ||
		qp->state == IRDMA_QP_STATE_SQD);
}

/* False: nobody has it. */
static bool deliver(const struct datagram *datagram, struct irdma_qp *qp)
{
	const struct send_wqe *wqe = &datagram->sender->requester.wqe;
	u32 length = HEADER_BYTES + wqe->length;
	struct receive_wqe receive;
	struct completion completion = {
		.solicited = wqe->solicited,
		.has_immediate = wqe->has_immediate,
		.immediate = wqe->immediate,
		.op = IRDMA_OP_TYPE_REC,
		.length = length,
		.qpn = qp->qpn,
		.source_qpn = datagram->sender->qpn,
		.datagram = true,
		.ipv4 = datagram->handle->ipv4,
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
	event = receive.capacity < length ?
			IRDMA_AE_DDP_UBE_DDP_MESSAGE_TOO_LONG_FOR_AVAILABLE_BUFFER :
			fragments_access(qp, receive.fragments, receive.fragment_count, 0,
					 datagram->data, length, true);
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

static void arrive(struct datagram *datagram, struct irdma_device *dev, u32 qpn)
{
	struct irdma_qp *qp = qp_find(dev, qpn);

	if (qp && hears(qp, datagram) && deliver(datagram, qp))
		datagram->arrived = true;
}

/* Every member hears it, the sender too if it is one: the author's reading of InfiniBand. */
static void arrive_at_group(struct datagram *datagram, struct irdma_device *dev)
{
	const struct multicast_group *group = multicast_group_find(dev, datagram->handle);

	for (u32 i = 0; group && i < group->count; i++)
		arrive(datagram, dev, group->qpns[i]);
}

static bool pass_by(void *device, void *opaque)
{
	struct datagram *datagram = opaque;
	struct irdma_device *from = datagram->sender->dev, *to = device;
	u32 qpn = datagram->sender->requester.wqe.remote_qpn;

	if (!address_handle_leads(datagram->handle, from, to) ||
	    !fabric_carries(from->port, to->port))
		return true;
	if (qpn == MULTICAST_QPN)
		arrive_at_group(datagram, to);
	else
		arrive(datagram, to, qpn);
	return true;
}

static const struct address_handle *find_handle(struct irdma_qp *qp)
{
	return address_handle_find(qp->dev, qp->requester.wqe.remote_stag & GENMASK_ULL(24, 0),
				   qp->pd);
}

struct delay_search {
	struct irdma_device *from;
	const struct address_handle *handle;
	u64 nanoseconds;
};

static bool find_delay(void *device, void *opaque)
{
	struct delay_search *search = opaque;
	struct irdma_device *to = device;

	if (address_handle_leads(search->handle, search->from, to))
		search->nanoseconds = MAX(search->nanoseconds,
					  fabric_delay_ns(search->from->port, to->port));
	return true;
}

u64 datagram_delay_ns(struct irdma_qp *qp)
{
	struct delay_search search = {.from = qp->dev, .handle = find_handle(qp)};

	if (search.handle)
		fabric_for_each(qp->dev->port, find_delay, &search);
	return search.nanoseconds;
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
	const struct send_wqe *wqe = &qp->requester.wqe;
	struct datagram datagram = {
		.sender = qp,
		.handle = find_handle(qp),
		.data = data,
		.qkey = wqe->qkey & CONTROLLED_KEY ? qp->qkey : wqe->qkey,
	};
	u16 event = read_message(qp, data + HEADER_BYTES);

	if (!event && !datagram.handle)
		event = IRDMA_AE_UDA_XMIT_BAD_PD;
	if (event) {
		requester_fail(qp, event);
		return false;
	}
	make_header(datagram.handle, wqe->length, data);
	fabric_for_each(qp->dev->port, pass_by, &datagram);
	++*(datagram.arrived ? qp->dev->count.packets : qp->dev->count.lost);
	/* It may have been sent to itself, and have put itself into error. */
	return qp->state != IRDMA_QP_STATE_ERROR;
}
