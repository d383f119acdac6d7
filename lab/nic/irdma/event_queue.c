/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Completion event queues, the asynchronous event queue, and the interrupts they raise. An entry's
 * valid bit changes its sense with every round of the ring.
 */
#include "irdma.h"

#define CEQE_BYTES 8u
#define AEQE_BYTES 16u

struct event_queue {
	bool exists;
	struct ring ring;
	u32 producer; /* entry */
	bool polarity;
	/* of the asynchronous queue: entries the host has not given back */
	u32 unread;
	bool overflown;
};

/* Masked when it is raised, until the host enables it again. */
struct vector {
	bool enabled, pending;
};

struct event_queues {
	struct irdma_device *dev;
	GList *late; /* struct late_event */
	struct event_queue ceq[IRDMA_CEQS], aeq;
	u32 ceq_cause[IRDMA_CEQS], aeq_cause;
	struct vector vector[IRDMA_VECTORS];
};

/* A completion event that a rule makes late; those after it overtake it. */
struct late_event {
	struct event_queues *events;
	u32 ceq, cqn;
	u64 ticket; /* held; else delayed */
	struct turn turn;
};

struct event_queues *event_queues_new(struct irdma_device *dev)
{
	struct event_queues *events = g_new0(struct event_queues, 1);

	events->dev = dev;
	return events;
}

void event_queues_free(struct event_queues *events)
{
	g_free(events);
}

static void late_event_free(struct late_event *event)
{
	struct event_queues *events = event->events;

	events->late = g_list_remove(events->late, event);
	if (event->ticket)
		knob_forget(events->dev->knobs, event->ticket);
	turn_leave(&event->turn);
	g_free(event);
}

void event_queues_reset(struct event_queues *events, bool vectors)
{
	while (events->late)
		late_event_free(events->late->data);
	memset(events->ceq, 0, sizeof(events->ceq));
	memset(&events->aeq, 0, sizeof(events->aeq));
	if (!vectors)
		return;
	memset(events->ceq_cause, 0, sizeof(events->ceq_cause));
	memset(events->vector, 0, sizeof(events->vector));
	events->aeq_cause = 0;
}

bool event_ceq_exists(const struct event_queues *events, u32 ceq)
{
	return ceq < IRDMA_CEQS && events->ceq[ceq].exists;
}

static void interrupt(struct event_queues *events, u32 number)
{
	struct vector *vector;

	if (number >= IRDMA_VECTORS)
		return;
	vector = &events->vector[number];
	if (!vector->enabled) {
		vector->pending = true;
		return;
	}
	vector->enabled = false;
	pci_device_interrupt(events->dev->pci, number);
}

void event_set_vector(struct event_queues *events, u32 number, u32 value)
{
	struct vector *vector;

	if (number >= IRDMA_VECTORS)
		return;
	vector = &events->vector[number];
	vector->enabled = value & IRDMA_GLINT_DYN_CTL_INTENA;
	/* What came while it was masked is not lost, whatever else the host clears with it. */
	if (!vector->enabled || !vector->pending)
		return;
	vector->pending = false;
	interrupt(events, number);
}

void event_set_ceq_cause(struct event_queues *events, u32 ceq, u32 value)
{
	if (ceq < IRDMA_CEQS)
		events->ceq_cause[ceq] = value;
}

void event_set_aeq_cause(struct event_queues *events, u32 value)
{
	events->aeq_cause = value;
}

/* Address of the next entry; the ring moves on. False: it is not there. */
static bool next_entry(struct event_queues *events, struct event_queue *queue, u64 *address,
		       bool *polarity)
{
	struct ring *ring = &queue->ring;

	if (ring_address(events->dev->hmc, ring, queue->producer * (u64)ring->entry_bytes,
			 ring->entry_bytes, address)) {
		irdma_log(events->dev, "an event queue is not mapped");
		return false;
	}
	*polarity = queue->polarity;
	if (++queue->producer == ring->count) {
		queue->producer = 0;
		queue->polarity = !queue->polarity;
	}
	return true;
}

