/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Work queues in host memory: rings of quanta. A request is posted when its first quantum's valid bit
 * has the sense of the round; a send request takes as many quanta as its header says.
 */
#include <errno.h>

#include "qp.h"

#define HEADER 3u /* qword */

struct wqe {
	u64 qwords[MAX_QUANTA * QUANTUM_BYTES / 8];
};

static u64 header_of(const struct wqe *wqe)
{
	return wqe->qwords[HEADER];
}

static int read_quanta(struct irdma_qp *qp, const struct work_queue *queue, u32 index, u32 first,
		       u32 count, struct wqe *wqe)
{
	for (u32 i = first; i < first + count; i++) {
		u64 address;

		if (ring_address(qp->dev->hmc, &queue->ring, (index + i) * (u64)QUANTUM_BYTES,
				 QUANTUM_BYTES, &address) ||
		    dma_read(qp->dev->dma, address, &wqe->qwords[i * QUANTUM_BYTES / 8],
			     QUANTUM_BYTES))
			return -EFAULT;
	}
	return 0;
}

static void advance(struct work_queue *queue, u32 quanta)
{
	queue->consumer += quanta;
	if (queue->consumer < queue->ring.count)
		return;
	queue->consumer -= queue->ring.count;
	queue->polarity = !queue->polarity;
}

static bool is_inline(u64 header)
{
	return header & IRDMAQPSQ_INLINEDATAFLAG;
}

static u32 inline_quanta(u32 bytes)
{
	return bytes <= 8 ? 1 : 1 + (bytes - 8 + 30) / 31;
}

static bool has_data(u8 opcode)
{
	switch (opcode) {
	case IRDMAQP_OP_RDMA_WRITE:
	case IRDMAQP_OP_RDMA_WRITE_SOL:
	case IRDMAQP_OP_RDMA_READ:
	case IRDMAQP_OP_RDMA_READ_LOC_INV:
	case IRDMAQP_OP_RDMA_SEND:
	case IRDMAQP_OP_RDMA_SEND_INV:
	case IRDMAQP_OP_RDMA_SEND_SOL_EVENT:
	case IRDMAQP_OP_RDMA_SEND_SOL_EVENT_INV:
		return true;
	default:
		return false;
	}
}

static u32 quanta_of(u64 header)
{
	if (!has_data(FIELD_GET(IRDMAQPSQ_OPCODE, header)))
		return 1;
	if (is_inline(header))
		return inline_quanta(FIELD_GET(IRDMAQPSQ_INLINEDATALEN, header));
	return 1 + (FIELD_GET(IRDMAQPSQ_ADDFRAGCNT, header) + 1) / 2;
}

/* Header and size of the request at the consumer: 1, 0 (none), -EFAULT. */
static int peek(struct irdma_qp *qp, const struct work_queue *queue, struct wqe *wqe)
{
	if (read_quanta(qp, queue, queue->consumer, 0, 1, wqe))
		return -EFAULT;
	return FIELD_GET(IRDMAQPSQ_VALID, header_of(wqe)) == queue->polarity;
}

static void add_fragment(struct fragment *fragments, u32 *count, const u64 *qwords)
{
	struct fragment fragment = {
		.va = qwords[0],
		.length = FIELD_GET(IRDMAQPSQ_FRAG_LEN, qwords[1]),
		.stag = FIELD_GET(IRDMAQPSQ_FRAG_STAG, qwords[1]),
	};

	/* An even number of them is filled up with an empty one. */
	if (fragment.length && *count < MAX_FRAGMENTS)
		fragments[(*count)++] = fragment;
}

static u64 add_fragments(struct fragment *fragments, u32 *count, const struct wqe *wqe,
			 bool has_first)
{
	u32 more = FIELD_GET(IRDMAQPSQ_ADDFRAGCNT, header_of(wqe));
	u64 length = 0;

	*count = 0;
	if (has_first)
		add_fragment(fragments, count, wqe->qwords);
	for (u32 i = 0; i < more && i < MAX_FRAGMENTS - 1; i++)
		add_fragment(fragments, count, &wqe->qwords[4 + 2 * i]);
	for (u32 i = 0; i < *count; i++)
		length += fragments[i].length;
	return length;
}

/* Eight bytes before the header, then 31 in each quantum: the last one has the valid bit. */
static void copy_inline(struct send_wqe *send, const struct wqe *wqe)
{
	const u8 *bytes = (const u8 *)wqe->qwords;
	u32 left = send->length, step = MIN(left, 8);
	u8 *to = send->inline_data;

	memcpy(to, bytes + 8, step);
	for (u32 at = 32; left -= step, left; at += 32) {
		to += step;
		step = MIN(left, 31);
		memcpy(to, bytes + at, step);
	}
}

static void decode_bind(struct irdma_qp *qp, struct window_bind *bind, const struct wqe *wqe)
{
	u64 header = header_of(wqe);

	*bind = (struct window_bind){
		.window = FIELD_GET(IRDMAQPSQ_MWSTAG, wqe->qwords[1]),
		.parent = FIELD_GET(IRDMAQPSQ_PARENTMRSTAG, wqe->qwords[1]),
		.pd = qp->pd,
		.qpn = qp->qpn,
		.va = wqe->qwords[0],
		.length = wqe->qwords[2],
		.rights = FIELD_GET(IRDMAQPSQ_STAGRIGHTS, header),
		.va_based = header & IRDMAQPSQ_VABASEDTO,
		.type_1 = header & IRDMAQPSQ_MEMWINDOWTYPE,
	};
}

