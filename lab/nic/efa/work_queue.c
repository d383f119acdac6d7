/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Send work requests: 64 or 128 bytes that user space writes into the LLQ BAR. Each is copied once,
 * before anything of it is looked at.
 */
#include "qp.h"

#define DATA_OFFSET offsetof(struct efa_io_tx_wqe, data)
#define RDMA_INLINE_OFFSET (DATA_OFFSET + offsetof(struct efa_io_rdma_req, local_mem))

_Static_assert(RDMA_INLINE_OFFSET + EFA_INLINE_128 == SEND_WQE_BYTES, "inline writes end there");

static void fill_segment(struct data_segment *segment, const struct efa_io_tx_buf_desc *from)
{
	segment->va = (u64)from->buf_addr_hi << 32 | from->buf_addr_lo;
	segment->length = from->length;
	segment->lkey = EFA_GET(&from->lkey, EFA_IO_TX_BUF_DESC_LKEY);
}

/* Inline data lie where the list of segments would. */
static u8 parse_data(struct send_request *request, const struct efa_io_tx_meta_desc *meta,
		     u32 offset, u32 most_segments)
{
	bool is_long = request->qp->sq_stride == SEND_WQE_BYTES;
	u32 room = is_long ? EFA_INLINE_128 : request->operation == EFA_IO_SEND ? EFA_INLINE_64 : 0;

	if (EFA_GET(&meta->ctrl1, EFA_IO_TX_META_DESC_INLINE_MSG)) {
		if (meta->length > room)
			return EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH;
		request->inline_data = request->raw + offset;
		request->length = meta->length;
		return EFA_IO_COMP_STATUS_OK;
	}
	if (meta->length > most_segments)
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH;
	request->segment_count = meta->length;
	for (u32 i = 0; i < request->segment_count; i++) {
		struct efa_io_tx_buf_desc segment;

		memcpy(&segment, request->raw + offset + i * sizeof(segment), sizeof(segment));
		fill_segment(&request->segments[i], &segment);
		if (request->segments[i].length > EFA_MAX_RDMA)
			return EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH;
		request->length += request->segments[i].length;
	}
	return EFA_IO_COMP_STATUS_OK;
}

static u8 parse_rdma(struct send_request *request, const struct efa_io_tx_meta_desc *meta)
{
	struct efa_io_remote_mem_addr remote;
	u8 status;

	if (request->qp->type != EFA_ADMIN_QP_TYPE_SRD)
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_UNSUPPORTED_OP;
	if (request->operation == EFA_IO_RDMA_READ &&
	    meta->ctrl1 & (EFA_IO_TX_META_DESC_INLINE_MSG_MASK | EFA_IO_TX_META_DESC_HAS_IMM_MASK))
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_UNSUPPORTED_OP;
	memcpy(&remote, request->raw + DATA_OFFSET, sizeof(remote));
	request->remote_va = (u64)remote.buf_addr_hi << 32 | remote.buf_addr_lo;
	request->rkey = remote.rkey;
	status = parse_data(request, meta, RDMA_INLINE_OFFSET, EFA_IO_TX_DESC_NUM_RDMA_BUFS);
	if (status)
		return status;
	if (request->length != remote.length || request->length > EFA_MAX_RDMA)
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH;
	return EFA_IO_COMP_STATUS_OK;
}

static u8 parse(struct send_request *request, const struct efa_io_tx_meta_desc *meta)
{
	u8 status;

	switch (request->operation) {
	case EFA_IO_SEND:
		status = parse_data(request, meta, DATA_OFFSET, EFA_MAX_SEND_SGES);
		if (!status && request->length > EFA_MTU)
			status = EFA_IO_COMP_STATUS_LOCAL_ERROR_BAD_LENGTH;
		return status;
	case EFA_IO_RDMA_READ:
	case EFA_IO_RDMA_WRITE:
		return parse_rdma(request, meta);
	default:
		return EFA_IO_COMP_STATUS_LOCAL_ERROR_UNSUPPORTED_OP;
	}
}

static bool is_whole(const struct efa_io_tx_meta_desc *meta)
{
	return EFA_GET(&meta->ctrl1, EFA_IO_TX_META_DESC_META_DESC) &&
	       !EFA_GET(&meta->ctrl1, EFA_IO_TX_META_DESC_META_EXTENSION) &&
	       EFA_GET(&meta->ctrl2, EFA_IO_TX_META_DESC_FIRST) &&
	       EFA_GET(&meta->ctrl2, EFA_IO_TX_META_DESC_LAST);
}

static void copy(struct send_request *request)
{
	struct efa_qp *qp = request->qp;
	struct efa_io_tx_meta_desc meta;

	memcpy(request->raw, qp->sq + (qp->sq_consumer & (qp->sq_depth - 1)) * qp->sq_stride,
	       qp->sq_stride);
	qp->sq_consumer++;
	memcpy(&meta, request->raw, sizeof(meta));
	request->operation = EFA_GET(&meta.ctrl1, EFA_IO_TX_META_DESC_OP_TYPE);
	request->request = meta.req_id;
	for (u32 i = 0; qp->wide && i < G_N_ELEMENTS(meta.req_id_ex.w); i++)
		request->request |= (u64)meta.req_id_ex.w[i] << (16 * (i + 1));
}

struct send_request *send_request_skip(struct efa_qp *qp)
{
	struct send_request *request;

	if (qp->sq_consumer == qp->sq_producer)
		return NULL;
	request = g_new0(struct send_request, 1);
	request->qp = qp;
	copy(request);
	g_queue_push_tail(&qp->active, request);
	++*qp->dev->count.wqes;
	return request;
}

struct send_request *send_request_fetch(struct efa_qp *qp)
{
	struct send_request *request = send_request_skip(qp);
	struct efa_io_tx_meta_desc meta;
	u8 status;

	if (!request)
		return NULL;
	memcpy(&meta, request->raw, sizeof(meta));
	if (!is_whole(&meta)) {
		requester_complete(request, EFA_IO_COMP_STATUS_LOCAL_ERROR_QP_INTERNAL_ERROR);
		qp_fatal(qp, "a send request is no whole descriptor");
		return NULL;
	}
	request->has_immediate = EFA_GET(&meta.ctrl1, EFA_IO_TX_META_DESC_HAS_IMM);
	request->immediate = meta.immediate_data;
	request->destination = meta.dest_qp_num;
	request->ah = meta.ah;
	request->qkey = meta.qkey;
	status = parse(request, &meta);
	if (!status)
		return request;
	requester_complete(request, status);
	return NULL;
}

enum access_result segments_access(struct efa_device *dev, const struct data_segment *segments,
				   u32 count, u32 pd, u64 offset, void *data, u32 len, bool write)
{
	for (u32 i = 0; i < count && len; i++) {
		struct access access = {
			.key = segments[i].lkey,
			.pd = pd,
			.va = segments[i].va + offset,
			.kind = write ? ACCESS_LOCAL_WRITE : ACCESS_LOCAL_READ,
		};
		enum access_result result;

		if (offset >= segments[i].length) {
			offset -= segments[i].length;
			continue;
		}
		access.length = MIN(segments[i].length - offset, len);
		result = mr_access(dev, &access, data);
		if (result)
			return result;
		data = (u8 *)data + access.length;
		len -= access.length;
		offset = 0;
	}
	return ACCESS_OK;
}
