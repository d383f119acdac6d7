/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * RC traffic on one RDMA device: context, PD, QPs that talk to each other in
 * loopback or to a peer in another process, one completion at a time.
 *
 * Functions return 0 or -errno and fill *err, which may be NULL.
 */
#ifndef LIB_VERBS_PEER_H
#define LIB_VERBS_PEER_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct verbs_peer_options {
	const char *device;	/* NULL: the first that can register a dma-buf */
	uint8_t port;		/* 0: 1 */
	int gid_index;		/* -1: none on InfiniBand, the best RoCE v2 one on Ethernet */
	bool events;		/* wait on a completion channel instead of spinning */
};

struct verbs_peer {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_device_attr_ex attr;
	struct ibv_port_attr port_attr;
	union ibv_gid gid;
	int gid_index;		/* -1: address by LID */
	uint8_t port;
	bool events;
};

int verbs_peer_open(struct verbs_peer *peer, const struct verbs_peer_options *options,
		    struct error *err);
void verbs_peer_close(struct verbs_peer *peer);

/* Does the device's driver take dma-bufs at all? Asks it with an fd that is none. */
bool verbs_device_takes_dmabuf(struct ibv_pd *pd);

/* ---- memory ---- */

#define VERBS_ACCESS_ALL (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | \
			  IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

/* iova is the address that work requests use; offset and length lie in the dma-buf. */
int verbs_reg_dmabuf(struct verbs_peer *peer, int dmabuf_fd, uint64_t offset, size_t length,
		     uint64_t iova, int access, struct ibv_mr **mr, struct error *err);

/* Page-aligned anonymous memory and its MR. */
struct verbs_buffer {
	void *address;
	size_t length;
	struct ibv_mr *mr;
};

int verbs_buffer_init(struct verbs_peer *peer, size_t length, int access,
		      struct verbs_buffer *buffer, struct error *err);
void verbs_buffer_free(struct verbs_buffer *buffer);

/* ---- QPs ---- */

/* What a peer must know to connect; sent as it is, between machines of one byte order. */
struct verbs_endpoint {
	union ibv_gid gid;
	uint32_t qpn;
	uint32_t psn;
	uint16_t lid;
	uint8_t mtu;		/* enum ibv_mtu */
	uint8_t has_gid;
};

struct verbs_qp_options {
	unsigned int depth;	/* of each queue; 0: 64 */
	unsigned int max_sge;	/* 0: 1 */
	unsigned int max_inline;
	uint8_t timeout;	/* local ACK timeout, 4.096 us * 2^timeout; 0: 14 */
	uint8_t retry_count;	/* 0: 7 */
	uint8_t rnr_retry;	/* 7 waits for ever */
	int access;		/* 0: every remote right that the device has */
};

/* An RC QP with a CQ of its own. */
struct verbs_qp {
	struct verbs_peer *peer;
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	struct ibv_comp_channel *channel;	/* NULL unless peer->events */
	struct verbs_qp_options options;
	struct verbs_endpoint local;
	struct verbs_endpoint remote;
	unsigned int unacked_events;
};

int verbs_qp_create(struct verbs_peer *peer, const struct verbs_qp_options *options,
		    struct verbs_qp *qp, struct error *err);
void verbs_qp_destroy(struct verbs_qp *qp);

/* From RESET to RTS, talking to remote. */
int verbs_qp_connect(struct verbs_qp *qp, const struct verbs_endpoint *remote, struct error *err);
/* After an error: RESET, drains the CQ, and to RTS with the same remote. */
int verbs_qp_recycle(struct verbs_qp *qp, struct error *err);
int verbs_qp_set_state(struct verbs_qp *qp, enum ibv_qp_state state, struct error *err);
enum ibv_qp_state verbs_qp_state(struct verbs_qp *qp);

/* Two QPs of one device connected in loopback. */
struct verbs_pair {
	struct verbs_qp initiator;
	struct verbs_qp responder;
};

int verbs_pair_create(struct verbs_peer *peer, const struct verbs_qp_options *options,
		      struct verbs_pair *pair, struct error *err);
void verbs_pair_destroy(struct verbs_pair *pair);
/* Where a QP cannot leave the error state (irdma's cannot), with new QPs and CQs. */
int verbs_pair_recycle(struct verbs_pair *pair, struct error *err);

/* Over a stream socket: sends local, receives as many bytes of the peer's. */
int verbs_exchange(int socket, const void *local, void *remote, size_t length, struct error *err);
/* verbs_exchange() of the endpoints, then verbs_qp_connect(), then a barrier. */
int verbs_qp_connect_over(struct verbs_qp *qp, int socket, struct error *err);

/* ---- work ---- */

struct verbs_local {
	uint64_t address;
	uint32_t length;
	uint32_t lkey;
};

struct verbs_remote {
	uint64_t address;
	uint32_t rkey;
};

/* All signalled. */
int verbs_post_write(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		     struct verbs_remote remote, struct error *err);
int verbs_post_write_imm(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
			 struct verbs_remote remote, uint32_t immediate, struct error *err);
int verbs_post_read(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		    struct verbs_remote remote, struct error *err);
int verbs_post_send(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		    struct error *err);
int verbs_post_recv(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local local,
		    struct error *err);
int verbs_post_fetch_add(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local result,
			 struct verbs_remote remote, uint64_t add, struct error *err);
int verbs_post_compare_swap(struct verbs_qp *qp, uint64_t wr_id, struct verbs_local result,
			    struct verbs_remote remote, uint64_t compare, uint64_t swap,
			    struct error *err);

/* 1 and *wc if there is a completion, 0 if there is none, else -errno. */
int verbs_poll(struct verbs_qp *qp, struct ibv_wc *wc);
/*
 * Waits for one completion, successful or not: that is wc->status. -ETIMEDOUT
 * after timeout_ns. Spins, or sleeps on the channel if the peer asked for events.
 */
int verbs_wait(struct verbs_qp *qp, struct ibv_wc *wc, int64_t timeout_ns, struct error *err);
/* verbs_wait() that takes only success; a failed completion is -EIO with its status named. */
int verbs_wait_success(struct verbs_qp *qp, int64_t timeout_ns, struct error *err);

#endif
