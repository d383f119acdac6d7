/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An RDMA device as exporter: memory on it (ibv_alloc_dm), lent as a dma-buf. libibverbs 62 or
 * later has the call for it, which is looked for when the program runs.
 *
 * Functions return 0 or -errno and fill *err, which may be NULL.
 */
#ifndef TESTS_VERBS_COMMON_DEVICE_MEMORY_H
#define TESTS_VERBS_COMMON_DEVICE_MEMORY_H

#include <infiniband/verbs.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct device_memory {
	struct ibv_context *context;
	struct ibv_dm *dm;
	size_t size;
	int dmabuf;
};

/* The first device that has memory to lend and is not the one named. */
int device_memory_open(struct device_memory *memory, const char *not_on, size_t size,
		       struct error *err);
/* One more dma-buf of the same memory: its fd. */
int device_memory_export(struct device_memory *memory, struct error *err);
/* Each of these may have been done before. */
void device_memory_close_dmabuf(struct device_memory *memory);
int device_memory_free(struct device_memory *memory, struct error *err);
void device_memory_close(struct device_memory *memory);

/* By the CPU. size: all of it. */
int device_memory_put(struct device_memory *memory, const void *data, struct error *err);
int device_memory_get(struct device_memory *memory, void *data, struct error *err);

/* Another process that has such memory, and its dma-buf in this one. */
struct device_memory_owner {
	pid_t pid;
	int dmabuf;
};

int device_memory_owner_start(struct device_memory_owner *owner, const char *not_on, size_t size,
			      struct error *err);
/* SIGKILL; returns when it is gone. */
int device_memory_owner_kill(struct device_memory_owner *owner, struct error *err);

#endif
