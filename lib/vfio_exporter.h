/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A PCI function bound to vfio-pci whose BARs are lent out as dma-bufs.
 *
 * No function here binds or unbinds a driver; what is not bound is reported
 * with the commands that would bind it. Every function returns 0 (or a file
 * descriptor) or -errno, and fills *err, which may be NULL.
 */
#ifndef LIB_VFIO_EXPORTER_H
#define LIB_VFIO_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum vfio_interface {
	VFIO_INTERFACE_CDEV,	/* /dev/vfio/devices/vfioN and an iommufd */
	VFIO_INTERFACE_GROUP,	/* /dev/vfio/GROUP and a type 1 container */
};

struct vfio_exporter;

struct vfio_bar {
	uint64_t size;
	uint64_t file_offset;	/* of the BAR in the device's file */
	bool readable;
	bool writable;
	bool mappable;
};

struct vfio_range {
	uint64_t offset;	/* from the start of the BAR */
	uint64_t length;
};

/* bdf: "0000:02:00.0", or "02:00.0" for domain 0. */
int vfio_exporter_open(struct vfio_exporter **exporter, const char *bdf,
		       enum vfio_interface interface, struct error *err);

/*
 * Another function, through the iommufd of first: one user's functions, as those behind one port have to
 * be for a hot reset. -EOPNOTSUPP if first was opened through its group.
 */
int vfio_exporter_open_beside(struct vfio_exporter **exporter, const struct vfio_exporter *first,
			      const char *bdf, struct error *err);

/* Closes the device (which revokes its dma-bufs for good) and frees. NULL is fine. */
void vfio_exporter_close(struct vfio_exporter *exporter);

/*
 * The device's file alone, for a timed close: returns the result of close(2).
 * A BAR mapped by vfio_exporter_map_bar() keeps the file, and with it the
 * dma-bufs, alive: unmap it first. vfio_exporter_reopen() opens it again.
 */
int vfio_exporter_close_device(struct vfio_exporter *exporter);
int vfio_exporter_reopen(struct vfio_exporter *exporter, struct error *err);

const char *vfio_exporter_bdf(const struct vfio_exporter *exporter);
int vfio_exporter_device_fd(const struct vfio_exporter *exporter);
/* The iommufd, and the address space in it that the device does DMA in. -EOPNOTSUPP through its group. */
int vfio_exporter_ioas(const struct vfio_exporter *exporter, int *iommufd, uint32_t *ioas_id);

int vfio_exporter_bar(struct vfio_exporter *exporter, unsigned int bar, struct vfio_bar *info,
		      struct error *err);

/* A CPU mapping of the BAR through the device's file. */
int vfio_exporter_map_bar(struct vfio_exporter *exporter, unsigned int bar, uint64_t offset,
			  size_t length, void **address, struct error *err);
int vfio_exporter_unmap_bar(void *address, size_t length);

/*
 * A CPU mapping through sysfs' resourceN: it neither keeps the device's file
 * open nor is zapped by a revoke, so it shows what a late DMA did.
 */
int vfio_exporter_map_bar_sysfs(const char *bdf, unsigned int bar, uint64_t offset, size_t length,
				void **address, struct error *err);

/* VFIO_DEVICE_FEATURE_DMA_BUF: one dma-buf of one or several ranges of a BAR. Returns its fd. */
int vfio_exporter_export(struct vfio_exporter *exporter, unsigned int bar,
			 const struct vfio_range *ranges, unsigned int count, struct error *err);

/*
 * VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE: takes one dma-buf of this exporter back for
 * good. When it returns 0 every importer has let go of it, no CPU mapping of it
 * can be touched any more, and its range may be lent again by a new export.
 * -EBADFD: it was revoked for good before, so all of that holds already.
 */
int vfio_exporter_revoke(struct vfio_exporter *exporter, int dmabuf, struct error *err);
/* Whether this kernel knows that request, for this device. */
bool vfio_exporter_can_revoke(struct vfio_exporter *exporter);

/*
 * A shared CPU mapping of a dma-buf. It outlives the fd and the device; touched
 * while the dma-buf is revoked it gives SIGBUS (guarded_access.h survives that).
 */
int vfio_dmabuf_map(int dmabuf, size_t length, void **address, struct error *err);

/* What the CPU's mappings of a dma-buf are; as the kernel numbers them. */
enum vfio_memory_attribute {
	VFIO_MEMORY_UNCACHED,		/* at first */
	VFIO_MEMORY_WRITE_COMBINING,
};

/*
 * VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR: what mappings of one dma-buf will be, before the first of them is
 * made. -EBUSY: there was one. -EOPNOTSUPP: the BAR cannot be mapped so, as it is not prefetchable.
 */
int vfio_exporter_set_memory_attribute(struct vfio_exporter *exporter, int dmabuf,
				       enum vfio_memory_attribute attribute, struct error *err);
int vfio_exporter_memory_attribute(struct vfio_exporter *exporter, int dmabuf,
				   enum vfio_memory_attribute *attribute, struct error *err);
/* Whether this kernel knows that feature, for this device. */
bool vfio_exporter_has_memory_attribute(struct vfio_exporter *exporter);

/* PCI_COMMAND's memory bit by read, modify, write; off revokes until it is on again. */
int vfio_exporter_set_memory(struct vfio_exporter *exporter, bool on, struct error *err);
int vfio_exporter_memory(struct vfio_exporter *exporter, bool *on, struct error *err);

/* The config space behind the two above, for callers that time the one write. */
int vfio_exporter_read_config(struct vfio_exporter *exporter, unsigned int offset, void *data,
			      size_t length, struct error *err);
int vfio_exporter_write_config(struct vfio_exporter *exporter, unsigned int offset,
			       const void *data, size_t length, struct error *err);

bool vfio_exporter_can_reset(const struct vfio_exporter *exporter);
/* VFIO_DEVICE_RESET: revokes and un-revokes before it returns. */
int vfio_exporter_reset(struct vfio_exporter *exporter, struct error *err);

/*
 * VFIO_DEVICE_FEATURE: flags is VFIO_DEVICE_FEATURE_{PROBE,SET,GET}, argsz the
 * size of the payload, which is read and written in place. Returns what the
 * ioctl returns or -errno.
 */
int vfio_exporter_feature(struct vfio_exporter *exporter, uint32_t flags, uint32_t feature,
			  void *payload, size_t size, struct error *err);
bool vfio_exporter_has_feature(struct vfio_exporter *exporter, uint32_t feature, uint32_t method);

#endif
