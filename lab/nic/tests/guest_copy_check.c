// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Run in a guest that has the copy device (nic_copy) on its bus; root only.
 *
 *	guest_copy_check vfio DEVICE          through VFIO (DEVICE bound to vfio-pci): DMA in
 *					      an IOMMU domain of its own, MSI-X, mapped BAR, reset
 *	guest_copy_check direct DEVICE PEER   by bus address, no driver bound: peer-to-peer in
 *					      the PEER's BAR 2, and once its memory decoding is off;
 *					      needs iommu=pt
 * DEVICE, PEER: as in 0000:01:00.0.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "copy_device.h"

#define MEMORY_SIZE (1ul << 20)
#define IOVA 0x10000000ul
#define ANSWER_MS 10000

static unsigned int failures;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		int holds = !!(condition);                                                         \
		printf("%s %s\n", holds ? "ok    " : "FAILED", #condition);                        \
		failures += !holds;                                                                \
	} while (0)

static void die(const char *what, const char *object)
{
	fprintf(stderr, "guest_copy_check: %s %s: %s\n", what, object, strerror(errno));
	exit(1);
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("cannot open", path);
	return fd;
}

static void *map_or_die(int fd, uint64_t offset, size_t size, const char *object)
{
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (data == MAP_FAILED)
		die("cannot map", object);
	return data;
}

static uint32_t get(const volatile uint8_t *registers, enum copy_register at)
{
	return *(const volatile uint32_t *)(registers + at);
}

static void put(volatile uint8_t *registers, enum copy_register at, uint32_t value)
{
	*(volatile uint32_t *)(registers + at) = value;
}

static void start(volatile uint8_t *registers, uint64_t source, uint64_t destination,
		  uint32_t length, uint32_t vector)
{
	put(registers, COPY_SOURCE, source);
	put(registers, COPY_SOURCE + 4, source >> 32);
	put(registers, COPY_DESTINATION, destination);
	put(registers, COPY_DESTINATION + 4, destination >> 32);
	put(registers, COPY_LENGTH, length);
	put(registers, COPY_VECTOR, vector);
	put(registers, COPY_DOORBELL, 1);
}

static uint32_t finished(const volatile uint8_t *registers)
{
	while (get(registers, COPY_STATUS) == COPY_RUNNING)
		;
	return get(registers, COPY_STATUS);
}

static void fill(volatile uint8_t *data, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		data[i] = i * 7 + i / 251 + seed;
}

static int equal(const volatile uint8_t *a, const volatile uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

/* ---- through VFIO ---------------------------------------------------------------------------- */

struct vfio {
	int container, group, device;
};

static struct vfio vfio_open(const char *name)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[128], target[256];
	struct vfio vfio;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		die("cannot read", path);
	target[n] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	vfio.container = open_or_die("/dev/vfio/vfio", O_RDWR);
	vfio.group = open_or_die(path, O_RDWR);
	if (ioctl(vfio.group, VFIO_GROUP_GET_STATUS, &status) ||
	    !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die("group is not viable:", path);
	if (ioctl(vfio.group, VFIO_GROUP_SET_CONTAINER, &vfio.container) ||
	    ioctl(vfio.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("cannot attach", path);
	vfio.device = ioctl(vfio.group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (vfio.device < 0)
		die("cannot get", name);
	return vfio;
}

static uint64_t region_offset(const struct vfio *vfio, unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &info))
		die("cannot query", "a region");
	return info.offset;
}

static void dma_map(const struct vfio *vfio, void *memory, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	if (ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &map))
		die("cannot map", "memory for DMA");
}

static void enable_vector(const struct vfio *vfio, unsigned int vector, int fd)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[COPY_VECTORS];
	} irqs = { { .argsz = sizeof(irqs),
		     .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		     .index = VFIO_PCI_MSIX_IRQ_INDEX,
		     .count = COPY_VECTORS }, { -1, -1, -1, -1 } };

	irqs.fds[vector] = fd;
	if (ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &irqs))
		die("cannot enable", "MSI-X");
}

static void bus_master(const struct vfio *vfio, int enabled)
{
	uint16_t command = PCI_COMMAND_MEMORY | (enabled ? PCI_COMMAND_MASTER : 0);

	if (pwrite(vfio->device, &command, 2,
		   region_offset(vfio, VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND) != 2)
		die("cannot write", "PCI_COMMAND");
}

static int interrupted(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&poll_fd, 1, ANSWER_MS) == 1 && read(fd, &count, sizeof(count)) == 8;
}

