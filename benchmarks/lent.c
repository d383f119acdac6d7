/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

/* One system call maps this many MRs. */
#define PREFETCH_BATCH 256

static int register_one(struct lent *lent, unsigned int i, struct error *err)
{
	return verbs_reg_dmabuf(&lent->bench->peer, lent->dmabuf_fd, 0, lent->size, 0,
				VERBS_ACCESS_ALL, &lent->mrs[i], err);
}

static int deregister_one(struct lent *lent, unsigned int i, struct error *err)
{
	int ret = ibv_dereg_mr(lent->mrs[i]);

	lent->mrs[i] = NULL;
	return ret ? error_set(err, ret, "deregistering an MR of a dma-buf failed") : 0;
}

int lent_init(struct bench *bench, uint64_t size, unsigned int count, struct lent *lent,
	      struct error *err)
{
	const struct vfio_range range = { bench->options.offset, size };
	int ret = 0;

	*lent = (struct lent){ .bench = bench, .size = size, .count = count, .dmabuf_fd = -1 };
	lent->mrs = calloc(count, sizeof(*lent->mrs));
	if (!lent->mrs)
		return error_set(err, ENOMEM, "no memory for %u MRs", count);
	lent->dmabuf_fd = vfio_exporter_export(bench->exporter, bench->options.bar, &range, 1, err);
	if (lent->dmabuf_fd < 0)
		ret = lent->dmabuf_fd;
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = register_one(lent, i, err);
	if (ret)
		lent_free(lent);
	return ret;
}

void lent_free(struct lent *lent)
{
	for (unsigned int i = 0; lent->mrs && i < lent->count; i++) {
		if (lent->mrs[i])
			ibv_dereg_mr(lent->mrs[i]);
	}
	free(lent->mrs);
	lent->mrs = NULL;
	if (lent->dmabuf_fd >= 0)
		close(lent->dmabuf_fd);
	lent->dmabuf_fd = -1;
}

static int prefetch(struct lent *lent, unsigned int first, unsigned int count)
{
	struct ibv_sge sges[PREFETCH_BATCH];

	for (unsigned int i = 0; i < count; i++)
		sges[i] = (struct ibv_sge){ .addr = 0, .length = 1, .lkey = lent->mrs[first + i]->lkey };
	return ibv_advise_mr(lent->bench->peer.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE,
			     IBV_ADVISE_MR_FLAG_FLUSH, sges, count);
}

static int register_again(struct lent *lent, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < lent->count; i++) {
		ret = deregister_one(lent, i, err);
		if (!ret)
			ret = register_one(lent, i, err);
	}
	return ret;
}

int lent_make_present(struct lent *lent, struct error *err)
{
	unsigned int batch;
	int ret;

	for (unsigned int i = 0; !lent->must_register && i < lent->count; i += batch) {
		batch = lent->count - i < PREFETCH_BATCH ? lent->count - i : PREFETCH_BATCH;
		ret = prefetch(lent, i, batch);
		if (ret == EOPNOTSUPP || ret == ENOSYS || ret == EPROTONOSUPPORT)
			lent->must_register = true;
		else if (ret)
			return error_set(err, ret, "mapping %u MRs by ibv_advise_mr() failed", batch);
	}
	return lent->must_register ? register_again(lent, err) : 0;
}
