/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Taking the driver from a PCI function and giving it back, through sysfs. */
#ifndef TESTS_VERBS_COMMON_DRIVER_H
#define TESTS_VERBS_COMMON_DRIVER_H

#include <stddef.h>

#include "error.h"

/* Only where somebody said that it may be done: TESTS_MAY_UNBIND=1. */
int driver_may_unbind(struct error *err);

/* The driver's name of the PCI function bdf. */
int driver_name(const char *bdf, char *name, size_t length, struct error *err);
/* Return when the driver has let go, or has taken the function. */
int driver_unbind(const char *driver, const char *bdf, struct error *err);
int driver_bind(const char *driver, const char *bdf, struct error *err);

/* The PCI function behind an RDMA device. */
int driver_bdf_of_ib_device(const char *device, char *bdf, size_t length, struct error *err);

#endif