static void post_completion(struct event_queues *events, u32 ceq, u32 cqn)
{
	struct irdma_device *dev = events->dev;
	u64 address, entry;
	bool polarity;

	if (!event_ceq_exists(events, ceq) ||
	    !next_entry(events, &events->ceq[ceq], &address, &polarity))
		return;
	entry = FIELD_PREP(IRDMA_CEQE_CQCTX, cqn) | FIELD_PREP(IRDMA_CEQE_VALID, polarity);
	if (dma_write_publish(dev->dma, address, &entry, sizeof(entry), sizeof(entry)))
		return;
	++*dev->count.ceqes;
	if (events->ceq_cause[ceq] & IRDMA_GLINT_CEQCTL_CAUSE_ENA)
		interrupt(events, FIELD_GET(IRDMA_GLINT_CEQCTL_MSIX_INDX, events->ceq_cause[ceq]));
}

static void late_event_comes(void *opaque)
{
	struct late_event *event = opaque;
	u32 ceq = event->ceq, cqn = event->cqn;
	struct event_queues *events = event->events;

	late_event_free(event);
	post_completion(events, ceq, cqn);
}

bool event_queues_release(struct event_queues *events, u64 ticket)
{
	for (GList *link = events->late; ticket && link; link = link->next) {
		struct late_event *event = link->data;

		if (event->ticket != ticket)
			continue;
		event->ticket = 0;
		late_event_comes(event);
		return true;
	}
	return false;
}

static void make_late(struct event_queues *events, u32 ceq, u32 cqn, const struct knob_verdict *verdict)
{
	struct late_event *event = g_new0(struct late_event, 1);

	event->events = events;
	event->ceq = ceq;
	event->cqn = cqn;
	event->ticket = verdict->ticket;
	turn_init(&event->turn, events->dev->turns, NULL, late_event_comes, event);
	events->late = g_list_append(events->late, event);
	if (verdict->action == KNOB_DELAY)
		turn_timer(&event->turn, verdict->delay_us * 1000);
}

void event_post_completion(struct event_queues *events, u32 ceq, u32 cqn)
{
	struct knob_verdict verdict = {.action = KNOB_PASS};

	/* Commands have rules of their own. */
	if (cqn != CONTROL_CQN)
		verdict = knob_check(events->dev->knobs, "completion_event");
	switch (verdict.action) {
	case KNOB_DELAY:
	case KNOB_HOLD:
		make_late(events, ceq, cqn, &verdict);
		return;
	case KNOB_DROP:
	case KNOB_FAIL:
		irdma_log(events->dev, "an event of CQ %u is lost by request", cqn);
		return;
	default:
		post_completion(events, ceq, cqn);
	}
}

void event_post_async(struct event_queues *events, const struct async_event *event)
{
	struct irdma_device *dev = events->dev;
	struct event_queue *aeq = &events->aeq;
	u64 address, entry[2];
	bool polarity;

	irdma_log(dev, "event 0x%04x of %u, source 0x%x", event->code, event->number,
		  event->source);
	if (!aeq->exists)
		return;
	/* The last free one says that there were more. */
	if (aeq->unread >= aeq->ring.count) {
		aeq->overflown = true;
		return;
	}
	if (aeq->unread + 1 == aeq->ring.count)
		aeq->overflown = true;
	if (!next_entry(events, aeq, &address, &polarity))
		return;
	entry[0] = event->context;
	entry[1] = FIELD_PREP(IRDMA_AEQE_QPCQID_LOW, event->number) |
		   FIELD_PREP(IRDMA_AEQE_QPCQID_HI, event->number >> 18) |
		   FIELD_PREP(IRDMA_AEQE_WQDESCIDX, event->wqe_index) |
		   FIELD_PREP(IRDMA_AEQE_OVERFLOW, aeq->overflown) |
		   FIELD_PREP(IRDMA_AEQE_AECODE, event->code) |
		   FIELD_PREP(IRDMA_AEQE_AESRC, event->source) |
		   FIELD_PREP(IRDMA_AEQE_IWSTATE, event->qp_state) |
		   FIELD_PREP(IRDMA_AEQE_VALID, polarity);
	if (dma_write_publish(dev->dma, address, entry, sizeof(entry), sizeof(entry[1])))
		return;
	aeq->unread++;
	++*dev->count.aeqes;
	if (events->aeq_cause & IRDMA_PFINT_AEQCTL_CAUSE_ENA)
		interrupt(events, FIELD_GET(IRDMA_PFINT_AEQCTL_MSIX_INDX, events->aeq_cause));
}

