/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The one InfiniBand port, active as long as its link is up. There is no subnet manager in the lab;
 * LID, GID and P_Key are as one would have set them.
 */
#include "device.h"
#include "hca.h"

#define GID_ENTRIES 8u
#define PKEY_ENTRIES 128u
#define ALL_ENTRIES 0xffffu
#define GID_BYTES 16u
#define PKEY_BYTES 4u
#define DEFAULT_PKEY 0xffff
#define LINK_LOCAL_PREFIX 0xfe80000000000000ull

#define PORT_EVENT_NUMBER_OFFSET 8
#define SUBNET_MANAGER_LID 1

enum { PORT_DOWN = 1, PORT_ACTIVE = 4, PHYSICAL_POLLING = 2, PHYSICAL_LINK_UP = 5 };
enum { PORT_EVENT_DOWN = 1, PORT_EVENT_ACTIVE = 4 };
enum {
	CAP_MASK_SM = 1 << 1,
	CAP_MASK_TRAP = 1 << 2,
	CAP_MASK_EXTENDED_SPEEDS = 1 << 14,
	CAP_MASK_CM = 1 << 16,
};
/* Bits that the host may change: whether a manager for them runs on it. */
#define CAP_MASK_CHANGEABLE (CAP_MASK_SM | CAP_MASK_CM)

/* Management datagrams, as MAD_IFC carries them. */
#define MAD_BYTES 256u
#define MAD_METHOD_OFFSET 3
#define MAD_STATUS_OFFSET 4
enum { MAD_METHOD_RESPONSE = 0x81, MAD_STATUS_UNSUPPORTED_ATTRIBUTE = 0xc };
enum { FIELD_SELECT_CAPABILITY_MASK = 1 << 3 };

/* Registers by which the host asks about the link. */
enum port_register {
	REGISTER_PMTU = 0x5003,
	REGISTER_PTYS = 0x5004,
	REGISTER_PAOS = 0x5006,
	REGISTER_PPCNT = 0x5008,
	REGISTER_PVLC = 0x500f,
	REGISTER_NODE_DESCRIPTION = 0x6001,
	REGISTER_HOST_ENDIANNESS = 0x7004,
};

enum { LINK_WIDTH_1X_4X = 0x5, LINK_WIDTH_4X = 0x4, SPEED_EDR = 0x20, SPEEDS_TO_EDR = 0x3f };

void port_reset(struct mlx5_device *dev)
{
	dev->hca->port_capability_mask = CAP_MASK_TRAP | CAP_MASK_EXTENDED_SPEEDS | CAP_MASK_CM;
}

struct mlx5_device *port_lookup(const struct mlx5_device *dev, u16 lid)
{
	return fabric_lookup(dev->port, &lid, sizeof(lid));
}

struct mlx5_device *port_reach(const struct mlx5_device *dev, u16 lid)
{
	return fabric_reach(dev->port, &lid, sizeof(lid));
}

static void link_changed(void *opaque, bool up)
{
	struct mlx5_device *dev = opaque;
	u8 data[PORT_EVENT_NUMBER_OFFSET + 1] = { [PORT_EVENT_NUMBER_OFFSET] = 1 << 4 };

	mlx5_log(dev, "the link goes %s", up ? "up" : "down");
	event_post(dev, EVENT_PORT_CHANGE, up ? PORT_EVENT_ACTIVE : PORT_EVENT_DOWN, data,
		   sizeof(data));
}

struct fabric_port *port_attach(struct mlx5_device *dev, struct fabric *fabric)
{
	struct fabric_port *port =
		fabric_attach(fabric, &dev->lid, sizeof(dev->lid), dev, dev->counters);

	if (port)
		fabric_on_link_change(port, link_changed);
	return port;
}

static enum command_status query_vport_context(struct mlx5_device *dev, struct command *cmd)
{
	void *context = IFC_PTR(query_hca_vport_context_out, cmd->out, hca_vport_context);
	u64 guid = dev->hca->guid;
	bool up = fabric_link_up(dev->port);

#define FIELD(field, value) IFC_SET(hca_vport_context, context, field, value)
	FIELD(port_physical_state, up ? PHYSICAL_LINK_UP : PHYSICAL_POLLING);
	FIELD(port_state, up ? PORT_ACTIVE : PORT_DOWN);
	FIELD(vport_state, up ? PORT_ACTIVE : PORT_DOWN);
	FIELD(has_raw, 0);
	FIELD(cap_mask1, dev->hca->port_capability_mask);
	FIELD(cap_mask1_field_select, CAP_MASK_CHANGEABLE);
	FIELD(lid, dev->lid);
	FIELD(sm_lid, SUBNET_MANAGER_LID);
	FIELD(subnet_timeout, 18);
#undef FIELD
	IFC_SET64(hca_vport_context, context, system_image_guid, guid);
	IFC_SET64(hca_vport_context, context, node_guid, guid);
	IFC_SET64(hca_vport_context, context, port_guid, guid + 1);
	return COMMAND_OK;
}

