/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Work queue entries in host memory. They are written by a host that may misbehave: sizes are
 * checked before anything is read, and what a WQE points to is only ever reached through memory
 * keys.
 */
#include <errno.h>

#include "qp.h"

#define INLINE_FLAG 0x80000000u
#define INLINE_LENGTH_MASK 0x3ffu
#define WHOLE_2GIB 0x80000000u
#define TERMINATE_KEY 0x100u
#define EXTENDED_AV 0x80000000u

int doorbell_record_read(struct mlx5_device *dev, u64 address, u16 *counter)
{
	u8 record[4];

	if (dma_read(dev->dma, address, record, sizeof(record)))
		return -EFAULT;
	*counter = load16(record + 2);
	return 0;
}

static int send_queue_read(struct mlx5_qp *qp, u16 block, void *data, size_t len)
{
	u32 mask = (1u << qp->log_sq) - 1;

	return queue_buffer_read(qp->dev, &qp->buffer,
				 qp->sq_offset + (u64)(block & mask) * WQE_BASIC_BLOCK, data, len);
}

/* How many basic blocks the host has posted and the device has not worked off. */
static int send_queue_filled(struct mlx5_qp *qp, u32 *filled)
{
	u16 producer;

	if (doorbell_record_read(qp->dev, qp->doorbell_record + 4, &producer))
		return -EFAULT;
	*filled = (u16)(producer - qp->requester.consumer);
	return *filled > 1u << qp->log_sq ? -EFAULT : 0;
}

int send_wqe_skip(struct mlx5_qp *qp, u16 *index, u8 *opcode, u16 *basic_blocks)
{
	u8 control[WQE_SEGMENT];
	u32 filled, blocks;

	if (send_queue_filled(qp, &filled))
		return -EFAULT;
	if (!filled)
		return 0;
	*index = qp->requester.consumer;
	if (send_queue_read(qp, *index, control, sizeof(control)))
		return -EFAULT;
	*opcode = control[3];
	blocks = ((control[7] & 0x3f) + 3u) / 4;
	*basic_blocks = (u16)(blocks ? MIN(blocks, filled) : 1);
	return 1;
}

static bool parse_address_vector(const u8 *raw, size_t left, struct address_vector *av,
				 size_t *used)
{
	bool extended;
	u32 grh;

	if (left < WQE_SEGMENT)
		return false;
	av->qkey = load32(raw);
	extended = load32(raw + 8) & EXTENDED_AV;
	av->qpn = load32(raw + 8) & 0xffffff;
	av->service_level = raw[12] & 0xf;
	av->path_bits = raw[13] & 0x7f;
	av->lid = load16(raw + 14);
	*used = WQE_SEGMENT;
	if (!extended)
		return true;
	if (left < 3 * WQE_SEGMENT)
		return false;
	grh = load32(raw + 28);
	av->traffic_class = raw[26];
	av->hop_limit = raw[27];
	av->grh = grh >> 30 & 1;
	av->gid_index = grh >> 20 & 0xff;
	av->flow_label = grh & 0xfffff;
	memcpy(av->gid, raw + 32, sizeof(av->gid));
	*used = 3 * WQE_SEGMENT;
	return true;
}

/* Gather list of the rest of a send WQE: pointers and inline data may be mixed. */
static bool parse_gather_list(struct send_wqe *wqe, size_t offset)
{
	while (offset + WQE_SEGMENT <= wqe->bytes) {
		const u8 *raw = wqe->raw + offset;
		struct data_segment *segment = &wqe->segments[wqe->segment_count];
		u32 count = load32(raw);

		*segment = (struct data_segment){ .length = count };
		if (count & INLINE_FLAG) {
			segment->length = count & INLINE_LENGTH_MASK;
			segment->inline_data = raw + 4;
			if (offset + 4 + segment->length > wqe->bytes)
				return false;
			offset += (4 + segment->length + WQE_SEGMENT - 1) / WQE_SEGMENT *
				  WQE_SEGMENT;
		} else {
			segment->key = load32(raw + 4);
			segment->va = load64(raw + 8);
			if (!count)
				segment->length = WHOLE_2GIB;
			offset += WQE_SEGMENT;
		}
		wqe->length += segment->length;
		wqe->segment_count++;
	}
	return true;
}

static bool opcode_allowed(const struct mlx5_qp *qp, u8 opcode)
{
	switch (opcode) {
	case WQE_NOP:
		return true;
	case WQE_SEND:
	case WQE_SEND_IMM:
		return qp->service != SERVICE_REG_UMR;
	case WQE_RDMA_WRITE:
	case WQE_RDMA_WRITE_IMM:
		return qp->service == SERVICE_RC || qp->service == SERVICE_UC ||
		       qp->service == SERVICE_XRC;
	case WQE_SEND_INVALIDATE:
	case WQE_RDMA_READ:
	case WQE_ATOMIC_CS:
	case WQE_ATOMIC_FA:
		return qp->service == SERVICE_RC || qp->service == SERVICE_XRC;
	case WQE_UMR:
		return qp->service == SERVICE_RC || qp->service == SERVICE_UC ||
		       qp->service == SERVICE_XRC || qp->service == SERVICE_REG_UMR;
	default:
		return false;
	}
}

