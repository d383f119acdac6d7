/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the device can do, what it is told about the host, and what it has counted. */
#include "efa.h"

#define FEATURE(id) (1ull << EFA_ADMIN_##id)
#define PAGE_SIZES 0x7ffff000ull /* 4 KiB to 1 GiB */
#define FIRMWARE_VERSION 0x01000000u
#define LINK_GBPS 100
#define MMIO_READ_TIMEOUT_MS 1000
#define AENQ_GROUPS                                                                                \
	(1u << EFA_ADMIN_FATAL_ERROR | 1u << EFA_ADMIN_WARNING | 1u << EFA_ADMIN_NOTIFICATION |    \
	 1u << EFA_ADMIN_KEEP_ALIVE)

static void device_attributes(struct efa_device *dev,
			      struct efa_admin_feature_device_attr_desc *attributes)
{
	attributes->supported_features = FEATURE(DEVICE_ATTR) | FEATURE(AENQ_CONFIG) |
					 FEATURE(NETWORK_ATTR) | FEATURE(QUEUE_ATTR_1) |
					 FEATURE(HW_HINTS) | FEATURE(HOST_INFO) |
					 FEATURE(EVENT_QUEUE_ATTR) | FEATURE(QUEUE_ATTR_2);
	attributes->page_size_cap = PAGE_SIZES;
	attributes->fw_version = FIRMWARE_VERSION;
	attributes->admin_api_version = dev->api_version;
	attributes->device_version = EFA_DEVICE_ID;
	attributes->db_bar = EFA_DOORBELL_BAR;
	attributes->phys_addr_width = 52;
	attributes->virt_addr_width = 57;
	EFA_SET(&attributes->device_caps, EFA_ADMIN_FEATURE_DEVICE_ATTR_DESC_RDMA_READ, 1);
	EFA_SET(&attributes->device_caps, EFA_ADMIN_FEATURE_DEVICE_ATTR_DESC_RNR_RETRY, 1);
	EFA_SET(&attributes->device_caps, EFA_ADMIN_FEATURE_DEVICE_ATTR_DESC_DATA_POLLING_128, 1);
	EFA_SET(&attributes->device_caps, EFA_ADMIN_FEATURE_DEVICE_ATTR_DESC_RDMA_WRITE, 1);
	EFA_SET(&attributes->device_caps,
		EFA_ADMIN_FEATURE_DEVICE_ATTR_DESC_UNSOLICITED_WRITE_RECV, 1);
	EFA_SET(&attributes->device_caps, EFA_ADMIN_FEATURE_DEVICE_ATTR_DESC_SQ_64_BIT_REQ_ID, 1);
	attributes->max_rdma_size = EFA_MAX_RDMA;
	attributes->guid = GUINT64_TO_BE(dev->guid);
	attributes->max_link_speed_gbps = LINK_GBPS;
}

static void queue_attributes(struct efa_admin_feature_queue_attr_desc_1 *attributes)
{
	attributes->max_qp = EFA_MAX_QPS;
	attributes->max_sq_depth = EFA_MAX_SQ_DEPTH;
	attributes->inline_buf_size = EFA_INLINE_64;
	attributes->max_rq_depth = EFA_MAX_RQ_DEPTH;
	attributes->max_cq = EFA_MAX_CQS;
	attributes->max_cq_depth = EFA_MAX_CQ_DEPTH;
	attributes->sub_cqs_per_cq = 1;
	attributes->max_wr_send_sges = EFA_MAX_SEND_SGES;
	attributes->max_wr_recv_sges = EFA_MAX_RECEIVE_SGES;
	attributes->max_mr = EFA_MAX_MRS;
	attributes->max_mr_pages = EFA_MAX_MR_PAGES;
	attributes->max_pd = EFA_MAX_PDS;
	attributes->max_ah = EFA_MAX_AHS;
	attributes->max_llq_size = EFA_LLQ_BYTES;
	attributes->max_wr_rdma_sges = 1;
}

