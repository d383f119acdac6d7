/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The part of VFIO's interface that the system's <linux/vfio.h> may be too old for. */
#ifndef LIB_VFIO_UAPI_H
#define LIB_VFIO_UAPI_H

#include <linux/types.h>
#include <linux/vfio.h>

#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF 11

struct vfio_region_dma_range {
	__u64 offset;
	__u64 length;
};

struct vfio_device_feature_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};
#endif

/* The number is the kernel's to give: whoever uses it probes first. */
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE
#define VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE 14

struct vfio_device_feature_dma_buf_revoke {
	__s32 dmabuf_fd;
};
#endif

#ifndef VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR
#define VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR 15

struct vfio_device_feature_dma_buf_memattr {
	__s32 dmabuf_fd;
	__u32 attribute;
};
#endif

#endif
