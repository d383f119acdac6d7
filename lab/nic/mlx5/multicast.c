/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Which QPs are members of which multicast group. */
#include <glib.h>

#include "qp.h"

struct member {
	u32 id; /* in the table */
	u32 qpn;
	u8 gid[16];
};

struct member_search {
	const u8 *gid; /* NULL: any */
	u32 qpn;       /* 0: any */
	GArray *found; /* of struct member */
};

void multicast_destroy(void *object)
{
	g_free(object);
}

static void match(void *object, void *opaque)
{
	struct member_search *search = opaque;
	const struct member *member = object;

	if (search->gid && memcmp(search->gid, member->gid, sizeof(member->gid)))
		return;
	if (search->qpn && search->qpn != member->qpn)
		return;
	g_array_append_val(search->found, *member);
}

static GArray *find(struct mlx5_device *dev, const u8 *gid, u32 qpn)
{
	struct member_search search = {
		.gid = gid,
		.qpn = qpn,
		.found = g_array_new(FALSE, FALSE, sizeof(struct member)),
	};

	id_table_for_each(dev->multicast, match, &search);
	return search.found;
}

enum command_status multicast_attach(struct mlx5_device *dev, struct command *cmd)
{
	const u8 *gid = IFC_PTR(attach_to_mcg_in, cmd->in, multicast_gid);
	struct mlx5_qp *qp = qp_find(dev, IFC_GET(attach_to_mcg_in, cmd->in, qpn));
	struct member *member;
	GArray *found;
	bool known;

	if (!qp || qp->service != SERVICE_UD)
		return COMMAND_BAD_RESOURCE;
	found = find(dev, gid, qp->qpn);
	known = found->len;
	g_array_free(found, TRUE);
	if (known)
		return COMMAND_OK;
	member = g_new0(struct member, 1);
	member->qpn = qp->qpn;
	memcpy(member->gid, gid, sizeof(member->gid));
	member->id = id_table_add(dev->multicast, member);
	if (!member->id) {
		g_free(member);
		return COMMAND_NO_RESOURCES;
	}
	return COMMAND_OK;
}

static u32 remove_members(struct mlx5_device *dev, const u8 *gid, u32 qpn)
{
	GArray *found = find(dev, gid, qpn);
	u32 count = found->len;

	for (u32 i = 0; i < count; i++)
		id_table_remove(dev->multicast, g_array_index(found, struct member, i).id);
	g_array_free(found, TRUE);
	return count;
}

enum command_status multicast_detach(struct mlx5_device *dev, struct command *cmd)
{
	u32 qpn = IFC_GET(detach_from_mcg_in, cmd->in, qpn);

	if (!qpn || !remove_members(dev, IFC_PTR(detach_from_mcg_in, cmd->in, multicast_gid), qpn))
		return COMMAND_BAD_RESOURCE;
	return COMMAND_OK;
}

void multicast_forget(struct mlx5_device *dev, u32 qpn)
{
	remove_members(dev, NULL, qpn);
}

void multicast_deliver(struct mlx5_device *dev, const u8 gid[16],
		       void (*deliver)(struct mlx5_qp *qp, void *opaque), void *opaque)
{
	GArray *found = find(dev, gid, 0);

	for (u32 i = 0; i < found->len; i++) {
		struct mlx5_qp *qp = qp_find(dev, g_array_index(found, struct member, i).qpn);

		if (qp)
			deliver(qp, opaque);
	}
	g_array_free(found, TRUE);
}
