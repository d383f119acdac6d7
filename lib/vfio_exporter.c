/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "vfio_exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio_device.h"

#define BAR_COUNT 6

struct vfio_exporter {
	struct vfio_device device;
	uint64_t config_offset;
	uint64_t config_size;
	bool can_reset;
};

static int query(struct vfio_exporter *exporter, struct error *err)
{
	struct vfio_device_info device = { .argsz = sizeof(device) };
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int fd = exporter->device.device_fd;

	if (ioctl(fd, VFIO_DEVICE_GET_INFO, &device))
		return error_set(err, errno, "VFIO_DEVICE_GET_INFO on %s failed",
				 exporter->device.bdf);
	if (!(device.flags & VFIO_DEVICE_FLAGS_PCI))
		return error_set(err, ENOTSUP, "VFIO device %s is no PCI device",
				 exporter->device.bdf);
	exporter->can_reset = device.flags & VFIO_DEVICE_FLAGS_RESET;
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		return error_set(err, errno, "VFIO_DEVICE_GET_REGION_INFO on %s's config space failed",
				 exporter->device.bdf);
	exporter->config_offset = config.offset;
	exporter->config_size = config.size;
	return 0;
}

/* A device whose memory decoding is off could only export what is born revoked. */
static int get_ready(struct vfio_exporter *exporter, struct error *err)
{
	int ret;

	ret = vfio_device_get(&exporter->device, err);
	if (ret)
		return ret;
	ret = query(exporter, err);
	if (!ret)
		ret = vfio_exporter_set_memory(exporter, true, err);
	if (ret)
		vfio_device_put(&exporter->device);
	return ret;
}

/* With first NULL it is opened by the interface, else as first was. */
static int open_exporter(struct vfio_exporter **result, const struct vfio_exporter *first,
			 const char *bdf, enum vfio_interface interface, struct error *err)
{
	struct vfio_exporter *exporter;
	int ret;

	*result = NULL;
	exporter = calloc(1, sizeof(*exporter));
	if (!exporter)
		return error_set(err, ENOMEM, "no memory for exporter %s", bdf);
	ret = first ? vfio_device_prepare_beside(&exporter->device, &first->device, bdf, err) :
		      vfio_device_prepare(&exporter->device, bdf, interface, err);
	if (ret)
		goto free_exporter;
	ret = get_ready(exporter, err);
	if (ret)
		goto release;
	*result = exporter;
	return 0;

release:
	vfio_device_release(&exporter->device);
free_exporter:
	free(exporter);
	return ret;
}

int vfio_exporter_open(struct vfio_exporter **exporter, const char *bdf,
		       enum vfio_interface interface, struct error *err)
{
	return open_exporter(exporter, NULL, bdf, interface, err);
}

int vfio_exporter_open_beside(struct vfio_exporter **exporter, const struct vfio_exporter *first,
			      const char *bdf, struct error *err)
{
	return open_exporter(exporter, first, bdf, first->device.interface, err);
}

void vfio_exporter_close(struct vfio_exporter *exporter)
{
	if (!exporter)
		return;
	vfio_device_release(&exporter->device);
	free(exporter);
}

int vfio_exporter_close_device(struct vfio_exporter *exporter)
{
	return vfio_device_put(&exporter->device);
}

int vfio_exporter_reopen(struct vfio_exporter *exporter, struct error *err)
{
	if (exporter->device.device_fd >= 0)
		return error_set(err, EBUSY, "exporter %s is still open", exporter->device.bdf);
	return get_ready(exporter, err);
}

const char *vfio_exporter_bdf(const struct vfio_exporter *exporter)
{
	return exporter->device.bdf;
}

int vfio_exporter_device_fd(const struct vfio_exporter *exporter)
{
	return exporter->device.device_fd;
}

int vfio_exporter_ioas(const struct vfio_exporter *exporter, int *iommufd, uint32_t *ioas_id)
{
	if (exporter->device.interface != VFIO_INTERFACE_CDEV)
		return -EOPNOTSUPP;
	*iommufd = exporter->device.iommu_fd;
	*ioas_id = exporter->device.ioas_id;
	return 0;
}

int vfio_exporter_bar(struct vfio_exporter *exporter, unsigned int bar, struct vfio_bar *info,
		      struct error *err)
{
	struct vfio_region_info region = { .argsz = sizeof(region), .index = bar };