void event_async_consumed(struct event_queues *events, u32 count)
{
	struct event_queue *aeq = &events->aeq;

	aeq->unread -= MIN(count, aeq->unread);
	if (!aeq->unread)
		aeq->overflown = false;
}

static void open_queue(struct event_queue *queue, struct ring ring, struct control_result *result)
{
	if (queue->exists) {
		result->code = CONTROL_OBJECT_EXISTS;
		return;
	}
	if (!ring.count) {
		result->code = CONTROL_BAD_PARAMETER;
		return;
	}
	*queue = (struct event_queue){.exists = true, .ring = ring, .polarity = true};
}

static void close_queue(struct event_queue *queue, struct control_result *result)
{
	if (!queue->exists)
		result->code = CONTROL_NO_OBJECT;
	queue->exists = false;
}

static u32 ceq_number(const u64 *wqe)
{
	return FIELD_GET(IRDMA_CQPSQ_CEQ_CEQID, wqe[CONTROL_HEADER]);
}

static void create_ceq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	bool by_pages = wqe[CONTROL_HEADER] & IRDMA_CQPSQ_CEQ_VMAP;
	struct ring ring = {
		.base = by_pages ? FIELD_GET(IRDMA_CQPSQ_CEQ_FIRSTPMPBLIDX, wqe[6]) : wqe[4],
		.by_pages = by_pages,
		.count = FIELD_GET(IRDMA_CQPSQ_CEQ_CEQSIZE, wqe[2]),
		.entry_bytes = CEQE_BYTES,
	};

	if (ceq_number(wqe) >= IRDMA_CEQS)
		result->code = CONTROL_BAD_PARAMETER;
	else
		open_queue(&dev->events->ceq[ceq_number(wqe)], ring, result);
}

static void destroy_ceq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	if (ceq_number(wqe) >= IRDMA_CEQS)
		result->code = CONTROL_BAD_PARAMETER;
	else
		close_queue(&dev->events->ceq[ceq_number(wqe)], result);
}

static void create_aeq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	bool by_pages = wqe[CONTROL_HEADER] & IRDMA_CQPSQ_AEQ_VMAP;
	struct ring ring = {
		.base = by_pages ? FIELD_GET(IRDMA_CQPSQ_AEQ_FIRSTPMPBLIDX, wqe[6]) : wqe[4],
		.by_pages = by_pages,
		.count = FIELD_GET(IRDMA_CQPSQ_AEQ_AEQECNT, wqe[2]),
		.entry_bytes = AEQE_BYTES,
	};

	open_queue(&dev->events->aeq, ring, result);
}

static void destroy_aeq(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	(void)wqe;
	close_queue(&dev->events->aeq, result);
}

const struct control_entry event_queue_commands[] = {
	{IRDMA_CQP_OP_CREATE_CEQ, "CREATE_CEQ", "create_ceq", create_ceq},
	{IRDMA_CQP_OP_DESTROY_CEQ, "DESTROY_CEQ", "destroy_ceq", destroy_ceq},
	{IRDMA_CQP_OP_CREATE_AEQ, "CREATE_AEQ", "create_aeq", create_aeq},
	{IRDMA_CQP_OP_DESTROY_AEQ, "DESTROY_AEQ", "destroy_aeq", destroy_aeq},
	{},
};
