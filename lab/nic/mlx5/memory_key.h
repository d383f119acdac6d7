/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A memory key as memory_key.c and umr.c see it. */
#ifndef LAB_NIC_MLX5_MEMORY_KEY_H
#define LAB_NIC_MLX5_MEMORY_KEY_H

#include "mlx5.h"

#define MKEY_ANY_QPN 0xffffffu
#define OCTOWORD_BYTES 16u
/* What the host may load goes in 64 byte pieces: four octowords, eight MTTs or four KLMs. */
#define TRANSLATION_ALIGNMENT 4u

enum mkey_mode {
	MKEY_PHYSICAL = 0,
	MKEY_MTT = 1,
	MKEY_KLM = 2,
	MKEY_KSM = 3,
	MKEY_DEVICE_MEMORY = 5, /* addresses count from the key's start, an offset in the BAR */
	MKEY_NULL = 0x100, /* the device's own: reads zeros, swallows writes */
};

enum { MTT_READ = 1 << 0, MTT_WRITE = 1 << 1 };
#define MTT_PRESENT ((u64)(MTT_READ | MTT_WRITE))
#define MTT_ADDRESS (~0xfffull)

struct mlx5_mkey {
	struct mlx5_device *dev;
	u32 index;
	u8 variant;
	enum mkey_mode mode;
	bool free, umr_enabled, remote_invalidate;
	bool local_read, local_write, remote_read, remote_write, remote_atomic;
	bool length64;
	u32 pd, qpn;
	u64 start, length;
	u32 log_page_size;
	u32 octowords; /* capacity of the translation table */
	/*
	 * Two host-order qwords an octoword, as the host gave them: two MTTs, or one KLM/KSM. NULL
	 * as long as nothing was loaded.
	 */
	u64 *translation;
	/*
	 * Present MTTs, and bounds of where they point, so that an unmap by the host costs little
	 * for keys that it does not concern.
	 */
	u64 present, lowest, highest;
};

struct mlx5_mkey *memory_key_find(struct mlx5_device *dev, u32 index);
static inline u32 memory_key_number(const struct mlx5_mkey *key)
{
	return key->index << 8 | key->variant;
}
/* Entries from the host's big-endian list. False when out of memory or beyond the table. */
bool memory_key_load(struct mlx5_mkey *key, u64 octoword, const void *entries, u32 octowords,
		     u64 set_bits);

#endif