	*info = (struct vfio_bar){ 0 };
	if (bar >= BAR_COUNT)
		return error_set(err, EINVAL, "exporter %s: BAR %u is none of 0 to %d",
				 exporter->device.bdf, bar, BAR_COUNT - 1);
	if (ioctl(exporter->device.device_fd, VFIO_DEVICE_GET_REGION_INFO, &region))
		return error_set(err, errno, "exporter %s: VFIO_DEVICE_GET_REGION_INFO of BAR %u failed",
				 exporter->device.bdf, bar);
	*info = (struct vfio_bar){
		.size = region.size,
		.file_offset = region.offset,
		.readable = region.flags & VFIO_REGION_INFO_FLAG_READ,
		.writable = region.flags & VFIO_REGION_INFO_FLAG_WRITE,
		.mappable = region.flags & VFIO_REGION_INFO_FLAG_MMAP,
	};
	return 0;
}

int vfio_exporter_map_bar(struct vfio_exporter *exporter, unsigned int bar, uint64_t offset,
			  size_t length, void **address, struct error *err)
{
	struct vfio_bar info;
	void *map;
	int ret;

	ret = vfio_exporter_bar(exporter, bar, &info, err);
	if (ret)
		return ret;
	if (!info.mappable)
		return error_set(err, ENOTSUP, "exporter %s: BAR %u cannot be mapped",
				 exporter->device.bdf, bar);
	if (offset > info.size || length > info.size - offset)
		return error_set(err, EINVAL,
				 "exporter %s: %zu bytes at %#" PRIx64 " do not lie in BAR %u of %" PRIu64
				 " bytes", exporter->device.bdf, length, offset, bar, info.size);
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, exporter->device.device_fd,
		   (off_t)(info.file_offset + offset));
	if (map == MAP_FAILED)
		return error_set(err, errno, "exporter %s: mmap of %zu bytes at %#" PRIx64
				 " of BAR %u failed", exporter->device.bdf, length, offset, bar);
	*address = map;
	return 0;
}

int vfio_exporter_unmap_bar(void *address, size_t length)
{
	return munmap(address, length) ? -errno : 0;
}

int vfio_exporter_map_bar_sysfs(const char *bdf, unsigned int bar, uint64_t offset, size_t length,
				void **address, struct error *err)
{
	char path[128];
	void *map;
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%u", bdf, bar);
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0) {
		ret = errno;
		if (ret == EACCES || ret == EPERM || ret == ENOENT)
			return error_missing(err, ret, "cannot open %s: it takes root, a BAR in memory "
					     "space, and a kernel that is not locked down", path);
		return error_set(err, ret, "cannot open %s", path);
	}
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	ret = errno;
	close(fd);
	if (map == MAP_FAILED)
		return error_set(err, ret, "mmap of %zu bytes at %#" PRIx64 " of %s failed", length,
				 offset, path);
	*address = map;
	return 0;
}

int vfio_exporter_feature(struct vfio_exporter *exporter, uint32_t flags, uint32_t feature,
			  void *payload, size_t size, struct error *err)
{
	struct vfio_device_feature *request;
	int ret;

	request = calloc(1, sizeof(*request) + size);
	if (!request)
		return error_set(err, ENOMEM, "no memory for VFIO_DEVICE_FEATURE");
	request->argsz = (uint32_t)(sizeof(*request) + size);
	request->flags = flags | (feature & VFIO_DEVICE_FEATURE_MASK);
	if (size)
		memcpy(request->data, payload, size);
	ret = ioctl(exporter->device.device_fd, VFIO_DEVICE_FEATURE, request);
	if (ret < 0)
		ret = error_set(err, errno, "exporter %s: VFIO_DEVICE_FEATURE %u (flags %#x) failed",
				exporter->device.bdf, feature, flags);
	else if (size)
		memcpy(payload, request->data, size);
	free(request);
	return ret;
}

bool vfio_exporter_has_feature(struct vfio_exporter *exporter, uint32_t feature, uint32_t method)
{
	return vfio_exporter_feature(exporter, VFIO_DEVICE_FEATURE_PROBE | method, feature, NULL, 0,
				     NULL) >= 0;
}

static int export_failed(struct vfio_exporter *exporter, unsigned int bar, int errnum,
			 struct error *err)
{
	const char *bdf = exporter->device.bdf;

