/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Queue pairs and shared receive queues, as the data path's files see them. A QP has two halves
 * that stop independently: the requester, which works off the send queue in order, and the
 * responder, which answers the one requester it is connected to.
 *
 * Requester and responder of a connection live in one program, be it in two devices, so a packet and
 * its answer are one call. What becomes of either on the way is the fabric's to say
 * (common/fabric.h). The other end is named by LID and number, as it may be gone. Packet sequence
 * numbers are kept all the same: two QPs whose numbers do not fit do not
 * hear each other, as on a wire.
 */
#ifndef LAB_NIC_MLX5_QP_H
#define LAB_NIC_MLX5_QP_H

#include "mlx5.h"

#define WQE_BASIC_BLOCK 64u
#define WQE_SEGMENT 16u
#define WQE_MAX_BYTES 1024u
#define WQE_MAX_SEGMENTS 64u
#define QUEUE_MAX_LOG 15u
#define PSN_MASK 0xffffffu
#define GRH_BYTES 40u
#define DEFAULT_USER_INDEX 0xffffffu

enum qp_service {
	SERVICE_RC = 0x0,
	SERVICE_UC = 0x1,
	SERVICE_UD = 0x2,
	SERVICE_XRC = 0x3,
	SERVICE_QP0 = 0x7,
	SERVICE_QP1 = 0x8,
	SERVICE_REG_UMR = 0xc,
};

enum qp_state {
	QP_RESET = 0,
	QP_INIT = 1,
	QP_RTR = 2,
	QP_RTS = 3,
	QP_SQER = 4,
	QP_SQD = 5,
	QP_ERROR = 6,
};

enum receive_queue_type {
	RECEIVE_OWN = 0,
	RECEIVE_SHARED = 1,
	RECEIVE_NONE = 3,
};

enum wqe_opcode {
	WQE_NOP = 0x00,
	WQE_SEND_INVALIDATE = 0x01,
	WQE_RDMA_WRITE = 0x08,
	WQE_RDMA_WRITE_IMM = 0x09,
	WQE_SEND = 0x0a,
	WQE_SEND_IMM = 0x0b,
	WQE_RDMA_READ = 0x10,
	WQE_ATOMIC_CS = 0x11,
	WQE_ATOMIC_FA = 0x12,
	WQE_UMR = 0x25,
};

/* Opcodes of a completion queue entry. */
enum cqe_opcode {
	CQE_REQUEST = 0,
	CQE_RECEIVE_WRITE_IMM = 1,
	CQE_RECEIVE_SEND = 2,
	CQE_RECEIVE_SEND_IMM = 3,
	CQE_RECEIVE_SEND_INVALIDATE = 4,
	CQE_REQUEST_ERROR = 13,
	CQE_RECEIVE_ERROR = 14,
};

/* One entry of a gather or scatter list. */
struct data_segment {
	u32 length;
	u32 key;
	u64 va;
	const u8 *inline_data; /* in the WQE itself; key and va are unused then */
};

struct address_vector {
	u32 qkey, qpn, flow_label;
	u16 lid;
	u8 service_level, path_bits, traffic_class, hop_limit, gid_index;
	bool grh;
	u8 gid[16];
};

struct send_wqe {
	u8 raw[WQE_MAX_BYTES];
	u16 index;
	u16 basic_blocks;
	u8 opcode;
	u32 bytes;
	bool signalled, solicited;
	u8 immediate[4]; /* as on the wire; the key of UMR and SEND_INVALIDATE too */
	u64 remote_va;
	u32 rkey;
	u32 xrc_srqn;
	u64 swap_or_add, compare; /* in memory byte order */
	struct address_vector av;
	struct data_segment segments[WQE_MAX_SEGMENTS];
	u32 segment_count;
	u64 length;
};

enum requester_block {
	BLOCK_NONE,
	BLOCK_FAULT,  /* a local translation is missing */
	BLOCK_REMOTE, /* the responder waits for a translation */
	BLOCK_RNR,    /* the receiver was not ready */
	BLOCK_RETRY,  /* nobody answered */
	BLOCK_KNOB,   /* held or delayed from outside */
	BLOCK_LINK,   /* the message is on its way */
};

struct requester {
	struct send_wqe wqe;
	bool active; /* wqe is being worked off */
	bool gate_passed;
	bool link_passed;
	bool unheard;	  /* the packet was taken, the answer got lost */
	bool lost;	  /* the rest of an unreliable message goes nowhere */
	bool atomic_done; /* executed at the responder, atomic_old not stored yet */
	u64 atomic_old;
	u64 moved;
	u32 psn;
	u8 rnr_left, retries_left;
	enum requester_block block;
	u64 ticket; /* of the knob that holds it */
	u16 consumer;
};

