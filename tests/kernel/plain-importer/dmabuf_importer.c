// SPDX-License-Identifier: GPL-2.0-only
/*
 * An importer whose move-notify level and pin the caller chooses, one import a file: for tests of
 * what exporters and the core do with importers that no driver of the tree is like.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dmabuf_importer.h"

struct importer {
	/* Serializes the calls on a file. Taken before the reservation lock. */
	struct mutex lock;
	/* Protected by lock. */
	struct dma_buf_attachment *attach;

	/* Protected by the reservation lock. */
	struct sg_table *sgt;
	bool pinned;
	u32 moves;
	u32 revokes;
};

#ifdef DMABUF_HAS_LEVELS
static struct miscdevice importer_device;

static void importer_unmap(struct importer *importer, struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	if (importer->sgt)
		dma_buf_unmap_attachment(attach, importer->sgt, DMA_BIDIRECTIONAL);
	importer->sgt = NULL;
}

static void importer_unpin(struct importer *importer, struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	if (importer->pinned)
		dma_buf_unpin(attach);
	importer->pinned = false;
}

static void importer_invalidate(struct dma_buf_attachment *attach,
				enum dma_buf_invalidate_reason reason)
{
	struct importer *importer = attach->importer_priv;

	if (reason == DMA_BUF_INVALIDATE_MOVE)
		importer->moves++;
	else
		importer->revokes++;
	importer_unmap(importer, attach);
	if (reason != DMA_BUF_INVALIDATE_MOVE)
		importer_unpin(importer, attach);
}

static const struct dma_buf_attach_ops importer_ops[] = {
	[DMABUF_IMPORTER_UNSUPPORTED] = {
		.move_notify_level = DMA_BUF_MOVE_NOTIFY_UNSUPPORTED,
	},
	[DMABUF_IMPORTER_REVOKING] = {
		.move_notify_level = DMA_BUF_MOVE_NOTIFY_REVOKING,
		.invalidate_mappings = importer_invalidate,
	},
	[DMABUF_IMPORTER_FAULTING] = {
		.move_notify_level = DMA_BUF_MOVE_NOTIFY_FAULTING,
		.invalidate_mappings = importer_invalidate,
	},
};

static int importer_map(struct importer *importer)
{
	struct sg_table *sgt;

	dma_resv_assert_held(importer->attach->dmabuf->resv);
	sgt = dma_buf_map_attachment(importer->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	importer->sgt = sgt;
	return 0;
}

static int importer_pin_and_map(struct importer *importer, bool pin)
{
	struct dma_buf_attachment *attach = importer->attach;
	int ret;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	ret = pin ? dma_buf_pin(attach) : 0;
	if (ret)
		goto unlock;
	importer->pinned = pin;
	ret = importer_map(importer);
	if (ret)
		importer_unpin(importer, attach);
unlock:
	dma_resv_unlock(attach->dmabuf->resv);
	return ret;
}

static void importer_detach(struct importer *importer)
{
	struct dma_buf_attachment *attach = importer->attach;
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	importer_unmap(importer, attach);
	importer_unpin(importer, attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
	importer->attach = NULL;
}

static int importer_import(struct importer *importer, const struct dmabuf_importer_import *import)
{
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	int ret;

	if (import->level >= ARRAY_SIZE(importer_ops) || import->pin > 1 || import->reserved)
		return -EINVAL;
	if (importer->attach)
		return -EBUSY;
	dmabuf = dma_buf_get(import->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	attach = dma_buf_dynamic_attach(dmabuf, importer_device.this_device,
					&importer_ops[import->level], importer);
	if (IS_ERR(attach)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(attach);
	}
	importer->attach = attach;
	ret = importer_pin_and_map(importer, import->pin);
	if (ret)
		importer_detach(importer);
	return ret;
}

static int importer_map_again(struct importer *importer)
{
	struct dma_resv *resv;
	int ret;

	if (!importer->attach)
		return -ENOENT;
	resv = importer->attach->dmabuf->resv;
	dma_resv_lock(resv, NULL);
	ret = importer->sgt ? -EBUSY : importer_map(importer);
	dma_resv_unlock(resv);
	return ret;
}

static int importer_query(struct importer *importer, struct dmabuf_importer_state __user *argument)
{
	struct dmabuf_importer_state state;
	struct dma_resv *resv;

	if (!importer->attach)
		return -ENOENT;
	resv = importer->attach->dmabuf->resv;
	dma_resv_lock(resv, NULL);
	state = (struct dmabuf_importer_state){
		.mapped = !!importer->sgt,
		.pinned = importer->pinned,
		.moves = importer->moves,
		.revokes = importer->revokes,
	};
	dma_resv_unlock(resv);
	return copy_to_user(argument, &state, sizeof(state)) ? -EFAULT : 0;
}
#else
static void importer_detach(struct importer *importer)
{
}

static int importer_import(struct importer *importer, const struct dmabuf_importer_import *import)
{
	return -EOPNOTSUPP;
}

static int importer_map_again(struct importer *importer)
{
	return -ENOENT;
}

static int importer_query(struct importer *importer, struct dmabuf_importer_state __user *argument)
{
	return -ENOENT;
}
#endif

static long importer_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct importer *importer = file->private_data;
	void __user *user = (void __user *)argument;
	struct dmabuf_importer_import import;

	guard(mutex)(&importer->lock);
	switch (command) {
	case DMABUF_IMPORTER_IMPORT:
		if (copy_from_user(&import, user, sizeof(import)))
			return -EFAULT;
		return importer_import(importer, &import);
	case DMABUF_IMPORTER_MAP:
		return importer_map_again(importer);
	case DMABUF_IMPORTER_QUERY:
		return importer_query(importer, user);
	default:
		return -ENOTTY;
	}
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *importer = kzalloc_obj(*importer);

	if (!importer)
		return -ENOMEM;
	mutex_init(&importer->lock);
	file->private_data = importer;
	return 0;
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct importer *importer = file->private_data;

	if (importer->attach)
		importer_detach(importer);
	mutex_destroy(&importer->lock);
	kfree(importer);
	return 0;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.unlocked_ioctl = importer_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice importer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf-importer",
	.fops = &importer_fops,
};

static int __init importer_init(void)
{
	int ret = misc_register(&importer_device);

	if (ret)
		return ret;
	ret = dma_coerce_mask_and_coherent(importer_device.this_device, DMA_BIT_MASK(64));
	if (ret)
		misc_deregister(&importer_device);
	return ret;
}

static void __exit importer_exit(void)
{
	misc_deregister(&importer_device);
}

module_init(importer_init);
module_exit(importer_exit);

MODULE_DESCRIPTION("Importer of dma-bufs whose level the caller chooses, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
