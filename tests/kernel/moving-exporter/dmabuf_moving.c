// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exporter that moves its buffers, as a GPU driver does that evicts, but on request and by
 * nothing but the contract of dma_buf_invalidate_mappings(): for tests of importers.
 *
 * A buffer is at one place at a time. When it moves, importers that fault lose their mappings, the
 * fences are waited for, the contents are copied and the next mapping is of the new place. The old
 * one is poisoned once the last mapping of it is gone, and kept until the next move, so that
 * whoever still writes there is found out.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>

#include "dmabuf_moving.h"

#define MOVING_MAX_SIZE SZ_64M

struct moving_place {
	atomic_t mappings;
	unsigned int count;
	struct page *pages[] __counted_by(count);
};

struct moving_buffer {
	struct dma_buf *dmabuf;
	/* One move at a time, up to the last unmap. Taken before the reservation lock. */
	struct mutex move_lock;
	/* Where it was before the last move, or NULL. Protected by move_lock. */
	struct moving_place *old;
	/* Of the next place. Protected by move_lock. */
	unsigned int order;

	/* Protected by the reservation lock. */
	struct moving_place *place;
	bool revoked;
	unsigned int pinned;
	u64 moves;
	u64 maps;
	u64 pins;
};

struct moving_attachment {
	/* Protected by the reservation lock. */
	unsigned int mappings;
};

struct moving_mapping {
	struct sg_table sgt;
	struct moving_place *place;
};

static void moving_place_free(struct moving_place *place)
{
	unsigned int i;

	if (!place)
		return;
	for (i = 0; i < place->count && place->pages[i]; i++)
		__free_page(place->pages[i]);
	kvfree(place);
}

static struct moving_place *moving_place_alloc(unsigned int count, unsigned int order)
{
	struct moving_place *place = kvzalloc(struct_size(place, pages, count), GFP_KERNEL);
	struct page *run;
	unsigned int i;

	if (!place)
		return NULL;
	place->count = count;
	for (i = 0; i < count; i++) {
		if (i % (1u << order) == 0) {
			run = alloc_pages(GFP_HIGHUSER | __GFP_ZERO, order);
			if (!run) {
				moving_place_free(place);
				return NULL;
			}
			split_page(run, order);
		}
		place->pages[i] = run++;
	}
	if (!order && count > 1 && page_to_pfn(place->pages[0]) + 1 == page_to_pfn(place->pages[1]))
		swap(place->pages[0], place->pages[1]);
	return place;
}

static void moving_place_copy(struct moving_place *to, struct moving_place *from)
{
	unsigned int i;

	for (i = 0; i < to->count; i++)
		copy_highpage(to->pages[i], from->pages[i]);
}

static void moving_place_poison(struct moving_place *place)
{
	unsigned int i;

	for (i = 0; i < place->count; i++)
		memset_page(place->pages[i], 0, DMABUF_MOVING_POISON, PAGE_SIZE);
}

static unsigned int moving_place_spoiled(struct moving_place *place)
{
	unsigned int i, spoiled = 0;
	void *address;

	for (i = 0; i < place->count; i++) {
		address = kmap_local_page(place->pages[i]);
		spoiled += !!memchr_inv(address, DMABUF_MOVING_POISON, PAGE_SIZE);
		kunmap_local(address);
	}
	return spoiled;
}

static int moving_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct moving_buffer *buffer = dmabuf->priv;
	struct moving_attachment *importer;

	if (READ_ONCE(buffer->revoked))
		return -ENODEV;
	importer = kzalloc_obj(*importer);
	attach->priv = importer;
	return importer ? 0 : -ENOMEM;
}

static void moving_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	kfree(attach->priv);
}

static int moving_pin(struct dma_buf_attachment *attach)
{
	struct moving_buffer *buffer = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (buffer->revoked)
		return -ENODEV;
	buffer->pinned++;
	buffer->pins++;
	return 0;
}

static void moving_unpin(struct dma_buf_attachment *attach)
{
	struct moving_buffer *buffer = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	buffer->pinned--;
}

static struct sg_table *moving_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction direction)
{
	struct moving_attachment *importer = attach->priv;
	struct moving_buffer *buffer = attach->dmabuf->priv;
	struct moving_place *place = buffer->place;
	struct moving_mapping *mapping;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (buffer->revoked)
		return ERR_PTR(-ENODEV);
	mapping = kzalloc_obj(*mapping);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table_from_pages(&mapping->sgt, place->pages, place->count, 0,
					(size_t)place->count << PAGE_SHIFT, GFP_KERNEL);
	if (ret)
		goto free_mapping;
	ret = dma_map_sgtable(attach->dev, &mapping->sgt, direction, 0);
	if (ret)
		goto free_table;
	mapping->place = place;
	atomic_inc(&place->mappings);
	importer->mappings++;
	buffer->maps++;
	return &mapping->sgt;

free_table:
	sg_free_table(&mapping->sgt);
free_mapping:
	kfree(mapping);
	return ERR_PTR(ret);
}

