/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Two queue pairs with a CQ each, and memory at both ends. */
#ifndef LAB_NIC_EFA_TESTS_TRAFFIC_H
#define LAB_NIC_EFA_TESTS_TRAFFIC_H

#include "host.h"

#define BUFFER (1u << 20)

struct traffic {
	struct host *host;
	struct host_cq cq_a, cq_b;
	struct host_qp a, b;
	u8 *from, *to;
	struct host_mr from_mr, to_mr;
};

/* The options' cq is chosen here. */
static inline struct traffic *traffic_new(struct host_qp_options options,
					  struct host_cq_options cq_options)
{
	struct traffic *traffic = g_new0(struct traffic, 1);
	struct host *host = host_new();

	traffic->host = host;
	host_new_cq(host, &traffic->cq_a, &cq_options);
	host_new_cq(host, &traffic->cq_b, &cq_options);
	options.cq = &traffic->cq_a;
	host_new_qp(host, &traffic->a, &options);
	options.cq = &traffic->cq_b;
	host_new_qp(host, &traffic->b, &options);
	traffic->from = host_alloc(host, BUFFER);
	traffic->to = host_alloc(host, BUFFER);
	fill_pattern(traffic->from, BUFFER);
	traffic->from_mr = host_new_mr(host, host->pd, traffic->from, BUFFER, RIGHTS_ALL);
	traffic->to_mr = host_new_mr(host, host->pd, traffic->to, BUFFER, RIGHTS_ALL);
	return traffic;
}

static inline struct host_send traffic_send(struct traffic *traffic, u8 operation, u16 request,
					    u32 length)
{
	return (struct host_send){
		.operation = operation,
		.request = request,
		.to = &traffic->b,
		.address = traffic->from,
		.length = length,
		.lkey = traffic->from_mr.lkey,
		.remote = traffic->to,
		.rkey = traffic->to_mr.rkey,
	};
}

static inline void traffic_receive(struct traffic *traffic, u16 request, u32 length)
{
	host_post_receive(&traffic->b, request, traffic->to, length, traffic->to_mr.lkey);
}

#endif
