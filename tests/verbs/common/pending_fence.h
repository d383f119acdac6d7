/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A fence that does not signal before a test wants it, put on a dma-buf as any holder of its fd can put one
 * there. Functions return 0 or -errno and fill *err, which may be NULL.
 */
#ifndef TESTS_VERBS_COMMON_PENDING_FENCE_H
#define TESTS_VERBS_COMMON_PENDING_FENCE_H

#include <stdbool.h>

#include "error.h"

/* All zero: none. */
struct pending_fence {
	bool is_pending;
	int timeline;
};

/* -ENOENT, and err says that something is missing, on a kernel without CONFIG_SW_SYNC. */
int pending_fence_put(struct pending_fence *fence, int dmabuf, struct error *err);
/* Nothing where none is. */
void pending_fence_signal(struct pending_fence *fence);

#endif