/* Everything between the control segment and the data segments. */
static bool parse_operation(const struct mlx5_qp *qp, struct send_wqe *wqe)
{
	size_t offset = WQE_SEGMENT, used;

	if (wqe->opcode == WQE_NOP || wqe->opcode == WQE_UMR)
		return true;
	if (qp->service == SERVICE_XRC) {
		if (offset + WQE_SEGMENT > wqe->bytes)
			return false;
		wqe->xrc_srqn = load32(wqe->raw + offset) & 0xffffff;
		offset += WQE_SEGMENT;
	}
	if (qp->service == SERVICE_UD || qp->service == SERVICE_QP0 ||
	    qp->service == SERVICE_QP1) {
		if (!parse_address_vector(wqe->raw + offset, wqe->bytes - offset, &wqe->av, &used))
			return false;
		offset += used;
	}
	switch (wqe->opcode) {
	case WQE_RDMA_WRITE:
	case WQE_RDMA_WRITE_IMM:
	case WQE_RDMA_READ:
	case WQE_ATOMIC_CS:
	case WQE_ATOMIC_FA:
		if (offset + WQE_SEGMENT > wqe->bytes)
			return false;
		wqe->remote_va = load64(wqe->raw + offset);
		wqe->rkey = load32(wqe->raw + offset + 8);
		offset += WQE_SEGMENT;
	}
	if (wqe->opcode == WQE_ATOMIC_CS || wqe->opcode == WQE_ATOMIC_FA) {
		if (offset + WQE_SEGMENT > wqe->bytes)
			return false;
		wqe->swap_or_add = load64(wqe->raw + offset);
		wqe->compare = load64(wqe->raw + offset + 8);
		offset += WQE_SEGMENT;
	}
	if (!parse_gather_list(wqe, offset))
		return false;
	if (wqe->opcode == WQE_ATOMIC_CS || wqe->opcode == WQE_ATOMIC_FA)
		return wqe->length == 8 && !wqe->segments[0].inline_data;
	if (wqe->opcode == WQE_RDMA_READ)
		for (u32 i = 0; i < wqe->segment_count; i++)
			if (wqe->segments[i].inline_data)
				return false;
	return true;
}

int send_wqe_fetch(struct mlx5_qp *qp)
{
	struct send_wqe *wqe = &qp->requester.wqe;
	u32 filled, blocks;
	u8 flags;

	if (send_queue_filled(qp, &filled))
		return -EFAULT;
	if (!filled)
		return 0;
	memset(wqe, 0, sizeof(*wqe));
	wqe->index = qp->requester.consumer;
	wqe->basic_blocks = 1;
	if (send_queue_read(qp, wqe->index, wqe->raw, WQE_BASIC_BLOCK))
		return -EFAULT;
	wqe->opcode = wqe->raw[3];
	wqe->bytes = (wqe->raw[7] & 0x3f) * WQE_SEGMENT;
	flags = wqe->raw[11];
	wqe->signalled = (flags >> 2 & 3) >= 2;
	wqe->solicited = flags >> 1 & 1;
	memcpy(wqe->immediate, wqe->raw + 12, sizeof(wqe->immediate));
	blocks = (wqe->bytes + WQE_BASIC_BLOCK - 1) / WQE_BASIC_BLOCK;
	if (!blocks || blocks > filled)
		return -EINVAL;
	wqe->basic_blocks = (u16)blocks;
	for (u32 i = 1; i < blocks; i++)
		if (send_queue_read(qp, (u16)(wqe->index + i), wqe->raw + i * WQE_BASIC_BLOCK,
				    WQE_BASIC_BLOCK))
			return -EFAULT;
	if (!opcode_allowed(qp, wqe->opcode) || !parse_operation(qp, wqe))
		return -EINVAL;
	return 1;
}

u32 scatter_list_parse(const u8 *list, size_t len, struct data_segment *segments, u64 *capacity)
{
	u32 count = 0;

	*capacity = 0;
	for (size_t offset = 0; offset + WQE_SEGMENT <= len && count < WQE_MAX_SEGMENTS;
	     offset += WQE_SEGMENT) {
		struct data_segment segment = {
			.length = load32(list + offset) & ~INLINE_FLAG,
			.key = load32(list + offset + 4),
			.va = load64(list + offset + 8),
		};

		if (segment.key == TERMINATE_KEY)
			break;
		if (!segment.length)
			segment.length = WHOLE_2GIB;
		*capacity += segment.length;
		segments[count++] = segment;
	}
	return count;
}

enum access_result segments_access(struct mlx5_device *dev, const struct data_segment *segments,
				   u32 count, u64 offset, void *data, u32 len, u64 remaining,
				   bool write, u32 pd, struct access_fault *fault)
{
	u8 *bytes = data;

	for (u32 i = 0; i < count && len; i++) {
		const struct data_segment *segment = &segments[i];
		u32 part;

		if (offset >= segment->length) {
			offset -= segment->length;
			continue;
		}
		part = MIN(len, segment->length - (u32)offset);
		if (segment->inline_data) {
			memcpy(bytes, segment->inline_data + offset, part);
		} else {
			struct access access = {
				.key = segment->key,
				.va = segment->va + offset,
				.length = part,
				.kind = write ? ACCESS_LOCAL_WRITE : ACCESS_LOCAL_READ,
				.pd = pd,
			};
			enum access_result result = memory_key_access(dev, &access, bytes, fault);

			if (result == ACCESS_NOT_PRESENT && fault->mkey == segment->key)
				fault->length = MIN(remaining, segment->length - offset) -
						(fault->va - access.va);
			if (result != ACCESS_OK)
				return result;
		}
		bytes += part;
		len -= part;
		remaining -= part;
		offset = 0;
	}
	return len ? ACCESS_DENIED : ACCESS_OK;
}