static bool is_solicited(u8 opcode)
{
	return opcode == IRDMAQP_OP_RDMA_SEND_SOL_EVENT ||
	       opcode == IRDMAQP_OP_RDMA_SEND_SOL_EVENT_INV || opcode == IRDMAQP_OP_RDMA_WRITE_SOL;
}

static void decode(struct irdma_qp *qp, struct send_wqe *send, const struct wqe *wqe)
{
	u64 header = header_of(wqe);

	send->signalled = header & IRDMAQPSQ_SIGCOMPL;
	send->solicited = is_solicited(send->opcode);
	send->has_immediate = header & IRDMAQPSQ_IMMDATAFLAG;
	send->is_inline = is_inline(header);
	send->immediate = wqe->qwords[0];
	send->remote_va = wqe->qwords[2];
	send->remote_stag = FIELD_GET(IRDMAQPSQ_REMSTAG, header);
	send->remote_qpn = FIELD_GET(IRDMAQPSQ_DESTQPN, wqe->qwords[2]);
	send->qkey = FIELD_GET(IRDMAQPSQ_DESTQKEY, wqe->qwords[2]);
	send->length = 0;
	send->fragment_count = 0;
	if (send->opcode == IRDMAQP_OP_BIND_MW)
		decode_bind(qp, &send->bind, wqe);
	if (send->opcode == IRDMAQP_OP_LOCAL_INVALIDATE)
		send->remote_stag = FIELD_GET(IRDMAQPSQ_FRAG_STAG, wqe->qwords[1]);
	if (!has_data(send->opcode))
		return;
	if (send->is_inline) {
		send->length = FIELD_GET(IRDMAQPSQ_INLINEDATALEN, header);
		copy_inline(send, wqe);
	} else {
		send->length = add_fragments(send->fragments, &send->fragment_count, wqe,
					     !send->has_immediate);
	}
}

int send_wqe_fetch(struct irdma_qp *qp)
{
	struct send_wqe *send = &qp->requester.wqe;
	struct wqe wqe;
	int posted = peek(qp, &qp->sq, &wqe);

	if (posted <= 0)
		return posted;
	send->index = qp->sq.consumer;
	send->opcode = FIELD_GET(IRDMAQPSQ_OPCODE, header_of(&wqe));
	send->quanta = quanta_of(header_of(&wqe));
	if (send->quanta > MAX_QUANTA || send->index + send->quanta > qp->sq.ring.count ||
	    (is_inline(header_of(&wqe)) && !has_data(send->opcode))) {
		send->quanta = 1;
		return -EINVAL;
	}
	if (read_quanta(qp, &qp->sq, send->index, 1, send->quanta - 1, &wqe))
		return -EFAULT;
	decode(qp, send, &wqe);
	return 1;
}

void send_wqe_done(struct irdma_qp *qp)
{
	advance(&qp->sq, qp->requester.wqe.quanta);
}

enum receive_status receive_take(struct irdma_qp *qp, struct receive_wqe *receive)
{
	struct wqe wqe;
	int posted = peek(qp, &qp->rq, &wqe);

	if (posted < 0)
		return RECEIVE_BROKEN;
	if (!posted)
		return RECEIVE_EMPTY;
	if (quanta_of(header_of(&wqe)) > qp->receive_quanta ||
	    read_quanta(qp, &qp->rq, qp->rq.consumer, 1, qp->receive_quanta - 1, &wqe))
		return RECEIVE_BROKEN;
	receive->index = qp->rq.consumer;
	receive->capacity =
		add_fragments(receive->fragments, &receive->fragment_count, &wqe, true);
	advance(&qp->rq, qp->receive_quanta);
	return RECEIVE_TAKEN;
}

u32 send_queue_discard(struct irdma_qp *qp, u8 *opcode)
{
	u32 count = 0, quanta = 0;
	struct wqe wqe;

	/* No further than once around. */
	while (quanta < qp->sq.ring.count && peek(qp, &qp->sq, &wqe) > 0) {
		u32 step = MIN(quanta_of(header_of(&wqe)), qp->sq.ring.count - qp->sq.consumer);
		u8 code = FIELD_GET(IRDMAQPSQ_OPCODE, header_of(&wqe));

		if (code != IRDMAQP_OP_NOP && !count++)
			*opcode = code;
		advance(&qp->sq, step);
		quanta += step;
	}
	return count;
}

u32 receive_queue_discard(struct irdma_qp *qp)
{
	u32 count = 0, most = qp->rq.ring.count / qp->receive_quanta;
	struct wqe wqe;

	while (count < most && peek(qp, &qp->rq, &wqe) > 0) {
		advance(&qp->rq, qp->receive_quanta);
		count++;
	}
	return count;
}

u16 fragments_access(struct irdma_qp *qp, const struct fragment *fragments, u32 count, u64 offset,
		     void *data, u32 len, bool write)
{
	enum access_kind kind = write ? ACCESS_LOCAL_WRITE : ACCESS_LOCAL_READ;
	u8 *bytes = data;

	for (u32 i = 0; i < count && len; i++) {
		struct access access;
		u32 step;
		u16 event;

		if (offset >= fragments[i].length) {
			offset -= fragments[i].length;
			continue;
		}
		step = MIN(len, fragments[i].length - offset);
		access = qp_access(qp, kind, fragments[i].stag, fragments[i].va + offset, step);
		event = stag_access(qp->dev, &access, bytes);
		if (event)
			return event;
		bytes += step;
		len -= step;
		offset = 0;
	}
	return len ? IRDMA_AE_AMP_BOUNDS_VIOLATION : 0;
}
