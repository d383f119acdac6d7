/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The far end of a send request. It lives in the same program, be it in another device, so a packet
 * and its answer are one call. A packet can get lost (common/fabric.h), an answer does not.
 */
#include <arpa/inet.h>

#include "qp.h"

#define PACKETS(bytes) (((bytes) + EFA_MTU - 1) / EFA_MTU)

struct grh {
	u32 version_class_flow;
	u16 payload;
	u8 next_header, hop_limit;
	u8 source[16], destination[16];
} __attribute__((packed));

_Static_assert(sizeof(struct grh) == EFA_GRH_BYTES, "the header has 40 bytes");

static bool can_hear(const struct efa_qp *qp)
{
	switch (qp->state) {
	case EFA_ADMIN_QP_STATE_RTR:
	case EFA_ADMIN_QP_STATE_RTS:
	case EFA_ADMIN_QP_STATE_SQD:
	case EFA_ADMIN_QP_STATE_SQE:
		return true;
	default:
		return false;
	}
}

/* The peer, or NULL and the status that an SRD QP is told. */
static struct efa_qp *find_peer(struct efa_qp *from, const struct send_request *request, u8 *status)
{
	const u8 *address = ah_address(from->dev, request->ah, from->pd);
	struct efa_device *dev;
	struct efa_qp *peer;

	if (!address) {
		*status = EFA_IO_COMP_STATUS_LOCAL_ERROR_INVALID_AH;
		return NULL;
	}
	dev = fabric_reach(from->dev->port, address, EFA_GID_BYTES);
	if (!dev) {
		*status = fabric_lookup(from->dev->port, address, EFA_GID_BYTES) ?
				  STATUS_LOST :
				  EFA_IO_COMP_STATUS_LOCAL_ERROR_UNREACH_REMOTE;
		return NULL;
	}
	peer = qp_find(dev, request->destination);
	*status = EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_DEST_QPN;
	if (!peer || peer->type != from->type || !can_hear(peer))
		return NULL;
	if (peer->qkey != request->qkey) {
		dev->statistics.basic.qkey_viol++;
		return NULL;
	}
	*status = EFA_IO_COMP_STATUS_OK;
	return peer;
}

static bool is_carried(struct efa_qp *from, struct efa_qp *peer)
{
	return fabric_carries(from->dev->port, peer->dev->port);
}

static void fill_message(struct message *message, struct efa_qp *from, struct efa_qp *peer,
			 const struct send_request *request)
{
	*message = (struct message){
		.source_qpn = from->qpn,
		.qkey = request->qkey,
		.has_immediate = request->has_immediate,
		.immediate = request->immediate,
		.length = request->length,
		.operation = request->operation,
	};
	memcpy(message->source, from->dev->gid, sizeof(message->source));
	memcpy(message->destination, peer->dev->gid, sizeof(message->destination));
}

static void count_packets(struct efa_qp *from, struct efa_qp *peer, u64 bytes)
{
	u64 packets = bytes ? PACKETS(bytes) : 1;

	from->dev->statistics.basic.tx_pkts += packets;
	from->dev->statistics.basic.tx_bytes += bytes;
	peer->dev->statistics.basic.rx_pkts += packets;
	peer->dev->statistics.basic.rx_bytes += bytes;
}

static enum access_result put_header(struct efa_qp *peer, const struct receive_request *receive,
				     const struct message *message)
{
	struct grh grh = {
		.version_class_flow = htonl(6u << 28),
		.payload = htons(message->length),
		.hop_limit = 255,
	};

	memcpy(grh.source, message->source, sizeof(grh.source));
	memcpy(grh.destination, message->destination, sizeof(grh.destination));
	return segments_access(peer->dev, receive->segments, receive->segment_count, peer->pd, 0,
			       &grh, sizeof(grh), true);
}

static enum access_result put(struct efa_qp *peer, const struct receive_request *receive,
			      const struct message *message, u32 header, const void *data)
{
	enum access_result result = ACCESS_OK;

	if (header)
		result = put_header(peer, receive, message);
	if (result)
		return result;
	return segments_access(peer->dev, receive->segments, receive->segment_count, peer->pd,
			       header, (void *)data, message->length, true);
}

/* Both ends' statuses; the receive request is used up in any case. */
static u8 deliver(struct efa_qp *peer, const struct receive_request *receive,
		  struct message *message, const void *data)
{
	u32 header = peer->type == EFA_ADMIN_QP_TYPE_UD ? EFA_GRH_BYTES : 0;
	enum access_result result;
	u8 mine;

