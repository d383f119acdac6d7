/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* CREATE, QUERY and DESTROY of memory keys. */
#include "device.h"
#include "hca.h"
#include "memory_key.h"

/* All translation tables together: what the model itself may be made to allocate by a guest. */
#define MAX_TRANSLATION_OCTOWORDS (64u << 20)

static enum command_status create_mkey(struct mlx5_device *dev, struct command *cmd)
{
	const void *context = IFC_PTR(create_mkey_in, cmd->in, memory_key_mkey_entry);
	u32 header = IFC_BIT_OFFSET(create_mkey_in, klm_pas_mtt) / 8;
	u32 given = IFC_GET(create_mkey_in, cmd->in, translations_octword_actual_size);
	u32 octowords = IFC_GET(mkc, context, translations_octword_size);
	u32 mode = IFC_GET(mkc, context, access_mode_4_2) << 2 |
		   IFC_GET(mkc, context, access_mode_1_0);
	bool free_key = IFC_GET(mkc, context, free);
	u32 pd = IFC_GET(mkc, context, pd);
	struct mlx5_mkey *key;
	u64 set_bits;

	if ((mode > MKEY_KSM && mode != MKEY_DEVICE_MEMORY) || IFC_GET(create_mkey_in, cmd->in, mkey_umem_valid) ||
	    IFC_GET(mkc, context, bsf_en))
		return COMMAND_BAD_PARAM;
	if (!free_key && !id_table_find(dev->pds, pd))
		return COMMAND_BAD_RESOURCE;
	if (mode == MKEY_DEVICE_MEMORY &&
	    (octowords || IFC_GET(mkc, context, length64) ||
	     !device_memory_at(dev->memory, IFC_GET64(mkc, context, start_addr),
			       IFC_GET64(mkc, context, len))))
		return COMMAND_BAD_PARAM;
	if (given > octowords)
		return COMMAND_BAD_PARAM;
	if (cmd->in_len < header || given > (cmd->in_len - header) / OCTOWORD_BYTES)
		return COMMAND_BAD_INPUT_LEN;
	if (octowords > MAX_TRANSLATION_OCTOWORDS - dev->translation_octowords)
		return COMMAND_NO_RESOURCES;
	key = g_new0(struct mlx5_mkey, 1);
	key->dev = dev;
	key->mode = mode;
	key->free = free_key;
	key->pd = pd;
	key->octowords = octowords;
	dev->translation_octowords += octowords;
	key->lowest = ~0ull;
#define FIELD(field) IFC_GET(mkc, context, field)
	key->variant = FIELD(mkey_7_0);
	key->qpn = FIELD(qpn);
	key->umr_enabled = FIELD(umr_en);
	key->remote_invalidate = FIELD(en_rinval);
	key->local_read = FIELD(lr);
	key->local_write = FIELD(lw);
	key->remote_read = FIELD(rr);
	key->remote_write = FIELD(rw);
	key->remote_atomic = FIELD(a);
	key->length64 = FIELD(length64);
	key->log_page_size = FIELD(log_page_size);
#undef FIELD
	key->start = IFC_GET64(mkc, context, start_addr);
	key->length = IFC_GET64(mkc, context, len);
	/* Without "page access" the list is plain addresses, all present. */
	set_bits = IFC_GET(create_mkey_in, cmd->in, pg_access) ? 0 : MTT_PRESENT;
	if (given && !memory_key_load(key, 0, cmd->in + header, given, set_bits)) {
		memory_key_destroy(key);
		return COMMAND_NO_RESOURCES;
	}
	key->index = id_table_add(dev->mkeys, key);
	if (!key->index) {
		memory_key_destroy(key);
		return COMMAND_EXCEED_LIMIT;
	}
	IFC_SET(create_mkey_out, cmd->out, mkey_index, key->index);
	return COMMAND_OK;
}

static enum command_status destroy_mkey(struct mlx5_device *dev, struct command *cmd)
{
	u32 index = IFC_GET(destroy_mkey_in, cmd->in, mkey_index);

	if (index < MLX5_FIRST_MKEY_INDEX)
		return COMMAND_BAD_RESOURCE;
	return id_table_remove(dev->mkeys, index) ? COMMAND_OK : COMMAND_BAD_RESOURCE;
}

static enum command_status query_mkey(struct mlx5_device *dev, struct command *cmd)
{
	void *context = IFC_PTR(query_mkey_out, cmd->out, memory_key_mkey_entry);
	struct mlx5_mkey *key = memory_key_find(dev, IFC_GET(query_mkey_in, cmd->in, mkey_index));
	u64 *entries;

	if (!key || key->mode == MKEY_NULL)
		return COMMAND_BAD_RESOURCE;
#define FIELD(field, value) IFC_SET(mkc, context, field, value)
	FIELD(free, key->free);
	FIELD(access_mode_1_0, key->mode & 3);
	FIELD(access_mode_4_2, key->mode >> 2);
	FIELD(umr_en, key->umr_enabled);
	FIELD(a, key->remote_atomic);
	FIELD(rw, key->remote_write);
	FIELD(rr, key->remote_read);
	FIELD(lw, key->local_write);
	FIELD(lr, key->local_read);
	FIELD(qpn, key->qpn);
	FIELD(mkey_7_0, key->variant);
	FIELD(length64, key->length64);
	FIELD(en_rinval, key->remote_invalidate);
	FIELD(pd, key->pd);
	FIELD(translations_octword_size, key->octowords);
	FIELD(log_page_size, key->log_page_size);
#undef FIELD
	IFC_SET64(mkc, context, start_addr, key->start);
	IFC_SET64(mkc, context, len, key->length);
	entries = IFC_PTR(query_mkey_out, cmd->out, bsf0_klm0_pas_mtt0_1);
	for (u32 i = 0; i < MIN(key->octowords, 2) * 2 && key->translation; i++)
		ifc_set64(entries, i * 64ull, key->translation[i]);
	return COMMAND_OK;
}

const struct command_entry memory_key_commands[] = {
	{0x200, "CREATE_MKEY", IFC_BYTES(create_mkey_in), IFC_BYTES(create_mkey_out), create_mkey},
	{0x201, "QUERY_MKEY", IFC_BYTES(query_mkey_in), IFC_BYTES(query_mkey_out), query_mkey},
	{0x202, "DESTROY_MKEY", IFC_BYTES(destroy_mkey_in), 8, destroy_mkey},
	{},
};
