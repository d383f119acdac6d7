/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the LAN side asks of the function: tables it keeps, address handles, statistics. */
#include "irdma.h"

#define GROUP_BIT 1u /* of a MAC address's first byte */

#define STATISTICS_BYTES IRDMA_GATHER_STATS_BUF_SIZE
/* Of the statistics that the driver reads, those which can differ from zero here. */
#define STATISTICS_AT 240u
#define STATISTICS_INSTANCE 1u

const struct address_handle *address_handle_find(struct irdma_device *dev, u32 index, u32 pd)
{
	const struct address_handle *handle = id_table_find(dev->ahs, index + 1);

	return handle && handle->pd == pd ? handle : NULL;
}

/* As the host's ARP table has it. */
struct neighbour {
	u8 mac[ETH_ALEN];
};

bool address_handle_leads(const struct address_handle *handle, const struct irdma_device *from,
			  const struct irdma_device *to)
{
	const struct neighbour *hop = id_table_find(from->neighbours, handle->neighbour + 1);

	if (to == from && handle->loopback)
		return true;
	if (!hop)
		return false;
	if (hop->mac[0] & GROUP_BIT)
		return to != from;
	return !memcmp(hop->mac, to->mac, sizeof(hop->mac));
}

void read_address(u32 ip[4], bool ipv4, u64 low, u64 high)
{
	ip[3] = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_ADDR3, low);
	if (ipv4)
		return;
	ip[0] = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_ADDR0, high);
	ip[1] = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_ADDR1, high);
	ip[2] = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_ADDR2, low);
}

static void create_handle(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct address_handle *handle = g_new0(struct address_handle, 1);

	handle->index = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_AVIDX, wqe[CONTROL_HEADER]);
	handle->pd = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_PDINDEXLO, wqe[1]) |
		     FIELD_GET(IRDMA_UDA_CQPSQ_MAV_PDINDEXHI, wqe[2]) << 16;
	handle->ipv4 = wqe[CONTROL_HEADER] & IRDMA_UDA_CQPSQ_MAV_IPV4VALID;
	handle->hop_limit = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_HOPLIMIT, wqe[2]);
	handle->traffic_class = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_TC, wqe[1]);
	handle->flow_label = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_FLOWLABEL, wqe[2]);
	handle->loopback = wqe[CONTROL_HEADER] & IRDMA_UDA_CQPSQ_MAV_DOLOOPBACKK;
	handle->neighbour = FIELD_GET(IRDMA_UDA_CQPSQ_MAV_ARPINDEX, wqe[2]);
	read_address(handle->ip, handle->ipv4, wqe[4], wqe[5]);
	read_address(handle->source_ip, handle->ipv4, wqe[6], wqe[7]);
	if (id_table_add_at(dev->ahs, handle->index + 1, handle))
		return;
	result->code = CONTROL_OBJECT_EXISTS;
	g_free(handle);
}

static void destroy_handle(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	if (!id_table_remove(dev->ahs,
			     FIELD_GET(IRDMA_UDA_CQPSQ_MAV_AVIDX, wqe[CONTROL_HEADER]) + 1))
		result->code = CONTROL_NO_OBJECT;
}

/* An entry is made, made anew or taken away. */
static void manage_neighbour(struct irdma_device *dev, const u64 *wqe,
			     struct control_result *result)
{
	u32 number = FIELD_GET(IRDMA_CQPSQ_MAT_ARPENTRYIDX, wqe[CONTROL_HEADER]) + 1;
	u64 mac = FIELD_GET(IRDMA_CQPSQ_MAT_MACADDR, wqe[2]);
	bool had = id_table_remove(dev->neighbours, number);
	struct neighbour *neighbour;

	if (!(wqe[CONTROL_HEADER] & IRDMA_CQPSQ_MAT_ENTRYVALID)) {
		if (!had)
			result->code = CONTROL_NO_OBJECT;
		return;
	}
	neighbour = g_new0(struct neighbour, 1);
	for (u32 i = 0; i < ETH_ALEN; i++)
		neighbour->mac[i] = mac >> (40 - 8 * i);
	id_table_add_at(dev->neighbours, number, neighbour);
}

/* There is one instance, and everybody has it. */
static void manage_statistics(struct irdma_device *dev, const u64 *wqe,
			      struct control_result *result)
{
	(void)dev;
	if (wqe[CONTROL_HEADER] & IRDMA_CQPSQ_STATS_ALLOC_INST)
		result->value = STATISTICS_INSTANCE;
}

static void gather_statistics(struct irdma_device *dev, const u64 *wqe,
			      struct control_result *result)
{
	u8 buffer[STATISTICS_BYTES] = {};

	memcpy(buffer + STATISTICS_AT, &dev->statistics, sizeof(dev->statistics));
	if (dma_write(dev->dma, wqe[4], buffer, sizeof(buffer)))
		result->code = CONTROL_BAD_ADDRESS;
}

/* A leaf of the scheduler's tree is a queue set, named by a handle. */
static void schedule_node(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	(void)dev;
	result->value = FIELD_GET(IRDMA_CQPSQ_WS_NODEID, wqe[CONTROL_HEADER]);
}

/* Nothing is filtered or prioritised. */
static void take_note(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	(void)dev;
	(void)wqe;
	(void)result;
}

static void refuse(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	(void)dev;
	(void)wqe;
	result->code = CONTROL_NO_RESOURCES;
}

const struct control_entry network_commands[] = {
	{IRDMA_CQP_OP_CREATE_ADDR_HANDLE, "CREATE_ADDR_HANDLE", "create_addr_handle", create_handle},
	{IRDMA_CQP_OP_DESTROY_ADDR_HANDLE, "DESTROY_ADDR_HANDLE", "destroy_addr_handle",
	 destroy_handle},
	{IRDMA_CQP_OP_MANAGE_STATS, "MANAGE_STATS", "manage_stats", manage_statistics},
	{IRDMA_CQP_OP_GATHER_STATS, "GATHER_STATS", "gather_stats", gather_statistics},
	{IRDMA_CQP_OP_WORK_SCHED_NODE, "WORK_SCHED_NODE", "work_sched_node", schedule_node},
	{IRDMA_CQP_OP_MANAGE_ARP, "MANAGE_ARP", "manage_arp", manage_neighbour},
	{IRDMA_CQP_OP_MANAGE_APBVT, "MANAGE_APBVT", "manage_apbvt", take_note},
	{IRDMA_CQP_OP_MANAGE_QUAD_HASH_TABLE_ENTRY, "MANAGE_QUAD_HASH_TABLE_ENTRY",
	 "manage_quad_hash_table_entry", take_note},
	{IRDMA_CQP_OP_UP_MAP, "UP_MAP", "up_map", take_note},
	{IRDMA_CQP_OP_NOP, "NOP", "nop", take_note},
	/* Writing WQEs into the BAR is not offered. */
	{IRDMA_CQP_OP_MANAGE_PUSH_PAGES, "MANAGE_PUSH_PAGES", "manage_push_pages", refuse},
	{},
};
