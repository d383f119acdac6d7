/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * UMR work requests: 16 bytes of control segment, 48 of UMR control, 64 of key context, then the
 * translation, inline or behind one data segment. All forms (enable and load, zap, free, change of
 * page size, bind of a window, local invalidate, fast registration) are one operation: check the
 * key's state, load entries at an offset, set those fields of the context that the mask names.
 *
 * Which syndrome silicon reports for which mistake is not public: a malformed work request ends in
 * "local QP operation", one that the key's state or owner forbids in "memory window bind", a
 * translation list that cannot be read in "local protection".
 */
#include "device.h"
#include "memory_key.h"

#define CONTROL_BYTES 16u
#define UMR_CONTROL_OFFSET 16u
#define CONTEXT_OFFSET 64u
#define DATA_OFFSET 128u
#define CONTEXT_BYTES 64u

enum umr_flags {
	UMR_CHECK_QPN = 1 << 3,
	UMR_OFFSET_ENABLED = 1 << 4,
	UMR_FAIL_UNLESS_FREE = 1 << 5,
	UMR_FAIL_IF_FREE = 1 << 6,
	UMR_INLINE = 1 << 7,
};

enum {
	MASK_LENGTH = 1u << 0,
	MASK_PAGE_SIZE = 1u << 1,
	MASK_START = 1u << 6,
	MASK_PD = 1u << 7,
	MASK_REMOTE_INVALIDATE = 1u << 8,
	MASK_KEY = 1u << 13,
	MASK_QPN = 1u << 14,
	MASK_LOCAL_READ = 1u << 17,
	MASK_LOCAL_WRITE = 1u << 18,
	MASK_REMOTE_READ = 1u << 19,
	MASK_REMOTE_WRITE = 1u << 20,
	MASK_ATOMIC = 1u << 21,
	MASK_SMALL_FENCE = 1u << 23,
	MASK_RELAXED_WRITE = 1u << 25,
	MASK_FREE = 1u << 29,
};
#define MASK_RELAXED_READ (1ull << 47)
/* Fences and relaxed ordering change nothing here: the model does one thing after the other. */
#define MASK_KNOWN                                                                                 \
	(MASK_LENGTH | MASK_PAGE_SIZE | MASK_START | MASK_PD | MASK_REMOTE_INVALIDATE | MASK_KEY | \
	 MASK_QPN | MASK_LOCAL_READ | MASK_LOCAL_WRITE | MASK_REMOTE_READ | MASK_REMOTE_WRITE |    \
	 MASK_ATOMIC | MASK_SMALL_FENCE | MASK_RELAXED_WRITE | MASK_FREE | MASK_RELAXED_READ)

struct umr {
	u8 flags;
	u32 octowords;
	u64 offset, mask;
	const u8 *context;
};

static u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static void parse(struct umr *umr, const u8 *wqe)
{
	const u8 *control = wqe + UMR_CONTROL_OFFSET;

	umr->flags = control[0];
	umr->octowords = get16(control + 4);
	umr->offset = get16(control + 6) | (u64)ifc_get32(control, 128, 32) << 16;
	umr->mask = ifc_get64(control, 64);
	umr->context = wqe + CONTEXT_OFFSET;
	if (!(umr->flags & UMR_OFFSET_ENABLED))
		umr->offset = 0;
}

static bool allowed(const struct umr *umr, const struct mlx5_mkey *key, u8 variant, u32 qp_pd,
		    u32 qpn, bool privileged)
{
	bool frees = umr->mask & MASK_FREE && IFC_GET(mkc, umr->context, free);

	if (!key->umr_enabled || key->mode == MKEY_PHYSICAL || key->mode == MKEY_NULL ||
	    key->mode == MKEY_DEVICE_MEMORY)
		return false;
	if (!privileged && (key->pd != qp_pd || umr->mask & MASK_PD))
		return false;
	if (umr->flags & UMR_FAIL_IF_FREE && key->free)
		return false;
	if (umr->flags & UMR_FAIL_UNLESS_FREE && !key->free)
		return false;
	if (umr->flags & UMR_CHECK_QPN && key->qpn != qpn)
		return false;
	/* A stale number must not invalidate the key's next life. */
	return !(frees && !privileged && !key->free && key->variant != variant);
}

static enum cqe_syndrome load(struct mlx5_device *dev, const struct umr *umr,
			      struct mlx5_mkey *key, const u8 *wqe, size_t len, u32 qp_pd)
{
	u32 bytes = umr->octowords * OCTOWORD_BYTES;
	g_autofree u8 *list = NULL;
	struct access access = {.kind = ACCESS_LOCAL_READ, .pd = qp_pd};
	u64 va;

