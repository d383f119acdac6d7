/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel says over netlink of each RDMA device: its name, and how its MRs import dma-bufs. */
#ifndef TOOLS_RDMA_LEVELS_H
#define TOOLS_RDMA_LEVELS_H

#include <stddef.h>

#include "error.h"

enum dmabuf_level {
	DMABUF_LEVEL_UNTOLD,		/* this kernel or this driver does not say */
	DMABUF_LEVEL_FAULTING,
	DMABUF_LEVEL_REVOKING,
	DMABUF_LEVEL_UNSUPPORTED,
};

struct rdma_level {
	char device[64];
	enum dmabuf_level level;
};

/* The kernel's name of a level, NULL for the first. */
const char *dmabuf_level_name(enum dmabuf_level level);

/*
 * All devices of this network namespace: an array that the caller frees, and
 * its length. 0 or -errno.
 */
int rdma_levels_read(struct rdma_level **levels, size_t *count, struct error *err);

#endif
