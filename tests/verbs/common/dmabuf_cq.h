/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A completion queue in a dma-buf, which the device pins for it. Takes a kernel that can (7.3). */
#ifndef TESTS_VERBS_COMMON_DMABUF_CQ_H
#define TESTS_VERBS_COMMON_DMABUF_CQ_H

#include <infiniband/verbs.h>
#include <stdint.h>

struct dmabuf_cq {
	int dmabuf;
	uint64_t length;	/* of the buffer, from the dma-buf's start */
	uint32_t entries;
	uint32_t driver;	/* enum rdma_driver_id; what it wants to know and tells: */
	const void *driver_in;
	uint16_t driver_in_length;
	void *driver_out;
	uint16_t driver_out_length;
};

/* The CQ goes with the context. Returns 0 or -errno. */
int dmabuf_cq_create(struct ibv_context *context, const struct dmabuf_cq *cq);

#endif
