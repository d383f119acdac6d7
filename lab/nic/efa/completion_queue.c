/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Completion queues. Only one with an event queue has a doorbell, and so only there the device
 * knows how far the host has read and can tell an overflow; the entry is then lost.
 */
#include "efa.h"

#define SHORT_ENTRY_WORDS (sizeof(struct efa_io_rx_cdesc) / 4)
#define LONG_ENTRY_WORDS (sizeof(struct efa_io_rx_cdesc_ex) / 4)

struct efa_cq {
	struct efa_device *dev;
	u32 number, users, uar;
	u64 base;
	u32 depth, entry_size;
	u16 producer, consumer;
	bool wide, tells_source, armed;
	struct efa_eq *eq; /* NULL: polled only */
};

_Static_assert(sizeof(struct efa_io_tx_cdesc) == sizeof(struct efa_io_rx_cdesc), "one stride");

void cq_destroy(void *object)
{
	struct efa_cq *cq = object;

	if (cq->eq)
		eq_put(cq->eq);
	uar_put(cq->dev, cq->uar);
	g_free(cq);
}

static bool create_is_legal(const struct efa_admin_create_cq_cmd *in, u32 words)
{
	if (EFA_GET(&in->cq_caps_1, EFA_ADMIN_CREATE_CQ_CMD_VIRT) || in->num_sub_cqs != 1)
		return false;
	if (words != SHORT_ENTRY_WORDS && words != LONG_ENTRY_WORDS)
		return false;
	if (EFA_GET(&in->cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_SET_SRC_ADDR) &&
	    words != LONG_ENTRY_WORDS)
		return false;
	return in->sub_cq_depth && !(in->sub_cq_depth & (in->sub_cq_depth - 1)) &&
	       in->sub_cq_depth <= EFA_MAX_CQ_DEPTH && efa_address(in->cq_ba) % (words * 4) == 0;
}

static enum admin_status create_cq(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_create_cq_cmd *in = command->in;
	u32 words = EFA_GET(&in->cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_CQ_ENTRY_SIZE_WORDS);
	bool events = EFA_GET(&in->cq_caps_1, EFA_ADMIN_CREATE_CQ_CMD_INTERRUPT_MODE_ENABLED);
	struct efa_admin_create_cq_resp *out = command->out;
	struct efa_eq *eq = NULL;
	struct efa_cq *cq;

	if (!create_is_legal(in, words) || !uar_get(dev, in->uar))
		return ADMIN_ILLEGAL;
	if (events)
		eq = eq_get(dev, in->eqn);
	if (events && !eq) {
		uar_put(dev, in->uar);
		return ADMIN_ILLEGAL;
	}
	cq = g_new0(struct efa_cq, 1);
	cq->dev = dev;
	cq->uar = in->uar;
	cq->base = efa_address(in->cq_ba);
	cq->depth = in->sub_cq_depth;
	cq->entry_size = words * 4;
	cq->wide = EFA_GET(&in->cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_SQ_COMP_64_BIT_REQ_ID);
	cq->tells_source = EFA_GET(&in->cq_caps_2, EFA_ADMIN_CREATE_CQ_CMD_SET_SRC_ADDR);
	cq->eq = eq;
	cq->number = id_table_add(dev->cqs, cq);
	if (!cq->number) {
		cq_destroy(cq);
		return ADMIN_NO_RESOURCES;
	}
	out->cq_idx = cq->number;
	out->sub_cq_actual_depth = cq->depth;
	out->db_offset = (EFA_MAX_QPS + cq->number - 1) * EFA_DOORBELL_PAGE;
	EFA_SET(&out->flags, EFA_ADMIN_CREATE_CQ_RESP_DB_VALID, events);
	return ADMIN_OK;
}

static enum admin_status destroy_cq(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_destroy_cq_cmd *in = command->in;
	struct efa_cq *cq = id_table_find(dev->cqs, in->cq_idx);

	if (!cq)
		return ADMIN_ILLEGAL;
	if (cq->users)
		return ADMIN_BUSY;
	id_table_remove(dev->cqs, in->cq_idx);
	return ADMIN_OK;
}

struct efa_cq *cq_get(struct efa_device *dev, u32 cqn)
{
	struct efa_cq *cq = id_table_find(dev->cqs, cqn);

