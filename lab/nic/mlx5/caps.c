/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the device can do, as the host asks for it: the highest it can be told to (max) and what is
 * in force (current). A capability that the model does not live up to is not claimed.
 */
#include <time.h>

#include "device.h"
#include "hca.h"

enum capability_type {
	CAPABILITY_GENERAL = 0,
	CAPABILITY_ODP = 2,
	CAPABILITY_ATOMIC = 3,
	CAPABILITY_DEVICE_MEMORY = 15,
};

enum { ATOMIC_COMPARE_SWAP_BIT = 1 << 0, ATOMIC_FETCH_ADD_BIT = 1 << 1, ATOMIC_8_BYTES = 1 << 3 };

static void set_general(u8 *caps)
{
#define CAP(field, value) IFC_SET(cmd_hca_cap, caps, field, value)
	CAP(num_ports, 1);
	CAP(port_type, 0); /* InfiniBand */
	CAP(ib_virt, 1);   /* port attributes by vport context, not by MAD_IFC */
	CAP(vhca_id, 1);

	CAP(log_max_qp, MLX5_LOG_MAX_QP);
	CAP(log_max_qp_sz, 15);
	CAP(log_max_srq, MLX5_LOG_MAX_SRQ);
	CAP(log_max_srq_sz, 15);
	CAP(log_max_cq, MLX5_LOG_MAX_CQ);
	CAP(log_max_cq_sz, MLX5_LOG_MAX_CQ_SIZE);
	CAP(log_max_eq, 6);
	CAP(log_max_eq_sz, MLX5_LOG_MAX_EQ_SIZE);
	CAP(max_num_eqs, MLX5_VECTORS);
	CAP(log_max_pd, 23);
	CAP(log_max_xrcd, 16);
	CAP(log_max_transport_domain, 16);
	CAP(log_max_mcg, 10);
	CAP(max_qp_mcg, 64);
	CAP(log_max_msg, 30);
	CAP(max_wqe_sz_sq, 512);
	CAP(max_wqe_sz_rq, 512);
	CAP(max_wqe_sz_sq_dc, 512);
	CAP(log_max_ra_req_qp, 4);
	CAP(log_max_ra_res_qp, 4);
	CAP(log_max_rmp, 16);
	CAP(rc, 1);
	CAP(ud, 1);
	CAP(uc, 1);
	CAP(xrc, 1);
	CAP(atomic, 1);
	CAP(local_ca_ack_delay, 16);
	CAP(compact_address_vector, 1);
	CAP(cqe_version, 0);
	CAP(cq_resize, 1);
	CAP(cq_oi, 1);

	CAP(log_max_mkey, MLX5_LOG_MAX_MKEY);
	CAP(log_max_mrw_sz, 0x40 - 1);
	CAP(log_max_klm_list_size, 16);
	CAP(max_indirection, MLX5_MAX_INDIRECTION);
	CAP(fixed_buffer_size, 1); /* KSM: lists of equally large pieces */
	CAP(null_mkey, 1);
	CAP(umr_extended_translation_offset, 1);
	CAP(umr_ptr_rlky, 1);
	CAP(umr_fence, 2);
	CAP(imaicl, 1); /* memory windows of type 2 */
	CAP(pg, 1);	/* on-demand paging */
	CAP(relaxed_ordering_write, 1);
	CAP(relaxed_ordering_read, 1);
	CAP(relaxed_ordering_write_umr, 1);
	CAP(relaxed_ordering_read_umr, 1);
	CAP(terminate_scatter_list_mkey, 1);
	CAP(device_memory, 1);

	CAP(log_pg_sz, 12);
	CAP(log_bf_reg_size, 9);
	CAP(num_of_uars_per_page, 1);
	CAP(device_frequency_khz, MLX5_CLOCK_KHZ);
	CAP(pkey_table_size, 0); /* 128 entries */
	CAP(gid_table_size, 0);	 /* 8 entries */
	CAP(out_of_seq_cnt, 1);
	CAP(enhanced_error_q_counters, 1);
#undef CAP
}

static void set_odp_service(void *service, bool receives)
{
#define CAP(field, value) IFC_SET(odp_per_transport_service_cap, service, field, value)
	CAP(send, 1);
	if (receives) {
		CAP(receive, 1);
		CAP(write, 1);
		CAP(read, 1);
		CAP(atomic, 1);
		CAP(srq_receive, 1);
	}
#undef CAP
}

static void set_odp_scheme(void *scheme)
{
	set_odp_service(IFC_PTR(odp_scheme_cap, scheme, rc_odp_caps), true);
	set_odp_service(IFC_PTR(odp_scheme_cap, scheme, xrc_odp_caps), true);
	set_odp_service(IFC_PTR(odp_scheme_cap, scheme, ud_odp_caps), false);
}

static void set_odp(u8 *caps, bool memory_scheme)
{
	set_odp_scheme(IFC_PTR(odp_cap, caps, transport_page_fault_scheme_cap));
	if (!memory_scheme)
		return;
	set_odp_scheme(IFC_PTR(odp_cap, caps, memory_page_fault_scheme_cap));
	IFC_SET(odp_cap, caps, memory_page_fault_scheme_cap.page_prefetch, 1);
	IFC_SET(odp_cap, caps, mem_page_fault, 1);
}

