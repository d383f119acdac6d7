/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* NETLINK_RDMA's list of devices (RDMA_NLDEV_CMD_GET), by libnl. */
#include "rdma_levels.h"

#include <errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[DMABUF_LEVEL_FAULTING] = "faulting",
	[DMABUF_LEVEL_REVOKING] = "revoking",
	[DMABUF_LEVEL_UNSUPPORTED] = "unsupported",
};

struct list {
	struct rdma_level *entries;
	size_t count;
	int error;		/* -errno */
};

const char *dmabuf_level_name(enum dmabuf_level level)
{
	return names[level];
}

/* Other kernels may use the attribute's number for else: a string that is none of the names is that. */
static enum dmabuf_level level_of(const struct nlattr *attr)
{
	const char *text;
	size_t length;

	if (!attr)
		return DMABUF_LEVEL_UNTOLD;
	text = nla_data(attr);
	length = (size_t)nla_len(attr);
	for (enum dmabuf_level level = DMABUF_LEVEL_FAULTING; level <= DMABUF_LEVEL_UNSUPPORTED;
	     level++)
		if (length == strlen(names[level]) + 1 && !memcmp(text, names[level], length))
			return level;
	return DMABUF_LEVEL_UNTOLD;
}

static int add_device(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[RDMA_NLDEV_ATTR_DEV_DMABUF_LEVEL + 1];
	struct list *list = arg;
	struct rdma_level *entries;

	if (nlmsg_parse(nlmsg_hdr(msg), 0, attrs, RDMA_NLDEV_ATTR_DEV_DMABUF_LEVEL, NULL) < 0 ||
	    !attrs[RDMA_NLDEV_ATTR_DEV_NAME]) {
		list->error = -EPROTO;
		return NL_STOP;
	}
	entries = reallocarray(list->entries, list->count + 1, sizeof(*entries));
	if (!entries) {
		list->error = -ENOMEM;
		return NL_STOP;
	}
	list->entries = entries;
	entries += list->count++;
	nla_strlcpy(entries->device, attrs[RDMA_NLDEV_ATTR_DEV_NAME], sizeof(entries->device));
	entries->level = level_of(attrs[RDMA_NLDEV_ATTR_DEV_DMABUF_LEVEL]);
	return NL_OK;
}

int rdma_levels_read(struct rdma_level **levels, size_t *count, struct error *err)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct list list = { 0 };
	int ret;

	if (!socket)
		return error_set(err, ENOMEM, "cannot make a netlink socket");
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, add_device, &list);
	ret = nl_connect(socket, NETLINK_RDMA);
	if (ret < 0) {
		nl_socket_free(socket);
		return error_missing(err, EPROTONOSUPPORT,
				     "cannot ask the kernel about RDMA devices (netlink: %s): load "
				     "ib_core", nl_geterror(ret));
	}
	ret = nl_send_simple(socket, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET),
			     NLM_F_DUMP, NULL, 0);
	if (ret >= 0)
		ret = nl_recvmsgs_default(socket);
	nl_socket_free(socket);
	if (ret < 0 || list.error) {
		free(list.entries);
		return error_set(err, list.error ? -list.error : EIO,
				 "the kernel's list of RDMA devices cannot be read (netlink: %s)",
				 ret < 0 ? nl_geterror(ret) : "a wrong answer");
	}
	*levels = list.entries;
	*count = list.count;
	return 0;
}
