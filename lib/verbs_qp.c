/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tcp.h"
#include "verbs_peer.h"

#define REMOTE_ACCESS (VERBS_ACCESS_ALL & ~IBV_ACCESS_LOCAL_WRITE)

/* Drivers refuse to let a QP take atomics that the device does not have. */
static int default_access(const struct verbs_peer *peer)
{
	if (peer->attr.orig_attr.atomic_cap == IBV_ATOMIC_NONE)
		return REMOTE_ACCESS & ~IBV_ACCESS_REMOTE_ATOMIC;
	return REMOTE_ACCESS;
}

static struct verbs_qp_options with_defaults(const struct verbs_peer *peer,
					     const struct verbs_qp_options *given)
{
	struct verbs_qp_options options = given ? *given :
		(struct verbs_qp_options){ .rnr_retry = 7 };

	options.depth = options.depth ?: 64;
	options.max_sge = options.max_sge ?: 1;
	options.timeout = options.timeout ?: 14;
	options.retry_count = options.retry_count ?: 7;
	options.access = options.access ?: default_access(peer);
	return options;
}

static uint32_t random_psn(void)
{
	uint32_t psn = 0;

	if (getrandom(&psn, sizeof(psn), 0) != sizeof(psn))
		psn = 0x5eed;
	return psn & 0xffffff;
}

static const char *device_name(const struct verbs_qp *qp)
{
	return ibv_get_device_name(qp->peer->context->device);
}

static int create_cq(struct verbs_qp *qp, struct error *err)
{
	if (qp->peer->events) {
		qp->channel = ibv_create_comp_channel(qp->peer->context);
		if (!qp->channel)
			return error_set(err, errno, "RDMA device %s: creating a completion channel "
					 "failed", device_name(qp));
	}
	qp->cq = ibv_create_cq(qp->peer->context, (int)(2 * qp->options.depth), NULL, qp->channel, 0);
	if (!qp->cq)
		return error_set(err, errno, "RDMA device %s: creating a CQ of %u entries failed",
				 device_name(qp), 2 * qp->options.depth);
	return 0;
}

int verbs_qp_create(struct verbs_peer *peer, const struct verbs_qp_options *options,
		    struct verbs_qp *qp, struct error *err)
{
	struct ibv_qp_init_attr attr;
	int ret;

	*qp = (struct verbs_qp){ .peer = peer, .options = with_defaults(peer, options) };
	ret = create_cq(qp, err);
	if (ret)
		goto destroy;
	attr = (struct ibv_qp_init_attr){
		.send_cq = qp->cq,
		.recv_cq = qp->cq,
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap = {
			.max_send_wr = qp->options.depth,
			.max_recv_wr = qp->options.depth,
			.max_send_sge = qp->options.max_sge,
			.max_recv_sge = qp->options.max_sge,
			.max_inline_data = qp->options.max_inline,
		},
	};
	qp->qp = ibv_create_qp(peer->pd, &attr);
	if (!qp->qp) {
		ret = error_set(err, errno, "RDMA device %s: creating an RC QP of depth %u failed",
				device_name(qp), qp->options.depth);
		goto destroy;
	}
	qp->local = (struct verbs_endpoint){
		.gid = peer->gid,
		.qpn = qp->qp->qp_num,
		.psn = random_psn(),
		.lid = peer->port_attr.lid,
		.mtu = (uint8_t)peer->port_attr.active_mtu,
		.has_gid = peer->gid_index >= 0,
	};
	return 0;

destroy:
	verbs_qp_destroy(qp);
	return ret;
}

void verbs_qp_destroy(struct verbs_qp *qp)
{
	if (qp->qp)
		ibv_destroy_qp(qp->qp);
	if (qp->cq) {
		if (qp->unacked_events)
			ibv_ack_cq_events(qp->cq, qp->unacked_events);
		ibv_destroy_cq(qp->cq);
	}
	if (qp->channel)
		ibv_destroy_comp_channel(qp->channel);
	*qp = (struct verbs_qp){ 0 };
}

static const char *state_name(enum ibv_qp_state state)
{
	static const char *const names[] = { "RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR" };

	return (unsigned int)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static int modify(struct verbs_qp *qp, struct ibv_qp_attr *attr, int mask, struct error *err)
{
	int ret = ibv_modify_qp(qp->qp, attr, mask | IBV_QP_STATE);

	if (!ret)
		return 0;
	return error_set(err, ret, "RDMA device %s: moving QP %#x to %s failed", device_name(qp),
			 qp->qp->qp_num, state_name(attr->qp_state));
}

int verbs_qp_set_state(struct verbs_qp *qp, enum ibv_qp_state state, struct error *err)
{
	struct ibv_qp_attr attr = { .qp_state = state };

	return modify(qp, &attr, 0, err);
}

enum ibv_qp_state verbs_qp_state(struct verbs_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	return ibv_query_qp(qp->qp, &attr, IBV_QP_STATE, &init) ? IBV_QPS_UNKNOWN : attr.qp_state;
}

static int to_init(struct verbs_qp *qp, struct error *err)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = qp->peer->port,
		.qp_access_flags = (unsigned int)qp->options.access,
	};

	return modify(qp, &attr, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS, err);
}

