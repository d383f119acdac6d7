/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A host in a few functions: memory that the device can reach, commands, and queues as the driver
 * and the provider would lay them out. The device under test is the whole model but for the socket.
 */
#ifndef LAB_NIC_EFA_TESTS_HOST_H
#define LAB_NIC_EFA_TESTS_HOST_H

#include "../../testing/test_host.h"
#include "../qp.h"

#define HOST_CQES 256u
#define HOST_EQES 64u
#define HOST_QUEUE 16u /* entries of send and receive queues */
#define HOST_QKEY 0x11111111u
#define HOST_VECTOR 1u /* of the event queue; 0 is the admin queue's */
#define RIGHTS_ALL 7u

struct host {
	struct test_host base;
	struct efa_device *dev;
	u16 pd, uar, ah, eqn;
	u32 eq_consumer;
	struct efa_admin_eqe *eqes;
};

#include "../../testing/host_calls.h"

struct host_cq {
	struct host *host;
	u16 number;
	u32 consumer, entry_size;
	u8 *entries;
};

struct host_cq_options {
	bool events, wide, tells_source;
	u32 entry_size; /* 0: 32 */
};

struct host_mr {
	u32 lkey, rkey;
};

struct host_qp {
	struct host *host;
	u16 number;
	u32 sq_doorbell, rq_doorbell, stride;
	u8 *sq;
	struct efa_io_rx_desc *rq;
	u16 sq_producer, rq_producer;
};

struct host_qp_options {
	u8 type; /* 0: SRD */
	struct host_cq *cq;
	u16 pd; /* 0: the host's */
	bool long_wqe, unsolicited_writes, wide;
};

/* A send request in the host's words. */
struct host_send {
	u8 operation;
	u16 request;
	const struct host_qp *to;
	u16 destination;	/* in place of to */
	u16 ah;			/* 0: the host's own */
	u32 qkey;		/* 0: the right one */
	const void *address;	/* of the data, in the host's memory */
	u32 length, lkey;
	const void *remote;
	u32 rkey;
	const void *inline_data; /* in place of address */
	bool has_immediate;
	u32 immediate;
};

struct host *host_new(void);
/* Another host on the same fabric, to be freed before the first (NULL: there is none). */
struct host *host_new_beside(struct host *first);
void host_write32(struct host *host, enum efa_bar bar, u64 offset, u32 value);

/* One command without a ring. out: 64 bytes, or NULL. */
enum admin_status host_command(struct host *host, u8 opcode, u8 flags, const void *payload, u32 len,
			       void *out);
u16 host_new_pd(struct host *host);
u16 host_new_ah(struct host *host, u16 pd, const u8 address[16]);
enum admin_status host_try_mr(struct host *host, u16 pd, const void *address, u64 len, u8 rights,
			      struct host_mr *mr);
/* The region's addresses are the memory's own bus addresses. */
struct host_mr host_new_mr(struct host *host, u16 pd, const void *address, u64 len, u8 rights);
enum admin_status host_dereg(struct host *host, u32 lkey);
void host_new_cq(struct host *host, struct host_cq *cq, const struct host_cq_options *options);
enum admin_status host_destroy_cq(struct host_cq *cq);
/* In state RTS. */
void host_new_qp(struct host *host, struct host_qp *qp, const struct host_qp_options *options);
enum admin_status host_destroy_qp(struct host_qp *qp);
enum admin_status host_set_state(struct host_qp *qp, u32 state);
void host_to_rts(struct host_qp *qp);
u32 host_state(struct host_qp *qp);
enum admin_status host_set_rnr_retry(struct host_qp *qp, u8 retries);

/* Room for one request in the send queue, with its fixed bits; nothing is rung. */
struct efa_io_tx_wqe *host_wqe(struct host_qp *qp, u8 operation, u16 request);
void host_ring(struct host_qp *qp);
void host_post(struct host_qp *qp, const struct host_send *send);
void host_post_receive(struct host_qp *qp, u16 request, const void *address, u32 len, u32 lkey);
void host_ring_receive(struct host_qp *qp);

/* NULL if there is none. */
const struct efa_io_rx_cdesc_ex *host_poll(struct host_cq *cq);
/* Waits for it; fails the test if none comes. */
const struct efa_io_rx_cdesc_ex *host_wait(struct host_cq *cq);
/* The next completion has this request and status. */
const struct efa_io_rx_cdesc_ex *host_expect(struct host_cq *cq, u16 request, u8 status);
const struct efa_admin_eqe *host_event(struct host *host);

static inline bool is_receive(const struct efa_io_rx_cdesc_ex *cqe)
{
	return EFA_GET(&cqe->base.common.flags, EFA_IO_CDESC_COMMON_Q_TYPE) == EFA_IO_RECV_QUEUE;
}

#endif
