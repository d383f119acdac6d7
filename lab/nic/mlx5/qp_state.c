/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The states of a QP. Each transition takes the fields that it requires and the optional ones that
 * its mask names, and leaves the others of the context alone. In error, everything posted comes
 * back as flushed, also what is posted later.
 */
#include "qp.h"

#define FLUSHES_IN_A_SLICE 64
#define LARGEST_MESSAGE 30

/* Bits of opt_param_mask. */
enum {
	OPTION_REMOTE_READ = 1 << 1,
	OPTION_REMOTE_ATOMIC = 1 << 2,
	OPTION_REMOTE_WRITE = 1 << 3,
	OPTION_PKEY_INDEX = 1 << 4,
	OPTION_QKEY = 1 << 5,
	OPTION_RNR_TIMER = 1 << 6,
	OPTION_MIGRATION = 1 << 10,
	OPTION_RETRY_COUNT = 1 << 12,
	OPTION_RNR_RETRY = 1 << 13,
	OPTION_ACK_TIMEOUT = 1 << 14,
	OPTION_PORT = 1 << 16,
	OPTION_COUNTER_SET = 1 << 25,
};

#define COPY(type, to, from, field) IFC_SET(type, to, field, IFC_GET(type, from, field))

void qp_load_context(struct mlx5_qp *qp)
{
	const void *qpc = qp->context;
	u32 mtu = IFC_GET(qpc, qpc, mtu), log_message = IFC_GET(qpc, qpc, log_msg_max);

	qp->pd = IFC_GET(qpc, qpc, pd);
	qp->remote_qpn = IFC_GET(qpc, qpc, remote_qpn);
	qp->remote_lid = IFC_GET(ads, IFC_PTR(qpc, qpc, primary_address_path), rlid);
	qp->qkey = IFC_GET(qpc, qpc, q_key);
	qp->source_qpn = IFC_GET(qpc, qpc, deth_sqpn);
	qp->mtu = mtu >= 1 && mtu <= 5 ? 128u << mtu : MLX5_MAX_MTU;
	qp->max_message = 1ull << (log_message ? MIN(log_message, LARGEST_MESSAGE) :
						 LARGEST_MESSAGE);
	qp->retry_count = IFC_GET(qpc, qpc, retry_count);
	qp->rnr_retry = IFC_GET(qpc, qpc, rnr_retry);
	qp->min_rnr_nak = IFC_GET(qpc, qpc, min_rnr_nak);
	qp->ack_timeout = IFC_GET(ads, IFC_PTR(qpc, qpc, primary_address_path), ack_timeout);
	qp->remote_read = IFC_GET(qpc, qpc, rre);
	qp->remote_write = IFC_GET(qpc, qpc, rwe);
	qp->remote_atomic = IFC_GET(qpc, qpc, rae);
}

static void copy_options(void *to, const void *from, u32 options)
{
	void *to_path = IFC_PTR(qpc, to, primary_address_path);
	const void *from_path = IFC_PTR(qpc, from, primary_address_path);

	if (options & OPTION_REMOTE_READ)
		COPY(qpc, to, from, rre);
	if (options & OPTION_REMOTE_WRITE)
		COPY(qpc, to, from, rwe);
	if (options & OPTION_REMOTE_ATOMIC) {
		COPY(qpc, to, from, rae);
		COPY(qpc, to, from, atomic_mode);
	}
	if (options & OPTION_PKEY_INDEX)
		COPY(ads, to_path, from_path, pkey_index);
	if (options & OPTION_PORT)
		COPY(ads, to_path, from_path, vhca_port_num);
	if (options & OPTION_QKEY)
		COPY(qpc, to, from, q_key);
	if (options & OPTION_RNR_TIMER)
		COPY(qpc, to, from, min_rnr_nak);
	if (options & OPTION_MIGRATION)
		COPY(qpc, to, from, pm_state);
	if (options & OPTION_RETRY_COUNT)
		COPY(qpc, to, from, retry_count);
	if (options & OPTION_RNR_RETRY)
		COPY(qpc, to, from, rnr_retry);
	if (options & OPTION_ACK_TIMEOUT)
		COPY(ads, to_path, from_path, ack_timeout);
	if (options & OPTION_COUNTER_SET)
		COPY(qpc, to, from, counter_set_id);
}

static void copy_init(void *to, const void *from)
{
	copy_options(to, from,
		     OPTION_REMOTE_READ | OPTION_REMOTE_WRITE | OPTION_REMOTE_ATOMIC |
			     OPTION_PKEY_INDEX | OPTION_PORT | OPTION_QKEY | OPTION_MIGRATION |
			     OPTION_COUNTER_SET);
	/* A QP that changes keys is created without a PD and gets it here. */
	if (!IFC_GET(qpc, to, pd))
		COPY(qpc, to, from, pd);
	if (IFC_GET(qpc, from, deth_sqpn))
		COPY(qpc, to, from, deth_sqpn);
	COPY(qpc, to, from, rlky);
}

/* The path comes whole, but for what earlier transitions set. */
static void copy_rtr(void *to, const void *from)
{
	void *to_path = IFC_PTR(qpc, to, primary_address_path);
	u32 pkey_index = IFC_GET(ads, to_path, pkey_index);
	u32 port = IFC_GET(ads, to_path, vhca_port_num);

	memcpy(to_path, IFC_PTR(qpc, from, primary_address_path), IFC_BYTES(ads));
	IFC_SET(ads, to_path, pkey_index, pkey_index);
	IFC_SET(ads, to_path, vhca_port_num, port);
	COPY(qpc, to, from, mtu);
	COPY(qpc, to, from, log_msg_max);
	COPY(qpc, to, from, remote_qpn);
	COPY(qpc, to, from, next_rcv_psn);
	COPY(qpc, to, from, log_rra_max);
	COPY(qpc, to, from, min_rnr_nak);
}

