/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Access to the structures of the kernel's include/linux/mlx5/mlx5_ifc.h, which is taken from the
 * kernel tree at build time. There every field is a byte array as long as the field has bits, so
 * sizeof and offsetof count bits; on the wire every structure is a row of big-endian dwords.
 */
#ifndef LAB_NIC_MLX5_IFC_H
#define LAB_NIC_MLX5_IFC_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* What that header takes from others of the kernel. */
#define BIT(nr) (1u << (nr))
#define BIT_ULL(nr) (1ull << (nr))
#define DECLARE_FLEX_ARRAY(type, name)                                                             \
	struct {                                                                                   \
		struct {                                                                           \
		} empty_##name;                                                                    \
		type name[];                                                                       \
	}

#include <linux/mlx5/mlx5_ifc.h>

#define IFC_BITS(type, field) (sizeof(((struct mlx5_ifc_##type##_bits *)0)->field))
#define IFC_BIT_OFFSET(type, field) (offsetof(struct mlx5_ifc_##type##_bits, field))
#define IFC_BYTES(type) (sizeof(struct mlx5_ifc_##type##_bits) / 8)

/* Pointer to a sub-structure or array that starts at a byte boundary. */
#define IFC_PTR(type, base, field) ((void *)((u8 *)(base) + IFC_BIT_OFFSET(type, field) / 8))
#define IFC_GET(type, base, field) \
	ifc_get32(base, IFC_BIT_OFFSET(type, field), IFC_BITS(type, field))
#define IFC_SET(type, base, field, value) \
	ifc_set32(base, IFC_BIT_OFFSET(type, field), IFC_BITS(type, field), value)
#define IFC_GET64(type, base, field) ifc_get64(base, IFC_BIT_OFFSET(type, field))
#define IFC_SET64(type, base, field, value) ifc_set64(base, IFC_BIT_OFFSET(type, field), value)

/* A number at any byte; all are big-endian. */
static inline u16 load16(const void *from)
{
	u16 value;

	memcpy(&value, from, sizeof(value));
	return be16toh(value);
}

static inline u32 load32(const void *from)
{
	u32 value;

	memcpy(&value, from, sizeof(value));
	return be32toh(value);
}

static inline u64 load64(const void *from)
{
	u64 value;

	memcpy(&value, from, sizeof(value));
	return be64toh(value);
}

static inline void store16(void *to, u16 value)
{
	value = htobe16(value);
	memcpy(to, &value, sizeof(value));
}

static inline void store32(void *to, u32 value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
}

static inline void store64(void *to, u64 value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof(value));
}

static inline u32 ifc_get32(const void *base, size_t bit, size_t bits)
{
	u32 dword = load32((const u8 *)base + bit / 32 * 4) >> (32 - bit % 32 - bits);

	return bits == 32 ? dword : dword & ((1u << bits) - 1);
}

static inline void ifc_set32(void *base, size_t bit, size_t bits, u32 value)
{
	u32 mask = bits == 32 ? ~0u : (1u << bits) - 1;
	size_t shift = 32 - bit % 32 - bits;
	u8 *dword = (u8 *)base + bit / 32 * 4;

	store32(dword, (load32(dword) & ~(mask << shift)) | ((value & mask) << shift));
}

static inline u64 ifc_get64(const void *base, size_t bit)
{
	return load64((const u8 *)base + bit / 8);
}

static inline void ifc_set64(void *base, size_t bit, u64 value)
{
	store64((u8 *)base + bit / 8, value);
}

#endif