	switch (errnum) {
	case ENOTTY:
		return error_missing(err, errnum, "the kernel cannot export BARs of %s as dma-bufs: it "
				     "takes Linux 6.19 or later with CONFIG_PCI_P2PDMA and "
				     "CONFIG_VFIO_PCI_DMABUF", bdf);
	case EOPNOTSUPP:
		return error_missing(err, errnum, "the VFIO driver of %s does not export dma-bufs", bdf);
	case ENODEV:
		return error_set(err, errnum, "exporter %s: BAR %u is not there to be exported", bdf, bar);
	default:
		return error_set(err, errnum, "exporter %s: exporting BAR %u as a dma-buf failed "
				 "(offsets and lengths must be multiples of the page size and lie in "
				 "the BAR)", bdf, bar);
	}
}

int vfio_exporter_export(struct vfio_exporter *exporter, unsigned int bar,
			 const struct vfio_range *ranges, unsigned int count, struct error *err)
{
	struct vfio_device_feature_dma_buf *request;
	size_t size = sizeof(*request) + count * sizeof(request->dma_ranges[0]);
	int ret;

	request = calloc(1, size);
	if (!request)
		return error_set(err, ENOMEM, "no memory to export %u ranges", count);
	request->region_index = bar;
	request->open_flags = O_RDWR | O_CLOEXEC;
	request->nr_ranges = count;
	for (unsigned int i = 0; i < count; i++) {
		request->dma_ranges[i].offset = ranges[i].offset;
		request->dma_ranges[i].length = ranges[i].length;
	}
	ret = vfio_exporter_feature(exporter, VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_DMA_BUF,
				    request, size, NULL);
	free(request);
	return ret < 0 ? export_failed(exporter, bar, -ret, err) : ret;
}

bool vfio_exporter_can_revoke(struct vfio_exporter *exporter)
{
	return vfio_exporter_has_feature(exporter, VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE,
					 VFIO_DEVICE_FEATURE_SET);
}

static int revoke_failed(struct vfio_exporter *exporter, int dmabuf, int errnum, struct error *err)
{
	const char *bdf = exporter->device.bdf;

	switch (errnum) {
	case ENOTTY:
		return error_missing(err, errnum, "the kernel cannot revoke a single dma-buf of %s: it "
				     "takes one with VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE (closing the "
				     "device revokes all of them)", bdf);
	case EOPNOTSUPP:
		return error_missing(err, errnum, "the VFIO driver of %s does not export dma-bufs", bdf);
	case EBADF:
		return error_set(err, errnum, "exporter %s: fd %d cannot be revoked: the device or the fd "
				 "is not open", bdf, dmabuf);
	case ENODEV:
		return error_set(err, errnum, "exporter %s: dma-buf %d is not one of its own", bdf, dmabuf);
	case EBADFD:
		return error_set(err, errnum, "exporter %s: dma-buf %d was revoked for good before", bdf,
				 dmabuf);
	default:
		return error_set(err, errnum, "exporter %s: revoking dma-buf %d failed", bdf, dmabuf);
	}
}

int vfio_exporter_revoke(struct vfio_exporter *exporter, int dmabuf, struct error *err)
{
	struct vfio_device_feature_dma_buf_revoke request = { .dmabuf_fd = dmabuf };
	int ret;

	ret = vfio_exporter_feature(exporter, VFIO_DEVICE_FEATURE_SET,
				    VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE, &request, sizeof(request),
				    NULL);
	return ret < 0 ? revoke_failed(exporter, dmabuf, -ret, err) : 0;
}

bool vfio_exporter_has_memory_attribute(struct vfio_exporter *exporter)
{
	return vfio_exporter_has_feature(exporter, VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR,
					 VFIO_DEVICE_FEATURE_SET);
}

static int memory_attribute_failed(struct vfio_exporter *exporter, int dmabuf, int errnum, struct error *err)
{
	const char *bdf = exporter->device.bdf;

	switch (errnum) {
	case ENOTTY:
		return error_missing(err, errnum, "the kernel knows no memory attribute of a dma-buf of %s: it "
				     "takes one with VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR (without, mappings "
				     "are uncached)", bdf);
	case EOPNOTSUPP:
		return error_set(err, errnum, "exporter %s: dma-buf %d cannot be mapped otherwise than uncached "
				 "(its BAR is not prefetchable, or the driver does not export)",
				 bdf, dmabuf);
	case EBUSY:
		return error_set(err, errnum, "exporter %s: dma-buf %d was mapped before: its memory attribute has to be "
				 "set before the first mmap", bdf, dmabuf);
	case EBADF:
		return error_set(err, errnum, "exporter %s: fd %d has no memory attribute: the device or the fd "
				 "is not open", bdf, dmabuf);
	case ENODEV:
		return error_set(err, errnum, "exporter %s: dma-buf %d is not one of its own", bdf, dmabuf);
	case EBADFD:
		return error_set(err, errnum, "exporter %s: dma-buf %d was revoked for good", bdf, dmabuf);
	default:
		return error_set(err, errnum, "exporter %s: the memory attribute of dma-buf %d could not be set "
				 "or read", bdf, dmabuf);
	}
}

