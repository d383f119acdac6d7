/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The device's layouts and codes: headers of the kernel's drivers/infiniband/hw/irdma, taken from
 * the kernel tree at build time, and what they lean on. All of it is little-endian, as is every
 * host this model is built for.
 */
#ifndef LAB_NIC_IRDMA_LAYOUT_H
#define LAB_NIC_IRDMA_LAYOUT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the irdma model copies the host's little-endian structures as they are"
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef struct kernel_spinlock spinlock_t;

#define __iomem
#define ETH_ALEN 6
#define cpu_to_le32(value) (value)
#define cpu_to_le64(value) (value)
#define le32_to_cpu(value) (value)
#define le64_to_cpu(value) (value)
#define BIT(nr) (1u << (nr))
#define BIT_ULL(nr) (1ull << (nr))
#define GENMASK_ULL(high, low) ((~0ull << (low)) & (~0ull >> (63 - (high))))
#define GENMASK(high, low) GENMASK_ULL(high, low)
#define FIELD_SHIFT(mask) __builtin_ctzll(mask)
#define FIELD_GET(mask, word) (((u64)(word) & (mask)) >> FIELD_SHIFT(mask))
#define FIELD_PREP(mask, value) (((u64)(value) << FIELD_SHIFT(mask)) & (mask))

/* What they embed of the kernel's and the driver's own. */
struct irdma_sc_dev;
struct irdma_hw;
struct ib_sge {
	u64 addr;
	u32 length, lkey;
};

struct irdma_dma_mem {
	void *va;
	u64 pa;
	u32 size;
};

#include <irdma-driver/defs.h>
#include <irdma-driver/user.h>
#include <irdma-driver/icrdma_hw.h>
#include <irdma-driver/uda_d.h>

/* Types of RDMA features; the driver's type.h has them, which needs the rest of the kernel. */
#define FEATURE_FIRMWARE 0
#define FEATURE_HARDWARE 1

/* Doorbells that user space rings, in the page at ICRDMA_DB_ADDR_OFFSET (provider's umain.h). */
#define DOORBELL_SEND 0u
#define DOORBELL_CQ 64u

#define QUANTUM_BYTES 32u /* a work request is one to eight of them */
#define MAX_QUANTA IRDMA_MAX_QUANTA_PER_WR
#define HOST_PAGE_BYTES 4096u
#define HOST_PAGE_MASK (~(u64)(HOST_PAGE_BYTES - 1))
#define PBLES_IN_A_PAGE 512u

#endif
