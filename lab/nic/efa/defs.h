/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The device's layouts: the kernel's drivers/infiniband/hw/efa/efa_*_defs.h, taken from the kernel
 * tree at build time. All of them are little-endian, as is every host this model is built for.
 */
#ifndef LAB_NIC_EFA_DEFS_H
#define LAB_NIC_EFA_DEFS_H

#include <linux/bitfield.h>

#include <efa/efa_common_defs.h>
#include <efa/efa_admin_defs.h>
/* Uses the one before. */
#include <efa/efa_admin_cmds_defs.h>
#include <efa/efa_io_defs.h>
#include <efa/efa_regs_defs.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the EFA model copies the host's little-endian structures as they are"
#endif

/* What user space writes to a CQ's doorbell; only the provider's headers name it. */
#define CQ_DOORBELL_CONSUMER_MASK GENMASK(15, 0)
#define CQ_DOORBELL_ARM_MASK BIT(31)

static inline u64 efa_address(struct efa_common_mem_addr address)
{
	return (u64)address.mem_addr_high << 32 | address.mem_addr_low;
}

#endif