static void moving_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction direction)
{
	struct moving_mapping *mapping = container_of(sgt, struct moving_mapping, sgt);
	struct moving_attachment *importer = attach->priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	dma_unmap_sgtable(attach->dev, sgt, direction, 0);
	sg_free_table(sgt);
	importer->mappings--;
	if (atomic_dec_and_test(&mapping->place->mappings))
		wake_up_var(&mapping->place->mappings);
	kfree(mapping);
}

static vm_fault_t moving_fault(struct vm_fault *vmf)
{
	struct moving_buffer *buffer = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct moving_place *place;

	dma_resv_lock(buffer->dmabuf->resv, NULL);
	place = buffer->place;
	if (!buffer->revoked && vmf->pgoff < place->count)
		ret = vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(place->pages[vmf->pgoff]));
	dma_resv_unlock(buffer->dmabuf->resv);
	return ret;
}

static const struct vm_operations_struct moving_vm_ops = {
	.fault = moving_fault,
};

static int moving_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_ops = &moving_vm_ops;
	vma->vm_private_data = dmabuf->priv;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static void moving_release(struct dma_buf *dmabuf)
{
	struct moving_buffer *buffer = dmabuf->priv;

	moving_place_free(buffer->old);
	moving_place_free(buffer->place);
	mutex_destroy(&buffer->move_lock);
	kfree(buffer);
}

static const struct dma_buf_ops moving_ops = {
#ifdef DMABUF_HAS_LEVELS
	/* It takes memory back while it is mapped, and zaps the mappings of CPUs. */
	.revokes = true,
#endif
	.attach = moving_attach,
	.detach = moving_detach,
	.pin = moving_pin,
	.unpin = moving_unpin,
	.map_dma_buf = moving_map,
	.unmap_dma_buf = moving_unmap,
	.mmap = moving_mmap,
	.release = moving_release,
};

static bool moving_can_follow(struct dma_buf_attachment *attach)
{
#ifdef DMABUF_HAS_LEVELS
	return dma_buf_attachment_move_notify_level(attach) == DMA_BUF_MOVE_NOTIFY_FAULTING;
#else
	return attach->importer_ops && attach->importer_ops->invalidate_mappings;
#endif
}

static bool moving_may_move(struct moving_buffer *buffer)
{
	struct dma_buf_attachment *attach;
	struct moving_attachment *importer;

	dma_resv_assert_held(buffer->dmabuf->resv);
	if (buffer->pinned)
		return false;
	list_for_each_entry(attach, &buffer->dmabuf->attachments, node) {
		importer = attach->priv;
		if (importer->mappings && !moving_can_follow(attach))
			return false;
	}
	return true;
}

/* From here on the importers have been told: there is no way back, and nothing that can fail. */
static struct moving_place *moving_go(struct moving_buffer *buffer, struct moving_place *place)
{
	struct dma_buf *dmabuf = buffer->dmabuf;
	struct moving_place *old = buffer->place;

	dma_resv_assert_held(dmabuf->resv);
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false, MAX_SCHEDULE_TIMEOUT);
	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	moving_place_copy(place, old);
	buffer->place = place;
	buffer->moves++;
	return old;
}

static int moving_move(struct moving_buffer *buffer)
{
	struct dma_resv *resv = buffer->dmabuf->resv;
	struct moving_place *place, *old;
	int ret;

	mutex_lock(&buffer->move_lock);
	place = moving_place_alloc(buffer->dmabuf->size >> PAGE_SHIFT, buffer->order);
	if (!place) {
		ret = -ENOMEM;
		goto unlock;
	}
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		goto unlock;
	if (!moving_may_move(buffer)) {
		dma_resv_unlock(resv);
		ret = -EBUSY;
		goto unlock;
	}
	old = moving_go(buffer, place);
	dma_resv_unlock(resv);

	/* Importers take the reservation lock to unmap; until then they may read. */
	wait_var_event(&old->mappings, !atomic_read(&old->mappings));
	moving_place_poison(old);
	/* What was the old place so far can go. */
	place = buffer->old;
	buffer->old = old;
unlock:
	mutex_unlock(&buffer->move_lock);
	moving_place_free(place);
	return ret;
}

#ifdef DMABUF_HAS_LEVELS
static bool moving_may_revoke(struct moving_buffer *buffer)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(buffer->dmabuf->resv);
	list_for_each_entry(attach, &buffer->dmabuf->attachments, node) {
		if (dma_buf_attachment_move_notify_level(attach) == DMA_BUF_MOVE_NOTIFY_UNSUPPORTED)
			return false;
	}
	return true;
}

