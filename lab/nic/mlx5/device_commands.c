/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Start and stop of the function, and the objects that are nothing but numbers. */
#include "device.h"
#include "hca.h"

enum { ISSI_VERSION_1 = 1 << 1 };
enum { TEARDOWN_GRACEFUL = 0 };

static enum command_status enable_hca(struct mlx5_device *dev, struct command *cmd)
{
	(void)cmd;
	dev->hca->enabled = true;
	return COMMAND_OK;
}

static enum command_status disable_hca(struct mlx5_device *dev, struct command *cmd)
{
	(void)cmd;
	dev->hca->enabled = false;
	return COMMAND_OK;
}

static enum command_status init_hca(struct mlx5_device *dev, struct command *cmd)
{
	(void)cmd;
	if (!dev->hca->enabled || dev->hca->initialised)
		return COMMAND_BAD_SYS_STATE;
	dev->hca->initialised = true;
	return COMMAND_OK;
}

static enum command_status teardown_hca(struct mlx5_device *dev, struct command *cmd)
{
	if (IFC_GET(teardown_hca_in, cmd->in, profile) != TEARDOWN_GRACEFUL)
		return COMMAND_BAD_PARAM;
	mlx5_device_teardown(dev);
	return COMMAND_OK;
}

/* The model needs no host memory for its contexts: nothing is asked for, nothing given back. */
static enum command_status query_pages(struct mlx5_device *dev, struct command *cmd)
{
	(void)dev;
	IFC_SET(query_pages_out, cmd->out, num_pages, 0);
	return COMMAND_OK;
}

static enum command_status manage_pages(struct mlx5_device *dev, struct command *cmd)
{
	(void)dev;
	IFC_SET(manage_pages_out, cmd->out, output_num_entries, 0);
	return COMMAND_OK;
}

static enum command_status query_issi(struct mlx5_device *dev, struct command *cmd)
{
	IFC_SET(query_issi_out, cmd->out, current_issi, dev->hca->issi);
	IFC_SET(query_issi_out, cmd->out, supported_issi_dw0, ISSI_VERSION_1);
	return COMMAND_OK;
}

static enum command_status set_issi(struct mlx5_device *dev, struct command *cmd)
{
	u16 issi = IFC_GET(set_issi_in, cmd->in, current_issi);

	if (issi > 1)
		return COMMAND_BAD_PARAM;
	dev->hca->issi = issi;
	return COMMAND_OK;
}

static enum command_status query_adapter(struct mlx5_device *dev, struct command *cmd)
{
	void *adapter = IFC_PTR(query_adapter_out, cmd->out, query_adapter_struct);
	static const char board[] = "LAB0000000001";

	(void)dev;
	IFC_SET(query_adapter_param_block, adapter, ieee_vendor_id, 0x2c9);
	memcpy(IFC_PTR(query_adapter_param_block, adapter, vsd_contd_psid), board,
	       sizeof(board) - 1);
	return COMMAND_OK;
}

static enum command_status query_special_contexts(struct mlx5_device *dev, struct command *cmd)
{
	(void)dev;
#define FIELD(field, value) IFC_SET(query_special_contexts_out, cmd->out, field, value)
	FIELD(resd_lkey, MLX5_RESERVED_LKEY);
	FIELD(null_mkey, MLX5_NULL_MKEY);
	FIELD(dump_fill_mkey, MLX5_DUMP_FILL_MKEY);
	FIELD(terminate_scatter_list_mkey, MLX5_TERMINATE_SCATTER_MKEY);
#undef FIELD
	return COMMAND_OK;
}

static enum command_status nothing(struct mlx5_device *dev, struct command *cmd)
{
	(void)dev;
	(void)cmd;
	return COMMAND_OK;
}

/* UARs, PDs, XRC and transport domains and counter sets have a number and no other state. */
static enum command_status number_alloc(struct id_table *table, u32 *id)
{
	*id = id_table_add(table, GUINT_TO_POINTER(1));
	return *id ? COMMAND_OK : COMMAND_EXCEED_LIMIT;
}

static enum command_status number_free(struct id_table *table, u32 id)
{
	return id_table_remove(table, id) ? COMMAND_OK : COMMAND_BAD_RESOURCE;
}

