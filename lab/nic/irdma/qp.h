/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the data path's files share: queue pairs, their work requests, both ends of a connection. */
#ifndef LAB_NIC_IRDMA_QP_H
#define LAB_NIC_IRDMA_QP_H

#include "irdma.h"

#define MAX_FRAGMENTS (2 * MAX_QUANTA - 1)
#define MAX_INLINE_BYTES (8u + 31u * (MAX_QUANTA - 1))
#define RETRY_FOREVER 7u

struct fragment {
	u64 va;
	u32 stag, length;
};

struct send_wqe {
	u32 index, quanta;
	u8 opcode;
	bool signalled, solicited, has_immediate, is_inline;
	u32 immediate;
	u64 remote_va;
	u32 remote_stag; /* of a send: the one to invalidate, or the address handle */
	u32 remote_qpn, qkey; /* of a datagram */
	struct fragment fragments[MAX_FRAGMENTS];
	u32 fragment_count;
	u64 length;
	u8 inline_data[MAX_INLINE_BYTES];
	struct window_bind bind;
};

struct receive_wqe {
	u32 index;
	struct fragment fragments[MAX_FRAGMENTS];
	u32 fragment_count;
	u64 capacity;
};

enum requester_block {
	BLOCK_NONE,
	BLOCK_RNR,
	BLOCK_RETRY,
	BLOCK_KNOB,
	BLOCK_LINK, /* the message is on its way */
};

struct requester {
	struct send_wqe wqe;
	bool active, gate_passed, link_passed;
	enum requester_block block;
	u64 ticket, moved;
	u8 rnr_left, retries_left;
};

struct responder {
	struct receive_wqe receive;
	bool in_message; /* receive is taken and not completed */
};

/* One of the two work queues. */
struct work_queue {
	struct ring ring; /* of quanta */
	u32 consumer;	  /* quantum */
	bool polarity;	  /* that a posted WQE's valid bit has */
	bool was_flushed;
};

struct irdma_qp {
	struct irdma_device *dev;
	u32 qpn;
	u8 type, state; /* IRDMA_QP_TYPE_*, IRDMA_QP_STATE_* */
	struct work_queue sq, rq;
	u32 receive_quanta; /* of each receive WQE */
	u64 context;	    /* the host's, given back with each completion */
	u32 send_cqn, receive_cqn, pd;
	u32 remote_qpn, qkey, mtu;
	u32 local_ip[4], remote_ip[4];
	u8 retry_count, rnr_retry;
	bool may_read, may_write, privileged;
	bool suspending;
	struct requester requester;
	struct responder responder;
	struct turn turn;
};

/* ---- qp.c ---------------------------------------------------------------------------------------- */

struct irdma_qp *qp_find(struct irdma_device *dev, u32 qpn);
/* To the error state: nothing more is done, and the host is told why. */
void qp_async_error(struct irdma_qp *qp, u16 code, u8 source, u32 wqe_index);
/* The send queue has come to rest while the host waits for that. */
void qp_suspended(struct irdma_qp *qp);
void qp_stop(struct irdma_qp *qp);
struct access qp_access(const struct irdma_qp *qp, enum access_kind kind, u32 stag, u64 va,
			u64 length);

/* ---- work_queue.c -------------------------------------------------------------------------------- */

/*
 * 1: the next send work request is in qp->requester.wqe; 0: the queue is empty; -EFAULT: it cannot be
 * read; -EINVAL: malformed. In the last case index and quanta are valid.
 */
int send_wqe_fetch(struct irdma_qp *qp);
/* Past the request that was fetched. */
void send_wqe_done(struct irdma_qp *qp);

enum receive_status {
	RECEIVE_TAKEN,
	RECEIVE_EMPTY,
	RECEIVE_BROKEN, /* the queue cannot be read, or makes no sense */
};

enum receive_status receive_take(struct irdma_qp *qp, struct receive_wqe *receive);
/* Past all that is posted; returns how many requests that were. opcode: of the first one. */
u32 send_queue_discard(struct irdma_qp *qp, u8 *opcode);
u32 receive_queue_discard(struct irdma_qp *qp);
/* Moves len bytes at offset of the list. 0 or the asynchronous event's code. */
u16 fragments_access(struct irdma_qp *qp, const struct fragment *fragments, u32 count, u64 offset,
		     void *data, u32 len, bool write);

/* ---- requester.c ----------------------------------------------------------------------------------- */

/* One slice; true if it could go on at once. */
bool requester_run(struct irdma_qp *qp);
void requester_timeout(struct irdma_qp *qp);
void requester_stop(struct irdma_qp *qp);
/* Ends the current work request with an error of the QP. */
void requester_fail(struct irdma_qp *qp, u16 code);

/* ---- responder.c ----------------------------------------------------------------------------------- */

enum response {
	RESPONSE_ACK,
	RESPONSE_RNR,	      /* no receive work request */
	RESPONSE_NAK_INVALID, /* the request makes no sense here */
	RESPONSE_NAK_ACCESS,
	RESPONSE_NAK_OPERATION,
	RESPONSE_NONE, /* nothing comes back */
};

struct packet {
	u8 opcode;
	bool first, last, solicited, has_immediate;
	u32 immediate;
	u64 va; /* of this packet */
	u32 stag;
	u64 message_length, offset;
	u8 *data;
	u32 length;
};

enum response responder_packet(struct irdma_qp *qp, const struct packet *packet);
/* The connected QP, if it can hear this one at all. */
struct irdma_qp *responder_find(struct irdma_qp *initiator);

/* ---- datagram.c ------------------------------------------------------------------------------------ */

/* The whole message at once; true if the request is done, false if the QP is in error now. */
bool datagram_send(struct irdma_qp *qp);
/* How long it is on its way to the farthest receiver. */
u64 datagram_delay_ns(struct irdma_qp *qp);

#endif