/* A receive work request taken from an own or a shared queue. */
struct receive_wqe {
	u16 index;
	u32 pd;
	bool shared;
	u32 srqn;
	u32 cqe_owner; /* what goes into the completion's "srqn or user index" */
	struct data_segment segments[WQE_MAX_SEGMENTS];
	u32 segment_count;
	u64 capacity;
};

struct responder {
	struct receive_wqe receive;
	bool has_receive; /* receive is taken and not completed */
	bool in_message;  /* between the first and the last packet of a SEND */
	bool established; /* the first packet after RTR has come */
	bool parked;	  /* a translation is missing */
	bool parked_receive;
	u32 waiter; /* number of the QP whose packet is parked, 0: none */
	u16 waiter_lid;
	u32 psn;
	u16 consumer;
};

struct mlx5_qp {
	struct mlx5_device *dev;
	u32 qpn;
	enum qp_service service;
	enum qp_state state;
	enum receive_queue_type receive_type;
	u32 *context; /* the qpc as the host set it, big endian */
	struct queue_buffer buffer;
	u64 sq_offset;
	u32 log_sq, log_rq, log_rq_stride;
	bool has_sq, has_rq;
	struct mlx5_cq *send_cq, *receive_cq;
	u32 pd, xrcd, srqn, user_index, remote_qpn, qkey, source_qpn;
	u16 remote_lid;
	u64 doorbell_record;
	u32 mtu;
	u64 max_message;
	u8 retry_count, rnr_retry, min_rnr_nak, ack_timeout;
	bool remote_read, remote_write, remote_atomic;
	struct requester requester;
	struct responder responder;
	struct schedule *schedule; /* scheduler.c */
};

enum srq_kind { SRQ_BASIC, SRQ_XRC, SRQ_RMP };

struct mlx5_srq {
	struct mlx5_device *dev;
	u32 srqn;
	enum srq_kind kind;
	u32 *context; /* srqc, xrc_srqc or rmpc as the host set it */
	struct queue_buffer buffer;
	u32 log_size, log_stride;
	u32 pd, xrcd, user_index;
	struct mlx5_cq *cq; /* XRC only */
	u64 doorbell_record;
	u32 limit; /* 0: not armed */
	u16 head;  /* next entry the device takes */
	u16 consumer;
	bool broken;
};

/* ---- work_queue.c ---------------------------------------------------------------------------- */

/* Send and receive counters as the host wrote them. -EFAULT if the record is not mapped. */
int doorbell_record_read(struct mlx5_device *dev, u64 address, u16 *counter);
/*
 * 1: the next send work request is in qp->requester.wqe; 0: the queue is empty; -EFAULT: the queue
 * cannot be read; -EINVAL: malformed. In the last case index and basic_blocks are valid.
 */
int send_wqe_fetch(struct mlx5_qp *qp);
/* Index and size of the entry at the consumer, for flushing: same results. */
int send_wqe_skip(struct mlx5_qp *qp, u16 *index, u8 *opcode, u16 *basic_blocks);
/* Scatter list in memory into segments; returns how many. */
u32 scatter_list_parse(const u8 *list, size_t len, struct data_segment *segments, u64 *capacity);
/*
 * Moves len bytes at offset of the list, one memory key access for each segment touched. remaining:
 * bytes from offset that the message still has, to tell the host how much a fault needs.
 */
enum access_result segments_access(struct mlx5_device *dev, const struct data_segment *segments,
				   u32 count, u64 offset, void *data, u32 len, u64 remaining,
				   bool write, u32 pd, struct access_fault *fault);

/* ---- requester.c ----------------------------------------------------------------------------- */

/* One slice; true if it could go on at once. */
bool requester_run(struct mlx5_qp *qp);
/* Ends the current work request with an error and moves the QP to error. */
void requester_fail(struct mlx5_qp *qp, enum cqe_syndrome syndrome);
/* Lets a waiting requester try again. */
void requester_wake(struct mlx5_qp *qp);
/* The timer of BLOCK_RNR, BLOCK_RETRY or a delaying knob ran out. */
void requester_timeout(struct mlx5_qp *qp);
void requester_reset(struct mlx5_qp *qp);
void send_completion(struct mlx5_qp *qp, u8 opcode, u16 index, u32 bytes, bool solicited);
void send_error_completion(struct mlx5_qp *qp, u8 opcode, u16 index, enum cqe_syndrome syndrome);

/* ---- responder.c ----------------------------------------------------------------------------- */

enum response {
	RESPONSE_ACK,
	RESPONSE_RNR,	/* no receive work request */
	RESPONSE_WAIT,	/* parked at a fault; the requester is woken later */
	RESPONSE_NAK_INVALID,
	RESPONSE_NAK_ACCESS,
	RESPONSE_NAK_OPERATION,
	RESPONSE_NONE,	/* nothing comes back */
};

