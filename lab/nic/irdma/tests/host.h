/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A host in a few functions: memory that the device can reach, commands, and queues as the driver
 * and the provider would lay them out. The device under test is the whole model but for the socket.
 */
#ifndef LAB_NIC_IRDMA_TESTS_HOST_H
#define LAB_NIC_IRDMA_TESTS_HOST_H

#include "../../testing/test_host.h"
#include "../qp.h"

#define HOST_QPS 64u
#define HOST_CQS 64u
#define HOST_PBLES 4096u
#define HOST_QUANTA 16u /* of each work queue */
#define HOST_CQES 64u
#define HOST_AEQES 64u
#define HOST_PD 7u
#define RIGHTS_ALL                                                                                 \
	(IRDMA_ACCESS_FLAGS_LOCALREAD | IRDMA_ACCESS_FLAGS_LOCALWRITE |                            \
	 IRDMA_ACCESS_FLAGS_REMOTEREAD | IRDMA_ACCESS_FLAGS_REMOTEWRITE)

struct host {
	struct test_host base;
	struct irdma_device *dev;
	u64 pbles; /* where the device reads them, in the host's memory */
	u64 (*aeqes)[2];
	u32 aeq_consumer;
};

#include "../../testing/host_calls.h"

struct host_cq {
	struct host *host;
	u32 number, consumer;
	u64 (*entries)[4];
};

struct host_qp {
	struct host *host;
	u32 number, sq_producer, rq_producer;
	u64 *context;
	u64 (*sq)[4], (*rq)[4];
};

struct host_region {
	u32 index, pd;
	u8 key, rights;
	const void *address;
	u64 length;
	/* In place of one run of pages: PBLEs from this one on. */
	bool has_list;
	u32 first_pble;
};

/* One of each, and two QPs that are connected with each other. */
struct host_pair {
	struct host_cq cq;
	struct host_qp initiator, responder;
};

/* With a host memory cache and an asynchronous event queue. */
struct host *host_new(void);
/* Another host on the same fabric, to be freed before the first (NULL: there is none). */
struct host *host_new_beside(struct host *first);
void host_write32(struct host *host, u64 offset, u32 value);
u32 host_read32(struct host *host, u64 offset);

/* One command without a ring: its code. The operation goes into the header. */
u16 host_command(struct host *host, u8 opcode, u64 wqe[CONTROL_WQE_QWORDS]);
u16 host_try_region(struct host *host, const struct host_region *region);
/* All rights, in the host's PD; addresses are the memory's own bus addresses. Returns its stag. */
u32 host_register(struct host *host, u32 index, const void *address, u64 length);
u16 host_deallocate(struct host *host, u32 stag, u32 pd);
u16 host_try_cq(struct host *host, u32 number, u64 base, u32 count);
void host_new_cq(struct host *host, struct host_cq *cq, u32 number);
/* In state IDLE. */
u16 host_try_qp(struct host_qp *qp, u8 type, u64 context);
void host_new_qp(struct host *host, struct host_qp *qp, u32 number, u32 remote, u32 cq);
/* For datagrams: in state RTS. */
void host_new_ud_qp(struct host *host, struct host_qp *qp, u32 number, u32 qkey, u32 cq);
u16 host_set_state(struct host_qp *qp, u8 state);
u16 host_flush(struct host_qp *qp);
void host_new_pair(struct host *host, struct host_pair *pair);

/* qwords of one quantum; the valid bit is added. Nothing is rung. */
void host_put(struct host_qp *qp, const u64 qwords[4]);
void host_ring(struct host_qp *qp);
/* An RDMA write or read, or a send: one fragment. */
void host_post(struct host_qp *qp, u8 opcode, const void *local, u32 length, u32 stag,
	       const void *remote, u32 remote_stag);
void host_post_receive(struct host_qp *qp, const void *local, u32 length, u32 stag);

/* NULL if there is none. */
const u64 *host_poll(struct host_cq *cq);
/* Waits for it; fails the test if none comes. */
const u64 *host_wait(struct host_cq *cq);
/* The next event is this one, of that QP. */
void host_expect_event(struct host *host, u16 code, u32 qpn);
const u64 *host_event(struct host *host);

#endif