static void check_vfio(const char *name)
{
	struct vfio vfio = vfio_open(name);
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap),
						    .iova = IOVA + MEMORY_SIZE / 2,
						    .size = MEMORY_SIZE / 2 };
	volatile uint8_t *registers, *page;
	uint8_t *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint8_t *upper = memory + MEMORY_SIZE / 2;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (memory == MAP_FAILED || fd < 0)
		die("cannot get", "memory");
	registers = map_or_die(vfio.device, region_offset(&vfio, 0), COPY_REGISTERS, "BAR 0");
	dma_map(&vfio, memory, IOVA, MEMORY_SIZE / 2);
	dma_map(&vfio, upper, IOVA + MEMORY_SIZE / 2, MEMORY_SIZE / 2);
	enable_vector(&vfio, 1, fd);
	bus_master(&vfio, 1);

	fill(memory, 300000, 1);
	start(registers, IOVA, IOVA + MEMORY_SIZE / 2 + 8, 300000, 1);
	CHECK(interrupted(fd));
	CHECK(get(registers, COPY_STATUS) == COPY_SUCCESS);
	CHECK(equal(memory, upper + 8, 300000));

	bus_master(&vfio, 0);
	start(registers, IOVA, IOVA + 4096, 64, 1);
	CHECK(finished(registers) == EPERM);
	bus_master(&vfio, 1);

	CHECK(!ioctl(vfio.container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	CHECK(unmap.size == MEMORY_SIZE / 2);
	memset(upper, 0, 4096);
	start(registers, IOVA, IOVA + MEMORY_SIZE / 2, 64, 1);
	CHECK(interrupted(fd));
	CHECK(get(registers, COPY_STATUS) == EFAULT);
	CHECK(upper[0] == 0 && upper[63] == 0);

	page = map_or_die(vfio.device, region_offset(&vfio, COPY_BAR_MEMORY) + COPY_MAPPABLE, 4096,
			  "BAR 2");
	fill(page, 4096, 3);
	CHECK(page[4095] == (uint8_t)(4095 * 7 + 4095 / 251 + 3));

	put(registers, COPY_SCRATCH, 0x12345678);
	CHECK(get(registers, COPY_SCRATCH) == 0x12345678);
	CHECK(!ioctl(vfio.device, VFIO_DEVICE_RESET));
	CHECK(get(registers, COPY_SCRATCH) == 0);
	CHECK(get(registers, COPY_DONE) == 0);
}

/* ---- by bus address -------------------------------------------------------------------------- */

static void set_command(const char *name, uint16_t command)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	fd = open_or_die(path, O_RDWR);
	if (pwrite(fd, &command, 2, PCI_COMMAND) != 2)
		die("cannot write", path);
	close(fd);
}

static uint64_t bar_address(const char *name, unsigned int bar)
{
	unsigned long long first = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", name);
	file = fopen(path, "re");
	if (!file)
		die("cannot open", path);
	for (unsigned int i = 0; i <= bar; i++)
		if (fscanf(file, "%llx %*x %*x", &first) != 1)
			die("no such BAR in", path);
	fclose(file);
	return first;
}

static volatile uint8_t *map_bar(const char *name, unsigned int bar, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%u", name, bar);
	return map_or_die(open_or_die(path, O_RDWR), 0, size, path);
}

static void check_direct(const char *name, const char *peer)
{
	volatile uint8_t *registers, *lent;
	uint64_t address = bar_address(peer, 2);

	set_command(name, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	set_command(peer, PCI_COMMAND_MEMORY);
	registers = map_bar(name, 0, COPY_REGISTERS);
	lent = map_bar(peer, 2, MEMORY_SIZE);
	fill(lent, 100000, 5);
	start(registers, address, address + MEMORY_SIZE / 2, 100000, 0);
	CHECK(finished(registers) == COPY_SUCCESS);
	CHECK(equal(lent, lent + MEMORY_SIZE / 2, 100000));

	/* From here on the BAR is not on the bus: the model must have been told. */
	lent[0] = 0xaa;
	lent[MEMORY_SIZE / 2] = 0;
	set_command(peer, 0);
	start(registers, address, address + MEMORY_SIZE / 2, 64, 0);
	CHECK(finished(registers) == EFAULT);
	set_command(peer, PCI_COMMAND_MEMORY);
	CHECK(lent[MEMORY_SIZE / 2] == 0);
	start(registers, address, address + MEMORY_SIZE / 2, 64, 0);
	CHECK(finished(registers) == COPY_SUCCESS);
	CHECK(lent[MEMORY_SIZE / 2] == 0xaa);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "vfio")) {
		check_vfio(argv[2]);
	} else if (argc == 4 && !strcmp(argv[1], "direct")) {
		check_direct(argv[2], argv[3]);
	} else {
		fprintf(stderr, "usage: guest_copy_check vfio DEVICE | direct DEVICE PEER\n");
		return 2;
	}
	printf("%u failed\n", failures);
	return failures != 0;
}