static enum command_status modify_vport_context(struct mlx5_device *dev, struct command *cmd)
{
	const void *context = IFC_PTR(modify_hca_vport_context_in, cmd->in, hca_vport_context);
	u32 select = IFC_GET(hca_vport_context, context, cap_mask1_field_select) &
		     CAP_MASK_CHANGEABLE;
	u32 *mask = &dev->hca->port_capability_mask;

	if (IFC_GET(hca_vport_context, context, field_select) & FIELD_SELECT_CAPABILITY_MASK)
		*mask = (*mask & ~select) |
			(IFC_GET(hca_vport_context, context, cap_mask1) & select);
	return COMMAND_OK;
}

static enum command_status query_gid(struct mlx5_device *dev, struct command *cmd)
{
	u32 index = IFC_GET(query_hca_vport_gid_in, cmd->in, gid_index);
	u32 header = IFC_BYTES(query_hca_vport_gid_out);
	u32 count = index == ALL_ENTRIES ? GID_ENTRIES : 1;
	u64 gid[2] = {htobe64(LINK_LOCAL_PREFIX), htobe64(dev->hca->guid + 1)};

	if (index != ALL_ENTRIES && index >= GID_ENTRIES)
		return COMMAND_BAD_INDEX;
	if (cmd->out_len < header + count * GID_BYTES)
		return COMMAND_BAD_OUTPUT_LEN;
	IFC_SET(query_hca_vport_gid_out, cmd->out, gids_num, count);
	if (!index || index == ALL_ENTRIES)
		memcpy(cmd->out + header, gid, sizeof(gid));
	return COMMAND_OK;
}

static enum command_status query_pkey(struct mlx5_device *dev, struct command *cmd)
{
	u32 index = IFC_GET(query_hca_vport_pkey_in, cmd->in, pkey_index);
	u32 header = IFC_BYTES(query_hca_vport_pkey_out);
	u32 count = index == ALL_ENTRIES ? PKEY_ENTRIES : 1;

	(void)dev;
	if (index != ALL_ENTRIES && index >= PKEY_ENTRIES)
		return COMMAND_BAD_INDEX;
	if (cmd->out_len < header + count * PKEY_BYTES)
		return COMMAND_BAD_OUTPUT_LEN;
	if (!index || index == ALL_ENTRIES)
		IFC_SET(pkey, cmd->out + header, pkey, DEFAULT_PKEY);
	return COMMAND_OK;
}

static enum command_status query_vport_state(struct mlx5_device *dev, struct command *cmd)
{
	IFC_SET(query_vport_state_out, cmd->out, admin_state, 1);
	IFC_SET(query_vport_state_out, cmd->out, state, fabric_link_up(dev->port));
	return COMMAND_OK;
}

/* The whole port is one vport; its packets are counted by the one that sends them. */
static enum command_status query_vport_counter(struct mlx5_device *dev, struct command *cmd)
{
	void *out = cmd->out;
	u64 packets = *dev->count.packets;

	IFC_SET64(query_vport_counter_out, out, received_ib_unicast.packets, packets);
	IFC_SET64(query_vport_counter_out, out, transmitted_ib_unicast.packets, packets);
	IFC_SET64(query_vport_counter_out, out, received_ib_unicast.octets,
		  *dev->count.bytes_written);
	IFC_SET64(query_vport_counter_out, out, transmitted_ib_unicast.octets,
		  *dev->count.bytes_read);
	return COMMAND_OK;
}

/* There is no subnet manager agent: what is asked for is in the vport context. */
static enum command_status mad_ifc(struct mlx5_device *dev, struct command *cmd)
{
	u8 *mad = IFC_PTR(mad_ifc_out, cmd->out, response_mad_packet);

