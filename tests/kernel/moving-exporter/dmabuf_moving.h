/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/* /dev/dmabuf-moving: dma-bufs of ordinary pages that move, or are taken back, on request. */
#ifndef DMABUF_MOVING_H
#define DMABUF_MOVING_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_MOVING_DEVICE "/dev/dmabuf-moving"

/* The old place of a buffer that has moved holds this byte, and nothing else, for ever. */
#define DMABUF_MOVING_POISON 0xa5

/**
 * struct dmabuf_moving_state - what has become of a buffer
 * @fd:		in: a dma-buf of this device
 * @pinned:	pins that have not been taken back
 * @mapped:	mappings that importers hold, of whatever place
 * @spoiled:	pages of the place before the last move that somebody has written to since;
 *		0 of a buffer that has not moved
 * @moves:	how often it has moved
 * @maps:	how often importers have mapped it
 * @pins:	how often they have pinned it
 */
struct dmabuf_moving_state {
	__s32 fd;
	__u32 pinned;
	__u32 mapped;
	__u32 spoiled;
	__u64 moves;
	__u64 maps;
	__u64 pins;
};

/*
 * Returns the fd of a new dma-buf of that many bytes, all zero. -EINVAL: the size is 0, no multiple
 * of the page size, or more than 64 MiB.
 */
#define DMABUF_MOVING_CREATE _IOW('M', 0xd0, __u64)

/*
 * Moves a dma-buf of this device to other pages, and returns when nobody uses those where it was.
 * -EBADF: no dma-buf. -EINVAL: somebody else's. -EBUSY: it is pinned, or an importer that cannot
 * follow has mapped it; then nothing has happened.
 */
#define DMABUF_MOVING_MOVE _IOW('M', 0xd1, __s32)

/*
 * Takes a dma-buf of this device back, and returns when nobody uses it any more; until RESTORE
 * lends it again, attach, pin and map are -ENODEV and the CPU gets SIGBUS. -EBADF, -EINVAL: as above.
 * -EBUSY: an importer is attached that cannot let go; then nothing has happened. -EOPNOTSUPP: the
 * kernel has no dma_buf_revoke_mappings().
 */
#define DMABUF_MOVING_REVOKE _IOW('M', 0xd3, __s32)
#define DMABUF_MOVING_RESTORE _IOW('M', 0xd4, __s32)

#define DMABUF_MOVING_MAX_ORDER 9

/**
 * struct dmabuf_moving_layout - what the next places of a buffer look like
 * @fd:		a dma-buf of this device
 * @order:	the memory is contiguous in runs of 2^order pages, which are aligned to their size; at
 *		first 0, and then the first two pages are not contiguous
 */
struct dmabuf_moving_layout {
	__s32 fd;
	__u32 order;
};

/* -EBADF, -EINVAL: as above; -EINVAL also: no such order, or its runs do not fill the buffer. */
#define DMABUF_MOVING_LAY_OUT _IOW('M', 0xd5, struct dmabuf_moving_layout)

/* -EBADF, -EINVAL: as above. */
#define DMABUF_MOVING_QUERY _IOWR('M', 0xd2, struct dmabuf_moving_state)

#endif
