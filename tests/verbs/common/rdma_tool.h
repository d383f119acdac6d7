/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What iproute2's rdma shows of the kernel's objects. Functions end the running test when they fail. */
#ifndef TESTS_VERBS_COMMON_RDMA_TOOL_H
#define TESTS_VERBS_COMMON_RDMA_TOOL_H

#include <infiniband/verbs.h>
#include <jansson.h>

/*
 * The answer to a command of iproute2 with -j (rdma, devlink), for the caller to json_decref(). Skips if
 * there is no such program.
 */
json_t *rdma_tool_ask(const char *command);

/* The line of "rdma -dd resource show mr" that has the MR's rkey, for the caller to json_decref(). */
json_t *rdma_tool_mr(const struct ibv_mr *mr);

#endif
