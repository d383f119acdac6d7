/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
/* Before rdma-core's older copy, which has the same guard. */
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dmabuf_cq.h"

union create_cq {
	struct ib_uverbs_ioctl_hdr header;
	char space[sizeof(struct ib_uverbs_ioctl_hdr) + 8 * sizeof(struct ib_uverbs_attr)];
};

static struct ib_uverbs_attr *add(union create_cq *command, uint16_t id, uint16_t length)
{
	struct ib_uverbs_attr *attr = &command->header.attrs[command->header.num_attrs++];

	attr->attr_id = id;
	attr->len = length;
	attr->flags = UVERBS_ATTR_F_MANDATORY;
	return attr;
}

/* What is read and fits into the field stands in it. */
static void add_in(union create_cq *command, uint16_t id, uint16_t length, const void *data)
{
	struct ib_uverbs_attr *attr = add(command, id, length);

	if (length <= sizeof(attr->data))
		memcpy(&attr->data, data, length);
	else
		attr->data = (uintptr_t)data;
}

static void add_out(union create_cq *command, uint16_t id, uint16_t length, void *data)
{
	add(command, id, length)->data = (uintptr_t)data;
}

int dmabuf_cq_create(struct ibv_context *context, const struct dmabuf_cq *cq)
{
	const struct ib_uverbs_buffer_desc buffer = {
		.type = IB_UVERBS_BUFFER_TYPE_DMABUF, .fd = cq->dmabuf, .length = cq->length,
	};
	const uint64_t user_handle = 0;
	const uint32_t vector = 0;
	union create_cq command;
	uint32_t got;

	memset(&command, 0, sizeof(command));
	command.header.object_id = UVERBS_OBJECT_CQ;
	command.header.method_id = UVERBS_METHOD_CQ_CREATE;
	command.header.driver_id = cq->driver;
	add(&command, UVERBS_ATTR_CREATE_CQ_HANDLE, 0);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_CQE, sizeof(cq->entries), &cq->entries);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_USER_HANDLE, sizeof(user_handle), &user_handle);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_COMP_VECTOR, sizeof(vector), &vector);
	add_out(&command, UVERBS_ATTR_CREATE_CQ_RESP_CQE, sizeof(got), &got);
	add_in(&command, UVERBS_ATTR_CREATE_CQ_BUF_UMEM, sizeof(buffer), &buffer);
	add_in(&command, UVERBS_ATTR_UHW_IN, cq->driver_in_length, cq->driver_in);
	add_out(&command, UVERBS_ATTR_UHW_OUT, cq->driver_out_length, cq->driver_out);
	command.header.length = (uint16_t)(sizeof(command.header) +
					   command.header.num_attrs * sizeof(command.header.attrs[0]));
	return ioctl(context->cmd_fd, RDMA_VERBS_IOCTL, &command.header) ? -errno : 0;
}
