/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "pending_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SW_SYNC "/sys/kernel/debug/sync/sw_sync"

/* No header of the kernel shows its interface: drivers/dma-buf/sw_sync.c. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_IOC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC _IOW('W', 1, __u32)

static int put(int timeline, int dmabuf, struct error *err)
{
	struct sw_sync_create_fence_data create = { .value = 1, .name = "pending" };
	struct dma_buf_import_sync_file import = { .flags = DMA_BUF_SYNC_WRITE };
	int ret = 0;

	if (ioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &create))
		return error_set(err, errno, "making a fence by " SW_SYNC " failed");
	import.fd = create.fence;
	if (ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import))
		ret = error_set(err, errno, "DMA_BUF_IOCTL_IMPORT_SYNC_FILE on dma-buf %d failed", dmabuf);
	/* The dma-buf keeps the fence. */
	close(create.fence);
	return ret;
}

int pending_fence_put(struct pending_fence *fence, int dmabuf, struct error *err)
{
	int ret;

	fence->timeline = open(SW_SYNC, O_RDWR | O_CLOEXEC);
	if (fence->timeline < 0)
		return errno == ENOENT ?
			error_missing(err, errno, "there is no " SW_SYNC ": it takes debugfs and a kernel "
				      "with CONFIG_SW_SYNC") :
			error_set(err, errno, "cannot open " SW_SYNC);
	ret = put(fence->timeline, dmabuf, err);
	if (ret)
		close(fence->timeline);
	else
		fence->is_pending = true;
	return ret;
}

void pending_fence_signal(struct pending_fence *fence)
{
	__u32 steps = 1;

	if (!fence->is_pending)
		return;
	/* The end of its timeline would end it too, with an error. */
	ioctl(fence->timeline, SW_SYNC_IOC_INC, &steps);
	close(fence->timeline);
	fence->is_pending = false;
}
