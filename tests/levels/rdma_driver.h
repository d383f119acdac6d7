/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Taking an RDMA device's driver away while programs use the device, and giving it back. */
#ifndef TESTS_LEVELS_RDMA_DRIVER_H
#define TESTS_LEVELS_RDMA_DRIVER_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

struct rdma_driver {
	char path[512];		/* in sysfs */
	char device[128];	/* on its bus */
	char node[64];		/* of uverbs */
	pid_t unbinder;		/* a process that has not ended yet; 0: none */
	int pidfd;
};

/*
 * module: what the name of the driver begins with. Bound to the PCI function (mlx5_core, efa), or to
 * an auxiliary device of it, where another driver has the function (irdma).
 */
int rdma_driver_find(struct rdma_driver *driver, const struct ibv_context *context,
		     const char *module, struct error *err);

/*
 * Returns when the driver has let go; *waits tells if it has not, but waits for those who have the
 * device open. patient: that is expected, and nobody can open the device any more.
 */
int rdma_driver_unbind(struct rdma_driver *driver, bool patient, bool *waits, struct error *err);
/* Does it wait still? */
bool rdma_driver_waits(const struct rdma_driver *driver);
/* Returns when a driver that waited has let go. */
int rdma_driver_unbound(struct rdma_driver *driver, struct error *err);
/* Returns when the driver has taken the device. */
int rdma_driver_bind(const struct rdma_driver *driver, struct error *err);

#endif