static enum admin_status get_feature(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_get_feature_cmd *in = command->in;
	struct efa_admin_get_feature_resp *out = command->out;

	switch (in->feature_common.feature_id) {
	case EFA_ADMIN_DEVICE_ATTR:
		device_attributes(dev, &out->u.device_attr);
		return ADMIN_OK;
	case EFA_ADMIN_QUEUE_ATTR_1:
		queue_attributes(&out->u.queue_attr_1);
		return ADMIN_OK;
	case EFA_ADMIN_QUEUE_ATTR_2:
		out->u.queue_attr_2.inline_buf_size_ex = EFA_INLINE_128;
		return ADMIN_OK;
	case EFA_ADMIN_NETWORK_ATTR:
		memcpy(out->u.network_attr.addr, dev->gid, sizeof(dev->gid));
		out->u.network_attr.mtu = EFA_MTU;
		return ADMIN_OK;
	case EFA_ADMIN_EVENT_QUEUE_ATTR:
		out->u.event_queue_attr.max_eq = EFA_MAX_EQS;
		out->u.event_queue_attr.max_eq_depth = EFA_MAX_EQ_DEPTH;
		out->u.event_queue_attr.event_bitmask =
			EFA_ADMIN_CREATE_EQ_CMD_COMPLETION_EVENTS_MASK;
		return ADMIN_OK;
	case EFA_ADMIN_HW_HINTS:
		/* An emulated device shares its CPUs with others. */
		out->u.hw_hints.mmio_read_timeout = MMIO_READ_TIMEOUT_MS;
		return ADMIN_OK;
	case EFA_ADMIN_AENQ_CONFIG:
		out->u.aenq.supported_groups = AENQ_GROUPS;
		out->u.aenq.enabled_groups = dev->aenq_groups;
		return ADMIN_OK;
	default:
		return ADMIN_ILLEGAL;
	}
}

static enum admin_status set_host_info(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_set_feature_cmd *in = command->in;
	struct efa_admin_host_info info;

	if (!command->control_buffer || in->control_buffer.length < sizeof(info))
		return ADMIN_MALFORMED;
	if (dma_read(dev->dma, efa_address(in->control_buffer.address), &info, sizeof(info)))
		return ADMIN_MALFORMED;
	g_strlcpy(dev->host, (const char *)info.os_dist_str, sizeof(dev->host));
	g_strcanon(dev->host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+_~",
		   '?');
	return ADMIN_OK;
}

static enum admin_status set_feature(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_set_feature_cmd *in = command->in;

	switch (in->feature_common.feature_id) {
	case EFA_ADMIN_AENQ_CONFIG:
		if (in->u.aenq.enabled_groups & ~AENQ_GROUPS)
			return ADMIN_ILLEGAL;
		dev->aenq_groups = in->u.aenq.enabled_groups;
		return ADMIN_OK;
	case EFA_ADMIN_HOST_INFO:
		return set_host_info(dev, command);
	default:
		return ADMIN_ILLEGAL;
	}
}

static enum admin_status get_statistics(struct efa_device *dev, const struct admin_command *command)
{
	const struct efa_admin_aq_get_stats_cmd *in = command->in;
	struct efa_admin_acq_get_stats_resp *out = command->out;

	if (in->scope != EFA_ADMIN_GET_STATS_SCOPE_ALL)
		return ADMIN_ILLEGAL;
	switch (in->type) {
	case EFA_ADMIN_GET_STATS_TYPE_BASIC:
		out->u.basic_stats = dev->statistics.basic;
		return ADMIN_OK;
	case EFA_ADMIN_GET_STATS_TYPE_MESSAGES:
		out->u.messages_stats = dev->statistics.messages;
		return ADMIN_OK;
	case EFA_ADMIN_GET_STATS_TYPE_RDMA_READ:
		out->u.rdma_read_stats = dev->statistics.read;
		return ADMIN_OK;
	case EFA_ADMIN_GET_STATS_TYPE_RDMA_WRITE:
		out->u.rdma_write_stats = dev->statistics.write;
		return ADMIN_OK;
	case EFA_ADMIN_GET_STATS_TYPE_NETWORK:
		out->u.network_stats = dev->statistics.network;
		return ADMIN_OK;
	default:
		return ADMIN_ILLEGAL;
	}
}

const struct admin_entry feature_commands[] = {
	{EFA_ADMIN_GET_FEATURE, "GET_FEATURE", "get_feature", get_feature},
	{EFA_ADMIN_SET_FEATURE, "SET_FEATURE", "set_feature", set_feature},
	{EFA_ADMIN_GET_STATS, "GET_STATS", "get_stats", get_statistics},
	{},
};
