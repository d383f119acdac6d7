/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel's EFA headers take from the kernel's <linux/bitfield.h>, for masks of 32 bits. */
#ifndef LAB_NIC_EFA_KERNEL_LINUX_BITFIELD_H
#define LAB_NIC_EFA_KERNEL_LINUX_BITFIELD_H

#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define __packed __attribute__((packed))
#define BIT(nr) (1u << (nr))
#define GENMASK(high, low) ((~0u << (low)) & (~0u >> (31 - (high))))
#define FIELD_SHIFT(mask) __builtin_ctz(mask)
#define FIELD_GET(mask, word) (((word) & (mask)) >> FIELD_SHIFT(mask))
#define FIELD_PREP(mask, value) (((u32)(value) << FIELD_SHIFT(mask)) & (mask))

#endif
