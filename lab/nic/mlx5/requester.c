/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The send queue's side. Work requests are worked off strictly in order, each one packet by packet
 * of the path's MTU, and every packet asks the memory keys again: a key that is taken away in the
 * middle of a long message stops that message. Working in order means that a fence has nothing
 * left to wait for, and that there is never more than one read or atomic outstanding.
 */
#include <errno.h>

#include "qp.h"

#define WQES_IN_A_SLICE 64
#define RETRIES_FOR_EVER 7
#define ACK_TIMEOUT_UNIT_NS 4096ull

enum step {
	STEP_DONE,    /* the work request is complete */
	STEP_AGAIN,   /* more of it in the next slice */
	STEP_BLOCKED, /* somebody will wake the QP */
	STEP_ENDED,   /* the QP is in error now */
};

/* Vendor codes that go with a syndrome. Read off public error reports, unverified on silicon. */
static u8 vendor_code(enum cqe_syndrome syndrome)
{
	switch (syndrome) {
	case SYNDROME_LOCAL_QP_OP:
		return 0x68;
	case SYNDROME_LOCAL_PROT:
		return 0x51;
	case SYNDROME_WR_FLUSH:
		return 0xf5;
	case SYNDROME_REMOTE_INVALID_REQUEST:
		return 0x8a;
	case SYNDROME_REMOTE_ACCESS:
		return 0x88;
	case SYNDROME_REMOTE_OP:
		return 0x89;
	case SYNDROME_TRANSPORT_RETRY:
		return 0x81;
	case SYNDROME_RNR_RETRY:
		return 0x87;
	default:
		return 0x32;
	}
}

static void post_send_cqe(struct mlx5_qp *qp, u8 cqe[64], u8 opcode, u16 index, bool solicited)
{
	/* With CQE version 0 the field holds an SRQ number, which a send has not. */
	if (qp->dev->cqe_version && qp->user_index != DEFAULT_USER_INDEX)
		store32(cqe + 32, qp->user_index);
	store32(cqe + 56, (u32)opcode << 24 | qp->qpn);
	store16(cqe + 60, index);
	cq_post(qp->dev, qp->send_cq, cqe, solicited);
}

void send_completion(struct mlx5_qp *qp, u8 opcode, u16 index, u32 bytes, bool solicited)
{
	u8 cqe[64] = { 0 };

	store32(cqe + 44, bytes);
	cqe[63] = CQE_REQUEST << 4;
	post_send_cqe(qp, cqe, opcode, index, solicited);
}

void send_error_completion(struct mlx5_qp *qp, u8 opcode, u16 index, enum cqe_syndrome syndrome)
{
	u8 cqe[64] = { 0 };

	cqe[54] = vendor_code(syndrome);
	cqe[55] = syndrome;
	cqe[63] = CQE_REQUEST_ERROR << 4;
	post_send_cqe(qp, cqe, opcode, index, true);
}

void requester_reset(struct mlx5_qp *qp)
{
	struct requester *requester = &qp->requester;

	schedule_timer_stop(qp);
	if (requester->ticket)
		knob_forget(qp->dev->knobs, requester->ticket);
	requester->active = false;
	requester->gate_passed = false;
	requester->link_passed = false;
	requester->unheard = false;
	requester->atomic_done = false;
	requester->block = BLOCK_NONE;
	requester->ticket = 0;
}

/*
 * Whatever the service, the whole QP goes to error: that an unreliable or datagram QP could keep
 * its receive side alive (the SQER state) is not modelled.
 */
void requester_fail(struct mlx5_qp *qp, enum cqe_syndrome syndrome)
{
	struct requester *requester = &qp->requester;
	u16 blocks = requester->wqe.basic_blocks;

	mlx5_log(qp->dev, "QP 0x%x: send WQE %u (opcode 0x%x) fails with syndrome 0x%x", qp->qpn,
		 requester->wqe.index, requester->wqe.opcode, syndrome);
	send_error_completion(qp, requester->wqe.opcode, requester->wqe.index, syndrome);
	requester->consumer += blocks;
	qp_enter_error(qp);
}