struct packet {
	u8 opcode;
	bool first, last, solicited;
	u8 immediate[4];
	u64 va; /* of this packet */
	u32 rkey, xrc_srqn;
	u64 message_length, offset;
	u8 *data;
	u32 length;
	u64 swap_or_add, compare;
	u64 *atomic_old;
};

enum response responder_packet(struct mlx5_qp *qp, struct mlx5_qp *initiator,
			       const struct packet *packet);
/* The connected QP, if it can hear this one at all. */
struct mlx5_qp *responder_find(struct mlx5_qp *initiator);
/* The QP leaves its state: what was received half is flushed, who waits is woken. */
void responder_stop(struct mlx5_qp *qp);
/* Who waits is woken, to find out what has become of this QP. */
void responder_wake_waiter(struct mlx5_qp *qp);
void responder_reset(struct mlx5_qp *qp);

/* ---- receive.c ------------------------------------------------------------------------------- */

enum receive_status {
	RECEIVE_TAKEN,
	RECEIVE_EMPTY,
	RECEIVE_BROKEN, /* the queue cannot be read, or makes no sense */
};

/* srq: the shared queue of an XRC message, NULL: the QP's own or its SRQ. */
enum receive_status receive_take(struct mlx5_qp *qp, struct mlx5_srq *srq,
				 struct receive_wqe *receive);
struct receive_info {
	enum cqe_opcode opcode;
	u32 bytes;
	u8 immediate[4];
	u32 source_qpn;
	u16 source_lid;
	u8 service_level, path_bits;
	bool grh, solicited;
};
void receive_completion(struct mlx5_qp *qp, const struct receive_wqe *receive,
			const struct receive_info *info);
void receive_error_completion(struct mlx5_qp *qp, const struct receive_wqe *receive,
			      enum cqe_syndrome syndrome);
/* Up to max receive work requests of a QP in error. False when none is left for now. */
bool receive_flush(struct mlx5_qp *qp, u32 max);

/* ---- ud.c, multicast.c ----------------------------------------------------------------------- */

/* The whole message at once. SYNDROME_NONE, or NOT_PRESENT with the fault filled. */
enum access_result ud_send(struct mlx5_qp *qp, const struct send_wqe *wqe,
			   enum cqe_syndrome *syndrome, struct access_fault *fault);
enum command_status multicast_attach(struct mlx5_device *dev, struct command *cmd);
enum command_status multicast_detach(struct mlx5_device *dev, struct command *cmd);
void multicast_forget(struct mlx5_device *dev, u32 qpn);
/* To the members on one device. */
void multicast_deliver(struct mlx5_device *dev, const u8 gid[16],
		       void (*deliver)(struct mlx5_qp *qp, void *opaque), void *opaque);

/* ---- srq.c ----------------------------------------------------------------------------------- */

struct mlx5_srq *srq_find(struct mlx5_device *dev, u32 srqn);
/* The entry index of the next posted work request. */
enum receive_status srq_take(struct mlx5_srq *srq, u16 *index, u8 *wqe, size_t *len);

/* ---- qp_state.c ------------------------------------------------------------------------------ */

enum command_status qp_modify(struct mlx5_device *dev, struct command *cmd);
enum command_status qp_query(struct mlx5_device *dev, struct command *cmd);
void qp_load_context(struct mlx5_qp *qp);
/* To the error state: parked work is dropped, both queues are flushed in later slices. */
void qp_enter_error(struct mlx5_qp *qp);
void qp_reset(struct mlx5_qp *qp);
/* A slice of flushing; true if there is more. */
bool qp_flush(struct mlx5_qp *qp);
/* Something that leaves no way to go on: asynchronous event and error state. */
void qp_fatal(struct mlx5_qp *qp, const char *why);

/* ---- scheduler.c ----------------------------------------------------------------------------- */

bool schedule_attach(struct mlx5_qp *qp);
void schedule_detach(struct mlx5_qp *qp);
/* The QP has something to do. */
void schedule_ready(struct mlx5_qp *qp);
void schedule_timer(struct mlx5_qp *qp, u64 nanoseconds);
void schedule_timer_stop(struct mlx5_qp *qp);
/*
 * There is no doorbell for receive queues: those of QPs in error are looked at from time to time,
 * so that what is posted after the error is flushed too.
 */
void schedule_watch(struct mlx5_qp *qp, bool on);

enum gate { GATE_OPEN, GATE_WAIT, GATE_DROP, GATE_FAIL };
/* Whether a knob lets the requester's current operation go on. status: of GATE_FAIL, or 0. */
enum gate schedule_gate(struct mlx5_qp *qp, const char *operation, u32 *status);

#endif