	if (message->length + header > receive->capacity) {
		message->length = 0;
		receive_completion(peer, receive, message,
				   EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH);
		return EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_LENGTH;
	}
	result = put(peer, receive, message, header, data);
	if (result) {
		mine = result == ACCESS_DENIED ? EFA_IO_COMP_STATUS_LOCAL_ERROR_INVALID_LKEY :
						 EFA_IO_COMP_STATUS_LOCAL_ERROR_QP_INTERNAL_ERROR;
		if (result == ACCESS_DENIED)
			++*peer->dev->count.local_protection_errors;
		message->length = 0;
		receive_completion(peer, receive, message, mine);
		return EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_STATUS;
	}
	peer->dev->statistics.messages.recv_wrs++;
	peer->dev->statistics.messages.recv_bytes += message->length;
	message->length += header;
	receive_completion(peer, receive, message, EFA_IO_COMP_STATUS_OK);
	return EFA_IO_COMP_STATUS_OK;
}

/* The status of who found no receive request. */
static u8 not_taken(const struct efa_qp *peer)
{
	return can_hear(peer) ? EFA_IO_COMP_STATUS_REMOTE_ERROR_RNR :
				EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_DEST_QPN;
}

static u8 send_to(struct efa_qp *from, const struct send_request *request, const void *data)
{
	struct receive_request receive;
	struct message message;
	struct efa_qp *peer;
	u8 status;

	peer = find_peer(from, request, &status);
	if (!peer)
		return status;
	if (!is_carried(from, peer))
		return STATUS_LOST;
	if (!receive_take(peer, &receive))
		return not_taken(peer);
	fill_message(&message, from, peer, request);
	count_packets(from, peer, request->length);
	return deliver(peer, &receive, &message, data);
}

u8 responder_send(struct efa_qp *from, const struct send_request *request, const void *data)
{
	u8 status = send_to(from, request, data);

	if (!status || from->type != EFA_ADMIN_QP_TYPE_UD)
		return status;
	from->dev->statistics.basic.rx_drops++;
	++*from->dev->count.lost;
	return EFA_IO_COMP_STATUS_OK;
}

static struct access remote_access(const struct efa_qp *peer, const struct send_request *request,
				   u32 len)
{
	return (struct access){
		.key = request->rkey,
		.pd = peer->pd,
		.va = request->remote_va + request->moved,
		.length = len,
		.kind = request->operation == EFA_IO_RDMA_READ ? ACCESS_REMOTE_READ :
								 ACCESS_REMOTE_WRITE,
	};
}

u8 responder_check(struct efa_qp *from, const struct send_request *request)
{
	struct access access;
	struct efa_qp *peer;
	u8 status;

	peer = find_peer(from, request, &status);
	if (!peer)
		return status;
	if (ah_find(peer->dev, from->dev->gid, peer->pd) == EFA_UNKNOWN_AH)
		return EFA_IO_COMP_STATUS_REMOTE_ERROR_UNKNOWN_PEER;
	access = remote_access(peer, request, request->length);
	return mr_check(peer->dev, &access) ? EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_ADDRESS :
					      EFA_IO_COMP_STATUS_OK;
}

u8 responder_rdma(struct efa_qp *from, const struct send_request *request, void *data, u32 len)
{
	struct access access;
	struct efa_qp *peer;
	u8 status;

	peer = find_peer(from, request, &status);
	if (!peer)
		return status;
	if (!is_carried(from, peer))
		return STATUS_LOST;
	access = remote_access(peer, request, len);
	switch (mr_access(peer->dev, &access, data)) {
	case ACCESS_OK:
		break;
	case ACCESS_DENIED:
		return EFA_IO_COMP_STATUS_REMOTE_ERROR_BAD_ADDRESS;
	default:
		return EFA_IO_COMP_STATUS_REMOTE_ERROR_ABORT;
	}
	count_packets(from, peer, len);
	if (request->operation == EFA_IO_RDMA_READ)
		peer->dev->statistics.read.read_resp_bytes += len;
	else
		peer->dev->statistics.write.write_recv_bytes += len;
	return EFA_IO_COMP_STATUS_OK;
}

u8 responder_write_immediate(struct efa_qp *from, const struct send_request *request)
{
	struct receive_request receive;
	struct message message;
	struct efa_qp *peer;
	u8 status;

	peer = find_peer(from, request, &status);
	if (!peer)
		return status;
	fill_message(&message, from, peer, request);
	if (peer->unsolicited_writes) {
		receive_unsolicited(peer, &message);
		return EFA_IO_COMP_STATUS_OK;
	}
	if (!receive_take(peer, &receive))
		return not_taken(peer);
	receive_completion(peer, &receive, &message, EFA_IO_COMP_STATUS_OK);
	return EFA_IO_COMP_STATUS_OK;
}