static void requester_done(struct mlx5_qp *qp)
{
	struct requester *requester = &qp->requester;
	struct send_wqe *wqe = &requester->wqe;
	u32 bytes = wqe->opcode == WQE_RDMA_READ || wqe->opcode == WQE_ATOMIC_CS ||
				    wqe->opcode == WQE_ATOMIC_FA ?
			    (u32)wqe->length :
			    0;

	requester->consumer += wqe->basic_blocks;
	requester->active = false;
	if (wqe->signalled)
		send_completion(qp, wqe->opcode, wqe->index, bytes, wqe->solicited);
}

void requester_wake(struct mlx5_qp *qp)
{
	if (qp->requester.block == BLOCK_NONE)
		return;
	qp->requester.block = BLOCK_NONE;
	schedule_timer_stop(qp);
	schedule_ready(qp);
}

void requester_timeout(struct mlx5_qp *qp)
{
	if (qp->requester.block == BLOCK_RNR || qp->requester.block == BLOCK_RETRY ||
	    qp->requester.block == BLOCK_KNOB || qp->requester.block == BLOCK_LINK)
		requester_wake(qp);
}

/* The RNR NAK timer field of IBTA's table 45, in microseconds. */
static u64 rnr_delay_ns(u8 code)
{
	static const u32 usec[32] = {
		655360, 10,   20,   30,	  40,	60,   80,   120,   160,	  240,	320,
		480,	640,  960,  1280, 1920, 2560, 3840, 5120,  7680,  10240, 15360,
		20480,	30720, 40960, 61440, 81920, 122880, 163840, 245760, 327680, 491520,
	};

	return usec[code & 31] * 1000ull;
}

static enum step receiver_not_ready(struct mlx5_qp *qp, const struct mlx5_qp *peer)
{
	struct requester *requester = &qp->requester;

	++*qp->dev->count.rnr_naks;
	if (!requester->rnr_left) {
		requester_fail(qp, SYNDROME_RNR_RETRY);
		return STEP_ENDED;
	}
	if (qp->rnr_retry != RETRIES_FOR_EVER)
		requester->rnr_left--;
	requester->block = BLOCK_RNR;
	schedule_timer(qp, rnr_delay_ns(peer->min_rnr_nak));
	return STEP_BLOCKED;
}

/* Real timeouts: 4.096 us << ack_timeout for each try; 0 waits for ever. */
static enum step nobody_answers(struct mlx5_qp *qp)
{
	struct requester *requester = &qp->requester;

	requester->block = BLOCK_RETRY;
	if (!qp->ack_timeout)
		return STEP_BLOCKED;
	if (!requester->retries_left) {
		requester->block = BLOCK_NONE;
		requester_fail(qp, SYNDROME_TRANSPORT_RETRY);
		return STEP_ENDED;
	}
	requester->retries_left--;
	schedule_timer(qp, ACK_TIMEOUT_UNIT_NS << qp->ack_timeout);
	return STEP_BLOCKED;
}

/* What becomes of a local access that did not go through. */
static enum step local_access_failed(struct mlx5_qp *qp, enum access_result result,
				     const struct access_fault *fault)
{
	struct requester *requester = &qp->requester;
	struct fault_report report = {
		.side = FAULT_REQUESTER,
		.wqe_index = requester->wqe.index,
		.wq_number = qp->qpn,
		.packet_len = qp->mtu,
	};

	if (result == ACCESS_NOT_PRESENT) {
		report.access = *fault;
		requester->block = BLOCK_FAULT;
		page_fault_raise(qp->dev, qp, qp->qpn, &report);
		return STEP_BLOCKED;
	}
	/*
	 * A translation that points nowhere is reported like a denied one: which syndrome silicon
	 * gives for a bus error is not public.
	 */
	++*qp->dev->count.local_protection_errors;
	requester_fail(qp, SYNDROME_LOCAL_PROT);
	return STEP_ENDED;
}

static enum step remote_failed(struct mlx5_qp *qp, const struct mlx5_qp *peer,
			       enum response response)
{
	switch (response) {
	case RESPONSE_RNR:
		return receiver_not_ready(qp, peer);
	case RESPONSE_NAK_INVALID:
		requester_fail(qp, SYNDROME_REMOTE_INVALID_REQUEST);
		return STEP_ENDED;
	case RESPONSE_NAK_ACCESS:
		requester_fail(qp, SYNDROME_REMOTE_ACCESS);
		return STEP_ENDED;
	case RESPONSE_NAK_OPERATION:
		requester_fail(qp, SYNDROME_REMOTE_OP);
		return STEP_ENDED;
	default:
		return nobody_answers(qp);
	}
}

