/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "srd.h"

#include <errno.h>
#include <infiniband/efadv.h>

#include "clock.h"
#include "patience.h"

#define DEPTH 16
#define QKEY 0x11111111
#define COMPLETION_TIMEOUT_NS patience_ns(20 * NS_PER_S)

static bool is_efa(struct verbs_peer *peer)
{
	struct efadv_device_attr attr;

	return !efadv_query_device(peer->context, &attr, sizeof(attr));
}

static int to_rts(struct srd_qp *qp, uint8_t port, struct error *err)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = port, .qkey = QKEY };
	int ret;

	ret = ibv_modify_qp(qp->qp, &attr,
			    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
	attr.qp_state = IBV_QPS_RTR;
	if (!ret)
		ret = ibv_modify_qp(qp->qp, &attr, IBV_QP_STATE);
	attr.qp_state = IBV_QPS_RTS;
	if (!ret)
		ret = ibv_modify_qp(qp->qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN);
	return ret ? error_set(err, ret, "moving an SRD QP to RTS failed") : 0;
}

static int create_qp(struct verbs_peer *peer, struct srd_qp *qp, struct error *err)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = qp->cq,
		.recv_cq = qp->cq,
		.cap = { .max_send_wr = DEPTH, .max_recv_wr = DEPTH,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_DRIVER,
		.sq_sig_all = 1,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = peer->pd,
		.send_ops_flags = IBV_QP_EX_WITH_RDMA_READ | IBV_QP_EX_WITH_RDMA_WRITE,
	};
	struct efadv_qp_init_attr efa = { .driver_qp_type = EFADV_QP_DRIVER_TYPE_SRD };
	const char *name = ibv_get_device_name(peer->context->device);

	qp->qp = efadv_create_qp_ex(peer->context, &attr, &efa, sizeof(efa));
	if (qp->qp)
		return 0;
	if (errno == EOPNOTSUPP)
		return error_missing(err, errno, "RDMA device %s has no SRD queue pairs with RDMA", name);
	return error_set(err, errno, "RDMA device %s: creating an SRD queue pair failed", name);
}

int srd_qp_create(struct verbs_peer *peer, struct srd_qp *qp, struct error *err)
{
	struct ibv_ah_attr attr = { .is_global = 1, .port_num = peer->port };
	int ret;

	*qp = (struct srd_qp){ .peer = peer };
	if (ibv_query_gid(peer->context, peer->port, 0, &attr.grh.dgid))
		return error_set(err, errno, "querying GID 0 failed");
	if (!is_efa(peer))
		return error_missing(err, EOPNOTSUPP, "RDMA device %s has no SRD queue pairs: it is no "
				     "EFA", ibv_get_device_name(peer->context->device));
	qp->ah = ibv_create_ah(peer->pd, &attr);
	if (!qp->ah)
		return error_set(err, errno, "creating an address handle failed");
	qp->cq = ibv_create_cq(peer->context, 2 * DEPTH, NULL, NULL, 0);
	ret = qp->cq ? create_qp(peer, qp, err) : error_set(err, errno, "creating a CQ failed");
	if (!ret)
		ret = to_rts(qp, peer->port, err);
	if (ret)
		srd_qp_destroy(qp);
	return ret;
}

void srd_qp_destroy(struct srd_qp *qp)
{
	if (qp->qp)
		ibv_destroy_qp(qp->qp);
	if (qp->cq)
		ibv_destroy_cq(qp->cq);
	if (qp->ah)
		ibv_destroy_ah(qp->ah);
	*qp = (struct srd_qp){ 0 };
}

static int set_peer(struct srd_qp *qp, const struct verbs_endpoint *remote, struct error *err)
{
	struct ibv_ah_attr attr = {
		.is_global = 1, .port_num = qp->peer->port, .grh = { .dgid = remote->gid },
	};
	struct ibv_ah *ah = ibv_create_ah(qp->peer->pd, &attr);

	if (!ah)
		return error_set(err, errno, "creating an address handle of the peer failed");
	ibv_destroy_ah(qp->ah);
	qp->ah = ah;
	qp->remote_qpn = remote->qpn;
	return 0;
}

int srd_qp_connect_over(struct srd_qp *qp, int socket, struct error *err)
{
	struct verbs_endpoint local = { .qpn = qp->qp->qp_num, .has_gid = 1 }, remote;
	char ready = 1, peer_ready;
	int ret;

	if (ibv_query_gid(qp->peer->context, qp->peer->port, 0, &local.gid))
		return error_set(err, errno, "querying GID 0 failed");
	ret = verbs_exchange(socket, &local, &remote, sizeof(remote), err);
	if (!ret)
		ret = set_peer(qp, &remote, err);
	return ret ?: verbs_exchange(socket, &ready, &peer_ready, 1, err);
}

static int finish(struct srd_qp *qp, const struct srd_qp *to, struct verbs_local local,
		  struct ibv_wc *wc, struct error *err)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(qp->qp);
	int64_t end = clock_now_ns() + COMPLETION_TIMEOUT_NS;
	int ret;

	ibv_wr_set_sge(ex, local.lkey, local.address, local.length);
	ibv_wr_set_ud_addr(ex, qp->ah, to ? to->qp->qp_num : qp->remote_qpn, QKEY);
	ret = ibv_wr_complete(ex);
	if (ret)
		return error_set(err, ret, "posting to an SRD queue pair failed");
	while ((ret = ibv_poll_cq(qp->cq, 1, wc)) == 0)
		if (clock_now_ns() > end)
			return error_set(err, ETIMEDOUT, "no completion on an SRD queue pair");
	return ret < 0 ? error_set(err, -ret, "polling an SRD queue pair's CQ failed") : 0;
}

int srd_write(struct srd_qp *qp, const struct srd_qp *to, struct verbs_local local,
	      struct verbs_remote remote, struct ibv_wc *wc, struct error *err)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(qp->qp);

	ibv_wr_start(ex);
	ibv_wr_rdma_write(ex, remote.rkey, remote.address);
	return finish(qp, to, local, wc, err);
}

int srd_read(struct srd_qp *qp, const struct srd_qp *to, struct verbs_local local,
	     struct verbs_remote remote, struct ibv_wc *wc, struct error *err)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(qp->qp);

	ibv_wr_start(ex);
	ibv_wr_rdma_read(ex, remote.rkey, remote.address);
	return finish(qp, to, local, wc, err);
}