static void set_atomic(u8 *caps)
{
	IFC_SET(atomic_caps, caps, supported_atomic_req_8B_endianness_mode_1, 1);
	IFC_SET(atomic_caps, caps, atomic_operations,
		ATOMIC_COMPARE_SWAP_BIT | ATOMIC_FETCH_ADD_BIT);
	IFC_SET(atomic_caps, caps, atomic_size_qp, ATOMIC_8_BYTES);
}

static bool known_type(u32 type)
{
	return type == CAPABILITY_GENERAL || type == CAPABILITY_ODP ||
	       type == CAPABILITY_ATOMIC || type == CAPABILITY_DEVICE_MEMORY;
}

void capabilities_reset(struct mlx5_device *dev)
{
	struct hca *hca = dev->hca;

	memset(hca->caps_max, 0, sizeof(hca->caps_max));
	set_general(hca->caps_max[CAPABILITY_GENERAL]);
	set_odp(hca->caps_max[CAPABILITY_ODP], !hca->transport_faults);
	set_atomic(hca->caps_max[CAPABILITY_ATOMIC]);
	device_memory_capabilities(hca->caps_max[CAPABILITY_DEVICE_MEMORY]);
	memcpy(hca->caps, hca->caps_max, sizeof(hca->caps));
	/* The memory scheme and what goes beyond RC in the other are off until the host asks. */
	IFC_SET(odp_cap, hca->caps[CAPABILITY_ODP], mem_page_fault, 0);
	memset(IFC_PTR(odp_cap, hca->caps[CAPABILITY_ODP],
		       transport_page_fault_scheme_cap.xrc_odp_caps),
	       0, sizeof(u32));
	dev->transport_faults = true;
	dev->cqe_version = IFC_GET(cmd_hca_cap, hca->caps[CAPABILITY_GENERAL], cqe_version);
}

static enum command_status query_hca_cap(struct mlx5_device *dev, struct command *cmd)
{
	u32 room = cmd->out_len - IFC_BIT_OFFSET(query_hca_cap_out, capability) / 8;
	bool current = cmd->op_mod & 1;
	u32 type = cmd->op_mod >> 1;

	if (!known_type(type))
		return COMMAND_BAD_PARAM;
	memcpy(IFC_PTR(query_hca_cap_out, cmd->out, capability),
	       current ? dev->hca->caps[type] : dev->hca->caps_max[type],
	       MIN(room, MLX5_CAPABILITY_BYTES));
	return COMMAND_OK;
}

static enum command_status set_general_caps(struct mlx5_device *dev, const void *caps)
{
	u8 *now = dev->hca->caps[CAPABILITY_GENERAL], *max = dev->hca->caps_max[CAPABILITY_GENERAL];
	u32 log_max_qp = IFC_GET(cmd_hca_cap, caps, log_max_qp);
	u32 version = IFC_GET(cmd_hca_cap, caps, cqe_version);

	if (log_max_qp > IFC_GET(cmd_hca_cap, max, log_max_qp) ||
	    version > IFC_GET(cmd_hca_cap, max, cqe_version) ||
	    IFC_GET(cmd_hca_cap, caps, log_uar_page_sz))
		return COMMAND_BAD_PARAM;
	IFC_SET(cmd_hca_cap, now, log_max_qp, log_max_qp);
	IFC_SET(cmd_hca_cap, now, cqe_version, version);
	dev->cqe_version = version;
	return COMMAND_OK;
}

/* Every bit that the host sets must be one that can be had. */
static bool subset(const u8 *wanted, const u8 *possible, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (wanted[i] & ~possible[i])
			return false;
	return true;
}

static enum command_status set_hca_cap(struct mlx5_device *dev, struct command *cmd)
{
	const void *caps = IFC_PTR(set_hca_cap_in, cmd->in, capability);
	u32 len = cmd->in_len - IFC_BIT_OFFSET(set_hca_cap_in, capability) / 8;
	u32 type = cmd->op_mod >> 1;
	u8 *now;

	if (!known_type(type))
		return COMMAND_BAD_PARAM;
	if (dev->hca->initialised)
		return COMMAND_BAD_SYS_STATE;
	now = dev->hca->caps[type];
	switch (type) {
	case CAPABILITY_GENERAL:
		if (len < IFC_BYTES(cmd_hca_cap))
			return COMMAND_BAD_INPUT_LEN;
		return set_general_caps(dev, caps);
	case CAPABILITY_ODP:
		if (len < IFC_BYTES(odp_cap))
			return COMMAND_BAD_INPUT_LEN;
		if (!subset(caps, dev->hca->caps_max[type], IFC_BYTES(odp_cap)))
			return COMMAND_BAD_PARAM;
		memcpy(now, caps, IFC_BYTES(odp_cap));
		dev->transport_faults = !IFC_GET(odp_cap, now, mem_page_fault);
		return COMMAND_OK;
	case CAPABILITY_DEVICE_MEMORY:
		return COMMAND_BAD_PARAM; /* there is nothing to choose */
	default:
		if (len < IFC_BYTES(atomic_caps))
			return COMMAND_BAD_INPUT_LEN;
		/* Only host endianness of the requester's operands, which is what is modelled. */
		IFC_SET(atomic_caps, now, atomic_req_8B_endianness_mode,
			IFC_GET(atomic_caps, caps, atomic_req_8B_endianness_mode) == 1);
		return COMMAND_OK;
	}
}

const struct command_entry capability_commands[] = {
	{0x100, "QUERY_HCA_CAP", 8, 16, query_hca_cap},
	{0x109, "SET_HCA_CAP", 16, 8, set_hca_cap},
	{},
};
