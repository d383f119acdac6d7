/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/* /dev/dmabuf-importer: an importer of dma-bufs whose level and pin the caller chooses. */
#ifndef DMABUF_IMPORTER_H
#define DMABUF_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_IMPORTER_DEVICE "/dev/dmabuf-importer"

/* The levels of enum dma_buf_move_notify_level, by numbers of their own. */
#define DMABUF_IMPORTER_UNSUPPORTED 0
#define DMABUF_IMPORTER_REVOKING 1
#define DMABUF_IMPORTER_FAULTING 2

/**
 * struct dmabuf_importer_import - how to import
 * @fd:		a dma-buf
 * @level:	DMABUF_IMPORTER_...
 * @pin:	1 to pin the dma-buf before it is mapped
 * @reserved:	0
 */
struct dmabuf_importer_import {
	__s32 fd;
	__u32 level;
	__u32 pin;
	__u32 reserved;
};

/**
 * struct dmabuf_importer_state - what has become of the import
 * @mapped:	1 while it is mapped
 * @pinned:	1 while it is pinned
 * @moves:	calls of the importer for a move
 * @revokes:	calls for a revoke, for a time or for good
 */
struct dmabuf_importer_state {
	__u32 mapped;
	__u32 pinned;
	__u32 moves;
	__u32 revokes;
};

/*
 * Attaches, pins if asked to, and maps. The import lasts until the file is closed. -EBADF: no
 * dma-buf. -EINVAL: no such level, pin or reserved is out of range, or the core refuses to map.
 * -EBUSY: this file has an import already. -EOPNOTSUPP: the kernel has no levels. Other errors are
 * the core's or the exporter's. An error leaves nothing behind.
 */
#define DMABUF_IMPORTER_IMPORT _IOW('M', 0xe0, struct dmabuf_importer_import)

/*
 * Maps again what an invalidation has unmapped. -ENOENT: no import. -EBUSY: it is mapped. Else as
 * above.
 */
#define DMABUF_IMPORTER_MAP _IO('M', 0xe1)

/* -ENOENT: no import. */
#define DMABUF_IMPORTER_QUERY _IOR('M', 0xe2, struct dmabuf_importer_state)

#endif