/* The responder drops what it has of a message that a packet is missing from. */
static enum response lose(struct mlx5_qp *qp, struct mlx5_qp *peer)
{
	if (qp->service == SERVICE_UC) {
		peer->responder.in_message = false;
		qp->requester.lost = true;
	}
	return RESPONSE_NONE;
}

/*
 * The responder may have to wait for a translation, and the answer to its fault may come before the
 * call returns: the block is set first.
 */
static enum response hand_over(struct mlx5_qp *qp, struct mlx5_qp *peer,
			       const struct packet *packet)
{
	enum response response;

	/* A repeated request is acknowledged and not executed again, but for a read. */
	if (qp->requester.unheard && packet->opcode != WQE_RDMA_READ)
		return RESPONSE_ACK;
	qp->requester.block = BLOCK_REMOTE;
	response = responder_packet(peer, qp, packet);
	if (response != RESPONSE_WAIT && qp->requester.block == BLOCK_REMOTE)
		qp->requester.block = BLOCK_NONE;
	return response;
}

/* One packet and what comes back for it; either can be lost on the way. */
static enum response deliver(struct mlx5_qp *qp, struct mlx5_qp *peer, const struct packet *packet)
{
	enum response response;

	if (!fabric_carries(qp->dev->port, peer->dev->port))
		return lose(qp, peer);
	response = hand_over(qp, peer, packet);
	if (response != RESPONSE_WAIT && qp->service != SERVICE_UC &&
	    !fabric_carries(peer->dev->port, qp->dev->port)) {
		qp->requester.unheard = response == RESPONSE_ACK;
		return RESPONSE_NONE;
	}
	qp->requester.unheard = false;
	if (response == RESPONSE_ACK) {
		++*qp->dev->count.packets;
		qp->requester.rnr_left = qp->rnr_retry;
		qp->requester.retries_left = qp->retry_count;
	}
	return response;
}

static void count_packet(struct mlx5_qp *qp, struct mlx5_qp *peer)
{
	qp->requester.psn = (qp->requester.psn + 1) & PSN_MASK;
	if (peer)
		peer->responder.psn = (peer->responder.psn + 1) & PSN_MASK;
}

static enum step move_atomic(struct mlx5_qp *qp, struct mlx5_qp *peer, struct packet *packet)
{
	struct requester *requester = &qp->requester;
	struct send_wqe *wqe = &requester->wqe;
	struct access_fault fault = { 0 };
	enum access_result result;
	enum response response;

	if (!requester->atomic_done) {
		packet->swap_or_add = wqe->swap_or_add;
		packet->compare = wqe->compare;
		packet->atomic_old = &requester->atomic_old;
		response = deliver(qp, peer, packet);
		if (response == RESPONSE_WAIT)
			return STEP_BLOCKED;
		if (response != RESPONSE_ACK)
			return remote_failed(qp, peer, response);
		count_packet(qp, peer);
		/* Not to be executed again when storing the result has to wait. */
		requester->atomic_done = true;
	}
	result = segments_access(qp->dev, wqe->segments, wqe->segment_count, 0,
				 &requester->atomic_old, sizeof(requester->atomic_old),
				 sizeof(requester->atomic_old), true, qp->pd, &fault);
	if (result != ACCESS_OK)
		return local_access_failed(qp, result, &fault);
	return STEP_DONE;
}

static enum step move_packet(struct mlx5_qp *qp, struct mlx5_qp *peer, struct packet *packet)
{
	struct requester *requester = &qp->requester;
	struct send_wqe *wqe = &requester->wqe;
	u64 remaining = wqe->length - requester->moved;
	bool read = wqe->opcode == WQE_RDMA_READ;
	struct access_fault fault = { 0 };
	enum access_result result;
	enum response response;

