/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * SRD traffic of an EFA with itself or with another: queue pairs without connections, one work
 * request at a time.
 * Functions return 0 or -errno and fill *err, which may be NULL.
 */
#ifndef TESTS_VERBS_COMMON_SRD_H
#define TESTS_VERBS_COMMON_SRD_H

#include "verbs_peer.h"

struct srd_qp {
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct ibv_ah *ah;	/* of its own device, until it has a peer elsewhere */
	struct verbs_peer *peer;
	uint32_t remote_qpn;	/* of that peer */
};

/* -EOPNOTSUPP, and err says that something is missing, if the device has none. */
int srd_qp_create(struct verbs_peer *peer, struct srd_qp *qp, struct error *err);
void srd_qp_destroy(struct srd_qp *qp);

/* Tells the peer over the stream socket who it is, and from then on has it for a peer. */
int srd_qp_connect_over(struct srd_qp *qp, int socket, struct error *err);

/* to: of the same device, or NULL: the peer. Returns with its completion in *wc, whatever that says. */
int srd_write(struct srd_qp *qp, const struct srd_qp *to, struct verbs_local local,
	      struct verbs_remote remote, struct ibv_wc *wc, struct error *err);
int srd_read(struct srd_qp *qp, const struct srd_qp *to, struct verbs_local local,
	     struct verbs_remote remote, struct ibv_wc *wc, struct error *err);

#endif