int vfio_exporter_set_memory_attribute(struct vfio_exporter *exporter, int dmabuf,
				       enum vfio_memory_attribute attribute, struct error *err)
{
	struct vfio_device_feature_dma_buf_memattr request = { .dmabuf_fd = dmabuf, .attribute = attribute };
	int ret;

	ret = vfio_exporter_feature(exporter, VFIO_DEVICE_FEATURE_SET, VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR,
				    &request, sizeof(request), NULL);
	return ret < 0 ? memory_attribute_failed(exporter, dmabuf, -ret, err) : 0;
}

int vfio_exporter_memory_attribute(struct vfio_exporter *exporter, int dmabuf,
				   enum vfio_memory_attribute *attribute, struct error *err)
{
	struct vfio_device_feature_dma_buf_memattr request = { .dmabuf_fd = dmabuf };
	int ret;

	ret = vfio_exporter_feature(exporter, VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR,
				    &request, sizeof(request), NULL);
	if (ret < 0)
		return memory_attribute_failed(exporter, dmabuf, -ret, err);
	*attribute = request.attribute;
	return 0;
}

int vfio_dmabuf_map(int dmabuf, size_t length, void **address, struct error *err)
{
	void *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	if (map == MAP_FAILED)
		return error_set(err, errno, "mmap of %zu bytes of dma-buf %d failed%s", length, dmabuf,
				 errno == ENODEV ? ": it is revoked, or its exporter cannot map it" : "");
	*address = map;
	return 0;
}

int vfio_exporter_read_config(struct vfio_exporter *exporter, unsigned int offset, void *data,
			      size_t length, struct error *err)
{
	ssize_t n = pread(exporter->device.device_fd, data, length,
			  (off_t)(exporter->config_offset + offset));

	if (n == (ssize_t)length)
		return 0;
	return error_set(err, n < 0 ? errno : EIO,
			 "exporter %s: reading %zu bytes of config space at %#x failed",
			 exporter->device.bdf, length, offset);
}

int vfio_exporter_write_config(struct vfio_exporter *exporter, unsigned int offset,
			       const void *data, size_t length, struct error *err)
{
	ssize_t n = pwrite(exporter->device.device_fd, data, length,
			   (off_t)(exporter->config_offset + offset));

	if (n == (ssize_t)length)
		return 0;
	return error_set(err, n < 0 ? errno : EIO,
			 "exporter %s: writing %zu bytes of config space at %#x failed",
			 exporter->device.bdf, length, offset);
}

/* Config space is little endian, whatever the CPU. */
static int read_command(struct vfio_exporter *exporter, uint8_t command[2], struct error *err)
{
	return vfio_exporter_read_config(exporter, PCI_COMMAND, command, 2, err);
}

int vfio_exporter_memory(struct vfio_exporter *exporter, bool *on, struct error *err)
{
	uint8_t command[2];
	int ret = read_command(exporter, command, err);

	if (!ret)
		*on = command[0] & PCI_COMMAND_MEMORY;
	return ret;
}

int vfio_exporter_set_memory(struct vfio_exporter *exporter, bool on, struct error *err)
{
	uint8_t command[2];
	int ret = read_command(exporter, command, err);

	if (ret)
		return ret;
	if (on)
		command[0] |= PCI_COMMAND_MEMORY;
	else
		command[0] &= (uint8_t)~PCI_COMMAND_MEMORY;
	return vfio_exporter_write_config(exporter, PCI_COMMAND, command, sizeof(command), err);
}

bool vfio_exporter_can_reset(const struct vfio_exporter *exporter)
{
	return exporter->can_reset;
}

int vfio_exporter_reset(struct vfio_exporter *exporter, struct error *err)
{
	if (!exporter->can_reset)
		return error_missing(err, EOPNOTSUPP, "exporter %s offers no reset (on an emulated "
				     "machine: put it behind a root port)", exporter->device.bdf);
	if (ioctl(exporter->device.device_fd, VFIO_DEVICE_RESET))
		return error_set(err, errno, "VFIO_DEVICE_RESET of %s failed", exporter->device.bdf);
	return 0;
}