	if (cq)
		cq->users++;
	return cq;
}

void cq_put(struct efa_cq *cq)
{
	cq->users--;
}

bool cq_is_wide(const struct efa_cq *cq)
{
	return cq->wide;
}

/* The host has not seen all there is: that is news, and news are told once. */
static void notify(struct efa_cq *cq)
{
	if (!cq->armed || cq->producer == cq->consumer)
		return;
	cq->armed = false;
	eq_post_completion(cq->eq, cq->number);
}

void cq_doorbell(struct efa_device *dev, u32 cqn, u32 value)
{
	struct efa_cq *cq = id_table_find(dev->cqs, cqn);
	u16 consumer = FIELD_GET(CQ_DOORBELL_CONSUMER_MASK, value);

	if (!cq || !cq->eq)
		return;
	if ((u16)(cq->producer - consumer) > cq->depth) {
		efa_log(dev, "completion queue %u: %u read of %u written makes no sense", cqn,
			consumer, cq->producer);
		return;
	}
	cq->consumer = consumer;
	if (FIELD_GET(CQ_DOORBELL_ARM_MASK, value))
		cq->armed = true;
	notify(cq);
}

static void fill_receive(struct efa_io_rx_cdesc_ex *entry, const struct efa_cq *cq,
			 const struct completion *completion)
{
	entry->base.length = completion->length;
	entry->base.ah = completion->ah;
	entry->base.src_qp_num = completion->source_qpn;
	entry->base.imm = completion->immediate;
	if (completion->operation == EFA_IO_RDMA_WRITE)
		entry->u.rdma_write.length_hi = completion->length >> 16;
	else if (cq->tells_source && completion->ah == EFA_UNKNOWN_AH)
		memcpy(entry->u.src_addr, completion->source, sizeof(completion->source));
}

void cq_post(struct efa_cq *cq, const struct completion *completion)
{
	u64 address = cq->base + (u64)(cq->producer & (cq->depth - 1)) * cq->entry_size;
	union {
		struct efa_io_cdesc_common common;
		struct efa_io_tx_cdesc send;
		struct efa_io_rx_cdesc_ex receive;
	} entry = {};
	u8 *flags = &entry.common.flags;

	if (cq->eq && (u16)(cq->producer - cq->consumer) >= cq->depth) {
		efa_log(cq->dev, "completion queue %u is full: an entry is lost", cq->number);
		++*cq->dev->count.cq_overflows;
		return;
	}
	entry.common.req_id = completion->request;
	entry.common.status = completion->status;
	entry.common.qp_num = completion->qpn;
	EFA_SET(flags, EFA_IO_CDESC_COMMON_PHASE, !(cq->producer / cq->depth & 1));
	EFA_SET(flags, EFA_IO_CDESC_COMMON_Q_TYPE,
		completion->receive ? EFA_IO_RECV_QUEUE : EFA_IO_SEND_QUEUE);
	EFA_SET(flags, EFA_IO_CDESC_COMMON_HAS_IMM, completion->has_immediate);
	EFA_SET(flags, EFA_IO_CDESC_COMMON_OP_TYPE, completion->operation);
	EFA_SET(flags, EFA_IO_CDESC_COMMON_UNSOLICITED, completion->unsolicited);
	if (completion->receive)
		fill_receive(&entry.receive, cq, completion);
	else
		for (u32 i = 0; i < G_N_ELEMENTS(entry.send.req_id_ex.w); i++)
			entry.send.req_id_ex.w[i] = completion->request >> (16 * (i + 1));
	/* The phase lies in the first eight bytes. */
	if (efa_publish(cq->dev, address, &entry, cq->entry_size, 8)) {
		efa_log(cq->dev, "completion queue %u is not mapped", cq->number);
		return;
	}
	++*cq->dev->count.cqes;
	cq->producer++;
	notify(cq);
}

const struct admin_entry completion_queue_commands[] = {
	{EFA_ADMIN_CREATE_CQ, "CREATE_CQ", "create_cq", create_cq},
	{EFA_ADMIN_DESTROY_CQ, "DESTROY_CQ", "destroy_cq", destroy_cq},
	{},
};
