/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Multicast groups: an address, and the QPs that hear what is sent to it. The host keeps the list of
 * them in its memory, and says when it has changed.
 */
#include "irdma.h"

static bool is_named(const void *object, const void *opaque)
{
	const struct multicast_group *group = object;
	const struct address_handle *handle = opaque;

	return group->ipv4 == handle->ipv4 && !memcmp(group->ip, handle->ip, sizeof(group->ip));
}

const struct multicast_group *multicast_group_find(struct irdma_device *dev,
						   const struct address_handle *handle)
{
	return id_table_find_if(dev->groups, is_named, handle);
}

static u32 group_number(const u64 *wqe)
{
	return FIELD_GET(IRDMA_UDA_CQPSQ_MG_MGIDX, wqe[CONTROL_HEADER]) + 1;
}

static bool read_members(struct irdma_device *dev, u64 context, struct multicast_group *group)
{
	u64 members[GROUP_QPS];

	if (dma_read(dev->dma, context, members, sizeof(members)))
		return false;
	group->count = 0;
	for (u32 i = 0; i < GROUP_QPS; i++)
		if (members[i] & IRDMA_UDA_MGCTX_VALIDENT)
			group->qpns[group->count++] = FIELD_GET(IRDMA_UDA_MGCTX_QPID, members[i]);
	return true;
}

static void create_group(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct multicast_group *group = g_new0(struct multicast_group, 1);

	group->ipv4 = wqe[CONTROL_HEADER] & IRDMA_UDA_CQPSQ_MG_IPV4VALID;
	read_address(group->ip, group->ipv4, wqe[6], wqe[7]);
	if (!read_members(dev, wqe[4], group))
		result->code = CONTROL_BAD_ADDRESS;
	else if (!id_table_add_at(dev->groups, group_number(wqe), group))
		result->code = CONTROL_OBJECT_EXISTS;
	if (result->code)
		g_free(group);
}

/*
 * That a group which is not there can be changed, without effect, is the author's reading: the
 * driver does not keep what one QP's coming or going asks for in line with what another's does, and
 * cannot do with an error where its own order is to blame.
 */
static void modify_group(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	struct multicast_group *group = id_table_find(dev->groups, group_number(wqe));

	if (group && !read_members(dev, wqe[4], group))
		result->code = CONTROL_BAD_ADDRESS;
}

static void destroy_group(struct irdma_device *dev, const u64 *wqe, struct control_result *result)
{
	if (!id_table_remove(dev->groups, group_number(wqe)))
		result->code = CONTROL_NO_OBJECT;
}

const struct control_entry multicast_commands[] = {
	{IRDMA_CQP_OP_CREATE_MCAST_GRP, "CREATE_MCAST_GRP", "create_mcast_grp", create_group},
	{IRDMA_CQP_OP_MODIFY_MCAST_GRP, "MODIFY_MCAST_GRP", "modify_mcast_grp", modify_group},
	{IRDMA_CQP_OP_DESTROY_MCAST_GRP, "DESTROY_MCAST_GRP", "destroy_mcast_grp", destroy_group},
	{},
};