/* A device without atomics reports a depth of 0, which the QP must still be able to say. */
static uint8_t read_depth(int limit)
{
	return (uint8_t)(limit < 1 ? 1 : limit > 16 ? 16 : limit);
}

static int to_rtr(struct verbs_qp *qp, struct error *err)
{
	const struct verbs_endpoint *local = &qp->local, *remote = &qp->remote;
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = local->mtu < remote->mtu ? local->mtu : remote->mtu,
		.dest_qp_num = remote->qpn,
		.rq_psn = remote->psn,
		.max_dest_rd_atomic = read_depth(qp->peer->attr.orig_attr.max_qp_rd_atom),
		.min_rnr_timer = 1,
		.ah_attr = { .dlid = remote->lid, .port_num = qp->peer->port },
	};

	if (local->has_gid) {
		attr.ah_attr.is_global = 1;
		attr.ah_attr.grh.dgid = remote->gid;
		attr.ah_attr.grh.sgid_index = (uint8_t)qp->peer->gid_index;
		attr.ah_attr.grh.hop_limit = 64;
	}
	return modify(qp, &attr, IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
		      IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER, err);
}

static int to_rts(struct verbs_qp *qp, struct error *err)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTS,
		.sq_psn = qp->local.psn,
		.timeout = qp->options.timeout,
		.retry_cnt = qp->options.retry_count,
		.rnr_retry = qp->options.rnr_retry,
		.max_rd_atomic = read_depth(qp->peer->attr.orig_attr.max_qp_init_rd_atom),
	};

	return modify(qp, &attr, IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
		      IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC, err);
}

int verbs_qp_connect(struct verbs_qp *qp, const struct verbs_endpoint *remote, struct error *err)
{
	int ret;

	if (!!remote->has_gid != !!qp->local.has_gid)
		return error_set(err, EINVAL, "one peer addresses by GID, the other by LID: give both "
				 "the same -x");
	qp->remote = *remote;
	ret = to_init(qp, err);
	if (!ret)
		ret = to_rtr(qp, err);
	return ret ?: to_rts(qp, err);
}

static void drain(struct verbs_qp *qp)
{
	struct ibv_wc wc[16];

	while (ibv_poll_cq(qp->cq, 16, wc) > 0)
		;
}

static int to_reset(struct verbs_qp *qp, struct error *err)
{
	int ret = verbs_qp_set_state(qp, IBV_QPS_RESET, err);

	if (!ret)
		drain(qp);
	return ret;
}

int verbs_qp_recycle(struct verbs_qp *qp, struct error *err)
{
	struct verbs_endpoint remote = qp->remote;
	int ret = to_reset(qp, err);

	return ret ?: verbs_qp_connect(qp, &remote, err);
}

static int connect_pair(struct verbs_pair *pair, struct error *err)
{
	int ret = verbs_qp_connect(&pair->responder, &pair->initiator.local, err);

	return ret ?: verbs_qp_connect(&pair->initiator, &pair->responder.local, err);
}

int verbs_pair_create(struct verbs_peer *peer, const struct verbs_qp_options *options,
		      struct verbs_pair *pair, struct error *err)
{
	int ret;

	*pair = (struct verbs_pair){ 0 };
	ret = verbs_qp_create(peer, options, &pair->initiator, err);
	if (!ret)
		ret = verbs_qp_create(peer, options, &pair->responder, err);
	if (!ret)
		ret = connect_pair(pair, err);
	if (ret)
		verbs_pair_destroy(pair);
	return ret;
}

void verbs_pair_destroy(struct verbs_pair *pair)
{
	verbs_qp_destroy(&pair->initiator);
	verbs_qp_destroy(&pair->responder);
}

/*
 * Both go to RESET before either comes back, and both take new PSNs: a packet
 * of the earlier connection that is still under way must not fit the new one.
 */
static int renew_pair(struct verbs_pair *pair, struct error *err)
{
	const struct verbs_qp_options options = pair->initiator.options;
	struct verbs_peer *peer = pair->initiator.peer;

	verbs_pair_destroy(pair);
	return verbs_pair_create(peer, &options, pair, err);
}

int verbs_pair_recycle(struct verbs_pair *pair, struct error *err)
{
	int ret = to_reset(&pair->initiator, err);

	if (!ret)
		ret = to_reset(&pair->responder, err);
	if (ret)
		return ret;
	pair->initiator.local.psn = random_psn();
	pair->responder.local.psn = random_psn();
	ret = connect_pair(pair, err);
	return ret == -EINVAL ? renew_pair(pair, err) : ret;
}

int verbs_exchange(int socket, const void *local, void *remote, size_t length, struct error *err)
{
	int ret = tcp_send(socket, local, length, err);

	return ret ?: tcp_receive(socket, remote, length, err);
}

int verbs_qp_connect_over(struct verbs_qp *qp, int socket, struct error *err)
{
	struct verbs_endpoint remote;
	char ready = 1, peer_ready;
	int ret;

	ret = verbs_exchange(socket, &qp->local, &remote, sizeof(remote), err);
	if (!ret)
		ret = verbs_qp_connect(qp, &remote, err);
	return ret ?: verbs_exchange(socket, &ready, &peer_ready, 1, err);
}
