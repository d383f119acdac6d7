/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A host in a few functions: memory that the device can reach, commands, queues and doorbell
 * records as a driver would lay them out. The device under test is the whole model but for the
 * socket.
 */
#ifndef LAB_NIC_MLX5_TESTS_HOST_H
#define LAB_NIC_MLX5_TESTS_HOST_H

#include "../../testing/test_host.h"
#include "../device.h"
#include "../qp.h"

#define HOST_CQES 256u
#define HOST_EQES 256u

struct host {
	struct test_host base;
	struct mlx5_device *dev;
	u32 eqn, pd, uar;
	u8 *eqes;
	u32 eq_consumer;
};

#include "../../testing/host_calls.h"

struct host_cq {
	struct host *host;
	u32 cqn, consumer;
	u8 *entries;
};

struct host_srq {
	u32 srqn, log_size, head;
	u8 *entries, *doorbell;
	u16 posted;
};

struct host_qp {
	struct host *host;
	u32 qpn, log_sq, log_rq;
	u8 *rq, *sq, *doorbell;
	u16 sq_producer, rq_producer;
};

struct host_qp_options {
	enum qp_service service;
	struct host_cq *cq;
	struct host_srq *srq;
	u32 pd, xrcd;
	bool target; /* XRC: the receiving end */
};

struct host_path {
	u16 lid; /* 0: the QP's own host's */
	u32 remote_qpn, send_psn, receive_psn;
	u8 mtu, ack_timeout, retry_count, rnr_retry, min_rnr_nak;
	bool no_remote_access;
	u32 qkey;
};

struct host *host_new(bool transport_faults);
/* Another host on the same fabric, to be freed before the first. */
struct host *host_new_beside(struct host *first);
/* Status of the command. */
u8 host_command(struct host *host, const void *in, size_t in_len, void *out, size_t out_len);
u32 host_new_pd(struct host *host);
void host_new_cq(struct host *host, struct host_cq *cq);
/* All rights; the key's address is the memory's own. pages false: no translation is present. */
u32 host_new_mkey(struct host *host, u32 pd, const void *address, u64 len, bool present);
/* A key that is free, as the driver keeps them for UMR, of any mode and with so many octowords. */
u32 host_new_free_mkey(struct host *host, u32 mode, u32 pd, u32 octowords);
/* All rights but to change it. */
void host_grant_all(u8 *mkc);
u8 host_destroy_mkey(struct host *host, u32 key);
void host_new_srq(struct host *host, struct host_srq *srq, enum srq_kind kind, u32 log_size,
		  const struct host_cq *cq, u32 xrcd, u16 limit);
/* Status; the QP is usable if COMMAND_OK. */
u8 host_new_qp(struct host *host, struct host_qp *qp, const struct host_qp_options *options);
/* A reliable connection's QP, and a CQ of its own. */
void host_new_rc(struct host *host, struct host_cq *cq, struct host_qp *qp);
u8 host_modify(struct host_qp *qp, u16 opcode, const struct host_path *path);
void host_connect(struct host_qp *qp, const struct host_path *path);
void host_connect_pair(struct host_qp *a, struct host_qp *b, const struct host_path *path);
u8 host_state(struct host_qp *qp);

/* Puts a WQE of whole segments into the send queue; nothing is rung. */
u8 *host_wqe(struct host_qp *qp, u8 opcode, u32 segments, bool signalled);
void host_ring(struct host_qp *qp);
void host_put_remote(u8 *segment, u64 va, u32 key);
void host_put_data(u8 *segment, const void *address, const struct host *host, u32 len, u32 key);
void host_post_receive(struct host_qp *qp, const void *address, u32 len, u32 key);
void host_post_srq(struct host *host, struct host_srq *srq, const void *address, u32 len,
		   u32 key);

/* NULL if there is none. */
const u8 *host_poll(struct host_cq *cq);
/* Waits for it; fails the test if none comes. */
const u8 *host_wait(struct host_cq *cq);
const u8 *host_event(struct host *host);

static inline u8 cqe_op(const u8 *cqe)
{
	return cqe[63] >> 4;
}

static inline u8 cqe_syndrome(const u8 *cqe)
{
	return cqe[55];
}

u16 cqe_index(const u8 *cqe);
u32 cqe_bytes(const u8 *cqe);
u32 cqe_qpn(const u8 *cqe);

#endif
