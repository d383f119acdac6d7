/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#include "plain_dmabuf.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

int plain_udmabuf(size_t size, int huge)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int device, dmabuf;

	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		test_skip("/dev/udmabuf is not there (CONFIG_UDMABUF)");
	if (huge)
		must_sys(system("echo 2 > /proc/sys/vm/nr_hugepages"));
	create.memfd = (uint32_t)must_sys(memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC |
						       (huge ? MFD_HUGETLB : 0)));
	must_sys(ftruncate((int)create.memfd, (off_t)size));
	must_sys(fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	dmabuf = must_sys(ioctl(device, UDMABUF_CREATE, &create));
	close((int)create.memfd);
	close(device);
	return dmabuf;
}

int plain_heap_dmabuf(size_t size)
{
	struct dma_heap_allocation_data allocation = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (heap < 0)
		test_skip("/dev/dma_heap/system is not there (CONFIG_DMABUF_HEAPS_SYSTEM)");
	must_sys(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &allocation));
	close(heap);
	return (int)allocation.fd;
}
