/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A device that copies to and from an IOVA when it is asked to: QEMU's edu, bound to vfio-pci, which
 * the environment's DMA_DEVICE names. The address space is the one of iommufd that it is attached to.
 */
#ifndef TESTS_VFIO_DMA_DEVICE_H
#define TESTS_VFIO_DMA_DEVICE_H

#include <stdint.h>

#include "error.h"
#include "ioas.h"
#include "vfio_exporter.h"

/* What one copy moves, by way of the device's own memory. */
#define DMA_DEVICE_SIZE 4096u

struct dma_device {
	struct vfio_exporter *vfio;
	struct ioas ioas;	/* not closed here */
	volatile uint8_t *registers;
	int ended;		/* an eventfd: a copy has ended */
};

/* -ENODEV, and err says that something is missing, if the environment names none. */
int dma_device_open(struct dma_device *device, struct error *err);
void dma_device_close(struct dma_device *device);

/*
 * From the IOVA into the device, and from the device to the IOVA. Both return when the device has
 * said that the copy has ended, whether it met memory or not. -ETIMEDOUT if it has not.
 */
int dma_device_load(struct dma_device *device, uint64_t iova, struct error *err);
int dma_device_store(struct dma_device *device, uint64_t iova, struct error *err);

#endif
