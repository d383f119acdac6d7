/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The vfio-user messages of protocol version 0.0, as they lie on the socket (host byte order). */
#ifndef LAB_NIC_VFIO_USER_PROTOCOL_H
#define LAB_NIC_VFIO_USER_PROTOCOL_H

#include <stdint.h>

#define VFU_MAX_FDS 16
#define VFU_MAX_TRANSFER (1u << 20)
/* Largest message: a region write with its header. */
#define VFU_MAX_MESSAGE (VFU_MAX_TRANSFER + 64)

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_REGION_IO_FDS = 6,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DMA_READ = 11,
	VFU_DMA_WRITE = 12,
	VFU_DEVICE_RESET = 13,
	VFU_REGION_WRITE_MULTI = 15,
};

enum {
	VFU_FLAG_TYPE = 0xf, /* 0: command, 1: reply */
	VFU_FLAG_REPLY = 0x1,
	VFU_FLAG_NO_REPLY = 0x10,
	VFU_FLAG_ERROR = 0x20,
};

struct vfu_header {
	uint16_t id, command;
	uint32_t size; /* of the whole message */
	uint32_t flags;
	uint32_t error;
};

struct vfu_version {
	uint16_t major, minor;
};

struct vfu_dma_map {
	uint32_t argsz, flags; /* 1: device may read, 2: device may write */
	uint64_t offset, iova, size;
};

#define VFU_DMA_UNMAP_ALL 0x2

struct vfu_dma_unmap {
	uint32_t argsz, flags;
	uint64_t iova, size;
};

/* From the device to the host; data follows, in the message of a write or the answer to a read. */
struct vfu_dma_access {
	uint64_t iova, count;
};

struct vfu_region_access {
	uint64_t offset;
	uint32_t region, count;
};

struct vfu_write_multi_entry {
	uint64_t offset;
	uint32_t region, count;
	uint8_t data[8];
};

#endif
