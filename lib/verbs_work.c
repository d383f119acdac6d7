/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "clock.h"
#include "verbs_peer.h"

/* How often a spinning wait looks at the clock. */
#define POLLS_PER_CLOCK 16

static const char *opcode_name(enum ibv_wr_opcode opcode)
{
	switch (opcode) {
	case IBV_WR_RDMA_WRITE:			return "RDMA write";
	case IBV_WR_RDMA_WRITE_WITH_IMM:	return "RDMA write with immediate";
	case IBV_WR_RDMA_READ:			return "RDMA read";
	case IBV_WR_SEND:			return "send";
	case IBV_WR_ATOMIC_FETCH_AND_ADD:	return "fetch-and-add";
	case IBV_WR_ATOMIC_CMP_AND_SWP:		return "compare-and-swap";
	default:				return "work request";
	}
}

static int post(struct verbs_qp *qp, struct ibv_send_wr *wr, struct verbs_local local,
		struct error *err)
{
	struct ibv_sge sge = {
		.addr = local.address, .length = local.length, .lkey = local.lkey,
	};
	struct ibv_send_wr *bad;
	int ret;

	wr->sg_list = &sge;
	wr->num_sge = local.length ? 1 : 0;
	wr->send_flags = IBV_SEND_SIGNALED;
	ret = ibv_post_send(qp->qp, wr, &bad);
	if (!ret)
		return 0;
	return error_set(err, ret, "posting an %s of %u bytes on QP %#x failed",
			 opcode_name(wr->opcode), local.length, qp->qp->qp_num);
}

static int post_rdma(struct verbs_qp *qp, uint64_t wr_id, enum ibv_wr_opcode opcode,
		     struct verbs_local local, struct verbs_remote remote, uint32_t immediate,
		     struct error *err)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id,
		.opcode = opcode,
		.imm_data = htonl(immediate),
		.wr.rdma = { .remote_addr = remote.address, .rkey = remote.rkey },
	};

	return post(qp, &wr, local, err);
}

int verbs_post_write(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		     struct verbs_remote remote, struct error *err)
{
	return post_rdma(qp, wr_id, IBV_WR_RDMA_WRITE, local, remote, 0, err);
}

int verbs_post_write_imm(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
			 struct verbs_remote remote, uint32_t immediate, struct error *err)
{
	return post_rdma(qp, wr_id, IBV_WR_RDMA_WRITE_WITH_IMM, local, remote, immediate, err);
}

int verbs_post_read(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		    struct verbs_remote remote, struct error *err)
{
	return post_rdma(qp, wr_id, IBV_WR_RDMA_READ, local, remote, 0, err);
}

int verbs_post_send(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		    struct error *err)
{
	struct ibv_send_wr wr = { .wr_id = wr_id, .opcode = IBV_WR_SEND };

	return post(qp, &wr, local, err);
}

int verbs_post_recv(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		    struct error *err)
{
	struct ibv_sge sge = {
		.addr = local.address, .length = local.length, .lkey = local.lkey,
	};
	struct ibv_recv_wr wr = {
		.wr_id = wr_id, .sg_list = &sge, .num_sge = local.length ? 1 : 0,
	};
	struct ibv_recv_wr *bad;
	int ret = ibv_post_recv(qp->qp, &wr, &bad);

	if (!ret)
		return 0;
	return error_set(err, ret, "posting a receive of %u bytes on QP %#x failed", local.length,
			 qp->qp->qp_num);
}

static int post_atomic(struct verbs_qp *qp, uint64_t wr_id, enum ibv_wr_opcode opcode,
		       struct verbs_local result, struct verbs_remote remote,
		       uint64_t compare_add, uint64_t swap, struct error *err)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id,
		.opcode = opcode,
		.wr.atomic = {
			.remote_addr = remote.address,
			.rkey = remote.rkey,
			.compare_add = compare_add,
			.swap = swap,
		},
	};

	return post(qp, &wr, result, err);
}

int verbs_post_fetch_add(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local result,
			 struct verbs_remote remote, uint64_t add, struct error *err)
{
	return post_atomic(qp, wr_id, IBV_WR_ATOMIC_FETCH_AND_ADD, result, remote, add, 0, err);
}

int verbs_post_compare_swap(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local result,
			    struct verbs_remote remote, uint64_t compare, uint64_t swap,
			    struct error *err)
{
	return post_atomic(qp, wr_id, IBV_WR_ATOMIC_CMP_AND_SWP, result, remote, compare, swap, err);
}

int verbs_poll(struct verbs_qp *qp, struct ibv_wc *wc)
{
	int n = ibv_poll_cq(qp->cq, 1, wc);

	return n < 0 ? -EIO : n;
}

static int wait_spinning(struct verbs_qp *qp, struct ibv_wc *wc, int64_t deadline)
{
	for (unsigned int i = 1;; i++) {
		int n = verbs_poll(qp, wc);

		if (n)
			return n < 0 ? n : 0;
		if (i % POLLS_PER_CLOCK == 0 && clock_now_ns() > deadline)
			return -ETIMEDOUT;
	}
}

static int take_event(struct verbs_qp *qp)
{
	struct ibv_cq *cq;
	void *context;

	if (ibv_get_cq_event(qp->channel, &cq, &context))
		return -EIO;
	qp->unacked_events++;
	return 0;
}

static int wait_sleeping(struct verbs_qp *qp, struct ibv_wc *wc, int64_t deadline)
{
	struct pollfd channel = { .fd = qp->channel->fd, .events = POLLIN };
	int n, ret;

	for (;;) {
		n = verbs_poll(qp, wc);
		if (n)
			return n < 0 ? n : 0;
		ret = ibv_req_notify_cq(qp->cq, 0);
		if (ret)
			return -ret;
		/* What came between the poll and the request raises no event. */
		n = verbs_poll(qp, wc);
		if (n)
			return n < 0 ? n : 0;
		for (;;) {
			int64_t left = deadline - clock_now_ns();

			if (left <= 0)
				return -ETIMEDOUT;
			n = poll(&channel, 1, (int)(left / NS_PER_MS) + 1);
			if (n < 0 && errno != EINTR)
				return -errno;
			if (n > 0)
				break;
		}
		ret = take_event(qp);
		if (ret)
			return ret;
	}
}

int verbs_wait(struct verbs_qp *qp, struct ibv_wc *wc, int64_t timeout_ns, struct error *err)
{
	int64_t deadline = clock_now_ns() + timeout_ns;
	int ret = qp->channel ? wait_sleeping(qp, wc, deadline) : wait_spinning(qp, wc, deadline);

	if (!ret)
		return 0;
	if (ret == -ETIMEDOUT)
		return error_set(err, ETIMEDOUT, "no completion on QP %#x within %lld ms",
				 qp->qp->qp_num, (long long)(timeout_ns / NS_PER_MS));
	return error_set(err, -ret, "polling the CQ of QP %#x failed", qp->qp->qp_num);
}

int verbs_wait_success(struct verbs_qp *qp, int64_t timeout_ns, struct error *err)
{
	struct ibv_wc wc;
	int ret = verbs_wait(qp, &wc, timeout_ns, err);

	if (ret)
		return ret;
	if (wc.status == IBV_WC_SUCCESS)
		return 0;
	return error_set(err, EIO, "work request %#llx on QP %#x ended with \"%s\" (vendor error %#x)",
			 (unsigned long long)wc.wr_id, qp->qp->qp_num, ibv_wc_status_str(wc.status),
			 wc.vendor_err);
}
