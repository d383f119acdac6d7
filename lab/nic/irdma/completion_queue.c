/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Completion queues. The host keeps its head in a shadow area, where it also says what it wants to be
 * notified of; the doorbell only makes the function look there. Arming with entries unread notifies
 * at once: the driver arms the control queue's after it has looked, and not before.
 */
#include "irdma.h"

#define CQE_BYTES 32u
#define CQE_QWORDS (CQE_BYTES / 8u)
#define SHADOW_HEAD 0u
#define SHADOW_ARM 32u

enum arm { ARM_NOTHING, ARM_SOLICITED, ARM_ANY };

struct irdma_cq {
	struct irdma_device *dev;
	u32 cqn, ceq;
	bool has_ceq, check_overflow, dead;
	struct ring ring;
	u64 shadow;
	u64 producer, consumer; /* entries since the ring was made */
	u64 solicited;		/* producer after the last solicited one */
	u16 resizes;
	bool left_behind; /* unread entries in a ring that was replaced */
	enum arm arm;
};

void cq_destroy(void *object)
{
	g_free(object);
}

static struct irdma_cq *cq_find(struct irdma_device *dev, u32 cqn)
{
	return id_table_find(dev->cqs, cqn + 1);
}

/* How far the host has read. While it still reads a ring that was replaced, nothing of this one. */
static void look_at_head(struct irdma_cq *cq)
{
	u64 head, arm, step;

	if (dma_read(cq->dev->dma, cq->shadow + SHADOW_ARM, &arm, sizeof(arm)) ||
	    FIELD_GET(IRDMA_CQ_DBSA_SW_CQ_SELECT, arm) !=
		    (cq->resizes & FIELD_GET(IRDMA_CQ_DBSA_SW_CQ_SELECT, ~0ull)) ||
	    dma_read(cq->dev->dma, cq->shadow + SHADOW_HEAD, &head, sizeof(head)))
		return;
	cq->left_behind = false;
	head = FIELD_GET(IRDMA_CQ_DBSA_CQEIDX, head);
	if (head >= cq->ring.count)
		return;
	step = (head + cq->ring.count - cq->consumer % cq->ring.count) % cq->ring.count;
	cq->consumer = MIN(cq->consumer + step, cq->producer);
}

static void notify(struct irdma_cq *cq)
{
	cq->arm = ARM_NOTHING;
	if (cq->has_ceq)
		event_post_completion(cq->dev->events, cq->ceq, cq->cqn);
}

void cq_arm(struct irdma_device *dev, u32 cqn)
{
	struct irdma_cq *cq = cq_find(dev, cqn);
	u64 word;

	if (!cq || dma_read(dev->dma, cq->shadow + SHADOW_ARM, &word, sizeof(word)))
		return;
	if (word & IRDMA_CQ_DBSA_ARM_NEXT)
		cq->arm = ARM_ANY;
	else if (word & IRDMA_CQ_DBSA_ARM_NEXT_SE)
		cq->arm = MAX(cq->arm, ARM_SOLICITED);
	else
		return;
	look_at_head(cq);
	if (cq->arm == ARM_ANY ? cq->left_behind || cq->producer > cq->consumer :
				 cq->solicited > cq->consumer)
		notify(cq);
}

static void overflow(struct irdma_cq *cq)
{
	struct async_event event = {
		.code = IRDMA_AE_CQ_OPERATION_ERROR,
		.source = IRDMA_AE_SOURCE_CQ,
		.number = cq->cqn,
	};

	irdma_log(cq->dev, "CQ %u overflows", cq->cqn);
	cq->dead = true;
	++*cq->dev->count.cq_overflows;
	event_post_async(cq->dev->events, &event);
}

static bool has_room(struct irdma_cq *cq, u32 entries)
{
	if (!cq->check_overflow)
		return true;
	/* A ring that is full looks empty by its head. */
	if (cq->producer - cq->consumer + entries < cq->ring.count)
		return true;
	look_at_head(cq);
	return cq->producer - cq->consumer + entries < cq->ring.count;
}

/* The entry at the producer plus so many. */
static bool put(struct irdma_cq *cq, u32 ahead, u64 entry[CQE_QWORDS])
{
	u64 number = cq->producer + ahead, address;

	if (ring_address(cq->dev->hmc, &cq->ring, number % cq->ring.count * CQE_BYTES, CQE_BYTES,
			 &address))
		return false;
	if (number / cq->ring.count % 2 == 0)
		entry[3] |= IRDMA_CQ_VALID;
	return !dma_write_publish(cq->dev->dma, address, entry, CQE_BYTES, sizeof(u64));
}

static void encode(const struct completion *completion, u64 entry[CQE_QWORDS])
{
	u32 low = completion->value;

	if (completion->datagram)
		low = completion->source_qpn;
	if (completion->has_invalidated)
		low = completion->invalidated;
	entry[0] = FIELD_PREP(IRDMACQ_PAYLDLEN, completion->length);
	entry[1] = completion->context;
	entry[2] = FIELD_PREP(IRDMACQ_QPID, completion->qpn) | low;
	entry[3] = FIELD_PREP(IRDMA_CQ_MINERR, completion->minor) |
		   FIELD_PREP(IRDMA_CQ_MAJERR, completion->major) |
		   FIELD_PREP(IRDMA_CQ_WQEIDX, completion->wqe_index) |
		   FIELD_PREP(IRDMA_CQ_EXTCQE, completion->has_immediate) |
		   FIELD_PREP(IRDMACQ_STAG, completion->has_invalidated || completion->ipv4) |
		   FIELD_PREP(IRDMACQ_SOEVENT, completion->solicited) |
		   FIELD_PREP(IRDMA_CQ_ERROR, !!completion->major) |
		   FIELD_PREP(IRDMACQ_OP, completion->op) |
		   FIELD_PREP(IRDMA_CQ_SQ, completion->send);
}