	if (!read) {
		result = segments_access(qp->dev, wqe->segments, wqe->segment_count,
					 requester->moved, packet->data, packet->length, remaining,
					 false, qp->pd, &fault);
		if (result != ACCESS_OK)
			return local_access_failed(qp, result, &fault);
	}
	/* An unreliable connection neither waits for a peer nor hears of its troubles. */
	if (!peer && qp->service != SERVICE_UC)
		return nobody_answers(qp);
	if (peer && !requester->lost) {
		response = deliver(qp, peer, packet);
		if (response == RESPONSE_WAIT)
			return STEP_BLOCKED;
		if (response != RESPONSE_ACK && qp->service != SERVICE_UC)
			return remote_failed(qp, peer, response);
	}
	if (read) {
		result = segments_access(qp->dev, wqe->segments, wqe->segment_count,
					 requester->moved, packet->data, packet->length, remaining,
					 true, qp->pd, &fault);
		if (result != ACCESS_OK)
			return local_access_failed(qp, result, &fault);
	}
	count_packet(qp, peer);
	requester->moved += packet->length;
	return packet->last ? STEP_DONE : STEP_AGAIN;
}

static enum step move_message(struct mlx5_qp *qp, u32 *budget)
{
	static u8 data[MLX5_MAX_MTU];
	struct requester *requester = &qp->requester;
	struct send_wqe *wqe = &requester->wqe;
	enum step step;

	if (wqe->length > qp->max_message) {
		requester_fail(qp, SYNDROME_LOCAL_LENGTH);
		return STEP_ENDED;
	}
	do {
		struct mlx5_qp *peer = responder_find(qp);
		u64 remaining = wqe->length - requester->moved;
		struct packet packet = {
			.opcode = wqe->opcode,
			.first = !requester->moved,
			.last = remaining <= qp->mtu,
			.solicited = wqe->solicited,
			.va = wqe->remote_va + requester->moved,
			.rkey = wqe->rkey,
			.xrc_srqn = wqe->xrc_srqn,
			.message_length = wqe->length,
			.offset = requester->moved,
			.data = data,
			.length = MIN((u32)remaining, qp->mtu),
		};

		if (remaining > qp->mtu)
			packet.length = qp->mtu;
		memcpy(packet.immediate, wqe->immediate, sizeof(packet.immediate));
		if (wqe->opcode == WQE_ATOMIC_CS || wqe->opcode == WQE_ATOMIC_FA) {
			if (!peer && !requester->atomic_done)
				return nobody_answers(qp);
			return move_atomic(qp, peer, &packet);
		}
		step = move_packet(qp, peer, &packet);
		*budget -= MIN(*budget, packet.length);
	} while (step == STEP_AGAIN && *budget >= qp->mtu);
	return step;
}

static enum step send_datagram(struct mlx5_qp *qp, u32 *budget)
{
	struct requester *requester = &qp->requester;
	enum cqe_syndrome syndrome = SYNDROME_NONE;
	struct access_fault fault = { 0 };
	enum access_result result = ud_send(qp, &requester->wqe, &syndrome, &fault);

	if (result != ACCESS_OK)
		return local_access_failed(qp, result, &fault);
	if (syndrome != SYNDROME_NONE) {
		requester_fail(qp, syndrome);
		return STEP_ENDED;
	}
	*budget -= MIN(*budget, (u32)requester->wqe.length);
	return STEP_DONE;
}

static enum step update_key(struct mlx5_qp *qp)
{
	struct send_wqe *wqe = &qp->requester.wqe;
	enum cqe_syndrome syndrome = umr_execute(qp->dev, wqe->raw, wqe->bytes, qp->pd, qp->qpn,
						 qp->service == SERVICE_REG_UMR);

	if (syndrome == SYNDROME_NONE)
		return STEP_DONE;
	requester_fail(qp, syndrome);
	return STEP_ENDED;
}

static const char *operation_name(u8 opcode)
{
	switch (opcode) {
	case WQE_UMR:
		return "umr";
	case WQE_RDMA_WRITE:
	case WQE_RDMA_WRITE_IMM:
		return "rdma_write";
	case WQE_RDMA_READ:
		return "rdma_read";
	case WQE_ATOMIC_CS:
	case WQE_ATOMIC_FA:
		return "atomic";
	default:
		return "send";
	}
}

/*
 * Knobs act once on a work request, before anything of it is done. A dropped packet costs one
 * timeout and is sent again, if the connection is a reliable one; a dropped change of a key is
 * never answered, like one that a dead device was asked for.
 */
