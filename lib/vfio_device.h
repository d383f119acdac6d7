/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Inside the library: how a VFIO device's file is obtained through either interface. */
#ifndef LIB_VFIO_DEVICE_H
#define LIB_VFIO_DEVICE_H

#include <stdint.h>

#include "error.h"
#include "vfio_exporter.h"

struct vfio_device {
	char bdf[24];
	enum vfio_interface interface;
	int device_fd;
	int iommu_fd;		/* iommufd or container */
	int group_fd;		/* -1 with cdev */
	uint32_t ioas_id;
	char path[64];		/* of the cdev or the group */
};

/* Everything but the device's own file; that is vfio_device_get()'s. */
int vfio_device_prepare(struct vfio_device *device, const char *bdf,
			enum vfio_interface interface, struct error *err);
/* The same through what another device was opened by, which must be the cdev and an iommufd. */
int vfio_device_prepare_beside(struct vfio_device *device, const struct vfio_device *first,
			       const char *bdf, struct error *err);
int vfio_device_get(struct vfio_device *device, struct error *err);
int vfio_device_put(struct vfio_device *device);
void vfio_device_release(struct vfio_device *device);

#endif