void cq_post(struct irdma_device *dev, u32 cqn, const struct completion *completion)
{
	u32 entries = completion->has_immediate ? 2 : 1;
	struct irdma_cq *cq = cq_find(dev, cqn);
	u64 entry[CQE_QWORDS] = {}, extension[CQE_QWORDS] = {};

	if (!cq || cq->dead)
		return;
	if (!has_room(cq, entries)) {
		overflow(cq);
		return;
	}
	encode(completion, entry);
	extension[0] = FIELD_PREP(IRDMA_CQ_IMMDATALOW32, completion->immediate);
	extension[3] = IRDMA_CQ_IMMVALID;
	if ((completion->has_immediate && !put(cq, 1, extension)) || !put(cq, 0, entry)) {
		irdma_log(dev, "CQ %u is not mapped", cqn);
		return;
	}
	cq->producer += entries;
	if (completion->solicited || completion->major)
		cq->solicited = cq->producer;
	++*dev->count.cqes;
	if (cq->arm == ARM_ANY || (cq->arm == ARM_SOLICITED && cq->solicited == cq->producer))
		notify(cq);
}

static u32 cq_number(const u64 *wqe)
{
	return FIELD_GET(ICRDMA_CQPSQ_CQ_CQID, wqe[CONTROL_HEADER]);
}

static struct ring ring_of(const u64 *wqe)
{
	bool by_pages = wqe[CONTROL_HEADER] & IRDMA_CQPSQ_CQ_VIRTMAP;

	return (struct ring){
		.base = by_pages ? FIELD_GET(IRDMA_CQPSQ_CQ_FIRSTPMPBLIDX, wqe[6]) : wqe[4],
		.by_pages = by_pages,
		.count = FIELD_GET(IRDMA_CQPSQ_CQ_CQSIZE, wqe[0]),
		.entry_bytes = CQE_BYTES,
	};
}

/* A completion with immediate data takes two entries, and one stays free. */
static bool is_possible(struct irdma_device *dev, const struct ring *ring)
{
	if (ring->count < 4)
		return false;
	return !ring->by_pages ||
	       ring->base + (ring->count * (u64)CQE_BYTES - 1) / HOST_PAGE_BYTES <
		       hmc_pbles(dev->hmc);
}

static void create_cq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	u64 header = wqe[CONTROL_HEADER];
	struct irdma_cq *cq;

	if (cq_number(wqe) >= hmc_cqs(dev->hmc)) {
		result->code = CONTROL_BAD_PARAMETER;
		return;
	}
	cq = g_new0(struct irdma_cq, 1);
	cq->dev = dev;
	cq->cqn = cq_number(wqe);
	cq->ceq = FIELD_GET(ICRDMA_CQPSQ_CQ_CEQID, header);
	cq->has_ceq = header & IRDMA_CQPSQ_CQ_CEQIDVALID;
	cq->check_overflow = header & IRDMA_CQPSQ_CQ_CHKOVERFLOW;
	cq->shadow = wqe[5];
	cq->ring = ring_of(wqe);
	if (!is_possible(dev, &cq->ring))
		result->code = CONTROL_BAD_PARAMETER;
	else if (!id_table_add_at(dev->cqs, cq->cqn + 1, cq))
		result->code = CONTROL_OBJECT_EXISTS;
	if (result->code)
		g_free(cq);
	else if (cq->cqn == CONTROL_CQN)
		control_queue_set_completions(dev->control, true);
}

static void modify_cq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct irdma_cq *cq = cq_find(dev, cq_number(wqe));
	struct ring ring = ring_of(wqe);

	if (!cq) {
		result->code = CONTROL_NO_OBJECT;
		return;
	}
	cq->check_overflow = wqe[CONTROL_HEADER] & IRDMA_CQPSQ_CQ_CHKOVERFLOW;
	if (!(wqe[CONTROL_HEADER] & IRDMA_CQPSQ_CQ_CQRESIZE))
		return;
	if (!is_possible(dev, &ring)) {
		result->code = CONTROL_BAD_PARAMETER;
		return;
	}
	look_at_head(cq);
	cq->left_behind = cq->left_behind || cq->producer > cq->consumer;
	cq->ring = ring;
	cq->producer = 0;
	cq->consumer = 0;
	cq->solicited = 0;
	cq->resizes++;
}

static void destroy_cq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	if (!id_table_remove(dev->cqs, cq_number(wqe) + 1))
		result->code = CONTROL_NO_OBJECT;
	else if (cq_number(wqe) == CONTROL_CQN)
		control_queue_set_completions(dev->control, false);
}

const struct control_entry completion_queue_commands[] = {
	{IRDMA_CQP_OP_CREATE_CQ, "CREATE_CQ", "create_cq", create_cq},
	{IRDMA_CQP_OP_MODIFY_CQ, "MODIFY_CQ", "modify_cq", modify_cq},
	{IRDMA_CQP_OP_DESTROY_CQ, "DESTROY_CQ", "destroy_cq", destroy_cq},
	{},
};
