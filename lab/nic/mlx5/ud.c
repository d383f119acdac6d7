/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Datagrams, also those of the management QPs. A unicast datagram goes to the QP that the address
 * vector names by LID and number, one for a multicast group to its members on all devices. What
 * cannot be delivered is lost without a word, as datagrams are.
 */
#include "hca.h"
#include "qp.h"

#define GRH_NEXT_HEADER 0x1b
#define MULTICAST_QPN 0xffffffu
#define PRIVILEGED_QKEY 0x80000000u
#define DEFAULT_PKEY 0xffff
#define PERMISSIVE_LID 0xffff

struct datagram {
	const struct mlx5_qp *source;
	const struct send_wqe *wqe;
	u32 qkey, source_qpn, bytes;
	bool multicast;
	u8 data[GRH_BYTES + MLX5_MAX_MTU]; /* the first 40 bytes stay unwritten without a GRH */
};

static void fill_grh(struct mlx5_device *dev, struct datagram *datagram)
{
	const struct address_vector *av = &datagram->wqe->av;
	/* The port's GID: link-local, with the GUID that follows the node's. */
	u64 prefix = htobe64(0xfe80ull << 48), guid = htobe64(dev->hca->guid + 1);
	u32 word = htobe32(6u << 28 | (u32)av->traffic_class << 20 | av->flow_label);
	u16 length = htobe16((u16)datagram->bytes);
	u8 *grh = datagram->data;

	memcpy(grh, &word, 4);
	memcpy(grh + 4, &length, 2);
	grh[6] = GRH_NEXT_HEADER;
	grh[7] = av->hop_limit;
	memcpy(grh + 8, &prefix, 8);
	memcpy(grh + 16, &guid, 8);
	memcpy(grh + 24, av->gid, 16);
}

static bool hears(const struct mlx5_qp *qp, const struct datagram *datagram)
{
	if (qp->state != QP_RTR && qp->state != QP_RTS && qp->state != QP_SQD)
		return false;
	switch (qp->service) {
	case SERVICE_UD:
		return qp->qkey == datagram->qkey;
	case SERVICE_QP0:
	case SERVICE_QP1: /* its queue key is well known and the same everywhere */
		return true;
	default:
		return false;
	}
}

static void deliver(struct mlx5_qp *qp, void *opaque)
{
	struct datagram *datagram = opaque;
	const struct send_wqe *wqe = datagram->wqe;
	struct receive_info info = {
		.opcode = wqe->opcode == WQE_SEND_IMM ? CQE_RECEIVE_SEND_IMM : CQE_RECEIVE_SEND,
		.bytes = GRH_BYTES + datagram->bytes,
		.source_qpn = datagram->source_qpn,
		.source_lid = datagram->source->dev->lid,
		.service_level = wqe->av.service_level,
		.path_bits = wqe->av.path_bits,
		.grh = wqe->av.grh,
		.solicited = wqe->solicited,
	};
	struct receive_wqe *receive = &qp->responder.receive;
	struct access_fault fault;
	u32 skip = wqe->av.grh ? 0 : GRH_BYTES;
	enum access_result result;

	if (!hears(qp, datagram))
		return;
	switch (receive_take(qp, NULL, receive)) {
	case RECEIVE_TAKEN:
		break;
	case RECEIVE_EMPTY:
		return;
	default:
		qp_fatal(qp, "the receive queue cannot be read or is malformed");
		return;
	}
	if (info.bytes > receive->capacity) {
		receive_error_completion(qp, receive, SYNDROME_LOCAL_LENGTH);
		qp_enter_error(qp);
		return;
	}
	/*
	 * Nobody waits for a datagram's translation: a buffer that is not present is reported like
	 * one that may not be written. Unverified on silicon, where receiving datagrams into on
	 * demand memory is not offered.
	 */
	result = segments_access(qp->dev, receive->segments, receive->segment_count, skip,
				 datagram->data + skip, info.bytes - skip, info.bytes - skip, true,
				 receive->pd, &fault);
	if (result != ACCESS_OK) {
		++*qp->dev->count.local_protection_errors;
		receive_error_completion(qp, receive, SYNDROME_LOCAL_PROT);
		qp_enter_error(qp);
		return;
	}
	if (wqe->opcode == WQE_SEND_IMM) {
		memcpy(info.immediate, wqe->immediate, sizeof(info.immediate));
	} else if (qp->service == SERVICE_QP1) {
		info.immediate[2] = DEFAULT_PKEY >> 8;
		info.immediate[3] = DEFAULT_PKEY & 0xff;
	}
	receive_completion(qp, receive, &info);
}

static bool has_service(const void *object, const void *service)
{
	return ((const struct mlx5_qp *)object)->service == *(const enum qp_service *)service;
}

/* The management QPs are addressed by 0 and 1, whatever number they were created under. */
static struct mlx5_qp *destination(struct mlx5_device *dev, u32 qpn)
{
	const enum qp_service service = qpn ? SERVICE_QP1 : SERVICE_QP0;

	return qpn > 1 ? qp_find(dev, qpn) : id_table_find_if(dev->qps, has_service, &service);
}

static bool deliver_to_members(void *device, void *opaque)
{
	struct datagram *datagram = opaque;
	struct mlx5_device *to = device;

	if (fabric_carries(datagram->source->dev->port, to->port))
		multicast_deliver(to, datagram->wqe->av.gid, deliver, datagram);
	return true;
}

static void deliver_to_one(struct datagram *datagram)
{
	struct mlx5_device *from = datagram->source->dev, *to = from;
	u16 lid = datagram->wqe->av.lid;
	struct mlx5_qp *target;

	if (lid != PERMISSIVE_LID)
		to = port_reach(from, lid);
	target = to ? destination(to, datagram->wqe->av.qpn) : NULL;
	if (target && fabric_carries(from->port, to->port))
		deliver(target, datagram);
}

static u32 source_number(const struct mlx5_qp *qp)
{
	switch (qp->service) {
	case SERVICE_QP0:
		return 0;
	case SERVICE_QP1:
		return 1;
	default:
		return qp->source_qpn ? qp->source_qpn : qp->qpn;
	}
}

enum access_result ud_send(struct mlx5_qp *qp, const struct send_wqe *wqe,
			   enum cqe_syndrome *syndrome, struct access_fault *fault)
{
	static struct datagram datagram;
	enum access_result result;

	if (wqe->length > qp->mtu) {
		*syndrome = SYNDROME_LOCAL_LENGTH;
		return ACCESS_OK;
	}
	memset(&datagram, 0, sizeof(datagram));
	datagram.source = qp;
	datagram.wqe = wqe;
	datagram.bytes = (u32)wqe->length;
	datagram.source_qpn = source_number(qp);
	/* A queue key with the top bit set stands for the one in the QP. */
	datagram.qkey = wqe->av.qkey & PRIVILEGED_QKEY ? qp->qkey : wqe->av.qkey;
	result = segments_access(qp->dev, wqe->segments, wqe->segment_count, 0,
				 datagram.data + GRH_BYTES, datagram.bytes, datagram.bytes, false,
				 qp->pd, fault);
	if (result != ACCESS_OK)
		return result;
	if (wqe->av.grh)
		fill_grh(qp->dev, &datagram);
	++*qp->dev->count.packets;
	if (wqe->av.qpn == MULTICAST_QPN)
		fabric_for_each(qp->dev->port, deliver_to_members, &datagram);
	else
		deliver_to_one(&datagram);
	return ACCESS_OK;
}