	(void)dev;
	memcpy(mad, IFC_PTR(mad_ifc_in, cmd->in, mad), MAD_BYTES);
	mad[MAD_METHOD_OFFSET] = MAD_METHOD_RESPONSE;
	mad[MAD_STATUS_OFFSET] = 0;
	mad[MAD_STATUS_OFFSET + 1] = MAD_STATUS_UNSUPPORTED_ATTRIBUTE;
	return COMMAND_OK;
}

static bool fill_register(u16 id, void *data, u32 len)
{
	switch (id) {
	case REGISTER_PTYS:
		if (len < IFC_BYTES(ptys_reg))
			return false;
		IFC_SET(ptys_reg, data, ib_link_width_capability, LINK_WIDTH_1X_4X);
		IFC_SET(ptys_reg, data, ib_link_width_admin, LINK_WIDTH_1X_4X);
		IFC_SET(ptys_reg, data, ib_link_width_oper, LINK_WIDTH_4X);
		IFC_SET(ptys_reg, data, ib_proto_capability, SPEEDS_TO_EDR);
		IFC_SET(ptys_reg, data, ib_proto_admin, SPEEDS_TO_EDR);
		IFC_SET(ptys_reg, data, ib_proto_oper, SPEED_EDR);
		return true;
	case REGISTER_PMTU:
		if (len < IFC_BYTES(pmtu_reg))
			return false;
		IFC_SET(pmtu_reg, data, max_mtu, MLX5_MAX_MTU);
		IFC_SET(pmtu_reg, data, admin_mtu, MLX5_MAX_MTU);
		IFC_SET(pmtu_reg, data, oper_mtu, MLX5_MAX_MTU);
		return true;
	case REGISTER_PVLC:
		if (len < IFC_BYTES(pvlc_reg))
			return false;
		IFC_SET(pvlc_reg, data, vl_hw_cap, 4);
		IFC_SET(pvlc_reg, data, vl_admin, 4);
		IFC_SET(pvlc_reg, data, vl_operational, 4);
		return true;
	case REGISTER_PAOS:
		if (len < IFC_BYTES(paos_reg))
			return false;
		IFC_SET(paos_reg, data, admin_status, 1);
		IFC_SET(paos_reg, data, oper_status, 1);
		return true;
	case REGISTER_PPCNT: /* error counters: there is no wire to go wrong */
	case REGISTER_NODE_DESCRIPTION:
	case REGISTER_HOST_ENDIANNESS:
		return true;
	default:
		return false;
	}
}

static enum command_status access_register(struct mlx5_device *dev, struct command *cmd)
{
	u32 in_header = IFC_BIT_OFFSET(access_register_in, register_data) / 8;
	u32 out_header = IFC_BIT_OFFSET(access_register_out, register_data) / 8;
	u32 len = MIN(cmd->in_len - in_header, cmd->out_len - out_header);
	u16 id = IFC_GET(access_register_in, cmd->in, register_id);
	u8 *data = cmd->out + out_header;

	memcpy(data, cmd->in + in_header, len);
	if (!fill_register(id, data, len)) {
		mlx5_log(dev, "register 0x%x is not modelled", id);
		return COMMAND_BAD_PARAM;
	}
	return COMMAND_OK;
}

const struct command_entry port_commands[] = {
	{0x50d, "MAD_IFC", IFC_BYTES(mad_ifc_in), IFC_BYTES(mad_ifc_out), mad_ifc},
	{0x750, "QUERY_VPORT_STATE", 8, IFC_BYTES(query_vport_state_out), query_vport_state},
	{0x762, "QUERY_HCA_VPORT_CONTEXT", 8, IFC_BYTES(query_hca_vport_context_out),
	 query_vport_context},
	{0x763, "MODIFY_HCA_VPORT_CONTEXT", IFC_BYTES(modify_hca_vport_context_in), 8,
	 modify_vport_context},
	{0x764, "QUERY_HCA_VPORT_GID", IFC_BYTES(query_hca_vport_gid_in),
	 IFC_BYTES(query_hca_vport_gid_out), query_gid},
	{0x765, "QUERY_HCA_VPORT_PKEY", IFC_BYTES(query_hca_vport_pkey_in),
	 IFC_BYTES(query_hca_vport_pkey_out), query_pkey},
	{0x770, "QUERY_VPORT_COUNTER", 8, IFC_BYTES(query_vport_counter_out), query_vport_counter},
	{0x805, "ACCESS_REG", IFC_BYTES(access_register_in), IFC_BYTES(access_register_out),
	 access_register},
	{},
};