static int moving_revoke(struct moving_buffer *buffer)
{
	struct dma_buf *dmabuf = buffer->dmabuf;

	guard(mutex)(&buffer->move_lock);
	dma_resv_lock(dmabuf->resv, NULL);
	if (!moving_may_revoke(buffer)) {
		dma_resv_unlock(dmabuf->resv);
		return -EBUSY;
	}
	WRITE_ONCE(buffer->revoked, true);
	dma_buf_revoke_mappings(dmabuf);
	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_wait_unmapped(dmabuf);
	return 0;
}
#else
static int moving_revoke(struct moving_buffer *buffer)
{
	return -EOPNOTSUPP;
}
#endif

static int moving_restore(struct moving_buffer *buffer)
{
	guard(mutex)(&buffer->move_lock);
	dma_resv_lock(buffer->dmabuf->resv, NULL);
	WRITE_ONCE(buffer->revoked, false);
	dma_resv_unlock(buffer->dmabuf->resv);
	return 0;
}

static int moving_create(u64 __user *argument)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct moving_buffer *buffer;
	struct dma_buf *dmabuf;
	u64 size;
	int ret;

	if (get_user(size, argument))
		return -EFAULT;
	if (!size || !PAGE_ALIGNED(size) || size > MOVING_MAX_SIZE)
		return -EINVAL;
	buffer = kzalloc_obj(*buffer);
	if (!buffer)
		return -ENOMEM;
	mutex_init(&buffer->move_lock);
	buffer->place = moving_place_alloc(size >> PAGE_SHIFT, 0);
	if (!buffer->place) {
		ret = -ENOMEM;
		goto free_buffer;
	}
	info.ops = &moving_ops;
	info.size = size;
	info.flags = O_RDWR;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto free_place;
	}
	buffer->dmabuf = dmabuf;
	ret = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (ret < 0)
		dma_buf_put(dmabuf);
	return ret;

free_place:
	moving_place_free(buffer->place);
free_buffer:
	mutex_destroy(&buffer->move_lock);
	kfree(buffer);
	return ret;
}

/* The buffer is there as long as the caller holds the dma-buf. */
static struct moving_buffer *moving_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	if (dmabuf->ops != &moving_ops) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EINVAL);
	}
	return dmabuf->priv;
}

static int moving_do(s32 __user *argument, int (*action)(struct moving_buffer *buffer))
{
	struct moving_buffer *buffer;
	s32 fd;
	int ret;

	if (get_user(fd, argument))
		return -EFAULT;
	buffer = moving_get(fd);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	ret = action(buffer);
	dma_buf_put(buffer->dmabuf);
	return ret;
}

static int moving_lay_out(const struct dmabuf_moving_layout __user *argument)
{
	struct dmabuf_moving_layout layout;
	struct moving_buffer *buffer;
	int ret = 0;

	if (copy_from_user(&layout, argument, sizeof(layout)))
		return -EFAULT;
	if (layout.order > DMABUF_MOVING_MAX_ORDER)
		return -EINVAL;
	buffer = moving_get(layout.fd);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	mutex_lock(&buffer->move_lock);
	if (buffer->dmabuf->size & ((PAGE_SIZE << layout.order) - 1))
		ret = -EINVAL;
	else
		buffer->order = layout.order;
	mutex_unlock(&buffer->move_lock);
	dma_buf_put(buffer->dmabuf);
	return ret;
}

static void moving_look(struct moving_buffer *buffer, struct dmabuf_moving_state *state)
{
	mutex_lock(&buffer->move_lock);
	dma_resv_lock(buffer->dmabuf->resv, NULL);
	/* None is left of the old place when no move is under way. */
	state->mapped = atomic_read(&buffer->place->mappings);
	state->pinned = buffer->pinned;
	state->moves = buffer->moves;
	state->maps = buffer->maps;
	state->pins = buffer->pins;
	dma_resv_unlock(buffer->dmabuf->resv);
	state->spoiled = buffer->old ? moving_place_spoiled(buffer->old) : 0;
	mutex_unlock(&buffer->move_lock);
}

static int moving_query(struct dmabuf_moving_state __user *argument)
{
	struct dmabuf_moving_state state;
	struct moving_buffer *buffer;

	if (copy_from_user(&state, argument, sizeof(state)))
		return -EFAULT;
	buffer = moving_get(state.fd);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	moving_look(buffer, &state);
	dma_buf_put(buffer->dmabuf);
	return copy_to_user(argument, &state, sizeof(state)) ? -EFAULT : 0;
}

static long moving_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	switch (command) {
	case DMABUF_MOVING_CREATE:
		return moving_create(user);
	case DMABUF_MOVING_MOVE:
		return moving_do(user, moving_move);
	case DMABUF_MOVING_REVOKE:
		return moving_do(user, moving_revoke);
	case DMABUF_MOVING_RESTORE:
		return moving_do(user, moving_restore);
	case DMABUF_MOVING_LAY_OUT:
		return moving_lay_out(user);
	case DMABUF_MOVING_QUERY:
		return moving_query(user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations moving_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = moving_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice moving_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf-moving",
	.fops = &moving_fops,
};
module_misc_device(moving_device);

MODULE_DESCRIPTION("Exporter of dma-bufs that move on request, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
