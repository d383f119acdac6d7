/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Protection domains, doorbell pages ("UARs") and address handles. All three are numbers that other
 * objects use; a number in use is not given back.
 */
#include "efa.h"

struct numbered {
	u32 users;
};

struct address_handle {
	u8 address[16];
	u32 pd;
	u32 number, users;
};

static bool get(struct id_table *table, u32 id)
{
	struct numbered *numbered = id_table_find(table, id);

	if (numbered)
		numbered->users++;
	return numbered;
}

static void put(struct id_table *table, u32 id)
{
	struct numbered *numbered = id_table_find(table, id);

	if (numbered)
		numbered->users--;
}

static enum admin_status release(struct id_table *table, u32 id)
{
	struct numbered *numbered = id_table_find(table, id);

	if (!numbered)
		return ADMIN_ILLEGAL;
	if (numbered->users)
		return ADMIN_BUSY;
	id_table_remove(table, id);
	return ADMIN_OK;
}

static u32 allocate(struct id_table *table)
{
	struct numbered *numbered = g_new0(struct numbered, 1);
	u32 id = id_table_add(table, numbered);

	if (!id)
		g_free(numbered);
	return id;
}

bool pd_get(struct efa_device *dev, u32 pd)
{
	return get(dev->pds, pd);
}

void pd_put(struct efa_device *dev, u32 pd)
{
	put(dev->pds, pd);
}

bool uar_get(struct efa_device *dev, u32 uar)
{
	return get(dev->uars, uar);
}

void uar_put(struct efa_device *dev, u32 uar)
{
	put(dev->uars, uar);
}

static enum admin_status alloc_pd(struct efa_device *dev, const struct admin_command *command)
{
	struct efa_admin_alloc_pd_resp *out = command->out;

	out->pd = allocate(dev->pds);
	return out->pd ? ADMIN_OK : ADMIN_NO_RESOURCES;
}

static enum admin_status dealloc_pd(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_dealloc_pd_cmd *in = command->in;

	return release(dev->pds, in->pd);
}

static enum admin_status alloc_uar(struct efa_device *dev, const struct admin_command *command)
{
	struct efa_admin_alloc_uar_resp *out = command->out;

	out->uar = allocate(dev->uars);
	return out->uar ? ADMIN_OK : ADMIN_NO_RESOURCES;
}

static enum admin_status dealloc_uar(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_dealloc_uar_cmd *in = command->in;

	return release(dev->uars, in->uar);
}

struct destination {
	const u8 *address;
	u32 pd;
};

static bool leads_to(const void *object, const void *opaque)
{
	const struct destination *destination = opaque;
	const struct address_handle *handle = object;

	return handle->pd == destination->pd &&
	       !memcmp(handle->address, destination->address, sizeof(handle->address));
}

static struct address_handle *find(struct efa_device *dev, const u8 address[16], u32 pd)
{
	const struct destination destination = {.address = address, .pd = pd};

	return id_table_find_if(dev->ahs, leads_to, &destination);
}

u16 ah_find(struct efa_device *dev, const u8 address[16], u32 pd)
{
	struct address_handle *handle = find(dev, address, pd);

	return handle ? handle->number : EFA_UNKNOWN_AH;
}

const u8 *ah_address(struct efa_device *dev, u32 ah, u32 pd)
{
	struct address_handle *handle = id_table_find(dev->ahs, ah);

	return handle && handle->pd == pd ? handle->address : NULL;
}

/* One handle for each address and PD, however often a driver asks for it. */
static enum admin_status create_ah(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_create_ah_cmd *in = command->in;
	struct efa_admin_create_ah_resp *out = command->out;
	struct address_handle *handle = find(dev, in->dest_addr, in->pd);

	if (!handle) {
		if (!pd_get(dev, in->pd))
			return ADMIN_ILLEGAL;
		handle = g_new0(struct address_handle, 1);
		memcpy(handle->address, in->dest_addr, sizeof(handle->address));
		handle->pd = in->pd;
		handle->number = id_table_add(dev->ahs, handle);
		if (!handle->number) {
			pd_put(dev, in->pd);
			g_free(handle);
			return ADMIN_NO_RESOURCES;
		}
	}
	handle->users++;
	out->ah = handle->number;
	return ADMIN_OK;
}

static enum admin_status destroy_ah(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_destroy_ah_cmd *in = command->in;
	struct address_handle *handle = id_table_find(dev->ahs, in->ah);

	if (!handle || handle->pd != in->pd)
		return ADMIN_ILLEGAL;
	if (!--handle->users) {
		pd_put(dev, handle->pd);
		id_table_remove(dev->ahs, in->ah);
	}
	return ADMIN_OK;
}

const struct admin_entry protection_commands[] = {
	{EFA_ADMIN_ALLOC_PD, "ALLOC_PD", "alloc_pd", alloc_pd},
	{EFA_ADMIN_DEALLOC_PD, "DEALLOC_PD", "dealloc_pd", dealloc_pd},
	{EFA_ADMIN_ALLOC_UAR, "ALLOC_UAR", "alloc_uar", alloc_uar},
	{EFA_ADMIN_DEALLOC_UAR, "DEALLOC_UAR", "dealloc_uar", dealloc_uar},
	{EFA_ADMIN_CREATE_AH, "CREATE_AH", "create_ah", create_ah},
	{EFA_ADMIN_DESTROY_AH, "DESTROY_AH", "destroy_ah", destroy_ah},
	{},
};