#define NUMBER_COMMANDS(name, table, field)                                                  \
	static enum command_status alloc_##name(struct mlx5_device *dev, struct command *cmd)      \
	{                                                                                          \
		enum command_status status;                                                        \
		u32 id;                                                                            \
                                                                                                   \
		status = number_alloc(dev->table, &id);                                       \
		if (!status)                                                                       \
			IFC_SET(alloc_##name##_out, cmd->out, field, id);                          \
		return status;                                                                     \
	}                                                                                          \
                                                                                                   \
	static enum command_status dealloc_##name(struct mlx5_device *dev, struct command *cmd)    \
	{                                                                                          \
		return number_free(dev->table, IFC_GET(dealloc_##name##_in, cmd->in, field));      \
	}

NUMBER_COMMANDS(uar, uars, uar)
NUMBER_COMMANDS(pd, pds, pd)
NUMBER_COMMANDS(xrcd, xrcds, xrcd)
NUMBER_COMMANDS(transport_domain, transport_domains, transport_domain)
NUMBER_COMMANDS(q_counter, counter_sets, counter_set_id)

/* One set of figures for the whole device: sets are numbers that a QP can name. */
static enum command_status query_q_counter(struct mlx5_device *dev, struct command *cmd)
{
	u32 id = IFC_GET(query_q_counter_in, cmd->in, counter_set_id);

	if (!id_table_find(dev->counter_sets, id))
		return COMMAND_BAD_RESOURCE;
	IFC_SET(query_q_counter_out, cmd->out, out_of_buffer, (u32)*dev->count.rnr_naks);
	IFC_SET(query_q_counter_out, cmd->out, req_remote_access_errors,
		(u32)*dev->count.remote_access_errors);
	IFC_SET(query_q_counter_out, cmd->out, req_local_protection,
		(u32)*dev->count.local_protection_errors);
	IFC_SET(query_q_counter_out, cmd->out, req_cqe_flush_error, (u32)*dev->count.flushed);
	return COMMAND_OK;
}

const struct command_entry device_commands[] = {
	{0x101, "QUERY_ADAPTER", 8, IFC_BYTES(query_adapter_out), query_adapter},
	{0x102, "INIT_HCA", 8, 8, init_hca},
	{0x103, "TEARDOWN_HCA", IFC_BYTES(teardown_hca_in), 8, teardown_hca},
	{0x104, "ENABLE_HCA", 8, 8, enable_hca},
	{0x105, "DISABLE_HCA", 8, 8, disable_hca},
	{0x107, "QUERY_PAGES", 8, IFC_BYTES(query_pages_out), query_pages},
	{0x108, "MANAGE_PAGES", 8, IFC_BYTES(manage_pages_out), manage_pages},
	{0x10a, "QUERY_ISSI", 8, IFC_BYTES(query_issi_out), query_issi},
	{0x10b, "SET_ISSI", IFC_BYTES(set_issi_in), 8, set_issi},
	{0x203, "QUERY_SPECIAL_CONTEXTS", 8, IFC_BYTES(query_special_contexts_out),
	 query_special_contexts},
	{0x80d, "NOP", 8, 8, nothing},
	{0x771, "ALLOC_Q_COUNTER", 8, IFC_BYTES(alloc_q_counter_out), alloc_q_counter},
	{0x772, "DEALLOC_Q_COUNTER", IFC_BYTES(dealloc_q_counter_in), 8, dealloc_q_counter},
	{0x773, "QUERY_Q_COUNTER", IFC_BYTES(query_q_counter_in), IFC_BYTES(query_q_counter_out),
	 query_q_counter},
	{0x800, "ALLOC_PD", 8, IFC_BYTES(alloc_pd_out), alloc_pd},
	{0x801, "DEALLOC_PD", IFC_BYTES(dealloc_pd_in), 8, dealloc_pd},
	{0x802, "ALLOC_UAR", 8, IFC_BYTES(alloc_uar_out), alloc_uar},
	{0x803, "DEALLOC_UAR", IFC_BYTES(dealloc_uar_in), 8, dealloc_uar},
	{0x80e, "ALLOC_XRCD", 8, IFC_BYTES(alloc_xrcd_out), alloc_xrcd},
	{0x80f, "DEALLOC_XRCD", IFC_BYTES(dealloc_xrcd_in), 8, dealloc_xrcd},
	{0x816, "ALLOC_TRANSPORT_DOMAIN", 8, IFC_BYTES(alloc_transport_domain_out),
	 alloc_transport_domain},
	{0x817, "DEALLOC_TRANSPORT_DOMAIN", IFC_BYTES(dealloc_transport_domain_in), 8,
	 dealloc_transport_domain},
	{},
};