static void copy_rts(void *to, const void *from)
{
	copy_options(to, from, OPTION_RETRY_COUNT | OPTION_RNR_RETRY | OPTION_ACK_TIMEOUT);
	COPY(qpc, to, from, log_sra_max);
	COPY(qpc, to, from, log_ack_req_freq);
	COPY(qpc, to, from, next_send_psn);
}

/* Which state a command starts from; error and reset come from anywhere. */
static bool may_start_from(u16 opcode, enum qp_state state)
{
	switch (opcode) {
	case MLX5_CMD_OP_RST2INIT_QP:
		return state == QP_RESET;
	case MLX5_CMD_OP_INIT2INIT_QP:
	case MLX5_CMD_OP_INIT2RTR_QP:
		return state == QP_INIT;
	case MLX5_CMD_OP_RTR2RTS_QP:
		return state == QP_RTR;
	case MLX5_CMD_OP_RTS2RTS_QP:
		return state == QP_RTS;
	case MLX5_CMD_OP_SQERR2RTS_QP:
		return state == QP_SQER;
	default:
		return true;
	}
}

enum command_status qp_modify(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_qp *qp = qp_find(dev, IFC_GET(rst2init_qp_in, cmd->in, qpn));
	u32 options;
	const void *qpc;

	if (!qp)
		return COMMAND_BAD_RESOURCE;
	if (!may_start_from(cmd->opcode, qp->state))
		return COMMAND_BAD_RES_STATE;
	switch (cmd->opcode) {
	case MLX5_CMD_OP_2ERR_QP:
		qp_enter_error(qp);
		return COMMAND_OK;
	case MLX5_CMD_OP_2RST_QP:
		qp_reset(qp);
		return COMMAND_OK;
	}
	qpc = IFC_PTR(rst2init_qp_in, cmd->in, qpc);
	options = IFC_GET(rst2init_qp_in, cmd->in, opt_param_mask);
	switch (cmd->opcode) {
	case MLX5_CMD_OP_RST2INIT_QP:
		copy_init(qp->context, qpc);
		qp->state = QP_INIT;
		break;
	case MLX5_CMD_OP_INIT2RTR_QP:
		copy_rtr(qp->context, qpc);
		qp->responder.psn = IFC_GET(qpc, qpc, next_rcv_psn);
		qp->responder.established = false;
		qp->state = QP_RTR;
		break;
	case MLX5_CMD_OP_RTR2RTS_QP:
		copy_rts(qp->context, qpc);
		qp->requester.psn = IFC_GET(qpc, qpc, next_send_psn);
		qp->state = QP_RTS;
		break;
	case MLX5_CMD_OP_SQERR2RTS_QP:
		qp->state = QP_RTS;
		break;
	}
	copy_options(qp->context, qpc, options);
	qp_load_context(qp);
	schedule_ready(qp);
	return COMMAND_OK;
}

enum command_status qp_query(struct mlx5_device *dev, struct command *cmd)
{
	struct mlx5_qp *qp = qp_find(dev, IFC_GET(query_qp_in, cmd->in, qpn));
	void *qpc = IFC_PTR(query_qp_out, cmd->out, qpc);

	if (!qp)
		return COMMAND_BAD_RESOURCE;
	memcpy(qpc, qp->context, IFC_BYTES(qpc));
	IFC_SET(qpc, qpc, state, qp->state);
	IFC_SET(qpc, qpc, next_send_psn, qp->requester.psn);
	IFC_SET(qpc, qpc, next_rcv_psn, qp->responder.psn);
	IFC_SET(qpc, qpc, hw_sq_wqebb_counter, qp->requester.consumer);
	IFC_SET(qpc, qpc, hw_rq_counter, qp->responder.consumer);
	return COMMAND_OK;
}

void qp_enter_error(struct mlx5_qp *qp)
{
	bool was_error = qp->state == QP_ERROR;

	if (qp->state == QP_RESET)
		return;
	qp->state = QP_ERROR;
	page_fault_forget(qp->dev, qp->qpn);
	requester_reset(qp);
	responder_stop(qp);
	if (!was_error && qp->receive_type == RECEIVE_SHARED && qp->service != SERVICE_XRC)
		event_post_qp(qp->dev, EVENT_LAST_WQE, qp->qpn, 0);
	schedule_watch(qp, true);
	schedule_ready(qp);
}

void qp_reset(struct mlx5_qp *qp)
{
	qp->state = QP_RESET;
	page_fault_forget(qp->dev, qp->qpn);
	schedule_watch(qp, false);
	requester_reset(qp);
	responder_stop(qp);
	responder_reset(qp);
	qp->requester.consumer = 0;
	qp->responder.consumer = 0;
}

void qp_fatal(struct mlx5_qp *qp, const char *why)
{
	mlx5_log(qp->dev, "QP 0x%x stops: %s", qp->qpn, why);
	if (qp->state != QP_ERROR)
		event_post_qp(qp->dev, EVENT_QP_FATAL, qp->qpn, 0);
	qp_enter_error(qp);
}

bool qp_flush(struct mlx5_qp *qp)
{
	u32 left = FLUSHES_IN_A_SLICE;
	u16 index, blocks;
	u8 opcode;

	while (qp->has_sq && left && send_wqe_skip(qp, &index, &opcode, &blocks) > 0) {
		send_error_completion(qp, opcode, index, SYNDROME_WR_FLUSH);
		++*qp->dev->count.flushed;
		qp->requester.consumer += blocks;
		left--;
	}
	return !left || receive_flush(qp, left);
}