	if (!umr->octowords)
		return SYNDROME_NONE;
	if (umr->flags & UMR_INLINE) {
		if (len < DATA_OFFSET + bytes)
			return SYNDROME_LOCAL_QP_OP;
		return memory_key_load(key, umr->offset, wqe + DATA_OFFSET, umr->octowords, 0)
			       ? SYNDROME_NONE
			       : SYNDROME_MW_BIND;
	}
	if (len < DATA_OFFSET + OCTOWORD_BYTES)
		return SYNDROME_LOCAL_QP_OP;
	if (ifc_get32(wqe + DATA_OFFSET, 0, 32) < bytes)
		return SYNDROME_LOCAL_LENGTH;
	access.key = ifc_get32(wqe + DATA_OFFSET, 32, 32);
	va = ifc_get64(wqe + DATA_OFFSET, 64);
	list = g_malloc(bytes);
	for (u32 done = 0; done < bytes; done += access.length) {
		access.va = va + done;
		access.length = MIN(bytes - done, QP_SLICE_BYTES);
		if (memory_key_access(dev, &access, list + done, NULL))
			return SYNDROME_LOCAL_PROT;
	}
	return memory_key_load(key, umr->offset, list, umr->octowords, 0) ? SYNDROME_NONE
									  : SYNDROME_MW_BIND;
}

static void apply(const struct umr *umr, struct mlx5_mkey *key)
{
	const u8 *context = umr->context;

#define FIELD(field) IFC_GET(mkc, context, field)
	if (umr->mask & MASK_LENGTH) {
		key->length = IFC_GET64(mkc, context, len);
		key->length64 = FIELD(length64);
	}
	if (umr->mask & MASK_PAGE_SIZE)
		key->log_page_size = FIELD(log_page_size);
	if (umr->mask & MASK_START)
		key->start = IFC_GET64(mkc, context, start_addr);
	if (umr->mask & MASK_PD)
		key->pd = FIELD(pd);
	if (umr->mask & MASK_REMOTE_INVALIDATE)
		key->remote_invalidate = FIELD(en_rinval);
	if (umr->mask & MASK_KEY)
		key->variant = FIELD(mkey_7_0);
	if (umr->mask & MASK_QPN)
		key->qpn = FIELD(qpn);
	if (umr->mask & MASK_LOCAL_READ)
		key->local_read = FIELD(lr);
	if (umr->mask & MASK_LOCAL_WRITE)
		key->local_write = FIELD(lw);
	if (umr->mask & MASK_REMOTE_READ)
		key->remote_read = FIELD(rr);
	if (umr->mask & MASK_REMOTE_WRITE)
		key->remote_write = FIELD(rw);
	if (umr->mask & MASK_ATOMIC)
		key->remote_atomic = FIELD(a);
	if (umr->mask & MASK_FREE)
		key->free = FIELD(free);
#undef FIELD
}

static enum cqe_syndrome execute(struct mlx5_device *dev, const u8 *wqe, size_t len, u32 qp_pd,
				 u32 qpn, bool privileged)
{
	enum cqe_syndrome syndrome;
	struct mlx5_mkey *key;
	struct umr umr;
	u32 number;

	if (len < CONTEXT_OFFSET + CONTEXT_BYTES)
		return SYNDROME_LOCAL_QP_OP;
	parse(&umr, wqe);
	if (umr.mask & ~MASK_KNOWN)
		return SYNDROME_LOCAL_QP_OP;
	number = ifc_get32(wqe, 96, 32);
	key = memory_key_find(dev, number >> 8);
	if (!key || !allowed(&umr, key, number & 0xff, qp_pd, qpn, privileged))
		return SYNDROME_MW_BIND;
	syndrome = load(dev, &umr, key, wqe, len, qp_pd);
	if (!syndrome)
		apply(&umr, key);
	return syndrome;
}

enum cqe_syndrome umr_execute(struct mlx5_device *dev, const u8 *wqe, size_t len, u32 qp_pd,
			      u32 qpn, bool privileged)
{
	enum cqe_syndrome syndrome = execute(dev, wqe, len, qp_pd, qpn, privileged);

	(*dev->count.umrs)++;
	if (syndrome) {
		(*dev->count.umrs_failed)++;
		mlx5_log(dev, "UMR of key 0x%x on QP 0x%x fails with syndrome 0x%x",
			 len >= CONTROL_BYTES ? ifc_get32(wqe, 96, 32) : 0, qpn, syndrome);
	}
	return syndrome;
}
