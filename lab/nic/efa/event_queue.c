/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Event queues: one entry for each completion queue that had been armed. The host arms the event
 * queue without saying how far it has read, so an event that came since the last interrupt raises
 * one at once; at worst the host finds nothing new.
 */
#include "efa.h"

#define ENTRY_WORDS (sizeof(struct efa_admin_eqe) / 4)

struct efa_eq {
	struct efa_device *dev;
	u32 number, users;
	u64 base;
	u32 depth, vector, producer;
	bool armed, news; /* events since the last interrupt */
};

void eq_destroy(void *object)
{
	g_free(object);
}

static enum admin_status create_eq(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_create_eq_cmd *in = command->in;
	struct efa_admin_create_eq_resp *out = command->out;
	struct efa_eq *eq;

	if (!in->depth || in->depth & (in->depth - 1) || in->depth > EFA_MAX_EQ_DEPTH)
		return ADMIN_ILLEGAL;
	if (EFA_GET(&in->caps, EFA_ADMIN_CREATE_EQ_CMD_ENTRY_SIZE_WORDS) != ENTRY_WORDS)
		return ADMIN_ILLEGAL;
	if (in->msix_vec >= EFA_VECTORS || efa_address(in->ba) % sizeof(struct efa_admin_eqe))
		return ADMIN_ILLEGAL;
	if (in->event_bitmask & ~EFA_ADMIN_CREATE_EQ_CMD_COMPLETION_EVENTS_MASK)
		return ADMIN_ILLEGAL;
	eq = g_new0(struct efa_eq, 1);
	eq->dev = dev;
	eq->base = efa_address(in->ba);
	eq->depth = in->depth;
	eq->vector = in->msix_vec;
	eq->number = id_table_add(dev->eqs, eq);
	if (!eq->number) {
		g_free(eq);
		return ADMIN_NO_RESOURCES;
	}
	out->eqn = eq->number;
	return ADMIN_OK;
}

static enum admin_status destroy_eq(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_destroy_eq_cmd *in = command->in;
	struct efa_eq *eq = id_table_find(dev->eqs, in->eqn);

	if (!eq)
		return ADMIN_ILLEGAL;
	if (eq->users)
		return ADMIN_BUSY;
	id_table_remove(dev->eqs, in->eqn);
	return ADMIN_OK;
}

struct efa_eq *eq_get(struct efa_device *dev, u32 eqn)
{
	struct efa_eq *eq = id_table_find(dev->eqs, eqn);

	if (eq)
		eq->users++;
	return eq;
}

void eq_put(struct efa_eq *eq)
{
	eq->users--;
}

static void notify(struct efa_eq *eq)
{
	if (!eq->armed || !eq->news)
		return;
	eq->armed = false;
	eq->news = false;
	pci_device_interrupt(eq->dev->pci, eq->vector);
}

void eq_arm(struct efa_device *dev, u32 eqn)
{
	struct efa_eq *eq = id_table_find(dev->eqs, eqn);

	if (!eq)
		return;
	eq->armed = true;
	notify(eq);
}

void eq_post_completion(struct efa_eq *eq, u16 cqn)
{
	u64 address = eq->base + (u64)(eq->producer & (eq->depth - 1)) * sizeof(struct efa_admin_eqe);
	struct efa_admin_eqe entry = {.u.comp_event.cqn = cqn};

	EFA_SET(&entry.common, EFA_ADMIN_EQE_PHASE, !(eq->producer / eq->depth & 1));
	EFA_SET(&entry.common, EFA_ADMIN_EQE_EVENT_TYPE, EFA_ADMIN_EQE_EVENT_TYPE_COMPLETION);
	if (efa_publish(eq->dev, address, &entry, sizeof(entry), 4)) {
		efa_log(eq->dev, "event queue %u is not mapped", eq->number);
		return;
	}
	++*eq->dev->count.eqes;
	eq->producer++;
	eq->news = true;
	notify(eq);
}

const struct admin_entry event_queue_commands[] = {
	{EFA_ADMIN_CREATE_EQ, "CREATE_EQ", "create_eq", create_eq},
	{EFA_ADMIN_DESTROY_EQ, "DESTROY_EQ", "destroy_eq", destroy_eq},
	{},
};
