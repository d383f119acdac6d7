/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Queue pairs, as the data path's files see them. Neither kind is connected: every send request
 * names its peer. SRD is reliable but keeps no order, so a request that waits (the peer has no
 * receive request, a knob holds it) lets the ones behind it go on. UD loses what does not arrive.
 *
 * An error of one request ends that request; a QP that serves many peers goes on. Only what leaves
 * the device no way to tell where the next request begins puts the QP into error. Which of the two
 * silicon does for which error is not public: this is the author's reading.
 */
#ifndef LAB_NIC_EFA_QP_H
#define LAB_NIC_EFA_QP_H

#include "efa.h"

#define SEND_WQE_BYTES 128u
#define RNR_RETRY_FOREVER 7u
#define RNR_INTERVAL_NS 1000000ull
/* Whose retries are not counted is woken by the receiver; this is in case it was not. */
#define RNR_PATIENCE_NS 20000000ull
#define NEVER (~0ull)

/* One entry of a gather or scatter list. */
struct data_segment {
	u64 va;
	u32 length, lkey;
};

struct send_request {
	struct efa_qp *qp;
	u8 raw[SEND_WQE_BYTES]; /* as the host wrote it */
	u8 operation;		/* enum efa_io_send_op_type */
	bool has_immediate, gate_passed, link_passed;
	u16 ah, destination;
	u32 qkey, immediate;
	u64 request; /* its id */
	struct data_segment segments[EFA_MAX_SEND_SGES];
	u32 segment_count;
	const u8 *inline_data; /* in raw; no segments then */
	u32 length;
	u64 remote_va;
	u32 rkey;
	u32 moved;	 /* of an RDMA operation, so far */
	u32 rnr_retries, retransmits; /* done */
	u64 due;	 /* while it waits: when it goes on */
	u64 ticket;	 /* of the knob that holds it */
	bool rnr;	 /* waits for the peer to post a receive request */
};

struct receive_request {
	u16 request;
	u32 segment_count;
	u64 capacity;
	struct data_segment segments[EFA_MAX_RECEIVE_SGES];
};

struct efa_qp {
	struct efa_device *dev;
	u32 slot;
	u16 qpn;
	u8 type; /* enum efa_admin_qp_type */
	enum efa_admin_qp_state state;
	u32 pd, uar;
	bool wide, unsolicited_writes;
	struct efa_cq *send_cq, *receive_cq;
	u32 sq_depth, sq_stride; /* depth 0: no such queue */
	const u8 *sq;		 /* in the LLQ BAR */
	u16 sq_producer, sq_consumer;
	u64 rq_base;
	u32 rq_entries;
	u16 rq_producer, rq_consumer;
	u32 qkey, sq_psn;
	u8 rnr_retry;
	GQueue active;	/* send requests to work off */
	GQueue waiting; /* those that cannot go on now */
	struct turn turn;
};

struct message {
	u16 source_qpn;
	u32 qkey;
	bool has_immediate;
	u32 immediate, length;
	u8 operation;
	u8 source[16], destination[16];
};

/* ---- qp.c ------------------------------------------------------------------------------------ */

/* By its number; NULL if there is none. */
struct efa_qp *qp_find(struct efa_device *dev, u32 qpn);

/* ---- qp_state.c ------------------------------------------------------------------------------ */

enum admin_status qp_modify(struct efa_device *dev, const struct admin_command *command);
enum admin_status qp_query(struct efa_device *dev, const struct admin_command *command);
/* To the error state: what was posted is flushed in later slices. */
void qp_enter_error(struct efa_qp *qp);
/* The same, because the device cannot go on with it. */
void qp_fatal(struct efa_qp *qp, const char *why);
/* A slice of flushing; true if there is more. */
bool qp_flush(struct efa_qp *qp);

/* ---- work_queue.c ---------------------------------------------------------------------------- */

/* The next posted send request, or NULL: none, or the QP is in error now. */
struct send_request *send_request_fetch(struct efa_qp *qp);
/* The same without its meaning, for flushing. */
struct send_request *send_request_skip(struct efa_qp *qp);
/* Moves len bytes at offset of the list. */
enum access_result segments_access(struct efa_device *dev, const struct data_segment *segments,
				   u32 count, u32 pd, u64 offset, void *data, u32 len, bool write);

/* ---- receive.c ------------------------------------------------------------------------------- */

/* False: none is posted, or the queue is malformed and the QP is in error now. */
bool receive_take(struct efa_qp *qp, struct receive_request *receive);
void receive_completion(struct efa_qp *qp, const struct receive_request *receive,
			const struct message *message, u8 status);
/* The same with no request behind it. */
void receive_unsolicited(struct efa_qp *qp, const struct message *message);
/* Up to most receive requests of a QP in error. False when none is left. */
bool receive_flush(struct efa_qp *qp, u32 most);

/* ---- requester.c ----------------------------------------------------------------------------- */

/* One slice; true if it could go on at once. */
bool requester_run(struct efa_qp *qp);
/* The time came for one that waits. */
void requester_timeout(struct efa_qp *qp);
/* As many receive requests were posted: so many that wait for the peer may go on. */
void requester_peer_ready(struct efa_qp *peer, u32 count);
/* The request ends with this status, and is freed. */
void requester_complete(struct send_request *request, u8 status);
/* All of them end without a completion. */
void requester_forget_all(struct efa_qp *qp);

/* ---- responder.c ----------------------------------------------------------------------------- */

/* All return what the initiator's completion says (enum efa_io_comp_status) or STATUS_LOST. */
#define STATUS_LOST 0xff /* nobody has heard it */

/* A whole message; datagrams that do not arrive are lost with success. */
u8 responder_send(struct efa_qp *from, const struct send_request *request, const void *data);
/* Whether the peer would let the request do its RDMA. */
u8 responder_check(struct efa_qp *from, const struct send_request *request);
/* A part of it: request->moved bytes have been moved. */
u8 responder_rdma(struct efa_qp *from, const struct send_request *request, void *data, u32 len);
/* The immediate of a write that is done but for this. */
u8 responder_write_immediate(struct efa_qp *from, const struct send_request *request);

#endif
