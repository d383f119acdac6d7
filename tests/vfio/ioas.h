/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* An IO address space of iommufd, as an importer that needs no NIC. */
#ifndef TESTS_VFIO_IOAS_H
#define TESTS_VFIO_IOAS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct ioas {
	int fd;
	uint32_t id;
};

static inline int ioas_open(struct ioas *ioas)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	ioas->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (ioas->fd < 0 || ioctl(ioas->fd, IOMMU_IOAS_ALLOC, &alloc))
		return -errno;
	ioas->id = alloc.out_ioas_id;
	return 0;
}

static inline void ioas_close(struct ioas *ioas)
{
	close(ioas->fd);
}

static inline int ioas_map_file_flags(struct ioas *ioas, int fd, uint64_t start, uint64_t length,
				      uint64_t iova, uint32_t flags)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE | flags,
		.ioas_id = ioas->id,
		.fd = fd,
		.start = start,
		.length = length,
		.iova = iova,
	};

	return ioctl(ioas->fd, IOMMU_IOAS_MAP_FILE, &map) ? -errno : 0;
}

static inline int ioas_map_file(struct ioas *ioas, int fd, uint64_t start, uint64_t length,
				uint64_t iova)
{
	return ioas_map_file_flags(ioas, fd, start, length, iova, 0);
}

/* How many bytes were unmapped, or -errno. */
static inline int64_t ioas_unmap(struct ioas *ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = ioas->id, .iova = iova, .length = length,
	};

	return ioctl(ioas->fd, IOMMU_IOAS_UNMAP, &unmap) ? -errno : (int64_t)unmap.length;
}

#endif