static enum step pass_gate(struct mlx5_qp *qp)
{
	struct requester *requester = &qp->requester;
	bool umr = requester->wqe.opcode == WQE_UMR;
	u32 status = 0;

	if (requester->gate_passed || requester->wqe.opcode == WQE_NOP)
		return STEP_AGAIN;
	requester->gate_passed = true;
	switch (schedule_gate(qp, operation_name(requester->wqe.opcode), &status)) {
	case GATE_WAIT:
		requester->block = BLOCK_KNOB;
		return STEP_BLOCKED;
	case GATE_DROP:
		if (umr) {
			requester->block = BLOCK_KNOB;
			return STEP_BLOCKED;
		}
		return qp->service == SERVICE_RC || qp->service == SERVICE_XRC ?
			       nobody_answers(qp) :
			       STEP_DONE;
	case GATE_FAIL:
		if (!status)
			status = umr ? SYNDROME_MW_BIND : SYNDROME_REMOTE_ABORTED;
		requester_fail(qp, status);
		return STEP_ENDED;
	default:
		return STEP_AGAIN;
	}
}

/* Every message takes its time on the links, once. */
static enum step pass_link(struct mlx5_qp *qp)
{
	struct requester *requester = &qp->requester;
	bool datagram = qp->service == SERVICE_UD || qp->service == SERVICE_QP0 ||
			qp->service == SERVICE_QP1;
	struct mlx5_device *to;
	u64 delay;

	if (requester->link_passed)
		return STEP_AGAIN;
	requester->link_passed = true;
	to = port_reach(qp->dev, datagram ? requester->wqe.av.lid : qp->remote_lid);
	delay = to ? fabric_delay_ns(qp->dev->port, to->port) : 0;
	if (!delay)
		return STEP_AGAIN;
	requester->block = BLOCK_LINK;
	schedule_timer(qp, delay);
	return STEP_BLOCKED;
}

static enum step work_off(struct mlx5_qp *qp, u32 *budget)
{
	enum step step = pass_gate(qp);

	if (step == STEP_AGAIN)
		step = pass_link(qp);
	if (step != STEP_AGAIN)
		return step;
	switch (qp->requester.wqe.opcode) {
	case WQE_NOP:
		return STEP_DONE;
	case WQE_UMR:
		return update_key(qp);
	default:
		if (qp->service == SERVICE_UD || qp->service == SERVICE_QP0 ||
		    qp->service == SERVICE_QP1)
			return send_datagram(qp, budget);
		return move_message(qp, budget);
	}
}

static bool requester_may_run(const struct mlx5_qp *qp)
{
	return qp->has_sq && qp->state == QP_RTS && qp->requester.block == BLOCK_NONE;
}

static bool requester_fetch(struct mlx5_qp *qp)
{
	struct requester *requester = &qp->requester;

	switch (send_wqe_fetch(qp)) {
	case 0:
		return false;
	case 1:
		break;
	case -EINVAL:
		requester_fail(qp, SYNDROME_LOCAL_QP_OP);
		return false;
	default:
		qp_fatal(qp, "the send queue or its doorbell record cannot be read");
		return false;
	}
	++*qp->dev->count.wqes;
	requester->active = true;
	requester->gate_passed = false;
	requester->link_passed = false;
	requester->unheard = false;
	requester->lost = false;
	requester->atomic_done = false;
	requester->moved = 0;
	requester->rnr_left = qp->rnr_retry;
	requester->retries_left = qp->retry_count;
	return true;
}

bool requester_run(struct mlx5_qp *qp)
{
	u32 budget = QP_SLICE_BYTES;

	for (u32 wqes = 0; wqes < WQES_IN_A_SLICE && budget >= qp->mtu; wqes++) {
		if (!requester_may_run(qp))
			return false;
		if (!qp->requester.active && !requester_fetch(qp))
			return false;
		switch (work_off(qp, &budget)) {
		case STEP_DONE:
			requester_done(qp);
			break;
		case STEP_AGAIN:
			return true;
		case STEP_BLOCKED:
			/* The answer may have come already. */
			if (qp->requester.block != BLOCK_NONE)
				return false;
			break;
		case STEP_ENDED:
			return false;
		}
	}
	return requester_may_run(qp);
}
