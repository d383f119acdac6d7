/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Receive work requests: a ring of descriptors in host memory, one or more to a request. */
#include "qp.h"

static bool read_descriptor(struct efa_qp *qp, u16 index, struct efa_io_rx_desc *descriptor)
{
	u64 address = qp->rq_base + (index & (qp->rq_entries - 1)) * sizeof(*descriptor);

	return !dma_read(qp->dev->dma, address, descriptor, sizeof(*descriptor));
}

static void add_segment(struct receive_request *receive, const struct efa_io_rx_desc *descriptor)
{
	struct data_segment *segment = &receive->segments[receive->segment_count++];

	segment->va = (u64)descriptor->buf_addr_hi << 32 | descriptor->buf_addr_lo;
	segment->length = descriptor->length;
	segment->lkey = EFA_GET(&descriptor->lkey_ctrl, EFA_IO_RX_DESC_LKEY);
	receive->capacity += descriptor->length;
}

/* The QP is fatal already, or has to be, when this is false. */
static const char *take(struct efa_qp *qp, struct receive_request *receive)
{
	struct efa_io_rx_desc descriptor;
	bool first = true, last = false;

	memset(receive, 0, sizeof(*receive));
	while (!last) {
		if (qp->rq_consumer == qp->rq_producer)
			return "a receive request does not end";
		if (!read_descriptor(qp, qp->rq_consumer, &descriptor))
			return "the receive queue is not mapped";
		if (first != !!EFA_GET(&descriptor.lkey_ctrl, EFA_IO_RX_DESC_FIRST))
			return "a receive request does not begin where it should";
		if (receive->segment_count == EFA_MAX_RECEIVE_SGES)
			return "a receive request has too many segments";
		if (first)
			receive->request = descriptor.req_id;
		add_segment(receive, &descriptor);
		last = EFA_GET(&descriptor.lkey_ctrl, EFA_IO_RX_DESC_LAST);
		first = false;
		qp->rq_consumer++;
	}
	++*qp->dev->count.wqes;
	return NULL;
}

bool receive_take(struct efa_qp *qp, struct receive_request *receive)
{
	const char *wrong;

	if (qp->rq_consumer == qp->rq_producer)
		return false;
	wrong = take(qp, receive);
	if (wrong)
		qp_fatal(qp, wrong);
	return !wrong;
}

static void complete(struct efa_qp *qp, const struct message *message, struct completion *completion)
{
	completion->receive = true;
	completion->qpn = qp->qpn;
	if (message) {
		completion->operation = message->operation;
		completion->has_immediate = message->has_immediate;
		completion->immediate = message->immediate;
		completion->length = message->length;
		completion->source_qpn = message->source_qpn;
		completion->ah = ah_find(qp->dev, message->source, qp->pd);
		memcpy(completion->source, message->source, sizeof(completion->source));
	}
	cq_post(qp->receive_cq, completion);
}

void receive_completion(struct efa_qp *qp, const struct receive_request *receive,
			const struct message *message, u8 status)
{
	struct completion completion = {.request = receive->request, .status = status};

	complete(qp, message, &completion);
}

void receive_unsolicited(struct efa_qp *qp, const struct message *message)
{
	struct completion completion = {.unsolicited = true};

	complete(qp, message, &completion);
}

bool receive_flush(struct efa_qp *qp, u32 most)
{
	struct receive_request receive;

	for (u32 i = 0; i < most && qp->rq_consumer != qp->rq_producer; i++) {
		if (take(qp, &receive)) {
			/* Where the next request begins cannot be told. */
			qp->rq_consumer = qp->rq_producer;
			break;
		}
		++*qp->dev->count.flushed;
		receive_completion(qp, &receive, NULL, EFA_IO_COMP_STATUS_FLUSHED);
	}
	return qp->rq_consumer != qp->rq_producer;
}
